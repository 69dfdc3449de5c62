"""What is known of a layer before its weights are drawn: the first two moments of its taps.

A layer whose weights are random is a chain of parts, each of one kind: an operator that is known,
:class:`RandomTaps`, :class:`ApartTaps` or :class:`RandomBias`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from upsim.operators.operator import Operator
from upsim.operators.two_time import TwoTime

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RandomTaps:
    """Kernels of mean zero between all channels of a group: stretch, random FIR, decimation.

    Parameters
    ----------
    tap_covariance : array (K, K)
        Of one channel pair's taps; different pairs are uncorrelated.
    positions : array (K,)
        Output sample of each tap, relative to ``m factor``.
    factor, stride : int
        Samples are stretched by the factor before the taps and thinned out by the stride after.
    fan : int
        Input channels that one output channel adds up: those of one group.
    out_channels : int
    """

    tap_covariance: Array
    positions: NDArray[np.intp]
    factor: int
    stride: int
    fan: int
    out_channels: int

    @property
    def terms(self) -> int:
        """Independent products that one output sample adds up."""
        return self.fan * max(1, self.positions.size // self.factor)


@dataclass(frozen=True, eq=False)
class ApartTaps:
    """Kernels with a mean, one a channel, independent of each other: channels are not mixed.

    Parameters
    ----------
    mean : array (K,)
        ``E h``.
    products : array (K, K)
        ``E h h^T``, about zero.
    positions : array (K,)
    factor : int
    """

    mean: Array
    products: Array
    positions: NDArray[np.intp]
    factor: int


@dataclass(frozen=True)
class RandomBias:
    """A bias of mean zero, one a channel.

    Parameters
    ----------
    variance : float
    period : int
        A bias that is added before a shuffle has the shuffle's period, its values independent.
    """

    variance: float
    period: int = 1

    def covariance(self) -> TwoTime:
        """Return the covariance of two times."""
        turns = np.zeros((1, self.period))
        turns[0, 0] = self.variance
        return TwoTime(turns, np.zeros((1, 1)))


#: One step of a layer in expectation over its weights.
Part = Operator | RandomTaps | ApartTaps | RandomBias
