"""The answer as a record: what it says, keeps, writes and refuses."""

from __future__ import annotations

import importlib.util
import json
from fractions import Fraction

import numpy as np
import pytest
from theory import by_hand

import upsim
from upsim.answer.prediction import Panels, Prediction
from upsim.errors import (
    ArgumentError,
    ArgumentTypeError,
    FileFormatError,
    MissingDependencyError,
    NotPredictableError,
    TooLargeError,
)
from upsim.words.tolerance import rounding, sampling


def drawn(layers, rate=16000, seed=0, **named):
    return upsim.Stack(layers, rate, **named).draw(seed)


def figure_8():
    return drawn([upsim.TransposedConv(1, 1, 4, 2)] * 3, 32000)


def vocoder():
    layers, channels = [], 8
    for stride in (8, 8, 2, 2):
        up = upsim.TransposedConv(channels, max(1, channels // 2), 2 * stride, stride, stride // 2)
        layers += [upsim.LeakyReLU(0.2), up]
        channels = max(1, channels // 2)
    return drawn(layers, 22050)


SIGNALS = {
    "default": None,
    "silence": upsim.Silence(),
    "all": upsim.Constant(0.5) + upsim.Sine(500, 0.3) + upsim.WhiteNoise(0.2),
    "coloured": upsim.Density([0.0, 2000.0], [1.0, 0.5]),
    "recorded": upsim.Recorded(np.random.default_rng(0).standard_normal(40), 4000),
}


class TestWhatItSays:
    @pytest.mark.parametrize("name", SIGNALS)
    def test_a_repr_of_at_most_eight_lines(self, name):
        text = repr(upsim.predict(figure_8(), SIGNALS[name]))
        assert len(text.splitlines()) <= 8
        assert text.splitlines()[0].startswith("stack: 3 layers, 1 to 1 channels, 4 kHz to 32 kHz")

    def test_a_repr_of_128_tones(self):
        text = repr(upsim.predict(vocoder(), upsim.Constant(1.0)))
        assert len(text.splitlines()) <= 8
        assert "128 tones, the strongest 4:" in text

    def test_the_strongest_tones_come_first(self):
        prediction = upsim.predict(figure_8(), upsim.Constant(1.0))
        shown = repr(prediction).splitlines()[2:6]
        levels = [float(line.split(" dB")[0].split()[-1]) for line in shown]
        assert levels == sorted(levels, reverse=True)
        expected = sorted(
            (10 * np.log10(float(tone.power[0])) for tone in prediction.tones[1:]), reverse=True
        )
        assert levels == [round(each, 2) for each in expected]

    def test_no_tones(self):
        text = repr(upsim.predict(upsim.Stack([upsim.Nearest(2)], 8000), upsim.Constant(1.0)))
        assert "no tones: an offset is the only line" in text
        assert "offset 0.00 dB; 1 image of the band to 2 kHz" in text

    def test_silence(self):
        stack = upsim.Stack([upsim.Conv(1, 1, 3, bias=False)], 8000).draw(0)
        assert repr(upsim.predict(stack, upsim.Silence())).endswith("silence")

    def test_the_table_has_a_line_a_tone(self):
        prediction = upsim.predict(figure_8(), upsim.Constant(1.0))
        lines = prediction.table().splitlines()
        assert len(lines) == 1 + len(prediction.tones) == 6
        assert lines[0].split() == [
            "frequency", "fraction", "power", "layer", "cause", "mostly", "from",
        ]  # fmt: skip
        assert [line.split("  ")[0] for line in lines[1:]] == [
            "0 Hz", "4 kHz", "8 kHz", "12 kHz", "16 kHz",
        ]  # fmt: skip

    def test_a_full_scale_sine_is_0_dbfs(self):
        # AES17: the reference is a sine whose peaks reach full scale; its mean square is a half.
        wire = upsim.Stack([upsim.Crop()], 16000)
        row = upsim.predict(wire, upsim.Sine(1000, 1.0)).table(dbfs=True).splitlines()[-1]
        assert "-3.01 dB  0.00 dBFS" in row
        half = upsim.predict(wire, upsim.Sine(1000, 0.5)).table(dbfs=True).splitlines()[-1]
        assert "-9.03 dB  -6.02 dBFS" in half

    def test_the_family_of_a_line_is_counted_over_the_upsamplers(self):
        prediction = upsim.predict(figure_8(), upsim.Constant(1.0))
        lines = prediction.table(family=True).splitlines()
        # 32 kHz through three layers of stride 2: multiples of 4, 8 and 16 kHz.
        cells = [line[lines[0].index("family") : lines[0].index("power")] for line in lines[1:]]
        assert [cell.strip() for cell in cells] == [
            "", "1 (4 kHz)", "2 (8 kHz)", "1 (4 kHz)", "3 (16 kHz)",
        ]  # fmt: skip

    def test_who_hears_a_tone_stands_in_the_table(self):
        prediction = upsim.predict(figure_8(), upsim.Constant(1.0))
        verdicts = [row.verdict for row in prediction.audibility().rows]
        lines = prediction.table(audible=True).splitlines()
        assert lines[0].endswith("heard")
        assert all(
            line.endswith(verdict) for line, verdict in zip(lines[1:], verdicts, strict=True)
        )

    def test_html_is_escaped(self):
        stack = figure_8().replace(name="<b>&")
        html = upsim.predict(stack, upsim.Constant(1.0))._repr_html_()
        assert "&lt;b&gt;&amp;" in html
        assert "<b>" not in html
        assert html.count("<tr>") == 6

    def test_the_regime_is_named(self):
        exact = upsim.predict(vocoder(), upsim.Constant(1.0)).assumptions
        noisy = upsim.predict(figure_8()).assumptions
        assert exact == ("lines: exact, in the steady state far from the ends",)
        assert noisy == (*exact, "density: exact, averaged over time")

    def test_seed_002_figure_8_left(self):
        """Ones at 4 kHz: tones and replicas at 4, 8, 12, 16 kHz, with the right first layer."""
        prediction = upsim.predict(figure_8(), upsim.Constant(1.0))
        assert [(t.frequency, t.layer) for t in prediction.tones[1:]] == [
            (4000, "1"), (8000, "2"), (12000, "1"), (16000, "3"),
        ]  # fmt: skip

    def test_seed_002_figure_7(self):
        stack = drawn([upsim.SubpixelConv(1, 1, 3, 2, padding=1)] * 3, 32000)
        prediction = upsim.predict(stack, upsim.Constant(1.0))
        assert [(t.frequency, t.layer) for t in prediction.tones[1:]] == [
            (4000, "1"), (8000, "2"), (12000, "1"), (16000, "3"),
        ]  # fmt: skip


class TestLayers:
    def test_each_is_the_prediction_of_the_stack_so_far(self):
        stack = figure_8()
        prediction = upsim.predict(stack)
        assert len(prediction.layers) == 3
        for number, part in enumerate(prediction.layers, 1):
            alone = upsim.predict(stack.upto(number))
            assert part.sample_rate == 4000 * 2**number
            assert (part.psd == alone.psd).all()
            assert [t.fraction for t in part.tones] == [t.fraction for t in alone.tones]
            for one, other in zip(part.tones, alone.tones, strict=True):
                assert (one.amplitude == other.amplitude).all()
                assert (one.layer, one.cause) == (other.layer, other.cause)

    def test_they_are_made_when_asked_for_and_once(self):
        made = []

        def make(number):
            made.append(number)
            return f"prediction {number}"

        panels = Panels(4, make)
        assert made == []
        assert panels[1] == panels[-3] == "prediction 2"
        assert made == [2]
        assert panels[2:] == ["prediction 3", "prediction 4"]
        assert made == [2, 3, 4]
        assert [*panels] == [f"prediction {n}" for n in (1, 2, 3, 4)]
        assert made == [2, 3, 4, 1]
        with pytest.raises(IndexError):
            panels[4]

    def test_predicting_makes_none_of_them(self, monkeypatch):
        calls = []
        right = Panels.__getitem__
        monkeypatch.setattr(
            Panels, "__getitem__", lambda self, index: calls.append(index) or right(self, index)
        )
        prediction = upsim.predict(figure_8())
        repr(prediction)
        assert calls == []
        assert prediction.layers[0].sample_rate == 8000
        assert calls == [0]


class TestReadOnly:
    @pytest.mark.parametrize("name", SIGNALS)
    @pytest.mark.parametrize("reread", [False, True])
    def test_no_array_of_a_prediction_can_be_changed(self, name, reread):
        prediction = upsim.predict(figure_8(), SIGNALS[name])
        if reread:
            prediction = Prediction.from_dict(prediction.to_dict())
        arrays = {"frequencies": prediction.frequencies}
        if prediction.psd is not None:
            arrays["psd"] = prediction.psd
        if prediction.waveform is not None:
            arrays["waveform"] = prediction.waveform
        for tone in prediction.tones:
            arrays[f"amplitude {tone.fraction}"] = tone.amplitude
            arrays[f"power {tone.fraction}"] = tone.power
            for share in tone.contributions:
                arrays[f"share {tone.fraction} {share.cause} {share.layer}"] = share.amplitude
        for replica in prediction.replicas:
            arrays[f"gain {replica.low}"] = replica.gain
        for report in prediction.overlap:
            arrays[f"phase gains {report.layer}"] = report.phase_gains
            arrays[f"phase powers {report.layer}"] = report.phase_powers
        assert [key for key, array in arrays.items() if array.flags.writeable] == []

    def test_given_frequencies_stay_the_callers(self):
        mine = np.array([100.0, 200.0])
        prediction = upsim.predict(figure_8(), frequencies=mine)
        mine[0] = 50.0
        assert prediction.frequencies.tolist() == [100.0, 200.0]

    def test_fields_cannot_be_set(self):
        prediction = upsim.predict(figure_8())
        with pytest.raises(AttributeError):
            prediction.psd = None
        with pytest.raises(AttributeError):
            prediction.tones[0].layer = "2"


class TestFrequencies:
    def test_by_default_a_welch_grid(self):
        grid = upsim.predict(figure_8()).frequencies
        assert grid.tolist() == np.fft.rfftfreq(4096, 1 / 32000).tolist()

    def test_a_number_of_points(self):
        prediction = upsim.predict(figure_8(), frequencies=5)
        assert prediction.frequencies.tolist() == [0, 4000, 8000, 12000, 16000]

    def test_frequencies_in_hertz(self):
        coarse = upsim.predict(figure_8(), frequencies=[4000.0, 12000.0])
        fine = upsim.predict(figure_8(), frequencies=5)
        # Three layers of 4 taps in another order of sums; |H| <= sum |h|.
        scale = np.prod([np.abs(layer.weight).sum() ** 2 for layer in figure_8()]) / 32000
        bound = rounding(2 * 3 * 16, float(scale))
        assert np.abs(coarse.psd - fine.psd[:, [1, 3]]).max() <= bound
        assert np.abs(coarse.psd - fine.psd[:, [0, 2]]).max() > 1e6 * bound

    @pytest.mark.parametrize(
        "wrong", [1, 0, -3, 2.5, [], [-1.0], [16001.0], [2.0, 1.0], [1.0, 1.0], [float("nan")]]
    )
    def test_wrong_ones_are_refused(self, wrong):
        with pytest.raises(ArgumentError):
            upsim.predict(figure_8(), frequencies=wrong)


class TestData:
    @pytest.mark.parametrize("name", SIGNALS)
    def test_round_trip_through_json(self, name):
        first = upsim.predict(figure_8(), SIGNALS[name], frequencies=9)
        text = first.to_json()
        again = Prediction.from_dict(json.loads(text))
        assert again.to_json() == text
        assert again.stack == first.stack
        assert again.signal == first.signal
        assert again.sample_rate == first.sample_rate
        assert repr(again) == repr(first)
        assert again.table() == first.table()
        for one, other in zip(again.tones, first.tones, strict=True):
            assert one.fraction == other.fraction
            assert (one.amplitude == other.amplitude).all()
            assert [s.layer for s in one.contributions] == [s.layer for s in other.contributions]

    def test_it_says_what_it_is(self):
        content = upsim.predict(figure_8()).to_dict()
        assert (content["format"], content["version"]) == ("upsim-prediction", 1)
        assert content["sample_rate"] == "32000"
        assert [tone["fraction"] for tone in content["tones"]] == ["0", "1/8", "1/4", "3/8", "1/2"]

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"format": "other"}, "not an upsim prediction"),
            ({"version": 99}, "another version"),
            ({"tones": None}, "incomplete"),
            ({"tones": [{}]}, "incomplete"),
            ({"sample_rate": "fast"}, "not a frequency or rate"),
        ],
    )
    def test_wrong_content_is_refused(self, change, message):
        content = upsim.predict(figure_8(), frequencies=5).to_dict() | change
        with pytest.raises(FileFormatError, match=message):
            Prediction.from_dict(content)

    @pytest.mark.parametrize("content", [None, [], "text", {}])
    def test_something_else_is_refused(self, content):
        with pytest.raises(FileFormatError):
            Prediction.from_dict(content)

    @pytest.mark.skipif(
        importlib.util.find_spec("pandas") is not None, reason="pandas is installed"
    )
    def test_without_pandas_the_refusal_names_the_ways_out(self):
        with pytest.raises(MissingDependencyError, match=r"pip install pandas.*\.table\(\)"):
            upsim.predict(figure_8()).to_dataframe()


class TestAudio:
    def test_lines_are_what_the_layers_make_in_the_steady_state(self):
        stack = figure_8()
        samples = upsim.predict(stack, upsim.Constant(1.0)).audio(0.01)
        assert samples.shape == (1, 320)
        ones = np.ones((1, 1))
        period = by_hand.steady_period(stack, ones, 8)
        # Five lines, each a product of a coefficient and a cosine.
        bound = by_hand.tolerance(stack, ones, more=8 * 8)
        assert np.abs(samples - np.tile(period, 40)).max() <= bound

    def test_noise_has_the_predicted_power(self):
        prediction = upsim.predict(figure_8(), upsim.WhiteNoise())
        samples = prediction.audio(4.0, seed=3) - prediction.audio(4.0, seed=3).mean()
        lines = float(prediction.tone_power[0]) - float(prediction.tones[0].power[0])
        expected = float(prediction.noise_power[0]) + lines
        # Correlated samples: the mean of x^2 varies as sqrt(2 sum R^2 / n) <= sqrt(2 B / n) R0,
        # B being the support of the autocorrelation, 22 taps either side.
        allowed = sampling(np.sqrt(2 * 45) * expected, samples.size)
        assert abs((samples**2).mean() - expected) <= allowed
        assert allowed < expected / 4

    def test_a_seed_is_a_seed(self):
        prediction = upsim.predict(figure_8())
        assert (prediction.audio(0.1, seed=1) == prediction.audio(0.1, seed=1)).all()
        assert (prediction.audio(0.1, seed=1) != prediction.audio(0.1, seed=2)).any()

    def test_a_recording_is_played_as_it_is(self):
        prediction = upsim.predict(figure_8(), SIGNALS["recorded"])
        samples = prediction.audio(0.005)
        assert (samples == prediction.waveform[:, :160]).all()
        samples[:] = 0
        assert prediction.waveform.any()

    @pytest.mark.parametrize("seconds", [0, -1, float("nan")])
    def test_no_time_at_all_is_refused(self, seconds):
        with pytest.raises(ArgumentError):
            upsim.predict(figure_8()).audio(seconds)


class TestRefusals:
    def test_noise_beside_a_recording_names_the_ways_out(self):
        signal = upsim.WhiteNoise() + upsim.Recorded(np.ones(8), 4000)
        stack = upsim.Stack([upsim.Nearest(2), upsim.GLU()], 8000, in_channels=2)
        with pytest.raises(NotPredictableError) as caught:
            upsim.predict(stack, signal)
        text = str(caught.value)
        assert "GLU at layer 2" in text
        for way in ("the recording alone", "upsim.Density(...)"):
            assert way in text

    def test_weights_that_are_not_drawn_are_no_network_to_run(self):
        stack = upsim.Stack([upsim.Nearest(2), upsim.Conv(1, 1, 3)], 8000)
        assert upsim.predict(stack).tones[0].amplitude is None
        with pytest.raises(NotPredictableError, match=r"draw\(seed=0\)"):
            upsim.verify(stack)

    def test_a_period_that_does_not_fit_in_memory_is_refused_before_it_is_taken(self):
        stack = upsim.Stack([upsim.Nearest(2), upsim.ReLU()], 96000)
        with pytest.raises(TooLargeError, match="repeats only after"):
            upsim.predict(stack, upsim.Sine(Fraction(10**9 + 7, 10**6)))

    def test_what_is_no_stack_or_no_signal(self):
        with pytest.raises(ArgumentTypeError, match=r"upsim\.Stack\("):
            upsim.predict(upsim.Nearest(2))
        with pytest.raises(ArgumentTypeError, match=r"upsim\.Constant\(1\.0\)"):
            upsim.predict(figure_8(), np.ones(4))

    def test_a_sine_above_the_inputs_band(self):
        with pytest.raises(ArgumentError, match="Nyquist"):
            upsim.predict(figure_8(), upsim.Sine(2001))

    def test_cyclic_density_without_noise(self):
        with pytest.raises(NotPredictableError, match="WhiteNoise"):
            upsim.predict(figure_8(), upsim.Constant(1.0)).cyclic_density(1)

    @pytest.mark.parametrize("channel", [1, -1])
    def test_a_channel_that_is_not_there(self, channel):
        with pytest.raises(ArgumentError):
            upsim.predict(figure_8()).plot(channel=channel)


class TestPowers:
    @pytest.mark.parametrize("name", ["default", "all"])
    def test_lines_and_density_add_up_to_the_mean_square(self, name):
        """The Parseval law of the record, by the variances that the folded taps give."""
        stack = figure_8()
        signal = SIGNALS[name]
        prediction = upsim.predict(stack, signal)
        taps = np.array([1.0])
        for layer in stack:
            stretched = np.zeros((taps.size - 1) * 2 + 1)
            stretched[::2] = taps
            taps = np.convolve(stretched, layer.weight[0, 0])
        power = 1.0 if name == "default" else 0.2
        variance = power * float((taps**2).sum()) / 8
        bound = rounding(4 * 2049 + 200, power * np.abs(taps).sum() ** 2 / 8)
        assert abs(prediction.noise_power[0] - variance) <= bound

        offset, sine = (1.0, 0.0) if name == "default" else (0.5, 0.3)
        n = np.arange(8 * 8)
        period = (offset + sine * np.cos(np.pi / 4 * n))[None, :]
        steady = by_hand.steady_period(stack, period, 64)
        largest = float(by_hand.run(stack, np.tile(period, 4), absolute=True).max())
        bound = 2 * largest * by_hand.tolerance(stack, period, more=8 * 64)
        assert abs(prediction.tone_power[0] - (steady**2).mean()) <= bound


@pytest.mark.parametrize(
    "stack",
    [
        upsim.models.fig8_right(),
        upsim.models.fig8_left(),
        upsim.models.fig8_left().draw(0),
        upsim.Stack([upsim.Linear(2), upsim.ReLU(), upsim.Conv(1, 1, 3)], 16000).draw(0),
    ],
)
def test_the_power_of_noise_does_not_depend_on_the_frequencies(stack):
    whole = upsim.predict(stack, upsim.WhiteNoise())
    for asked in (9, [100.0], [100.0, 200.0]):
        assert upsim.predict(stack, upsim.WhiteNoise(), frequencies=asked).noise_power == (
            whole.noise_power
        )
    # The rectangle rule over whole periods of a trigonometric polynomial is exact.
    grid = np.arange(4096) * 8000.0 / 4096 * float(stack.sample_rate) / 16000
    level = upsim.predict(stack, upsim.WhiteNoise(), frequencies=grid).psd[0]
    sides = np.where(grid == 0, 1.0, 2.0) * 0.5
    level = np.append(
        level,
        upsim.predict(stack, upsim.WhiteNoise(), frequencies=[float(stack.sample_rate) / 2]).psd[0],
    )
    sides = np.append(sides, 0.5)
    total = float(level @ sides) * grid[1]
    assert total == pytest.approx(whole.noise_power[0], rel=rounding(2**14, 1.0))


@pytest.mark.parametrize("count", [64, 65])
def test_noise_beside_a_recording_fills_its_bins(count):
    """The bins at 0 Hz and, for an even number of samples, at Nyquist are half as wide."""
    stack = upsim.Stack([upsim.Crop()], 8000)
    signal = upsim.Recorded(np.zeros(count), 8000) + upsim.WhiteNoise(2.0)
    prediction = upsim.predict(stack, signal)
    assert prediction.noise_power[0] == pytest.approx(2.0, rel=rounding(count, 1.0))


def test_silence_through_layers_without_a_bias_is_called_silent():
    stack = upsim.Stack([upsim.Nearest(2), upsim.Conv(1, 1, 3, bias=False)], 8000).draw(0)
    text = str(upsim.predict(stack, upsim.Silence()))
    assert "this output is silent" in text
    assert "offset" not in text
