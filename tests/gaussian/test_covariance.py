"""Covariances against nested integrals, closed kernels, the series and the ends of its range."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gaussian import oracle
from upsim.errors import ArgumentError, ShapeError
from upsim.gaussian import (
    ExactGELU,
    Exponential,
    ExponentialLinear,
    Quadrature,
    Rectifier,
    Sinusoid,
    covariance,
    erf,
    series,
    snake,
)
from upsim.words.tolerance import rounding

FORMS = {
    "relu": Rectifier(),
    "leaky": Rectifier(0.2),
    "elu": ExponentialLinear(0.7),
    "gelu": ExactGELU(),
    "erf": erf(),
    "sin": Sinusoid(),
    "snake": snake(1.5),
    "exp": Exponential(0.4),
}
PAIRS = [(name, name) for name in FORMS]
PAIRS += [("relu", "gelu"), ("elu", "snake"), ("relu", "leaky"), ("exp", "elu"), ("sin", "snake")]
INPUTS = [((0.0, 1.0), (0.0, 1.0)), ((0.3, 1.2), (-0.7, 0.6)), ((-2.0, 0.7), (3.0, 2.0))]
RHO = (-1.0, -0.999999, -0.9, -0.3, 0.0, 0.2, 0.8, 0.99, 0.9999999, 1.0)


def oracle_rounding(x, y):
    # 30 x 24 outer nodes, each a sum of as many: rounding of their sums against |f| |g| <= 16 s s'
    return rounding(2 * 30 * 24, 16 * (abs(x[0]) + x[1]) * (abs(y[0]) + y[1]))


@pytest.mark.parametrize("points", INPUTS, ids=str)
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_the_bound_bounds_the_error(pair, points):
    f, g = (FORMS[name] for name in pair)
    x, y = points
    found = covariance(f.moments(*x), g.moments(*y), np.array(RHO))
    for rho, value, error in zip(RHO, found.values, found.error, strict=True):
        exact = oracle.cross(f.function, g.function, x, y, rho)
        assert abs(value - exact) <= error + oracle_rounding(x, y), rho


def test_a_function_without_closed_means_near_one():
    tanh = Quadrature(np.tanh, name="tanh")
    x, y = (0.5, 3.0), (0.0, 2.0)
    found = covariance(tanh.moments(*x), tanh.moments(*y), np.array([0.5, 0.999]))
    for rho, value, error in zip((0.5, 0.999), found.values, found.error, strict=True):
        exact = oracle.cross(np.tanh, np.tanh, x, y, rho)
        assert abs(value - exact) <= error + oracle_rounding(x, y)
    # The square of what the series is off by at 0.999: the way that was taken is another one.
    assert np.all(found.error < series(tanh.moments(*x), tanh.moments(*y), 0.999).error ** 2)


@given(rho=st.floats(-1, 1), s=st.floats(0.01, 100))
def test_the_arc_cosine_kernel(rho, s):
    # Cho & Saul 2009, order 1, over 2: s^2/(2 pi) (sqrt(1-rho^2) + rho (pi - arccos rho))
    m = Rectifier().moments(0.0, s)
    kernel = s**2 / (2 * np.pi) * (np.sqrt((1 - rho) * (1 + rho)) + rho * (np.pi - np.arccos(rho)))
    found = covariance(m, m, rho)
    assert abs(found.values + m.mean**2 - kernel) <= found.error + rounding(16, 2 * s**2)


def test_the_arc_sine_kernel():
    # Williams 1998: E erf(x) erf(y) = 2/pi arcsin(2 s s' rho / sqrt((1+2s^2)(1+2s'^2)))
    rho = np.linspace(-1, 1, 41)
    x, y = erf().moments(0.0, 0.7), erf().moments(0.0, 3.0)
    exact = 2 / np.pi * np.arcsin(2 * 2.1 * rho / np.sqrt((1 + 0.98) * (1 + 18)))
    found = covariance(x, y, rho)
    assert np.all(np.abs(found.values - exact) <= found.error + rounding(16, 2.0))


@pytest.mark.parametrize("name", FORMS)
@given(mu=st.floats(-4, 4), s=st.floats(0.01, 3))
def test_at_one_it_is_the_variance_itself(name, mu, s):
    m = FORMS[name].moments(mu, s)
    assert covariance(m, m, 1.0).values == m.variance


@pytest.mark.parametrize("name", FORMS)
@given(mu=st.floats(-3, 3), nu=st.floats(-3, 3), s=st.floats(0.1, 2), rho=st.floats(-0.5, 0.5))
def test_closed_forms_and_the_series_agree(name, mu, nu, s, rho):
    x, y = FORMS[name].moments(mu, s), FORMS[name].moments(nu, 1.0)
    best, summed = covariance(x, y, rho), series(x, y, rho)
    assert abs(best.values - summed.values) <= best.error + summed.error


@pytest.mark.parametrize("name", FORMS)
def test_it_is_symmetric_and_obeys_cauchy_and_schwarz(name):
    x, y = FORMS[name].moments(0.4, 1.3), FORMS["relu"].moments(-0.2, 0.8)
    rho = np.linspace(-1, 1, 9)
    one, other = covariance(x, y, rho), covariance(y, x, rho)
    assert np.all(np.abs(one.values - other.values) <= one.error + other.error)
    assert np.all(np.abs(one.values) <= np.sqrt(x.variance * y.variance) + one.error)


def test_a_matrix_of_channels_with_a_parameter_each():
    m = snake(np.array([0.5, 1.0, 2.0])).moments([0.0, 1.0, -1.0], [1.0, 0.5, 2.0])
    rho = np.array([[1.0, 0.2, -0.4], [0.2, 1.0, 0.1], [-0.4, 0.1, 1.0]])
    matrix = covariance(m[:, None], m[None, :], rho)
    assert np.array_equal(np.diag(matrix.values), m.variance)
    assert np.all(np.abs(matrix.values - matrix.values.T) <= matrix.error + matrix.error.T)
    pair = covariance(snake(0.5).moments(0.0, 1.0), snake(2.0).moments(-1.0, 2.0), -0.4)
    assert abs(matrix.values[0, 2] - pair.values) <= matrix.error[0, 2] + pair.error


def test_slow_entries_alone_are_integrated():
    m = ExponentialLinear().moments(0.0, 1.0)
    found = covariance(m, m, np.array([0.1, 0.99999, 1.0]))
    assert found.method == "series and quadrature"
    assert covariance(m, m, np.array([0.1, 1.0])).method == "series"


@pytest.mark.parametrize("rho", [1.1, -2.0, np.nan, np.inf])
def test_a_correlation_that_is_none_is_refused(rho):
    m = Rectifier().moments(0.0, 1.0)
    with pytest.raises(ArgumentError, match="rho"):
        covariance(m, m, rho)


def test_rounding_above_one_is_cut():
    m = Rectifier().moments(0.0, 1.0)
    assert covariance(m, m, np.nextafter(1.0, 2.0)).values == m.variance


def test_shapes_that_do_not_fit_are_refused():
    m = Rectifier().moments(np.zeros(3), 1.0)
    with pytest.raises(ShapeError, match=r"m\[:, None\]"):
        covariance(m, m, np.zeros(4))
