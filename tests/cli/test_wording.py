"""What the command line says to type can be typed there: options, and Python that is called so."""

import ast
import json
import re
import shlex
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import upsim
from upsim.cli.app import COMMANDS, command_of
from upsim.cli.wording import fix_in_words_of, in_words_of, options_of
from upsim.errors import ArgumentError, FileFormatError

PACKAGE = Path(upsim.__file__).parent
NAMES = [each.__name__ for each in COMMANDS if each.__name__ not in {"models", "schema"}]

#: A call in Python with brackets of two levels.
CALL = r"(?:upsim|stack|graph|critic|prediction)\.[\w.]*\w\((?:[^()]|\([^()]*\))*\)"


def literal(node):
    """Return a text of the source, 1 for what is put into it; None for what is no text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            each.value if isinstance(each, ast.Constant) else "1" for each in node.values
        )
    if isinstance(node, ast.BinOp):
        parts = literal(node.left), literal(node.right)
        return None if None in parts else "".join(parts)
    return None


def fixes():
    """Return every fix that is written in the library, outside the command line."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        if path.parent.name == "cli":
            continue  # written in options as they are
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "fix":
                text = literal(node.value)
                found |= {text} if text else set()
    return sorted(found)


FIXES = fixes()


def test_there_are_fixes_to_read():
    assert len(FIXES) > 250
    assert any("sample_rate=" in each for each in FIXES)


def without_python(text):
    """Return a text without calls that are said to be Python's; other calls stay."""
    return re.sub(rf"in Python:? (?:\w+ = )?{CALL}(?:\.\w+(?:\(\))?)*", "", text)


@pytest.mark.parametrize("name", NAMES)
def test_each_fix_of_the_library_names_options_of_the_command(name):
    options = options_of(command_of([name]))
    for fix in FIXES:
        said = fix_in_words_of(options, fix)
        rest = without_python(said)
        assert not re.search(r"\b(?:upsim|stack|graph)\.\w+\(", rest), (fix, said)
        for argument in options:
            # A mapping of shapes is for Python alone.
            assert not re.search(rf"(?<![\w.-]){argument}=(?!\{{)", rest), (fix, said)
        for option in re.findall(r"(?<!\w)--[a-z][a-z-]*", rest):
            assert option in options.values(), (fix, said)


class TestOneError:
    def said(self, name, error, *typed):
        return in_words_of(command_of([name]), error, [name, *typed])

    def test_an_argument_is_an_option_in_every_part(self):
        error = ArgumentError(
            "sample_rate must be positive", given="sample_rate=-4", fix="sample_rate=44100"
        )
        assert self.said("explain", error, "a.onnx") == (
            "--sample-rate must be positive. given: --sample-rate -4. fix: --sample-rate 44100"
        )

    def test_a_field_of_the_file_that_was_read_stays_a_field(self):
        error = FileFormatError(
            "sample_rate must be positive",
            given="sample_rate=-4",
            fix="sample_rate=44100",
            where="mine.json",
        )
        assert self.said("explain", error, "mine.json") == str(error)

    def test_lists_mappings_and_flags(self):
        options = options_of(command_of(["predict"]))
        assert fix_in_words_of(options, "inputs=['a', 'b']") == "--inputs a,b"
        fix = "inputs={'a': (1, 80, None), 'b': '4*T', 'c': None}"
        assert fix_in_words_of(options, fix) == "--inputs a=1x80xT,b=4T,c"
        assert fix_in_words_of({"nodes": "--nodes"}, "nodes={'a': 1}") == "nodes={'a': 1}"
        assert fix_in_words_of(options, "another name, or overwrite=True").endswith("--overwrite")

    def test_what_the_command_has_no_option_for_is_python(self):
        fix = "stack = stack.draw(seed=0), and predict that one network"
        options = options_of(command_of(["lengths"]))
        assert fix_in_words_of(options, fix) == f"in Python {fix}"


def configuration():
    return {
        "upsample_rates": [2, 2],
        "upsample_kernel_sizes": [4, 4],
        "upsample_initial_channel": 8,
        "num_mels": 2,
        "resblock_kernel_sizes": [3],
        "resblock_dilation_sizes": [[1]],
        "sampling_rate": 16000,
    }


HOSTILE = ["0", "-1", "1e400", "99999999999", "nan", "wibble", "", "1/0", "-0.5", "foo,bar"]

#: For each command, what must be given.
NEEDED = {
    "explain": ["--freq", "1kHz"],
    "lengths": ["--length", "8"],
    "boundaries": ["--length", "8"],
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    upsim.save_stack(
        upsim.Stack([upsim.TransposedConv(1, 1, 4, 2), upsim.ReLU()], 16000), folder / "stack.json"
    )
    (folder / "config.json").write_text(json.dumps(configuration()))
    without = {key: value for key, value in configuration().items() if "sampling" not in key}
    (folder / "rateless.json").write_text(json.dumps(without))
    return folder


@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_whatever_is_typed_the_fix_is_in_options_and_ends_the_refusal(data, models, upsim_command):
    name = data.draw(st.sampled_from(NAMES))
    options = options_of(command_of([name]))
    file = models / data.draw(st.sampled_from(["stack.json", "config.json", "rateless.json"]))
    typed = dict(zip(NEEDED.get(name, [])[::2], NEEDED.get(name, [])[1::2], strict=True))
    flags = {"--json", "--csv", "--overwrite", "--expected", "--structure", "--levels"}
    flags |= {"--errors", "--dbfs", "--audible"}
    wrong = data.draw(st.sampled_from(sorted(set(options.values()) - flags - {"--plot"})))
    typed[wrong] = data.draw(st.sampled_from(HOSTILE))

    def run():
        files = [file] * (2 if name == "compare" else 1)
        return upsim_command(name, *files, *(f"{key}={typed[key]}" for key in typed))

    outcome = run()
    assert outcome.code in {0, 1, 2, 3}
    message = next((each for each in outcome.err.splitlines() if each.startswith("upsim: ")), "")
    if not message:
        return
    fix = message.partition(". fix: ")[2]
    rest = without_python(message)
    for argument in options:
        assert not re.search(rf"(?<![\w.-]){argument}=", rest), message
    for option in re.findall(r"(?<!\w)--[a-z][a-z-]*", rest):
        assert option in options.values(), message
    words = shlex.split(re.split(r",? or |, ", fix)[0]) if fix.startswith("--") else []
    if len(words) == 2 and words[1] not in {"GIB", "out"}:
        typed[words[0]] = words[1]
        assert message not in run().err.splitlines(), message


def test_a_rate_that_is_missing_is_asked_for_by_its_option(models, upsim_command):
    outcome = upsim_command("explain", models / "rateless.json", "-f", "4kHz")
    assert outcome.code == 2
    assert "fix: --sample-rate 24000, with the right number" in outcome.err
    again = upsim_command("explain", models / "rateless.json", "-f", "4kHz", "--sample-rate", 16000)
    assert "first possible at ups.0" in again.out


def test_the_words_of_a_configuration_s_field_are_its_own(models, upsim_command):
    path = models / "wrong.json"
    path.write_text(json.dumps(configuration() | {"sampling_rate": None, "sample_rate": -5}))
    outcome = upsim_command("explain", path, "-f", "4kHz")
    assert "fix: sample_rate=44100" in outcome.err


def test_two_networks_that_say_the_same_say_it_once(upsim_command):
    outcome = upsim_command("compare", "fig8-left", "fig6-left")
    assert outcome.code == 0
    notes = [each for each in outcome.err.splitlines() if each.startswith("note: ")]
    assert len(notes) == len(set(notes)) == 1
    assert upsim_command("compare", "fig8-left", "fig6-left").err == outcome.err


def test_one_of_a_thing_has_no_plural(upsim_command, models):
    assert upsim_command("lengths", models / "stack.json", "-n", 1).out.startswith("1 sample in, ")
    upsim.save_stack(upsim.Stack([upsim.Linear(2)], 16000), "linear.json")
    assert "context: 1 frame of 8 kHz before" in upsim_command("context", "linear.json").out


def test_brackets_without_end_are_named_so(upsim_command, tmp_path):
    path = tmp_path / "deep.json"
    path.write_text("[" * 100_000)
    assert "deep.json: brackets nested too deeply" in upsim_command("cost", path).err
