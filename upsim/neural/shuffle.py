"""Periodic shuffle and subpixel convolution: a reshape, a transpose, a reshape."""

from __future__ import annotations

from upsim.errors import ShapeError
from upsim.layers.subpixel import PeriodicShuffle, SubpixelConv
from upsim.neural.convolution import correlate, same_padding, with_bias
from upsim.neural.padding import pad
from upsim.neural.precision import Signal, like
from upsim.neural.registry import register


def shuffle(samples: Signal, factor: int, order: str) -> Signal:
    """Return ``factor`` times fewer channels at ``factor`` times the rate.

    Parameters
    ----------
    samples : array (batch, channels * factor, time)
    factor : int
    order : str
        "torch": channel ``c L + i`` is phase ``i`` of channel ``c``; "tensorflow": channel
        ``i C + c`` is.

    Returns
    -------
    array (batch, channels, time * factor)

    Examples
    --------
    >>> import numpy as np
    >>> named = np.array([[[1.0], [2.0], [3.0], [4.0]]])
    >>> shuffle(named, 2, "torch").tolist(), shuffle(named, 2, "tensorflow").tolist()
    ([[[1.0, 2.0], [3.0, 4.0]]], [[[1.0, 3.0], [2.0, 4.0]]])
    """
    batch, wide, length = samples.shape
    channels = wide // factor
    if channels * factor != wide:
        raise ShapeError(
            "a shuffle needs a multiple of its factor as channels",
            given=f"{wide} channels, factor={factor}",
        )
    if order == "torch":
        split = samples.reshape(batch, channels, factor, length).transpose(0, 1, 3, 2)
    else:
        split = samples.reshape(batch, factor, channels, length).transpose(0, 2, 3, 1)
    return split.reshape(batch, channels, length * factor)


@register(PeriodicShuffle)
def shuffle_channels(layer: PeriodicShuffle, samples: Signal) -> Signal:
    """Channels become samples."""
    return shuffle(samples, layer.factor, layer.order)


@register(SubpixelConv)
def convolve_and_shuffle(layer: SubpixelConv, samples: Signal) -> Signal:
    """Convolve at the low rate, add the bias, shuffle."""
    if layer.padding == "same":
        left, right = same_padding(layer.kernel_size, layer.dilation)
    elif isinstance(layer.padding, str):
        left = right = 0
    else:
        left = right = layer.padding
    wide = correlate(
        pad(samples, left, right, layer.padding_mode),
        like(samples, layer.weight_array()),
        dilation=layer.dilation,
        groups=layer.groups,
    )
    return shuffle(with_bias(wide, layer.bias_array()), layer.factor, layer.order)
