"""The witness as it is run here: layer by layer, on one period or on all samples.

A period is run on a circle: each linear layer is fed the period again and again, as long as its
taps reach, and one period is read where they see no end.  That is the shortest run which holds the
steady state.  Activations need the period alone, and so do normalisations: the statistics of one
period are those of a long signal.  An opaque node is fed the period ever more often, until its
output stays as it is.

Beside the samples goes the running bound of their rounding, evaluated on them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import gcd, lcm

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError, ShapeError
from upsim.layers.base import Activation, Layer, Normalisation, Unmodelled
from upsim.network.graph import Graph
from upsim.network.node import Node
from upsim.network.walk import walk
from upsim.neural.backends import Backend, backend_of
from upsim.neural.branches import merged
from upsim.operators import Operator, StretchFIR
from upsim.operators.rounding import running_error
from upsim.words.arguments import refuse_beyond_memory
from upsim.words.tolerance import Precision, probable

Array = NDArray[np.float64]

#: Random signs with which the errors before an activation are tried.
_TRIALS = 4

#: How often an opaque node is fed its period.
TURNS = tuple(5 * 3**power for power in range(7))

#: Input samples that a layer may be offered before it is left to say that they are too few.
LONGEST = 2**24


@dataclass(frozen=True, eq=False)
class Seen:
    """What the witness made at one place.

    Parameters
    ----------
    samples : array (rows, channels, time)
        One period, or a whole finite signal; rows are runs side by side.
    error : array (channels,)
        How far rounding may have put them from another computation.
    """

    samples: Array
    error: Array

    @property
    def size(self) -> Array:
        """The largest magnitude of each channel, (channels,)."""
        return np.asarray(np.abs(self.samples).max(axis=(0, 2), initial=0.0))


class Witness:
    """What runs a layer on NumPy arrays: a backend, by its name or itself, and a precision."""

    def __init__(self, backend: str | Backend, dtype: Precision) -> None:
        self.backend, self.dtype = backend_of(backend, dtype=dtype), dtype
        self.name = self.backend.name

    @classmethod
    def of(cls, backend: Backend) -> Witness:
        """Return the witness that a backend is."""
        return cls(backend, backend.epsilon)

    def __call__(self, layer: Layer, samples: Array) -> Array:
        """Return the layer's output for samples (rows, channels, time), in double precision."""
        with self.backend.running():
            return self.backend.numpy(self.backend.layer(layer, self.backend.array(samples)))


@dataclass(frozen=True, eq=False)
class Run:
    """What the witness made of an input, at every place.

    Parameters
    ----------
    places : list of Seen
        By value number, the inputs first.
    output : int
        The number of the value that is the output.
    off : list of str
        Layers whose output was not as long as their length law says, each with both lengths.
    """

    places: list[Seen]
    output: int
    off: list[str]

    @property
    def end(self) -> Seen:
        """The output."""
        return self.places[self.output]


def run_period(
    stack: Graph,
    periods: Sequence[Array],
    witness: Witness,
    parts: Callable[[str], Array] | None = None,
) -> Run:
    """Return one period of the steady state at every place.

    Parameters
    ----------
    stack : Stack or Graph
    periods : sequence of array (rows, channels, time)
        One period of each input.
    witness : Witness
    parts : callable, optional
        For linear stacks: the name of a layer to the factor of its bias in each row, (rows,).
    """
    off: list[str] = []

    def layer(node: Node, operator: Operator | None, given: Seen) -> Array:
        if operator is None:
            return _on_a_period(node.layer, given.samples, witness)
        if parts is None:
            return on_a_circle(node, operator, given.samples, witness, off)
        # One more row of silence shows the bias alone.
        rows = np.concatenate([given.samples, np.zeros_like(given.samples[:1])])
        made = on_a_circle(node, operator, rows, witness, off)
        bias = made[-1:]
        return np.asarray(made[:-1] - bias + parts(node.name)[:, None, None] * bias)

    return Run(_run(stack, periods, witness, layer, circular=True), stack.end, off)


def run_samples(stack: Graph, inputs: Sequence[Array], witness: Witness) -> Run:
    """Return the output for finite samples (channels, time) at each input, edges included."""
    off: list[str] = []

    def layer(node: Node, _: Operator | None, given: Seen) -> Array:
        made = witness(node.layer, given.samples)
        _compare_lengths(node, given.samples, made, off)
        return made

    starts = [each[None] for each in inputs]
    return Run(_run(stack, starts, witness, layer, circular=False), stack.end, off)


def run_circles(
    stack: Graph,
    starts: Sequence[Array],
    witness: Witness,
    show: Callable[[int, Array], None],
) -> list[str]:
    """Run whole circles (rows, channels, time) of each input, without bounds of their rounding.

    ``show`` is called with the number and the samples of each value.  Returns the layers whose
    output was not as long as their length law says.
    """
    off: list[str] = []

    def rule(node: Node, given: Sequence[Array]) -> Array:
        operator = stack.operators[node.output - len(stack.inputs)]
        if node.merging:
            made = np.asarray(merged(node.merging, list(given)), dtype=np.float64)
        elif operator is None:
            made = _on_a_period(node.layer, given[0], witness)
        else:
            made = on_a_circle(node, operator, given[0], witness, off)
        show(node.output, made)
        return made

    for number, samples in enumerate(starts):
        show(number, samples)
    walk(stack, list(starts), rule, forget=np.zeros((0, 0, 0)))
    return off


def _run(
    stack: Graph,
    starts: Sequence[Array],
    witness: Witness,
    perform: Callable[[Node, Operator | None, Seen], Array],
    *,
    circular: bool,
) -> list[Seen]:
    def start(samples: Array) -> Seen:
        # The samples of a sine, and their rounding to the witness's precision.
        size = np.abs(samples).max(axis=(0, 2), initial=0.0)
        return Seen(samples, probable(4, 1.0, witness.dtype) * size)

    operators = {
        node.output: operator for node, operator in zip(stack.nodes, stack.operators, strict=True)
    }

    def rule(node: Node, given: Sequence[Seen]) -> Seen:
        if node.merging:
            return _merged(given, node.merging, witness, circular=circular)
        operator = operators[node.output]
        made = perform(node, operator, given[0])
        error = _error(node.layer, operator, given[0], made, witness, circular=circular)
        return Seen(made, error)

    return walk(stack, [start(each) for each in starts], rule)


def _merged(given: Sequence[Seen], merging: str, witness: Witness, *, circular: bool) -> Seen:
    """Return places where branches meet; periods of different lengths are repeated first."""
    samples = [place.samples for place in given]
    if circular:
        whole = lcm(*(each.shape[2] for each in samples))
        samples = [np.tile(each, (1, 1, whole // each.shape[2])) for each in samples]
    made = np.asarray(merged(merging, samples), dtype=np.float64)
    errors = [place.error for place in given]
    if merging == "concatenate":
        return Seen(made, np.concatenate(errors))
    total = np.hypot.reduce(errors) / (len(given) if merging == "mean" else 1)
    sizes = np.sum([place.size for place in given], axis=0)
    return Seen(made, np.hypot(total, probable(len(given), 1.0, witness.dtype) * sizes))


def on_a_circle(
    node: Node, operator: Operator, samples: Array, witness: Witness, off: list[str]
) -> Array:
    """Return one period behind a linear layer, of one period (rows, channels, time) before it."""
    layer = node.layer
    assert layer is not None
    circle = Circle.of(operator, layer, samples.shape[2])
    while True:
        refuse_beyond_memory(
            2
            * samples.shape[0]
            * (samples.shape[1] * circle.length + operator.out_channels * circle.count),
            f"the run of {node.title}",
            fix="upsim.verify(stack.upto(1), signal)",
        )
        index = (np.arange(circle.length) + circle.start) % samples.shape[2]
        try:
            made = witness(layer, samples[:, :, index])
            break
        except ShapeError:
            # A reflection asks for more samples than the layer's taps.
            circle = circle.longer()
            if circle.length > LONGEST:
                raise
    _compare_lengths(node, samples[:, :, index], made, off)
    return made[:, :, circle.begin : circle.begin + circle.count]


@dataclass(frozen=True)
class Circle:
    r"""How a linear layer is run on a circle: what it is fed, and what is kept of it.

    Output block ``b`` sees the inputs ``b D + first`` to ``b D + last``.  So the first ``s`` blocks
    are left out, with :math:`s D \ge -\mathrm{first}`, and the input ends no earlier than the last
    block's ``last``.  The input is turned by ``s D`` samples, so that the block read first is the
    one at time 0.

    Parameters
    ----------
    start, length : int
        The first sample on the circle that is fed, and how many are.
    begin, count : int
        The first sample of the output that is kept, and how many are.
    """

    start: int
    length: int
    begin: int
    count: int

    @classmethod
    def of(cls, operator: Operator, layer: Layer, given: int) -> Circle:
        """Return the circle for a period of ``given`` input samples."""
        up, down = operator.up, operator.down
        own = 1 if operator.offset is None else operator.offset.shape[1]
        # Blocks of one output period: whole periods of the input, and of a periodic bias.
        blocks = lcm(lcm(given, down) // down, own // gcd(own, up))
        first, last = seen_by(operator)
        spared = -(-max(0, -first) // down)
        spared = -(-spared * up // lcm(own, up)) * (lcm(own, up) // up)
        begin, count = spared * up, blocks * up
        length = max(spared + blocks, spared + blocks - 1 + last // down + 1) * down
        while (short := begin + count - _made(layer, length)) > 0:
            length += -(-short // up) * down
        return cls(-spared * down, length, begin, count)

    def longer(self) -> Circle:
        """Return the same with twice as much fed."""
        return replace(self, length=2 * self.length)


def seen_by(operator: Operator) -> tuple[int, int]:
    """Return the first and last input sample that the first output block may see.

    Of a polyphase matrix all blocks count, those of zeros too: to look further costs a little, to
    search the zeros costs more.
    """
    if isinstance(operator, StretchFIR):
        firsts, lasts = operator.support()
        sees = lasts >= firsts
        return (int(firsts[sees].min()), int(lasts[sees].max())) if sees.any() else (0, 0)
    matrix = operator.polyphase()
    count, down = matrix.blocks.shape[0], matrix.down
    return -(matrix.first + count - 1) * down, -matrix.first * down + down - 1


def _made(layer: Layer, length: int) -> int:
    """Return how many samples a layer makes; none where the input is too short for it."""
    try:
        return layer.output_length(length)
    except ShapeError:
        return 0


def _compare_lengths(node: Node, given: Array, made: Array, off: list[str]) -> None:
    expected = node.layer.output_length(given.shape[2])
    if made.shape[2] != expected:
        off.append(f"{node.title}: {made.shape[2]} samples, not {expected}")


def _error(
    layer: Layer,
    operator: Operator | None,
    given: Seen,
    made: Array,
    witness: Witness,
    *,
    circular: bool,
) -> Array:
    """Return the running bound of rounding behind a layer, (channels,)."""
    if operator is not None:
        period = given.samples.shape[2] if circular else None
        return running_error(operator, given.size, given.error, period=period, dtype=witness.dtype)
    assert isinstance(layer, Activation | Normalisation | Unmodelled)
    return _tried(layer, given, made, witness, _on_a_period if circular else _as_it_is)


def _as_it_is(layer: Layer, samples: Array, witness: Witness) -> Array:
    return witness(layer, samples)


def _on_a_period(layer: Layer, samples: Array, witness: Witness) -> Array:
    """Return one period behind a layer that is not linear."""
    if not isinstance(layer, Unmodelled):
        return witness(layer, samples)
    whole = np.tile(samples, lcm(samples.shape[2], layer.block[1]) // samples.shape[2])
    span = whole.shape[2] // layer.block[1] * layer.block[0]
    before: Array | None = None
    for turns in TURNS:
        refuse_beyond_memory(
            2 * whole.size * turns, "the run of an opaque node", fix="a signal of a shorter period"
        )
        made = witness(layer, np.tile(whole, turns))
        # As far from one end as from the other.
        first = (turns - 1) // 2 * span
        found = made[:, :, first : first + span]
        least = probable(made[0].size, 1.0, witness.dtype) * np.abs(made).max()
        if before is not None and np.abs(found - before).max() <= least:
            return found
        before = found
    raise NotPredictableError(
        "an opaque node does not settle",
        given=f"{TURNS[-1]} periods of {whole.shape[2]} samples",
        expected="a function that forgets",
    )


def _tried(
    layer: Layer,
    given: Seen,
    made: Array,
    witness: Witness,
    perform: Callable[[Layer, Array, Witness], Array],
) -> Array:
    """Return the error behind a layer that is not linear, by moving its input that far.

    All up, all down, half the channels up and half down (a gate's two halves), and random signs;
    the largest change counts.  The layer's own rounding is some roundings of what it is given and
    of what it makes; a mean over time is a sum of all samples.
    """
    samples = given.samples
    rows, channels, _ = samples.shape
    sums = samples[0].size if isinstance(layer, Normalisation | Unmodelled) else channels
    moved = given.error[:, None] + probable(sums + 8, 1.0, witness.dtype) * given.size[:, None]
    rng = np.random.default_rng(0)
    halves = np.where(np.arange(channels) < channels // 2, 1.0, -1.0)[:, None]
    signs = [np.ones((1, 1)), -np.ones((1, 1)), halves, -halves]
    largest = np.zeros(made.shape[1])
    for number in range(len(signs) + _TRIALS):
        sign = signs[number] if number < len(signs) else rng.choice((-1.0, 1.0), samples.shape[1:])
        change = perform(layer, samples + moved * sign, witness) - made
        np.maximum(largest, np.abs(change).max(axis=(0, 2)), out=largest)
    assert rows == made.shape[0]
    own = probable(8, 1.0, witness.dtype) * np.abs(made).max(axis=(0, 2))
    return np.asarray(largest + own)
