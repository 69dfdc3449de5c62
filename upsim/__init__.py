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
    "Conv TransposedConv Stretch Nearest Linear Cubic WindowedSinc Resample LearnedInterpolation "
    "SubpixelConv PeriodicShuffle HaarSynthesis LazyWaveletSynthesis PQMF InverseSTFT Bias Scale "
    "Select Hold Crop Pad Decimate Slice Residual Parallel Add Average Concatenate Subtract "
    "Multiply Divide Opaque ReLU LeakyReLU PReLU Clamp ELU GELU Tanh Sigmoid SiLU Softplus GLU "
    "Gate Softmax Pointwise Sin Snake SnakeBeta BatchNorm GroupNorm InstanceNorm LayerNorm "
    "WeightNorm"
)
_HOMES = {
    "upsim.layers": _LAYERS,
    "upsim.network.graph": "Graph Input",
    "upsim.network.stack": "Stack",
    "upsim.network.signals": "Signal Silence Constant WhiteNoise Sine Density Recorded",
    "upsim.network.weights": "Initialisation Normal Rescaled",
    "upsim.operators": "StretchFIR PolyphaseMatrix",
    "upsim.answer.predictor": "predict",
    "upsim.answer.prediction": "Prediction",
    "upsim.theory.lines.tones": "Tone Contribution",
    "upsim.answer.explanation": "explain",
    "upsim.answer.inspection": "Inspection inspect",
    "upsim.answer.aliasing": "Aliasing aliasing",
    "upsim.answer.comparison": "Comparison compare",
    "upsim.theory.moments.propagation": "fold finite_matrix",
    "upsim.theory.reports.audibility": "audibility MaskedLevels",
    "upsim.theory.lines.spread": "Spread",
    "upsim.theory.reports.tone_audibility": "Audibility ToneAudibility",
    "upsim.theory.lines.ladder": "families",
    "upsim.theory.reports.overlap": "overlap",
    "upsim.theory.reports.boundaries": "coverage",
    "upsim.theory.reports.cost": "cost",
    "upsim.theory.reports.lengths": "Lengths lengths",
    "upsim.theory.reports.gradient": "adjoint gradient_lines phase_shuffle_factor GradientLine",
    "upsim.theory.symbolic": "symbolic",
    "upsim.files.networkfile": "load_stack save_stack",
    "upsim.importers.config": "from_config",
    "upsim.importers.keras_model": "from_keras",
    "upsim.importers.onnx_file": "from_onnx",
    "upsim.importers.torch_module": "from_torch",
    "upsim.measuring": "measure",
    "upsim.answer.measured": "Measured",
    "upsim.verification": "verify",
    "upsim.verification.chunks": "context",
    "upsim.answer.context": "Context",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}
_MODULES = ("errors", "gaussian", "layers", "models", "neural", "operators", "testing")

__all__ = ["__version__", *_HOME_OF, *_MODULES]

if TYPE_CHECKING:
    from upsim import errors, gaussian, layers, operators
    from upsim.answer.aliasing import Aliasing, aliasing
    from upsim.answer.comparison import Comparison, compare
    from upsim.answer.context import Context
    from upsim.answer.explanation import explain
    from upsim.answer.inspection import Inspection, inspect
    from upsim.answer.measured import Measured
    from upsim.answer.prediction import Prediction
    from upsim.answer.predictor import predict
    from upsim.files.networkfile import load_stack, save_stack
    from upsim.importers.config import from_config
    from upsim.importers.keras_model import from_keras
    from upsim.importers.onnx_file import from_onnx
    from upsim.importers.torch_module import from_torch
    from upsim.layers import *  # noqa: F403 - the names of the catalogue
    from upsim.measuring import measure
    from upsim.network.graph import Graph
    from upsim.network.node import Input
    from upsim.network.signals import Constant, Density, Recorded, Signal, Silence, Sine, WhiteNoise
    from upsim.network.stack import Stack
    from upsim.network.weights import Initialisation, Normal, Rescaled
    from upsim.operators import PolyphaseMatrix, StretchFIR
    from upsim.theory.lines.ladder import families
    from upsim.theory.lines.spread import Spread
    from upsim.theory.lines.tones import Contribution, Tone
    from upsim.theory.moments.propagation import finite_matrix, fold
    from upsim.theory.reports.audibility import MaskedLevels, audibility
    from upsim.theory.reports.boundaries import coverage
    from upsim.theory.reports.cost import cost
    from upsim.theory.reports.gradient import (
        GradientLine,
        adjoint,
        gradient_lines,
        phase_shuffle_factor,
    )
    from upsim.theory.reports.lengths import Lengths, lengths
    from upsim.theory.reports.overlap import overlap
    from upsim.theory.reports.tone_audibility import Audibility, ToneAudibility
    from upsim.theory.symbolic import symbolic
    from upsim.verification import verify
    from upsim.verification.chunks import context


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
