"""Densities of linear stacks: against exact second moments, and against averaged runs.

The exact rung needs no statistics: the matrix A of a stack, probed with impulses in plain NumPy,
gives the output covariance ``A Sigma A'`` for white noise; its rows, transformed over the lag and
averaged over the phases, are the density, and weighted by ``e^(-j 2 pi alpha n)`` the cyclic ones.
"""

from __future__ import annotations

import numpy as np
import pytest

import upsim
from theory import by_hand
from upsim.theory.moments.transfer import FilterRows
from upsim.words.tolerance import rounding, sampling


def drawn(layers, rate=16000, seed=0, **named):
    return upsim.Stack(layers, rate, **named).draw(seed)


STACKS = {
    "one layer": drawn([upsim.TransposedConv(1, 1, 5, 2)]),
    "fig8-left": drawn([upsim.TransposedConv(1, 1, 4, 2)] * 3, 32000),
    "kernel shorter than the stride": drawn([upsim.TransposedConv(1, 2, 2, 5)], 5000),
    "channels": drawn(
        [upsim.TransposedConv(3, 5, 7, 3, 2), upsim.Conv(5, 4, 3), upsim.SubpixelConv(4, 2, 3, 2)],
        12000,
    ),
    "branches": drawn(
        [
            upsim.TransposedConv(2, 3, 4, 2),
            upsim.Residual(upsim.Conv(3, 3, 3, padding=1)),
            upsim.Parallel(upsim.Conv(3, 2, 3, padding=1), (), merge="concatenate"),
            upsim.Parallel(upsim.Nearest(2), (upsim.Stretch(2), upsim.Crop(-1, 1)), merge="mean"),
            upsim.Conv(5, 2, 3),
        ],
        8000,
    ),
    "aliasing": drawn([upsim.Conv(1, 2, 3, 2), upsim.Conv(2, 1, 4, 3)], 1000),
    "plain decimation": drawn([upsim.Decimate(3, 1), upsim.TransposedConv(1, 1, 3, 2)], 2000),
    "u-net": drawn(
        [
            upsim.Conv(1, 3, 4, 2, 1),
            upsim.Residual(upsim.Conv(3, 4, 4, 2, 1), upsim.TransposedConv(4, 3, 4, 2, 1)),
            upsim.TransposedConv(3, 1, 4, 2, 1),
        ],
        16000,
    ),
    "groups and dilation in branches": drawn(
        [
            upsim.TransposedConv(2, 4, 4, 2, groups=2),
            upsim.Residual(
                upsim.Conv(4, 4, 3, padding=2, dilation=2, groups=4),
                upsim.Residual(upsim.Conv(4, 4, 3, padding=1, groups=2)),
            ),
            upsim.Parallel(upsim.Conv(4, 4, 3, 1, 1), (), merge="concatenate"),
            upsim.Conv(8, 1, 3),
        ],
        4000,
    ),
    "one rate by four ways": drawn(
        [
            upsim.Parallel(
                (),
                (upsim.Decimate(2), upsim.Nearest(2)),
                (upsim.Decimate(3), upsim.Nearest(3)),
                (upsim.Nearest(2), upsim.Decimate(2)),
                merge="mean",
            ),
            upsim.TransposedConv(1, 2, 3, 2),
        ],
        2000,
    ),
    "up and down": drawn(
        [
            upsim.TransposedConv(2, 3, 5, 3),
            upsim.Conv(3, 2, 4, 2),
            upsim.TransposedConv(2, 1, 3, 2),
        ],
        6000,
    ),
}


def powers_of(stack):
    return np.linspace(0.5, 2.0, stack.in_channels)


def prepared(stack):
    """Return (covariances, lags, phases, bound of one density value times the sample rate)."""
    phases, down = by_hand.ups_and_downs(stack)
    length = 48 * down
    found = by_hand.steady_covariances(stack, length, powers_of(stack), phases)
    reach = found.shape[2] // 2
    # |sum over paths of h h' sigma^2| <= (largest absolute row sum) (largest absolute column sum)
    scale = by_hand.run(stack, np.ones((stack.in_channels, length)), absolute=True).max()
    silent = by_hand.run(stack, np.zeros((stack.in_channels, length)), absolute=True).max()
    matrix = np.abs(by_hand.impulse_matrix(stack, length))
    columns = matrix.sum(axis=(0, 1)).max()
    operations = 2 * by_hand.operations(stack) + 4 * length
    # The bias is taken off the impulse answers by a difference: its rounding remains.
    slack = rounding(operations, float((scale + silent) * columns * powers_of(stack).max()))
    return found, np.arange(-reach, reach + 1), phases, slack


def transformed(covariances, lags, turns):
    """Return sum over the lags of R[d] exp(-j 2 pi g d)."""
    return covariances @ np.exp(-2j * np.pi * np.outer(lags, turns))


class TestExactSecondMoments:
    @pytest.mark.parametrize("name", STACKS)
    def test_density(self, name):
        stack = STACKS[name]
        covariances, lags, _, bound = prepared(stack)
        signal = upsim.WhiteNoise(powers_of(stack))
        prediction = upsim.predict(stack, signal, frequencies=29)
        rate = float(stack.sample_rate)
        averaged = covariances.mean(axis=1)
        expected = 2 * transformed(averaged, lags, prediction.frequencies / rate).real / rate
        assert np.abs(prediction.psd - expected).max() <= 2 * bound / rate

    @pytest.mark.parametrize("name", STACKS)
    def test_density_by_gains_alone(self, name, monkeypatch):
        """The rows as gains at the frequencies, where they would be filters."""
        monkeypatch.setattr(FilterRows, "before", lambda *_: None)
        self.test_density(name)
        self.test_cyclic_densities(name)

    @pytest.mark.parametrize("name", STACKS)
    def test_cyclic_densities(self, name):
        stack = STACKS[name]
        covariances, lags, phases, bound = prepared(stack)
        signal = upsim.WhiteNoise(powers_of(stack))
        prediction = upsim.predict(stack, signal, frequencies=17)
        rate = float(stack.sample_rate)
        turns = prediction.frequencies / rate
        for order in range(phases):
            alpha, density = prediction.cyclic_density(order)
            assert alpha == pytest.approx(order * rate / phases, rel=rounding(2, 1.0))
            weights = np.exp(-2j * np.pi * order * np.arange(phases) / phases) / phases
            averaged = np.einsum("p,opd->od", weights, covariances)
            expected = transformed(averaged, lags, turns) / rate
            assert np.abs(density - expected).max() <= bound / rate

    def test_order_zero_is_half_the_one_sided_density(self):
        prediction = upsim.predict(STACKS["channels"], upsim.WhiteNoise(), frequencies=9)
        alpha, density = prediction.cyclic_density(0)
        assert alpha == 0
        assert (2 * density.real == prediction.psd).all()

    @pytest.mark.parametrize("name", STACKS)
    def test_parseval(self, name):
        """Lines and density add up to the mean square, phase variances and means being exact.

        The density is a trigonometric polynomial of at most D turns, so the trapezoid over more
        than D equal steps is its integral.
        """
        stack = STACKS[name]
        covariances, lags, phases, bound = prepared(stack)
        variances = covariances[:, :, lags.size // 2]
        down = by_hand.ups_and_downs(stack)[1]
        constant = np.repeat(np.linspace(-1, 1, stack.in_channels)[:, None], down, axis=1)
        means = by_hand.steady_period(stack, constant, phases)
        signal = upsim.WhiteNoise(powers_of(stack)) + upsim.Constant(constant[:, 0])
        prediction = upsim.predict(stack, signal, frequencies=lags.size + 1)
        largest = by_hand.run(stack, np.tile(constant, 192), absolute=True).max()
        of_lines = 2 * float(largest) * by_hand.tolerance(stack, constant, more=4 * phases)
        assert np.abs(prediction.noise_power - variances.mean(axis=1)).max() <= 2 * bound
        assert np.abs(prediction.tone_power - (means**2).mean(axis=1)).max() <= of_lines
        whole = prediction.noise_power + prediction.tone_power
        expected = (variances + means**2).mean(axis=1)
        assert np.abs(whole - expected).max() <= 2 * bound + of_lines


class TestTeeth:
    """The exact comparison fails on the mistakes that are easy to make."""

    @staticmethod
    def error(stack, order=0):
        covariances, lags, phases, bound = prepared(stack)
        signal = upsim.WhiteNoise(powers_of(stack))
        prediction = upsim.predict(stack, signal, frequencies=17)
        rate = float(stack.sample_rate)
        _, density = prediction.cyclic_density(order)
        weights = np.exp(-2j * np.pi * order * np.arange(phases) / phases) / phases
        averaged = np.einsum("p,opd->od", weights, covariances)
        expected = transformed(averaged, lags, prediction.frequencies / rate) / rate
        return float(np.abs(density - expected).max() / (bound / rate))

    @pytest.mark.parametrize(("name", "order"), [("fig8-left", 1), ("aliasing", 0)])
    def test_right_as_it_is(self, name, order):
        assert self.error(STACKS[name], order) <= 1

    def test_a_wrong_power_of_l(self, monkeypatch):
        from upsim.operators import StretchFIR

        monkeypatch.setattr(
            StretchFIR, "gains", lambda self, f: self.response(f)[:, None] / self.factor**0.5
        )
        assert self.error(STACKS["fig8-left"]) > 1e6

    def test_a_dropped_conjugate(self, monkeypatch):
        from upsim.theory.moments.transfer import Transfer

        right = Transfer._gains
        calls = []

        def broken(self, frequencies):
            calls.append(frequencies)
            for gains in right(self, frequencies):
                yield gains.conj() if len(calls) % 2 == 0 else gains

        monkeypatch.setattr(Transfer, "_gains", broken)
        assert self.error(STACKS["fig8-left"], 1) > 1e6

    def test_a_cyclic_shift_to_the_wrong_side(self, monkeypatch):
        from upsim.theory.moments.transfer import Transfer

        right = Transfer.density
        monkeypatch.setattr(
            Transfer,
            "density",
            lambda self, f, density, alpha: right(self, f, density, -alpha),
        )
        assert self.error(STACKS["fig8-left"], 1) > 1e6

    def test_swapped_aliases(self, monkeypatch):
        """Amplitudes that reach one input frequency on two ways must meet: count them wrongly."""
        from upsim.operators import rows

        right = rows._decimated_rows
        monkeypatch.setattr(rows, "_decimated_rows", lambda *a: np.roll(right(*a), 1, axis=1))
        assert self.error(STACKS["up and down"]) > 1e6


class TestColouredNoise:
    POINTS = (0.0, 300.0, 700.0, 1000.0)
    LEVELS = (1.0, 4.0, 0.5, 2.0)

    def test_through_one_layer(self):
        """``S_y(f) = |H|^2 / L^2 S_x(L f)`` per Hz on both sides, the band folded by hand."""
        taps = np.array([1.0, -0.5, 2.0, 0.75])
        layer = upsim.TransposedConv(1, 1, 4, 3, bias=False, weight=taps.reshape(1, 1, 4))
        grid = np.array([0.0, 150.0, 500.0, 999.0, 1100.0, 1700.0, 2400.0, 3000.0])
        prediction = upsim.predict(
            upsim.Stack([layer], 6000), upsim.Density(self.POINTS, self.LEVELS), frequencies=grid
        )
        # Into the input's band of 1 kHz: 1100 is the mirror of 900, 1700 of 300, 2400 is 400.
        folded = np.array([0.0, 150.0, 500.0, 999.0, 900.0, 300.0, 400.0, 1000.0])
        response = np.exp(-2j * np.pi * np.outer(grid / 6000, np.arange(4))) @ taps
        expected = np.abs(response) ** 2 / 9 * np.interp(folded, self.POINTS, self.LEVELS)
        bound = rounding(4 * 4 + 16, 4.0 * np.abs(taps).sum() ** 2 / 9)
        assert np.abs(prediction.psd[0] - expected).max() <= bound

    def test_a_flat_density_is_white_noise(self):
        stack = STACKS["channels"]
        nyquist = float(stack.input_rate / 2)
        flat = upsim.Density([0, nyquist], [[p / nyquist] * 2 for p in powers_of(stack)])
        one = upsim.predict(stack, flat, frequencies=33).psd
        other = upsim.predict(stack, upsim.WhiteNoise(powers_of(stack)), frequencies=33).psd
        bound = 2 * prepared(stack)[3] / float(stack.sample_rate)
        assert np.abs(one - other).max() <= bound

    def test_aliased_bands_add_up(self):
        """Decimation by 2: the two halves of the band, one mirrored, on top of each other."""
        stack = upsim.Stack([upsim.Decimate(2)], 1000)
        signal = upsim.Density(self.POINTS, self.LEVELS)
        grid = np.array([0.0, 100.0, 250.0, 499.0])
        prediction = upsim.predict(stack, signal, frequencies=grid)
        expected = np.interp(grid, self.POINTS, self.LEVELS) + np.interp(
            1000 - grid, self.POINTS, self.LEVELS
        )
        # Every sample has the power it had, in half the band: levels per Hz add as they are.
        assert np.abs(prediction.psd[0] - expected).max() <= rounding(32, 8.0)

    def test_no_power_beyond_the_points(self):
        stack = upsim.Stack([upsim.Crop()], 2000)
        signal = upsim.Density([100.0, 200.0], [1.0, 1.0])
        prediction = upsim.predict(stack, signal, frequencies=[50.0, 150.0, 250.0])
        assert prediction.psd[0].tolist() == [0.0, 1.0, 0.0]


class TestMixtures:
    def test_parts_of_a_sum_do_not_disturb_each_other(self):
        stack = STACKS["channels"]
        constant, sine = upsim.Constant(0.5), upsim.Sine(stack.input_rate / 5, 0.7, 0.1)
        noise = upsim.WhiteNoise(0.3)
        together = upsim.predict(stack, constant + sine + noise, frequencies=33)
        lines = upsim.predict(stack, constant + sine)
        density = upsim.predict(stack, noise, frequencies=33)
        assert (together.psd == density.psd).all()
        assert [t.fraction for t in together.tones] == [t.fraction for t in lines.tones]
        for one, other in zip(together.tones, lines.tones, strict=True):
            assert (one.amplitude == other.amplitude).all()

    def test_two_noises_add_their_powers(self):
        stack = STACKS["fig8-left"]
        two = upsim.predict(stack, upsim.WhiteNoise(1.0) + upsim.WhiteNoise(2.0), frequencies=33)
        one = upsim.predict(stack, upsim.WhiteNoise(3.0), frequencies=33)
        bound = 2 * prepared(stack)[3] * 3 / float(stack.sample_rate)
        assert np.abs(two.psd - one.psd).max() <= bound

    def test_biases_leave_the_density_alone_and_appear_as_lines(self):
        stack = STACKS["fig8-left"]
        noisy = upsim.predict(stack, upsim.WhiteNoise())
        silent = upsim.predict(stack, upsim.Silence())
        assert [tone.fraction for tone in noisy.tones] == [tone.fraction for tone in silent.tones]

    def test_the_default_signal_is_a_constant_and_white_noise(self):
        stack = STACKS["fig8-left"]
        default = upsim.predict(stack)
        spelled = upsim.predict(stack, upsim.Constant(1.0) + upsim.WhiteNoise(1.0))
        assert (default.psd == spelled.psd).all()
        assert default.tone_power.tolist() == spelled.tone_power.tolist()


class TestAveragedRuns:
    """The statistical rung: seeded noise on a circle, so that a DFT bin has no leakage."""

    RUNS = 400

    @pytest.mark.parametrize("name", ["fig8-left", "channels", "u-net", "up and down"])
    def test_mean_periodogram(self, name):
        stack = STACKS[name]
        down = by_hand.ups_and_downs(stack)[1]
        count_in = 48 * down
        rng = np.random.default_rng(20)
        deviations = np.sqrt(powers_of(stack))[:, None]
        noise = rng.standard_normal((self.RUNS, stack.in_channels, count_in)) * deviations
        made = by_hand.run(stack, np.tile(noise, 3)) - by_hand.run(
            stack, np.zeros((stack.in_channels, 3 * count_in))
        )
        count = int(count_in * stack.rate)
        middle = made[..., count : 2 * count]
        rate = float(stack.sample_rate)
        periodogram = np.abs(np.fft.rfft(middle, axis=-1)) ** 2 / (count * rate)
        averaged = periodogram.mean(axis=0)
        grid = np.arange(count // 2 + 1) * rate / count
        grid[-1] = min(grid[-1], rate / 2)
        prediction = upsim.predict(stack, upsim.WhiteNoise(powers_of(stack)), frequencies=grid)
        expected = prediction.psd / 2
        # |Y|^2 of a Gaussian Y has a deviation of its mean, and of sqrt 2 times its mean where Y
        # is real or correlated with its own mirror image.
        allowed = sampling(2**0.5 * expected, self.RUNS)
        assert (np.abs(averaged - expected) <= allowed).all()
        # and a density that is 3 dB off would be seen
        assert (np.abs(averaged - 2 * expected) > allowed).mean() > 0.9
