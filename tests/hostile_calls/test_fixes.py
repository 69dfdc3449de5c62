"""What a refusal says to type can be typed, and it works."""

import ast
from collections import defaultdict
from contextlib import chdir
from fractions import Fraction
from math import ceil

import matplotlib.pyplot as plt
import numpy as np
import pytest

import upsim
from tests.hostile_calls.calls import (
    BENT,
    CRITIC,
    HOSTILE,
    LINEAR,
    OPEN,
    PREDICTION,
    SUBJECTS,
)
from upsim.cli.inputs import parse_hertz, read_signal, read_stack
from upsim.errors import UpsimError

#: What a reader of a message has at hand: the names of the arguments that were given.
NAMES = {
    "upsim": upsim,
    "numpy": np,
    "Fraction": Fraction,
    # A layer is named as its repr has it, to be put in the place of the one that was given.
    **upsim.layers.CATALOGUE,
    "stack": LINEAR,
    "signal": upsim.Constant(1.0),
    "prediction": PREDICTION,
    "frequency": 4000,
    "input_length": 16,
    "sample_rate": 16000,
    "samples": np.ones(4),
    "period": np.ones(4),
    "frequencies": np.ones(4),
    "mean": [0.0],
    "variance": [1.0],
}


def refusal_of(ask):
    """Return the error of a call that is refused, or None."""
    try:
        ask()
    except UpsimError as error:
        return error
    except AssertionError:  # what a check of upsim.testing finds is its answer
        return None
    finally:
        plt.close("all")
    return None


def keywords_of(fix):
    """Return the keywords of a fix like ``stride=2``, or nothing."""
    try:
        call = ast.parse(f"f({fix})", mode="eval").body
    except SyntaxError:
        return []
    assert isinstance(call, ast.Call)
    return call.keywords if not call.args else []


def is_expression(fix):
    try:
        ast.parse(fix, mode="eval")
    except SyntaxError:
        return False
    return True


def typed(fix, names=NAMES):
    return eval(compile(fix, "the fix", "eval"), dict(names))


@pytest.fixture(scope="module")
def refusals(tmp_path_factory):
    """Return every refusal of the campaign: (subject, parameter, error), by what is to be typed."""
    found = defaultdict(list)
    with chdir(tmp_path_factory.mktemp("calls")):  # some names are good file names
        for asked, parameter, error in _refused():
            found[error.fix].append((asked, parameter, error))
    return found


def _refused():
    for asked in SUBJECTS:
        if "torch" in asked.name or asked.name == "Prediction.plot":
            continue  # the same checks as in the other calls, and slow
        for parameter in asked.hostile:
            kinds = set()
            for make in HOSTILE.values():
                try:
                    asked.with_hostile(parameter, make())
                except UpsimError as error:
                    if error.fix and (error.what, error.fix) not in kinds:
                        kinds.add((error.what, error.fix))
                        yield asked, parameter, error.with_traceback(None)
                except Exception:  # noqa: BLE001 - another test's concern
                    continue


def test_an_argument_to_type_ends_the_refusal(refusals):
    """``stride=2``: the call with it is not refused for the same reason again."""
    tried = 0
    for fix, cases in refusals.items():
        for keyword in keywords_of(fix):
            value = typed(ast.Expression(keyword.value))
            for asked, parameter, error in cases:
                if keyword.arg != parameter:
                    continue
                tried += 1
                again = refusal_of(
                    lambda asked=asked, name=parameter, value=value: asked.with_hostile(name, value)
                )
                assert again is None or again.what != error.what, (asked.name, fix)
    assert tried > 300


def test_an_expression_to_type_is_one(refusals):
    """``upsim.Constant(1.0)``: it means something where the message is read."""
    tried = {fix for fix in refusals if not keywords_of(fix) and is_expression(fix)}
    for fix in tried:
        if fix.startswith("mkdir -p "):
            continue  # a line of shell that is a difference by chance
        typed(fix)
    assert "upsim.Constant(1.0)" in tried
    assert len([fix for fix in tried if "upsim" in fix]) >= 12


SINE = upsim.Sine(3000)

# Refusals that no single wrong argument provokes: a call, and the names that its message may use.
CALLS = {
    "verify of open weights": (lambda: upsim.verify(OPEN), {"stack": OPEN}),
    "lines of open weights": (
        lambda: upsim.predict(OPEN).lines(4),
        {"stack": OPEN, "signal": upsim.Constant(1.0)},
    ),
    "spread of drawn weights": (PREDICTION.spread, {"stack": OPEN}),
    "cyclic density without noise": (
        lambda: upsim.predict(LINEAR, upsim.Constant(1.0)).cyclic_density(1),
        {"stack": LINEAR},
    ),
    "a sine beyond Nyquist": (lambda: upsim.predict(LINEAR, SINE), {}),
    "a frequency beyond Nyquist": (lambda: PREDICTION.explain(9000), {"stack": LINEAR}),
    "fold of an activation": (lambda: upsim.fold(BENT), {"stack": BENT}),
    "coverage of a network": (lambda: upsim.coverage(LINEAR, 4), {"stack": LINEAR}),
    "gradient lines of a generator": (lambda: upsim.gradient_lines(LINEAR), {"stack": LINEAR}),
    "finite matrix of an activation": (
        lambda: upsim.finite_matrix(BENT, 4),
        {"stack": LINEAR, "critic": CRITIC},
    ),
    "channels that do not fit": (
        lambda: upsim.predict(LINEAR, upsim.Constant([1.0, 2.0])),
        {"stack": LINEAR},
    ),
    "a channel that is not there": (lambda: PREDICTION.audibility(channel=3), {}),
    "a length that no file has": (lambda: upsim.load_stack("nowhere.json"), {}),
    "an unknown model": (lambda: upsim.models.build("hifigan-v4"), {}),
    "a layer that is not there": (lambda: LINEAR.kind("7"), {"stack": LINEAR}),
    "too few layers": (lambda: LINEAR.upto(3), {}),
    "a prediction that is none": (
        lambda: upsim.Prediction.from_dict({"format": "x"}),
        {"prediction": PREDICTION},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_the_fix_of_a_refusal_that_takes_more(name):
    ask, names = CALLS[name]
    error = refusal_of(ask)
    assert error is not None
    assert error.fix or error.expected
    if keywords_of(error.fix) or not is_expression(error.fix):
        return
    typed(error.fix, NAMES | names)


def test_the_fix_of_a_recording_at_another_rate(tmp_path):
    from scipy.io import wavfile

    path = tmp_path / "clip.wav"
    wavfile.write(path, 4000, np.full(64, 0.5, dtype=np.float32))
    stack = upsim.Stack([upsim.Nearest(2)], 44100)
    error = refusal_of(lambda: upsim.predict(stack, upsim.Recorded.from_file(path)))
    fixed = typed(error.fix, NAMES | {"path": path})
    assert upsim.predict(stack, fixed).waveform.shape == (1, 2 * ceil(64 * 22050 / 4000))


COMMANDS = {
    "--signal": lambda value: read_signal([value], LINEAR),
    "--freq": lambda value: parse_hertz(value, "--freq"),
    "stack": read_stack,
}


@pytest.mark.parametrize(
    ("option", "wrong"),
    [
        ("--signal", "wibble"), ("--signal", "noise:loud"), ("--signal", "constant:x"),
        ("--freq", "fast"), ("--freq", "1/0"), ("stack", "hifigan"), ("stack", "fig8left"),
    ],
)  # fmt: skip
def test_what_the_command_line_says_to_type(option, wrong):
    ask = COMMANDS[option]
    error = refusal_of(lambda: ask(wrong))
    offers = error.fix.removeprefix("--signal ").replace(" or ", ", ").split(", ")
    assert offers
    for offer in offers:
        assert ask(offer) is not None
