"""Sound files: what was written is read, and what is no sound is refused."""

import struct
from fractions import Fraction

import numpy as np
import pytest
from scipy.io import wavfile
from scipy.signal import firwin

import upsim
from upsim.errors import FileFormatError, MissingDependencyError, TooLargeError
from upsim.files.audio import read_sound, resampled
from upsim.words.tolerance import rounding


@pytest.mark.parametrize(
    ("dtype", "values", "expected"),
    [
        # Full scale is 1; unsigned bytes have their zero at 128.
        (np.uint8, [0, 128, 192], [-1.0, 0.0, 0.5]),
        (np.int16, [-(2**15), 0, 2**14], [-1.0, 0.0, 0.5]),
        (np.int32, [-(2**31), 0, 2**30], [-1.0, 0.0, 0.5]),
        (np.float32, [-1.0, 0.0, 0.5], [-1.0, 0.0, 0.5]),
        (np.float64, [-1.0, 0.0, 0.5], [-1.0, 0.0, 0.5]),
    ],
)
def test_wav_formats(tmp_path, dtype, values, expected):
    path = tmp_path / "sound.wav"
    wavfile.write(path, 8000, np.asarray(values, dtype=dtype))
    samples, rate = read_sound(path)
    assert rate == 8000
    assert np.array_equal(samples, [expected])


def test_channels_come_first(tmp_path):
    path = tmp_path / "stereo.wav"
    wavfile.write(path, 8000, np.asarray([[1.0, -1.0], [0.5, -0.5], [0.0, 0.25]]))
    assert np.array_equal(read_sound(path)[0], [[1.0, 0.5, 0.0], [-1.0, -0.5, 0.25]])
    second = upsim.Recorded.from_file(path, channel=1)
    assert np.array_equal(second.samples, [[-1.0, -0.5, 0.25]])
    with pytest.raises(FileFormatError, match="no such channel"):
        upsim.Recorded.from_file(path, channel=2)


def test_flac_and_wav_hold_the_same(tmp_path):
    soundfile = pytest.importorskip("soundfile", reason="needs the extra `audio`")
    whole = np.random.default_rng(0).integers(-(2**15), 2**15, (50, 2)).astype(np.int16)
    soundfile.write(tmp_path / "a.flac", whole, 44100, subtype="PCM_16")
    wavfile.write(tmp_path / "a.wav", 44100, whole)
    flac, wav = read_sound(tmp_path / "a.flac"), read_sound(tmp_path / "a.wav")
    assert flac[1] == wav[1] == 44100
    assert np.array_equal(flac[0], wav[0])


def test_resampling_keeps_a_constant_inside_and_the_length_law():
    # scipy's documented design for 40 / 441: a Kaiser window of beta 5 over 20 * 441 + 1 taps. Far
    # from the ends a constant becomes the phase gains of that kernel, nothing below or above them.
    made = resampled(np.ones((1, 4000)), Fraction(44100), Fraction(4000))
    assert made.shape == (1, -(-4000 * 40 // 441))
    taps = 40 * firwin(20 * 441 + 1, 1 / 441, window=("kaiser", 5.0))
    gains = [taps[phase::40].sum() for phase in range(40)]
    middle = made[0, 100:-100]
    slack = rounding(taps.size, np.abs(taps).sum())
    assert min(gains) - slack <= middle.min() <= middle.max() <= max(gains) + slack


def test_rates_without_a_small_ratio_are_refused():
    with pytest.raises(TooLargeError, match="no small common ratio"):
        resampled(np.ones((1, 8)), Fraction(44100), Fraction(1_000_003, 7))


def wav_bytes(
    *, rate: int = 4000, payload: bytes = b"\0\1" * 8, claimed: int | None = None
) -> bytes:
    size = len(payload) if claimed is None else claimed
    form = struct.pack("<IHHIIHH", 16, 1, 1, rate, 2 * rate, 2, 16)
    return (
        b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt " + form + b"data"
        + struct.pack("<I", size) + payload
    )  # fmt: skip


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"hello", "not a WAV file"),
        (b"", "not a WAV file"),
        (wav_bytes()[:30], "not a WAV file"),
        (wav_bytes(claimed=1000), "not a WAV file"),
        (wav_bytes(payload=b""), "holds no sound"),
        (wav_bytes(rate=0), "WAV file"),
        (b"RIFX" + wav_bytes()[4:], "WAV file"),
    ],
    ids=["text", "empty", "header cut", "sound cut", "no samples", "rate 0", "wrong byte order"],
)
def test_what_is_no_wav(tmp_path, content, what):
    path = tmp_path / "sound.wav"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=what) as caught:
        read_sound(path)
    assert "sound.wav" in str(caught.value)


def test_not_a_number_in_a_wav(tmp_path):
    path = tmp_path / "sound.wav"
    wavfile.write(path, 4000, np.asarray([0.0, np.nan, np.inf], dtype=np.float32))
    with pytest.raises(ValueError, match="samples must be finite") as caught:
        upsim.Recorded.from_file(path)
    assert "2 of 3 entries" in str(caught.value)


def test_what_is_no_flac(tmp_path):
    pytest.importorskip("soundfile", reason="needs the extra `audio`")
    path = tmp_path / "sound.flac"
    path.write_bytes(b"hello")
    with pytest.raises(FileFormatError, match="not a sound file"):
        read_sound(path)


def test_without_soundfile_the_fix_is_named(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "soundfile", None)
    path = tmp_path / "sound.flac"
    path.write_bytes(b"hello")
    with pytest.raises(MissingDependencyError, match="soundfile") as caught:
        read_sound(path)
    assert 'pip install "upsim[audio]"' in caught.value.fix


def test_a_missing_file(tmp_path):
    with pytest.raises(FileFormatError, match="no such sound file"):
        read_sound(tmp_path / "gone.wav")
