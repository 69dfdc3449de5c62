"""Deep stacks against the witness; the tolerance is what the witness makes in single precision."""

import numpy as np
import pytest
from hypothesis import assume, given

import upsim
from upsim import neural
from upsim.errors import ShapeError
from upsim.testing import deep_stacks
from upsim.words.tolerance import rounding

# A stack of sixty layers is printed in full where a test fails.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

#: An error of single precision, in double precision.
FINER = np.finfo(np.float64).eps / np.finfo(np.float32).eps


def performed(stack, samples):
    """Return the witness's output, and how far another right answer may lie from it.

    Single precision is off by one error for all samples; two answers are each off by one in double
    precision, of which six times as much is improbable (as in ``tolerance.probable``).
    """
    try:
        made = neural.run(stack, samples)
    except ShapeError:
        assume(False)
    coarse = neural.run(stack, samples, dtype=np.float32)
    error = float(np.abs(coarse - made).max())
    size = float(np.abs(made).max())
    return made, 2 * 6 * error * FINER + rounding(len(stack), size)


@pytest.mark.parametrize("linear", [True, False])
def test_a_recording_is_foretold_with_its_ends(linear):
    @given(deep_stacks(linear=linear))
    def holds(stack):
        samples = np.random.default_rng(len(stack)).standard_normal((stack.in_channels, 80))
        made, within = performed(stack, samples)
        signal = upsim.Recorded(samples, stack.input_rate)
        foretold = upsim.predict(stack, signal, provenance=False).waveform
        assert foretold.shape == made.shape
        assert stack.output_length(80) == made.shape[1]
        assert np.abs(foretold - made).max() <= within

    holds()
