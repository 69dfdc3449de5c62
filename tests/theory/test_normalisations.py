"""Normalisations in all regimes, against statistics taken by hand, long runs and fixed gains."""

from fractions import Fraction
from functools import reduce
from math import prod

import numpy as np
import pytest

import upsim
from upsim import neural
from upsim.errors import NotPredictableError
from upsim.layers.base import Normalisation
from upsim.operators import StretchFIR
from upsim.theory.moments.places import Filtered, Merged, Start
from upsim.theory.moments.power import response_span
from upsim.theory.moments.propagation import is_linear, propagate, starting_moments
from upsim.theory.reports.boundaries import boundary_report
from upsim.words.tolerance import rounding

RATE = 12000  # Hz, three times the input's


def transposed(inward, out, count=5, stride=3, **more):
    return upsim.TransposedConv(inward, out, count, stride, **more)


GROUPED = upsim.GroupNorm(2, 4, 1e-3, weight=[1.0, -2.0, 0.5, 3.0], bias=[0.25, 0.0, -1.0, 2.0])
NORMS = [
    GROUPED,
    upsim.GroupNorm(1, 4),
    upsim.InstanceNorm(4),
    upsim.InstanceNorm(4, 0.1, affine=True, bias=[1.0, 2.0, 3.0, 4.0]),
]
LINES = upsim.Constant([0.5, -1.0]) + upsim.Sine(1000, 0.7) + upsim.Sine(Fraction(4000, 3), [1, 2])


def stack_with(norm, *behind):
    rate = RATE * prod(layer.rate for layer in behind)
    return upsim.Stack([transposed(2, 4), norm, *behind], rate).draw(3)


def by_hand(norm, samples, weights_of):
    """Normalise (channels, time) with the statistics of other samples, from the definition."""
    groups = getattr(norm, "num_groups", samples.shape[0])
    made = np.empty_like(samples)
    rows = np.split(np.arange(samples.shape[0]), groups)
    for chosen in rows:
        mean = weights_of[chosen].mean()
        variance = ((weights_of[chosen] - mean) ** 2).mean()
        made[chosen] = (samples[chosen] - mean) / np.sqrt(variance + norm.eps)
    if norm.weight is not None:
        made = made * norm.weight[:, None]
    return made if norm.bias is None else made + norm.bias[:, None]


def bound_by_hand(norm, samples):
    gain = np.abs(norm.weight_array()).max() / np.sqrt(norm.eps)
    return rounding(2 * samples.size + 16, 2 * gain * np.abs(samples).max() + 4)


def values(stack, signal):
    return propagate(stack, starting_moments(stack, [signal], provenance=True)).values


@pytest.mark.parametrize("norm", NORMS, ids=repr)
def test_a_period_is_normalised_by_its_own_statistics(norm):
    before, after = values(stack_with(norm), LINES)[1:]
    expected = by_hand(norm, before.period, before.period)
    assert np.abs(after.period - expected).max() <= bound_by_hand(norm, before.period)


@pytest.mark.parametrize("norm", NORMS, ids=repr)
def test_shares_add_up_and_each_loses_its_own_centre(norm):
    before, after = values(stack_with(norm), LINES)[1:]
    bound = bound_by_hand(norm, before.shares)
    assert np.abs(after.shares.sum(axis=0) - after.period).max() <= bound
    causes = [(source.cause, source.layer) for source in after.sources]
    assert causes[:3] == [("input offset", ""), ("input", ""), ("bias", "1")]
    assert causes[3:] == ([] if norm.bias is None else [("bias", "2")])
    groups = getattr(norm, "num_groups", 4)
    for share in after.shares[:3]:
        # weighted back, the mean of each group of channels is gone
        plain = share / norm.weight_array()[:, None]
        means = plain.reshape(groups, -1).mean(axis=1)
        assert np.abs(means).max() <= bound


@pytest.mark.parametrize("norm", NORMS, ids=repr)
def test_a_long_run_comes_to_the_prediction_as_its_ends_are_diluted(norm):
    stack = stack_with(norm)
    steady, after = values(stack, LINES)[1:]
    period, start = after.period.shape[1], values(stack, LINES)[0].period
    for length in (6000, 60_000):
        index = np.arange(length) % start.shape[1]
        first, made = neural.run(stack, start[:, index], each=True)
        edges = boundary_report(stack, length).transients[0]
        count = first.shape[1]
        # All but `odd` samples are whole periods of the steady state.
        odd = count - (count - edges.left - edges.right) // period * period
        size = max(np.abs(first).max(), np.abs(steady.period).max())
        share = odd / count
        # Replacing a share of the samples, each at most `size`, moves a mean by 2 size share, a
        # mean square by size^2 share, hence a variance by 5 size^2 share.
        means, variances = 2 * size * share, 5 * size**2 * share
        weight = np.abs(norm.weight_array()).max()
        least = steady.period.var(axis=1).min() + norm.eps - variances
        assert least > 0
        # |a^-1/2 - b^-1/2| <= |a - b| / (2 min(a, b)^3/2)
        bound = weight * (means / least**0.5 + 2 * size * variances / (2 * least**1.5))
        middle = np.arange(edges.left, edges.left + period)
        error = np.abs(made[:, middle] - after.period[:, middle % period]).max()
        assert error <= bound
    # Ten times as long: a tenth of the distance, up to one period more or less.
    assert bound < 1


def test_silence_and_constants_leave_the_bias_alone():
    plain = upsim.Stack([upsim.Nearest(3), upsim.InstanceNorm(1)], RATE)
    assert upsim.predict(plain, upsim.Silence()).tones == ()
    # A third is no binary number: what rounding leaves of it must not come out as a tone.
    assert upsim.predict(plain, upsim.Constant(1 / 3)).tones == ()
    shifted = upsim.Stack(
        [
            transposed(1, 1, 3, 3, weight=np.full((1, 1, 3), 0.1), bias=[0.2]),
            upsim.InstanceNorm(1, affine=True, bias=[0.5]),
            upsim.Bias(0.25),
        ],
        RATE,
    )
    (tone,) = upsim.predict(shifted, upsim.Constant(1e6)).tones
    assert tone.fraction == 0
    assert tone.amplitude.real.tolist() == [0.75]
    assert {(each.cause, each.layer) for each in tone.contributions} == {
        ("bias", "2"),
        ("bias", "3"),
    }


def test_a_small_ripple_on_a_large_offset_keeps_its_lines():
    weight = np.array([[[1.0, 1.0 + 1e-6]]])
    stack = upsim.Stack(
        [transposed(1, 1, 2, 2, bias=False, weight=weight), upsim.InstanceNorm(1, 1e-20)], RATE
    )
    (tone,) = upsim.predict(stack, upsim.Constant(1.0)).tones
    # x = 1, 1 + 1e-6: the line alternates and has the variance 1 - 1e-20 / 2.5e-13.
    assert tone.fraction == Fraction(1, 2)
    ripple = (weight[0, 0, 1] - weight[0, 0, 0]) / 2
    # Samples of size 1 are rounded before the mean is taken from them: so much of the ripple.
    lost = rounding(4, 1.0) / ripple
    assert tone.power[0] == pytest.approx(ripple**2 / (ripple**2 + 1e-20), rel=2 * lost)


@pytest.mark.parametrize("small", [0.0, 1e-300, 1e-9])
def test_a_channel_without_gain_hides_no_later_line(small):
    # Channel 1 is constant: its gain is large, and nothing is left of it. Channel 2 alternates.
    weight = np.array([[[1.0, 1.0], [1.0, 2.0]]])
    norm = upsim.InstanceNorm(2, affine=True, weight=[1.0, small])
    stack = upsim.Stack(
        [transposed(1, 2, 2, 2, bias=False, weight=weight), norm, upsim.Bias(0.5)], RATE
    )
    found = upsim.predict(stack, upsim.Constant(1 / 3)).tones
    assert (found[0].fraction, found[0].layer) == (0, "3")
    assert [tone.fraction for tone in found[1:]] == ([Fraction(1, 2)] if small == 1e-9 else [])


# --- noise -----------------------------------------------------------------------------------


def fixed(norm, levels):
    """The BatchNorm that divides by the same levels."""
    groups = getattr(norm, "num_groups", levels[0].size)
    mean, variance = (each.reshape(groups, -1) for each in levels)
    centre = mean.mean(axis=1, keepdims=True)
    spread = (variance + (mean - centre) ** 2).mean(axis=1, keepdims=True)
    whole = np.ones_like(mean)
    return upsim.BatchNorm(
        levels[0].size,
        norm.eps,
        affine=norm.affine,
        weight=norm.weight,
        bias=norm.bias,
        running_mean=(centre * whole).ravel(),
        running_var=(spread * whole).ravel(),
    )


@pytest.mark.parametrize("norm", NORMS, ids=repr)
def test_white_noise_is_divided_by_its_exact_power(norm):
    stack = stack_with(norm, transposed(4, 1))
    signal = LINES + upsim.WhiteNoise([0.5, 2.0])
    operator = stack[0].operator(2)
    # phase powers: the variance of each output phase, the theory of which is tested elsewhere
    power = (operator.phase_powers() * np.array([0.5, 2.0])[:, None]).sum(axis=1).mean(axis=1)
    period = values(stack, LINES)[1].period
    levels = period.mean(axis=1), period.var(axis=1) + power
    other = stack.replace(layers=[stack[0], fixed(norm, levels), stack[2]])
    found, expected = upsim.predict(stack, signal), upsim.predict(other, signal)
    # One relative error of the level, a sum over the period, the taps and the grid of the density.
    operations = 4 * (period.size + 64)
    assert np.abs(found.psd - expected.psd).max() <= rounding(operations, expected.psd.max())
    size = max(np.abs(tone.amplitude).max() for tone in expected.tones)
    assert [tone.fraction for tone in found.tones] == [tone.fraction for tone in expected.tones]
    for tone, same in zip(found.tones, expected.tones, strict=True):
        assert np.abs(tone.amplitude - same.amplitude).max() <= rounding(operations, 8 * size)
        total = sum(each.amplitude for each in tone.contributions)
        assert np.abs(total - tone.amplitude).max() <= rounding(operations, 8 * size)


def branched(norm):
    body = (transposed(2, 2, 4, 2, padding=1), norm, upsim.Conv(2, 2, 3, padding=1))
    inner = upsim.Residual(norm, upsim.Conv(2, 2, 3, padding=1))
    return upsim.Stack(
        [upsim.Residual(*body, skip=upsim.Linear(2)), upsim.Parallel((), inner, merge="mean")], RATE
    ).draw(1)


def test_noise_in_branches_is_divided_by_the_powers_there():
    norm = upsim.GroupNorm(1, 2, bias=[0.5, -0.5])
    stack, signal = branched(norm), upsim.Constant(1.0) + upsim.WhiteNoise(1.0)
    trace = propagate(stack, starting_moments(stack, [signal], provenance=False))
    gains = {}
    for step in trace.nodes:
        if isinstance(step.layer, Normalisation):
            before = trace.values[step.inputs[0]]
            levels = before.levels()
            # All layers as one matrix on impulses: A A^T over one period of its outputs.
            power = impulse_power(before.place)
            steady = before.mean.period
            assert np.abs(levels.mean - steady.mean(axis=1)).max() <= rounding(99, 1.0)
            expected = steady.var(axis=1) + power
            assert np.abs(levels.variance - expected).max() <= rounding(400, expected.max())
            gains[step.name] = fixed(norm, (levels.mean, levels.variance))
    assert set(gains) == {"1.1.2", "2.2.1.1.1"}
    first, second = stack
    body = (first.layers[0], gains["1.1.2"], first.layers[2])
    inner = upsim.Residual(gains["2.2.1.1.1"], second.branches[1][0].layers[1])
    other = stack.replace(
        layers=[upsim.Residual(*body, skip=first.skip), upsim.Parallel((), inner, merge="mean")]
    )
    found, expected = upsim.predict(stack, signal), upsim.predict(other, signal)
    assert np.abs(found.psd - expected.psd).max() <= rounding(400, expected.psd.max())
    assert len(found.tones) == len(expected.tones)


def behind(chain):
    """Return the place behind operators, one after another."""
    start = Start(upsim.WhiteNoise(), chain[0].in_channels, Fraction(8000))
    return reduce(Filtered, chain, start)


def answer_at(place, samples):
    """Return what reaches a place of linear layers, step by step."""
    parts = [answer_at(parent, samples) for parent in place.parents]
    if not parts:
        return samples
    return sum(parts) * place.share if isinstance(place, Merged) else place.operator.apply(parts[0])


def impulse_power(place):
    length = 64
    made = [answer_at(place, each) for each in np.eye(2 * length).reshape(2 * length, 2, length)]
    powers = (np.array(made) ** 2).sum(axis=0)
    middle = powers.shape[1] // 2
    # Every way here doubles the rate once.
    return powers[:, middle : middle + 2].mean(axis=1)


CORNERS = (0.0, 900.0, 1300.0, 2000.0)
COLOURED = upsim.Density(CORNERS, [1e-3, 4e-3, 0.0, 2e-3])


def test_coloured_noise_is_as_exact_as_white():
    stack = stack_with(upsim.InstanceNorm(4))
    for signal in (upsim.WhiteNoise(1.0), COLOURED + upsim.WhiteNoise(1.0)):
        found = upsim.predict(stack, signal)
        assert not any("noise power within" in each for each in found.assumptions)
        assert any("statistics of a long signal" in each for each in found.assumptions)


def test_the_span_covers_the_response_of_any_chain():
    chain = [
        StretchFIR(np.ones((1, 1, 5)), 3),
        upsim.Conv(1, 1, 4, stride=2, weight=np.ones((1, 1, 4)), bias=False).operator(1),
        upsim.Decimate(2, 1).operator(1),
        StretchFIR(np.ones((1, 1, 2)), 4, dilation=3),
    ]
    for count in range(1, len(chain) + 1):
        longest = 0
        for place in range(60, 72):
            samples = np.zeros((1, 140))
            samples[0, place] = 1.0
            for operator in chain[:count]:
                samples = operator.apply(samples)
            touched = np.flatnonzero(samples[0])
            if touched.size:
                longest = max(longest, touched[-1] - touched[0] + 1)
        place = behind(chain[:count])
        assert 0 < longest <= response_span(place, *place.starts)


def test_simulated_noise_has_the_predicted_power():
    norm = upsim.GroupNorm(2, 4, weight=[1.0, -2.0, 0.5, 3.0])
    stack = stack_with(norm, transposed(4, 1))
    signal = upsim.Constant(0.5) + upsim.WhiteNoise(1.0)
    found = upsim.predict(stack, signal, frequencies=4097)
    tones = sum(tone.power for tone in found.tones)
    power = tones + np.trapezoid(found.psd, found.frequencies, axis=1)
    count = 200_000
    samples = 0.5 + np.random.default_rng(7).standard_normal((2, count))
    made = neural.run(stack, samples)
    # A mean square of Gaussian samples that are correlated over a span S has the variance
    # 2 sigma^4 S / T (and 4 mu^2 sigma^2 S / T from the mean) at most; the group's levels, taken
    # over T / 3 samples, add as much again.
    place = behind([stack[0].operator(2), stack[2].operator(4)])
    span = response_span(place, *place.starts)
    deviation = 4 * power[0] * np.sqrt(3 * span / made.shape[1])
    assert abs((made**2).mean() - power[0]) <= 5 * deviation
    assert 5 * deviation < 0.2 * power[0]


# --- recordings ------------------------------------------------------------------------------


def recorded(channels, length, seed=0):
    return np.random.default_rng(seed).normal(size=(channels, length))


@pytest.mark.parametrize(
    "stack",
    [
        *(stack_with(norm, upsim.LeakyReLU(0.1), transposed(4, 2)) for norm in NORMS),
        stack_with(upsim.LayerNorm(4, 0.01), transposed(4, 2)),
        branched(upsim.GroupNorm(1, 2, 0.01, bias=[0.5, -0.5])),
        branched(upsim.InstanceNorm(2, 0.01)),
    ],
    ids=lambda stack: f"{[type(layer).__name__ for layer in stack]}",
)
def test_a_recording_is_carried_exactly_and_verified(stack):
    signal = upsim.Recorded(recorded(2, 40), stack.input_rate) + upsim.Constant(0.5)
    report = upsim.verify(stack, signal)
    assert report.passed, report
    assert {"recording", "lengths"} <= {check.name for check in report.checks if check.passed}


def test_a_recording_sets_the_gain_of_the_lines_beside_it():
    # The bias of layer 1 makes lines; the recording, not the silence without it, sets their gain.
    stack = stack_with(upsim.InstanceNorm(4, 1e-3))
    samples = recorded(2, 400)
    found = upsim.predict(stack, upsim.Recorded(samples, stack.input_rate))
    waveform = neural.run(stack[0], samples)
    gain = 1 / np.sqrt(waveform.var(axis=1) + 1e-3)
    silent = upsim.predict(stack.upto(1), upsim.Silence())
    lines = {tone.fraction: tone.amplitude * gain for tone in silent.tones if tone.fraction}
    size = np.abs(waveform).max()
    assert {tone.fraction for tone in found.tones} == set(lines)
    for tone in found.tones:
        assert np.abs(tone.amplitude - lines[tone.fraction]).max() <= rounding(8000, size)
    assert any("statistics of the recording" in each for each in found.assumptions)


# --- the rest of the house ---------------------------------------------------------------------


def test_verify_runs_one_period_through_a_normalisation_and_names_what_noise_hides():
    stack = stack_with(GROUPED)
    lines = upsim.verify(stack, upsim.Constant(1.0))
    assert {"lines", "powers", "sums of shares"} <= {
        check.name for check in lines.checks if check.passed
    }
    noisy = upsim.verify(stack, upsim.Constant(1.0) + upsim.WhiteNoise(1.0))
    assert noisy.verdict == "not checked"
    assert {"lines", "density"} <= {check.name for check in noisy.not_checked}
    plain = upsim.verify(stack_with(upsim.LayerNorm(4)), upsim.Constant(1.0))
    assert plain.passed


def test_fixed_statistics_are_linear_and_others_are_not():
    batch = stack_with(upsim.BatchNorm(4, running_mean=[1, 2, 3, 4], running_var=[1, 2, 3, 4]))
    assert is_linear(batch)
    assert upsim.verify(batch).passed
    assert isinstance(upsim.fold(batch), StretchFIR)
    stack = stack_with(GROUPED)
    assert not is_linear(stack)
    with pytest.raises(NotPredictableError, match=r"a stack with a normalisation is not one"):
        upsim.fold(stack)
    with pytest.raises(NotPredictableError, match=r"finite matrix"):
        upsim.finite_matrix(stack, 9)
    with pytest.raises(NotPredictableError, match=r"a normalisation is not linear"):
        upsim.symbolic(stack)
    noisy = upsim.predict(stack_with(upsim.LayerNorm(4)))
    assert any("layer 2 (LayerNorm): wide limit" in line for line in noisy.assumptions)


def test_reports_go_through():
    stack = stack_with(GROUPED, transposed(4, 1, 4, 2))
    report = upsim.cost(stack)
    assert report.layers[1].parameters == 8
    # two products a channel at half the output rate
    assert report.layers[1].macs == Fraction(2 * 4, 2)
    found = upsim.predict(stack, upsim.Constant(1.0))
    assert found.explain(4000).layer
    assert len(found.layers) == 3
    assert found.table()
    assert [replica.gain for replica in found.replicas] == [None] * len(found.replicas)


def test_a_weight_normed_layer_answers_as_the_layer_that_it_is():
    inner = transposed(2, 3, 7, 4, padding=2)
    stack = upsim.Stack([upsim.WeightNorm(inner, gain=[1.0, -2.0])], RATE).draw(0)
    plain = stack.replace(layers=[stack[0].effective()])
    found, expected = upsim.predict(stack), upsim.predict(plain)
    assert np.array_equal(found.psd, expected.psd)
    for tone, same in zip(found.tones, expected.tones, strict=True):
        assert np.array_equal(tone.amplitude, same.amplitude)
        assert (tone.layer, tone.cause) == (same.layer, same.cause)
    assert upsim.verify(stack).passed
