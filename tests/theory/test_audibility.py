"""Tones against noise: the standards' formulas by hand, the band's integral, words, bad input."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import upsim
from upsim.errors import ArgumentError, ArgumentTypeError, ShapeError
from upsim.theory.reports.masking import (
    critical_band,
    critical_bandwidth,
    hearing_threshold,
    masking_index,
    prominence_limit,
)
from upsim.words.tolerance import rounding, sampling

NYQUIST = 24000.0
GRID = np.linspace(0, NYQUIST, 4801)

# Levels here are below 400 dB and come from fewer than 200 operations, sums of 1000 terms aside.
LEVEL = rounding(200, 400.0)


def width(hertz):
    """Zwicker & Terhardt by logarithms."""
    return 25 + 75 * math.exp(0.69 * math.log1p(1.4 * hertz * hertz / 1e6))


def flat(power_per_hertz):
    return np.full(GRID.size, power_per_hertz)


# The formulas.


@pytest.mark.parametrize(
    ("hertz", "tabulated"),
    # Zwicker's table of critical bands: centre and width, Psychoacoustics (2007), table 6.1. The
    # formula is a fit to it, good to 10 % as its authors say.
    [(50, 100), (250, 100), (450, 110), (1000, 160), (2150, 320), (4000, 700), (8500, 1800)],
)
def test_critical_bandwidth_is_that_of_the_table(hertz, tabulated):
    found = float(critical_bandwidth(hertz))
    assert found == pytest.approx(width(hertz), abs=rounding(20, width(hertz)))
    assert abs(found / tabulated - 1) < 0.10


@pytest.mark.parametrize("hertz", [60.0, 499.0, 500.0, 1000.0, 11025.0])
def test_the_band_is_as_wide_as_it_says_and_lies_about_its_tone(hertz):
    low, high = map(float, critical_band(hertz))
    assert high - low == pytest.approx(width(hertz), abs=rounding(20, high))
    if hertz < 500:
        assert (low + high) / 2 == pytest.approx(hertz, abs=rounding(20, high))
    else:
        assert low * high == pytest.approx(hertz**2, abs=rounding(20, high**2))


def test_limits_by_hand():
    # 10^-1 of a kilohertz: 8 + 8.33. One kilohertz and above: 8. At 0 Hz nothing is prominent.
    assert prominence_limit([100, 1000, 9000]) == pytest.approx([16.33, 8, 8], abs=LEVEL)
    assert np.isinf(prominence_limit(0.0))
    # At 502 Hz the ratio is 1: -2 - log10(2). At 4 x 502 Hz it is 4^2.5 = 32: -2 - log10(33).
    expected = [-2, -2 - math.log10(2), -2 - math.log10(33)]
    assert masking_index([0, 502, 2008]) == pytest.approx(expected, abs=LEVEL)
    # At 3.3 kHz the dip is complete: 3.64 x 3.3^-0.8 - 6.5 + 0.001 x 3.3^4.
    expected = 3.64 * math.exp(-0.8 * math.log(3.3)) - 6.5 + 118.5921e-3
    assert float(hearing_threshold(3300)) == pytest.approx(expected, abs=LEVEL)
    assert np.isinf(hearing_threshold(0.0))


# Tone-to-noise ratio.


@pytest.mark.parametrize("hertz", [20.0, 100.0, 440.0, 1000.0, 5512.5, 20000.0, NYQUIST])
def test_in_flat_noise_the_band_says_what_its_centre_says(hertz):
    power, density = 3e-4, 2e-7
    expected = 10 * math.log10(power / (density * width(hertz)))
    found = upsim.audibility(hertz, power, GRID, flat(density))
    # The mean over the band is a trapezoid sum of as many terms as the grid has points in it.
    assert float(found.tnr) == pytest.approx(expected, abs=rounding(GRID.size, 100.0))


def test_the_noise_is_the_mean_over_the_band():
    # On a straight density the mean is the value in the middle of the band, not that at the tone.
    hertz = 1000.0
    middle = math.hypot(hertz, width(hertz) / 2)
    found = upsim.audibility(hertz, 1.0, [0, NYQUIST], [0, NYQUIST])
    expected = -10 * math.log10(middle * width(hertz))
    assert float(found.tnr) == pytest.approx(expected, abs=LEVEL)
    assert middle > hertz + 3


def test_a_zero_at_the_tone_does_not_make_it_infinitely_loud():
    # |f - 300| about 300 Hz, an even band of width w: the mean is w / 4.
    hertz = 300.0
    found = upsim.audibility(hertz, 1.0, [0, hertz, 600], [300, 0, 300])
    expected = -10 * math.log10(width(hertz) ** 2 / 4)
    assert float(found.tnr) == pytest.approx(expected, abs=LEVEL)


def test_points_on_a_straight_density_change_nothing():
    few = [0.0, 900.0, 1010.0, 1400.0, NYQUIST]
    levels = [1.0, 5.0, 0.5, 2.0, 1.0]
    many = np.union1d(few, GRID)
    coarse = upsim.audibility([950.0, 1000.0, 8000.0], 1.0, few, levels)
    fine = upsim.audibility([950.0, 1000.0, 8000.0], 1.0, many, np.interp(many, few, levels))
    assert coarse.tnr == pytest.approx(fine.tnr, abs=rounding(2 * many.size, 100.0))


def test_a_faint_band_beside_a_loud_one_is_not_lost():
    loud = np.where(GRID < 500, 1.0, 1e-25)
    found = upsim.audibility(5000.0, 1e-25, GRID, loud)
    expected = -10 * math.log10(width(5000.0))
    assert float(found.tnr) == pytest.approx(expected, abs=rounding(GRID.size, 300.0))


def test_without_noise_the_ratio_is_infinite():
    low = np.where(GRID < 500, 1.0, 0.0)
    for noise in ((), (GRID, flat(0.0)), (GRID, low)):
        found = upsim.audibility([1000.0, 4000.0], [1e-12, 0.0], *noise)
        assert found.tnr.tolist() == [math.inf, -math.inf]
        assert found.audible.tolist() == found.prominent.tolist() == [True, False]


def test_offset_and_what_no_ear_hears():
    found = upsim.audibility([0.0, 19.0, 20.0, 20000.0, 20001.0], 1.0, GRID, flat(1e-9))
    assert found.audible.tolist() == found.prominent.tolist() == [False, False, True, True, False]
    assert found.margin[[0, 1, 4]].tolist() == [-math.inf] * 3
    silent = upsim.audibility(0.0, 1.0, calibration=120.0)
    assert not silent.audible
    assert not silent.prominent
    assert not silent.above_threshold


@pytest.mark.parametrize("hertz", [200.0, 1000.0, 6000.0])
def test_verdicts_turn_at_their_limits(hertz):
    density = 1e-6
    noise = density * width(hertz)
    prominent = 8 + max(0.0, 8.33 * math.log10(1000 / hertz))
    masked = -2 - math.log10(1 + (hertz / 502) ** 2.5)
    step = rounding(GRID.size, 100.0)
    around = [prominent - step, prominent + step, masked - step, masked + step]
    powers = [noise * 10 ** (level / 10) for level in around]
    found = upsim.audibility([hertz] * 4, powers, GRID, flat(density))
    assert found.prominent.tolist() == [False, True, False, False]
    assert found.audible.tolist() == [True, True, False, True]


def test_threshold_of_hearing_needs_a_calibration():
    powers, hertz = [1e-9, 1e-9], [100.0, 3300.0]
    unknown = upsim.audibility(hertz, powers)
    assert unknown.level is None
    assert unknown.above_threshold is None
    assert unknown.audible.all()
    # 94 dB - 90 dB = 4 dB SPL: below the 23 dB needed at 100 Hz, above the -5 dB at 3.3 kHz.
    known = upsim.audibility(hertz, powers, calibration=94)
    assert known.level == pytest.approx([4, 4], abs=LEVEL)
    assert known.above_threshold.tolist() == known.audible.tolist() == [False, True]


# Laws.

POWERS = st.floats(1e-12, 1e6)
TONES = st.floats(20, 20000)


@given(TONES, POWERS, POWERS, st.floats(1.001, 1e6))
def test_more_tone_is_heard_more_and_more_noise_less(hertz, power, density, factor):
    plain = upsim.audibility(hertz, power, GRID, flat(density)).margin
    assert upsim.audibility(hertz, power * factor, GRID, flat(density)).margin > plain
    assert upsim.audibility(hertz, power, GRID, flat(density * factor)).margin < plain


@given(TONES, POWERS, POWERS, st.floats(1e-6, 1e6))
def test_only_the_ratio_of_tone_and_noise_counts(hertz, power, density, factor):
    plain = upsim.audibility(hertz, power, GRID, flat(density), calibration=60)
    louder = upsim.audibility(
        hertz,
        power * factor,
        GRID,
        flat(density * factor),
        calibration=60 - 10 * math.log10(factor),
    )
    close = rounding(2 * GRID.size, 1000.0)
    assert float(louder.tnr) == pytest.approx(float(plain.tnr), abs=close)
    assert float(louder.level) == pytest.approx(float(plain.level), abs=close)


def test_leading_axes_broadcast():
    hertz = [500.0, 1000.0, 2000.0]
    powers = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    noise = np.stack([flat(1e-3), flat(1e-2)])
    both = upsim.audibility(hertz, powers, GRID, noise)
    assert both.tnr.shape == (2, 3)
    for row in range(2):
        for column in range(3):
            one = upsim.audibility(hertz[column], powers[row, column], GRID, noise[row])
            assert one.tnr.shape == ()
            assert float(one.tnr) == both.tnr[row, column]
    assert upsim.audibility(hertz, powers[:, None], GRID, noise).tnr.shape == (2, 2, 3)
    assert upsim.audibility(1000.0, [1.0, 2.0], GRID, flat(1.0)).tnr.shape == (2,)
    assert upsim.audibility(hertz, 1.0).tnr.shape == (3,)
    assert upsim.audibility([], []).tnr.shape == (0,)
    assert not both.tnr.flags.writeable


# Bad input.


@pytest.mark.parametrize(
    ("arguments", "options", "kind", "words"),
    [
        (([1000], [-1.0]), {}, ArgumentError, "powers must not be negative"),
        (([1000], [math.nan]), {}, ArgumentError, "powers must be finite"),
        (([1000], [1, 2]), {}, ShapeError, "one value for each frequency"),
        (([-5], [1]), {}, ArgumentError, "frequencies must not be negative"),
        (([math.inf], [1]), {}, ArgumentError, "frequencies must be finite"),
        (([[1000]], [1]), {}, ShapeError, "one number or one row"),
        (("loud", [1]), {}, ArgumentTypeError, "array of real numbers"),
        (([1000], [1], [0, 8000], [1, -1e-9]), {}, ArgumentError, "psd must not be negative"),
        (([1000], [1], [0, 8000], [1, math.nan]), {}, ArgumentError, "psd must be finite"),
        (([1000], [1], [0, 8000], [1, 1, 1]), {}, ShapeError, "value for each frequency of the"),
        (([1000], [1], [8000, 0], [1, 1]), {}, ArgumentError, "ascending"),
        (([1000], [1], [0], [1]), {}, ArgumentError, "ascending"),
        (([1000], [1], [0, 8000]), {}, ArgumentError, "belong together"),
        (([1000], [1], None, [1, 1]), {}, ArgumentError, "belong together"),
        (([1000], [1], [2000, 2010], [1, 1]), {}, ArgumentError, "not known at every line"),
        (([1000], [1], [0, 10, 20], [1, 1, 1]), {}, ArgumentError, "a line at 1000 Hz"),
        (([1000], [[1], [1]], [0, 9e3], np.ones((3, 2))), {}, ShapeError, "do not broadcast"),
        (([1000], [1]), {"calibration": math.inf}, ArgumentError, "calibration must be finite"),
        (([1000], [1]), {"calibration": math.nan}, ArgumentError, "calibration must be finite"),
        (([1000], [1]), {"calibration": "94"}, ArgumentTypeError, "calibration must be a number"),
    ],
)
def test_bad_input_is_named(arguments, options, kind, words):
    with pytest.raises(kind) as caught:
        upsim.audibility(*arguments, **options)
    assert words in str(caught.value)


# Predictions.


def partial_overlap(signal=None, **options):
    stack = upsim.Stack([upsim.TransposedConv(1, 1, 3, 2, bias=False, weight="ones")], 16000)
    return upsim.predict(stack.draw(0), signal, **options)


def test_a_prediction_by_hand():
    # Taps 1, 1, 1 at stride 2: a constant 0.1 leaves as 0.2, 0.1: a line of 0.05 at 8 kHz. White
    # noise of 0.01 has the output density 0.01 (1 + 2 cos w)^2 / 16000, one-sided, at w = 2 pi f /
    # 16000, whose integral over w is 3 w + 4 sin w + sin 2w.
    found = partial_overlap(upsim.Constant(0.1) + upsim.WhiteNoise(0.01)).audibility()
    (row,) = [row for row in found.rows if row.tone.frequency == 8000]
    low = math.pi * (math.hypot(8000, width(8000) / 2) - width(8000) / 2) / 8000
    integral = 3 * (math.pi - low) - 4 * math.sin(low) - math.sin(2 * low)
    noise = 0.01 / 16000 * integral / (math.pi - low) * width(8000)
    expected = 10 * math.log10(0.05**2 / noise)
    # The density is straight between points h apart in w: off by at most h^2 / 12 max|S''|, and
    # |S''| <= 4 + 8 over a mean density of at least 0.3 here; in dB times 10 / ln 10.
    straight = 10 / math.log(10) * (math.pi / 2048) ** 2 / 12 * 12 / 0.3
    assert integral / (math.pi - low) > 0.3
    assert row.tnr == pytest.approx(expected, abs=straight)
    assert row.power == pytest.approx(0.0025, abs=rounding(100, 1.0))
    assert row.place == "1 (TransposedConv)"
    assert row.audible
    assert row.verdict == "heard"
    assert found.audible == (row,)
    offset = found.rows[0]
    assert offset.tone.frequency == 0
    assert not offset.audible
    assert offset.verdict == "not heard: an offset, silent but at its ends"


def test_the_answer_in_words():
    noisy = upsim.Constant(0.01) + upsim.WhiteNoise(1.0)
    silent = str(partial_overlap(upsim.Constant(1.0)).audibility())
    assert silent.splitlines()[0] == "1 of 1 tone will be heard, from layer 1 (TransposedConv):"
    assert "8 kHz  no noise in its critical band  prominent  layer 1" in silent
    assert "threshold of hearing not judged" in silent
    masked = partial_overlap(noisy).audibility(calibration=94)
    assert str(masked).startswith("none of 1 tone will be heard\n  8 kHz  TNR -")
    assert "masked by the noise" in str(masked)
    assert "RMS 1 played at 94 dB SPL" in str(masked)
    quiet = partial_overlap(upsim.Constant(1e-6)).audibility(calibration=60)
    assert quiet.rows[1].verdict == "below the threshold of hearing"
    assert quiet.audible == ()
    none = upsim.predict(upsim.Stack([upsim.Nearest(2)], 16000), upsim.Constant(1.0)).audibility()
    assert str(none).startswith("no tones to hear")
    nothing = upsim.predict(upsim.Stack([upsim.Nearest(2)], 16000), upsim.Silence()).audibility()
    assert nothing.table() == "no tones"
    ultrasonic = upsim.predict(
        upsim.Stack([upsim.Stretch(2)], 48000), upsim.Constant(1.0)
    ).audibility()
    assert ultrasonic.rows[1].verdict == "not heard: outside 20 Hz to 20 kHz"


def test_table_and_plain_content():
    found = partial_overlap(upsim.Constant(1.0)).audibility(calibration=90)
    header, _, line = found.table().splitlines()
    assert header.split("  ")[0] == "frequency"
    assert "SPL" in header
    assert "inf: no noise" in line
    assert line.endswith("prominent")
    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert content["format"] == "upsim-audibility"
    assert content["calibration"] == 90
    assert [tone["audible"] for tone in content["tones"]] == [False, True]
    assert float(content["tones"][1]["tnr"]) == math.inf
    assert content["tones"][1]["fraction"] == "1/2"
    assert content["assumptions"] == list(found.assumptions)
    unjudged = partial_overlap(upsim.Constant(1.0)).audibility().to_dict()
    assert unjudged["tones"][1]["level"] is unjudged["tones"][1]["above_threshold"] is None


def test_what_is_assumed_is_said():
    found = partial_overlap().audibility()
    assert any("1 critical band reaches beyond the density" in each for each in found.assumptions)
    assert any("not judged" in each for each in found.assumptions)
    assert any(
        "Terhardt" in each for each in partial_overlap().audibility(calibration=0).assumptions
    )
    stack = upsim.Stack([upsim.Nearest(1)], 16000)
    pair = upsim.Sine(3000, 1.0) + upsim.Sine(3100, 1.0)
    found = upsim.predict(stack, pair).audibility()
    assert any("2 tones share a critical band" in each for each in found.assumptions)


# Groups.


def comb(count=127, step=86.1328125, under=1.0):
    """Return the lines of a comb, each so many dB under its masking threshold, and their noise."""
    density = 1 / 11025
    hertz = step * np.arange(1, count + 1)
    limit = np.array([-2 - math.log10(1 + (each / 502) ** 2.5) for each in hertz])
    widths = np.array([width(each) for each in hertz])
    return hertz, density * widths * 10 ** ((limit - under) / 10), density


def sines(hertz, powers, density, rate=22050):
    """Return what a wire makes of lines and white noise."""
    signal = upsim.WhiteNoise(density * rate / 2)
    for each, power in zip(hertz, powers, strict=True):
        signal = signal + upsim.Sine(float(each), math.sqrt(2 * power))
    return upsim.predict(upsim.Stack([upsim.Nearest(1)], rate), signal)


def test_a_comb_of_masked_lines_is_heard_as_groups():
    hertz, powers, density = comb()
    found = sines(hertz, powers, density).audibility()
    assert all(row.margin < 0 for row in found.rows)
    # By hand: the sum over each band, over the noise of the band, less the masking index.
    best = -math.inf
    for number, each in enumerate(hertz):
        half = width(each) / 2
        middle = each if each < 500 else math.hypot(each, half)
        total = sum(p for f, p in zip(hertz, powers, strict=True) if abs(f - middle) <= half)
        limit = -2 - math.log10(1 + (each / 502) ** 2.5)
        own = 10 * math.log10(total / (density * width(each))) - limit
        assert found.rows[number].together == pytest.approx(own, abs=LEVEL)
        best = max(best, own)
    assert round(best, 1) == 13.2
    strongest = found.groups[0]
    assert strongest.margin == pytest.approx(best, abs=LEVEL)
    assert len(strongest.rows) == 26
    assert all("heard together with" in row.verdict for row in strongest.rows[10:16])
    text = str(found)
    assert "together: 26 tones from 8.613" in text
    assert "13.2 dB over masking" in text
    # No tone is in two groups.
    listed = [row.tone.fraction for group in found.groups for row in group.rows]
    assert len(listed) == len(set(listed))
    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert len(content["groups"][0]["fractions"]) == 26
    assert "together" in found.table().splitlines()[0]


def test_a_line_alone_in_its_band_is_no_group():
    hertz, powers, density = comb(3, 3000.0)
    found = sines(hertz, powers, density).audibility()
    assert found.groups == ()
    assert not found.audible
    assert all(row.together == row.margin for row in found.rows)


def test_a_faint_neighbour_of_a_loud_tone_is_masked_as_before():
    density = 1 / 11025
    loud, faint = 10 * density * width(4000), 1e-3 * density * width(4100)
    found = sines([4000.0, 4100.0], [loud, faint], density).audibility()
    assert found.rows[0].audible
    assert not found.rows[1].audible
    assert found.rows[1].verdict == "masked by the noise"
    assert found.groups == ()


def test_lines_below_the_threshold_of_hearing_add_up_too():
    threshold = float(hearing_threshold(3000.0))
    # Without noise, each 1 dB below the threshold of silence; four are 6 dB more.
    power = 10 ** ((threshold - 1 - 60) / 10)
    hertz = [3000.0, 3050.0, 3100.0, 3150.0]
    signal = upsim.Silence()
    for each in hertz:
        signal = signal + upsim.Sine(each, math.sqrt(2 * power))
    prediction = upsim.predict(upsim.Stack([upsim.Nearest(1)], 16000), signal)
    found = prediction.audibility(calibration=60)
    assert not any(row.above_threshold for row in found.rows[:1])
    assert found.rows[0].in_group
    assert found.groups[0].rows == found.rows


def test_a_recording_and_a_run_are_the_programme():
    rng = np.random.default_rng(0)
    samples = 0.1 * rng.standard_normal((1, 16000))
    stack = upsim.Stack([upsim.Conv(1, 1, 1, weight=np.ones((1, 1, 1)), bias=False)], 16000)
    hum = upsim.Recorded(samples, 16000) + upsim.Sine(4000, 0.01)
    prediction = upsim.predict(stack, hum)
    (row,) = prediction.audibility().rows
    made = prediction.waveform - prediction.waveform.mean()
    wanted = 10 * math.log10(0.01**2 / 2 / float(np.square(made).mean()))
    # What noise and tone have in common: 2 s A / sqrt(2) a sample, of a mean square of s^2.
    common = 2 * 0.1 * 0.01 / math.sqrt(2) / 0.1**2
    assert row.programme == pytest.approx(wanted, abs=10 / math.log(10) * sampling(common, 16000))
    assert "re programme" in prediction.audibility().table().splitlines()[0]
    bent = upsim.Stack([upsim.ReLU(), upsim.TransposedConv(1, 1, 3, 2)], 16000, in_channels=1)
    run = upsim.measure(bent.draw(0), upsim.WhiteNoise(1.0), target_db=1.0)
    assert all(row.programme is not None for row in run.audibility().rows)
    closed = upsim.predict(bent.draw(0), upsim.WhiteNoise(1.0)).audibility()
    assert all(row.programme is None for row in closed.rows)


def test_a_channel_without_the_tone_is_not_said_to_have_it():
    weight = np.ones((1, 2, 3))
    weight[0, 1] = [1.0, 2.0, 1.0]  # phase gains 2 and 2: no tone in channel 1
    layer = upsim.TransposedConv(1, 2, 3, 2, bias=False, weight=weight)
    prediction = upsim.predict(upsim.Stack([layer], 16000), upsim.Constant(0.1))
    first, second = (prediction.audibility(channel=channel) for channel in (0, 1))
    assert first.rows[1].audible
    assert not second.rows[1].audible
    assert second.rows[1].verdict == "not in this channel"
    assert (first.channel, second.channel) == (0, 1)


def test_questions_that_cannot_be_answered():
    prediction = partial_overlap()
    with pytest.raises(ArgumentError, match=r"no such channel.*given: channel=1.*fix: channel=0"):
        prediction.audibility(channel=1)
    with pytest.raises(ArgumentError, match="whole number"):
        prediction.audibility(channel=-1)
    with pytest.raises(ArgumentError, match="calibration must be finite"):
        prediction.audibility(calibration=math.nan)
    with pytest.raises(ArgumentError, match="predict without frequencies="):
        partial_overlap(frequencies=[100.0, 200.0]).audibility()


def test_a_recording_is_judged_against_itself():
    samples = 0.01 * np.random.default_rng(0).standard_normal(4001)
    prediction = partial_overlap(upsim.Constant(0.1) + upsim.Recorded(samples, 8000))
    found = prediction.audibility()
    assert any("the recording counts as steady noise" in each for each in found.assumptions)
    (row,) = [row for row in found.rows if row.tone.frequency == 8000]
    assert row.prominent


# With more than two tones in a band mosqito adds two of them and counts the rest as noise.
@pytest.mark.parametrize("pair", [(1000.0, 1030.0), (3000.0, 3040.0), (4000.0, 4100.0)], ids=str)
def test_mosqito_adds_two_tones_of_a_band_as_we_do(pair):
    metrics = pytest.importorskip(
        "mosqito.sq_metrics", reason="mosqito is missing: pip install mosqito==1.2.1"
    )
    rate, seconds, variance, power = 48000, 80, 0.04, 1e-2
    index = np.arange(rate * seconds)
    sound = np.sqrt(variance) * np.random.default_rng(0).standard_normal(index.size)
    for hertz in pair:
        sound += np.sqrt(2 * power) * np.sin(2 * np.pi * hertz / rate * index)
    _, ratios, _, places = metrics.tnr_ecma_st(sound, rate, prominence=False)
    (ratio,) = [
        float(ratio)
        for ratio, place in zip(ratios, places, strict=True)
        if abs(place - pair[0]) < 2 / seconds
    ]
    found = sines(pair, [power, power], variance / (rate / 2), rate).audibility()
    row = found.rows[0]
    ours = row.tnr + row.together - row.margin
    # The noise of a band is that of its bins, and two main lobes of some bins are taken out.
    bins = width(pair[0]) * seconds
    lost = 10 / math.log(10) * 16 / bins
    assert ratio == pytest.approx(ours, abs=10 / math.log(10) * sampling(1.0, int(bins)) + lost)


# Where mosqito takes a peak of the noise for a second tone in the band, it counts a single bin of
# the line and puts the rest of its main lobe to the noise; in these sounds it does not.
@pytest.mark.parametrize(("hertz", "power"), [(500.0, 1e-3), (1000.0, 1e-3), (4000.0, 1e-2)])
def test_mosqito_agrees(hertz, power):
    metrics = pytest.importorskip(
        "mosqito.sq_metrics", reason="mosqito is missing: pip install mosqito==1.2.1"
    )
    rate, seconds, variance = 48000, 80, 0.04
    index = np.arange(rate * seconds)
    noise = np.sqrt(variance) * np.random.default_rng(0).standard_normal(index.size)
    sound = np.sqrt(2 * power) * np.sin(2 * np.pi * hertz / rate * index) + noise
    _, ratios, _, places = metrics.tnr_ecma_st(sound, rate, prominence=False)
    (nearest,) = [
        float(ratio)
        for ratio, place in zip(ratios, places, strict=True)
        if abs(place - hertz) < 2 / seconds  # its frequency axis reads one bin high
    ]
    density = variance / (rate / 2)
    found = float(upsim.audibility(hertz, power, [0, rate / 2], [density, density]).tnr)
    # The power of noise in a band of width w is an average of w T periodogram bins of deviation
    # one, of which its window leaves two thirds independent.
    deviation = 10 / math.log(10) * math.sqrt(3 / 2)
    tolerance = sampling(deviation, int(width(hertz) * seconds))
    assert tolerance < 0.3
    assert abs(nearest - found) < tolerance
