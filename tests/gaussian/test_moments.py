"""Every number lies within its reported bound of an integral to 40 digits."""

import numpy as np
import pytest
from mpmath import mpf

from tests.gaussian import oracle
from tests.gaussian.cases import CLOSED, NUMERIC, POINTS, WAVES
from upsim.gaussian import ExponentialLinear, Quadrature, Rectifier
from upsim.words.tolerance import rounding

ORDER = 7


def off(exact, number):
    return abs(float(exact - mpf(float(number))))


@pytest.mark.parametrize("point", POINTS, ids=str)
@pytest.mark.parametrize("name", [*CLOSED, *NUMERIC])
def test_the_bound_bounds_the_error(name, point):
    form, exact = (CLOSED | NUMERIC)[name]
    mu, s = point
    if name in WAVES and s > 10:
        pytest.skip("thousands of waves under the Gaussian are beyond the oracle's panels")
    found = form.moments(mu, s, order=ORDER)
    alpha, variance = oracle.moments(exact, mu, s, ORDER)
    assert off(alpha[0], found.mean) <= found.mean_error
    assert off(variance, found.variance) <= found.variance_error
    for k in range(ORDER + 1):
        assert off(alpha[k], found.coefficients[k]) <= found.coefficients_error, k
    assert off(alpha[1] / mpf(s), found.slope) <= found.slope_error


@pytest.mark.parametrize("name", [*CLOSED, *NUMERIC])
def test_the_bound_is_of_the_size_of_rounding(name):
    # A bound that bounds everything proves nothing. Perturbing x by u (|mu| + s) changes a function
    # of slope <= 4 by four times that; a few hundred operations, at most, build each number.
    form, _ = (CLOSED | NUMERIC)[name]
    for mu, s in POINTS:
        found = form.moments(mu, s)
        size = 4 * (1 + abs(mu) + s)
        assert found.mean_error <= rounding(256, size)
        assert found.variance_error <= rounding(8192, s * size + size**2 * (s >= 0.04) + 2.0**-52)


@pytest.mark.parametrize("name", [*CLOSED, *NUMERIC])
def test_no_deviation_gives_the_function_itself(name):
    form, exact = (CLOSED | NUMERIC)[name]
    for mu in (-2.5, 0.0, 0.75):
        found = form.moments(mu, 0.0)
        assert off(exact(mpf(mu)), found.mean) <= found.mean_error
        assert found.variance == 0
        assert not np.any(found.coefficients[1:])


def test_at_a_kink_without_deviation_the_slope_is_the_mean_of_both():
    assert Rectifier(0.5).moments(0.0, 0.0).slope == 0.75
    numeric = Quadrature(lambda x: np.maximum(x, 0), name="relu").moments(0.0, 0.0)
    assert abs(numeric.slope - 0.5) <= numeric.slope_error


def test_quadrature_reports_a_kink_that_it_was_not_told_of():
    def bent(x):
        return np.abs(x - 0.123456)

    blind = Quadrature(bent, name="bent").moments(0.3, 1.7, order=5)
    told = Quadrature(bent, kink_places=(0.123456,), name="bent").moments(0.3, 1.7, order=5)
    assert abs(blind.variance - told.variance) <= blind.variance_error + told.variance_error
    assert abs(blind.mean - told.mean) <= blind.mean_error + told.mean_error
    assert told.variance_error < blind.variance_error


def test_arrays_broadcast_and_keep_their_places():
    mean, deviation = np.array([[0.0], [1.0], [-2.0]]), np.array([0.0, 0.5, 1.0, 3.0])
    for form, _ in [*CLOSED.values(), *NUMERIC.values()]:
        whole = form.moments(mean, deviation, order=4)
        assert whole.shape == (3, 4)
        assert whole.coefficients.shape == (5, 3, 4)
        one = form.moments(-2.0, 3.0, order=4)
        # The panels of a batch are refined together, so only the bounds are promised.
        assert abs(whole.mean[2, 3] - one.mean) <= whole.mean_error[2, 3] + one.mean_error
        assert (
            abs(whole.variance[2, 3] - one.variance)
            <= whole.variance_error[2, 3] + one.variance_error
        )


def test_a_parameter_per_channel():
    slopes = np.array([[0.0], [0.25]])
    both = Rectifier(slopes).moments(np.zeros((2, 3)), 1.0)
    assert np.array_equal(both.mean[1], Rectifier(0.25).moments(np.zeros(3), 1.0).mean)
    assert np.array_equal(both[1].form.slope, np.full(3, 0.25))
    alphas = np.array([[1.0], [0.75]])
    elu = ExponentialLinear(alphas).moments(np.full((2, 3), -0.25), 1.5)
    assert np.array_equal(
        elu.variance[1], ExponentialLinear(0.75).moments(np.full(3, -0.25), 1.5).variance
    )


def test_records_are_read_only():
    found = Rectifier().moments(np.zeros(3), 1.0)
    with pytest.raises(ValueError, match="read-only"):
        found.mean[0] = 1
