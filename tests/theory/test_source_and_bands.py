"""Two decoders that users asked about: RVC with its harmonic source, and multi-band MelGAN.

Both are built by hand from the published configurations, as graphs with the modules' own names.
"""

from dataclasses import replace
from math import prod

import numpy as np
import pytest

import upsim
from upsim.layers import (
    PQMF,
    Add,
    Average,
    Conv,
    LeakyReLU,
    Residual,
    Tanh,
    TransposedConv,
)
from upsim.words.tolerance import rounding
from upsim.words.units import decibels

STRIDES, KERNELS = (10, 10, 2, 2), (16, 16, 4, 4)


def same(channels, taps, dilation=1):
    return Conv(channels, channels, taps, padding=dilation * (taps - 1) // 2, dilation=dilation)


def rvc(width=512, latents=192):
    """Return the generator of RVC at 40 kHz: the source is a second input at the output's rate."""
    nodes = [
        ("conv_pre", Conv(latents, width, 7, padding=3), "z"),
        ("m_source.l_linear", Conv(1, 1, 1), "source"),
        ("m_source.l_tanh", Tanh(), "m_source.l_linear"),
    ]
    last, channels = "conv_pre", width
    for stage, (stride, taps) in enumerate(zip(STRIDES, KERNELS, strict=True)):
        channels //= 2
        rest = prod(STRIDES[stage + 1 :])
        side = Conv(1, channels, 2 * rest, rest, rest // 2) if rest > 1 else Conv(1, channels, 1)
        up = TransposedConv(2 * channels, channels, taps, stride, (taps - stride) // 2)
        nodes += [
            (f"act.{stage}", LeakyReLU(0.1), last),
            (f"ups.{stage}", up, f"act.{stage}"),
            (f"noise_convs.{stage}", side, "m_source.l_tanh"),
            (f"sum.{stage}", Add(), (f"ups.{stage}", f"noise_convs.{stage}")),
        ]
        ends = []
        for number, size in enumerate((3, 7, 11)):
            last = f"sum.{stage}"
            for step, dilation in enumerate((1, 3, 5)):
                name = f"resblocks.{3 * stage + number}.{step}"
                block = Residual(
                    LeakyReLU(0.1),
                    same(channels, size, dilation),
                    LeakyReLU(0.1),
                    same(channels, size),
                )
                nodes.append((name, block, last))
                last = name
            ends.append(last)
        nodes.append((f"mean.{stage}", Average(), tuple(ends)))
        last = f"mean.{stage}"
    nodes += [
        ("act", LeakyReLU(), last),
        ("conv_post", Conv(channels, 1, 7, padding=3, bias=False), "act"),
        ("tanh", Tanh(), "conv_post"),
    ]
    return upsim.Graph(nodes, inputs={"z": latents, "source": 1}, sample_rate=40000)


def without_side_biases(graph):
    """Return the same network whose source branch adds nothing to silence."""
    side = ("noise_convs.", "m_source.l_linear")
    nodes = [
        (name, replace(layer, bias=False) if name.startswith(side) else layer, reads)
        for name, layer, reads in graph.parts
    ]
    return graph.replace(nodes=nodes)


def comb(graph):
    """Return the power of all multiples of 1 kHz that no later stage can make of an offset."""
    tones = upsim.predict(graph, upsim.Silence(), provenance=False).tones
    return sum(
        tone.power[0] for tone in tones if tone.frequency % 1000 == 0 and tone.frequency % 10000
    )


class TestTheHarmonicSourceOfRVC:
    def test_the_comb_is_first_possible_at_the_second_stage(self):
        graph = rvc()
        answer = upsim.explain(graph, "1 kHz", within=1)
        assert "first possible at ups.1 (TransposedConv)" in str(answer)
        spacings = {each.layer: int(each.spacing) for each in upsim.families(graph)}
        assert spacings == {"ups.0": 100, "ups.1": 1000, "ups.2": 10000, "ups.3": 20000}
        assert graph.input_rates == (100, 40000)
        assert graph.lengths(7)[graph.end] == 7 * 400

    def test_its_biases_are_named_among_what_feeds_it(self):
        prediction = upsim.predict(rvc(32, 8).draw(0), upsim.Silence())
        line = next(tone for tone in prediction.tones if tone.frequency == 1000)
        assert (line.layer, line.cause) == ("ups.1", "weights")
        shares = {each.layer: each.power[0] for each in line.contributions}
        assert shares["noise_convs.0"] > shares["ups.0"]
        total = sum(each.amplitude[0] for each in line.contributions)
        assert abs(total - line.amplitude[0]) <= rounding(10**4, abs(line.amplitude[0]))

    def test_every_line_is_that_of_torch(self):
        torch = pytest.importorskip("torch", reason="torch runs the generator here")
        graph = rvc(16, 4).draw(1)
        weights = {node.name: node.layer for node in graph.nodes if isinstance(node.layer, Conv)}
        ups = {node.name: node.layer for node in graph.nodes if node.name.startswith("ups.")}
        functional = torch.nn.functional

        def conv(name, x):
            layer = weights[name]
            bias = None if layer.bias is False else torch.tensor(np.array(layer.bias))
            return functional.conv1d(
                x,
                torch.tensor(np.array(layer.weight)),
                bias,
                layer.stride,
                layer.padding,
                layer.dilation,
            )

        frames = 24
        with torch.inference_mode():
            x = conv("conv_pre", torch.zeros(1, 4, frames, dtype=torch.float64))
            source = torch.zeros(1, 1, 400 * frames, dtype=torch.float64)
            source = torch.tanh(conv("m_source.l_linear", source))
            for stage in range(4):
                layer = ups[f"ups.{stage}"]
                x = functional.conv_transpose1d(
                    functional.leaky_relu(x, 0.1),
                    torch.tensor(np.array(layer.weight)),
                    torch.tensor(np.array(layer.bias)),
                    layer.stride,
                    layer.padding,
                )
                x = x + conv(f"noise_convs.{stage}", source)
                ends = []
                for block in range(3 * stage, 3 * stage + 3):
                    end = x
                    for step in range(3):
                        name = f"resblocks.{block}.{step}.1"
                        inner = conv(f"{name}.2", functional.leaky_relu(end, 0.1))
                        end = end + conv(f"{name}.4", functional.leaky_relu(inner, 0.1))
                    ends.append(end)
                x = sum(ends) / 3
            x = torch.tanh(conv("conv_post", functional.leaky_relu(x)))
        period = x[0, 0, 400 * (frames // 2) :][:400].numpy()
        right = np.fft.fft(period, norm="forward")
        prediction = upsim.predict(graph, upsim.Silence())
        found = {int(tone.fraction * 400): tone.amplitude[0] for tone in prediction.tones}
        scale = rounding(16 * 11 * 40, np.abs(right).max())
        for line in range(201):
            assert abs(found.get(line, 0.0) - right[line]) <= scale

    def test_its_biases_raise_the_comb(self):
        # A calculation from the configuration gave about 24 dB.  Single networks differ by several.
        graph = rvc()
        expected = float(decibels(comb(graph) / comb(without_side_biases(graph))))
        rises = []
        for seed in range(8):
            drawn = rvc(64, 16).draw(seed)
            rises.append(float(decibels(comb(drawn) / comb(without_side_biases(drawn)))))
        assert min(rises) > 0
        assert min(rises) < expected < max(rises)
        assert round(expected) == 22

    def test_its_side_branch_is_all_that_differs_from_the_model_without(self):
        # Silence leaves nothing of the branch without biases.
        assert comb(without_side_biases(rvc())) == pytest.approx(
            comb(upsim.models.rvc_40k()), rel=rounding(1000, 1.0)
        )


def multi_band(channels=384):
    """Return multi-band MelGAN (version 2) from the mel bands to 22.05 kHz: four bands, a PQMF."""
    nodes = [("conv_pre", Conv(80, channels, 7, padding=3, padding_mode="reflect"), "mel")]
    last = "conv_pre"
    for stage, scale in enumerate((8, 4, 2)):
        channels //= 2
        up = TransposedConv(2 * channels, channels, 2 * scale, scale, scale // 2)
        nodes += [
            (f"act.{stage}", LeakyReLU(0.2), last),
            (f"up.{stage}", up, f"act.{stage}"),
        ]
        last = f"up.{stage}"
        for step in range(4):
            dilation = 3**step
            block = Residual(
                LeakyReLU(0.2),
                Conv(
                    channels, channels, 3,
                    padding=dilation, dilation=dilation, padding_mode="reflect",
                ),
                LeakyReLU(0.2),
                Conv(channels, channels, 1),
                skip=Conv(channels, channels, 1),
            )  # fmt: skip
            nodes.append((f"stack.{stage}.{step}", block, last))
            last = f"stack.{stage}.{step}"
    nodes += [
        ("act", LeakyReLU(0.2), last),
        ("conv_post", Conv(channels, 4, 7, padding=3, padding_mode="reflect"), "act"),
        ("tanh", Tanh(), "conv_post"),
        ("pqmf", PQMF(4, 62, 0.142, 9.0), "tanh"),
    ]
    return upsim.Graph(nodes, inputs={"mel": 80}, sample_rate=22050)


class TestMultiBandMelGAN:
    def test_its_tone_at_a_quarter_of_the_rate_is_expected_before_training(self):
        graph = multi_band()
        assert graph.input_rate == upsim.models.melgan().input_rate
        prediction = upsim.predict(graph, upsim.Silence())
        lines = {tone.frequency: tone for tone in prediction.tones if tone.frequency}
        loudest = max(lines.values(), key=lambda tone: tone.power[0])
        assert loudest.frequency == 5512.5
        assert loudest.layer == "pqmf"
        assert "pqmf (PQMF)" in str(upsim.explain(graph, 5512.5))

    def test_bands_1_and_2_make_it(self):
        # A bias of the last convolution in one band: silence otherwise, so tanh(0.5) enters the
        # bank and leaves at the band's edge; both bands together are 3 dB louder than an offset.
        value = np.arctanh(0.5)
        levels = {}
        for bands in ((1,), (2,), (1, 2), (0,)):
            bias = np.zeros(4)
            bias[list(bands)] = value
            post = Conv(1, 4, 1, bias=bias, weight=np.zeros((4, 1, 1)))
            graph = upsim.Graph(
                [("post", post, "mel"), ("tanh", Tanh(), "post"), ("pqmf", PQMF(), "tanh")],
                inputs={"mel": 1},
                sample_rate=22050,
            )
            tones = upsim.predict(graph, upsim.Silence()).tones
            quarter = [tone.power[0] for tone in tones if tone.frequency == 5512.5]
            levels[bands] = round(float(decibels(quarter[0] / 0.25)), 2)
        assert levels[(1,)] == levels[(2,)] == 0
        assert levels[(1, 2)] == 3.02
        assert levels[(0,)] < -100

    def test_every_line_is_that_of_torch(self):
        torch = pytest.importorskip("torch", reason="torch runs the generator here")
        graph = multi_band(24).draw(2)
        module = upsim.neural.to_torch(graph)
        with torch.inference_mode():
            made = module(torch.zeros(1, 80, 40, dtype=torch.float64))[0, 0].numpy()
        period = made[256 * 20 : 256 * 21]
        right = np.fft.fft(period, norm="forward")
        prediction = upsim.predict(graph, upsim.Silence())
        found = {int(tone.fraction * 256): tone.amplitude[0] for tone in prediction.tones}
        scale = rounding(24 * 7 * 40, np.abs(period).max())
        for line in range(129):
            assert abs(found.get(line, 0.0) - right[line]) <= scale
        assert upsim.verify(graph, upsim.Silence()).passed
