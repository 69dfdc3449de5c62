"""Lines of recordings: in the exact waveform, tested, and split by their sources."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import upsim
from upsim import Add, Conv, LeakyReLU, Multiply, Recorded, ReLU, Stack, TransposedConv, WhiteNoise
from upsim.errors import ArgumentError, FileFormatError, ShapeError
from upsim.words.tolerance import probable, rounding, sampling

LOOP = Path(__file__).parents[2] / "examples" / "loop_tabla.flac"
SECONDS = 4


def upsampler(seed: int = 0) -> Stack:
    layers = [
        TransposedConv(1, 16, 4, 2, 1),
        LeakyReLU(0.1),
        TransposedConv(16, 16, 4, 2, 1),
        ReLU(),
        TransposedConv(16, 1, 4, 2, 1),
    ]
    return Stack(layers, 32000).draw(seed)


@pytest.fixture(scope="module")
def loop() -> Recorded:
    """The tabla loop as it comes, at an RMS of 10, fed as if it were at 4 kHz."""
    pytest.importorskip("soundfile", reason="soundfile is missing")
    samples = np.atleast_2d(Recorded.from_file(LOOP, channel=0).samples)[:, : 4000 * SECONDS]
    return Recorded(10 * samples / np.sqrt(np.square(samples).mean()), 4000)


@pytest.fixture(scope="module")
def output(loop) -> np.ndarray:
    """What torch makes of it, in double precision."""
    torch = pytest.importorskip("torch", reason="torch is missing")
    parts = []
    for part in upsampler().parts:
        layer = part.layer
        if isinstance(layer, TransposedConv):
            module = torch.nn.ConvTranspose1d(
                layer.in_channels, layer.out_channels, 4, 2, 1, dtype=torch.float64
            )
            module.weight.data = torch.tensor(np.array(layer.weight))
            module.bias.data = torch.tensor(np.array(layer.bias))
            parts.append(module)
        else:
            parts.append(torch.nn.LeakyReLU(0.1 if isinstance(layer, LeakyReLU) else 0.0))
    with torch.no_grad():
        return torch.nn.Sequential(*parts)(torch.tensor(np.array(loop.samples)))[0].numpy()


def line_of(samples: np.ndarray, fraction: Fraction) -> complex:
    turns = np.arange(samples.size) * fraction.numerator % fraction.denominator
    return complex((samples * np.exp(-2j * np.pi * turns / fraction.denominator)).mean())


@pytest.mark.parametrize("ask", [upsim.predict, upsim.measure])
def test_the_lines_are_those_of_the_exact_waveform(loop, output, ask):
    answer = ask(upsampler(), loop)
    found = {tone.fraction: tone for tone in answer.tones}
    # The loop makes a line at every multiple of 4 kHz.
    assert list(found) == [Fraction(k, 8) for k in range(5)]
    scale = np.sqrt(np.square(output).mean())
    for fraction, tone in found.items():
        assert abs(tone.amplitude[0] - line_of(output, fraction)) < probable(2**12, scale)
        # It stands out of the bins about it.
        whole = np.abs(np.fft.rfft(output)) / output.size
        place = int(fraction * output.size)
        beside = np.r_[whole[max(0, place - 40) : place][:-1], whole[place + 2 : place + 40]]
        assert abs(tone.amplitude[0]) > 2 * np.sqrt(np.mean(beside**2)) or not fraction
    silent = {tone.fraction for tone in upsim.predict(upsampler(), upsim.Silence()).tones}
    assert set(found) - silent


@pytest.mark.parametrize("ask", [upsim.predict, upsim.measure])
def test_shares_add_up_and_the_ends_have_one(loop, ask):
    answer = ask(upsampler(), loop)
    for tone in answer.tones:
        shares = [share.amplitude for share in tone.contributions]
        scale = float(np.sum(np.abs(shares)))
        assert abs(np.sum(shares) - tone.amplitude[0]) < probable(2**12, scale)
        causes = {share.cause: share for share in tone.contributions}
        # A second of sound has a thousandth of it at its ends.
        assert causes["ends"].power < 1e-3 * tone.power
    assert any(share.cause == "activation" for share in answer.tones[2].contributions)


def test_what_stands_at_a_place_is_never_denied(loop):
    answer = upsim.predict(upsampler(), loop)
    assert "no line" not in answer.explain(12000).text
    quiet = Recorded(np.random.default_rng(0).standard_normal((1, 4000)), 4000)
    text = upsim.predict(upsampler().upto(1), quiet).explain(4000).text
    assert "no line here with these weights" not in text


def test_verify_compares_the_lines_of_a_recording(loop):
    prediction = upsim.predict(upsampler(), loop)
    report = upsim.verify(prediction)
    assert {check.name for check in report.checks} >= {"lines", "powers", "sums of shares"}
    assert report.passed
    from dataclasses import replace

    tone = prediction.tones[3]
    wrong = replace(tone, amplitude=tone.amplitude * 1.01)
    tampered = replace(prediction, tones=(*prediction.tones[:3], wrong, *prediction.tones[4:]))
    assert not upsim.verify(tampered).passed
    assert not upsim.verify(replace(prediction, tones=prediction.tones[:3])).passed


def test_noise_has_lines_in_a_recording_as_rarely_as_said():
    """White noise through a network without biases and activations leaves no line."""
    from upsim.theory.lines.statistics import beside_neighbours

    rng, runs = np.random.default_rng(3), 1500
    ratios, alarms = [], 0
    for _ in range(runs):
        found = beside_neighbours(rng.standard_normal((1, 8 * 64)), 8, np.zeros(1))
        ratios.append(np.abs(found.amplitudes[0]) ** 2 / found.squares[0])
        alarms += bool(found.listed.any())
    # F(2, n) has the mean n / (n - 2), F(1, n) as well.
    ratios = np.array(ratios)
    freedom = np.array([32, 64, 64, 64, 32])
    mean = freedom / (freedom - 2)
    assert np.all(np.abs(ratios.mean(axis=0) - mean) < sampling(1.0, runs) * ratios.std(axis=0))
    # 1.5 alarms are expected; ten have a chance below 1e-5.
    assert alarms < 10


def test_several_inputs_one_of_them_a_recording():
    graph = upsim.Graph(
        [
            ("up", TransposedConv(2, 4, 8, 4), "mel"),
            ("cut", upsim.Crop(2, 2), "up"),
            ("bend", ReLU(), "cut"),
            ("source", Conv(1, 4, 3, padding=1), "noise"),
            ("product", Multiply(), ("bend", "source")),
            ("sum", Add(), ("product", "cut")),
            ("post", Conv(4, 1, 3, padding=1), "sum"),
        ],
        inputs={"mel": 2, "noise": 1},
        sample_rate=16000,
    ).draw(2)
    mel = Recorded(np.abs(np.random.default_rng(0).standard_normal((2, 3000))), 4000)
    run = upsim.measure(graph, {"mel": mel, "noise": WhiteNoise(0.1)}, frequencies=33)
    for tone in run.tones:
        total = np.sum([share.amplitude for share in tone.contributions], axis=0)
        assert np.abs(total - tone.amplitude).max() < rounding(2**12, 1.0)
    assert run.waveform.shape == (1, 12000)
    assert run.measured.seconds == 0.75


@pytest.mark.parametrize(
    ("recorded", "error", "words"),
    [
        (Recorded(np.ones((1, 10)), 4000), ArgumentError, "too few periods"),
        (Recorded(np.ones((1, 400)), 8000), ArgumentError, "rate is not"),
        (Recorded(np.ones((3, 400)), 4000), ShapeError, "channels"),
        (Recorded(np.ones((1, 200)), 4000), ArgumentError, "too short for a density"),
    ],
)
def test_recordings_that_do_not_fit_are_refused(recorded, error, words):
    with pytest.raises(error, match=words):
        upsim.measure(upsampler(), recorded)


def test_a_recording_is_not_resumed(tmp_path):
    with pytest.raises(ArgumentError, match="at once"):
        upsim.measure(upsampler(), Recorded(np.ones((1, 4000)), 4000), resume=tmp_path / "run.npz")


@pytest.mark.parametrize("name", ["mel.npy", "mel.npz"])
def test_frames_are_read_from_array_files(tmp_path, name):
    frames = np.random.default_rng(0).standard_normal((1, 2, 40)).astype(np.float32)
    (np.save if name.endswith("npy") else np.savez)(tmp_path / name, frames)
    read = Recorded.from_file(tmp_path / name, sample_rate=100)
    assert np.array_equal(read.samples, frames[0])
    assert read.sample_rate == 100
    assert np.array_equal(
        Recorded.from_file(tmp_path / name, sample_rate=100, channel=1).samples, frames[0, 1:]
    )
    with pytest.raises(FileFormatError, match="does not say its rate"):
        Recorded.from_file(tmp_path / name)


def test_array_files_that_are_no_recordings_are_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "run",))

    np.save(tmp_path / "pickled.npy", np.array([Evil()], dtype=object), allow_pickle=True)
    np.save(tmp_path / "text.npy", np.array(["x"]))
    np.save(tmp_path / "empty.npy", np.zeros((2, 0)))
    np.savez(tmp_path / "two.npz", np.ones(3), np.ones(3))
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY\x01\x00")
    shape = b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999,), }"
    header = b"\x93NUMPY\x01\x00\x76\x00" + shape
    (tmp_path / "huge.npy").write_bytes(header.ljust(127) + b"\n")
    for name in ("pickled.npy", "text.npy", "empty.npy", "two.npz", "cut.npy", "huge.npy"):
        with pytest.raises(FileFormatError):
            Recorded.from_file(tmp_path / name, sample_rate=100)
    np.save(tmp_path / "nan.npy", np.array([1.0, np.nan]))
    with pytest.raises(ArgumentError, match="finite"):
        Recorded.from_file(tmp_path / "nan.npy", sample_rate=100)
    assert not (tmp_path / "run").exists()
