"""The oracle: integrals to 40 digits, by mpmath, over panels of its own; no code of the package."""

from functools import cache

import mpmath
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
    for a, b in zip(cuts[:-1], cuts[1:], strict=True):
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
