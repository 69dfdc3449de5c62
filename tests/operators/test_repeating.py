"""A value that repeats is its samples written out: every law is checked on a long stretch."""

from fractions import Fraction
from math import gcd

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upsim.operators.repeating import (
    Repeating,
    divisors,
    period_behind,
    period_of_lines,
    whole_turns,
)
from upsim.words.tolerance import rounding

PERIODS = st.integers(1, 12)


@st.composite
def values(draw, rows=2):
    """Whole numbers, so that sums and products are exact."""
    period = draw(PERIODS)
    number = st.integers(-3, 3).map(float)
    row = st.lists(number, min_size=period, max_size=period)
    return Repeating(np.array(draw(st.lists(row, min_size=rows, max_size=rows))))


def written_out(value, count, start=0):
    """Return samples one by one."""
    columns = [value.samples[:, number % value.period] for number in range(start, start + count)]
    return np.stack(columns, axis=1)


@given(values(), values())
def test_a_sum_and_a_product_are_those_of_the_samples(first, second):
    long = 12 * 11 * 10 * 9 * 7
    total, product = first + second, first * second
    assert total.period == first.period * second.period // gcd(first.period, second.period)
    count = min(long, 3 * total.period)
    one, other = (written_out(each, count) for each in (first, second))
    assert np.array_equal(written_out(total, count), one + other)
    assert np.array_equal(written_out(product, count), one * other)
    assert np.array_equal(first.scaled(2.0).over(first.period), 2 * first.samples)


@given(values(), st.integers(1, 10), st.integers(-5, 20))
def test_every_so_manieth_sample_is_kept(value, step, phase):
    kept = value.decimated(step, phase)
    assert kept.period == value.period // gcd(value.period, step)
    stretch = written_out(value, 5 * kept.period * step, phase)
    assert np.array_equal(written_out(kept, 5 * kept.period), stretch[:, ::step])


@given(values(), st.integers(0, 40), st.integers(-20, 20), st.integers(1, 4))
def test_stretches_of_it_are_its_samples(value, count, start, times):
    if count:
        assert np.array_equal(value.run(count, start), written_out(value, count, start))
    moments = start + np.arange(6).reshape(2, 3)
    stretch = written_out(value, 6, start).reshape(2, 2, 3)
    assert np.array_equal(value.at(moments), stretch)
    assert value.run(count, start).shape == (2, count)
    whole = times * value.period
    assert np.array_equal(value.over(whole), written_out(value, whole))


@given(values(), st.integers(1, 4))
def test_the_shortest_period_is_the_least_shift_that_changes_nothing(value, times):
    shifts = [
        shift
        for shift in range(1, value.period + 1)
        if np.array_equal(written_out(value, value.period, shift), value.samples)
    ]
    repeated = Repeating(value.over(times * value.period))
    assert repeated.shortest().period == shifts[0]
    assert np.array_equal(repeated.shortest().samples, value.samples[:, : shifts[0]])


@given(values(), st.integers(1, 3))
def test_the_lines_add_up_to_the_samples(value, times):
    """The synthesis, one exponential after another."""
    whole = times * value.period
    lines, made = value.lines(whole), np.zeros((2, whole), complex)
    for number in range(whole):
        turns = [Fraction(number * n, whole) % 1 for n in range(whole)]
        made += lines[:, [number]] * np.exp(2j * np.pi * np.array(turns, float))
    within = rounding(8 * whole, float(np.abs(value.samples).max()))
    assert np.allclose(made, written_out(value, whole), rtol=0, atol=within)
    half = value.half_lines()
    assert half.shape == (2, value.period // 2 + 1)
    assert np.allclose(half, value.lines()[:, : half.shape[1]], rtol=0, atol=within)


def test_nothing_is_copied_where_nothing_is_to_be_done():
    value = Repeating(np.arange(6.0).reshape(2, 3))
    assert value.over(3) is value.samples
    assert Repeating.constant(2.0).samples.tolist() == [2.0]
    with pytest.raises(ValueError, match="read-only"):
        value.samples[0, 0] = 1.0


@given(PERIODS, st.integers(1, 8), st.integers(1, 8))
def test_the_period_behind_an_operator_is_the_least_of_whole_blocks(period, up, down):
    least = next(
        count for count in range(1, 200) if (count * down) % period == 0
    )  # blocks that hold whole periods
    assert period_behind(period, up, down) == least * up


@given(PERIODS, PERIODS, PERIODS, PERIODS)
def test_so_many_turns_hold_whole_periods_of_both(one, wanted, other, too):
    found = whole_turns((one, wanted), (other, too))
    whole = [
        times
        for times in range(1, found + 1)
        if (one * times) % wanted == 0 and (other * times) % too == 0
    ]
    assert whole == [found]


def test_periods_of_lines_and_divisors():
    assert period_of_lines([]) == 1
    assert period_of_lines([Fraction(1, 4), Fraction(1, 6), Fraction(0)]) == 12
    assert list(divisors(12)) == [1, 2, 3, 4, 6]
    assert list(divisors(1)) == []
