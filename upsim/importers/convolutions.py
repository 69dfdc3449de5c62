"""Convolutions of a recording as layers: any padding, groups, batches that are channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ShapeError
from upsim.layers import Bias, Conv, Crop, Layer, Pad, TransposedConv
from upsim.words.arguments import refuse_beyond_memory, whole_number

Weight = NDArray[Any]


def convolution_layers(
    fields: Mapping[str, Any], weight: Weight, bias: Weight | None, batch: int = 1
) -> tuple[list[Layer], int]:
    """Return the layers of a convolution, and which of them is the convolution itself.

    Parameters
    ----------
    fields : mapping
        Those of a ``convolution`` step.
    weight : array
        In torch's layout.
    bias : array (out,), optional
    batch : int
        Signals of the batch axis, convolved with one kernel: as many groups.

    Notes
    -----
    A transposed convolution with the full response of :math:`(n - 1) s + d (K - 1) + 1` samples is
    cut by ``left`` and ``right - output_padding``.  torch's layer cuts ``p`` and ``p - o``, so
    ``p`` is the smaller of the two and the rest is a crop.
    """
    groups, stride, dilation = (
        whole_number(fields[key], key) for key in ("groups", "stride", "dilation")
    )
    left, right = (int(each) for each in fields["padding"])
    if weight.ndim != 3:
        raise ShapeError("a convolution's weight has three axes", given=f"shape {weight.shape}")
    if batch > 1:
        refuse_beyond_memory(
            batch * weight.size, "the weight for each signal of the batch", fix="batch 1"
        )
        weight = np.tile(weight, (batch, 1, 1))
        bias = None if bias is None else np.tile(np.reshape(bias, -1), batch)
    groups *= batch
    added: Any = False if bias is None else np.reshape(bias, -1)
    taps = weight.shape[2]
    if fields["transposed"]:
        extra = int(fields.get("output_padding", 0))
        return _transposed(weight, added, stride, dilation, groups, (left, right - extra))
    layers: list[Layer] = []
    channels = weight.shape[1] * groups
    padding = min(left, right)
    if padding < 0 or left != right:
        layers = [Pad(left, right)] if min(left, right) >= 0 else [Crop(-left, -right)]
        padding = 0
    conv = Conv(
        channels,
        weight.shape[0],
        taps,
        stride,
        padding,
        dilation,
        groups,
        added,
        weight=weight,
    )
    return [*layers, conv], len(layers)


def _transposed(
    weight: Weight, bias: Any, stride: int, dilation: int, groups: int, cut: tuple[int, int]
) -> tuple[list[Layer], int]:
    """Return a transposed convolution whose full response is cut by so much at each end."""
    left, right = cut
    padding = max(0, min(left, right))
    extra = 0
    if right < left:
        # torch's output_padding gives back what the padding cut at the right end.
        extra = min(left - right, max(stride, dilation) - 1)
        padding = max(0, min(left, right + extra))
        extra = min(extra, padding - right) if padding > right else 0
    rest = (left - padding, right - padding + extra)
    # Samples that the response does not reach hold the bias alone, so it is added behind them.
    apart = min(rest) < 0 and bias is not False
    conv = TransposedConv(
        weight.shape[0],
        weight.shape[1] * groups,
        weight.shape[2],
        stride,
        padding,
        extra,
        groups,
        False if apart else bias,
        dilation,
        weight=weight,
    )
    layers: list[Layer] = [conv]
    if rest != (0, 0):
        layers.append(Crop(*rest))
    if apart:
        layers.append(Bias(bias))
    return layers, 0
