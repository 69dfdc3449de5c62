"""Two runs of a module as one recording: what depends on the length is seen by comparing them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError, UpsimError
from upsim.importers.recording import Recording, Shape, Step
from upsim.importers.torch_layers import BESSEL
from upsim.importers.torch_recorder import Run, Trace


class OtherOperationsError(NotPredictableError):
    """The module computed other operations at another length."""


class LengthConstantError(NotPredictableError):
    """Constants inside some modules depend on the length of the input."""

    #: The modules, the root left out.
    paths: tuple[str, ...] = ()


def joined(runs: tuple[Run, Run], inputs: Sequence[str], output: str) -> Recording:
    """Return the recording that two runs of one module are.

    Parameters
    ----------
    runs : tuple of Run
        At two lengths of the input.
    inputs, output : str
        Names of values.
    """
    first, second = runs
    for one, other in zip(first.traces, second.traces, strict=False):
        if _outline(one) != _outline(other):
            raise _another(one.path or one.label, f"{one.label}, then {other.label}")
    if len(first.traces) != len(second.traces):
        counts = f"{len(first.traces)} and {len(second.traces)} operations"
        raise _another("", counts)
    needed = _needed(first.traces, output)
    names = step_names(first.traces, needed)
    joiner = _Joiner(runs)
    varying: dict[str, LengthConstantError] = {}
    for number in needed:
        try:
            joiner.add(number, names[number])
        except LengthConstantError as error:
            varying.setdefault(first.traces[number].path, error.at(names[number]))
        except UpsimError as error:
            raise error.at(names[number]) from None
    if varying:
        refusal = next(iter(varying.values()))
        refusal.paths = tuple(varying)
        raise refusal
    return Recording(tuple(joiner.steps), tuple(inputs), output, joiner.shapes)


def _another(where: str, given: str) -> OtherOperationsError:
    return OtherOperationsError(
        "the module computes other operations at another length of its input",
        given=given,
        expected="the same operations at every length",
        fix='opaque=["path.of.the.module"] for a loop over time; another length in input=',
        where=where,
    )


def _outline(trace: Trace) -> tuple[Any, ...]:
    reads = tuple(read if isinstance(read, str) else None for read in trace.reads)
    return trace.label, trace.kind, trace.path, reads, trace.makes


def _needed(traces: Sequence[Trace], output: str) -> list[int]:
    """Return the numbers of the traces that an output needs, in their order."""
    wanted, found = {output}, []
    for number in reversed(range(len(traces))):
        if not wanted.isdisjoint(traces[number].makes):
            found.append(number)
            wanted.update(read for read in traces[number].reads if isinstance(read, str))
    return found[::-1]


def step_names(traces: Sequence[Trace], needed: Sequence[int]) -> dict[int, str]:
    """Return the name of each step: its module's path where it is all that the module computes.

    Where a module computes several things they are told apart by what they do: "block.add".  The
    second call of a module is "block#2".
    """
    moves = {"movement", "noise"}
    main = Counter(
        (traces[number].path, traces[number].call)
        for number in needed
        if traces[number].kind not in moves
    )
    taken: set[str] = set()
    found: dict[int, str] = {}
    for number in needed:
        trace = traces[number]
        path = f"{trace.path}#{trace.call}" if trace.call > 1 else trace.path
        only = trace.kind not in moves and main[trace.path, trace.call] == 1
        plain = path if only and path else ".".join(part for part in (path, trace.label) if part)
        name, count = plain, 1
        while name in taken:
            count += 1
            name = f"{plain}.{count}"
        taken.add(name)
        found[number] = name
    return found


class _Joiner:
    """Steps of two runs, one after another."""

    def __init__(self, runs: tuple[Run, Run]) -> None:
        self.runs = runs
        self.steps: list[Step] = []
        self.shapes: tuple[dict[str, Shape], dict[str, Shape]] = (
            dict(runs[0].shapes),
            dict(runs[1].shapes),
        )
        self._reduces: dict[str, Trace] = {}

    def add(self, number: int, name: str) -> None:
        """Add the step that two traces are."""
        first, second = (run.traces[number] for run in self.runs)
        if first.label == BESSEL and not np.array_equal(first.reads[1], second.reads[1]):  # type: ignore[arg-type]
            self._add_variance(first, name)
            return
        if first.kind == "reduce":
            self._reduces[first.makes[0]] = first
        reads = tuple(
            one
            if isinstance(one, str) or one is None
            else self._constant(one, other, name, first.kind)
            for one, other in zip(first.reads, second.reads, strict=True)
        )
        if first.kind == "elementwise":
            reads = self._as_long(first, reads, name)
        fields = self._opaque(number) if first.kind == "opaque" else _fields(first, second)
        module = first.path if name != first.path else ""
        self.steps.append(Step(name, first.kind, reads, first.makes, fields, module))

    def _constant(self, one: NDArray[Any], other: Any, name: str, kind: str) -> str | NDArray[Any]:
        """Return a constant; one number that fills as much as there is time is spread over it."""
        if one.shape == other.shape and np.array_equal(one, other):
            return one
        values = {float(each) for array in (one, other) for each in np.unique(array)[:2]}
        if one.ndim == other.ndim and len(values) == 1 and one.shape != other.shape:
            if kind == "elementwise":
                return np.full((1,) * one.ndim, values.pop())
            made = f"%constant {len(self.steps)}"
            for shapes, array in zip(self.shapes, (one, other), strict=True):
                shapes[made] = array.shape
            number = np.full((1,) * one.ndim, values.pop())
            fields = {"function": "expand"}
            self.steps.append(Step(f"{name}.{made[1:]}", "movement", (number,), (made,), fields))
            return made
        raise LengthConstantError(
            "a constant is another one at another length of the input: it is computed from the "
            "length, or from the signal by something else than torch",
            given=f"an array of shape {one.shape}, then {other.shape}",
            expected="constants that depend on neither",
            fix="the part of the module before or behind it",
        )

    def _as_long(self, first: Trace, reads: tuple[Any, ...], name: str) -> tuple[Any, ...]:
        """Return reads of which one is as long as what is made of them.

        Where only a constant is, which stands as one number now, the first value is spread.
        """
        made = [shapes[first.makes[0]] for shapes in self.shapes]
        given = [
            [self.shapes[number][read] if isinstance(read, str) else read.shape for read in reads]
            for number in range(2)
        ]
        if all(
            np.broadcast_shapes(*each) == shape for each, shape in zip(given, made, strict=True)
        ):
            return reads
        place = next(number for number, read in enumerate(reads) if isinstance(read, str))
        value = f"%spread {len(self.steps)}"
        for shapes, shape in zip(self.shapes, made, strict=True):
            shapes[value] = shape
        fields = {"function": "expand"}
        self.steps.append(Step(f"{name}.expand", "movement", (reads[place],), (value,), fields))
        return (*reads[:place], value, *reads[place + 1 :])

    def _add_variance(self, trace: Trace, name: str) -> None:
        """Add an unbiased variance over time, whose factor depends on the length."""
        reduce = self._reduces[str(trace.reads[0])]
        axes, keep = reduce.fields["axes"], reduce.fields["keepdims"]

        def run(array: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.asarray(np.var(array, axis=axes, ddof=1, keepdims=keep))

        fields = {"type": "variance", "reason": "it takes all samples of time", "run": run}
        self.steps.append(Step(name, "opaque", reduce.reads, trace.makes, fields, trace.path))

    def _opaque(self, number: int) -> dict[str, Any]:
        """Return the fields of an opaque step; what it holds may depend on the length."""
        traces = [run.traces[number] for run in self.runs]
        fields = {key: value for key, value in traces[0].fields.items() if key != "fixed"}
        if traces[0].fields.get("fixed") != traces[1].fields.get("fixed"):
            reads = [str(read) for read in traces[0].reads]
            known = [
                ([run.shapes[read] for read in reads], trace.fields["run"])
                for run, trace in zip(self.runs, traces, strict=True)
            ]
            fields["run"] = _RunByLength(known)
        return fields


class _RunByLength:
    """A function with arguments that depend on the length: known at the recorded ones only."""

    def __init__(self, known: Sequence[tuple[list[Shape], Any]]) -> None:
        self.known = known
        self.is_module: bool = all(run.is_module for _, run in known)

    def __call__(self, *arrays: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what it makes of arrays as long as recorded."""
        shapes = [array.shape for array in arrays]
        for recorded, run in self.known:
            if recorded == shapes:
                return np.asarray(run(*arrays))
        raise NotPredictableError(
            "this part of the module depends on the length in a way that is not known",
            given=f"shapes {shapes}",
            expected=" or ".join(str(recorded) for recorded, _ in self.known),
            fix="graph.after() it",
        )


def _fields(first: Trace, second: Trace) -> dict[str, Any]:
    """Return the fields of two traces; numbers of movements may depend on the length."""
    found: dict[str, Any] = {}
    for key, one in first.fields.items():
        other = second.fields[key]
        same = np.array_equal(one, other) if isinstance(one, np.ndarray) else one == other
        if same:
            found[key] = one
        elif first.kind == "movement":
            found[key] = (one, other)
        else:
            raise NotPredictableError(
                f"the {key} of a {first.kind} depends on the length of the input",
                given=f"{one}, then {other}",
                expected="one for every length",
                fix="another length in input=, or the part of the module without it",
            )
    return found
