"""Keras' activations: by name, as a function, or as a layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from upsim.errors import ArgumentError, NotPredictableError
from upsim.importers.functions import layer_of
from upsim.importers.keras_reading import Parts, Read, numbers, refuse
from upsim.layers import ELU, Clamp, Layer, LeakyReLU, PReLU, ReLU
from upsim.words.arguments import shown

#: Keras' activations where they are called otherwise, or have arguments of their own.
_ACTIVATIONS: dict[str, tuple[str, dict[str, float]]] = {
    "leaky_relu": ("leaky_relu", {"slope": 0.2}),
    "swish": ("silu", {}),
    "softplus": ("softplus", {"threshold": 20.0}),
    "relu6": ("clip", {"least": 0.0, "most": 6.0}),
    "hard_tanh": ("clip", {"least": -1.0, "most": 1.0}),
    "hard_sigmoid": ("hard_sigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "hard_silu": ("hard_swish", {}),
    "hard_shrink": ("shrink", {"width": 0.5}),
    "soft_shrink": ("shrink", {"width": 0.5, "bias": 0.5}),
    "sparse_sigmoid": ("hard_sigmoid", {"alpha": 0.5, "beta": 0.5}),
    "squareplus": ("square_plus", {"b": 4.0}),
    "exponential": ("exp", {}),
}
_SAME = (
    "relu tanh sigmoid silu elu gelu celu selu mish softsign log_sigmoid tanh_shrink sparse_plus"
)
_ACTIVATIONS |= {name: (name, {}) for name in _SAME.split()}


def _named_activation(name: str) -> Layer | None:
    """Return the layer of an activation's name; None for a wire."""
    if name == "linear":
        return None
    if name not in _ACTIVATIONS:
        raise NotPredictableError(
            f"the activation {name} is not read",
            given=shown(name),
            expected=", ".join(sorted(["linear", *_ACTIVATIONS])),
        )
    return layer_of(*_ACTIVATIONS[name])


def activated(function: Any, read: Read) -> Parts:
    """Return the activation of a layer, a function or a layer itself, as a node of its own."""
    import keras

    if function is None:
        return []
    if isinstance(function, keras.Layer) and type(function).__name__ in ACTIVATION_LAYERS:
        if not function.built:
            raise ArgumentError(
                "the layer that is an activation has no weights yet",
                given=f"activation={type(function).__name__}, not built",
                fix="call the model once, on zeros say",
            )
        parts = ACTIVATION_LAYERS[type(function).__name__](function, read)
        return [(str(function.name), layer) for _, layer in parts]
    try:
        name = keras.activations.serialize(function)
    except Exception:  # noqa: BLE001 - a function of the user's, which Keras cannot name
        name = None
    if not isinstance(name, str):
        name = getattr(function, "__name__", "") or type(function).__name__
    layer = _named_activation(name)
    return [] if layer is None else [(name, layer)]


def _activation(layer: Any, read: Read) -> Parts:
    return [("", each) for _, each in activated(layer.activation, read)]


def _relu(layer: Any, _read: Read) -> Parts:
    refuse(layer, "threshold", 0.0)
    slope = float(layer.negative_slope or 0.0)
    if layer.max_value is None:
        return [("", LeakyReLU(slope) if slope else ReLU())]
    refuse(layer, "negative_slope", 0.0)
    return [("", Clamp(0.0, float(layer.max_value)))]


def _leaky_relu(layer: Any, _read: Read) -> Parts:
    return [("", LeakyReLU(float(layer.negative_slope)))]


def _elu(layer: Any, _read: Read) -> Parts:
    return [("", ELU(float(layer.alpha)))]


def _prelu(layer: Any, read: Read) -> Parts:
    slopes = numbers(layer.alpha)  # (time or 1, channels or 1)
    if slopes.shape[0] > 1 and np.ptp(slopes, axis=0).any():
        raise NotPredictableError(
            "a PReLU with a slope for each moment is not read",
            given=f"slopes of shape {slopes.shape}",
            expected="one slope a channel",
            fix="keras.layers.PReLU(shared_axes=[1])",
        )
    if slopes.shape[0] > 1:
        read.note("a PReLU has equal slopes for all moments; one a channel is taken")
    own = slopes[0]
    return [("", PReLU(own.size, weight=own))]


#: Layers that may stand as ``activation=`` of another one.
ACTIVATION_LAYERS: dict[str, Callable[[Any, Read], Parts]] = {
    "Activation": _activation,
    "ReLU": _relu,
    "LeakyReLU": _leaky_relu,
    "ELU": _elu,
    "PReLU": _prelu,
}
