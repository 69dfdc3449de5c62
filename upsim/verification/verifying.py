"""``verify``: predict, then let the judge compare every claim with the witness."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from upsim.answer.prediction import Prediction
from upsim.answer.predictor import predict
from upsim.errors import ArgumentError, ArgumentTypeError, NotPredictableError
from upsim.network.feed import Feed
from upsim.network.graph import Graph
from upsim.network.signals import Constant, WhiteNoise
from upsim.neural.precision import precision
from upsim.verification.judge import Judge, is_linear
from upsim.verification.report import Verification
from upsim.verification.witness import Witness
from upsim.words.arguments import LARGEST_SEED, one_of, whole_number
from upsim.words.progress import Progress, told


def verify(
    stack: Graph | Prediction,
    signal: Feed | None = None,
    *,
    dtype: DTypeLike = np.float64,
    backend: str = "numpy",
    seed: int = 0,
    progress: Progress | None = None,
) -> Verification:
    """Run the layers and judge every claim of the prediction by what comes out.

    Parameters
    ----------
    stack : Stack, Graph or Prediction
        With drawn weights.  A prediction, also one that was loaded from a file, is judged as it is.
    signal : Signal, optional
        By default that of :func:`upsim.predict`; a constant if the stack has activations or
        normalisations.  A prediction has its own.
    dtype : float64 or float32
        Precision of the witness.
    backend : str
        "numpy", "torch" (on the CPU) or "cuda" (torch on a GPU).
    seed : int
        Of the random mixtures of sources by which shares are tried.
    progress : callable, optional
        Called with the part that is done, 0 to 1, and what comes next.

    Returns
    -------
    Verification
        Each claim is "passed", "failed" or "not checked", with the reason.

    Examples
    --------
    >>> from upsim import Nearest, Stack, TransposedConv
    >>> stack = Stack([TransposedConv(1, 1, 4, 2), Nearest(2)], 16000).draw(0)
    >>> report = verify(stack)
    >>> report.passed, report.complete
    (True, True)
    """
    given = stack.stack if isinstance(stack, Prediction) else stack
    if not isinstance(given, Graph):
        raise ArgumentTypeError(
            "verify needs a Stack or a Graph, or a Prediction",
            given=f"a {type(stack).__name__}",
            fix="upsim.Stack([upsim.Nearest(2)], sample_rate=16000)",
        )
    if not given.is_drawn:
        raise NotPredictableError(
            "an expectation over networks is not one network that could be run",
            given="a stack whose weights are not drawn yet",
            fix="upsim.verify(stack.draw(seed=0))",
        )
    if isinstance(stack, Prediction) and signal is not None:
        raise ArgumentError(
            "a prediction has its signal already",
            given=f"signal={signal!r:.60}",
            fix="upsim.verify(prediction)",
        )
    one_of(backend, "backend", ("numpy", "torch", "cuda"))
    witness = Witness(backend, precision(dtype))
    seed = whole_number(seed, "seed", least=0, most=LARGEST_SEED)
    tell = told(progress)
    if isinstance(stack, Prediction):
        prediction = stack
    else:
        if signal is None:
            signal = Constant(1.0) + WhiteNoise(1.0) if is_linear(given) else Constant(1.0)
        tell(0.0, "predicting")
        prediction = predict(given, signal)
    checks = Judge(prediction, witness, seed).checks(tell)
    tell(1.0, "done")
    return Verification(given.summary(), witness.name, checks)
