"""Configurations against the modules that the public packages make of them.

The modules' own convolutions, by their names, must be the graph's; and with the graph's weights in
them they must make the samples that the graph makes.
"""

import warnings
from fractions import Fraction

import numpy as np
import pytest

import upsim
from upsim.layers import Conv, TransposedConv
from upsim.neural.run import run_graph
from upsim.words.tolerance import probable

torch = pytest.importorskip("torch", reason="compares with torch modules")
pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]


def packages():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("transformers", reason="needs transformers")


SMALL = {"upsample_initial_channel": 32, "upsample_rates": [4, 2], "resblock_kernel_sizes": [3, 5]}
SMALL |= {"upsample_kernel_sizes": [8, 4], "resblock_dilation_sizes": [[1, 3], [1, 3]]}


def speecht5():
    transformers = packages()
    config = transformers.SpeechT5HifiGanConfig(model_in_dim=8, normalize_before=False, **SMALL)
    module = transformers.SpeechT5HifiGan(config)
    return config, module, "", lambda x: module(x.transpose(1, 2))[:, None]


def vits():
    transformers = packages()
    config = transformers.VitsConfig(flow_size=8, hidden_size=8, num_attention_heads=2, **SMALL)
    module = transformers.VitsModel(config).decoder
    return config, module, "decoder.", module


def dac():
    transformers = packages()
    config = transformers.DacConfig(
        encoder_hidden_size=4,
        downsampling_ratios=[2, 5],
        decoder_hidden_size=32,
        upsampling_ratios=[5, 2],
        hop_length=10,
    )
    module = transformers.DacModel(config).decoder
    return config, module, "decoder.", module


def encodec(**fields):
    transformers = packages()
    config = transformers.EncodecConfig(
        hidden_size=8, num_filters=4, upsampling_ratios=[5, 2], num_lstm_layers=1, **fields
    )
    module = transformers.EncodecModel(config).decoder
    return config, module, "decoder.", torch.nn.Sequential(*list(module.layers)[2:])


def encodec_symmetric():
    return encodec(use_causal_conv=False, num_residual_layers=2)


def mimi():
    transformers = packages()
    config = transformers.MimiConfig(
        hidden_size=8,
        num_filters=4,
        upsampling_ratios=[5, 4],
        num_hidden_layers=1,
        upsample_groups=8,
    )
    module = next(
        each
        for each in transformers.MimiModel(config).modules()
        if type(each).__name__ == "MimiDecoder"
    )
    return config, module, "decoder.", module


def snac():
    made = pytest.importorskip("snac", reason="needs snac")
    config = {
        "sampling_rate": 8000,
        "encoder_dim": 4,
        "encoder_rates": [2, 3],
        "decoder_dim": 32,
        "decoder_rates": [3, 2],
        "attn_window_size": None,
        "vq_strides": [2, 1],
        "noise": False,
        "depthwise": True,
    }
    module = made.SNAC(**config).decoder
    return config, module, "decoder.", module


MODULES = [speecht5, vits, dac, encodec, encodec_symmetric, mimi, snac]


def imported(config):
    return upsim.from_config(config if isinstance(config, dict) else config.to_dict())


def of_graph(graph):
    """Return the convolutions of a graph: what decides their shapes, by their names."""
    return {
        node.name: (
            isinstance(node.layer, TransposedConv),
            node.layer.weight_shape,
            node.layer.stride,
            node.layer.dilation,
            node.layer.groups,
            node.layer.has_bias,
        )
        for node in graph.nodes
        if isinstance(node.layer, Conv | TransposedConv)
    }


def convolutions(module, prefix):
    kinds = torch.nn.Conv1d | torch.nn.ConvTranspose1d
    return {prefix + name: each for name, each in module.named_modules() if isinstance(each, kinds)}


@pytest.mark.parametrize("made", MODULES, ids=lambda each: each.__name__)
def test_the_modules_bear_the_names_of_the_graph(made):
    config, module, prefix, _ = made()
    theirs = {
        name: (
            isinstance(each, torch.nn.ConvTranspose1d),
            tuple(each.weight.shape),
            each.stride[0],
            each.dilation[0],
            each.groups,
            each.bias is not None,
        )
        for name, each in convolutions(module, prefix).items()
    }
    graph = imported(config)
    ours = {name: each for name, each in of_graph(graph).items() if name.startswith(prefix)}
    assert ours == theirs
    assert not [each for each in graph.notes if "not read" in each]


@pytest.mark.parametrize("made", MODULES, ids=lambda each: each.__name__)
def test_with_the_graph_s_weights_the_module_makes_its_samples(made):
    config, module, prefix, run = made()
    graph = imported(config).draw(0)
    layers = {node.name: node.layer for node in graph.nodes}
    opaque = [node.name for node in graph.nodes if isinstance(node.layer, upsim.Opaque)]
    if opaque:  # an LSTM, a transformer: what comes behind it
        graph = graph.after(opaque[-1])
    module = module.double().eval()
    for name, each in convolutions(module, prefix).items():
        if torch.nn.utils.parametrize.is_parametrized(each, "weight"):
            torch.nn.utils.parametrize.remove_parametrizations(each, "weight")
        with torch.no_grad():
            each.weight.copy_(torch.from_numpy(layers[name].weight_array().copy()))
            if each.bias is not None:
                each.bias.copy_(torch.from_numpy(layers[name].bias_array().copy()))
    samples = np.random.default_rng(0).standard_normal((graph.in_channels, 24))
    with torch.no_grad():
        theirs = run(torch.from_numpy(samples)[None])[0].numpy()
    values = [each[0] for each in run_graph(graph, [samples[None]])]
    assert theirs.shape == values[-1].shape
    # Some tens of layers, sums of at most 32 channels and 8 taps.
    scale = max(float(np.abs(each).max()) for each in values)
    within = probable(32 * 8 * len(graph.nodes), 32 * 8 * scale)
    # The modules' Snake divides by alpha + 1e-9; alpha is 1.
    within += 1e-9 * scale * sum(isinstance(node.layer, upsim.Snake) for node in graph.nodes)
    assert np.abs(values[-1] - theirs).max() <= within


def test_mimi_has_two_factors_of_frame_rates():
    config = packages().MimiConfig().to_dict()
    assert imported(config).input_rate == Fraction(25, 2)
