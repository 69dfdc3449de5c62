"""GAN-TTS, the models of the two posts, and WaveGAN's critic."""

from itertools import pairwise

import pytest

import upsim
from upsim import models
from upsim.layers import BatchNorm, Conv, Nearest, SubpixelConv


def conv(before, after, taps):
    return before * after * taps + after


def layers_of(name, kind):
    steps = models.build(name).nodes
    return [step.layer for step in steps if isinstance(step.layer, kind)]


def test_gan_tts_has_the_parameters_of_its_blocks():
    total, before = conv(567, 768, 3) + conv(96, 1, 3), 768
    for after in (768, 768, 384, 384, 384, 192, 96):
        total += conv(before, after, 3) + 3 * conv(after, after, 3) + conv(before, after, 1)
        before = after
    assert upsim.cost(models.gan_tts()).parameters == total


def test_gan_tts_raises_200_hz_to_24_khz_by_resizing():
    stack = models.gan_tts()
    assert (stack.input_rate, stack.sample_rate) == (200, 24000)
    # Each factor twice: in the block, and on its skip connection.
    factors = [layer.factor for layer in layers_of("gan-tts", Nearest)]
    assert factors == [2, 2, 2, 2, 2, 2, 3, 3, 5, 5]
    dilations = [layer.dilation for layer in layers_of("gan-tts", Conv) if layer.dilation > 1]
    assert dilations == [2, 4, 8] * 7
    assert len(layers_of("gan-tts", BatchNorm)) == 4 * 7
    assert stack.output_length(400) == 48_000  # two seconds, as the article trains


@pytest.mark.parametrize("name", ["wgan", "wgan-resize"])
def test_wgan_makes_2048_samples_of_64(name):
    stack = models.build(name)
    assert stack.output_length(64) == 2048
    widths = (256, 128, 64, 32, 16, 1)
    pairs = pairwise(widths)
    expected = sum(conv(before, after, 22) for before, after in pairs)
    assert upsim.cost(stack).parameters == expected


def test_a_wgan_s_stride_divides_its_kernel_and_so_overlaps_in_full():
    for layer in models.wgan():
        if hasattr(layer, "kernel_size"):
            assert upsim.overlap(layer.kernel_size, layer.stride).kind == "full"


def test_resize_convolution_is_the_post_s_layer():
    nearest, filtering = models.resize_convolution(4, 3)
    assert (nearest.factor, filtering.kernel_size, filtering.padding) == (2, 22, "same")
    stack = upsim.Stack([nearest, filtering], 16000)
    assert stack.output_length(7) == 14


def test_the_autoencoder_returns_16384_samples_by_factors_of_four():
    stack = models.subpixel_autoencoder()
    assert stack.output_length(16_384) == 16_384
    assert [layer.stride for layer in layers_of(stack.name, Conv)] == [4, 4, 4]
    shuffles = layers_of(stack.name, SubpixelConv)
    assert [(layer.factor, layer.order) for layer in shuffles] == [(4, "tensorflow")] * 3
    widths = (1, 16, 32, 64)
    pairs = list(pairwise(widths))
    expected = sum(conv(before, after, 8) for before, after in pairs)
    expected += sum(conv(after, 4 * before, 3) for before, after in pairs)
    assert upsim.cost(stack).parameters == expected


def test_the_critic_brings_16384_samples_down_to_16():
    stack = models.wavegan_critic()
    assert stack.output_length(16_384) == 16
    assert stack.input_rate == models.wavegan().sample_rate == 16_000
    widths = (1, 64, 128, 256, 512, 1024)
    pairs = pairwise(widths)
    expected = sum(conv(before, after, 25) for before, after in pairs)
    assert upsim.cost(stack).parameters == expected
