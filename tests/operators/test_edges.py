"""What a layer sees beyond its ends is what numpy.pad puts there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upsim.errors import ShapeError
from upsim.operators.edges import PADDING_MODES, extended_index

NUMPY = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@pytest.mark.parametrize("mode", PADDING_MODES)
@given(length=st.integers(1, 7), left=st.integers(0, 6), right=st.integers(0, 6))
def test_every_mode_is_numpys(mode, length, left, right):
    longest = {"reflect": length - 1, "circular": length}.get(mode, 6)
    left, right = min(left, longest), min(right, longest)
    samples = np.arange(1.0, length + 1)
    inside, seen = extended_index(np.arange(-left, length + right), length, mode)
    expected = np.pad(samples, (left, right), mode=NUMPY[mode])
    assert np.where(seen, samples[inside], 0.0).tolist() == expected.tolist()


@pytest.mark.parametrize(("mode", "longest"), [("reflect", 2), ("circular", 3)])
def test_padding_longer_than_the_input_is_refused(mode, longest):
    extended_index(np.array([-longest, 2 + longest]), 3, mode)
    for index in (-longest - 1, 3 + longest):
        with pytest.raises(ShapeError) as refusal:
            extended_index(np.array([index]), 3, mode)
        assert str(refusal.value) == (
            f"{mode} padding reaches further than the input. "
            f"given: 3 samples, {longest + 1} needed beyond an end. expected: at most {longest}. "
            "fix: use a longer input or less padding"
        )
