"""What operators refuse, and that they cannot be changed from outside."""

import numpy as np
import pytest

from upsim.errors import ArgumentError, ArgumentTypeError, ShapeError
from upsim.operators import LengthRule, PolyphaseMatrix, StretchFIR

ONES = np.ones((1, 1, 2))
BLOCK = np.ones((1, 1, 1, 1, 1))


def test_lists_are_arrays():
    assert StretchFIR([[[1, 2]]], 2).taps.tolist() == [[[1.0, 2.0]]]


def test_later_writing_changes_no_operator():
    taps, offset, blocks = ONES.copy(), np.ones((1, 1)), BLOCK.copy()
    fir = StretchFIR(taps, offset=offset)
    matrix = PolyphaseMatrix(blocks, length=LengthRule(), offset=offset)
    taps[...], offset[...], blocks[...] = 5, 5, 5
    assert fir.taps.max() == fir.offset.max() == 1
    assert matrix.blocks.max() == matrix.offset.max() == 1


def test_a_read_only_array_is_taken_without_a_copy():
    taps = np.ones((1, 1, 2))
    taps.setflags(write=False)
    assert StretchFIR(taps).taps is taps


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"factor": 0}, ArgumentError, "factor must be a positive whole number"),
        ({"factor": 1.5}, ArgumentError, "factor must be a positive whole number"),
        ({"dilation": 0}, ArgumentError, "dilation must be a positive whole number"),
        ({"groups": "a"}, ArgumentTypeError, "groups must be a positive whole number"),
        ({"taps": [[[np.nan]]]}, ArgumentError, "taps must be finite"),
        ({"taps": "a"}, ArgumentTypeError, "taps must be an array of real numbers"),
        ({"taps": ONES * 1j}, ArgumentTypeError, "taps must be real"),
        ({"offset": np.ones(1)}, ShapeError, "offset must have two axes"),
        ({"offset": np.ones((2, 1))}, ShapeError, "offset does not match the output channels"),
        ({"crop": 3}, ArgumentTypeError, "crop must be two whole numbers"),
        ({"crop": (0, 0.5)}, ArgumentTypeError, "crop must be a whole number"),
        ({"padding_mode": "mirror"}, ArgumentError, "padding_mode is not known"),
    ],
)
def test_a_stretch_fir_refuses(wrong, error, words):
    with pytest.raises(error, match=words):
        StretchFIR(**({"taps": ONES} | wrong))


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"blocks": BLOCK * np.nan}, ArgumentError, "blocks must be finite"),
        ({"first": 0.5}, ArgumentTypeError, "first must be a whole number"),
        ({"length": 3}, ArgumentTypeError, "length must be a LengthRule"),
        ({"offset": np.ones(1)}, ShapeError, "offset must have two axes"),
        ({"padding_mode": "mirror"}, ArgumentError, "padding_mode is not known"),
    ],
)
def test_a_polyphase_matrix_refuses(wrong, error, words):
    with pytest.raises(error, match=words):
        PolyphaseMatrix(**({"blocks": BLOCK, "length": LengthRule()} | wrong))
