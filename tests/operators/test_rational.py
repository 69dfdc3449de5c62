"""A stretch, an FIR and a decimation, against SciPy and against the formula."""

import tracemalloc
from fractions import Fraction
from math import gcd

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.signal import upfirdn

import upsim
from upsim.errors import ArgumentError
from upsim.layers import Conv, Decimate, Nearest, Resample
from upsim.network.signals import WhiteNoise
from upsim.operators import StretchFIR
from upsim.operators.operator import Operator
from upsim.operators.rows import rows_at
from upsim.testing import samples
from upsim.testing.strategies import dyadics
from upsim.theory.moments.places import Filtered, Start
from upsim.theory.moments.power import noise_power
from upsim.theory.moments.transfer import Transfer
from upsim.words.tolerance import rounding


@st.composite
def rationals(draw):
    groups = draw(st.integers(1, 3))
    rows, inward, count = (draw(st.integers(1, high)) for high in (2, 2, 9))
    factor = draw(st.integers(1, 5))
    down = draw(st.integers(1, 6).filter(lambda each: gcd(each, factor) == 1))
    return StretchFIR(
        draw(hnp.arrays(np.float64, (rows * groups, inward, count), elements=dyadics())),
        factor,
        down=down,
        dilation=draw(st.integers(1, 3)),
        groups=groups,
        crop=(draw(st.integers(-3, 5)), draw(st.integers(-9, 3))),
        padding_mode=draw(st.sampled_from(["zeros", "replicate"])),
    )


def by_the_formula(operator, signal):
    """y_o[n] = sum of h_oc[k] x_c[m] over n D = m L + d k - crop, one product at a time."""
    count = signal.shape[1]
    total = operator.length(count)
    rows, inward = operator.out_channels // operator.groups, operator.taps.shape[1]
    answer = np.zeros((operator.out_channels, total))
    for out, each, k, n in np.ndindex(*operator.taps.shape, total):
        m, rest = divmod(
            n * operator.down - operator.dilation * k + operator.crop[0], operator.factor
        )
        held = operator.padding_mode == "replicate"
        if rest or not (held or 0 <= m < count):
            continue
        channel = out // rows * inward + each
        answer[out, n] += operator.taps[out, each, k] * signal[channel, min(max(m, 0), count - 1)]
    return answer


def long_enough(operator):
    """An input that leaves at least a sample."""
    count = 1
    while operator.length._unchecked(np.array([count]))[0] < 1:
        count += 1
    return count


@given(rationals(), st.data())
def test_the_finite_run_and_the_matrix_are_the_formula(operator, data):
    count = long_enough(operator) + data.draw(st.integers(0, 9))
    signal = data.draw(samples(operator.in_channels, count))
    expected = by_the_formula(operator, signal)
    assert operator.apply(signal).tolist() == expected.tolist()
    flat = operator.matrix(count) @ signal.reshape(-1)
    assert flat.tolist() == expected.reshape(-1).tolist()


@given(rationals(), st.data())
def test_the_polyphase_matrix_is_the_same_map_and_turns_back(operator, data):
    matrix = operator.polyphase()
    signal = data.draw(samples(operator.in_channels, long_enough(operator) + 5))
    assert matrix.apply(signal).tolist() == operator.apply(signal).tolist()
    assert matrix.stretch_fir().apply(signal).tolist() == operator.apply(signal).tolist()
    period = data.draw(samples(operator.in_channels, data.draw(st.integers(1, 7))))
    assert operator.periodic(period).tolist() == matrix.periodic(period).tolist()
    assert operator.phase_gains().tolist() == matrix.phase_gains().tolist()
    assert operator.phase_powers().tolist() == matrix.phase_powers().tolist()
    grid = np.arange(8) / 8
    terms = operator.terms * (operator.down + 20)
    scale = float(np.abs(operator.taps).sum())
    apart = np.abs(operator.gains(grid) - matrix.gains(grid)).max()
    angles = 2 * np.pi * (np.abs(operator.positions).max() + operator.factor * operator.down)
    assert apart <= rounding(terms + int(angles), scale)


@given(rationals())
def test_the_adjoint_is_that_of_the_polyphase_matrix(operator):
    adjoint = operator.adjoint()
    assert adjoint.groups == operator.groups
    expected = operator.polyphase().adjoint()
    period = (
        np.arange(1.0, 1 + 2 * operator.up)[None] * np.arange(1, operator.out_channels + 1)[:, None]
    )
    assert adjoint.periodic(period).tolist() == expected.periodic(period).tolist()
    assert adjoint.length.agrees_with(operator.length.inverse())


@given(rationals(), rationals(), st.data())
def test_two_in_turn_are_one(first, second, data):
    second = StretchFIR(
        np.resize(second.taps, (2 * first.out_channels, first.out_channels, second.taps.shape[2])),
        second.factor,
        down=second.down,
        dilation=second.dilation,
        crop=second.crop,
    )
    folded = first.then(second)
    if gcd(first.down, second.factor) == 1:
        assert isinstance(folded, StretchFIR)
        assert gcd(folded.factor, folded.down) == 1
    period = data.draw(samples(first.in_channels, 4))
    one, two = folded.periodic(period), second.periodic(first.periodic(period))
    whole = np.lcm(one.shape[1], two.shape[1])
    assert (
        np.tile(one, whole // one.shape[1]).tolist() == np.tile(two, whole // two.shape[1]).tolist()
    )
    assert folded.length.rate == Fraction(first.factor * second.factor, first.down * second.down)


@pytest.mark.parametrize(
    ("factor", "down"), [(1, 2), (3, 2), (160, 147), (147, 160), (16001, 44100)]
)
def test_it_is_scipys_upfirdn(factor, down):
    taps = np.random.default_rng(0).standard_normal(10 * max(factor, down) + 1)
    signal = np.random.default_rng(1).standard_normal((2, 50))
    operator = StretchFIR(np.broadcast_to(taps, (2, 1, taps.size)), factor, down=down, groups=2)
    found = operator.apply(signal)
    expected = upfirdn(taps, signal, factor, down)[:, : found.shape[1]]
    neighbours = -(-taps.size // factor)
    scale = float(np.abs(taps).max() * np.abs(signal).max()) * neighbours
    assert np.abs(found - expected).max() <= rounding(neighbours, scale)


def test_a_common_divisor_is_taken_out():
    wire = Nearest(2).operator(1).then(Decimate(2).operator(1))
    assert (wire.factor, wire.down, wire.taps.tolist()) == (1, 1, [[[1.0]]])
    with pytest.raises(ArgumentError) as refusal:
        StretchFIR(np.ones((1, 1, 4)), 4, down=2)
    assert "fix: StretchFIR(taps[..., ::2], 2, down=1)" in str(refusal.value)


def test_a_depthwise_strided_convolution_takes_the_memory_of_its_taps():
    channels, count = 1536, 12
    weight = np.random.default_rng(0).standard_normal((channels, 1, count))
    layer = Conv(channels, channels, count, stride=2, groups=channels, bias=False, weight=weight)
    mixing = Conv(channels, 1, 1, bias=False, weight=np.ones((1, channels, 1)))
    period, frequencies = np.ones((channels, 8)), np.arange(8) / 16
    tracemalloc.start()
    operator = layer.operator(channels)
    made = operator.periodic(period)
    back = operator.adjoint()
    returned = back.periodic(made)
    folded = operator.then(mixing.operator(channels))
    start = Start(WhiteNoise(), channels, Fraction(8000))
    place = Filtered(Filtered(start, operator), mixing.operator(channels))
    density = Transfer(place, start, frequencies.size).density(
        frequencies, lambda turns: np.ones((channels, turns.size))
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (operator.groups, back.groups) == (channels, channels)
    assert made.shape == (channels, 4)
    assert returned.shape == (channels, 8)
    assert folded.taps.shape == (1, channels, count)
    # Time average for white noise: the mean of squares over both aliases.
    gains = folded.gains(frequencies)
    expected = (np.abs(gains) ** 2).sum(axis=(1, 2, 3))
    scale = float((np.abs(weight).sum(axis=2) ** 2).sum())
    assert np.abs(density[0] - expected).max() <= rounding(channels * count * 40, scale)
    # One dense matrix a tap would be 1536 times the taps.
    largest = max(layer.weight_array().nbytes, frequencies.size * 2 * channels * 16)
    assert peak < 20 * largest


def response(operator, frequency):
    """H(f) = sum of h[k] e^{-j 2 pi f p_k}, (out, in), one product at a time."""
    rows, inward = operator.out_channels // operator.groups, operator.taps.shape[1]
    answer = np.zeros((operator.out_channels, operator.in_channels), complex)
    for out, each, k in np.ndindex(*operator.taps.shape):
        turns = frequency * (operator.dilation * k - operator.crop[0])
        wave = np.exp(-2j * np.pi * float(turns % 1))
        answer[out, out // rows * inward + each] += operator.taps[out, each, k] * wave
    return answer


def sums_within(operator, size):
    """Products and phases of all taps, and a Fourier transform of the stretch or decimation."""
    transform = 8 * max(operator.up, operator.down).bit_length()
    return rounding(16 * operator.taps[0].size * operator.out_channels + 64 + transform, size)


frequencies = st.fractions(0, 1, max_denominator=50).filter(lambda turn: turn < 1)


@given(rationals(), st.lists(frequencies, min_size=1, max_size=3))
def test_the_images_of_a_line_are_those_of_the_response(operator, turns):
    expected = np.array(
        [
            [response(operator, (turn + k) / operator.up) / operator.up for k in range(operator.up)]
            for turn in turns
        ]
    )
    by_group = operator.image_gains(turns)
    made = np.zeros((operator.out_channels, operator.in_channels, *by_group.shape[2:]), complex)
    rows, inward = operator.out_channels // operator.groups, operator.taps.shape[1]
    for group in range(operator.groups):
        out, given = slice(group * rows, (group + 1) * rows), slice(group * inward, None)
        made[out, given][:, :inward] = by_group[out]
    within = sums_within(operator, float(np.abs(operator.taps).sum()))
    expected = expected.transpose(2, 3, 0, 1)
    assert np.abs(made - expected).max(initial=0.0) <= within
    # The route of operators that are no stretch and FIR, too.
    assert np.abs(Operator._image_gains(operator, turns) - expected).max(initial=0.0) <= within


@given(rationals(), st.lists(frequencies, min_size=1, max_size=3), st.booleans(), st.data())
def test_a_row_before_a_decimation_sees_all_its_aliases(operator, turns, same, data):
    shape = (1 if same else len(turns), 2, operator.out_channels)
    real, imaginary = (data.draw(hnp.arrays(np.float64, shape, elements=dyadics())) for _ in "ri")
    rows = np.broadcast_to(real + 1j * imaginary, (len(turns), *shape[1:]))
    made = rows_at(operator, rows, np.array([float(turn) for turn in turns]))
    size = float(np.abs(operator.taps).sum() * np.abs(rows).max(initial=0.0))
    for row, turn, found in zip(rows, turns, made, strict=True):
        for alias in range(operator.down):
            before = Fraction(operator.up * turn + alias, operator.down)
            # f = (U g + l) / D enters; what of its images lands on g has H there.
            stretched = next(
                (before + k) / operator.up
                for k in range(operator.up * operator.down)
                if (operator.down * (before + k) / operator.up - turn).denominator == 1
            )
            expected = row @ response(operator, stretched) / operator.up
            assert np.abs(found[alias] - expected).max() <= sums_within(operator, size)


@pytest.mark.parametrize("new", [16000, 16010])
def test_a_rate_of_many_phases_is_answered(new):
    """A direct sum over all taps at all images would take hours."""
    stack = upsim.Stack([Resample(44100, new)], new)
    operator = stack.operators[0]
    lines = upsim.predict(stack, upsim.Sine(1000.0)).tones
    image = max(lines, key=lambda tone: tone.power[0])
    assert image.fraction == Fraction(1000, new)
    gain = response(operator, Fraction(1000, 44100 * operator.up))[0, 0] / operator.up
    size = float(np.abs(operator.taps).max(axis=2).max() * operator.terms)
    assert abs(abs(image.amplitude[0]) - abs(gain) / 2) <= sums_within(operator, size)


def test_noise_through_a_rate_of_many_phases():
    """The density is the transform of the autocovariance, every D-th lag of that of the taps."""
    operator = Resample(44100, 16000).operator(1)
    taps, turns = operator.taps[0, 0], np.linspace(0, 0.5, 2049)
    place = Filtered(Start(WhiteNoise(), 1, Fraction(44100)), operator)
    found = Transfer(place, place.parents[0], turns.size).density(
        turns, lambda inputs: np.ones((1, inputs.size))
    )
    lags = np.arange(-(taps.size // operator.down), taps.size // operator.down + 1)
    together = np.correlate(taps, taps, "full")[taps.size - 1 + operator.down * lags]
    waves = np.cos(2 * np.pi * turns[:, None] * lags)
    expected = operator.down / operator.up**2 * (waves @ together)
    size = operator.down / operator.up**2 * float(np.abs(together).sum())
    assert np.abs(found[0] - expected).max() <= rounding(16 * taps.size, size)


@given(rationals())
def test_the_power_of_white_noise_is_the_energy_of_impulses(operator):
    """A block of D input samples makes U output samples; each input adds its impulse's energy."""
    start = Start(WhiteNoise(), operator.in_channels, Fraction(8000))
    found = noise_power(Filtered(start, operator))
    reach = int(np.abs(operator.positions).max(initial=0)) + operator.up + operator.down
    far = (2 * reach + sum(map(abs, operator.crop))) // operator.up * operator.down + operator.down
    energy, size = np.zeros(operator.out_channels), 0.0
    for channel in range(operator.in_channels):
        for late in range(operator.down):
            impulse = np.zeros((operator.in_channels, 2 * far + operator.down))
            impulse[channel, far + late] = 1.0
            made = operator.apply(impulse)
            energy += (made**2).sum(axis=1)
            size += float((made**2).sum())
    assert np.abs(found - energy / operator.up).max() <= rounding(operator.terms, size)


def test_the_power_behind_a_change_of_rate_of_many_phases():
    """16000 phases see the taps of one filter, each once."""
    prediction = upsim.predict(upsim.Stack([Resample(16000, 16001)], 16001), frequencies=3)
    operator = prediction.stack.operators[0]
    energy = float((operator.taps**2).sum())
    assert abs(prediction.noise_power[0] - energy / operator.up) <= rounding(
        operator.taps.size, energy / operator.up
    )
