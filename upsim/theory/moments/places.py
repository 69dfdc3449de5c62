"""Where random values come from, and so how any two of them covary.

Every value of a network is a place: an input, or an operator, an activation or a merging of
earlier places.  The covariance of two places is found by going back from the later one: linear
steps and mergings are exact, an activation is the Gaussian closure.  Two activations of different
branches are taken together, so that what they have in common is not lost.  Inputs are independent,
so places that no common input reaches have nothing in common.  Thus all values that are alive are
carried jointly, and a sum after an activation needs no independence.

Each covariance is first walked through as a window (:mod:`~upsim.theory.moments.lag_window`):
whether all pairs of channels fit the memory that is allowed, or each channel by itself, or nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Generic, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError, TooLargeError
from upsim.network.signals import Signal
from upsim.operators import Operator, StretchFIR
from upsim.theory.moments.autocovariance import Autocovariance, cut_autocovariance
from upsim.theory.moments.covariance import Covariance
from upsim.theory.moments.lag_window import LagWindow, LagWindows, answered_samples
from upsim.theory.moments.merging import share
from upsim.theory.moments.per_channel import IndependentCovariance, filters_each
from upsim.theory.moments.rules import Covariances, Nonlinearity, Rules
from upsim.theory.moments.transfer import Rows
from upsim.words.arguments import MEMORY_BUDGET

Array = NDArray[np.float64]
Record = TypeVar("Record")
Pair = tuple["Place", "Place"]

#: Asks for the covariances of pairs, is sent each, and returns one.
Asking = Generator[Pair, Record, Record]

#: Bytes of the pieces of work that a rule goes through; they do not grow with the question.
PIECES = 32 * 2**20

#: Arrays of the largest window's size that a rule makes on the way to its answer.
WORK = 5

#: Numbers that the moments of a layer take a phase and channel: a gate's coefficients, on the way.
MOMENTS = 3 * 84


class Place(ABC):
    """A random signal somewhere in a network, its mean left out.

    Attributes
    ----------
    parents : tuple of Place
    channels : int
    rate : Fraction
        In Hz.
    starts : tuple of Start
        The inputs with noise that reach it.
    depth : int
        Steps from the inputs along the longest way.
    terms : int
        Products and sums that are added for one sample, along the longest way.
    activations : int
        Activations along the way with the most of them.
    levelled : bool
        Whether a level that was taken as certain has scaled it on the way.
    budget : float
        Bytes that all covariances may take together.
    """

    depth: int
    terms: int
    activations: int
    levelled: bool
    budget: float

    @property
    def down(self) -> int:
        """Samples of its parent after which what the place does repeats itself."""
        return 1

    def __init__(self, parents: tuple[Place, ...], channels: int, rate: Fraction) -> None:
        self.parents = parents
        self.channels = channels
        self.rate = rate
        self.starts: tuple[Start, ...] = tuple(
            dict.fromkeys(start for parent in parents for start in parent.starts)
        )
        self.depth = 1 + max((parent.depth for parent in parents), default=-1)
        self.terms = max((parent.terms for parent in parents), default=0)
        self.activations = max((parent.activations for parent in parents), default=0)
        self.levelled = any(parent.levelled for parent in parents)
        self.budget = parents[0].budget if parents else float(MEMORY_BUDGET)

    @cached_property
    def ancestors(self) -> frozenset[Place]:
        """All places that this one was made of; found without a deep recursion."""
        found: set[Place] = set()
        waiting = list(self.parents)
        while waiting:
            place = waiting.pop()
            if place not in found:
                found.add(place)
                waiting += place.parents
        return frozenset(found)

    @cached_property
    def plan(self) -> Plan:
        """What the covariance will take; refused if it fits in no form."""
        settled = [place for place in self.ancestors if "plan" in vars(place)]
        # Each is kept, and with it the moments of the layer that asked for it.
        held = sum(place.plan.kept for place in settled)
        forms = [True] if any(place.plan.per_channel for place in settled) else [False, True]
        for per_channel in forms:
            rules = LagWindows(per_channel=per_channel)
            first = _Walk(rules, _window)
            window = first.between(self, self)
            # Once more, as it will be: what is needed no more is dropped.
            walk = _Walk(rules, _window, first.asked)
            walk.between(self, self)
            # All pairs are asked to fit together, dropped or not: that also bounds the time.
            most = walk.most if per_channel else first.most
            moments = 8 * MOMENTS * window.phases * self.channels
            total = held + most + max(WORK * rules.largest, moments)
            if total <= self.budget:
                kept = rules.bytes_of(window) + moments
                return Plan(per_channel, window, first.asked, kept, total)
        raise TooLargeError(
            f"the covariances of {self.channels} channels would need {total / 2**20:.1f} MiB",
            given=f"each channel by itself, the least form: {window.phases} phases by "
            f"{window.width} lags",
            expected=f"at most {max(self.budget, 0) / 2**20:.1f} MiB beside lines and density",
            fix="upsim.measure(stack, signal), a run with errors, predict(..., memory=<bytes>) "
            "for more, upsim.predict(stack.upto(n)) for the layers before, "
            "upsim.predict(stack, upsim.Constant(1.0)) for exact lines, or the "
            "stack before draw() for its expectation",
        )

    @cached_property
    def covariance(self) -> Covariance:
        """The autocovariance."""
        rules = Covariances(per_channel=self.plan.per_channel)

        def kept(place: Place) -> Covariance | None:
            return rules.kept(place.covariance) if "covariance" in vars(place) else None

        # What passes the largest number is refused below, not warned of.
        with np.errstate(over="ignore", invalid="ignore"):
            found = _Walk(rules, kept, self.plan.asked).between(self, self)
        if not np.all(np.isfinite(found.lagged(0))):
            raise NotPredictableError(
                "the power of the noise is not finite",
                given=f"{self.channels} channels",
                expected="variances below the largest number, 1.8e308",
                fix="smaller weights, or upsim.WhiteNoise(1.0) for the signal",
            )
        return found

    @cached_property
    def averaged(self) -> Array:
        """Each channel's autocovariance, averaged over time: (2 D + 1, C), lags -D to D."""
        return self.covariance.averaged()

    @property
    def halves(self) -> Covariance | None:
        """The covariance of channel c of the first half and of the second, for independent ones.

        None where nothing is known of it.
        """
        return None

    def between_halves(self) -> Array:
        """Return ``Cov(x_c[p], x_{c + C / 2}[p])``: carriers and what opens them, (P, C / 2)."""
        own, half = self.covariance, self.channels // 2
        if not isinstance(own, IndependentCovariance):
            channels = np.arange(half)
            return own.lagged(0)[:, channels, half + channels]
        shared = self.halves
        return np.zeros((1, half)) if shared is None else shared.lagged(0)[:, 0]

    @abstractmethod
    def with_other(self, other: Place, walk: _Walk[Record]) -> Asking[Record]:
        """Return the covariance with a place that does not come later, by one step back."""

    def answered(self, first: int, last: int) -> tuple[int, int]:
        """Return between which samples here those between two of the first parent are answered."""
        return first, last

    @property
    def linear(self) -> bool:
        """Whether the inputs reach it through operators and mergings alone."""
        return not (self.activations or self.levelled)

    @property
    def per_channel(self) -> bool:
        """Whether its channels are taken as independent, which gives no density."""
        return not self.linear and self.plan.per_channel

    def rows_back(self, rows: Rows) -> list[tuple[Place, Rows]] | None:
        """Return what rows here are at the parents; None where filters become too long."""
        raise NotPredictableError(
            "rows go back through operators and mergings alone", given=type(self).__name__
        )


@dataclass(frozen=True)
class Plan:
    """How a covariance is worked out.

    Parameters
    ----------
    per_channel : bool
        Whether channels are taken as independent.
    window : LagWindow
        What it will fill.
    asked : Counter
        How often each covariance on the way is needed.
    kept : int
        Bytes of the covariance, and of the moments of a layer that asks for it.
    total : int
        Bytes of all that is held while it is worked out, earlier covariances included.
    """

    per_channel: bool
    window: LagWindow
    asked: Counter[Pair]
    kept: int
    total: int


def _window(place: Place) -> LagWindow | None:
    """Return the window of a place whose covariance is planned already."""
    return place.plan.window if "plan" in vars(place) else None


class _Walk(Generic[Record]):
    """Goes back through places; each pair is worked out once, and dropped when it was last needed.

    Parameters
    ----------
    rules : Rules
    kept : callable
        What is known of a place already.
    needed : Counter, optional
        How often each pair will be asked for; without it nothing is dropped.

    Attributes
    ----------
    asked : Counter
        How often each pair was.
    most : int
        The most bytes that were held at once.
    """

    def __init__(
        self,
        rules: Rules[Record],
        kept: Callable[[Place], Record | None],
        needed: Counter[Pair] | None = None,
    ) -> None:
        self.rules, self._kept = rules, kept
        self._left = None if needed is None else needed.copy()
        self._known: dict[Pair, Record] = {}
        self._steps: list[list[Pair]] = []
        self.asked: Counter[Pair] = Counter()
        self._held = self.most = 0

    def between(self, first: Place, second: Place) -> Record:
        """Return the covariance of two places.

        What a pair asks for waits on a list of our own, so that no depth is too deep.
        """
        open_pairs = [self._worked(first, second)]
        answer: Any = None
        while open_pairs:
            try:
                asked = open_pairs[-1].send(answer)
            except StopIteration as done:
                open_pairs.pop()
                answer = done.value
            else:
                open_pairs.append(self._worked(*asked))
                answer = None
        return cast("Record", answer)

    def _worked(self, first: Place, second: Place) -> Asking[Record]:
        """Work out a pair, asking for others."""
        pair = (first, second)
        self.asked[pair] += 1
        if self._steps:
            self._steps[-1].append(pair)
        if pair not in self._known:
            self._steps.append([])
            found = self._kept(first) if first is second else None
            if found is None and not any(start in second.starts for start in first.starts):
                found = self.unrelated(first, second)
            elif found is None and second.depth > first.depth:
                found = self.rules.transposed((yield (second, first)))
            elif found is None:
                found = yield from first.with_other(second, self)
            self._known[pair] = found
            self._held += self.rules.bytes_of(found)
            self.most = max(self.most, self._held)
            for used in self._steps.pop():
                self._drop(used)
        return self._known[pair]

    def _drop(self, pair: Pair) -> None:
        """Let go of a pair that is not asked for again."""
        if self._left is not None:
            self._left[pair] -= 1
            if not self._left[pair]:
                self._held -= self.rules.bytes_of(self._known.pop(pair))

    def unrelated(self, first: Place, second: Place) -> Record:
        """Return nothing in common."""
        return self.rules.unrelated(first.channels, second.channels, second.rate / first.rate)


class Start(Place):
    """An input: the noise of its signal, independent of that of all others.

    A signal without noise makes a value that nothing random has reached.
    """

    def __init__(
        self, signal: Signal, channels: int, rate: Fraction, budget: float = MEMORY_BUDGET
    ) -> None:
        super().__init__((), channels, rate)
        self.signal = signal
        self.budget = budget
        if signal.has_noise(channels, rate):
            self.starts = (self,)

    @cached_property
    def autocovariance(self) -> Autocovariance:
        """Lags -D to D of the noise."""
        return cut_autocovariance(self.signal, self.channels, self.rate)

    def level(self, turns: Array) -> Array:
        """Return the two-sided density per Hz, (channels, F), at cycles per sample."""
        found = self.signal.density(turns * float(self.rate), self.channels, self.rate)
        return np.zeros((self.channels, turns.size)) if found is None else found

    def with_other(self, other: Place, walk: _Walk[Record]) -> Asking[Record]:
        """Return the autocovariance: nothing else comes as early."""
        yield from ()
        return walk.rules.start(self.autocovariance.lags)


class Filtered(Place):
    """An operator's output."""

    def __init__(self, parent: Place, operator: Operator) -> None:
        super().__init__((parent,), operator.out_channels, parent.rate * operator.length.rate)
        self.operator = operator
        self.terms += operator.terms + 1

    @property
    def down(self) -> int:
        """Input samples after which the operator repeats itself."""
        return self.operator.down

    def with_other(self, other: Place, walk: _Walk[Record]) -> Asking[Record]:
        """Apply the operator to one side or to both."""
        (parent,) = self.parents
        if other is self:
            return walk.rules.on_both_sides((yield (parent, parent)), self.operator)
        if walk.rules.per_channel and not filters_each(self.operator):
            # A sum over independent channels has little in common with any one of them.
            return walk.unrelated(self, other)
        return walk.rules.on_the_left((yield (parent, other)), self.operator)

    def answered(self, first: int, last: int) -> tuple[int, int]:
        """Return the samples that the operator makes of them."""
        return answered_samples(self.operator, first, last)

    def rows_back(self, rows: Rows) -> list[tuple[Place, Rows]] | None:
        """Carry the rows through the operator."""
        before = rows.before(self.operator)
        return None if before is None else [(self.parents[0], before)]

    @cached_property
    def halves(self) -> Covariance | None:
        """What two outputs of the operator have in common by its inputs."""
        (parent,) = self.parents
        operator = self.operator
        if not filters_each(operator):
            return IndependentCovariance.of(parent.covariance).halves_through(operator)
        return None if parent.halves is None else _channel_by_channel(parent.halves, operator)


class Activated(Place):
    """The output of an activation or a gate."""

    def __init__(self, parent: Place, function: Nonlinearity) -> None:
        super().__init__((parent,), function.channels, parent.rate)
        self.function = function
        self.activations += 1

    def with_other(self, other: Place, walk: _Walk[Record]) -> Asking[Record]:
        """Map one side or both."""
        (parent,) = self.parents
        rules, mine = walk.rules, self.function
        if other is self:
            own = yield (parent, parent)
            return rules.activated(own, mine, lambda: parent.halves)
        if other in self.ancestors:
            if rules.per_channel and mine.gate:
                return walk.unrelated(self, other)
            return rules.left_activated((yield (parent, other)), mine)
        if not isinstance(other, Activated):
            return rules.transposed((yield from other.with_other(self, walk)))
        if rules.per_channel and (
            mine.gate != other.function.gate or mine.channels != other.channels
        ):
            return walk.unrelated(self, other)
        between = yield (parent, other.parents[0])
        return rules.both_activated(between, mine, other.function)


class Scaled(Place):
    """Each channel times a gain that repeats, ``gains`` (P, C): what LayerNorm's level does."""

    def __init__(self, parent: Place, gains: Array) -> None:
        super().__init__((parent,), parent.channels, parent.rate)
        self.gains = gains
        self.levelled = True

    def with_other(self, other: Place, walk: _Walk[Record]) -> Asking[Record]:
        """Scale one side or both."""
        (parent,) = self.parents
        if other is self:
            return walk.rules.scaled((yield (parent, parent)), self.gains, self.gains)
        return walk.rules.scaled((yield (parent, other)), self.gains, None)


class Merged(Place):
    """Where branches meet: "sum", "mean" or "concatenate"."""

    def __init__(self, parts: Sequence[Place], merging: str) -> None:
        counts = [part.channels for part in parts]
        whole = sum(counts) if merging == "concatenate" else counts[0]
        super().__init__(tuple(parts), whole, parts[0].rate)
        self.merging = merging
        if merging != "concatenate":
            self.terms += len(parts) - 1

    def with_other(self, other: Place, walk: _Walk[Record]) -> Asking[Record]:
        """Merge what each part has in common with the other."""
        rules, parts = walk.rules, self.parents
        if self.merging == "concatenate":
            if not rules.per_channel:
                return rules.stacked((yield from _each([(part, other) for part in parts])))
            if other is self:
                return rules.stacked((yield from _each([(part, part) for part in parts])))
            return walk.unrelated(self, other)
        if rules.per_channel and other.channels != self.channels:
            return walk.unrelated(self, other)
        return rules.added((yield from _each([(part, other) for part in parts])), self.share)

    @property
    def share(self) -> float:
        """What each part is multiplied by."""
        return share(self.merging, len(self.parents))

    def rows_back(self, rows: Rows) -> list[tuple[Place, Rows]]:
        """Give each part its rows: those of its channels where channels are stacked."""
        found, first = [], 0
        for part in self.parents:
            last = first + part.channels
            found.append((part, rows.part(slice(first, last), self.share)))
            first = last if self.merging == "concatenate" else 0
        return found


def _each(pairs: Sequence[Pair]) -> Generator[Pair, Record, list[Record]]:
    """Ask for several pairs."""
    found = []
    for pair in pairs:
        found.append((yield pair))  # noqa: PERF401 - a comprehension cannot ask
    return found


def _channel_by_channel(halves: Covariance, operator: Operator) -> Covariance:
    """Return the covariance of halves behind an operator that filters each channel by itself."""
    half = operator.out_channels // 2
    assert isinstance(operator, StretchFIR)
    sides = [
        StretchFIR(
            operator.taps[part],
            operator.factor,
            down=operator.down,
            dilation=operator.dilation,
            groups=half,
            crop=operator.crop,
        )
        for part in (slice(half), slice(half, None))
    ]
    behind = halves.through(sides[1]).transposed()
    return behind.through(sides[0]).transposed()
