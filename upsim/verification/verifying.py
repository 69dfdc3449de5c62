"""``verify``: which comparisons a stack and a signal allow, made one after the other."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import DTypeLike

from upsim.answer.predictor import predict
from upsim.errors import NotPredictableError, UpsimError
from upsim.network.graph import Graph
from upsim.network.signals import Constant, Signal, WhiteNoise
from upsim.neural.precision import precision
from upsim.theory.moments.propagation import is_linear
from upsim.verification.comparisons import (
    compare_lengths,
    compare_lines,
    compare_recording,
    compare_samples,
)
from upsim.verification.densities import compare_density
from upsim.verification.report import Check, Verification
from upsim.verification.runner import Runner
from upsim.words.arguments import LARGEST_SEED, one_of, whole_number
from upsim.words.progress import Progress, silent


def verify(
    stack: Graph,
    signal: Signal | None = None,
    *,
    dtype: DTypeLike = np.float64,
    backend: str = "numpy",
    seed: int = 0,
    progress: Progress | None = None,
) -> Verification:
    """Run the layers and compare every part of the prediction with what comes out.

    Parameters
    ----------
    stack : Stack or Graph
        With drawn weights.
    signal : Signal, optional
        By default that of :func:`upsim.predict`; a constant if the stack has activations or
        normalisations.
    dtype : float64 or float32
        Precision of the witness.
    backend : str
        "numpy", "torch" (on the CPU) or "cuda" (torch on a GPU).
    seed : int
        Of the random samples that the finite map is tried with.
    progress : callable, optional
        Called with the part that is done, 0 to 1, and what comes next.

    Returns
    -------
    Verification

    Examples
    --------
    >>> from upsim import Nearest, Stack, TransposedConv
    >>> stack = Stack([TransposedConv(1, 1, 4, 2), Nearest(2)], 16000).draw(0)
    >>> verify(stack).passed
    True
    """
    if not stack.is_drawn:
        raise NotPredictableError(
            "an expectation over networks is not one network that could be run",
            given="a stack whose weights are not drawn yet",
            fix="upsim.verify(stack.draw(seed=0))",
        )
    linear = is_linear(stack)
    if signal is None:
        signal = Constant(1.0) + WhiteNoise(1.0) if linear else Constant(1.0)
    one_of(backend, "backend", ("numpy", "torch", "cuda"))
    checked = precision(dtype)
    seed = whole_number(seed, "seed", least=0, most=LARGEST_SEED)
    runner = Runner(backend, checked)
    tell = progress or silent
    tell(0.0, "predicting")
    prediction = predict(stack, signal)
    checks: list[Check] = []
    skipped: list[str] = []
    parts: list[tuple[str, Callable[[], Check]]] = [
        ("lengths", partial(compare_lengths, stack, runner)),
        ("lines", partial(compare_lines, stack, signal, runner)),
        ("samples", partial(compare_samples, stack, runner, seed)),
    ]
    if prediction.cyclic is not None:
        parts.append(("density", partial(compare_density, stack, prediction, runner)))
    elif prediction.psd is not None and prediction.waveform is None:
        skipped.append(
            "density: through activations it is a prediction for long runs, see assumptions"
        )
    if prediction.waveform is not None:
        parts.append(("recording", partial(compare_recording, stack, prediction, runner)))
    for number, (name, check) in enumerate(parts):
        tell((number + 1) / (len(parts) + 1), name)
        try:
            checks.append(check())
        except UpsimError as error:
            skipped.append(f"{name}: {error}")
    tell(1.0, "done")
    return Verification(stack.summary(), runner.name, tuple(checks), tuple(skipped))
