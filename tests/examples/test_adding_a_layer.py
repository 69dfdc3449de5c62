"""The recipe for a new layer is followed to the letter: the page's own blocks, in order."""

import re
from pathlib import Path

import numpy as np
import pytest

import upsim
from upsim.errors import ArgumentError
from upsim.layers import CATALOGUE
from upsim.neural import registry
from upsim.words.tolerance import rounding

PAGE = Path(__file__).resolve().parents[2] / "docs" / "adding-a-layer.md"
BLOCKS = re.findall(
    r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)


@pytest.fixture
def followed(monkeypatch):
    """The names that the page's blocks leave behind; the catalogue is restored afterwards."""
    monkeypatch.setattr("upsim.layers.CATALOGUE", CATALOGUE)
    before, forwards = dict(CATALOGUE), dict(registry._FORWARDS)
    names = {"__name__": "page"}
    try:
        for number, block in enumerate(BLOCKS, 1):
            exec(compile(block, f"{PAGE.name}, block {number}", "exec"), names)
        yield names
    finally:
        CATALOGUE.clear()
        CATALOGUE.update(before)
        registry._FORWARDS.clear()
        registry._FORWARDS.update(forwards)


def test_the_recipe_is_one_class_one_entry_and_one_witness():
    assert len(BLOCKS) == 11
    assert sum("class BSpline" in block for block in BLOCKS) == 1
    assert sum("CATALOGUE[" in block for block in BLOCKS) == 1
    assert sum("register(BSpline)" in block for block in BLOCKS) == 1


def test_the_followed_recipe_gives_a_layer(followed):
    kind = followed["BSpline"]
    assert kind not in upsim.layers.__dict__.values()  # a seventh, not one of ours
    # Worked out by hand: [1, 1] * [1/2, 1/2] * [1/2, 1/2].
    np.testing.assert_array_equal(kind(2).operator(1).taps[0, 0], [0.25, 0.75, 0.75, 0.25])
    np.testing.assert_array_equal(kind(3, 0).operator(1).taps[0, 0], [1, 1, 1])
    nulls = followed["prediction"].filtering[0].nulls
    assert [(float(null.frequency), null.multiplicity) for null in nulls] == [(4000.0, 3)]
    assert repr(kind(2)) == "BSpline(2)"
    assert repr(kind(2, degree=1)) == "BSpline(2, degree=1)"
    with pytest.raises(ArgumentError, match=r"degree must be a whole number >= 0.*BSpline"):
        kind(2, degree=-1)


def test_what_the_page_prints_of_the_line_is_so(followed):
    answer = followed["prediction"].explain(4000)
    assert (answer.possible, answer.layer, answer.tone) == (True, "1", None)


def test_the_witness_agrees(followed):
    stack = followed["stack"].draw(seed=0)
    assert upsim.verify(stack).passed
    # By hand, causal: repeat 4, then two running means of 2: 2, 4 (rise), 4, 4, then the fall.
    layer, samples = followed["BSpline"](2), np.array([[4.0, 0.0, 0.0]])
    expected = [[1.0, 3.0, 3.0, 1.0, 0.0, 0.0]]
    np.testing.assert_array_equal(upsim.neural.run(layer, samples), expected)
    np.testing.assert_array_equal(layer.operator(1).apply(samples), expected)


def test_a_stack_file_holds_it(followed, tmp_path):
    stack = followed["stack"].draw(seed=0)
    upsim.save_stack(stack, tmp_path / "stack.json")
    again = upsim.load_stack(tmp_path / "stack.json")
    assert again[0] == followed["BSpline"](2)
    assert type(again[0]) is followed["BSpline"]


def test_the_broken_layer_was_caught(followed):
    assert "TooLong(BSpline(2)) breaks" in followed["complaint"]


def powers(prediction):
    """Return the power of all lines and of the noise, each the mean over channels."""
    lines = sum(tone.power.mean() for tone in prediction.tones)
    return lines, np.trapezoid(prediction.psd, prediction.frequencies, axis=1).mean()


def test_the_numbers_of_the_other_kinds(followed):
    # Square: E x^2 = 1, Var x^2 = 2.  Levels of many channels: 1 / 1.2 and 0.2 / 1.2.
    far = rounding(2**12, 4.0)  # a quadrature, and the trapezoidal rule over a flat density
    for name, line, noise in (
        ("squared", 1.0, 2.0),
        ("levelled", 1 / (1.2 + 1e-6), 0.2 / (1.2 + 1e-6)),
        ("steady", 1 / (1.2 + 1e-6), 0.2 / (1.2 + 1e-6)),
    ):
        found = powers(followed[name])
        assert np.abs(np.subtract(found, (line, noise))).max() <= far, name


def test_the_gate_of_the_page(followed):
    # Independent halves: E tanh = 0 and Var = E tanh^2 E sigmoid^2, both by plain sums.
    z = np.linspace(-12, 12, 2**14 + 1)
    chance = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) * (z[1] - z[0])
    exact = (chance * np.tanh(z) ** 2).sum() * (chance / (1 + np.exp(-z)) ** 2).sum()
    lines, noise = powers(followed["opened"])
    assert lines == 0
    assert abs(noise - exact) <= rounding(2**14, exact)


def test_the_scaled_layer_is_four_times_as_strong(followed):
    plain = upsim.Stack([followed["doubled"].layer], 32000)
    found, single = powers(followed["expected"]), powers(upsim.predict(plain))
    assert np.abs(np.subtract(found, 4 * np.array(single))).max() <= rounding(2**12, found[0])
    # and one network is what the witness makes of it
    assert upsim.verify(upsim.Stack([followed["doubled"]], 32000).draw(seed=0)).passed


def test_the_zeros_of_the_page_s_formula(followed):
    turns = np.linspace(0.01, 0.5, 50)
    for factor, degree in ((2, 2), (3, 1), (5, 3)):
        found = np.abs(followed["BSpline"](factor, degree).operator(1).response(turns)[:, 0, 0])
        ratio = np.sin(np.pi * turns * factor) / (factor * np.sin(np.pi * turns))
        formula = factor * np.abs(ratio) ** (degree + 1)
        # degree + 1 convolutions of L terms, a transform of (d + 1) L terms, angles up to pi each.
        terms = 2 * (degree + 1) * factor
        assert np.abs(found - formula).max() <= rounding(terms, np.pi * terms * factor)
