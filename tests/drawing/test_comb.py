"""Ladders: which rung belongs to which layer, and on which a line stands."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from upsim.show import ToneRow, draw_comb
from upsim.show.comb import owned_rungs
from upsim.words.tolerance import rounding


@pytest.mark.parametrize(
    ("rate", "strides"),
    [
        (22050, (8, 8, 2, 2)),
        (44100, (4,) * 6),
        (24000, (8, 5, 4, 2)),
        (44100, (3, 7, 5)),
        (1, (3, 3)),
    ],
)
def test_a_rung_belongs_to_the_last_layer_that_has_it(rate, strides):
    exact = [Fraction(rate, int(np.prod(strides[place:]))) for place in range(len(strides))]
    owned = owned_rungs([float(spacing) for spacing in exact], rate / 2)
    for place, rungs in enumerate(owned):
        assert len(rungs) == Fraction(rate, 2) // exact[place] + 1
        by_fractions = [
            not any((k * exact[place] / later).denominator == 1 for later in exact[place + 1 :])
            for k in range(len(rungs))
        ]
        assert rungs.tolist() == by_fractions


def test_a_line_stands_on_its_layers_row_and_strangers_on_their_own():
    tones = [
        ToneRow(frequency_hz=8000.0, power=1.0, layer="2", cause="bias"),
        ToneRow(frequency_hz=4000.0, power=0.01, layer="1", cause="weights"),
        ToneRow(frequency_hz=3000.0, power=0.1, layer="input", cause="input"),
    ]
    ax = draw_comb([("1", 4000.0), ("2", 8000.0)], tones, sample_rate=16000)
    heads = {
        line.get_marker(): (line.get_xdata()[0], int(line.get_ydata()[0]))
        for line in ax.lines
        if line.get_marker() in ("^", "P", "o")
    }
    assert heads == {"^": (8.0, 1), "P": (4.0, 0), "o": (3.0, 2)}
    assert len(ax.get_yticklabels()) == 3
    assert ax.child_axes[0].get_ylabel() == "tone power (dB re 1)"


def test_a_louder_line_stands_higher():
    tones = [
        ToneRow(frequency_hz=1000.0 * k, power=10.0**-k, layer="1", cause="bias")
        for k in range(1, 4)
    ]
    ax = draw_comb([("1", 1000.0)], tones, sample_rate=16000)
    (heads,) = [line.get_ydata() for line in ax.lines if line.get_marker() == "^"]
    steps = np.diff(heads)
    assert (steps < 0).all()
    assert steps[0] == pytest.approx(steps[1], rel=rounding(64, 1.0))  # ten dB each
