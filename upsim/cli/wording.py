"""Errors in the command line's words: the one place that knows both names of a thing.

The library speaks of arguments and calls: ``sample_rate=44100``, ``stack.draw(seed=0)``.  Who reads
the message typed options.  What names no option of the command is left as it is: a field of the
file that was read, or a call, which is said to be one of Python's.
"""

from __future__ import annotations

import inspect
import re
from ast import literal_eval
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from typer.models import OptionInfo

from upsim.cli.options import SIGNAL_OPTION
from upsim.errors import UpsimError

#: Parameters of commands that bear another name than the argument of the library that they become.
_ARGUMENTS = {
    "length": "input_length",
    "precision": "dtype",
    "freq": "frequency",
    "follow": "length",
}

#: Python that a message says to type, and the options that do the same.
_SAYINGS: tuple[tuple[str, str], ...] = (
    (r"upsim\.from_(?:config|onnx)\(\w+, sample_rate=([\w.]+)\)", r"{sample_rate} \1"),
    (r"(?:\w+ = )?\w+\.draw\(seed=0\), and predict that one network", "{seed} 0, no {expected}"),
    (r'upsim\.predict\(\w+\.draw\(seed=0\)\)\.plot\(kind="(\w+)"\)', r"{seed} 0 {kind} \1"),
    (r"upsim\.\w+\(\w+\.draw\(seed=0\)(?:, \w+)?\)", "{seed} 0"),
    (r"(?:\w+ = )?\w+\.draw\(seed=0\)", "{seed} 0"),
    (r"(?:upsim\.predict\(\w+, )?upsim\.Constant\(1\.0\)\)?", "{signal} constant:1"),
    (r"(?:upsim\.predict\(\w+, )?upsim\.WhiteNoise\(\)\)?", "{signal} noise"),
    (r"upsim\.WhiteNoise\(([\d.]+)\)", r"{signal} noise:\1"),
    (r"upsim\.Sine\(([\d.]+)\)", r"{signal} sine:\1"),
    (r"(?:upsim\.)?predict\((?:\.\.\.|\w+, \w+), memory=2\*\*33\)", "{memory} 8"),
    (r"(?:upsim\.)?predict\((?:\.\.\.|\w+, \w+), memory=<fewer bytes>\)", "a smaller {memory}"),
    (r"(?:upsim\.)?predict\((?:\.\.\.|\w+, \w+), memory=<(?:more )?bytes>\)", "{memory} GIB"),
    (r"memory=2 \* 2\*\*30", "{memory} 2"),
    (r"memory=\.\.\.", "{memory}"),
    (r"upsim\.lengths\(\w+, (\w+)\)", r"upsim lengths STACK -n \1"),
    (r"upsim\.explain\(\w+, ([\d.]+)\)", r"{frequency} \1"),
    (r"upsim\.context\(\w+, \w+, errors=True\)(\.plot\(\))?", "{errors}"),
)

#: The numbers of a signal that is typed, and its kind.
_PARTS = {"power": "noise", "value": "constant"}

#: The beginning of a call in Python.
_CALL = re.compile(r"(?:\w+ = )?\b(?:upsim|stack|graph|critic|prediction|numpy)\.[\w.]*\w\(")

_VALUE = r"""(?P<value>'[^']*'|"[^"]*"|\[[^\]]*\]|\{[^}]*\}|<[^>]*>|[^\s,;)]+)?"""

#: Files whose fields have names of their own.
_NO_FIELDS = (".onnx", ".wav", ".flac")


def in_words_of(command: Callable[..., Any] | None, error: UpsimError, typed: Sequence[str]) -> str:
    """Return an error as who typed a command reads it.

    Parameters
    ----------
    command : callable or None
        The function of the command, if one was reached.
    error : UpsimError
    typed : sequence of str
        Everything behind the program's name.
    """
    options = {} if command is None else options_of(command)
    files = [each for each in typed if each and not each.lower().endswith(_NO_FIELDS)]
    read = any(each in error.where for each in files)
    # A value in the file that was read is named by its field: no option has it.
    fields = {name for name in options if read and re.match(rf"{name}(=|,|$)", error.given)}
    known = {name: option for name, option in options.items() if name not in fields}
    fix = error.fix
    if SIGNAL_OPTION in error.where:  # the names are those of the signal's own parts
        known = {"signal": SIGNAL_OPTION}
        for name, kind in _PARTS.items():
            fix = re.sub(rf"\b{name}=", f"{SIGNAL_OPTION} {kind}:", fix)
    if "sound file" in error.what and "recording_channel" in known:
        known["channel"] = known["recording_channel"]
    return str(
        UpsimError(
            _leading(error.what, known),
            given=_named(error.given, known),
            expected=_named(error.expected, known),
            fix=fix_in_words_of(known, fix),
            where=error.where,
        )
    )


def options_of(command: Callable[..., Any]) -> Mapping[str, str]:
    """Return the options of a command by the arguments of the library that they become.

    Examples
    --------
    >>> from upsim.cli.app import predict
    >>> found = options_of(predict)
    >>> found["memory"], found["seed"], "input_length" in found
    ('--memory', '--seed', False)
    """
    found = {}
    for name, parameter in inspect.signature(command, eval_str=True).parameters.items():
        for kind in getattr(parameter.annotation, "__metadata__", ()):
            if isinstance(kind, OptionInfo):
                # In an annotation typer takes the first name for the default.
                words = (kind.default, *(kind.param_decls or ()))
                found[_ARGUMENTS.get(name, name)] = next(
                    each for each in words if isinstance(each, str)
                )
    return found


def fix_in_words_of(options: Mapping[str, str], fix: str) -> str:
    """Return what to type, where there are options for it; else the call is said to be Python's.

    Examples
    --------
    >>> options = {"seed": "--seed", "sample_rate": "--sample-rate"}
    >>> fix_in_words_of(options, "stack = stack.draw(seed=0), or bias=False")
    '--seed 0, or bias=False'
    >>> fix_in_words_of(options, "upsim.from_torch(module, sample_rate=...), or sample_rate=44100")
    'in Python upsim.from_torch(module, sample_rate=...), or --sample-rate 44100'
    """
    for pattern, saying in _SAYINGS:
        wanted = re.findall(r"\{(\w+)\}", saying)
        if all(name in options for name in wanted):
            fix = re.sub(pattern, saying.format(**{name: options[name] for name in wanted}), fix)
    parts: list[str] = []
    for is_call, text in _split(fix):
        said = parts and re.search(r"in Python:? $", parts[-1])
        parts.append((text if said else f"in Python {text}") if is_call else _named(text, options))
    return "".join(parts)


def _split(text: str) -> Iterator[tuple[bool, str]]:
    """Yield the parts of a text: calls in Python, up to their last bracket, and the rest."""
    start = 0
    while (begun := _CALL.search(text, start)) is not None:
        yield False, text[start : begun.start()]
        end, depth = begun.end(), 1
        while end < len(text) and (depth or text[end] in ".("):
            depth += (text[end] in "([{") - (text[end] in ")]}")
            end += 1
            if not depth and re.match(r"\.\w+\(", text[end:]):
                end = text.index("(", end)
        yield True, text[begun.start() : end]
        start = end
    yield False, text[start:]


def _leading(what: str, options: Mapping[str, str]) -> str:
    """Return a rule with the argument that it begins with as an option."""
    name, space, rest = what.partition(" ")
    if name in options and rest.startswith(("must", "is ", "lies", "names", "are ")):
        return f"{options[name]}{space}{rest}"
    return what


def _named(text: str, options: Mapping[str, str]) -> str:
    """Return a text with ``name=value`` as ``--name value``."""
    for name, option in options.items():

        def written(found: re.Match[str], option: str = option) -> str:
            value = found["value"] or ""
            if value.startswith("{"):
                return _shapes(value, option) or found[0]
            if value.startswith("["):
                value = ",".join(each.strip().strip("'\"") for each in value[1:-1].split(","))
            value = value.strip("'\"")
            if value == "None":
                return f"no {option}"
            return option if value in ("", "True") else f"{option} {value}"

        text = re.sub(rf"(?<![\w.-]){name}={_VALUE}", written, text)
    # A check that was given the option's own name wrote it as an argument.
    return re.sub(rf"(?<!\S)(?P<option>--[a-z-]+)={_VALUE}", _spaced, text)


def _shapes(value: str, option: str) -> str:
    """Return shapes by their names as they are typed; "" where the option takes none.

    Examples
    --------
    >>> _shapes("{'mel': (1, 80, None), 'source': '4*T', 'x': None}", "--inputs")
    '--inputs mel=1x80xT,source=4T,x'
    """
    if option != "--inputs":
        return ""
    try:
        found = literal_eval(value)
    except (ValueError, SyntaxError):
        return ""
    typed = []
    for name, shape in found.items():
        if not (shape is None or isinstance(shape, str | tuple)):
            return ""  # channels of a graph, say
        sizes = (shape,) if isinstance(shape, str) else shape or ()
        words = ["T" if size is None else str(size).replace("*", "") for size in sizes]
        typed.append(f"{name}={'x'.join(words)}" if words else name)
    return f"{option} {','.join(typed)}"


def _spaced(found: re.Match[str]) -> str:
    return f"{found['option']} {(found['value'] or '').strip(chr(39) + chr(34))}".rstrip()
