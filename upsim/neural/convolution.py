"""Convolutions as frameworks compute them: unfold, one matrix product, fold back.

Source: Chellapilla, Puri & Simard, *High performance convolutional neural networks for document
processing* (2006), who unfold the input into columns so that one matrix product does the work.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from upsim.errors import ShapeError
from upsim.layers.convolution import Conv, TransposedConv
from upsim.neural.padding import pad
from upsim.neural.precision import Signal, like
from upsim.neural.registry import register

#: Bytes that the columns of one block of time may take; real clips are unfolded block by block.
COLUMN_BYTES = 2**26


def blocks(count: int, bytes_each: int) -> Iterator[tuple[int, int]]:
    """Yield (begin, end) of blocks of at most ``COLUMN_BYTES``, at least one column each.

    Examples
    --------
    >>> list(blocks(5, COLUMN_BYTES // 2))
    [(0, 2), (2, 4), (4, 5)]
    """
    size = max(1, COLUMN_BYTES // bytes_each)
    for begin in range(0, count, size):
        yield begin, min(begin + size, count)


def correlate(
    samples: Signal, weight: Signal, *, stride: int = 1, dilation: int = 1, groups: int = 1
) -> Signal:
    r"""Return the strided correlation of samples that are padded already.

    .. math:: y_o[m] = \sum_{c,k} w_{oc}[k]\, x_c[m s + k d]

    Parameters
    ----------
    samples : array (batch, channels, time)
    weight : array (out, channels / groups, K)
    stride, dilation, groups : int

    Returns
    -------
    array (batch, out, floor((time - dilation (K - 1) - 1) / stride) + 1)
    """
    batch, channels, length = samples.shape
    out, per_group, taps = weight.shape
    reach = dilation * (taps - 1) + 1
    if length < reach:
        raise ShapeError(
            "the input is shorter than the kernel",
            given=f"{length} samples with their padding, a kernel over {reach}",
            fix="use a longer input, or more padding",
        )
    count = (length - reach) // stride + 1
    rows = weight.reshape(groups, out // groups, per_group * taps)
    made = np.empty((batch, out, count), samples.dtype)
    for item in range(batch):
        for begin, end in blocks(count, channels * taps * samples.itemsize):
            # Output m looks at samples m s ... m s + reach - 1, so a block overlaps the next.
            piece = samples[item, :, begin * stride : (end - 1) * stride + reach]
            windows = sliding_window_view(piece, reach, axis=-1)[:, ::stride, ::dilation]
            columns = windows.transpose(0, 2, 1).reshape(groups, per_group * taps, end - begin)
            made[item, :, begin:end] = (rows @ columns).reshape(out, end - begin)
    return made


def overlap_add(
    samples: Signal, weight: Signal, *, stride: int = 1, dilation: int = 1, groups: int = 1
) -> Signal:
    r"""Return every sample's scaled kernel, added at its place; nothing is cropped.

    .. math:: y_o[n] = \sum_{c,m,k:\; n = m s + k d} w_{co}[k]\, x_c[m]

    Parameters
    ----------
    samples : array (batch, channels, time)
    weight : array (channels, out / groups, K)
    stride, dilation, groups : int

    Returns
    -------
    array (batch, out, (time - 1) stride + dilation (K - 1) + 1)
    """
    batch, channels, length = samples.shape
    _, out_per_group, taps = weight.shape
    out = out_per_group * groups
    reach = dilation * (taps - 1) + 1
    rows = weight.reshape(groups, channels // groups, out_per_group * taps).swapaxes(1, 2)
    made = np.zeros((batch, out, (length - 1) * stride + reach), samples.dtype)
    for item in range(batch):
        grouped = samples[item].reshape(groups, channels // groups, length)
        for begin, end in blocks(length, out * taps * samples.itemsize):
            columns = (rows @ grouped[:, :, begin:end]).reshape(out, taps, end - begin)
            for tap in range(taps):
                first = begin * stride + tap * dilation
                last = first + (end - begin - 1) * stride
                made[item, :, first : last + 1 : stride] += columns[:, tap]
    return made


def with_bias(samples: Signal, bias: Signal | None) -> Signal:
    """Return samples with one number added to each channel."""
    return samples if bias is None else samples + like(samples, bias)[:, None]


def same_padding(taps: int, dilation: int) -> tuple[int, int]:
    """Return what torch pads for ``padding="same"``: an odd sample goes to the right.

    Examples
    --------
    >>> same_padding(4, 1)
    (1, 2)
    """
    total = dilation * (taps - 1)
    return total // 2, total - total // 2


@register(Conv)
def convolve(layer: Conv, samples: Signal) -> Signal:
    """Pad, correlate, add the bias."""
    if layer.padding == "same":
        left, right = same_padding(layer.kernel_size, layer.dilation)
    elif isinstance(layer.padding, str):
        left = right = 0
    else:
        left = right = layer.padding
    made = correlate(
        pad(samples, left, right, layer.padding_mode),
        like(samples, layer.weight_array()),
        stride=layer.stride,
        dilation=layer.dilation,
        groups=layer.groups,
    )
    return with_bias(made, layer.bias_array())


@register(TransposedConv)
def convolve_transposed(layer: TransposedConv, samples: Signal) -> Signal:
    """Overlap-add, cut ``padding`` at both ends, append ``output_padding``, add the bias."""
    full = overlap_add(
        samples,
        like(samples, layer.weight_array()),
        stride=layer.stride,
        dilation=layer.dilation,
        groups=layer.groups,
    )
    length = full.shape[-1] - 2 * layer.padding + layer.output_padding
    if length < 1:
        raise ShapeError(
            "the padding cuts everything away",
            given=f"padding={layer.padding}, a full response of {full.shape[-1]} samples",
            fix="use a longer input, or less padding",
        )
    longer = pad(full, 0, layer.output_padding, "zeros")
    return with_bias(longer[:, :, layer.padding : layer.padding + length], layer.bias_array())
