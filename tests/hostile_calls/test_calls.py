"""Every public function refuses a wrong kind of argument, in the package's own errors, soon."""

import signal
import tracemalloc
import warnings
from contextlib import contextmanager, suppress

import matplotlib.pyplot as plt
import pytest

import upsim
from tests.hostile_calls.calls import HOSTILE, SUBJECTS, subject
from upsim.errors import UpsimError
from upsim.words.arguments import axes_of, finite_array, shown, whole_number

#: A user's own function is called as it is, and what it raises is the user's.
CALLABLES = {"progress": {"type", "function", "layer type"}}

#: A refusal takes no memory; an answer to a small question takes little.
MEMORY = 2**28


@contextmanager
def patience(seconds):
    """Interrupt what hangs: the test of a hang must end."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def give_up(*_):
        raise TimeoutError(f"no answer within {seconds} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def complaint(asked, parameter, name):
    """Return what is wrong with the answer to one hostile argument, "" if nothing."""
    try:
        with patience(20):
            asked.with_hostile(parameter, HOSTILE[name]())
    except UpsimError as error:
        text = str(error)
        if not (error.what and error.given) or "\n" in text:
            return f"{parameter}={name}: refused without saying what was given: {text!r}"
    except AssertionError as error:
        # What a check finds is its answer.
        return "" if asked.name.startswith("testing.") else f"{parameter}={name}: {error}"
    except Exception as error:  # noqa: BLE001 - the subject of the test
        return f"{parameter}={name}: {type(error).__name__}: {error}"
    finally:
        plt.close("all")
    return ""


@pytest.mark.parametrize("asked", SUBJECTS, ids=lambda each: each.name)
def test_a_wrong_argument_is_refused_in_our_words(asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some names are good file names
    if "torch" in asked.name:
        pytest.importorskip("torch", reason="torch runs the layers here")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with suppress(UpsimError):
            asked.plain()  # imports are paid here
        tracemalloc.start()
        try:
            found = [
                complaint(asked, parameter, name)
                for parameter in asked.hostile
                for name in HOSTILE
                if name not in CALLABLES.get(parameter, ())
            ]
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert [each for each in found if each] == []
    assert peak < MEMORY


def test_the_campaign_reaches_what_is_public():
    names = {each.name for each in SUBJECTS}
    assert {"predict", "verify", "fold", "families", "cost", "explain", "adjoint"} <= names
    assert {"Prediction.lines", "Prediction.audio", "Stack.draw", "Recorded.from_file"} <= names
    assert {"StretchFIR.apply", "PolyphaseMatrix.offset_samples"} <= names
    assert {"Conv", "models.build", "neural.run", "testing.check_upsampler"} <= names


def test_a_function_that_the_campaign_does_not_know_is_not_forgotten():
    def question(stack, novelty):
        return stack, novelty

    with pytest.raises(LookupError, match="no good value for novelty of question"):
        subject("question", question)


def test_an_error_that_is_not_ours_is_found():
    def careless(stack, channels):
        return stack.in_channels + channels

    found = complaint(subject("careless", careless), "stack", "None")
    assert found.startswith("stack=None: AttributeError")


class Unprintable:
    def __repr__(self):
        raise RuntimeError("no words")

    __array__ = __len__ = __float__ = __repr__


def test_what_cannot_be_printed_is_named_by_its_type():
    assert shown(Unprintable()) == "a Unprintable"
    assert axes_of(Unprintable()) in (0, 1)
    for ask in (whole_number, finite_array, lambda value, _: upsim.predict(value)):
        with pytest.raises(UpsimError, match="Unprintable"):
            ask(Unprintable(), "stride")


STACK = upsim.Stack([upsim.Nearest(2)], 16000)
PREDICTION = upsim.predict(STACK, upsim.Constant(1.0))


@pytest.mark.parametrize("count", [-1, 0, 2.5, 1e9, float("nan"), float("inf"), True, "x", None])
def test_a_count_of_samples(count):
    with pytest.raises(UpsimError, match=r"count|samples"):
        PREDICTION.lines(count)


@pytest.mark.parametrize("seconds", [-1, 0, 1e308, float("nan"), float("inf"), True, "x", None, 1j])
def test_a_number_of_seconds(seconds):
    with pytest.raises(UpsimError, match=r"seconds|samples"):
        PREDICTION.audio(seconds)


@pytest.mark.parametrize(
    "wrong", [None, 5, "fig7", upsim.Nearest(2), [upsim.Nearest(2)], upsim.Stack]
)
@pytest.mark.parametrize(
    "ask",
    [
        upsim.predict,
        upsim.verify,
        upsim.fold,
        upsim.families,
        upsim.cost,
        upsim.adjoint,
        upsim.gradient_lines,
        lambda stack: upsim.explain(stack, 1000),
        lambda stack: upsim.finite_matrix(stack, 4),
        lambda stack: upsim.save_stack(stack, "stack.json"),
    ],
)
def test_what_is_no_network(ask, wrong):
    with pytest.raises(upsim.errors.ArgumentTypeError, match="needs a Stack or a Graph") as caught:
        ask(wrong)
    assert eval(caught.value.fix) == upsim.Stack([upsim.Nearest(2)], sample_rate=16000)
