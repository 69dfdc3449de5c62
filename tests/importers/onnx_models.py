"""Small ONNX models, and what ONNX's own reference evaluator makes of them."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from upsim.importers.onnx_file import from_onnx
from upsim.neural.run import run_graph
from upsim.words.tolerance import rounding


def model(nodes, shape, *, tensors=None, opset=21, outputs=("y",), kind=TensorProto.DOUBLE):
    """Return a model of one input ``x``, its shape with None for what is open."""
    named = [None if size is None else size for size in shape]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", kind, named)],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in (tensors or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def node(kind, inputs, outputs=("y",), **attributes):
    """Return a node named after its kind and its first output."""
    return helper.make_node(kind, inputs, outputs, name=f"/{outputs[0]}/{kind}", **attributes)


def imported(proto, tmp_path, **arguments):
    """Return the graph of a model, through a file."""
    path = tmp_path / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    return from_onnx(path, sample_rate=16000, **arguments)


def evaluated(proto, samples):
    """Return what the reference evaluator makes of samples."""
    return ReferenceEvaluator(proto).run(None, {"x": samples})[0]


def flat(tensor, axis=-1):
    """Return a tensor as (channels, time)."""
    last = np.moveaxis(tensor, axis, -1)
    return last.reshape(-1, last.shape[-1])


def ran(graph, samples, axis=-1):
    """Return the witness's run of a graph on a tensor, (channels, time)."""
    return run_graph(graph, [flat(samples, axis)[None]])[graph.end][0]


def assert_close(got, want, dtype=np.float64, *, axis=-1, operations=256):
    """Compare samples (channels, time) with a tensor, to rounding, edges included."""
    want = flat(np.asarray(want, dtype=np.float64), axis)
    assert got.shape == want.shape
    scale = max(1.0, float(np.max(np.abs(want))))
    assert np.max(np.abs(got - want)) <= rounding(operations, scale, dtype)


def assert_same(proto, graph, shapes, dtype=np.float64, *, axis=-1, axis_out=-1, operations=256):
    """Compare the witness's run of a graph with the reference evaluator at several shapes."""
    for number, shape in enumerate(shapes):
        samples = np.random.default_rng(number).normal(size=shape)
        want = evaluated(proto, samples)
        got = ran(graph, samples, axis)
        assert_close(got, want, dtype, axis=axis_out, operations=operations)


__all__ = ["assert_close", "assert_same", "evaluated", "helper", "imported", "model", "node", "ran"]
