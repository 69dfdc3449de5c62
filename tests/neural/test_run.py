"""The public face: shapes, each=True, registering, and every refusal."""

import sys

import numpy as np
import pytest

from upsim import neural
from upsim.errors import (
    ArgumentError,
    ArgumentTypeError,
    MissingDependencyError,
    NotPredictableError,
    ShapeError,
    UnknownNameError,
)
from upsim.layers import (
    GLU,
    Bias,
    Conv,
    Crop,
    Decimate,
    HaarSynthesis,
    Nearest,
    Parallel,
    PeriodicShuffle,
    ReLU,
    Residual,
    Slice,
    Snake,
    TransposedConv,
)
from upsim.layers.base import Activation
from upsim.network.stack import Stack
from upsim.neural import registry, torch_layers


def test_channels_by_time_come_back_as_channels_by_time():
    assert neural.run(Nearest(2), np.ones((3, 4))).shape == (3, 8)
    assert neural.run(Nearest(2), np.ones((1, 3, 4))).shape == (1, 3, 8)


def test_a_stack_a_list_a_generator_and_a_layer_run_alike():
    stack = Stack([Nearest(2), ReLU()], sample_rate=8000)
    expected = [[[0.0, 0.0, 2.0, 2.0]]]
    for layers in (stack, [Nearest(2), ReLU()], iter(stack), (Nearest(2), ReLU())):
        np.testing.assert_array_equal(neural.run(layers, [[[-1.0, 2.0]]]), expected)
    np.testing.assert_array_equal(neural.run(ReLU(), [[-1.0, 2.0]]), [[0.0, 2.0]])


def test_each_returns_what_every_top_level_layer_makes():
    layers = [Nearest(2), Residual(Bias(1.0), ReLU()), Decimate(2)]
    first, second, third = neural.run(layers, [[-3.0, 2.0]], each=True)
    np.testing.assert_array_equal(first, [[-3, -3, 2, 2]])
    np.testing.assert_array_equal(second, [[-3, -3, 5, 5]])
    np.testing.assert_array_equal(third, [[-3, 5]])
    np.testing.assert_array_equal(neural.run(layers, [[-3.0, 2.0]]), third)


def test_a_chain_of_nothing_is_a_wire():
    np.testing.assert_array_equal(neural.run([], [[1.0, 2.0]]), [[1.0, 2.0]])


class Cube(Activation):
    def function(self, samples):
        return samples**3


@pytest.fixture
def registered(monkeypatch):
    """Forget afterwards what a test registers."""
    monkeypatch.setattr(registry, "_FORWARDS", dict(registry._FORWARDS))
    monkeypatch.setattr(torch_layers, "_BUILDERS", dict(torch_layers._BUILDERS))


@pytest.mark.usefixtures("registered")
def test_a_third_partys_layer_runs_once_it_is_registered():
    with pytest.raises(UnknownNameError, match=r"@upsim\.neural\.register\(Cube\)") as refused:
        neural.run([Nearest(2), Cube()], [[2.0]])
    assert refused.value.where == "layer 2 of 2 (Cube)"

    @neural.register(Cube)
    def cube(_, samples):
        return samples * samples * samples

    assert cube(Cube(), np.full((1, 1, 1), 2.0)) == 8  # the decorator leaves the function as it is
    np.testing.assert_array_equal(neural.run([Nearest(2), Cube()], [[2.0]]), [[8.0, 8.0]])
    np.testing.assert_array_equal(neural.run(Residual(Cube()), [[2.0]]), [[10.0]])


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    "wrong",
    [
        lambda _, samples: samples.astype(np.float64),
        lambda _, samples: samples[0],
        lambda _, samples: samples[:1],
        lambda _, samples: samples.tolist(),
        lambda *_: None,
    ],
)
def test_a_forward_that_returns_something_else_is_refused(wrong):
    neural.register(Cube)(wrong)
    with pytest.raises(ShapeError, match="a forward must return") as refused:
        neural.run(Cube(), np.ones((2, 1, 3)), dtype=np.float32)
    assert "Cube" in refused.value.where


@pytest.mark.parametrize("given", [Cube(), int, "ReLU", None])
@pytest.mark.parametrize("decorator", [neural.register, neural.register_torch])
def test_only_layer_types_can_be_registered(decorator, given):
    with pytest.raises(ArgumentTypeError, match=r"@upsim\.neural\.register"):
        decorator(given)


@pytest.mark.parametrize(
    ("samples", "error", "text"),
    [
        ([1.0, 2.0], ShapeError, r"samples\[None\]"),
        (1.0, ShapeError, "shape"),
        (np.ones((1, 1, 1, 1)), ShapeError, "batch, channels, time"),
        (np.ones((1, 0)), ShapeError, "empty"),
        ([[1.0, np.nan, np.inf]], ArgumentError, "2 of 3"),
        ([[1j]], ArgumentTypeError, "complex"),
        ([["a"]], ArgumentTypeError, "real"),
    ],
)
def test_samples_that_cannot_be_run_are_refused(samples, error, text):
    with pytest.raises(error, match=text):
        neural.run(ReLU(), samples)


@pytest.mark.parametrize("dtype", [np.float16, int, complex, "float31", object])
def test_other_precisions_are_refused(dtype):
    with pytest.raises(ArgumentError, match="single or double precision"):
        neural.run(ReLU(), [[1.0]], dtype=dtype)


@pytest.mark.parametrize(
    ("layer", "channels", "length", "error", "text"),
    [
        (Conv(1, 1, 3), 1, 9, NotPredictableError, "not drawn"),
        (Conv(1, 1, 3, weight=[[[1, 2, 3]]]), 1, 9, NotPredictableError, "bias"),
        (Conv(2, 1, 1, bias=False, weight=[[[1], [1]]]), 3, 9, ShapeError, "channels"),
        (Conv(1, 1, 3, bias=False, weight=[[[1, 2, 3]]]), 1, 2, ShapeError, "shorter"),
        (
            Conv(1, 1, 1, 1, 3, bias=False, padding_mode="reflect", weight=[[[1]]]),
            1,
            3,
            ShapeError,
            "reflect padding reaches further",
        ),
        (
            Conv(1, 1, 1, 1, 4, bias=False, padding_mode="circular", weight=[[[1]]]),
            1,
            3,
            ShapeError,
            "circular padding reaches further",
        ),
        (
            TransposedConv(1, 1, 2, 2, 2, bias=False, weight=[[[1, 1]]]),
            1,
            2,
            ShapeError,
            "cuts everything",
        ),
        (GLU(), 3, 9, ShapeError, "even"),
        (HaarSynthesis(), 3, 9, ShapeError, "even"),
        (PeriodicShuffle(2), 3, 9, ShapeError, "multiple"),
        (Snake([1.0, 2.0]), 3, 9, ShapeError, "alpha"),
        (Snake([1.0, 2.0]), 1, 9, ShapeError, "alpha"),
        (Bias([1.0, 2.0]), 1, 9, ShapeError, "bias"),
        (Crop(2, 2), 1, 4, ShapeError, "no sample is left"),
        (Decimate(9, phase=8), 1, 4, ShapeError, "no sample is left"),
        (Slice(2, -2), 1, 4, ShapeError, "no sample is left"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_a_layer_cannot_take_is_refused_with_its_place(layer, channels, length, error, text):
    with pytest.raises(error, match=text) as refused:
        neural.run([Nearest(1), layer], np.ones((channels, length)))
    assert f"layer 2 of 2 ({type(layer).__name__})" in refused.value.where


def test_an_error_inside_a_branch_names_the_way_there():
    inner = Conv(1, 1, 3, padding=1)
    with pytest.raises(NotPredictableError) as refused:
        neural.run([ReLU(), Parallel((), (ReLU(), inner))], np.ones((1, 4)))
    place = "layer 2 of 2 (Conv), branch 2, layer 2 of 2 (Parallel)"
    assert refused.value.where.endswith(place)


def test_without_torch_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for ask in (lambda: neural.run_torch(ReLU(), [[1.0]]), lambda: neural.to_torch(ReLU())):
        with pytest.raises(MissingDependencyError, match="pip install") as refused:
            ask()
        assert isinstance(refused.value, ImportError)
