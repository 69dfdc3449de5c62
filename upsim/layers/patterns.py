"""Layers of one value by the sums that they are: a line, corners, a wave, a smooth function.

See :mod:`~upsim.layers.algebra` for the sums.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from upsim.layers.activations import (
    ELU,
    GELU,
    Clamp,
    LeakyReLU,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Sin,
    Snake,
    SnakeBeta,
    Softplus,
    Tanh,
)
from upsim.layers.algebra import ALIKE, Monomial, Sum, constant_of, read, sum_of
from upsim.layers.base import Array, Layer
from upsim.layers.channels import Scale
from upsim.layers.samples import Bias

_X: Monomial = ((("x", 0), 1),)


def layer_of(total: Sum, alike: float = ALIKE) -> Layer | None:
    """Return the layer that a sum of one value is, its constants to a relative error ``alike``."""
    for rule in (_affine, _corners, _wave, _smooth):
        found = rule(total, alike)
        if found is not None:
            return found
    return None


def plain(values: Array) -> float | Array:
    """Return a number, or one a channel."""
    return float(values.flat[0]) if values.size == 1 or np.all(values == values.flat[0]) else values


def is_number(values: Any, wanted: float, alike: float = ALIKE) -> bool:
    """Return whether all values are one number, to rounding; 0 only where they are 0."""
    return bool(np.allclose(values, wanted, rtol=alike, atol=0))


def _affine(total: Sum, _: float) -> Layer | None:
    if not set(total) <= {(), _X} or _X not in total:
        return None
    scale, bias = plain(total[_X]), plain(total.get((), np.zeros(())))
    if np.all(scale == 1) and np.any(bias):
        return Bias(bias)
    return Scale(scale, bias=bias)


def _parts(total: Sum) -> tuple[Sum, list[tuple[tuple[Any, ...], int, Array]]] | None:
    """Return the affine part of a sum, and its other terms if each is a power of one atom."""
    affine, others = {}, []
    for monomial, factor in total.items():
        if monomial in ((), _X):
            affine[monomial] = factor
        elif len(monomial) == 1:
            others.append((*monomial[0], factor))
        else:
            return None
    return affine, others


def _line(affine: Sum) -> tuple[Array, Array]:
    """Return slope and offset of an affine sum."""
    return affine.get(_X, np.zeros(())), affine.get((), np.zeros(()))


def _corners(total: Sum, alike: float) -> Layer | None:
    """Return a rectifier or a clamp: straight lines that meet where ``relu(x - c)`` bends."""
    parts = _parts(total)
    if parts is None or not parts[1] or any(each[0] != "relu" for each, *_ in parts[1]):
        return None
    slope, offset = _line(parts[0])
    bends = []
    for each, count, factor in parts[1]:
        inner = read(each[1])
        if count != 1 or not set(inner) <= {(), _X} or not is_number(inner.get(_X, 0.0), 1.0):
            return None
        bends.append((-inner.get((), np.zeros(())), factor))
    if len(bends) == 1 and not np.any(bends[0][0]) and not np.any(offset):
        if not is_number(slope + bends[0][1], 1.0, alike):
            return None
        below = plain(slope)
        if isinstance(below, float):
            return LeakyReLU(below) if below else ReLU()
        return PReLU(below.size, weight=below)
    if any(np.size(each) > 1 for bend in bends for each in bend) or np.size(slope) > 1:
        return None
    ends = sorted((float(corner), float(factor)) for corner, factor in bends)
    low = ends[0][0] if ends[0][1] == 1 else None
    high = ends[-1][0] if ends[-1][1] == -1 else None
    if len(ends) != (low is not None) + (high is not None):
        return None
    # low + relu(x - low) - relu(x - high), or x - relu(x - high).
    straight = 1.0 if low is None else 0.0
    if not is_number(slope, straight) or not is_number(offset, low or 0.0):
        return None
    return Clamp(low, high)


def _wave(total: Sum, alike: float) -> Layer | None:
    """Return a snake, ``x + c sin^2(a x)``, or a sine."""
    parts = _parts(total)
    if parts is None or len(parts[1]) != 1:
        return None
    (each, count, factor) = parts[1][0]
    slope, offset = _line(parts[0])
    if each[0] != "sin" or not np.all(factor):
        return None
    inner = read(each[1])
    if not set(inner) <= {(), _X} or _X not in inner:
        return None
    frequency, phase = _line(inner)
    if count == 1 and not np.any(slope) and not np.any(offset):
        return Sin(plain(frequency), plain(factor), plain(phase))
    if count != 2:
        return None
    if not np.any(slope) and np.allclose(offset, -0.5 * factor, rtol=alike, atol=0):
        # a cosine: A cos u = A - 2 A sin^2(u / 2)
        return Sin(plain(2 * frequency), plain(offset), plain(2 * phase + 0.5 * np.pi))
    if np.any(phase) or np.any(offset) or not is_number(slope, 1.0, alike):
        return None
    beta = 1 / factor
    if np.allclose(beta, frequency, rtol=alike, atol=0):
        return Snake(plain(frequency))
    return SnakeBeta(plain(frequency), plain(beta))


def _smooth(total: Sum, alike: float) -> Layer | None:
    """Return an activation without parameters that are one a channel, by its own sum."""
    for candidate, own in _candidates(total):
        if _same(total, own, alike):
            return candidate
    return None


def _candidates(total: Sum) -> Iterator[tuple[Layer, Sum]]:
    """Yield activations with the sums that they are."""
    for layer, steps in (
        (Tanh(), [("tanh", "x0")]),
        (Sigmoid(), [("sigmoid", "x0")]),
        (SiLU(), [("sigmoid", "x0"), ("multiply", "x0", "s0")]),
        (GELU(), [("gelu", "x0")]),
        (GELU("tanh"), [("gelu_tanh", "x0")]),
        (
            GELU("sigmoid"),
            [("multiply", "x0", 1.702), ("sigmoid", "s0"), ("multiply", "x0", "s1")],
        ),
    ):
        yield layer, sum_of(steps)
    # Those with a parameter: as the atom has it.
    parts = _parts(total)
    for each, count, factor in () if parts is None else parts[1]:
        if count != 1 or each[0] not in ("elu", "softplus"):
            continue
        values = [constant_of(read(text)) for text in each[2:]]
        if any(value is None or value.ndim for value in values) or np.ndim(factor):
            continue
        if each[0] == "elu" and factor == 1:
            alpha = float(values[0])  # type: ignore[arg-type]
            yield ELU(alpha), sum_of([("elu", "x0", alpha)])
        if each[0] == "softplus":
            # softplus(b x) / b; torch's own has b inside.
            beta, threshold = (float(value) for value in values)  # type: ignore[arg-type]
            scale = read(each[1]).get(_X, np.zeros(()))
            if beta == 1 and scale.ndim == 0 and scale > 0 and is_number(factor * scale, 1.0):
                own = [("multiply", "x0", float(scale)), ("softplus", "s0", beta, threshold)]
                own.append(("multiply", "s1", float(factor)))
                yield Softplus(float(scale), threshold), sum_of(own)
            elif factor == 1:
                yield Softplus(beta, threshold), sum_of([("softplus", "x0", beta, threshold)])


def _same(one: Sum, other: Sum, alike: float) -> bool:
    """Return whether two sums have the same terms and, to rounding, the same coefficients."""
    if len(one) != len(other):
        return False
    left, right = _flat(one), _flat(other)
    if left[0] != right[0] or len(left[1]) != len(right[1]):
        return False
    return all(
        np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=alike, atol=0)
        for a, b in zip(left[1], right[1], strict=True)
    )


def _flat(total: Sum) -> tuple[str, list[Array]]:
    """Return the shape of a sum as text without its numbers, and the numbers in that order."""
    items = sorted(
        ((_flat_monomial(each), factor) for each, factor in total.items()),
        key=lambda item: item[0][0],
    )
    text, numbers = "", []
    for (own, inner), factor in items:
        text += f"[{own}]"
        numbers += [factor, *inner]
    return text, numbers


def _flat_monomial(monomial: Monomial) -> tuple[str, list[Array]]:
    found: list[tuple[str, list[Array]]] = []
    for each, count in monomial:
        if each[0] == "x":
            found.append((f"x{each[1]}^{count}", []))
            continue
        inner = [_flat(read(part)) for part in each[1:]]
        found.append(
            (
                f"{each[0]}({','.join(text for text, _ in inner)})^{count}",
                [n for _, numbers in inner for n in numbers],
            )
        )
    found.sort(key=lambda item: item[0])
    return "*".join(text for text, _ in found), [n for _, numbers in found for n in numbers]
