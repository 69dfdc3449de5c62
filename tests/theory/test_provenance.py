"""Shares asked from the output back, against the shares that are carried forward."""

import numpy as np
import pytest

import upsim
from upsim.layers.base import Activation
from upsim.theory.lines import provenance
from upsim.theory.lines.provenance import asked_back, shares_back
from upsim.theory.moments.propagation import propagate, starting_moments
from upsim.words.tolerance import rounding


def residual(channels, dilation):
    return upsim.Residual(
        upsim.LeakyReLU(0.2),
        upsim.Conv(channels, channels, 3, padding=dilation, dilation=dilation),
        skip=upsim.Conv(channels, channels, 1),
    )


def drawn(*layers, rate=8000):
    return upsim.Stack(layers, rate).draw(3)


STACKS = {
    "chain": drawn(
        upsim.Conv(2, 4, 3, padding=1),
        upsim.LeakyReLU(0.2),
        upsim.TransposedConv(4, 3, 8, 4, 2),
        upsim.ReLU(),
        upsim.TransposedConv(3, 1, 3, 2, 1),
        upsim.Tanh(),
    ),
    "residual branches": drawn(
        upsim.TransposedConv(2, 4, 5, 3),
        residual(4, 1),
        residual(4, 5),
        upsim.TransposedConv(4, 4, 4, 2, 1),
        residual(4, 1),
        upsim.Conv(4, 1, 7, padding=3),
    ),
    "mean and concatenation": drawn(
        upsim.Nearest(3),
        upsim.Parallel(
            [upsim.Conv(2, 3, 3, padding=1), upsim.ReLU()],
            [upsim.Conv(2, 3, 1), upsim.GELU()],
            merge="mean",
        ),
        upsim.Parallel([upsim.Conv(3, 2, 1)], [upsim.ReLU()], merge="concatenate"),
        upsim.TransposedConv(5, 1, 4, 2, 1),
        upsim.ReLU(),
        upsim.Conv(1, 1, 3, padding=1),
    ),
    "a bias with a period, and groups": drawn(
        upsim.SubpixelConv(2, 4, 3, 4, padding=1),
        upsim.ReLU(),
        upsim.Conv(4, 4, 3, padding=1, groups=2),
        upsim.ELU(),
        upsim.SubpixelConv(4, 1, 3, 2, padding=1),
    ),
    "anti-aliased": drawn(
        upsim.TransposedConv(2, 4, 6, 3, padding=1),
        upsim.Nearest(2),
        upsim.Snake(1.0),
        upsim.Conv(4, 4, 5, 2, 2, groups=4),
        upsim.TransposedConv(4, 1, 4, 2, padding=1),
        upsim.LeakyReLU(0.1),
        upsim.Decimate(3, 1),
    ),
    "down and up with a skip": drawn(
        upsim.TransposedConv(2, 3, 8, 4, padding=2),
        upsim.Residual(
            upsim.Conv(3, 4, 4, 2, 1), upsim.ReLU(), upsim.TransposedConv(4, 3, 4, 2, 1)
        ),
        upsim.Conv(3, 1, 4, 2, padding=1),
    ),
    "gate and normalisations": drawn(
        upsim.TransposedConv(2, 4, 8, 4, padding=2),
        upsim.GroupNorm(2, 4, weight=[1.0, -0.5, 2.0, 0.3], bias=[0.1, 0.2, -0.3, 0.4]),
        upsim.GLU(),
        upsim.InstanceNorm(2),
        upsim.TransposedConv(2, 2, 4, 2, padding=1),
        upsim.LayerNorm(2),
        upsim.Conv(2, 1, 3, padding=1),
    ),
    "programs of one value and of two": drawn(
        upsim.Pointwise([("exp", "x"), ("add", "s0", 1.5), ("log", "s1")]),
        upsim.TransposedConv(2, 6, 4, 2, padding=1),
        upsim.Pointwise(
            [("tanh", "x1"), ("multiply", "s0", "x0"), ("sin", "x2"), ("multiply", "s1", "s2")]
        ),
        upsim.TransposedConv(2, 1, 4, 2, padding=1),
        upsim.Pointwise([("abs", "x"), ("add", "s0", 1.0), ("sqrt", "s1")]),
    ),
    "a resampler": drawn(
        upsim.TransposedConv(2, 2, 4, 2, padding=1),
        upsim.Tanh(),
        upsim.Resample(3, 2, "scipy"),
        upsim.Conv(2, 1, 3),
    ),
}
SIGNALS = {
    "constant": upsim.Constant(1.0),
    "silence": upsim.Silence(),
    "constant and a sine": lambda stack: (
        upsim.Constant(0.5) + upsim.Sine(stack.input_rate / 5, 2.0)
    ),
}


def size_and_operations(trace):
    """The largest that a share may be behind each step, and the products that are added to it."""
    sizes, operations = [1.0 + float(trace.values[0].size.max())], [1]
    for step, operator in zip(trace.nodes, trace.operators, strict=True):
        given = sum(sizes[value] for value in step.inputs)
        terms = max(operations[value] for value in step.inputs)
        if operator is not None:
            offset = 0.0 if operator.offset is None else float(np.abs(operator.offset).max())
            given, terms = operator.largest_gain() * given + offset, terms + operator.terms + 1
        elif isinstance(step.layer, Activation):
            # Of slope up to 1.2: what passes, and a rest of f(x) less what passes.  Sums over the
            # period decide the gain.
            given, terms = 4 * given, terms + 2 * trace.values[step.output].period.shape[1] + 8
        sizes.append(given)
        operations.append(terms)
    return sizes[-1], operations[-1]


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("name", STACKS)
class TestBackIsForward:
    def traces(self, name, signal):
        stack = STACKS[name]
        made = SIGNALS[signal]
        made = made(stack) if callable(made) else made
        start = starting_moments(stack, [made], provenance=True)
        return start, propagate(stack, start), propagate(stack, [start[0].without_shares()])

    def bound(self, trace):
        size, operations = size_and_operations(trace)
        # Both ways round each sum; a complex product is four real ones, and a transform adds one
        # period.
        count = trace.values[-1].period.shape[1]
        return rounding(8 * (operations + count), size)

    def test_each_share_of_each_line(self, name, signal):
        start, forward, plain = self.traces(name, signal)
        end = forward.values[-1]
        lines = list(range(end.period.shape[1] // 2 + 1))
        sources, shares = shares_back(plain, start, lines)
        carried = dict(zip(end.sources, end.share_amplitudes(), strict=True))
        assert set(sources) == set(carried)
        for number, source in enumerate(sources):
            off = np.abs(shares[:, number] - carried[source][:, lines].T).max()
            assert off <= self.bound(forward)

    def test_they_add_up_to_the_line(self, name, signal):
        start, forward, plain = self.traces(name, signal)
        lines = [k for k in (0, 1, 3) if 2 * k <= plain.values[-1].period.shape[1]]
        shares = shares_back(plain, start, lines)[1]
        total = plain.values[-1].amplitudes()[:, lines].T
        assert np.abs(shares.sum(axis=1) - total).max() <= self.bound(forward)

    def test_not_without_the_gains_of_the_activations(self, name, signal, monkeypatch):
        start, forward, plain = self.traces(name, signal)

        def everything_passes(activation, before, after):
            return np.ones((len(after), 1)), after - activation.passing(before)

        monkeypatch.setattr(provenance, "bussgang", everything_passes)
        end = forward.values[-1]
        sources, shares = shares_back(plain, start, [0])
        carried = dict(zip(end.sources, end.share_amplitudes(), strict=True))
        off = [
            np.abs(shares[0, number] - carried[source][:, 0]).max()
            for number, source in enumerate(sources)
        ]
        assert max(off) > self.bound(forward)


def test_the_output_is_split_as_the_last_panel_is():
    stack = STACKS["residual branches"]
    assert asked_back(stack)
    prediction = upsim.predict(stack, upsim.Constant(1.0))
    assert len(prediction.tones) > 1
    for asked, carried in zip(prediction.tones, prediction.layers[-1].tones, strict=True):
        assert (asked.fraction, asked.layer, asked.cause) == (
            carried.fraction,
            carried.layer,
            carried.cause,
        )
        assert {(each.cause, each.layer) for each in asked.contributions} == {
            (each.cause, each.layer) for each in carried.contributions
        }


class TestWhatIsCarriedForward:
    def test_an_activation_with_a_carrier_of_its_own(self):
        class Doubled(upsim.layers.Activation):
            def form(self):
                return upsim.ReLU().form()

            def passing(self, samples):
                return 2 * samples

        layers = [upsim.Conv(1, 1, 3, padding=1), upsim.ReLU()] * 4
        assert asked_back(drawn(*layers))
        assert not asked_back(drawn(*layers, Doubled()))

    def test_more_channels_than_sources(self):
        assert not asked_back(drawn(upsim.Conv(1, 64, 3), upsim.ReLU(), upsim.Conv(64, 64, 1)))
