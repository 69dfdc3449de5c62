"""Movements read off their map: from which sample of its input each output sample comes.

A chain of reshapes, transposes, slices and pads is run on an array of sample numbers.  What comes
out says everything about it, whichever operations it was written with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError
from upsim.layers import (
    Bias,
    Conv,
    Crop,
    Decimate,
    Layer,
    Nearest,
    Pad,
    PeriodicShuffle,
    Select,
    Stretch,
)
from upsim.operators.edges import PADDING_MODES, extended_index

Places = NDArray[np.int64]

#: A period longer than this is no layer of a model.
_LONGEST_PERIOD = 2**12


@dataclass(frozen=True)
class MovementMap:
    r"""Output sample ``b p + r`` of channel o is sample ``b q + t[o, r]`` of channel ``c[o, r]``.

    Parameters
    ----------
    up, down : int
        p and q: the map repeats after so many output and input samples.
    channels : array (out, up) of int
        ``c``; ``-1 - k`` where constant number k stands.
    times : array (out, up) of int
        ``t``; may lie before the input's start.
    left, right : str or int
        What stands beyond the ends: a padding mode, or the number of a constant.
    reach : tuple of int
        Samples beyond each end that are read.
    """

    up: int
    down: int
    channels: Places
    times: Places
    left: str | int
    right: str | int
    reach: tuple[int, int]


def read_map(
    places: Sequence[Places], lengths: Sequence[int], constants: NDArray[np.float64]
) -> MovementMap:
    """Return the map of a movement, the same at all recorded lengths, or refuse it.

    Parameters
    ----------
    places : sequence of array (out, time)
        For each recorded length, ``c n + t`` for sample t of channel c of an input of n samples,
        and ``-1 - k`` for constant number k.
    lengths : sequence of int
        ``n`` of each.
    constants : array
    """
    found = _repeating(places[-1], lengths[-1], _ratio(places, lengths))
    beyond = [_Beyond(), _Beyond()]
    for each, length in zip(places, lengths, strict=True):
        _compare(found, each, length, beyond, constants)
    left, right = (side.mode for side in beyond)
    return MovementMap(*found, left, right, (beyond[0].reach, beyond[1].reach))


def _refusal(why: str) -> NotPredictableError:
    return NotPredictableError(
        f"a movement of samples is not the same along time: {why}",
        expected="each output sample from a place that moves on with time",
        fix="the part of the model before or behind this step",
    )


def _ratio(places: Sequence[Places], lengths: Sequence[int]) -> Fraction | None:
    if len(places) < 2 or lengths[0] == lengths[-1]:
        return None
    return Fraction(places[-1].shape[1] - places[0].shape[1], lengths[-1] - lengths[0])


_Table = tuple[int, int, Places, Places]


def _repeating(places: Places, length: int, ratio: Fraction | None) -> _Table:
    """Return (up, down, channels, times) as the middle of the longest map shows them."""
    count = places.shape[1]
    channels = np.where(places >= 0, places // length, places)
    times = np.where(places >= 0, places % length, 0)
    first, last = count // 4, count - count // 4
    if ratio is not None and ratio <= 0:
        raise _refusal("its output does not grow with its input")
    step = ratio.numerator if ratio is not None else 1
    for up in range(step, min(_LONGEST_PERIOD, (last - first) // 2) + 1, step):
        # Each sample of the middle against the one a period later.
        before, after = slice(first, last - up), slice(first + up, last)
        moving = places[:, before] >= 0
        if not np.array_equal(channels[:, before], channels[:, after]):
            continue
        steps = (times[:, after] - times[:, before])[moving]
        down = int(steps[0]) if steps.size else 0
        if down <= 0 or np.any(steps != down):
            continue
        if ratio is not None and Fraction(up, down) != ratio:
            continue
        block = (first + up - 1) // up
        at = slice(block * up, (block + 1) * up)
        moved = np.where(places[:, at] >= 0, times[:, at] - block * down, 0)
        return up, down, channels[:, at], moved
    if np.all(places < 0):
        raise _refusal("it holds no sample of its input")
    raise _refusal("its places do not repeat, or the recording is too short to show it")


@dataclass
class _Beyond:
    """What stands beyond one end, as far as it is known."""

    mode: str | int = "zeros"
    reach: int = 0


def _compare(
    table: _Table,
    places: Places,
    length: int,
    beyond: list[_Beyond],
    constants: NDArray[np.float64],
) -> None:
    """Compare a map with the table continued to its ends; note what stands beyond them."""
    up, down, channels, times = table
    block, phase = np.divmod(np.arange(places.shape[1]), up)
    channel, time = channels[:, phase], times[:, phase] + down * block
    fixed = channel < 0
    inside = ~fixed & (time >= 0) & (time < length)
    expected = np.where(fixed, channel, channel * length + time)
    if np.any((expected != places)[fixed | inside]):
        raise _refusal("some samples come from elsewhere than the others")
    for side, mask in zip(beyond, (~fixed & (time < 0), ~fixed & (time >= length)), strict=True):
        if not np.any(mask):
            continue
        far = np.where(time < 0, -time, time - length + 1)[mask]
        mode = _mode(places[mask], channel[mask], time[mask], length, constants)
        if side.reach and side.mode != mode:
            raise _refusal("what stands beyond its ends changes with the length")
        side.mode, side.reach = mode, max(side.reach, int(far.max()))


def _mode(
    places: Places, channel: Places, time: Places, length: int, constants: NDArray[np.float64]
) -> str | int:
    """Return the padding mode that explains samples beyond an end, or a constant's number."""
    if np.all(places < 0) and np.all(places == places[0]):
        number = int(-1 - places[0])
        return "zeros" if constants[number] == 0 else number
    for mode in PADDING_MODES[1:]:
        far = int(max(-time.min(), time.max() - length + 1))
        if mode != "replicate" and far > (length - 1 if mode == "reflect" else length):
            continue
        seen, _ = extended_index(time.astype(np.intp), length, mode)
        if np.array_equal(channel * length + seen, places):
            return mode
    raise _refusal("its ends are padded in a way that has no name")


def movement_layers(
    places: Sequence[Places],
    lengths: Sequence[int],
    channels: int,
    constants: NDArray[np.float64],
) -> list[Layer]:
    """Return the layers that move samples as a map says; none where nothing moves.

    Parameters
    ----------
    places, lengths, constants
        As :func:`read_map` takes them.
    channels : int
        Of the input.
    """
    found = read_map(places, lengths, constants)
    layers = _padding(found, constants)
    layers += _inner(found, channels, found.reach[0], constants)
    wanted = [each.shape[1] for each in places]
    made = list(lengths)
    for layer in layers:
        made = [layer.output_length(each) for each in made]
    extra = {have - want for have, want in zip(made, wanted, strict=True)}
    if extra != {0}:
        if len(extra) > 1 or min(extra) < 0:
            raise _refusal("what it cuts at the end depends on the length")
        layers.append(Crop(0, extra.pop()))
    return _joined(layers)


def _padding(found: MovementMap, constants: NDArray[np.float64]) -> list[Layer]:
    """Return the layers that put in what the map reads beyond the ends."""
    (left, right), modes = found.reach, (found.left, found.right)
    if not left and not right:
        return []
    if left and right and modes[0] != modes[1]:
        return _padded(left, 0, modes[0], constants) + _padded(0, right, modes[1], constants)
    return _padded(left, right, modes[0] if left else modes[1], constants)


def _padded(left: int, right: int, mode: str | int, constants: NDArray[np.float64]) -> list[Layer]:
    if isinstance(mode, str):
        return [Pad(left, right, mode)]
    # A constant stands where a zero stands in the signal less that constant.
    level = float(constants[mode])
    return [Bias(-level), Pad(left, right), Bias(level)]


def _inner(
    found: MovementMap, channels: int, shift: int, constants: NDArray[np.float64]
) -> list[Layer]:
    """Return the layers of a map that reads nothing beyond the ends, ``shift`` samples later."""
    up, down = found.up, found.down
    moving = found.channels >= 0
    times = np.where(moving, found.times + shift, 0)
    for lead in range(up):
        # The pattern may begin in the middle of a period: `lead` samples are cut behind it.
        numbers = np.arange(up) + lead
        later = times - down * (numbers // up)
        order = np.argsort(numbers % up)
        layers = _whole_periods(
            later[:, order], found.channels[:, order], up, down, channels, constants
        )
        if layers is not None:
            return [*layers, Crop(lead, 0)] if lead else layers
    return _general(times, found.channels, up, down, channels, constants)


def _whole_periods(
    times: Places,
    source: Places,
    up: int,
    down: int,
    channels: int,
    constants: NDArray[np.float64],
) -> list[Layer] | None:
    """Return the layers of a map by name, where it has one."""
    moving = source >= 0
    begin = int(times[moving].min())
    if begin < 0 or np.any(times[moving] != begin):
        return None
    first: list[Layer] = [Crop(begin, 0)] if begin else []
    if not np.all(moving):
        # Zeros between the samples, and nothing else: a stretch.
        still = np.array([not np.any(moving[:, phase]) for phase in range(1, up)], dtype=bool)
        zeros = np.all(constants[-1 - source[~moving]] == 0)
        if down == 1 and up > 1 and np.all(moving[:, 0]) and np.all(still) and zeros:
            return [*first, *_selection(source[:, 0], channels), Stretch(up)]
        return None
    if down == 1 and np.all(source == source[:, :1]):
        kept = _selection(source[:, 0], channels)
        return [*first, *kept, *([Nearest(up)] if up > 1 else [])]
    if down == 1:
        out = source.shape[0]
        tensorflow = np.arange(up) * out + np.arange(out)[:, None]
        if channels == out * up and np.array_equal(source, tensorflow):
            return [*first, PeriodicShuffle(up, "tensorflow")]
        return [*first, *_selection(source.reshape(-1), channels), PeriodicShuffle(up)]
    if up == 1:
        kept = _selection(source[:, 0], channels)
        phase = begin % down
        cut: list[Layer] = [Crop(begin - phase, 0)] if begin > phase else []
        return [*cut, *kept, Decimate(down, phase)]
    return None


def _selection(numbers: Places, channels: int) -> list[Layer]:
    if np.array_equal(numbers, np.arange(channels)):
        return []
    return [Select([int(each) for each in numbers])]


def _general(
    times: Places,
    source: Places,
    up: int,
    down: int,
    channels: int,
    constants: NDArray[np.float64],
) -> list[Layer]:
    r"""Return any map: a channel for each row and phase, moved by one tap, then shuffled.

    Row ``(o, r)`` is a strided convolution of one tap at ``t[o, r]``; a constant has no tap and a
    bias.
    """
    rows, moving = source.reshape(-1), (source >= 0).reshape(-1)
    if times.min() < 0:
        raise _refusal("it reads before the start")
    taps = np.zeros((rows.size, 1, int(times.max()) + 1))
    taps[moving, 0, times.reshape(-1)[moving]] = 1.0
    bias = np.where(moving, 0.0, constants[np.where(moving, 0, -1 - rows)])
    moves: list[Layer] = []
    if taps.shape[2] > 1 or down > 1 or not np.all(moving):
        moves = [
            Conv(
                rows.size,
                rows.size,
                taps.shape[2],
                down,
                groups=rows.size,
                bias=bias if np.any(bias) else False,
                weight=taps,
            )
        ]
    shuffled: list[Layer] = [PeriodicShuffle(up)] if up > 1 else []
    return [*_selection(np.where(moving, rows, 0), channels), *moves, *shuffled]


def _joined(layers: Sequence[Layer]) -> list[Layer]:
    """Return the layers with neighbouring crops as one."""
    found: list[Layer] = []
    for layer in layers:
        last = found[-1] if found else None
        if isinstance(layer, Crop) and isinstance(last, Crop):
            found[-1] = Crop(last.left + layer.left, last.right + layer.right)
        else:
            found.append(layer)
    return found
