"""Whatever a callable does, the check ends and says which law it breaks."""

import re
import time

import numpy as np
import pytest

import upsim
from upsim.errors import ArgumentError
from upsim.testing import CALLABLE_LAWS, check_upsampler, subject
from upsim.testing.callables.limit import OutOfTimeError, Patience, in_a_process

from . import broken

#: Laws that follow from the others for whatever numbers a callable returns; they have teeth in
#: test_laws_of_callables, on a kernel that was measured wrongly.
DERIVED = {"phase_gains", "offset_tones", "adjoint"}


def report_of(function, **arguments):
    with pytest.raises(AssertionError) as failure:
        check_upsampler(function, **{"factor": 2, "channels": 2} | arguments)
    return str(failure.value)


@pytest.mark.parametrize(
    ("law", "function", "arguments", "said"),
    broken.BROKEN,
    ids=[getattr(each[1], "__name__", type(each[1]).__name__) for each in broken.BROKEN],
)
def test_the_report_names_the_law_and_what_came_back(law, function, arguments, said):
    if "like" in arguments:
        arguments = arguments | {"like": eval(f"upsim.{arguments['like']}")}
    report = report_of(function, **arguments)
    (line,) = re.findall(rf"^  {law}: .*$", report, re.MULTILINE)
    assert said in line
    assert f"law: {CALLABLE_LAWS[law].statement}" in report


def test_every_law_of_callables_has_a_function_that_breaks_it():
    assert {each[0] for each in broken.BROKEN} | DERIVED == set(CALLABLE_LAWS)


def test_the_function_that_the_broken_ones_are_made_of_is_right():
    check_upsampler(broken.hold, factor=2, channels=2, groups=2, gain=1.0, like=upsim.Nearest(2))


@pytest.mark.parametrize("function", [broken.never, broken.sleeps])
def test_a_call_that_does_not_return_is_given_up(function):
    start = time.monotonic()
    report = report_of(function, time_limit=0.2)
    assert "no answer within 0.2 s" in report
    # The bound of a hang, not of speed: the next limit up would be the profile's minute.
    assert time.monotonic() - start < 30


def test_a_call_that_was_left_behind_is_said_to_run():
    assert "left behind, still running" in report_of(broken.sleeps, time_limit=0.2)


def test_an_interruption_is_passed_on():
    def interrupted(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_upsampler(interrupted, factor=2)


def test_patience_is_for_all_calls_together():
    patience = Patience(0.3)
    assert patience.call(lambda: time.sleep(0.05) or 7) == 7
    with pytest.raises(OutOfTimeError, match=r"no answer within 0\.3 s"):
        patience.call(lambda: time.sleep(60))
    with pytest.raises(OutOfTimeError):
        patience.call(lambda: time.sleep(60))


def stop_the_process():
    import os

    os._exit(5)


@pytest.mark.slow
def test_a_process_of_its_own_is_killed_and_its_death_is_seen():
    assert in_a_process(abs, -3, seconds=60) == 3
    with pytest.raises(OutOfTimeError):
        in_a_process(time.sleep, 600, seconds=0.5)
    with pytest.raises(RuntimeError, match="exit code 5"):
        in_a_process(stop_the_process, seconds=60)
    with pytest.raises(ZeroDivisionError):
        in_a_process(divmod, 1, 0, seconds=60)


@pytest.mark.slow
def test_a_callable_runs_in_a_process_of_its_own():
    check_upsampler(broken.hold, factor=2, channels=2, own_process=True)
    assert "it raises RuntimeError: no such size" in report_of(broken.raises, own_process=True)


def test_what_cannot_be_pickled_gets_no_process_of_its_own():
    with pytest.raises(ArgumentError, match=r"only what can be pickled"):
        check_upsampler(lambda x: x, factor=1, own_process=True)


@pytest.mark.torch
def test_an_answer_without_numbers_and_one_on_its_own():
    import torch

    def nowhere(x):
        return torch.repeat_interleave(x, 2, dim=-1).to("meta")

    def cut_off(x):
        return torch.repeat_interleave(x, 2, dim=-1).detach()

    assert "on the device 'meta' and holds no numbers" in report_of(nowhere)
    assert "adjoint: 1 samples: no gradient flows" in report_of(cut_off)


@pytest.mark.torch
def test_training_mode_is_named():
    import torch

    noisy = torch.nn.Sequential(torch.nn.ConvTranspose1d(2, 2, 4, 2, 1), torch.nn.Dropout(0.5))
    assert "the module is in training mode" in report_of(noisy)
    check_upsampler(noisy.eval(), factor=2, channels=2)
    averaged = torch.nn.Sequential(torch.nn.Upsample(scale_factor=2), torch.nn.BatchNorm1d(2))
    assert "batch_independence" in report_of(averaged)


@pytest.mark.torch
def test_a_gradient_that_is_not_the_transpose_is_found():
    import torch

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return torch.repeat_interleave(x, 2, dim=-1)

        @staticmethod
        def backward(ctx, back):
            return back[..., ::2] + back[..., 1::2] * 0.9

    def wrong(x):
        return Wrong.apply(x)

    assert "adjoint: 1 samples: <f(x) - f(0), y> =" in report_of(wrong)


def test_measured_wrongly_the_derived_laws_fail(monkeypatch):
    # A constant does not add up like the impulses that were measured.
    from dataclasses import replace

    from upsim.testing.callables import laws, measured

    def doubled(found):
        truth = measured.measured(found)
        blocks = truth.operator.blocks * np.array([1.0, 2.0])[None, None, :, None, None]
        return replace(truth, operator=replace(truth.operator, blocks=blocks))

    monkeypatch.setattr(laws, "measured", doubled)
    for name in ("phase_gains", "offset_tones"):
        with pytest.raises(AssertionError):
            CALLABLE_LAWS[name].check(subject(broken.hold, 2, 2))
