"""The range of dB: no hidden floor, no line lost, no rounding shown."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upsim.errors import ArgumentError
from upsim.show import ToneRow, draw_spectrum
from upsim.show.levels import ROUNDING_DB, level_limits, levels_of


def test_a_line_at_minus_87_db_is_inside_the_picture(density):
    quiet = ToneRow(frequency_hz=5000.0, power=10**-8.7, layer="1", cause="bias")
    loud = ToneRow(frequency_hz=0.0, power=1.0, layer="input", cause="input")
    for frequencies, psd in [(None, None), density(3)]:
        ax = draw_spectrum(frequencies, psd, [loud, quiet], [], sample_rate=32000)
        low, high = ax.get_ylim()
        assert low < -87.0 < high
        heads = [line.get_ydata()[0] for line in ax.lines if line.get_marker() == "^"]
        assert heads == [10 * np.log10(quiet.power)]


@given(st.lists(st.floats(-240.0, 200.0), min_size=1, max_size=30))
def test_every_line_above_rounding_is_inside(levels):
    limits = level_limits(levels)
    seen = [level for level in levels if level > max(levels) + ROUNDING_DB]
    assert limits.low < min(seen) <= max(seen) < limits.high


def test_rounding_does_not_stretch_the_range():
    assert level_limits([0.0, -300.0]).pair == level_limits([0.0]).pair


def test_a_null_does_not_stretch_the_range_and_is_marked(density):
    frequencies, psd = density(3)
    ax = draw_spectrum(frequencies, psd, [], [], sample_rate=32000)
    deepest = 10 * np.log10(psd[psd > 0].min())
    assert ax.get_ylim()[0] > deepest
    marks = [line for line in ax.lines if line.get_marker() == "v"]
    # |sin 8x / sin x| is zero at 4, 8, 12 and 16 kHz, all of them points of the grid.
    assert marks[0].get_xdata().tolist() == [4.0, 8.0, 12.0, 16.0]


def test_a_density_without_nulls_is_inside_altogether():
    psd = np.geomspace(1.0, 1e-12, 500)
    low, high = level_limits([], [levels_of(psd)]).pair
    assert low < -120.0 < 0.0 < high


def test_zero_is_minus_infinity_and_nothing_else_is_drawn_at_it():
    assert levels_of([0.0])[0] == -np.inf
    silent = ToneRow(frequency_hz=1.0, power=0.0)
    ax = draw_spectrum(np.arange(4.0), np.zeros((1, 4)), [silent], [], sample_rate=6)
    assert np.isfinite(ax.get_ylim()).all()
    assert ax.texts[0].get_text() == "silence: no line, no density"


def test_powers_that_are_none_are_refused():
    with pytest.raises(ArgumentError, match="NaN") as caught:
        levels_of([1.0, np.nan], what="psd")
    assert caught.value.what == "psd must be numbers"
    with pytest.raises(ArgumentError, match=r"abs\(amplitude\)\*\*2"):
        levels_of([1.0, -0.5])
    # What is negative by rounding only is zero.
    assert levels_of([1.0, -np.finfo(float).eps])[1] == -np.inf
