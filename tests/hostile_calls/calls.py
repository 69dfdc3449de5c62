"""Calls with one wrong argument: every public callable of upsim, found by introspection.

Each parameter is given each hostile value in turn while the others are good.  :data:`GOOD` says
what is good, by the parameter's name; a public parameter that it does not know is a failure, so a
new function cannot be forgotten.
"""

from __future__ import annotations

import enum
import importlib.util
import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

import upsim
import upsim.testing
from upsim.layers import CATALOGUE
from upsim.operators import LengthRule

LINEAR = upsim.Stack([upsim.TransposedConv(1, 1, 4, 2), upsim.Nearest(2)], 16000).draw(0)
BENT = upsim.Stack([upsim.Nearest(2), upsim.ReLU()], 16000)
OPEN = upsim.Stack([upsim.TransposedConv(1, 1, 4, 2)], 16000)
CRITIC = upsim.Stack([upsim.Conv(1, 1, 4, 2), upsim.Conv(1, 1, 4, 2)], 16000)
TAPS = upsim.StretchFIR(np.ones((1, 1, 3)), 2)
BLOCKS = TAPS.polyphase()
PREDICTION = upsim.predict(LINEAR, upsim.Constant(1.0) + upsim.WhiteNoise(1.0), frequencies=33)

CONFIG = {
    "upsample_rates": [2],
    "upsample_kernel_sizes": [4],
    "upsample_initial_channel": 4,
    "num_mels": 3,
}


class Raises:
    """What NumPy and ``float`` trip over, each in the method that it calls."""

    def fail(self, *_: object, **__: object) -> Any:
        raise RuntimeError("a stranger's object")

    __array__ = __float__ = __int__ = __index__ = __len__ = __iter__ = __bool__ = fail
    __complex__ = __getitem__ = __lt__ = __mul__ = __add__ = __neg__ = __fspath__ = fail


class Colour(enum.Enum):
    RED = 1


def endless() -> Iterator[float]:
    while True:
        yield 1.0


HOSTILE: dict[str, Callable[[], object]] = {
    "None": lambda: None,
    "True": lambda: True,
    "-1": lambda: -1,
    "0": lambda: 0,
    "2.5": lambda: 2.5,
    "-2.5": lambda: -2.5,
    "1e9": lambda: 1e9,
    "1e308": lambda: 1e308,
    "5e-324": lambda: 5e-324,
    "nan": lambda: float("nan"),
    "inf": lambda: float("inf"),
    "-inf": lambda: float("-inf"),
    "10**9": lambda: 10**9,
    "10**400": lambda: 10**400,
    "-10**30": lambda: -(10**30),
    "1/3": lambda: Fraction(1, 3),
    "Decimal": lambda: Decimal("NaN"),
    "1j": lambda: 1j,
    "text": lambda: "x",
    "no text": lambda: "",
    "surrogate": lambda: "\ud800",
    "long text": lambda: "9" * 5000,
    "bytes": lambda: b"x",
    "object": object,
    "type": lambda: int,
    "function": lambda: len,
    "module": lambda: inspect,
    "enum": lambda: Colour.RED,
    "raises": Raises,
    "endless": endless,
    "[]": list,
    "[[]]": lambda: [[]],
    "[None]": lambda: [None],
    "ragged": lambda: [1.0, [2.0]],
    "[nan]": lambda: [float("nan")],
    "['x']": lambda: ["x"],
    "[1e308]": lambda: [1e308, -1e308],
    "[10**400]": lambda: [10**400],
    "()": tuple,
    "{}": dict,
    "{'x': 1}": lambda: {"x": 1},
    "set": lambda: {1.0},
    "float32 nan": lambda: np.float32("nan"),
    "datetime64": lambda: np.datetime64("NaT"),
    "no array": lambda: np.zeros((0, 0)),
    "cube": lambda: np.ones((2, 2, 2)),
    "six axes": lambda: np.ones((1, 1, 1, 1, 1, 1)),
    "complex array": lambda: np.ones(3, dtype=complex),
    "text array": lambda: np.array(["x"]),
    "object array": lambda: np.array([None, 1.0], dtype=object),
    "record array": lambda: np.zeros(2, dtype=[("a", float)]),
    "layer": lambda: upsim.Nearest(2),
    "layer type": lambda: upsim.Nearest,
    "stack": lambda: LINEAR,
    "signal": lambda: upsim.Constant(1.0),
    "prediction": lambda: PREDICTION,
    "operator": lambda: TAPS,
}


def torch_module() -> object:
    """Return a module of torch; None, which every call refuses, where torch is missing."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    return torch.nn.ConvTranspose1d(1, 1, 4, 2).eval()


#: Good arguments by parameter; "function.parameter" goes before "parameter".
GOOD: dict[str, Callable[[], object]] = {
    "stack": lambda: LINEAR,
    "graph": lambda: LINEAR,
    "node": lambda: LINEAR.nodes[0],
    "where": lambda: 1,
    "lengths": lambda: [16],
    "critic": lambda: CRITIC,
    "subject": lambda: LINEAR,
    "operator": lambda: TAPS,
    "agrees_with.other": lambda: TAPS.length,
    "common_length.other": lambda: TAPS.length,
    "other": lambda: upsim.StretchFIR(np.ones((1, 1, 3)), 2),
    "layers": lambda: [upsim.Nearest(2)],
    "nodes": lambda: [("up", upsim.Nearest(2), "input")],
    "inputs": lambda: {"input": 1},
    "layer": lambda: upsim.Conv(1, 1, 3, padding=1),
    "branches": lambda: [upsim.Nearest(2)],
    "samples": lambda: np.ones((1, 8)),
    "signal": lambda: upsim.Constant(1.0),
    "subject.function": lambda: upsim.Conv(1, 1, 3, padding=1, weight="ones", bias=False),
    "framework": lambda: upsim.testing.Framework(
        name="numpy",
        roots=("numpy",),
        layout="batch channels time",
        tensor=lambda array, _: array,
        array=np.asarray,
        is_tensor=lambda value: isinstance(value, np.ndarray),
    ),
    "frequency": lambda: 4000,
    "frequencies": lambda: [0.0, 0.1, 0.2],
    "aliasing.frequencies": lambda: 2,
    "definition": lambda: "residual",
    "power": lambda: [0.1],
    "powers": lambda: [0.1, 0.1, 0.1],
    "psd": lambda: [1.0, 1.0, 1.0],
    "grid": lambda: [0.0, 1000.0, 8000.0],
    "sample_rate": lambda: 16000,
    "rate": lambda: Fraction(4000),
    "length": lambda: 16,
    "input_length": lambda: 16,
    "channels": lambda: 1,
    "Select.channels": lambda: [0],
    "program": lambda: [("sin", "x")],
    "left": lambda: 1,
    "right": lambda: 1,
    "scale": lambda: 0.5,
    "count": lambda: 1,
    "order": lambda: 0,
    "seconds": lambda: 0.01,
    "seed": lambda: 0,
    "rng": lambda: np.random.default_rng(0),
    "name": lambda: "fig7",
    "Stack.name": lambda: "mine",
    "after.name": lambda: 1,
    "content": PREDICTION.to_dict,
    "path": lambda: "/nowhere/at/all",
    "config": lambda: dict(CONFIG),
    "notes": lambda: ["noise is off"],
    "from_torch.module": torch_module,
    "from_torch.input": lambda: (1, 1, 12),
    "from_keras.model": lambda: None,  # Keras may be missing; every call is refused either way
    "number": lambda: 1,
    "label": lambda: "1",
    "radius": lambda: 2,
    "turns": lambda: Fraction(1, 4),
    "image_gains.turns": lambda: [Fraction(1, 4)],
    "taps": lambda: np.ones((1, 1, 3)),
    "symbolic.taps": lambda: None,
    "blocks": lambda: BLOCKS.blocks,
    "first": lambda: BLOCKS.first,
    "compare.first": lambda: LINEAR,
    "compare.second": lambda: PREDICTION,
    "period": lambda: np.ones((1, 4)),
    "factor": lambda: 2,
    "old": lambda: 2,
    "new": lambda: 3,
    "stride": lambda: 2,
    "kernel_size": lambda: 4,
    "in_channels": lambda: 1,
    "out_channels": lambda: 1,
    "groups": lambda: 1,
    "num_groups": lambda: 1,
    "num_channels": lambda: 1,
    "num_features": lambda: 1,
    "normalized_shape": lambda: 1,
    "num_parameters": lambda: 1,
    "bias": lambda: 0.5,
    "weight": lambda: "torch",
    "std": lambda: 1.0,
    "reference": lambda: 0.1,
    "steps": lambda: ((2, 1, 0),),
    "kind": lambda: upsim.Nearest,
    "Opaque.kind": lambda: "LSTM",
    "ratio": lambda: 2,
    "n_fft": lambda: 8,
    "filters": lambda: 2,
}


@dataclass(frozen=True)
class Subject:
    """A callable with the good arguments of a call."""

    name: str
    call: Callable[..., object]
    good: dict[str, Callable[[], object]]
    positional: tuple[str, ...]
    hostile: tuple[str, ...]
    rest: str = ""

    def plain(self) -> object:
        """Call with good arguments alone."""
        return self.with_hostile("", upsim.ReLU())

    def with_hostile(self, parameter: str, value: object) -> object:
        """Call with one hostile argument; the value is also the one of ``*args``, if any."""
        made = {name: make() for name, make in self.good.items()}
        if parameter and parameter != self.rest:
            made[parameter] = value
        first = [made.pop(name) for name in self.positional]
        if self.rest:
            first.append(value if parameter in ("", self.rest) else upsim.ReLU())
        return self.call(*first, **made)


def subject(name: str, call: Callable[..., object]) -> Subject:
    """Return a callable with its parameters, from its signature."""
    short = name.rsplit(".", 1)[-1] or name
    good: dict[str, Callable[[], object]] = {}
    positional, hostile, rest = [], [], ""
    for parameter in inspect.signature(call).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            continue
        hostile.append(parameter.name)
        if parameter.kind is parameter.VAR_POSITIONAL:
            rest = parameter.name
            continue
        known = GOOD.get(f"{short}.{parameter.name}", GOOD.get(parameter.name))
        if parameter.default is parameter.empty:
            if known is None:
                raise LookupError(f"no good value for {parameter.name} of {name}")
            good[parameter.name] = known
            if parameter.kind is not parameter.KEYWORD_ONLY:
                positional.append(parameter.name)
    return Subject(name, call, good, tuple(positional), tuple(hostile), rest)


def methods(name: str, owner: object, asked: Iterable[str] = ()) -> Iterator[Subject]:
    """Yield the public methods of an object, or those that are asked for."""
    for attribute in asked or dir(type(owner)):
        if (
            attribute.startswith("_")
            or attribute in INNER
            or isinstance(inspect.getattr_static(type(owner), attribute, None), property)
        ):
            continue
        call = getattr(owner, attribute, None)
        if inspect.ismethod(call) and attribute not in vars(owner):
            yield subject(f"{name}.{attribute}", call)


#: Records that upsim fills in: data of anybody's making, and no arguments of a question.
RECORDS = {
    "Tone", "Contribution", "Spread", "MaskedLevels", "Audibility", "ToneAudibility",
    "GradientLine", "Prediction", "Lengths", "NodeLength", "Explanation", "Comparison",
    "Inspection", "Context", "Measured", "Aliasing",
}  # fmt: skip
NEURAL = ("run", "run_torch", "to_torch", "register", "register_torch")
TESTING = (
    "check_upsampler",
    "laws_for",
    "parametrize_with_laws",
    "register_framework",
    "subject",
)
#: Questions of the theory about its own nodes and arrays.
INNER = {"placed", "named", "before", "of_many", "once", "seen_by", "stretch_of"}
#: To be derived from, not called.
ABSTRACT = {"Signal", "Initialisation"}
#: What a layer is asked by a user; the rest are rules that the theory asks it.
ASKED = ("output_length", "draw")


def subjects() -> list[Subject]:
    """Return every public callable of the package."""
    found = []
    for name in upsim.__all__:
        public = getattr(upsim, name)
        if callable(public) and name not in RECORDS | ABSTRACT:
            found.append(subject(name, public))
    for name in upsim.models.__all__:
        public = getattr(upsim.models, name)
        if callable(public):
            found.append(subject(f"models.{name}", public))
    found += [subject(f"neural.{name}", getattr(upsim.neural, name)) for name in NEURAL]
    found += [subject(f"testing.{name}", getattr(upsim.testing, name)) for name in TESTING]
    found.append(subject("LengthRule", LengthRule))
    for name, owner in {
        "Stack": LINEAR,
        "Prediction": PREDICTION,
        "Comparison": upsim.compare(LINEAR, PREDICTION),
        "Inspection": upsim.inspect(LINEAR),
        "Context": upsim.context(LINEAR, 4, errors=True),
        "Aliasing": upsim.aliasing(LINEAR, 2),
        "StretchFIR": TAPS,
        "PolyphaseMatrix": BLOCKS,
        "LengthRule": TAPS.length,
    }.items():
        found += methods(name, owner)
    found.append(subject("Recorded.from_file", upsim.Recorded.from_file))
    for name in CATALOGUE:
        layer = subject(name, CATALOGUE[name])
        found += methods(name, layer.plain(), ASKED)
    return [each for each in found if each.hostile]


SUBJECTS = subjects()
