"""Which broken layers each law must catch."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from upsim.layers import CATALOGUE, ReLU
from upsim.layers.base import Layer
from upsim.layers.convolution import TransposedConv
from upsim.layers.subpixel import SubpixelConv
from upsim.operators import StretchFIR

from . import layers, operators


def _upsampler(kind: type[TransposedConv], **changes: int) -> TransposedConv:
    """Return a broken upsampler whose taps, phases and ends all differ from each other."""
    weight = np.array([[[1.0, 2.0, 4.0, -3.0, 0.5]]])
    arguments = {"stride": 2, "padding": 1} | changes
    return kind(1, 1, 5, bias=[0.25], weight=weight, **arguments)  # type: ignore[arg-type]


def _with(kind: type[StretchFIR]) -> TransposedConv:
    return _upsampler(layers.with_operator(kind))


def _subpixel(kind: type[SubpixelConv]) -> SubpixelConv:
    weight = np.arange(8.0).reshape(4, 1, 2)
    return kind(1, 2, 2, 2, bias=[1.0, 2.0, 4.0, 8.0], order="tensorflow", weight=weight)


#: For every law, by name, the broken layers that it must catch.
BROKEN: dict[str, tuple[Layer, ...]] = {
    "linearity": (_with(operators.Rectified),),
    "time_shift": (_with(operators.Alternating),),
    "impulses": (_with(operators.TapMissingInMatrix),),
    "edges": (_with(operators.LateRun),),
    "adjoint": (_with(operators.AdjointWrongSign),),
    "support": (_with(operators.SupportTooShort),),
    "polyphase_round_trip": (_with(operators.PhasesSwapped),),
    "blocking": (_upsampler(layers.LateBlocks),),
    "folding": (_with(operators.CropLostInFolding),),
    "length": (_upsampler(layers.WrongLength),),
    "crops": (_upsampler(layers.CropOffByOne), _upsampler(layers.TapDropped)),
    "output_padding": (_upsampler(layers.OutputPaddingLeft),),
    "dilation": (layers.DilationIgnored(1, 1, 2, dilation=2, bias=False, weight=[[[1.0, 2.0]]]),),
    "response": (_with(operators.TurnsBackwards), _with(operators.FactorForgotten)),
    "parseval": (_with(operators.FactorForgotten),),
    "noise_power": (_with(operators.PowersRotated),),
    "offset_tones": (_with(operators.GainsAveraged),),
    "offset_periodicity": (_upsampler(layers.OffsetDrifts),),
    "strang_fix": (layers.NearestTooShort(3),),
    "subpixel_bias": (_subpixel(layers.BiasMadeConstant), _subpixel(layers.BiasForgotten)),
    "overlap": (_upsampler(layers.TapDropped),),
    "equal_gain_draws": (_subpixel(layers.DrawIgnoresOrder),),
    "padding": (
        layers.ReflectIsReplicate(
            1, 1, 3, padding=1, bias=False, padding_mode="reflect", weight=[[[1.0, 2.0, 3.0]]]
        ),
    ),
    "shuffle_order": (layers.OrderIgnored(2, "tensorflow"),),
    "decimation": (layers.PhaseIgnored(3, 1),),
    "slicing": (layers.StopIgnored(1, -2, 3),),
    "pointwise": (layers.Remembering(), layers.MixesChannels()),
    "moments_of_the_function": (layers.MomentsOfAnother(),),
    "two_calls": (_upsampler(layers.NewTapsEachTime),),
    "expectation_of_draws": (_upsampler(layers.ScaledInOperator),),
    "time_statistics": (layers.UnbiasedVariance(2), layers.MeanKept(1, 2)),
    "repr_round_trip": (_upsampler(layers.ReprForgets),),
    "immutable": (_upsampler(layers.Writable),),
    "drawing": (_upsampler(layers.DrawsWithoutSeed),),
    "witness": (
        _upsampler(layers.CropOffByOne),
        _upsampler(layers.TapDropped),
        _subpixel(layers.BiasMadeConstant),
        _subpixel(layers.BiasForgotten),
        layers.NearestTooShort(3),
        layers.PhaseIgnored(3, 1),
        layers.StopIgnored(1, -2, 3),
        layers.Remembering(),
        layers.UnbiasedVariance(2),
        layers.MeansOfGroupsLost(1, 2),
        layers.MeanKept(1, 2),
    ),
    "parameters": (_upsampler(layers.BiasNotCounted),),
}


def whole(layer: Layer) -> Layer:
    """Return the sound layer that a broken one was made from: same arguments, catalogue's class."""
    kind = next((each for each in type(layer).__mro__ if each in CATALOGUE.values()), ReLU)
    values = {item.name: getattr(layer, item.name) for item in fields(layer)}  # type: ignore[arg-type]
    made: Layer = kind(**values)
    return made
