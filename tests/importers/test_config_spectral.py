"""Vocoders whose last step is an inverse STFT, against their definitions in torch's functions."""

from fractions import Fraction

import numpy as np
import pytest

import upsim
from upsim.errors import UpsimError
from upsim.layers import InverseSTFT
from upsim.neural.run import run_graph
from upsim.words.tolerance import probable

from .configurations import HIFT, ISTFTNET, KOKORO, VOCOS
from .test_config import changed

torch = pytest.importorskip("torch", reason="compares with torch's own istft")
functional = torch.nn.functional


class Modules:
    """The layers of a drawn graph as torch's functions, by the modules' names."""

    def __init__(self, graph):
        self.layers = {node.name: node.layer for node in graph.nodes}

    def conv(self, name, value):
        layer = self.layers[name]
        weight, bias = layer.weight_array(), layer.bias_array()
        fields = [torch.from_numpy(np.array(weight))]
        fields.append(None if bias is None else torch.from_numpy(np.array(bias)))
        if isinstance(layer, upsim.TransposedConv):
            return functional.conv_transpose1d(value, *fields, layer.stride, layer.padding)
        left, _ = layer.pads
        return functional.conv1d(value, *fields, layer.stride, left, layer.dilation, layer.groups)

    def block(self, name, value, norm=lambda value: value):
        step = 0
        while f"{name}.convs1.{step}" in self.layers:
            inner = self.conv(f"{name}.convs1.{step}", snake(norm(value)))
            value = value + self.conv(f"{name}.convs2.{step}", snake(norm(inner)))
            step += 1
        return value


def snake(value):
    return value + torch.sin(value) ** 2


def leaky(value, slope=0.1):
    return functional.leaky_relu(value, slope)


def instance(value):
    return functional.instance_norm(value, eps=1e-5)


def spectrum(value, n_fft):
    """Return the transform of a signal (1, 1, n), as torch.stft has it."""
    window = torch.hann_window(n_fft, dtype=torch.float64)
    return torch.stft(value[:, 0], n_fft, n_fft // 4, n_fft, window, return_complex=True)


def inverse(magnitude, phase, n_fft):
    window = torch.hann_window(n_fft, dtype=torch.float64)
    made = magnitude * torch.exp(1j * phase)
    return torch.istft(made, n_fft, n_fft // 4, n_fft, window)[:, None]


def halves(value):
    return value.chunk(2, dim=1)


SMALL = {
    "upsample_rates": [4, 3],
    "upsample_kernel_sizes": [8, 7],
    "resblock_kernel_sizes": [3, 5],
    "resblock_dilation_sizes": [[1, 3], [1, 3]],
}


def compare(graph, feeds, expected):
    values = run_graph(graph, [each[None] for each in feeds])
    made = values[graph.end][0]
    assert made.shape == tuple(expected.shape[1:])
    scale = max(float(np.abs(each).max()) for each in values)
    within = probable(len(graph.nodes) * 16 * 16, 16 * 16 * scale)
    assert np.abs(made - expected[0].numpy()).max() <= within


def fed(graph, frames):
    generator = np.random.default_rng(0)
    counts = graph.input_lengths(frames)
    arrays = [
        generator.standard_normal((each.channels, count))
        for each, count in zip(graph.inputs, counts, strict=True)
    ]
    return arrays, [torch.from_numpy(each)[None] for each in arrays]


def test_hift_makes_what_its_definition_says():
    small = {"base_channels": 16, "in_channels": 5, "source_resblock_kernel_sizes": [3, 5]}
    small["source_resblock_dilation_sizes"] = [[1, 2], [1, 2]]
    graph = upsim.from_config(HIFT | SMALL | small).draw(0)
    arrays, (mel, source) = fed(graph, 12)
    do, n_fft = Modules(graph), 16
    transform = spectrum(source, n_fft)
    transform = torch.cat([transform.real, transform.imag], dim=1)
    value = do.conv("conv_pre", mel)
    for stage in range(2):
        value = do.conv(f"ups.{stage}", leaky(value))
        if stage == 1:
            value = functional.pad(value, (1, 0), mode="reflect")
        side = do.conv(f"source_downs.{stage}", transform)
        value = value + do.block(f"source_resblocks.{stage}", side)
        blocks = [do.block(f"resblocks.{2 * stage + kernel}", value) for kernel in range(2)]
        value = sum(blocks) / 2
    a, b = halves(do.conv("conv_post", leaky(value, 0.01)))
    made = inverse(torch.exp(a).clamp(max=1e2), torch.sin(b), n_fft)
    compare(graph, arrays, made.clamp(-0.99, 0.99))


def test_kokoro_makes_what_its_definition_says():
    config = changed(KOKORO, istftnet={**KOKORO["istftnet"], **SMALL})
    config["istftnet"] |= {"upsample_initial_channel": 16, "gen_istft_n_fft": 16}
    config["istftnet"]["gen_istft_hop_size"] = 4
    graph = upsim.from_config(config).draw(0)
    arrays, (features, source) = fed(graph, 12)
    do, n_fft = Modules(graph), 16
    transform = spectrum(source, n_fft)
    polar = torch.cat([transform.abs(), transform.angle()], dim=1)
    value, inside = features, "decoder.generator."
    for stage in range(2):
        value = do.conv(f"{inside}ups.{stage}", leaky(value))
        if stage == 1:
            value = functional.pad(value, (1, 0), mode="reflect")
        side = do.conv(f"{inside}noise_convs.{stage}", polar)
        value = value + do.block(f"{inside}noise_res.{stage}", side, instance)
        names = [f"{inside}resblocks.{2 * stage + kernel}" for kernel in range(2)]
        value = sum(do.block(name, value, instance) for name in names) / 2
    a, b = halves(do.conv(f"{inside}conv_post", leaky(value, 0.01)))
    compare(graph, arrays, inverse(torch.exp(a), torch.sin(b), n_fft))


def test_istftnet_makes_what_its_definition_says():
    small = {"upsample_initial_channel": 16, "num_mels": 5, "hop_size": 48}
    graph = upsim.from_config(ISTFTNET | SMALL | small).draw(0)
    arrays, (mel,) = fed(graph, 12)
    do = Modules(graph)

    def block(name, value):
        for step in range(2):
            inner = do.conv(f"{name}.convs1.{step}", leaky(value))
            value = value + do.conv(f"{name}.convs2.{step}", leaky(inner))
        return value

    value = do.conv("conv_pre", mel)
    for stage in range(2):
        value = do.conv(f"ups.{stage}", leaky(value))
        value = sum(block(f"resblocks.{2 * stage + kernel}", value) for kernel in range(2)) / 2
    value = functional.pad(leaky(value, 0.01), (1, 0), mode="reflect")
    a, b = halves(do.conv("conv_post", value))
    compare(graph, arrays, inverse(torch.exp(a), torch.sin(b), 16))


@pytest.mark.parametrize("padding", ["center", "same"])
def test_vocos_makes_what_its_definition_says(padding):
    config = changed(VOCOS, head__init_args__padding=padding)
    config = changed(config, head__init_args__n_fft=16, head__init_args__hop_length=4)
    config = changed(config, feature_extractor__init_args__hop_length=4)
    fields = {"input_channels": 5, "dim": 6, "intermediate_dim": 12, "num_layers": 2}
    config = changed(config, backbone__init_args=fields, head__init_args__dim=6)
    graph = upsim.from_config(config).draw(0)
    arrays, (features,) = fed(graph, 12)
    do = Modules(graph)

    def norm(value):
        return functional.layer_norm(value.transpose(1, 2), (6,), eps=1e-6).transpose(1, 2)

    value = norm(do.conv("backbone.embed", features))
    for number in range(2):
        name = f"backbone.convnext.{number}"
        inner = do.conv(f"{name}.pwconv1", norm(do.conv(f"{name}.dwconv", value)))
        value = value + do.conv(f"{name}.pwconv2", functional.gelu(inner)) / 2
    a, b = halves(do.conv("head.out", norm(value)))
    magnitude = torch.exp(a).clamp(max=1e2)
    if padding == "center":
        compare(graph, arrays, inverse(magnitude, b, 16))
        return
    # As Vocos folds it: overlap-add over the squares of the windows, six samples cut at each end.
    window = torch.hann_window(16, dtype=torch.float64)
    frames = torch.fft.irfft(magnitude * torch.exp(1j * b), 16, dim=1) * window[:, None]
    count = frames.shape[2]
    made, weight = torch.zeros(1, 1, 4 * count + 12).double(), torch.zeros(4 * count + 12).double()
    for frame in range(count):
        made[0, 0, 4 * frame : 4 * frame + 16] += frames[0, :, frame]
        weight[4 * frame : 4 * frame + 16] += window**2
    compare(graph, arrays, (made / weight)[..., 6:-6])


class TestWords:
    """The head is said in elementary operations, so what is asked of it is known."""

    @pytest.mark.parametrize("config", [HIFT, ISTFTNET, VOCOS], ids=["HiFT", "iSTFTNet", "Vocos"])
    def test_nothing_is_opaque_and_files_keep_the_functions(self, config, tmp_path):
        graph = upsim.from_config(config)
        assert not [node.name for node in graph.nodes if isinstance(node.layer, upsim.Opaque)]
        upsim.save_stack(graph, tmp_path / "model.json")
        again = upsim.load_stack(tmp_path / "model.json")
        assert again == graph
        assert upsim.context(graph).bounded

    def test_kokoro_has_one_opaque_node_the_angle_of_its_source(self):
        graph = upsim.from_config(KOKORO)
        opaque = [node.name for node in graph.nodes if isinstance(node.layer, upsim.Opaque)]
        assert opaque == ["decoder.generator.phase"]

    @pytest.mark.parametrize("config", [ISTFTNET, VOCOS], ids=["iSTFTNet", "Vocos"])
    def test_lines_of_silence_are_those_of_torch_s_istft(self, config):
        """Silence in, long enough to be steady in the middle; torch makes the samples."""
        graph = upsim.from_config(config).draw(0)
        head = next(node.name for node in graph.nodes if isinstance(node.layer, InverseSTFT))
        prefix, layer = head.removesuffix("istft"), graph.node(head).layer
        before = graph.upto({"": "conv_post", "head.": "head.out"}[prefix])
        entering = run_graph(before, [np.zeros((1, before.in_channels, 80))])[before.end][0]
        a, b = torch.from_numpy(entering)[None].chunk(2, dim=1)
        magnitude = torch.exp(a) if config is ISTFTNET else torch.exp(a).clamp(max=1e2)
        phase = torch.sin(b) if config is ISTFTNET else b
        window, hop = torch.hann_window(layer.n_fft, dtype=torch.float64), layer.hop_length
        made = torch.istft(magnitude * torch.exp(1j * phase), layer.n_fft, hop, window=window)[0]
        period = int(graph.sample_rate / graph.input_rate)
        middle = len(made) // 2 // period * period
        spectrum = np.fft.rfft(made[middle : middle + period].numpy()) / period
        powers = abs(spectrum) ** 2
        powers[1:-1] *= 2  # a line between 0 and half the rate is counted with its mirror image
        found = np.zeros(period // 2 + 1)
        for tone in upsim.predict(graph, upsim.Silence(), provenance=False).tones:
            found[int(tone.fraction * period)] = tone.power[0]
        scale = max(1.0, float(magnitude.max()) * layer.n_fft)
        assert np.abs(found - powers).max() <= probable(len(graph.nodes) * 512 * 7, scale**2)


class TestStructure:
    @pytest.mark.parametrize(
        ("config", "place", "frequency"),
        [
            (HIFT, "istft", 6000),
            (HIFT, "ups.2", 2000),
            (KOKORO, "decoder.generator.istft", 4800),
            (KOKORO, "decoder.generator.ups.1", 800),
            (ISTFTNET, "istft", Fraction(22050, 4)),
            (VOCOS, "head.istft", Fraction(24000, 256)),
        ],
    )
    def test_the_hop_of_the_head_is_a_family_of_its_own(self, config, place, frequency):
        assert upsim.explain(upsim.from_config(config), frequency).layer == place

    @pytest.mark.parametrize(("config", "hop"), [(HIFT, 480), (KOKORO, 300), (ISTFTNET, 256)])
    def test_frames_become_whole_hops(self, config, hop):
        graph = upsim.from_config(config)
        assert graph.sample_rate / graph.input_rate == hop
        assert graph.output_length(20) == 20 * hop

    def test_vocos_has_its_published_parameters(self):
        hidden = 512 * 1536 + 1536 + 1536 * 512 + 512
        block = 512 * 7 + 512 + 2 * 512 + hidden + 512
        total = 100 * 512 * 7 + 512 + 2 * 2 * 512 + 8 * block + 512 * 1026 + 1026
        assert upsim.cost(upsim.from_config(VOCOS)).parameters == total

    def test_nothing_of_the_public_files_is_called_unread(self):
        for config in (HIFT, KOKORO, ISTFTNET, VOCOS):
            assert not [each for each in upsim.from_config(config).notes if "not read" in each]

    @pytest.mark.parametrize(
        ("config", "message"),
        [
            (ISTFTNET | {"hop_size": 64}, r"8 × 8 × iSTFT hop 4 = 256, hop_size 64"),
            (changed(HIFT, istft_params__hop_len=0), r"istft_params.hop_len=0"),
            (changed(HIFT, istft_params__hop_len=17), r"a hop beyond it.*hop_len=17"),
            (changed(HIFT, istft_params__n_fft=15), r"an odd length.*n_fft=15"),
            (changed(HIFT, istft_params__n_fft=2**24), r"istft_params.n_fft is too large"),
            (changed(HIFT, source_resblock_kernel_sizes=[7]), r"of unequal lengths"),
            (
                changed(VOCOS, feature_extractor__init_args__hop_length=512),
                r"contradict.*feature_extractor.\S*=512, head.init_args.hop_length=256",
            ),
            (changed(VOCOS, head__init_args__dim=256), r"different widths.*=512.*=256"),
            (changed(VOCOS, backbone__init_args__num_layers=10**6), r"num_layers is too large"),
        ],
    )
    def test_what_cannot_be_read_is_refused_in_words(self, config, message):
        with pytest.raises(UpsimError, match=message):
            upsim.from_config(config)
