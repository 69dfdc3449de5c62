"""How the program behaves: streams, exit codes, imports, interruption."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from upsim.cli import main

ROOT = Path(__file__).resolve().parents[2]


def command(*arguments: str, **options):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "upsim", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        **options,
    )


VERBS = [
    "predict", "explain", "measure", "verify", "compare", "inspect", "overlap", "replicas",
    "boundaries", "lengths", "context", "aliasing", "cost", "models", "schema",
]  # fmt: skip


@pytest.mark.parametrize("arguments", [[], ["--help"], *([verb, "--help"] for verb in VERBS)])
def test_help_imports_nothing_heavy(arguments):
    probe = (
        f"import sys; from upsim.cli import main; main({arguments}); "
        "print('heavy:', *[n for n in ('torch', 'sympy', 'matplotlib', 'scipy', 'numpy') "
        "if n in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert "Usage: upsim" in answer.stdout + answer.stderr
    assert answer.stdout.endswith("heavy:\n")


def test_the_list_of_commands_cuts_no_sentence_short(upsim_command):
    listed = upsim_command("--help").out.split("Commands:")[1]
    assert [line.split()[0] for line in listed.strip().splitlines()] == VERBS
    assert "..." not in listed


@pytest.mark.parametrize("name", VERBS)
def test_every_command_has_help(upsim_command, name):
    outcome = upsim_command(name, "--help")
    assert outcome.code == 0
    assert outcome.err == ""


def test_version(upsim_command):
    import upsim

    assert upsim_command("--version").out == f"upsim {upsim.__version__}\n"


def test_as_a_module_notes_go_to_the_standard_error():
    with command("predict", "fig7", "--csv") as running:
        out, err = running.communicate(timeout=60)
    assert running.returncode == 0
    assert out.startswith("frequency_hz,")
    assert err.startswith("note: ")
    assert "\x1b" not in err  # no progress bar, no colours: nobody looks


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.skipif(
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
    reason="a background job: the shell has it, and what it starts, ignore interruptions",
)
def test_interruption_ends_with_130():
    with command("verify", "hifigan-v1") as running:
        assert running.stderr is not None
        running.stderr.readline()  # the first note: it works
        while running.poll() is None:
            running.send_signal(signal.SIGINT)
            # Python drops an interruption that falls into a destructor; a person presses again,
            # but not while the command is ending.
            with suppress(subprocess.TimeoutExpired):
                running.wait(timeout=5)
        _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in err


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_a_closed_pipe_ends_quietly():
    with command("predict", "fig7", "--json") as running:
        assert running.stdout is not None
        running.stdout.close()
        assert running.stderr is not None
        err = running.stderr.read()
    assert running.returncode == 141
    assert "Traceback" not in err
    assert "Exception" not in err


def test_a_bug_is_called_a_bug_and_shows_no_traceback(upsim_command, monkeypatch):
    from upsim import models

    def broken(_name):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(models, "build", broken)
    outcome = upsim_command("cost", "fig7")
    assert outcome.code == 70
    assert "this is a bug of upsim: ZeroDivisionError: oh" in outcome.err
    monkeypatch.setenv("UPSIM_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        main(["cost", "fig7"])


@pytest.mark.parametrize(
    ("error", "word"), [(MemoryError(), "memory"), (RecursionError(), "nested too deeply")]
)
def test_exhaustion_is_refused(refused, monkeypatch, error, word):
    from upsim import models

    def exhausted(_name):
        raise error

    monkeypatch.setattr(models, "build", exhausted)
    refused("cost", "fig7", what=word)


def test_a_bar_is_drawn_on_a_terminal_only(monkeypatch, capsys):
    from upsim.cli.printing import progress

    with progress("quiet", 2) as bar:
        bar.stage("one")
        bar(0.5, "two")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with progress("loud", 2) as bar:
        bar.stage("one")
        bar(0.5, "two")
    found = capsys.readouterr()
    assert "two" in found.err
    assert found.out == ""
