"""Sizes and values beyond reason, asked from Python: a named refusal with a fix.

Line by line or tap by tap, each of these took minutes, or asked for terabytes.
"""

import matplotlib as mpl
import numpy as np
import pytest

import upsim
from upsim.errors import (
    ArgumentError,
    ArgumentTypeError,
    FileFormatError,
    TooLargeError,
    UpsimError,
)
from upsim.words.arguments import LARGEST_LINES
from upsim.words.tolerance import rounding

mpl.use("Agg")


def transposed(stride):
    return upsim.Stack([upsim.TransposedConv(1, 1, 4, stride)], 16000).draw(0)


NEAREST = upsim.Stack([upsim.Nearest(2)], 16000)

TOO_LARGE = {
    "lines": (lambda: upsim.predict(transposed(2**20)), "lines"),
    "expected lines": (
        lambda: upsim.predict(
            upsim.Stack([upsim.TransposedConv(1, 1, 4, 2**20)], 16000), upsim.Constant(1.0)
        ),
        "covariance of two times would need 8192.0 GiB",
    ),
    "a stride down": (lambda: upsim.predict(upsim.Stack([upsim.Decimate(2**20)], 16000)), "GiB"),
    "a strided convolution": (
        lambda: upsim.predict(upsim.Stack([upsim.Conv(1, 1, 4, 2**20)], 16000).draw(0)),
        "GiB",
    ),
    "audio": (lambda: upsim.predict(NEAREST, upsim.Constant(1.0)).audio(1e300), "GiB"),
    "overlap": (lambda: upsim.overlap(8, 2**24), "stride is too large"),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_what_is_too_large_is_refused_soon(name):
    ask, what = TOO_LARGE[name]
    with pytest.raises(TooLargeError, match=what) as caught:
        ask()
    assert caught.value.fix


def test_as_many_lines_as_are_allowed_are_listed():
    prediction = upsim.predict(transposed(2**14), upsim.Constant(1.0))
    assert 2**13 <= len(prediction.tones) <= LARGEST_LINES


@pytest.mark.parametrize("layer", [upsim.Hold(2**18), upsim.Conv(1, 1, 2**22)])
def test_long_kernels_have_their_density_soon(layer):
    prediction = upsim.predict(upsim.Stack([layer], 16000).draw(0))
    assert np.isfinite(prediction.psd).all()


@pytest.mark.parametrize(
    ("layer", "signal"),
    [
        (upsim.Nearest(2), upsim.Constant(1e300)),
        (upsim.TransposedConv(1, 1, 2, 2, bias=False, weight=[[[1e200, 1e200]]]), None),
        (upsim.Conv(1, 1, 1, bias=False, weight=upsim.Normal(1e200)), None),
    ],
)
def test_numbers_beyond_floating_point_are_refused(layer, signal):
    with pytest.raises(ArgumentError, match="leave the range of floating point"):
        upsim.predict(upsim.Stack([layer], 16000), signal)


@pytest.mark.parametrize("stack", [upsim.models.fig7(), upsim.models.fig7().draw(0)])
def test_progress_names_the_layers_and_ends_at_one(stack):
    told = []
    upsim.predict(stack, progress=lambda done, text: told.append((done, text)))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[0] == (0.0, "layer 1 (SubpixelConv)")
    assert told[-1][0] == 1.0


def test_a_folded_grid_is_the_same_sum_whichever_way_it_is_folded():
    rng = np.random.default_rng(0)
    grid = np.linspace(0, 0.5, 9)
    narrow = upsim.StretchFIR(rng.standard_normal((2, 3, 500)), 4, dilation=3)
    wide = upsim.StretchFIR(rng.standard_normal((40, 30, 500)), 4, dilation=3)
    for operator in (narrow, wide):
        turns = np.exp(-2j * np.pi * np.outer(operator.positions, grid))
        expected = (operator.taps @ turns).transpose(2, 0, 1)
        terms = operator.taps.shape[2]
        within = rounding(8 * terms, float(np.abs(operator.taps).sum(2).max()))
        assert np.abs(operator.response(grid) - expected).max() <= within


@pytest.mark.parametrize(
    ("ask", "kind"),
    [
        (lambda: upsim.verify(NEAREST, dtype="int8"), ArgumentError),
        (lambda: upsim.verify(NEAREST, dtype=2.5), ArgumentError),
        (lambda: upsim.verify(NEAREST, dtype=[2]), ArgumentError),
        (lambda: upsim.finite_matrix(NEAREST, 2.5), ArgumentError),
        (lambda: upsim.finite_matrix(NEAREST, "4"), ArgumentTypeError),
        (lambda: upsim.finite_matrix(NEAREST, 0), ArgumentError),
        (lambda: upsim.coverage(NEAREST, 4), ArgumentTypeError),
        (lambda: upsim.coverage(upsim.StretchFIR(np.ones((1, 1, 3)), 2), 1.5), ArgumentError),
        (lambda: upsim.Prediction.from_dict(4), FileFormatError),
        (lambda: upsim.Prediction.from_dict({"format": "x"}), FileFormatError),
    ],
)
def test_a_wrong_argument_is_named(ask, kind):
    with pytest.raises(kind) as caught:
        ask()
    assert isinstance(caught.value, UpsimError)
    assert caught.value.given
    assert caught.value.expected or caught.value.fix


def test_the_picture_of_thousands_of_phases_comes_soon():
    left, right = upsim.predict(transposed(2**14), upsim.Silence()).plot(kind="impulse")
    left.figure.canvas.draw()
    assert left.get_legend() is None
    assert not right.patches
