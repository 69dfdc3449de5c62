"""Demucs, Wave-U-Net and SEGAN: parameters and lengths by their sources' own arithmetic."""

from itertools import pairwise

import numpy as np
import pytest

import upsim
from upsim import models
from upsim.layers import (
    GLU,
    Conv,
    Decimate,
    LearnedInterpolation,
    Linear,
    Nearest,
    ReLU,
    SubpixelConv,
)
from upsim.models.demucs_variants import UPSAMPLINGS, lstm_parameters, separator
from upsim.models.waveunet import separator as wave_u_net

DEMUCS = {
    "demucs": "transposed",
    "demucs-nearest": "nearest",
    "demucs-linear": "linear",
    "demucs-subpixel": "subpixel",
    "demucs-modified": "transposed",
    "demucs-subpixel-modified": "subpixel",
}
WIDTHS = (100, 200, 400, 800, 1600, 3200)


def conv(before, after, taps, *, bias=True):
    return before * after * taps + (after if bias else 0)


def demucs_parameters(upsampling, *, bias, context=3):
    """Level by level, as the article and the first public version describe a block."""
    total, outer = 0, 2
    for level, width in enumerate(WIDTHS):
        total += conv(outer, width, 8, bias=bias) + conv(width, 2 * width, 1, bias=bias)
        total += conv(width, 2 * width, context, bias=bias)
        made = outer if level else 8
        if upsampling == "subpixel":
            total += conv(width, 4 * made, 3, bias=bias)
        else:
            total += conv(width, made, 8, bias=bias)
        outer = width
    return total


@pytest.mark.parametrize("name", DEMUCS)
def test_demucs_has_the_parameters_of_its_blocks(name):
    expected = demucs_parameters(DEMUCS[name], bias="modified" not in name)
    assert upsim.cost(models.build(name)).parameters == expected


def test_demucs_and_its_lstm_are_the_648_million_of_table_1():
    # Table 1, last but two: "Demucs [3]: transposed convolution (full-overlap)", 648M.
    assert (upsim.cost(models.demucs()).parameters + lstm_parameters()) // 10**6 == 648


def test_what_of_table_1_adds_up_and_what_does_not():
    def millions(**changes):
        return (upsim.cost(separator("", **changes)).parameters + lstm_parameters()) // 10**6

    # "Demucs-like", 703M: 55M more than the Demucs that it is said to be like.  Five taps where
    # Demucs has three, in the convolutions before the GLUs of the decoder, would be as many.
    assert millions(context=5) == 703
    # 716M with interpolation: 13M more again, and a convolution of 8 taps after an interpolation
    # has as many parameters as a transposed one of 8 taps.  So its length is not 8 there.
    assert millions(context=5, upsampling="nearest") == 703
    # 729M with subpixel convolutions: between 2 taps (689M) and 3 taps (730M), which 3 comes close.
    assert millions(context=5, upsampling="subpixel") == 730


def test_an_lstm_has_the_parameters_of_torch():
    torch = pytest.importorskip("torch")
    lstm = torch.nn.LSTM(input_size=6, hidden_size=6, num_layers=2, bidirectional=True)
    modules = (lstm, torch.nn.Linear(12, 6))
    assert lstm_parameters(6) == sum(p.numel() for m in modules for p in m.parameters())


@pytest.mark.parametrize("name", DEMUCS)
def test_demucs_is_six_blocks_down_and_six_up(name):
    layers = [step.layer for step in models.build(name).nodes]
    down = [layer for layer in layers if isinstance(layer, Conv) and layer.stride == 4]
    assert [(layer.kernel_size, layer.out_channels) for layer in down] == [(8, w) for w in WIDTHS]
    assert sum(isinstance(layer, GLU) for layer in layers) == 12
    # One behind each strided convolution and each upsampler, but the last; the modified ones lack
    # the first as well.
    modified = "modified" in name
    assert sum(isinstance(layer, ReLU) for layer in layers) == (10 if modified else 11)
    position = next(i for i, layer in enumerate(layers) if layer in down)
    assert isinstance(layers[position + 1], ReLU) != modified
    weighted = [layer for layer in layers if hasattr(layer, "bias")]
    assert {bool(layer.bias) for layer in weighted} == {not modified}
    ladder = {"nearest": Nearest, "linear": Linear, "subpixel": SubpixelConv}
    if DEMUCS[name] in ladder:
        factors = [layer.rate for layer in layers if isinstance(layer, ladder[DEMUCS[name]])]
        assert factors == [4] * 6


def valid_demucs_length(inner):
    """Return the input length whose six convolutions (8, 4) leave no sample over."""
    for _ in range(6):
        inner = (inner - 1) * 4 + 8
    return inner


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
def test_demucs_runs_and_is_as_short_as_its_blocks_say(upsampling):
    stack = separator("", upsampling=upsampling, widths=(2, 2, 2, 2, 2, 3)).draw(0)
    inner = 12
    length = valid_demucs_length(inner)
    for _ in range(6):
        # Three taps without padding, then the upsampler.
        inner = (inner - 2 - 1) * 4 + 8 if upsampling == "transposed" else (inner - 2) * 4
    assert stack.output_length(length) == inner
    # The witness adds the branches sample by sample, so their lengths agree.
    samples = np.random.default_rng(0).normal(size=(2, length))
    assert upsim.neural.run(stack, samples).shape == (8, inner)


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
def test_demucs_is_predicted_as_it_runs(upsampling):
    # The same blocks on three levels; silence, so that biases alone make the lines.
    stack = separator("", upsampling=upsampling, widths=(4, 6, 8)).draw(1)
    # Interpolations have a zero wherever they could make a line.
    has_lines = len(upsim.predict(stack, upsim.Silence()).tones) > 1
    assert has_lines == (upsampling in ("transposed", "subpixel"))
    assert upsim.verify(stack, upsim.Silence()).passed


def test_wave_u_net_needs_147443_samples_for_16389():
    # Stoller et al., section 3: "L_m = 147443 samples as input for the baseline with context,
    # 16389 samples as output".
    for name in ("wave-unet", "wave-unet-learned"):
        assert models.build(name).output_length(147_443) == 16_389


@pytest.mark.parametrize("name", ["wave-unet", "wave-unet-learned"])
def test_wave_u_net_has_the_parameters_of_the_formula(name):
    total = conv(2, 24, 15) + conv(24 + 2, 2, 1)
    for level in range(1, 13):
        width, wider = 24 * level, 24 * (level + 1)
        total += conv(width, wider, 15) + conv(width + wider, width, 5)
        total += wider if name.endswith("learned") else 0
    assert upsim.cost(models.build(name)).parameters == total
    assert total // 10**6 == 10  # table 1 of Pons et al.


@pytest.mark.parametrize(
    ("name", "kind"), [("wave-unet", Linear), ("wave-unet-learned", LearnedInterpolation)]
)
def test_wave_u_net_has_twelve_levels(name, kind):
    stack = models.build(name)
    layers = [step.layer for step in stack.nodes]
    assert sum(isinstance(layer, kind) for layer in layers) == 12
    assert sum(isinstance(layer, Decimate) for layer in layers) == 12
    assert (stack.in_channels, stack.out_channels, stack.rate) == (2, 2, 1)


@pytest.mark.parametrize("learned", [False, True])
def test_wave_u_net_is_predicted_as_it_runs(learned):
    stack = wave_u_net("", learned=learned, levels=2, step=3).draw(0)
    assert upsim.verify(stack, upsim.Constant(1.0)).passed


def test_segan_has_the_parameters_of_the_formula():
    depths = (1, 16, 32, 32, 64, 64, 128, 128, 256, 256, 512, 1024)
    pairs = list(pairwise(depths))
    down = sum(31 * before * after for before, after in pairs)
    # On the way up every level but the innermost sees its skip connection as well.
    up = sum(31 * before * after * 2 for before, after in pairs) - 31 * 512 * 1024
    slopes = 11 + 10
    assert upsim.cost(models.segan()).parameters == down + up + slopes


def test_segan_keeps_16384_samples_and_has_8_in_the_middle():
    stack = models.segan()
    assert stack.output_length(16_384) == 16_384
    length, shortest = 16_384, 16_384
    for step in stack.nodes:
        if isinstance(step.layer, Conv):
            length = shortest = -(-length // 2)
    assert shortest == 8
