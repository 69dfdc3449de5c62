"""Configuration files: JSON and YAML as data, nothing executed, refused in words."""

import json
import sys

import pytest

import upsim
from upsim.cli import main
from upsim.errors import FileFormatError, MissingDependencyError, TooLargeError, UpsimError
from upsim.importers.configfile import LARGEST_YAML, is_config

from .configurations import DAC_44K, HIFIGAN_V1

DAC_YAML = """\
$include:
  - conf/base.yml
  - conf/1gpu.yml

# Model setup
DAC.sample_rate: 44100
DAC.encoder_dim: 64
DAC.encoder_rates: [2, 4, 8, 8]
DAC.decoder_dim: 1536
DAC.decoder_rates: [8, 8, 4, 2]
DAC.quantizer_dropout: 0.5
"""


@pytest.fixture
def written(tmp_path):
    def write(text, name="model.yml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_json(written):
    path = written(json.dumps(HIFIGAN_V1), "config_v1.json")
    assert upsim.from_config(path) == upsim.from_config(str(path)) == upsim.from_config(HIFIGAN_V1)


@pytest.mark.parametrize("name", ["config.json", "config.yaml"])
def test_a_byte_order_mark_in_front_is_no_fault(tmp_path, name):
    pytest.importorskip("yaml", reason="YAML needs PyYAML")
    path = tmp_path / name
    path.write_text(json.dumps(HIFIGAN_V1), encoding="utf-8-sig")
    assert is_config(path)
    assert upsim.from_config(path) == upsim.from_config(HIFIGAN_V1)


def test_a_stack_file_may_have_one_too(tmp_path):
    path, stack = tmp_path / "stack.json", upsim.Stack([upsim.Nearest(2)], 16000)
    upsim.save_stack(stack, path)
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert not is_config(path)
    assert upsim.load_stack(path) == stack


def test_yaml_with_keys_that_hold_dots(written):
    pytest.importorskip("yaml", reason="YAML needs PyYAML")
    assert upsim.from_config(written(DAC_YAML)).parts == upsim.from_config(DAC_44K).parts


BOMB = "a: &a [x, x, x, x]\n" + "".join(
    f"{chr(97 + n)}: &{chr(97 + n)} [*{chr(96 + n)}, *{chr(96 + n)}, *{chr(96 + n)}]\n"
    for n in range(1, 25)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, r"aliases are refused.*given: \*a, line 2"),
        ("a: &x {k: 1}\nb:\n  <<: *x\n", r"aliases are refused"),
        ("hift: !new:cosyvoice.generator.HiFT\n  sr: 1\n", r"tags are refused.*line 1"),
        ("x: !!python/object/apply:os.system ['true']\n", r"tags are refused"),
        ("x: !!binary aGVsbG8=\n", r"tags are refused"),
        ("sr: 1\nsr: 2\n", r"a key stands twice.*given: 'sr', line 2"),
        ("a: {b: 1, b: 1}\n", r"a key stands twice"),
        ("x: [" * 50, r"nested too deeply"),
        ("[" * 100_000, r"nested too deeply"),
        ("- 1\n" * 30_000, r"nested too deeply or too long"),
        ("{unclosed", r"not YAML that can be read"),
        ("x: 2001-99-99\n", r"not YAML that can be read"),
        ("a: 1\n---\nb: 2\n", r"not YAML that can be read"),
        ("[a, b]: 1\n", r"a key is no text"),
        ("just a text\n", r"an object with fields.*given: 'just a text'"),
        ("", r"an object with fields.*given: None"),
        ("- 1\n- 2\n", r"an object with fields"),
    ],
)
def test_yaml_that_is_refused(written, text, message):
    pytest.importorskip("yaml", reason="YAML needs PyYAML")
    path = written(text)
    with pytest.raises(UpsimError, match=message) as caught:
        upsim.from_config(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"sr": 1, "sr": 2}', r"a key stands twice"),
        ("{", r"not JSON that can be read"),
        ("[" * 100_000, r"not JSON that can be read. given: brackets nested too deeply,"),
        ('{"sr": ' + "1" * 5000 + "}", r"given: a whole number of thousands of digits,"),
        ("[1, 2]", r"an object with fields"),
        ("3", r"an object with fields"),
    ],
)
def test_json_that_is_refused(written, text, message):
    with pytest.raises(UpsimError, match=message):
        upsim.from_config(written(text, "config.json"))


def test_a_large_file_is_refused_unread(written):
    with pytest.raises(TooLargeError, match=r"too large"):
        upsim.from_config(written("#" * (LARGEST_YAML + 1)))


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "model.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileFormatError, match=r"is no text"):
        upsim.from_config(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileFormatError, match=r"no such configuration file"):
        upsim.from_config(tmp_path / "config.json")


def test_without_pyyaml_the_error_says_what_to_install(written, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "upsim\[yaml\]"'):
        upsim.from_config(written(DAC_YAML))
    upsim.from_config(written(json.dumps(HIFIGAN_V1), "config.json"))


def test_a_configuration_is_told_from_a_stack_file_by_its_content(written, tmp_path):
    stack = tmp_path / "stack.json"
    upsim.save_stack(upsim.Stack([upsim.Nearest(2)], 16000), stack)
    assert not is_config(stack)
    assert is_config(written(json.dumps(HIFIGAN_V1), "config.json"))
    assert is_config(written("x: 1", "x.YAML"))
    assert not is_config(written("{", "broken.json"))
    assert not is_config(tmp_path / "nothing.json")


class TestCommandLine:
    def test_a_pasted_configuration_is_explained_without_weights(self, written, capsys):
        path = written(json.dumps(HIFIGAN_V1 | {"attention_heads": 8}), "config_v1.json")
        assert main(["explain", str(path), "--freq", "5.5kHz"]) == 0
        said = capsys.readouterr()
        assert "first possible at ups.2 (TransposedConv)" in said.out
        assert "fields of the configuration not read: attention_heads" in said.err

    @pytest.mark.parametrize("verb", ["inspect", "lengths -n 9", "predict", "context", "cost"])
    @pytest.mark.parametrize(
        ("text", "message"),
        [("[" * 100_000, "brackets nested too deeply"), ('{"hop_size": ', "line 1 column 14")],
    )
    def test_json_that_is_broken_is_refused_by_each_command(
        self, written, capsys, verb, text, message
    ):
        path = written(text, "deep.json")
        assert main([*verb.split(), str(path)]) == 2
        said = capsys.readouterr().err.strip()
        assert said.count("\n") == 0
        assert message in said
        assert str(path) in said
        assert "or a configuration of a model" in said

    def test_lengths_and_cost_take_it_too(self, written, capsys):
        path = written(json.dumps(HIFIGAN_V1), "config_v1.json")
        assert main(["lengths", str(path), "-n", "10"]) == 0
        assert "2560" in capsys.readouterr().out
        assert main(["cost", str(path)]) == 0

    def test_an_open_rate_is_an_option(self, written, capsys):
        config = {key: value for key, value in HIFIGAN_V1.items() if key != "sampling_rate"}
        path = written(json.dumps(config), "config.json")
        assert main(["explain", str(path), "--freq", "4kHz"]) == 2
        assert "--sample-rate 24000" in capsys.readouterr().err
        assert main(["explain", str(path), "--freq", "4kHz", "--sample-rate", "16kHz"]) == 0
        assert "first possible at ups.2" in capsys.readouterr().out

    def test_a_configuration_has_no_tensors_to_choose(self, written, capsys):
        path = written(json.dumps(HIFIGAN_V1), "config.json")
        assert main(["explain", str(path), "--freq", "4kHz", "--inputs", "mel"]) == 2
        assert "only an ONNX file has a part" in capsys.readouterr().err

    def test_what_is_wrong_is_said_with_the_file(self, written, capsys):
        path = written(json.dumps(HIFIGAN_V1 | {"hop_size": 300}), "config_v1.json")
        assert main(["explain", str(path), "--freq", "5.5kHz"]) == 2
        assert f"8 × 8 × 2 × 2 = 256, hop_size 300, read as HiFi-GAN, {path}" in (
            capsys.readouterr().err
        )
