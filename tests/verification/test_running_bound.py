"""The running bound holds against long double, and does not grow with depth as gains would."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upsim.errors import UpsimError
from upsim.operators import PolyphaseMatrix, StretchFIR
from upsim.operators.rounding import running_error
from upsim.testing.strategies import stacks
from upsim.theory.reports.boundaries import boundary_report
from upsim.verification.witness import Witness, run_period, run_samples
from upsim.words.tolerance import probable

NUMPY = Witness("numpy", np.dtype(np.float64))


@pytest.mark.parametrize("depth", [20, 60])
def test_a_deep_chain_against_long_double(depth):
    """A constant through ``depth`` convolutions is a chain of matrices: the sums of the taps."""
    rng = np.random.default_rng(depth)
    value, exact = np.ones(8), np.ones(8, np.longdouble)
    error = np.zeros(8)
    for _ in range(depth):
        operator = StretchFIR(rng.normal(0, 0.13, (8, 8, 7)))
        error = running_error(operator, np.abs(value), error, period=1)
        value = operator.periodic(value[:, None])[:, 0]
        exact = operator.taps.astype(np.longdouble).sum(axis=2) @ exact
    assert np.all(np.abs(value - exact) <= error)
    # Errors pass as signals do, so the bound stays near the rounding of `depth` layers.  The share
    # of one is gamma times |h| * |x|, at most sqrt(terms) times the size of what comes out.
    share = probable(57, np.sqrt(56) * float(np.linalg.norm(value)))
    assert error.max() <= depth * share


@given(st.data())
def test_errors_of_one_period_pass_exactly(data):
    """A change of a period passes as the fold of the taps onto the period says."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    factor, taps, period = (data.draw(st.integers(1, 4)) for _ in range(3))
    operator = StretchFIR(
        rng.normal(size=(2, 2, taps + 2)), factor, dilation=data.draw(st.integers(1, 3)),
        crop=(data.draw(st.integers(-2, 2)), 0),
    )  # fmt: skip
    if data.draw(st.booleans()):
        operator = operator.polyphase()
        assert isinstance(operator, PolyphaseMatrix)
    whole = np.zeros((2, 1))
    error = rng.uniform(0.5, 1.0, 2)
    for channel in range(2):
        for place in range(period):
            unit = np.zeros((2, period))
            unit[channel, place] = error[channel]
            whole = whole + operator.periodic(unit) ** 2
    expected = np.sqrt(whole).max(axis=1)
    found = running_error(operator, np.zeros(2), error, period=period)
    assert np.abs(found - expected).max() <= probable(2 * operator.terms, 1.0) * expected.max()


@given(stacks(linear=False), st.integers(1, 4), st.integers(0, 2**16))
def test_one_period_is_the_middle_of_a_long_run(stack, period, seed):
    """The run on a circle against a plain run of many periods, where no end is seen."""
    rows = np.random.default_rng(seed).integers(-8, 9, (1, stack.in_channels, period)) / 8
    seen = run_period(stack, [rows], NUMPY)
    made = seen.end.samples.shape[2]
    if any(type(layer).__name__ in ("GroupNorm", "InstanceNorm") for layer in walk(stack)):
        return  # a plain run has the statistics of its ends, too
    length = period * stack.rate.denominator
    for _ in range(12):
        length *= 2
        try:
            edges = boundary_report(stack, length).transients[-1]
            whole = run_samples(stack, [np.tile(rows[0], length // period)], NUMPY).end
        except UpsimError:  # too short for some layer, or branches of unequal length
            continue
        total = whole.samples.shape[2]
        begin = -(-edges.left // made) * made
        if begin + made <= total - edges.right:
            middle = whole.samples[0, :, begin : begin + made]
            assert np.abs(middle - seen.end.samples[0]).max() <= (
                (whole.error + seen.end.error).max()
            )
            assert not seen.off
            return


def walk(layers):
    for layer in layers:
        yield layer
        for part in getattr(layer, "parts", ()):
            yield from walk(part)
