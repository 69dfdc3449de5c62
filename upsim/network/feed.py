"""Which signal is fed to which input of a network."""

from __future__ import annotations

from collections.abc import Mapping

from upsim.errors import ArgumentTypeError, UnknownNameError
from upsim.network.graph import Graph
from upsim.network.signals import Signal
from upsim.words.arguments import near_names, shown

#: One signal for every input, or one for each by the input's name.
Feed = Signal | Mapping[str, Signal]


def signals_of(graph: Graph, feed: object) -> tuple[Signal, ...]:
    """Return the signal of each input, in the graph's order; refuse what does not fit.

    A single signal is fed to every input without a signal of its own; its noise is independent
    from input to input, as it is from channel to channel.  A signal that is given by an input's
    name takes the place of the input's own.

    Examples
    --------
    >>> from upsim.layers import Nearest
    >>> from upsim.network.signals import Constant
    >>> from upsim.network.stack import Stack
    >>> signals_of(Stack([Nearest(2)], 16000), Constant(2.0))
    (Constant(value=2.0),)
    """
    names = [each.name for each in graph.inputs]
    if isinstance(feed, Signal):
        return tuple(each.signal or feed for each in graph.inputs)
    if not isinstance(feed, Mapping):
        raise _no_signal(feed, "signal")
    for name, signal in feed.items():
        if name not in names:
            raise UnknownNameError(
                "there is no such input",
                given=f"{name!r:.60}",
                expected=", ".join(map(repr, names)),
                fix=near_names(str(name), names),
            )
        if not isinstance(signal, Signal):
            raise _no_signal(signal, f"the signal of {name!r}")
    own = {each.name: each.signal for each in graph.inputs if each.signal is not None}
    missing = [name for name in names if name not in feed and name not in own]
    if missing:
        raise UnknownNameError(
            "every input needs a signal",
            given=f"none for {', '.join(map(repr, missing))}",
            fix=f"{{{missing[0]!r}: upsim.Silence(), ...}}",
        )
    return tuple(feed[name] if name in feed else own[name] for name in names)


def _no_signal(given: object, what: str) -> ArgumentTypeError:
    return ArgumentTypeError(
        f"{what} must be an upsim signal",
        given=shown(given),
        expected="Silence, Constant, WhiteNoise, Sine, Density or Recorded",
        fix="upsim.Constant(1.0)",
    )
