"""The door: check a layer or callable of your own against every law that speaks of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pickle import PicklingError
from typing import Any, TypeVar

import numpy as np

from upsim.errors import ArgumentError, ArgumentTypeError
from upsim.layers.base import Layer
from upsim.layers.branches import finite_list
from upsim.network.graph import Graph
from upsim.testing.callables.laws import CallableLaw
from upsim.testing.callables.limit import OutOfTimeError, in_a_process
from upsim.testing.callables.report import check_callable, laws_of
from upsim.testing.callables.subject import Subject, subject
from upsim.testing.laws import LAWS, Law, default_channels
from upsim.testing.profile import seconds_of
from upsim.words.arguments import on_or_off, shown, whole_number

#: Laws take matrices of a layer apart; more channels say nothing new of it.
_MOST_CHANNELS = 4096

#: Seconds that a process of its own may take to start and to import.
_START = 60.0

_Test = TypeVar("_Test", bound=Callable[..., Any])


def laws_for(layer: Layer, channels: int | None = None) -> tuple[Law, ...]:
    """Return the laws that speak of a layer.

    Examples
    --------
    >>> from upsim.layers import ReLU
    >>> [law.name for law in laws_for(ReLU())]
    ['immutable', 'length', 'moments_of_the_function', 'pointwise', 'repr_round_trip', 'two_calls',
     'witness']
    """
    drawn = _ready(layer)
    if channels is not None:
        channels = whole_number(channels, "channels", most=_MOST_CHANNELS)
    found = (law for law in LAWS.values() if law.applies(drawn, channels))
    return tuple(sorted(found, key=lambda law: law.name))


def check_upsampler(
    layer: Any,
    channels: int | None = None,
    *,
    factor: int | None = None,
    layout: str | None = None,
    like: Layer | Graph | None = None,
    groups: int = 1,
    gain: float | None = None,
    time_limit: float | None = None,
    own_process: bool = False,
) -> None:
    """Run every law that speaks of a layer; raise one AssertionError that lists all failures.

    A callable is run on arrays and judged by what it returns.  Where it breaks a law, the report
    names the fault: the known layer that it is nearest to, and what separates the two.

    Parameters
    ----------
    layer : Layer or callable
        A layer of upsim (initialisations are drawn with seed 0), a module of torch, a layer of
        Keras, or a function of JAX or NumPy.
    channels : int, optional
        Input channels; those that the layer asks for, or the fewest it takes, by default.  1 for
        a callable.
    factor : int or Fraction, optional
        Output samples per input sample, of a callable.
    layout : str, optional
        Axes of a callable's arrays: "channels-first", "channels-last", "channels time", "time
        channels" or "time"; found by trying by default.
    like : Layer or Stack, optional
        What the callable should be, with the same weights: it is compared, ends included.
    groups : int, optional
        Groups of channels that must not see each other.
    gain : float, optional
        What a constant 1 should leave as: 1 for an interpolator.
    time_limit : float, optional
        Seconds that a callable's calls may take together; those of the profile by default, see
        :mod:`upsim.testing.profile`.
    own_process : bool, optional
        Run a callable that can be pickled in a process of its own, which is killed when its time
        is over.  Without it, a call that never gives the interpreter's lock back cannot be ended.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> from upsim.layers import Activation, Nearest
    >>> check_upsampler(Nearest(3))
    >>> @dataclass(frozen=True, eq=False, repr=False)
    ... class Echo(Activation):
    ...     def function(self, samples):
    ...         return samples + np.roll(samples, 1, axis=-1)
    >>> try:
    ...     check_upsampler(Echo())
    ... except AssertionError as error:
    ...     print(str(error).splitlines()[1].strip().split(":")[0])
    moments_of_the_function

    A function of your own:

    >>> def hold(x):
    ...     return np.repeat(x, 3, axis=-1)
    >>> check_upsampler(hold, factor=3, like=Nearest(3))
    """
    options = {"factor": factor, "layout": layout, "like": like, "groups": groups, "gain": gain}
    on_or_off(own_process, "own_process")
    told = [time_limit, *(value for name, value in options.items() if name != "groups")]
    if (
        (callable(layer) and not isinstance(layer, Layer))
        or any(value is not None for value in told)
        or not (type(groups) is int and groups == 1)
    ):
        _check_stranger(layer, channels, options, time_limit, own_process=own_process)
        return
    drawn = _ready(layer)
    count = default_channels(drawn)
    if channels is not None:
        count = whole_number(channels, "channels", most=_MOST_CHANNELS)
        drawn.channels_out(count)  # refuses channels that the layer cannot take
    laws = laws_for(drawn, count)
    failures = []
    for law in laws:
        try:
            law(drawn, count)
        except Exception as error:  # noqa: BLE001 - whatever a stranger's layer raises is reported
            kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
            failures.append(
                f"  {law.name}: {kind}{error}\n"
                f"    law: {law.statement}\n    formula: {law.formula}\n    source: {law.source}"
            )
    if failures:
        head = f"{drawn!r:.200} breaks {len(failures)} of {len(laws)} laws ({count} channels in):"
        raise AssertionError("\n".join([head, *failures]))


def _check_stranger(
    layer: Any,
    channels: int | None,
    options: dict[str, Any],
    time_limit: float | None,
    *,
    own_process: bool,
) -> None:
    if not own_process:
        check_callable(subject(layer, channels=channels, time_limit=time_limit, **options))
        return
    seconds = seconds_of(time_limit)
    try:
        said = in_a_process(_said, layer, channels, options, seconds, seconds=seconds + _START)
    except OutOfTimeError:
        said = f"{shown(layer)} breaks a law:\n  runs: no answer within {seconds:.3g} s; killed"
    except RuntimeError as error:
        said = f"{shown(layer)} breaks a law:\n  runs: {error}"
    except (TypeError, AttributeError, ValueError, PicklingError) as error:
        raise ArgumentError(
            "only what can be pickled runs in a process of its own",
            given=f"{shown(layer)}: {error}",
            fix="a function or class at the top of a module; or own_process=False",
        ) from None
    if said:
        raise AssertionError(said)


def _said(layer: Any, channels: int | None, options: dict[str, Any], seconds: float) -> str:
    """Return the report of a check, "" if nothing is broken."""
    try:
        check_callable(subject(layer, channels=channels, time_limit=seconds, **options))
    except AssertionError as error:
        return str(error)
    return ""


def parametrize_with_laws(
    layers: Iterable[Any],
    *,
    factor: int | None = None,
    channels: int | None = None,
    layout: str | None = None,
) -> Callable[[_Test], _Test]:
    """Return a pytest decorator: one test for each layer and each law that speaks of it.

    The test takes ``layer`` and ``law``, as scikit-learn's ``parametrize_with_checks`` gives an
    estimator and a check.

    Parameters
    ----------
    layers : iterable of Layer or callable
        A callable that needs arguments of its own is given as ``subject(callable, ...)``.
    factor, channels, layout : optional
        Those of the callables: see :func:`check_upsampler`.

    Examples
    --------
    >>> from upsim.layers import Nearest
    >>> @parametrize_with_laws([Nearest(2)])
    ... def test_my_layers(layer, law):
    ...     law(layer)
    >>> @parametrize_with_laws([lambda x: np.repeat(x, 2, axis=-1)], factor=2)
    ... def test_my_functions(layer, law):
    ...     law(layer)
    """
    import pytest

    if isinstance(layers, str) or not isinstance(layers, Iterable):
        raise ArgumentTypeError(
            "layers must be several layers",
            given=f"layers={shown(layers)}",
            expected="a list of layers or callables",
            fix="[upsim.Nearest(2)]",
        )
    pairs = []
    for number, each in enumerate(finite_list(layers, "layers")):
        laws: tuple[Law, ...] | tuple[CallableLaw, ...]
        ready: Layer | Subject
        if isinstance(each, Layer):
            ready, name = _ready(each), type(each).__name__
            laws = laws_for(ready)
        else:
            ready = (
                each
                if isinstance(each, Subject)
                else subject(each, factor, channels, layout=layout)
            )
            name = ready.called.rpartition(".")[2]
            laws = laws_of(ready)
        pairs += [pytest.param(ready, law, id=f"{name}{number}-{law.name}") for law in laws]
    decorate: Callable[[_Test], _Test] = pytest.mark.parametrize(("layer", "law"), pairs)
    return decorate


def _ready(layer: Layer) -> Layer:
    given: object = layer
    if not isinstance(given, Layer):
        raise ArgumentTypeError(
            "only layers obey these laws",
            given=shown(layer),
            expected="an upsim layer",
            fix=f"with brackets and arguments: {given.__name__}(...)"
            if isinstance(given, type)
            else "",
        )
    return layer if layer.is_drawn else layer.draw(np.random.default_rng(0))
