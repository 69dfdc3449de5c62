"""The table of configurations as people have them, row by row: what each line of it says is so.

A row whose file leaves something open is refused in words, and read when that is given.
"""

import re
from typing import Any, NamedTuple

import pytest

import upsim
from upsim.errors import FileFormatError, UpsimError
from upsim.layers import PQMF, Conv, InverseSTFT, Nearest, TransposedConv

from .configurations import (
    BIGVGAN_24K,
    DAC_24K,
    DAC_44K,
    ENCODEC,
    FIREFLY,
    HIFIGAN_32K,
    HIFIGAN_V1,
    HIFT,
    KOKORO,
    MIMI,
    MULTIBAND_MELGAN,
    QWEN3_TTS,
    RVC_40K,
    SNAC,
    STYLEMELGAN,
    UNIVNET,
    VITS,
    VOCOS,
)


class Line(NamedTuple):
    """A line of the table; ``first`` is the first module whose input has the width."""

    config: dict[str, Any]
    rate: int
    strides: list[int]
    kernels: list[int]
    width: int
    first: str
    inputs: dict[str, int]
    hop: int
    head: int = 1  # bands of a filter bank, or the hop of an inverse STFT


TABLE = {
    "HiFi-GAN config_v1": Line(
        HIFIGAN_V1, 22050, [8, 8, 2, 2], [16, 16, 4, 4], 512, "ups.0", {"mel": 80}, 256
    ),
    "a 32k fork": Line(
        HIFIGAN_32K, 32000, [8, 8, 4, 2], [16, 16, 8, 4], 256, "ups.0", {"mel": 80}, 512
    ),
    "RVC v1 40k": Line(
        RVC_40K,
        40000,
        [10, 10, 2, 2],
        [16, 16, 4, 4],
        512,
        "dec.ups.0",
        {"z": 192, "source": 1},
        400,
    ),
    "VITS ljs_base": Line(
        VITS, 22050, [8, 8, 2, 2], [16, 16, 4, 4], 512, "dec.ups.0", {"z": 192}, 256
    ),
    "BigVGAN 24 kHz 100 band": Line(
        BIGVGAN_24K,
        24000,
        [4, 4, 2, 2, 2, 2],
        [8, 8, 4, 4, 4, 4],
        1536,
        "ups.0.0",
        {"mel": 100},
        256,
    ),
    "DAC 44 kHz": Line(
        DAC_44K,
        44100,
        [8, 8, 4, 2],
        [16, 16, 8, 4],
        1536,
        "decoder.model.1.block.1",
        {"z": 1024},
        512,
    ),
    "DAC 24 kHz": Line(
        DAC_24K,
        24000,
        [8, 5, 4, 2],
        [16, 10, 8, 4],
        1536,
        "decoder.model.1.block.1",
        {"z": 1024},
        320,
    ),
    "SNAC": Line(
        SNAC,
        24000,
        [7, 7, 3, 3],
        [14, 14, 6, 6],
        1536,
        "decoder.model.2.block.1",
        {"z": 1024},
        441,
    ),
    "Multi-band MelGAN v2": Line(
        MULTIBAND_MELGAN, 22050, [8, 4, 2], [16, 8, 4], 384, "melgan.3", {"mel": 80}, 256, head=4
    ),
    "Fish-speech firefly head": Line(
        FIREFLY,
        44100,
        [8, 8, 2, 2, 2],
        [16, 16, 4, 4, 4],
        512,
        "head.ups.0",
        {"features": 512},
        512,
    ),
    "CosyVoice HiFT": Line(
        HIFT, 24000, [8, 5, 3], [16, 11, 7], 512, "ups.0", {"mel": 80, "source": 1}, 480, head=4
    ),
    "Kokoro istftnet": Line(
        KOKORO,
        24000,
        [10, 6],
        [20, 12],
        512,
        "decoder.generator.ups.0",
        {"features": 512, "source": 1},
        300,
        head=5,
    ),
    "HF EnCodec": Line(
        ENCODEC,
        24000,
        [8, 5, 4, 2],
        [16, 10, 8, 4],
        32 * 2**4,
        "decoder.layers.3.conv",
        {"z": 128},
        320,
    ),
    "HF Mimi": Line(
        MIMI,
        24000,
        [2, 8, 6, 5, 4],
        [4, 16, 12, 10, 8],
        64 * 2**4,
        "decoder.layers.2.conv",
        {"z": 512},
        1920,
    ),
    "Qwen3-TTS tokenizer": Line(
        QWEN3_TTS,
        24000,
        [2, 2, 8, 5, 4, 3],
        [2, 2, 16, 10, 8, 6],
        1536,
        "decoder.decoder.1.block.1.conv",
        {"codes": 512},
        1920,
    ),
    "Vocos mel 24 kHz": Line(
        VOCOS, 24000, [], [], 512, "head.out", {"features": 100}, 256, head=256
    ),
}
ALL = pytest.mark.parametrize("name", list(TABLE))


@ALL
def test_a_complete_line_is_what_its_graph_says(name):
    line = TABLE[name]
    graph = upsim.from_config(line.config)
    ups = [node.layer for node in graph.nodes if isinstance(node.layer, TransposedConv)]
    assert [each.stride for each in ups] == line.strides
    assert [each.kernel_size for each in ups] == line.kernels
    assert graph.node(line.first).layer.in_channels == line.width
    assert graph.sample_rate == line.rate
    assert {each.name: each.channels for each in graph.inputs} == line.inputs
    assert graph.sample_rate / graph.input_rate == line.hop
    layers = [node.layer for node in graph.nodes]
    heads = [each.hop_length for each in layers if isinstance(each, InverseSTFT)]
    heads += [each.subbands for each in layers if isinstance(each, PQMF)]
    assert heads == ([line.head] if line.head > 1 else [])


@ALL
def test_another_hop_is_refused_with_the_product(name):
    """Wherever it stands: the whole product is named, bands and hop of the head included."""
    line = TABLE[name]
    with pytest.raises(UpsimError) as caught:
        upsim.from_config(line.config | {"hop_size": line.hop + 1})
    said = str(caught.value)
    assert re.search(rf"= {line.hop}\b", said)
    assert re.search(rf"hop_size.{line.hop + 1}\b", said)


class TestMore:
    """The column of what else a row has."""

    def layers(self, name, kind):
        graph = upsim.from_config(TABLE[name].config)
        return [node.layer for node in graph.nodes if isinstance(node.layer, kind)]

    @pytest.mark.parametrize("name", ["HiFi-GAN config_v1", "a 32k fork", "RVC v1 40k"])
    def test_resblocks_of_three_kernels_and_dilations(self, name):
        convolutions = self.layers(name, Conv)
        found = {(each.kernel_size, each.dilation) for each in convolutions if each.dilation > 1}
        assert found == {(kernel, dilation) for kernel in (3, 7, 11) for dilation in (3, 5)}

    def test_bigvgan_has_snakes_in_logarithms(self):
        snakes = {node.name: node.layer for node in upsim.from_config(BIGVGAN_24K).nodes}
        assert isinstance(snakes["activation_post.act"], upsim.SnakeBeta)

    @pytest.mark.parametrize("name", ["DAC 44 kHz", "DAC 24 kHz"])
    def test_dac_pads_by_half_the_stride_rounded_up(self, name):
        ups = self.layers(name, TransposedConv)
        assert [each.padding for each in ups] == [-(-each.stride // 2) for each in ups]

    def test_snac_is_depthwise_and_its_odd_strides_have_an_output_padding(self):
        ups = self.layers("SNAC", TransposedConv)
        assert [each.output_padding for each in ups] == [1, 1, 1, 1]
        assert {each.groups for each in self.layers("SNAC", Conv)} >= {1024, 768, 384, 192, 96}

    def test_firefly_has_13_taps_before_and_behind(self):
        graph = upsim.from_config(FIREFLY)
        ends = [graph.node(f"head.conv_{each}").layer.kernel_size for each in ("pre", "post")]
        assert ends == [13, 13]

    def test_encodec_is_causal_with_two_lstms(self):
        graph = upsim.from_config(ENCODEC)
        assert graph.node("decoder.layers.1").layer.kind == "LSTM"
        # Nothing looks ahead where a stretch of 320 samples is made of its own frame.
        assert upsim.context(graph).right == 0

    def test_mimi_doubles_channel_by_channel(self):
        assert upsim.from_config(MIMI).node("upsample.conv").layer.groups == 512


class TestLinesThatAreNotComplete:
    def test_stylemelgan_does_not_say_its_rate(self):
        with pytest.raises(FileFormatError, match=r"does not say its sample rate"):
            upsim.from_config(STYLEMELGAN)
        graph = upsim.from_config(STYLEMELGAN, sample_rate=24000)
        factors = [
            node.layer.factor
            for node in graph.nodes
            if isinstance(node.layer, Nearest) and re.fullmatch(r"blocks\.\d\.upsample", node.name)
        ]
        assert factors == [2] * 8
        assert graph.value_channels[graph.node("blocks.0.upsample").output] == 64
        assert graph.sample_rate / graph.input_rates[0] == 256
        assert {each.name: each.channels for each in graph.inputs}["mel"] == 80

    def test_univnet_is_refused_by_name(self):
        with pytest.raises(NotImplementedError, match=r"UnivNet.*location-variable"):
            upsim.from_config(UNIVNET)

    def test_strides_without_the_hop_of_the_head_are_told_by_the_product(self):
        """CosyVoice's strides alone look like a HiFi-GAN of hop 120: the hop of 480 tells."""
        pasted = {key: HIFT[key] for key in ("upsample_rates", "upsample_kernel_sizes")}
        with pytest.raises(UpsimError, match=r"8 × 5 × 3 = 120, hop_size 480"):
            upsim.from_config(pasted | {"hop_size": 480, "sampling_rate": 24000})
