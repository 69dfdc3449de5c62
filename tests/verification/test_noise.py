"""Noise behind activations is judged by a seeded run: right answers pass, wrong ones fail."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

import upsim
from upsim import (
    GLU,
    Constant,
    Conv,
    Density,
    GroupNorm,
    LayerNorm,
    LeakyReLU,
    ReLU,
    Stack,
    TransposedConv,
    WhiteNoise,
)
from upsim.verification.noise import run_noise
from upsim.verification.witness import Witness

NOISE = WhiteNoise(1.0)


def verdicts(report):
    return {check.name: check.verdict for check in report.checks}


def one_rectifier():
    """White noise, a rectifier, a transposed convolution of ones: everything by hand."""
    ones = TransposedConv(1, 1, 3, 2, weight=np.ones((1, 1, 3)), bias=False)
    return Stack([ReLU(), ones], 16000, in_channels=1)


def few_inputs(width):
    """Two activations behind one channel of noise: the closure is off at any width."""
    layers = [
        TransposedConv(1, width, 8, 4, padding=2),
        LeakyReLU(0.1),
        Conv(width, width, 3, padding=1),
        ReLU(),
        Conv(width, 1, 3, padding=1),
    ]
    return Stack(layers, 16000).draw(0)


def trained_like():
    """Four inputs and heavy taps, as training leaves them."""
    rng = np.random.default_rng(5)
    first = TransposedConv(
        4, 8, 8, 4, weight=0.2 * rng.standard_t(3, (4, 8, 8)), bias=rng.standard_normal(8)
    )
    second = TransposedConv(
        8, 8, 4, 2, weight=0.2 * rng.standard_t(3, (8, 8, 4)), bias=rng.standard_normal(8)
    )
    return Stack([first, ReLU(), second, LeakyReLU(0.1), Conv(8, 1, 3, padding=1)], 16000).draw(0)


def test_a_run_has_the_moments_of_a_rectified_gaussian():
    prediction = upsim.predict(one_rectifier(), NOISE, frequencies=33)
    run = run_noise(prediction, Witness("numpy", np.float64), 0)
    # E relu(Z) = 1/sqrt(2 pi), its variance (1 - 1/pi) / 2; even samples have two taps, odd one.
    mean, variance = 1 / np.sqrt(2 * np.pi), (1 - 1 / np.pi) / 2
    lines = np.array([1.5 * mean, 0.5 * mean])
    assert np.all(np.abs(run.lines[0] - lines) < 5 * run.line_errors[0])
    assert abs(run.power[0] - 1.5 * variance) < 5 * run.power_error[0]
    turns = prediction.frequencies / 16000
    response = 1 + 2 * np.cos(2 * np.pi * turns)
    true = 2 / 16000 * variance / 2 * response**2
    level = run.levels.mean(axis=0)[0]
    error = run.levels.std(axis=0, ddof=1)[0] / np.sqrt(len(run.levels))
    assert np.all(np.abs(level - true) < 5 * error)


@pytest.mark.parametrize("width", [8, 16])
def test_few_inputs_pass_within_the_stated_size_and_not_as_exact(width):
    answer = upsim.predict(few_inputs(width), NOISE, frequencies=65)
    report = upsim.verify(answer)
    assert verdicts(report)["lines"] == verdicts(report)["density"] == "passed"
    # The same numbers, said to be exact, are not believed.
    claimed = replace(answer, stated_size=replace(answer.stated_size, density=0.0, lines=0.0))
    assert upsim.verify(claimed).verdict == "failed"


def test_a_closure_beyond_its_stated_size_fails():
    answer = upsim.predict(trained_like(), NOISE, frequencies=65)
    assert verdicts(upsim.verify(answer))["density"] == "passed"
    small = replace(answer, stated_size=replace(answer.stated_size, density=0.1, lines=0.1))
    assert upsim.verify(small).verdict == "failed"


def test_an_answer_without_a_stated_size_is_not_checked():
    stack = Stack([TransposedConv(2, 4, 4, 2), LayerNorm(4), ReLU()], 16000).draw(0)
    answer = upsim.predict(stack, NOISE)
    assert answer.stated_size is None
    report = verdicts(upsim.verify(answer))
    assert report["lines"] == report["density"] == "not checked"


def test_statistics_over_the_whole_signal_are_not_checked():
    stack = Stack([TransposedConv(2, 4, 4, 2), GroupNorm(2, 4), ReLU()], 16000).draw(0)
    report = upsim.verify(stack, NOISE + Constant(1.0))
    assert report.verdict == "not checked"
    assert all("statistics over the whole signal" in check.reason for check in report.not_checked)


def test_a_network_that_takes_minutes_is_not_checked():
    wide = Stack([Conv(512, 512, 2049), ReLU()], 16000)
    weights = np.zeros((512, 512, 2049), dtype=np.float32)
    stack = Stack([Conv(512, 512, 2049, weight=weights, bias=False), ReLU()], 16000)
    assert wide.parts[0].layer.macs(512) == stack.parts[0].layer.macs(512)
    answer = replace(
        upsim.predict(Stack([Conv(1, 1, 3), ReLU()], 16000).draw(0), NOISE), stack=stack
    )
    report = upsim.verify(replace(answer, tones=()))
    assert report.verdict == "not checked"
    assert "upsim.measure" in report.not_checked[0].reason


@pytest.mark.parametrize("signal", [NOISE, Density([0, 500, 1500], [1, 3, 0.1])], ids=str)
def test_a_measured_answer_is_judged_by_another_run(signal):
    stack = Stack([TransposedConv(2, 8, 8, 4), LeakyReLU(0.1), Conv(8, 4, 3), GLU()], 16000).draw(1)
    run = upsim.measure(stack, signal, target_db=1.0)
    report = upsim.verify(run, seed=1)
    assert verdicts(report)["lines"] == verdicts(report)["density"] == "passed"
    loud = replace(run, psd=3 * run.psd)
    assert verdicts(upsim.verify(loud, seed=1))["density"] == "failed"
    less = replace(run, tones=run.tones[1:])
    assert verdicts(upsim.verify(less, seed=1))["lines"] == "failed"


def test_right_answers_seldom_fail():
    stack = Stack([TransposedConv(2, 4, 8, 4), LeakyReLU(0.1), Conv(4, 1, 3)], 16000).draw(2)
    answer = upsim.predict(stack, NOISE + Constant(0.3), frequencies=17)
    reports = [upsim.verify(answer, seed=seed) for seed in range(20)]
    failed = sum(report.verdict == "failed" for report in reports)
    # Three checks, each with a chance of 1e-4.
    assert failed <= binom.ppf(1 - 1e-6, len(reports), 3e-4)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_half_a_decibel_is_seen_behind_one_activation(backend):
    if backend == "torch":
        pytest.importorskip("torch", reason="torch is missing")
    stack = Stack([TransposedConv(2, 4, 8, 4), LeakyReLU(0.1), Conv(4, 1, 3)], 16000).draw(2)
    answer = upsim.predict(stack, NOISE, frequencies=17)
    right = upsim.verify(answer)
    assert right.passed
    loud = 10**0.05
    power = answer.noise_power * loud
    wrong = replace(answer, psd=answer.psd * loud, power_of_noise=lambda: power)
    assert verdicts(upsim.verify(wrong, backend=backend))["noise power"] == "failed"
