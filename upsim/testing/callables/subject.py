"""A callable with all that is known of it, run on arrays (batch, channels, time)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from upsim.errors import ArgumentError, ArgumentTypeError
from upsim.layers.base import Layer
from upsim.network.graph import Graph
from upsim.operators.operator import Real
from upsim.testing.callables.broken import BrokenLawError
from upsim.testing.callables.frameworks import FRAMEWORKS, Framework, framework_of, runnable
from upsim.testing.callables.layouts import (
    LAYOUTS,
    axes_of_layout,
    has_batch,
    laid_out,
    layout_named,
    read_back,
)
from upsim.testing.callables.limit import OutOfTimeError, Patience
from upsim.testing.laws.subject import default_channels
from upsim.testing.profile import seconds_of, seeds_of
from upsim.words.arguments import finite_number, plain_fraction, shown, whole_number
from upsim.words.tolerance import probable, rounding

#: The longest input on which a callable may refuse to run before it is said not to run at all.
_LONGEST_TRY = 512

#: Inner sums of a callable are not known: so many roundings for each that its output shows.
_INNER = 16

#: Roundings of a kernel value that a callable works out for itself: a polynomial or sine, a window,
#: two quotients, each elementary function good to 4 u.
_EVALUATION = 48

#: Significand bits by the size of a number, the leading one counted.
_SIGNIFICAND = {2: 11, 4: 24, 8: 53}

#: bfloat16 and TF32 products have fewer bits than their containers.
_COARSE = {"torch.bfloat16": 8}


@dataclass(eq=False)
class Subject:
    """A callable under test.

    Made by :func:`subject`; laws take it as their one argument.

    Parameters
    ----------
    function : callable
        Takes one array and returns one.
    factor : Fraction
        Output samples per input sample.
    channels : int
        Channels in.
    framework : Framework
    layout : str
        Found by trying where it was not told.
    like : Layer or Graph, optional
        What the callable should be.
    groups : int
        Groups of channels that must not see each other.
    gain : float, optional
        What a constant 1 should leave as, on the average over the phases.
    patience : Patience
        The time that all calls may take together.
    seeds : int
        Random inputs that a law tries.
    """

    function: Any
    factor: Fraction
    channels: int
    framework: Framework
    layout: str
    like: Layer | Graph | None = None
    groups: int = 1
    gain: float | None = None
    patience: Patience = field(default_factory=lambda: Patience(60.0))
    seeds: int = 3
    batched: bool = True
    #: What was seen to happen to an input that the callable was given.
    changed_input: str = ""
    #: Set once a call did not return: no other is tried.
    over: BrokenLawError | None = None
    bits: int = 53
    #: Of the arrays that it is given: single precision where it refuses double.
    dtype: type = np.float64

    @property
    def up(self) -> int:
        """Output samples after which the callable should repeat itself."""
        return self.factor.numerator

    @property
    def down(self) -> int:
        """Input samples after which the callable should repeat itself."""
        return self.factor.denominator

    @property
    def called(self) -> str:
        """The callable's name, for a person."""
        name = getattr(self.function, "__qualname__", None) or type(self.function).__name__
        return str(name)[:80]

    # --- running

    def run(self, samples: Real, *, dtype: type | None = None) -> Real:
        """Return what the callable makes of samples (batch, channels, time), as float64.

        Raises BrokenLawError with the name of the law that its behaviour breaks.
        """
        dtype = dtype or self.dtype
        if not has_batch(self.layout) or not self.batched:
            single = [self._call(each[None], dtype) for each in samples]
            if len({each.shape for each in single}) > 1:
                raise BrokenLawError(
                    "length", f"inputs of {samples.shape[2]} samples give {_shapes(single)}"
                )
            return np.concatenate(single)
        return self._call(samples, dtype)

    def _call(self, samples: Real, dtype: type) -> Real:
        given = laid_out(np.ascontiguousarray(samples, dtype=dtype), self.layout)
        made, kept = self._answer(given)
        array = self._read(made, given.shape)
        if kept:
            self.changed_input = kept
        found = read_back(array, self.layout)
        if has_batch(self.layout) and found.shape[0] != samples.shape[0]:
            raise BrokenLawError(
                "runs",
                f"input of shape {given.shape} ({self.layout}) gives {array.shape}: "
                f"{samples.shape[0]} in a batch become {found.shape[0]}",
            )
        return found

    def _answer(self, given: Real) -> tuple[Any, str]:
        """Return the raw answer, and what happened to the input, "" if nothing."""
        where = f"input of shape {given.shape}"

        def call() -> tuple[Any, str]:
            tensor = self.framework.tensor(given, self.function)
            before = np.array(self.framework.array(tensor))
            with self.framework.calling():
                made = runnable(self.function)(tensor)
            return made, _changed(before, self.framework.array(tensor), where)

        if self.over is not None:
            raise self.over
        try:
            return self.patience.call(call)
        except OutOfTimeError as error:
            left = "" if error.ended else " (it is left behind, still running)"
            said = f"{where}: no answer within {error.seconds:.3g} s{left}"
            self.over = BrokenLawError("runs", said, ends=True)
            raise self.over from None
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            said = " ".join(str(error).split())[:300]
            raise BrokenLawError(
                "runs", f"{where}: it raises {type(error).__name__}: {said}"
            ) from error

    def _read(self, made: Any, given: tuple[int, ...]) -> Real:
        where = f"input of shape {given}"
        if not self.framework.is_tensor(made) and not isinstance(made, np.ndarray):
            raise BrokenLawError(
                "runs",
                f"{where}: it returns {_kind(made)}, expected one array of {self.framework.name}",
            )
        try:
            array = np.asarray(made) if isinstance(made, np.ndarray) else self.framework.array(made)
        except Exception as error:  # noqa: BLE001 - whatever a framework raises is reported
            said = " ".join(str(error).split())[:200]
            raise BrokenLawError("runs", f"{where}: its answer cannot be read: {said}") from None
        axes = axes_of_layout(self.layout)
        if array.ndim != axes:
            raise BrokenLawError(
                "runs",
                f"{where} gives shape {array.shape}, expected {axes} axes ({self.layout})",
            )
        if array.dtype.kind != "f":
            raise BrokenLawError(
                "runs", f"{where} gives numbers of type {array.dtype}, expected real floating point"
            )
        if not np.isfinite(array).all():
            wrong = np.argwhere(~np.isfinite(array))[0]
            place = tuple(int(each) for each in wrong)
            raise BrokenLawError(
                "runs", f"finite {where} gives {array[tuple(wrong)]} at {place} of {array.shape}"
            )
        self.bits = min(self.bits, _bits_of(made, array))
        return np.asarray(array, dtype=np.float64)

    # --- what is found once

    @cached_property
    def least(self) -> int:
        """The fewest input samples, in whole blocks, for which the callable gives an answer."""
        count, failures = self.down, []
        while count <= max(_LONGEST_TRY, 4 * self.down):
            try:
                if self.run(np.zeros((1, self.channels, count))).shape[2]:
                    return count
                failures.append(BrokenLawError("runs", f"{count} samples in give no sample out"))
            except BrokenLawError as error:
                if error.ends:
                    raise
                failures.append(error)
            count += self.down if count < 16 * self.down else count // self.down // 2 * self.down
        # What is said of the longest input is no matter of length: said of the shortest, if it is
        # the same.
        kinds = ["".join(filter(str.isalpha, each.what)) for each in failures]
        raise failures[kinds.index(kinds[-1])]

    @cached_property
    def out_channels(self) -> int:
        """Channels out, of the shortest input."""
        return int(self.run(np.zeros((1, self.channels, self.least))).shape[1])

    def offset(self, length: int) -> Real:
        """Return what the callable makes of silence, (out, samples)."""
        return np.asarray(self.run(np.zeros((1, self.channels, length)))[0])

    def probes(self, length: int, count: int = 0) -> Iterator[Real]:
        """Yield whole-number inputs (channels, length) from -4 to 4, the same for every run."""
        for seed in range(count or self.seeds):
            rng = np.random.default_rng((seed, self.channels, length))
            yield rng.integers(-4, 5, (self.channels, length)).astype(np.float64)

    def margin(self, scale: float, terms: int) -> float:
        """Return how far two right answers may lie apart.

        The bound of a sum of ``terms`` products, in the callable's own precision: ``rounding``, for
        which a unit that is ``2^b`` times larger counts like ``2^b`` times the operations, or
        ``probable``, which is smaller where the terms are many.
        """
        operations = _INNER * terms + _EVALUATION
        coarser = 2 ** (53 - self.bits)
        bounds = rounding(operations * coarser, scale), coarser * probable(operations, scale)
        return float(min(bounds))


def _changed(before: Real, after: Real, where: str) -> str:
    if before.shape == after.shape and np.array_equal(before, after, equal_nan=True):
        return ""
    if before.shape != after.shape:
        return f"{where} has shape {after.shape} after the call"
    place = tuple(int(each) for each in np.argwhere(before != after)[0])
    return f"{where}: {before[place]} at {place} is {after[place]} after the call"


def _shapes(arrays: list[Real]) -> str:
    return " and ".join(str(shape) for shape in sorted({each.shape[1:] for each in arrays}))


def _kind(value: object) -> str:
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return "None" if value is None else f"an object of type {type(value).__name__}"


def _bits_of(made: object, array: Real) -> int:
    """Return the significand bits in which an answer was computed, as far as its type says."""
    coarse = _COARSE.get(str(getattr(made, "dtype", "")), 53)
    device = getattr(made, "device", None)
    if getattr(device, "type", "") == "cuda" and array.dtype == np.float32:
        import sys

        backends = sys.modules["torch"].backends
        if backends.cudnn.allow_tf32 or backends.cuda.matmul.allow_tf32:
            coarse = 11
    return min(coarse, _SIGNIFICAND.get(array.dtype.itemsize, 53))


def subject(
    function: Any,
    factor: object = None,
    channels: object = None,
    *,
    layout: str | None = None,
    like: Layer | Graph | None = None,
    groups: int = 1,
    gain: float | None = None,
    framework: Framework | None = None,
    time_limit: float | None = None,
    seeds: int | None = None,
) -> Subject:
    """Return a callable as the laws take it.

    Parameters
    ----------
    function : callable
        Takes one array and returns one: a module of torch, a layer of Keras, a function of JAX or
        NumPy, or a layer or graph of upsim.
    factor : int or Fraction
        Output samples per input sample.
    channels : int
        Channels in.
    layout : str, optional
        "channels-first" (batch, channels, time), "channels-last" (batch, time, channels), or the
        axes by name: "channels time", "time channels", "time".  Found by trying if it is not told.
    like : Layer or Graph, optional
        What the callable should be.
    groups : int
        Groups of channels that must not see each other.
    gain : float, optional
        What a constant 1 should leave as.
    framework : Framework, optional
        Its adapter; found by the callable's type and code if it is not told.
    time_limit : float, optional
        Seconds that all calls may take together.
    seeds : int, optional
        Random inputs that a law tries.  Both are the profile's by default.

    Examples
    --------
    >>> subject(lambda x: np.repeat(x, 2, axis=1), 2).layout
    'batch time channels'
    """
    known = isinstance(function, Layer | Graph)
    if isinstance(function, type) or not (callable(function) or known):
        raise ArgumentTypeError(
            "only layers and callables are checked",
            given=shown(function),
            expected="an upsim layer, or a callable that takes an array",
            fix=f"with brackets and arguments: {function.__name__}(...)"
            if isinstance(function, type)
            else "",
        )
    if like is not None and not isinstance(like, Layer | Graph):
        raise ArgumentTypeError(
            "like must be an upsim layer",
            given=f"like={shown(like)}",
            expected="a layer, or a stack of them",
            fix="like=upsim.Nearest(2)",
        )
    if like is not None and not like.is_drawn:
        raise ArgumentError(
            "like must have numbers for weights",
            given=f"like={shown(like)}",
            expected="the weights that the callable has",
            fix="weight=numpy.asarray(...)",
        )
    model = like if like is not None else function if known else None
    rate = _factor_of(factor, model)
    count = whole_number(_channels_of(channels, model), "channels")
    if framework is None:
        framework = FRAMEWORKS["numpy"] if known else framework_of(function)
    if not isinstance(framework, Framework):
        raise ArgumentTypeError(
            "framework must be a Framework", given=f"framework={shown(framework)}"
        )
    groups = whole_number(groups, "groups")
    if count % groups:
        raise ArgumentError(
            "channels must be a multiple of groups",
            given=f"channels={count}, groups={groups}",
            fix="groups=1",
        )
    made = Subject(
        function,
        rate,
        count,
        framework,
        framework.layout if layout is None else layout_named(layout),
        like,
        groups,
        None if gain is None else finite_number(gain, "gain"),
        Patience(seconds_of(time_limit)),
        seeds_of(seeds),
    )
    if not known:
        _settle(made, told=layout is not None)
    return made


def _settle(made: Subject, *, told: bool) -> None:
    """Find layout and precision, by trying."""
    first = made.layout
    for dtype in (np.float64, np.float32):
        made.dtype, made.layout = dtype, first
        if not told:
            made.layout = _layout_found(made)
        try:
            made.run(np.zeros((1, made.channels, 16 * made.down)))
        except BrokenLawError as error:
            if error.ends:
                return
            continue
        return
    made.dtype = np.float64


def _factor_of(factor: object, model: Layer | Graph | None) -> Fraction:
    if factor is None:
        if model is not None:
            return model.rate
        raise ArgumentError(
            "a callable does not say its factor",
            given="factor=None",
            expected="output samples per input sample",
            fix="factor=2",
        )
    return plain_fraction(factor) or Fraction(whole_number(factor, "factor"))


def _channels_of(channels: object, model: Layer | Graph | None) -> object:
    if channels is not None or model is None:
        return 1 if channels is None else channels
    if isinstance(model, Graph):
        return model.in_channels
    return default_channels(model)


def _layout_found(made: Subject) -> str:
    """Return the first layout in which two inputs leave with the right growth in time."""
    said = getattr(made.function, "data_format", None)
    if said in ("channels_first", "channels_last"):
        return layout_named(said)
    first = [made.layout] + [each for each in LAYOUTS if each != made.layout]
    runs = []
    for layout in first:
        if layout == "time" and made.channels > 1:
            continue
        made.layout = layout
        try:
            verdict = _fits(made)
        except BrokenLawError as error:
            if error.ends:
                break
            continue
        if verdict:
            return layout
        runs.append(layout)
    return runs[0] if runs else first[0]


def _fits(made: Subject) -> bool:
    # Three numbers that no factor confuses: 3 in the batch, and times far from the channels.
    short = 24 * made.down + made.channels
    less, more = (
        made.run(np.zeros((3, made.channels, count))).shape[2]
        for count in (short, short + made.down)
    )
    return bool(more - less == made.up)
