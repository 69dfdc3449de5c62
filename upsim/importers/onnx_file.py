"""``from_onnx``: an ONNX file, or a part of it, as a graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

from upsim.errors import ArgumentError, NotPredictableError, ShapeError, TooLargeError, UpsimError
from upsim.importers.lowering import lowered_values
from upsim.importers.onnx_comparison import Comparison, DifferenceError
from upsim.importers.onnx_model import OnnxModel, read_model
from upsim.importers.onnx_operators import CONVERTERS
from upsim.importers.onnx_part import (
    Sizes,
    chosen_tensors,
    input_shapes,
    input_sizes,
    parts,
    sample_rate_of,
)
from upsim.importers.onnx_recorder import OnnxRecorder
from upsim.network.graph import Graph
from upsim.words.arguments import path_of, whole_number
from upsim.words.units import positive_rate

#: Samples at the inputs at which a model is followed: few, and with many divisors; then longer ones
#: for a model that shortens its input a lot.
_LENGTHS = ((24, 36), (1920, 2880))

Inputs = str | Iterable[str] | Mapping[str, Sequence[int | str | None] | str | None]


def from_onnx(
    path: object,
    inputs: Inputs | None = None,
    outputs: str | Sequence[str] | None = None,
    *,
    sample_rate: object = None,
    length: int | None = None,
) -> Graph:
    """Return an ONNX model, or a part of it, as a graph with the model's own names.

    Parameters
    ----------
    path : str or path
        The package ``onnx`` reads it; weights that lie beside it are read from its own folder only.
    inputs : str, list of str, or mapping of str to shape, optional
        Tensors at which the part begins: inputs of the model, or any tensors inside it.  A shape
        such as ``(1, 80, None)``, None for the time, is needed where the file does not say it.
        ``(1, 1, "256*T")`` is an input that is 256 times as long, and ``"256*T"`` alone one of the
        shape that the file says, 256 times as long.
        Without inputs the whole model is taken, or the last part of it that can be said.  The
        graph's name says what was taken, and a note of the graph, too.
    outputs : str, optional
        The tensor at which it ends; the model's first output by default.
    sample_rate : number, optional
        Of the output, in Hz; by default what the file's metadata says.
    length : int, optional
        Samples at the inputs at which the model is followed, at least 8; the graph is for any
        length.  A model that shortens its input needs a longer one, or a multiple of its stride.

    Examples
    --------
    >>> graph = from_onnx(
    ...     "voice.onnx", inputs="/Mul_7_output_0", sample_rate=22050
    ... )  # doctest: +SKIP
    """
    place = path_of(path)
    model = read_model(place)
    try:
        return _graph(model, place, inputs, outputs, sample_rate, length)
    except UpsimError as error:
        raise error.at(place.name) from None


def _graph(
    model: OnnxModel,
    place: Path,
    inputs: Inputs | None,
    outputs: str | Sequence[str] | None,
    sample_rate: object,
    length: int | None,
) -> Graph:
    """Return the graph of a model's part."""
    rate = positive_rate(sample_rate_of(model, place, sample_rate))
    output = _output(model, outputs)
    known = {*model.makers, *model.inputs}
    if inputs is not None:
        given = chosen_tensors(inputs, "inputs", known)
        return _imported(model, given, output, rate, length)
    refusal: UpsimError | None = None
    # Last of all the whole model, with what cannot be said as opaque nodes.
    for names, before in (*parts(model, output, _SAYABLE), (model.inputs, ())):
        why = _why_here(model, before, refusal)
        try:
            return _imported(model, dict.fromkeys(names), output, rate, length, why=why)
        except DifferenceError:
            raise
        except (NotPredictableError, ShapeError, TooLargeError) as error:
            refusal = refusal or error
    assert refusal is not None
    raise refusal


def _why_here(model: OnnxModel, before: Sequence[int], refusal: UpsimError | None) -> str:
    """Return why a part begins where it does: what upsim cannot say, and what was refused."""
    nodes = [model.nodes[number] for number in before]
    names = [f"{node.name or node.output[0]!r} ({node.op_type})" for node in nodes]
    more = f" and {len(names) - 1} others" if len(names) > 1 else ""
    said = [f"upsim has no layer for {names[-1]}{more} before it"] if names else []
    refused = [] if refusal is None else [f"a larger one is refused: {refusal}"]
    return "; ".join([*said, *refused])


#: What a part may hold when it is chosen without inputs: opaque nodes are left outside.
_SAYABLE = frozenset(CONVERTERS) - {"Softmax", "RMSNormalization"} | {"Shape", "Size", "Constant"}


def _output(model: OnnxModel, outputs: str | Sequence[str] | None) -> str:
    if outputs is None:
        if not model.outputs:
            raise ShapeError("the model has no output", fix="outputs=, the name of a tensor")
        return model.outputs[0]
    listed = list(chosen_tensors(outputs, "outputs", model.makers))
    if len(listed) > 1:
        raise ArgumentError(
            "a graph has one output", given=f"outputs={listed}", fix=f"outputs={listed[0]!r}"
        )
    return listed[0]


def _imported(
    model: OnnxModel,
    given: Mapping[str, Sizes | Fraction | None],
    output: str,
    rate: object,
    length: int | None,
    *,
    why: str | None = None,
) -> Graph:
    """Return the graph of a part: followed at two lengths, or at the one that the model fixes.

    Of a part that the user has not chosen it is said why it begins there.
    """
    if not given:
        raise ShapeError("the part reads no input", given=output, fix="another output")
    name = _title(model, given, output)
    notes = []
    if why is not None and set(given) != set(model.inputs):
        notes.append(f"a part of the model is taken: {name}{'; ' if why else ''}{why}")
    sizes = input_sizes(model, given)
    refusal: UpsimError | None = None
    for lengths in _lengths(length):
        try:
            shapes = input_shapes(sizes, lengths)
            recorder = OnnxRecorder(model, shapes, CONVERTERS)
            found = lowered_values(recorder.record(output), rate, name=name, notes=notes)
            compared = Comparison(model, recorder, found, sizes, lengths).notes()
            if compared:
                return found.graph.replace(notes=[*found.graph.notes, *compared])
            return found.graph
        except DifferenceError:
            raise
        except (NotPredictableError, ShapeError, TooLargeError) as error:
            refusal = refusal or error
    assert refusal is not None
    raise refusal


def _lengths(length: int | None) -> tuple[tuple[int, ...], ...]:
    if length is None:
        return (*_LENGTHS, ())
    chosen = whole_number(length, "length", least=8)
    return ((chosen, 2 * chosen), ())


def _title(model: OnnxModel, given: Mapping[str, object], output: str) -> str:
    """Return what was taken: "main_graph from /Mul_7_output_0 to output"."""
    name = str(model.proto.graph.name) or "model"
    whole = set(given) == set(model.inputs) and output in model.outputs
    return name if whole else f"{name} from {', '.join(given)} to {output}"
