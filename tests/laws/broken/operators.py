"""Stretch-FIRs with one method that lies."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from upsim.operators import Operator, PolyphaseMatrix, StretchFIR
from upsim.operators.operator import Complex, Real


def doctored(kind: type[StretchFIR], good: StretchFIR, **changes: object) -> StretchFIR:
    """Return a good operator as one of a broken kind, some fields changed."""
    values = {item.name: getattr(good, item.name) for item in fields(good)} | changes
    return kind(**values)


class Rectified(StretchFIR):
    """Not linear: the finite run rectifies."""

    def apply(self, samples: Real) -> Real:
        """Return absolute values."""
        return np.abs(super().apply(samples))


class Alternating(StretchFIR):
    """Varies beyond its period: every second block is turned over."""

    def periodic(self, period: Real) -> Real:
        """Return the period with the sign of every second block changed."""
        answer = super().periodic(period)
        return answer * (1 - 2 * (np.arange(answer.shape[-1]) // self.factor % 2))


class TapMissingInMatrix(StretchFIR):
    """The matrix has one tap fewer than the run."""

    def matrix(self, length: int) -> csr_array:
        """Return the matrix without the last tap."""
        taps = self.taps.copy()
        taps[..., -1] = 0
        return doctored(StretchFIR, self, taps=taps).matrix(length)


class LateRun(StretchFIR):
    """The finite run is one sample late."""

    def apply(self, samples: Real) -> Real:
        """Return the output, rolled."""
        return np.roll(super().apply(samples), 1, axis=1)


class AdjointWrongSign(StretchFIR):
    """The adjoint delays where it should advance."""

    def adjoint(self) -> StretchFIR:
        """Return the adjoint with the sign of its delay changed."""
        good = super().adjoint()
        return doctored(StretchFIR, good, crop=(-good.crop[0], good.crop[1]), law=good.length)


class SupportTooShort(StretchFIR):
    """The declared support lacks its last sample."""

    def support(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the support, one sample short."""
        first, last = super().support()
        return first, np.maximum(first, last - 1)


class PhasesSwapped(StretchFIR):
    """The polyphase form has its phases in reverse."""

    def polyphase(self) -> PolyphaseMatrix:
        """Return the blocks with their output samples reversed."""
        good = super().polyphase()
        return PolyphaseMatrix(
            good.blocks[:, :, ::-1], good.first, offset=good.offset, length=good.length
        )


class BlocksLate(PolyphaseMatrix):
    """Longer blocks come one block late."""

    def blocked(self, ratio: int) -> PolyphaseMatrix:
        """Return the longer blocks with their delay forgotten."""
        good = super().blocked(ratio)
        return PolyphaseMatrix(good.blocks, good.first + 1, offset=good.offset, length=good.length)


class CropLostInFolding(StretchFIR):
    """Folding does not scale the crop by the next layer's factor."""

    def then(self, other: Operator) -> Operator:
        """Return the folded operator with this one's crop as it was."""
        good = super().then(other)
        if not isinstance(good, StretchFIR) or not isinstance(other, StretchFIR):
            return good
        crop = (self.crop[0] + other.crop[0], self.crop[1] + other.crop[1])
        return doctored(StretchFIR, good, crop=crop)


class TurnsBackwards(StretchFIR):
    """The gains turn the wrong way: a delay is taken for an advance."""

    def gains(self, frequencies: ArrayLike) -> Complex:
        """Return conjugated gains."""
        return np.conj(super().gains(frequencies))


class FactorForgotten(StretchFIR):
    """The gains are not shared among the L images."""

    def gains(self, frequencies: ArrayLike) -> Complex:
        """Return H where H / L is meant."""
        return super().gains(frequencies) * self.factor


class PowersRotated(StretchFIR):
    """The phase powers belong to the phase before."""

    def phase_powers(self) -> Real:
        """Return the powers, rotated."""
        return np.roll(super().phase_powers(), 1, axis=2)


class GainsAveraged(StretchFIR):
    """All phase gains are said to be equal."""

    def phase_gains(self) -> Real:
        """Return their mean, everywhere."""
        good = super().phase_gains()
        return np.broadcast_to(good.mean(axis=2, keepdims=True), good.shape)
