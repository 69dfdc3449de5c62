"""Lines of given weights: against runs in time, and the shares that add up to them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import upsim
from theory import by_hand
from upsim.words.tolerance import rounding


def drawn(layers, rate=16000, seed=0, **named):
    return upsim.Stack(layers, rate, **named).draw(seed)


def resblock(channels, dilation):
    return upsim.Residual(
        upsim.LeakyReLU(0.2),
        upsim.Conv(channels, channels, 3, padding=dilation, dilation=dilation),
        upsim.ReLU(),
        upsim.Conv(channels, channels, 1),
        skip=upsim.Conv(channels, channels, 1),
    )


LINEAR = {
    "fig8-left": drawn([upsim.TransposedConv(1, 1, 4, 2)] * 3, 32000),
    "fig7": drawn([upsim.SubpixelConv(1, 1, 3, 2, padding=1)] * 3, 32000),
    "channels": drawn(
        [upsim.TransposedConv(3, 8, 7, 3, 2), upsim.TransposedConv(8, 2, 16, 5, 5, 1)], 15000
    ),
    "groups and dilation": drawn(
        [
            upsim.TransposedConv(4, 4, 3, 2, 0, 0, 2, True, 2),
            upsim.Conv(4, 6, 3, padding=2, dilation=2, groups=2),
        ],
        8000,
    ),
    "tensorflow order": drawn(
        [upsim.SubpixelConv(2, 3, 3, 4, 1, order="tensorflow"), upsim.Conv(3, 1, 5)], 8000
    ),
    "holes": drawn([upsim.Stretch(3), upsim.Bias([0.5, -0.25]), upsim.Conv(2, 2, 4)], 9000),
    "branches": drawn(
        [
            upsim.TransposedConv(2, 4, 5, 2),
            upsim.Parallel(
                upsim.Conv(4, 2, 3, padding=1),
                (upsim.Conv(4, 4, 5, padding=2), upsim.Conv(4, 1, 1)),
                merge="concatenate",
            ),
            upsim.Parallel(upsim.Conv(3, 3, 1), (), merge="mean"),
            upsim.Nearest(3),
            upsim.Conv(3, 1, 4),
        ],
        12000,
    ),
    "u-net": drawn(
        [
            upsim.Conv(1, 3, 4, 2, 1),
            upsim.Residual(upsim.Conv(3, 4, 4, 2, 1), upsim.TransposedConv(4, 3, 4, 2, 1)),
            upsim.TransposedConv(3, 1, 4, 2, 1),
        ],
        16000,
    ),
    "rational": drawn(
        [upsim.TransposedConv(1, 2, 5, 3), upsim.Conv(2, 1, 4, 2), upsim.Decimate(2, 1)], 6000
    ),
}

NONLINEAR = {
    "relu between": drawn(
        [upsim.TransposedConv(2, 6, 4, 2), upsim.ReLU(), upsim.TransposedConv(6, 2, 8, 4, 2)], 16000
    ),
    "small melgan": drawn(
        [
            upsim.Conv(4, 16, 7, padding=3),
            upsim.LeakyReLU(0.2),
            upsim.TransposedConv(16, 8, 16, 8, 4),
            resblock(8, 1),
            resblock(8, 3),
            upsim.LeakyReLU(0.2),
            upsim.TransposedConv(8, 4, 4, 2, 1),
            resblock(4, 1),
            upsim.Conv(4, 1, 7, padding=3),
            upsim.Tanh(),
        ],
        22050,
    ),
    "snake": drawn(
        [
            upsim.TransposedConv(1, 3, 4, 2, 1),
            upsim.Snake(0.7),
            upsim.SubpixelConv(3, 1, 3, 3, 1),
            upsim.Sigmoid(),
        ],
        6000,
    ),
    "u-net": drawn(
        [
            upsim.Conv(1, 3, 4, 2, 1),
            upsim.ReLU(),
            upsim.Residual(
                upsim.Conv(3, 4, 4, 2, 1),
                upsim.ReLU(),
                upsim.TransposedConv(4, 3, 4, 2, 1),
                upsim.Tanh(),
            ),
            upsim.TransposedConv(3, 1, 4, 2, 1),
        ],
        16000,
    ),
}

ALL = {**{f"linear: {k}": v for k, v in LINEAR.items()}, **NONLINEAR}


def block_out(stack):
    return by_hand.ups_and_downs(stack)[0]


def block_in(stack):
    return by_hand.ups_and_downs(stack)[1]


def sampled(signal, stack, count):
    """Write a sum of constants and sines out in time, (channels, count)."""
    n = np.arange(count)
    total = np.zeros((stack.in_channels, count))
    for term in signal.terms():
        if isinstance(term, upsim.Constant):
            total += np.reshape(term.value, (-1, 1))
        elif isinstance(term, upsim.Sine):
            turns = float(term.frequency / stack.input_rate)
            total += np.reshape(term.amplitude, (-1, 1)) * np.cos(
                2 * np.pi * turns * n + np.reshape(term.phase, (-1, 1))
            )
    return total


def worst_line_error(stack, prediction, period):
    """Return the largest difference of any line from a run in time, over what rounding allows."""
    count = int(period.shape[1] * stack.rate)
    measured = by_hand.lines_of(stack, period, count)
    bound = by_hand.tolerance(stack, period, more=2 * count + prediction_terms(period))
    expected = {tone.fraction: tone.amplitude for tone in prediction.tones}
    worst = 0.0
    for k in range(count // 2 + 1):
        amplitude = expected.pop(Fraction(k, count), np.zeros(stack.out_channels))
        worst = max(worst, float(np.abs(measured[:, k] - amplitude).max()))
    assert not expected, "a line where the run has no place for one"
    return worst / bound


def prediction_terms(period):
    """Cosines of arguments up to 2 pi P are themselves off by as many units."""
    return 8 * period.shape[1]


class TestAgainstRunsInTime:
    @pytest.mark.parametrize("name", ALL)
    def test_a_constant(self, name):
        stack = ALL[name]
        values = np.linspace(0.5, 1.5, stack.in_channels)
        prediction = upsim.predict(stack, upsim.Constant(values))
        # Strided layers: a whole number of their blocks.
        period = np.repeat(values[:, None], block_in(stack), axis=1)
        assert worst_line_error(stack, prediction, period) <= 1

    @pytest.mark.parametrize("name", ALL)
    def test_silence(self, name):
        stack = ALL[name]
        prediction = upsim.predict(stack, upsim.Silence())
        period = np.zeros((stack.in_channels, block_in(stack)))
        assert worst_line_error(stack, prediction, period) <= 1

    @pytest.mark.parametrize("name", ALL)
    @pytest.mark.parametrize(("numerator", "denominator"), [(1, 4), (3, 8), (1, 3), (1, 2)])
    def test_a_sine_on_a_constant(self, name, numerator, denominator):
        stack = ALL[name]
        frequency = stack.input_rate * Fraction(numerator, denominator)
        signal = upsim.Constant(0.3) + upsim.Sine(frequency, amplitude=0.8, phase=0.4)
        prediction = upsim.predict(stack, signal)
        period = sampled(signal, stack, denominator * block_in(stack))
        assert worst_line_error(stack, prediction, period) <= 1

    def test_another_draw_is_told_apart(self):
        stack = LINEAR["channels"]
        other = upsim.Stack(
            [upsim.TransposedConv(3, 8, 7, 3, 2), upsim.TransposedConv(8, 2, 16, 5, 5, 1)], 15000
        ).draw(1)
        prediction = upsim.predict(other, upsim.Constant(1.0))
        assert worst_line_error(stack, prediction, np.ones((3, 1))) > 1e6

    def test_a_wrong_power_of_l_is_told_apart(self, monkeypatch):
        from upsim.theory.moments.deterministic import DeterministicMoments

        right = DeterministicMoments.amplitudes
        monkeypatch.setattr(DeterministicMoments, "amplitudes", lambda self: 2 * right(self))
        stack = LINEAR["fig8-left"]
        prediction = upsim.predict(stack, upsim.Constant(1.0))
        assert worst_line_error(stack, prediction, np.ones((1, 1))) > 1e6

    def test_a_mirrored_spectrum_is_told_apart(self, monkeypatch):
        from upsim.theory.moments.deterministic import DeterministicMoments

        right = DeterministicMoments.amplitudes
        monkeypatch.setattr(DeterministicMoments, "amplitudes", lambda self: right(self).conj())
        stack = LINEAR["channels"]
        prediction = upsim.predict(stack, upsim.Constant(1.0))
        assert worst_line_error(stack, prediction, np.ones((3, 1))) > 1e6


class TestClosedForm:
    """Theory 1.2 and 1.4: a_k = mu H(k / L) / L, H the product of the layers' responses."""

    @pytest.mark.parametrize("seed", range(3))
    def test_three_layers_without_bias(self, seed):
        strides, kernels = (2, 3, 2), (5, 4, 2)
        layers = [
            upsim.TransposedConv(1, 1, kernel, stride, bias=False)
            for kernel, stride in zip(kernels, strides, strict=True)
        ]
        stack = drawn(layers, 12, seed)
        turns = np.arange(12) / 12
        gain, scale = np.ones(12, complex), 1.0
        for number, layer in enumerate(stack):
            later = int(np.prod(strides[number + 1 :], dtype=int))
            taps = layer.weight[0, 0]
            gain *= np.exp(-2j * np.pi * later * np.outer(turns, np.arange(taps.size))) @ taps
            gain /= layer.stride
            scale *= np.abs(taps).sum()
        prediction = upsim.predict(stack, upsim.Constant(1.0))
        # Two products of three sums of up to 5 terms, whose phases are off by up to 12 turns.
        bound = rounding(3 * 5 + 2 * 12 + 2 * 12, scale)
        found = {tone.fraction: tone.amplitude[0] for tone in prediction.tones}
        for k in range(7):
            assert abs(found.get(Fraction(k, 12), 0) - gain[k]) <= bound


class TestContributions:
    @pytest.mark.parametrize("name", ALL)
    def test_they_add_up_to_the_line(self, name):
        stack = ALL[name]
        signal = upsim.Constant(0.7) + upsim.Sine(stack.input_rate / 4, phase=0.2)
        prediction = upsim.predict(stack, signal)
        period = sampled(signal, stack, 4 * block_in(stack))
        count = period.shape[1] * block_out(stack)
        # Each share and the line are sums of the same terms in another order.  A share below the
        # floor is not listed: one more bound for each source.
        sources = by_hand.operations(stack) + 2
        bound = sources * by_hand.tolerance(stack, period, more=3 * count + sources)
        assert prediction.tones
        for tone in prediction.tones:
            total = sum(share.amplitude for share in tone.contributions)
            assert np.abs(total - tone.amplitude).max() <= bound

    @pytest.mark.parametrize("name", LINEAR)
    def test_in_a_linear_stack_each_is_what_its_source_alone_makes(self, name):
        stack = LINEAR[name]
        prediction = upsim.predict(stack, upsim.Constant(1.0))
        silent = upsim.predict(stack, upsim.Silence())
        quiet = {tone.fraction: tone.amplitude for tone in silent.tones}
        ones = np.ones((stack.in_channels, block_in(stack)))
        bound = 2 * by_hand.tolerance(stack, ones, more=4 * block_out(stack))
        for tone in prediction.tones:
            from_input = sum(
                share.amplitude for share in tone.contributions if share.cause == "input offset"
            )
            alone = tone.amplitude - quiet.get(tone.fraction, 0)
            assert np.abs(from_input - alone).max() <= bound

    def test_a_bias_contributes_under_its_own_label(self):
        one = np.array([1.0])
        layers = [
            upsim.TransposedConv(1, 1, 3, 2, bias=one, weight=[[[1.0, 2.0, 4.0]]]),
            upsim.Bias(0.5),
            upsim.TransposedConv(1, 1, 2, 2, bias=False, weight=[[[1.0, 3.0]]]),
        ]
        prediction = upsim.predict(upsim.Stack(layers, 4), upsim.Constant(2.0))
        found = {
            tone.fraction: {(s.cause, s.layer): s.amplitude[0] for s in tone.contributions}
            for tone in prediction.tones
        }
        # Layer 1: phase gains 5 and 2, so an offset 2 becomes 7 +- 3; layer 3: (1, 3) make of an
        # offset c a mean 2 c and a line -c at 1/2.  1/4: the line 3 at 1/2 of layer 1's output,
        # times (1 - 3j) / 2.
        right = {
            Fraction(0): {("input offset", ""): 14, ("bias", "1"): 2, ("bias", "2"): 1},
            Fraction(1, 2): {("input offset", ""): -7, ("bias", "1"): -1, ("bias", "2"): -0.5},
            Fraction(1, 4): {("input offset", ""): 1.5 - 4.5j},
        }
        assert found.keys() == right.keys()
        for fraction, shares in right.items():
            assert found[fraction].keys() == shares.keys()
            for source, share in shares.items():
                # Three taps twice, and a transform of four samples, of numbers up to 14.
                assert abs(found[fraction][source] - share) <= rounding(3 * 3 * 4, 14.0)

    def test_bussgang_share_of_a_rectified_sine(self):
        """ReLU of a cosine: the input passes with gain 1/2, all else is the activation's."""
        stack = upsim.Stack([upsim.ReLU()], 8)
        prediction = upsim.predict(stack, upsim.Sine(1))
        for tone in prediction.tones:
            shares = {share.cause: share.amplitude[0] for share in tone.contributions}
            if tone.fraction == Fraction(1, 8):
                assert abs(shares.pop("input") - 0.25) <= rounding(3 * 8, 1.0)
                assert not shares
            else:
                assert set(shares) == {"activation"}

    def test_provenance_can_be_left_out_and_changes_no_line(self):
        stack = NONLINEAR["small melgan"]
        full = upsim.predict(stack, upsim.Constant(1.0))
        plain = upsim.predict(stack, upsim.Constant(1.0), provenance=False)
        assert [t.fraction for t in full.tones] == [t.fraction for t in plain.tones]
        assert [t.layer for t in full.tones[1:]] == [t.layer for t in plain.tones[1:]]
        assert all(not tone.contributions for tone in plain.tones)
        period = np.ones((4, 1))
        bound = by_hand.tolerance(stack, period, more=32)
        for one, other in zip(full.tones, plain.tones, strict=True):
            assert np.abs(one.amplitude - other.amplitude).max() <= bound


class TestPowerAndCauses:
    def test_power_counts_both_mirror_lines(self):
        stack = LINEAR["fig8-left"]
        for tone in upsim.predict(stack, upsim.Constant(1.0)).tones:
            sides = 1 if tone.fraction in (0, Fraction(1, 2)) else 2
            assert tone.power.tolist() == (sides * np.abs(tone.amplitude) ** 2).tolist()

    @pytest.mark.parametrize("name", ALL)
    def test_all_powers_add_up_to_the_mean_square(self, name):
        stack = ALL[name]
        prediction = upsim.predict(stack, upsim.Constant(1.0))
        ones = np.ones((stack.in_channels, block_in(stack)))
        steady = by_hand.steady_period(stack, ones, block_out(stack))
        scale = float(by_hand.run(stack, np.ones((stack.in_channels, 192)), absolute=True).max())
        bound = 2 * scale * by_hand.tolerance(stack, ones, more=4 * block_out(stack))
        mean_square = (steady**2).mean(axis=1)
        assert np.abs(prediction.tone_power - mean_square).max() <= bound

    def test_overlap_alone_is_called_overlap(self):
        layer = upsim.TransposedConv(1, 1, 3, 2, bias=False, weight="ones")
        (_, tone) = upsim.predict(drawn([layer]), upsim.Constant(1.0)).tones
        assert (tone.layer, tone.cause) == ("1", "overlap")

    def test_weights_without_uneven_overlap_are_called_weights(self):
        layer = upsim.TransposedConv(1, 1, 4, 2, bias=False, weight=[[[1.0, 0.0, 1.0, 0.0]]])
        (_, tone) = upsim.predict(drawn([layer]), upsim.Constant(1.0)).tones
        assert (tone.layer, tone.cause) == ("1", "weights")

    def test_a_subpixel_bias_is_a_tone_born_at_its_own_stage(self):
        biased = upsim.SubpixelConv(1, 1, 3, 2, 1, weight="icnr", bias=[1.0, -1.0])
        plain = upsim.SubpixelConv(1, 1, 3, 2, 1, weight="icnr", bias=False)
        stack = drawn([plain, biased, upsim.Nearest(2)], 32000)
        found = upsim.predict(stack, upsim.Silence())
        # Born at the Nyquist of 16 kHz; the nearest neighbour after it makes its image at
        # 1/4 a line of gain cos(pi/4), and silences the rest.
        assert [(tone.frequency, tone.layer, tone.cause) for tone in found.tones] == [
            (8000.0, "2", "bias")
        ]
        (share,) = found.tones[0].contributions
        assert (share.cause, share.layer) == ("bias", "2")

    def test_an_image_of_a_sine_is_the_inputs(self):
        stack = LINEAR["fig8-left"]
        found = upsim.predict(stack, upsim.Sine(1000))
        own = {tone.frequency: tone for tone in found.tones if tone.cause == "input"}
        # k 4 kHz +- 1 kHz up to 16 kHz; who moved it last: layer 1 up to 4, 2 to 8, 3 beyond
        assert {f: tone.layer for f, tone in own.items()} == {
            1000: "", 3000: "1", 5000: "2", 7000: "2", 9000: "3", 11000: "3", 13000: "3",
            15000: "3",
        }  # fmt: skip

    def test_harmonics_of_a_rectified_sine_are_the_activations(self):
        stack = drawn([upsim.ReLU(), upsim.Nearest(2)], 32)
        found = upsim.predict(stack, upsim.Sine(1))
        harmonics = [tone for tone in found.tones if tone.cause == "activation"]
        # 16 samples a second in: even harmonics of 1 Hz up to 8 Hz, and their images
        assert {2.0, 4.0, 6.0} <= {tone.frequency for tone in harmonics}
        assert {tone.layer for tone in harmonics} == {"1"}
        passed = next(tone for tone in found.tones if tone.frequency == 1)
        assert (passed.layer, passed.cause) == ("", "input")

    def test_silence_without_offsets_has_no_lines(self):
        stack = drawn([upsim.TransposedConv(1, 1, 4, 2, bias=False), upsim.ReLU()])
        found = upsim.predict(stack, upsim.Silence())
        assert found.tones == ()
        assert found.psd is None
        assert found.tone_power.tolist() == [0.0]
