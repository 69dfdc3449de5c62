"""The synthesis filter bank of multi-band vocoders."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import final

import numpy as np

from upsim.errors import ArgumentError
from upsim.layers.base import Array, LinearLayer, refuse_other_channels
from upsim.operators import LengthRule, StretchFIR
from upsim.words.arguments import finite_number, whole_number
from upsim.words.frozen import frozen

#: The largest parameter of a Kaiser window whose Bessel functions are finite.
_LARGEST_BETA = 700

#: Numbers of a bank: sub-bands times taps.
_LARGEST = 2**24


@final
@dataclass(frozen=True, eq=False, repr=False)
class PQMF(LinearLayer):
    r"""Pseudo-quadrature-mirror synthesis: ``N`` sub-bands become one signal, ``N`` times as fast.

    As multi-band MelGAN has it: a low-pass prototype of ``taps + 1`` samples under a Kaiser window,

    .. math:: h[n] = \frac{\sin(\pi c\,(n - T/2))}{\pi (n - T/2)}\; w_\beta[n],

    moved to the middle of each band ``k`` by a cosine, after a stretch by ``N``:

    .. math:: g_k[n] = 2 N h[n] \cos\Big((2k + 1) \frac{\pi}{2N} \big(n - \tfrac T2\big)
              + (-1)^k \frac{\pi}{4}\Big).

    (Nguyen, *Near-perfect-reconstruction pseudo-QMF banks*, IEEE Trans. Signal Processing 42, 1994;
    the phases as in Yang et al., *Multi-band MelGAN*, SLT 2021, whose convolution is a correlation,
    so that its synthesis has the sign of the analysis.)  ``T/2`` samples are cut at the start, and
    the output has ``N n`` samples.

    Parameters
    ----------
    subbands : int
        ``N``, the input channels.
    taps : int
        ``T``, even.
    cutoff_ratio : float
        ``c``, in (0, 1): the prototype's cutoff over half the output's rate.
    beta : float
        Of the Kaiser window.

    Examples
    --------
    >>> bank = PQMF()
    >>> bank.operator(4).out_channels, bank.output_length(100)
    (1, 400)
    """

    subbands: int = 4
    taps: int = 62
    cutoff_ratio: float = 0.142
    beta: float = 9.0

    def _check(self) -> None:
        taps = whole_number(self.taps, "taps")
        if taps % 2:
            raise ArgumentError(
                "taps must be even: the prototype has a sample in its middle",
                given=f"taps={taps}",
                fix=f"taps={taps + 1}",
            )
        cutoff = finite_number(self.cutoff_ratio, "cutoff_ratio")
        if not 0 < cutoff < 1:
            raise ArgumentError(
                "cutoff_ratio must lie between 0 and 1",
                given=f"cutoff_ratio={cutoff}",
                fix="cutoff_ratio=0.142",
            )
        beta = finite_number(self.beta, "beta")
        if not 0 <= beta <= _LARGEST_BETA:
            raise ArgumentError(
                "beta must not be negative, and its window must be finite",
                given=f"beta={beta:g}",
                expected=f"0 to {_LARGEST_BETA}",
                fix="beta=9.0",
            )
        subbands = whole_number(self.subbands, "subbands")
        whole_number(subbands * (taps + 1), "subbands times taps", most=_LARGEST)
        self._set(subbands=subbands, taps=taps, cutoff_ratio=cutoff, beta=beta)

    @property
    def channels_in(self) -> int:
        """The sub-bands."""
        return self.subbands

    @property
    def interleaves(self) -> bool:
        """The lines of a fixed bank are in how its bands' offsets differ."""
        return True

    def channels_out(self, channels: int) -> int:
        """Return 1."""
        refuse_other_channels(self, channels)
        return 1

    def length_rule(self) -> LengthRule:
        """Return ``n subbands``."""
        return LengthRule(((self.subbands, 1, 0),))

    def kernels(self) -> Array:
        """Return ``g``, (1, subbands, taps + 1)."""
        place = np.arange(self.taps + 1) - self.taps / 2
        # sin(pi c n) / (pi n) = c sinc(c n), also at n = 0.
        prototype = self.cutoff_ratio * np.sinc(self.cutoff_ratio * place)
        prototype *= np.kaiser(self.taps + 1, self.beta)
        band = np.arange(self.subbands)[:, None]
        turn = (2 * band + 1) * np.pi / (2 * self.subbands) * place
        phase = np.where(band % 2 == 0, np.pi / 4, -np.pi / 4)
        return frozen((2 * self.subbands * prototype * np.cos(turn + phase))[None])

    def operator(self, channels: int) -> StretchFIR:
        """Return the stretch and the bank."""
        refuse_other_channels(self, channels)
        # The full response has (n - 1) N + T + 1 samples.
        half = self.taps // 2
        return StretchFIR(self.kernels(), self.subbands, crop=(half, half + 1 - self.subbands))

    def macs(self, channels: int) -> Fraction:
        """Return what one input sample of all bands costs, as the published code computes it.

        A transposed convolution of ``N`` taps that only stretches, then the bank at the output's
        rate.
        """
        stretching = channels * self.subbands * self.subbands
        return Fraction(stretching + self.subbands * channels * (self.taps + 1))
