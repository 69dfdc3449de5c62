"""
Figure 8, right: linear interpolation, noise in
===============================================

White noise at 4 kHz goes through three layers of linear interpolation (x2) and nothing else.
Without the convolutions of figure 6 the valleys stand alone.

The caption names the layers and leaves open which linear interpolation it is. Here: torch's
default (`align_corners=False`), whose taps for a factor of 2 are 1/4, 3/4, 3/4, 1/4. The
textbook's triangle 1/2, 1, 1/2 has its valleys at the same places, less wide ones.
"""

import numpy as np
import picture

import upsim
from upsim.show import draw_layers

stack = upsim.Stack([upsim.Linear(2)] * 3, sample_rate=32000, name="figure 8 right")
noise = upsim.WhiteNoise(power=1.0)
prediction = upsim.predict(stack, noise)
print(prediction)

# %%
# What to see
# -----------
# Two things happen at once. Each layer *droops*: towards the old Nyquist frequency the music
# gets duller. And each layer has a *null* at half of its own output rate, just where an offset
# would leave a line:

for report in prediction.filtering:
    (null,) = report.nulls
    zero, edge = float(null.frequency), float(report.old_nyquist)
    print(f"{report.name}: zero at {zero:g} Hz, droop {report.droop:.2f} dB at {edge:g} Hz")

# %%
# At the 32 kHz output the nulls are at 4 and 12 kHz (layer 1 and its replica), 8 kHz (layer 2)
# and 16 kHz (layer 3), as the printed density at exactly these frequencies shows. It is zero to
# rounding:

valleys = [4000.0, 8000.0, 12000.0, 16000.0]
depth = upsim.predict(stack, noise, frequencies=valleys).psd[0]
print([f"{level:.0e}" for level in depth], "beside", f"{prediction.psd[0, 0]:.0e} at 0 Hz")

# %%
# The two conventions side by side, one layer each: the half-pixel filter has a threefold zero
# and droops by 9.03 dB, the triangle a double zero and 6.02 dB.

for convention in ("half-pixel", "triangle"):
    one = upsim.Stack([upsim.Linear(2, convention)], sample_rate=8000)
    (report,) = upsim.predict(one, noise).filtering
    print(f"{convention:10} {report.nulls[0].multiplicity}-fold zero, droop {report.droop:.2f} dB")

# %%
# The witness
# -----------
# The NumPy layers, fed with a single 1 in the middle of silence, put out the impulse response
# of the stack. Its transform has its zeros at the same places:

impulse = np.zeros((1, 65))
impulse[0, 32] = 1.0
response = upsim.neural.run(stack, impulse)[0]
turns = np.array(valleys) / 32000
measured = np.abs(np.exp(-2j * np.pi * np.outer(turns, np.arange(response.size))) @ response)
print("the run's gain in the valleys:", [f"{level:.0e}" for level in measured])
verdict = upsim.verify(stack, noise)
print(verdict)

# %%
# The columns of the figure: spectra, and the same as spectrograms.

axes = prediction.plot(kind="layers")

# %%

column = draw_layers(prediction.panels(), kind="spectrogram")

# sphinx_gallery_start_ignore
picture.save(axes[0].figure, "figure8_right.png")
picture.save(column[0].figure, "figure8_right_spectrograms.png")
# sphinx_gallery_end_ignore
