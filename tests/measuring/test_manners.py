"""How a run is asked for, interrupted, kept, drawn and refused."""

import json
from contextlib import suppress
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from typer.testing import CliRunner

import upsim
from upsim import Conv, LeakyReLU, Prediction, ReLU, Sine, Stack, TransposedConv, WhiteNoise
from upsim.cli.app import app
from upsim.errors import (
    ArgumentError,
    ArgumentTypeError,
    FileFormatError,
    NotPredictableError,
    TooLargeError,
)
from upsim.measuring.circles import Circles

NOISE = WhiteNoise(1.0)


def decoder(seed: int = 0) -> Stack:
    layers = [TransposedConv(2, 8, 8, 4), LeakyReLU(0.1), TransposedConv(8, 4, 4, 2), ReLU()]
    return Stack([*layers, Conv(4, 1, 3, padding=1)], 16000).draw(seed)


class Interrupting:
    """Runs circles and presses Ctrl-C once, before a given call."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, call: int) -> None:
        self.calls, plain = 0, Circles.run

        def run(circles: Circles, count: int) -> None:
            self.calls += 1
            if self.calls == call:
                raise KeyboardInterrupt
            # A few circles at a time, so that there is something to interrupt.
            plain(circles, min(count, 3))

        monkeypatch.setattr(Circles, "run", run)


def test_an_interrupted_run_answers_with_what_is_there(monkeypatch):
    Interrupting(monkeypatch, 9)
    run = upsim.measure(decoder(), NOISE, target_db=None, seconds=5.0)
    assert 16 <= run.measured.circles < 32
    assert "interrupted after" in run.assumptions[1]
    assert run.psd is not None


def test_an_interruption_before_there_are_eight_batches_is_one(monkeypatch, tmp_path):
    Interrupting(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        upsim.measure(decoder(), NOISE, seconds=5.0, resume=tmp_path / "run.npz")
    # What was run is kept all the same.
    assert (tmp_path / "run.npz").exists()


@pytest.mark.parametrize("call", [2, 3, 9])
def test_a_resumed_run_is_the_run_that_was_not_interrupted(monkeypatch, tmp_path, call):
    arguments = {"target_db": None, "seconds": 3.0, "seed": 5}
    whole = upsim.measure(decoder(), NOISE, **arguments)
    with monkeypatch.context() as patch:
        Interrupting(patch, call)
        with suppress(KeyboardInterrupt):
            upsim.measure(decoder(), NOISE, resume=tmp_path / "run.npz", **arguments)
    resumed = upsim.measure(decoder(), NOISE, resume=tmp_path / "run.npz", **arguments)
    assert resumed.measured.circles == whole.measured.circles
    assert np.allclose(resumed.psd, whole.psd, rtol=1e-12, atol=0)
    assert [tone.fraction for tone in resumed.tones] == [tone.fraction for tone in whole.tones]
    # To go on with more seconds is to run only what is missing.
    longer = upsim.measure(
        decoder(), NOISE, target_db=None, seconds=6.0, seed=5, resume=tmp_path / "run.npz"
    )
    assert longer.measured.circles > whole.measured.circles


def test_the_file_of_another_run_is_refused(tmp_path):
    path = tmp_path / "run.npz"
    upsim.measure(decoder(), NOISE, target_db=None, seconds=1.0, resume=path)
    before = path.read_bytes()
    for stack, signal, seed in [
        (decoder(1), NOISE, 0),
        (decoder(), WhiteNoise(2.0), 0),
        (decoder(), NOISE, 1),
    ]:
        with pytest.raises(ArgumentError, match="of another run"):
            upsim.measure(stack, signal, target_db=None, seconds=1.0, seed=seed, resume=path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_a_file_that_is_no_run_is_refused_and_kept(tmp_path, content):
    path = tmp_path / "run.npz"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match="not a file of this run"):
        upsim.measure(decoder(), NOISE, target_db=None, seconds=1.0, resume=path)
    assert path.read_bytes() == content


def test_a_file_that_would_unpack_to_more_is_refused(tmp_path):
    path = tmp_path / "run.npz"
    np.savez_compressed(path, mark=np.zeros(2**20))
    with pytest.raises(FileFormatError, match="larger than"):
        upsim.measure(decoder(), NOISE, target_db=None, seconds=1.0, resume=path)


def test_a_target_out_of_reach_is_refused_with_the_seconds_that_would_do():
    with pytest.raises(TooLargeError, match="even for Gaussian noise") as refused:
        upsim.measure(decoder(), NOISE, target_db=0.01, seconds=1.0)
    seconds = float(refused.value.fix.split("seconds=")[1].split(",")[0])
    assert seconds > 1.0
    # What it offers works.
    target = float(refused.value.fix.split("target_db=")[1])
    run = upsim.measure(decoder(), NOISE, target_db=target, seconds=1.0)
    assert run.measured.seconds <= 1.0


def test_a_target_that_scatter_puts_out_of_reach_is_refused_after_the_first_batches():
    # Rare bursts: a rectifier that opens at three deviations.
    bias = np.full(1, -3.0)
    one = Conv(1, 1, 1, weight=np.ones((1, 1, 1)), bias=bias)
    stack = Stack([one, ReLU()], 16000)
    with pytest.raises(TooLargeError, match="scatter of its batches"):
        upsim.measure(stack, NOISE, target_db=0.8, seconds=0.8)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"seconds": 0}, ArgumentError, "seconds must be positive"),
        ({"seconds": -1.0}, ArgumentError, "seconds must be positive"),
        ({"seconds": float("nan")}, ArgumentError, "finite"),
        ({"target_db": 0}, ArgumentError, "target_db must be positive"),
        ({"target_db": None}, ArgumentError, "needs an end"),
        ({"seconds": 1e-3}, ArgumentError, "no time for enough batches"),
        ({"batches": 7}, ArgumentError, "batches"),
        ({"frequencies": 2}, ArgumentError, "frequencies"),
        ({"backend": "jax"}, ArgumentError, "backend is not known"),
        ({"device": "cuda"}, ArgumentError, "NumPy runs on the CPU"),
        ({"dtype": "int8"}, ArgumentError, "precision"),
        ({"resume": 3}, ArgumentTypeError, "resume"),
        ({"progress": 3}, ArgumentTypeError, "progress"),
    ],
)
def test_wrong_arguments_are_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        upsim.measure(decoder(), NOISE, **arguments)


@pytest.mark.torch
def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(ArgumentError, match="no such CUDA device"):
        upsim.measure(decoder(), NOISE, backend="torch", device="cuda:99")


def test_a_period_longer_than_the_run_is_refused():
    with pytest.raises(ArgumentError, match="period is longer than the run") as refused:
        upsim.measure(decoder(), NOISE + Sine(1.5), seconds=0.5)
    seconds = float(refused.value.fix.removeprefix("seconds="))
    assert seconds >= 8 * 2 / 3


def test_a_network_without_weights_is_refused():
    with pytest.raises(NotPredictableError, match="not one network"):
        upsim.measure(Stack([Conv(1, 1, 3)], 16000), NOISE)


def test_a_run_is_kept_as_json_and_old_files_are_read():
    run = upsim.measure(decoder(), NOISE, target_db=None, seconds=1.0)
    content = json.loads(run.to_json())
    again = Prediction.from_dict(content)
    assert again.table() == run.table()
    assert np.array_equal(again.measured.bounds, run.measured.bounds, equal_nan=True)
    assert np.array_equal(again.measured.psd_error, run.measured.psd_error)
    assert again.explain(2000).text == run.explain(2000).text
    del content["measured"]
    for tone in content["tones"]:
        del tone["error"]
    old = Prediction.from_dict(content)
    assert old.measured is None
    assert all(tone.error is None for tone in old.tones)


def test_a_table_has_intervals_and_an_explanation_says_what_was_measured():
    run = upsim.measure(decoder(), NOISE, target_db=None, seconds=1.0)
    header = run.table().splitlines()[0]
    assert header.split("  ")[0] == "frequency"
    assert "95 %" in header
    listed = next(tone for tone in run.tones if tone.fraction)
    text = run.explain(listed.frequency).text
    assert "measured: " in text
    assert "standard error" in text
    assert "from: " in text
    unlisted = np.flatnonzero(~np.isnan(run.measured.bounds[0]))[0]
    place = unlisted / run.measured.period * 16000
    assert "no line stands out here; at most" in run.explain(float(place)).text


def test_pictures_show_the_errors():
    run = upsim.measure(decoder(), NOISE, target_db=None, seconds=1.0)
    ax = run.plot()
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert "95 % interval" in labels
    # One bar a line: matplotlib keeps error bars as containers.
    assert len(ax.containers) == len(run.tones)
    plt.close(ax.figure)


def test_layers_are_measured_when_they_are_asked_for():
    run = upsim.measure(decoder(), NOISE, target_db=None, seconds=1.0)
    inside = run.layers[1]
    assert inside.channels == 8
    assert inside.measured.degrees == run.measured.degrees
    assert run.inputs[0].channels == 2
    axes = run.plot(kind="layers")
    plt.close(axes[0].figure)


def test_progress_is_told():
    heard = []
    upsim.measure(decoder(), NOISE, progress=lambda done, text: heard.append((done, text)))
    assert heard[0] == (0.0, "0 s measured")
    assert all(0 <= done < 1 for done, _ in heard)


def test_the_command_measures_and_goes_on(tmp_path: Path):
    stack, kept = tmp_path / "stack.json", tmp_path / "run.npz"
    upsim.save_stack(decoder(), stack)
    arguments = ["measure", str(stack), "--signal", "noise", "--seconds", "1"]
    first = CliRunner().invoke(app, [*arguments, "--resume", str(kept)])
    assert first.exit_code == 0, first.output
    assert "measured: " in first.stdout
    assert "95 %" in first.stdout
    again = CliRunner().invoke(app, [*arguments, "--resume", str(kept), "--json"])
    assert json.loads(again.stdout)["measured"]["circles"] > 0
    rows = CliRunner().invoke(app, [*arguments, "--csv"]).stdout.splitlines()
    assert "power_error" in rows[0]


def test_a_network_that_is_shut_is_silent():
    one = Conv(1, 1, 1, weight=np.ones((1, 1, 1)), bias=np.full(1, -30.0))
    run = upsim.measure(Stack([one, ReLU()], 16000), NOISE)
    assert run.tones == ()
    assert not run.psd.any()
