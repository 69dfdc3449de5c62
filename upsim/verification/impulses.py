"""The gains of a linear network, from the witness's answers to unit impulses."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from upsim.network.graph import Graph
from upsim.theory.reports.replicas import repeats
from upsim.verification.witness import Witness, run_period, seen_by
from upsim.words.arguments import refuse_beyond_memory
from upsim.words.tolerance import probable

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

#: Numbers of a Fourier matrix that are held at once (16 MiB).
_PIECE = 2**20

#: Products of gains that one judgement may take; more are left unchecked.
MOST_PRODUCTS = 2**31


class Impulses:
    r"""The answers ``h_q`` of one input to a unit impulse at each sample ``q`` of a block.

    Of each channel.  The impulses come again only after all answers have died away, so one period
    of the steady state holds them whole.  The gain from :math:`f_K = (U g + K) / D` to ``g`` is

    .. math:: \frac1U \sum_q e^{j 2\pi f_K q} \sum_n h_q[n]\, e^{-j 2\pi g n}.

    Parameters
    ----------
    stack : Graph
    witness : Witness
    number : int
        Of the input, from 0.
    """

    def __init__(self, stack: Graph, witness: Witness, number: int) -> None:
        self.stack = stack
        self.rate, self.channels = stack.input_rates[number], stack.inputs[number].channels
        self.up, blocks = repeats(stack)
        # Samples of each input in a block, and in the time that the longest answer takes.
        paces = [rate / stack.input_rate for rate in stack.input_rates]
        self.down = int(blocks * paces[number])
        first, last, inputs = _reach(stack, number, self.down)
        length = -(-inputs // blocks) * blocks
        rows, most = self.down * self.channels, max(stack.value_channels)
        refuse_beyond_memory(
            4 * rows * most * (last - first + 1), "the impulse responses", fix="smaller strides"
        )
        fed = [
            np.zeros((rows, each.channels, int(length * pace)))
            if each is stack.inputs[number]
            else np.zeros((rows, each.channels, 1))
            for each, pace in zip(stack.inputs, paces, strict=True)
        ]
        for phase in range(self.down):
            for channel in range(self.channels):
                fed[number][phase * self.channels + channel, channel, phase] = 1.0
        seen = run_period(stack, fed, witness, lambda _: np.zeros(rows)).end
        self.times = np.arange(first, last + 1)
        made = seen.samples[:, :, self.times % seen.samples.shape[2]]
        self.answers = made.reshape(self.down, self.channels, stack.out_channels, -1)
        self.error = seen.error
        self.dtype = witness.dtype

    def products(self, frequencies: int) -> int:
        """Return the products that the gains at so many frequencies take."""
        return frequencies * self.answers.size

    def inputs(self, turns: Real) -> Real:
        """Return the input frequencies of output frequencies, (F, D), cycles per sample."""
        return (self.up * turns[:, None] + np.arange(self.down)) / self.down

    def gains(self, turns: Real) -> Complex:
        """Return the gains (F, D, out, in) at frequencies in cycles per output sample."""
        found = []
        for part in np.array_split(turns, 1 + turns.size * self.times.size // _PIECE):
            turned = self.answers @ np.exp(-2j * np.pi * np.outer(self.times, part))
            ahead = np.exp(2j * np.pi * self.inputs(part)[:, :, None] * np.arange(self.down))
            found.append(np.einsum("qcof,fkq->fkoc", turned, ahead, optimize=True) / self.up)
        return np.concatenate(found)

    @cached_property
    def gain_error(self) -> Real:
        """How far rounding may have moved a gain, (out,), in the witness and in the prediction."""
        sums = np.abs(self.answers).sum(axis=(0, 3)).max(axis=0)
        terms = sum(each.terms + 1 for each in self.stack.operators if each is not None)
        count = self.times.size * self.down
        # The rounding of the samples is independent: it adds up as the root of their number.
        spread = np.sqrt(count) * self.error
        own = probable(count + terms, 1.0, self.dtype) * sums
        return np.asarray((spread + own) / self.up)


def _reach(stack: Graph, number: int, block: int) -> tuple[int, int, int]:
    """Return the first and last output sample that a block of impulses at one input touches.

    And how many samples of the first input the longest answer anywhere takes.

    Output block ``b`` of a layer sees the inputs ``b D + first`` to ``b D + last``.
    """
    paces = [rate / stack.input_rate for rate in stack.value_rates]
    touched: list[tuple[int, int] | None] = [None for _ in stack.inputs]
    touched[number] = (0, block - 1)
    longest = block / paces[number]
    for node, operator in zip(stack.nodes, stack.operators, strict=True):
        given = [each for each in (touched[value] for value in node.inputs) if each is not None]
        if not given:
            touched.append(None)
            continue
        low, high = min(each[0] for each in given), max(each[1] for each in given)
        if operator is not None:
            first, last = seen_by(operator)
            low = -(-(low - last) // operator.down) * operator.up
            high = max(low, (high - first) // operator.down * operator.up + operator.up - 1)
        touched.append((low, high))
        longest = max(longest, (high - low + 1) / paces[node.output])
    found = touched[stack.end]
    assert found is not None
    return *found, int(-(-longest // 1))
