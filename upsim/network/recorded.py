"""A recording as a signal."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.errors import ArgumentError, FileFormatError, ShapeError
from upsim.network.signal import Term
from upsim.words.arguments import finite_array, path_of, whole_number
from upsim.words.units import format_hertz, positive_rate

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Recorded(Term):
    """A recording: finite samples, zeros before and after.

    Parameters
    ----------
    samples : array (n,) or (channels, n)
        One row feeds every input channel.
    sample_rate : number
        In Hz; must equal the input rate of the stack.

    See Also
    --------
    Recorded.from_file : read WAV, FLAC or OGG.
    """

    samples: Array | ArrayLike
    sample_rate: Fraction | float

    def __post_init__(self) -> None:
        samples = finite_array(self.samples, "samples")
        if samples.ndim not in (1, 2) or 0 in samples.shape:
            raise ShapeError(
                "samples must be (n,) or (channels, n), and not empty",
                given=f"shape {samples.shape}",
                expected="the time along the last axis",
                fix="upsim.Recorded(samples.T, sample_rate), if the channels come last",
            )
        object.__setattr__(self, "samples", samples)
        object.__setattr__(self, "sample_rate", positive_rate(self.sample_rate))

    @classmethod
    def from_file(
        cls, path: str | Path, *, sample_rate: object = None, channel: int | None = None
    ) -> Recorded:
        """Read a sound file; ``sample_rate`` resamples it, ``channel`` picks one channel.

        Of an array file (``.npy``, ``.npz``), (channels, n), ``sample_rate`` is its own: frames of
        a mel spectrogram or latents have no other.
        """
        from upsim.files.audio import read_frames, read_sound, resampled

        picked = None if channel is None else whole_number(channel, "channel", least=0)
        place = path_of(path)
        if sample_rate is not None and place.suffix.lower() in (".npy", ".npz"):
            samples, rate = read_frames(place), positive_rate(sample_rate)
        else:
            samples, rate = read_sound(place)
        if picked is not None:
            if picked >= samples.shape[0]:
                raise FileFormatError(
                    "the sound file has no such channel",
                    given=f"channel={picked}, {samples.shape[0]} in {path}",
                    fix="channel=0",
                )
            samples = samples[picked : picked + 1]
        if sample_rate is not None:
            wanted = positive_rate(sample_rate)
            samples, rate = resampled(samples, rate, wanted), wanted
        return cls(samples, rate)

    @property
    def duration(self) -> float:
        """Seconds."""
        return float(np.shape(self.samples)[-1] / Fraction(self.sample_rate))

    def recording(self, channels: int, rate: Fraction) -> Array:
        """Return the samples for each input channel."""
        if rate != self.sample_rate:
            raise ArgumentError(
                "the recording's rate is not the stack's input rate",
                given=f"recording at {format_hertz(Fraction(self.sample_rate))}",
                expected=format_hertz(rate),
                fix=f"upsim.Recorded.from_file(path, sample_rate={float(rate)!r})",
            )
        samples = np.atleast_2d(np.asarray(self.samples))
        if samples.shape[0] not in (1, channels):
            raise ShapeError(
                "the recording does not match the stack's input channels",
                given=f"{samples.shape[0]} recorded channels, {channels} needed",
                fix="upsim.Recorded.from_file(path, channel=0)",
            )
        return np.broadcast_to(samples, (channels, samples.shape[1]))
