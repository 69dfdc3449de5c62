"""All commands but `predict`: what they answer, and in which form."""

import json
from fractions import Fraction

import numpy as np
import pytest

import upsim
from upsim import models
from upsim.files.stackfile import stack_from_dict
from upsim.files.stackschema import schema


def test_explain_names_the_layer_and_the_cause(upsim_command):
    drawn = models.fig8_left().draw(0)
    predicted = str(upsim.predict(drawn, upsim.Constant(1.0)).explain(12000))
    for asked in (("--seed", 0), ("--levels",)):
        outcome = upsim_command("explain", "fig8-left", "--freq", 12000, *asked)
        assert outcome.out.strip() == predicted
        assert "first possible at layer 1 (TransposedConv)" in outcome.out


def test_explain_predicts_levels_where_the_weights_are_given(upsim_command, tmp_path):
    drawn = models.fig8_left().draw(3)
    upsim.save_stack(drawn, tmp_path / "drawn.json")
    outcome = upsim_command("explain", "drawn.json", "--freq", 12000)
    assert outcome.out.strip() == str(upsim.predict(drawn, upsim.Constant(1.0)).explain(12000))
    assert "predicted" not in upsim_command("explain", "drawn.json", "-f", 12000, "--structure").out


def test_structure_draws_no_weight_and_predicts_nothing(upsim_command, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("asked for structure, the command drew or predicted")

    monkeypatch.setattr("upsim.network.stack.Stack.draw", refuse)
    monkeypatch.setattr("upsim.answer.predictor.predict", refuse)
    outcome = upsim_command("explain", "hifigan-v1", "-f", "689.06")
    assert outcome.code == 0
    assert "689.0625 Hz, family 2, lies within the reading" in outcome.out
    assert "--levels draws them" in outcome.err
    for command in (
        ("cost", "melgan"),
        ("replicas", "fig8-left"),
        ("models",),
        ("boundaries", "melgan", "-n", 32),
    ):
        assert upsim_command(*command).code == 0


@pytest.mark.parametrize(
    ("typed", "hertz"), [("0.6891kHz", 689.0625), ("689", 689.0625), ("5.5kHz", 5512.5)]
)
def test_explain_reads_a_frequency_as_people_write_it(upsim_command, typed, hertz):
    (found,) = upsim_command("explain", "hifigan-v1", "-f", typed, "--json").json()
    assert found["frequency_hz"] == hertz
    assert found["candidates"][0]["frequency_hz"] == hertz
    assert found["asked_hz"] != hertz


def test_a_reading_off_a_spectrogram(upsim_command):
    for width in (("--fft", 1024), ("--within", "10.8")):
        (found,) = upsim_command("explain", "melgan", "-f", 5500, *width, "--json").json()
        # 22050 / 1024 = 21.5 Hz a bin: 5512.5 Hz lies 12.5 Hz away, more than half a bin.
        assert not found["possible"] or found["frequency_hz"] != 5512.5
    (found,) = upsim_command("explain", "melgan", "-f", 5500, "--fft", 512, "--json").json()
    assert (found["frequency_hz"], found["within_hz"]) == (5512.5, 22050 / 1024)
    both = upsim_command("explain", "melgan", "-f", 5500, "--fft", 512, "--within", 3)
    assert (both.code, "one of them" in both.err) == (2, True)


def test_replicas_name_the_kernel_images(upsim_command, tmp_path):
    upsim.save_stack(upsim.Stack([upsim.Conv(1, 1, 3, dilation=2)], 48000), tmp_path / "wide.json")
    out = upsim_command("replicas", "wide.json").out
    assert "kernel image: layer 1 (Conv) passes its band again about 24 kHz" in out
    *bands, image = upsim_command("replicas", "wide.json", "--json").json()
    assert {band["kind"] for band in bands} == {"baseband"}
    assert (image["kind"], image["made_by"]) == ("kernel image", "1")
    assert (image["low_hz"], image["high_hz"], image["input_high_hz"]) == (12000, 24000, 12000)


def test_explain_says_what_no_layer_can_make(upsim_command):
    outcome = upsim_command("explain", "fig8-left", "--freq", "5k")
    assert outcome.code == 0
    assert "no offset in this stack can make it" in outcome.out


def test_explain_without_weights(upsim_command):
    outcome = upsim_command("explain", "melgan", "--freq", 86.13, "--freq", "5512.5", "--structure",
                            "--json")  # fmt: skip
    first, second = outcome.json()
    assert outcome.err == ""
    assert (first["fraction"], first["layer"]) == ("1/256", "3")
    assert (second["frequency_hz"], second["layer"]) == (5512.5, "13")
    assert first["power"] is None


def test_verify_agrees(upsim_command):
    outcome = upsim_command("verify", "fig6-left")
    assert outcome.code == 0
    assert "MISMATCH" not in outcome.out
    content = upsim_command("verify", "fig6-left", "--json").json()
    assert content["passed"] is True
    assert content["complete"] is True
    verdicts = {check["name"]: check["verdict"] for check in content["checks"]}
    assert set(verdicts.values()) == {"passed"}
    assert verdicts.keys() >= {"lengths", "lines", "powers", "shares", "density", "replicas"}


def test_verify_on_a_recording(upsim_command, tmp_path):
    from scipy.io import wavfile

    samples = np.random.default_rng(0).standard_normal(500).astype(np.float32)
    wavfile.write(tmp_path / "noise.wav", 4000, samples)
    content = upsim_command("verify", "fig8-right", "--signal", "noise.wav", "--json").json()
    assert "recording" in {check["name"] for check in content["checks"]}


def test_verify_ends_with_1_when_prediction_and_layers_differ(upsim_command, monkeypatch):
    from upsim.verification.witness import Witness

    honest = Witness.__call__

    def lie(self, layer, samples):
        return honest(self, layer, samples) * 1.5

    monkeypatch.setattr(Witness, "__call__", lie)
    outcome = upsim_command("verify", "fig7")
    assert outcome.code == 1
    assert "MISMATCH" in outcome.out
    with_json = upsim_command("verify", "fig7", "--json")
    assert with_json.code == 1
    assert json.loads(with_json.out)["passed"] is False


def write_gated(folder):
    import upsim

    stack = upsim.Stack([upsim.TransposedConv(1, 4, 5, 2), upsim.GLU()], 8000).draw(0)
    upsim.save_stack(stack, folder / "gated.json")


def test_verify_ends_with_2_when_nothing_could_be_compared(upsim_command, tmp_path):
    import upsim

    # No run of finite length has the statistics of an endless one.
    stack = upsim.Stack([upsim.TransposedConv(1, 4, 5, 2), upsim.InstanceNorm(4)], 8000).draw(0)
    upsim.save_stack(stack, tmp_path / "normed.json")
    outcome = upsim_command("verify", "normed.json", "--signal", "noise")
    assert outcome.code == 2
    assert "not checked: lines" in outcome.out


def test_verify_ends_with_3_when_some_claims_could_not_be_checked(upsim_command, tmp_path):
    write_gated(tmp_path)
    outcome = upsim_command("verify", "gated.json", "--json")
    assert outcome.code == 3
    content = json.loads(outcome.out)
    assert (content["verdict"], content["passed"], content["complete"]) == ("passed", True, False)
    open_claims = [each for each in content["checks"] if each["verdict"] == "not checked"]
    assert "shares" in {each["name"] for each in open_claims}
    assert all(each["reason"] and not each["passed"] for each in open_claims)


def test_overlap_of_8_and_6(upsim_command):
    outcome = upsim_command("overlap", "--kernel", 8, "--stride", 6)
    assert outcome.code == 0
    assert "partial overlap, 1 to 2 taps" in outcome.out
    # |sin(pi k 8/6) / (8 sin(pi k/6))|: -13.29 dB, -18.06 dB, and nothing at k = 3.
    assert [line.split()[1] for line in outcome.out.splitlines()[-3:]] == [
        "-13.29",
        "-18.06",
        "none",
    ]
    content = upsim_command("overlap", "--kernel", 8, "--stride", 6, "--json").json()
    assert content["counts"] == [2, 2, 1, 1, 1, 1]
    assert [line["fraction"] for line in content["lines"]] == ["1/6", "1/3", "1/2"]


def test_overlap_with_dilation(upsim_command):
    # Taps at 0, 2, 4: phases 0 and 2 of 4 only.
    content = upsim_command("overlap", "-k", 3, "-s", 4, "-d", 2, "--json").json()
    assert (content["kind"], content["counts"]) == ("gaps", [2, 0, 1, 0])


def test_models_are_listed_one_a_line(upsim_command):
    lines = upsim_command("models").out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(models.NAMES)
    content = upsim_command("models", "--json").json()
    assert [each["name"] for each in content] == list(models.NAMES)


@pytest.mark.parametrize("name", ["fig7", "hifigan-v1"])
def test_a_model_becomes_a_stack_file_and_a_prediction(upsim_command, tmp_path, name):
    content = upsim_command("models", name).json()
    assert stack_from_dict(content) == models.build(name)
    assert upsim_command("models", name, "--write", "stack.json").code == 0
    assert json.loads((tmp_path / "stack.json").read_text()) == content
    assert upsim_command("cost", "stack.json").code == 0


def test_a_model_is_written_with_weights(upsim_command, tmp_path):
    assert upsim_command("models", "fig7", "--seed", 3, "--write", "drawn.json").code == 0
    assert upsim.load_stack(tmp_path / "drawn.json") == models.fig7().draw(3)


def test_an_existing_stack_file_is_replaced_only_when_asked(upsim_command, refused, tmp_path):
    (tmp_path / "mine.json").write_text("mine")
    refused("models", "fig7", "--write", "mine.json", what="the output file exists and is kept")
    assert upsim_command("models", "fig7", "--write", "mine.json", "--overwrite").code == 0
    assert upsim.load_stack(tmp_path / "mine.json") == models.fig7()


def test_schema_is_the_schema(upsim_command):
    assert upsim_command("schema").json() == schema()


def test_cost_counts_melgan(upsim_command):
    outcome = upsim_command("cost", "melgan")
    assert "4,260,257" in outcome.out
    content = upsim_command("cost", "melgan", "--json").json()
    assert sum(each["parameters"] for each in content) == 4_260_257


def test_boundaries_say_what_is_missing(upsim_command):
    outcome = upsim_command("boundaries", "dac-16k", "--length", 100, "--json")
    assert {row["output_length"] for row in outcome.json()} == {31_992}
    assert {row["deficit"] for row in outcome.json()} == {"8"}
    text = upsim_command("boundaries", "fig8-left", "--length", 10).out
    # 10 samples become 22, 46, 94; 80 were asked for.
    assert text.startswith("10 samples in, 94 out: 14 more than the rates ask for")


@pytest.mark.parametrize("command", ["boundaries", "lengths"])
def test_structural_answers_read_graph_files(upsim_command, tmp_path, command):
    upsim.save_stack(two_rates(), tmp_path / "graph.json")
    assert upsim_command(command, "graph.json", "-n", 8).code == 0


def two_rates():
    """Two inputs at two rates that meet in a sum: 8 kHz and 16 kHz."""
    return upsim.Graph(
        [
            ("up", upsim.Nearest(2), "mel"),
            ("source", upsim.Conv(1, 1, 3, padding=1), "pitch"),
            ("sum", upsim.Add(), ("up", "source")),
        ],
        inputs={"mel": 1, "pitch": 1},
        sample_rate=16000,
    )


def test_lengths_name_the_layers_that_lose_samples(upsim_command, tmp_path):
    # A kernel of 4 without padding takes 3 of 10 samples, and 7 become 14: 6 fewer than 20.
    stack = upsim.Stack([("pre", upsim.Conv(1, 1, 4)), ("up", upsim.Nearest(2))], 16000)
    upsim.save_stack(stack, tmp_path / "lossy.json")
    assert upsim_command("lengths", "lossy.json", "-n", 10).out == (
        "10 samples in, 14 out, 6 fewer than 20\n"
        "  pre (Conv): 10 to 7, loses 3 of its own, 6 at the output\n"
    )
    content = upsim_command("lengths", "lossy.json", "-n", 10, "--json").json()
    assert (content["accepted"], content["output_length"]) == (True, 14)
    assert (content["below"], content["above"], content["every"]) == (10, 10, 1)
    assert content["nodes"][0] == {
        "name": "pre",
        "title": "pre (Conv)",
        "length_in": 10,
        "length_out": 7,
        "loss": "3",
        "loss_at_output": "6",
    }


def test_lengths_name_the_nearest_that_can_be_run(upsim_command, tmp_path):
    # Down by 2 and up by 2 gives an even length; the skip keeps 9.
    down, up = upsim.Conv(1, 1, 4, 2, 1), upsim.TransposedConv(1, 1, 4, 2, 1)
    stack = upsim.Stack([upsim.Residual(down, up)], 16000)
    upsim.save_stack(stack, tmp_path / "skip.json")
    outcome = upsim_command("lengths", "skip.json", "--length", 9)
    assert outcome.code == 0
    assert outcome.out.rstrip().endswith("the nearest lengths that can: 8 and 10")
    content = upsim_command("lengths", "skip.json", "--length", 9, "--json").json()
    assert (content["accepted"], content["output_length"]) == (False, None)
    assert (content["below"], content["above"], content["every"]) == (8, 10, 2)


def test_replicas_are_the_input_band_again_and_again(upsim_command):
    rows = upsim_command("replicas", "fig8-right", "--json").json()
    assert [row["low_hz"] for row in rows] == [2000.0 * k for k in range(8)]
    assert [row["mirrored"] for row in rows] == [bool(k % 2) for k in range(8)]
    # Linear interpolation passes the lowest band and attenuates all others.
    assert all(row["gain"] < rows[0]["gain"] for row in rows[1:])
    csv_rows = upsim_command("replicas", "fig8-right", "--csv").out.splitlines()
    assert len(csv_rows) == 9


def test_replicas_of_a_branch_name_the_layer_inside(upsim_command, tmp_path):
    stack = upsim.Stack([upsim.Parallel(upsim.Nearest(2), upsim.Linear(2))], 16000)
    upsim.save_stack(stack, tmp_path / "branch.json")
    outcome = upsim_command("replicas", "branch.json")
    assert outcome.code == 0
    assert "layer 1" in outcome.out


def test_frequencies_as_typed():
    from upsim.cli.inputs import parse_hertz

    assert parse_hertz("4 kHz", "x") == 4000
    assert parse_hertz("86.13", "x") == Fraction(8613, 100)
    assert parse_hertz("5.5125k", "x") == 5512.5
    assert parse_hertz("11025/2 Hz", "x") == Fraction(11025, 2)
