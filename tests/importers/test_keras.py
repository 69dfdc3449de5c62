"""Keras models against Keras' own output, on the torch backend."""

import itertools
import os
import sys
import warnings

import numpy as np
import pytest

import upsim
from upsim import neural
from upsim.errors import (
    ArgumentError,
    ArgumentTypeError,
    MissingDependencyError,
    NotPredictableError,
    UpsimError,
)
from upsim.importers import keras_layers
from upsim.layers import Conv, Linear, Pad, PeriodicShuffle, Scale, TransposedConv
from upsim.neural.run import run_graph
from upsim.words.tolerance import rounding

pytest.importorskip("torch", reason="Keras runs on torch here")
os.environ.setdefault("KERAS_BACKEND", "torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    keras = pytest.importorskip("keras", reason="needs Keras 3: pip install upsim[keras]")
layers = keras.layers

pytestmark = [
    pytest.mark.torch,
    # Keras says that same-padded transposed convolutions differ between its backends.
    pytest.mark.filterwarnings("ignore"),
]


@keras.saving.register_keras_serializable("upsim_tests")
class Subpixel1D(keras.Layer):
    """(batch, T, r C) to (batch, r T, C): channel i C + c becomes channel c at phase i."""

    def __init__(self, r, *, interleaved=False, **fields):
        super().__init__(**fields)
        self.r, self.interleaved = r, interleaved

    def call(self, inputs):
        ops, (_, _, channels) = keras.ops, inputs.shape
        time = ops.shape(inputs)[1]
        own = channels // self.r
        if self.interleaved:
            split = ops.transpose(ops.reshape(inputs, (-1, time, own, self.r)), (0, 1, 3, 2))
        else:
            split = ops.reshape(inputs, (-1, time, self.r, own))
        return ops.reshape(split, (-1, time * self.r, own))

    def compute_output_shape(self, shape):
        time = None if shape[1] is None else shape[1] * self.r
        return (shape[0], time, shape[2] // self.r)


class Wrong(keras.Layer):
    """The plain reshape that is no shuffle: time runs within a channel."""

    def call(self, inputs):
        _, time, channels = inputs.shape
        swapped = keras.ops.transpose(inputs, (0, 2, 1))
        return keras.ops.reshape(swapped, (-1, 2 * time, channels // 2))


def drawn(model, seed=0):
    """Give every weight a value of its own, moving variances a positive one."""
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        value = generator.uniform(0.1, 1.0, weight.shape) * generator.choice([1.0, -1.0])
        weight.assign(np.abs(value) if "variance" in weight.path else value)
    return model


def chain(*parts, channels=3, time=None):
    return drawn(keras.Sequential([keras.Input((time, channels)), *parts]))


def agrees(model, graph, length, operations):
    """Return whether a graph makes what Keras makes, to the rounding of single precision."""
    generator = np.random.default_rng(1)
    counts = graph.input_lengths(length)
    fed = [
        generator.standard_normal((each.channels, count)).astype(np.float32)
        for each, count in zip(graph.inputs, counts, strict=True)
    ]
    samples = [each.T[None] for each in fed]
    own = model(samples[0] if len(samples) == 1 else samples, training=False)
    own = keras.ops.convert_to_numpy(own)[0].T
    batch = [each[None].astype(np.float64) for each in fed]
    values = run_graph(graph, batch) if len(fed) > 1 else None
    made = neural.run(graph, fed[0]) if values is None else values[graph.end][0]
    assert own.shape == made.shape
    # Weights are below 1, so the terms of a sum are bounded by what the graph makes of |x|.
    scale = float(np.abs(made).max()) * operations
    return np.abs(own - made).max() <= rounding(operations, scale, np.float32)


SINGLE = [
    layers.Conv1D(4, 5),
    layers.Conv1D(4, 5, padding="same"),
    layers.Conv1D(4, 4, padding="same", dilation_rate=3),
    layers.Conv1D(4, 4, padding="causal", dilation_rate=2, use_bias=False),
    layers.Conv1D(6, 3, groups=3),
    layers.Conv1D(4, 5, strides=2),
    layers.Conv1D(4, 5, strides=2, padding="causal"),
    layers.Conv1D(4, 5, strides=3, padding="same"),
    layers.Conv1D(4, 2, strides=3, padding="same"),
    layers.Conv1D(4, 3, activation="tanh"),
    layers.Dense(5, activation="leaky_relu"),
    layers.UpSampling1D(3),
    layers.ZeroPadding1D((2, 1)),
    layers.Cropping1D((1, 2)),
    layers.Activation("gelu"),
    layers.Activation("silu"),
    layers.Activation("softplus"),
    layers.Activation("elu"),
    layers.Activation("sigmoid"),
    layers.ReLU(),
    layers.ReLU(max_value=0.5),
    layers.ReLU(negative_slope=0.3),
    layers.LeakyReLU(negative_slope=0.2),
    layers.ELU(alpha=0.7),
    layers.PReLU(shared_axes=[1]),
    layers.PReLU(shared_axes=[1, 2]),
    layers.BatchNormalization(),
    layers.BatchNormalization(center=False, scale=False),
    layers.LayerNormalization(),
    layers.LayerNormalization(center=False, scale=False),
]


@pytest.mark.parametrize("number", range(len(SINGLE)), ids=lambda n: type(SINGLE[n]).__name__)
def test_each_layer_makes_what_keras_makes(number):
    layer = type(SINGLE[number]).from_config(SINGLE[number].get_config())
    model = chain(layer)
    graph = upsim.from_keras(model, sample_rate=8000)
    assert agrees(model, graph, 30, operations=64)
    assert layer.name in {node.name for node in graph.nodes}


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5, 6, 7, 16])
def test_transposed_convolutions(kernel_size, padding):
    """Versions and backends of Keras cut differently; each is asked by its own output."""
    seen = 0
    for stride, extra in itertools.product((1, 2, 3, 4, 5), (None, 0, 1)):
        try:
            layer = layers.Conv1DTranspose(
                2, kernel_size, strides=stride, padding=padding, output_padding=extra
            )
            model = chain(layer)
        except ValueError:
            continue  # newer versions of Keras refuse an output_padding beyond the stride
        try:
            model(np.zeros((1, 7, 3), np.float32))
        except ValueError:  # older versions cannot pad so far on torch
            with pytest.raises(ArgumentError, match=r"Keras itself cannot run this layer"):
                upsim.from_keras(model, sample_rate=8000)
            continue
        graph = upsim.from_keras(model, sample_rate=8000)
        assert agrees(model, graph, 11, operations=3 * kernel_size)
        seen += 1
    assert seen >= 5


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("kernel_size", [2, 3, 5])
def test_dilated_transposed_convolutions(kernel_size, padding):
    layer = layers.Conv1DTranspose(2, kernel_size, padding=padding, dilation_rate=2)
    model = chain(layer)
    graph = upsim.from_keras(model, sample_rate=8000)
    assert agrees(model, graph, 11, operations=3 * kernel_size)


ACTIVATIONS = [
    layers.ReLU(max_value=0.5),
    layers.LeakyReLU(negative_slope=0.2),
    layers.ELU(alpha=0.7),
    layers.PReLU(shared_axes=[1]),
    layers.Activation("silu"),
    keras.activations.tanh,
]


@pytest.mark.parametrize("number", range(len(ACTIVATIONS)))
def test_an_activation_may_be_a_layer_or_a_function(number):
    activation = ACTIVATIONS[number]
    model = chain(layers.Conv1DTranspose(4, 3, strides=2, activation=activation, name="up"))
    model(np.zeros((1, 7, 3), np.float32))  # the slopes of a PReLU are made by the first call
    graph = upsim.from_keras(drawn(model), sample_rate=8000)
    assert agrees(model, graph, 12, operations=9)
    name = activation.name if isinstance(activation, keras.Layer) else "tanh"
    assert f"up.{name}" in {node.name for node in graph.nodes}


@pytest.mark.parametrize(("interleaved", "order"), [(False, "tensorflow"), (True, "torch")])
def test_a_subpixel_layer_is_told_by_what_it_does(interleaved, order):
    model = chain(layers.Conv1D(6, 3), Subpixel1D(2, interleaved=interleaved, name="shuffle"))
    graph = upsim.from_keras(model, sample_rate=8000)
    assert graph.node("shuffle").layer == PeriodicShuffle(2, order)
    assert agrees(model, graph, 20, operations=9)


@pytest.mark.parametrize(
    ("layer", "time"),
    [
        (layers.Reshape((-1, 2), name="shuffle"), None),
        (layers.Reshape((14, 2), name="shuffle"), 7),
        (
            layers.Lambda(
                lambda x: keras.ops.reshape(x, (-1, 2 * keras.ops.shape(x)[1], 2)),
                output_shape=(None, 2),
                name="shuffle",
            ),
            None,
        ),
    ],
    ids=["Reshape", "Reshape of a fixed length", "Lambda"],
)
def test_a_lambda_or_a_reshape_may_be_a_shuffle(layer, time):
    model = chain(layer, channels=4, time=time)
    graph = upsim.from_keras(model, sample_rate=8000)
    assert graph.node("shuffle").layer == PeriodicShuffle(2, "tensorflow")
    assert agrees(model, graph, 7, operations=1)


def test_a_plain_reshape_is_no_subpixel_layer():
    with pytest.raises(NotPredictableError, match=r"a layer of your own, Wrong, is not read"):
        upsim.from_keras(chain(Wrong(), channels=4, time=8), sample_rate=8000)


def decoder():
    """Two inputs, a layer used twice, a model inside, arithmetic, every merging."""
    mel, pitch = keras.Input((None, 3), name="mel"), keras.Input((None, 1), name="pitch")
    shared = layers.Conv1D(4, 3, padding="same", name="shared")
    value = layers.Conv1D(4, 5, padding="same", activation="relu", name="conv_pre")(mel)
    value = shared(shared(value)) * 0.5 + 1.0
    up = keras.Sequential(
        [
            keras.Input((None, 4)),
            layers.Conv1DTranspose(4, 8, strides=4, padding="same", name="up"),
        ],
        name="stage",
    )
    source = layers.Conv1D(4, 8, padding="same", name="noise_conv")(pitch)
    value = layers.Add(name="sum")([up(value), source])
    value = layers.Dropout(0.5)(value)
    gated = layers.Multiply()([value, layers.Activation("sigmoid")(source)])
    parts = [value, layers.Average()([value, source]), layers.Subtract()([gated, value])]
    both = layers.Concatenate(name="both")(parts)
    return drawn(keras.Model([mel, pitch], layers.Conv1D(1, 7, name="conv_post")(both)))


class TestGraphs:
    def test_a_functional_model_agrees(self):
        model = decoder()
        graph = upsim.from_keras(model, sample_rate=16000)
        assert graph.input_rates == (4000, 16000)
        assert agrees(model, graph, 12, operations=7 * 12 * 8 * 4)

    def test_names_are_those_of_the_layers(self):
        names = [node.name for node in upsim.from_keras(decoder(), sample_rate=16000).nodes]
        wanted = ["conv_pre", "conv_pre.relu", "shared", "shared.2", "stage.up", "noise_conv"]
        assert [each for each in names if each in wanted] == wanted
        assert names[-1] == "conv_post"

    def test_the_line_of_the_stride_is_first_possible_at_its_layer(self):
        graph = upsim.from_keras(decoder(), sample_rate=16000)
        assert upsim.explain(graph, 4000).layer == "stage.up"

    def test_numbers_beside_values_are_layers(self):
        value = keras.Input((None, 2))
        model = keras.Model(value, (value * 2 - 3 + value / 4))
        graph = upsim.from_keras(model, sample_rate=8000)
        scales = {node.layer.scale for node in graph.nodes if isinstance(node.layer, Scale)}
        assert scales == {2.0, 0.25}
        assert agrees(model, graph, 8, operations=4)

    def test_numbers_may_be_keywords(self):
        value = keras.Input((None, 2))
        model = keras.Model(value, keras.ops.subtract(value, x2=3.0))
        assert agrees(model, upsim.from_keras(model, sample_rate=8000), 8, operations=1)

    def test_inputs_and_outputs_may_be_dictionaries(self):
        mel, pitch = keras.Input((None, 3), name="mel"), keras.Input((None, 1), name="pitch")
        up = layers.UpSampling1D(4)(mel)
        model = keras.Model({"pitch": pitch, "mel": mel}, {"audio": layers.Add()([up, pitch])})
        graph = upsim.from_keras(model, sample_rate=16000)
        assert dict(zip((each.name for each in graph.inputs), graph.input_rates, strict=True)) == {
            "mel": 4000,
            "pitch": 16000,
        }

    def test_skips_of_a_u_net_at_lengths_that_its_strides_divide(self):
        value = keras.Input((None, 4))
        down = layers.Conv1D(8, 4, strides=2, padding="same", activation="relu")(value)
        deep = layers.Conv1D(8, 4, strides=2, padding="same")(down)
        up = layers.Conv1DTranspose(8, 4, strides=2, padding="same")(deep)
        up = layers.UpSampling1D(2)(layers.Concatenate()([up, down]))
        model = keras.Model(value, layers.Add()([layers.Conv1D(4, 3, padding="same")(up), value]))
        graph = upsim.from_keras(drawn(model), sample_rate=8000)
        assert agrees(model, graph, 24, operations=16 + 32 + 32 + 48)

    def test_a_strided_same_convolution_is_said_to_need_whole_strides(self):
        graph = upsim.from_keras(
            chain(layers.Conv1D(2, 4, strides=3, padding="same")), sample_rate=8000
        )
        assert [type(node.layer) for node in graph.nodes] == [Pad, Conv]
        assert "multiples of the stride" in graph.notes[0]

    def test_kernels_are_read_in_torch_s_layout(self):
        kernel = np.arange(24.0).reshape(4, 2, 3)  # (taps, out, in)
        model = chain(layers.Conv1DTranspose(2, 4, strides=2, use_bias=False))
        model.layers[0].set_weights([kernel])
        layer = upsim.from_keras(model, sample_rate=8000).nodes[0].layer
        assert isinstance(layer, TransposedConv)
        for tap, out, into in itertools.product(range(4), range(2), range(3)):
            assert layer.weight[into, out, tap] == kernel[tap, out, into]


class TestRecurrentLayers:
    @pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
    def test_they_are_opaque_nodes_that_keras_runs(self, kind):
        layer = getattr(layers, kind)(4, return_sequences=True, name="state")
        model = chain(layer, layers.Conv1DTranspose(1, 4, strides=2, padding="same", name="up"))
        graph = upsim.from_keras(model, sample_rate=8000)
        assert graph.node("state").layer == upsim.Opaque(kind, 4, reason="it has a state")
        assert agrees(model, graph, 12, operations=3 * 4 * 12)
        assert upsim.explain(graph, 4000).layer == "up"

    def test_both_directions(self):
        layer = layers.Bidirectional(layers.LSTM(3, return_sequences=True), name="state")
        model = chain(layer)
        graph = upsim.from_keras(model, sample_rate=8000)
        assert graph.node("state").layer.channels == 6
        assert agrees(model, graph, 12, operations=3 * 4 * 12)


class Failing(keras.Layer):
    def call(self, inputs):
        if isinstance(inputs, keras.KerasTensor):
            return inputs
        raise RuntimeError("out of luck")

    def compute_output_shape(self, shape):
        return shape


def refused():
    value = keras.Input((None, 4))
    return [
        (chain(layers.Flatten(), time=8), r"Keras layer Flatten is not read.*flatten"),
        (chain(layers.Reshape((4, 6)), time=8), r"Keras layer Reshape is not read"),
        (
            chain(layers.Lambda(keras.ops.relu), time=8),
            r"Keras layer Lambda is not read.*lambda",
        ),
        (
            chain(layers.Conv1D(2, 3, activation=layers.Softmax())),
            r"the activation Softmax is not read",
        ),
        (
            chain(layers.Conv1D(2, 3, activation=layers.PReLU(shared_axes=[1]))),
            r"no weights yet. given: activation=PReLU.*fix: call the model once",
        ),
        (chain(layers.Conv1D(2, 3, dtype="float16")), r"less than single precision"),
        (chain(layers.Permute((2, 1)), time=8), r"Keras layer Permute is not read"),
        (chain(layers.LSTM(3), time=8), r"LSTM that returns its last state only"),
        (chain(layers.Activation("softmax")), r"the activation softmax is not read"),
        (chain(layers.Conv1D(2, 3, activation=lambda x: x)), r"the activation <lambda>"),
        (chain(layers.PReLU(), time=8), r"a PReLU with a slope for each moment"),
        (chain(layers.LayerNormalization(axis=1), time=8), r"over another axis is not read"),
        (chain(layers.ReLU(threshold=1.0)), r"another threshold is not read"),
        (chain(Failing(name="odd")), r"Failing failed when it was run.*out of luck.*odd"),
        (
            chain(layers.Conv1D(2, 3, data_format="channels_first"), time=8),
            r"channels stand first",
        ),
        (
            keras.Sequential(
                [keras.Input((3, None)), layers.Conv1D(2, 3, data_format="channels_first")]
            ),
            r"channels seem to stand first. given: shape \(None, 3, None\)",
        ),
        (keras.Sequential([layers.Conv1D(2, 3)]), r"the model has no graph of layers"),
        (keras.Model(value, [value, layers.ReLU()(value)]), r"several outputs"),
        (keras.Model(value, value), r"computes nothing"),
        (keras.Model(value, 1 - value), r"the operation Subtract is not read"),
        (keras.Model(value, keras.ops.sin(value)), r"the operation Sin is not read"),
        (keras.Sequential([keras.Input((8,)), layers.Dense(2)]), r"has not the axes"),
    ]


@pytest.mark.parametrize("number", range(22))
def test_what_cannot_be_read_is_refused_at_its_layer(number):
    model, message = refused()[number]
    with pytest.raises(UpsimError, match=message):
        upsim.from_keras(model, sample_rate=8000)


def test_a_state_that_stays_or_comes_out_is_refused():
    value = keras.Input(batch_shape=(1, None, 3))
    stateful = layers.LSTM(2, return_sequences=True, stateful=True)(value)
    with pytest.raises(NotPredictableError, match=r"another stateful"):
        upsim.from_keras(keras.Model(value, stateful), sample_rate=8000)
    made, *_ = layers.LSTM(2, return_sequences=True, return_state=True)(value)
    with pytest.raises(NotPredictableError, match=r"another return_state"):
        upsim.from_keras(keras.Model(value, made), sample_rate=8000)


@pytest.mark.parametrize("missing", ["keras", "tensorflow"])
def test_what_is_not_installed_is_named(missing, monkeypatch):
    """Keras without its backend is no missing Keras."""

    class Nothing:
        def find_spec(self, name, path=None, target=None):
            if name == "keras":
                raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setattr(sys, "meta_path", [Nothing(), *sys.meta_path])
    with pytest.raises(MissingDependencyError, match=rf"{missing} is not installed.*KERAS_BACKEND"):
        upsim.from_keras(3, sample_rate=8000)


def test_what_is_no_model_is_refused():
    with pytest.raises(ArgumentTypeError, match=r"needs a Keras model"):
        upsim.from_keras(3, sample_rate=8000)
    with pytest.raises(ArgumentTypeError, match=r"fix: keras.saving.load_model"):
        upsim.from_keras("model.keras", sample_rate=8000)


def test_a_graph_that_makes_something_else_is_never_returned(monkeypatch):
    monkeypatch.setitem(
        keras_layers.LAYERS, "UpSampling1D", lambda _layer, _read: [("", Linear(2))]
    )
    with pytest.raises(ArgumentError, match=r"does not make what the model makes"):
        upsim.from_keras(chain(layers.UpSampling1D(2)), sample_rate=8000)
    monkeypatch.setitem(
        keras_layers.LAYERS, "UpSampling1D", lambda _layer, _read: [("", Pad(1, 0))]
    )
    with pytest.raises(UpsimError, match=r"makes another length"):
        upsim.from_keras(chain(layers.UpSampling1D(2)), sample_rate=8000)


#: A wire, those of another reading of the axes, and what needs an argument.
NOT_ELEMENTWISE = {"linear", "softmax", "log_softmax", "sparsemax", "glu", "threshold"}
NAMES = sorted(
    name
    for name, function in vars(keras.activations).items()
    if callable(function) and not name.startswith("_") and name == getattr(function, "__name__", "")
    if name not in {"get", "serialize", "deserialize", *NOT_ELEMENTWISE}
)


@pytest.mark.parametrize("name", NAMES)
def test_every_activation_of_keras(name):
    model = keras.Sequential([layers.Input((None, 2)), layers.Activation(name)])
    graph = upsim.from_keras(model, sample_rate=8000)
    sizes = np.concatenate([[0.0], 10.0 ** np.linspace(-6, 1, 29)])
    samples = np.stack([sizes, -sizes])
    made = keras.ops.convert_to_numpy(model(samples.T[None].astype(np.float32)))[0].T
    got = upsim.predict(graph, upsim.Recorded(samples, 8000)).waveform
    size = 1 + np.abs(samples) + np.abs(made)
    assert np.all(np.abs(got - made) <= rounding(16, 1.0, np.float32) * size)
