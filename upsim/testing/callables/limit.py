"""A stranger's call that may never return: it runs beside us, and we wait for so long.

A call runs in a daemon thread.  When its time is over, an exception is raised inside it, which ends
a loop of Python, and the caller goes on.  Native code that gives the interpreter's lock back (a
convolution, a sleep, a read) is left behind and goes on computing, which the report says.  Native
code that keeps the lock stops every thread of the process, ours too.  No thread and no signal
handler ends it; :func:`in_a_process` does.
"""

from __future__ import annotations

import contextvars
import ctypes
import threading
import time
from collections.abc import Callable
from multiprocessing import get_context
from typing import Any, Generic, TypeVar

Answer = TypeVar("Answer")

#: Seconds that a loop of Python gets to end after it was told to.
_FAREWELL = 0.5

#: How often it is told: a handler for everything, inside a loop, catches one.
_TELLINGS = 5


class OutOfTimeError(Exception):
    """A call did not return in time.

    Parameters
    ----------
    seconds : float
        How long it had.
    ended : bool
        Whether it was stopped; if not, it still runs.
    """

    def __init__(self, seconds: float, *, ended: bool) -> None:
        self.seconds = seconds
        self.ended = ended
        super().__init__(f"no answer within {seconds:.3g} s")


class _StoppedError(BaseException):
    """Raised inside a call whose time is over; not an Exception, so that few catch it."""


class _Call(threading.Thread, Generic[Answer]):
    def __init__(self, function: Callable[[], Answer]) -> None:
        super().__init__(daemon=True, name="upsim-check")
        self.function = function
        self.context = contextvars.copy_context()
        self.answer: list[Answer] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        """Keep the answer, or whatever was raised: SystemExit, too."""
        try:
            self.answer.append(self.context.run(self.function))
        except BaseException as error:  # noqa: BLE001 - it is raised again where it is awaited
            self.error = error

    def stop(self) -> bool:
        """Raise inside the thread; return whether it ended."""
        assert self.ident is not None
        for _ in range(_TELLINGS):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self.ident), ctypes.py_object(_StoppedError)
            )
            self.join(_FAREWELL / _TELLINGS)
            if not self.is_alive():
                return True
        return False


class Patience:
    """Seconds for all calls together.

    Examples
    --------
    >>> patience = Patience(60.0)
    >>> patience.call(lambda: 1 + 1)
    2
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.spent = 0.0

    def call(self, function: Callable[[], Answer]) -> Answer:
        """Return what a function returns, raise what it raises, or OutOfTimeError."""
        call = _Call(function)
        start = time.monotonic()
        call.start()
        call.join(max(0.0, self.seconds - self.spent))
        self.spent += time.monotonic() - start
        if call.is_alive():
            raise OutOfTimeError(self.seconds, ended=call.stop())
        if call.error is not None:
            raise call.error
        return call.answer[0]


def in_a_process(function: Callable[..., Any], *arguments: Any, seconds: float) -> Any:
    """Return what a picklable function returns in a process of its own, which is killed in time.

    Raises OutOfTimeError; RuntimeError if the process died without an answer.
    """
    context = get_context("spawn")
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_answer, args=(there, function, arguments), daemon=True)
    child.start()
    there.close()
    try:
        if not here.poll(seconds):
            raise OutOfTimeError(seconds, ended=True)
        try:
            kind, value = here.recv()
        except EOFError:
            child.join(_FAREWELL)
            raise RuntimeError(f"the process died, exit code {child.exitcode}") from None
    finally:
        child.kill()
        child.join()
        here.close()
    if kind == "raised":
        raise value
    return value


def _answer(there: Any, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        there.send(("returned", function(*arguments)))
    except BaseException as error:  # noqa: BLE001 - sent to the process that waits
        there.send(("raised", error))
