"""Random numbers that a module draws itself: sources of noise, or a refusal by name."""

from __future__ import annotations

from typing import Any

from upsim.errors import NotPredictableError
from upsim.importers.torch_recorder import Operation, Recorder, Rule

_Made = list[str | None] | None


def _noise(recorder: Recorder, operation: Operation, **fields: Any) -> _Made:
    value = recorder.emit("noise", "noise", [], operation.shape, **fields)
    recorder.run.arrays[value] = recorder.constant(operation.made[0]).copy()
    return [value]


def _normal(recorder: Recorder, operation: Operation) -> _Made:
    mean, deviation = operation["mean"], operation["std"]
    if any(isinstance(each, recorder.torch.Tensor) for each in (mean, deviation)):
        return None
    fields = {
        "distribution": "normal",
        "mean": 0.0 if mean is None else float(mean),
        "deviation": 1.0 if deviation is None else float(deviation),
    }
    return _noise(recorder, operation, **fields)


def _uniform(recorder: Recorder, operation: Operation) -> _Made:
    low, high = operation["from"], operation["to"]
    fields = {
        "distribution": "uniform",
        "low": 0.0 if low is None else float(low),
        "high": 1.0 if high is None else float(high),
    }
    return _noise(recorder, operation, **fields)


def _rrelu(recorder: Recorder, operation: Operation) -> _Made:
    """Outside training the slope is the middle of those that are drawn in training."""
    if operation["training"]:
        raise NotPredictableError(
            "the module draws a slope for each sample",
            given="rrelu in training",
            fix="module.eval()",
            where=recorder.where,
        )
    read = recorder.read(operation["self"])
    slope = 0.5 * (float(operation["lower"]) + float(operation["upper"]))
    return [recorder.elementwise("leaky_relu", [read], operation.shape, slope=slope)]


RULES: dict[str, Rule] = {
    **dict.fromkeys(("randn", "randn_like", "normal", "normal_functional"), _normal),
    **dict.fromkeys(("rand", "rand_like", "uniform"), _uniform),
    "rrelu_with_noise": _rrelu,
}
