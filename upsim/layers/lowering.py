"""What a node is made of, where the theory has no rule for what it was given as."""

from __future__ import annotations

from typing import NamedTuple

from upsim.layers.base import Layer


class Lowering(NamedTuple):
    """The parts of a node.

    Parameters
    ----------
    before : tuple
        The layers that each value goes through first.
    merging : Layer
        The sum, the mean or the concatenation of them.
    after : tuple of Layer
        What comes behind it.
    """

    before: tuple[tuple[Layer, ...], ...]
    merging: Layer
    after: tuple[Layer, ...] = ()
