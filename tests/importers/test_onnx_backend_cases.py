"""Every backend case of ONNX that changes the rate, on one time axis, against ONNX itself."""

import warnings
from functools import cache

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason='onnx is missing: pip install ".[onnx]"')

from onnx.backend.test.loader import load_model_tests  # noqa: E402

from tests.importers.onnx_cases import CASES, RUNTIME, SINGLE  # noqa: E402
from tests.importers.onnx_models import (  # noqa: E402
    assert_close,
    evaluated,
    imported,
    model,
    node,
    ran,
)
from upsim.errors import UpsimError  # noqa: E402


@cache
def backend_cases():
    """Return ONNX's own cases of nodes; they can be loaded once in a process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load_model_tests(kind="node")


def model_of(case):
    """Return the model of one node."""
    inputs = ["x", *(name.strip() for name in case.tensors)]
    tensors = {name: array for name, array in case.tensors.items() if array is not None}
    single = case.oracle == RUNTIME
    kind = onnx.TensorProto.FLOAT if single else onnx.TensorProto.DOUBLE
    if single:
        tensors = {
            name: array.astype(np.float32) if array.dtype == np.float64 else array
            for name, array in tensors.items()
        }
    return model(
        [node(case.kind, inputs, **case.attributes)],
        case.shape,
        tensors=tensors,
        opset=case.opset,
        kind=kind,
    )


@pytest.mark.parametrize("case", [case for case in CASES if not case.refused], ids=str)
def test_a_case_agrees_with_onnx(case, tmp_path):
    proto = model_of(case)
    graph = imported(proto, tmp_path)
    for number, length in enumerate(case.lengths):
        shape = tuple(length if size is None else size for size in case.shape)
        samples = np.random.default_rng(number).normal(size=shape)
        if case.oracle == RUNTIME:
            runtime = pytest.importorskip("onnxruntime", reason="pip install onnxruntime")
            session = runtime.InferenceSession(proto.SerializeToString())
            want = session.run(None, {"x": samples.astype(np.float32)})[0]
            samples = samples.astype(np.float32).astype(np.float64)
        else:
            want = evaluated(proto, samples)
        assert_close(ran(graph, samples), want, np.float32 if case.oracle else np.float64)


@pytest.mark.parametrize("case", [case for case in CASES if case.refused], ids=str)
def test_what_does_not_repeat_is_refused_by_name(case, tmp_path):
    with pytest.raises(UpsimError, match=case.refused) as caught:
        imported(model_of(case), tmp_path)
    assert case.kind in str(caught.value)


def test_the_backends_own_case_of_one_axis(tmp_path):
    (case,) = [each for each in backend_cases() if each.name == "test_convtranspose_1d"]
    proto = case.model
    inputs, outputs = case.data_sets[0]
    weight = onnx.numpy_helper.from_array(inputs[1], proto.graph.input[1].name)
    proto.graph.initializer.append(weight)
    graph = imported(proto, tmp_path)
    assert_close(ran(graph, inputs[0].astype(np.float64)), outputs[0], np.float32)


def test_no_backend_case_is_left_out():
    kinds = {"ConvTranspose", "Resize", "DepthToSpace", "Pad", "Upsample"}
    known = {case.backend.partition(" (")[0] for case in CASES}
    backend = set()
    for each in backend_cases():
        nodes = each.model.graph.node
        if len(nodes) == 1 and nodes[0].op_type in kinds:
            backend.add(each.name.removeprefix("test_"))
    # Combinations of sizes and two-axis orders that one axis cannot tell apart.
    same = {
        "resize_upsample_scales_nearest_axes_3_2": "resize_upsample_scales_nearest_axes_2_3",
        "resize_upsample_sizes_nearest_axes_2_3": "resize_upsample_sizes_nearest_axes_3_2",
        "resize_tf_crop_and_resize_axes_2_3": "resize_tf_crop_and_resize",
        "resize_tf_crop_and_resize_axes_3_2": "resize_tf_crop_and_resize",
        "resize_tf_crop_and_resize_extrapolation_value": "resize_tf_crop_and_resize",
        "resize_downsample_sizes_nearest_not_larger": "resize_upsample_sizes_nearest_not_larger",
        "resize_downsample_sizes_nearest_not_smaller": "resize_upsample_sizes_nearest_not_smaller",
    }
    assert set(same.values()) <= known
    assert backend - known - set(same) == set()


def test_scales_of_single_precision_decide_ties(tmp_path):
    # 0.6 in single precision is a little more, so place 5 of sample 3 is a little less than 5.
    case = next(each for each in CASES if each.backend == "resize_downsample_scales_nearest")
    assert case.oracle == SINGLE
    for rounding in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil"):
        for coordinates in ("half_pixel", "asymmetric"):
            attributes = {
                "mode": "nearest",
                "nearest_mode": rounding,
                "coordinate_transformation_mode": coordinates,
            }
            proto = model(
                [node("Resize", ["x", "", "scales"], **attributes)],
                (1, 2, None),
                tensors={"scales": case.tensors["scales"]},
            )
            samples = np.random.default_rng(3).normal(size=(1, 2, 40))
            assert_close(ran(imported(proto, tmp_path), samples), evaluated(proto, samples))
