"""Draw the README's picture again: real music through figure 6's nearest-neighbour stack.

Usage: ``python examples/readme_picture.py [docs/_static/readme.png]``; without a name it draws
``readme.png`` in the current folder.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
import picture

import upsim
from upsim.show import draw_spectrogram, draw_spectrum, spectrogram_of_waveform

layers = [upsim.Nearest(2), upsim.Conv(1, 1, kernel_size=9, padding="same")] * 3
stack = upsim.Stack(layers, sample_rate=32000, name="figure 6 left").draw(seed=0)
music = upsim.Recorded.from_file(picture.CLIP, sample_rate=4000, channel=0)
prediction = upsim.predict(stack, music, frequencies=1025)

figure, (top, bottom) = plt.subplots(2, figsize=(10, 8.4), dpi=100, layout="constrained")
panel = prediction.panels()[-1]
draw_spectrum(
    panel.frequencies_hz,
    panel.psd,
    (),  # the only line, the offset at 0 Hz, would squeeze the rest
    panel.bands,
    sample_rate=32000,
    ax=top,
    title="predicted: tabla at 4 kHz, three nearest-neighbour layers",
)
(offset,) = prediction.tones
audible = prediction.waveform[:, : 4 * 32000] - np.real(offset.amplitude)[:, None]
image = spectrogram_of_waveform(audible, 32000, window_length=512)
draw_spectrogram(image, ax=bottom, title="over time: eight copies of one band, valleys between")
bottom.set_yticks(range(0, 17, 4))
picture.save(figure, sys.argv[1] if len(sys.argv) > 1 else "readme.png")
