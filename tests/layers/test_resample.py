"""The resamplers by name against the libraries themselves, and what a fraction as a factor says."""

from fractions import Fraction
from math import ceil, gcd, pi

import numpy as np
import pytest
from scipy.signal import resample_poly
from scipy.special import i0

import upsim
from upsim.errors import ArgumentError, ArgumentTypeError
from upsim.layers import Decimate, Layer, Resample, Stretch
from upsim.words.tolerance import rounding
from upsim.words.units import decibels

RATES = [(1, 2), (2, 1), (3, 2), (44100, 48000), (48000, 44100), (441, 480), (5, 7), (3, 3)]
LENGTHS = [1, 2, 147, 700]


def signal(length):
    return np.random.default_rng(length).standard_normal((2, length))


def ratio(old, new):
    return old // gcd(old, new), new // gcd(old, new)


def applied(layer, samples):
    return layer.operator(samples.shape[0]).apply(samples)


def compared(found, expected, terms, scale, dtype=np.float64):
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= rounding(terms, scale, dtype)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("zeros", "rolloff"), [(24, 0.945), (6, 0.99), (5, 1.0)])
@pytest.mark.parametrize(("old", "new"), RATES)
def test_it_is_julius(old, new, zeros, rolloff, length):
    torch, julius = pytest.importorskip("torch"), pytest.importorskip("julius")
    samples = signal(length)
    if new * length < old:
        return  # nothing is left
    module = julius.ResampleFrac(old, new, zeros=zeros, rolloff=rolloff).double()
    expected = module(torch.tensor(samples)).numpy()
    found = applied(Resample(old, new, zeros=zeros, rolloff=rolloff), samples)
    # julius has its weights in single precision.  An argument of the sinc is the difference of two
    # numbers of at most 2 (zeros + the shorter rate), times pi: rounded four times each.  Sinc and
    # window have slopes of at most 2, and a sample sees so many weights of size 1.
    small = min(ratio(old, new))
    neighbours = 2 * zeros / rolloff * max(1.0, old / new) + 2
    operations = 4 * int(2 * pi * (zeros + small)) * 2 + 16
    # A weight of a lower rate is as many times smaller as there are more of them.
    scale = float(np.abs(samples).max()) * neighbours / max(1.0, old / new)
    compared(found, expected, operations, scale, np.float32)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(
    "told",
    [
        {},
        {"window": "hamming"},
        {"window": ("kaiser", 8.0), "padtype": "edge"},
        {"window": [0.25, 0.5, 1.0, 0.5]},
    ],
    ids=str,
)
@pytest.mark.parametrize(("old", "new"), RATES)
def test_it_is_scipy(old, new, told, length):
    samples = signal(length)
    given_to_scipy = {**told}
    if isinstance(told.get("window"), list):
        given_to_scipy["window"] = np.array(told["window"])
    expected = resample_poly(samples, new, old, axis=1, **given_to_scipy)
    found = applied(Resample(old, new, "scipy", **told), samples)
    terms = 22 * max(1, ceil(old / new))
    compared(found, expected, terms, 2 * terms * float(np.abs(samples).max()))


def by_the_published_formula(samples, old, new, *, width=6, rolloff=0.99, kaiser=None):
    """torchaudio's resampler, one product at a time.

    y[n] = sum over m of x[m] s sinc(t) w(t), t = (m / old - n / new) base, base = rolloff min(old,
    new), s = base / old, the window zero from |t| = width on.
    """
    old, new = ratio(old, new)
    if old == new:
        return samples
    count = samples.shape[1]
    base = rolloff * min(old, new)
    made = np.zeros((samples.shape[0], ceil(Fraction(new * count, old))))
    for n in range(made.shape[1]):
        middle, reach = n * old / new, width * old / base
        m = np.arange(max(0, ceil(middle - reach)), min(count, int(middle + reach) + 1))
        t = np.clip((m * new - n * old) * (base / (old * new)), -width, width)
        if kaiser is None:
            window = np.cos(t * pi / width / 2) ** 2
        else:
            window = i0(kaiser * np.sqrt(1 - (t / width) ** 2)) / i0(kaiser)
        made[:, n] = samples[:, m] @ (np.sinc(t) * window * (base / old))
    return made


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(
    ("told", "formula"),
    [
        ({}, {}),
        (
            {"resampling_method": "sinc_interp_kaiser"},
            {"kaiser": 14.769656459379492},
        ),
        (
            {
                "lowpass_filter_width": 16,
                "rolloff": 0.9,
                "resampling_method": "sinc_interp_kaiser",
                "beta": 8.5,
            },
            {"width": 16, "rolloff": 0.9, "kaiser": 8.5},
        ),
    ],
    ids=str,
)
@pytest.mark.parametrize(("old", "new"), RATES)
def test_it_is_torchaudio(old, new, told, formula, length):
    samples = signal(length)
    expected = by_the_published_formula(samples, old, new, **formula)
    found = applied(Resample(old, new, "torchaudio", **told), samples)
    width = formula.get("width", 6)
    terms = int(2 * width / 0.9 * max(1, old / new)) + 2
    # The sinc's argument pi t is rounded: pi width steps more, for each function.
    compared(found, expected, terms + 64 * width, 2 * width * float(np.abs(samples).max()))


def test_the_images_of_julius():
    """Tones at 0.3 and 0.4 of the input rate; found with the library, in double precision."""
    operator = Resample(1, 2, zeros=6, rolloff=0.99).operator(1)
    images = operator.gains([(1 - 0.3) / 2, (1 - 0.4) / 2])[:, 0, 0, 0]
    assert decibels(np.abs(images) ** 2).round(2).tolist() == [-59.71, -28.36]


def test_a_predicted_sine_has_the_images_of_julius():
    stack = upsim.Stack([Resample(1, 2, zeros=6, rolloff=0.99)], 20000)
    prediction = upsim.predict(stack, upsim.Sine(3000, amplitude=2.0))
    image = next(tone for tone in prediction.tones if tone.frequency == 7000)
    # A real sine of amplitude 2 is two lines of amplitude 1.
    assert round(float(decibels(np.abs(image.amplitude[0]) ** 2)), 2) == -59.71


@pytest.mark.parametrize("like", ["julius", "scipy", "torchaudio"])
@pytest.mark.parametrize(("old", "new"), [(2, 3), (3, 2), (147, 160)])
def test_a_resampler_is_predicted_and_verified(old, new, like):
    stack = upsim.Stack([Resample(old, new, like)], 16000)
    prediction = upsim.predict(stack, upsim.Constant(1.0))
    assert all(tone.layer == "1" for tone in prediction.tones if tone.frequency)
    ups = ratio(old, new)[1]
    assert {tone.fraction for tone in prediction.tones} <= {Fraction(k, ups) for k in range(ups)}
    # The weights of julius sum to 1 for each phase: a constant makes no tone.
    assert (len(prediction.tones) > 1) == (like != "julius")
    assert upsim.verify(stack).passed


def alias_free(samples, ratio, taps, *, up):
    """BigVGAN's UpSample1d and DownSample1d, in torch's own operations."""
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    half, even = taps // 2, taps % 2 == 0
    attenuation = 2.285 * (half - 1) * pi * 4 * 0.6 / ratio + 7.95
    if attenuation > 50:
        beta = 0.1102 * (attenuation - 8.7)
    else:
        beta = 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21)
    window = torch.kaiser_window(taps, beta=beta, periodic=False, dtype=torch.float64)
    time = torch.arange(-half, taps - half, dtype=torch.float64) + (0.5 if even else 0.0)
    kernel = window * torch.sinc(time / ratio) / ratio
    kernel = (kernel / kernel.sum())[None, None].repeat(len(samples), 1, 1)
    x = torch.tensor(samples)[None]
    if up:
        more = taps // ratio - 1
        left = more * ratio + (taps - ratio) // 2
        right = more * ratio + (taps - ratio + 1) // 2
        x = functional.pad(x, (more, more), mode="replicate")
        x = ratio * functional.conv_transpose1d(x, kernel, stride=ratio, groups=len(samples))
        return x[..., left:-right][0].numpy()
    x = functional.pad(x, (half - int(even), half), mode="replicate")
    return functional.conv1d(x, kernel, stride=ratio, groups=len(samples))[0].numpy()


@pytest.mark.parametrize("length", [1, 2, 50])
@pytest.mark.parametrize("taps", [None, 12, 13])
@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("up", [True, False])
def test_it_is_the_filter_of_bigvgan(factor, taps, length, up):
    samples = signal(length)
    rates = (1, factor) if up else (factor, 1)
    layer = Resample(*rates, "bigvgan", kernel_size=taps)
    count = 6 * factor // 2 * 2 if taps is None else taps
    expected = alias_free(samples, factor, count, up=up)
    # exp, sqrt and sin of arguments up to 12 pi, each rounded.
    compared(applied(layer, samples), expected, count + 256, 2 * float(np.abs(samples).max()))


def test_bigvgans_filter_has_12_taps_and_a_zero_at_half_the_rate():
    operator = Resample(1, 2, "bigvgan").operator(1)
    assert operator.taps.shape[2] == 12
    gains = operator.phase_gains()[0, 0]
    assert abs(gains[0] - gains[1]) <= rounding(12, 2.0)
    assert abs(gains.sum() - 2) <= rounding(24, 2.0)


def test_the_taps_of_a_coprime_pair_are_not_multiplied_out():
    layer = Resample(44100, 16001, "scipy")
    operator = layer.operator(2)
    assert operator.taps.shape == (2, 1, 20 * 44100 + 1)
    assert operator.taps.strides[0] == 0
    samples = signal(30)
    expected = resample_poly(samples, 16001, 44100, axis=1)
    compared(operator.apply(samples), expected, 60, 60 * float(np.abs(samples).max()))


TOLD = [
    ({"window": "hann"}, "julius", "the resampler of julius has no window", "like='scipy'"),
    ({"zeros": 3}, "scipy", "the resampler of scipy has no zeros", "like='julius'"),
    ({"rolloff": 1.5}, "julius", "rolloff must lie in (0, 1]", "rolloff=0.945"),
    ({"padtype": "mean"}, "scipy", "padtype is not known", "padtype='constant'"),
    ({"window": "boxy"}, "scipy", "SciPy has no such window", 'window=("kaiser", 5.0)'),
    ({"resampling_method": "hann"}, "torchaudio", "resampling_method is not known", "sinc"),
    ({"kernel_size": 3}, "bigvgan", "the filter of bigvgan must reach", "kernel_size=4"),
]


@pytest.mark.parametrize(("told", "like", "what", "fix"), TOLD, ids=str)
def test_what_a_library_does_not_know_is_refused(told, like, what, fix):
    with pytest.raises((ArgumentError, ArgumentTypeError)) as refusal:
        Resample(1, 2, like, **told)
    assert what in str(refusal.value)
    assert fix in refusal.value.fix


def test_an_unknown_library_is_refused():
    with pytest.raises(ArgumentError) as refusal:
        Resample(1, 2, "soxr")
    assert "one of 'julius', 'scipy', 'torchaudio', 'bigvgan', 'denoiser'" in str(refusal.value)


def test_bigvgan_has_whole_ratios_and_says_what_to_type():
    with pytest.raises(ArgumentError) as refusal:
        Resample(3, 2, "bigvgan")
    assert refusal.value.fix == "upsim.Resample(3, 2, like='julius')"


def published_halves(samples, zeros, *, up):
    """Return what the published functions make, in double precision."""
    torch = pytest.importorskip("torch", reason="torch does the convolutions here")
    window = torch.hann_window(4 * zeros + 1, periodic=False, dtype=torch.float64)[1::2]
    t = torch.linspace(-zeros + 0.5, zeros - 0.5, 2 * zeros, dtype=torch.float64) * pi
    kernel = (torch.sin(t) / t * window)[None, None]
    x = torch.tensor(samples)
    if up:
        middle = torch.nn.functional.conv1d(x[:, None], kernel, padding=zeros)[:, 0, 1:]
        return torch.stack([x, middle], dim=-1).flatten(1).numpy()
    x = torch.nn.functional.pad(x, (0, x.shape[1] % 2))
    odd = torch.nn.functional.conv1d(x[:, None, 1::2], kernel, padding=zeros)[:, 0, :-1]
    return ((x[:, ::2] + odd) / 2).numpy()


@pytest.mark.parametrize("length", [1, 2, 51, 300])
@pytest.mark.parametrize("zeros", [1, 7, 56])
@pytest.mark.parametrize("up", [True, False])
def test_it_is_the_resampler_of_the_denoiser(zeros, length, up):
    samples = signal(length)
    layer = Resample(*((1, 2) if up else (2, 1)), "denoiser", zeros=zeros)
    expected = published_halves(samples, zeros, up=up)
    compared(applied(layer, samples), expected, 8 * zeros + 64, 4 * np.abs(samples).max())
    found = upsim.neural.run(layer, samples)
    compared(found, expected, 8 * zeros + 64, 4 * np.abs(samples).max())


def test_the_denoiser_doubles_or_halves():
    with pytest.raises(ArgumentError, match="doubles or halves") as refusal:
        Resample(1, 4, "denoiser")
    assert refusal.value.fix.startswith("upsim.Resample(1, 4, like='julius')")


class TestAroundANetwork:
    """Resampled on the way in and out, as Demucs and the denoiser are."""

    BODY = (
        upsim.Conv(1, 4, 8, 4),
        upsim.ReLU(),
        upsim.Conv(4, 4, 1),
        upsim.TransposedConv(4, 1, 8, 4),
    )

    @pytest.mark.parametrize("like", ["julius", "denoiser"])
    def test_lines_are_those_of_a_long_run(self, like):
        ends = {"zeros": 7} if like == "denoiser" else {"zeros": 5}
        layers = [Resample(1, 2, like, **ends), *self.BODY, Resample(2, 1, like, **ends)]
        stack = upsim.Stack(layers, 16000).draw(0)
        assert stack.input_rate == 16000
        signal_in = upsim.Constant(0.5) + upsim.Sine(4000, 0.25)
        prediction = upsim.predict(stack, signal_in)
        wave = 0.5 + 0.25 * np.cos(np.pi / 2 * np.arange(400))
        made = upsim.neural.run(stack, wave[None])[0, 200:204]
        right = np.fft.fft(made, norm="forward")[:3]
        found = {tone.fraction * 4: tone.amplitude[0] for tone in prediction.tones}
        for line, amplitude in enumerate(right):
            assert abs(found.get(Fraction(line), 0.0) - amplitude) <= rounding(2000, 1.0)
        assert upsim.verify(prediction).passed

    def test_recordings_are_those_of_julius_and_torch(self):
        torch, julius = pytest.importorskip("torch"), pytest.importorskip("julius")
        stack = upsim.Stack([Resample(1, 2), *self.BODY, Resample(2, 1)], 16000).draw(0)
        samples = np.random.default_rng(0).normal(size=96)
        made = upsim.predict(stack, upsim.Recorded(samples, 16000)).waveform
        body = upsim.neural.to_torch(list(stack.layers[1:-1]))
        up, down = julius.ResampleFrac(1, 2), julius.ResampleFrac(2, 1)
        with torch.inference_mode():
            x = up.double()(torch.tensor(samples[None]))
            right = down.double()(body(x[None])[0]).numpy()
        # julius has its weights in single precision
        compared(made, right, 200, float(np.abs(samples).max()), np.float32)


def test_the_catalogue_has_the_resampler():
    assert issubclass(Resample, Layer)
    assert upsim.layers.CATALOGUE["Resample"] is upsim.Resample
    stack = upsim.Stack([Stretch(2), Resample(2, 3), Decimate(3)], 100)
    assert stack.input_rate == 100
