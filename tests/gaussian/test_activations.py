"""The layers name their forms; the forms are the layers' own functions; bad input is refused."""

from dataclasses import dataclass

import numpy as np
import pytest

from upsim import layers
from upsim.errors import ArgumentError, NotPredictableError, ShapeError, UpsimError
from upsim.gaussian import Exponential, Quadrature, Rectifier
from upsim.layers.base import Activation
from upsim.words.tolerance import rounding

ACTIVATIONS = [
    (layers.ReLU(), "closed"),
    (layers.LeakyReLU(0.1), "closed"),
    (layers.PReLU(), "closed"),
    (layers.PReLU(2, weight=[0.1, 0.4]), "closed"),
    (layers.Clamp(-0.5, 1.0), "closed"),
    (layers.Clamp(max=0.25), "closed"),
    (layers.Clamp(-0.25), "closed"),
    (layers.Clamp(), "closed"),
    (layers.Sin(2.0, 0.5, 1.0), "closed"),
    (layers.Sin([1.0, 3.0]), "closed"),
    (layers.ELU(0.5), "closed"),
    (layers.GELU(), "closed"),
    (layers.GELU("tanh"), "quadrature"),
    (layers.GELU("sigmoid"), "quadrature"),
    (layers.Pointwise([("tanh", "x"), ("multiply", "s0", "x")]), "quadrature"),
    (layers.Pointwise([("multiply", "x", [1.0, 3.0]), ("cos", "s0")]), "quadrature"),
    (layers.Tanh(), "quadrature"),
    (layers.Sigmoid(), "quadrature"),
    (layers.SiLU(), "quadrature"),
    (layers.Softplus(2.0, 3.0), "quadrature"),
    (layers.Snake([0.5, 2.0]), "closed"),
    (layers.Snake(2.0), "closed"),
    (layers.SnakeBeta([1.0, 2.0], 0.5), "closed"),
]


def test_the_whole_catalogue_is_here():
    from upsim.layers import CATALOGUE

    known = {name for name, kind in CATALOGUE.items() if issubclass(kind, Activation)}
    of_several = {"GLU", "Gate", "LayerNorm", "Softmax"}
    assert known - {type(layer).__name__ for layer, _ in ACTIVATIONS} == of_several


@pytest.mark.parametrize(("layer", "method"), ACTIVATIONS, ids=repr)
def test_the_form_is_the_layers_function(layer, method):
    samples = np.linspace(-4, 4, 2 * 41).reshape(2, 41)
    values = layer.function(samples)
    size = 8 * (1 + np.abs(samples))  # a few operations on numbers no larger than this
    assert np.all(np.abs(layer.form().function(samples) - values) <= rounding(16, 1.0) * size)
    found = layer.moments(samples, 0.5, order=4)
    assert found.method == method
    assert found.shape == samples.shape


@pytest.mark.parametrize("layer", [layer for layer, _ in ACTIVATIONS], ids=repr)
def test_the_form_agrees_with_quadrature_of_the_layers_function(layer):
    means, deviations = np.array([[-1.0, 0.5], [0.3, 2.0]]), np.array([[0.4, 1.5], [3.0, 0.1]])
    named = layer.moments(means, deviations, order=6)
    numeric = Quadrature(layer.function, same_everywhere=False, name="it").moments(
        means, deviations, order=6
    )
    for name in ("mean", "variance", "slope"):
        allowed = getattr(named, f"{name}_error") + getattr(numeric, f"{name}_error")
        assert np.all(np.abs(getattr(named, name) - getattr(numeric, name)) <= allowed), name
    allowed = named.coefficients_error + numeric.coefficients_error
    assert np.all(np.abs(named.coefficients - numeric.coefficients) <= allowed)


@dataclass(frozen=True, eq=False, repr=False)
class Cube(Activation):
    """Somebody's own: only the function is written."""

    def function(self, samples):
        return samples**3


def test_an_author_writes_only_the_function():
    found = Cube().moments(0.0, 1.0, order=4)
    # x^3 = He_3 + 3 He_1: alpha_1 = 3, alpha_3 = sqrt(6), variance 15, and nothing else
    exact = np.array([0, 3, 0, np.sqrt(6), 0])
    assert np.all(np.abs(found.coefficients - exact) <= found.coefficients_error + rounding(1, 3.0))
    assert abs(found.variance - 15) <= found.variance_error
    assert found.variance_error <= rounding(512, 15.0)


@dataclass(frozen=True, eq=False, repr=False)
class Softmax(Activation):
    def function(self, samples):
        grown = np.exp(samples)
        return grown / np.sum(grown, axis=-2, keepdims=True)


def test_channels_that_act_on_each_other_are_refused():
    with pytest.raises(NotPredictableError, match=r"upsim\.layers\.Gated"):
        Softmax().moments(0.0, 1.0)


def test_a_gate_is_sent_to_the_moments_of_pairs():
    with pytest.raises(NotPredictableError, match="gated_moments"):
        layers.GLU().moments(0.0, 1.0)


def test_a_function_that_changes_the_shape_is_refused():
    with pytest.raises(NotPredictableError, match="not a function of one sample"):
        Quadrature(lambda x: x[..., :1], name="first").moments(np.zeros(3), [1.0, 2.0, 3.0])


def test_moments_that_overflow_are_refused():
    with pytest.raises(NotPredictableError, match="smaller deviation"):
        Exponential().moments(0.0, 1e3)


@pytest.mark.parametrize(
    ("mean", "deviation", "error", "words"),
    [
        (0.0, -1.0, ArgumentError, "deviation must not be negative.*sqrt"),
        (0.0, np.nan, ArgumentError, "deviation must be finite"),
        (np.inf, 1.0, ArgumentError, "mean must be finite"),
        (np.zeros(3), np.ones(4), ShapeError, "broadcast"),
    ],
)
def test_what_is_no_gaussian_is_refused(mean, deviation, error, words):
    for form in (Rectifier(), Quadrature(np.tanh, name="tanh")):
        with pytest.raises(error, match=words) as caught:
            form.moments(mean, deviation)
        assert isinstance(caught.value, UpsimError)
