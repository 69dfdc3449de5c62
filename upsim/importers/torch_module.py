"""``from_torch``: a module of PyTorch as a graph, under its own names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import product
from math import lcm, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import (
    ArgumentError,
    ArgumentTypeError,
    NotPredictableError,
    ShapeError,
    UpsimError,
)
from upsim.importers import torch_layers, torch_movements, torch_noise, torch_pointwise
from upsim.importers.lowering import lowered
from upsim.importers.recording import Recording, Step
from upsim.importers.torch_comparison import Ran, compare
from upsim.importers.torch_copy import checked_module, double_copy, torch_package
from upsim.importers.torch_inputs import Given, given_inputs, opaque_paths, parameter_names
from upsim.importers.torch_lengths import LengthConstantError, OtherOperationsError, joined
from upsim.importers.torch_opaque import leaves, opaque_modules, opaque_operation, wrapped
from upsim.importers.torch_recorder import (
    ForwardError,
    Recorder,
    Rules,
    Run,
    forward_errors,
    recording,
)
from upsim.importers.views import time_axis
from upsim.network.graph import Graph
from upsim.words.arguments import shown
from upsim.words.units import positive_rate

_RULES = Rules(
    torch_pointwise.RULES | torch_movements.RULES | torch_layers.RULES,
    torch_noise.RULES,
    opaque_operation,
)

#: The levels of input at which the graph is compared, beside 1: near zero and far from it.
_LEVELS = (1e-3, 30.0)

#: Attempts at a second length before the module is refused.
_ATTEMPTS = 24


def from_torch(
    module: object,
    *,
    sample_rate: object,
    input: object,  # noqa: A002 - the word that a user of torch expects
    output: str | int | None = None,
    opaque: Sequence[str] = (),
    name: str | None = None,
) -> Graph:
    """Return what a torch module computes as a graph, under its modules' own paths.

    The module is run on random numbers at two lengths, and what it computes is written down.  The
    graph is compared with the module's own output before it is returned, also at a third length.
    The module is left as it was: a copy in double precision is run.

    Parameters
    ----------
    module : torch.nn.Module
        As it is in evaluation.  Where its output depends on the training mode, it is refused until
        ``module.eval()`` is called.
    sample_rate : number
        Of the output, in Hz.
    input : shape, tensor, or several of them in a list or a dict
        What forward takes: a shape (1, channels, time) for a signal, a tensor for numbers that
        matter, such as a speaker.  A dict has forward's own names, and may hold other arguments as
        they are.  The first axis is the batch, and is 1.  Time is the axis that may be longer; the
        last one is tried first.
    output : str or int, optional
        Which of several: a key, an attribute or a number.  The first tensor by default.
    opaque : sequence of str, optional
        Paths of modules to take as one node each.  Recurrent layers and attention are.
    name : str, optional
        Of the graph; the module's class by default.

    Returns
    -------
    Graph

    Examples
    --------
    >>> generator = torch.nn.ConvTranspose1d(80, 1, 16, 8, 4)  # doctest: +SKIP
    >>> graph = from_torch(generator, sample_rate=22050, input=(1, 80, 32))  # doctest: +SKIP
    """
    rate = positive_rate(sample_rate)
    given_module = checked_module(module)
    if output is not None and (isinstance(output, bool) or not isinstance(output, str | int)):
        raise ArgumentTypeError(
            "output names one of several tensors",
            given=f"output={shown(output)}",
            expected="a key, an attribute, a number, or None for the first",
        )
    torch = torch_package()
    given = given_inputs(torch, given_module, input)
    title = type(given_module).__name__ if name is None else name
    copied = _Copied(torch, given_module, given, output, opaque_paths(given_module, opaque))
    graph = copied.graph(rate, title)
    if given_module.training:
        copied.refuse_training()
    return graph


# ---------------------------------------------------------------------- runs

#: Which axis of each input is time; None for one that stays as it is.
_Axes = Mapping[str, int | None]


class _Copied:
    """The copy of a module, and what it is fed."""

    def __init__(
        self,
        torch: Any,
        module: Any,
        given: Sequence[Given],
        output: str | int | None,
        opaque: Sequence[str],
    ) -> None:
        self.torch, self.given, self.output = torch, given, output
        self.module = double_copy(module)
        self.names = parameter_names(module)
        self.opaque = tuple(opaque)
        #: A note on which of several outputs is the graph's.
        self.taken: tuple[str, ...] = ()
        self.kept = {
            tensor.untyped_storage()._cdata: f"{path!r}"
            for path, tensor in (*self.module.named_parameters(), *self.module.named_buffers())
        }

    # ------------------------------------------------------------------ one run

    def _tensors(
        self, axes: _Axes, length: int | None, seed: int = 0, level: float = 1.0
    ) -> dict[str, Any]:
        """Return the arguments of forward, time as long as a length of the first input asks.

        ``level`` is the root mean square of the signals that are drawn.
        """
        source = np.random.default_rng(seed)
        found: dict[str, Any] = {}
        for each in self.given:
            if each.shape is None:
                found[each.name] = each.value
                continue
            shape, axis = list(each.shape), axes.get(each.name)
            if axis is not None and length is not None:
                shape[axis] = shape[axis] * length // self._length(axes)
            if each.value is None:
                found[each.name] = self.torch.tensor(level * source.standard_normal(shape))
            elif tuple(shape) == each.shape:
                found[each.name] = each.value.clone()
            else:
                places = self.torch.arange(shape[axis]) % each.shape[axis]  # type: ignore[index]
                found[each.name] = each.value.index_select(axis, places)
        return found

    def _length(self, axes: _Axes) -> int:
        """Return the samples of the first input that has time."""
        for each in self.given:
            axis = axes.get(each.name)
            if axis is not None and each.shape is not None:
                return each.shape[axis]
        raise ShapeError("no input has a time axis", given=str(dict(axes)))

    def _follows_input(self, axes: _Axes, length: int | None) -> bool:
        """Return whether the output is another one for another signal."""
        length = self._length(axes) if length is None else length
        one, other = (self.plain(axes, length, seed).made for seed in range(2))
        return not np.array_equal(one, other)

    def plain(self, axes: _Axes, length: int, seed: int = 0, level: float = 1.0) -> Ran:
        """Return one run of the module of which only inputs and output are kept."""
        recorder = Recorder(self.torch, _RULES, self.kept, None)
        recorder.is_asleep = True
        tensors = self._tensors(axes, length, seed, level)
        arrays = {
            each.name: tensors[each.name].numpy().copy() for each in self.given if each.is_signal
        }
        with recording(recorder):
            made = self._chosen(self._called(recorder, tensors))
        return Ran(Run(arrays=arrays), "", np.array(made.numpy(), dtype=np.float64))

    def run(
        self,
        axes: _Axes,
        length: int | None = None,
        before: Run | None = None,
        level: float = 1.0,
    ) -> Ran:
        """Return one run of the module, written down."""
        recorder = Recorder(self.torch, _RULES, self.kept, before)
        tensors = self._tensors(axes, length, level=level)
        for each in self.given:
            if each.is_signal and axes.get(each.name, 0) is not None:
                tensor = tensors[each.name]
                recorder.values.bind(tensor, each.name)
                recorder.run.shapes[each.name] = tuple(tensor.shape)
                recorder.run.arrays[each.name] = tensor.numpy().copy()
        with self._watched(recorder), recording(recorder):
            made = self._called(recorder, tensors)
            chosen = self._chosen(made)
            is_value = recorder.is_value(chosen)
            value = recorder.read(chosen) if is_value else None
        if not isinstance(value, str):
            if self._follows_input(axes, length):
                raise NotPredictableError(
                    "the output is lost: it leaves torch on its way, through NumPy for example",
                    given=f"a tensor of shape {tuple(chosen.shape)} that changes with the input",
                    expected="operations of torch from the input to the output",
                    fix="the part of the module before or behind it",
                )
            raise ArgumentError(
                "the output does not depend on the input",
                given=f"a tensor of shape {tuple(chosen.shape)}",
                expected="a tensor that forward computes from its input, with torch",
            )
        return Ran(recorder.run, value, np.array(chosen.detach().numpy(), dtype=np.float64))

    def _called(self, recorder: Recorder, tensors: Mapping[str, Any]) -> Any:
        """Return what forward makes of tensors; its errors are those of the module."""
        is_scripted = any(
            isinstance(each, self.torch.jit.ScriptModule) for each in self.module.modules()
        )
        fix = "input= as the module takes it"
        if is_scripted:
            fix += ", or the module before it was scripted: its constants may be in float32"
        with forward_errors(recorder, fix):
            return self._forward(tensors)

    def _forward(self, tensors: Mapping[str, Any]) -> Any:
        names = [each.name for each in self.given]
        known_by_name = self.names[: len(names)]
        further = [f"input{number + 1}" for number in range(len(known_by_name), len(names))]
        if names == [*known_by_name, *further]:  # further ones are those of forward(x, *more)
            return self.module(*tensors.values())
        if set(names) <= set(self.names):
            return self.module(**tensors)
        known = {key: each for key, each in tensors.items() if not key.startswith("input")}
        rest = [each for key, each in tensors.items() if key not in known]
        return self.module(*rest, **known) if rest else self.module(**tensors)

    @contextmanager
    def _watched(self, recorder: Recorder) -> Iterator[None]:
        """Follow which module runs, for a while."""
        with ExitStack() as stack:
            chosen = opaque_modules(self.torch, self.module, self.opaque)
            for path, (each, why) in chosen.items():
                own = vars(each).get("forward")
                object.__setattr__(each, "forward", wrapped(recorder, each, why))
                stack.callback(_restore, each, own)
                if isinstance(each, self.torch.jit.ScriptModule):
                    self._place(recorder, path, each, stack)
            for path, each in self.module.named_modules():
                if not path:
                    continue
                if isinstance(each, self.torch.jit.ScriptModule):
                    if path not in chosen:
                        self._place(recorder, path, each, stack)
                    continue
                before = each.register_forward_pre_hook(
                    lambda _module, _args, path=path: recorder.enter(path), prepend=True
                )
                after = each.register_forward_hook(lambda *_: recorder.leave())
                stack.callback(before.remove)
                stack.callback(after.remove)
            yield

    def _place(self, recorder: Recorder, path: str, module: Any, stack: ExitStack) -> None:
        """Note the calls of a scripted module, which takes no hooks; its parts call no Python."""
        own, forward = vars(module).get("forward"), module.forward

        def placed(*args: Any, **kwargs: Any) -> Any:
            recorder.enter(path)
            made = forward(*args, **kwargs)
            recorder.leave()
            return made

        object.__setattr__(module, "forward", placed)
        stack.callback(_restore, module, own)

    def _chosen(self, made: Any) -> Any:
        """Return the tensor that is the output."""
        torch, wanted = self.torch, self.output
        found: Any = None
        if wanted is None:
            found = made if isinstance(made, torch.Tensor) else None
            if found is None:
                held = (
                    made
                    if isinstance(made, Mapping | list | tuple)
                    else getattr(made, "__dict__", {})
                )
                listed = leaves(torch, held)
                found = listed[0] if listed else None
                if len(listed) > 1:
                    note = (
                        f"forward returns {len(listed)} tensors in a {type(made).__name__}; the "
                        "graph makes the first one, and output= chooses another"
                    )
                    self.taken = (note,)
        elif isinstance(wanted, int) and isinstance(made, list | tuple):
            found = made[wanted] if -len(made) <= wanted < len(made) else None
        elif isinstance(wanted, str):
            found = made.get(wanted) if isinstance(made, Mapping) else getattr(made, wanted, None)
        if not isinstance(found, torch.Tensor):
            raise ArgumentError(
                "forward returns no such tensor",
                given=f"{type(made).__name__}"
                + (f", output={shown(wanted)}" if wanted is not None else ""),
                expected=_outputs(torch, made),
            )
        if found.is_complex() or not found.is_floating_point():
            raise ArgumentError(
                "the output is no signal",
                given=f"a tensor of {found.dtype}",
                expected="real numbers",
            )
        return found

    # ------------------------------------------------------------------ lengths

    def graph(self, rate: Any, title: str) -> Graph:
        """Return the graph.

        A module inside which a constant depends on the length, as positions in attention do, is
        taken as one node.
        """
        notes: list[str] = []
        while True:
            try:
                found = self._followed(rate, title)
            except LengthConstantError as error:
                inner = [path for path in error.paths if path and path not in self.opaque]
                if len(inner) < len(error.paths):
                    raise
                self.opaque = (*self.opaque, *inner)
                notes += [
                    f"{path} is one node: a constant in it depends on the length" for path in inner
                ]
            else:
                return found.replace(notes=[*found.notes, *notes]) if notes else found

    def _followed(self, rate: Any, title: str) -> Graph:
        """Return the graph: recorded at two lengths, compared at these and at others.

        An axis that may be longer is time: once the module has run so, no other axis of that input
        is tried.
        """
        refusal: UpsimError | None = None
        attempts = 0
        decided: dict[str, int] = {}
        for axes in self._choices():
            if any(axes[name] not in (axis, None) for name, axis in decided.items()):
                continue
            first = self.run(axes)
            length = self._length(axes)
            lowering_refused = False
            for more in _steps(first.run, length):
                attempts += 1
                if attempts > _ATTEMPTS or (lowering_refused and more < length):
                    continue
                if not self._fits(axes, length + more):
                    continue
                try:
                    second = self.run(axes, length + more, first.run)
                except (ArgumentError, OtherOperationsError) as error:
                    refusal = refusal or error
                    continue
                if first.made.shape != second.made.shape:
                    decided = {
                        name: axis for name, axis in axes.items() if axis is not None
                    } | decided
                try:
                    return self._joined(axes, (first, second), (length, more), rate, title)
                except LengthConstantError:
                    raise
                except (NotPredictableError, ShapeError) as error:
                    lowering_refused = not isinstance(error, OtherOperationsError)
                    refusal = refusal or error
        if refusal is not None:
            raise refusal
        raise ShapeError(
            "no second length of the input was found",
            given=", ".join(f"{each.name}: {each.shape}" for each in self.given if each.shape),
            expected="inputs of which one axis is time",
            fix="a longer input=",
        )

    def _choices(self) -> Iterator[dict[str, int | None]]:
        """Yield which axis of each input may be time, the likely ones first."""
        options: list[list[int | None]] = []
        timed = [each for each in self.given if each.shape is not None]
        for each in timed:
            assert each.shape is not None
            axes = [axis for axis in range(len(each.shape) - 1, 0, -1) if each.shape[axis] > 1]
            still: list[int | None] = [None] if each.is_tensor else []
            options.append([*axes, *still] if each.is_signal else [None, *axes])
        for chosen in product(*options):
            found = dict(zip((each.name for each in timed), chosen, strict=True))
            if any(each.is_signal and found[each.name] is not None for each in timed):
                yield found

    def _fits(self, axes: _Axes, length: int) -> bool:
        """Return whether all inputs are whole numbers of samples long."""
        base = self._length(axes)
        return all(
            axes.get(each.name) is None
            or each.shape is None
            or each.shape[axes[each.name]] * length % base == 0  # type: ignore[index]
            for each in self.given
        )

    def _joined(
        self, axes: _Axes, ran: tuple[Ran, Ran], lengths: tuple[int, int], rate: Any, title: str
    ) -> Graph:
        """Return the graph of two runs, ``lengths`` being the first length and what is added.

        A module with strides may pad to whole strides by a rule of its own.  Its graph is the one
        for whole strides, and a note says so.
        """
        first, second = ran
        inputs = [
            each.name for each in self.given if each.is_signal and axes[each.name] is not None
        ]
        record = joined((first.run, second.run), inputs, first.output)
        _refuse_timeless(record)
        self._refuse_unlikely(axes, record)
        graph = lowered(record, rate, name=title)
        for each in ran:
            compare(graph, record, each)
        has_noise = any(step.kind == "noise" for step in record.steps)
        length, more = lengths

        def further(other: int, level: float = 1.0) -> Ran:
            if has_noise:
                return self.run(axes, other, first.run, level)
            return self.plain(axes, other, level=level)

        for level in _LEVELS:
            made = further(length, level)
            if np.all(np.isfinite(made.made)):
                try:
                    compare(graph, record, made)
                except NotPredictableError as error:
                    raise error.at(f"an input of RMS {level:g}") from None
        compared = [length, length + more]
        notes = [*graph.notes]
        for other in dict.fromkeys((length + 2 * more, length + 1, length + 2 * more + 1)):
            if other == length + more or not self._fits(axes, other):
                continue
            try:
                made = further(other)
            except ForwardError:
                continue  # a length that the module does not take
            try:
                compare(graph, record, made)
            except (NotPredictableError, ShapeError):
                if (other - length) % more == 0 or not _strides(first.run):
                    raise
                notes.append(
                    f"right for {length} and every {more} samples more; at other lengths the "
                    "module pads or cuts in a way that the graph does not"
                )
                break
            compared.append(other)
        known = ", ".join(map(str, sorted(compared)))
        notes.append(f"compared with the module for inputs of {known} samples")
        return graph.replace(notes=[*notes, *self.taken])

    def _refuse_unlikely(self, axes: _Axes, record: Recording) -> None:
        """Refuse another axis than the last as time where no weight shows that this is channels."""
        for each in self.given:
            axis = axes.get(each.name)
            if not each.is_signal or each.shape is None or axis is None:
                continue
            last = max(place for place, size in enumerate(each.shape) if place == axis or size > 1)
            if last != axis and not any(map(_has_weights, record.steps)):
                raise ShapeError(
                    "the last axis of the input cannot be time, and no weight shows that it holds "
                    "channels",
                    given=f"{each.name}: {each.shape}",
                    expected="a module that takes more samples on the last axis",
                    fix="the part of the module that does",
                )

    def refuse_training(self) -> None:
        """Refuse a module in training mode whose output depends on it."""
        axes = next(self._choices())
        made: list[NDArray[np.float64] | None] = []
        for mode in (False, True):
            self.module.train(mode)
            try:
                made.append(self.plain(axes, self._length(axes)).made)
            except ForwardError:
                made.append(None)
        self.module.eval()
        one, other = made
        is_same = one is not None and other is not None and np.array_equal(one, other)
        if not is_same:
            raise ArgumentError(
                "the module is in training mode, and its output depends on that",
                given="module.training=True",
                expected="evaluation mode",
                fix="module.eval()",
            )


def _has_weights(step: Step) -> bool:
    """Return whether a step has weights that fix how many channels there are."""
    if step.kind == "opaque":
        return bool(getattr(step.fields.get("run"), "is_module", False))
    return step.kind in ("convolution", "matmul", "normalisation")


def _restore(module: Any, own: Any) -> None:
    object.__delattr__(module, "forward")
    if own is not None:
        object.__setattr__(module, "forward", own)


def _outputs(torch: Any, made: Any) -> str:
    """Return what could be asked for, in words."""
    if isinstance(made, Mapping):
        return "one of " + ", ".join(repr(str(key)) for key in list(made)[:8])
    if isinstance(made, list | tuple):
        kinds = [str(number) for number, each in enumerate(made) if isinstance(each, torch.Tensor)]
        return "output=" + " or ".join(kinds[:8]) if kinds else "a tensor"
    return "a tensor, or a tuple, dict or record of tensors"


def _steps(run: Run, length: int) -> list[int]:
    """Return by how much the second run may be longer: what strides divide comes first."""
    strides = _strides(run)
    whole = prod(strides)
    step = whole if whole <= 2 * length else lcm(*strides)
    tried = [step, 2 * step, 4 * step, length] if step > 1 else [1, 2, 4, 8, length]
    return list(dict.fromkeys(each for each in tried if each <= 4 * length))


def _strides(run: Run) -> list[int]:
    """Return the strides of the convolutions that make fewer samples."""
    return [
        int(trace.fields["stride"])
        for trace in run.traces
        if trace.kind == "convolution"
        and not trace.fields["transposed"]
        and trace.fields["stride"] > 1
    ]


def _refuse_timeless(record: Recording) -> None:
    shapes = [each[record.output] for each in record.shapes]
    if time_axis(shapes) is None:
        raise ShapeError(
            "the output is no signal: it is as long for a longer input",
            given=f"shape {shapes[0]}",
            expected="an output of which one axis is time",
            fix="output=, or the part of the module that makes a signal",
        )
