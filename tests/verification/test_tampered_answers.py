"""An answer that somebody has tampered with is refused, or the claim is named "not checked".

Each tampering changes one claim of a good prediction.  A report that stays as it was is a fault of
the judge.
"""

from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

import upsim
from upsim import Constant, Density, Recorded, Silence, Sine, Stack, WhiteNoise
from upsim.layers import (
    GLU,
    Bias,
    Conv,
    Decimate,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LeakyReLU,
    Linear,
    Nearest,
    Parallel,
    PeriodicShuffle,
    ReLU,
    Residual,
    SubpixelConv,
    Tanh,
    TransposedConv,
)

RATE = 24000


def up(before, after, kernel=7, stride=4):
    return TransposedConv(before, after, kernel, stride, padding=1)


def recording(channels, count=90):
    return np.random.default_rng(3).standard_normal((channels, count))


LINEAR = Stack([up(1, 2), SubpixelConv(2, 2, 3, 2, padding=1), Conv(2, 2, 3, padding=1)], RATE)
DECIMATING = Stack([up(1, 2), Conv(2, 2, 5, 2, padding=2), Nearest(3), Bias(0.3)], RATE)
BRANCHED = Stack(
    [
        up(1, 2),
        Residual(Conv(2, 2, 3, padding=1)),
        Parallel([Nearest(2)], [up(2, 2, 4, 2)], merge="concatenate"),
        Conv(4, 1, 3, padding=1),
    ],
    RATE,
)
ACTIVATED = Stack([up(1, 4), LeakyReLU(0.1), up(4, 4, 5, 3), Tanh(), Conv(4, 2, 3)], RATE)
ONCE = Stack([up(1, 4), LeakyReLU(0.1), up(4, 2, 5, 3)], RATE)
GATED = Stack([up(1, 4), GLU(), Residual(Conv(2, 2, 3, padding=1), ReLU()), up(2, 1, 5, 2)], RATE)
NORMED = Stack([up(1, 4), GroupNorm(2, 4), LeakyReLU(0.1), up(4, 1, 5, 2)], RATE)
LEVELLED = Stack([up(1, 4), InstanceNorm(4), Conv(4, 4, 3), LayerNorm(4), up(4, 1, 5, 2)], RATE)
FOLDED = Stack([up(1, 4), ReLU(), Conv(4, 4, 4, 2), up(4, 2, 5, 3), Decimate(2)], RATE)
SHUFFLED = Stack([Conv(1, 4, 3, padding=1), PeriodicShuffle(4), Linear(2)], RATE)

BOTH = Constant(1.0) + WhiteNoise(0.5)


@cache
def answers():
    """Return good predictions by name."""
    given = {
        "linear": (LINEAR, BOTH),
        "linear, silence": (LINEAR, Silence()),
        "linear, sine": (LINEAR, Sine(Fraction(RATE, 8 * 8)) + Constant(0.2) + WhiteNoise(2.0)),
        "linear, band": (LINEAR, Density([0.0, 1500.0], [1e-3, 1e-3]) + Constant(1.0)),
        "linear, recording": (LINEAR, Recorded(recording(1), Fraction(RATE, 8)) + Constant(1.0)),
        "decimating": (DECIMATING, BOTH),
        "branched": (BRANCHED, BOTH),
        "shuffled": (SHUFFLED, BOTH),
        "activated": (ACTIVATED, Constant(1.0)),
        "activated, sine": (ACTIVATED, Sine(Fraction(RATE, 12 * 4)) + Constant(1.0)),
        "activated, noise": (ACTIVATED, BOTH),
        "once, noise": (ONCE, BOTH),
        "activated, recording": (ACTIVATED, Recorded(recording(1), Fraction(RATE, 12))),
        "gated": (GATED, Constant(1.0)),
        "normed": (NORMED, Constant(1.0)),
        "normed, noise": (NORMED, BOTH),
        "levelled": (LEVELLED, Constant(1.0)),
        "folded": (FOLDED, Constant(1.0)),
    }
    return {
        name: upsim.predict(stack.draw(1), signal, frequencies=None if "rec" in name else 33)
        for name, (stack, signal) in given.items()
    }


NAMES = [
    "linear", "linear, silence", "linear, sine", "linear, band", "linear, recording",
    "decimating", "branched", "shuffled", "activated", "activated, sine", "activated, noise",
    "once, noise", "activated, recording", "gated", "normed", "normed, noise", "levelled", "folded",
]  # fmt: skip


def tampered(prediction, **changes):
    """Return a prediction with some claims changed; its other claims stay."""
    return replace(prediction, **changes)


def strongest(tones):
    """Return the number of the strongest tone that is not the offset, else of the strongest."""
    ranked = sorted(
        range(len(tones)), key=lambda n: (tones[n].fraction != 0, float(tones[n].power.max()))
    )
    return ranked[-1]


def with_tone(prediction, number, **changes):
    tones = list(prediction.tones)
    tones[number] = replace(tones[number], **changes)
    return tampered(prediction, tones=tuple(tones))


def halved(prediction):
    tones = tuple(
        replace(tone, amplitude=tone.amplitude / 2, power=tone.power / 4)
        for tone in prediction.tones
    )
    return tampered(prediction, tones=tones)


def power_doubled(prediction):
    number = strongest(prediction.tones)
    return with_tone(prediction, number, power=2 * prediction.tones[number].power)


def turned(prediction):
    """The phase of a line is a claim of its own."""
    number = strongest(prediction.tones)
    return with_tone(prediction, number, amplitude=-prediction.tones[number].amplitude)


def deleted(prediction):
    tones = list(prediction.tones)
    del tones[strongest(tones)]
    return tampered(prediction, tones=tuple(tones))


def added(prediction):
    first = prediction.tones[strongest(prediction.tones)]
    fraction = Fraction(1, 997)
    extra = replace(first, fraction=fraction, frequency=float(fraction * RATE))
    tones = sorted([*prediction.tones, extra], key=lambda tone: tone.fraction)
    return tampered(prediction, tones=tuple(tones))


def doubled(prediction):
    number = strongest(prediction.tones)
    tones = [*prediction.tones[: number + 1], *prediction.tones[number:]]
    return tampered(prediction, tones=tuple(tones))


def moved(prediction):
    """One line stands where its neighbour could be."""
    tones = list(prediction.tones)
    number = strongest(tones)
    free = {tone.fraction for tone in tones}
    place = next(
        each for k in range(1, 200) if (each := tones[number].fraction / (k + 1)) not in free
    )
    tones[number] = replace(tones[number], fraction=place, frequency=float(place * RATE))
    return tampered(prediction, tones=tuple(sorted(tones, key=lambda tone: tone.fraction)))


def in_hertz(prediction):
    number = strongest(prediction.tones)
    return with_tone(prediction, number, frequency=prediction.tones[number].frequency + 1.0)


def cause(prediction):
    number = strongest(prediction.tones)
    claimed = prediction.tones[number].cause
    return with_tone(prediction, number, cause="bias" if claimed != "bias" else "overlap")


def layer(prediction):
    number = strongest(prediction.tones)
    others = {node.name for node in prediction.stack.nodes} - {prediction.tones[number].layer}
    return with_tone(prediction, number, layer=min(others)) if others else None


def offset_cause(prediction):
    offset = [n for n, tone in enumerate(prediction.tones) if not tone.fraction]
    return with_tone(prediction, offset[0], cause="overlap") if offset else None


def share_scaled(prediction):
    number = strongest(prediction.tones)
    shares = prediction.tones[number].contributions
    if not shares:
        return None
    first = replace(shares[0], amplitude=shares[0].amplitude * 1.5, power=shares[0].power * 2.25)
    return with_tone(prediction, number, contributions=(first, *shares[1:]))


def share_power(prediction):
    number = strongest(prediction.tones)
    shares = prediction.tones[number].contributions
    if not shares:
        return None
    first = replace(shares[0], power=shares[0].power * 2)
    return with_tone(prediction, number, contributions=(first, *shares[1:]))


def shares_swapped(prediction):
    """Two sources change places: the sum stays."""
    for number, tone in enumerate(prediction.tones):
        if len(tone.contributions) > 1:
            one, two, *rest = tone.contributions
            swapped = (
                replace(one, cause=two.cause, layer=two.layer),
                replace(two, cause=one.cause, layer=one.layer),
                *rest,
            )
            return with_tone(prediction, number, contributions=swapped)
    return None


def shares_of_nobody(prediction):
    number = strongest(prediction.tones)
    shares = prediction.tones[number].contributions
    if not shares:
        return None
    first = replace(shares[0], layer="99")
    return with_tone(prediction, number, contributions=(first, *shares[1:]))


def with_replicas(prediction, change):
    found = tampered(prediction)
    found.__dict__["replicas"] = tuple(change(list(prediction.replicas)))
    return found


def replicas_emptied(prediction):
    return with_replicas(prediction, lambda _: [])


def band_moved(prediction):
    def change(rows):
        rows[-1] = replace(rows[-1], low=rows[-1].low - 1, high=rows[-1].high - 1)
        return rows

    return with_replicas(prediction, change)


def band_mirrored(prediction):
    return with_replicas(
        prediction, lambda rows: [*rows[:-1], replace(rows[-1], mirrored=not rows[-1].mirrored)]
    )


def band_of_another(prediction):
    return with_replicas(prediction, lambda rows: [*rows[:-1], replace(rows[-1], made_by=("99",))])


def band_louder(prediction):
    if prediction.replicas[0].gain is None:
        return None

    def change(rows):
        number = max(range(len(rows)), key=lambda n: rows[n].gain.max())
        rows[number] = replace(rows[number], gain=rows[number].gain * 1.01)
        return rows

    return with_replicas(prediction, change)


def psd_tripled(prediction):
    return None if prediction.psd is None else tampered(prediction, psd=3 * prediction.psd)


def psd_of_one_channel(prediction):
    if prediction.psd is None:
        return None
    psd = prediction.psd.copy()
    psd[-1] *= 1.001
    return tampered(prediction, psd=psd)


def psd_at_one_frequency(prediction):
    if prediction.psd is None:
        return None
    psd = prediction.psd.copy()
    psd[0, psd.shape[1] // 3] *= 1.001
    return tampered(prediction, psd=psd)


def psd_gone(prediction):
    return None if prediction.psd is None else tampered(prediction, psd=None)


def psd_from_nowhere(prediction):
    if prediction.psd is not None:
        return None
    return tampered(prediction, psd=np.ones((prediction.channels, prediction.frequencies.size)))


def noise_power(prediction):
    if prediction.psd is None or prediction.waveform is not None:
        return None
    wrong = 1.01 * prediction.noise_power
    return tampered(prediction, power_of_noise=lambda: wrong)


def late(prediction):
    """The output is one sample late."""
    if prediction.waveform is None:
        return None
    return tampered(prediction, waveform=np.roll(prediction.waveform, 1, axis=1))


def short(prediction):
    if prediction.waveform is None:
        return None
    return tampered(prediction, waveform=prediction.waveform[:, :-1])


def one_sample(prediction):
    if prediction.waveform is None:
        return None
    waveform = prediction.waveform.copy()
    waveform[-1, -1] += 1e-6
    return tampered(prediction, waveform=waveform)


def not_a_number(prediction):
    number = strongest(prediction.tones)
    return with_tone(prediction, number, amplitude=prediction.tones[number].amplitude * np.nan)


#: Each tampering, and the checks of which one must fail or be "not checked".
TAMPERINGS = {
    halved: {"lines", "powers"},
    power_doubled: {"powers"},
    turned: {"lines"},
    deleted: {"lines"},
    added: {"lines"},
    doubled: {"lines"},
    moved: {"lines"},
    in_hertz: {"frequencies"},
    not_a_number: {"lines"},
    cause: {"causes"},
    layer: {"first layers"},
    offset_cause: {"causes"},
    share_scaled: {"sums of shares"},
    share_power: {"sums of shares"},
    shares_swapped: {"shares"},
    shares_of_nobody: {"shares"},
    replicas_emptied: {"replicas"},
    band_moved: {"replicas"},
    band_mirrored: {"replicas"},
    band_of_another: {"replicas"},
    band_louder: {"gains of replicas"},
    psd_tripled: {"density"},
    psd_of_one_channel: {"density"},
    psd_at_one_frequency: {"density"},
    psd_gone: {"density"},
    psd_from_nowhere: {"density"},
    noise_power: {"noise power"},
    late: {"recording"},
    short: {"recording"},
    one_sample: {"recording"},
}

#: Claims that a run decides for every stack of the family but those with noise behind activations.
DECIDED = {"lines", "powers", "frequencies", "sums of shares", "replicas", "recording"}


@pytest.mark.parametrize("name", NAMES)
def test_a_good_answer_passes(name):
    report = upsim.verify(answers()[name])
    failed = [check for check in report.checks if check.verdict == "failed"]
    assert not failed, report
    assert report.passed == (name != "normed, noise"), report
    if name in ("linear", "linear, silence", "linear, band", "linear, recording", "shuffled"):
        assert report.complete, report


#: Changes that are smaller than the scatter of a run of noise.
TOO_SMALL = {psd_of_one_channel, psd_at_one_frequency, noise_power}

#: Changes that are smaller than what the closure behind two activations states of itself.
WITHIN_STATED_SIZE = {halved, turned, share_scaled, *TOO_SMALL}


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda each: each.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_a_tampered_answer_fails_or_the_claim_is_named(name, tampering):
    wrong = tampering(answers()[name])
    if wrong is None:
        pytest.skip("there is no such claim")
    small = {"once, noise": TOO_SMALL, "activated, noise": WITHIN_STATED_SIZE}
    if tampering in small.get(name, ()):
        pytest.skip("a run of noise does not see so small a change")
    report = upsim.verify(wrong)
    if report.verdict == "failed":
        return
    named = {check.name for check in report.not_checked}
    assert named & TAMPERINGS[tampering], report
    if "noise" not in name and name != "activated, recording":
        assert not named & TAMPERINGS[tampering] & DECIDED, report


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda each: each.__name__)
def test_on_a_linear_stack_nothing_is_left_open(tampering):
    seen = 0
    for name in ("linear", "linear, silence", "linear, band", "linear, recording", "shuffled"):
        wrong = tampering(answers()[name])
        if wrong is not None:
            seen += 1
            assert upsim.verify(wrong).verdict == "failed", name
    assert seen or tampering is psd_from_nowhere
