"""The stretch-FIR against its formula, exactly, and against scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import upfirdn

from upsim.errors import ShapeError
from upsim.operators import StretchFIR
from upsim.testing import kernels, samples


@st.composite
def stretch_firs(draw):
    out_per_group, per_group, groups = (draw(st.integers(1, 2)) for _ in range(3))
    taps = draw(kernels(out_channels=out_per_group * groups, in_channels=per_group))
    offset = draw(st.one_of(st.none(), samples(taps.shape[0], draw(st.integers(1, 3)))))
    return StretchFIR(
        taps,
        draw(st.integers(1, 5)),
        dilation=draw(st.integers(1, 3)),
        groups=groups,
        offset=offset,
        crop=(draw(st.integers(-2, 2)), draw(st.integers(-2, 2))),
    )


def by_the_formula(operator, signal):
    """y[o, m L + k d - crop_left] += h[o, c, k] x[c, m], one product at a time."""
    total = (signal.shape[1] - 1) * operator.factor + operator.reach - sum(operator.crop)
    output = np.zeros((operator.out_channels, total))
    rows = operator.out_channels // operator.groups
    for out, inward, tap in np.ndindex(*operator.taps.shape):
        channel = out // rows * operator.taps.shape[1] + inward
        for m, value in enumerate(signal[channel]):
            n = m * operator.factor + tap * operator.dilation - operator.crop[0]
            if 0 <= n < total:
                output[out, n] += operator.taps[out, inward, tap] * value
    return output


@given(stretch_firs(), st.data())
def test_apply_is_the_formula(operator, data):
    signal = data.draw(samples(operator.in_channels, data.draw(st.integers(5, 9))))
    assert operator.apply(signal).tolist() == by_the_formula(operator, signal).tolist()
    flat = operator.matrix(signal.shape[1]) @ signal.reshape(-1)
    assert flat.tolist() == operator.apply(signal).reshape(-1).tolist()


@given(kernels(out_channels=1, in_channels=1), st.integers(1, 5), samples(1, 8))
def test_one_channel_is_scipys_upfirdn(taps, factor, signal):
    ours = StretchFIR(taps, factor).apply(signal)[0]
    theirs = upfirdn(taps[0, 0], signal[0], up=factor)
    # scipy ends at the last tap of the last sample, or pads up to L - 1 zeros.
    assert ours.tolist() == theirs[: ours.size].tolist()
    assert not theirs[ours.size :].any()


@given(stretch_firs())
def test_phase_gains_and_powers_are_sums_over_taps_of_one_phase(operator):
    dense = operator.dense_taps()
    place = (np.arange(operator.reach) - operator.crop[0]) % operator.factor
    for phase in range(operator.factor):
        chosen = dense[:, :, place == phase]
        assert operator.phase_gains()[..., phase].tolist() == chosen.sum(axis=2).tolist()
        assert operator.phase_powers()[..., phase].tolist() == (chosen**2).sum(axis=2).tolist()


@given(stretch_firs())
def test_h_at_zero_is_the_sum_of_the_taps(operator):
    expected = operator.dense_taps().sum(axis=2)
    found = operator.response([0.0])[0]
    assert found.imag.tolist() == np.zeros_like(expected).tolist()
    assert found.real.tolist() == expected.tolist()


@given(stretch_firs())
def test_a_sum_with_itself_doubles(operator):
    signal = np.arange(operator.in_channels * 6.0).reshape(-1, 6)
    doubled = operator + operator
    assert doubled.apply(signal).tolist() == (2 * operator.apply(signal)).tolist()
    assert doubled.offset_samples(6).tolist() == (2 * operator.offset_samples(6)).tolist()
    blocked = operator + operator.polyphase()
    assert blocked.apply(signal).tolist() == doubled.apply(signal).tolist()


@given(stretch_firs())
def test_the_impulse_response_is_the_taps(operator):
    response = operator.impulse_response()[:, :, 0]
    taps = operator.dense_taps()
    lead = -operator.crop[0] % operator.factor
    assert response[:, :, lead : lead + operator.reach].tolist() == taps.tolist()
    assert np.abs(response).sum() == np.abs(taps).sum()


def test_the_taps_and_the_offset_cannot_be_written_to():
    operator = StretchFIR(np.ones((1, 1, 2)), offset=np.ones((1, 1)))
    for held in (operator.taps, operator.offset):
        with pytest.raises(ValueError, match="read-only"):
            held[...] = 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 1, 1), (1, 1, 0), (0, 1, 1)])
def test_taps_of_another_shape_are_refused(shape):
    with pytest.raises(ShapeError) as refusal:
        StretchFIR(np.ones(shape))
    assert str(refusal.value) == (
        "taps must have three axes, none of them empty. "
        f"given: taps of shape {shape}. expected: shape (out, in / groups, K)"
    )


def test_groups_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(ShapeError, match=r"given: taps of shape \(3, 1, 1\), groups=2\."):
        StretchFIR(np.ones((3, 1, 1)), groups=2)


def test_a_chain_whose_channels_do_not_match_is_refused():
    with pytest.raises(ShapeError) as refusal:
        StretchFIR(np.ones((2, 1, 1))).then(StretchFIR(np.ones((1, 3, 1))))
    assert str(refusal.value) == (
        "the layers' channels do not match. given: 2 channels out, then 3 in. "
        "expected: equal numbers. fix: in_channels=2"
    )


def test_a_sum_of_different_rates_or_lengths_is_refused():
    one = StretchFIR(np.ones((1, 1, 1)))
    with pytest.raises(ShapeError) as refusal:
        one + StretchFIR(np.ones((1, 1, 2)), 2)
    assert str(refusal.value) == (
        "operators that are added must have equal channels and rates. "
        "given: (in, out, rate) = 1, 1, 1 and 1, 1, 2. expected: equal"
    )
    with pytest.raises(ShapeError) as refusal:
        one + StretchFIR(np.ones((1, 1, 3)))
    assert str(refusal.value) == (
        "branches that are added give different lengths. "
        "given: 100/101/102 and 102/103/104 samples for 100, 101 and 102. "
        "expected: equal lengths. fix: change the padding of one branch"
    )


@pytest.mark.parametrize(("tap_count", "count"), [(3, 40), (40, 3), (7, 7)])
@pytest.mark.parametrize(("factor", "dilation"), [(1, 1), (3, 1), (2, 3), (50, 1)])
def test_the_sum_runs_over_taps_or_samples_alike(tap_count, count, factor, dilation):
    rng = np.random.default_rng(tap_count)
    taps = rng.integers(-9, 10, (4, 2, tap_count)).astype(float)
    operator = StretchFIR(taps, factor, dilation=dilation, groups=2, crop=(2, -1))
    signal = rng.integers(-9, 10, (4, count)).astype(float)
    made = operator.apply(signal)
    assert made.tolist() == by_the_formula(operator, signal).tolist()
    assert (operator.matrix(count) @ signal.reshape(-1)).tolist() == made.reshape(-1).tolist()


def test_a_hundred_thousand_taps_on_two_samples():
    taps = np.arange(1.0, 100_001.0).reshape(1, 1, -1)
    made = StretchFIR(taps, 2).apply(np.array([[1.0, 10.0]]))[0]
    assert made[:4].tolist() == [1, 2, 3 + 10, 4 + 20]
    assert made[-3:].tolist() == [100_000 + 999_980, 999_990, 1_000_000]
