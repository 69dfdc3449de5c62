"""Laws between the forms of one operator: polyphase, blocked, folded."""

from __future__ import annotations

import numpy as np

from upsim.errors import NotPredictableError
from upsim.layers.base import Branch, Layer, LinearLayer
from upsim.layers.convolution import Conv
from upsim.layers.interpolation import Nearest, Stretch
from upsim.layers.samples import Decimate
from upsim.operators import Operator, PolyphaseMatrix, StretchFIR
from upsim.testing.laws.comparison import agree, margin, probe, room, tiled_alike
from upsim.testing.laws.law import law
from upsim.testing.laws.subject import is_linear, operator_of

_OF = (LinearLayer, Branch)


def placed_taps(operator: StretchFIR) -> dict[tuple[int, ...], float]:
    """Return the taps that are not zero, by (out, in, position)."""
    dense = operator.dense_taps()
    return {
        (int(o), int(c), int(n) - operator.crop[0]): float(dense[o, c, n])
        for o, c, n in np.argwhere(dense)
    }


def placed_blocks(operator: PolyphaseMatrix) -> dict[tuple[int, ...], float]:
    """Return the weights that are not zero, by (delay, out, phase, in, part)."""
    return {
        (int(j) + operator.first, *map(int, rest)): float(operator.blocks[j, *rest])
        for j, *rest in np.argwhere(operator.blocks)
    }


def _same_run(one: Operator, other: Operator, name: str) -> None:
    samples = probe(one.in_channels, 3 * room(one))
    within = margin(samples, one)
    if getattr(one, "coverage", None) is None:  # only its own form divides near the ends
        agree(other.apply(samples), one.apply(samples), within=within, what=f"apply, {name}")
    periods = tiled_alike(other.periodic(samples), one.periodic(samples))
    agree(*periods, within=within, what=f"periodic, {name}")
    span = one.up * other.up
    agree(other.offset_samples(span), one.offset_samples(span), within=0.0, what=f"offset, {name}")
    if not one.length.agrees_with(other.length):
        raise AssertionError(f"length law, {name}: {one.length} and {other.length}")


@law(
    of=_OF,
    when=is_linear,
    formula="h -> P_j = h[j L + i] -> h",
    source="Vaidyanathan 1993, section 4.3: polyphase components",
)
def polyphase_round_trip(layer: Layer, channels: int) -> None:
    """Check that the polyphase matrix is the same map, and turns back into the same taps."""
    operator = operator_of(layer, channels)
    matrix = operator.polyphase()
    _same_run(operator, matrix, "stretch-FIR and polyphase")
    try:
        back = matrix.stretch_fir()
    except NotPredictableError:
        if isinstance(operator, StretchFIR):
            raise AssertionError(
                "the polyphase form of a stretch-FIR refuses to turn back"
            ) from None
        return
    _same_run(operator, back, "polyphase and back")
    if isinstance(operator, StretchFIR) and placed_taps(back) != placed_taps(operator):
        raise AssertionError("the taps that come back from the polyphase form are others")


@law(
    of=_OF,
    when=is_linear,
    formula="P(z) -> r x r pseudocirculant of P's parts -> P(z)",
    source="Vaidyanathan 1993, section 10.1.2: pseudocirculants",
)
def blocking(layer: Layer, channels: int) -> None:
    """Check that longer blocks are the same map, and reduce to the same smallest block, exactly."""
    matrix = operator_of(layer, channels).polyphase()
    smallest = placed_blocks(matrix.reduced())
    for ratio in (2, 3):
        longer = matrix.blocked(ratio)
        if (longer.up, longer.down) != (ratio * matrix.up, ratio * matrix.down):
            raise AssertionError(f"blocked({ratio}) has up={longer.up}, down={longer.down}")
        _same_run(matrix, longer, f"in blocks {ratio} times as long")
        if placed_blocks(longer.reduced()) != smallest:
            raise AssertionError(f"blocked({ratio}).reduced() is not the smallest block")


def _partners(channels: int) -> list[tuple[str, Operator]]:
    """Return plain maps that a layer is folded with: up, down, and a filter that mixes channels."""
    weight = probe(channels * channels, 3, seed=7).reshape(channels, channels, 3)
    mixing = Conv(channels, channels, 3, bias=np.arange(channels) + 1.0, weight=weight)
    layers: list[LinearLayer] = [mixing, Stretch(2), Nearest(3), Decimate(2)]
    return [(type(each).__name__, each.operator(channels)) for each in layers]


@law(
    of=_OF,
    when=is_linear,
    formula="(A then B) x = B (A x); H(z) then a stretch by M = the stretch, then H(z^M)",
    source="Vaidyanathan 1993, section 4.2: the noble identities",
)
def folding(layer: Layer, channels: int) -> None:
    """Check that a layer folded with a neighbour gives what the two give in turn."""
    operator = operator_of(layer, channels)
    pairs = [(operator, other, f"then {name}") for name, other in _partners(operator.out_channels)]
    pairs += [(other, operator, f"after {name}") for name, other in _partners(channels)]
    for one, other, name in pairs:
        check_folding(one, other, name)


def check_folding(first: Operator, second: Operator, name: str) -> None:
    """Compare ``first.then(second)`` with the two in turn, on one period and on finite inputs."""
    folded = first.then(second)
    period = probe(first.in_channels, 2 * folded.down)
    within = margin(period, first, second)
    between = first.periodic(period)
    agree(
        *tiled_alike(folded.periodic(period), second.periodic(between)),
        within=within,
        what=f"one period, {name}",
    )
    offset = second.periodic(first.offset_samples(2 * first.up * second.down))
    offset = offset + second.offset_samples(offset.shape[1])
    agree(
        *tiled_alike(folded.offset_samples(folded.up * offset.shape[1]), offset),
        within=margin(first.offset_samples(first.up), second),
        what=f"the offset, {name}",
    )
    away = room(folded) + room(first) * (1 + room(second))
    away = -(-away // folded.down) * folded.down
    samples = np.zeros((first.in_channels, 2 * away + period.shape[1]))
    samples[:, away : away + period.shape[1]] = period
    agree(
        folded.apply(samples),
        second.apply(first.apply(samples)),
        within=within,
        what=f"a finite input with silent ends, {name}",
    )
