"""A model as its source names it: layers under their modules' names, one after another.

A builder writes a model once, as a chain.  A named architecture of :mod:`upsim.models` takes it as
a stack, in which branches are ``Residual`` and ``Parallel``.  A configuration takes it as a graph,
in which every node bears the name of its module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from upsim.layers import Add, Layer, Merging, Parallel, Residual
from upsim.network.graph import Graph
from upsim.network.stack import Stack


class Named(NamedTuple):
    """A layer and the name of its module."""

    name: str
    layer: Layer


@dataclass(frozen=True)
class Branches:
    """Chains that read one value; their ends are merged.  An empty chain is a plain wire."""

    name: str
    merging: Layer
    chains: tuple[Chain, ...]


@dataclass(frozen=True)
class Entrance:
    """The value plus what a chain makes of another input of the graph, or of what is beside."""

    name: str
    reads: str
    chain: Chain


@dataclass(frozen=True)
class Beside:
    """A chain that reads another input of the graph; entrances behind it read its end."""

    reads: str
    chain: Chain


Link = Named | Branches | Entrance | Beside
Chain = Sequence[Link]


def residual(name: str, body: Chain, skip: Chain = ()) -> Branches:
    """Return ``body(x) + skip(x)``."""
    return Branches(name, Add(), (tuple(body), tuple(skip)))


def prefixed(chain: Chain, prefix: str) -> list[Link]:
    """Return a chain whose modules stand inside another one.

    What entrances read keeps its name.
    """

    def renamed(link: Link) -> Link:
        if isinstance(link, Beside):
            return replace(link, chain=tuple(map(renamed, link.chain)))
        name = prefix + link.name
        if isinstance(link, Named):
            return link._replace(name=name)
        if isinstance(link, Branches):
            chains = tuple(tuple(map(renamed, each)) for each in link.chains)
            return replace(link, name=name, chains=chains)
        return replace(link, name=name, chain=tuple(map(renamed, link.chain)))

    return [renamed(link) for link in chain]


def as_stack(chain: Chain, sample_rate: object, name: str) -> Stack:
    """Return a chain of one input as a stack, without names.

    Examples
    --------
    >>> from upsim.layers import Nearest, ReLU
    >>> as_stack([Named("up", Nearest(2)), residual("add", [Named("act", ReLU())])], 16000, "two")
    Stack([Nearest(2), Residual(ReLU())], sample_rate=16000, name='two')
    """
    return Stack(_layers(chain), sample_rate, name=name)


def _layers(chain: Chain) -> list[Layer]:
    found: list[Layer] = []
    for link in chain:
        if isinstance(link, Named):
            found.append(link.layer)
            continue
        assert isinstance(link, Branches), "a stack has one input"
        parts = [_layers(each) for each in link.chains]
        if isinstance(link.merging, Add) and len(parts) == 2:
            found.append(Residual(*parts[0], skip=parts[1]))
        else:
            assert isinstance(link.merging, Merging)
            found.append(Parallel(*map(tuple, parts), merge=link.merging.how))
    return found


def as_graph(
    chain: Chain,
    inputs: Mapping[str, int],
    sample_rate: object,
    name: str,
    notes: Sequence[str] = (),
) -> Graph:
    """Return a chain as a graph whose nodes bear the names of the modules.

    The chain reads the first input.

    Examples
    --------
    >>> from upsim.layers import Nearest, ReLU
    >>> chain = [Named("up", Nearest(2)), residual("add", [Named("act", ReLU())])]
    >>> [node.name for node in as_graph(chain, {"mel": 1}, 16000, "two").nodes]
    ['up', 'act', 'add']
    """
    nodes: list[tuple[str, Layer, tuple[str, ...]]] = []

    def run(links: Chain, value: str) -> str:
        for link in links:
            if isinstance(link, Named):
                nodes.append((link.name, link.layer, (value,)))
            elif isinstance(link, Beside):
                run(link.chain, link.reads)
                continue
            elif isinstance(link, Branches):
                ends = tuple([run(each, value) for each in link.chains])
                nodes.append((link.name, link.merging, ends))
            else:
                nodes.append((link.name, Add(), (value, run(link.chain, link.reads))))
            value = link.name
        return value

    run(chain, next(iter(inputs)))
    return Graph(nodes, inputs, sample_rate, name=name, notes=notes)
