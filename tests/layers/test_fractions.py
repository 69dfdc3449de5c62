"""A fraction as a factor is answered by layers to type, and they do what was asked."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import upsim
from upsim.errors import ArgumentError
from upsim.neural import run
from upsim.words.tolerance import rounding


def typed(fix):
    """Return the layers that a fix says, as a reader would type them."""
    return list(eval(f"[{fix}]", {name: getattr(upsim, name) for name in upsim._LAYERS.split()}))


KINDS = [
    (upsim.Nearest, {}),
    (upsim.Stretch, {}),
    (upsim.Linear, {}),
    (upsim.Linear, {"convention": "triangle"}),
    (upsim.Cubic, {"a": -0.5}),
    (upsim.WindowedSinc, {}),
    (upsim.Decimate, {}),
]


@pytest.mark.parametrize(("kind", "named"), KINDS, ids=str)
@given(st.fractions(Fraction(1, 9), 9, max_denominator=300), st.booleans())
def test_a_fraction_as_a_factor_says_what_to_type(kind, named, factor, as_float):
    if factor.denominator == 1:
        return
    with pytest.raises(ArgumentError) as refusal:
        kind(float(factor) if as_float else factor, **named)
    stack = upsim.Stack(typed(refusal.value.fix), 1)
    wanted = 1 / factor if kind is upsim.Decimate else factor
    assert 1 / stack.input_rate == wanted


def test_nearest_by_one_and_a_half():
    with pytest.raises(ArgumentError) as refusal:
        upsim.Nearest(1.5)
    assert str(refusal.value) == (
        "factor must be a whole number; a fraction is an upsampling, then a decimation. "
        "given: factor=1.5, Nearest. expected: an int >= 1. fix: Nearest(3), Decimate(2)"
    )
    layers = typed(refusal.value.fix)
    made = run(layers, np.arange(1.0, 7.0)[None])
    # torch.nn.functional.interpolate(scale_factor=1.5) gathers sample floor(i / 1.5).
    assert made.tolist() == [[1, 1, 2, 3, 3, 4, 5, 5, 6]]


@pytest.mark.parametrize("factor", [Fraction(5, 3), Fraction(7, 5), Fraction(2, 3)])
def test_the_fix_of_linear_is_torchs_half_pixel_interpolation(factor):
    torch = pytest.importorskip("torch")
    with pytest.raises(ArgumentError) as refusal:
        upsim.Linear(factor)
    count = factor.denominator * 4
    samples = np.random.default_rng(count).standard_normal((2, count))
    made = run(typed(refusal.value.fix), samples)
    expected = torch.nn.functional.interpolate(
        torch.tensor(samples)[None], scale_factor=float(factor), mode="linear"
    )[0].numpy()
    # torch rounds a place of up to `count` a few times.
    assert made.shape == expected.shape
    within = rounding(8 * count, 2 * float(np.abs(samples).max()))
    assert np.abs(made - expected).max() <= within
