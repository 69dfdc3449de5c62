"""A program of elementary operations: an activation that no name is known for, or not yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import islice
from typing import Any, final

import numpy as np

from upsim.errors import (
    ArgumentError,
    ArgumentTypeError,
    ShapeError,
    TooLargeError,
    UnknownNameError,
)
from upsim.gaussian import Form, Quadrature, Unclosed
from upsim.layers.base import Activation, Array, Layer, refuse_other_channels
from upsim.layers.lowering import Lowering
from upsim.layers.operations import OPERATIONS
from upsim.words.arguments import near_names, number_or_vector, shown

#: An operation and its operands: "x0" for a value, "s0" for the result of a step, or numbers.
Step = tuple[Any, ...]

#: Steps of one program, and values that it reads; networks have a few dozen.
_MOST_STEPS, _MOST_VALUES = 1024, 64


@final
@dataclass(frozen=True, eq=False, repr=False)
class Pointwise(Activation):
    """A program of elementary operations on each sample, over one or more values.

    It is kept as data: nothing is executed but NumPy's own functions.  Several values have equal
    channels; they are the groups of channels of one value, or the values that a node reads.

    A program that says what a layer of the catalogue says is known by that layer's rules
    (:func:`~upsim.layers.recognition.recognised`).  Any other is exact where nothing is random.
    Of one value its moments are found by quadrature; of several they are not known.

    Parameters
    ----------
    program : list of (operation, operand, ...)
        An operation of :data:`~upsim.layers.operations.OPERATIONS`.  An operand is a value,
        "x0", "x1", ... ("x" is "x0"), the result of an earlier step, "s0", "s1", ..., or a
        constant: one number, or one a channel.  The last step gives the result.

    Examples
    --------
    >>> snake = Pointwise([("sin", "x"), ("power", "s0", 2.0), ("add", "x", "s1")])
    >>> snake.function(np.array([[0.0, 1.0]])).round(3)
    array([[0.   , 1.708]])
    """

    program: tuple[Step, ...] | Iterable[Sequence[Any]]

    def _check(self) -> None:
        self._set(program=_checked(self.program))

    @property
    def steps(self) -> tuple[Step, ...]:
        """The program."""
        return self.program  # type: ignore[return-value]

    @cached_property
    def values(self) -> int:
        """How many values it reads."""
        return 1 + max(
            int(each[1:]) for _, *operands in self.steps for each in operands if _is_value(each)
        )

    @property
    def values_read(self) -> int:
        """Those of the program."""
        return self.values

    @property
    def vectors(self) -> list[Array]:
        """The constants that are one a channel, in their order."""
        return [
            each for _, *operands in self.steps for each in operands if isinstance(each, np.ndarray)
        ]

    @property
    def channels_in(self) -> int | None:
        """The channels that the vectors are for, of all values together; None if there are none."""
        return next((each.size * self.values for each in self.vectors), None)

    @property
    def channel_ratio(self) -> Fraction:
        """One value comes out."""
        return Fraction(1, self.values)

    @property
    def mixes_channels(self) -> bool:
        """Several values are groups of channels."""
        return self.values > 1

    def channels_out(self, channels: int) -> int:
        """Return the channels of one value."""
        refuse_other_channels(self, channels)
        if channels % self.values:
            raise ShapeError(
                "the channels are no whole number of values",
                given=f"{channels} channels, {self.values} values",
                expected=f"a multiple of {self.values}",
                fix=f"{channels + self.values - channels % self.values} channels before it",
                where="Pointwise",
            )
        return channels // self.values

    def parameters(self, channels: int) -> int:
        """Return the numbers of the vectors: a single number is a constant of the network."""
        return sum(each.size for each in self.vectors)

    def at_rest(self, channels: int) -> Array:
        """Return what becomes of silence; 0 where that is not finite."""
        with np.errstate(all="ignore"):
            return np.nan_to_num(super().at_rest(channels), nan=0.0, posinf=0.0, neginf=0.0)

    def form(self) -> Form:
        """Return the program as a function, its moments by quadrature if it reads one value."""
        if self.values > 1:
            return Unclosed(self.run, "a program of several values", by_sample=False)
        columns = tuple(each[:, None] for each in self.vectors)
        return Quadrature(
            self._of_one, name="Pointwise", same_everywhere=not columns, constants=columns
        )

    def run(self, samples: Array) -> Array:
        """Return the result of samples (..., channels, time), step by step."""
        return self.every_step(np.split(samples, self.values, axis=-2))[-1]

    def _of_one(self, samples: Array, *columns: Array) -> Array:
        return self.every_step([samples], columns)[-1]

    def every_step(
        self, values: Sequence[Array], columns: Sequence[Array] | None = None
    ) -> list[Array]:
        """Return the result of each step for one array (..., channels, time) a value.

        ``columns`` are other numbers for the vectors among the constants, in their order.
        """
        if columns is None:
            columns = [each[:, None] for each in self.vectors]
        vectors, results = iter(columns), list[Array]()
        for name, *operands in self.steps:
            given = []
            for each in operands:
                if isinstance(each, str):
                    given.append((values if _is_value(each) else results)[int(each[1:])])
                else:
                    given.append(next(vectors) if np.ndim(each) else each)
            with np.errstate(all="ignore"):  # what is not finite is refused where it is used
                made = OPERATIONS[name].function(*given)
            results.append(np.broadcast_to(made, values[0].shape))
        return results

    def lowered(self, values: int) -> Layer | Lowering | None:
        """Return what the program is known as."""
        from upsim.layers.recognition import known_as

        return known_as(self, values)


def _is_value(operand: object) -> bool:
    return isinstance(operand, str) and operand.startswith("x")


def _checked(program: object) -> tuple[Step, ...]:
    """Return a program whose every operand is there, or say what is wrong and where."""
    if isinstance(program, str) or not isinstance(program, Iterable):
        raise ArgumentTypeError(
            "a program must list steps", given=f"program={shown(program)}", fix=_EXAMPLE
        )
    try:
        listed = list(islice(program, _MOST_STEPS + 1))
    except Exception as error:  # noqa: BLE001 - a stranger's iterator raises what it likes
        raise ArgumentTypeError("a program must list steps", given=str(error)) from None
    if len(listed) > _MOST_STEPS:
        raise TooLargeError(
            "the program is too long",
            given=f"more than {_MOST_STEPS} steps",
            expected=f"at most {_MOST_STEPS}",
            fix="two layers, one after another",
        )
    steps = tuple(_step(each, number) for number, each in enumerate(listed))
    operands = [each for _, *given in steps for each in given]
    if not any(map(_is_value, operands)):
        raise ArgumentError(
            "a program must read a value", given=f"{len(steps)} steps", fix=_EXAMPLE
        )
    sizes = {each.size for each in operands if isinstance(each, np.ndarray)}
    if len(sizes) > 1:
        raise ShapeError(
            "constants of the program are for different numbers of channels",
            given=" and ".join(map(str, sorted(sizes))) + " values",
            expected="one number for all, or one a channel",
        )
    return steps


_EXAMPLE = 'program=[("sin", "x"), ("add", "x", "s0")]'


def _step(step: object, number: int) -> Step:
    where = f"step {number}"
    if not isinstance(step, tuple | list) or not step or not isinstance(step[0], str):
        raise ArgumentTypeError(
            "a step is an operation and its operands",
            given=shown(step),
            fix='("add", "x", 1.0)',
            where=where,
        )
    name, *operands = step
    if name not in OPERATIONS:
        raise UnknownNameError(
            "there is no such operation",
            given=shown(name),
            expected=", ".join(OPERATIONS),
            fix=near_names(name, OPERATIONS),
            where=where,
        )
    count = OPERATIONS[name].operands
    if len(operands) != count:
        raise ArgumentError(
            f"{name} takes {count} operand{'s' * (count > 1)}",
            given=f"{len(operands)}",
            where=where,
        )
    return (name, *(_operand(each, number, where) for each in operands))


def _operand(operand: object, number: int, where: str) -> str | float | Array:
    if not isinstance(operand, str):
        return number_or_vector(operand, "a constant")
    text = "x0" if operand == "x" else operand
    letter, digits = text[:1], text[1:]
    if letter in ("x", "s") and digits.isascii() and digits.isdigit() and len(digits) < 6:
        if letter == "s" and int(digits) < number:
            return f"s{int(digits)}"
        if letter == "x" and int(digits) < _MOST_VALUES:
            return f"x{int(digits)}"
    raise ArgumentError(
        "an operand is not there",
        given=shown(operand),
        expected=f'a value "x0" to "x{_MOST_VALUES - 1}", an earlier step "s0" to '
        f'"s{number - 1}", or a number'
        if number
        else f'a value "x0" to "x{_MOST_VALUES - 1}", or a number',
        fix='"x"',
        where=where,
    )
