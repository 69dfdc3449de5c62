"""Configurations become graphs whose nodes bear the names of the model's own modules."""

import json
import re
from copy import deepcopy
from fractions import Fraction

import numpy as np
import pytest

import upsim
from upsim.errors import ArgumentError, FileFormatError, UnknownNameError, UpsimError
from upsim.files.graphfile import network_from_dict, network_to_dict
from upsim.importers.fields import STRIDE_WORDS
from upsim.layers import PQMF, TransposedConv
from upsim.neural.run import run_graph
from upsim.words.tolerance import rounding

from .configurations import (
    BIGVGAN_24K,
    DAC_44K,
    ENCODEC,
    HIFIGAN_V1,
    MULTIBAND_MELGAN,
    PARALLEL_WAVEGAN_HIFIGAN,
    QWEN3_TTS,
    ROWS,
    RVC_40K,
    SNAC,
    STYLEMELGAN,
    UNIVNET,
    VITS,
)

ALL = pytest.mark.parametrize("name", list(ROWS))


@ALL
class TestRows:
    def test_upsampling_modules_have_their_names_strides_and_kernels(self, name):
        row = ROWS[name]
        graph = upsim.from_config(row.config)
        found = [
            (node.name, node.layer.stride, node.layer.kernel_size)
            for node in graph.nodes
            if isinstance(node.layer, TransposedConv)
        ]
        assert found == [each[:3] for each in row.ups]
        names = {node.name for node in graph.nodes}
        assert not set(row.also) - names

    def test_rates_and_inputs(self, name):
        row = ROWS[name]
        graph = upsim.from_config(row.config)
        assert graph.sample_rate == row.rate
        assert {each.name: each.channels for each in graph.inputs} == row.inputs
        assert graph.input_rate == Fraction(row.rate, row.hop)
        assert graph.out_channels == 1

    def test_the_lowest_line_of_each_family_is_first_possible_at_its_module(self, name):
        row = ROWS[name]
        graph = upsim.from_config(row.config)
        for module, _, _, spacing in row.ups:
            assert upsim.explain(graph, spacing).layer == module

    def test_nothing_of_the_public_file_is_called_unread(self, name):
        notes = upsim.from_config(ROWS[name].config).notes
        assert not [each for each in notes if "not read" in each]

    def test_the_graph_survives_a_file(self, name):
        graph = upsim.from_config(ROWS[name].config)
        again = network_from_dict(json.loads(json.dumps(network_to_dict(graph))))
        assert again == graph
        assert again.notes == graph.notes


def conv(before, after, taps, *, bias=True, groups=1):
    return before * after // groups * taps + after * bias


class TestParameters:
    def test_hifigan_is_the_named_model(self):
        graph = upsim.from_config(HIFIGAN_V1)
        assert upsim.cost(graph).parameters == upsim.cost(upsim.models.hifigan_v1()).parameters

    def test_the_source_branch_of_rvc_adds_a_convolution_a_stage(self):
        main = upsim.cost(upsim.models.rvc_40k()).parameters
        # Strides behind each stage: 40, 4, 2; the last convolution has one tap.
        branch = conv(1, 256, 80) + conv(1, 128, 8) + conv(1, 64, 4) + conv(1, 32, 1)
        assert upsim.cost(upsim.from_config(RVC_40K)).parameters == main + branch

    def test_depthwise_snac(self):
        width, total = 1536, conv(1024, 1024, 7, groups=1024) + conv(1024, 1536, 1)
        for stride in (7, 7, 3, 3):
            total += width + conv(width, width // 2, 2 * stride)
            width //= 2
            total += 3 * (2 * width + conv(width, width, 7, groups=width) + conv(width, width, 1))
        total += width + conv(width, 1, 7)
        graph = upsim.from_config(SNAC)
        snakes = sum(
            node.layer.parameters(graph.value_channels[node.inputs[0]]) for node in graph.nodes
        )
        assert upsim.cost(graph).parameters == snakes == total

    def test_bigvgan_is_the_named_model(self):
        graph = upsim.from_config(BIGVGAN_24K)
        assert upsim.cost(graph).parameters == 112_414_513


class TestLengths:
    @pytest.mark.parametrize(
        "name",
        [
            "HiFi-GAN V1",
            "RVC 40k",
            "SNAC",
            "EnCodec",
            "Mimi",
            "MelGAN of four bands",
            "HiFi-GAN of ParallelWaveGAN",
            "EnCodec of AudioCraft",
        ],
    )
    def test_frames_become_whole_hops(self, name):
        row = ROWS[name]
        assert upsim.from_config(row.config).output_length(20) == 20 * row.hop

    def test_dac_at_24_khz_loses_what_dac_at_16_khz_loses(self):
        # Equal strides; at 16 kHz 100 frames give 31,992 samples.
        assert upsim.from_config(ROWS["DAC 24 kHz"].config).output_length(100) == 31_992

    def test_a_snac_of_odd_strides_keeps_all_samples_by_output_padding(self):
        assert upsim.from_config(SNAC).output_length(3) == 3 * 441


class TestBands:
    """mozilla/TTS issue 532: a constant tone at fs / 4 (what makes it: tests/layers/test_heads)."""

    def test_the_bank_is_the_published_one_and_can_make_a_quarter_of_the_rate(self):
        graph = upsim.from_config(MULTIBAND_MELGAN)
        assert graph.node("pqmf").layer == PQMF(4)
        assert upsim.explain(graph, 5512.5).layer == "pqmf"

    def test_its_parameters_may_be_given(self):
        given = MULTIBAND_MELGAN | {"pqmf_params": {"taps": 46, "cutoff_ratio": 0.2, "beta": 8.0}}
        assert upsim.from_config(given).node("pqmf").layer == PQMF(4, 46, 0.2, 8.0)

    def test_one_band_needs_no_bank(self):
        given = changed(MULTIBAND_MELGAN, generator_params__out_channels=1, hop_size=64)
        assert "pqmf" not in {node.name for node in upsim.from_config(given).nodes}


class TestStyleMelGAN:
    def graph(self, **fields):
        return upsim.from_config(changed(STYLEMELGAN, **fields), sample_rate=22050)

    def test_the_rate_is_open_in_the_configuration(self):
        with pytest.raises(FileFormatError, match=r"does not say its sample rate"):
            upsim.from_config(STYLEMELGAN)

    def test_mel_frames_of_256_samples_and_noise_of_88_frames(self):
        graph = self.graph()
        assert {each.name: each.channels for each in graph.inputs} == {"mel": 80, "z": 128}
        rate = Fraction(22050)
        assert graph.input_rates == (rate / 256, rate / 256 / 88)
        assert graph.output_length(88) == 88 * 256

    def test_each_stage_doubles_by_nearest_neighbours(self):
        graph = self.graph()
        for stage in range(8):
            spacing = Fraction(22050, 256) * 2**stage
            assert upsim.explain(graph, spacing).layer == f"blocks.{stage}.upsample"
        assert "blocks.8.upsample" not in {node.name for node in graph.nodes}

    def test_parameters(self):
        total = conv(128, 64, 22) + 3 * conv(64, 64, 4) + conv(64, 1, 9)
        for given in (80, *[64] * 8):
            total += conv(given, 64, 9) + conv(64, 64, 9) + 4 * conv(64, 128, 9)
        assert upsim.cost(self.graph()).parameters == total

    def test_a_small_one_makes_what_its_definition_says(self):
        """Two stages, of factors 2 and 1, against the definition in NumPy."""
        graph = self.graph(
            generator_params__channels=3,
            generator_params__aux_channels=2,
            generator_params__in_channels=2,
            generator_params__kernel_size=3,
            generator_params__noise_upsample_scales=[2],
            generator_params__upsample_scales=[2, 1],
        ).draw(0)
        layers = {node.name: node.layer for node in graph.nodes}
        generator = np.random.default_rng(0)
        mel, z = generator.standard_normal((2, 12)), generator.standard_normal((2, 6))

        def do(name, value):
            return upsim.neural.run(layers[name], value)

        def tade(name, x, c, factor):
            x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
            c = do(f"{name}.aux_conv.0", np.repeat(c, factor, axis=1))
            gain, offset = np.split(do(f"{name}.gated_conv.0", c), 2)
            return gain * np.repeat(x, factor, axis=1) + offset, c

        def gated(name, x):
            a, b = np.split(do(name, x), 2)
            return np.exp(a) / np.exp(a).sum(0) * np.tanh(b)

        x, c = do("noise_upsample.0", z), mel
        x = np.where(x > 0, x, 0.2 * x)
        for number, factor in enumerate((2, 1)):
            block = f"blocks.{number}"
            y, c = tade(f"{block}.tade1", x, c, 1)
            y, c = tade(f"{block}.tade2", gated(f"{block}.gated_conv1", y), c, factor)
            x = np.repeat(x, factor, axis=1) + gated(f"{block}.gated_conv2", y)
        expected = np.tanh(do("output_conv.0", x))
        made = run_graph(graph, [mel[None], z[None]])[graph.end][0]
        assert np.abs(made - expected).max() <= rounding(40 * 27, 4.0)


class TestNesting:
    def test_dotted_keys_are_nested_ones(self):
        nested = {"DAC": {}}
        for key, value in DAC_44K.items():
            if key.startswith("DAC."):
                nested["DAC"][key.removeprefix("DAC.")] = value
        assert upsim.from_config(nested) == upsim.from_config(DAC_44K)

    def test_a_generator_inside_other_sections(self):
        graph = upsim.from_config({"vocoder": {"generator": HIFIGAN_V1}, "text": {"layers": 3}})
        assert graph == upsim.from_config(HIFIGAN_V1)

    def test_of_several_generators_the_first_is_read_and_named(self):
        graph = upsim.from_config({"small": HIFIGAN_V1, "large": HIFIGAN_V1})
        assert graph.notes[0] == "several generators: that of small is read"
        inside = upsim.from_config(HIFIGAN_V1 | {"large": HIFIGAN_V1})
        assert inside.notes == ("several generators: that of the top is read",)

    def test_notes_stay_with_what_is_cut_off(self):
        graph = upsim.from_config(RVC_40K)
        assert graph.upto("dec.ups.1").notes == graph.after("dec.ups.1").notes == graph.notes
        assert graph.draw(0).replace(name="mine").notes == graph.notes

    def test_a_rate_in_a_section_beside(self):
        config = {key: value for key, value in HIFIGAN_V1.items() if key != "sampling_rate"}
        graph = upsim.from_config({"gen": config, "audio": {"sr": 44100}})
        assert graph.sample_rate == 44100

    def test_the_sections_of_other_networks_say_nothing(self):
        config = HIFIGAN_V1 | {"discriminator": {"sampling_rate": 8000, "hop_size": 3}}
        assert upsim.from_config(config) == upsim.from_config(HIFIGAN_V1)


class TestWhatIsNotGiven:
    """A field that a family assumes is in the notes, with its value and whose it is."""

    def test_strides_and_kernels_are_enough(self):
        config = {"upsample_rates": [8, 5, 3], "upsample_kernel_sizes": [16, 11, 7]}
        graph = upsim.from_config(config, sample_rate=24000)
        assert upsim.explain(graph, 1600).layer == "ups.1"
        assert upsim.explain(graph, 8000).layer == "ups.2"
        assert graph.notes == (
            "the channels of the input are not given: 80 mel bands",
            (
                "not given, so as HiFi-GAN has it: upsample_initial_channel=512, "
                "resblock_kernel_sizes=[3, 7, 11], "
                'resblock_dilation_sizes=[[1, 3, 5], [1, 3, 5], [1, 3, 5]], resblock="1"'
            ),
        )

    def test_latents_that_are_given_need_no_encoder(self):
        graph = upsim.from_config({"decoder_rates": [8, 8], "latent_dim": 7, "sample_rate": 8000})
        assert graph.notes == ("not given, so as DAC has it: decoder_dim=1536",)

    def test_values_are_as_a_configuration_has_them(self):
        (note,) = upsim.from_config(MULTIBAND_MELGAN).notes
        assert note.startswith("not given, so as MelGAN has it: ")
        for each in ('nonlinear_activation="LeakyReLU"', "bias=true", "pqmf_params.taps=62"):
            assert each in note

    @pytest.mark.parametrize("name", ROWS)
    def test_leaving_an_assumption_out_or_writing_it_is_the_same_graph(self, name):
        """Each field of each row is left out in turn: what the note says in its place is true."""
        row, tried = ROWS[name], 0
        home = home_of(row.config)
        for key in list(home):
            config = deepcopy(row.config)
            where = home_of(config)
            del where[key]
            try:
                graph = upsim.from_config(config)
            except UpsimError:
                continue
            assumed, short = dict(assumed_in(graph)), key.rpartition(".")[2]
            if short not in assumed:
                continue
            where[key] = assumed[short]
            assert upsim.from_config(config).parts == graph.parts, key
            tried += 1
        assert tried or name == "Qwen3-TTS tokenizer"

    def test_other_mel_bands_beside_are_noted(self):
        graph = upsim.from_config(changed(PARALLEL_WAVEGAN_HIFIGAN, num_mels=128))
        assert graph.notes == ("the input has 80 channels and not the 128 of num_mels",)

    def test_a_lone_activation_is_no_bigvgan(self):
        assert upsim.from_config(HIFIGAN_V1 | {"activation": "LeakyReLU"}).name == "HiFi-GAN"
        told = {key: value for key, value in BIGVGAN_24K.items() if key != "snake_logscale"}
        assert upsim.from_config(told | {"model_type": "bigvgan"}).name == "BigVGAN"


def home_of(config):
    """Return the section of a configuration in which its strides stand."""
    if any(key.rpartition(".")[2] in STRIDE_WORDS | {"ratios"} for key in config):
        return config
    inner = [home_of(each) for each in config.values() if isinstance(each, dict)]
    return next((each for each in inner if each is not None), None)


def assumed_in(graph):
    """Yield the fields and values that the notes of a graph say were assumed."""
    for note in graph.notes:
        if note.startswith("not given, so as "):
            text = note.partition(" has it: ")[2]
            for each in re.split(r", (?=[a-z_.]+=)", text):
                name, _, value = each.partition("=")
                yield name, json.loads(value)


class TestWords:
    def test_unknown_fields_are_named_in_a_note(self):
        graph = upsim.from_config(HIFIGAN_V1 | {"attention_heads": 8, "zeta": None})
        assert graph.notes == ("fields of the configuration not read: attention_heads",)

    def test_notes_lead_the_assumptions_of_an_answer(self):
        small = {"upsample_rates": [2], "upsample_kernel_sizes": [4], "attention_heads": 8}
        small |= {"upsample_initial_channel": 4, "num_mels": 3, "sampling_rate": 8000}
        graph = upsim.from_config(small)
        for each in (graph, graph.draw(0)):
            prediction = upsim.predict(each, upsim.Constant(1.0))
            assert prediction.assumptions[: len(graph.notes)] == graph.notes

    def test_implied_kernels_are_twice_the_strides_and_said(self):
        config = {key: value for key, value in HIFIGAN_V1.items() if "upsample_kernel" not in key}
        graph = upsim.from_config(config)
        assert graph.notes == ("kernels of the upsampling are not given: twice the strides",)
        assert graph.parts == upsim.from_config(HIFIGAN_V1).parts

    def test_what_is_left_out_is_said(self):
        notes = " ".join(upsim.from_config(RVC_40K).notes)
        assert "speaker condition is left out" in notes
        assert "noise is off" in " ".join(upsim.from_config(SNAC).notes)

    def test_a_rate_beside_the_configuration(self):
        config = {key: value for key, value in HIFIGAN_V1.items() if key != "sampling_rate"}
        with pytest.raises(FileFormatError, match=r"does not say its sample rate"):
            upsim.from_config(config)
        assert upsim.from_config(config, sample_rate=16000).sample_rate == 16000
        with pytest.raises(ArgumentError, match=r"sampling_rate: 22.05 kHz, sample_rate=16 kHz"):
            upsim.from_config(HIFIGAN_V1, sample_rate=16000)


def changed(config, **fields):
    """Return a configuration with some fields changed; double underscores go inside."""
    found = deepcopy(config)
    for path, value in fields.items():
        *sections, key = path.split("__")
        inner = found
        for each in sections:
            inner = inner[each]
        inner[key] = value
    return found


REFUSED = [
    # The product is shown.
    (
        changed(HIFIGAN_V1, hop_size=512),
        r"strides do not multiply.*given: 8 × 8 × 2 × 2 = 256, hop_size 512",
    ),
    (changed(MULTIBAND_MELGAN, hop_size=300), r"8 × 4 × 2 × 4 bands = 256, hop_size 300"),
    (changed(RVC_40K, data__hop_length=320), r"10 × 10 × 2 × 2 = 400, data.hop_length 320"),
    (
        changed(DAC_44K, **{"DAC.encoder_rates": [2, 4, 8, 4]}),
        r"8 × 8 × 4 × 2 = 512, encoder strides 2 × 4 × 8 × 4 = 256",
    ),
    (
        changed(QWEN3_TTS, decode_upsample_rate=480),
        r"2 × 2 × 8 × 5 × 4 × 3 = 1920, decode_upsample_rate 480",
    ),
    # Fields that contradict each other.
    (
        HIFIGAN_V1 | {"sample_rate": 24000},
        r"contradict each other. given: sampling_rate=22050, sample_rate=24000",
    ),
    ({"a": HIFIGAN_V1, "a.sampling_rate": 24000}, r"contradict.*a.sampling_rate=22050"),
    # Fields of different sections.
    (
        {"model": HIFIGAN_V1, "audio": {"hop_length": 300}},
        (
            r"contradict.*given: model.hop_size=256, audio.hop_length=300, the strides multiply to "
            r"8 × 8 × 2 × 2 = 256"
        ),
    ),
    (
        {"model": HIFIGAN_V1, "audio": {"sample_rate": 24000}},
        r"contradict.*given: model.sampling_rate=22050, audio.sample_rate=24000",
    ),
    (
        changed(RVC_40K, data={"sampling_rate": 40000}, audio={"sr": 48000}),
        r"contradict.*given: data.sampling_rate=40000, audio.sr=48000",
    ),
    (
        {"model": HIFIGAN_V1 | {"hop_size": 300}, "audio": {"hop_length": 300}},
        r"= 256, model.hop_size 300",
    ),
    (
        HIFIGAN_V1 | {"model": {"upsample_rates": [2, 2]}},
        r"contradict.*upsample_rates=\[8, 8, 2, 2\], model.upsample_rates=\[2, 2\]",
    ),
    (
        HIFIGAN_V1 | {"audio": {"num_mels": 100}},
        r"contradict.*given: num_mels=80, audio.num_mels=100",
    ),
    (
        HIFIGAN_V1 | {"model_type": "dac"},
        r"says one family and has the fields of another. given: model_type says DAC",
    ),
    (
        {"gen": {"upsample_rates": [2]}, "model_type": "vits"},
        r"it is of VITS and lacks its fields. given: gen.upsample_rates, model_type",
    ),
    # Wrong types, with the path.
    (changed(VITS, model__upsample_rates="8,8"), r"model.upsample_rates must be a list"),
    (changed(VITS, model__upsample_rates=[8, "8", 2, 2]), r"model.upsample_rates\[1\] must be"),
    (changed(VITS, model__upsample_rates=[8, True, 2, 2]), r"model.upsample_rates\[1\] must be"),
    (changed(VITS, model__upsample_rates=[8, -8, 2, 2]), r"model.upsample_rates\[1\]=-8"),
    (changed(VITS, model__upsample_rates=[8, 0, 2, 2]), r"model.upsample_rates\[1\]=0"),
    (changed(VITS, model__upsample_rates=[8, 2.5, 2, 2]), r"model.upsample_rates\[1\]=2.5"),
    (changed(VITS, model__upsample_rates=[]), r"model.upsample_rates is empty"),
    (changed(VITS, model__upsample_rates=[2] * 99), r"too long. given: 99 entries"),
    (changed(VITS, model__upsample_rates=[10**9, 8, 2, 2]), r"\[0\] is too large"),
    (changed(VITS, model__upsample_rates=[8, 8, 2]), r"of unequal lengths. given: 3 and 4"),
    (
        changed(VITS, model__resblock_dilation_sizes=[[1, 3, 5]]),
        r"resblock_kernel_sizes and resblock_dilation_sizes are of unequal lengths",
    ),
    (
        changed(VITS, model__resblock_dilation_sizes=[1, 3, 5]),
        r"model.resblock_dilation_sizes\[0\] must be a list",
    ),
    (changed(VITS, model__upsample_kernel_sizes=[16, 16, 4, 1]), r"shorter than its stride"),
    (changed(VITS, model__resblock_kernel_sizes=[3, 7, 8]), r"an even kernel.*\[2\]=8"),
    (changed(VITS, model__upsample_initial_channel=8), r"leaves no channel"),
    (changed(VITS, model__resblock="3"), r"model.resblock is not known"),
    (changed(VITS, data__sampling_rate="22050"), r"data.sampling_rate must be a number"),
    (changed(VITS, data__sampling_rate=0), r"data.sampling_rate must be positive"),
    (changed(VITS, data__sampling_rate=float("nan")), r"data.sampling_rate"),
    (changed(BIGVGAN_24K, activation="relu"), r"activation is not known"),
    (
        HIFIGAN_V1 | {"activation": "snake"},
        r"another activation than HiFi-GAN.*activation='snake', read as HiFi-GAN.*model_type",
    ),
    # Too little to tell.
    (
        {"upsample_scales": [8, 8, 4], "sampling_rate": 24000},
        (
            r"strides alone do not say.*upsample_scales=\[8, 8, 4\].*stacks \(MelGAN\).*fix: add "
            r'"upsample_kernel_sizes": \[16, 16, 8\]'
        ),
    ),
    ({"ratios": [8, 5, 4, 2]}, r"strides alone.*expected: beside it one of: n_filters \(EnCodec"),
    (
        {key: value for key, value in QWEN3_TTS["decoder_config"].items() if key != "latent_dim"},
        r"lacks a field. given: no latent_dim.*fix: add \"latent_dim\"",
    ),
    (changed(SNAC, noise="yes"), r"noise is on or off"),
    (
        changed(ENCODEC, num_residual_layers=10**6, dilation_growth_rate=1),
        r"num_residual_layers is too large",
    ),
    # Something else entirely.
    ({}, r"no family that upsim knows. given: no fields"),
    ({"vocab": {"a": 1}, "model_max_length": 512}, r"no family.*given: vocab.a, model_max_length"),
    ({"model_type": "bert", "hidden_size": 768}, r"no family.*given: model_type: bert"),
]


@pytest.mark.parametrize(("config", "message"), REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_read_is_refused_in_words(config, message):
    with pytest.raises(UpsimError, match=message):
        upsim.from_config(config)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (UNIVNET, r"UnivNet cannot be said.*location-variable convolutions"),
        (changed(MULTIBAND_MELGAN, generator_params__use_causal_conv=True), r"causal MelGAN"),
    ],
)
def test_families_that_cannot_be_said_are_refused_by_name(config, message):
    with pytest.raises(NotImplementedError, match=message):
        upsim.from_config(config)


def test_a_deep_or_endless_mapping_is_refused():
    loop = {"upsample_rates": [8]}
    loop["model"] = loop
    with pytest.raises(FileFormatError, match="nested too deeply"):
        upsim.from_config(loop)
    with pytest.raises(UpsimError, match="too many fields"):
        upsim.from_config({str(number): 0 for number in range(30_000)})


def test_a_pasted_text_is_told_from_a_path():
    with pytest.raises(TypeError, match=r"fix: upsim.from_config\(json.loads\(text\)\)"):
        upsim.from_config(json.dumps(HIFIGAN_V1))


def test_an_unknown_kind_of_a_known_shape_is_read_by_its_fields():
    assert upsim.from_config(HIFIGAN_V1 | {"model_type": "my_vocoder"}).name == "HiFi-GAN"


def test_no_family_takes_a_configuration_of_another():
    for name, row in ROWS.items():
        assert upsim.from_config(row.config).name in name


def test_an_unknown_configuration_names_the_ways_out():
    with pytest.raises(UnknownNameError, match=r"fix: upsim.from_torch"):
        upsim.from_config({"layers": 3})
