"""A sound is fit to be played before it is kept."""

import wave

import numpy as np
import pytest
from coursework.sounds import PEAK, Sound, checked, sound


def tone(seconds=1.0, rate=16000):
    return 0.3 + np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)


def test_a_sound_has_no_offset_a_low_peak_and_silent_ends():
    made = sound(tone(), 16000, "a tone")
    assert np.abs(made.samples).max() == pytest.approx(PEAK)
    assert abs(made.samples.mean()) < 0.5 / 32767
    assert made.samples[0] == made.samples[-1] == 0


def test_a_low_rate_is_played_at_a_multiple():
    made = sound(tone(rate=4000), 4000, "a tone at 4 kHz")
    assert made.rate == 8000
    spectrum = np.abs(np.fft.rfft(made.samples))
    assert spectrum.argmax() * made.rate / made.samples.size == pytest.approx(440, abs=1)


def test_sounds_are_compared_at_one_level():
    one = sound(tone(), 16000, "a tone", rms=0.05)
    other = sound(10 * np.random.default_rng(0).standard_normal(16000), 16000, "noise", rms=0.05)
    assert np.sqrt(np.mean(one.samples**2)) == pytest.approx(0.05)
    assert np.sqrt(np.mean(other.samples**2)) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("samples", "word"),
    [
        (0.5 * np.hanning(1000) * np.sin(np.arange(1000)), "peak"),
        (0.1 * np.hanning(1000), "offset"),
        (0.1 * np.cos(2 * np.pi * np.arange(1000) / 100), "clicks"),
    ],
)
def test_what_is_unfit_is_refused(samples, word):
    with pytest.raises(ValueError, match=word):
        checked(Sound(samples, 8000, "unfit"))


def test_silence_is_no_sound():
    with pytest.raises(ValueError, match="nothing to hear"):
        sound(np.zeros(100), 8000, "silence")


def test_too_high_a_level_is_refused():
    with pytest.raises(ValueError, match="peak"):
        sound(tone(), 16000, "a tone", rms=0.5)


def test_the_file_holds_the_samples(tmp_path):
    made = sound(tone(), 16000, "a tone")
    made.write(tmp_path / "a.wav")
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (16000, 1, 16000)
        read = np.frombuffer(file.readframes(16000), "<i2") / 32767
    np.testing.assert_allclose(read, made.samples, atol=0.5 / 32767)
