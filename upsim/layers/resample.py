"""Resamplers by name: exact copies of those that people use."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import gcd
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike

from upsim.errors import ArgumentError, ArgumentTypeError
from upsim.layers.base import Array, LinearLayer
from upsim.operators import LengthRule, StretchFIR
from upsim.operators.resamplers import anti_aliased, halfband, julius, scipy_poly, torchaudio
from upsim.words.arguments import finite_array, finite_number, one_of, shown, whole_number

#: The parameters of each library's resampler, with the library's own defaults.
PARAMETERS: dict[str, dict[str, Any]] = {
    "julius": {"zeros": 24, "rolloff": 0.945},
    "scipy": {"window": ("kaiser", 5.0), "padtype": "constant"},
    "torchaudio": {
        "lowpass_filter_width": 6,
        "rolloff": 0.99,
        "resampling_method": "sinc_interp_hann",
        "beta": None,
    },
    "bigvgan": {"kernel_size": None},
    "denoiser": {"zeros": 56},
}

METHODS = ("sinc_interp_hann", "sinc_interp_kaiser")

#: SciPy's names of what it sees beyond the ends, and ours.
PADTYPES = {"constant": "zeros", "edge": "replicate"}


@final
@dataclass(frozen=True, eq=False, repr=False)
class Resample(LinearLayer):
    """A resampler from one rate to another, the exact copy of one that is in use.

    ``"julius"``
        ``julius.ResampleFrac(old, new, zeros=24, rolloff=0.945)``: a sinc under a Hann window, the
        weights of each output sample sum to 1, the ends are held, ``floor(n new / old)`` samples.
    ``"scipy"``
        ``scipy.signal.resample_poly(x, new, old, window=("kaiser", 5.0), padtype="constant")``:
        20 max(new, old) + 1 taps, zeros beyond the ends, ``ceil(n new / old)`` samples.
    ``"torchaudio"``
        ``torchaudio.functional.resample(x, old, new, lowpass_filter_width=6, rolloff=0.99,
        resampling_method="sinc_interp_hann", beta=None)``: a sinc under a Hann or Kaiser window,
        zeros beyond the ends, ``ceil(n new / old)`` samples.
    ``"bigvgan"``
        The Kaiser filters around BigVGAN's activations, ``UpSample1d(new / old, kernel_size)`` or
        ``DownSample1d(old / new, kernel_size)``: one of the two rates divides the other, the ends
        are held, ``ceil(n new / old)`` samples.
    ``"denoiser"``
        ``upsample2(x, zeros=56)`` and ``downsample2(x, zeros=56)`` around the causal Demucs: a rate
        is doubled or halved, zeros beyond the ends, ``ceil(n new / old)`` samples.  Two of them
        change it by 4.

    By default julius and torchaudio compute weights and lengths in single precision: a long signal
    may come out a sample longer or shorter than this exact length.

    Parameters
    ----------
    old, new : int
        The two rates; only their ratio counts.
    like : str
        The resampler that is copied.
    zeros, rolloff, window, padtype, lowpass_filter_width, resampling_method, beta, kernel_size
        The resampler's parameters, by the library's own names; by default the library's own
        values.  A window is a name, a name with its number as ``("kaiser", 5.0)``, or the filter's
        taps.

    Examples
    --------
    >>> Resample(44100, 48000).length_rule()(441)
    480
    >>> Resample(1, 2, like="scipy").operator(1).phase_gains().round(4)
    array([[[1.0005, 0.9995]]])
    """

    old: int
    new: int
    like: str = "julius"
    zeros: int | None = field(default=None, kw_only=True)
    rolloff: float | None = field(default=None, kw_only=True)
    window: str | tuple[str, float] | Array | ArrayLike | None = field(default=None, kw_only=True)
    padtype: str | None = field(default=None, kw_only=True)
    lowpass_filter_width: int | None = field(default=None, kw_only=True)
    resampling_method: str | None = field(default=None, kw_only=True)
    beta: float | None = field(default=None, kw_only=True)
    kernel_size: int | None = field(default=None, kw_only=True)

    def _check(self) -> None:
        self._set(old=whole_number(self.old, "old"), new=whole_number(self.new, "new"))
        one_of(self.like, "like", PARAMETERS)
        own = PARAMETERS[self.like]
        for name in sorted({name for names in PARAMETERS.values() for name in names}):
            value = getattr(self, name)
            if value is None:
                continue
            if name not in own:
                raise ArgumentError(
                    f"the resampler of {self.like} has no {name}",
                    given=f"like={self.like!r}, {name}={shown(value)}",
                    expected=", ".join(own),
                    fix=next(
                        f"like={other!r}" for other, names in PARAMETERS.items() if name in names
                    ),
                )
            self._set(**{name: _checked(name, value)})
        if self.like == "denoiser" and max(self.ratio) != 2:
            raise ArgumentError(
                "the resampler of denoiser doubles or halves the rate",
                given=f"old={self.old}, new={self.new}",
                fix=f"upsim.Resample({self.old}, {self.new}, like='julius'), "
                "or several of like='denoiser' in a row",
            )
        if self.like != "bigvgan":
            return
        if self.taps_asked < 2 * max(self.ratio):
            raise ArgumentError(
                "the filter of bigvgan must reach over two samples of the lower rate",
                given=f"kernel_size={self.kernel_size}, old={self.old}, new={self.new}",
                fix=f"kernel_size={2 * max(self.ratio)}",
            )
        if 1 not in self.ratio:
            raise ArgumentError(
                "the filters of bigvgan change the rate by a whole number",
                given=f"old={self.old}, new={self.new}",
                fix=f"upsim.Resample({self.old}, {self.new}, like='julius')",
            )

    @property
    def ratio(self) -> tuple[int, int]:
        """Stretch and decimation: the rates without their common divisor, (new, old)."""
        common = gcd(self.new, self.old)
        return self.new // common, self.old // common

    def parameter(self, name: str) -> Any:
        """Return a parameter, or the library's default."""
        value = getattr(self, name)
        return PARAMETERS[self.like][name] if value is None else value

    @property
    def taps_asked(self) -> int:
        """Taps of BigVGAN's filter: 12 for a ratio of 2."""
        return int(6 * max(self.ratio) // 2 * 2 if self.kernel_size is None else self.kernel_size)

    @property
    def edge(self) -> str:
        """What the layer sees beyond its input's ends."""
        if self.like == "scipy":
            return PADTYPES[self.parameter("padtype")]
        return "zeros" if self.like in ("torchaudio", "denoiser") else "replicate"

    def channels_out(self, channels: int) -> int:
        """Return ``channels``."""
        return channels

    def length_rule(self) -> LengthRule:
        """Return ``n new / old``, rounded down (julius) or up."""
        up, down = self.ratio
        return LengthRule(((up, down, 0 if self.like == "julius" else down - 1),))

    def kernel(self) -> tuple[Array, int]:
        """Return the taps behind the stretch, and how many stand before the first sample."""
        up, down = self.ratio
        if up == down:
            return np.ones(1), 0
        if self.like == "julius":
            return julius(up, down, self.parameter("zeros"), self.parameter("rolloff"))
        if self.like == "scipy":
            return scipy_poly(up, down, self.parameter("window"))
        if self.like == "bigvgan":
            return anti_aliased(up, down, self.taps_asked)
        if self.like == "denoiser":
            return halfband(up, down, self.parameter("zeros"))
        names = ("lowpass_filter_width", "rolloff", "resampling_method", "beta")
        return torchaudio(up, down, *map(self.parameter, names))

    def operator(self, channels: int) -> StretchFIR:
        """Return the stretch-FIR with its decimation, one group a channel."""
        taps, begin = self.kernel()
        up, down = self.ratio
        ((_, _, extra),) = self.length_rule().steps
        return StretchFIR(
            np.broadcast_to(taps, (channels, 1, taps.size)),
            up,
            down=down,
            groups=channels,
            crop=(begin, taps.size - up + down - 1 - begin - extra),
            padding_mode=self.edge,
        )

    def macs(self, channels: int) -> Fraction:
        """Return the multiplications by taps that are neither 0 nor 1."""
        taps, _ = self.kernel()
        count = int(np.count_nonzero((taps != 0) & (taps != 1)))
        return Fraction(channels * count, self.ratio[1])


def _checked(name: str, value: Any) -> Any:
    """Return a parameter in its own kind, or refuse it."""
    if name in ("zeros", "lowpass_filter_width", "kernel_size"):
        return whole_number(value, name, least=2 if name == "kernel_size" else 1)
    if name in ("rolloff", "beta"):
        number = finite_number(value, name)
        if name == "rolloff" and not 0 < number <= 1:
            raise ArgumentError(
                "rolloff must lie in (0, 1]", given=f"rolloff={number}", fix="rolloff=0.945"
            )
        return number
    if name == "padtype":
        return one_of(value, name, PADTYPES)
    if name == "resampling_method":
        return one_of(value, name, METHODS)
    return checked_window(value)


def checked_window(value: Any) -> str | tuple[str, float] | Array:
    """Return a window by a name that SciPy knows, or its samples."""
    if not isinstance(value, str) and not (
        isinstance(value, tuple | list) and value and isinstance(value[0], str)
    ):
        taps = finite_array(value, "window", shape=(None,))
        if not taps.size:
            raise ArgumentError(
                "the window has no taps", given="window=[]", fix='window=("kaiser", 5.0)'
            )
        return taps
    from scipy.signal import get_window

    named = value if isinstance(value, str) else (value[0], *map(float, value[1:]))
    try:
        get_window(named, 3)
    except (TypeError, ValueError) as error:
        raise ArgumentTypeError(
            "SciPy has no such window",
            given=f"window={shown(value)}",
            expected=f"a window of scipy.signal.get_window ({error})",
            fix='window=("kaiser", 5.0)',
        ) from None
    return named
