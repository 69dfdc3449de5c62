"""The comparison of a density with the witness's impulse responses, without statistics."""

from __future__ import annotations

import numpy as np

from upsim.answer.prediction import Prediction
from upsim.answer.predictor import predict
from upsim.errors import ArgumentError
from upsim.network.feed import signals_of
from upsim.network.graph import Graph
from upsim.operators import Operator, StretchFIR
from upsim.theory.moments.propagation import transfer_chain
from upsim.theory.reports.boundaries import boundary_report
from upsim.theory.reports.replicas import repeats
from upsim.verification.report import Check
from upsim.verification.runner import Runner, refuse_normalisations, shortest_input, unit_length
from upsim.words.tolerance import rounding

#: Frequencies at which a density is checked.
_POINTS = 65

#: Unit impulses that the density check may feed at most.
_IMPULSES = 4096


def compare_density(stack: Graph, prediction: Prediction, runner: Runner) -> Check:
    r"""Compare the density with that of the witness's impulse responses, without statistics.

    With ``h_q`` the response to a unit impulse at input sample ``q = 0 … D - 1`` of a block, the
    gain from ``f_K = (U g + K) / D`` to ``g`` is
    :math:`\frac1U \sum_q e^{j 2\pi f_K q} \sum_n h_q[n] e^{-j 2\pi g n}`.
    """
    refuse_normalisations(stack, "level")
    ups, unit = repeats(stack)
    channels = stack.in_channels
    if unit * channels > _IMPULSES:
        raise ArgumentError(
            "the density check would feed too many impulses",
            given=f"{unit * channels}",
            expected=f"at most {_IMPULSES}",
        )
    chain = transfer_chain(stack)
    whole = unit_length(stack)
    length = shortest_input(stack, whole, least=2 * shortest_input(stack, whole))
    while True:
        edges = boundary_report(stack, length).transients[-1]
        centre = length // 2 // unit * unit
        steady = 2 * (edges.left + edges.right) < stack.output_length(length)
        ends = (centre, centre + unit - 1)
        if steady and all(_answer_fits(chain, each, length) for each in ends):
            break
        length = shortest_input(stack, whole, least=2 * length)
    samples = np.zeros((unit * channels + 1, channels, length))
    for phase in range(unit):
        for channel in range(channels):
            samples[phase * channels + channel, channel, centre + phase] = 1.0
    made = runner(stack, samples)[-1]
    # The last row is silence: what remains without offsets is the linear part.
    responses = (made[:-1] - made[-1:]).reshape(unit, channels, stack.out_channels, -1)
    rate = float(stack.sample_rate)
    grid = np.linspace(0, 0.5, _POINTS)
    times = np.arange(responses.shape[-1]) - centre // unit * ups
    turned = responses @ np.exp(-2j * np.pi * np.outer(times, grid))
    inputs = (ups * grid[:, None] + np.arange(unit)) / unit
    ahead = np.exp(2j * np.pi * inputs[:, :, None] * np.arange(unit))
    gains = np.einsum("qcof,fkq->fkoc", turned, ahead) / ups
    level = signals_of(stack, prediction.signal)[0].density(
        inputs.reshape(-1) * float(stack.input_rate), channels, stack.input_rate
    )
    assert level is not None
    shaped = level.reshape(channels, _POINTS, unit)
    measured = 2 * np.einsum("fkoc,cfk->of", np.abs(gains) ** 2, shaped)
    predicted = predict(stack, prediction.signal, frequencies=grid * rate, provenance=False).psd
    assert predicted is not None
    # |A|^2 has twice the relative error of A, whose sum runs over all taps of the response.
    sums = sum(operator.terms + 1 for operator in chain)
    operations = 2 * (sums + responses.shape[-1] * unit)
    scale = float((np.abs(responses).sum(axis=(0, 3)) ** 2).sum(axis=0).max() / ups**2)
    fed = f"{unit * channels} impulse response{'s' if unit * channels > 1 else ''}"
    return Check(
        "density",
        f"density at {_POINTS} frequencies against {fed}",
        float(np.abs(measured - predicted).max()),
        rounding(operations, 2 * scale * float(shaped.max()) * unit, runner.dtype),
    )


def _answer_fits(chain: tuple[Operator, ...], sample: int, length: int) -> bool:
    """Tell whether the answer to an impulse at ``sample`` lies inside every layer's output."""
    low = high = sample
    for operator in chain:
        if isinstance(operator, StretchFIR):
            low = (low * operator.factor + int(operator.positions.min())) // operator.down
            high = -(-(high * operator.factor + int(operator.positions.max())) // operator.down)
        else:
            blocks = operator.polyphase()
            low = (low // blocks.down + blocks.first) * blocks.up
            high = (high // blocks.down + blocks.first + len(blocks.blocks)) * blocks.up - 1
        length = operator.output_length(length)
        if low < 0 or high >= length:
            return False
    return True
