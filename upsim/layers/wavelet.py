"""Two-band synthesis by wavelets: the first half of the channels low, the second half high."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
from typing import final

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ShapeError
from upsim.layers.base import LinearLayer
from upsim.operators import LengthRule, StretchFIR
from upsim.words.frozen import frozen


class TwoBandSynthesis(LinearLayer):
    """``2 C`` channels become C channels at twice the rate; C approximations come first."""

    @abstractmethod
    def _pair(self) -> NDArray[np.float64]:
        """Return the two phases' weights of (approximation, detail), shape (2 bands, 2 phases)."""

    @property
    def interleaves(self) -> bool:
        """An output's two phases are mixtures of two channels."""
        return True

    @property
    def channel_ratio(self) -> Fraction:
        """Return one half."""
        return Fraction(1, 2)

    def channels_out(self, channels: int) -> int:
        """Return half the channels."""
        if channels % 2:
            raise ShapeError(
                "a wavelet synthesis needs an even number of channels",
                given=f"{channels} channels",
                expected="approximations, then as many details",
                fix=f"{channels + 1} channels before it",
                where=type(self).__name__,
            )
        return channels // 2

    def length_rule(self) -> LengthRule:
        """Return ``2 n``."""
        return LengthRule(((2, 1, 0),))

    def operator(self, channels: int) -> StretchFIR:
        """Return the stretch-FIR of two taps."""
        out = self.channels_out(channels)
        taps = np.zeros((out, channels, 2))
        each = np.arange(out)
        taps[each, each], taps[each, out + each] = self._pair()
        return StretchFIR(frozen(taps), 2)


@final
@dataclass(frozen=True, eq=False, repr=False)
class HaarSynthesis(TwoBandSynthesis):
    r"""Inverse Haar transform: :math:`(a + d)/\sqrt2` then :math:`(a - d)/\sqrt2`.

    Examples
    --------
    >>> HaarSynthesis().operator(2).apply(np.array([[2.0], [0.0]])).round(3)
    array([[1.414, 1.414]])
    """

    def _pair(self) -> NDArray[np.float64]:
        return np.array([[1.0, 1.0], [1.0, -1.0]]) / sqrt(2)


@final
@dataclass(frozen=True, eq=False, repr=False)
class LazyWaveletSynthesis(TwoBandSynthesis):
    """Inverse lazy wavelet: even samples from the first half, odd ones from the second.

    Examples
    --------
    >>> LazyWaveletSynthesis().operator(2).apply(np.array([[1.0, 2.0], [10.0, 20.0]]))
    array([[ 1., 10.,  2., 20.]])
    """

    def _pair(self) -> NDArray[np.float64]:
        return np.eye(2)
