"""The judge of networks with several inputs: it passes what is right, and fails what is moved."""

from dataclasses import replace

import numpy as np
import pytest
from theory.several_inputs import LINEAR, two_rates

import upsim


def feed_of(graph, signal):
    """Return a signal for each input, noise first, no two alike."""
    found = {
        each.name: upsim.WhiteNoise(1.0 + n) + upsim.Constant(0.5 - n)
        for n, each in enumerate(graph.inputs)
    }
    return found | {graph.inputs[-1].name: signal}


BAND = upsim.Density((0.0, 500.0, 2500.0), [1e-4, 3e-4, 0.0])


@pytest.mark.parametrize("make", LINEAR)
@pytest.mark.parametrize("signal", [BAND, upsim.Silence(), upsim.Sine(500)])
def test_every_claim_is_judged_and_passes(make, signal):
    graph = make()
    report = upsim.verify(graph, feed_of(graph, signal))
    assert report.passed, report
    # Of causes behind a decimation a run says nothing.
    judged = {each.name for each in report.checks if each.error is not None}
    assert {each.name for each in report.checks} - judged <= {"causes"}, report
    assert {"density", "noise power", "lines", "replicas", "gains of replicas"} <= judged


@pytest.mark.parametrize("make", LINEAR)
def test_recordings_at_all_inputs_and_at_one(make):
    graph, rng = make(), np.random.default_rng(3)
    recordings = {
        each.name: upsim.Recorded(rng.standard_normal((each.channels, count)), rate)
        for each, count, rate in zip(
            graph.inputs, graph.input_lengths(48), graph.input_rates, strict=True
        )
    }
    first = graph.inputs[0].name
    others = {each.name: upsim.Constant(0.5) for each in graph.inputs}
    noisy = {each.name: upsim.WhiteNoise(1.0) for each in graph.inputs}
    for feed in (
        recordings,
        others | {first: recordings[first]},
        noisy | {first: recordings[first]},
    ):
        report = upsim.verify(graph, feed)
        assert report.passed, report
        assert {"recording", "density"} <= {each.name for each in report.checks}


def test_a_density_that_is_moved_fails():
    graph = two_rates()
    prediction = upsim.predict(graph, feed_of(graph, BAND))
    (wrong,) = [
        each
        for each in upsim.verify(replace(prediction, psd=prediction.psd * 1.001)).checks
        if each.name == "density"
    ]
    assert not wrong.passed
    # One input left out is no density of all.
    alone = upsim.predict(graph, feed_of(graph, upsim.Silence()))
    report = upsim.verify(replace(prediction, psd=alone.psd, power_of_noise=alone.power_of_noise))
    failed = {each.name for each in report.checks if each.error is not None and not each.passed}
    assert {"density", "noise power"} <= failed
