"""Sound files in, and their resampling: WAV by scipy, everything else by soundfile."""

from __future__ import annotations

import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from upsim.errors import FileFormatError, MissingDependencyError, TooLargeError
from upsim.files.paths import existing_file
from upsim.words.arguments import MEMORY_BUDGET

Array = NDArray[np.float64]


def read_sound(path: str | Path) -> tuple[Array, Fraction]:
    """Return samples (channels, n) with full scale 1, and the sample rate in Hz."""
    path = existing_file(path, "sound file")
    if path.stat().st_size * 8 > MEMORY_BUDGET:
        raise TooLargeError(
            "the sound file is too long to be carried whole",
            given=f"{path.stat().st_size / 2**20:.0f} MiB",
            expected=f"at most {MEMORY_BUDGET / 8 / 2**20:.0f} MiB",
            fix="cut a clip of some seconds",
        )
    if path.suffix.lower() in (".wav", ".wave"):
        return _read_wav(path)
    if path.suffix.lower() in (".npy", ".npz"):
        raise FileFormatError(
            "an array file does not say its rate",
            given=str(path),
            fix=f"upsim.Recorded.from_file({str(path)!r}, sample_rate=<frames per second>)",
        )
    return _read_other(path)


def _read_wav(path: Path) -> tuple[Array, Fraction]:
    import warnings

    from scipy.io import wavfile

    try:
        with warnings.catch_warnings():
            # Chunks that scipy does not know (tags) carry no sound.
            warnings.simplefilter("ignore", wavfile.WavFileWarning)
            # Sound that is missing is another matter.
            warnings.filterwarnings("error", "Reached EOF", wavfile.WavFileWarning)
            rate, samples = wavfile.read(path)
    except Exception as error:  # noqa: BLE001 - scipy raises many kinds for a broken header
        raise FileFormatError(
            "this is not a WAV file that can be read",
            given=f"{path}: {str(error).rstrip('.')}",
            fix="check the file",
        ) from None
    if rate <= 0 or not samples.size:
        raise FileFormatError("the WAV file holds no sound", given=f"{path}, rate {rate}")
    if samples.dtype == np.uint8:
        scaled = (samples.astype(np.float64) - 128) / 128
    elif samples.dtype.kind == "i":
        scaled = samples / float(-np.iinfo(samples.dtype).min)
    else:
        scaled = samples.astype(np.float64)
    return np.atleast_2d(scaled.T), Fraction(int(rate))


def read_frames(path: str | Path) -> Array:
    """Return the array (channels, n) of a ``.npy`` file, or of a ``.npz`` file with one array.

    Nothing in it is run, and its size is known before memory is taken.
    """
    path = existing_file(path, "array file")
    try:
        found = _whole(path)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise FileFormatError(
            "this is not an array file that can be read", given=f"{path}: {error!s:.120}"
        ) from None
    if found.ndim == 3 and len(found) == 1:  # a batch of one, as frameworks save it
        found = found[0]
    if found.dtype.kind not in "iuf" or found.ndim not in (1, 2) or not found.size:
        raise FileFormatError(
            "the file holds no recording",
            given=f"{path}: {found.dtype} of shape {found.shape}",
            expected="real numbers, (n,) or (channels, n)",
        )
    return np.atleast_2d(found.astype(np.float64))


def _whole(path: Path) -> NDArray[np.generic]:
    if path.suffix.lower() == ".npy":
        # Mapped, so that only the header is believed until the size is known.
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        if mapped.nbytes > MEMORY_BUDGET:
            raise ValueError(f"{mapped.nbytes / 2**20:.0f} MiB are too many")
        return np.array(mapped)
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) != 1:
            listed = ", ".join(each.filename for each in members)
            raise ValueError(f"one array is expected, there are {len(members)}: {listed}")
        if members[0].file_size > MEMORY_BUDGET:
            raise ValueError(f"{members[0].file_size / 2**20:.0f} MiB are too many")
    with np.load(path, allow_pickle=False) as content:
        return np.asarray(content[content.files[0]])


def _read_other(path: Path) -> tuple[Array, Fraction]:
    try:
        import soundfile
    except ImportError:
        raise MissingDependencyError(
            "reading this kind of sound file needs the package soundfile",
            given=str(path),
            fix='pip install "upsim[audio]", or use a WAV file',
        ) from None
    try:
        samples, rate = soundfile.read(path, dtype="float64", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise FileFormatError(
            "this is not a sound file that can be read", given=f"{path}: {error}"
        ) from None
    if not samples.size:
        raise FileFormatError("the sound file holds no sound", given=str(path))
    return np.ascontiguousarray(samples.T), Fraction(int(rate))


def resampled(samples: Array, rate: Fraction, wanted: Fraction) -> Array:
    """Return the samples at another rate, by scipy's polyphase resampler."""
    from scipy.signal import resample_poly

    ratio = wanted / rate
    if max(ratio.numerator, ratio.denominator) > 100_000:
        raise TooLargeError(
            "the two sample rates have no small common ratio",
            given=f"{rate} Hz to {wanted} Hz",
            fix="a rate with a small ratio to the file's",
        )
    return np.asarray(resample_poly(samples, ratio.numerator, ratio.denominator, axis=-1))
