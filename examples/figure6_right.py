"""
Figure 6, right: noise through linear interpolation
===================================================

White noise at 4 kHz goes through three layers of linear interpolation (x2), each followed by a
convolution of length 9: 32 kHz come out.

The caption fixes layers and rates. It leaves open the channels (here: one), the padding
("same"), the weights (PyTorch's default, seed 0, biases included) and the kind of linear
interpolation. Here it is torch's default (`align_corners=False`), which for a factor of 2 has
the four taps 1/4, 3/4, 3/4, 1/4.
"""

import numpy as np
import picture
from scipy.signal import welch

import upsim
from upsim.show import draw_layers

layers = [upsim.Linear(2), upsim.Conv(1, 1, kernel_size=9, padding="same")] * 3
stack = upsim.Stack(layers, sample_rate=32000, name="figure 6 right").draw(seed=0)
noise = upsim.WhiteNoise(power=1.0)
prediction = upsim.predict(stack, noise)
print(prediction)

# %%
# What to see
# -----------
# No tones, and valleys at 4, 8, 12 and 16 kHz. Each interpolation has a zero at half of its own
# output rate:

for report in prediction.filtering:
    (null,) = report.nulls
    print(f"{report.name}: {null.multiplicity}-fold zero at {float(null.frequency):g} Hz")

# %%
# Layer 1 works at 8 kHz, and what lies at its 4 kHz is repeated by the later stretches at 12
# kHz. So the valleys at 4 and 12 kHz belong to layer 1, the one at 8 kHz to layer 3, the one at
# 16 kHz to layer 5. The convolutions between them color the spectrum, but no convolution can
# fill a zero:

valleys = [4000.0, 8000.0, 12000.0, 16000.0]
depth = upsim.predict(stack, noise, frequencies=valleys).psd[0]
typical = np.median(prediction.psd)
for valley, level in zip(valleys, depth, strict=True):
    print(f"density at {valley:g} Hz: {level:.1e}/Hz, a typical one is {typical:.1e}/Hz")

# %%
# The witness
# -----------
# One run of the NumPy layers over 64 s of noise, averaged as `scipy.signal.welch` does, beside
# the closed form, which costs no run:

samples = np.random.default_rng(1).standard_normal((1, 4000 * 64))
measured = upsim.neural.run(stack, samples)[0]
(offset,) = prediction.tones
rest = measured - offset.amplitude[0].real
grid, density = welch(rest, 32000, nperseg=1024, detrend=False)
verdict = upsim.verify(stack, noise)
print(verdict)

# %%

ax = prediction.plot(title="white noise through linear x2 and convolutions: valleys, no tones")
picture.draw_run(ax, grid[::4], density[::4])

# %%
# The column of the figure: the input, and the output of each pair of layers.

column = draw_layers(prediction.panels()[::2], kind="spectrogram")

# sphinx_gallery_start_ignore
picture.save(ax.figure, "figure6_right.png")
picture.save(column[0].figure, "figure6_right_spectrograms.png")
# sphinx_gallery_end_ignore
