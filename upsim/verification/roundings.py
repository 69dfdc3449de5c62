"""What rounding may put between prediction and witness, carried from layer to layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from upsim.layers.base import Normalisation
from upsim.theory.moments import DeterministicMoments, Moments
from upsim.theory.moments.propagation import Trace
from upsim.words.tolerance import probable


def rounding_through(trace: Trace, dtype: np.dtype[Any]) -> float:
    """Return what rounding may put between prediction and witness at the end of a stack.

    Each layer adds the rounding of its own sums, and passes the error that it is given on as it
    passes the signal on: by the ratio of the largest values behind and before it, at most by its
    largest gain.  Errors that meet are of either sign and add as powers.
    """
    sizes = [_size(value) for value in trace.values]
    errors = [0.0] * len(sizes)
    for node, operator in zip(trace.nodes, trace.operators, strict=True):
        given, made = max(sizes[value] for value in node.inputs), sizes[node.output]
        before = float(np.hypot.reduce([errors[value] for value in node.inputs]))
        if isinstance(node.layer, Normalisation):
            errors[node.output] = _normalised(
                trace.values[node.inputs[0]], node.layer, before, made, dtype
            )
            continue
        passed = made / given if given else 0.0
        if operator is None:
            # Activations and mergings: a few roundings, and a slope that may reach one or more.
            own = probable(8, max(given, made), dtype)
            errors[node.output] = float(np.hypot(max(1.0, passed) * before, own))
            continue
        most = operator.largest_gain()
        offset = 0.0 if operator.offset is None else float(np.abs(operator.offset).max())
        own = probable(operator.terms + 1, most * given + offset, dtype)
        errors[node.output] = float(np.hypot(min(passed, most) * before, own))
    return errors[-1]


def _normalised(
    value: Moments, layer: Normalisation, before: float, made: float, dtype: np.dtype[Any]
) -> float:
    r"""Return the error behind a normalisation of a finite signal.

    With :math:`\hat x = (x - m) / s` an error ``d`` of the input makes
    :math:`g\,(d - \overline d - \hat x\,\overline{\hat x d})`, at most
    :math:`g\,|d|\,(2 + \sqrt n)`: of ``n`` samples of variance 1 none is beyond
    :math:`\sqrt n`, and the mean of :math:`|\hat x|` is at most 1.  The statistics are sums over
    all samples of a group, at most all samples that there are.
    """
    assert isinstance(value, DeterministicMoments)
    held = value.period if value.waveform is None else value.waveform
    levels = value.levels()
    gain = float(np.abs(layer.gains(levels.mean, levels.variance)).max())
    # A sample less its centre is at most twice the largest sample.
    size = max(made, 2 * gain * float(np.abs(held).max(initial=0.0)))
    own = probable(held.size + 8, size, dtype)
    return float(np.hypot(gain * (2 + held.size**0.5) * before, own))


def _size(value: Moments) -> float:
    assert isinstance(value, DeterministicMoments)
    held = [value.period] if value.waveform is None else [value.period, value.waveform]
    return max(float(np.abs(each).max()) for each in held)
