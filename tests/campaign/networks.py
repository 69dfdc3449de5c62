"""Random networks: a function of a seed and a number, so that any case can be made again alone.

A network is kept as nodes over numbered values, the form that the torch run walks, beside the
object that upsim is asked about.  Another kind of network is one more function beside
:func:`_stack` and :func:`_graph`, and one more entry of :data:`SHAPES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

import upsim
from upsim.layers import CATALOGUE
from upsim.layers.base import Activation, Branch, Layer, Normalisation
from upsim.operators.edges import PADDING_MODES

#: A network's rate stays between 1 / 8 and 48, so that its period stays short.
_MOST_UP, _MOST_DOWN = 48, 8

_RATE = 48000


@dataclass(frozen=True)
class Node:
    """A layer or a merging: the values that it reads; it makes the next value."""

    name: str
    layer: Layer | None
    reads: tuple[int, ...]
    merging: str = ""


@dataclass(frozen=True)
class Network:
    """What torch walks (nodes; the inputs are the first values) and what upsim is asked about."""

    nodes: tuple[Node, ...]
    channels: tuple[int, ...]  # of each input
    subject: upsim.Graph

    @property
    def rates(self) -> tuple[Fraction, ...]:
        """Output samples per sample of each input."""
        return tuple(self.subject.sample_rate / rate for rate in self.subject.input_rates)

    @property
    def is_linear(self) -> bool:
        """Whether no node is an activation or a normalisation over time."""
        return not any(isinstance(node.layer, Activation | Normalisation) for node in self.nodes)


def draw_network(seed: int, number: int) -> Network:
    """Return the network of a seed and a number."""
    rng = np.random.default_rng([seed, number])
    return SHAPES[rng.integers(len(SHAPES))](rng)


def nodes_of(layers: tuple[Layer, ...]) -> tuple[Node, ...]:
    """Return layers, branches and all, as nodes over values; value 0 is the input."""
    nodes: list[Node] = []
    _chain_nodes(layers, 0, "", nodes, 1)
    return tuple(nodes)


def _chain_nodes(
    layers: tuple[Layer, ...], value: int, prefix: str, nodes: list[Node], inputs: int
) -> int:
    for number, layer in enumerate(layers, 1):
        value = _one_node(layer, value, f"{prefix}{number}", nodes, inputs)
    return value


def _one_node(layer: Layer, value: int, name: str, nodes: list[Node], inputs: int) -> int:
    """Append a layer, or its branches and their merging; return the value that it makes."""
    if isinstance(layer, Branch):
        ends = [
            _chain_nodes(part, value, f"{name}.{branch}.", nodes, inputs)
            for branch, part in enumerate(layer.parts, 1)
        ]
        nodes.append(Node(name, None, tuple(ends), layer.merging))
    else:
        nodes.append(Node(name, layer, (value,)))
    return inputs + len(nodes) - 1


def _stack(rng: np.random.Generator) -> Network:
    """Return a chain of layers, blocks and branches in branches."""
    depth = _depth(rng)
    linear = rng.random() < 0.4
    made = _Maker(rng, linear=linear)
    first = channels = int(rng.choice([1, 2, 3, 4, 6, 8, 16]))
    rate = Fraction(1)
    layers: list[Layer] = []
    while len(layers) < depth:
        layer = made.layer(channels, deep=depth > 8)
        after = rate * layer.rate
        if after.numerator > _MOST_UP or after.denominator > _MOST_DOWN:
            continue
        wide = layer.channels_out(channels)
        if wide > 16:
            continue
        layers.append(layer)
        channels, rate = wide, after
    subject = upsim.Stack(layers, _RATE, in_channels=first)
    return Network(nodes_of(tuple(layers)), (first,), subject)


#: Input lengths at which values must be equally long before they may be merged.
_PROBES = (960, 1440)


@dataclass(frozen=True)
class _Value:
    """A value of a graph in the making: its rate to that of the first input, its two lengths."""

    name: str
    channels: int
    rate: Fraction
    lengths: tuple[int, ...]


def _graph(rng: np.random.Generator) -> Network:
    """Return a graph: one to three inputs at their own rates, shared values, skips that cross."""
    made = _Maker(rng, linear=rng.random() < 0.4)
    values = []
    for number in range(rng.integers(1, 4)):
        rate = Fraction(int(rng.choice([1, 1, 2, 3]))) if number else Fraction(1)
        lengths = tuple(int(each * rate) for each in _PROBES)
        values.append(_Value(f"in{number}", int(rng.choice([1, 2, 4, 8])), rate, lengths))
    inputs = {each.name: each.channels for each in values}
    parts: list[tuple[str, Layer, tuple[str, ...]]] = []
    depth = _depth(rng)
    while len(parts) < depth:
        name = f"node{len(parts)}"
        if rng.random() < 0.4 and (merged := _merged(rng, values, name)):
            added, value = merged
            parts += added
            values.append(value)
            continue
        # mostly the latest value, so that the graph is deep as well as wide
        back = min(int(rng.geometric(0.6)), len(values))
        read = values[-back]
        layer = made.layer(read.channels, deep=depth > 8)
        rate, wide = read.rate * layer.rate, layer.channels_out(read.channels)
        if wide > 16 or rate.numerator > _MOST_UP or rate.denominator > _MOST_DOWN:
            continue
        try:
            lengths = tuple(map(layer.output_length, read.lengths))
        except upsim.errors.ShapeError:
            continue
        parts.append((name, layer, (read.name,)))
        values.append(_Value(name, wide, rate, lengths))
    return _as_network(parts, inputs)


def _merged(
    rng: np.random.Generator, values: list[_Value], name: str
) -> tuple[list[tuple[str, Layer, tuple[str, ...]]], _Value] | None:
    """Return a merging of the latest value and others of its rate, cropped to one length."""
    last = values[-1]
    fitting = [
        each
        for each in values[:-1]
        if each.rate == last.rate
        and len({a - b for a, b in zip(each.lengths, last.lengths, strict=True)}) == 1
    ]
    how = [upsim.Add(), upsim.Average(), upsim.Concatenate()][rng.integers(3)]
    if not isinstance(how, upsim.Concatenate):
        fitting = [each for each in fitting if each.channels == last.channels]
    if not fitting:
        return None
    picked = rng.permutation(len(fitting))[: rng.integers(1, 3)]
    chosen = [last, *(fitting[each] for each in picked)]
    counts = [each.channels for each in chosen]
    wide = how.merged_channels(counts)
    if wide > 16:
        return None
    least = min(each.lengths[0] for each in chosen)
    parts: list[tuple[str, Layer, tuple[str, ...]]] = []
    reads = []
    for number, each in enumerate(chosen):
        reads.append(each.name)
        if each.lengths[0] > least:
            reads[-1] = f"{name}crop{number}"
            parts.append((reads[-1], upsim.Crop(0, each.lengths[0] - least), (each.name,)))
    parts.append((name, how, tuple(reads)))
    lengths = next(each.lengths for each in chosen if each.lengths[0] == least)
    return parts, _Value(name, wide, last.rate, lengths)


def _as_network(parts: list[tuple[str, Layer, tuple[str, ...]]], inputs: dict[str, int]) -> Network:
    """Keep what reaches the last node, and write it down in both forms."""
    needed, kept = {parts[-1][0]}, []
    for part in reversed(parts):
        if part[0] in needed:
            kept.append(part)
            needed.update(part[2])
    kept.reverse()
    heard = {name: count for name, count in inputs.items() if name in needed}
    places = {name: number for number, name in enumerate(heard)}
    nodes: list[Node] = []
    for name, layer, reads in kept:
        given = tuple(places[each] for each in reads)
        if len(given) > 1 or type(layer).__name__ in _MERGINGS:
            nodes.append(Node(name, None, given, _MERGINGS[type(layer).__name__]))
        else:
            _one_node(layer, given[0], name, nodes, len(heard))
        places[name] = len(heard) + len(nodes) - 1
    return Network(tuple(nodes), tuple(heard.values()), upsim.Graph(kept, heard, _RATE))


_MERGINGS = {"Add": "sum", "Average": "mean", "Concatenate": "concatenate"}

#: The ways to make a network, all equally likely.
SHAPES: tuple[Callable[[np.random.Generator], Network], ...] = (_stack, _graph)


def _depth(rng: np.random.Generator) -> int:
    """Return a depth: half of the networks are short, a fifth has 20 to 60 layers."""
    least, most = [(1, 6), (1, 6), (7, 20), (7, 20), (20, 60)][rng.integers(5)]
    return int(rng.integers(least, most + 1))


def leaves(layers: tuple[Layer, ...]) -> Iterator[Layer]:
    """Yield all layers but the branches themselves, each with what it wraps."""
    for layer in layers:
        if isinstance(layer, Branch):
            for part in layer.parts:
                yield from leaves(part)
        yield layer


class _Maker:
    """Draws one layer at a time, its weights with it."""

    def __init__(self, rng: np.random.Generator, *, linear: bool) -> None:
        self.rng = rng
        left = {"Residual", "Parallel"}
        nonlinear = {
            name for name, kind in CATALOGUE.items() if issubclass(kind, Activation | Normalisation)
        }
        self.activations = sorted(name for name in nonlinear if name in _PLAIN)
        self.linear = linear
        self.others = sorted(set(_PLAIN) - nonlinear - left)
        self.normalisations = ["GroupNorm", "InstanceNorm", "LayerNorm"]

    def layer(self, channels: int, *, deep: bool, nested: int = 0) -> Layer:
        """Return a layer for a place on the main path."""
        while True:
            kind = self.rng.random()
            if kind < (0.3 if deep else 0.1):
                return self.keeper(channels, nested)
            if kind < 0.5:
                found = self.one(self.rng.choice(self.others), channels)
            elif kind < 0.8 and not self.linear:
                found = self.nonlinear(channels)
            elif kind < 0.9:
                found = self.branches(channels, nested)
            else:
                found = self.one("TransposedConv", channels)
            if found is not None and not (deep and found.rate != 1 and self.rng.random() < 0.7):
                return found

    def nonlinear(self, channels: int) -> Layer | None:
        """Return an activation, or a normalisation one time in four."""
        names = self.normalisations if self.rng.random() < 0.25 else self.activations
        return self.one(self.rng.choice(names), channels)

    def one(self, name: str, channels: int) -> Layer | None:
        """Return a layer of the catalogue, None where it cannot take the channels."""
        return _PLAIN[str(name)](self.rng, channels)

    def keeper(self, channels: int, nested: int) -> Layer:
        """Return a layer that keeps channels and length."""
        kind = self.rng.integers(8)
        if kind == 0 and nested < 3:
            return self.branches(channels, nested)
        if kind in (1, 2, 3) and not self.linear:
            made = self.nonlinear(channels)
            if made is not None and made.channels_out(channels) == channels:
                return made
        if kind == 4:
            return upsim.Hold(int(self.rng.integers(1, 4)), int(self.rng.integers(1, 3)))
        if kind == 5:
            return _batch_norm(self.rng, channels)
        return self.same(channels, channels)

    def same(self, channels: int, out: int) -> Layer:
        """Return a convolution that keeps the length."""
        rng = self.rng
        count, dilation = int(rng.choice([1, 3, 5, 7, 11])), int(rng.choice([1, 1, 2, 3, 5]))
        groups = _groups(rng, channels, out)
        return upsim.Conv(
            channels,
            out,
            count,
            padding=dilation * (count // 2),
            dilation=dilation,
            groups=groups,
            bias=_bias(rng, out),
            padding_mode=str(rng.choice(["zeros", "zeros", "replicate"])),
            weight=_weight(rng, (out, channels // groups, count), channels // groups * count),
        )

    def chain(self, channels: int, nested: int, factor: int) -> list[Layer]:
        """Return keepers, with one upsampler by ``factor`` among them."""
        found: list[Layer] = [
            self.keeper(channels, nested + 1) for _ in range(self.rng.integers(0, 3))
        ]
        if factor > 1:
            found.insert(int(self.rng.integers(len(found) + 1)), self.upsampler(channels, factor))
        return found

    def upsampler(self, channels: int, factor: int) -> Layer:
        """Return a layer that makes ``factor n`` samples of ``n``."""
        rng = self.rng
        match rng.integers(4):
            case 0:
                return upsim.Nearest(factor)
            case 1:
                return upsim.Linear(factor, str(rng.choice(["half-pixel", "triangle"])))
            case 2:
                return upsim.Stretch(factor)
        padding = int(rng.integers(3))
        count = factor + 2 * padding
        return upsim.TransposedConv(
            channels,
            channels,
            count,
            factor,
            padding,
            bias=_bias(rng, channels),
            weight=_weight(rng, (channels, channels, count), channels * count / factor),
        )

    def branches(self, channels: int, nested: int) -> Layer:
        """Return a Residual, a Parallel, or a way down and up again beside a skip."""
        rng = self.rng
        factor = int(rng.choice([1, 1, 1, 2, 3])) if nested == 0 else 1
        kind = rng.integers(3)
        if kind == 0:
            skip = self.chain(channels, nested, factor) if factor > 1 or rng.random() < 0.3 else ()
            return upsim.Residual(*self.chain(channels, nested, factor), skip=skip)
        if kind == 1:
            count = int(rng.integers(1, 4))
            merge = str(rng.choice(["sum", "mean", "concatenate" if 2 * channels <= 16 else "sum"]))
            if nested:  # a branch keeps its channels
                merge = "mean"
            count = min(count, 16 // channels) if merge == "concatenate" else count
            chains = [self.chain(channels, nested, factor) for _ in range(max(1, count))]
            return upsim.Parallel(*chains, merge=merge)
        wide = int(rng.choice([1, 2, 4, 8]))
        down = upsim.Conv(
            channels,
            wide,
            4,
            2,
            1,
            bias=_bias(rng, wide),
            weight=_weight(rng, (wide, channels, 4), 4 * channels),
        )
        up = upsim.TransposedConv(
            wide,
            channels,
            4,
            2,
            1,
            bias=_bias(rng, channels),
            weight=_weight(rng, (wide, channels, 4), 2 * wide),
        )
        inner = [self.keeper(wide, nested + 1)] if nested < 2 else []
        return upsim.Residual(down, *inner, up)


def _weight(rng: np.random.Generator, shape: tuple[int, ...], fan: float) -> np.ndarray:
    """Return taps that keep the level: mostly Gaussian; dyadic, equal or zero now and then."""
    kind = rng.integers(12)
    if kind == 0:
        return np.full(shape, 1 / fan)
    if kind == 1:
        return rng.integers(-8, 9, shape) / 8 / max(1.0, np.sqrt(fan) / 2)
    if kind == 2:
        taps = rng.standard_normal(shape) / np.sqrt(fan)
        taps[rng.integers(shape[0])] = 0
        return taps
    return rng.standard_normal(shape) * rng.uniform(0.7, 1.3) / np.sqrt(fan)


def _bias(rng: np.random.Generator, count: int) -> np.ndarray | bool:
    return 0.3 * rng.standard_normal(count) if rng.random() < 0.6 else False


def _groups(rng: np.random.Generator, channels: int, out: int) -> int:
    both = [each for each in range(1, channels + 1) if channels % each == 0 == out % each]
    return int(rng.choice([1, 1, *both]))


def _out(rng: np.random.Generator, channels: int) -> int:
    return int(rng.choice([1, 2, 3, 4, 8, 16, channels, channels, channels]))


def _conv(rng: np.random.Generator, channels: int) -> Layer:
    out, count = _out(rng, channels), int(rng.integers(1, 8))
    groups, stride = _groups(rng, channels, out), int(rng.choice([1, 1, 1, 2, 3]))
    dilation = int(rng.choice([1, 1, 2, 3]))
    named = ["valid"] + (["same"] if stride == 1 else [])
    half = dilation * (count - 1) // 2
    return upsim.Conv(
        channels,
        out,
        count,
        stride,
        [half, half, int(rng.integers(4)), str(rng.choice(named))][rng.integers(4)],
        dilation,
        groups,
        _bias(rng, out),
        str(rng.choice(PADDING_MODES)),
        weight=_weight(rng, (out, channels // groups, count), channels // groups * count),
    )


def _transposed(rng: np.random.Generator, channels: int) -> Layer:
    out, stride = _out(rng, channels), int(rng.choice([1, 2, 2, 3, 4, 5]))
    count, dilation = int(rng.integers(1, 2 * stride + 5)), int(rng.choice([1, 1, 1, 2, 3]))
    groups = _groups(rng, channels, out)
    reach = dilation * (count - 1) + 1
    return upsim.TransposedConv(
        channels,
        out,
        count,
        stride,
        int(rng.choice([0, max(0, (reach - stride) // 2), rng.integers(4)])),
        int(rng.choice([0, rng.integers(max(stride, dilation))])),
        groups,
        _bias(rng, out),
        dilation,
        weight=_weight(
            rng, (channels, out // groups, count), max(1, channels // groups * count / stride)
        ),
    )


def _subpixel(rng: np.random.Generator, channels: int) -> Layer:
    out, factor, count = _out(rng, channels), int(rng.integers(1, 5)), int(rng.integers(1, 6))
    groups = _groups(rng, channels, out * factor)
    return upsim.SubpixelConv(
        channels,
        out,
        count,
        factor,
        padding=[count // 2, count // 2, "same", "valid"][rng.integers(4)],
        dilation=int(rng.choice([1, 1, 2])),
        groups=groups,
        bias=_bias(rng, out * factor),
        padding_mode=str(rng.choice(PADDING_MODES)),
        order=str(rng.choice(["torch", "tensorflow"])),
        weight=_weight(rng, (out * factor, channels // groups, count), channels // groups * count),
    )


def _weight_norm(rng: np.random.Generator, channels: int) -> Layer:
    inner = [_conv, _transposed, _subpixel][rng.integers(3)](rng, channels)
    norms = np.linalg.norm(inner.weight.reshape(inner.weight.shape[0], -1), axis=1)
    if not norms.all():
        return upsim.WeightNorm(inner)
    return upsim.WeightNorm(inner, gain=norms * rng.uniform(0.7, 1.4, norms.size))


def _batch_norm(rng: np.random.Generator, channels: int) -> Layer:
    return upsim.BatchNorm(
        channels,
        weight=rng.uniform(0.7, 1.3, channels),
        bias=0.2 * rng.standard_normal(channels),
        running_mean=0.2 * rng.standard_normal(channels),
        running_var=rng.uniform(0.5, 1.5, channels),
    )


def _affine(rng: np.random.Generator, channels: int) -> dict[str, np.ndarray]:
    if rng.random() < 0.3:
        return {}
    return {
        "weight": rng.uniform(0.5, 1.5, channels),
        "bias": 0.3 * rng.standard_normal(channels),
    }


def _group_norm(rng: np.random.Generator, channels: int) -> Layer:
    counts = [each for each in range(1, channels + 1) if channels % each == 0]
    return upsim.GroupNorm(int(rng.choice(counts)), channels, **_affine(rng, channels))


def _layer_norm(rng: np.random.Generator, channels: int) -> Layer | None:
    return upsim.LayerNorm(channels, **_affine(rng, channels)) if channels > 2 else None


def _per_channel(rng: np.random.Generator, channels: int) -> float | np.ndarray:
    many = rng.random() < 0.5
    return rng.uniform(0.4, 1.6, channels) if many else float(rng.uniform(0.4, 1.6))


def _even(kind: Callable[[], Layer]) -> Callable[[np.random.Generator, int], Layer | None]:
    return lambda rng, channels: None if channels % 2 else kind()  # noqa: ARG005


def _shuffle(rng: np.random.Generator, channels: int) -> Layer | None:
    factors = [each for each in (2, 3, 4) if channels % each == 0]
    if not factors:
        return None
    return upsim.PeriodicShuffle(int(rng.choice(factors)), str(rng.choice(["torch", "tensorflow"])))


def _sliced(rng: np.random.Generator, channels: int) -> Layer:
    stop = [None, -1, -2][rng.integers(3)]
    return upsim.Slice([None, 0, 1, 2][rng.integers(4)], stop, int(rng.choice([1, 1, 2, 3])))


def _decimated(rng: np.random.Generator, channels: int) -> Layer:
    factor = int(rng.integers(2, 4))
    return upsim.Decimate(factor, int(rng.integers(factor)))


def _sinc(rng: np.random.Generator, channels: int) -> Layer:
    return upsim.WindowedSinc(
        int(rng.integers(2, 4)),
        int(rng.integers(2, 9)),
        float(rng.choice([0.9, 0.945, 1.0])),
        str(rng.choice(["hann", "hamming", "blackman", "rectangular"])),
    )


#: For each layer but the branches: a function of random numbers and channels; None: it cannot.
_PLAIN: dict[str, Callable[[np.random.Generator, int], Layer | None]] = {
    "Conv": _conv,
    "TransposedConv": _transposed,
    "SubpixelConv": _subpixel,
    "WeightNorm": _weight_norm,
    "Stretch": lambda rng, _: upsim.Stretch(int(rng.integers(1, 5))),
    "Nearest": lambda rng, _: upsim.Nearest(int(rng.integers(1, 5))),
    "Linear": lambda rng, _: upsim.Linear(
        int(rng.integers(1, 5)), str(rng.choice(["half-pixel", "triangle"]))
    ),
    "Cubic": lambda rng, _: upsim.Cubic(int(rng.integers(1, 5)), float(rng.choice([-0.75, -0.5]))),
    "WindowedSinc": _sinc,
    "LearnedInterpolation": lambda rng, channels: upsim.LearnedInterpolation(
        channels, weight=rng.standard_normal(channels)
    ),
    "PeriodicShuffle": _shuffle,
    "HaarSynthesis": _even(upsim.HaarSynthesis),
    "LazyWaveletSynthesis": _even(upsim.LazyWaveletSynthesis),
    "Bias": lambda rng, channels: upsim.Bias(0.3 * rng.standard_normal(channels)),
    "Hold": lambda rng, _: upsim.Hold(int(rng.integers(1, 5)), int(rng.integers(1, 4))),
    "Crop": lambda rng, _: upsim.Crop(int(rng.integers(-3, 4)), int(rng.integers(-3, 4))),
    "Decimate": _decimated,
    "Slice": _sliced,
    "BatchNorm": _batch_norm,
    "GroupNorm": _group_norm,
    "InstanceNorm": lambda rng, channels: upsim.InstanceNorm(
        channels, affine=True, **_affine(rng, channels)
    ),
    "LayerNorm": _layer_norm,
    "ReLU": lambda *_: upsim.ReLU(),
    "LeakyReLU": lambda rng, _: upsim.LeakyReLU(float(rng.choice([0.01, 0.1, 0.2]))),
    "PReLU": lambda rng, channels: upsim.PReLU(channels, weight=rng.uniform(-0.2, 0.5, channels)),
    "ELU": lambda rng, _: upsim.ELU(float(rng.uniform(0.5, 1.5))),
    "GELU": lambda rng, _: upsim.GELU(str(rng.choice(["none", "tanh"]))),
    "Tanh": lambda *_: upsim.Tanh(),
    "Sigmoid": lambda *_: upsim.Sigmoid(),
    "SiLU": lambda *_: upsim.SiLU(),
    "Softplus": lambda rng, _: upsim.Softplus(float(rng.uniform(0.5, 2.0))),
    "GLU": _even(upsim.GLU),
    "Snake": lambda rng, channels: upsim.Snake(_per_channel(rng, channels)),
    "SnakeBeta": lambda rng, channels: upsim.SnakeBeta(
        _per_channel(rng, channels), _per_channel(rng, channels)
    ),
}

#: The layers that random networks hold.
KINDS = frozenset(_PLAIN) | {"Residual", "Parallel"}
