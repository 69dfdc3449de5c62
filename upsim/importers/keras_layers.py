"""Keras' layers in upsim's words: one function a layer, from its own fields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ArgumentError, NotPredictableError
from upsim.importers.keras_activations import ACTIVATION_LAYERS, activated
from upsim.importers.keras_reading import Parts, Read, failure, is_keras, numbers, refuse
from upsim.layers import (
    Add,
    Average,
    BatchNorm,
    Bias,
    Concatenate,
    Conv,
    Crop,
    Layer,
    LayerNorm,
    Multiply,
    Nearest,
    Opaque,
    Pad,
    PeriodicShuffle,
    Subtract,
    TransposedConv,
)
from upsim.neural.run import run
from upsim.words.arguments import shown

Array = NDArray[np.float64]


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
    return [*padded, ("", conv), *activated(layer.activation, read)]


def _transposed(layer: Any, read: Read) -> Parts:
    """Return Conv1DTranspose: a kernel (taps, out, in)."""
    _refuse_channels_first(layer)
    weight = numbers(layer.kernel).transpose(2, 1, 0)
    stride, dilation = _single(layer.strides), _single(layer.dilation_rate)
    reach = dilation * (weight.shape[2] - 1) + 1
    left, right = _crops(layer, weight.shape[2], reach)
    # What the right end gets back is output_padding; what it loses more is cropped.
    back = max(0, left - right)
    bias = _bias_of(layer)
    if left < 0 or back >= max(stride, dilation):
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
        cropped: Parts = [("", plain), ("crop", Crop(left, right)), *offset]
        return [*cropped, *activated(layer.activation, read)]
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
    return [("", conv), *crop, *activated(layer.activation, read)]


def _crops(layer: Any, taps: int, reach: int) -> tuple[int, int]:
    """Return what Keras cuts of the full response on each side; negative: zeros that it adds.

    Backends and versions differ where ``k - s`` is odd.  So the first tap alone answers an impulse
    at m: of the (n - 1) s + k samples of the full response it stands at m s, here at m s - left.
    """
    import keras

    stride = _single(layer.strides)
    middle = 2 + 2 * reach // stride
    impulse = np.zeros((1, 2 * middle + 1, 1), np.float32)
    kernel = np.zeros((taps, 1, 1), np.float32)
    impulse[0, middle] = kernel[0] = 1.0
    try:
        made = keras.ops.conv_transpose(
            keras.ops.convert_to_tensor(impulse),
            keras.ops.convert_to_tensor(kernel),
            strides=stride,
            padding=layer.padding,
            output_padding=layer.output_padding,
            data_format="channels_last",
            dilation_rate=_single(layer.dilation_rate),
        )
    except Exception as error:  # noqa: BLE001 - a backend raises what it likes
        raise ArgumentError(
            "Keras itself cannot run this layer on this backend", given=failure(error)
        ) from None
    response = numbers(made)[0, :, 0]
    left = middle * stride - int(np.abs(response).argmax())
    return left, 2 * middle * stride + reach - left - response.size


def _dense(layer: Any, read: Read) -> Parts:
    """Return Dense on the last axis: a convolution of one tap."""
    refuse(layer, "quantization_mode", None)
    weight = numbers(layer.kernel).T[:, :, None]
    conv = Conv(read.channels, weight.shape[0], 1, bias=_bias_of(layer), weight=weight)
    return [("", conv), *activated(layer.activation, read)]


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
    refuse(layer, "rms_scaling", False)
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

    inner = getattr(layer, "forward_layer", layer)
    refuse(inner, "return_state", False)
    refuse(inner, "stateful", False)
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
    **ACTIVATION_LAYERS,
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
    """Return the periodic shuffle that a layer performs, found by running it.

    Whole numbers of both signs go in, each another one, at two lengths where it may vary; a shuffle
    moves them exactly.
    """
    kind = type(layer).__name__
    whose = f"a Keras layer {kind}" if is_keras(type(layer)) else f"a layer of your own, {kind},"
    refusal = NotPredictableError(
        f"{whose} is not read",
        given=f"{kind} with {len(given)} inputs of {channels} channels",
        expected=f"a periodic shuffle, or {', '.join(sorted(LAYERS))}",
        fix="keras.Model(<the value behind it>, model.output) for the part behind it",
    )
    if len(given) != 1:
        raise refusal
    found: set[tuple[int, str]] | None = None
    fixed = given[0].shape[1]
    for length in (5, 8) if fixed is None else (int(fixed),):
        # All whole numbers below 2^24 are exact in single precision.
        samples = np.arange(1.0, 1.0 + length * channels).reshape(1, length, channels)
        if samples.size >= 2**24:
            raise refusal
        samples[:, ::2] *= -1.0
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
