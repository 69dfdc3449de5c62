"""The ConvNeXt block of one time axis, as vocoders and codecs have it."""

from __future__ import annotations

import numpy as np

from upsim.layers import GELU, Conv, Crop, LayerNorm, Scale
from upsim.models.chain import Link, Named, residual


def convnext_block(
    name: str,
    channels: int,
    hidden: int,
    *,
    gamma: float,
    kernel_size: int = 7,
    is_causal: bool = False,
) -> Link:
    """Return a filter a channel, a norm and two linear layers, times ``gamma``, beside a wire.

    Liu et al., *A ConvNet for the 2020s*, CVPR 2022.
    """
    reach = kernel_size - 1
    if is_causal:
        # Padding on the left only: pad both ends, then drop what the right end made.
        depthwise = Conv(channels, channels, kernel_size, padding=reach, groups=channels)
        filtering = [
            Named(f"{name}.dwconv.conv", depthwise),
            Named(f"{name}.dwconv.crop", Crop(0, reach)),
        ]
    else:
        depthwise = Conv(channels, channels, kernel_size, padding=reach // 2, groups=channels)
        filtering = [Named(f"{name}.dwconv", depthwise)]
    body = [
        *filtering,
        Named(f"{name}.norm", LayerNorm(channels, eps=1e-6)),
        Named(f"{name}.pwconv1", Conv(channels, hidden, 1)),
        Named(f"{name}.act", GELU()),
        Named(f"{name}.pwconv2", Conv(hidden, channels, 1)),
        Named(f"{name}.gamma", Scale(np.full(channels, gamma))),
    ]
    return residual(name, body)
