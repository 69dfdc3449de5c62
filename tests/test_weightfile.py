"""Weights in a file beside the JSON file: nothing is lost, and nothing is believed."""

import json
import os
import struct
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import upsim
from upsim.errors import (
    ArgumentError,
    FileFormatError,
    MissingDependencyError,
    OutputExistsError,
    ShapeError,
    TooLargeError,
)
from upsim.testing.strategies import stacks

safetensors = pytest.importorskip("safetensors", reason="weights in a file of their own need it")
from safetensors.numpy import load_file, save_file  # noqa: E402 - only where it is installed

GRAPH = upsim.Graph(
    [
        ("up", upsim.TransposedConv(8, 8, 16, stride=8, padding=4), "mel"),
        ("block", upsim.Residual(upsim.LeakyReLU(0.1), upsim.Conv(8, 8, 3, padding=1)), "up"),
        ("normed", upsim.WeightNorm(upsim.Conv(8, 1, 7, padding=3)), "block"),
    ],
    inputs={"mel": 8},
    sample_rate=16000,
).draw(0)


def saved(folder, network=GRAPH, **options):
    path = folder / "model.json"
    upsim.save_stack(network, path, weights="model.safetensors", **options)
    return path


class TestRoundTrip:
    def test_a_graph(self, tmp_path):
        path = saved(tmp_path)
        assert upsim.load_stack(path) == GRAPH
        # Whoever else reads the format finds each array under its node and field.
        found = load_file(tmp_path / "model.safetensors")
        assert np.array_equal(found["up.weight"], GRAPH.parts[0].layer.weight)
        assert "block.layers.2.weight" in found
        assert "normed.layer.weight" in found
        content = json.loads(path.read_text())
        assert content["weights"] == "model.safetensors"
        assert content["nodes"][0]["layer"]["weight"] == {"tensor": "up.weight"}

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(stacks(linear=False))
    def test_any_stack(self, tmp_path, stack):
        for each in (stack, stack.draw(0)):
            assert upsim.load_stack(saved(tmp_path, each, overwrite=True)) == each

    def test_no_file_is_left_beside(self, tmp_path):
        saved(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "model.json", "model.safetensors",
        ]  # fmt: skip

    def test_both_files_can_be_read_by_the_same(self, tmp_path):
        path = saved(tmp_path)
        modes = {each.stat().st_mode for each in (path, tmp_path / "model.safetensors")}
        assert len(modes) == 1

    def test_float32_weights_take_four_bytes(self, tmp_path):
        rng = np.random.default_rng(0)
        weight = rng.standard_normal((64, 64, 16)).astype(np.float32)
        layer = upsim.TransposedConv(64, 64, 16, 8, bias=False, weight=weight)
        path = saved(tmp_path, upsim.Stack([layer], 16000))
        size = path.stat().st_size + (tmp_path / "model.safetensors").stat().st_size
        assert size < 4 * weight.size + 2000
        assert np.array_equal(upsim.load_stack(path).layers[0].weight, weight)

    def test_old_files_have_their_weights_inside(self, tmp_path):
        upsim.save_stack(GRAPH, tmp_path / "old.json")
        content = json.loads((tmp_path / "old.json").read_text())
        assert "weights" not in content
        assert upsim.load_stack(tmp_path / "old.json") == GRAPH

    @pytest.mark.torch
    def test_what_torch_wrote(self, tmp_path):
        torch = pytest.importorskip("torch", reason="torch writes the file here")
        from safetensors.torch import save_file as save_torch

        path = saved(tmp_path)
        values = torch.randn(8, 8, 16, dtype=torch.float64)
        others = load_file(tmp_path / "model.safetensors")
        for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
            kept = {name: torch.tensor(each) for name, each in others.items()}
            kept["up.weight"] = values.to(dtype)
            save_torch(kept, tmp_path / "model.safetensors")
            read = upsim.load_stack(path).parts[0].layer.weight
            assert np.array_equal(read, values.to(dtype).double().numpy())

    def test_the_command_line_takes_the_pair(self, tmp_path, capsys):
        from upsim.cli import main

        assert main(["predict", str(saved(tmp_path)), "--signal", "constant", "--csv"]) == 0
        rows = capsys.readouterr().out.splitlines()[1:]
        tones = upsim.predict(GRAPH, upsim.Constant(1.0)).tones
        assert len(rows) == len(tones)


class TestPlaces:
    def test_a_path_in_the_same_folder(self, tmp_path):
        upsim.save_stack(GRAPH, tmp_path / "a.json", weights=tmp_path / "b.safetensors")
        assert upsim.load_stack(tmp_path / "a.json") == GRAPH

    @pytest.mark.parametrize("weights", ["elsewhere/b.safetensors", "../b", "/b", "model.json"])
    def test_another_folder_is_refused(self, tmp_path, weights):
        with pytest.raises(ArgumentError, match="beside the JSON file"):
            upsim.save_stack(GRAPH, tmp_path / "model.json", weights=weights)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("kept", ["model.json", "model.safetensors"])
    def test_nothing_of_the_users_is_overwritten(self, tmp_path, kept):
        (tmp_path / kept).write_text("mine")
        with pytest.raises(OutputExistsError):
            saved(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [kept]
        assert (tmp_path / kept).read_text() == "mine"
        saved(tmp_path, overwrite=True)
        assert upsim.load_stack(tmp_path / "model.json") == GRAPH

    def test_a_json_file_that_cannot_be_written_leaves_no_weights(self, tmp_path, monkeypatch):
        from upsim.files import networkfile

        def refuse(path, *_, **__):
            raise ArgumentError("the device is full", given=str(path))

        monkeypatch.setattr(networkfile, "write_output", refuse)
        with pytest.raises(ArgumentError, match="the device is full"):
            saved(tmp_path)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        "name",
        ["../outside.safetensors", "/etc/hostname", "a/b", "a\\b", "..", ".", "", "C:x", "a\0b", 3],
    )
    def test_a_name_that_leads_elsewhere_is_not_followed(self, tmp_path, name):
        path = saved(tmp_path)
        content = json.loads(path.read_text()) | {"weights": name}
        path.write_text(json.dumps(content))
        with pytest.raises(FileFormatError, match="name of a file beside the JSON file"):
            upsim.load_stack(path)

    def test_a_link_that_leads_elsewhere_is_not_followed(self, tmp_path):
        (tmp_path / "inside").mkdir()
        path = saved(tmp_path / "inside")
        outside = tmp_path / "outside.safetensors"
        (tmp_path / "inside" / "model.safetensors").rename(outside)
        (tmp_path / "inside" / "model.safetensors").symlink_to(outside)
        with pytest.raises(FileFormatError, match="in another folder"):
            upsim.load_stack(path)

    def test_a_folder_that_is_reached_by_a_link_is_the_same_folder(self, tmp_path):
        (tmp_path / "real").mkdir()
        saved(tmp_path / "real")
        (tmp_path / "link").symlink_to(tmp_path / "real")
        assert upsim.load_stack(tmp_path / "link" / "model.json") == GRAPH

    def test_no_file(self, tmp_path):
        path = saved(tmp_path)
        (tmp_path / "model.safetensors").unlink()
        with pytest.raises(FileFormatError, match=r"no such file of weights.*model\.json"):
            upsim.load_stack(path)

    def test_a_pipe_is_not_waited_for(self, tmp_path):
        path = saved(tmp_path)
        (tmp_path / "model.safetensors").unlink()
        os.mkfifo(tmp_path / "model.safetensors")
        with pytest.raises(FileFormatError, match="no plain file"):
            upsim.load_stack(path)


def header(content, data=b"", size=None):
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + data


def entry(shape, start, end, kind="F32"):
    return {"dtype": kind, "shape": shape, "data_offsets": [start, end]}


HOSTILE = {
    "nothing": b"",
    "cut": header({"a": entry([4], 0, 16)}, b"\0" * 7),
    "a header of 4 EiB": header({}, size=2**62),
    "a header longer than the file": header({}, size=4096),
    "a tensor of 4 TiB": header({"a": entry([2**40], 0, 2**42)}, b"\0" * 4),
    "a shape that overflows": header({"a": entry([2**63, 4], 0, 0)}),
    "two tensors in one place": header({"a": entry([1], 0, 4), "b": entry([1], 0, 4)}, b"\0" * 4),
    "a hole": header({"a": entry([1], 4, 8)}, b"\0" * 8),
    "bytes that no tensor has": header({"a": entry([1], 0, 4)}, b"\0" * 9),
    "a negative size": header({"a": entry([-1], 0, 4)}, b"\0" * 4),
    "no JSON": header(b"{{{{"),
    "deep JSON": header(b"[" * 100000),
    "an unknown kind": header({"a": entry([1], 0, 4, "F1")}, b"\0" * 4),
    "a pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94.",
}


class TestHostileFiles:
    @pytest.mark.parametrize("name", HOSTILE)
    def test_a_broken_file_is_refused_with_its_place(self, tmp_path, name):
        path = saved(tmp_path)
        (tmp_path / "model.safetensors").write_bytes(HOSTILE[name])
        with pytest.raises(FileFormatError, match="not a safetensors file") as caught:
            upsim.load_stack(path)
        assert "model.safetensors" in caught.value.given
        assert "model.json" in caught.value.where

    def edited(self, tmp_path, **arrays):
        path = saved(tmp_path)
        kept = load_file(tmp_path / "model.safetensors") | arrays
        save_file({k: v for k, v in kept.items() if v is not None}, tmp_path / "model.safetensors")
        return path

    def test_a_missing_array_is_named_with_its_node(self, tmp_path):
        path = self.edited(tmp_path, **{"up.weight": None})
        with pytest.raises(FileFormatError, match=r"no such array.*up\.weight.*node 1 of 3"):
            upsim.load_stack(path)

    def test_whole_numbers_are_no_weights(self, tmp_path):
        path = self.edited(tmp_path, **{"up.weight": np.ones((8, 8, 16), dtype=np.int64)})
        with pytest.raises(FileFormatError, match="I64"):
            upsim.load_stack(path)

    def test_another_shape_is_refused_by_the_layer(self, tmp_path):
        path = self.edited(tmp_path, **{"up.weight": np.ones((8, 8, 15))})
        with pytest.raises(ShapeError, match=r"node 1 of 3"):
            upsim.load_stack(path)

    def test_numbers_that_are_not_finite(self, tmp_path):
        path = self.edited(tmp_path, **{"up.weight": np.full((8, 8, 16), np.nan)})
        with pytest.raises(ArgumentError, match="must be finite"):
            upsim.load_stack(path)

    def test_one_array_asked_for_again_and_again_counts_each_time(self, tmp_path, monkeypatch):
        from upsim.files import weightfile

        layer = upsim.Conv(4, 4, 8, bias=False).draw(np.random.default_rng(0))
        path = saved(tmp_path, upsim.Stack([layer] * 3, 16000))
        content = json.loads(path.read_text())
        for each in content["layers"]:
            each["weight"] = {"tensor": "1.weight"}
        path.write_text(json.dumps(content))
        assert upsim.load_stack(path).layers == (layer,) * 3
        monkeypatch.setattr(weightfile, "LARGEST_WEIGHTS", 2.5 * 8 * 4 * 4 * 8)
        with pytest.raises(TooLargeError, match=r"too large.*layer 3 of 3"):
            upsim.load_stack(path)

    def test_a_tensor_without_a_file(self, tmp_path):
        path = saved(tmp_path)
        content = json.loads(path.read_text())
        del content["weights"]
        path.write_text(json.dumps(content))
        with pytest.raises(FileFormatError, match="and none is named"):
            upsim.load_stack(path)

    def test_without_the_package(self, tmp_path, monkeypatch):
        path = saved(tmp_path)
        monkeypatch.setitem(sys.modules, "safetensors", None)
        with pytest.raises(MissingDependencyError, match=r"upsim\[files\]"):
            upsim.load_stack(path)
        with pytest.raises(MissingDependencyError, match=r"upsim\[files\]"):
            upsim.save_stack(GRAPH, tmp_path / "b.json", weights="b.safetensors")
        assert not (tmp_path / "b.json").exists()
