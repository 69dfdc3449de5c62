"""Stacks, signals and frequencies from what a user typed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from upsim.cli.options import SIGNAL_OPTION
from upsim.cli.printing import note
from upsim.errors import ArgumentError, FileFormatError, UnknownNameError, UpsimError
from upsim.network.graph import Graph
from upsim.network.signals import Constant, Recorded, Signal, Silence, Sine, WhiteNoise
from upsim.words.reading import reading
from upsim.words.units import format_hertz, positive_rate

_SIGNALS = "constant[:VALUE], silence, noise[:POWER], sine:HZ[:AMPLITUDE], or a WAV or FLAC file"

#: Endings of files that torch writes.
_PICKLES = (".pt", ".pth", ".ckpt", ".pkl", ".pickle")


def read_stack(text: str) -> Graph:
    """Return the stack of a model's name or of a file's path, weights as they are."""
    from upsim.cli.model_options import model_options
    from upsim.files.networkfile import load_stack
    from upsim.importers.configfile import is_config
    from upsim.models import NAMES

    ending = Path(text).suffix.lower()
    if ending == ".onnx":
        return _read_onnx(text, model_options())
    known = text.strip().lower().replace("_", "-") in NAMES
    if not known and is_config(text):
        return _read_config(text, model_options().get("sample_rate"))
    if ending in _PICKLES:
        raise FileFormatError(
            "a pickle runs code when it is read, so it is not opened here",
            given=text,
            expected="an ONNX file, or a JSON stack file",
            fix="in Python: upsim.from_torch(model, sample_rate=...), or torch.onnx.export",
        )
    if not known and (Path(text).suffix or Path(text).exists() or "/" in text):
        return load_stack(text)
    return named_model(text, "there is neither a model nor a file of this name")


def _read_config(text: str, rate: str | None) -> Graph:
    """Return the generator of a model's configuration, told by the file's content."""
    from upsim.importers.config import from_config

    found = from_config(text, sample_rate=_rate(rate))
    for each in found.notes:
        note(f"{Path(text).name}: {each}")
    return found


def _rate(text: str | None) -> Fraction | None:
    """Return what ``--sample-rate`` says."""
    name = "--sample-rate"
    return None if text is None else positive_rate(parse_hertz(text, name), name)


def _read_onnx(text: str, options: Mapping[str, Any]) -> Graph:
    """Return the part of an ONNX file that was asked for, and say which it is if none was."""
    from upsim.cli.model_options import BY_ARGUMENT
    from upsim.cli.wording import fix_in_words_of
    from upsim.importers.onnx_file import from_onnx

    inputs = options.get("inputs")
    graph = from_onnx(
        text,
        None if inputs is None else onnx_inputs(inputs),
        options.get("outputs"),
        sample_rate=_rate(options.get("sample_rate")),
        length=options.get("follow"),
    )
    said = [fix_in_words_of(BY_ARGUMENT, each) for each in graph.notes]
    for each in said:
        note(f"{Path(text).name}: {each}")
    return graph.replace(notes=said)


#: A size in a shape, or a multiple of the length: "80", "T", "4T".
_TYPED_SIZE = re.compile(r"(\d{0,9})(T?)")


def onnx_inputs(text: str) -> dict[str, str | tuple[int | str | None, ...] | None]:
    """Return the inputs of a part of an ONNX file, as ``from_onnx`` takes them.

    Examples
    --------
    >>> onnx_inputs("mel,source=4T,/dec/Mul=1x80xT")
    {'mel': None, 'source': '4*T', '/dec/Mul': (1, 80, None)}
    """
    found: dict[str, str | tuple[int | str | None, ...] | None] = {}
    for each in filter(None, text.split(",")):
        name, equals, written = each.rpartition("=")
        sizes = [_typed_size(part, each) for part in written.split("x")] if equals else []
        if not equals:
            found[each] = None
        elif len(sizes) > 1:
            found[name] = tuple(sizes)
        elif isinstance(sizes[0], int):
            raise _not_a_shape(each)
        else:
            found[name] = sizes[0]
    return found


def _typed_size(text: str, whole: str) -> int | str | None:
    match = _TYPED_SIZE.fullmatch(text)
    if match is None or not text:
        raise _not_a_shape(whole)
    number, grows = match.groups()
    if not grows:
        return int(number)
    return f"{number}*T" if number else None


def _not_a_shape(text: str) -> ArgumentError:
    return ArgumentError(
        "the shape of a tensor is not understood",
        given=f"--inputs {text}",
        expected="a multiple of the length, or sizes with x between them and T for the time",
        fix=f"--inputs {text.rpartition('=')[0]}=4T, or {text.rpartition('=')[0]}=1x80xT",
    )


def named_model(text: str, otherwise: str) -> Graph:
    """Return the model of a name; ``otherwise`` is what is said of an unknown one."""
    from upsim.models import build, near_models

    try:
        return build(text)
    except UnknownNameError as error:
        raise UnknownNameError(
            otherwise,
            given=error.given,
            expected="a name that `upsim models` lists, a stack file, or a configuration",
            fix=", ".join(near_models(text)) or "upsim models",
        ) from None


def with_weights(stack: Graph, seed: int | None, *, expected: bool) -> Graph:
    """Return the stack drawn, or as it is for the average over all networks that it draws."""
    if not expected:
        return drawn_stack(stack, seed)
    if seed is not None:
        raise ArgumentError(
            "an average over all networks has no seed",
            given=f"--expected --seed {seed}",
            expected="one of them",
            fix="--expected",
        )
    if stack.is_drawn:
        note("all weights of this stack are given, so --expected changes nothing")
    return stack


def drawn_stack(stack: Graph, seed: int | None) -> Graph:
    """Return the stack with weights, and say where they come from if they were drawn."""
    if stack.is_drawn:
        if seed is not None:
            note("all weights of this stack are given, so --seed changes nothing")
        return stack
    chosen = 0 if seed is None else seed
    note(
        f"weights are drawn with seed {chosen}; those of a trained model are others "
        "(--expected: the average over all seeds)"
    )
    return stack.draw(chosen)


def at_input_rate(stack: Graph, rate: str | None) -> Graph:
    """Return the stack as it would run with another input rate."""
    if rate is None:
        return stack
    wanted = positive_rate(parse_hertz(rate, "--rate"), "--rate")
    changed = stack.replace(sample_rate=wanted * stack.rate)
    note(f"the stack runs from {format_hertz(wanted)} to {format_hertz(changed.sample_rate)}")
    return changed


def read_signal(
    texts: list[str] | None, stack: Graph, *, channel: int | None = None, expected: bool = False
) -> Signal:
    """Return the sum of the signals, or the default for the stack."""
    if not texts:
        return Constant(1.0) + WhiteNoise(1.0) if expected else _default_signal(stack)
    found = [_signal(text, stack, channel) for text in texts]
    total = found[0]
    for part in found[1:]:
        total = total + part
    return total


def _default_signal(stack: Graph) -> Signal:
    from upsim.theory.moments.propagation import is_linear

    if is_linear(stack):
        return Constant(1.0) + WhiteNoise(1.0)
    note(
        "the input is a constant 1; --signal constant --signal noise adds noise, which takes "
        "longer behind activations"
    )
    return Constant(1.0)


def _signal(text: str, stack: Graph, channel: int | None) -> Signal:
    kind, *values = text.split(":")
    name = kind.strip().lower()
    try:
        if name == "silence" and not values:
            return Silence()
        if name == "constant" and len(values) <= 1:
            return Constant(*(_number(value) for value in values))
        if name == "noise" and len(values) <= 1:
            return WhiteNoise(*(_number(value) for value in values))
        if name == "sine" and 1 <= len(values) <= 2:
            frequency = parse_hertz(values[0], "frequency")
            return Sine(frequency, *(_number(value) for value in values[1:]))
    except UpsimError as error:
        raise error.at(f"{SIGNAL_OPTION} {text[:60]}") from None
    if Path(text).suffix or Path(text).exists() or "/" in text:
        return _recording(text, stack, channel)
    raise UnknownNameError(
        "the signal is not understood",
        given=f"--signal {text}",
        expected=_SIGNALS,
        fix="--signal constant:1",
    )


def _recording(text: str, stack: Graph, channel: int | None) -> Recorded:
    """Return a recording as the stack needs it: its rate, its channels; say what was changed."""
    import numpy as np

    from upsim.files.audio import resampled

    if Path(text).suffix.lower() in (".npy", ".npz"):
        # Frames come at the rate of the network's input.
        return Recorded.from_file(text, sample_rate=stack.input_rate, channel=channel)
    found = Recorded.from_file(text, channel=channel)
    samples = np.atleast_2d(np.asarray(found.samples))
    own, wanted = Fraction(found.sample_rate), stack.input_rate
    if samples.shape[0] not in (1, stack.in_channels):
        note(
            f"the mean of the {samples.shape[0]} channels of {Path(text).name} is used; "
            "--recording-channel chooses one"
        )
        samples = samples.mean(axis=0, keepdims=True)
    if own != wanted:
        note(
            f"{Path(text).name} is resampled from {format_hertz(own)} to "
            f"{format_hertz(wanted)}, the stack's input rate"
        )
        samples = resampled(samples, own, wanted)
    return Recorded(samples, wanted)


def parse_hertz(text: str, name: str) -> Fraction:
    """Return a frequency: ``4000``, ``86.13``, ``4kHz`` or ``11025/2``, as it is written.

    Examples
    --------
    >>> parse_hertz("4000", "--freq"), parse_hertz("5.5125 kHz", "--freq")
    (Fraction(4000, 1), Fraction(11025, 2))
    """
    return reading(text, name).value


def parse_frequencies(text: str | None) -> int | list[float] | None:
    """Return a number of points, or a list of frequencies in Hz."""
    if text is None:
        return None
    parts = [part for part in text.split(",") if part.strip()]
    found = [parse_hertz(part, "--frequencies") for part in parts]
    if len(parts) == 1 and "," not in text and "." not in text and found[0].denominator == 1:
        return int(found[0])
    if not parts:
        raise ArgumentError(
            "there is no frequency", given=f"--frequencies {text!r}", fix="--frequencies 0,1000"
        )
    return [float(each) for each in found]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ArgumentError(
            "this is not a number",
            given=repr(text),
            expected=_SIGNALS,
            fix="--signal constant:1",
        ) from None
