"""Normalisations from torch's modules."""

from __future__ import annotations

from typing import Any

import numpy as np

from upsim.layers.normalisation import BatchNorm, GroupNorm, InstanceNorm, LayerNorm
from upsim.layers.weight_norm import WeightNorm
from upsim.neural.torch_layers import build, register_torch
from upsim.neural.torch_tensor import tensor, tensor_layer


def _with_affine(torch: Any, module: Any, layer: Any) -> Any:
    for name in ("weight", "bias"):
        values = getattr(layer, name)
        if values is not None:
            setattr(module, name, torch.nn.Parameter(tensor(torch, values)))
    return module


@register_torch(BatchNorm)
def _batch_norm(layer: BatchNorm, torch: Any) -> Any:
    module = torch.nn.BatchNorm1d(
        layer.num_features, layer.eps, layer.momentum, layer.affine, dtype=torch.float64
    )
    for name in ("running_mean", "running_var"):
        values = getattr(layer, name)
        if values is not None:
            setattr(module, name, tensor(torch, values))
    return _with_affine(torch, module, layer)


@register_torch(GroupNorm)
def _group_norm(layer: GroupNorm, torch: Any) -> Any:
    module = torch.nn.GroupNorm(
        layer.num_groups, layer.num_channels, layer.eps, layer.affine, dtype=torch.float64
    )
    return _with_affine(torch, module, layer)


@register_torch(InstanceNorm)
def _instance_norm(layer: InstanceNorm, torch: Any) -> Any:
    module = torch.nn.InstanceNorm1d(
        layer.num_features, layer.eps, layer.momentum, layer.affine, dtype=torch.float64
    )
    return _with_affine(torch, module, layer)


@register_torch(LayerNorm)
def _layer_norm(layer: LayerNorm, torch: Any) -> Any:
    # torch normalises the last axis; convolutions keep the channels before time.
    module = torch.nn.LayerNorm(
        layer.normalized_shape, layer.eps, layer.elementwise_affine, dtype=torch.float64
    )
    inner = _with_affine(torch, module, layer)
    made = tensor_layer(torch, layer, lambda x: inner(x.mT).mT)
    made.inner = inner  # so that .to() and .parameters() reach it
    return made


@register_torch(WeightNorm)
def _weight_norm(layer: WeightNorm, torch: Any) -> Any:
    module = build(layer.layer, torch)
    # A subpixel convolution is a convolution and a shuffle in sequence.
    convolution = module[0] if isinstance(module, torch.nn.Sequential) else module
    torch.nn.utils.parametrizations.weight_norm(convolution, dim=0)
    if layer.gain is not None:
        gain = np.reshape(layer.gain, (-1, 1, 1))
        original = convolution.parametrizations.weight
        original.original0 = torch.nn.Parameter(tensor(torch, gain))
    return module
