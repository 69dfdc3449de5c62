"""Parseval, Stein, symmetry: what holds for every function and every Gaussian."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gaussian.cases import CLOSED, NUMERIC
from upsim.gaussian import ExactGELU, Exponential, Rectifier, Sinusoid, snake
from upsim.words.tolerance import rounding

EVERY = {name: form for name, (form, _) in (CLOSED | NUMERIC).items()}
means = st.floats(-5, 5)
deviations = st.floats(1e-6, 3)


@pytest.mark.parametrize("name", EVERY)
@given(mu=means, s=deviations)
def test_no_series_has_more_energy_than_the_variance(name, mu, s):
    found = EVERY[name].moments(mu, s, order=12)
    kept = np.sum(found.coefficients[1:] ** 2)
    shift = np.sqrt(12) * found.coefficients_error
    slack = found.variance_error + 2 * shift * np.sqrt(found.variance) + shift**2
    assert kept <= found.variance + slack + rounding(24, float(found.variance))
    assert found.tail_bound >= found.variance - kept


@pytest.mark.parametrize("form", [ExactGELU(), Sinusoid(), snake(0.5), Exponential(0.5)], ids=str)
def test_parseval_for_entire_functions(form):
    # Their series converge geometrically: at order 80 nothing but rounding is left.
    found = form.moments(np.array([-1.0, 0.0, 0.5]), np.array([0.5, 1.0, 1.5]), order=80)
    kept = np.sum(found.coefficients[1:] ** 2, axis=0)
    shift = np.sqrt(80) * found.coefficients_error
    slack = found.variance_error + 2 * shift * np.sqrt(found.variance) + shift**2
    # GELU at s = 1.5: ratio s^2/(1+s^2) = 9/13 a term, (9/13)^81 = 1e-13 of the variance
    assert np.all(np.abs(found.variance - kept) <= slack + found.variance * (9 / 13) ** 80)


def test_parseval_for_the_relu_at_the_rate_of_its_kink():
    # alpha_k^2 = He_{k-2}(0)^2 / (2 pi k!), k even, falls as k^{-5/2} (Stirling), the tail as
    # K^{-3/2}: four times the order leaves an eighth.
    tails = [float(Rectifier().moments(0.0, 1.0, order=order).tail) for order in (64, 256, 1024)]
    for wide, narrow in pairwise(tails):
        # Stirling's correction to the rate is of relative size 1/K at most 1/64 each
        assert abs(wide / narrow / 8 - 1) <= 4 / 64


@pytest.mark.parametrize("name", EVERY)
@given(mu=means, s=deviations)
def test_stein(name, mu, s):
    # alpha_1 = s E f'
    found = EVERY[name].moments(mu, s, order=3)
    allowed = found.coefficients_error + s * found.slope_error + rounding(2, abs(s * found.slope))
    assert abs(found.coefficients[1] - s * found.slope) <= allowed


@pytest.mark.parametrize("name", EVERY)
@given(mu=means, s=st.floats(0.5, 2))
def test_the_derivative_of_the_mean_is_the_slope(name, mu, s):
    # d/dmu E f = E f'; central differences err by h^2/6 |E f'''|, and E f''' = alpha_3 sqrt(6)/s^3,
    # bounded near mu through the deviation: |alpha_3| <= sqrt(variance).
    h = 1e-4
    form = EVERY[name]
    above, below, here = (form.moments(m, s, order=4) for m in (mu + h, mu - h, mu))
    quotient = (above.mean - below.mean) / (2 * h)
    curve = np.sqrt(6 * max(above.variance, below.variance, here.variance)) / s**3
    lost = (above.mean_error + below.mean_error + rounding(2, 10.0)) / h
    assert abs(quotient - here.slope) <= h**2 * curve + lost + here.slope_error


@pytest.mark.parametrize("name", ["sin", "erf", "tanh", "identity"])
@given(mu=means, s=deviations)
def test_odd_functions_mirror(name, mu, s):
    # f(-x) = -f(x): alpha_k(-mu) = (-1)^(k+1) alpha_k(mu)
    form = EVERY[name]
    here, there = form.moments(mu, s, order=6), form.moments(-mu, s, order=6)
    signs = (-1.0) ** (np.arange(7) + 1)
    allowed = here.coefficients_error + there.coefficients_error
    assert np.all(np.abs(there.coefficients - signs * here.coefficients) <= allowed)


@pytest.mark.parametrize("name", ["relu", "gelu", "silu"])
@given(mu=means, s=deviations)
def test_what_is_half_linear_folds(name, mu, s):
    # f(x) - f(-x) = x
    form = EVERY[name]
    here, there = form.moments(mu, s), form.moments(-mu, s)
    allowed = here.mean_error + there.mean_error + rounding(2, abs(mu))
    assert abs(here.mean - there.mean - mu) <= allowed


@given(mu=means, s=deviations, factor=st.floats(0.1, 10))
def test_the_rectifier_scales(mu, s, factor):
    one, other = (Rectifier(0.25).moments(*p) for p in ((mu, s), (factor * mu, factor * s)))
    allowed = factor**2 * one.variance_error + other.variance_error
    assert abs(factor**2 * one.variance - other.variance) <= allowed * (1 + abs(mu) / s)


@pytest.mark.parametrize(
    ("form", "decibels"),
    [(Rectifier(), -3.31), (Rectifier(0.1), -4.65), (Rectifier(0.2), -6.13), (ExactGELU(), -6.38)],
)
def test_offset_over_variance_after_an_activation(form, decibels):
    found = form.moments(0.0, 1.0)
    # quoted to two decimals
    assert abs(10 * np.log10(found.mean**2 / found.variance) - decibels) <= 0.005


def test_a_wrong_sign_breaks_the_series():
    # Teeth: alpha_3 of the ReLU is phi(z) He_1(-z)/sqrt(6); with He_1(z) the covariance of two
    # different means goes wrong by 2 |alpha_3 alpha'_3| rho^3, far beyond the bounds.
    from dataclasses import replace

    from upsim.gaussian import covariance, series

    x, y = Rectifier().moments(1.0, 1.0), Rectifier().moments(-0.5, 1.0)
    truth = covariance(x, y, 0.5)
    right = series(x, y, 0.5)
    assert abs(right.values - truth.values) <= right.error + truth.error
    flipped = x.coefficients.copy()
    flipped[3] *= -1
    wrong = series(replace(x, coefficients=flipped), y, 0.5)
    assert abs(wrong.values - truth.values) > 100 * (wrong.error + truth.error)
