"""The door for Keras 3: a functional or sequential model becomes a graph of its layers' names.

Keras keeps channels on the last axis, kernels as (taps, in, out), and pads by words.  Each layer is
read from its own fields.  The graph is compared with the model's own output before it is returned.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import lcm
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import (
    ArgumentError,
    ArgumentTypeError,
    MissingDependencyError,
    NotPredictableError,
    ShapeError,
    UpsimError,
)
from upsim.importers.keras_layers import LAYERS, MERGINGS, shuffle_of
from upsim.importers.keras_reading import Read, failure, is_keras
from upsim.layers import Bias, Layer, Scale
from upsim.network.graph import Graph
from upsim.neural.run import run_graph
from upsim.words.arguments import shown
from upsim.words.tolerance import rounding
from upsim.words.units import positive_rate

Array = NDArray[np.float64]

#: A node as Graph takes it.
Made = tuple[str, Layer, tuple[str, ...]]

#: Samples of the shorter of the two comparisons, at least; a model may need more.
_SHORTEST, _LONGEST = 24, 2**14


def from_keras(model: object, *, sample_rate: object) -> Graph:
    """Return the graph of a Keras model, under its layers' own names.

    Parameters
    ----------
    model : keras.Model
        Sequential or functional, of Keras 3, built, with one output (batch, time, channels).  It is
        taken as it predicts: dropout is a wire, batch normalisation has its moving statistics.
    sample_rate : number
        Of the output, in Hz.

    Returns
    -------
    Graph
        A layer's activation is a node of its own, ``conv1d.relu``.

    Notes
    -----
    A layer of the user's own, a ``Lambda`` or a ``Reshape`` is taken if it is a periodic shuffle,
    (batch, T, r C) to (batch, r T, C) in either channel order: that is found by running it.
    """
    rate = positive_rate(sample_rate)
    keras = _keras()
    if not isinstance(model, keras.Model):
        raise ArgumentTypeError(
            "from_keras needs a Keras model",
            given=shown(model),
            expected="a keras.Model, sequential or functional",
            fix="keras.saving.load_model(path), for a file"
            if isinstance(model, str | Path)
            else "",
        )
    reader = _Reader(keras)
    try:
        inputs, outputs = list(model.inputs), list(model.outputs)
    except (AttributeError, ValueError, TypeError):
        raise ArgumentError(
            "the model has no graph of layers",
            given=f"{type(model).__name__} {model.name!r}",
            expected="a sequential or functional model that is built",
            fix="keras.Input((None, channels)) as the first layer of a Sequential",
        ) from None
    if len(outputs) != 1:
        raise ArgumentError(
            "the model has several outputs",
            given=f"{len(outputs)} outputs",
            expected="one",
            fix="keras.Model(model.inputs, model.outputs[0])",
        )
    names = {id(tensor): reader.input_name(tensor) for tensor in inputs}
    channels = {names[id(tensor)]: reader.channels(tensor) for tensor in inputs}
    output = reader.value(outputs[0], names)
    nodes = reader.nodes
    if not nodes:
        raise ArgumentError(
            "the model computes nothing",
            given=f"{model.name!r}",
            expected="at least one layer between input and output",
        )
    graph = Graph(nodes, channels, rate, output=output, name=str(model.name), notes=reader.notes)
    _compare(keras, model, graph, reader.multiple)
    return graph


def _keras() -> Any:
    try:
        import keras
    except ImportError as error:
        missing = str(error.name or "keras").partition(".")[0]
        raise MissingDependencyError(
            "from_keras needs Keras and a backend",
            given=f"{missing} is not installed",
            fix='pip install "upsim[keras]", and a backend: torch, jax or tensorflow, named by '
            "the environment variable KERAS_BACKEND",
        ) from None
    if int(str(keras.__version__).partition(".")[0]) < 3:
        raise MissingDependencyError(
            "from_keras needs Keras 3",
            given=f"keras {keras.__version__}",
            fix="pip install keras>=3",
        )
    return keras


class _Reader:
    """Walks from the output back to the inputs and writes down each layer once."""

    def __init__(self, keras: Any) -> None:
        self._keras = keras
        self.nodes: list[Made] = []
        self.notes: list[str] = []
        #: Input lengths that all strided convolutions divide are multiples of this.
        self.multiple = 1
        self._used: set[str] = set()

    def input_name(self, tensor: Any) -> str:
        """Return the name of an input."""
        return self._unique(str(tensor._keras_history.operation.name))

    def channels(self, tensor: Any) -> int:
        """Return the channels of a value (batch, time, channels)."""
        shape = tuple(tensor.shape)
        if len(shape) == 3 and shape[2] is None and shape[1] is not None:
            raise ShapeError(
                "the last axis of a value has no length: channels seem to stand first",
                given=f"shape {shape}",
                expected='(batch, time, channels), data_format="channels_last"',
                where=str(tensor._keras_history.operation.name),
            )
        if len(shape) != 3 or shape[2] is None:
            raise ShapeError(
                "a value is no signal: it has not the axes (batch, time, channels)",
                given=f"shape {shape}",
                fix="keras.Model(<a later value>, model.output) for the part that has them",
                where=str(tensor._keras_history.operation.name),
            )
        return int(shape[2])

    def _unique(self, name: str) -> str:
        found, count = name, 1
        while found in self._used:
            count += 1
            found = f"{name}.{count}"
        self._used.add(found)
        return found

    def value(self, tensor: Any, names: dict[int, str], prefix: str = "") -> str:
        """Return the name of the value that a tensor is; its layers become nodes.

        ``names`` has the values known so far, by their tensors.  A list of work stands for calls,
        so that no depth is too deep.
        """
        work = [tensor]
        while work:
            wanted = work[-1]
            if id(wanted) in names:
                work.pop()
                continue
            operation, given = _made_by(wanted)
            missing = [each for each in given if id(each) not in names]
            if missing:
                work += reversed(missing)
                continue
            work.pop()
            if not given:
                raise ArgumentError(
                    "a value comes from no input of the model",
                    given=str(operation.name),
                    expected="values that follow from model.inputs",
                )
            read = [names[id(each)] for each in given]
            names[id(wanted)] = self._node(operation, wanted, given, read, prefix)
        return names[id(tensor)]

    def _node(
        self, operation: Any, made: Any, given: Sequence[Any], read: Sequence[str], prefix: str
    ) -> str:
        """Append the nodes of one call of a layer; return the name of the value that it makes."""
        name = prefix + str(operation.name)
        if isinstance(operation, self._keras.Model):
            return self._inner(operation, read, f"{name}.")
        try:
            layers = self._layers(operation, made, given)
        except UpsimError as error:
            raise error.at(name) from None
        self.channels(made)
        own = self._unique(name) if layers else name
        value = read[0]
        for number, (suffix, layer) in enumerate(layers):
            reads = tuple(read) if number == 0 else (value,)
            value = self._unique(f"{own}.{suffix}") if suffix else own
            self.nodes.append((value, layer, reads))
        return value

    def _inner(self, model: Any, read: Sequence[str], prefix: str) -> str:
        """Return the value that a model inside the model makes."""
        names = {id(tensor): name for tensor, name in zip(model.inputs, read, strict=True)}
        if len(model.outputs) != 1:
            raise ArgumentError(
                "a model inside the model has several outputs", given=prefix.rstrip(".")
            )
        return self.value(model.outputs[0], names, prefix)

    def _layers(self, operation: Any, made: Any, given: Sequence[Any]) -> list[tuple[str, Layer]]:
        """Return the layers of one call, each with what is added to the name."""
        kind = type(operation)
        if not isinstance(operation, self._keras.Layer):
            return _arithmetic(operation, made, given)
        _refuse_half_precision(operation)
        if is_keras(kind) and kind.__name__ not in ("Lambda", "Reshape"):
            reader = LAYERS.get(kind.__name__)
            if reader is None:
                raise NotPredictableError(
                    f"a Keras layer {kind.__name__} is not read",
                    given=f"{kind.__name__} from {tuple(given[0].shape)} to {tuple(made.shape)}",
                    expected=", ".join(sorted(LAYERS)),
                    fix="keras.Model(<the value behind it>, model.output) for the part behind it",
                )
            found = Read(self.channels(given[0]), self.notes)
            layers = reader(operation, found)
            self.multiple *= found.divides
            return layers
        return [("", shuffle_of(self._keras, operation, self.channels(given[0]), given))]


def _refuse_half_precision(layer: Any) -> None:
    if str(layer.compute_dtype) not in ("float32", "float64"):
        raise NotPredictableError(
            "a layer that computes in less than single precision is not read",
            given=f"dtype {layer.compute_dtype}",
            expected="float32 or float64",
            fix='the same model with dtype="float32"',
        )


def _arithmetic(operation: Any, made: Any, given: Sequence[Any]) -> list[tuple[str, Layer]]:
    """Return the layer of ``x + y``, ``x * 2`` and their like."""
    kind = type(operation).__name__
    called = operation._inbound_nodes[made._keras_history.node_index].arguments
    arguments = [*called.args, *called.kwargs.values()]
    constants = [each for each in arguments if isinstance(each, int | float)]
    if len(given) == len(arguments) and kind in MERGINGS:
        return [("", MERGINGS[kind]())]
    first = not isinstance(arguments[0], int | float)
    if len(given) == len(constants) == 1 and len(arguments) == 2:
        constant = float(constants[0])
        if kind == "Multiply":
            return [("", Scale(constant))]
        if kind == "Add":
            return [("", Bias(constant))]
        if kind == "Subtract" and first:
            return [("", Bias(-constant))]
        if kind in ("Divide", "TrueDivide") and first and constant:
            return [("", Scale(1 / constant))]
    raise NotPredictableError(
        f"the operation {kind} is not read",
        given=f"{kind} of {len(arguments)} arguments",
        expected="sums and products of values, or of a value and a number",
        fix="keras.Model(<the value behind it>, model.output) for the part behind it",
    )


def _made_by(tensor: Any) -> tuple[Any, list[Any]]:
    """Return the operation that made a symbolic tensor, and the tensors that it read."""
    operation, node, _ = tensor._keras_history
    inbound = operation._inbound_nodes
    if not inbound:
        return operation, []
    return operation, list(inbound[node].input_tensors)


def _compare(keras: Any, model: Any, graph: Graph, multiple: int) -> None:
    """Refuse a graph that does not make what the model makes, at two lengths where it may vary.

    Keras runs in single precision.  So the graph is run in single and in double precision: what
    rounding does to the one it may do to the other, whose sums have another order.
    """
    generator = np.random.default_rng(0)
    for length in _lengths(model, graph, multiple):
        fed = [
            generator.standard_normal((1, each.channels, count))
            for each, count in zip(graph.inputs, graph.input_lengths(length), strict=True)
        ]
        samples = [each.transpose(0, 2, 1).astype(np.float32) for each in fed]
        try:
            given = [keras.ops.convert_to_tensor(each) for each in samples]
            # Inputs and outputs may be lists or dictionaries; a Sequential has one of each.
            sequential = isinstance(model, keras.Sequential)
            structure = model.inputs[0] if sequential else model.input
            made = model(keras.tree.pack_sequence_as(structure, given), training=False)
            (signal,) = keras.tree.flatten(made)
            own = np.asarray(keras.ops.convert_to_numpy(signal), dtype=np.float64)[0].T
        except Exception as error:  # noqa: BLE001 - a stranger's model raises what it likes
            raise ArgumentError(
                "the model failed when it was run",
                given=f"{length} samples: {failure(error)}",
            ) from None
        values, rounded = (
            run_graph(graph, [each.astype(np.float32).astype(kind) for each in fed])
            for kind in (np.float64, np.float32)
        )
        exact, single = values[graph.end][0], rounded[graph.end][0]
        if own.shape != exact.shape:
            raise ShapeError(
                "the imported graph makes another length than the model",
                given=f"{exact.shape} for {length} samples",
                expected=f"{own.shape}",
                fix="please report it with the model",
            )
        scale = max(float(np.abs(each).max(initial=0.0)) for each in values)
        spread = float(np.abs(single - exact).max(initial=0.0))
        # Two roundings of independent order, each as far from the truth as the one measured; the
        # largest of many normal deviations is no more than a few of them from another's largest.
        within = 4 * spread + rounding(len(graph.nodes), scale, np.float32)
        worst = float(np.abs(own - exact).max(initial=0.0))
        if not worst <= within:
            raise ArgumentError(
                "the imported graph does not make what the model makes",
                given=f"{worst:.2g} apart, of {scale:.2g}, for {length} samples",
                expected=f"at most {within:.2g}, the rounding of single precision",
                fix="please report it with the model",
            )


def _lengths(model: Any, graph: Graph, multiple: int) -> Iterator[int]:
    """Yield the lengths of the first input at which graph and model are compared."""
    fixed = model.inputs[0].shape[1]
    if fixed is not None:
        yield int(fixed)
        return
    ratios = [rate / graph.input_rate for rate in graph.input_rates]
    step = multiple * lcm(*(ratio.denominator for ratio in ratios))
    length = -(-_SHORTEST // step) * step
    while True:
        try:
            graph.output_length(length)
        except UpsimError:
            if length > _LONGEST:
                raise
            length *= 2
            continue
        break
    yield length
    yield length + step
