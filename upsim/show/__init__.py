"""Pictures: spectrum, layers, spectrogram, comb, provenance, impulse response and phase gains.

Each function takes plain arrays and rows (`upsim.show.rows`), draws into ``ax`` or into a new
figure of 1280 x 720, and returns the Axes. matplotlib is imported at the first picture.
"""

from upsim.show.aliasing_curve import draw_aliasing
from upsim.show.comb import draw_comb
from upsim.show.context_curve import draw_context
from upsim.show.impulse import (
    draw_impulse_and_phase_gains,
    draw_impulse_response,
    draw_phase_gains,
)
from upsim.show.layers import draw_layers
from upsim.show.pairs import draw_pairs
from upsim.show.provenance import draw_provenance
from upsim.show.rows import Band, ContributionRow, Panel, ToneRow
from upsim.show.spectrogram import (
    SpectrogramImage,
    draw_spectrogram,
    expected_spectrogram,
    spectrogram_of_waveform,
)
from upsim.show.spectrum import draw_spectrum

__all__ = [
    "Band",
    "ContributionRow",
    "Panel",
    "SpectrogramImage",
    "ToneRow",
    "draw_aliasing",
    "draw_comb",
    "draw_context",
    "draw_impulse_and_phase_gains",
    "draw_impulse_response",
    "draw_layers",
    "draw_pairs",
    "draw_phase_gains",
    "draw_provenance",
    "draw_spectrogram",
    "draw_spectrum",
    "expected_spectrogram",
    "spectrogram_of_waveform",
]
