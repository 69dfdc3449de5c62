"""What the source branch of RVC does to the comb of the second stage, against modules of torch."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest

import upsim
from upsim.neural.run import run_graph
from upsim.words.tolerance import probable

from .configurations import RVC_40K

torch = pytest.importorskip("torch", reason="draws torch's own modules")
nn, functional = torch.nn, torch.nn.functional
pytestmark = pytest.mark.torch

STRIDES, KERNELS, WIDTH, LATENTS = (4, 4, 2), (8, 8, 4), 64, 6
BLOCKS, DILATIONS = (3, 5), (1, 3)
HOP, SECOND = 32, 8  # the comb of stage 2 lies at multiples of rate / 8

SMALL = deepcopy(RVC_40K)
SMALL["data"]["hop_length"] = HOP
SMALL["model"] |= {
    "inter_channels": LATENTS,
    "upsample_rates": list(STRIDES),
    "upsample_kernel_sizes": list(KERNELS),
    "upsample_initial_channel": WIDTH,
    "resblock_kernel_sizes": list(BLOCKS),
    "resblock_dilation_sizes": [list(DILATIONS)] * len(BLOCKS),
}


class Block(nn.Module):
    def __init__(self, channels, taps):
        super().__init__()
        self.convs1 = nn.ModuleList(
            nn.Conv1d(channels, channels, taps, dilation=d, padding=d * (taps - 1) // 2)
            for d in DILATIONS
        )
        self.convs2 = nn.ModuleList(
            nn.Conv1d(channels, channels, taps, padding=(taps - 1) // 2) for _ in DILATIONS
        )

    def forward(self, x):
        for first, second in zip(self.convs1, self.convs2, strict=True):
            inner = first(functional.leaky_relu(x, 0.1))
            x = x + second(functional.leaky_relu(inner, 0.1))
        return x


class Rvc(nn.Module):
    """The generator by its description, with the weights that torch draws."""

    def __init__(self):
        super().__init__()
        widths = [WIDTH // 2**stage for stage in range(len(STRIDES) + 1)]
        self.conv_pre = nn.Conv1d(LATENTS, WIDTH, 7, padding=3)
        self.ups, self.noise_convs, self.resblocks = (nn.ModuleList() for _ in range(3))
        for stage, (stride, taps) in enumerate(zip(STRIDES, KERNELS, strict=True)):
            before, after = widths[stage : stage + 2]
            up = nn.ConvTranspose1d(before, after, taps, stride, padding=(taps - stride) // 2)
            self.ups.append(up)
            down = int(np.prod(STRIDES[stage + 1 :]))
            side = nn.Conv1d(1, after, 1)
            if down > 1:
                side = nn.Conv1d(1, after, 2 * down, down, padding=down // 2)
            self.noise_convs.append(side)
            self.resblocks.extend(Block(after, each) for each in BLOCKS)
        self.conv_post = nn.Conv1d(widths[-1], 1, 7, padding=3, bias=False)
        self.l_linear = nn.Linear(1, 1)  # of the harmonic source; its sine is silent here

    def source(self):
        return torch.tanh(self.l_linear.bias).double()

    def forward(self, z, source):
        x = self.conv_pre(z)
        for stage, up in enumerate(self.ups):
            x = up(functional.leaky_relu(x, 0.1)) + self.noise_convs[stage](source)
            first = len(BLOCKS) * stage
            blocks = self.resblocks[first : first + len(BLOCKS)]
            x = sum(each(x) for each in blocks) / len(BLOCKS)
        return torch.tanh(self.conv_post(functional.leaky_relu(x, 0.01)))


@pytest.fixture(scope="module")
def graph():
    return upsim.from_config(SMALL)


def test_the_graph_makes_what_the_modules_make(graph):
    torch.manual_seed(0)
    module, drawn = Rvc().double(), graph.draw(0)
    weights = {
        f"{node.name.removeprefix('dec.')}.{part}": torch.from_numpy(array.copy())
        for node in drawn.nodes
        for part, array in (
            ("weight", getattr(node.layer, "weight_array", lambda: None)()),
            ("bias", getattr(node.layer, "bias_array", lambda: None)()),
        )
        if array is not None
    }
    missing, unknown = module.load_state_dict(weights, strict=False)
    assert set(missing) == {"l_linear.weight", "l_linear.bias"}
    assert not unknown
    generator = np.random.default_rng(0)
    z, source = generator.standard_normal((LATENTS, 12)), generator.standard_normal((1, 12 * HOP))
    with torch.no_grad():
        theirs = module(torch.from_numpy(z)[None], torch.from_numpy(source)[None])[0].numpy()
    values = run_graph(drawn, [z[None], source[None]])
    scale = max(float(np.abs(each).max()) for each in values)
    within = probable(len(drawn.nodes) * WIDTH * 8, WIDTH * 8 * scale)
    assert np.abs(values[drawn.end][0] - theirs).max() <= within


def expected(graph, source=0.0):
    """Return the expected power of the line of stage 2 with silent latents."""
    feeds = {"z": upsim.Silence(), "source": upsim.Constant(source)}
    lines = upsim.predict(graph, feeds, provenance=False).tones
    place = graph.sample_rate / SECOND
    return next(float(each.power[0]) for each in lines if each.frequency == place)


def without_biases(graph):
    nodes = [
        (name, replace(layer, bias=False) if "noise_convs" in name else layer, reads)
        for name, layer, reads in graph.parts
    ]
    return graph.replace(nodes=nodes)


def measured(module, source):
    """Return the power of that line in the steady state of a module."""
    frames = 40
    z = torch.zeros(1, LATENTS, frames).double()
    with torch.no_grad():
        made = module(z, source * torch.ones(1, 1, frames * HOP).double())[0, 0].numpy()
    middle = frames // 2 * HOP
    period = made[middle : middle + HOP]
    scale = float(np.abs(made).max())
    assert np.abs(period - made[middle + HOP : middle + 2 * HOP]).max() <= probable(10**5, scale)
    # A line strictly between 0 and half the rate is counted with its mirror image.
    return 2 * abs(np.fft.fft(period)[HOP // SECOND] / HOP) ** 2


SEEDS = 300


@pytest.fixture(scope="module")
def powers():
    """Return the line's power of many drawn modules: without the biases, with them, with offset."""
    found = []
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        module = Rvc().double()
        with_offset, silent = measured(module, module.source()), measured(module, 0.0)
        with torch.no_grad():
            for each in module.noise_convs:
                each.bias.zero_()
        found.append((measured(module, 0.0), silent, with_offset))
    return np.array(found)


# The bias of l_linear is uniform in (-1, 1): the mean square of its tanh is 1 - tanh(1).
OFFSET = np.sqrt(1 - np.tanh(1.0))


def test_the_expected_powers_are_the_means_of_drawn_modules(graph, powers):
    wanted = [expected(without_biases(graph)), expected(graph), expected(graph, OFFSET)]
    means, errors = powers.mean(axis=0), powers.std(axis=0, ddof=1) / np.sqrt(SEEDS)
    assert np.all(np.abs(means - wanted) <= 4 * errors)


def test_the_branch_raises_the_comb_in_nearly_every_network(powers):
    """A sign test: of 300 networks 150 +- 8.7 would rise by chance; six deviations are 202."""
    plain, biased, offset = powers.T
    by_chance = SEEDS / 2 + 6 * np.sqrt(SEEDS) / 2
    assert np.count_nonzero(biased > plain) > by_chance
    assert np.count_nonzero(offset > biased) > by_chance


def test_at_full_size_the_biases_raise_it_and_the_source_s_own_offset_more():
    full = upsim.from_config(RVC_40K)
    place = 1000
    assert upsim.explain(full, place).layer == "dec.ups.1"

    def level(graph, source=0.0):
        feeds = {"z": upsim.Silence(), "source": upsim.Constant(source)}
        lines = upsim.predict(graph, feeds, provenance=False).tones
        return next(10 * np.log10(each.power[0]) for each in lines if each.frequency == place)

    plain = level(without_biases(full))
    assert plain < level(full) < level(full, OFFSET)
