"""Arguments at the ends of the number line: two ways to one number, and no warning."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from upsim.errors import NotPredictableError
from upsim.gaussian import Exponential, Rectifier, covariance, series

from .cases import CLOSED

FORMS = {name: form for name, (form, _) in CLOSED.items()} | {"exp": Exponential()}

SMALL = [5e-324, 1e-320, 2e-313, 2.2250738585072014e-308, 1e-300, 1e-200, 1e-160, 1e-100, 1e-20]
NUMBERS = st.one_of(
    st.sampled_from([0.0, *SMALL, *(-each for each in SMALL)]),
    st.floats(-3, 3),
    st.floats(-1e-300, 1e-300),
)
DEVIATIONS = st.one_of(st.sampled_from([0.0, *SMALL]), st.floats(0.01, 2))
CORRELATIONS = st.one_of(st.sampled_from(SMALL), st.floats(-0.5, 0.5))


@pytest.mark.parametrize("name", FORMS)
@given(mu=NUMBERS, nu=NUMBERS, s=DEVIATIONS, t=DEVIATIONS, rho=CORRELATIONS)
@example(mu=0.0, nu=5e-324, s=1.0, t=1.0, rho=0.5)
@example(mu=5e-324, nu=5e-324, s=1.0, t=1.0, rho=0.9)
@example(mu=0.0, nu=0.0, s=1.0, t=1.0, rho=2e-313)
def test_the_closed_form_and_the_series_agree(name, mu, nu, s, t, rho):
    form = FORMS[name]
    x, y = form.moments(mu, s, order=64), form.moments(nu, t, order=64)
    best, summed = covariance(x, y, rho), series(x, y, rho)
    assert abs(best.values - summed.values) <= best.error + summed.error


def test_a_mean_as_small_as_there_is_makes_no_difference():
    # Cho & Saul 2009: Cov(relu, relu) = [sqrt(1 - rho^2) - 1 + rho (pi - arccos rho)] / 2 pi
    rho = np.array([-0.9, -0.5, 0.5, 0.9])
    exact = (np.sqrt(1 - rho**2) - 1 + rho * (np.pi - np.arccos(rho))) / (2 * np.pi)
    for first in (0.0, 5e-324, -5e-324, 1e-310, 1e-200):
        for second in (5e-324, -1e-320, 1e-308, 1e-160):
            x, y = (Rectifier().moments(mean, 1.0) for mean in (first, second))
            found = covariance(x, y, rho)
            assert np.all(np.abs(found.values - exact) <= found.error), (first, second)


@pytest.mark.parametrize("name", FORMS)
@given(mu=st.floats(-1e308, 1e308), s=st.floats(0, 1e308))
def test_large_arguments_are_answered_or_refused(name, mu, s):
    try:
        found = FORMS[name].moments(mu, s)
    except NotPredictableError:
        return
    assert np.all(np.isfinite(found.coefficients))
    assert found.variance >= 0
