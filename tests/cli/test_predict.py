"""`upsim predict`: what is printed is what the library says."""

import csv
import io
from fractions import Fraction

import numpy as np
import pytest

import upsim
from upsim import models


def test_the_answer_is_the_prediction_of_the_library(upsim_command):
    outcome = upsim_command("predict", "fig8-left", "--signal", "constant")
    prediction = upsim.predict(models.fig8_left().draw(0), upsim.Constant(1.0))
    assert outcome.code == 0
    assert repr(prediction) in outcome.out
    assert prediction.table(family=True) in outcome.out


def test_drawn_weights_are_said_and_seeded(upsim_command):
    first = upsim_command("predict", "fig7", "--csv")
    assert "weights are drawn with seed 0" in first.err
    assert upsim_command("predict", "fig7", "--csv", "--seed", 0).out == first.out
    other = upsim_command("predict", "fig7", "--csv", "--seed", 20_261_121)
    assert "weights are drawn with seed 20261121" in other.err
    assert other.out != first.out


def test_given_weights_are_kept_and_a_seed_is_said_to_be_useless(upsim_command, tmp_path):
    upsim.save_stack(models.fig7().draw(5), tmp_path / "own.json")
    outcome = upsim_command("predict", "own.json", "--csv")
    assert "seed" not in outcome.err
    again = upsim_command("predict", "own.json", "--csv", "--seed", 1)
    assert again.out == outcome.out
    assert "--seed changes nothing" in again.err


def test_a_linear_stack_gets_noise_and_one_with_activations_a_constant(upsim_command):
    assert "noise" not in upsim_command("predict", "fig7").err
    outcome = upsim_command("predict", "hifigan-v2", "--csv")
    assert outcome.code == 0
    assert "the input is a constant 1; --signal" in outcome.err


def test_json_is_a_prediction_that_can_be_read_back(upsim_command):
    content = upsim_command("predict", "fig6-right", "--frequencies", 65, "--json").json()
    prediction = upsim.Prediction.from_dict(content)
    expected = upsim.predict(models.fig6_right().draw(0), frequencies=65)
    assert prediction.stack == expected.stack
    assert np.array_equal(prediction.psd, expected.psd)
    assert [tone.fraction for tone in prediction.tones] == [
        tone.fraction for tone in expected.tones
    ]


def test_csv_has_one_row_a_tone(upsim_command):
    outcome = upsim_command("predict", "fig7", "--csv")
    rows = list(csv.DictReader(io.StringIO(outcome.out)))
    tones = upsim.predict(models.fig7().draw(0)).tones
    assert [Fraction(row["fraction"]) for row in rows] == [tone.fraction for tone in tones]
    assert [float(row["power"]) for row in rows] == [float(tone.power[0]) for tone in tones]
    assert [row["layer"] for row in rows] == [tone.layer for tone in tones]


@pytest.mark.parametrize(
    ("texts", "signal"),
    [
        (["silence"], upsim.Silence()),
        (["constant:0.5"], upsim.Constant(0.5)),
        (["noise:2"], upsim.WhiteNoise(2.0)),
        (["sine:440"], upsim.Sine(440)),
        (["sine:0.5kHz:0.25"], upsim.Sine(500, 0.25)),
        (
            ["constant", "sine:440", "noise"],
            upsim.Constant() + upsim.Sine(440) + upsim.WhiteNoise(),
        ),
    ],
)
def test_signals_as_typed(upsim_command, texts, signal):
    options = [part for text in texts for part in ("--signal", text)]
    content = upsim_command("predict", "fig7", *options, "--frequencies", 3, "--json").json()
    assert upsim.Prediction.from_dict(content).signal == signal


def test_frequencies_in_hertz(upsim_command):
    content = upsim_command("predict", "fig7", "--frequencies", "0,1kHz,11025/2", "--json").json()
    assert content["frequencies"] == [0.0, 1000.0, 5512.5]


def test_a_recording_is_resampled_averaged_and_said_so(upsim_command, clip):
    outcome = upsim_command(
        "predict", "fig6-left", "--signal", clip, "--frequencies", 257, "--json"
    )
    content = outcome.json()
    assert "the mean of the 2 channels of loop_tabla.flac" in outcome.err
    assert "resampled from 44.1 kHz to 4 kHz" in outcome.err
    found = upsim.Prediction.from_dict(content)
    seconds = upsim.Recorded.from_file(clip).duration
    stack = models.fig6_left()
    # resample_poly rounds the length up.
    length = stack.output_length(int(np.ceil(seconds * 4000)))
    assert found.waveform.shape == (1, length)


def test_one_channel_of_a_recording(upsim_command, clip):
    options = ["--signal", clip, "--recording-channel", 1, "--frequencies", 17, "--json"]
    outcome = upsim_command("predict", "fig6-left", *options)
    assert "mean" not in outcome.err
    recorded = upsim.Recorded.from_file(clip, channel=1, sample_rate=4000)
    found = upsim.Prediction.from_dict(outcome.json())
    assert np.array_equal(found.signal.samples, np.atleast_2d(recorded.samples))


def test_rate_runs_the_stack_at_another_rate(upsim_command):
    outcome = upsim_command("predict", "fig7", "--rate", "11025/2", "--json")
    assert outcome.json()["sample_rate"] == "44100"
    assert "the stack runs from 5.5125 kHz to 44.1 kHz" in outcome.err


SIGNATURES = {"png": b"\x89PNG\r\n", "pdf": b"%PDF-", "svg": b"<?xml"}


@pytest.mark.parametrize("suffix", SIGNATURES)
def test_pictures_are_written(upsim_command, tmp_path, suffix):
    outcome = upsim_command("predict", "fig7", "--plot", f"out.{suffix}")
    assert outcome.code == 0
    assert f"picture written to out.{suffix}" in outcome.err
    assert (tmp_path / f"out.{suffix}").read_bytes().startswith(SIGNATURES[suffix])


@pytest.mark.parametrize(
    "kind", ["spectrum", "layers", "spectrograms", "spectrogram", "comb", "provenance", "impulse"]
)
def test_every_kind_of_picture(upsim_command, tmp_path, kind):
    assert upsim_command("predict", "fig7", "--plot", "out.png", "--kind", kind).code == 0
    assert (tmp_path / "out.png").read_bytes().startswith(SIGNATURES["png"])


def test_an_existing_picture_is_replaced_only_when_asked(upsim_command, refused, tmp_path):
    (tmp_path / "out.png").write_bytes(b"mine")
    refused("predict", "fig7", "--plot", "out.png", what="the output file exists and is kept")
    assert upsim_command("predict", "fig7", "--plot", "out.png", "--overwrite").code == 0
    assert (tmp_path / "out.png").read_bytes().startswith(SIGNATURES["png"])


def test_any_whole_number_is_a_seed(upsim_command):
    assert upsim_command("predict", "fig7", "--csv", "--seed", 2**64).code == 0


def test_the_average_over_all_seeds(upsim_command):
    outcome = upsim_command("predict", "melgan", "--expected")
    assert outcome.code == 0
    assert "128 expected tones" in outcome.out
    assert "drawn" not in outcome.err
    line = upsim_command("explain", "melgan", "--expected", "-f", "11025")
    assert "part of its power that goes without each" in line.out


def test_an_average_has_no_seed_and_given_weights_no_average(upsim_command):
    outcome = upsim_command("predict", "fig8-left", "--expected", "--seed", "1")
    assert outcome.code == 2
    assert "fix: --expected" in outcome.err
    assert "changes nothing" in upsim_command("predict", "fig3", "--expected").err


def test_memory_is_given_in_gib(upsim_command):
    noise = ("--signal", "noise")
    outcome = upsim_command("predict", "hifigan-v2", *noise, "--memory", "0.001")
    assert outcome.code == 2
    assert "at most 0.0 MiB beside lines and density" in outcome.err
    assert upsim_command("predict", "fig7", *noise, "--memory", "-1").code == 2


def test_levels_in_dbfs_and_who_hears_them(upsim_command):
    plain = ("predict", "fig6-left", "--signal", "constant")
    out = upsim_command(*plain, "--dbfs", "--audible").out
    prediction = upsim.predict(upsim.models.fig6_left().draw(0), upsim.Constant(1.0))
    assert prediction.table(family=True, dbfs=True, audible=True) in out
    assert "a full-scale sine has -3.01 dB" in out
    assert "heard" not in upsim_command(*plain).out
    calibrated = upsim_command(*plain, "--audible", "--calibration", 20).out
    assert prediction.table(family=True, audible=True, calibration=20) in calibrated


def test_a_calibration_alone_is_refused(refused):
    refused("predict", "fig6-left", "--calibration", 94, what="a calibration is for --audible")
