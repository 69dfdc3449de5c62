"""Heads of vocoders: the PQMF bank and the inverse STFT against torch, NumPy and closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import upsim
from upsim.errors import ArgumentError, ShapeError, TooLargeError, UpsimError
from upsim.layers import PQMF, Conv, InverseSTFT, TransposedConv
from upsim.words.tolerance import rounding

BANK = PQMF(subbands=4, taps=62, cutoff_ratio=0.142, beta=9.0)


def prototype(taps, cutoff, beta):
    """Return the low-pass filter by its definition, a sample at a time."""
    found = []
    for n in range(taps + 1):
        away = n - taps / 2
        ideal = cutoff if away == 0 else np.sin(np.pi * cutoff * away) / (np.pi * away)
        window = np.i0(beta * np.sqrt(1 - (2 * n / taps - 1) ** 2)) / np.i0(beta)
        found.append(ideal * window)
    return np.array(found)


def bank(layer, sign):
    """Return the analysis (+1) or the synthesis (-1) filters, (bands, taps + 1)."""
    count = np.arange(layer.taps + 1) - layer.taps / 2
    h = prototype(layer.taps, layer.cutoff_ratio, layer.beta)
    rows = []
    for k in range(layer.subbands):
        angle = (2 * k + 1) * np.pi / (2 * layer.subbands) * count
        rows.append(2 * h * np.cos(angle + sign * (-1) ** k * np.pi / 4))
    return np.array(rows)


class TestPQMF:
    def test_the_published_computation(self):
        torch = pytest.importorskip("torch", reason="torch does the convolutions here")
        x = np.random.default_rng(0).normal(size=(4, 30))
        updown = np.zeros((4, 4, 4))
        updown[range(4), range(4), 0] = 4.0
        stretched = torch.nn.functional.conv_transpose1d(
            torch.tensor(x[None]), torch.tensor(updown), stride=4
        )
        right = torch.nn.functional.conv1d(
            torch.nn.functional.pad(stretched, (31, 31)), torch.tensor(bank(BANK, -1)[None])
        )[0].numpy()
        made = BANK.operator(4).apply(x)
        assert made.shape == right.shape
        assert np.abs(made - right).max() <= rounding(200, np.abs(bank(BANK, 1)).sum() * 4)

    def test_it_nearly_inverts_its_analysis(self):
        # The product of both banks is a delay of no sample, to the bank's own ripple.
        samples = np.random.default_rng(1).normal(size=400)
        padded = np.pad(samples, 31)
        bands = np.array([np.correlate(padded, row, "valid")[::4] for row in bank(BANK, 1)])
        made = BANK.operator(4).apply(bands)[0]
        inner = slice(80, -80)
        ripple = np.abs(made[inner] - samples[inner]).max()
        turned = PQMF(4, 62, 0.25, 9.0).operator(4).apply(bands)[0]
        assert np.abs(turned[inner] - samples[inner]).max() > 10 * ripple

    @pytest.mark.parametrize(
        ("rate", "line"), [(22050, "5.5125 kHz"), (8000, "2 kHz"), (24000, "6 kHz")]
    )
    def test_offsets_of_bands_1_and_2_are_a_tone_at_a_quarter_of_the_rate(self, rate, line):
        stack = upsim.Stack([BANK], rate)
        prediction = upsim.predict(stack, upsim.Constant([0.0, 1.0, 1.0, 0.0]))
        loud = [tone for tone in prediction.tones if tone.power[0] > 1e-6]
        assert [tone.frequency for tone in loud] == [rate / 4]
        # |sum over both bands of the response at a quarter of the rate|, by the definition
        count = np.arange(63) - 31
        gains = (4 * bank(BANK, 1) * np.exp(-0.5j * np.pi * count)).sum(axis=1) / 4
        level = 2 * abs(gains[1] + gains[2]) ** 2
        assert loud[0].power[0] == pytest.approx(level, rel=rounding(300, 1.0))
        assert round(10 * np.log10(level), 2) == 3.02
        assert loud[0].cause == "input offset"
        assert line in prediction.table()
        assert upsim.verify(prediction).passed

    def test_one_band_alone_is_at_its_lower_or_upper_edge(self):
        # Bands lie between multiples of an eighth of the rate; odd ones are turned round.
        for band, edge in enumerate((0, 1, 1, 2)):
            prediction = upsim.predict(upsim.Stack([BANK], 8), upsim.Constant(np.eye(4)[band]))
            (loud,) = [tone for tone in prediction.tones if tone.power[0] > 1e-6]
            assert loud.fraction * 4 == edge
            assert round(10 * np.log10(loud.power[0]), 2) == 0

    def test_a_bias_before_it_is_the_cause(self):
        layers = [("post", Conv(2, 4, 7, padding=3)), ("pqmf", BANK)]
        stack = upsim.Stack(layers, 22050).draw(0)
        prediction = upsim.predict(stack, upsim.Silence())
        loud = max(prediction.tones, key=lambda tone: tone.power[0] * (0 < tone.fraction < 0.5))
        assert (loud.frequency, loud.layer, loud.cause) == (5512.5, "pqmf", "bias")
        assert loud.contributions[0].layer == "post"
        assert upsim.verify(prediction).passed

    def test_in_expectation_over_what_comes_before(self):
        # Four biases of variance 1 / (3 fan_in): their lines add in power, by band.
        stack = upsim.Stack([Conv(2, 4, 7, padding=3), BANK], 22050)
        prediction = upsim.predict(stack, upsim.Silence())
        count = np.arange(63) - 31
        quarter = (bank(BANK, 1) * np.exp(-0.5j * np.pi * count)).sum(axis=1)
        expected = 2 * (np.abs(quarter) ** 2).sum() / (3 * 14)
        found = {tone.frequency: tone.power[0] for tone in prediction.tones}
        assert found[5512.5] == pytest.approx(expected, rel=rounding(300, 1.0))

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"taps": 61}, "taps must be even"),
            ({"cutoff_ratio": 1.0}, "between 0 and 1"),
            ({"beta": -1.0}, "beta"),
            ({"beta": 1e6}, "beta"),
            ({"subbands": 0}, "subbands"),
            ({"subbands": 10**6, "taps": 10**6}, "too large"),
        ],
    )
    def test_what_is_no_bank_is_refused(self, arguments, words):
        with pytest.raises(UpsimError, match=words):
            PQMF(**arguments)
        with pytest.raises(ShapeError, match="3 channels"):
            upsim.Stack([BANK], 8000, in_channels=3)


HEADS = [
    InverseSTFT(16, 4),
    InverseSTFT(20, 5),
    InverseSTFT(16, 4, 12),
    InverseSTFT(15, 4),
    InverseSTFT(16, 4, normalized=True),
    InverseSTFT(16),
    InverseSTFT(16, 3, window="hamming", center=False),
    InverseSTFT(12, 5, 10, [0.5, 1, 1, 2, 1, 1, 2, 1, 1, 0.5]),
]


def torch_istft(layer, samples):
    torch = pytest.importorskip("torch", reason="torch.istft is the right value here")
    names = {"hann": torch.hann_window, "hamming": torch.hamming_window}
    width = layer.win_length or layer.n_fft
    if isinstance(layer.window, str):
        window = names[layer.window](width, dtype=torch.float64)
    else:
        window = torch.tensor(np.array(layer.window))
    real, imaginary = np.split(samples, 2)
    return torch.istft(
        torch.complex(torch.tensor(real), torch.tensor(imaginary)),
        layer.n_fft,
        hop_length=layer.hop_length,
        win_length=layer.win_length,
        window=window,
        center=layer.center,
        normalized=layer.normalized,
    ).numpy()


class TestInverseSTFT:
    @pytest.mark.parametrize("layer", HEADS, ids=repr)
    @pytest.mark.parametrize("frames", [2, 3, 7, 40])
    def test_it_is_torch_s_edges_included(self, layer, frames):
        samples = np.random.default_rng(frames).normal(size=(layer.channels_in, frames))
        right = torch_istft(layer, samples)
        operator = layer.operator(layer.channels_in)
        made = operator.apply(samples)
        assert made.shape == (1, right.size)
        within = rounding(layer.channels_in * 20, 40 * np.abs(samples).max())
        assert np.abs(made - right).max() <= within
        matrix = operator.matrix(frames) @ samples.reshape(-1)
        assert np.abs(matrix - right).max() <= within

    @given(st.integers(2, 12), st.data())
    def test_the_transform_of_a_signal_comes_back(self, n_fft, data):
        hop = data.draw(st.integers(1, max(1, n_fft // 2)))
        layer = InverseSTFT(n_fft, hop, window="hamming", center=False)
        window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
        signal = np.random.default_rng(n_fft).normal(size=n_fft + 5 * hop)
        spectra = np.array(
            [np.fft.rfft(window * signal[t * hop : t * hop + n_fft]) for t in range(6)]
        ).T
        made = layer.operator(layer.channels_in).apply(
            np.concatenate([spectra.real, spectra.imag])
        )[0]
        assert np.abs(made - signal).max() <= rounding(1000, np.abs(signal).max() * 12)

    def test_the_hop_makes_the_lines(self):
        # A head of hop 4: offsets in its bins repeat after 4 samples, a line at a quarter.
        stack = upsim.Stack([InverseSTFT(16, 4)], 22050)
        assert [int(each.spacing * 2) for each in upsim.families(stack)] == [11025]
        value = np.zeros(18)
        value[4] = 1.0  # the real part of bin 4: a cosine of a quarter of the rate, in step
        prediction = upsim.predict(stack, upsim.Constant(value))
        made = {tone.frequency: tone.power[0] for tone in prediction.tones}
        # sum of Hann over sum of its square is 2 / 1.5; the bin's cosine has amplitude 2 / 16
        amplitude = 2 / 16 * 2 / 1.5
        assert made[5512.5] == pytest.approx(amplitude**2 / 2, rel=rounding(200, 1.0))
        assert set(made) == {5512.5}
        assert upsim.verify(prediction).passed

    def test_vocos_same_padding_keeps_whole_hops(self):
        layer = InverseSTFT(16, 4, trim=6)
        samples = np.random.default_rng(0).normal(size=(18, 9))
        assert layer.output_length(9) == 36
        made = layer.operator(18).apply(samples)[0]
        # by hand: overlap-add of windowed frames over overlap-add of squares, 6 cut at each end
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(16) / 16)
        total, squares = np.zeros(48), np.zeros(48)
        for t in range(9):
            frame = np.fft.irfft(samples[:9, t] + 1j * samples[9:, t], 16)
            total[4 * t : 4 * t + 16] += window * frame
            squares[4 * t : 4 * t + 16] += window**2
        right = (total / np.where(squares > 0, squares, 1))[6:-6]
        assert np.abs(made - right).max() <= rounding(500, np.abs(right).max() * 4)

    def test_a_recording_behind_a_decoder_edges_included(self):
        head = InverseSTFT(8, 2)
        stack = upsim.Stack([TransposedConv(1, 10, 4, 2, 1), head], 16000).draw(0)
        samples = np.random.default_rng(0).normal(size=25)
        prediction = upsim.predict(stack, upsim.Recorded(samples, 4000))
        frames = upsim.neural.run(stack.layers[0], samples[None])
        right = torch_istft(head, frames)
        assert np.abs(prediction.waveform[0] - right).max() <= rounding(1000, 10.0)
        assert upsim.verify(prediction).passed

    def test_noise_behind_it_has_the_density_of_its_taps(self):
        # White noise in all bins: each output sample is a sum of independent products.
        head = InverseSTFT(8, 2)
        prediction = upsim.predict(upsim.Stack([head], 8000), upsim.WhiteNoise(1.0))
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(8) / 8)
        squares = window[:2] ** 2 + window[2:4] ** 2 + window[4:6] ** 2 + window[6:] ** 2
        # a frame's sample has variance (1 + 1 + 3 * 4) / 64: cos^2 + sin^2 = 1 in the middle bins
        first = (window**2 * 14 / 64 / np.tile(squares, 4) ** 2).sum() / 2
        assert prediction.power_of_noise()[0] == pytest.approx(first, rel=rounding(200, 1.0))

    @pytest.mark.parametrize(
        ("arguments", "kind", "words"),
        [
            ({"n_fft": 1}, ArgumentError, "n_fft"),
            ({"n_fft": 16, "hop_length": 17}, ArgumentError, "do not cover"),
            ({"n_fft": 16, "win_length": 20}, ArgumentError, "longer than the transform"),
            ({"n_fft": 16, "window": [1.0, 2.0]}, ShapeError, "the length that is asked for"),
            ({"n_fft": 16, "window": "hannn"}, UpsimError, "no such window"),
            ({"n_fft": 10**6}, TooLargeError, "taps of the transform"),
            ({"n_fft": 16, "trim": -1}, UpsimError, "trim"),
        ],
    )
    def test_what_is_no_transform_is_refused(self, arguments, kind, words):
        with pytest.raises(kind, match=words):
            InverseSTFT(**arguments)

    def test_an_uncovered_end_is_refused_as_torch_does(self):
        layer = InverseSTFT(16, 4, center=False)
        samples = np.ones((18, 5))
        with pytest.raises(ShapeError, match="uncovered"):
            layer.operator(18).apply(samples)
        with pytest.raises(ShapeError, match="uncovered"):
            upsim.neural.run(layer, samples)
        with pytest.raises(RuntimeError):
            torch_istft(layer, samples)
