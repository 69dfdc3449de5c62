"""Sounds of the course, made by upsim when the pages are built, and checked."""

import wave
from dataclasses import dataclass
from html import escape
from math import ceil
from pathlib import Path

import numpy as np
from scipy import signal

#: The recording of figure 6, left: tabla, CC0, described in examples/AUDIO.md.
TABLA = Path(__file__).resolve().parents[2] / "examples" / "loop_tabla.flac"

FADE = 0.05  # seconds at both ends
PEAK = 10 ** (-12 / 20)  # of full scale
SLOWEST = 8000  # Hz; browsers play it, and what is below is repeated at a multiple


@dataclass(frozen=True)
class Sound:
    """Samples ready to be played: one channel, a rate in Hz, and what is heard in a sentence."""

    samples: np.ndarray
    rate: int
    caption: str

    def write(self, path):
        """Write a WAV file of 16 bits."""
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(self.rate)
            file.writeframes(np.round(self.samples * 32767).astype("<i2").tobytes())

    def figure(self, address):
        """Return the HTML of a player that loads nothing before it is pressed."""
        caption = f"<figcaption>{escape(self.caption)}</figcaption>"
        player = f'<audio controls preload="none" src="{escape(address)}"></audio>'
        return f'<figure class="up-sound">{caption}{player}</figure>'


def sound(samples, rate, caption, *, rms=None):
    """Return a sound: no offset, faded at both ends, its peak at -12 dB of full scale or lower.

    Parameters
    ----------
    samples : array
        One channel.
    rate : float
        Hz.
    caption : str
        What is heard.
    rms : float, optional
        The level, for sounds that are compared. It is an error if the peak would then be too high.
    """
    samples = np.asarray(samples, float)
    times = ceil(SLOWEST / rate)
    if times > 1:
        samples = signal.resample_poly(samples, times, 1)
    rate = round(rate * times)
    window = faded(samples.size, rate)
    # The offset of what is heard, that is of the faded samples.
    samples = window * (samples - (window @ samples) / window.sum())
    level = np.sqrt(np.mean(samples**2)) if rms else np.abs(samples).max()
    if not level:
        raise ValueError(f"there is nothing to hear: {caption}")
    return checked(Sound(samples * ((rms or PEAK) / level), rate, caption))


def faded(count, rate):
    """Return a window that rises and falls in 50 ms, along half a cosine."""
    ends = min(round(FADE * rate), count // 2)
    rise = 0.5 - 0.5 * np.cos(np.pi * np.arange(ends) / max(ends, 1))
    return np.concatenate([rise, np.ones(count - 2 * ends), rise[::-1]])


def checked(made):
    """Return the sound if it is fit to be played, else raise and say why."""
    samples = made.samples
    problems = []
    if np.abs(samples).max() > PEAK * (1 + 1e-9):
        problems.append(f"its peak is {20 * np.log10(np.abs(samples).max()):.1f} dB, above -12")
    if abs(samples.mean()) > 0.5 / 32767:
        problems.append(f"it has an offset of {samples.mean():.2g}")
    # A player that repeats goes from the last sample to the first: both are silent.
    if max(abs(samples[0]), abs(samples[-1])) > 1 / 32767:
        problems.append("it clicks where it begins, ends or is repeated")
    if problems:
        raise ValueError(f"{made.caption}: {', '.join(problems)}")
    return made
