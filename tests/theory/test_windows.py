"""Sizes of covariances, foreseen, against the arrays themselves."""

import tracemalloc

import numpy as np
import pytest

import upsim
from upsim.errors import TooLargeError
from upsim.theory.moments import StationaryMoments, propagation
from upsim.theory.moments.foresight import Foreseen, merged, releases
from upsim.theory.moments.places import Place
from upsim.theory.moments.propagation import propagate, starting_moments
from upsim.theory.moments.rules import Covariances
from upsim.theory.moments.windows import Windows

RATE = 16000
NOISE = upsim.Constant(0.5) + upsim.WhiteNoise()
GATED = (upsim.Conv(4, 8, 3, padding=1), upsim.GLU(), upsim.Conv(4, 4, 1))

STACKS = {
    "chain": [
        upsim.TransposedConv(4, 6, 8, 4, 2),
        upsim.ReLU(),
        upsim.TransposedConv(6, 3, 4, 2, 1),
    ],
    "down": [upsim.Conv(4, 6, 5, 2), upsim.ReLU(), upsim.TransposedConv(6, 3, 7, 3), upsim.ReLU()],
    "shuffle": [upsim.SubpixelConv(4, 3, 5, 2), upsim.ELU(), upsim.Linear(2), upsim.ReLU()],
    "residual": [
        upsim.TransposedConv(4, 4, 8, 4),
        upsim.Residual(upsim.ReLU(), upsim.Conv(4, 4, 3, padding=3, dilation=3), upsim.ReLU()),
        upsim.LeakyReLU(0.1),
        upsim.Conv(4, 2, 3),
    ],
    "gates": [upsim.TransposedConv(4, 4, 6, 2), upsim.Residual(*GATED), upsim.ReLU()],
    "levels": [
        upsim.TransposedConv(4, 5, 4, 2),
        upsim.LayerNorm(5),
        upsim.ReLU(),
        upsim.InstanceNorm(5),
        upsim.Conv(5, 4, 2, 2),
        upsim.GLU(),
    ],
    "two rates": [
        upsim.Parallel(
            (upsim.Conv(4, 4, 4, 2, padding=1), upsim.ReLU(), upsim.Nearest(2)),
            upsim.ReLU(),
            merge="concatenate",
        ),
        upsim.ReLU(),
    ],
}


#: A strided layer keeps every second lag; whether it keeps the last on each side is left open, and
#: a later factor of 2 doubles that.
SPARE = {"levels": 2, "two rates": 4}


def apart_only(monkeypatch):
    """Let all pairs of channels pass every budget."""
    plain = Windows.bytes_of

    def size(self, between):
        return plain(self, between) if self.apart else 10**18

    monkeypatch.setattr(Windows, "bytes_of", size)


def measured(stack):
    """Return the places of a stack that have a covariance, from a run of propagation."""
    start = starting_moments(stack, [NOISE], provenance=True)
    end = propagate(stack, start).end
    assert isinstance(end, StationaryMoments)
    assert end.place.covariance is not None
    places = {end.place} | end.place.ancestors
    return sorted((each for each in places if "covariance" in vars(each)), key=lambda p: p.depth)


@pytest.mark.parametrize("apart", [False, True], ids=["pairs", "apart"])
@pytest.mark.parametrize("name", STACKS)
def test_windows_bound_the_arrays_and_tightly(name, apart, monkeypatch):
    if apart:
        apart_only(monkeypatch)
    stack = upsim.Stack(STACKS[name], RATE).draw(1)
    found = measured(stack)
    assert len(found) >= 2
    for place in found:
        plan, own = place.plan, place.covariance
        assert plan.apart == apart
        assert own.phases == plan.window.phases
        # Linear layers cut off what a phase does not need; with the lags of all phases, which
        # the next activation wants, the window is the one that was foreseen.
        spare = plan.window.centred().width - own.centred().width
        assert 0 <= spare <= SPARE.get(name, 0)
        assert own.values.nbytes <= Windows(apart=apart).bytes_of(plan.window)


@pytest.mark.parametrize("name", STACKS)
def test_what_is_foreseen_is_what_is_planned(name):
    stack = upsim.Stack(STACKS[name], RATE).draw(1)
    steps, operators = stack.nodes, stack.operators
    start = starting_moments(stack, [NOISE], provenance=True)
    assert isinstance(start[0], StationaryMoments)
    values = [Foreseen.at_input(start[0])]
    for step, operator in zip(steps, operators, strict=True):
        inputs = [values[value] for value in step.inputs]
        after = merged(inputs, step.merging) if step.merging else None
        values.append(after or inputs[0].after(step.layer, operator))
    values[-1].settled()

    def plans(last: Place):
        places = sorted({last} | last.ancestors, key=lambda p: (p.depth, p.channels))
        return [each.plan.window for each in places if "plan" in vars(each)]

    assert plans(values[-1].place) == plans(measured(stack)[-1])


@pytest.mark.parametrize("name", STACKS)
def test_covariances_that_no_later_layer_asks_for_are_let_go_and_nothing_changes(name, monkeypatch):
    stack = upsim.Stack(STACKS[name], RATE).draw(1)

    def held():
        start = starting_moments(stack, [NOISE], provenance=True)
        places = [value.place for value in propagate(stack, start).values]
        return {number for number, place in enumerate(places) if "covariance" in vars(place)}

    before, kept = held(), upsim.predict(stack, NOISE)
    monkeypatch.setattr(
        propagation, "releases", lambda steps, foreseen, _: releases(steps, foreseen, 0)
    )
    # The last of them is what the answer is read from.
    assert held() < before or len(before) == 1
    found = upsim.predict(stack, NOISE)
    assert np.array_equal(found.psd, kept.psd)
    assert [t.power.tolist() for t in found.tones] == [t.power.tolist() for t in kept.tones]
    for inner, again in zip(found.layers, kept.layers, strict=True):
        assert np.array_equal(inner.psd, again.psd)


def test_memory_stays_near_what_was_foreseen():
    layers = [upsim.TransposedConv(16, 32, 16, 8, 4), upsim.ReLU()]
    layers += [upsim.TransposedConv(32, 32, 8, 4, 2), upsim.ReLU()]
    stack = upsim.Stack(layers, RATE).draw(0)
    place = measured(stack)[-2]
    size = Windows(apart=False).bytes_of(place.plan.window)
    del vars(place)["covariance"]
    tracemalloc.start()
    assert place.covariance is not None
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Three at once, as `predict` says, and one that is being turned.
    assert size / 2 <= most <= 4 * size


def test_a_decoder_that_does_not_fit_is_refused_before_anything_is_made(monkeypatch):
    def never(*_):
        raise AssertionError("a covariance was made")

    monkeypatch.setattr(Covariances, "start", never)
    layers, channels = [], 512
    for factor in (8, 8, 4, 2):
        layers += [
            upsim.LeakyReLU(0.1),
            upsim.TransposedConv(channels, channels // 2, 2 * factor, factor),
        ]
        channels //= 2
        body = [upsim.ReLU(), upsim.Conv(channels, channels, 7, padding=27, dilation=9)]
        layers += [upsim.Residual(*body), upsim.Residual(*body)]
    stack = upsim.Stack([*layers, upsim.ReLU()], RATE).draw(0)
    with pytest.raises(TooLargeError, match="channels would need") as refusal:
        upsim.predict(stack, upsim.WhiteNoise(), memory=2**20)
    text = str(refusal.value)
    for words in (
        "layer 4.1.1 of 17",
        "phases by",
        "memory=<bytes>",
        "stack.upto(n)",
        "Constant(1.0)",
    ):
        assert words in text


def test_a_residual_decoder_in_the_independent_form(monkeypatch):
    # A wire around what a layer has mixed adds its power; a wire around a function of each
    # sample does not: x + max(x, 0) has 2.5 - 1 / (2 pi).
    apart_only(monkeypatch)
    weights = np.random.default_rng(0).standard_normal((8, 8, 1)) / np.sqrt(8)
    mixed = upsim.Residual(upsim.Conv(8, 8, 1, bias=False, weight=weights))
    layers = [upsim.LeakyReLU(1.0), mixed, upsim.LeakyReLU(1.0)]
    answer = upsim.predict(upsim.Stack(layers, RATE, in_channels=8), upsim.WhiteNoise())
    wanted = 1 + (weights**2).sum(axis=(1, 2))
    slack = 1e-12 * wanted.max()
    assert np.abs(answer.noise_power - wanted).max() <= slack
    assert any("of what a layer has mixed" in line for line in answer.assumptions)
    layers = [upsim.LeakyReLU(1.0), upsim.Residual(upsim.ReLU())]
    answer = upsim.predict(upsim.Stack(layers, RATE, in_channels=8), upsim.WhiteNoise())
    assert np.abs(answer.noise_power - (2.5 - 1 / (2 * np.pi))).max() <= slack
