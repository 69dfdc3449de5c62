"""What the readers of Keras' layers share: what they are given, what they say, what they refuse."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError
from upsim.layers import Layer
from upsim.words.arguments import shown

Array = NDArray[np.float64]

#: A layer and what is added to the name of its node; "" for the layer that bears the name itself.
Parts = list[tuple[str, Layer]]


class Read:
    """What a layer's reader knows beside the layer, and what it finds.

    Parameters
    ----------
    channels : int
        Of the (first) value that the layer reads.
    notes : list of str
        What a user should know; readers append to it.
    """

    def __init__(self, channels: int, notes: list[str]) -> None:
        self.channels = channels
        self.notes = notes
        #: The length must be a multiple of this for the layer to do what its graph does.
        self.divides = 1

    def note(self, text: str) -> None:
        """Add a note once."""
        if text not in self.notes:
            self.notes.append(text)


def numbers(value: Any) -> Array:
    """Return a Keras variable as an array, exactly."""
    import keras

    return np.asarray(keras.ops.convert_to_numpy(value), dtype=np.float64)


def refuse(layer: Any, name: str, usual: object) -> None:
    """Refuse a field that is not as usual."""
    value = getattr(layer, name, usual)
    if value != usual:
        raise NotPredictableError(
            f"{type(layer).__name__} with another {name} is not read",
            given=f"{name}={shown(value)}",
            expected=f"{name}={usual!r}",
        )


def is_keras(kind: type) -> bool:
    """Return whether a class is one of Keras' own."""
    return kind.__module__.partition(".")[0] == "keras"


def failure(error: Exception) -> str:
    """Return a stranger's error on one line; Keras writes some words in bold."""
    text = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split())
    return f"{type(error).__name__}: {text[:200]}"
