"""Convolution on a circle, in each of its ways, against the formula on whole numbers: exactly."""

import numpy as np
import pytest

from upsim.errors import TooLargeError
from upsim.operators import StretchFIR, circle


def whole_numbers(rng, *shape):
    return rng.integers(-9, 10, shape).astype(float)


def by_the_formula(operator, period):
    """Tap k of input sample m lands at m L + k d - crop, modulo P L."""
    count = period.shape[1] * operator.factor
    answer = np.zeros((operator.out_channels, count))
    dense = operator.dense_taps()
    for m in range(period.shape[1]):
        places = (m * operator.factor + np.arange(operator.reach) - operator.crop[0]) % count
        for out, inward in np.ndindex(*dense.shape[:2]):
            np.add.at(answer[out], places, dense[out, inward] * period[inward, m])
    return answer


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize(
    ("tap_count", "factor", "dilation", "crop"),
    [(2000, 2, 1, 0), (2000, 1, 1, 3), (1500, 1499, 1, 7), (1200, 3, 2, -5), (1100, 5000, 3, 4)],
)
def test_many_taps_are_folded(count, tap_count, factor, dilation, crop):
    rng = np.random.default_rng(count)
    operator = StretchFIR(
        whole_numbers(rng, 4, 1, tap_count), factor, dilation=dilation, groups=2, crop=(crop, 0)
    )
    period = whole_numbers(rng, 2, count)
    assert operator.periodic(period).tolist() == by_the_formula(operator, period).tolist()


def test_every_copy_of_a_batch_is_answered_by_itself():
    rng = np.random.default_rng(0)
    operator = StretchFIR(whole_numbers(rng, 1, 2, 3000), 3)
    batch = whole_numbers(rng, 5, 2, 4)
    each = [by_the_formula(operator, period).tolist() for period in batch]
    assert operator.periodic(batch).tolist() == each


@pytest.mark.parametrize("factor", [1, 3])
def test_a_long_kernel_is_worked_off_in_blocks(factor, monkeypatch):
    monkeypatch.setattr(circle, "_BLOCK", 100)
    rng = np.random.default_rng(factor)
    operator = StretchFIR(whole_numbers(rng, 2, 2, 23), factor, crop=(4, 0))
    period = whole_numbers(rng, 2, 11)
    assert operator.periodic(period).tolist() == by_the_formula(operator, period).tolist()


@pytest.mark.parametrize(("tap_count", "factor"), [(2**22, 2), (2**20, 2**20)])
def test_kernels_of_a_million_taps_take_no_minute(tap_count, factor):
    operator = StretchFIR(np.ones((1, 1, tap_count)), factor)
    slots = tap_count // factor
    assert operator.periodic(np.ones((1, 1))).tolist() == [[slots] * factor]
    assert operator.phase_gains().tolist() == [[[slots] * factor]]
    assert operator.largest_gain() == slots
    first, last = operator.support()
    assert (first.min(), last.max()) == (1 - slots, 0)


def test_an_answer_beyond_memory_is_refused():
    with pytest.raises(TooLargeError, match="one period of the output"):
        StretchFIR(np.ones((2, 1, 1)), 2**20).periodic(np.ones((1, 2**10)))
