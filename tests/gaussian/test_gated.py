"""Gated pairs against integrals over both halves, and against long runs of random numbers."""

import numpy as np
import pytest

from upsim.errors import ArgumentError
from upsim.gaussian import SIGMOID, gated_covariance, gated_moments
from upsim.gaussian.gated import close_covariance
from upsim.words.tolerance import rounding, sampling


def logistic(x):
    return 1 / (1 + np.exp(-x))


def plane(mean_a, s, mean_b, r, rho):
    """Return E y, E y^2 of y = a sigmoid(b) by two Gauss-Hermite rules of 150 nodes."""
    from scipy.special import roots_hermitenorm

    z, w = roots_hermitenorm(150)
    w = w / np.sum(w)
    b = mean_b + r * z[:, None]
    a = mean_a + s * (rho * z[:, None] + np.sqrt(1 - rho**2) * z)
    y = a * logistic(b)
    return w @ y @ w, w @ y**2 @ w


@pytest.mark.parametrize(
    "point",
    [(0, 1, 0, 1, 0), (1, 1, 0, 1, 0.5), (-2, 0.5, 1, 0.7, -0.9), (0.3, 2, -1, 1, 1.0)],
    ids=str,
)
def test_mean_and_second_moment(point):
    mean_a, s, mean_b, r, rho = point
    found = gated_moments(mean_a, s, mean_b, r, rho=rho)
    mean, second = plane(*point)
    # Poles at +-i pi / r deviations: the rule errs by about exp(-2 sqrt(150 * 2) pi / r), r <= 1.
    size = (abs(mean_a) + s) ** 2
    scheme = np.exp(-2 * np.sqrt(300) * np.pi / r) + rounding(150**2, 1.0)
    assert abs(found.mean - mean) <= found.mean_error + scheme * np.sqrt(size)
    allowed = found.variance_error + 2 * abs(found.mean) * found.mean_error + scheme * size
    assert abs(found.second - second) <= allowed


def test_independent_halves_of_mean_zero_make_no_offset():
    found = gated_moments(np.zeros(3), 2.0, [-1.0, 0.0, 5.0], [0.5, 1.0, 3.0])
    assert not np.any(found.mean)
    assert np.all(found.variance > 0)


def test_the_covariance_with_itself_is_the_variance():
    x = gated_moments(0.5, 1.5, -0.3, 0.8, rho=0.6)
    same = gated_covariance(x, x, carriers=1, gates=1, carrier_gate=0.6, gate_carrier=0.6)
    assert abs(same.values - x.variance) <= same.error + x.variance_error


def test_the_general_covariance_against_a_run():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(4, 4))
    joint = root @ root.T
    joint /= np.sqrt(np.outer(np.diag(joint), np.diag(joint)))
    means, deviations = np.array([0.4, -0.6, -1.0, 0.8]), np.array([1.2, 0.9, 0.7, 1.4])
    x = gated_moments(means[0], deviations[0], means[1], deviations[1], rho=joint[0, 1])
    y = gated_moments(means[2], deviations[2], means[3], deviations[3], rho=joint[2, 3])
    found = gated_covariance(
        x,
        y,
        carriers=joint[0, 2],
        gates=joint[1, 3],
        carrier_gate=joint[0, 3],
        gate_carrier=joint[1, 2],
    )
    draws = means[:, None] + deviations[:, None] * (
        np.linalg.cholesky(joint) @ rng.normal(size=(4, 2_000_000))
    )
    first, second = draws[0] * logistic(draws[1]), draws[2] * logistic(draws[3])
    products = (first - x.mean) * (second - y.mean)
    assert abs(found.values - products.mean()) <= sampling(float(products.std()), products.size)
    # it can tell: the product form of independent halves lies outside
    plain = gated_covariance(
        x, y, carriers=joint[0, 2], gates=joint[1, 3], carrier_gate=joint[0, 3]
    )
    assert abs(plain.values - products.mean()) > sampling(float(products.std()), products.size)


def test_correlations_that_nobody_can_have_are_refused():
    x = gated_moments(0.0, 1.0, 0.0, 1.0, rho=0.9)
    with pytest.raises(ArgumentError, match="positive semidefinite"):
        gated_covariance(x, x, carriers=1.0, gates=-1.0)


def test_close_pairs_are_the_general_covariance():
    x = gated_moments([0.4], 1.2, [-0.6], 0.9, rho=0.3)
    y = gated_moments([-1.0], 0.7, [0.8], 1.4, rho=-0.2)
    pairs = [np.array([value]) for value in (0.5, 0.6, -0.2, 0.4)]
    names = ("carriers", "gates", "carrier_gate", "gate_carrier")
    wanted = gated_covariance(x, y, **dict(zip(names, pairs, strict=True)))
    found = close_covariance(x, y, SIGMOID, *pairs)
    # Six weights of at most 4, each a sum of some 100 x 40 positive terms.
    assert np.abs(found - wanted.values) <= wanted.error + 6 * 4 * rounding(4000, 1.0)
    assert np.abs(found - wanted.values) < np.abs(wanted.values)
