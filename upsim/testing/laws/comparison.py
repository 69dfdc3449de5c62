"""How far two computations may differ, derived from what was computed; zero wherever it can be."""

from __future__ import annotations

from math import ceil, frexp, log2, pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.layers.base import Normalisation
from upsim.operators import Operator
from upsim.operators.operator import Real
from upsim.words.tolerance import rounding

#: More binary places than this are taken for a number that is not meant to be dyadic.
_MOST_PLACES = 30

#: Bits of a float64's significand.
_SIGNIFICAND = 53


def bits(values: Any) -> int | None:
    """Return how many bits a fixed-point number needs to hold each of the values, sign apart.

    Binary places plus bits before the point; None where there are more than 30 places.

    Examples
    --------
    >>> bits([0.125, 4.0]), bits([1 / 3])
    (6, None)
    """
    array = np.abs(np.asarray(values, dtype=np.float64)).ravel()
    largest = float(array.max(initial=0.0))
    before = max(0, frexp(largest)[1])
    for places in range(_MOST_PLACES + 1):
        shifted = array * 2.0**places
        if np.array_equal(shifted, np.floor(shifted)):
            return places + before
    return None


def margin(samples: Any, *operators: Operator, more: int = 0) -> float:
    """Return how far two computations of a chain of operators on samples may lie apart.

    A sum of ``n`` products of fixed-point numbers of ``b1`` and ``b2`` bits needs at most
    ``b1 + b2 + log2 n`` bits: where these fit the significand, no order of summation rounds and
    the margin is 0.  Otherwise it is ``rounding(n, sum |terms|)``, the sum bounded by the product
    of the operators' largest absolute row sums and the largest sample.

    Parameters
    ----------
    samples : array
    *operators : Operator
    more : int
        Terms of a sum over the outputs (a dot product, a mean).
    """
    needed: int | None = bits(samples)
    count, scale = max(1, more), float(np.abs(samples).max(initial=0.0)) * max(1, more)
    path = count
    for operator in operators:
        blocks = operator.polyphase().blocks
        terms = blocks.shape[0] * blocks.shape[3] * blocks.shape[4]
        count *= terms
        path += terms + 1
        scale *= largest_row(operator)
        found = bits(blocks)
        needed = None if needed is None or found is None else needed + found
    if needed is not None and needed + ceil(log2(count)) <= _SIGNIFICAND:
        return 0.0
    return rounding(path, scale)


def largest_row(operator: Operator) -> float:
    """Return the largest sum of absolute weights that one output sample meets."""
    return float(np.abs(operator.polyphase().blocks).sum(axis=(0, 3, 4)).max())


def normalisation_margin(layer: Normalisation, samples: Real) -> float:
    """Return how far two computations of a normalisation of finite samples may lie apart.

    Means and variances are sums of at most as many terms as there are samples; a sample less its
    centre is at most twice the largest, and the variance enters under a root.
    """
    gains = layer.gains(samples.mean(axis=-1), samples.var(axis=-1))
    bias = layer.bias_array()
    shift = 0.0 if bias is None else float(np.abs(bias).max())
    size = 2 * float(np.abs(gains).max()) * float(np.abs(samples).max(initial=0.0))
    return rounding(2 * samples.size + 16, size + shift)


def spectral_margin(operator: Operator, points: int, scale: float) -> float:
    """Return the margin between a gain and a sum of ``points`` samples turned by exponentials.

    The argument of ``exp(-2 pi j g n)`` is formed by three roundings, so it is wrong by at most
    ``3 u 2 pi |g n|`` and the exponential by as much, plus 1 u of its own for each part: as if
    ``6 pi |g n| + 2`` more operations had been done on every term (``|g| <= 1``).
    """
    blocks = operator.polyphase()
    count, up, down = blocks.blocks.shape[0], blocks.up, blocks.down
    farthest = (abs(blocks.first) + count + 1) * up + up + down
    terms = count * blocks.in_channels * up * down
    path = terms + points + 2 * ceil(6 * pi * farthest + 2) + ceil(6 * pi + 2)
    return rounding(path, scale)


def agree(actual: Any, expected: Any, *, within: float, what: str) -> None:
    """Raise AssertionError, saying where, unless two arrays agree within a margin."""
    one, other = np.asarray(actual), np.asarray(expected)
    if one.shape != other.shape:
        raise AssertionError(f"{what}: shapes {one.shape} and {other.shape} differ")
    apart = np.abs(one - other)
    if apart.size == 0 or bool(np.all(apart <= within)):
        return
    # NaN compares false: argmax of its mask finds it.
    place = np.unravel_index(
        int(np.argmax(~(apart <= within) * np.nan_to_num(apart + 1))), one.shape
    )
    spot = tuple(int(index) for index in place)
    raise AssertionError(
        f"{what}: {one[place]!s} and {other[place]!s} at {spot}, "
        f"apart by {apart[place]:.3g}, allowed {within:.3g}"
    )


def probe(channels: int, length: int, *, seed: int = 0) -> Real:
    """Return whole numbers from -4 to 4, the same for every run, shape (channels, length)."""
    whole = np.random.default_rng((seed, channels, length)).integers(-4, 5, (channels, length))
    return whole.astype(np.float64)


def tiled_alike(one: NDArray[Any], other: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Repeat two periods (..., P) and (..., Q) up to their common multiple."""
    common = int(np.lcm(one.shape[-1], other.shape[-1]))
    pair = []
    for each in (one, other):
        times = [1] * (each.ndim - 1) + [common // each.shape[-1]]
        pair.append(np.tile(each, times))
    return pair[0], pair[1]


def room(operator: Operator) -> int:
    """Return input samples, in whole blocks, beyond which an output sample does not look.

    At least so many that an input of that length leaves one block of output.
    """
    first, last = operator.support()
    farthest = max(int(np.abs(first).max()), int(np.abs(last).max())) + operator.down
    deficit = operator.up - leaving(operator, farthest)
    farthest += max(0, ceil(deficit / operator.length.rate))
    return -(-farthest // operator.down) * operator.down


def leaving(operator: Operator, length: int) -> int:
    """Return what a length law gives without its refusals: negative where nothing leaves."""
    for up, down, extra in operator.length.steps:
        length = (length * up + extra) // down
    return length
