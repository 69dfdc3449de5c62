"""The neutral record of what a model computes: steps over named values.

Every door makes one, and :mod:`upsim.importers.lowering` alone reads it.  So a door knows its
framework and nothing of upsim's layers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ArgumentError, ArgumentTypeError, ShapeError, UnknownNameError
from upsim.importers.functions import COMPOSED
from upsim.layers.operations import OPERATIONS
from upsim.words.arguments import near_names, one_of, plain_text, shown

_MOVEMENTS = (
    "reshape squeeze unsqueeze expand copy transpose flip slice select gather repeat tile pad "
    "concatenate stack split strided"
)
#: Moves numbers and computes nothing.  Their fields:
#:
#: * ``reshape``, ``squeeze``, ``unsqueeze``, ``expand``, ``copy``: none; the shape made is in
#:   ``Recording.shapes``, and ``expand`` broadcasts as NumPy does;
#: * ``transpose``: ``axes``, the order of the axes read; * ``flip``: ``axis``;
#: * ``slice``: ``axis``, ``start``, ``stop``, ``step`` (1), as Python slices;
#: * ``select``: ``axis``, ``index``; takes the axis away;
#: * ``gather``: ``axis``, ``indices``; keeps the axis (an array of one axis);
#: * ``repeat``: ``axis``, ``count``; each number ``count`` times in a row;
#: * ``tile``: ``counts``, one for each axis of what is made; the whole again and again;
#: * ``pad``: ``axis``, ``left``, ``right`` (negative: crop), ``mode`` ("constant", "reflect",
#:   "replicate", "circular"), ``value`` (0);
#: * ``concatenate``, ``stack``: ``axis``; read several; * ``split``: ``axis``, ``sizes``; makes
#:   several;
#: * ``strided``: ``strides``, ``offset``, counted in numbers, as torch's ``as_strided``.
MOVEMENTS = frozenset(_MOVEMENTS.split())

#: NumPy's names, and the activations of frameworks with their arguments as fields:
#: ``leaky_relu(slope)``, ``elu(alpha)``, ``celu(alpha)``, ``selu(alpha, gamma)``,
#: ``softplus(beta, threshold)``, ``gelu(approximate: "none" or "tanh")``,
#: ``hard_sigmoid(alpha, beta)``, ``prelu`` (reads the slope second), ``clip(least, most)``,
#: ``shrink(width, bias)``, ``thresholded(level, otherwise)``.
FUNCTIONS = frozenset(OPERATIONS) | frozenset(COMPOSED)

#: Kind of step: how many values or arrays it reads, at least and at most (None: any number), and
#: the fields that it must have.
KINDS: Mapping[str, tuple[int, int | None, tuple[str, ...]]] = {
    "convolution": (2, 3, ("transposed", "stride", "padding", "dilation", "groups")),
    "matmul": (2, 3, ()),
    "elementwise": (1, 3, ("function",)),
    "movement": (1, None, ("function",)),
    "resize": (1, 1, ("mode", "factor", "coordinates")),
    "normalisation": (1, 5, ("which", "eps")),
    "reduce": (1, 1, ("function", "axes", "keepdims")),
    "softmax": (1, 1, ("axis",)),
    "noise": (0, 0, ("distribution",)),
    "opaque": (0, None, ("type", "reason")),
}

_NAMED = {
    ("movement", "function"): MOVEMENTS,
    ("elementwise", "function"): FUNCTIONS,
    ("reduce", "function"): frozenset(("mean", "sum", "max", "min", "var")),
    ("normalisation", "which"): frozenset(("batch", "instance", "group", "layer", "rms")),
    ("noise", "distribution"): frozenset(("normal", "uniform")),
}

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Step:
    r"""One operation of a model.

    Axes are counted over whole tensors, the batch axis included, from 0 or from the end.  A number
    that depends on the length of the input is a tuple of numbers, one for each recorded length.

    Parameters
    ----------
    name : str
        What a person sees: a module path ("ups.0"), or a node's name ("/dec/ups.1/ConvTranspose").
    kind : str
        One of :data:`KINDS`:

        * ``convolution``: reads (value, weight[, bias]); ``transposed``, ``stride``, ``padding``
          (left, right), ``dilation``, ``groups``, ``output_padding`` (0), ``axis`` (-1).  The
          weight is in torch's layout with one time axis: (out, in / groups, taps), and
          (in, out / groups, taps) if transposed.  Channels stand on axis 1, time on ``axis``; any
          other axis has size 1.  A true 2-D kernel is an ``opaque`` step.
        * ``matmul``: reads (value, matrix (out, in)[, bias]); on the last axis.
        * ``elementwise``: reads values and constants, broadcast as NumPy does; ``function`` is one
          of :data:`FUNCTIONS`.
        * ``movement``: ``function`` is one of :data:`MOVEMENTS`.
        * ``resize``: ``mode`` ("nearest", "linear", "cubic"), ``factor`` (a Fraction),
          ``coordinates`` (ONNX's words), ``axis`` (-1), ``rounding`` ("round_prefer_floor", ...;
          ONNX's nearest_mode), ``cubic_a`` (-0.75), ``antialias`` (False), ``exclude_outside``
          (False), ``scale_error`` (0; 1 where the model's scale is a little more than ``factor``).
        * ``normalisation``: reads (value[, weight, bias, mean, variance]), None for what is not
          there; ``which``: "batch", "instance", "group" (``groups``), "layer" or "rms" (``axes``);
          ``eps``.  Weight and bias are one number a channel, or the shape of ``axes``.
        * ``reduce``: ``function`` ("mean", "sum", "max", "min", "var": without Bessel's
          correction), ``axes``, ``keepdims``.  * ``softmax``: ``axis``.
        * ``noise``: reads nothing, makes a random value; ``distribution``: "normal" (``mean``,
          ``deviation``) or "uniform" (``low``, ``high``).
        * ``opaque``: ``type`` and ``reason``; ``run``, a callable on the arrays read, if there is
          one.
    reads : tuple of str or array
        Names of values, or constants.
    makes : tuple of str
        Names of values.
    fields : mapping, optional
    module : str, optional
        The path of the module that made the step, where that is not its name.
    """

    name: str
    kind: str
    reads: tuple[str | NDArray[Any] | None, ...]
    makes: tuple[str, ...]
    fields: Mapping[str, Any] = field(default_factory=dict)
    module: str = ""

    def __post_init__(self) -> None:
        where = f"step {shown(self.name)}"
        plain_text(self.name, "name")
        plain_text(self.module, "module")
        one_of(self.kind, "kind", KINDS)
        object.__setattr__(self, "reads", tuple(map(_as_read, self.reads)))
        object.__setattr__(self, "makes", tuple(self.makes))
        object.__setattr__(self, "fields", dict(self.fields))
        _refuse_wrong_reads(self, where)
        missing = [key for key in KINDS[self.kind][2] if key not in self.fields]
        if missing:
            raise ArgumentError(
                f"a {self.kind} needs {missing[0]}",
                given=f"fields {', '.join(map(repr, self.fields)) or 'none'}",
                where=where,
            )
        for (kind, key), known in _NAMED.items():
            value = self.fields.get(key) if kind == self.kind else None
            if value is not None and value not in known:
                raise UnknownNameError(
                    f"the {key} of a {kind} is not known",
                    given=f"{key}={shown(value)}",
                    expected=", ".join(sorted(known)),
                    fix=near_names(str(value), known),
                    where=where,
                )

    @property
    def values(self) -> tuple[str, ...]:
        """The names of the values that are read."""
        return tuple(read for read in self.reads if isinstance(read, str))


def _as_read(read: Any) -> Any:
    """Return a plain number as an array without axes."""
    return np.asarray(read) if isinstance(read, int | float | np.generic) else read


def _refuse_wrong_reads(step: Step, where: str) -> None:
    """Refuse reads that are neither names nor arrays, and a wrong number of them."""
    least, most, _ = KINDS[step.kind]
    count = len(step.reads)
    if count < least or (most is not None and count > most):
        upto = "any number" if most is None else str(most)
        raise ArgumentError(
            f"a {step.kind} reads another number of values",
            given=f"{count} reads",
            expected=f"from {least} to {upto}",
            where=where,
        )
    for read in step.reads:
        if read is not None and not isinstance(read, str | np.ndarray):
            raise ArgumentTypeError(
                "a step reads names of values, or arrays",
                given=f"a {type(read).__name__}",
                expected="a str or a numpy array",
                where=where,
            )
    if not step.makes or not all(isinstance(made, str) for made in step.makes):
        raise ArgumentTypeError(
            "a step makes at least one named value", given=shown(step.makes), where=where
        )


@dataclass(frozen=True, eq=False)
class Recording:
    """What a model computes, from its inputs to one output.

    Parameters
    ----------
    steps : iterable of Step
        In an order in which each reads inputs and what was made before.  Names are unique, and
        each value is made once.
    inputs : iterable of str
        The names of the values that a user feeds.
    output : str
        The value that comes out.
    shapes : iterable of mapping
        The shape of each value that is an input or is made, the batch axis (1) included; one
        mapping for each recorded length.
    """

    steps: tuple[Step, ...]
    inputs: tuple[str, ...]
    output: str
    shapes: tuple[Mapping[str, Shape], ...]

    def __post_init__(self) -> None:
        for key in ("steps", "inputs", "shapes"):
            object.__setattr__(self, key, tuple(getattr(self, key)))
        _refuse_doubles((step.name for step in self.steps), "two steps have one name")
        made = [*self.inputs, *(value for step in self.steps for value in step.makes)]
        _refuse_doubles(made, "a value is made twice")
        known = set(self.inputs)
        for step in self.steps:
            for value in step.values:
                if value not in known:
                    raise _unknown_value(value, known, f"step {step.name!r}")
            known.update(step.makes)
        if self.output not in known:
            raise _unknown_value(self.output, known, "the output")
        if not self.shapes:
            raise ShapeError("a recording has no shapes", expected="one mapping a recorded length")
        for shapes in self.shapes:
            for value in made:
                if value not in shapes:
                    raise ShapeError("a value has no shape", given=f"value {value!r}")


def _refuse_doubles(names: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ArgumentError(what, given=repr(name), expected="unique names")
        seen.add(name)


def _unknown_value(value: str, known: Iterable[str], where: str) -> UnknownNameError:
    return UnknownNameError(
        "no step before makes this value",
        given=repr(value),
        expected="an input, or a value that an earlier step makes",
        fix=near_names(value, known),
        where=where,
    )
