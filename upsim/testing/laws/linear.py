"""Laws of linearity and time: superposition, shifts, impulses, edges, the adjoint."""

from __future__ import annotations

import numpy as np

from upsim.layers.base import Branch, Layer, LinearLayer
from upsim.testing.laws.comparison import agree, margin, probe, room
from upsim.testing.laws.law import law
from upsim.testing.laws.subject import is_linear, operator_of

_OF = (LinearLayer, Branch)


@law(of=_OF, when=is_linear, formula="A(2 x - 3 y) = 2 A x - 3 A y", source="the definition")
def linearity(layer: Layer, channels: int) -> None:
    """Check that a weighted sum of inputs gives the weighted sum of the outputs."""
    operator = operator_of(layer, channels)
    length = 3 * room(operator)
    one, other = probe(channels, length), probe(channels, length, seed=1)
    within = margin(8 * np.abs(one) + 8 * np.abs(other), operator)
    for name, run in (("apply", operator.apply), ("periodic", operator.periodic)):
        agree(
            run(2 * one - 3 * other),
            2 * run(one) - 3 * run(other),
            within=within,
            what=f"{name} of a weighted sum",
        )
        silent = run(np.zeros((channels, length)))
        agree(silent, np.zeros_like(silent), within=0.0, what=f"{name} of silence")


@law(
    of=_OF,
    when=is_linear,
    formula="x[m - D] -> y[n - U], U / D the rate",
    source="Vaidyanathan 1993, section 10.1: LPTV systems",
)
def time_shift(layer: Layer, channels: int) -> None:
    """Check that an input that comes one block later gives the output one block later."""
    operator = operator_of(layer, channels)
    up, down = operator.up, operator.down
    period = probe(channels, 6 * down)
    later = operator.periodic(np.roll(period, down, axis=1))
    within = margin(period, operator)
    agree(
        later,
        np.roll(operator.periodic(period), up, axis=1),
        within=within,
        what=f"one period, {down} samples later",
    )
    # Finite: the content stays away from both ends, so that the edges see zeros.
    away = room(operator)
    for step in (down, 2 * down):
        samples = np.zeros((channels, 2 * away + 6 * down))
        samples[:, away : away + 3 * down] = probe(channels, 3 * down)
        moved = operator.apply(np.roll(samples, step, axis=1))
        shift = step // down * up
        agree(
            moved[:, shift:],
            operator.apply(samples)[:, : moved.shape[1] - shift],
            within=within,
            what=f"finite input, {step} samples later",
        )


@law(
    of=_OF,
    when=is_linear,
    formula="A = [A e_0, A e_1, ...]",
    source="the columns of a matrix are the images of the unit vectors",
)
def impulses(layer: Layer, channels: int) -> None:
    """Check that the finite matrix has the responses to unit impulses as its columns."""
    operator = operator_of(layer, channels)
    length = 2 * room(operator) + operator.down
    matrix = operator.matrix(length).toarray()
    units = np.eye(channels * length).reshape(-1, channels, length)
    columns = np.stack([operator.apply(unit).reshape(-1) for unit in units], axis=1)
    agree(columns, matrix, within=margin(np.ones(1), operator), what="apply on impulses and matrix")


@law(
    of=_OF,
    when=is_linear,
    formula="y_finite[n] = y_periodic[n] where n sees 0 <= m < length only",
    source="the finite map is a banded block-Toeplitz matrix; only its edges differ",
)
def edges(layer: Layer, channels: int) -> None:
    """Check that away from its ends a finite output is the output for the periodic input."""
    operator = operator_of(layer, channels)
    length = 2 * room(operator) + 4 * operator.down
    samples = probe(channels, length)
    finite, endless = operator.apply(samples), operator.periodic(samples)
    first, last = operator.support()
    count = min(finite.shape[1], endless.shape[1])
    blocks, phases = np.divmod(np.arange(count), operator.up)
    low, high = blocks * operator.down + first[phases], blocks * operator.down + last[phases]
    inside = (low >= 0) & (high < length)
    if not inside.any():
        raise AssertionError("no output sample is free of the edges, although the input is long")
    agree(
        finite[:, :count][:, inside],
        endless[:, :count][:, inside],
        within=margin(samples, operator),
        what="finite and periodic output away from the ends",
    )


@law(
    of=_OF,
    when=is_linear,
    formula="<A x, y> = <x, A* y>",
    source="Claerbout, Earth Soundings Analysis (1992): the dot-product test",
)
def adjoint(layer: Layer, channels: int) -> None:
    """Check that the adjoint passes the dot-product test and is the transposed finite matrix."""
    operator = operator_of(layer, channels)
    back = operator.adjoint()
    inputs = probe(channels, 5 * operator.down)
    outputs = probe(operator.out_channels, 5 * operator.up, seed=1)
    returned = back.periodic(outputs)
    if returned.shape != inputs.shape:
        raise AssertionError(f"the adjoint returns {returned.shape}, not {inputs.shape}")
    agree(
        float(np.sum(operator.periodic(inputs) * outputs)),
        float(np.sum(inputs * returned)),
        within=margin(4 * np.abs(inputs), operator, more=outputs.size + inputs.size),
        what="<A x, y> and <x, A* y>",
    )
    if operator.padding_mode != "zeros" or getattr(operator, "coverage", None) is not None:
        return
    total = operator.length(2 * room(operator) + operator.down)
    length = back.length(total)
    if operator.length(length) == total:
        agree(
            back.matrix(total).toarray(),
            operator.matrix(length).toarray().T,
            within=0.0,
            what="the adjoint's matrix and the transposed matrix",
        )


@law(
    of=_OF,
    when=is_linear,
    formula="A_{n m} = 0 unless first <= m <= last",
    source="the definition of the support",
)
def support(layer: Layer, channels: int) -> None:
    """Check that an output sample depends on no input sample outside its declared support."""
    operator = operator_of(layer, channels)
    away = room(operator)
    length = 2 * away + operator.down
    block = away // operator.down
    first, last = operator.support()
    total = operator.length(length)
    matrix = operator.matrix(length).toarray().reshape(-1, total, channels, length)
    for phase in range(operator.up):
        sample = block * operator.up + phase
        if sample >= total:
            continue
        seen = np.flatnonzero(matrix[:, sample].any(axis=(0, 1))) - block * operator.down
        if seen.size and (seen.min() < first[phase] or seen.max() > last[phase]):
            raise AssertionError(
                f"phase {phase} sees input samples {seen.min()} to {seen.max()}, "
                f"declared are {first[phase]} to {last[phase]}"
            )
