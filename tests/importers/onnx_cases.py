"""The backend cases of ONNX for layers that change the rate, each rewritten for one time axis.

Nearly all of ONNX's own cases are 2-D.  Each combination of attributes in them stands here on one
axis, with what upsim makes of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

#: Where the reference evaluator computes weights in single precision, or cannot run a case.
SINGLE, RUNTIME = "single", "runtime"


@dataclass(frozen=True)
class Case:
    """One combination.

    Parameters
    ----------
    backend : str
        The backend case, without "test_".
    kind : str
        The operator.
    attributes : dict
    tensors : dict
        Its other inputs by name, "" for one that is left out.
    shape : tuple
        Of the input, None for the time.
    lengths : tuple of int
        At which the two are compared.
    refused : str
        Words of the refusal, if it is refused.
    oracle : str
        SINGLE or RUNTIME, where the evaluator is not enough.
    """

    backend: str
    kind: str
    attributes: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, Any] = field(default_factory=dict)
    shape: tuple[int | None, ...] = (1, 2, None)
    lengths: tuple[int, ...] = (10, 15, 21)
    refused: str = ""
    oracle: str = ""
    opset: int = 21

    def __str__(self) -> str:
        return f"{self.kind}-{self.backend}"


_RNG = np.random.default_rng(20)


def _weight(*shape: int) -> Any:
    return _RNG.normal(size=shape)


def _transposed(backend: str, **attributes: Any) -> Case:
    oracle = RUNTIME if attributes.get("group", 1) > 1 else ""
    return Case(backend, "ConvTranspose", attributes, {"w": _weight(2, 3, 3)}, oracle=oracle)


def _output_shape(backend: str, length: int, **attributes: Any) -> Case:
    attributes["output_shape"] = [length]
    tensors = {"w": _weight(2, 3, 3)}
    return Case(backend, "ConvTranspose", attributes, tensors, (1, 2, 10), (10,), oracle=RUNTIME)


CONV_TRANSPOSE = (
    _transposed("convtranspose"),
    _transposed("convtranspose_1d", strides=[1]),
    Case(
        "convtranspose_3d",
        "ConvTranspose",
        {},
        {"w": _weight(2, 2, 3, 3)},
        (1, 2, 4, None),
        refused="a kernel over two axes",
    ),
    # The evaluator forgets the padding that output_shape asks for; the runtime follows the text.
    _output_shape("convtranspose_output_shape", 31, strides=[3]),
    _output_shape("convtranspose_output_shape (cut)", 27, strides=[3]),
    _output_shape("convtranspose_output_shape (with padding)", 30, strides=[3], output_padding=[1]),
    _output_shape("convtranspose_output_shape (upper)", 27, strides=[3], auto_pad="SAME_UPPER"),
    _transposed("convtranspose_pad", strides=[3], output_padding=[1]),
    _transposed("convtranspose_kernel_shape", strides=[3], kernel_shape=[3], output_padding=[1]),
    _transposed("convtranspose_pads", strides=[3], pads=[1, 1]),
    _transposed("convtranspose_pads (uneven)", strides=[3], pads=[1, 2]),
    _transposed("convtranspose_pads (uneven, other side)", strides=[2], pads=[2, 0]),
    _transposed("convtranspose_dilations", dilations=[2]),
    _transposed("convtranspose_autopad_same", strides=[2], auto_pad="SAME_UPPER"),
    _transposed("convtranspose_autopad_same (lower)", strides=[2], auto_pad="SAME_LOWER"),
    _transposed("convtranspose_autopad_same (valid)", strides=[2], auto_pad="VALID"),
    Case(
        "convtranspose_group_2",
        "ConvTranspose",
        {"group": 2},
        {"w": _weight(2, 1, 3)},
        oracle=RUNTIME,
    ),
    Case(
        "convtranspose_group_2_image_3",
        "ConvTranspose",
        {"group": 2, "strides": [2]},
        {"w": _weight(4, 3, 3)},
        (1, 4, None),
        oracle=RUNTIME,
    ),
)


def _resize(backend: str, scale: float, refused: str = "", **attributes: Any) -> Case:
    single = attributes.get("mode") == "cubic" or (scale * 8) % 1 != 0
    return Case(
        backend,
        "Resize",
        attributes,
        {"": None, "scales": np.array([1, 1, scale], np.float32)},
        refused=refused,
        oracle=SINGLE if single else "",
    )


_LENGTH = "does not repeat along time"

RESIZE = (
    _resize("resize_upsample_scales_nearest", 2.0, mode="nearest"),
    _resize("resize_upsample_scales_nearest (3)", 3.0, mode="nearest"),
    _resize("resize_downsample_scales_nearest", 0.6, mode="nearest"),
    _resize("resize_upsample_scales_linear", 2.0, mode="linear"),
    _resize(
        "resize_upsample_scales_linear_align_corners",
        2.0,
        _LENGTH,
        mode="linear",
        coordinate_transformation_mode="align_corners",
    ),
    _resize("resize_downsample_scales_linear", 0.6, mode="linear"),
    _resize(
        "resize_downsample_scales_linear_align_corners",
        0.6,
        _LENGTH,
        mode="linear",
        coordinate_transformation_mode="align_corners",
    ),
    _resize("resize_upsample_scales_cubic", 2.0, mode="cubic"),
    _resize("resize_upsample_scales_cubic (3)", 3.0, mode="cubic"),
    _resize(
        "resize_upsample_scales_cubic_align_corners",
        2.0,
        _LENGTH,
        mode="cubic",
        coordinate_transformation_mode="align_corners",
    ),
    _resize("resize_downsample_scales_cubic", 0.8, mode="cubic"),
    _resize(
        "resize_downsample_scales_cubic_align_corners",
        0.8,
        _LENGTH,
        mode="cubic",
        coordinate_transformation_mode="align_corners",
    ),
    _resize(
        "resize_upsample_scales_cubic_A_n0p5_exclude_outside",
        2.0,
        "exclude_outside",
        mode="cubic",
        cubic_coeff_a=-0.5,
        exclude_outside=1,
    ),
    _resize(
        "resize_upsample_scales_cubic_A_n0p5 (ends held)", 2.0, mode="cubic", cubic_coeff_a=-0.5
    ),
    _resize(
        "resize_downsample_scales_cubic_A_n0p5_exclude_outside",
        0.8,
        "exclude_outside",
        mode="cubic",
        cubic_coeff_a=-0.5,
        exclude_outside=1,
    ),
    _resize(
        "resize_upsample_scales_cubic_asymmetric",
        2.0,
        mode="cubic",
        coordinate_transformation_mode="asymmetric",
    ),
    _resize(
        "resize_tf_crop_and_resize",
        2.0,
        _LENGTH,
        mode="linear",
        coordinate_transformation_mode="tf_crop_and_resize",
    ),
    _resize(
        "resize_downsample_sizes_linear_pytorch_half_pixel",
        0.75,
        mode="linear",
        coordinate_transformation_mode="pytorch_half_pixel",
    ),
    _resize(
        "resize_upsample_sizes_nearest_floor_align_corners",
        4.0,
        _LENGTH,
        mode="nearest",
        coordinate_transformation_mode="align_corners",
        nearest_mode="floor",
    ),
    _resize(
        "resize_upsample_sizes_nearest_round_prefer_ceil_asymmetric",
        4.0,
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="round_prefer_ceil",
    ),
    _resize(
        "resize_upsample_sizes_nearest_ceil_half_pixel",
        4.0,
        mode="nearest",
        coordinate_transformation_mode="half_pixel",
        nearest_mode="ceil",
    ),
    _resize("resize_downsample_scales_linear_antialias", 0.6, mode="linear", antialias=1),
    _resize("resize_downsample_scales_cubic_antialias", 0.6, mode="cubic", antialias=1),
    _resize(
        "resize_downsample_scales_linear_half_pixel_symmetric",
        0.6,
        "moves with the length",
        mode="linear",
        coordinate_transformation_mode="half_pixel_symmetric",
    ),
    _resize(
        "resize_upsample_scales_linear_half_pixel_symmetric",
        2.3,
        "moves with the length",
        mode="linear",
        coordinate_transformation_mode="half_pixel_symmetric",
    ),
    _resize(
        "resize_upsample_scales_linear_half_pixel_symmetric (whole scale)",
        2.0,
        mode="linear",
        coordinate_transformation_mode="half_pixel_symmetric",
    ),
    Case(
        "resize_upsample_sizes_nearest",
        "Resize",
        {"mode": "nearest"},
        {"": None, " ": None, "sizes": np.array([1, 2, 30])},
        (1, 2, 10),
        (10,),
    ),
    Case(
        "resize_downsample_sizes_nearest",
        "Resize",
        {"mode": "nearest"},
        {"": None, " ": None, "sizes": np.array([1, 2, 6])},
        (1, 2, 10),
        (10,),
    ),
    Case(
        "resize_upsample_sizes_cubic",
        "Resize",
        {"mode": "cubic"},
        {"": None, " ": None, "sizes": np.array([1, 2, 25])},
        (1, 2, 10),
        (10,),
        oracle=SINGLE,
    ),
    Case(
        "resize_downsample_sizes_cubic",
        "Resize",
        {"mode": "cubic"},
        {"": None, " ": None, "sizes": np.array([1, 2, 8])},
        (1, 2, 10),
        (10,),
        oracle=SINGLE,
    ),
    Case(
        "resize_downsample_sizes_linear_antialias",
        "Resize",
        {"mode": "linear", "antialias": 1},
        {"": None, " ": None, "sizes": np.array([1, 2, 4])},
        (1, 2, 10),
        (10,),
        oracle=SINGLE,
    ),
    Case(
        "resize_downsample_sizes_cubic_antialias",
        "Resize",
        {"mode": "cubic", "antialias": 1},
        {"": None, " ": None, "sizes": np.array([1, 2, 4])},
        (1, 2, 10),
        (10,),
        oracle=SINGLE,
    ),
    Case(
        "resize_upsample_scales_nearest_axes_2_3",
        "Resize",
        {"mode": "nearest", "axes": [2]},
        {"": None, "scales": np.array([3], np.float32)},
    ),
    Case(
        "resize_upsample_sizes_nearest_axes_3_2",
        "Resize",
        {"mode": "nearest", "axes": [2]},
        {"": None, " ": None, "sizes": np.array([30])},
        (1, 2, 10),
        (10,),
    ),
    Case(
        "resize_upsample_sizes_nearest_not_larger",
        "Resize",
        {"mode": "nearest", "axes": [2], "keep_aspect_ratio_policy": "not_larger"},
        {"": None, " ": None, "sizes": np.array([30])},
        (1, 2, 10),
        (10,),
    ),
    Case(
        "resize_upsample_sizes_nearest_not_smaller",
        "Resize",
        {"mode": "nearest", "axes": [2], "keep_aspect_ratio_policy": "not_smaller"},
        {"": None, " ": None, "sizes": np.array([30])},
        (1, 2, 10),
        (10,),
    ),
    Case(
        "resize (both axes)",
        "Resize",
        {"mode": "nearest"},
        {"": None, "scales": np.array([1, 1, 2, 2], np.float32)},
        (1, 2, 3, None),
        refused="a resize over two axes",
    ),
)

DEPTH_TO_SPACE = (
    Case(
        "depthtospace_example", "DepthToSpace", {"blocksize": 2, "mode": "DCR"}, {}, (1, 8, 1, None)
    ),
    Case(
        "depthtospace_crd_mode_example",
        "DepthToSpace",
        {"blocksize": 2, "mode": "CRD"},
        {},
        (1, 8, 1, None),
    ),
    Case(
        "depthtospace_example (two axes)",
        "DepthToSpace",
        {"blocksize": 2, "mode": "DCR"},
        {},
        (1, 8, 3, None),
    ),
)


def _pad(backend: str, pads: list[int], value: float | None = None, **attributes: Any) -> Case:
    tensors: dict[str, Any] = {"pads": np.array(pads)}
    if value is not None:
        tensors["value"] = np.array(value)
    oracle = RUNTIME if min(pads) < 0 else ""
    return Case(backend, "Pad", attributes, tensors, oracle=oracle)


PAD = (
    _pad("constant_pad", [0, 0, 2, 0, 0, 3], 1.2, mode="constant"),
    _pad("constant_pad (zeros)", [0, 0, 2, 0, 0, 3], mode="constant"),
    _pad("constant_pad (channels, too)", [0, 1, 2, 0, 2, 3], 1.2, mode="constant"),
    _pad("constant_pad (negative)", [0, 0, -2, 0, 0, -1], mode="constant"),
    _pad("reflect_pad", [0, 0, 2, 0, 0, 3], mode="reflect"),
    _pad("edge_pad", [0, 0, 2, 0, 0, 3], mode="edge"),
    _pad("wrap_pad", [0, 0, 2, 0, 0, 3], mode="wrap"),
    Case(
        "constant_pad_axes",
        "Pad",
        {"mode": "constant"},
        {"pads": np.array([2, 3]), "value": np.array(1.2), "axes": np.array([2])},
    ),
    Case(
        "constant_pad_negative_axes",
        "Pad",
        {"mode": "constant"},
        {"pads": np.array([2, 3]), "value": np.array(1.2), "axes": np.array([-1])},
    ),
)

UPSAMPLE = (
    Case(
        "upsample_nearest",
        "Upsample",
        {"mode": "nearest"},
        {"scales": np.array([1, 1, 2], np.float32)},
        oracle=RUNTIME,
        opset=9,
    ),
    Case(
        "upsample_nearest (linear)",
        "Upsample",
        {"mode": "linear"},
        {"scales": np.array([1, 1, 3], np.float32)},
        oracle=RUNTIME,
        opset=9,
    ),
    Case(
        "upsample_nearest (version 7)",
        "Upsample",
        {"mode": "nearest", "scales": [1.0, 1.0, 3.0]},
        {},
        oracle=RUNTIME,
        opset=7,
    ),
)

CASES = (*CONV_TRANSPOSE, *RESIZE, *DEPTH_TO_SPACE, *PAD, *UPSAMPLE)
