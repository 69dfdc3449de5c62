"""Networks of several inputs, and their gains from impulses that the witness runs."""

from math import lcm

import numpy as np

import upsim
from upsim.neural.run import run_graph

RATE = 48000


def convolution(rng, inward, outward, kernel, stride=1):
    """Return a convolution of drawn weights; its padding keeps lengths whole."""
    weight = rng.standard_normal((outward, inward, kernel)) / np.sqrt(inward * kernel)
    bias = rng.standard_normal(outward)
    return upsim.Conv(
        inward, outward, kernel, stride=stride, padding=kernel // 2, weight=weight, bias=bias
    )


def transposed(rng, inward, outward, stride):
    """Return a transposed convolution of drawn weights that makes whole blocks."""
    pad = stride // 2
    weight = rng.standard_normal((inward, outward, stride + 2 * pad)) / np.sqrt(inward)
    return upsim.TransposedConv(
        inward, outward, stride + 2 * pad, stride, pad, weight=weight, bias=False
    )


def two_rates(seed=0):
    """A mel path that is stretched, a pitch path that is decimated, and a skip that crosses."""
    rng = np.random.default_rng(seed)
    nodes = [
        ("up", transposed(rng, 2, 3, 4), "mel"),
        ("source", convolution(rng, 1, 3, 5, stride=2), "pitch"),
        ("mixed", upsim.Add(), ("up", "source")),
        ("inner", convolution(rng, 3, 3, 3), "mixed"),
        ("both", upsim.Concatenate(), ("inner", "source")),
        ("last", transposed(rng, 6, 2, 2), "both"),
    ]
    return upsim.Graph(nodes, {"mel": 2, "pitch": 1}, RATE)


def three_inputs(seed=1):
    """Inputs at a third, at half and at the whole of the output's rate."""
    rng = np.random.default_rng(seed)
    nodes = [
        ("thirds", transposed(rng, 1, 2, 3), "a"),
        ("halves", transposed(rng, 2, 2, 2), "b"),
        ("mixed", upsim.Average(), ("thirds", "halves", "c")),
        ("down", convolution(rng, 2, 2, 5, stride=2), "mixed"),
        ("up", upsim.Nearest(2), "down"),
        ("sum", upsim.Add(), ("up", "mixed")),
    ]
    return upsim.Graph(nodes, {"a": 1, "b": 2, "c": 2}, RATE)


def shared_layer_after_decimation(seed=2):
    """Aliases of one input alone, and a value that two paths read."""
    rng = np.random.default_rng(seed)
    nodes = [
        ("folded", upsim.Decimate(3), "fast"),
        ("wide", upsim.Linear(3), "folded"),
        ("mixed", upsim.Concatenate(), ("wide", "slow")),
        ("last", convolution(rng, 2, 1, 7), "mixed"),
    ]
    return upsim.Graph(nodes, {"slow": 1, "fast": 1}, RATE)


LINEAR = (two_rates, three_inputs, shared_layer_after_decimation)


class ImpulseResponses:
    """The gains of a linear network from each input, by impulses at every sample of a block.

    The network repeats itself after ``up`` output and ``downs[i]`` samples of input i.
    """

    def __init__(self, graph, blocks=24):
        self.graph = graph
        self.up = lcm(*(node.layer.block[0] for node in graph.nodes)) * 12
        paces = [graph.sample_rate / rate for rate in graph.input_rates]
        self.downs = [int(self.up / pace) for pace in paces]
        assert all(self.up / pace == down for pace, down in zip(paces, self.downs, strict=True))
        rows = sum(
            each.channels * down for each, down in zip(graph.inputs, self.downs, strict=True)
        )
        fed, number = [], 0
        for each, down in zip(graph.inputs, self.downs, strict=True):
            samples = np.zeros((rows + 1, each.channels, blocks * down))
            for phase in range(down):
                for channel in range(each.channels):
                    samples[number, channel, blocks // 2 * down + phase] = 1.0
                    number += 1
            fed.append(samples)
        made = run_graph(graph, fed)[graph.end]
        answers = made[:-1] - made[-1]
        ends = self.up
        assert not answers[..., :ends].any()
        assert not answers[..., -ends:].any()
        self.answers, first = [], 0
        for each, down in zip(graph.inputs, self.downs, strict=True):
            part = answers[first : first + each.channels * down]
            self.answers.append(part.reshape(down, each.channels, *part.shape[1:]))
            first += each.channels * down

    def gains(self, number, turns):
        r"""Return ``A[f, k, o, c]`` from ``f_k = (U g + k) / D`` of an input, and those ``f_k``.

        :math:`A = \frac1U \sum_q e^{j 2 \pi f_k q} \sum_n h_q[n] e^{-j 2 \pi g n}`
        """
        answers, down = self.answers[number], self.downs[number]
        times = np.arange(answers.shape[-1])
        spectra = answers @ np.exp(-2j * np.pi * np.outer(times, turns))
        inputs = (self.up * turns[:, None] + np.arange(down)) / down
        ahead = np.exp(2j * np.pi * inputs[:, :, None] * np.arange(down))
        return np.einsum("qcof,fkq->fkoc", spectra, ahead) / self.up, inputs

    def density(self, signals, turns, order=0):
        r"""Return the two-sided (cyclic) density, a sum over the inputs, (out, F).

        :math:`\sum_k A_k(g) S(f_k) A_{k + s}(g - \alpha)^*`, :math:`s = U \alpha` here, and
        :math:`\alpha = s / U`.
        """
        total = np.zeros((self.graph.out_channels, turns.size), dtype=np.complex128)
        for number, (signal, each, rate) in enumerate(
            zip(signals, self.graph.inputs, self.graph.input_rates, strict=True)
        ):
            gains, inputs = self.gains(number, turns)
            others, _ = self.gains(number, turns - order / self.up)
            level = signal.density(inputs.reshape(-1) * float(rate), each.channels, rate)
            if level is None:
                continue
            shaped = level.reshape(each.channels, *inputs.shape)
            turned = np.roll(others, -order, axis=1)
            total += np.einsum("fkoc,cfk,fkoc->of", gains, shaped, turned.conj())
        return total

    def terms(self):
        """Return how many products one gain adds up."""
        taps = sum(each.terms + 1 for each in self.graph.operators if each is not None)
        return taps + max(self.downs) * self.answers[0].shape[-1]
