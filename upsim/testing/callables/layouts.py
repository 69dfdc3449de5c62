"""Which axis is which: batch, channels and time, as words."""

from __future__ import annotations

import numpy as np

from upsim.errors import ArgumentError
from upsim.operators.operator import Real
from upsim.words.arguments import plain_text

#: The layouts that are tried, the most likely first.
LAYOUTS = (
    "batch channels time",
    "batch time channels",
    "channels time",
    "time channels",
    "time",
)

_SHORT = {
    "channels-first": "batch channels time",
    "channels_first": "batch channels time",
    "channels-last": "batch time channels",
    "channels_last": "batch time channels",
}


def layout_named(value: object) -> str:
    """Return a layout from its words, or refuse it.

    Examples
    --------
    >>> layout_named("channels-last")
    'batch time channels'
    """
    text = " ".join(plain_text(value, "layout").split())
    text = _SHORT.get(text, text)
    if text not in LAYOUTS:
        raise ArgumentError(
            "unknown layout",
            given=f"layout={text[:40]!r}",
            expected=", ".join(map(repr, (*_SHORT, *LAYOUTS))),
            fix='layout="channels-first"',
        )
    return text


def has_batch(layout: str) -> bool:
    """Return True if the layout has an axis of batches."""
    return layout.startswith("batch")


def laid_out(samples: Real, layout: str) -> Real:
    """Turn samples (batch, channels, time) into a layout; without a batch axis, of one element."""
    if layout == "batch channels time":
        return samples
    if layout == "batch time channels":
        return samples.swapaxes(1, 2)
    if layout == "time":
        return np.asarray(samples[0, 0])
    return np.asarray(samples[0] if layout == "channels time" else samples[0].T)


def axes_of_layout(layout: str) -> int:
    """Return the number of axes."""
    return len(layout.split())


def read_back(array: Real, layout: str) -> Real:
    """Turn an array in a layout into (batch, channels, time)."""
    if layout == "batch channels time":
        return array
    if layout == "batch time channels":
        return array.swapaxes(1, 2)
    if layout == "time":
        return array[None, None]
    return np.asarray(array[None] if layout == "channels time" else array.T[None])
