"""Bad input: one message, exit code 2, nothing overwritten, no memory taken."""

import json
import os
import tracemalloc
from typing import Any

import pytest


def stack_text(*layers: Any, **changes: Any) -> str:
    content = {"format": "upsim-stack", "version": 1, "sample_rate": 16000, "layers": list(layers)}
    return json.dumps(content | changes)


def transposed(**changes: Any) -> dict[str, Any]:
    layer = {"type": "TransposedConv", "in_channels": 1, "out_channels": 1, "kernel_size": 4}
    return layer | {"stride": 2} | changes


NEAREST = {"type": "Nearest", "factor": 2}

BROKEN = {
    "zero stride": (stack_text(transposed(stride=0)), "stride must be a positive whole number"),
    "negative stride": (stack_text(transposed(stride=-2)), "stride must be a positive whole"),
    "fractional stride": (stack_text(transposed(stride=2.5)), "given: stride=2.5"),
    "enormous stride": (stack_text(transposed(stride=10**9)), "stride is too large"),
    "endless stride": (stack_text(transposed(stride=10**400)), "given: stride=a huge integer"),
    "zero kernel": (stack_text(transposed(kernel_size=0)), "kernel_size must be a positive"),
    "negative kernel": (stack_text(transposed(kernel_size=-1)), "kernel_size must be a positive"),
    "fractional kernel": (stack_text(transposed(kernel_size=1.5)), "given: kernel_size=1.5"),
    "enormous kernel": (stack_text(transposed(kernel_size=2**40)), "kernel_size is too large"),
    "word for a number": (stack_text(transposed(stride="two")), "given: stride='two'"),
    "truth for a number": (stack_text(transposed(stride=True)), "given: stride=True"),
    "mismatched channels": (
        stack_text(transposed(out_channels=3), transposed(in_channels=2)),
        "the input channels do not match the layer. given: 3 channels",
    ),
    "impossible groups": (stack_text(transposed(groups=2)), "must be a multiple of groups"),
    "wrong shape": (stack_text(transposed(weight=[[1.0]])), "weight has the wrong shape"),
    "ragged weight": (
        stack_text(transposed(weight=[[1.0], [1.0, 2.0]])),
        "weight must be an array",
    ),
    "infinite weight": (
        stack_text(transposed(weight="@")).replace('"@"', "[[[1e999, 0, 0, 0]]]"),
        "weight must be finite. given: 1 of 4 entries",
    ),
    "NaN weight": (
        stack_text(transposed(weight="@")).replace('"@"', "[[[NaN, 0, 0, 0]]]"),
        "JSON has no such number. given: NaN",
    ),
    "NaN in base64": (
        # A float64 of all ones is a NaN.
        stack_text(
            transposed(
                kernel_size=1, stride=1, weight={"shape": [1, 1, 1], "base64": "//////////8="}
            )
        ),
        "weight must be finite. given: 1 of 1 entries",
    ),
    "base64 of another size": (
        stack_text(transposed(weight={"shape": [1, 1, 4], "base64": "AAAAAAAA8D8="})),
        "given: 8 bytes, shape [1, 1, 4]",
    ),
    "no base64": (stack_text(transposed(weight={"shape": [1], "base64": "?"})), "is not base64"),
    "huge shape": (
        stack_text(transposed(weight={"shape": [10**9, 10**9, 10**9], "base64": ""})),
        "an array of the file is too large",
    ),
    "negative shape": (stack_text(transposed(weight={"shape": [-1], "base64": ""})), "a shape"),
    "unknown initialisation": (stack_text(transposed(weight="magic")), "given: weight='magic'"),
    "no layers": (stack_text(), "a stack needs at least one layer"),
    "unknown layer": (stack_text({"type": "Warp"}), "unknown layer. given: 'Warp'"),
    "misspelt layer": (stack_text({"type": "Neerest"}), 'fix: "type": "Nearest"'),
    "slice of a fixed length": (stack_text({"type": "Slice", "stop": 5}), "fix: stop=-5, or"),
    "more lines than can be listed": (
        stack_text(transposed(stride=2**20)),
        "too many lines to list. given: 524289 lines",
    ),
    "a stride down that needs terabytes": (
        stack_text({"type": "Decimate", "factor": 2**20}),
        "the input frequencies behind all output frequencies would need",
    ),
    "no type": (stack_text({"factor": 2}), "a layer is an object with a type"),
    "not a layer": (stack_text(7), "a layer is an object with a type"),
    "unknown field": (stack_text(NEAREST | {"speed": 3}), "Nearest has no such field"),
    "missing field": (stack_text({"type": "Nearest"}), "Nearest cannot be made"),
    "unknown stack field": (stack_text(NEAREST, colour="red"), "unknown fields. given: colour"),
    "truncated": (stack_text(NEAREST)[:-9], "this is not a JSON file that can be read"),
    "empty file": ("", "this is not a JSON file that can be read"),
    "other version": (stack_text(NEAREST, version=2), "another version. given: version 2"),
    "other format": (stack_text(NEAREST, format="onnx"), "this is not an upsim stack"),
    "a list": ("[]", "this is not an upsim stack"),
    "zero rate": (stack_text(NEAREST, sample_rate=0), "sample_rate must be positive"),
    "negative rate": (stack_text(NEAREST, sample_rate=-1), "sample_rate must be positive"),
    "rate of a billion zeros": (
        stack_text(NEAREST, sample_rate="1e999999999"),
        "not a frequency or rate",
    ),
    "rate divided by nothing": (stack_text(NEAREST, sample_rate="1/0"), "not a frequency or rate"),
    "rate of 400 digits": (stack_text(NEAREST, sample_rate=10**399), "sample_rate is too large"),
    "rate of a word": (stack_text(NEAREST, sample_rate="fast"), "not a frequency or rate"),
    "no rate": (stack_text(NEAREST, sample_rate=None), "sample_rate must be a number"),
    "zero channels": (stack_text(NEAREST, in_channels=0), "in_channels must be a positive"),
    "name of a number": (stack_text(NEAREST, name=7), "name must be a string"),
    "numbers that overflow": (
        stack_text(*[transposed(kernel_size=1, stride=1, weight=[[[1e200]]])] * 3),
        "the output's numbers leave the range of floating point",
    ),
    "kernel of a sinc without end": (
        stack_text({"type": "WindowedSinc", "factor": 2, "rolloff": 1e-300}),
        "the kernel would need",
    ),
}


def test_verify_refuses_numbers_that_overflow(refused, tmp_path):
    (tmp_path / "stack.json").write_text(stack_text({"type": "Bias", "bias": 1e300}))
    refused("verify", "stack.json", what="leave the range of floating point")


@pytest.mark.parametrize("name", BROKEN)
def test_broken_stack_files(refused, tmp_path, name):
    text, what = BROKEN[name]
    (tmp_path / "stack.json").write_text(text)
    refused("predict", "stack.json", what=what)


def nested(depth: int) -> str:
    layer = '{"type": "ReLU"}'
    for _ in range(depth):
        layer = f'{{"type": "Residual", "layers": [{layer}]}}'
    return stack_text("@").replace('"@"', layer)


@pytest.mark.parametrize("text", [nested(400), nested(50_000), "[" * 200_000], ids=len)
def test_deep_nesting(refused, tmp_path, text):
    (tmp_path / "deep.json").write_text(text)
    refused("predict", "deep.json", what="")


@pytest.mark.parametrize("depth", [20, 60, 100, 140, 180])
def test_nesting_is_either_answered_or_refused(upsim_command, tmp_path, depth):
    (tmp_path / "deep.json").write_text(nested(depth))
    assert upsim_command("predict", "deep.json").code in (0, 2)


def test_bytes_that_are_no_text(refused, tmp_path):
    (tmp_path / "stack.json").write_bytes(b"\xff\xfe\x00")
    refused("predict", "stack.json", what="this is not a JSON file that can be read")


@pytest.mark.parametrize(
    ("name", "what"), [("gone.json", "no such stack file"), ("gone", "neither")]
)
def test_missing_stack(refused, name, what):
    refused("predict", name, what=what, given=name)


def test_a_folder_is_no_stack(refused, tmp_path):
    (tmp_path / "folder.json").mkdir()
    refused("predict", "folder.json", what="there is no such stack file")


# Sizes that cannot be answered: refused before the memory is taken, with the size named.
TOO_LARGE = {
    "period": (stack_text(*[{"type": "Nearest", "factor": 4096}] * 6), "GiB"),
    "long period": (stack_text(*[NEAREST] * 40), "GiB"),
    "weights": (
        stack_text(
            {"type": "Conv", "in_channels": 10**6, "out_channels": 10**6, "kernel_size": 3}
        ),
        "the weights of one layer would need 22351.7 GiB",
    ),
    "shuffle": (
        stack_text({"type": "PeriodicShuffle", "factor": 4096, "order": "tensorflow"},
                   in_channels=2**15),
        "the taps would need 8.0 GiB",
    ),
    "aliases of many channels": (
        stack_text({"type": "Decimate", "factor": 4096}, in_channels=2048),
        "the gains from all input frequencies would need 256.0 GiB",
    ),
    "density": (stack_text(NEAREST, in_channels=2**22), "the density would need"),
}  # fmt: skip


def peak_of(run: Any) -> int:
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", TOO_LARGE)
def test_what_would_not_fit_is_refused_before_memory_is_taken(refused, tmp_path, name):
    text, what = TOO_LARGE[name]
    (tmp_path / "stack.json").write_text(text)
    refused("predict", "stack.json", what=what)  # imports are paid here
    # The widest case has described its signal by then: one complex line, one level and one wire for
    # each of 2**22 channels, and copies of them while they are made.
    # Rows of all channels of the output are there before a decimation multiplies them.
    allowed = {"density": 2**28, "aliases of many channels": 2**29}.get(name, 2**25)
    assert peak_of(lambda: refused("predict", "stack.json", what=what)) < allowed


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (("replicas",), "the periods up to layer"),
        (("boundaries", "-n", 10), "too many samples to be counted"),
    ],
)
def test_reports_of_a_stack_that_would_not_fit(refused, tmp_path, command, what):
    (tmp_path / "stack.json").write_text(stack_text(*[{"type": "Nearest", "factor": 4096}] * 6))
    refused(command[0], "stack.json", *command[1:], what=what)


def test_a_file_of_2_gib_of_nothing_is_not_read(refused, tmp_path):
    with (tmp_path / "nothing.json").open("wb") as file:
        os.truncate(file.fileno(), 2 * 2**30)
    peak = peak_of(
        lambda: refused(
            "predict", "nothing.json", what="the stack file is too large", given="2048 MiB"
        )
    )
    assert peak < 2**25


def test_a_sound_of_2_gib_of_nothing_is_not_read(refused, tmp_path):
    with (tmp_path / "nothing.wav").open("wb") as file:
        os.truncate(file.fileno(), 2 * 2**30)
    what = "the sound file is too long"
    peak = peak_of(
        lambda: refused("predict", "fig7", "-s", "nothing.wav", what=what, given="2048 MiB")
    )
    assert peak < 2**25


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("wibble", "the signal is not understood. given: --signal wibble"),
        ("sine", "the signal is not understood"),
        ("silence:1", "the signal is not understood"),
        ("noise:loud", "this is not a number. given: 'loud'"),
        ("noise:-1", "given: power=-1.0, --signal noise:-1. fix: --signal noise:1.0"),
        ("constant:nan", "value must be finite"),
        ("constant:1e999", "value must be finite"),
        ("sine:fast", "this is not a frequency"),
        ("sine:3kHz", "the sine lies above the Nyquist frequency"),
        (
            "sine:-1",
            (
                "frequency must not be negative. given: frequency=-1, --signal sine:-1. fix: "
                "--signal sine:1.0"
            ),
        ),
        ("sine:1/0", "this is not a frequency"),
        ("gone.wav", "there is no such sound file"),
        ("gone.flac", "there is no such sound file"),
    ],
)
def test_bad_signals(refused, text, what):
    refused("predict", "fig7", "--signal", text, what=what)


def test_noise_through_a_decoder_that_fits_no_memory_names_the_ways_out(refused):
    message = refused("predict", "rvc-48k", "-s", "noise", what="channels would need")
    assert "each channel by itself, the least form" in message
    assert "fix: " in message


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--kind", "pie"], "--kind is not known. given: --kind pie"),
        (["--plot", "out.bmp"], "the picture's format is not known"),
        (["--plot", "out"], "the picture's format is not known"),
        (["--plot", "nowhere/out.png"], "there is no such folder. given: nowhere"),
        (["--plot", "out.png", "--channel", 5], "there is no such channel. given: --channel 5"),
        (["--json", "--csv"], "one format at a time"),
        (["--frequencies", "1"], "frequencies must be a whole number >= 2"),
        (["--frequencies", "99999999999"], "frequencies is too large"),
        (["--frequencies", "10,5"], "frequencies must ascend"),
        (["--frequencies", ","], "there is no frequency"),
        (["--frequencies", "ten"], "this is not a frequency"),
        (["--rate", "0"], "--rate must be positive"),
        (["--rate", "-4000"], "--rate must be positive"),
        (["--rate", "1e999"], "--rate must be finite"),
    ],
)
def test_bad_options_of_predict(refused, options, what):
    refused("predict", "fig7", *options, what=what)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["explain", "fig7", "--freq", "99k"], "--freq must lie between 0 and half"),
        (["explain", "fig7", "--freq", "-1"], "--freq must lie between 0 and half"),
        (["explain", "fig7", "--freq", "nan"], "--freq must be finite"),
        (["explain", "fig7", "--freq", "x"], "this is not a frequency"),
        (["overlap", "--kernel", 0, "--stride", 2], "kernel_size must be a positive"),
        (["overlap", "--kernel", 2, "--stride", 0], "--stride must be a positive"),
        (["overlap", "--kernel", 10**12, "--stride", 2], "kernel_size is too large"),
        (["overlap", "--kernel", 3, "--stride", 2**24], "the list of lines would need"),
        (["boundaries", "fig7", "--length", 0], "--length must be a positive"),
        (["lengths", "fig7", "--length", 0], "--length must be a positive"),
        (["boundaries", "fig7", "--length", 10**12], "--length is too large"),
        (["models", "nothing"], "there is no model of this name"),
        (["models", "--write", "x.json"], "needs a name"),
        (["models", "fig7", "--write", "nowhere/x.json"], "there is no such folder"),
        (["verify", "fig7", "--backend", "abacus"], "--backend is not known"),
        (["verify", "fig7", "--precision", "float8"], "--precision is not known"),
    ],
)
def test_bad_arguments_of_other_commands(refused, arguments, what):
    refused(*arguments, what=what)


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict"],
        ["nosuch"],
        ["predict", "fig7", "--seed", "-1"],
        ["overlap", "-k", "2.5", "-s", "2"],
        ["explain", "fig7"],
        ["predict", "fig7", "--nosuch"],
    ],
)
def test_wrong_usage(upsim_command, arguments):
    outcome = upsim_command(*arguments)
    assert outcome.code == 2
    assert outcome.out == ""
    assert "Usage: upsim" in outcome.err
