"""The inverse short-time Fourier transform: the head of iSTFTNet, Vocos and their like."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike

from upsim.errors import ArgumentError, ShapeError
from upsim.layers.base import Array, LinearLayer, refuse_other_channels
from upsim.layers.resample import checked_window
from upsim.operators import LengthRule, StretchFIR
from upsim.words.arguments import on_or_off, refuse_beyond_memory, whole_number
from upsim.words.frozen import frozen

#: What all windows together may not fall below (torch's own limit).
_UNCOVERED = 1e-11


@final
@dataclass(frozen=True, eq=False, repr=False)
class InverseSTFT(LinearLayer):
    r"""Frames of a spectrum become samples, by overlap-add: ``torch.istft``.

    The input channels are the real parts of the ``n_fft // 2 + 1`` bins, then their imaginary
    parts.  With ``N = n_fft``, hop ``L``, window ``w`` and the frames' inverse transforms ``x_t``,

    .. math:: y[n] = \frac{\sum_t w[n - tL]\, x_t[n - tL]}{\sum_t w^2[n - tL]}, \qquad
              x_t[n] = \frac1N \sum_{k=0}^{N/2} c_k \Big( \Re X_t[k] \cos\frac{2\pi k n}{N}
              - \Im X_t[k] \sin\frac{2\pi k n}{N} \Big),

    ``c_k`` being 1 at 0 and at ``N / 2``, and 2 between.  It is a transposed convolution of stride
    ``L``: far from the ends the denominator repeats after ``L`` samples and is part of the taps.
    Near the ends there are fewer windows to divide by, as in torch.

    A head that makes magnitude and phase has pointwise layers before it: exp, cos, sin and their
    product.

    Parameters
    ----------
    n_fft : int
    hop_length : int, optional
        ``n_fft // 4`` by default.
    win_length : int, optional
        Samples of the window, in the middle of ``n_fft``; ``n_fft`` by default.
    window : str or array (win_length,)
        A window of ``scipy.signal.get_window``, periodic as ``torch.hann_window`` is, or samples.
    center : bool
        Whether ``n_fft // 2`` samples are cut at each end.
    normalized : bool
        Whether the transform is divided by the root of ``n_fft`` instead of ``n_fft``.
    trim : int, optional
        Samples to cut at each end in place of those of ``center``.  Vocos' ``padding="same"`` is
        ``(win_length - hop_length) // 2``.

    Examples
    --------
    >>> head = InverseSTFT(16, 4)
    >>> head.operator(18).out_channels, head.output_length(100)
    (1, 396)
    """

    n_fft: int
    hop_length: int | None = None
    win_length: int | None = None
    window: str | tuple[str, float] | Array | ArrayLike = "hann"
    center: bool = True
    normalized: bool = False
    trim: int | None = None

    def _check(self) -> None:
        n_fft = whole_number(self.n_fft, "n_fft", least=2)
        for name in ("hop_length", "win_length"):
            if getattr(self, name) is not None:
                self._set(**{name: whole_number(getattr(self, name), name)})
        if self.trim is not None:
            self._set(trim=whole_number(self.trim, "trim", least=0))
        self._set(
            n_fft=n_fft,
            center=on_or_off(self.center, "center"),
            normalized=on_or_off(self.normalized, "normalized"),
            window=checked_window(self.window),
        )
        refuse_beyond_memory(n_fft * (n_fft + 2), "the taps of the transform", fix="n_fft=1024")
        if self.width > n_fft:
            raise ArgumentError(
                "the window is longer than the transform",
                given=f"win_length={self.width}, n_fft={n_fft}",
                fix=f"win_length={n_fft}",
            )
        if isinstance(self.window, np.ndarray) and self.window.size != self.width:
            raise ShapeError(
                "the window has not the length that is asked for",
                given=f"{self.window.size} samples",
                expected=f"win_length={self.width}",
                fix=f"win_length={self.window.size}",
            )
        if self._envelope().min() <= _UNCOVERED:
            raise ArgumentError(
                "the windows do not cover every sample",
                given=f"hop_length={self.hop}, a window of {self.width} samples",
                expected="windows whose squares add up to more than nothing everywhere",
                fix=f"hop_length={max(1, self.width // 4)}",
            )

    @property
    def hop(self) -> int:
        """Samples from frame to frame."""
        return max(1, self.n_fft // 4) if self.hop_length is None else self.hop_length

    @property
    def width(self) -> int:
        """Samples of the window."""
        return self.n_fft if self.win_length is None else self.win_length

    @property
    def cut(self) -> int:
        """Samples that are cut at each end."""
        if self.trim is not None:
            return self.trim
        return self.n_fft // 2 if self.center else 0

    @property
    def channels_in(self) -> int:
        """Real and imaginary parts of all bins."""
        return 2 * (self.n_fft // 2 + 1)

    @property
    def interleaves(self) -> bool:
        """The lines of a fixed transform are in how its bins' offsets differ."""
        return True

    def channels_out(self, channels: int) -> int:
        """Return 1."""
        refuse_other_channels(self, channels)
        return 1

    def length_rule(self) -> LengthRule:
        """Return ``(n - 1) hop + n_fft``, less what is cut at both ends."""
        return LengthRule(((self.hop, 1, self.n_fft - self.hop - 2 * self.cut),))

    def window_array(self) -> Array:
        """Return the window over the whole transform, (n_fft,)."""
        window = self.window
        if not isinstance(window, np.ndarray):
            from scipy.signal import get_window

            named: Any = window
            window = np.asarray(get_window(named, self.width), dtype=np.float64)
        left = (self.n_fft - self.width) // 2
        return np.pad(window, (left, self.n_fft - self.width - left))

    def _envelope(self) -> Array:
        """Return the sum of all windows' squares for each phase of the hop, (hop,)."""
        phases = np.arange(self.n_fft) % self.hop
        squares = self.window_array() ** 2
        return np.asarray(np.bincount(phases, squares, minlength=self.hop), dtype=np.float64)

    def operator(self, channels: int) -> StretchFIR:
        """Return the overlap-add, divided by the windows that cover each sample."""
        refuse_other_channels(self, channels)
        size, window = self.n_fft, self.window_array()
        bins, samples = np.arange(size // 2 + 1)[:, None], np.arange(size)
        # Whole turns are taken off in whole numbers, so the angles are exact.
        angle = 2 * np.pi * (bins * samples % size) / size
        once = (bins == 0) | (2 * bins == size)
        scale = np.where(once, 1.0, 2.0) / (np.sqrt(size) if self.normalized else size)
        sine = np.where(once, 0.0, np.sin(angle))  # real signals have real ends of the spectrum
        transform = np.concatenate([scale * np.cos(angle), -scale * sine])
        covered = self._envelope()[samples % self.hop]
        return StretchFIR(
            frozen((transform * (window / covered))[None]),
            self.hop,
            crop=(self.cut, self.cut),
            coverage=frozen(window**2 / covered),
        )

    def macs(self, channels: int) -> Fraction:
        """Return ``n_fft log2 n_fft`` of a fast transform, and two products a sample of a frame."""
        return Fraction(self.n_fft * (self.n_fft - 1).bit_length() + 2 * self.n_fft)
