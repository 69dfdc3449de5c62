"""Named models: line families, parameters and lengths against published or derived numbers."""

import json
from fractions import Fraction

import numpy as np
import pytest

import upsim
from upsim import models
from upsim.errors import ArgumentTypeError, UnknownNameError
from upsim.files.stackfile import stack_from_dict, stack_to_dict
from upsim.layers import Conv, SubpixelConv, TransposedConv
from upsim.words.tolerance import rounding

# Sample rate, strides and kernels as the models' own configurations have them. The families follow:
# the first is the rate divided by all strides, and each stride leads to the next.
CONFIGURATIONS = {
    "melgan": (22050, (8, 8, 2, 2), (16, 16, 4, 4)),
    "hifigan-v1": (22050, (8, 8, 2, 2), (16, 16, 4, 4)),
    "hifigan-v2": (22050, (8, 8, 2, 2), (16, 16, 4, 4)),
    "hifigan-v3": (22050, (8, 8, 4), (16, 16, 8)),
    "rvc-32k": (32000, (10, 4, 2, 2, 2), (16, 16, 4, 4, 4)),
    "rvc-40k": (40000, (10, 10, 2, 2), (16, 16, 4, 4)),
    "rvc-48k": (48000, (10, 6, 2, 2, 2), (16, 16, 4, 4, 4)),
    "gpt-sovits": (32000, (10, 8, 2, 2, 2), (16, 16, 8, 2, 2)),
    "bigvgan-24k": (24000, (4, 4, 2, 2, 2, 2), (8, 8, 4, 4, 4, 4)),
    "encodec-24k": (24000, (8, 5, 4, 2), (16, 10, 8, 4)),
    "encodec-48k": (48000, (8, 5, 4, 2), (16, 10, 8, 4)),
    "dac-44k": (44100, (8, 8, 4, 2), (16, 16, 8, 4)),
    "dac-16k": (16000, (8, 5, 4, 2), (16, 10, 8, 4)),
    "demucs": (44100, (4,) * 6, (8,) * 6),
    "demucs-modified": (44100, (4,) * 6, (8,) * 6),
    "demucs-ladder": (44100, (4,) * 6, (8,) * 6),
    "segan": (16000, (2,) * 11, (31,) * 11),
    "wgan": (16000, (2,) * 5, (22,) * 5),
    "wavegan": (16000, (4,) * 5, (25,) * 5),
    "audioldm-vocoder": (16000, (5, 4, 2, 2, 2), (16, 16, 8, 4, 4)),
}

# The same families as people quote them, with the digits that they print.
QUOTED = {
    "melgan": "86.13 689.06 5512.5 11025",
    "hifigan-v1": "86.13 689.06 5512.5 11025",
    "hifigan-v2": "86.13 689.06 5512.5 11025",
    "hifigan-v3": "86.13 689.06 5512.5",
    "rvc-32k": "100 1000",
    "rvc-40k": "100 1000",
    "rvc-48k": "100 1000",
    "gpt-sovits": "50 500 4000 8000 16000",
    "bigvgan-24k": "93.75 375 1500 3000 6000 12000",
    "encodec-24k": "75 600 3000 12000",
    "encodec-48k": "150 1200 6000 24000",
    "dac-44k": "86.13 689.06 5512.5 22050",
    "demucs": "10.77 43.07 172.27 689.06 2756.25 11025",
    "wavegan": "15.625 62.5 250 1000 4000",
    "audioldm-vocoder": "100 500 2000 4000 8000",
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_families_follow_from_the_configuration(name):
    rate, strides, kernels = CONFIGURATIONS[name]
    stack = models.build(name)
    expected = [Fraction(rate)]
    for stride in reversed(strides):
        expected.insert(0, expected[0] / stride)
    assert [family.spacing for family in upsim.families(stack)] == expected[:-1]
    steps = stack.nodes
    upsamplers = [step.layer for step in steps if isinstance(step.layer, TransposedConv)]
    assert tuple(layer.stride for layer in upsamplers) == strides
    assert tuple(layer.kernel_size for layer in upsamplers) == kernels
    assert stack.sample_rate == rate


@pytest.mark.parametrize("name", QUOTED)
def test_families_are_those_that_people_quote(name):
    spacings = [family.spacing for family in upsim.families(models.build(name))]
    quoted = QUOTED[name].split()
    assert len(quoted) <= len(spacings)
    for spacing, text in zip(spacings, quoted, strict=False):
        digits = len(text.partition(".")[2])
        assert f"{float(spacing):.{digits}f}" == text


@pytest.mark.parametrize(
    ("name", "kind", "factors"),
    [
        ("fig7", SubpixelConv, (2, 2, 2)),
        ("fig8-left", TransposedConv, (2, 2, 2)),
        ("fig6-left", Conv, (1, 1, 1)),
        ("fig6-right", Conv, (1, 1, 1)),
    ],
)
def test_figures_go_from_4_to_32_khz(name, kind, factors):
    stack = models.build(name)
    assert (stack.input_rate, stack.sample_rate) == (4000, 32000)
    layers = [layer for layer in stack if isinstance(layer, kind)]
    assert tuple(layer.rate for layer in layers) == factors
    assert [family.spacing for family in upsim.families(stack)] == [4000, 8000, 16000]


@pytest.mark.parametrize(
    ("name", "kernel_size", "stride", "kind"),
    [
        ("fig2", 3, 3, "none"),
        ("fig3", 3, 2, "partial"),
        ("fig4", 3, 1, "full"),
        ("fig5-partial", 8, 6, "partial"),
        ("fig5-partial-random", 8, 6, "partial"),
        ("fig5-full", 8, 4, "full"),
        ("fig5-full-random", 8, 4, "full"),
    ],
)
def test_figures_2_to_5_have_their_overlap(name, kernel_size, stride, kind):
    (layer,) = models.build(name)
    assert (layer.kernel_size, layer.stride, layer.bias) == (kernel_size, stride, False)
    assert upsim.overlap(layer.kernel_size, layer.stride).kind == kind


def conv(before, after, taps):
    return before * after * taps + after


def test_melgan_has_4_260_257_parameters():
    # A residual block: 3 taps, 1 tap, and 1 tap on the skip path.
    block = {c: conv(c, c, 3) + 2 * conv(c, c, 1) for c in (256, 128, 64, 32)}
    expected = conv(80, 512, 7) + conv(32, 1, 7) + 3 * sum(block.values())
    expected += conv(512, 256, 16) + conv(256, 128, 16) + conv(128, 64, 4) + conv(64, 32, 4)
    assert expected == 4_260_257
    assert upsim.cost(models.melgan()).parameters == expected


@pytest.mark.parametrize(
    ("name", "printed"), [("hifigan-v1", 1392), ("hifigan-v2", 92), ("hifigan-v3", 146)]
)
def test_hifigan_has_the_parameters_of_its_paper(name, printed):
    # Table 1 of the paper: 13.92, 0.92 and 1.46 million, cut and not rounded to two digits.
    assert upsim.cost(models.build(name)).parameters // 10_000 == printed


def hifigan_parameters(mels, width, strides, kernels, last_bias):
    total = conv(mels, width, 7)
    for kernel in kernels:
        total += conv(width, width // 2, kernel)
        width //= 2
        # Three kernels, three dilations, two convolutions each.
        total += sum(6 * conv(width, width, taps) for taps in (3, 7, 11))
    assert len(strides) == len(kernels)
    return total + conv(width, 1, 7) - (0 if last_bias else 1)


@pytest.mark.parametrize(
    ("name", "mels", "width", "last_bias"),
    [
        ("hifigan-v1", 80, 512, True),
        ("hifigan-v2", 80, 128, True),
        ("audioldm-vocoder", 64, 1024, True),
        ("gpt-sovits", 192, 512, False),
        ("rvc-32k", 192, 512, False),
        ("rvc-40k", 192, 512, False),
        ("rvc-48k", 192, 512, False),
    ],
)
def test_hifigan_relatives_have_the_parameters_of_the_formula(name, mels, width, last_bias):
    _, strides, kernels = CONFIGURATIONS[name]
    expected = hifigan_parameters(mels, width, strides, kernels, last_bias)
    assert upsim.cost(models.build(name)).parameters == expected


def test_bigvgan_has_the_parameters_of_its_paper():
    """Table 1 of the paper: 112.4 million; here from the structure, part by part."""
    width, total = 1536, conv(100, 1536, 7)
    for stride in (4, 4, 2, 2, 2, 2):
        total += conv(width, width // 2, 2 * stride)
        width //= 2
        # Three kernels, three dilations, two convolutions each, an alpha and a beta before each.
        total += sum(6 * (conv(width, width, taps) + 2 * width) for taps in (3, 7, 11))
    total += 2 * width + conv(width, 1, 7)
    assert total == 112_414_513
    stack = models.bigvgan()
    assert upsim.cost(stack).parameters == total
    assert (stack.input_rate, stack.output_length(10)) == (Fraction(24000, 256), 2560)


def test_a_small_bigvgan_is_torchs():
    """Two stages of 8 channels, against the same layers as torch modules, in the steady state."""
    torch = pytest.importorskip("torch")
    from upsim.models.bigvgan_generator import generator

    stack = generator(3, 8, (4, 2), "small", 16).draw(0)
    prediction = upsim.predict(stack, upsim.Constant(1.0))
    module = upsim.neural.to_torch(stack)
    frames = 240
    with torch.no_grad():
        made = module(torch.ones(1, 3, frames, dtype=torch.float64))[0].numpy()
    period = made[:, frames * 4 :][:, :8]
    lines = np.fft.fft(period, axis=1) / 8
    found = np.zeros(8, complex)
    for tone in prediction.tones:
        found[int(tone.fraction * 8)] = tone.amplitude[0]
    # Some twenty layers of up to 11 taps and 8 channels, and their elementary functions.
    within = rounding(20 * (88 + 32), 4.0)
    assert np.abs(found[:5] - lines[0, :5]).max() <= within


@pytest.mark.parametrize(
    ("name", "strides"), [("dac-44k", (8, 8, 4, 2)), ("dac-16k", (8, 5, 4, 2))]
)
def test_dac_has_the_parameters_of_the_formula(name, strides):
    width, total = 1536, conv(1024, 1536, 7)
    for stride in strides:
        total += width + conv(width, width // 2, 2 * stride)  # one alpha a channel, then the stride
        width //= 2
        total += 3 * (2 * width + conv(width, width, 7) + conv(width, width, 1))
    assert upsim.cost(models.build(name)).parameters == total + width + conv(width, 1, 7)


@pytest.mark.parametrize(("name", "channels"), [("encodec-24k", 1), ("encodec-48k", 2)])
def test_encodec_has_the_parameters_of_the_formula(name, channels):
    width, total = 512, conv(128, 512, 7)
    for stride in (8, 5, 4, 2):
        total += conv(width, width // 2, 2 * stride)
        width //= 2
        half = width // 2
        total += conv(width, half, 3) + conv(half, width, 1) + conv(width, width, 1)
    assert upsim.cost(models.build(name)).parameters == total + conv(width, channels, 7)


def test_dac_16k_loses_8_samples_of_32000():
    # descriptinc/descript-audio-codec, issue 37.
    assert models.dac_16k().output_length(100) == 31_992


def test_hifigan_with_an_odd_overlap_gains_6_samples_of_6400():
    # jik876/hifi-gan, issue 12: strides 8, 5, 5, kernels 16, 10, 10, padding (k - s) // 2.
    from upsim.models.hifigan import GeneratorConfig, generator

    config = GeneratorConfig(
        sampling_rate=16000, upsample_rates=(8, 5, 5), upsample_kernel_sizes=(16, 10, 10)
    )
    assert generator(config, "odd").output_length(32) == 6406


@pytest.mark.parametrize(
    "name",
    [
        "melgan",
        "hifigan-v1",
        "hifigan-v3",
        "gpt-sovits",
        "rvc-32k",
        "bigvgan-24k",
        "wavegan",
        "encodec-24k",
        "encodec-48k",
        "dac-44k",
    ],
)
def test_lengths_are_exact_where_every_overlap_is_even(name):
    stack = models.build(name)
    assert stack.output_length(64) == 64 * stack.rate


def test_wavegan_makes_16384_samples_of_16():
    assert models.wavegan().output_length(16) == 16384


@pytest.mark.parametrize("name", models.NAMES)
def test_every_model_is_undrawn_named_and_described(name):
    stack = models.build(name)
    assert stack.name == name
    random = any(
        isinstance(step.layer, Conv | TransposedConv | SubpixelConv)
        and isinstance(step.layer.weight, upsim.Initialisation)
        and step.layer.weight.is_random
        for step in stack.nodes
    )
    # Kernels of ones are the same in every draw.
    assert stack.is_drawn == (not random)
    assert getattr(models, name.replace("-", "_"))() == stack
    line = models.describe(name)
    assert 20 < len(line) <= 100
    assert not line.endswith(".")


@pytest.mark.parametrize("name", models.NAMES)
def test_every_model_comes_back_from_a_file_and_from_its_repr(name):
    stack = models.build(name)
    assert stack_from_dict(json.loads(json.dumps(stack_to_dict(stack)))) == stack
    names = vars(upsim.layers) | {"Stack": upsim.Stack, "Fraction": Fraction}
    assert eval(repr(stack), names | {"Normal": upsim.Normal}) == stack


def test_names_are_forgiving_and_unknown_ones_helpful():
    assert models.build("FIG8_left ").name == "fig8-left"
    with pytest.raises(UnknownNameError) as caught:
        models.build("hifigan-v4")
    assert "given: 'hifigan-v4'" in str(caught.value)
    assert "fix: upsim.models.build('hifigan-v" in str(caught.value)
    with pytest.raises(ArgumentTypeError):
        models.build(7)
