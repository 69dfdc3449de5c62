"""Each figure script runs in an empty folder, and what its prose claims is true.

Expected values are worked out by hand beside the assertion, or come from the witness.
"""

from fractions import Fraction

import numpy as np
import pytest

import upsim
from upsim.words.tolerance import rounding

COMB = {
    Fraction(1, 8): "1",  # 4 kHz: a multiple of layer 1's input rate, 4 kHz, and of no later one
    Fraction(1, 4): "2",  # 8 kHz: layer 2 gets 8 kHz
    Fraction(3, 8): "1",  # 12 kHz: not a multiple of 8 kHz
    Fraction(1, 2): "3",  # 16 kHz: layer 3 gets 16 kHz
}


def tones(prediction):
    return {tone.fraction: tone for tone in prediction.tones if tone.fraction > 0}


def check_pictures(script, *names):
    assert [path.name for path in script.pictures] == sorted(names)
    for path in script.pictures:
        assert path.read_bytes().startswith(b"\x89PNG")
        assert f"picture: {path.name}" in script.printed


def test_figure2(run_script):
    script = run_script("figure2")
    check_pictures(script, "figure2.png")
    assert script["verdict"].passed
    assert {f: t.layer for f, t in tones(script["prediction"]).items()} == {Fraction(1, 3): "1"}
    (tone,) = tones(script["prediction"]).values()
    assert (tone.frequency, tone.cause) == (4000.0, "weights")
    # No overlap: the output is the three taps, for ever.
    taps = script["stack"][0].weight_array()[0, 0]
    np.testing.assert_array_equal(script["measured"], np.tile(taps, 8))
    # a_1 is the taps' DFT coefficient; the sum of 3 products is all that is rounded.
    coefficient = (taps * np.exp(-2j * np.pi * np.arange(3) / 3)).sum() / 3
    assert abs(tone.amplitude[0] - coefficient) <= rounding(10, np.abs(taps).sum())


def test_figure3(run_script):
    script = run_script("figure3")
    check_pictures(script, "figure3.png")
    assert script["verdict"].passed
    # 8 kernels of 3 ones, 2 apart: whole numbers, so nothing is rounded.
    expected = [1, 1, *[2, 1] * 7, 1]
    np.testing.assert_array_equal(script["measured"], expected)
    np.testing.assert_array_equal(script["predicted"], expected)
    np.testing.assert_array_equal(script["coverage"], expected)
    assert (script["edges"].left, script["edges"].right) == (1, 1)
    (tone,) = tones(script["prediction"]).values()
    assert (tone.fraction, tone.layer, tone.cause) == (Fraction(1, 2), "1", "overlap")
    # The steady 2, 1, 2, 1 has the mean 3/2 and the alternating part 1/2: a third of it.
    assert abs(tone.amplitude[0] - 0.5) <= rounding(4, 3.0)
    assert script["line"].ratio == pytest.approx(1 / 3, rel=rounding(4, 1.0), abs=0)
    assert "-9.54 dB" in script.printed  # 20 log10(1/3)


def test_figure4(run_script):
    script = run_script("figure4")
    check_pictures(script, "figure4.png")
    assert script["verdict"].passed
    expected = [1, 2, *[3] * 6, 2, 1]
    np.testing.assert_array_equal(script["measured"], expected)
    np.testing.assert_array_equal(script["predicted"], expected)
    np.testing.assert_array_equal(script["coverage"], expected)
    assert (script["edges"].left, script["edges"].right) == (2, 2)
    assert not tones(script["prediction"])
    assert not script["prediction"].explain(1000).possible


def test_figure5(run_script):
    script = run_script("figure5")
    check_pictures(script, "figure5.png")
    assert all(verdict.passed for verdict in script["verdicts"].values())
    places = [[tone.frequency for tone in found] for found in script["tones"].values()]
    # Sum of 8 unit vectors at turns of k/6: zero for k = 3 (in pairs); of k/4: zero for all.
    assert places == [[4000.0, 8000.0], [4000.0, 8000.0, 12000.0], [], [4000.0, 8000.0]]
    causes = [{tone.cause for tone in found} for found in script["tones"].values()]
    assert causes[0] == {"overlap"}
    assert causes[3] == {"weights"}  # full overlap of ones makes no line
    for (name, (stride, _)), finite in zip(
        rows_of(script), script["outputs"].values(), strict=True
    ):
        assert finite[1].shape == (9 * stride + 8,)
        # At most two products an output sample, of taps of at most 1.
        assert np.abs(finite[0] - finite[1]).max() <= rounding(4, 2.0), name
        # Steady are the outputs that see all their taps: K - L at each end do not.
        edge = script["edges"][name]
        assert (edge.left, edge.right) == (8 - stride, 8 - stride)
    first = script["outputs"]["1: partial overlap, ones"][1]
    np.testing.assert_array_equal(first, [1, 1, *[1, 1, 1, 1, 2, 2] * 9, 1, 1, 1, 1, 1, 1])


def rows_of(script):
    return script["rows"].items()


def test_figure6_left(run_script):
    script = run_script("figure6_left")
    check_pictures(script, "figure6_left.png", "figure6_left_spectrograms.png")
    assert script["verdict"].passed
    assert {check.name for check in script["verdict"].checks} >= {"recording"}
    assert not tones(script["prediction"])
    # 10.674 s at 4 kHz, times 8.
    assert script["measured"].size == 8 * script["music"].samples.shape[1] == 341568
    # Two taps of 1, then nine of at most 1/3 (torch's bound for fan-in 9), three times; |x| < 1.
    scale = (2 * 9 / 3 + 1 / 3) ** 3
    assert script["error"] <= rounding(3 * (2 + 9 + 1), scale)
    # The pictures speak of real music: something is there to be seen.
    assert np.abs(script["measured"]).max() > 0.1
    places = [[float(null.frequency) for null in each.nulls] for each in filters(script)]
    assert places == [[4000.0], [8000.0], [16000.0]]


def filters(script):
    return script["prediction"].filtering


def dip(grid, density, place, width):
    """Return where a measured density is lowest within `width` of a place."""
    near = np.flatnonzero(np.abs(grid - place) <= width)
    return grid[near[np.argmin(density[near])]]


def test_figure6_right(run_script):
    script = run_script("figure6_right")
    check_pictures(script, "figure6_right.png", "figure6_right_spectrograms.png")
    assert script["verdict"].passed
    assert not tones(script["prediction"])
    nulls = [(float(n.frequency), n.multiplicity) for each in filters(script) for n in each.nulls]
    assert nulls == [(4000.0, 3), (8000.0, 3), (16000.0, 3)]
    for place in (4000.0, 8000.0, 12000.0, 16000.0):
        # 31.25 Hz is the bin: the run's lowest bin within a kilohertz is the valley's own.
        assert dip(script["grid"], script["density"], place, 1000.0) == place


def test_figure7(run_script):
    script = run_script("figure7")
    check_pictures(script, "figure7.png", "figure7_spectrograms.png")
    assert script["verdict"].passed
    found = tones(script["prediction"])
    assert {fraction: tone.layer for fraction, tone in found.items()} == COMB
    assert [tone.frequency for tone in found.values()] == [4000.0, 8000.0, 12000.0, 16000.0]
    # What the prose says of seed 0.
    assert found[Fraction(1, 4)].cause == found[Fraction(1, 2)].cause == "bias"
    assert found[Fraction(1, 4)].contributions[0].layer == "2"
    assert found[Fraction(1, 2)].contributions[0].layer == "3"
    line, (offset, bias) = found[Fraction(1, 8)], found[Fraction(1, 8)].contributions
    assert (offset.cause, bias.cause, bias.layer) == ("input offset", "bias", "1")
    assert line.power[0] < 2 * bias.power[0] < 2 * offset.power[0]
    check_lines_in_the_run(script)


def check_lines_in_the_run(script):
    """A run of the NumPy layers has these lines, and its DFT has nothing between them."""
    output = upsim.neural.run(script["stack"], np.ones((1, 64)))[0]
    steady = output[128 : 128 + 256]
    spectrum = np.fft.rfft(steady) / steady.size
    expected = np.zeros(spectrum.size, dtype=complex)
    for tone in script["prediction"].tones:
        expected[int(tone.fraction * steady.size)] = tone.amplitude[0]
    # Every layer sums at most 7 numbers, the DFT 256; both computations are rounded.
    bound = rounding(3 * 7 + steady.size, float(np.abs(steady).max()))
    assert np.abs(spectrum - expected).max() <= bound


def test_figure8_left(run_script):
    script = run_script("figure8_left")
    check_pictures(script, "figure8_left.png", "figure8_left_spectrograms.png")
    assert script["verdict"].passed
    found = tones(script["prediction"])
    assert {fraction: tone.layer for fraction, tone in found.items()} == COMB
    assert {tone.cause for tone in found.values()} == {"weights"}
    line = script["line"]
    assert line.fraction == Fraction(1, 2)
    assert "3" not in {share.layer for share in line.contributions}
    total = sum(share.amplitude[0] for share in line.contributions)
    scale = sum(abs(share.amplitude[0]) for share in line.contributions)
    # Each share is the end of a chain of 3 layers of at most 5 sums, and of a DFT of 8.
    assert abs(total - line.amplitude[0]) <= rounding(3 * 5 + 8, scale)
    check_lines_in_the_run(script)


def test_figure8_right(run_script):
    script = run_script("figure8_right")
    check_pictures(script, "figure8_right.png", "figure8_right_spectrograms.png")
    assert script["verdict"].passed
    assert not script["prediction"].tones
    nulls = [(float(n.frequency), n.multiplicity) for each in filters(script) for n in each.nulls]
    assert nulls == [(4000.0, 3), (8000.0, 3), (16000.0, 3)]
    # The taps of all three layers are multiples of 1/64, so the response is exact; its transform
    # sums 22 terms, which add up to 8 in magnitude, at angles of up to 65 * 8 / 2 turns.
    response = script["response"]
    operations = response.size
    largest_angle = 2 * np.pi * response.size / 2
    bound = rounding(operations, np.abs(response).sum()) * largest_angle
    assert script["measured"].max() <= bound
    # At the ends the valleys' power is a rounding error squared.
    top = script["prediction"].psd.max()
    assert script["depth"].max() <= rounding(operations, 1.0) * top
    # A valley is a valley: half a kilohertz beside it there is more.
    beside = [3500.0, 4500.0, 7500.0, 8500.0, 11500.0, 12500.0, 15500.0]
    walls = upsim.predict(script["stack"], script["noise"], frequencies=beside).psd
    assert walls.min() > 1e3 * script["depth"].max()


@pytest.mark.parametrize(
    ("script", "model"),
    [
        ("figure2", "fig2"),
        ("figure3", "fig3"),
        ("figure4", "fig4"),
        ("figure5", "fig5-full-random"),  # the last of its four rows
        ("figure6_left", "fig6-left"),
        ("figure6_right", "fig6-right"),
        ("figure7", "fig7"),
        ("figure8_left", "fig8-left"),
        ("figure8_right", "fig8-right"),
    ],
)
def test_a_script_and_the_named_model_are_one_setting(run_script, script, model):
    models = pytest.importorskip("upsim.models", reason="upsim.models is not there yet")
    written, named = run_script(script)["stack"], models.build(model).draw(seed=0)
    assert (written.sample_rate, written.input_rate) == (named.sample_rate, named.input_rate)
    samples = np.random.default_rng(0).standard_normal((1, 20))
    outputs = [upsim.neural.run(stack, samples) for stack in (written, named)]
    np.testing.assert_array_equal(*outputs)
