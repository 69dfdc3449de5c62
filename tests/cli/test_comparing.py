"""`upsim inspect` and `upsim compare`."""

import csv
import io
import json

import pytest

import upsim
from upsim import models


def test_inspect_prints_the_table(upsim_command):
    out = upsim_command("inspect", "hifigan-v1").out
    assert upsim.inspect(models.hifigan_v1()).table() in out
    assert "13,926,017 parameters" in out
    assert out.count("multiples of") == 4


def test_inspect_for_programs(upsim_command):
    content = upsim_command("inspect", "fig8-left", "--json").json()
    assert content == upsim.inspect(models.fig8_left()).to_dict()
    rows = list(csv.DictReader(io.StringIO(upsim_command("inspect", "fig8-left", "--csv").out)))
    assert [row["lines"] for row in rows] == ["", "4000", "8000", "16000"]
    assert [row["length"] for row in rows] == ["n", *["2 n + 2"] * 3]


def test_compare_two_files(upsim_command, tmp_path):
    first, second = models.fig8_left().draw(0), models.fig8_left().draw(1)
    upsim.save_stack(first, tmp_path / "a.json")
    upsim.save_stack(second, tmp_path / "b.json")
    found = upsim.compare(first, second, upsim.Constant(1.0))
    outcome = upsim_command("compare", "a.json", "b.json", "--signal", "constant")
    assert outcome.out.strip() == f"{found!r}\n\n{found.table()}"
    content = upsim_command("compare", "a.json", "b.json", "--signal", "constant", "--json").json()
    assert content == found.to_dict()


def test_compare_an_initialisation_with_a_network(upsim_command, tmp_path):
    upsim.save_stack(models.fig8_left().draw(0), tmp_path / "trained.json")
    out = upsim_command("compare", "fig8-left", "trained.json", "--expected", "--json").json()
    signal = upsim.Constant(1.0) + upsim.WhiteNoise(1.0)
    expected = upsim.predict(models.fig8_left(), signal)
    assert [line["first"] for line in out["lines"]] == [
        float(tone.power[0]) for tone in expected.tones
    ]


def test_many_lines_are_cut_with_a_word(upsim_command):
    outcome = upsim_command("compare", "hifigan-v1", "hifigan-v1", "--signal", "silence")
    assert "... 97 more lines: --json lists all" in outcome.out


def test_notes_of_two_files_are_printed_once_each(upsim_command, tmp_path):
    config = {"upsample_rates": [2], "upsample_kernel_sizes": [2], "sampling_rate": 16000}
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(json.dumps(config | {"upsample_initial_channel": 4}))
    for pair in (("a.json", "b.json"), ("a.json", "a.json")):
        said = upsim_command("compare", *pair, "--signal", "silence").err.splitlines()
        assert len(said) == len(set(said))
        for name in set(pair):
            assert f"note: {name}: the channels of the input are not given: 80 mel bands" in said


def test_compare_draws(upsim_command, tmp_path, refused):
    asked = ("compare", "fig7", "fig8-left", "--signal", "constant", "--plot", "both.png")
    assert "picture written to both.png" in upsim_command(*asked).err
    assert (tmp_path / "both.png").read_bytes().startswith(b"\x89PNG")
    refused(*asked, what="the output file exists and is kept")


@pytest.mark.parametrize("verb", [["inspect", "nothing.json"], ["compare", "fig7", "nothing.json"]])
def test_a_file_that_is_not_there(refused, verb):
    refused(*verb, what="there is no such stack file")


def test_context_in_words_and_numbers(upsim_command):
    outcome = upsim_command("context", "hifigan-v1", "--chunk", 64)
    assert outcome.out.strip() == repr(upsim.context(models.hifigan_v1(), 64))
    assert "seed" not in outcome.err
    content = upsim_command("context", "hifigan-v1", "--chunk", 64, "--json").json()
    assert (content["left"], content["right"], content["overlap"]) == (13, 13, [13, 13])


def test_context_draws_the_error(upsim_command, tmp_path):
    outcome = upsim_command("context", "fig8-left", "-c", 16, "--plot", "error.png")
    assert "(exact)" in outcome.out
    assert "drawn with seed 0" in outcome.err
    assert (tmp_path / "error.png").read_bytes().startswith(b"\x89PNG")
