"""What signals accept, the words in which they refuse, and their way through a file."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.io import wavfile

import upsim
from upsim.errors import ArgumentError, ArgumentTypeError, FileFormatError, ShapeError
from upsim.files.signalfile import signal_from_dict, signal_to_dict


@pytest.mark.parametrize("kind", [upsim.Constant, upsim.WhiteNoise])
def test_no_number_at_all_is_refused(kind):
    with pytest.raises(ShapeError, match=r"one a channel.*shape \(0,\).*at least one number"):
        kind([])


def test_an_irregular_nesting_is_refused():
    with pytest.raises(ArgumentTypeError, match="value must be an array of real numbers"):
        upsim.Constant([[1.0], [1.0, 2.0]])


def test_the_suggested_rate_works_when_typed():
    rate = 86.1328125  # 44100 / 512, which has more digits than %g prints
    recording = upsim.Recorded(np.ones(4), 100)
    stack = upsim.Stack([upsim.Nearest(2)], 2 * rate)
    with pytest.raises(ArgumentError) as refusal:
        recording.recording(1, stack.input_rate)
    suggestion = refusal.value.fix.rpartition("=")[2].rstrip(")")
    assert upsim.Recorded(np.ones(4), float(suggestion)).recording(1, stack.input_rate).size == 4


def test_the_suggested_sine_works_when_typed():
    rate = Fraction(44100, 512)
    with pytest.raises(ArgumentError) as refusal:
        upsim.Sine(80).lines(1, rate)
    (line,) = eval(refusal.value.fix, {"upsim": upsim}).lines(1, rate)
    assert line.frequency == rate / 4


@pytest.mark.parametrize("channel", ["a", 0.5, -1, None])
def test_a_channel_is_a_whole_number(channel, tmp_path):
    path = tmp_path / "two.wav"
    wavfile.write(path, 8000, np.array([[1, 2], [3, 4]], dtype=np.int16))
    if channel is None:
        assert np.shape(upsim.Recorded.from_file(path).samples) == (2, 2)
        assert np.shape(upsim.Recorded.from_file(path, channel=1).samples) == (1, 2)
        with pytest.raises(FileFormatError, match="no such channel"):
            upsim.Recorded.from_file(path, channel=2)
        return
    with pytest.raises((ArgumentError, ArgumentTypeError), match="channel must be a whole number"):
        upsim.Recorded.from_file(path, channel=channel)


def test_no_path_is_refused():
    with pytest.raises(ArgumentTypeError, match=r"path must be a path. given: path=None"):
        upsim.Recorded.from_file(None)


@pytest.mark.parametrize(
    "signal",
    [
        upsim.Sine(Fraction(881, 2)),
        upsim.Sine(86.1328125, [1.0, 2.0]),
        upsim.Recorded([1.0, 2.0], Fraction(44100, 512)),
        upsim.Constant(2.0) + upsim.Sine(Fraction(1, 3)) + upsim.WhiteNoise([1.0, 2.0]),
        upsim.Density([0.0, 100.0], [1.0, 0.5]),
        upsim.Silence(),
    ],
)
def test_a_signal_comes_back_from_a_file_as_it_was(signal):
    assert signal_from_dict(signal_to_dict(signal)) == signal


@pytest.mark.parametrize(
    "content",
    [
        5,
        {"type": "Sum"},
        {"type": "Sum", "parts": []},
        {"type": "Sine", "frequency": "1e30000000"},
        {"type": "Sine", "frequency": "1/0"},
        {"type": "Sine", "frequency": "fast"},
        {"type": "Sine", "frequency": 5, "colour": "red"},
    ],
)
def test_a_signal_that_is_none_is_refused(content):
    with pytest.raises(FileFormatError):
        signal_from_dict(content)
