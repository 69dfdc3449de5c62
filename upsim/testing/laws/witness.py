"""The law between prediction and performance: the operator and the layer as frameworks run it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from upsim import neural
from upsim.errors import ShapeError, UnknownNameError
from upsim.layers.base import Activation, Branch, Layer, LinearLayer, Normalisation
from upsim.layers.normalisation import BatchNorm
from upsim.layers.resample import Resample
from upsim.layers.samples import Pad
from upsim.layers.weight_norm import WeightNorm
from upsim.operators.operator import Real
from upsim.testing.laws.comparison import (
    agree,
    largest_row,
    margin,
    normalisation_margin,
    probe,
    room,
)
from upsim.testing.laws.law import law
from upsim.testing.laws.subject import is_linear, operator_of, run_finite
from upsim.words.tolerance import rounding

#: Roundings in one kernel value computed from its formula (a polynomial of degree three, or a sine,
#: a window and two quotients) or in one activation: each elementary function is good to 4 u, and
#: none of them takes more than a dozen.
_EVALUATION = 48

#: Layers whose numbers are not the given weights, but computed from them by each side for itself.
_COMPUTED = (BatchNorm, Resample, WeightNorm)


def _has_a_witness(layer: Layer, channels: int) -> bool:
    if isinstance(layer, Branch) and not is_linear(layer):
        return False
    try:
        neural.run(layer, np.zeros((channels, 32)))
    except UnknownNameError:
        return False
    except ShapeError:
        return True
    return True


def witness_margin(layer: Layer, channels: int, samples: Real) -> float:
    """Return how far the operator's output and the witness' may lie apart.

    Weights that are given are the same numbers on both sides: the margin of one application, 0
    where they are dyadic.  Kernel values that each side computes for itself differ, too, by the
    roundings of that computation, relative to the largest of them.
    """
    largest = float(np.abs(samples).max(initial=0.0))
    if isinstance(layer, Activation):
        # Arguments grow at most with the square of the sample; slopes are at most of its order.
        return rounding(_EVALUATION, 4 * (1 + largest) ** 2)
    if isinstance(layer, Normalisation):
        return normalisation_margin(layer, samples)
    if isinstance(layer, Branch):
        parts = [chain_margin(part, channels, samples) for part in layer.parts]
        ends = [float(np.abs(run_finite(part, samples)).max(initial=0.0)) for part in layer.parts]
        exact = not any(parts) and layer.merging != "mean"
        return sum(parts) + (0.0 if exact else rounding(len(parts) + 2, sum(ends)))
    operator = operator_of(layer, channels)
    offset = operator.offset_samples(operator.up)
    within = margin(np.abs(samples) + np.abs(offset).max(initial=0.0), operator)
    if within == 0.0 and not isinstance(layer, _COMPUTED):
        return within
    blocks = operator.polyphase().blocks
    terms = blocks.shape[0] * blocks.shape[3] * blocks.shape[4]
    bound = max(largest_row(operator), terms * float(np.abs(blocks).max()))
    return within + rounding(_EVALUATION + terms, bound * (largest + float(np.abs(offset).max())))


def chain_margin(layers: Iterable[Layer], channels: int, samples: Real) -> float:
    """Return the margin of a chain: each layer's, multiplied by the gains of those behind it."""
    within = 0.0
    for layer in layers:
        gain = largest_row(operator_of(layer, channels)) if within else 0.0
        within = within * gain + witness_margin(layer, channels, samples)
        samples, channels = run_finite([layer], samples), layer.channels_out(channels)
    return within


@law(
    of=(LinearLayer, Branch, Activation, Normalisation),
    when=_has_a_witness,
    formula="A x + b = the layer's matrix product, overlap-add, reshape or gathering of x",
    source="upsim.neural, which shares no mathematics with the operators",
)
def witness(layer: Layer, channels: int) -> None:
    """Check that the layer performed as frameworks perform it gives what the operator foretells."""
    far = 2 * room(operator_of(layer, channels)) if is_linear(layer) else 8
    for count in (1, 2, 3, 5, far, far + 1):
        samples = probe(channels, count)
        foretold = _or_refusal(partial(run_finite, [layer], samples))
        performed = _or_refusal(partial(_perform, layer, samples))
        if foretold is None or performed is None:
            # Frameworks refuse to mirror or wrap more samples than there are; the operator refuses
            # only if a tap that is not zero looks at them.
            lenient = performed is None and _mirrors(layer)
            if foretold is not performed and not lenient:
                refusing = "operator" if foretold is None else "witness"
                raise AssertionError(f"{count} samples are too few for the {refusing} alone")
            continue
        agree(
            performed,
            foretold,
            within=witness_margin(layer, channels, samples),
            what=f"{count} samples, performed and foretold",
        )


def _mirrors(layer: Layer) -> bool:
    mode = layer.mode if isinstance(layer, Pad) else getattr(layer, "padding_mode", "zeros")
    return mode in {"reflect", "circular"}


def _perform(layer: Layer, samples: Real) -> Real:
    return np.asarray(neural.run(layer, samples), dtype=np.float64)


def _or_refusal(run: Callable[[], Real]) -> Real | None:
    """Return what a run makes, None where it refuses the input as too short."""
    try:
        return run()
    except ShapeError:
        return None
