"""``from_torch`` against the module itself, in double precision."""

import io
from dataclasses import dataclass

import numpy as np
import pytest

import upsim
from upsim.errors import (
    ArgumentError,
    ArgumentTypeError,
    NotPredictableError,
    ShapeError,
    UnknownNameError,
    UpsimError,
)
from upsim.words.tolerance import rounding

torch = pytest.importorskip("torch", reason='torch is missing: pip install ".[torch]"')
F = torch.nn.functional
nn = torch.nn

from tests.importers import torch_zoo as zoo  # noqa: E402 - needs torch
from upsim.importers import torch_module  # noqa: E402 - needs torch

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]

#: The axis of time, where it is not the last one.
AXES = {"channels-last": 1}


#: Statistics over a finite run hold its edges, so that it has no steady state to compare with.
LEVELLED = {"demucs"}


@pytest.fixture(params=list(zoo.ZOO))
def case(request):
    kind, shape = zoo.ZOO[request.param]
    return request.param, zoo.seeded(kind), shape


def graph_of(module, shape, **fields):
    return upsim.from_torch(module, sample_rate=16000, input=shape, **fields)


def test_the_graph_makes_what_the_module_makes_at_any_length(case):
    name, module, shape = case
    axis = AXES.get(name, len(shape) - 1)
    graph = graph_of(module, shape)
    step = 4 if name == "demucs" else 1
    for more in (0, 1, 7):
        size = zoo.longer(shape, axis, shape[axis] + more * step)
        samples = np.random.default_rng(more).standard_normal(size)
        want = zoo.made_by(module, samples)
        zoo.assert_same(graph, zoo.laid_flat(want, -1), zoo.laid_flat(samples, axis))


@pytest.mark.parametrize("name", [name for name in zoo.ZOO if name not in LEVELLED])
def test_lines_are_those_of_the_modules_steady_state(name):
    kind, shape = zoo.ZOO[name]
    module = zoo.seeded(kind)
    axis = AXES.get(name, len(shape) - 1)
    graph = graph_of(module, shape)
    period = graph.rate.numerator
    size = zoo.longer(shape, axis, 1024 * graph.rate.denominator)
    want = zoo.laid_flat(zoo.made_by(module, np.ones(size)), -1)[0]
    middle = want.shape[-1] // 2 // period * period
    lines = np.fft.rfft(want[:, middle : middle + period]) / period
    prediction = upsim.predict(graph, upsim.Constant(1.0))
    found = np.zeros_like(lines)
    for tone in prediction.tones:
        found[:, int(tone.fraction * period)] = tone.amplitude
    largest = max(1.0, float(np.abs(want).max()))
    assert np.abs(found - lines).max() <= rounding(4096, largest)


def test_names_are_module_paths():
    graph = graph_of(zoo.seeded(zoo.HiFiGAN), (1, 8, 12))
    names = {node.name: node.layer.called for node in graph.nodes}
    assert names["conv_pre"] == "Conv"
    assert names["ups.0"] == names["ups.1"] == "TransposedConv"
    assert {f"resblocks.{number}" for number in range(4)} <= set(names)
    assert [each.name for each in graph.inputs] == ["mel"]
    assert graph.name == "HiFiGAN"


def test_a_module_called_twice_has_two_names():
    graph = graph_of(zoo.seeded(zoo.Shared), (1, 4, 12))
    assert {"conv", "conv#2", "act", "act#2"} <= {node.name for node in graph.nodes}


def test_a_recurrent_layer_is_one_node_of_its_own_name():
    graph = graph_of(zoo.seeded(zoo.Recurrent), (1, 4, 12))
    assert graph.node("lstm").layer.called == "LSTM"


def test_a_chosen_module_is_one_node():
    graph = graph_of(zoo.seeded(zoo.HiFiGAN), (1, 8, 12), opaque=["conv_pre"])
    assert graph.node("conv_pre").layer.called in ("Conv1d", "ParametrizedConv1d")


PADDED = {
    "module": lambda: nn.Sequential(nn.Conv1d(2, 1, 5, padding=2, padding_mode="circular")),
    "function": lambda: Lambda(lambda module, x: F.pad(x, (3, 2), mode="circular")),
    "circular by hand": lambda: Lambda(
        lambda module, x: torch.cat([x[..., -3:], x, x[..., :2]], -1)
    ),
    "replicate by hand": lambda: Lambda(
        lambda module, x: torch.cat([x[..., :1].expand(-1, -1, 3), x, x[..., -1:]], -1)
    ),
    "reflect by hand": lambda: Lambda(
        lambda module, x: torch.cat([x[..., 1:3].flip(-1), x, x[..., -2:-1]], -1)
    ),
}


@pytest.mark.parametrize("name", list(PADDED))
def test_paddings_are_known_however_they_are_written(name):
    module = zoo.seeded(PADDED[name])
    graph = graph_of(module, (1, 2, 12))
    assert {node.layer.called for node in graph.nodes} <= {"Pad", "Conv"}
    for length in (3, 11, 40):
        samples = np.random.default_rng(length).standard_normal((1, 2, length))
        zoo.assert_same(graph, zoo.made_by(module, samples), samples)


def test_samples_beside_the_signal_that_are_no_padding_are_a_node():
    module = zoo.seeded(lambda: Lambda(lambda module, x: torch.cat([x[..., 5:7], x[..., 2:]], -1)))
    graph = graph_of(module, (1, 2, 12))
    assert "over all time" in {node.layer.called for node in graph.nodes}
    samples = np.random.default_rng(0).standard_normal((1, 2, 20))
    zoo.assert_same(graph, zoo.made_by(module, samples), samples)


# ---------------------------------------------------------------------- scripted modules


class Around(nn.Module):
    """A scripted module between modules of Python."""

    def __init__(self):
        super().__init__()
        self.pre = nn.Conv1d(2, 4, 3, padding=1)
        self.up = torch.jit.script(
            nn.Sequential(nn.ConvTranspose1d(4, 2, 8, 4, 2), nn.LeakyReLU(0.1))
        )

    def forward(self, x):
        return torch.tanh(self.up(self.pre(x)))


def loaded(module):
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(module), file)
    file.seek(0)
    return torch.jit.load(file)


SCRIPTED = {
    "script": torch.jit.script,
    "trace": lambda module: torch.jit.trace(module, torch.zeros(1, 2, 9)),
    "load": loaded,
    "inside": lambda module: Around(),
}


@pytest.mark.parametrize("name", list(SCRIPTED))
def test_scripted_modules_are_followed(name):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv1d(2, 4, 3), nn.Tanh(), nn.ConvTranspose1d(4, 1, 6, 3)).eval()
    scripted = SCRIPTED[name](module)
    graph = graph_of(scripted, (1, 2, 12))
    samples = np.random.default_rng(1).standard_normal((1, 2, 17))
    plain = scripted if name == "inside" else module
    want = zoo.made_by(plain.eval(), samples)
    zoo.assert_same(graph, want, samples)


def test_a_scripted_module_may_be_one_node_and_its_parts_may_not():
    module = zoo.seeded(Around)
    graph = graph_of(module, (1, 2, 12), opaque=["up"])
    assert graph.node("up").layer.called == "RecursiveScriptModule"
    with pytest.raises(ArgumentError, match="scripted"):
        graph_of(module, (1, 2, 12), opaque=["up.0"])
    with pytest.raises(ArgumentError, match="scripted"):
        graph_of(torch.jit.script(module.up), (1, 4, 12), opaque=["0"])


@pytest.mark.parametrize("kind", [nn.Tanh, lambda: nn.Conv1d(2, 4, 3)])
def test_a_frozen_module_is_refused(kind):
    frozen = torch.jit.freeze(torch.jit.script(kind().eval()))
    for module in (frozen, nn.Sequential(frozen)):
        with pytest.raises(ArgumentError, match=r"before torch\.jit\.freeze"):
            graph_of(module, (1, 2, 12))


# ---------------------------------------------------------------------- what is compared and noted


def test_an_activation_that_is_wrong_far_from_zero_is_found(monkeypatch):
    """The clamp of ReLU6 is at 6: the numbers of one draw of a few samples do not reach it."""
    original = torch_module._RULES.known["hardtanh"]

    def wrong(recorder, operation):
        operation.given["max_val"] = 8.0
        return original(recorder, operation)

    monkeypatch.setitem(torch_module._RULES.known, "hardtanh", wrong)
    with pytest.raises(NotPredictableError, match="RMS 30"):
        graph_of(nn.ReLU6().eval(), (1, 2, 12))


@dataclass
class Both:
    audio: object
    mel: object


@pytest.mark.parametrize(
    "pack",
    [lambda x, y: (x, y), lambda x, y: {"a": x, "b": y}, Both],
    ids=["tuple", "dict", "dataclass"],
)
def test_notes_say_which_lengths_were_compared_and_which_output_was_taken(pack):
    module = zoo.seeded(Lambda, lambda module, x: pack(2 * x, 3 * x))
    notes = graph_of(module, (1, 2, 12)).notes
    assert any("inputs of 12, 13, 14, 15 samples" in note for note in notes)
    assert any("output=" in note for note in notes)


# ---------------------------------------------------------------------- whose error it is


def test_an_error_of_our_own_is_not_blamed_on_the_module(monkeypatch):
    def wrong(*_):
        raise KeyError("a fault of ours")

    monkeypatch.setitem(torch_module._RULES.known, "tanh", wrong)
    for module in (nn.Tanh(), torch.jit.script(nn.Tanh()), zoo.seeded(Lambda, swallowing)):
        with pytest.raises(KeyError, match="a fault of ours"):
            graph_of(module.eval(), (1, 2, 12))


def swallowing(module, x):
    try:
        return torch.tanh(x)
    except KeyError:
        return x


def test_an_error_that_forward_catches_is_its_own_matter():
    def trying(module, x):
        try:
            return torch.cat([x, x[:, :1, :2]], 1)
        except RuntimeError:
            return 2 * x

    assert [node.layer.called for node in graph_of(Lambda(trying).eval(), (1, 2, 12)).nodes] == [
        "Conv",
        "Scale",
    ]


def test_anti_aliased_resizes():
    """A cubic one weighs the samples at its ends anew, which no layer does."""

    def resized(mode):
        def function(module, x):
            size = (1, 2 * x.shape[-1])
            return F.interpolate(x[:, :, None], size=size, mode=mode, antialias=True)[:, :, 0]

        return zoo.seeded(Lambda, function)

    module = resized("bilinear")
    graph = graph_of(module, (1, 2, 12))
    samples = np.random.default_rng(1).standard_normal((1, 2, 17))
    zoo.assert_same(graph, zoo.made_by(module, samples), samples)
    with pytest.raises(NotPredictableError, match="what the module does"):
        graph_of(resized("bicubic"), (1, 2, 12))


# ---------------------------------------------------------------------- inputs and outputs


def test_several_inputs_at_their_rates_and_a_speaker_as_a_tensor():
    module = zoo.seeded(zoo.Source)
    speaker = torch.randn(1, 3, 1)
    graph = graph_of(module, {"mel": (1, 4, 10), "f0": (1, 1, 40), "g": speaker})
    assert {each.name: each.channels for each in graph.inputs} == {"mel": 4, "f0": 1}
    assert [float(rate) for rate in graph.input_rates] == [4000.0, 16000.0]
    source = np.random.default_rng(1)
    mel, f0 = source.standard_normal((1, 4, 9)), source.standard_normal((1, 1, 36))
    want = zoo.made_by(module, mel, f0, speaker.double().numpy())
    zoo.assert_same(graph, want, mel, f0)
    same = graph_of(module, [(1, 4, 10), (1, 1, 40), speaker])
    assert [node.name for node in same.nodes] == [node.name for node in graph.nodes]


def test_arguments_that_forward_does_not_name():
    module = zoo.seeded(Lambda, lambda module, x: x)
    module.forward = lambda x, *more: x * more[0]
    gain = torch.randn(1, 2, 1)
    samples = np.random.default_rng(0).standard_normal((1, 2, 17))
    graph = graph_of(module, [(1, 2, 12), gain])
    zoo.assert_same(graph, samples * gain.double().numpy(), samples)


def test_noise_of_the_module_is_an_input_that_needs_no_signal():
    graph = graph_of(zoo.seeded(zoo.Noisy), (1, 4, 12))
    (noise,) = (each for each in graph.inputs if each.signal is not None)
    assert noise.signal == upsim.WhiteNoise(1.0)
    module = zoo.seeded(zoo.Noisy)
    weight = module.up.weight.detach().double().numpy()
    # DC of the sum over taps of each phase, and the gain's (1 + G).
    gain = np.eye(2) + module.gain.weight.detach().double().numpy()[..., 0]
    want = gain @ (weight.sum(axis=(0, 2)) / 2 + module.up.bias.detach().double().numpy())
    prediction = upsim.predict(graph, upsim.Constant(1.0))
    dc = next(tone for tone in prediction.tones if tone.frequency == 0)
    assert np.abs(dc.amplitude - want).max() <= rounding(64, 1.0 + np.abs(want).max())


@dataclass
class Record:
    loss: object
    audio: object


class Returning(nn.Module):
    def __init__(self, how):
        super().__init__()
        self.how = how
        self.up = nn.ConvTranspose1d(2, 1, 4, 2, 1)

    def forward(self, x):
        return self.how(self.up(x), x)


@pytest.mark.parametrize(
    ("how", "output"),
    [
        (lambda y, x: (y, x), None),
        (lambda y, x: [x, y], 1),
        (lambda y, x: {"audio": y, "x": x}, None),
        (lambda y, x: {"x": x, "audio": y}, "audio"),
        (lambda y, x: Record(None, y), None),
        (lambda y, x: Record(x, y), "audio"),
    ],
)
def test_the_first_tensor_is_the_output_or_the_one_that_is_named(how, output):
    graph = graph_of(zoo.seeded(Returning, how), (1, 2, 12), output=output)
    assert [node.name for node in graph.nodes] == ["up"]


# ---------------------------------------------------------------------- the module stays


def test_the_module_is_left_as_it_was():
    module = zoo.seeded(zoo.HiFiGAN).train()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    hooks = [len(each._forward_hooks) + len(each._forward_pre_hooks) for each in module.modules()]
    state = torch.random.get_rng_state()
    graph_of(module, (1, 8, 12))
    assert module.training
    assert all(value.dtype == torch.float32 for value in module.state_dict().values())
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    assert hooks == [
        len(each._forward_hooks) + len(each._forward_pre_hooks) for each in module.modules()
    ]
    assert torch.equal(state, torch.random.get_rng_state())
    assert torch.get_default_dtype() == torch.float32


def test_half_precision_weights_are_read_as_they_are():
    module = zoo.seeded(zoo.Shared).half()
    graph = graph_of(module, (1, 4, 12))
    weight = module.conv.weight.detach().double().numpy()
    assert np.array_equal(graph.node("conv").layer.weight_array(), weight)


# ---------------------------------------------------------------------- words for what cannot be


class Lambda(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.inner = nn.Conv1d(2, 2, 3, padding=1)
        self.function = function
        self.register_buffer("memory", torch.zeros(1, 2, 12))

    def forward(self, x):
        return self.function(self, self.inner(x))


def raising(module, x):
    raise ValueError("no such mel")


def through_numpy(module, x):
    return x * torch.from_numpy(np.abs(x.numpy()).max(keepdims=True))


def deciding(module, x):
    return x if x.abs().max() > 1 else 2 * x


def looping(module, x):
    total = x[..., :1]
    for step in range(1, x.shape[-1]):
        total = torch.cat([total, total[..., -1:] + x[..., step : step + 1]], -1)
    return total


def remembering(module, x):
    module.memory[..., :2] = x[..., :2]
    return x + module.memory.mean()


def clocked(module, x):
    return x * torch.linspace(0.0, 1.0, x.shape[-1])


def by_parity(module, x):
    return x if x.shape[-1] % 2 == 0 else 2 * x


def zeroed(module, x):
    y = x.clone()
    y[:, 0, ::2] = 0
    return y


REFUSED = {
    "raises": (raising, ArgumentError, "no such mel"),
    "numpy": (through_numpy, NotPredictableError, "something else than torch"),
    "decides": (deciding, NotPredictableError, "reads numbers out of the signal"),
    "loops": (looping, NotPredictableError, "other operations at another length"),
    "remembers": (remembering, NotPredictableError, "'memory'"),
    "parity": (by_parity, NotPredictableError, "other operations at another length"),
    "every second": (zeroed, NotPredictableError, "not the same along time"),
    "backwards": (lambda module, x: torch.flip(x, (-1,)), NotPredictableError, "along time"),
    "one length": (
        lambda module, x: x * torch.linspace(0.0, 1.0, 12),
        ArgumentError,
        "must match",
    ),
    "all through numpy": (
        lambda module, x: torch.from_numpy(2 * x.numpy()),
        NotPredictableError,
        "leaves torch",
    ),
    "clock": (clocked, NotPredictableError, "another one at another length"),
    "complex": (lambda module, x: torch.fft.rfft(x).real, NotPredictableError, "complex"),
    "nothing": (lambda module, x: None, ArgumentError, "no such tensor"),
    "text": (lambda module, x: "y", ArgumentError, "no such tensor"),
    "constant": (lambda module, x: torch.ones(1, 2, 5), ArgumentError, "does not depend"),
    "timeless": (lambda module, x: x.mean(-1), ShapeError, "no signal"),
    "whole numbers": (lambda module, x: (x > 0).long(), ArgumentError, "no signal"),
    "dropout": (lambda module, x: F.dropout(x, 0.5), NotPredictableError, "random"),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_cannot_be_followed_is_refused_by_name(name):
    function, kind, words = REFUSED[name]
    module = zoo.seeded(Lambda, function)
    with pytest.raises(kind, match=words):
        graph_of(module, (1, 2, 12))


@pytest.mark.parametrize("name", ["backwards", "one length"])
def test_channels_are_never_taken_as_time_of_a_tensor(name):
    function, kind, words = REFUSED[name]
    with pytest.raises(kind, match=words):
        graph_of(zoo.seeded(Lambda, function), torch.randn(1, 2, 12))


def test_a_kernel_over_two_axes_is_refused_and_one_row_is_not():
    module = zoo.seeded(nn.Conv2d, 1, 2, 3, padding=1)
    with pytest.raises(NotPredictableError, match="spans two axes"):
        graph_of(module, (1, 1, 8, 12))
    samples = np.random.default_rng(0).standard_normal((1, 1, 1, 17))
    graph = graph_of(module, (1, 1, 1, 12))
    zoo.assert_same(graph, zoo.laid_flat(zoo.made_by(module, samples), -1), samples[:, 0])
    assert [node.layer.called for node in graph.nodes] == ["Conv"]


def test_one_row_of_a_transposed_kernel():
    module = zoo.seeded(nn.ConvTranspose2d, 1, 2, 4, (1, 2), (1, 1))
    wide = zoo.seeded(nn.ConvTranspose2d, 2, 3, (3, 4), (1, 2), (1, 1))
    samples = np.random.default_rng(0).standard_normal((1, 2, 1, 17))
    graph = graph_of(wide, (1, 2, 1, 12))
    zoo.assert_same(graph, zoo.laid_flat(zoo.made_by(wide, samples), -1), samples[:, :, 0])
    with pytest.raises(NotPredictableError, match="spans two axes"):
        graph_of(module, (1, 1, 1, 12))  # it makes two rows


class WholeStrides(nn.Module):
    """Pads to whole strides, and cuts to the length that it was given."""

    def __init__(self):
        super().__init__()
        self.down, self.up = nn.Conv1d(2, 3, 4, 4), nn.ConvTranspose1d(3, 2, 4, 4)

    def forward(self, x):
        size = x.shape[-1]
        y = F.pad(x, (-size % 4, 0))
        return self.up(torch.relu(self.down(y)))[..., :size]


def test_a_module_that_pads_to_whole_strides_has_a_note():
    module = zoo.seeded(WholeStrides)
    graph = graph_of(module, (1, 2, 64))
    assert any("64 and every 4 samples more" in note for note in graph.notes)
    samples = np.random.default_rng(0).standard_normal((1, 2, 100))
    zoo.assert_same(graph, zoo.made_by(module, samples), samples)


def test_an_error_inside_a_module_has_its_path():
    module = nn.Sequential(nn.Conv1d(2, 2, 1), zoo.seeded(Lambda, deciding))
    with pytest.raises(NotPredictableError) as caught:
        graph_of(module.eval(), (1, 2, 12))
    assert "1" in caught.value.where.split(", ")


def test_training_mode_is_refused_only_where_it_matters():
    module = nn.Sequential(nn.Conv1d(2, 2, 1), nn.Dropout(0.5))
    with pytest.raises(ArgumentError, match="training mode"):
        graph_of(module.train(), (1, 2, 12))
    assert graph_of(module.eval(), (1, 2, 12)).out_channels == 2
    assert graph_of(zoo.seeded(zoo.Shared).train(), (1, 4, 12)).out_channels == 2


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (None, ArgumentTypeError),
        ("mel", ArgumentTypeError),
        ((), ArgumentTypeError),
        ((2, 4, 12), ShapeError),
        ((12,), ShapeError),
        ((1, 4, 0), ArgumentError),
        ((1, 5, 12), ArgumentError),
        ((1, 4, 10**12), UpsimError),
        (torch.zeros(1, 4, 12, dtype=torch.complex64), ArgumentTypeError),
        (torch.full((1, 4, 12), torch.nan), ArgumentError),
        (torch.zeros(1, 4, 12, dtype=torch.long), ArgumentError),
        ({"mel": (1, 4, 12)}, UnknownNameError),
    ],
)
def test_wrong_inputs_are_refused(given, kind):
    with pytest.raises(kind):
        graph_of(zoo.seeded(zoo.Shared), given)


@pytest.mark.parametrize("module", [None, nn.Conv1d, {"conv.weight": torch.ones(1)}, "model.pt"])
def test_what_is_no_module_is_refused(module):
    with pytest.raises(ArgumentTypeError):
        graph_of(module, (1, 4, 12))


def test_weights_without_numbers_are_refused():
    with torch.device("meta"):
        module = nn.Conv1d(2, 2, 1)
    for each in (module, nn.LazyConv1d(2, 1)):
        with pytest.raises(ArgumentError, match="no numbers"):
            graph_of(each.eval(), (1, 2, 12))


def test_an_unknown_path_is_refused():
    with pytest.raises(UnknownNameError, match="lstm"):
        graph_of(zoo.seeded(zoo.Recurrent), (1, 4, 12), opaque=["lstn"])
