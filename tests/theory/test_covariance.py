"""Covariances through operators against A S A^T of the finite maps, and their other form."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from upsim.layers import (
    Conv,
    Decimate,
    HaarSynthesis,
    Linear,
    Nearest,
    SubpixelConv,
    TransposedConv,
)
from upsim.network.signals import Density, WhiteNoise
from upsim.operators import StretchFIR
from upsim.theory.moments.autocovariance import cut_autocovariance
from upsim.theory.moments.covariance import Covariance, added, stacked, white
from upsim.theory.moments.per_channel import SHARE, IndependentCovariance, filters_each
from upsim.words.tolerance import rounding

POWERS = np.array([1.0, 2.0])

CHAINS = {
    "upsampling": [TransposedConv(2, 3, 5, 2), TransposedConv(3, 2, 7, 3, padding=2)],
    "down and up": [Conv(2, 3, 4, 3, padding=1), TransposedConv(3, 2, 6, 2, dilation=2)],
    "groups": [TransposedConv(2, 4, 3, 2, groups=2), Conv(4, 4, 3, groups=4, dilation=3)],
    "by channel": [Linear(3, "triangle"), Decimate(2, 1), Nearest(2)],
    "shuffle": [SubpixelConv(2, 2, 3, 2, padding=1), HaarSynthesis(), Conv(1, 2, 2, 2)],
}


def operators(layers, channels=2, seed=1):
    rng = np.random.default_rng(seed)
    found = []
    for layer in layers:
        drawn = layer.draw(rng)
        found.append(drawn.operator(channels))
        channels = drawn.channels_out(channels)
    return found


def dense(chain, length, powers=POWERS):
    """Return A S A^T of the finite maps, (C, n, C, n), and the operations and scale of its sums."""
    matrix = np.kron(np.diag(powers), np.eye(length))
    for operator in chain:
        step = operator.matrix(length).toarray()
        matrix = step @ matrix @ step.T
        length = operator.output_length(length)
    channels = chain[-1].out_channels
    return matrix.reshape(channels, length, channels, length)


def error_of(covariance, expected):
    """Return the largest difference at the middle of a finite signal, over all phases and lags."""
    length = expected.shape[1]
    middle = length // 2 // covariance.phases * covariance.phases
    reach = 12
    assert covariance.phases + reach < length // 4
    worst = 0.0
    for phase in range(covariance.phases):
        for lag in range(-reach, reach + 1):
            made = covariance.lagged(lag)[phase]
            wanted = expected[:, middle + phase, :, middle + phase + lag]
            worst = max(worst, float(np.abs(made - wanted).max()))
    return worst


def bound(chain):
    """Return what rounding may do: each output adds its terms on both sides."""
    operations = sum(2 * operator.terms + 2 for operator in chain)
    scale = float(POWERS.max()) * np.prod([operator.largest_gain() for operator in chain]) ** 2
    return rounding(operations, scale)


@pytest.mark.parametrize("name", CHAINS)
def test_operators_on_covariances_are_products_of_matrices(name):
    chain = operators(CHAINS[name])
    covariance = white(POWERS)
    for operator in chain:
        covariance = covariance.on_both_sides(operator)
    assert error_of(covariance, dense(chain, 90)) <= bound(chain)


@pytest.mark.parametrize("name", CHAINS)
def test_the_same_on_one_side_and_turned_round(name):
    chain = operators(CHAINS[name])
    first, last = white(POWERS), white(POWERS)
    for operator in chain:
        first = first.through(operator)
        last = last.through(operator)
    # Cov(x, A x) turned round is Cov(A x, x); through A again it is Cov(A x, A x).
    whole = first.transposed()
    for operator in chain:
        whole = whole.through(operator)
    assert error_of(whole, dense(chain, 90)) <= bound(chain)
    again = last.transposed().transposed()
    assert again.period == last.period
    for phase in range(last.phases):
        for place, value in zip(again.moments()[phase], again.values[phase], strict=True):
            here = place - last.starts[phase]
            inside = 0 <= here < last.width
            assert np.array_equal(value, last.values[phase, here] if inside else 0 * value)


def test_a_wrong_phase_is_found():
    chain = operators(CHAINS["upsampling"])
    covariance = white(POWERS)
    for operator in chain:
        covariance = covariance.on_both_sides(operator)
    late = Covariance(np.roll(covariance.values, 1, axis=0), covariance.starts, covariance.period)
    assert error_of(late, dense(chain, 90)) > 1e6 * bound(chain)


def test_independent_channels_are_exact_while_they_are_independent():
    for name in ("by channel", "upsampling"):
        chain = operators(CHAINS[name])[: 3 if name == "by channel" else 1]
        apart = IndependentCovariance.of(white(POWERS))
        for operator in chain:
            apart = apart.on_both_sides(operator)
        expected = dense(chain, 90)
        length = expected.shape[1]
        middle = length // 2 // apart.phases * apart.phases
        for lag in range(-6, 7):
            for phase in range(apart.phases):
                wanted = np.einsum("cc->c", expected[:, middle + phase, :, middle + phase + lag])
                assert np.abs(apart.lagged(lag)[phase, 0] - wanted).max() <= bound(chain)


def test_what_meets_is_aligned():
    delay = StretchFIR(np.array([[[0.0, 0.0, 1.0]]]))
    source = white(np.ones(1))
    both = [source, source.through(delay).transposed()]
    total = added(both)
    assert total.lagged(0).item() == 1.0
    assert total.lagged(-2).item() == 1.0
    assert stacked(both).lagged(-2)[0].tolist() == [[0.0], [1.0]]


def test_the_autocovariance_of_a_density():
    # A density that falls in a straight line from 0 to half the rate has known lags.
    rate = Fraction(8000)
    found = cut_autocovariance(Density([0, 4000], [2.0 / 4000, 0.0]), 1, rate)
    reach = len(found.lags) // 2
    lags = np.arange(-reach, reach + 1)
    # S(t) = (1/4000)(1 - 2 |t|) per Hz at t cycles per sample: R[d] = 2 (2 / (pi d)^2) for odd d.
    odd = np.where(lags % 2 == 1, 4 / (np.pi * np.where(lags == 0, 1, lags)) ** 2, 0.0)
    wanted = np.where(lags == 0, 1.0, odd)
    # One segment; the phases have up to pi d radians.
    assert np.abs(found.lags[:, 0] - wanted).max() <= rounding(17 + 4 * reach, 1.0)
    assert f"{reach} samples" in found.cut
    assert cut_autocovariance(WhiteNoise(3.0), 2, rate).cut == ""


@pytest.mark.parametrize(
    "layer",
    [
        TransposedConv(3, 4, 7, 3, padding=2),
        TransposedConv(3, 4, 3, 2, dilation=3),
        TransposedConv(3, 6, 4, 2, groups=3),
        Conv(3, 4, 5, padding=4, dilation=2),
        Linear(3, "triangle"),
    ],
    ids=repr,
)
def test_independent_channels_tap_by_tap_and_block_by_block(layer):
    (front, operator) = operators([TransposedConv(2, 3, 5, 2), layer])
    before = IndependentCovariance.of(white(POWERS).on_both_sides(front))
    by_taps = before.on_both_sides(operator).centred()
    by_blocks = before.on_both_sides(operator.polyphase()).centred()
    assert by_taps.values.shape == by_blocks.values.shape
    error = np.abs(by_taps.values - by_blocks.values).max()
    assert error <= bound([front, operator])
    if filters_each(operator):
        return
    # Halves: the same sums for pairs of outputs, against all pairs of a diagonal input.
    half = operator.out_channels // 2
    full = np.zeros((*before.values.shape[:2], 3, 3))
    full[:, :, np.arange(3), np.arange(3)] = before.values[:, :, 0]
    wanted = Covariance(full, before.starts, before.period).on_both_sides(operator)
    found = before.halves_through(operator)
    for lag in range(-6, 7):
        crossed = wanted.lagged(lag)[:, np.arange(half), half + np.arange(half)]
        assert np.abs(found.lagged(lag)[:, 0] - crossed).max() <= bound([front, operator])


def test_independent_channels_meet_what_filters_each():
    hold = operators([Nearest(3)])[0]
    before = IndependentCovariance.of(white(POWERS))
    # Cov(x, A x) turned round and through A again is Cov(A x, A x).
    again = before.through(hold).transposed().through(hold)
    wanted = before.on_both_sides(hold)
    for lag in range(-3, 4):
        assert np.array_equal(again.lagged(lag), wanted.lagged(lag))
    assert not IndependentCovariance.unrelated(2, Fraction(3, 2)).values.any()


def test_lags_that_hold_next_to_nothing_are_left_out():
    lags = np.arange(-40, 41)
    # Two phases and two channels: a power, and a tail that halves from lag to lag.
    tail = np.where(lags == 0, 1.0, 0.5 ** np.abs(lags))[None, :, None, None]
    values = tail * np.array([2.0, 3.0])[:, None, None, None] * np.array([1.0, 5.0])
    starts = np.arange(2) - 40
    whole = IndependentCovariance(values, starts, 2)
    cut = whole.shortened()
    reach = cut.width // 2
    # Power 2.5, tails of 3 on both sides: 6 sum_{d > D} 2^-d = 6 2^-D at most SHARE 2.5.
    assert reach == int(np.ceil(np.log2(6 / (2.5 * SHARE))))
    lost = whole.averaged().sum(axis=0) - cut.averaged().sum(axis=0)
    assert np.all((lost > 0) & (lost <= SHARE * whole.variance().mean(axis=0)))
    assert np.array_equal(cut.lagged(reach), whole.lagged(reach))
    loud = replace(whole, values=np.where(lags[None, :, None, None] == 40, 1.0, values))
    assert loud.shortened().width == whole.width
