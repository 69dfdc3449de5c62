"""Keras' layers in upsim's words: one function a layer, from its own fields."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ArgumentError, NotPredictableError
from upsim.importers.functions import layer_of
from upsim.layers import (
    ELU,
    Add,
    Average,
    BatchNorm,
    Bias,
    Clamp,
    Concatenate,
    Conv,
    Crop,
    Layer,
    LayerNorm,
    LeakyReLU,
    Multiply,
    Nearest,
    Opaque,
    Pad,
    PeriodicShuffle,
    PReLU,
    ReLU,
    Subtract,
    TransposedConv,
)
from upsim.neural.run import run
from upsim.words.arguments import shown

Array = NDArray[np.float64]

#: A layer and what is added to the name of its node; "" for the layer that bears the name itself.
Parts = list[tuple[str, Layer]]


class Read:
    """What a layer's reader knows beside the layer, and what it finds.

    Parameters
    ----------
    backend : str
        Keras' backend; transposed convolutions are cropped in two ways.
    channels : int
        Of the (first) value that the layer reads.
    notes : list of str
        What a user should know; readers append to it.
    """

    def __init__(self, backend: str, channels: int, notes: list[str]) -> None:
        self.backend = backend
        self.channels = channels
        self.notes = notes
        #: The length must be a multiple of this for the layer to do what its graph does.
        self.divides = 1

    def note(self, text: str) -> None:
        """Add a note once."""
        if text not in self.notes:
            self.notes.append(text)


def numbers(value: Any) -> Array:
    """Return a Keras variable as an array, exactly."""
    import keras

    return np.asarray(keras.ops.convert_to_numpy(value), dtype=np.float64)


def _single(value: Any) -> int:
    """Return the number of a tuple of one."""
    return int(value[0]) if isinstance(value, tuple | list) else int(value)


def _refuse_channels_first(layer: Any) -> None:
    if getattr(layer, "data_format", "channels_last") == "channels_first":
        raise NotPredictableError(
            "channels stand first",
            given='data_format="channels_first"',
            expected='data_format="channels_last"',
        )


def _refuse(layer: Any, name: str, usual: object) -> None:
    """Refuse a field that is not as usual."""
    value = getattr(layer, name, usual)
    if value != usual:
        raise NotPredictableError(
            f"{type(layer).__name__} with another {name} is not read",
            given=f"{name}={shown(value)}",
            expected=f"{name}={usual!r}",
        )


# ---------------------------------------------------------------------- activations


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


def _activated(function: Any) -> Parts:
    """Return the activation of a layer as a node of its own."""
    import keras

    if function is None:
        return []
    try:
        name = keras.activations.serialize(function)
    except Exception:  # noqa: BLE001 - a function of the user's, which Keras cannot name
        name = None
    if not isinstance(name, str):
        name = getattr(function, "__name__", "") or type(function).__name__
    layer = _named_activation(name)
    return [] if layer is None else [(name, layer)]


def _activation(layer: Any, _read: Read) -> Parts:
    return [("", each) for _, each in _activated(layer.activation)]


def _relu(layer: Any, _read: Read) -> Parts:
    _refuse(layer, "threshold", 0.0)
    slope = float(layer.negative_slope or 0.0)
    if layer.max_value is None:
        return [("", LeakyReLU(slope) if slope else ReLU())]
    _refuse(layer, "negative_slope", 0.0)
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


# ---------------------------------------------------------------------- convolutions


def _bias_of(layer: Any) -> Array | bool:
    return numbers(layer.bias) if layer.use_bias else False


def _conv(layer: Any, read: Read) -> Parts:
    """Return Conv1D: a kernel (taps, in / groups, out), correlated as in torch."""
    _refuse_channels_first(layer)
    weight = numbers(layer.kernel).transpose(2, 1, 0)
    stride, dilation = _single(layer.strides), _single(layer.dilation_rate)
    kernel_size = weight.shape[2]
    reach = dilation * (kernel_size - 1) + 1
    left = right = 0
    padding: int | str = 0
    if layer.padding == "causal":
        left = reach - 1
    elif layer.padding == "same" and stride == 1:
        padding = "same"  # the odd sample stands on the right, as in torch
    elif layer.padding == "same":
        # For n a multiple of the stride; others have up to a stride more.
        total = max(0, reach - stride)
        left, right = total // 2, total - total // 2
        read.divides = stride
        read.note(
            'strided convolutions with padding="same" are padded as for lengths that are '
            "multiples of the stride"
        )
    if left == right:
        padding, left, right = (padding if left == 0 else left), 0, 0
    conv = Conv(
        read.channels,
        weight.shape[0],
        kernel_size,
        stride,
        padding,
        dilation,
        int(layer.groups),
        _bias_of(layer),
        weight=weight,
    )
    padded: Parts = [("pad", Pad(left, right))] if left or right else []
    return [*padded, ("", conv), *_activated(layer.activation)]


def _transposed(layer: Any, read: Read) -> Parts:
    """Return Conv1DTranspose: a kernel (taps, out, in)."""
    _refuse_channels_first(layer)
    weight = numbers(layer.kernel).transpose(2, 1, 0)
    stride, dilation = _single(layer.strides), _single(layer.dilation_rate)
    extra = None if layer.output_padding is None else _single(layer.output_padding)
    reach = dilation * (weight.shape[2] - 1) + 1
    crops = _torch_crops if read.backend == "torch" else _other_crops
    left, right = crops(reach, stride, layer.padding, extra)
    # What the right end gets back is output_padding; what it loses more is cropped.
    back = max(0, left - right)
    bias = _bias_of(layer)
    if back >= max(stride, dilation):
        # More than output_padding can say: the zeros beyond the response, before the bias.
        plain = TransposedConv(
            read.channels,
            weight.shape[1],
            weight.shape[2],
            stride,
            bias=False,
            dilation=dilation,
            weight=weight,
        )
        offset: Parts = [] if bias is False else [("bias", Bias(bias))]
        return [("", plain), ("crop", Crop(left, right)), *offset, *_activated(layer.activation)]
    conv = TransposedConv(
        read.channels,
        weight.shape[1],
        weight.shape[2],
        stride,
        left,
        back,
        1,
        bias,
        dilation,
        weight=weight,
    )
    crop: Parts = [("crop", Crop(0, right - left))] if right > left else []
    return [("", conv), *crop, *_activated(layer.activation)]


def _torch_crops(reach: int, stride: int, padding: str, extra: int | None) -> tuple[int, int]:
    """Return what Keras cuts of the full response on each side, on torch.

    The full response has (n - 1) s + k samples.  ``same``: n s are kept, or
    (n - 1) s + k % 2 + extra.  torch cuts p on both sides and gives some back on the right.
    """
    if padding == "valid":
        back = max(reach, stride) - reach if extra is None else extra
        return 0, -back
    given = stride - reach % 2 if extra is None else extra
    surplus = reach - reach % 2 - given  # what both sides lose together
    cut = max(-(-surplus // 2), 0)
    return cut, surplus - cut


def _other_crops(reach: int, stride: int, padding: str, extra: int | None) -> tuple[int, int]:
    """Return what Keras cuts on each side on JAX and TensorFlow.

    They pad the stretched signal, (n - 1) s + 1 samples, by l and r before a kernel of k taps, so
    k - 1 - l and k - 1 - r are cut.
    """
    if padding == "valid":
        back = max(reach, stride) - reach if extra is None else extra
        return 0, -back
    total = stride + reach - 2 if extra is None else reach + reach % 2 - 2 + extra
    before = min(total - total // 2, reach - 1)
    return reach - 1 - before, reach - 1 - (total - before)


def _dense(layer: Any, read: Read) -> Parts:
    """Return Dense on the last axis: a convolution of one tap."""
    _refuse(layer, "quantization_mode", None)
    weight = numbers(layer.kernel).T[:, :, None]
    conv = Conv(read.channels, weight.shape[0], 1, bias=_bias_of(layer), weight=weight)
    return [("", conv), *_activated(layer.activation)]


# ---------------------------------------------------------------------- samples


def _upsampling(layer: Any, _read: Read) -> Parts:
    return [("", Nearest(_single(layer.size)))]


def _zero_padding(layer: Any, _read: Read) -> Parts:
    _refuse_channels_first(layer)
    left, right = layer.padding
    return [("", Pad(int(left), int(right)))]


def _cropping(layer: Any, _read: Read) -> Parts:
    left, right = layer.cropping
    return [("", Crop(int(left), int(right)))]


# ---------------------------------------------------------------------- normalisations


def _last_axis(axis: Any) -> bool:
    listed = list(axis) if isinstance(axis, tuple | list) else [axis]
    return listed in ([-1], [2])


def _batch_norm(layer: Any, read: Read) -> Parts:
    _refuse_axis(layer)
    norm = BatchNorm(
        read.channels,
        float(layer.epsilon),
        weight=numbers(layer.gamma) if layer.scale else None,
        bias=numbers(layer.beta) if layer.center else None,
        running_mean=numbers(layer.moving_mean),
        running_var=numbers(layer.moving_variance),
    )
    return [("", norm)]


def _layer_norm(layer: Any, read: Read) -> Parts:
    _refuse_axis(layer)
    _refuse(layer, "rms_scaling", False)
    norm = LayerNorm(
        read.channels,
        float(layer.epsilon),
        weight=numbers(layer.gamma) if layer.gamma is not None else None,
        bias=numbers(layer.beta) if layer.beta is not None else None,
    )
    return [("", norm)]


def _refuse_axis(layer: Any) -> None:
    if not _last_axis(layer.axis):
        raise NotPredictableError(
            f"{type(layer).__name__} over another axis is not read",
            given=f"axis={shown(layer.axis)}",
            expected="axis=-1, the channels",
        )


# ---------------------------------------------------------------------- layers with a state


def _recurrent(layer: Any, read: Read) -> Parts:
    """Return a recurrent layer as an opaque node that is run by Keras."""
    import keras

    length = 8
    shape = tuple(layer.compute_output_shape((1, length, read.channels)))
    if len(shape) != 3 or shape[1] != length:
        raise NotPredictableError(
            f"a {type(layer).__name__} that returns its last state only makes no signal",
            given="return_sequences=False",
            expected="return_sequences=True",
        )

    def run_by_keras(samples: Array) -> Array:
        given = keras.ops.convert_to_tensor(samples.T[None].astype(np.float32))
        made: Array = numbers(layer(given, training=False))[0]
        return made.T

    node = Opaque(type(layer).__name__, int(shape[2]), run=run_by_keras, reason="it has a state")
    return [("", node)]


# ---------------------------------------------------------------------- several values


def _merging(made: Callable[[], Layer]) -> Callable[[Any, Read], Parts]:
    return lambda _layer, _read: [("", made())]


def _concatenate(layer: Any, _read: Read) -> Parts:
    _refuse_axis(layer)
    return [("", Concatenate())]


def _wire(_layer: Any, _read: Read) -> Parts:
    return []


#: What merges several values, as a layer or as an operation.
MERGINGS: dict[str, Callable[[], Layer]] = {
    "Add": Add,
    "Average": Average,
    "Multiply": Multiply,
    "Subtract": Subtract,
}

#: Keras' layers by the names of their classes.
LAYERS: dict[str, Callable[[Any, Read], Parts]] = {
    "Conv1D": _conv,
    "Conv1DTranspose": _transposed,
    "Dense": _dense,
    "UpSampling1D": _upsampling,
    "ZeroPadding1D": _zero_padding,
    "Cropping1D": _cropping,
    "Activation": _activation,
    "ReLU": _relu,
    "LeakyReLU": _leaky_relu,
    "ELU": _elu,
    "PReLU": _prelu,
    **dict.fromkeys(("LSTM", "GRU", "SimpleRNN", "Bidirectional"), _recurrent),
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    **{name: _merging(made) for name, made in MERGINGS.items()},
    "Concatenate": _concatenate,
    "Dropout": _wire,
    "SpatialDropout1D": _wire,
    "GaussianNoise": _wire,
    "GaussianDropout": _wire,
    "ActivityRegularization": _wire,
    "Identity": _wire,
}


def shuffle_of(keras: Any, layer: Any, channels: int, given: Sequence[Any]) -> Layer:
    """Return the periodic shuffle that a layer of the user's own performs, found by running it.

    Whole numbers go in, each another one, at two lengths; a shuffle moves them exactly.
    """
    kind = type(layer).__name__
    refusal = NotPredictableError(
        f"a layer of your own, {kind}, is not read",
        given=f"{kind} with {len(given)} inputs of {channels} channels",
        expected="a periodic shuffle, or layers of Keras' own",
        fix="keras.Model(<the value behind it>, model.output) for the part behind it",
    )
    if len(given) != 1:
        raise refusal
    found: set[tuple[int, str]] | None = None
    for length in (5, 8):
        # All whole numbers below 2^24 are exact in single precision.
        samples = np.arange(1.0, 1.0 + length * channels).reshape(1, length, channels)
        if samples.size >= 2**24:
            raise refusal
        try:
            made = layer(keras.ops.convert_to_tensor(samples.astype(np.float32)))
            own = np.asarray(keras.ops.convert_to_numpy(made), dtype=np.float64)
        except Exception as error:  # noqa: BLE001 - a stranger's layer raises what it likes
            raise ArgumentError(
                f"the layer {kind} failed when it was run",
                given=failure(error),
            ) from None
        fitting = _shuffles(samples[0].T, own)
        found = fitting if found is None else found & fitting
    if not found:
        raise refusal
    factor, order = min(found)
    return PeriodicShuffle(factor, order)


def failure(error: Exception) -> str:
    """Return a stranger's error on one line; Keras writes some words in bold."""
    text = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split())
    return f"{type(error).__name__}: {text[:200]}"


def _shuffles(samples: Array, own: Array) -> set[tuple[int, str]]:
    """Return the factors and orders of the shuffles that make one array of the other."""
    channels, length = samples.shape
    if own.ndim != 3 or own.shape[0] != 1 or own.shape[1] % length:
        return set()
    factor = own.shape[1] // length
    if factor < 2 or channels % factor or own.shape[2] * factor != channels:
        return set()
    return {
        (factor, order)
        for order in ("torch", "tensorflow")
        if np.array_equal(run(PeriodicShuffle(factor, order), samples), own[0].T)
    }
