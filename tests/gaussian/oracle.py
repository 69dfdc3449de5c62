"""The oracle: integrals to 40 digits, by mpmath, over panels of its own; no code of the package."""

from functools import cache
from itertools import pairwise

import mpmath
import numpy as np
from mpmath import mp, mpf

mp.dps = 40
NODES = 32


@cache
def rule():
    """Gauss-Legendre nodes and weights to 40 digits, by Newton's method."""
    pairs = []
    for i in range(1, NODES + 1):
        x = mpmath.cos(mp.pi * (i - mpf(1) / 4) / (NODES + mpf(1) / 2))
        for _ in range(8):
            before, now = mpf(1), x
            for n in range(2, NODES + 1):
                before, now = now, ((2 * n - 1) * x * now - (n - 1) * before) / n
            slope = NODES * (x * now - before) / (x * x - 1)
            x -= now / slope
        pairs.append((x, 2 / ((1 - x * x) * slope**2)))
    return pairs


def panels(mu, s, kinks, window):
    """Cut at every deviation, at the kinks, and, for wide inputs, about 0 by powers of two."""
    cuts = {mpf(i) for i in range(-window, window + 1)}
    features = [mpf(sign) * mpf(2) ** i for sign in (-1, 1) for i in range(-1, 8)]
    for place in [mpf(0), *kinks, *features]:
        z = (mpf(place) - mu) / s
        if abs(z) < window:
            cuts.add(z)
    return sorted(cuts)


def moments(f, mu, s, order, *, kinks=(), window=16):
    """Return ([alpha_0..alpha_order], variance) to about 30 digits."""
    mu, s = mpf(mu), mpf(s)
    centre = f(mu)
    sums = [mpf(0)] * (order + 1)
    square = mpf(0)
    cuts = panels(mu, s, kinks, window)
    for a, b in pairwise(cuts):
        half, middle = (b - a) / 2, (a + b) / 2
        for x, w in rule():
            z = middle + half * x
            value = f(mu + s * z) - centre
            weighted = w * half * mpmath.exp(-z * z / 2) / mpmath.sqrt(2 * mp.pi) * value
            square += weighted * value
            before, now = mpf(0), mpf(1)
            for k in range(order + 1):
                sums[k] += weighted * now
                before, now = now, (z * now - mpmath.sqrt(k) * before) / mpmath.sqrt(k + 1)
    variance = square - sums[0] ** 2
    return [centre + sums[0], *sums[1:]], variance


def _cuts(low, high, places):
    grid = np.arange(low, high + 0.5)
    return np.unique(np.clip(np.concatenate([grid, places]), low, high))


def _panels(cuts, nodes=24):
    x, w = np.polynomial.legendre.leggauss(nodes)
    half, middle = np.diff(cuts, axis=0) / 2, (cuts[1:] + cuts[:-1]) / 2
    return (
        (middle[:, None] + half[:, None] * x.reshape(-1, *[1] * (cuts.ndim - 1))),
        half[:, None] * w.reshape(-1, *[1] * (cuts.ndim - 1)),
    )


def _phi(z):
    return np.exp(-z * z / 2) / np.sqrt(2 * np.pi)


def cross(f, g, x, y, rho, *, kinks=(0.0,)):
    """Return E (f(X) - f(mu)) (g(Y) - g(nu)) less the product of the means, in float64.

    For each u of X the integral over Y given u is cut where g bends; the outer one where f bends
    and, at several scales, about the places where the inner one does.
    """
    (mu, s), (nu, r) = x, y
    root = np.sqrt((1 - rho) * (1 + rho))
    features = np.array([*kinks, *(sign * 2.0**i for sign in (-1, 1) for i in range(-1, 6))])
    outer_places = (features - mu) / s
    if rho:
        spread = root / abs(rho) * np.array([-9, -6, -4, -2, 0, 2, 4, 6, 9])
        bends = ((np.array(kinks) - nu) / (r * rho))[:, None] + spread
        others = (features - nu) / (r * rho)
        outer_places = np.concatenate([outer_places, bends.ravel(), others])
    u, wu = (p.ravel() for p in _panels(_cuts(-11, 11, outer_places)))
    total = np.zeros_like(u)
    base_f, base_g = f(np.array(mu)), g(np.array(nu))
    if root == 0:
        total = g(nu + r * rho * u) - base_g
    else:
        grid = np.arange(-11.0, 11.5)
        moving = (features[:, None] - nu - r * rho * u) / (r * root)
        cuts = np.concatenate([np.broadcast_to(grid[:, None], (grid.size, u.size)), moving])
        v, wv = _panels(np.sort(np.clip(cuts, -11, 11), axis=0))
        inner = g(nu + r * (rho * u + root * v)) - base_g
        total = np.sum(wv * _phi(v) * inner, axis=(0, 1))
    lifted = (f(mu + s * u) - base_f) * _phi(u) * wu
    mean_g = np.sum(total * _phi(u) * wu)
    return float(np.sum(lifted * total) - np.sum(lifted) * mean_g)
