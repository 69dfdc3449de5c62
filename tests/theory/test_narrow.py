"""A prediction says by itself where networks like it were far off, and says what was measured."""

from __future__ import annotations

import csv
from math import inf
from pathlib import Path

import numpy as np
import pytest

import upsim
from upsim.theory.moments import StationaryMoments
from upsim.theory.moments.narrow import (
    WORTH_SAYING,
    closure_error,
    closure_note,
    expectation_error,
    expectation_note,
    independent_error,
    narrowest_sum,
)
from upsim.theory.moments.propagation import propagate, starting_moments

STUDY = Path(__file__).parents[2] / "bench" / "accuracy.csv"


def study(question):
    with STUDY.open(encoding="utf-8", newline="") as file:
        return [
            each
            for each in csv.DictReader(file)
            if (each["question"], each["quantity"]) == (question, "density")
            and int(each["depth"]) > 1
        ]


@pytest.mark.parametrize("question", ["closure", "independent", "wide limit"])
def test_the_rule_is_that_of_the_study(question):
    rows, near = study(question), 0
    assert len({row["activation"] for row in rows}) >= (1 if question == "independent" else 5)
    for row in rows:
        assert row["channels"] == {"closure": "all pairs", "wide limit": "alike"}.get(
            question, question
        )
        # A transposed convolution of 4 taps and a stride of 2 adds two taps of each channel.
        terms, depth = 2 * int(row["width"]), int(row["depth"])
        if question == "closure":
            said = closure_error(terms, depth)
        elif question == "independent":
            said = independent_error(terms)
        else:
            said = (depth - 1) * expectation_error(terms)
        # Not better than what was seen, and not ten times worse where anything was seen.
        assert said >= float(row["low"]), row
        if float(row["low"]) > 0:
            assert said <= 10 * float(row["high"]), row
        near += said <= 2 * float(row["high"])
    assert near > len(rows) / 2


def decoder(width, depth):
    layers = []
    for _ in range(depth):
        layers += [upsim.TransposedConv(width, width, 4, 2, 1), upsim.LeakyReLU(0.1)]
    return upsim.Stack([*layers, upsim.Conv(width, 1, 3, padding=1)], 16000)


def said(stack):
    return [
        each
        for each in upsim.predict(stack, upsim.WhiteNoise(), frequencies=17).assumptions
        if each.startswith("narrow")
    ]


def test_a_narrow_network_says_so_and_a_wide_one_does_not():
    (note,) = said(decoder(8, 4).draw(0))
    assert "has only 16 terms" in note
    assert f"networks were off by about {closure_error(16, 4):.1f} dB" in note
    assert said(decoder(128, 3).draw(0)) == []
    (note,) = said(decoder(8, 4))
    assert "sums of 16 terms, the average over networks was off by about" in note
    assert f"{expectation_error(16):.1g} dB for each activation after the first" in note
    assert said(decoder(512, 4)) == []


def test_what_is_exact_is_not_narrow():
    assert said(decoder(8, 1).draw(0)) == []
    linear = upsim.Stack([upsim.TransposedConv(2, 1, 4, 2)], 16000)
    assert said(linear) == said(linear.draw(0)) == []


def test_narrower_than_the_study_is_at_least():
    (note,) = said(decoder(2, 3).draw(0))
    assert "at least about" in note
    (note,) = said(decoder(2, 3))
    assert "at least about" in note


def test_channels_taken_as_independent_say_what_that_costs():
    stack = decoder(32, 3).draw(0)
    answer = upsim.predict(stack, upsim.WhiteNoise(), frequencies=17, memory=2**18)
    assert any("taken as independent" in each for each in answer.assumptions)
    (note,) = [each for each in answer.assumptions if each.startswith("narrow")]
    # Two taps of 32 channels; the closing sum has three.
    assert "independent has only 64 terms" in note
    assert f"about {independent_error(64):.1f} dB" in note


def narrowest(layers, **settings):
    stack = upsim.Stack(layers, 16000, **settings).draw(0)
    start = starting_moments(stack, [upsim.WhiteNoise()], provenance=False)
    end = propagate(stack, start).end
    assert isinstance(end, StationaryMoments)
    return narrowest_sum(end.place)


FIRST = [upsim.Conv(3, 8, 1), upsim.ReLU()]


@pytest.mark.parametrize(
    ("layers", "terms"),
    [
        (FIRST, inf),
        ([*FIRST, upsim.Conv(8, 4, 5), upsim.ReLU()], 8 * 5),
        ([*FIRST, upsim.TransposedConv(8, 4, 6, 3), upsim.ReLU()], 8 * 2),
        ([*FIRST, upsim.Conv(8, 4, 6, 2), upsim.ReLU()], 8 * 6),
        ([*FIRST, upsim.Conv(8, 4, 5, groups=4), upsim.ReLU()], 2 * 5),
        # The widest of the sums since the last activation.
        ([*FIRST, upsim.Conv(8, 4, 5), upsim.Nearest(2), upsim.ReLU()], 8 * 5),
        ([*FIRST, upsim.Nearest(2), upsim.Conv(8, 4, 5), upsim.ReLU()], 8 * 5),
        ([*FIRST, upsim.Tanh()], 1),
        # The narrowest of the activations, here the third.
        ([*FIRST, upsim.Conv(8, 2, 5), upsim.ReLU(), upsim.Conv(2, 2, 1), upsim.ReLU()], 2),
        # A skip brings a rectified sample as it is; behind a sum of its own it does not.
        ([*FIRST, upsim.Residual(upsim.Conv(8, 8, 1)), upsim.ReLU()], 1),
        ([*FIRST, upsim.Residual(upsim.Conv(8, 8, 1)), upsim.Conv(8, 8, 3), upsim.ReLU()], 24),
    ],
)
def test_terms_in_front_of_an_activation(layers, terms):
    assert narrowest(layers) == terms


def test_notes_end_where_nothing_is_worth_saying():
    def place(terms):
        stack = upsim.Stack([*FIRST, upsim.Conv(8, 1, terms // 8), upsim.ReLU()], 16000).draw(0)
        start = starting_moments(stack, [upsim.WhiteNoise()], provenance=False)
        return propagate(stack, start).values[stack.ends[4]].place

    for terms in (16, 32, 64, 128):
        assert bool(closure_note(place(terms))) == (closure_error(terms, 2) >= WORTH_SAYING)
    spoken = [bool(expectation_note(terms)) for terms in (None, 8, 10**2, 10**4)]
    assert spoken == [False, True, True, False]
    assert np.all(np.diff([expectation_error(n) for n in (16, 64, 256)]) < 0)
