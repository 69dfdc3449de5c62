"""A node that upsim has no formula for: known by its place, its channels and its rate."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import final

import numpy as np

from upsim.errors import (
    ArgumentError,
    ArgumentTypeError,
    NotPredictableError,
    ShapeError,
    UpsimError,
)
from upsim.layers.base import Array, Unmodelled
from upsim.operators import LengthRule
from upsim.words.arguments import plain_fraction, plain_text, shown, whole_number

#: A rate as files hold it.
_RATIO = re.compile(r"\d{1,9}(/\d{1,9})?")

#: Letters of a kind; a title is one line.
_LONGEST_KIND = 80


@final
@dataclass(frozen=True, eq=False, repr=False)
class Opaque(Unmodelled):
    """A node without a formula: an LSTM, attention, an operation that nobody knows.

    Lengths, rates, families of lines and tables need no more than its channels and its rate.  Where
    nothing is random, it is run: on a recording, or on a periodic signal until it has settled, and
    all lines behind it are exact.  Other questions are refused at this node, by name, and
    ``graph.after(name)`` is the part of the network behind it.

    A node that reads several values stands behind a :class:`~upsim.layers.merging.Concatenate`.

    Parameters
    ----------
    kind : str
        What it is, as tables show it: "LSTM".
    channels : int
        Output channels; any input channels are taken.
    rate : int or Fraction
        Output samples per input sample.
    run : callable, optional
        ``run(samples)`` returns the output, (channels, m), for an array (in channels, n), with
        ``m = floor(n rate)``.  It does the same each time.  It is no part of a file, of the repr
        or of a comparison: a layer that was read from a file has none.
    reason : str
        Why there is no formula, as the end of a sentence: "it has a state".

    Examples
    --------
    >>> layer = Opaque("LSTM", 512, reason="it has a state")
    >>> layer
    Opaque('LSTM', 512, reason='it has a state')
    >>> layer.output_length(100), layer.can_run
    (100, False)
    """

    kind: str
    channels: int
    rate: Fraction | int | float | str = Fraction(1)  # type: ignore[assignment]
    run: Callable[[Array], Array] | None = field(default=None, repr=False, compare=False)
    reason: str = ""

    def _check(self) -> None:
        for name in ("kind", "reason"):
            text = plain_text(getattr(self, name), name)
            if not text.isprintable() or len(text) > _LONGEST_KIND or (name == "kind" and not text):
                raise ArgumentError(
                    f"{name} must be a few printable words",
                    given=f"{name}={shown(text)}",
                    expected=f"at most {_LONGEST_KIND} letters",
                    fix=f'{name}="LSTM"' if name == "kind" else f'{name}="it has a state"',
                )
        if self.run is not None and not callable(self.run):
            raise ArgumentTypeError(
                "run must be a function from samples to samples",
                given=f"run={shown(self.run)}",
                expected="a callable, or None",
            )
        self._set(channels=whole_number(self.channels, "channels"), rate=_ratio(self.rate))

    @property
    def called(self) -> str:
        """The kind."""
        return self.kind

    @property
    def why(self) -> str:
        """The reason."""
        return self.reason

    @property
    def can_run(self) -> bool:
        """Whether there is a function to run."""
        return self.run is not None

    def channels_out(self, channels: int) -> int:
        """Return the channels, whatever comes in."""
        del channels
        return self.channels

    def length_rule(self) -> LengthRule:
        """Return ``floor(n rate)``."""
        up, down = self.block
        return LengthRule(((up, down, 0),) if (up, down) != (1, 1) else ())

    def answer(self, samples: Array) -> Array:
        """Return what the function makes of finite samples (channels, time), checked."""
        if self.run is None:
            raise NotPredictableError(
                "an opaque node can be run only with a function",
                given=f"{self.kind} without run=",
                fix=f"upsim.Opaque({self.kind!r}, {self.channels}, run=<a function>)",
            )
        try:
            made = self.run(np.array(samples, dtype=np.float64))
            found = np.array(made, dtype=np.float64)
        except UpsimError:
            raise
        except Exception as error:  # noqa: BLE001 - a stranger's function raises what it likes
            raise NotPredictableError(
                "the function of an opaque node failed",
                given=f"{type(error).__name__}: {str(error)[:200]}, for samples {samples.shape}",
                expected="run(samples) for an array (channels, time)",
            ) from None
        expected = (self.channels, self.output_length(samples.shape[1]))
        if found.shape != expected:
            raise ShapeError(
                "the function of an opaque node returned another shape than the node says",
                given=f"{found.shape} for samples {samples.shape}",
                expected=f"{expected}: channels={self.channels}, rate={self.rate}",
                fix="other channels= or rate=",
            )
        if not np.all(np.isfinite(found)):
            raise ArgumentError(
                "the function of an opaque node returned numbers that are not finite",
                given=f"{np.count_nonzero(~np.isfinite(found))} of {found.size}",
            )
        return found


def _ratio(value: object) -> Fraction:
    """Return a rate as an exact fraction; a file holds it as a text, ``"1/2"``."""
    if isinstance(value, str) and _RATIO.fullmatch(value):
        above, _, below = value.partition("/")
        return Fraction(whole_number(int(above), "rate"), whole_number(int(below or 1), "rate"))
    fraction = plain_fraction(value)
    return Fraction(whole_number(value, "rate")) if fraction is None else fraction
