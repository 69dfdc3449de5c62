"""A part of an ONNX model written down as a recording, at several lengths at once.

Constants are folded as they come; shapes and what is computed from them are followed at each
length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import (
    FileFormatError,
    NotPredictableError,
    ShapeError,
    TooLargeError,
    UpsimError,
)
from upsim.importers.onnx_budget import Budget, bytes_made
from upsim.importers.onnx_evaluation import (
    evaluated_node,
    made_shapes,
    node_runner,
)
from upsim.importers.onnx_model import (
    OWN_DOMAINS,
    OnnxModel,
    onnx_package,
    read_names,
    refuse_other_counts,
    tensor_array,
)
from upsim.importers.onnx_part import with_multiple
from upsim.importers.recording import Recording, Shape, Step
from upsim.importers.wiring import unique
from upsim.words.arguments import shown

Array = NDArray[Any]
Shapes = tuple[Shape, ...]

#: Numbers of one value, at the few samples at which a model is followed.
LARGEST_VALUE = 2**24

#: What is said of a node that makes no sense in a way that no check has foreseen.
UNREADABLE = "a node cannot be read"

#: One array for each recorded length.
Known = tuple[Array, ...]

Converter = Callable[["OnnxRecorder", Any], None]


class OnnxRecorder:
    """What is known of each tensor of a part: an array, or a shape and the step that makes it.

    Parameters
    ----------
    model : OnnxModel
    inputs : mapping of str to shapes
        The shapes of the tensors that are fed, at each length.
    converters : mapping
        What writes down a node, by its operator.
    """

    def __init__(
        self,
        model: OnnxModel,
        inputs: Mapping[str, Shapes],
        converters: Mapping[str, Converter],
    ) -> None:
        self.model, self.inputs, self.converters = model, dict(inputs), converters
        self.count = len(next(iter(inputs.values())))
        self.steps: list[Step] = []
        self._shapes: dict[str, Shapes] = dict(inputs)
        self._known: dict[str, Known] = {}
        self._names: dict[str, int] = {}
        self.budget = Budget(lambda: model.size)
        self._needed: list[int] = []
        self._used: set[str] = set()
        self._node: Any = None

    # ------------------------------------------------------------------ the walk

    def record(self, output: str) -> Recording:
        """Return the recording of all that an output is made of."""
        self._needed = needed_nodes(self.model, output, self.inputs)
        nodes = [self.model.nodes[number] for number in self._needed]
        self._used = {output}.union(*map(read_names, nodes))
        for node in nodes:
            self._node = node
            try:
                self._write(node)
            except UpsimError as error:
                raise error.at(f"node {self.name!r} ({node.op_type})") from None
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
                # A file is untrusted: what no check has foreseen is an error in words, too.
                raise FileFormatError(
                    UNREADABLE,
                    given=f"{type(error).__name__}: {shown(str(error))}",
                    where=f"node {self.name!r} ({node.op_type})",
                ) from error
        if output in self._known:
            raise NotPredictableError(
                "the output is a constant of the model", given=output, fix="another output"
            )
        shapes = [
            {name: each[place] for name, each in self._shapes.items()} for place in self.places
        ]
        return Recording(tuple(self.steps), tuple(self.inputs), output, tuple(shapes))

    @property
    def places(self) -> range:
        """The numbers of the recorded lengths."""
        return range(self.count)

    def _write(self, node: Any) -> None:
        """Fold a node, or write it down."""
        if node.domain not in OWN_DOMAINS:
            raise NotPredictableError(
                "an operator of another domain than ONNX's own is not known",
                given=f"{node.domain}.{node.op_type}",
                fix="inputs= behind it, or an export without it",
            )
        if node.op_type in _REFUSED and node.op_type != "If":
            self.opaque(node, "")
        refuse_other_counts(self.model, node)
        reads = read_names(node)
        if node.op_type == "If" and self.is_known(node.input[0]):
            self._branch(node)
        elif node.op_type in ("Shape", "Size") and node.input[0] in self._shapes:
            self._shape_of(node)
        elif all(self.is_known(name) for name in reads) and node.op_type not in _RANDOM:
            self._fold(node)
        elif node.op_type in self.converters:
            before = len(self.steps)
            self.converters[node.op_type](self, node)
            self._add_run(node, before)
            rest = [name for name in self._used_outputs(node) if not self._is_there(name)]
            if rest:
                self.opaque(node, "upsim has no formula for what else it makes", only=rest)
        else:
            self.opaque(node, "upsim has no formula for it")

    def _used_outputs(self, node: Any) -> list[str]:
        """Return the outputs of a node that something reads; exporters name others, too."""
        return [name for name in node.output if name and name in self._used]

    def _is_there(self, name: str) -> bool:
        return name in self._shapes or self.is_known(name)

    def _branch(self, node: Any) -> None:
        """Write down the branch of an ``If`` whose condition is a constant."""
        chosen = {bool(np.ravel(each)[0]) for each in self.known(node.input[0])}
        if len(chosen) > 1:
            raise NotPredictableError(
                "a condition has another answer at another length", given=node.input[0]
            )
        name = "then_branch" if chosen.pop() else "else_branch"
        branch = self.attribute(name)
        self._used.update(each.name for each in branch.output)
        self._used = self._used.union(*map(read_names, branch.node))
        for tensor in branch.initializer:
            self.keep(tensor.name, [tensor_array(tensor, self.model.folder)] * self.count)
        for inner in branch.node:
            self._node = inner
            self._write(inner)
        self._node = node
        for inner, outer in zip(branch.output, node.output, strict=True):
            if self.is_known(inner.name):
                self.keep(outer, self.known(inner.name))
            else:
                self.copy(inner.name, outer)

    # ------------------------------------------------------------------ what is known

    def is_known(self, name: str) -> bool:
        """Return whether a tensor is a constant, at each length."""
        return name in self._known or (name in self.model.tensors and name not in self.inputs)

    def known(self, name: str) -> Known:
        """Return a constant, at each length."""
        if name not in self._known:
            if not self.is_known(name):
                raise NotPredictableError(
                    "an argument is computed from the input", given=name, expected="a constant"
                )
            self._known[name] = (self.model.array(name),) * self.count
        return self._known[name]

    def constant(self, name: str) -> Array:
        """Return a constant that is the same at each length, up to how long it is in time."""
        arrays = self.known(name)
        first = arrays[0]
        if all(each is first or _equal(each, first) for each in arrays[1:]):
            return first
        shortened = [_without_time(each, arrays) for each in arrays]
        if all(_equal(each, shortened[0]) for each in shortened):
            return shortened[0]
        raise NotPredictableError(
            "a constant changes with the length of the input", given=name, expected="one array"
        )

    def changing(self) -> list[int]:
        """Return the numbers of the nodes that make other arrays at another length, or input."""
        return [
            number
            for number in self._needed
            if not all(map(self._is_fixed, self._used_outputs(self.model.nodes[number])))
        ]

    def fixed(self) -> dict[str, Array]:
        """Return the arrays that nodes read and that no length changes."""
        read = {name for number in self.changing() for name in self.model.reads[number]}
        return {name: self.known(name)[0] for name in read if self._is_fixed(name)}

    def _is_fixed(self, name: str) -> bool:
        if not self.is_known(name):
            return False
        first, *rest = self.known(name)
        return all(each is first for each in rest)

    def numbers(self, name: str) -> list[list[int]]:
        """Return whole numbers, a list for each length."""
        arrays = [np.atleast_1d(array) for array in self.known(name)]
        for array in arrays:
            if array.ndim > 1 or array.dtype.kind not in "iu":
                raise FileFormatError(
                    "an argument must be a list of whole numbers",
                    given=f"{shown(name)} of shape {array.shape} and type {array.dtype}",
                )
        return [[int(each) for each in array] for array in arrays]

    def operand(self, name: str) -> str | Array:
        """Return a tensor as a step reads it: a value's name, or an array."""
        return self.constant(name) if self.is_known(name) else name

    def shapes(self, name: str) -> Shapes:
        """Return the shapes of a tensor, at each length."""
        if name in self._shapes:
            return self._shapes[name]
        return tuple(tuple(array.shape) for array in self.known(name))

    def rank(self, name: str) -> int:
        """Return the number of axes of a tensor."""
        return len(self.shapes(name)[0])

    def attribute(self, name: str, otherwise: Any = None) -> Any:
        """Return an attribute of the node at hand, of the kind that ONNX gives it."""
        onnx = onnx_package()
        for each in self._node.attribute:
            if each.name != name:
                continue
            kind = _ATTRIBUTES.get(name)
            if kind is not None and each.type != getattr(onnx.AttributeProto, kind):
                raise FileFormatError(
                    "an attribute is of another kind",
                    given=f"{name} of kind {each.type}",
                    expected=kind.lower(),
                )
            value = onnx.helper.get_attribute_value(each)
            if kind == "INTS":
                return [int(number) for number in value]
            return value.decode(errors="replace") if isinstance(value, bytes) else value
        return otherwise

    # ------------------------------------------------------------------ what is written

    @property
    def name(self) -> str:
        """What a person calls the node at hand."""
        if self._node.name:
            return str(self._node.name)
        made = next((each for each in self._node.output if each), "")
        return f"{self._node.op_type} {made}".strip()

    def fresh(self, hint: str) -> str:
        """Return a name for a value between two steps of one node."""
        return f"{self.name} {hint} {len(self.steps)}"

    def keep(self, name: str, arrays: Iterable[Array]) -> None:
        """Note a constant."""
        self._known[name] = tuple(arrays)

    def step(
        self,
        kind: str,
        reads: Sequence[str | Array | None],
        made: str | Sequence[str],
        shapes: Shapes | Sequence[Shapes],
        **fields: Any,
    ) -> None:
        """Write down a step of the node at hand.

        Parameters
        ----------
        kind, reads, fields
            As :class:`~upsim.importers.recording.Step` takes them.
        made : str or sequence of str
            The tensors that it makes.
        shapes : shapes, or several
            Of each.
        """
        makes = [made] if isinstance(made, str) else list(made)
        each = [shapes] if isinstance(made, str) else list(shapes)
        name = unique(self.name, self._names)
        for value, found in zip(makes, each, strict=True):
            self._shapes[value] = _checked(found, value)  # type: ignore[arg-type]
        self.steps.append(Step(name, kind, tuple(reads), tuple(makes), fields))

    def elementwise(
        self, function: str, reads: Sequence[str | Array], made: str, **fields: Any
    ) -> None:
        """Write down an elementwise step."""
        shapes = []
        for place in self.places:
            each = [
                self.shapes(read)[place] if isinstance(read, str) else np.shape(read)
                for read in reads
            ]
            shapes.append(broadcast_shape(each, self.longer_input(reads)))
        self.step("elementwise", reads, made, tuple(shapes), function=function, **fields)

    def longer_input(self, reads: Sequence[str | Array]) -> str:
        """Return what to write for ``inputs`` where values are of different lengths.

        The lengths of some values behave as a ratio, and the shorter one is made of one input.
        """
        otherwise = "length=, or the lengths that the inputs have"
        values = [each for each in reads if isinstance(each, str) and each in self._shapes]
        pairs = [(first, second) for first in values for second in values if first != second]
        for short, long in pairs:
            if self.rank(short) != self.rank(long) or self.count != _TWO:
                continue
            ratios = {
                Fraction(more, less)
                for place in self.places
                for less, more in zip(
                    self.shapes(short)[place], self.shapes(long)[place], strict=True
                )
                if less != more and self.shapes(short)[0] != self.shapes(short)[1]
            }
            fed = self._inputs_of(short)
            if len(ratios) == 1 and len(fed) == 1 and (ratio := ratios.pop()) > 1:
                return with_multiple(self.model, self.inputs, fed.pop(), ratio) or otherwise
        return otherwise

    def _inputs_of(self, value: str) -> set[str]:
        """Return the inputs of which a value is made."""
        numbers = needed_nodes(self.model, value, self.inputs)
        read = {name for number in numbers for name in self.model.reads[number]} | {value}
        return read & set(self.inputs)

    def movement(
        self,
        function: str,
        reads: Sequence[str | Array],
        made: str | Sequence[str],
        shapes: Shapes | Sequence[Shapes],
        **fields: Any,
    ) -> None:
        """Write down a movement: where each number comes from is kept in memory."""
        each: Any = [shapes] if isinstance(made, str) else list(shapes)
        count = sum(prod(shape) for found in each for shape in found)
        self.budget.take(8 * count, "where each number comes from")
        self.step("movement", reads, made, shapes, function=function, **fields)

    def copy(self, read: str, made: str) -> None:
        """Write down that a tensor is another one."""
        self.movement("copy", [read], made, self.shapes(read))

    def opaque(self, node: Any, reason: str, *, only: Sequence[str] | None = None) -> None:
        """Write down a node that no step says, or refuse it by its name.

        Each output that something reads is a step of its own: an LSTM makes a signal, and a last
        state that has no time.

        Parameters
        ----------
        node : NodeProto
        reason : str
        only : sequence of str, optional
            The outputs that are meant; all that are used by default.
        """
        if node.op_type in _REFUSED:
            raise NotPredictableError(
                f"{_REFUSED[node.op_type]}", given=node.op_type, fix="inputs= behind it"
            )
        names = list(dict.fromkeys(name for name in node.input if name))
        fixed = [name for name in names if self.is_known(name)]
        reads = [name for name in names if name not in fixed]
        each = [
            made_shapes(
                self.model,
                node,
                {name: self.known(name)[place] for name in fixed},
                {name: self.shapes(name)[place] for name in reads},
                self.budget,
            )
            for place in self.places
        ]
        for made in self._used_outputs(node) if only is None else only:
            self.step(
                "opaque",
                reads,
                made,
                tuple(shapes[made] for shapes in each),
                type=str(node.op_type),
                reason=reason,
                run=self._runner(node, made),
            )

    def _add_run(self, node: Any, first: int) -> None:
        """Let a step that is a whole node be run, if no layer should say it."""
        if len(self.steps) != first + 1 or self.steps[first].kind not in _MAY_BE_OPAQUE:
            return
        step = self.steps[first]
        reads = [name for name in read_names(node) if not self.is_known(name)]
        if step.makes == (node.output[0],) and list(dict.fromkeys(step.values)) == reads:
            run = self._runner(node, node.output[0])
            self.steps[first] = replace(step, fields={**step.fields, "run": run})

    def _runner(self, node: Any, made: str) -> Callable[..., Array] | None:
        """Return what runs a node; none where it reads what changes with the length."""
        fixed = [name for name in read_names(node) if self.is_known(name)]
        if any(
            not _equal(each, self.known(name)[0]) for name in fixed for each in self.known(name)
        ):
            return None
        return node_runner(self.model, node, {name: self.known(name)[0] for name in fixed}, made)

    # ------------------------------------------------------------------ folding

    def _shape_of(self, node: Any) -> None:
        found = self.shapes(node.input[0])
        if node.op_type == "Size":
            self.keep(node.output[0], (np.asarray(prod(shape), np.int64) for shape in found))
            return
        first, last = self.attribute("start", 0), self.attribute("end")
        self.keep(node.output[0], (np.asarray(shape[first:last], np.int64) for shape in found))

    def _fold(self, node: Any) -> None:
        if node.op_type == "Constant":
            self.keep(node.output[0], [self._constant_node()] * self.count)
            return
        arrays = [self.known(name) if name else None for name in node.input]
        made: list[list[Array]] = []
        same: dict[tuple[int, ...], list[Array]] = {}
        for place in self.places:
            given = [None if each is None else each[place] for each in arrays]
            key = tuple(id(each) for each in given)
            if key not in same:
                self.budget.take(bytes_made(node, given), f"a constant that {node.op_type} makes")
                same[key] = evaluated_node(self.model, node, given)
            made.append(same[key])
        for number, name in enumerate(node.output):
            if name:
                self.keep(name, (each[number] for each in made))

    def _constant_node(self) -> Array:
        for each in self._node.attribute:
            if each.name == "value":
                return tensor_array(each.t, self.model.folder)
            kinds: dict[str, Any] = {
                "value_float": np.float32,
                "value_floats": np.float32,
                "value_int": np.int64,
                "value_ints": np.int64,
            }
            if each.name in kinds:
                return np.asarray(self.attribute(each.name), dtype=kinds[each.name])
        raise FileFormatError("a constant has no value that is a number")


_KINDS = {
    "INTS": "axes pads strides dilations kernel_shape output_padding output_shape perm split "
    "starts ends shape paddings",
    "INT": "allowzero antialias axis blocksize ceil_mode count_include_pad end exclude_outside "
    "group keepdims noop_with_empty_axes num_groups num_outputs start to training_mode transA "
    "transB",
    "FLOAT": "alpha beta cubic_coeff_a epsilon gamma high low max mean min scale",
    "FLOATS": "scales",
    "STRING": "approximate auto_pad coordinate_transformation_mode keep_aspect_ratio_policy mode "
    "nearest_mode",
    "GRAPH": "then_branch else_branch",
}

#: The kind of each attribute that is read, by its name.
_ATTRIBUTES = {name: kind for kind, names in _KINDS.items() for name in names.split()}

#: Kinds of steps that not every layer says.
_MAY_BE_OPAQUE = ("convolution", "matmul", "normalisation", "reduce", "resize", "softmax")

#: Nodes that make something else each time: they are never folded.
_RANDOM = frozenset(
    ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli")
)

_INT8 = (
    "a layer of quantised whole numbers (int8) is not modelled: its rounding is a source of its own"
)
_FLOW = "control flow that depends on the input is no fixed network"

#: Nodes that are refused by name, wherever they stand.
_REFUSED = {
    "ConvInteger": _INT8,
    "MatMulInteger": _INT8,
    "QLinearConv": _INT8,
    "QLinearMatMul": _INT8,
    "QuantizeLinear": _INT8,
    "DynamicQuantizeLinear": _INT8,
    "If": _FLOW,
    "Loop": _FLOW,
    "Scan": _FLOW,
}


def needed_nodes(model: OnnxModel, output: str, inputs: Iterable[str]) -> list[int]:
    """Return the numbers of the nodes between inputs and an output, in order.

    An input of the model that is met and not among the inputs is an error.
    """
    stop = set(inputs)
    fed = set(model.inputs)
    waiting, seen, found = [output], set(), set()
    while waiting:
        name = waiting.pop()
        if name in seen or name in stop:
            continue
        seen.add(name)
        number = model.makers.get(name)
        if number is None:
            if name in fed:
                raise ShapeError(
                    "the part depends on an input that is not among inputs",
                    given=name,
                    fix=f"inputs={[*stop, name]!r}",
                )
            continue
        if number not in found:
            found.add(number)
            waiting += model.reads[number]
    return sorted(found)


def _equal(first: Array, second: Array) -> bool:
    return first.shape == second.shape and bool(np.array_equal(first, second))


def _without_time(array: Array, others: Sequence[Array]) -> Array:
    """Return an array with one number along each axis that grows with the length, if it may be."""
    for axis in range(array.ndim):
        if any(each.ndim != array.ndim for each in others):
            break
        if len({each.shape[axis] for each in others}) > 1 and array.shape[axis]:
            first = np.take(array, [0], axis)
            if np.array_equal(np.broadcast_to(first, array.shape), array):
                array = first
    return array


#: Lengths at which a model is followed that has not fixed its own.
_TWO = 2


def broadcast_shape(shapes: Sequence[Shape], fix: str = "") -> Shape:
    """Return the shape of values of several shapes together."""
    try:
        return tuple(int(size) for size in np.broadcast_shapes(*shapes))
    except ValueError:
        raise ShapeError(
            "values of these shapes do not go together",
            given=" and ".join(map(str, shapes)),
            fix=fix,
        ) from None


def _checked(shapes: Shapes, value: str) -> Shapes:
    found = tuple(tuple(int(size) for size in shape) for shape in shapes)
    for shape in found:
        if any(size <= 0 for size in shape):
            raise ShapeError(
                "a value holds nothing", given=f"{value} of shape {shape}", fix="a longer length="
            )
        if prod(shape) > LARGEST_VALUE:
            raise TooLargeError(
                "a value is too large to be followed",
                given=f"{value} of shape {shape}",
                expected=f"at most {LARGEST_VALUE} numbers",
                fix="a smaller length=",
            )
    return found
