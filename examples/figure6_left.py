"""
Figure 6, left: music through nearest-neighbour layers
======================================================

Music at 4 kHz goes through three layers of nearest-neighbour interpolation (x2), each followed
by a convolution of length 9: 32 kHz come out. Everything above 2 kHz in the output is made by
the layers.

The caption fixes the layers and the rates. It leaves open the music (here: a loop played on
tabla, CC0, brought down to 4 kHz), the channels (here: one), padding (here: "same") and weights
(here: PyTorch's default, seed 0, biases included).
"""

import numpy as np
import picture
from scipy.signal import welch

import upsim
from upsim.show import draw_layers

layers = [upsim.Nearest(2), upsim.Conv(1, 1, kernel_size=9, padding="same")] * 3
stack = upsim.Stack(layers, sample_rate=32000, name="figure 6 left").draw(seed=0)
music = upsim.Recorded.from_file(picture.CLIP, sample_rate=4000, channel=0)
prediction = upsim.predict(stack, music, frequencies=1025)
print(prediction)

# %%
# What to see
# -----------
# * **Replicas.** The band of the music, 0 to 2 kHz, is there eight times: mirrored from 2 to 4
#   kHz, upright from 4 to 6 kHz, and so on. They move with the music, so they are no tones.
# * **Valleys.** Nearest neighbour is a filter of equal taps, which is zero at every multiple of
#   its input rate except 0 Hz: the first layer at 4 kHz of its 8 kHz output. The later layers
#   repeat that zero at 12 kHz and add their own at 8 and at 16 kHz.
# * **No tones.** The recording and the biases have an offset, and an offset is repeated at
#   exactly 4, 8, 12 and 16 kHz, where the valleys are. Hence the list of tones holds the offset
#   alone.

for report in prediction.filtering:
    (null,) = report.nulls
    zero, edge = float(null.frequency), float(report.old_nyquist)
    print(f"{report.name}: zero at {zero:g} Hz, droop {report.droop:.2f} dB at {edge:g} Hz")
print("tones:", [tone.frequency for tone in prediction.tones])

# %%
# The first bands of the output, and the layer that made each (gain: output over input density,
# averaged over the band):

for replica in prediction.replicas[:4]:
    way = "mirrored" if replica.mirrored else "upright"
    by = "by layer " + replica.made_by[0] if replica.is_image else "the band itself"
    gain = 10 * np.log10(replica.gain[0])
    print(f"{int(replica.low):4} to {int(replica.high)} Hz: {way:8} {by:15} {gain:5.1f} dB")

# %%
# The witness
# -----------
# For a recording the prediction is the exact output of that recording. The same layers as a
# framework computes them, in NumPy, sample by sample and ends included:

measured = upsim.neural.run(stack, music.samples)[0]
error = np.abs(prediction.waveform[0] - measured).max()
print(f"{measured.size} samples, largest {np.abs(measured).max():.3f}, largest error {error:.1e}")
verdict = upsim.verify(stack, music)
print(verdict)

# %%
# The spectrum of the whole loop, predicted as a curve and measured as dots (every 8th point of
# the same average):

(offset,) = prediction.tones
rest = measured - offset.amplitude[0].real
grid, density = welch(rest, 32000, nperseg=2048, detrend=False)
ax = prediction.plot(title="tabla at 4 kHz through three nearest-neighbour layers")
picture.draw_run(ax, grid[::8], density[::8])

# %%
# The column of the figure: the input, and the output of each pair of layers.

panels = prediction.panels()[::2]
column = draw_layers(panels, kind="spectrogram")

# sphinx_gallery_start_ignore
picture.save(ax.figure, "figure6_left.png")
picture.save(column[0].figure, "figure6_left_spectrograms.png")
# sphinx_gallery_end_ignore
