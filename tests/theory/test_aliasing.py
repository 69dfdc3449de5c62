"""Aliasing: closed forms of images and folds, a run by hand, the four definitions, the chains."""

import json
from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import upsim
from upsim.answer.aliasing import DEFINITIONS
from upsim.errors import (
    ArgumentError,
    ArgumentTypeError,
    NotPredictableError,
    TooLargeError,
)
from upsim.layers import antiderivative, oversampled
from upsim.theory.reports.aliasing import prime_turn
from upsim.words.tolerance import rounding

RATE = 44100


def alone(*layers, rate=RATE):
    return upsim.Stack(list(layers), rate)


def by_hand(stack, turn):
    """Return the powers of harmonics, of the offset and of the rest, from a run.

    Six periods of the input are a whole number of output samples here, and of the repetitions of
    the networks.  Those in the middle are far from the ends; their harmonics are found one by one.
    """
    inputs = 6 * turn.denominator
    wave = np.cos(2 * np.pi * float(turn) * np.arange(3 * inputs))[None, None]
    out = upsim.neural.run(stack, np.repeat(wave, stack.in_channels, 1))[0]
    period = int(inputs * stack.rate)
    spectrum = np.fft.fft(out[:, period : 2 * period]) / period
    power = (np.abs(spectrum) ** 2).sum(axis=0)
    step = 6 * turn.numerator
    places = [step * h for h in range(1, period) if 2 * step * h <= period]
    harmonic = sum(power[place] + (2 * place != period) * power[-place] for place in places)
    return harmonic, power[0], power.sum() - power[0] - harmonic


class TestClosedForms:
    @given(st.sampled_from([500.0, 3000.0, 9000.0]))
    def test_images_of_nearest_neighbour(self, frequency):
        """``H = 2 cos(w / 2)`` at the sine and ``2 sin(w / 2)`` at its image."""
        (found,) = upsim.aliasing(alone(upsim.Nearest(2)), [frequency]).sines
        half = np.pi * float(found.frequency) / RATE
        expected = np.tan(half) ** 2
        assert found.images / found.fundamental == pytest.approx(
            expected, abs=rounding(found.frequency.denominator, 1.0)
        )
        assert (found.folds, found.tones, found.harmonics) == (0.0, 0.0, 0.0)

    def test_folds_of_a_rectifier(self):
        """``max(cos, 0) = 1/pi + cos / 2 + sum of 2 (-1)^(m+1) cos(2 m t) / (pi (4 m^2 - 1))``."""
        (found,) = upsim.aliasing(alone(upsim.ReLU()), [3000.0]).sines
        highest = int(RATE / 2 // found.frequency)
        orders = np.arange(2, 10**6, 2)
        powers = 2 / (np.pi * (orders**2 - 1.0)) ** 2
        # N points on the circle add the coefficients of orders N apart: each is at most that of
        # order N - h beside it, and all of them are no more than the tail.
        prime = (found.frequency / RATE).denominator
        tail = float(np.abs(2 / (np.pi * (orders[orders > prime // 2] ** 2 - 1.0))).sum())
        assert found.fundamental == pytest.approx(1 / 8, abs=tail)
        assert found.offset == pytest.approx(1 / np.pi**2, abs=tail)
        assert found.harmonics == pytest.approx(powers[orders <= highest].sum(), abs=tail)
        folded = powers[orders > highest].sum()
        assert found.folds == pytest.approx(folded, abs=2 * tail * np.sqrt(folded) + tail**2)

    def test_tones_are_copies_of_an_offset(self):
        """An offset before nearest neighbour stays one; a stretch copies it to half the rate."""
        bias = upsim.Bias(np.array([0.5]))
        (held,) = upsim.aliasing(alone(bias, upsim.Nearest(2)), [3000.0]).sines
        (stretched,) = upsim.aliasing(alone(bias, upsim.Stretch(2)), [3000.0]).sines
        error = rounding(8, 1.0)
        assert held.tones == 0.0
        assert stretched.tones == pytest.approx(1 / 16, abs=error)
        assert stretched.offset == pytest.approx(1 / 16, abs=error)
        assert stretched.images == pytest.approx(stretched.fundamental, rel=error)


STACKS = {
    "nearest and a rectifier": alone(upsim.Nearest(2), upsim.ReLU()),
    "two stages": alone(
        upsim.TransposedConv(2, 3, 4, 2, 1),
        upsim.GELU(),
        upsim.TransposedConv(3, 2, 6, 3, 1),
        upsim.Snake(2.0),
    ).draw(seed=1),
    "down and up": alone(
        upsim.Conv(1, 2, 4, stride=2, padding=1),
        upsim.ELU(),
        upsim.TransposedConv(2, 1, 4, 2, 1),
    ).draw(seed=2),
    "resampled": alone(upsim.Resample(2, 3), upsim.Tanh(), upsim.Resample(3, 2)),
    "bigvgan": alone(*oversampled(upsim.SnakeBeta())),
    "antiderivative": alone(*antiderivative(upsim.LeakyReLU(0.1))),
}


@pytest.mark.parametrize("name", STACKS)
def test_powers_are_those_of_a_run(name):
    stack = STACKS[name]
    (found,) = upsim.aliasing(stack, [2900.0]).sines
    turn = found.frequency / stack.input_rate
    harmonic, offset, rest = by_hand(stack, turn)
    error = rounding(64 * turn.denominator, harmonic + offset + rest)
    assert found.signal == pytest.approx(harmonic, abs=error)
    assert found.offset == pytest.approx(offset, abs=error)
    assert found.aliased == pytest.approx(rest, abs=error)


class TestDefinitions:
    def test_each_formula(self):
        found = upsim.aliasing(STACKS["two stages"], [700.0, 2900.0])
        for number, each in enumerate(found.sines):
            a, h, d = each.aliased, each.signal, each.offset
            assert found.by("mean-removed")[number] == a / h
            assert found.by("all-bins")[number] == (a + 2 * d) / h
            assert found.by("residual")[number] == a / (h + d)
        by_default = upsim.aliasing(STACKS["two stages"], [700.0, 2900.0], definition="residual")
        assert np.array_equal(by_default.ratios, found.by("residual"))

    def test_all_bins_is_the_sum_over_bins_of_half_a_spectrum(self):
        """E_Y - E_H over E_H with the sums of arXiv 2505.04082, on a run of prime length."""
        found = upsim.aliasing(alone(upsim.ReLU()), [2900.0], definition="all-bins")
        turn = found.sines[0].frequency / RATE
        prime, place = turn.denominator, turn.numerator
        wave = np.cos(2 * np.pi * float(turn) * np.arange(prime))
        power = np.abs(np.fft.rfft(np.maximum(wave, 0.0))) ** 2
        harmonic = power[place::place].sum()
        expected = (power.sum() - harmonic) / harmonic
        assert found.ratios[0] == pytest.approx(expected, rel=rounding(64 * prime, 1.0))

    def test_peaks_leave_out_what_is_80_decibels_down(self):
        """Of a rectifier's folds, 2 / (pi (h^2 - 1))^2, those above 1e-8 of the sine's 1/8."""
        (found,) = upsim.aliasing(alone(upsim.ReLU()), [3000.0]).sines
        orders = np.arange(2, 10**4, 2)
        powers = 2 / (np.pi * (orders**2 - 1.0)) ** 2
        fold = orders * float(found.frequency) > RATE / 2
        # The strongest line is the sine's; coefficients of orders N apart add up.
        loud = powers > 1e-8 / 8
        prime = (found.frequency / RATE).denominator
        beside = 2 / (np.pi * (prime - orders[loud].max()) ** 2)
        error = 4 * beside * np.sqrt(powers[loud]).sum()
        assert found.alias_peaks == pytest.approx(powers[fold & loud].sum(), abs=error)
        assert found.alias_peaks < found.folds


class TestAntialiased:
    @pytest.mark.parametrize(
        "activation",
        [upsim.ReLU(), upsim.LeakyReLU(0.2), upsim.Snake(2.0), upsim.SnakeBeta(1.5, 0.7)],
        ids=repr,
    )
    def test_antiderivative_is_the_mean_along_the_line(self, activation):
        """Gauss-Legendre on each side of the kink: exact for lines, and to rounding for Snake."""
        both, mean = antiderivative(activation)
        del both
        ends = np.random.default_rng(0).standard_normal((2, 200))
        ends[1, :4] = ends[0, :4]  # equal samples
        ends[1, 4] = ends[0, 4] + 1e-14
        a, b = ends
        points, weights = np.polynomial.legendre.leggauss(24)
        with np.errstate(divide="ignore", invalid="ignore"):
            kink = np.where(a * b < 0, b / (b - a), 1.0)
        expected = np.zeros(a.size)
        for low, width in ((0.0, kink), (kink, 1.0 - kink)):
            at = low + np.multiply.outer((points + 1) / 2, width)
            expected += width * ((weights / 2) @ activation.function(b + at * (a - b)))
        np.testing.assert_allclose(mean.function(ends)[0], expected, atol=rounding(256, 8.0))

    def test_the_layers_delay_by_a_sample(self):
        chain = alone(*antiderivative(upsim.ReLU()))
        out = upsim.neural.run(chain, np.array([[[2.0, -2.0, 4.0]]]))[0, 0]
        np.testing.assert_allclose(out, [1.0, 0.5, 4.0 / 3.0], atol=rounding(16, 4.0))

    def test_the_published_order(self):
        """LeakyReLU, SnakeBeta, antiderivative, x4, antiderivative x2: each aliases less."""
        snake = upsim.SnakeBeta()
        up, down = upsim.Resample(1, 2, "bigvgan"), upsim.Resample(2, 1, "bigvgan")
        chains = [
            (upsim.LeakyReLU(0.1),),
            (snake,),
            antiderivative(snake),
            oversampled(snake, 4),
            (up, *antiderivative(snake), down),
        ]
        sines = np.geomspace(100.0, 8000.0, 6)
        levels = [upsim.aliasing(alone(*each), sines).overall for each in chains]
        assert levels == sorted(levels, reverse=True)

    def test_unknown_means_are_refused(self):
        with pytest.raises(NotPredictableError, match="oversampled"):
            antiderivative(upsim.GELU())
        for wrong in (None, "relu", upsim.Nearest(2)):
            with pytest.raises(ArgumentTypeError, match="activation must be an activation"):
                antiderivative(wrong)
            with pytest.raises(ArgumentTypeError, match="activation must be an activation"):
                oversampled(wrong)


@given(st.fractions(Fraction(1, 400), Fraction(49, 100)), st.integers(1009, 4000))
def test_a_turn_has_a_prime_period(wanted, least):
    found = prime_turn(wanted, least=least)
    prime = found.denominator
    assert prime >= least
    assert all(prime % each for each in range(2, int(prime**0.5) + 1))
    assert abs(found - wanted) <= Fraction(1, 2 * least)


class TestTheRecord:
    def test_words_table_and_json(self):
        found = upsim.aliasing(STACKS["nearest and a rectifier"], 3)
        assert "aliased over harmonic power (mean-removed: A / H), 3 sines" in repr(found)
        assert len(found.table().splitlines()) == 4
        assert [line.split()[0] for line in found.definitions().splitlines()[1:]] == [*DEFINITIONS]
        data = json.loads(found.to_json())
        assert data["sines"][1]["ratios"]["mean-removed"] == found.ratios[1]
        assert Fraction(data["sines"][0]["frequency"]) == found.sines[0].frequency
        assert found._repr_html_().count("<tr>") == 4

    def test_picture(self):
        found = upsim.aliasing(STACKS["nearest and a rectifier"], 4)
        ax = found.plot(title="a picture")
        np.testing.assert_array_equal(ax.lines[0].get_xdata(), found.frequencies)
        levels = 10 * np.log10(found.ratios)
        np.testing.assert_allclose(ax.lines[0].get_ydata(), levels, rtol=rounding(4, 1.0))
        plt.close(ax.figure)
        silent = upsim.aliasing(alone(upsim.Scale(2.0)), 2).plot()
        assert silent.get_legend().get_texts()[0].get_text() == "mean-removed: none"
        plt.close(silent.figure)

    def test_command(self, capsys):
        from upsim.cli import main

        sine = ["--frequencies", "20,30", "--seed", "0"]
        assert main(["aliasing", "hifigan-v2", "--after", "12", "--csv", "--frequencies", "2"]) == 0
        rows = capsys.readouterr().out.splitlines()
        assert rows[0].startswith("frequency_hz,ratio,fundamental")
        assert len(rows) == 3
        assert main(["aliasing", "hifigan-v2", "--definition", "mean", *sine]) == 2
        assert "mean-removed" in capsys.readouterr().err


class TestBadInput:
    def test_questions_without_an_answer(self):
        stack = STACKS["nearest and a rectifier"]
        two = upsim.Graph(
            [("sum", upsim.Add(), ("a", "b"))], inputs={"a": 1, "b": 1}, sample_rate=8
        )
        for call, kind, words in [
            (lambda: upsim.aliasing(stack, [0.0]), ArgumentError, "outside the band"),
            (lambda: upsim.aliasing(stack, [11025.0]), ArgumentError, "outside the band"),
            (lambda: upsim.aliasing(stack, []), ArgumentError, "must be a sine"),
            (lambda: upsim.aliasing(stack, amplitude=0.0), ArgumentError, "must be positive"),
            (lambda: upsim.aliasing(stack, definition="asr"), ArgumentError, "residual"),
            (lambda: upsim.aliasing(two), NotPredictableError, "one input"),
            (lambda: upsim.aliasing(stack, [1e-9]), TooLargeError, "period of a sine"),
            (
                lambda: upsim.aliasing(alone(upsim.TransposedConv(1, 1, 4, 2))),
                NotPredictableError,
                r"draw\(seed=0\)",
            ),
        ]:
            with pytest.raises(kind, match=words):
                call()
