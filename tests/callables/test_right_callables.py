"""Right upsamplers of every framework pass; layouts and frameworks are found."""

import functools
from fractions import Fraction

import numpy as np
import pytest
from scipy import signal

import upsim
from upsim.errors import ArgumentError, ArgumentTypeError
from upsim.testing import (
    Framework,
    check_upsampler,
    parametrize_with_laws,
    register_framework,
    subject,
)
from upsim.testing.callables.frameworks import FRAMEWORKS, framework_of

RNG = np.random.default_rng(0)


def hold(x, axis=-1):
    return np.repeat(x, 3, axis=axis)


@pytest.mark.parametrize(
    ("function", "channels", "layout"),
    [
        (hold, 2, "batch channels time"),
        (functools.partial(hold, axis=1), 2, "batch time channels"),
        (functools.partial(hold, axis=0), 2, "time channels"),
        (lambda x: hold(x) if x.ndim == 2 else x[None], 2, "channels time"),
        (lambda x: np.repeat(x, 3), 1, "time"),
    ],
)
def test_the_layout_is_found(function, channels, layout):
    assert subject(function, 3, channels).layout == layout
    check_upsampler(function, factor=3, channels=channels, like=upsim.Nearest(3))


def test_a_layout_that_is_told_is_taken():
    assert subject(hold, 3, 2, layout="channels-last").layout == "batch time channels"
    with pytest.raises(ArgumentError, match=r"unknown layout.*given: layout='NCT'"):
        subject(hold, 3, 2, layout="NCT")


@pytest.mark.parametrize(
    ("function", "factor"),
    [
        (lambda x: signal.resample_poly(x, 3, 2, axis=-1), Fraction(3, 2)),
        (lambda x: signal.resample_poly(x, 1, 3, axis=-1), Fraction(1, 3)),
        (lambda x: signal.resample(x, 2 * x.shape[-1], axis=-1), 2),  # circular
        (lambda x: signal.upfirdn([1.0, 2.0, 0.5], x, 4, axis=-1), 4),
    ],
)
def test_resamplers_of_scipy_pass(function, factor):
    check_upsampler(function, factor=factor, channels=2, groups=2)


@pytest.mark.torch
def test_layers_of_torch_pass():
    import torch

    torch.manual_seed(0)
    for module, factor, channels, groups in (
        (torch.nn.ConvTranspose1d(3, 2, 8, 4, 2), 4, 3, 1),
        (torch.nn.ConvTranspose1d(4, 8, 5, 3, 1, output_padding=1, groups=2), 3, 4, 2),
        (torch.nn.ConvTranspose1d(1, 1, 2, 3, dilation=2, bias=False), 3, 1, 1),
        (torch.nn.Upsample(scale_factor=2, mode="linear"), 2, 2, 2),
        (torch.nn.Conv1d(2, 3, 4, 2, 1, padding_mode="reflect"), Fraction(1, 2), 2, 1),
        (torch.nn.ConvTranspose1d(2, 2, 4, 2, 1).to(torch.bfloat16), 2, 2, 1),
    ):
        check_upsampler(module, factor=factor, channels=channels, groups=groups)
        assert framework_of(module).name == "torch"


@pytest.mark.torch
def test_a_module_of_torch_is_our_layer():
    import torch

    torch.manual_seed(0)
    module = torch.nn.ConvTranspose1d(3, 2, 7, 4, 2, output_padding=1)
    weight, bias = (each.detach().double().numpy() for each in (module.weight, module.bias))
    like = upsim.TransposedConv(3, 2, 7, 4, 2, 1, bias=bias, weight=weight)
    check_upsampler(module, like=like)


@pytest.mark.torch
def test_functions_of_torch_are_found_by_what_they_mention():
    import torch

    def inner(x):
        return torch.nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")

    @functools.wraps(inner)
    def outer(*arguments):
        return inner(*arguments)

    for function in (inner, outer, functools.partial(torch.repeat_interleave, repeats=2, dim=-1)):
        assert framework_of(function).name == "torch"
        check_upsampler(function, factor=2, channels=2, like=upsim.Nearest(2))


def test_layers_of_keras_pass():
    keras = pytest.importorskip("keras", reason="needs Keras")
    for layer, channels in (
        (keras.layers.UpSampling1D(2), 2),
        (keras.layers.Conv1DTranspose(3, 4, 2, padding="same"), 2),
        (keras.layers.Conv1DTranspose(3, 4, 2, padding="valid"), 1),
    ):
        found = subject(layer, 2, channels)
        assert (found.framework.name, found.layout) == ("keras", "batch time channels")
        check_upsampler(layer, factor=2, channels=channels)


def test_functions_of_jax_pass():
    jax = pytest.importorskip("jax", reason="needs JAX")

    def hold_twice(x):
        return jax.numpy.repeat(x, 2, axis=-1)

    for function in (hold_twice, jax.jit(hold_twice)):
        assert framework_of(function).name == "jax"
        check_upsampler(function, factor=2, channels=2, like=upsim.Nearest(2))


@pytest.mark.parametrize("layer", [upsim.Nearest(2), upsim.Linear(3), upsim.PeriodicShuffle(2)])
def test_our_own_layers_pass_the_laws_of_callables(layer):
    check_upsampler(layer, factor=layer.rate)


def test_a_stack_is_checked_as_a_callable():
    stack = upsim.Stack([upsim.TransposedConv(2, 3, 4, 2, 1), upsim.Nearest(2)], 8000).draw(0)
    check_upsampler(stack, factor=4)


def test_an_adapter_of_ones_own(monkeypatch):
    class Box:
        def __init__(self, array):
            self.array = array

    monkeypatch.setattr("upsim.testing.callables.frameworks.FRAMEWORKS", dict(FRAMEWORKS))
    boxes = Framework(
        name="boxes",
        roots=("boxes",),
        layout="batch channels time",
        tensor=lambda array, _: Box(np.array(array)),
        array=lambda box: box.array,
        is_tensor=lambda value: isinstance(value, Box),
    )
    register_framework(boxes)
    check_hold = subject(lambda box: Box(hold(box.array)), 3, 2, framework=boxes)
    assert check_hold.framework is boxes
    np.testing.assert_array_equal(check_hold.run(np.ones((1, 2, 1))), np.ones((1, 2, 3)))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "a callable does not say its factor"),
        ({"factor": 0}, "factor must be a positive whole number"),
        ({"factor": 2, "channels": 3, "groups": 2}, "channels must be a multiple of groups"),
        ({"factor": 2, "time_limit": 0}, "time_limit must be positive"),
        ({"factor": 2, "like": upsim.TransposedConv(1, 1, 4, 2)}, "like must have numbers"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(arguments, said):
    with pytest.raises(ArgumentError, match=said):
        check_upsampler(hold, **arguments)


@pytest.mark.parametrize("wrong", [np.ndarray, 3, "hold"])
def test_what_is_no_callable_is_refused(wrong):
    with pytest.raises(ArgumentTypeError, match=r"^only layers and callables are checked"):
        subject(wrong, 2)


@parametrize_with_laws([hold, upsim.Nearest(2), subject(hold, 3, 2, gain=1.0)], factor=3)
def test_parametrize_takes_callables_and_layers(layer, law):
    law(layer)
