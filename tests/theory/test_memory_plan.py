"""Sizes of covariances, foreseen, against the arrays themselves."""

import tracemalloc
from contextlib import nullcontext

import numpy as np
import pytest

import upsim
from theory.per_channel import per_channel_only, record_at_end
from upsim.errors import NotPredictableError, TooLargeError
from upsim.theory.moments import StationaryMoments
from upsim.theory.moments.lag_window import LagWindows
from upsim.theory.moments.memory_plan import Planned, merged
from upsim.theory.moments.places import PIECES, Place
from upsim.theory.moments.propagation import propagate, starting_moments
from upsim.theory.moments.rules import Covariances
from upsim.words.tolerance import rounding

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
def test_windows_bound_the_arrays_and_tightly(name, apart):
    stack = upsim.Stack(STACKS[name], RATE).draw(1)
    with per_channel_only() if apart else nullcontext():
        found = measured(stack)
    assert len(found) >= 2
    for place in found:
        plan, own = place.plan, place.covariance
        assert plan.per_channel == apart
        assert own.phases == plan.window.phases
        # Linear layers cut off what a phase does not need; with the lags of all phases, which
        # the next activation wants, the window is the one that was foreseen.
        spare = plan.window.centred().width - own.centred().width
        assert 0 <= spare <= SPARE.get(name, 0)
        assert own.values.nbytes <= LagWindows(per_channel=apart).bytes_of(plan.window)


@pytest.mark.parametrize("name", STACKS)
def test_what_is_foreseen_is_what_is_planned(name):
    stack = upsim.Stack(STACKS[name], RATE).draw(1)
    values = foreseen(stack)

    def plans(last: Place):
        places = sorted({last} | last.ancestors, key=lambda p: (p.depth, p.channels))
        return [each.plan.window for each in places if "plan" in vars(each)]

    assert plans(values[-1].place) == plans(measured(stack)[-1])


DEEP = [upsim.TransposedConv(32, 16, 16, 8, 4), upsim.ReLU()]
DEEP += [upsim.TransposedConv(16, 8, 16, 8, 4), upsim.LeakyReLU(0.1), upsim.Conv(8, 1, 7)]
BODY = upsim.Residual(upsim.ReLU(), upsim.Conv(16, 16, 5, padding=2))
LARGE = {
    "decoder": DEEP,
    "one channel": [upsim.TransposedConv(1, 1, 16, 8, 4), upsim.ReLU()] * 3,
    "gate": [upsim.TransposedConv(8, 16, 16, 8, 4), upsim.GLU(), upsim.Conv(8, 2, 5), upsim.Tanh()],
    "branches": [upsim.TransposedConv(4, 16, 8, 4, 2), BODY, BODY, upsim.Conv(16, 48, 5)],
    "encoder": [upsim.Conv(4, 16, 8, 4, 2), upsim.ReLU(), *DEEP[2:]],
}


def foreseen(stack):
    """Return the values of a stack as they are laid out before anything is made."""
    (start,) = starting_moments(stack, [NOISE], provenance=True, budget=2.0**40)
    assert isinstance(start, StationaryMoments)
    values = [Planned.at_input(start)]
    for step, operator in zip(stack.nodes, stack.operators, strict=True):
        inputs = [values[value] for value in step.inputs]
        after = None
        if step.merging:
            channels = [stack.value_channels[value] for value in step.inputs]
            after = merged(inputs, step.merging, channels, stack.value_rates[step.output])
        values.append(after or inputs[0].after(step.layer, operator))
    values[-1].settled()
    return values


@pytest.mark.parametrize("name", LARGE)
def test_memory_is_foreseen(name):
    """A call takes no more than was foreseen, and with less it gives no density."""
    stack = upsim.Stack(LARGE[name], RATE).draw(0)
    last = foreseen(stack)[-1].place
    # The lines' periods, the covariances and the density.
    total = 2.0**40 - last.budget + 48 * 2049 * stack.out_channels
    total += max(each.plan.total for each in {last} | last.ancestors if "plan" in vars(each))
    tracemalloc.start()
    answer = upsim.predict(stack, NOISE, memory=total)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert answer.psd is not None
    assert most <= total + PIECES
    with pytest.raises(TooLargeError):
        upsim.predict(stack, NOISE, memory=total - 1, frequencies=2049)


@pytest.mark.parametrize("memory", [2**16, 2**20])
def test_what_is_refused_takes_no_memory(memory):
    layers = [*DEEP[:4], upsim.TransposedConv(8, 8, 16, 8, 4), upsim.ReLU()]
    stack = upsim.Stack(layers, RATE).draw(0)
    assert all(operator is None or operator.largest_gain() for operator in stack.operators)
    tracemalloc.start()
    with pytest.raises(TooLargeError, match="would need"):
        upsim.predict(stack, NOISE, memory=memory)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Sizes are worked out with whole numbers: no array of phases or channels is among them.
    assert most <= 2**19


def test_a_density_that_is_asked_for_and_does_not_fit_is_refused_before_anything_is_made(
    monkeypatch,
):
    def never(*_):
        raise AssertionError("a covariance was made")

    stack = upsim.Stack(DEEP, RATE).draw(0)
    lines = upsim.predict(stack, NOISE, memory=2**25)
    assert lines.psd is None
    assert lines.noise_is_unknown
    assert lines.tones
    assert np.all(np.isnan(lines.noise_power))
    monkeypatch.setattr(Covariances, "start", never)
    with pytest.raises(TooLargeError, match="pairs of channels") as refusal:
        upsim.predict(stack, NOISE, memory=2**25, frequencies=65)
    for words in ("memory=<bytes>", "fewer channels", "upsim.measure", "stack.upto(n)"):
        assert words in str(refusal.value)


def test_lines_without_a_density_are_shown_and_kept():
    with per_channel_only():
        answer = upsim.predict(upsim.Stack(DEEP, RATE).draw(0), NOISE)
    again = upsim.Prediction.from_dict(answer.to_dict())
    for each in (answer, again):
        assert each.psd is None
        assert each.noise_is_unknown
        assert "silent" not in repr(each)
        assert "noise not given" in repr(each)
        assert each.table().startswith("frequency")
        assert np.all(np.isnan(each.noise_power))
        for question in (each.audibility, lambda each=each: each.audio(0.1)):
            with pytest.raises(NotPredictableError, match="noise of this prediction"):
                question()
    assert answer.to_dict()["noise_power"] is None
    assert answer.plot() is not None
    assert any("density: not given" in line for line in answer.assumptions)
    assert not any("lines and density" in line for line in answer.assumptions)


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
        upsim.predict(stack, upsim.WhiteNoise(), memory=2**26)
    text = str(refusal.value)
    for words in (
        "layer 4.1.1 of 17",
        "phases by",
        "memory=<bytes>",
        "stack.upto(n)",
        "Constant(1.0)",
    ):
        assert words in text


def test_a_residual_decoder_in_the_independent_form():
    # A wire around what a layer has mixed adds its power; a wire around a function of each
    # sample does not: x + max(x, 0) has 2.5 - 1 / (2 pi).
    weights = np.random.default_rng(0).standard_normal((8, 8, 1)) / np.sqrt(8)
    mixed = upsim.Residual(upsim.Conv(8, 8, 1, bias=False, weight=weights))
    layers = [upsim.LeakyReLU(1.0), mixed, upsim.LeakyReLU(1.0)]
    with per_channel_only():
        made = record_at_end(upsim.Stack(layers, RATE, in_channels=8), upsim.WhiteNoise())
    wanted = 1 + (weights**2).sum(axis=(1, 2))
    slack = rounding(64, wanted.max())  # three layers of at most 8 products, twice: mean and lag 0
    assert np.abs(made.noise_power() - wanted).max() <= slack
    assert any("of what a layer has mixed" in line for line in made.assumptions)
    layers = [upsim.LeakyReLU(1.0), upsim.Residual(upsim.ReLU())]
    with per_channel_only():
        made = record_at_end(upsim.Stack(layers, RATE, in_channels=8), upsim.WhiteNoise())
    assert np.abs(made.noise_power() - (2.5 - 1 / (2 * np.pi))).max() <= slack
