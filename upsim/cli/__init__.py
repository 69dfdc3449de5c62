"""The command line: ``upsim predict fig8-left --plot out.png`` and its relatives.

Exit codes: 0 the answer was given (and, for ``verify``, prediction and witness agree), 1 they do
not agree, 2 bad input, an output that cannot be written, or nothing that ``verify`` could check, 3
they agree in what ``verify`` could check and some claims were not checked, 130 interrupted, 141
nobody reads the output.  What a
program wants to read goes to the standard output, remarks go to the standard error.  Nothing is
imported before it is used.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

__all__ = ["main"]

_BAD_INPUT, _BUG, _INTERRUPTED, _NOBODY_READS = 2, 70, 130, 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; those of the process by default.
    """
    from upsim.cli.app import app, command_of
    from upsim.cli.printing import NobodyReadsError, open_streams
    from upsim.errors import UpsimError

    open_streams()
    try:
        try:
            app(args=arguments, prog_name="upsim")
        finally:
            # The help is printed by typer; what remains must not fail after this function.
            sys.stdout.flush()
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # typer's own help, read by nobody
            return _nobody_reads()
        return end.code if isinstance(end.code, int) else 0
    except UpsimError as error:
        from upsim.cli.wording import in_words_of

        typed = list(sys.argv[1:] if arguments is None else arguments)
        return _refused(in_words_of(command_of(typed), error, typed))
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (BrokenPipeError, NobodyReadsError):
        return _nobody_reads()
    except RecursionError:
        return _refused("the layers are nested too deeply. fix: a flatter stack")
    except MemoryError:
        return _refused("there is not enough memory. fix: fewer channels, layers or frequencies")
    except OSError as error:
        _drop_what_is_left()
        place = error.filename or "standard output"
        return _refused(f"a file cannot be used. given: {place}: {error.strerror or error}")
    except Exception as error:
        if os.environ.get("UPSIM_TRACEBACK"):
            raise
        _refused(
            f"this is a bug of upsim: {type(error).__name__}: {error}. "
            "fix: please report it with the output of the same command under UPSIM_TRACEBACK=1"
        )
        return _BUG
    return 0


def _refused(message: str) -> int:
    from upsim.cli.printing import remark

    remark(f"upsim: {message}")
    return _BAD_INPUT


def _nobody_reads() -> int:
    _drop_what_is_left()
    return _NOBODY_READS


def _drop_what_is_left() -> None:
    """Drop what the streams cannot give away, or the interpreter's end would complain of it."""
    from upsim.cli.printing import drop

    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            drop(stream)
