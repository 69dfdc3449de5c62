"""Pictures: spectrum, layers, spectrogram, comb, provenance, impulse response and phase gains.

Each function takes plain arrays and rows (`upsim.drawing.rows`), draws into ``ax`` or into a new
figure of 1280 x 720, and returns the Axes. matplotlib is imported at the first picture.
"""

from upsim.drawing.comb import draw_comb
from upsim.drawing.impulse import (
    draw_impulse_and_phase_gains,
    draw_impulse_response,
    draw_phase_gains,
)
from upsim.drawing.layers import draw_layers
from upsim.drawing.provenance import draw_provenance
from upsim.drawing.rows import Band, ContributionRow, Panel, ToneRow
from upsim.drawing.spectrogram import (
    SpectrogramImage,
    draw_spectrogram,
    expected_spectrogram,
    spectrogram_of_waveform,
)
from upsim.drawing.spectrum import draw_spectrum

__all__ = [
    "Band",
    "ContributionRow",
    "Panel",
    "SpectrogramImage",
    "ToneRow",
    "draw_comb",
    "draw_impulse_and_phase_gains",
    "draw_impulse_response",
    "draw_layers",
    "draw_phase_gains",
    "draw_provenance",
    "draw_spectrogram",
    "draw_spectrum",
    "expected_spectrogram",
    "spectrogram_of_waveform",
]
