"""The judge on random networks of several inputs: noise, sines and constants side by side."""

from fractions import Fraction

import numpy as np
import pytest

import upsim

pytest.importorskip("torch", reason='torch is missing: pip install ".[torch]"')
from .networks import draw_network

pytestmark = pytest.mark.torch

SEED = 1234

#: A sine of one input was put down to an upsampler of another.
FOUND = (9, 1413, 2394, 2431)


def feed_of(network, rng):
    """Return a signal for each input; noise only where the judge has a witness for it."""
    feed, graph = {}, network.subject
    for each, rate in zip(graph.inputs, graph.input_rates, strict=True):
        band = (0.0, float(rate) / 8, float(rate) / 4)
        noise = upsim.WhiteNoise(1.0) + upsim.Density(band, [1e-4, 3e-4, 0.0])
        feed[each.name] = (
            upsim.Constant(0.7),
            upsim.Sine(rate * Fraction(int(rng.integers(1, 6)), 12)),
            upsim.Silence(),
            noise if network.is_linear else upsim.Constant(-0.3),
        )[rng.integers(4)]
    return feed


def test_every_claim_of_random_networks_passes():
    numbers, judged = [*FOUND, *range(60)], set()
    for number in numbers:
        network = draw_network(SEED, number)
        if len(network.channels) < 2 or len(network.nodes) > 25:
            continue
        report = upsim.verify(network.subject, feed_of(network, np.random.default_rng(number)))
        assert report.passed, (number, report)
        judged |= {each.name for each in report.checks if each.error is not None}
    assert {"density", "noise power", "first layers", "shares", "gains of replicas"} <= judged
