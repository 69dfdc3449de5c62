"""ONNX files, and pickles, on the command line."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason='onnx is missing: pip install ".[onnx]"')

from tests.importers.onnx_models import model, node  # noqa: E402


@pytest.fixture
def voice(tmp_path):
    """Return the path of a model whose last part can be said."""
    rng = np.random.default_rng(1)
    nodes = [
        node("CumSum", ["x", "axis"], ["hidden"]),
        node("Conv", ["hidden", "w1", "b1"], ["a"], pads=[1, 1]),
        node("ConvTranspose", ["a", "w2"], strides=[4], pads=[2, 2]),
    ]
    tensors = {
        "axis": np.array(2),
        "w1": rng.normal(size=(3, 2, 3)),
        "b1": rng.normal(size=3),
        "w2": rng.normal(size=(3, 1, 8)),
    }
    path = tmp_path / "voice.onnx"
    path.write_bytes(model(nodes, (1, 2, None), tensors=tensors).SerializeToString())
    return path


def test_a_file_is_predicted_with_its_own_names(upsim_command, voice):
    told = upsim_command(
        "predict", voice, "--inputs", "hidden", "--sample-rate", "16 kHz", "-s", "silence"
    )
    assert told.code == 0
    assert "4 kHz" in told.out
    assert "/y/ConvTranspose (TransposedConv)" in told.out
    assert "note: voice.onnx" not in told.err
    chosen = upsim_command("predict", voice, "--sample-rate", 16000, "-s", "silence")
    assert "/y/ConvTranspose (TransposedConv)" in chosen.out
    assert "note: voice.onnx: a part of the model is taken: small from hidden to y" in chosen.err


def test_the_rate_of_a_second_input_is_typed(upsim_command, refused, tmp_path):
    rng = np.random.default_rng(3)
    nodes = [
        node("ConvTranspose", ["x", "w"], ["a"], strides=[4]),
        node("Conv", ["source", "v"], ["s"]),
        node("Add", ["a", "s"]),
    ]
    tensors = {"w": rng.normal(size=(2, 3, 4)), "v": rng.normal(size=(3, 1, 1))}
    proto = model(nodes, (1, 2, None), tensors=tensors)
    proto.graph.input.append(
        onnx.helper.make_tensor_value_info("source", onnx.TensorProto.DOUBLE, (1, 1, "N"))
    )
    path = tmp_path / "two.onnx"
    path.write_bytes(proto.SerializeToString())
    rate = ("--sample-rate", 16000, "-s", "silence")
    message = refused("predict", path, "--inputs", "x,source", *rate, what="do not go together")
    typed = message.rpartition("fix: ")[2].split()
    assert typed == ["--inputs", "x,source=4T"]
    whole = upsim_command("inspect", path, *typed, *rate[:2])
    assert whole.code == 0
    assert "4 kHz" in whole.out
    shapes = upsim_command("inspect", path, "--inputs", "x=1x2xT,source=1x1x4T", *rate[:2])
    assert shapes.out == whole.out
    assert upsim_command("inspect", path, *typed, "--follow", 16, *rate[:2]).out == whole.out
    for wrong in ("source=4", "x=", "x=1xQ", "x=1x2xTx"):
        typed = ("--inputs", f"{wrong},x")
        refused("predict", path, *typed, *rate, what="shape of a tensor", given=wrong)
    # Without the rate a part is taken, and what to type is said with it.
    part = upsim_command("predict", path, *rate)
    assert "--inputs x,source=4T" in part.err


def test_a_scale_that_makes_too_many_samples_is_refused_in_words(refused, tmp_path):
    for scale, what in ((1e9, "too many samples"), (-2.0, "makes no sense")):
        tensors = {"s": np.float32([1, 1, scale])}
        proto = model([node("Resize", ["x", "", "s"])], (1, 2, None), tensors=tensors)
        path = tmp_path / "scaled.onnx"
        path.write_bytes(proto.SerializeToString())
        rate = ("--sample-rate", 16000, "-s", "silence")
        message = refused("predict", path, "--inputs", "x", *rate, what=what)
        assert "/y/Resize" in message


def test_every_command_on_a_model_takes_a_file(upsim_command, voice):
    rate = ("--sample-rate", 16000)
    assert upsim_command("explain", voice, "--freq", "4kHz", *rate, "-s", "silence").code == 0
    assert "100 samples in, 400 out" in upsim_command("lengths", voice, "-n", 100, *rate).out
    assert upsim_command("verify", voice, *rate, "-s", "silence").code in (0, 3)
    part = upsim_command("cost", voice, *rate, "--outputs", "a")
    assert part.code == 0
    assert "/a/Conv" in part.out
    assert "ConvTranspose" not in part.out


def test_a_file_beside_another_model(upsim_command, voice):
    rate = ("--sample-rate", 16000)
    same = upsim_command("compare", voice, voice, *rate, "-s", "silence")
    assert same.code == 0
    assert "/y/ConvTranspose" in upsim_command("inspect", voice, *rate).out


def test_what_a_file_lacks_is_said(refused, voice):
    refused("predict", voice, what="sample rate of the output is not known", given="voice.onnx")
    refused(
        "predict", voice, "--sample-rate", 16000, "--inputs", "hiden",
        what="names a tensor that the model does not have", given="'hiden'",
    )  # fmt: skip
    refused("predict", "melgan", "--inputs", "x", what="only an ONNX file", given="--inputs")


@pytest.mark.parametrize("ending", ["pt", "pth", "ckpt", "pkl"])
def test_pickles_are_not_opened(refused, ending, tmp_path):
    path = tmp_path / f"model.{ending}"
    path.write_bytes(b"cos\nsystem\n(S'touch stolen'\ntR.")
    message = refused("predict", path, what="a pickle runs code")
    assert "from_torch" in message
    assert "onnx" in message
