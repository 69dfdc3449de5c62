"""Predict in closed form what the upsampling layers of a neural audio network do to a spectrum.

>>> import upsim
>>> stack = upsim.Stack([upsim.TransposedConv(1, 1, 4, 2), upsim.Nearest(2)], sample_rate=16000)
>>> prediction = upsim.predict(stack.draw(seed=0), upsim.Constant(1.0))
>>> prediction.explain(4000).layer
'1'

Names are imported when they are first used, so ``import upsim`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_LAYERS = (
    "Conv TransposedConv Stretch Nearest Linear Cubic WindowedSinc LearnedInterpolation "
    "SubpixelConv PeriodicShuffle HaarSynthesis LazyWaveletSynthesis Bias Hold Crop Decimate "
    "Slice Residual Parallel ReLU LeakyReLU PReLU ELU GELU Tanh Sigmoid SiLU Softplus GLU Snake "
    "SnakeBeta BatchNorm GroupNorm InstanceNorm LayerNorm WeightNorm"
)
_HOMES = {
    "upsim.layers": _LAYERS,
    "upsim.stack": "Stack",
    "upsim.signals": "Signal Silence Constant WhiteNoise Sine Density Recorded",
    "upsim.weights": "Initialisation Normal Rescaled",
    "upsim.operators": "StretchFIR PolyphaseMatrix",
    "upsim.predictor": "predict",
    "upsim.prediction": "Prediction",
    "upsim.theory.tones": "Tone Contribution",
    "upsim.explanation": "explain",
    "upsim.theory.propagation": "fold finite_matrix",
    "upsim.theory.audibility": "audibility MaskedLevels",
    "upsim.theory.spread": "Spread",
    "upsim.theory.tone_audibility": "Audibility ToneAudibility",
    "upsim.theory.ladder": "families",
    "upsim.theory.overlap": "overlap",
    "upsim.theory.boundaries": "coverage",
    "upsim.theory.cost": "cost",
    "upsim.theory.gradient": "adjoint gradient_lines phase_shuffle_factor GradientLine",
    "upsim.theory.symbolic": "symbolic",
    "upsim.stackfile": "load_stack save_stack",
    "upsim.verification": "verify",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}
_MODULES = ("errors", "layers", "models", "neural", "operators", "testing")

__all__ = ["__version__", *_HOME_OF, *_MODULES]

if TYPE_CHECKING:
    from upsim import errors, layers, operators
    from upsim.explanation import explain
    from upsim.layers import *  # noqa: F403 - the names of the catalogue
    from upsim.operators import PolyphaseMatrix, StretchFIR
    from upsim.prediction import Prediction
    from upsim.predictor import predict
    from upsim.signals import Constant, Density, Recorded, Signal, Silence, Sine, WhiteNoise
    from upsim.stack import Stack
    from upsim.stackfile import load_stack, save_stack
    from upsim.theory.audibility import MaskedLevels, audibility
    from upsim.theory.boundaries import coverage
    from upsim.theory.cost import cost
    from upsim.theory.gradient import (
        GradientLine,
        adjoint,
        gradient_lines,
        phase_shuffle_factor,
    )
    from upsim.theory.ladder import families
    from upsim.theory.overlap import overlap
    from upsim.theory.propagation import finite_matrix, fold
    from upsim.theory.spread import Spread
    from upsim.theory.symbolic import symbolic
    from upsim.theory.tone_audibility import Audibility, ToneAudibility
    from upsim.theory.tones import Contribution, Tone
    from upsim.verification import verify
    from upsim.weights import Initialisation, Normal, Rescaled


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        found = getattr(importlib.import_module(_HOME_OF[name]), name)
    elif name in _MODULES:
        found = importlib.import_module(f"upsim.{name}")
    else:
        raise AttributeError(f"module 'upsim' has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
