"""Signals as plain data, in the same words as stack files."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from upsim.errors import FileFormatError, UnknownNameError
from upsim.files.stackfile import decoded, encoded, exact_rate, made
from upsim.network.feed import Feed
from upsim.network.signals import (
    Constant,
    Density,
    Recorded,
    Signal,
    Silence,
    Sine,
    Sum,
    WhiteNoise,
)

_SIGNALS: dict[str, type[Signal]] = {
    kind.__name__: kind for kind in (Silence, Constant, WhiteNoise, Sine, Density, Recorded)
}

#: Fields that are exact fractions, which JSON carries as strings.
_HERTZ = ("frequency", "sample_rate")


def signal_to_dict(signal: Signal) -> dict[str, Any]:
    """Return a signal as plain data.

    Examples
    --------
    >>> from fractions import Fraction
    >>> signal_to_dict(Sine(Fraction(881, 2)))["frequency"]
    '881/2'
    """
    if isinstance(signal, Sum):
        return {"type": "Sum", "parts": [signal_to_dict(part) for part in signal.parts]}
    values = {item.name: encoded(getattr(signal, item.name)) for item in fields(signal)}  # type: ignore[arg-type]
    return {"type": type(signal).__name__, **values}


def feed_to_dict(feed: Feed) -> dict[str, Any]:
    """Return what is fed to a network as plain data: a signal, or one for each input."""
    if isinstance(feed, Signal):
        return signal_to_dict(feed)
    return {"inputs": {name: signal_to_dict(each) for name, each in feed.items()}}


def feed_from_dict(content: object) -> Feed:
    """Return what is fed to a network from plain data."""
    if isinstance(content, dict) and set(content) == {"inputs"}:
        inputs = content["inputs"]
        if not isinstance(inputs, dict):
            raise FileFormatError("inputs map names to signals", given=f"{inputs!r:.60}")
        return {str(name): signal_from_dict(each) for name, each in inputs.items()}
    return signal_from_dict(content)


def signal_from_dict(content: object) -> Signal:
    """Return the signal of plain data."""
    if not isinstance(content, dict) or not isinstance(content.get("type"), str):
        raise FileFormatError(
            "a signal is an object with a type",
            given=f"{content!r:.60}",
            expected='{"type": "Silence"}',
        )
    if content["type"] == "Sum":
        parts = content.get("parts")
        if set(content) != {"type", "parts"} or not isinstance(parts, list) or not parts:
            raise FileFormatError(
                "a sum of signals has parts",
                given=", ".join(content),
                expected='{"type": "Sum", "parts": [...]}',
            )
        return Sum(tuple(signal_from_dict(part) for part in parts))
    kind = _SIGNALS.get(content["type"])
    if kind is None:
        raise UnknownNameError(
            "unknown signal", given=repr(content["type"]), expected=", ".join(_SIGNALS)
        )
    values = {
        key: exact_rate(value) if key in _HERTZ else decoded(value)
        for key, value in content.items()
        if key != "type"
    }
    signal = made(kind, values)
    assert isinstance(signal, Signal)
    return signal
