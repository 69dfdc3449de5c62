"""What every linear operator of upsim can do, whatever its form.

An operator maps ``in_channels`` at one rate to ``out_channels`` at ``up / down`` times that rate,
and repeats itself every ``down`` input samples, that is every ``up`` output samples.
:class:`~upsim.operators.stretch_fir.StretchFIR` says it where ``up`` and ``down`` have no divisor
in common; :class:`~upsim.operators.polyphase.PolyphaseMatrix` is the universal form.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import fields
from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.errors import ArgumentTypeError, ShapeError
from upsim.operators.length import LengthRule
from upsim.operators.repeating import Repeating
from upsim.words.arguments import LARGEST_LENGTH, refuse_beyond_memory, shown, whole_number

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from upsim.operators.polyphase import PolyphaseMatrix
    from upsim.operators.stretch_fir import StretchFIR

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]
Whole = NDArray[np.intp]


class Operator(ABC):
    """A linear, periodically time-varying map, plus an offset that may be periodic.

    Attributes
    ----------
    in_channels, out_channels, up, down : int
    offset : array (out_channels, period) or None
        Added to the output: a bias has period 1, a bias that was added before a periodic shuffle
        has the period of the shuffle.
    length : LengthRule
        Output samples for a number of input samples.
    padding_mode : str
        What the finite map sees beyond its input's ends.
    """

    in_channels: int
    out_channels: int
    up: int
    down: int
    offset: Real | None
    length: LengthRule
    padding_mode: str

    @property
    @abstractmethod
    def terms(self) -> int:
        """Products that are added for one output sample: what rounding bounds count."""

    @abstractmethod
    def gains(self, frequencies: ArrayLike) -> Complex:
        """Return the gain from each input exponential to the output exponential at a frequency.

        An output line at ``g`` cycles per sample comes from ``down`` input frequencies,
        ``f_l = (up g + l) / down`` with ``l = 0 … down - 1``.

        Parameters
        ----------
        frequencies : array (F,)
            Output frequencies ``g``, cycles per output sample.

        Returns
        -------
        array (F, down, out, in)
            Complex amplitude at ``g`` per unit of complex amplitude at ``f_l``.
        """

    def image_gains(self, turns: Sequence[Fraction]) -> Complex:
        """Return with what gain each image of input lines at ``f`` comes out.

        The stretch makes the images ``(f + k) / up``; the decimation lets them fold to
        ``down (f + k) / up`` modulo 1, ``k = 0 … up - 1``.

        Parameters
        ----------
        turns : sequence of Fraction
            Input frequencies ``f``, cycles per input sample.

        Returns
        -------
        array (out, in / groups, len(turns), up)
        """
        exact = isinstance(turns, (list, tuple)) and {type(each) for each in turns} <= {Fraction}
        if not exact:
            raise ArgumentTypeError(
                "the frequencies of input lines are exact numbers",
                given=f"turns={shown(turns)}",
                expected="a list of fractions, cycles per input sample",
                fix="turns=[Fraction(1, 4)]",
            )
        return self._image_gains(turns)

    def _image_gains(self, turns: Sequence[Fraction]) -> Complex:
        """Return :meth:`image_gains`, picked from :meth:`gains`."""
        places = [(turn + k) * self.down / self.up for turn in turns for k in range(self.up)]
        # What is folded away in whole turns says which of the inputs of a place f is.
        aliases = [floor(place) * self.up % self.down for place in places]
        gains = self.gains([float(place % 1) for place in places])
        chosen = gains[np.arange(len(places)), aliases]
        shape = (self.out_channels, self.in_channels, len(turns), self.up)
        return np.moveaxis(chosen, 0, -1).reshape(shape)

    @abstractmethod
    def polyphase(self) -> PolyphaseMatrix:
        """Return the same operator as a polyphase matrix."""

    @abstractmethod
    def stretch_fir(self) -> StretchFIR:
        """Return the same operator as a stretch followed by an FIR, or refuse."""

    @abstractmethod
    def then(self, other: Operator) -> Operator:
        """Return the operator that applies this one first and ``other`` second.

        On the infinite line the two are equal.  At the ends of a finite signal they differ where
        the second layer pads what the first one cropped; :meth:`matrix` of each layer, multiplied,
        is exact there.
        """

    @abstractmethod
    def __add__(self, other: Operator) -> Operator:
        """Return the sum of two operators of equal channels, rate and length."""

    @abstractmethod
    def phase_gains(self) -> Real:
        """Return what each output phase makes of a constant 1, shape (out, in, up)."""

    @abstractmethod
    def phase_powers(self) -> Real:
        """Return each output phase's variance for white input of power 1, shape (out, in, up)."""

    @abstractmethod
    def periodic(self, period: Real) -> Real:
        """Map one period of a periodic input to one period of the output (offset left out).

        Parameters
        ----------
        period : array (..., in, P)

        Returns
        -------
        array (..., out, up lcm(P, down) / down)
        """

    @abstractmethod
    def apply(self, samples: Real) -> Real:
        """Map a finite input, edges included (offset left out): (in, n) -> (out, length(n))."""

    def matrix(self, length: int) -> csr_array:
        """Return the finite map as a banded sparse matrix, (out length(n), in n), offset left out.

        Rows and columns run through the channels first: row ``o * length(n) + n'``.
        """
        from scipy.sparse import coo_array

        length = whole_number(length, "length", most=LARGEST_LENGTH)
        total = self.length(length)
        # A number, its column, and both once more while they are sorted.
        refuse_beyond_memory(
            4 * self.out_channels * total * self.terms, "the finite matrix", fix="a shorter length"
        )
        shape = (self.out_channels * total, self.in_channels * length)
        entries = list(self._entries(length))
        if not entries:
            return coo_array(shape, dtype=np.float64).tocsr()
        rows, columns, values = map(np.concatenate, zip(*entries, strict=True))
        return coo_array((values, (rows, columns)), shape=shape).tocsr()

    @abstractmethod
    def _entries(self, length: int) -> Iterator[tuple[Whole, Whole, Real]]:
        """Yield rows, columns and values of the finite map."""

    @abstractmethod
    def support(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return, for each output phase ``i``, the first and last input sample it sees.

        Sample numbers are relative to the start of the input block, shape (up,) each; a phase that
        sees nothing has a last sample before its first.
        """

    @abstractmethod
    def largest_gain(self) -> float:
        """Return the largest sum of absolute taps that one output sample sees."""

    def adjoint(self) -> Operator:
        """Return the adjoint, ``<A x, y> = <x, A* y>``; an offset has none and is left out."""
        return self.polyphase().adjoint()

    def output_length(self, length: int) -> int:
        """Return the number of output samples for ``length`` input samples."""
        return self.length(length)

    def offset_samples(self, length: int) -> Real:
        """Return the offset over ``length`` output samples, shape (out, length)."""
        length = whole_number(length, "length", least=0, most=LARGEST_LENGTH)
        refuse_beyond_memory(self.out_channels * length, "the offset", fix="a shorter length")
        if self.offset is None:
            return np.zeros((self.out_channels, length))
        return Repeating(self.offset).run(length)

    def impulse_response(self) -> Real:
        """Return the responses to a unit impulse at each input phase, (out, in, down, samples).

        Samples are counted from the first that is not structurally zero.
        """
        matrix = self.polyphase()
        count, out, up, inward, down = matrix.blocks.shape
        # blocks[j, o, i, c, q] is the answer at sample (first + j) up + i to an impulse at q.
        return matrix.blocks.transpose(1, 3, 4, 0, 2).reshape(out, inward, down, count * up)

    def __getstate__(self) -> dict[str, object]:
        """Return the fields: what was worked out from them is not sent along."""
        return {item.name: getattr(self, item.name) for item in fields(self)}  # type: ignore[arg-type]

    def _offset_then(self, other: Operator) -> Real | None:
        """Return the offset behind another operator as well, which adds its own."""
        passed = None if self.offset is None else other.periodic(self.offset)
        return _added(passed, other.offset)

    def _offset_plus(self, other: Operator) -> Real | None:
        """Return the offset of the sum with another operator."""
        return _added(self.offset, other.offset)

    def _refuse_unless_chained(self, other: Operator) -> None:
        _refuse_other_kinds(other)
        if self.out_channels != other.in_channels:
            raise ShapeError(
                "the layers' channels do not match",
                given=f"{self.out_channels} channels out, then {other.in_channels} in",
                expected="equal numbers",
                fix=f"in_channels={self.out_channels}",
            )

    def _refuse_unless_parallel(self, other: Operator) -> None:
        _refuse_other_kinds(other)
        mine = (self.in_channels, self.out_channels, self.length.rate)
        theirs = (other.in_channels, other.out_channels, other.length.rate)
        if mine != theirs:
            raise ShapeError(
                "operators that are added must have equal channels and rates",
                given=f"(in, out, rate) = {mine[0]}, {mine[1]}, {mine[2]} and "
                f"{theirs[0]}, {theirs[1]}, {theirs[2]}",
                expected="equal",
            )
        if self.length.common_length(other.length) is None:
            raise ShapeError(
                "branches that are added give different lengths",
                given=f"{_lengths(self)} and {_lengths(other)} samples for 100, 101 and 102",
                expected="equal lengths",
                fix="change the padding of one branch",
            )


def _refuse_other_kinds(other: object) -> None:
    if not isinstance(other, Operator):
        raise ArgumentTypeError(
            "other must be an operator",
            given=f"other={shown(other)}",
            expected="a StretchFIR or a PolyphaseMatrix",
            fix="upsim.StretchFIR([[[1.0, 1.0]]], factor=2)",
        )


def _lengths(operator: Operator) -> str:
    return "/".join(
        str((100 + more) if not operator.length.steps else operator.length(100 + more))
        for more in range(3)
    )


def _added(first: Real | None, second: Real | None) -> Real | None:
    if first is None or second is None:
        return second if first is None else first
    return (Repeating(first) + Repeating(second)).samples
