"""Regime 2, given weights and a stationary random input: exact through linear layers.

The random part is kept as its density at the input and the chain of operators since then; it is
evaluated only at the frequencies that are asked for.  The repeating part is carried beside it as
in regime 1.  Activations act on the two together and are refused here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce
from typing import Self

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError
from upsim.layers.base import Activation
from upsim.operators import Operator, StretchFIR
from upsim.signals import Signal
from upsim.theory.moments.base import Moments
from upsim.theory.moments.deterministic import DeterministicMoments
from upsim.theory.transfer import density_through

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class StationaryMoments(Moments):
    """A repeating part, and a random part as an input density and a chain of operators.

    Parameters
    ----------
    mean : DeterministicMoments
        Everything that is not random.
    signal : Signal
        The source of the random part.
    input_channels : int
    input_rate : Fraction
        In Hz.
    chain : tuple of Operator
        From the input to this place.
    """

    mean: DeterministicMoments
    signal: Signal
    input_channels: int
    input_rate: Fraction
    chain: tuple[Operator, ...] = ()

    @property
    def channels(self) -> int:
        """Channels at this place."""
        return self.mean.channels

    @property
    def assumptions(self) -> tuple[str, ...]:
        """The density is exact through linear layers."""
        return (*self.mean.assumptions, "density: exact, averaged over time")

    def through_operator(self, operator: Operator, label: str) -> Self:
        """Add the operator to the chain."""
        mean = self.mean.through_operator(operator, label)
        return replace(self, mean=mean, chain=(*self.chain, operator))

    def through_activation(self, activation: Activation, label: str) -> Self:
        """Refuse: an activation mixes the noise with the lines."""
        raise NotPredictableError(
            "random input through an activation has no exact spectrum",
            given=f"{type(activation).__name__} at layer {label}, signal {self.signal!r}",
            expected="a signal without noise, or a stack without activations",
            fix="upsim.predict(stack, upsim.Constant(1.0)) or upsim.Silence() for its exact lines, "
            "a Recorded signal for one realisation, or the layers before the activation: "
            "upsim.predict(stack.upto(n))",
        )

    @classmethod
    def merged(cls, parts: Sequence[Self], merging: str) -> Self:
        """Fold each branch since the fork into one operator and merge the operators."""
        shared = 0
        while all(len(part.chain) > shared for part in parts) and all(
            part.chain[shared] is parts[0].chain[shared] for part in parts
        ):
            shared += 1
        fork = parts[0].chain[:shared]
        channels = fork[-1].out_channels if fork else parts[0].input_channels
        branches = [_folded(part.chain[shared:], channels) for part in parts]
        return replace(
            parts[0],
            mean=DeterministicMoments.merged([part.mean for part in parts], merging),
            chain=(*fork, merged_operators(branches, merging)),
        )

    @property
    def memory(self) -> int:
        """Output samples that one input sample touches."""
        length = 1
        for operator in self.chain:
            if isinstance(operator, StretchFIR):
                length = (length - 1) * operator.factor + operator.reach
            else:
                blocks = operator.polyphase()
                length = (-(-length // blocks.down) + len(blocks.blocks)) * blocks.up
        return length

    def density(self, frequencies: Array, shift: int = 0) -> NDArray[np.complex128]:
        """Return the two-sided density per Hz, (channels, F), at cycles per sample.

        ``shift`` numbers the cyclic frequency; 0 is the time average.
        """
        rate = float(self.input_rate)

        def at_input(turns: Array) -> Array:
            found = self.signal.density(turns * rate, self.input_channels, self.input_rate)
            return np.zeros((self.input_channels, turns.size)) if found is None else found

        return density_through(self.chain, frequencies, at_input, self.input_channels, shift)


def _folded(chain: Sequence[Operator], channels: int) -> Operator:
    """Return a chain as one operator; an empty one is a wire."""
    if not chain:
        return StretchFIR(np.ones((channels, 1, 1)), groups=channels)
    return reduce(lambda first, second: first.then(second), chain)


def merged_operators(operators: Sequence[Operator], merging: str) -> Operator:
    """Return the operator of branches that meet: sum, mean or concatenation of channels."""
    count = len(operators)
    if merging != "concatenate":
        total = reduce(lambda first, second: first + second, operators)
        if merging == "sum":
            return total
        scale = StretchFIR(
            np.full((total.out_channels, 1, 1), 1 / count), groups=total.out_channels
        )
        return total.then(scale)
    sizes = [operator.out_channels for operator in operators]
    widened = []
    for position, operator in enumerate(operators):
        # Each branch writes its own channels of the whole: a selection matrix after it.
        select = np.zeros((sum(sizes), sizes[position], 1))
        start = sum(sizes[:position])
        select[start : start + sizes[position], :, 0] = np.eye(sizes[position])
        widened.append(operator.then(StretchFIR(select)))
    return reduce(lambda first, second: first + second, widened)
