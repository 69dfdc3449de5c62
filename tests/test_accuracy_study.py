"""The accuracy study measures what it says, and its page says what it measured."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import upsim
from upsim.words.tolerance import sampling

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def study():
    sys.path.insert(0, str(ROOT / "bench"))
    try:
        import accuracy
    finally:
        sys.path.pop(0)
    return accuracy


def test_the_page_quotes_the_file(study):
    page = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")
    rows = study.read()
    for question in study.QUESTIONS:
        for quantity in study.QUANTITIES:
            assert study.table(rows, question, quantity) in page


def test_every_activation_was_measured_far_enough_to_see_its_slope(study):
    for activation in study.ACTIVATIONS:
        for question in ("closure", "wide limit"):
            cells = [
                row
                for row in study.read()
                if (row.activation, row.question) == (repr(activation), question)
            ]
            assert len({row.width for row in cells}) >= 5
            assert len({row.depth for row in cells}) >= 5


def by_quantity(rows):
    return {row.quantity: row for row in rows}


def test_what_is_exact_is_measured_as_zero(study):
    found = by_quantity(study.measure_closure(upsim.ReLU(), 8, 1, 8))
    assert found["density"].low == 0
    assert found["lines"].low == 0
    assert found["density"].high < 0.1


@pytest.mark.parametrize("off", [1.0, -1.0])
def test_an_error_of_one_decibel_is_measured_as_one(study, monkeypatch, off):
    right = study.as_welch
    monkeypatch.setattr(study, "as_welch", lambda made: right(made) * 10 ** (off / 10))
    found = by_quantity(study.measure_closure(upsim.ReLU(), 8, 1, 8))["density"]
    assert found.low <= 1 <= found.high
    assert found.high - found.low < 0.1


def test_lines_that_are_missed_are_measured(study, monkeypatch):
    """Without the lines of half the period's places, more than all of them is missed by 10 %."""
    right = study.measured

    def louder(stack, count, seed):
        made, power = right(stack, count, seed)
        return 1.1 * made, power

    monkeypatch.setattr(study, "measured", louder)
    found = by_quantity(study.measure_closure(upsim.ReLU(), 8, 1, 8))["lines"]
    # 10 % of every line's amplitude is 20 lg 1.1 dB.
    assert found.low <= 20 * np.log10(1.1) <= found.high


def test_the_spread_of_networks_is_taken_off(study):
    rng = np.random.default_rng(0)
    wanted = rng.uniform(0.5, 2.0, 60)
    squares, shifted = [], []
    for _ in range(200):
        powers = wanted * rng.exponential(size=(400, 60))
        squares.append(study.squared_error(powers, wanted))
        shifted.append(study.squared_error(powers, wanted * 10**0.1))
    # Not taken off, the variance 1 / 400 of an average of exponentials would be this much.
    untreated = study.DB**2 / 400
    for made, decibels in ((squares, 0.0), (shifted, 1.0)):
        error = sampling(float(np.std(made)), len(made))
        assert error < untreated / 2
        # The logarithm of an average is low by half its variance; beyond that, terms in 1 / 400^2.
        left = decibels * study.DB / 400 + 4 * study.DB**2 / 400**2
        assert abs(np.mean(made) - decibels**2) <= error + left
