"""The lines of an imported vocoder against onnxruntime's own steady state."""

from fractions import Fraction

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason='onnx is missing: pip install ".[onnx]"')
onnxruntime = pytest.importorskip("onnxruntime", reason="pip install onnxruntime")

import upsim  # noqa: E402
from tests.importers.onnx_models import imported, model, node  # noqa: E402
from upsim.words.tolerance import rounding  # noqa: E402

#: Input channels, then channels and stride of each upsampling.
CHANNELS, UPS = 6, ((8, 4), (4, 4), (2, 2))


def vocoder():
    """Return a small HiFi-GAN of single precision: upsamplings and residual blocks, tanh."""
    rng = np.random.default_rng(4)
    nodes, tensors = [], {}

    def weight(name, *shape):
        tensors[name] = (rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
        return name

    value, channels = "x", CHANNELS
    for stage, (out, stride) in enumerate(UPS):
        nodes += [
            node("LeakyRelu", [value], [f"{stage}a"], alpha=0.1),
            node(
                "ConvTranspose",
                [
                    f"{stage}a",
                    weight(f"{stage}w", channels, out, 2 * stride),
                    weight(f"{stage}v", out),
                ],
                [f"{stage}b"],
                strides=[stride],
                pads=[stride // 2, stride // 2],
            ),
            node("LeakyRelu", [f"{stage}b"], [f"{stage}c"], alpha=0.1),
            node(
                "Conv",
                [f"{stage}c", weight(f"{stage}u", out, out, 3), weight(f"{stage}t", out)],
                [f"{stage}d"],
                dilations=[3],
                pads=[3, 3],
            ),
            node("Add", [f"{stage}b", f"{stage}d"], [f"{stage}e"]),
        ]
        value, channels = f"{stage}e", out
    nodes += [
        node("Conv", [value, weight("post", 1, channels, 7)], ["z"], pads=[3, 3]),
        node("Tanh", ["z"]),
    ]
    kind = onnx.TensorProto.FLOAT
    return model(nodes, (1, CHANNELS, None), tensors=tensors, kind=kind)


@pytest.mark.parametrize("level", [0.0, 0.5])
def test_every_line_is_that_of_the_runtime(level, tmp_path):
    proto = vocoder()
    graph = imported(proto, tmp_path)
    signal = upsim.Constant(level) if level else upsim.Silence()
    prediction = upsim.predict(graph, signal)
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    held = np.full((1, CHANNELS, 64), level, np.float32)
    period = int(graph.rate)
    made = session.run(None, {"x": held})[0].reshape(-1, period).astype(np.float64)
    assert made.shape[0] == 64
    amplitudes = np.fft.fft(made[24:40].mean(axis=0)) / period
    # Single precision: some hundred roundings of numbers of the output's size.
    apart = rounding(256, float(np.max(np.abs(made))), np.float32)
    lines = {tone.fraction: tone.amplitude[0] for tone in prediction.tones}
    for number in range(period // 2 + 1):
        found = lines.get(Fraction(number, period), 0.0)
        assert abs(found - amplitudes[number]) <= apart
    # Silence holds nothing before the first bias, behind the first upsampling: strides 4 and 2 make
    # the lines.  A constant goes through all three.
    assert len(lines) == (1 + (4 * 4 * 2) // 2 if level else 1 + (4 * 2) // 2)


def test_verify_passes_on_an_imported_graph(tmp_path):
    report = upsim.verify(imported(vocoder(), tmp_path), upsim.Silence())
    assert report.passed
