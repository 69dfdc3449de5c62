"""Stack files: every layer there and back, the published schema, and what is no stack."""

import copy
import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import upsim
from upsim import models
from upsim.errors import (
    ArgumentError,
    FileFormatError,
    OutputExistsError,
    TooLargeError,
    UnknownNameError,
    UpsimError,
)
from upsim.files.signalfile import signal_from_dict, signal_to_dict
from upsim.files.stackfile import (
    stack_from_dict,
    stack_to_dict,
)
from upsim.files.stackschema import schema
from upsim.layers import (
    CATALOGUE,
    ELU,
    GELU,
    GLU,
    PQMF,
    BatchNorm,
    Bias,
    Clamp,
    Conv,
    Crop,
    Cubic,
    Decimate,
    Gate,
    GroupNorm,
    HaarSynthesis,
    Hold,
    InstanceNorm,
    InverseSTFT,
    LayerNorm,
    LazyWaveletSynthesis,
    LeakyReLU,
    LearnedInterpolation,
    Linear,
    Nearest,
    Opaque,
    Pad,
    Parallel,
    PeriodicShuffle,
    Pointwise,
    PReLU,
    ReLU,
    Resample,
    Residual,
    Scale,
    Select,
    Sigmoid,
    SiLU,
    Sin,
    Slice,
    Snake,
    SnakeBeta,
    Softmax,
    Softplus,
    Stretch,
    SubpixelConv,
    Tanh,
    TransposedConv,
    WeightNorm,
    WindowedSinc,
)
from upsim.layers.interpolation import Interpolator

SCHEMA = Path(upsim.__file__).with_name("files") / "stack.schema.json"

# One example a layer, with arguments that differ from the defaults where there are any.
EXAMPLES = [
    Conv(2, 4, 3, 2, 1, 2, 2, bias=[1.0, 2.0, 3.0, 4.0], padding_mode="reflect", weight="keras"),
    TransposedConv(2, 2, 4, 2, 1, 1, 2, bias=False, weight=np.arange(8.0).reshape(2, 1, 4)),
    Stretch(3),
    Nearest(2),
    Linear(3, "triangle"),
    Cubic(2, a=-0.5),
    WindowedSinc(2, zeros=8, rolloff=0.9, window="blackman"),
    Resample(2, 3, zeros=6, rolloff=0.99),
    Resample(3, 2, "scipy", window=("kaiser", 8.0), padtype="edge"),
    Resample(3, 2, "scipy", window=[0.5, 1.0, 0.5]),
    Resample(
        44100,
        48000,
        "torchaudio",
        lowpass_filter_width=16,
        rolloff=0.9,
        resampling_method="sinc_interp_kaiser",
        beta=8.5,
    ),
    Resample(2, 1, "bigvgan", kernel_size=8),
    LearnedInterpolation(2, weight=[0.0, 1.0]),
    SubpixelConv(2, 2, 3, 2, padding="same", order="tensorflow", weight=upsim.Normal(0.5)),
    PeriodicShuffle(2, order="tensorflow"),
    HaarSynthesis(),
    LazyWaveletSynthesis(),
    PQMF(2, 16, 0.25, 6.0),
    InverseSTFT(2, 1, 2, [0.5, 1.0], center=False, normalized=True, trim=1),
    Bias([1.0, -1.0]),
    Hold(2, order=2),
    Scale([2.0, -0.5], bias=0.25),
    Select([1, 0, 1]),
    Crop(1, -2),
    Pad(1, 2, "replicate"),
    Decimate(2, 1),
    Slice(1, None, 2),
    Slice(None, -3),
    Residual(Conv(2, 2, 3, padding=1), ReLU(), skip=Bias(1.0)),
    Parallel(Nearest(2), (Stretch(2), Hold(2)), merge="mean"),
    ReLU(),
    LeakyReLU(0.2),
    PReLU(2, weight=[0.1, 0.2]),
    Clamp(-1.0, 2.0),
    Sin(2.0, [1.0, 2.0], 0.5),
    ELU(0.5),
    GELU("tanh"),
    Tanh(),
    Sigmoid(),
    SiLU(),
    Softplus(2.0, 10.0),
    GLU(),
    Gate(Tanh(), Clamp(0.0, 1.0)),
    Gate(),
    Softmax(),
    Pointwise([("multiply", "x", [0.5, 2.0]), ("sin", "s0"), ("square", "s1"), ("add", "x", "s2")]),
    Pointwise([("tanh", "x0"), ("add", "s0", "x1"), ("sin", "s1"), ("multiply", "s2", "x0")]),
    Snake([1.0, 2.0]),
    SnakeBeta(2.0, 3.0),
    BatchNorm(2, 1e-3, running_mean=[0.5, 1.5], running_var=[1.0, 2.0]),
    GroupNorm(2, 2, weight=[0.5, 1.5]),
    InstanceNorm(2, affine=True),
    LayerNorm(2, elementwise_affine=False),
    Opaque("LSTM", 4, Fraction(1, 2), reason="it has a state"),
    WeightNorm(TransposedConv(2, 2, 4, 2, bias=False, weight="normal"), gain=[1.0, 2.0]),
]


def of(layer):
    channels = layer.channels_in or 2
    return upsim.Stack([layer], Fraction(44100, 7), in_channels=channels, name="one")


def test_there_is_an_example_of_every_layer():
    assert {type(layer).__name__ for layer in EXAMPLES} == set(CATALOGUE)


def test_the_published_schema_is_that_of_the_code():
    assert SCHEMA.read_text(encoding="utf-8") == json.dumps(schema(), indent=1) + "\n"
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("layer", EXAMPLES, ids=lambda layer: type(layer).__name__)
@pytest.mark.parametrize("drawn", [False, True])
def test_every_layer_goes_there_and_back_and_is_valid(tmp_path, layer, drawn):
    stack = of(layer).draw(0) if drawn else of(layer)
    upsim.save_stack(stack, tmp_path / "stack.json")
    text = (tmp_path / "stack.json").read_text(encoding="utf-8")
    jsonschema.validate(json.loads(text), schema())
    assert upsim.load_stack(tmp_path / "stack.json") == stack


@pytest.mark.parametrize("name", models.NAMES)
def test_every_model_is_valid_and_comes_back(name):
    stack = models.build(name)
    content = json.loads(json.dumps(stack_to_dict(stack)))
    jsonschema.validate(content, schema())
    assert stack_from_dict(content) == stack


def test_both_names_of_glorot_are_read_and_one_is_written():
    stacks = [of(TransposedConv(2, 2, 4, 2, weight=name)) for name in ("keras", "glorot")]
    written = [stack_to_dict(stack) for stack in stacks]
    assert written[0] == written[1]
    assert written[0]["layers"][0]["weight"] == "keras"
    written[0]["layers"][0]["weight"] = "glorot"
    jsonschema.validate(written[0], schema())
    assert stack_from_dict(written[0]) == stacks[0]


def test_large_arrays_are_exact_to_the_bit(tmp_path):
    weight = np.random.default_rng(0).standard_normal((1, 1, 100))
    stack = upsim.Stack([Conv(1, 1, 100, bias=False, weight=weight)], 16000)
    upsim.save_stack(stack, tmp_path / "stack.json")
    assert "base64" in (tmp_path / "stack.json").read_text(encoding="utf-8")
    assert np.array_equal(upsim.load_stack(tmp_path / "stack.json")[0].weight, weight)


GOOD = stack_to_dict(upsim.Stack([TransposedConv(1, 1, 4, 2), ReLU()], 16000, name="good"))

# A path into a good stack, what to put there, and whether a schema can know that it is wrong.
CHANGES = [
    (("format",), "onnx", True),
    (("version",), 2, True),
    (("version",), "1", True),
    (("sample_rate",), 0, True),
    (("sample_rate",), -1, True),
    (("sample_rate",), None, True),
    (("sample_rate",), "fast", False),
    (("in_channels",), 0, True),
    (("in_channels",), 2, False),
    (("name",), 7, True),
    (("colour",), "red", True),
    (("layers",), {}, True),
    (("layers", 0), 7, True),
    (("layers", 0, "type"), "Warp", True),
    (("layers", 0, "type"), 7, True),
    (("layers", 0, "speed"), 3, True),
    (("layers", 0, "stride"), 2.5, True),
    (("layers", 0, "stride"), "two", True),
    (("layers", 0, "stride"), 0, False),
    (("layers", 0, "weight"), "magic", True),
    (("layers", 0, "weight"), {"normal": -1.0}, True),
    (("layers", 0, "weight"), {"shape": [1, 1, 4]}, True),
    (("layers", 0, "weight"), {"shape": [1, 1, 4], "base64": "?"}, False),
    (("layers", 0, "weight"), {"shape": [1, 1, 4], "base64": "AAAAAAAA8D8="}, False),
    (("layers", 0, "weight"), [[1.0]], False),
    (("layers", 0, "weight"), [[[1.0, 2.0, 3.0, float("inf")]]], False),
]


@pytest.mark.parametrize(("path", "value", "known_to_the_schema"), CHANGES)
def test_broken_content_is_refused_by_the_reader_and_the_schema(path, value, known_to_the_schema):
    content = copy.deepcopy(GOOD)
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(UpsimError):
        stack_from_dict(content)
    valid = jsonschema.Draft202012Validator(schema()).is_valid(content)
    assert valid != known_to_the_schema


@pytest.mark.parametrize("key", ["format", "version", "sample_rate", "layers"])
def test_what_is_missing_is_missed(key):
    content = {name: value for name, value in GOOD.items() if name != key}
    with pytest.raises(FileFormatError):
        stack_from_dict(content)
    assert not jsonschema.Draft202012Validator(schema()).is_valid(content)


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (16000, 16000),
        ("16000", 16000),
        ("44100/7", Fraction(44100, 7)),
        ("5512.5", Fraction(11025, 2)),
    ],
)
def test_rates_are_exact(rate, expected):
    assert stack_from_dict(GOOD | {"sample_rate": rate}).sample_rate == expected


@pytest.mark.parametrize("rate", ["1e9", "1e999999999", "1/0", "", "16 kHz", "-5", "1" * 25, "nan"])
def test_rates_that_are_none(rate):
    with pytest.raises(UpsimError):
        stack_from_dict(GOOD | {"sample_rate": rate})


def test_errors_name_the_file_the_place_and_the_kind(tmp_path):
    content = copy.deepcopy(GOOD)
    content["layers"][1] = {"type": "Residual", "layers": [{"type": "Nearest", "factor": 0}]}
    path = tmp_path / "own.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ArgumentError) as caught:
        upsim.load_stack(path)
    assert str(caught.value) == (
        "factor must be a positive whole number. "
        f"given: factor=0, Nearest, part 1, layer 2 of 2, {path}. "
        "expected: an int >= 1. fix: factor=1"
    )


def test_an_existing_file_is_kept(tmp_path):
    path = tmp_path / "stack.json"
    path.write_text("mine")
    with pytest.raises(OutputExistsError, match="exists and is kept"):
        upsim.save_stack(of(Nearest(2)), path)
    assert path.read_text() == "mine"
    upsim.save_stack(of(Nearest(2)), path, overwrite=True)
    assert upsim.load_stack(path) == of(Nearest(2))


def test_a_file_that_cannot_be_written(tmp_path):
    with pytest.raises(ArgumentError, match="cannot be written"):
        upsim.save_stack(of(Nearest(2)), tmp_path / "nowhere" / "stack.json")


def test_a_large_file_is_refused_by_its_size_alone(tmp_path, monkeypatch):
    path = tmp_path / "stack.json"
    with path.open("wb") as file:
        file.truncate(2 * 2**30)

    def unread(*_, **__):
        raise AssertionError("the file was read")

    monkeypatch.setattr(Path, "read_text", unread)
    with pytest.raises(TooLargeError, match="too large") as caught:
        upsim.load_stack(path)
    assert caught.value.given.startswith("2048 MiB")


def test_layers_from_outside_the_catalogue_are_not_written():
    @dataclass(frozen=True, eq=False, repr=False)
    class Own(Interpolator):
        factor: int

        def kernel(self):
            return (1.0,) * self.factor, 0

    with pytest.raises(UnknownNameError, match="only layers of the catalogue"):
        stack_to_dict(upsim.Stack([Own(2)], 16000))


SIGNALS = [
    upsim.Silence(),
    upsim.Constant([1.0, 2.0]),
    upsim.WhiteNoise(2.0),
    upsim.Sine(Fraction(1, 3), 2.0, 0.5),
    upsim.Density([0.0, 100.0], [1.0, 0.0]),
    upsim.Recorded(np.arange(100.0), 8000),
    upsim.Constant(1.0) + upsim.WhiteNoise(),
]


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: type(signal).__name__)
def test_signals_go_there_and_back(signal):
    assert signal_from_dict(json.loads(json.dumps(signal_to_dict(signal)))) == signal


@pytest.mark.parametrize(
    "content", [7, {}, {"type": 7}, {"type": "Whistle"}, {"type": "Constant", "loud": 1}]
)
def test_signals_that_are_none(content):
    with pytest.raises(UpsimError):
        signal_from_dict(content)
