"""Write down what a running torch module computes, operation by operation.

A dispatch mode sees every operation below autograd, whoever calls it: modules, functions, scripted
code.  Nothing is inferred from the source: what ran is what is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ArgumentError, NotPredictableError, UpsimError
from upsim.importers.recording import Shape
from upsim.importers.torch_values import Operand, Values
from upsim.words.arguments import shown


class ForwardError(ArgumentError):
    """The module raises an error in its forward."""


@dataclass
class Trace:
    """One operation of a run.

    Parameters
    ----------
    label : str
        What it does, as a name says it: "add".
    kind, reads, makes, fields
        As in :class:`~upsim.importers.recording.Step`.
    path : str
        The module that ran it.
    call : int
        The number of that module's call: a module may be called twice.
    """

    label: str
    kind: str
    reads: tuple[Operand | None, ...]
    makes: tuple[str, ...]
    fields: dict[str, Any]
    path: str
    call: int


@dataclass
class Run:
    """What one run of a module wrote down.

    Parameters
    ----------
    traces : list of Trace
    shapes : dict
        The shape of each value.
    arrays : dict
        The numbers of values that the graph's witness needs: inputs and noise.
    """

    traces: list[Trace] = field(default_factory=list)
    shapes: dict[str, Shape] = field(default_factory=dict)
    arrays: dict[str, NDArray[np.float64]] = field(default_factory=dict)


#: ``rule(recorder, operation)`` returns the value of each output of an operation; None for one
#: that is no value, or None for all where the rule does not know this form of the operation.
Rule = Callable[["Recorder", "Operation"], Sequence[str | None] | None]


class Operation:
    """One operation with its arguments by name, and what it made."""

    def __init__(
        self, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any], made: Sequence[Any]
    ) -> None:
        self.function = function
        self.name = str(function._schema.name).partition("::")[2]
        arguments = function._schema.arguments
        self.given = {each.name: each.default_value for each in arguments}
        self.given |= {each.name: value for each, value in zip(arguments, args, strict=False)}
        self.given |= kwargs
        self.made = made

    def __getitem__(self, name: str) -> Any:
        return self.given.get(name)

    @property
    def shape(self) -> Shape:
        """The shape of the first output."""
        return tuple(self.made[0].shape)


class Rules(NamedTuple):
    """The rules by the name of an operation, without the underscore of in-place forms.

    Parameters
    ----------
    known : mapping
    random : mapping
        Of operations that draw random numbers.
    other : Rule
        For what no rule knows.
    """

    known: Mapping[str, Rule]
    random: Mapping[str, Rule]
    other: Callable[[Recorder, Operation], Sequence[str | None]]


class Recorder:
    """The record of one run, and the tools with which rules write it.

    Parameters
    ----------
    torch : module
    rules : Rules
    kept : set of int
        Storages that outlive the run: weights and buffers.
    before : Run, optional
        An earlier run: constants equal to its constants share their memory.
    """

    def __init__(
        self, torch: Any, rules: Rules, kept: Mapping[int, str], before: Run | None
    ) -> None:
        self.torch, self.rules, self.kept, self.before = torch, rules, kept, before
        self.run = Run()
        self.values = Values(torch, self._move)
        self.places: list[tuple[str, int]] = [("", 0)]
        self._calls: dict[str, int] = {}
        self._before_write: dict[int, Operand] = {}
        self.failure: Exception | None = None
        self._foreign: Exception | None = None
        self.is_asleep = False

    def finish(self) -> None:
        """Let go of the tensors, so that they are freed at once; what is written down stays."""
        del self.values

    # ------------------------------------------------------------------ places

    @property
    def where(self) -> str:
        """The module that runs, in words."""
        return self.places[-1][0] or "forward"

    def enter(self, path: str) -> None:
        """Note that a module is called."""
        if not self.is_asleep:
            self._calls[path] = self._calls.get(path, 0) + 1
            self.places.append((path, self._calls[path]))

    def leave(self) -> None:
        """Note that a module returns."""
        if not self.is_asleep:
            self.places.pop()

    @contextmanager
    def asleep(self) -> Iterator[None]:
        """Record nothing for a while."""
        self.is_asleep = True
        try:
            yield
        finally:
            self.is_asleep = False

    # ------------------------------------------------------------------ errors

    @contextmanager
    def own_errors(self) -> Iterator[None]:
        """Keep an error of the recorder's own apart from those of the module's forward.

        Scripted code turns an error into one of its own, and a forward may catch it.
        """
        try:
            yield
        except UpsimError as error:
            placed = error if error.where else error.at(self.where)
            self.failure = self.failure or placed
            raise placed from None
        except Exception as error:
            if error is not self._foreign:
                self.failure = self.failure or error
            raise

    def _by_torch(self, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Run an operation of torch, whose error is that of the module which called it."""
        try:
            return function(*args, **kwargs)
        except Exception as error:
            self._foreign = error
            raise

    # ------------------------------------------------------------------ writing

    def emit(
        self, label: str, kind: str, reads: Sequence[Operand | None], shape: Shape, **fields: Any
    ) -> str:
        """Write down one step; return the name of the value that it makes."""
        name = f"%{len(self.run.traces)}"
        reads = tuple(
            self._shared(read, number) if isinstance(read, np.ndarray) else read
            for number, read in enumerate(reads)
        )
        self.run.traces.append(Trace(label, kind, reads, (name,), fields, *self.places[-1]))
        self.run.shapes[name] = tuple(shape)
        return name

    def _shared(self, array: NDArray[Any], number: int) -> NDArray[Any]:
        """Return the constant of an earlier run where this one is equal, to hold it once."""
        place = len(self.run.traces)
        if self.before is None or place >= len(self.before.traces):
            return array
        reads = self.before.traces[place].reads
        known = reads[number] if number < len(reads) else None
        same = isinstance(known, np.ndarray) and np.array_equal(known, array)
        return known if same else array  # type: ignore[return-value]

    def elementwise(
        self, function: str, reads: Sequence[Operand], shape: Shape, **fields: Any
    ) -> str:
        """Write down an elementwise function."""
        return self.emit(function, "elementwise", reads, shape, function=function, **fields)

    def _move(self, function: str, reads: Sequence[Operand], shape: Shape, **fields: Any) -> str:
        return self.emit(function, "movement", reads, shape, function=function, **fields)

    move = _move

    def shape_of(self, operand: Operand) -> Shape:
        """Return the shape of a value or a constant."""
        return operand.shape if isinstance(operand, np.ndarray) else self.run.shapes[operand]

    # ------------------------------------------------------------------ reading

    def read(self, given: Any) -> Operand:
        """Return the value that a tensor holds, or the constant that it is."""
        if not isinstance(given, self.torch.Tensor):
            return np.asarray(given, dtype=np.float64)
        if id(given) in self._before_write:
            return self._before_write[id(given)]
        if self.values.is_known(given):
            value = self.values.read(given)
            if value is None:
                raise NotPredictableError(
                    "a value of the module is lost: a tensor is read that shares memory with "
                    "others in a way that is not followed",
                    given=f"a tensor of shape {tuple(given.shape)}",
                    fix="clone() it where it is made",
                    where=self.where,
                )
            return value
        return self.constant(given)

    def constant(self, tensor: Any) -> NDArray[Any]:
        """Return a tensor that is no value as an array."""
        if tensor.is_complex():
            raise complex_refusal(self.where)
        return np.asarray(tensor.detach().resolve_neg().numpy())

    def is_value(self, given: Any) -> bool:
        """Return whether an argument is a tensor that depends on the input."""
        return isinstance(given, self.torch.Tensor) and self.values.is_known(given)

    # ------------------------------------------------------------------ one operation

    def dispatch(self, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Run one operation and write down what it is."""
        args, kwargs = self._in_double(function, args, kwargs)
        if self.is_asleep:
            return self._by_torch(function, args, kwargs)
        tensors = list(self._tensors((args, kwargs)))
        is_known = any(map(self.values.is_known, tensors))
        operation = Operation(function, args, kwargs, ())
        is_random = self.torch.Tag.nondeterministic_seeded in function.tags
        is_fresh = operation.name in _UNFILLED or operation.name in _FILLED
        if (is_fresh or not is_known) and not is_random:
            made = self._by_torch(function, args, kwargs)
            if operation.name in _UNFILLED:
                for each in self._tensors(made):
                    each.zero_()
            return made
        if is_known and operation.name in _DECIDING:
            raise NotPredictableError(
                "forward reads numbers out of the signal, so what it computes depends on them",
                given=f"the operation {operation.name}",
                expected="the same operations for every signal",
                fix="the part of the module before or behind it",
                where=self.where,
            )
        written = [
            each.name
            for each in function._schema.arguments
            if each.alias_info is not None and each.alias_info.is_write
        ]
        if written:
            # Constants are taken before they are written over.
            before = {id(each): self.read(each) for each in tensors}
            self._before_write = {
                key: read.copy() if isinstance(read, np.ndarray) else read
                for key, read in before.items()
            }
            for name in written:
                self.values.hold(operation[name])
        try:
            made = self._by_torch(function, args, kwargs)
            operation.made = list(self._tensors(made))
            if any(each.is_complex() for each in operation.made):
                raise complex_refusal(self.where, operation.name)
            targets = [operation[name] for name in written]
            self._write_down(operation, targets)
        finally:
            self._before_write = {}
        return made

    def _write_down(self, operation: Operation, targets: Sequence[Any]) -> None:
        name = operation.name
        is_random = self.torch.Tag.nondeterministic_seeded in operation.function.tags
        rules = self.rules.random if is_random else self.rules.known
        rule = rules.get(name) or rules.get(name.rstrip("_"))
        if rule is None and is_random:
            raise NotPredictableError(
                "the module draws random numbers that are no stationary noise",
                given=f"the operation {name}",
                expected="randn, rand, normal_ or uniform_",
                fix="module.eval(), or the part of the module without it",
                where=self.where,
            )
        for target in targets:
            kept = self.kept.get(target.untyped_storage()._cdata)
            if kept is not None:
                raise NotPredictableError(
                    "forward writes the signal into a buffer that it keeps: its output depends on "
                    "what it was fed before",
                    given=f"{kept}, written by {name}",
                    expected="a forward without memory",
                    fix="switch the streaming or caching of the module off",
                    where=self.where,
                )
        found = None if rule is None else rule(self, operation)
        if found is None:
            found = self.rules.other(self, operation)
        for number, (tensor, value) in enumerate(zip(operation.made, found, strict=False)):
            if value is None:
                continue
            if number < len(targets) and tensor is targets[number]:
                self.values.write(tensor, value)
            else:
                self.values.bind(tensor, value)

    def _tensors(self, nested: Any) -> Iterator[Any]:
        if isinstance(nested, self.torch.Tensor):
            yield nested
        elif isinstance(nested, Mapping):
            for each in nested.values():
                yield from self._tensors(each)
        elif isinstance(nested, list | tuple):
            for each in nested:
                yield from self._tensors(each)

    def _in_double(
        self, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Sequence[Any], dict[str, Any]]:
        """Return arguments that ask for double precision wherever a lower one is asked for."""
        torch = self.torch
        low = (torch.float16, torch.bfloat16, torch.float32)
        wide = dict.fromkeys(low, torch.float64)
        wide |= {torch.complex32: torch.complex128, torch.complex64: torch.complex128}

        def raised(value: Any) -> Any:
            if isinstance(value, torch.dtype):
                return wide.get(value, value)
            if isinstance(value, torch.Tensor) and value.dtype in low:
                return value.double()
            if isinstance(value, list):
                return [raised(each) for each in value]
            return value

        return [raised(each) for each in args], {key: raised(each) for key, each in kwargs.items()}


#: Operations that decide by numbers what is computed next.
_DECIDING = frozenset(
    (
        "_local_scalar_dense",
        "item",
        "is_nonzero",
        "equal",
        "nonzero",
        "masked_select",
        "_unique2",
        "unique_dim",
        "unique_consecutive",
        "allclose",
    )
)

#: Operations that make a tensor without filling it: what it holds is never to be seen.
_UNFILLED = frozenset(("empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided"))

#: Operations that make a tensor like another one, of numbers of their own.
_FILLED = frozenset(("zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full"))


def complex_refusal(where: str, name: str = "") -> NotPredictableError:
    """Return the refusal of complex numbers."""
    return NotPredictableError(
        "the module computes with complex numbers",
        given=f"the operation {name}" if name else "a complex constant",
        expected="real numbers",
        fix="the part of the module before it; upsim.InverseSTFT is the head as a layer",
        where=where,
    )


@cache
def _mode_class() -> Any:
    from torch.utils._python_dispatch import TorchDispatchMode

    class Mode(TorchDispatchMode):  # type: ignore[misc]
        """Hand every operation to a recorder."""

        def __init__(self, recorder: Recorder) -> None:
            super().__init__()
            self.recorder = recorder

        def __torch_dispatch__(
            self, function: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            with self.recorder.own_errors():
                return self.recorder.dispatch(function, args, kwargs or {})

    return Mode


@contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """Hand every operation to a recorder, in double precision, with random numbers of one seed."""
    torch = recorder.torch
    precision = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(0)
            with _mode_class()(recorder):
                yield
        if recorder.failure is not None:
            raise recorder.failure
    finally:
        torch.set_default_dtype(precision)
        recorder.finish()


@contextmanager
def forward_errors(recorder: Recorder, fix: str) -> Iterator[None]:
    """Say of an error that it is one of the module's forward, unless it is the recorder's own."""
    try:
        yield
    except UpsimError:
        raise
    except Exception as error:
        if recorder.failure is not None:
            raise recorder.failure from None
        raise ForwardError(
            "the module raises an error in its forward",
            given=f"{type(error).__name__}: {shown(str(error))}",
            fix=fix,
            where=recorder.where,
        ) from error
