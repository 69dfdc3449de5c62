"""The polyphase matrix against its formula, exactly, and its refusals."""

from math import gcd

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from upsim.errors import NotPredictableError, ShapeError
from upsim.operators import LengthRule, PolyphaseMatrix
from upsim.testing import samples
from upsim.testing.strategies import dyadics


@st.composite
def matrices(draw):
    shape = tuple(draw(st.integers(1, 3)) for _ in range(5))
    blocks = draw(hnp.arrays(np.float64, shape, elements=dyadics()))
    length = LengthRule(((shape[2], shape[4], draw(st.integers(0, 2))),))
    return PolyphaseMatrix(blocks, draw(st.integers(-2, 2)), length=length)


def by_the_formula(operator, signal):
    """y[o, b U + i] = sum P[j; o i, c q] x[c, (b - first - j) D + q], one product at a time."""
    count = signal.shape[1]
    output = np.zeros((operator.out_channels, operator.length(count)))
    for j, out, phase, inward, part in np.ndindex(*operator.blocks.shape):
        for n in range(phase, output.shape[1], operator.up):
            m = (n // operator.up - operator.first - j) * operator.down + part
            if 0 <= m < count:
                output[out, n] += operator.blocks[j, out, phase, inward, part] * signal[inward, m]
    return output


@given(matrices(), st.data())
def test_apply_and_matrix_are_the_formula(operator, data):
    signal = data.draw(samples(operator.in_channels, data.draw(st.integers(3, 8))))
    expected = by_the_formula(operator, signal)
    assert operator.apply(signal).tolist() == expected.tolist()
    flat = operator.matrix(signal.shape[1]) @ signal.reshape(-1)
    assert flat.tolist() == expected.reshape(-1).tolist()


@given(matrices())
def test_the_adjoint_of_the_adjoint_is_the_operator(operator):
    twice = operator.adjoint().adjoint()
    assert twice.blocks.tolist() == operator.blocks.tolist()
    assert twice.first == operator.first
    # Not the length law: that of the adjoint is the shortest input, which forgets the remainder.
    assert twice.length.rate == operator.length.rate


@given(matrices(), st.integers(1, 3))
@example(PolyphaseMatrix(np.zeros((1, 1, 1, 1, 1)), 0, length=LengthRule()), 2)
def test_blocking_does_not_lengthen_the_reduced_form(operator, ratio):
    smallest = operator.reduced()
    assert (operator.up, operator.down) == (
        smallest.up * (operator.up // smallest.up),
        smallest.down * (operator.up // smallest.up),
    )
    again = operator.blocked(ratio).reduced()
    assert (again.up, again.down) == (smallest.up, smallest.down)


def held_every_second():
    """Sample 2 b twice: what a decimation by 2 and a hold by 2 make of the input."""
    blocks = np.array([[1.0, 0.0], [1.0, 0.0]]).reshape(1, 1, 2, 1, 2)
    return PolyphaseMatrix(blocks, length=LengthRule(((1, 2, 1), (2, 1, 0))))


def test_what_depends_on_the_input_phase_is_no_stretch_fir():
    with pytest.raises(NotPredictableError) as refusal:
        held_every_second().stretch_fir()
    assert str(refusal.value) == (
        "this operator is not a stretch followed by an FIR. "
        "given: a map that repeats every 2 input and 2 output samples. "
        "expected: a map that treats all input samples alike. fix: keep the polyphase form"
    )


@given(matrices(), st.data())
def test_a_matrix_without_a_common_divisor_is_a_stretch_fir(operator, data):
    plain = operator.reduced()
    if gcd(plain.up, plain.down) > 1:
        with pytest.raises(NotPredictableError):
            operator.stretch_fir()
        return
    signal = data.draw(samples(operator.in_channels, data.draw(st.integers(3, 8))))
    assert (
        operator.stretch_fir().apply(signal).tolist() == by_the_formula(operator, signal).tolist()
    )


def test_a_floor_in_the_length_stays():
    rule = LengthRule(((1, 2, 1), (2, 1, 0)))
    fir = PolyphaseMatrix(np.ones((1, 1, 1, 1, 1)), length=rule).stretch_fir()
    assert [fir.length(n) for n in (1, 2, 3)] == [2, 2, 4]
    assert fir.apply(np.ones((1, 3))).tolist() == [[1.0, 1.0, 1.0, 0.0]]


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 1, 1, 0, 1)])
def test_blocks_of_another_shape_are_refused(shape):
    with pytest.raises(ShapeError) as refusal:
        PolyphaseMatrix(np.ones(shape), length=LengthRule())
    assert str(refusal.value) == (
        f"blocks must have five axes, none of them empty. given: blocks of shape {shape}. "
        "expected: shape (J, out, up, in, down)"
    )


def test_a_length_law_of_another_rate_is_refused():
    with pytest.raises(ShapeError) as refusal:
        PolyphaseMatrix(np.ones((1, 1, 2, 1, 1)), length=LengthRule())
    assert str(refusal.value) == (
        "the length law and the blocks disagree on the rate. "
        "given: up=2, down=1, a length law of rate 1. expected: rate 2/1"
    )


def test_what_would_not_fit_in_memory_is_refused_before_it_is_taken():
    from upsim.errors import TooLargeError

    wide = PolyphaseMatrix(np.ones((1, 1, 1, 1, 1)), length=LengthRule())
    # A block of 2^14 samples squared: 2^28 numbers of 8 bytes in each of two blocks at most.
    with pytest.raises(TooLargeError, match=r"^the polyphase matrix would need \d+\.\d GiB"):
        wide.blocked(2**15)
