"""The numbers that the founding notes print, to the digits that they print.

The right-hand sides are the documents' numbers or formulas written out here, never what the code
gave.  A level printed with two decimals is compared after rounding to two decimals.
"""

from __future__ import annotations

from fractions import Fraction
from math import cos, pi, sin

import numpy as np
import pytest

import upsim
from theory import by_hand
from upsim.words.tolerance import rounding


def level(power):
    return 10 * np.log10(power)


def tones_by_fraction(prediction):
    return {tone.fraction: float(tone.power[0]) for tone in prediction.tones}


def ones_stack(kernel_size, stride):
    layer = upsim.TransposedConv(1, 1, kernel_size, stride, bias=False, weight="ones")
    return upsim.Stack([layer], sample_rate=stride).draw(0)


def line_over_offset(stack, fraction):
    """Return the amplitude of one line over that of the offset, in dB: what theory 1.6 prints."""
    prediction = upsim.predict(stack, upsim.Constant(1.0))
    amplitudes = {tone.fraction: abs(tone.amplitude[0]) for tone in prediction.tones}
    if fraction not in amplitudes:
        return -np.inf
    return 2 * level(amplitudes[fraction] / amplitudes[Fraction(0)])


ALL_ONES = [
    (3, 2, 1, -9.54),
    (25, 4, 1, -27.96),
    (16, 5, 1, -24.08),
    (8, 6, 1, -13.29),
    (8, 6, 2, -18.06),
    (8, 6, 3, -np.inf),
]


class TestAllOnesKernels:
    @pytest.mark.parametrize(("kernel_size", "stride", "k", "printed"), ALL_ONES)
    def test_as_a_line_of_a_constant(self, kernel_size, stride, k, printed):
        found = line_over_offset(ones_stack(kernel_size, stride), Fraction(k, stride))
        assert round(found, 2) == printed

    @pytest.mark.parametrize(("kernel_size", "stride", "k", "printed"), ALL_ONES)
    def test_as_the_overlap_report_says(self, kernel_size, stride, k, printed):
        line = upsim.overlap(kernel_size, stride).lines[k - 1]
        assert line.fraction == Fraction(k, stride)
        assert (round(2 * level(line.ratio), 2) if line.ratio else -np.inf) == printed

    def test_the_line_of_25_over_4_at_nyquist_too(self):
        # |sin(pi 2 25/4) / (25 sin(pi 2/4))| = 1/25
        assert round(line_over_offset(ones_stack(25, 4), Fraction(1, 2)), 2) == -27.96

    def test_the_right_number_is_missed_by_a_wrong_kernel(self):
        assert round(line_over_offset(ones_stack(5, 2), Fraction(1, 2)), 2) != -9.54


class TestHalfPixelLinear:
    def test_taps_of_the_double(self):
        (taps,) = upsim.Linear(2).operator(1).taps[0]
        assert taps.tolist() == [0.25, 0.75, 0.75, 0.25]

    def test_a_triple_zero_at_nyquist_where_the_triangle_has_a_double_one(self):
        orders = []
        for convention in ("half-pixel", "triangle"):
            stack = upsim.Stack([upsim.Linear(2, convention)], 2)
            (null,) = upsim.predict(stack).filtering[0].nulls
            assert null.fraction == Fraction(1, 2)
            orders.append(null.multiplicity)
        assert orders == [3, 2]

    @pytest.mark.parametrize(
        ("convention", "printed"), [("half-pixel", -9.03), ("triangle", -6.02)]
    )
    def test_droop_at_the_old_nyquist(self, convention, printed):
        stack = upsim.Stack([upsim.Linear(2, convention)], 2)
        assert round(upsim.predict(stack).filtering[0].droop, 2) == printed

    @pytest.mark.parametrize("factor", [3, 5, 7])
    def test_for_an_odd_factor_the_two_agree_save_for_a_shift(self, factor):
        half = upsim.Linear(factor).operator(1).taps[0, 0]
        triangle = upsim.Linear(factor, "triangle").operator(1).taps[0, 0]
        assert half.tolist() == triangle.tolist()


class TestDroop:
    @pytest.mark.parametrize(("factor", "printed"), [(2, -3.01), (4, -3.70), (8, -3.87)])
    def test_nearest(self, factor, printed):
        stack = upsim.Stack([upsim.Nearest(factor)], factor)
        assert round(upsim.predict(stack).filtering[0].droop, 2) == printed

    def test_nearest_tends_to_two_over_pi(self):
        # |sin(x)/x| at x = pi/2; the sine in the denominator is below x by a part of x^2 / 6.
        stack = upsim.Stack([upsim.Nearest(512)], 512)
        assert round(upsim.predict(stack).filtering[0].droop, 2) == -3.92
        assert round(2 * level(2 / pi), 2) == -3.92

    @pytest.mark.parametrize("factor", [2, 3, 4, 8])
    def test_the_triangle_droops_exactly_twice_as_much(self, factor):
        droops = [
            upsim.predict(upsim.Stack([layer], factor)).filtering[0].droop
            for layer in (upsim.Nearest(factor), upsim.Linear(factor, "triangle"))
        ]
        # Each level is 10 log10 of a ratio of two sums of at most 2 L - 1 squared cosines; a
        # relative error r of a ratio moves its level by 10 r / ln 10, and both ratios are > 1/25.
        bound = rounding(8 * factor, 25 * 10 / np.log(10))
        assert abs(droops[1] - 2 * droops[0]) <= bound


class TestPhaseVariances:
    @pytest.mark.parametrize("factor", [1, 2, 3, 4, 5, 8])
    def test_the_triangle_gives_each_phase_its_own_variance(self, factor):
        powers = upsim.Linear(factor, "triangle").operator(1).phase_powers()[0, 0]
        each = [(1 - Fraction(i, factor)) ** 2 + Fraction(i, factor) ** 2 for i in range(factor)]
        bound = rounding(6, 1.0)
        assert np.abs(powers - np.array(each, dtype=float)).max() <= bound
        mean = Fraction(2 * factor**2 + 1, 3 * factor**2)
        assert sum(each) / factor == mean
        assert abs(powers.mean() - float(mean)) <= rounding(6 + factor, 1.0)

    @pytest.mark.parametrize("factor", [2, 3, 4])
    def test_their_mean_is_the_power_that_a_prediction_gives(self, factor):
        stack = upsim.Stack([upsim.Linear(factor, "triangle")], 1000 * factor)
        found = upsim.predict(stack, upsim.WhiteNoise(1.0), frequencies=65).noise_power[0]
        mean = Fraction(2 * factor**2 + 1, 3 * factor**2)
        # A response of 2 L - 1 turns, squared (L at most each), at 65 places, and their mean.
        assert abs(found - float(mean)) <= rounding(4 * factor + 65, float(factor))


class TestShiftsAndShuffles:
    """Averages over shifted copies, as banks of delays that are averaged."""

    @staticmethod
    def averaged(shifts):
        longest = max(shifts)
        # A delay by n samples: n zeros before, and as many cut from the end.
        branches = [upsim.Crop(-n, n) for n in shifts]
        assert longest < 64
        return upsim.Parallel(*branches, merge="mean")

    def line(self, layers, period, k):
        """Return the line at ``k / period`` over that of the same stack without the last layer."""
        stack = upsim.Stack([*layers], sample_rate=period)
        found = upsim.predict(stack, upsim.Constant(1.0))
        before = found.layers[len(stack) - 2]
        return [tones_by_fraction(each).get(Fraction(k, period), 0.0) for each in (before, found)]

    @pytest.mark.parametrize("period", [2, 4, 6])
    def test_equally_spaced_shifts_over_a_period_cancel_every_line(self, period):
        for k in range(1, period // 2 + 1):
            before, after = self.line(
                [upsim.Stretch(period), self.averaged(range(period))], period, k
            )
            assert before > 0
            assert after == 0.0

    def test_phase_shuffle_by_two_samples_attenuates_a_line_of_period_4(self):
        # U{-2..2}: the mean gradient is the average of five shifts.
        before, after = self.line([upsim.Stretch(4), self.averaged(range(5))], 4, 1)
        assert round(level(after / before), 2) == -13.98
        # and the formula of theory 1.10, evaluated here
        assert round(2 * level(abs(sin(5 * pi / 4) / (5 * sin(pi / 4)))), 2) == -13.98

    @pytest.mark.parametrize(("most", "period", "k"), [(1, 4, 1), (2, 5, 1), (3, 8, 3), (2, 16, 4)])
    def test_phase_shuffle_formula(self, most, period, k):
        shifts = 2 * most + 1
        before, after = self.line([upsim.Stretch(period), self.averaged(range(shifts))], period, k)
        ratio = abs(sin(shifts * pi * k / period) / (shifts * sin(pi * k / period)))
        # Both amplitudes are sums of at most `shifts` unit terms and a DFT of one period.
        assert abs(np.sqrt(after / before) - ratio) <= rounding(4 * (shifts + period), 1.0)

    def test_random_shifts_lower_a_line_by_their_number_in_expectation(self):
        # All S-tuples of shifts over a period, each as likely: the expectation without a draw.
        period, count = 4, 3
        powers = []
        for number in range(period**count):
            shifts = [number // period**place % period for place in range(count)]
            before, after = self.line([upsim.Stretch(period), self.averaged(shifts)], period, 1)
            powers.append(after / before)
        assert abs(np.mean(powers) - 1 / count) <= rounding(len(powers) + 4 * period, 1.0)

    def test_fifty_shifts(self):
        # Demucs, 50 shifts: 10 log10 50 = 16.99 dB, printed as -17.
        assert round(-level(50)) == -17


class TestLinearTimesThree:
    """From 16 to 48 kHz, a tone of 1 kHz.

    The printed image levels are relative to the passband line that the layer puts out (itself
    down by 0.10 dB for linear, 0.05 dB for nearest), not to the input line.
    """

    @staticmethod
    def levels(layer):
        found = upsim.predict(upsim.Stack([layer], 48000), upsim.Sine(1000))
        powers = {tone.frequency: float(tone.power[0]) for tone in found.tones}
        assert sorted(powers) == [1000, 15000, 17000]
        passband = level(powers[1000] / 0.5)
        images = [level(powers[image] / powers[1000]) for image in (15000, 17000)]
        return round(passband, 2), [round(image, 1) for image in images]

    @pytest.mark.parametrize("convention", ["half-pixel", "triangle"])
    def test_linear(self, convention):
        assert self.levels(upsim.Linear(3, convention)) == (-0.10, [-44.2, -45.5])

    def test_nearest(self):
        assert self.levels(upsim.Nearest(3)) == (-0.05, [-22.1, -22.7])

    def test_against_the_closed_form(self):
        def gain(f, order):
            return ((1 + 2 * cos(2 * pi * f / 48000)) / 3) ** order

        for layer, order in ((upsim.Nearest(3), 1), (upsim.Linear(3), 2)):
            found = upsim.predict(upsim.Stack([layer], 48000), upsim.Sine(1000))
            for tone in found.tones:
                # Half the input's amplitude 1 on each side; a sum of at most 2 L - 1 = 5 taps,
                # carried over a period of 16 input samples and transformed over 48.
                expected = abs(gain(tone.frequency, order)) / 2
                assert abs(abs(tone.amplitude[0]) - expected) <= rounding(5 + 16 + 2 * 48, 1.0)


class TestCyclostationarity:
    @pytest.mark.parametrize("k", [1, 2])
    def test_the_cyclic_density_of_theory_1_8(self, k):
        """``(1/L) H(w) S_x H(w - 2 pi k / L)^*`` with H written out from the taps."""
        taps = np.array([0.5, -1.0, 2.0, 0.25, 1.0])
        factor, rate = 3, 3000
        layer = upsim.TransposedConv(1, 1, 5, factor, bias=False, weight=taps.reshape(1, 1, 5))
        found = upsim.predict(upsim.Stack([layer], rate), upsim.WhiteNoise(2.0), frequencies=33)
        alpha, density = found.cyclic_density(k)
        assert alpha == k * rate / factor

        def response(turns):
            return np.exp(-2j * np.pi * np.outer(turns, np.arange(5))) @ taps

        turns = found.frequencies / rate
        expected = response(turns) * 2.0 * np.conj(response(turns - k / factor)) / factor / rate
        scale = np.abs(taps).sum() ** 2 * 2.0 / factor / rate
        assert np.abs(density[0] - expected).max() <= rounding(2 * 5 + 8, scale)


class TestFamilies:
    """The table of line families, to its printed digits."""

    TABLE = [  # noqa: RUF012 - a table, not a default
        (22050, (8, 8, 2, 2), (16, 16, 4, 4), [86.13, 689.06, 5512.5, 11025]),
        (22050, (8, 8, 4), (16, 16, 8), [86.13, 689.06, 5512.5]),
        (32000, (10, 4, 2, 2, 2), (16, 16, 4, 4, 4), [100, 1000]),
        (40000, (10, 10, 2, 2), (16, 16, 4, 4), [100, 1000]),
        (48000, (10, 6, 2, 2, 2), (16, 16, 4, 4, 4), [100, 1000]),
        (32000, (10, 8, 2, 2, 2), (16, 16, 8, 2, 2), [50, 500, 4000, 8000, 16000]),
        (24000, (4, 4, 2, 2, 2, 2), (8, 8, 4, 4, 4, 4), [93.75, 375, 1500, 3000, 6000, 12000]),
        (24000, (8, 5, 4, 2), (16, 10, 8, 4), [75, 600, 3000, 12000]),
        (48000, (8, 5, 4, 2), (16, 10, 8, 4), [150, 1200, 6000, 24000]),
        (44100, (8, 8, 4, 2), (16, 16, 8, 4), [86.13, 689.06, 5512.5, 22050]),
        (44100, (4,) * 6, (8,) * 6, [10.77, 43.07, 172.27, 689.06, 2756.25, 11025]),
        (16000, (4,) * 5, (25,) * 5, [15.625, 62.5, 250, 1000, 4000]),
        (16000, (5, 4, 2, 2, 2), (16, 16, 8, 4, 4), [100, 500, 2000, 4000, 8000]),
    ]

    @pytest.mark.parametrize(("rate", "strides", "kernels", "printed"), TABLE)
    def test_spacings(self, rate, strides, kernels, printed):
        layers = [
            upsim.TransposedConv(1, 1, kernel, stride)
            for kernel, stride in zip(kernels, strides, strict=True)
        ]
        found = upsim.families(upsim.Stack(layers, rate))
        spacings = [float(family.spacing) for family in found][: len(printed)]
        digits = [len(str(number).partition(".")[2]) for number in printed]
        assert [round(f, d) for f, d in zip(spacings, digits, strict=True)] == printed

    def test_only_the_first_audioldm_stage_and_wavegan_overlap_partially(self):
        kinds = {
            (kernel, stride): upsim.overlap(kernel, stride).kind
            for _, strides, kernels, _ in self.TABLE
            for kernel, stride in zip(kernels, strides, strict=True)
        }
        partial = {pair for pair, kind in kinds.items() if kind == "partial"}
        assert partial == {(16, 5), (25, 4), (16, 10), (16, 6)}
        assert kinds[2, 2] == "none"


class TestReportedLines:
    @pytest.mark.parametrize(
        ("rate", "expected"),
        [
            (22050, [0, 2756.25, 5512.5, 8268.75, 11025]),
            (16000, [0, 2000, 4000, 6000, 8000]),
        ],
    )
    def test_waveglow_squeezed_to_eight_groups(self, rate, expected):
        """Silence, a bias in each of the 8 groups, the groups side by side in time."""
        biases = np.random.default_rng(0).normal(size=8)
        stack = upsim.Stack(
            [upsim.Bias(biases), upsim.PeriodicShuffle(8)], sample_rate=rate, in_channels=8
        )
        found = upsim.predict(stack, upsim.Silence())
        assert [tone.frequency for tone in found.tones] == expected
        amplitudes = np.fft.fft(biases)[:5] / 8
        bound = rounding(8 + 8, float(np.abs(biases).max()))
        for tone, amplitude in zip(found.tones, amplitudes, strict=True):
            assert abs(tone.amplitude[0] - amplitude) <= bound
            assert {share.cause for share in tone.contributions} == {"bias"}

    def test_melgan_on_a_constant_has_a_line_every_86_hertz(self):
        layers = [upsim.Conv(2, 16, 7, padding=3)]
        channels = 16
        for stride in (8, 8, 2, 2):
            up = upsim.TransposedConv(channels, channels // 2, 2 * stride, stride, stride // 2)
            layers += [upsim.LeakyReLU(0.2), up]
            channels //= 2
        layers += [upsim.Conv(channels, 1, 7, padding=3), upsim.Tanh()]
        stack = upsim.Stack(layers, 22050).draw(0)
        found = upsim.predict(stack, upsim.Constant(1.0))
        assert [tone.fraction for tone in found.tones] == [Fraction(k, 256) for k in range(129)]
        assert round(found.tones[1].frequency, 2) == 86.13


class TestReportedLengths:
    def test_dac_16_khz(self):
        # Padding ceil(s / 2), kernels 2 s: 100 frames give 31992 samples, not 32000.
        layers = [upsim.TransposedConv(1, 1, 2 * s, s, padding=-(-s // 2)) for s in (8, 5, 4, 2)]
        report = upsim.predict(upsim.Stack(layers, 16000).draw(0), upsim.Constant(1.0)).boundaries(
            100
        )
        assert report.output_length == 31992
        assert report.expected_length == 32000
        assert report.deficit == 8

    def test_hifi_gan_with_odd_strides(self):
        layers = [
            upsim.TransposedConv(1, 1, kernel, stride, padding=(kernel - stride) // 2)
            for stride, kernel in ((8, 16), (5, 10), (5, 10))
        ]
        stack = upsim.Stack(layers, 16000).draw(0)
        assert stack.output_length(32) == 6406
        report = upsim.predict(stack, upsim.Constant(1.0)).boundaries(32)
        assert (report.expected_length, report.deficit) == (6400, -6)

    @pytest.mark.parametrize(
        "arguments",
        [(1, 1, 4, 2), (1, 1, 4, 2, 1), (1, 1, 7, 3, 2, 1), (1, 1, 3, 5, 0, 4, 1, True, 3)],
    )
    @pytest.mark.parametrize("length", [1, 2, 17])
    def test_the_length_law_of_theory_1_9(self, arguments, length):
        layer = upsim.TransposedConv(*arguments)
        law = (
            (length - 1) * layer.stride
            - 2 * layer.padding
            + layer.dilation * (layer.kernel_size - 1)
            + layer.output_padding
            + 1
        )
        assert layer.output_length(length) == law
        drawn = upsim.Stack([layer], 1000).draw(0)
        assert by_hand.run(drawn, np.ones((1, length))).shape == (1, law)
