"""The two gallery pages that are no figure, and the claims that they make."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from upsim.words.tolerance import rounding


def test_line_at_n_khz(run_script):
    script = run_script("plot_line_at_n_khz")
    names = [path.name for path in script.pictures]
    assert names == ["line_at_n_khz_after.png", "line_at_n_khz_before.png"]
    # MelGAN's ladder: 22050 over 256, 32, 4 and 2.
    spacings = [family.spacing for family in script["upsim"].families(script["stack"])]
    assert spacings == [Fraction(22050, whole) for whole in (256, 32, 4, 2)]
    answer = script["before"].explain(5512.5)
    assert (answer.layer, answer.fraction) == ("7", Fraction(1, 4))
    first = answer.tone.contributions[0]
    assert (first.cause, first.layer) == ("bias", "5")
    assert not script["before"].explain(5500).possible
    assert all(verdict.passed for verdict in script["verdicts"].values())
    lines = {
        name: {tone.fraction: tone for tone in prediction.tones if tone.fraction > 0}
        for name, prediction in script["after"].items()
    }
    # All multiples of 1/256 up to 1/2: what an offset before the first stretch can reach.
    assert set(lines["as it is"]) == {Fraction(k, 256) for k in range(1, 129)}
    assert set(lines["layer 7 starts checkerboard-free"]) == set(lines["as it is"])
    for repaired in (
        "all four start checkerboard-free",
        "nearest neighbour + convolution",
        "no biases",
    ):
        assert not lines[repaired]
    quarter = Fraction(1, 4)
    before = lines["as it is"][quarter].power[0]
    after = lines["layer 7 starts checkerboard-free"][quarter].power[0]
    assert round(float(10 * np.log10(before / after))) == 47  # the title of the second picture
    shares = lines["layer 7 starts checkerboard-free"][quarter].contributions
    assert {share.cause for share in shares} == {"activation"}


def test_interpolators(run_script):
    script = run_script("plot_interpolators")
    assert [path.name for path in script.pictures] == ["interpolators.png"]
    reports = script["reports"]
    droops = {
        # |H| at a quarter of the rate over |H(0)|, by hand: |1 + e^-jπ/2|/2 = 1/√2; its square;
        # (3/4 cos π/4 + 1/4 cos 3π/4) = cos(π/4)/2; nothing.
        ("nearest", 2): np.sqrt(1 / 2),
        ("linear, triangle", 2): 1 / 2,
        ("linear, half-pixel", 2): np.sqrt(1 / 8),
        ("stretch", 2): 1.0,
    }
    for key, gain in droops.items():
        expected = 20 * np.log10(gain)
        # The gain is a sum of at most 4 products; dB turn a relative error e into 8.7 e.
        assert reports[key].droop == pytest.approx(expected, rel=0, abs=rounding(20, 8.7 / gain))
    multiplicities = {key: [null.multiplicity for null in reports[key].nulls] for key in reports}
    assert multiplicities["stretch", 2] == multiplicities["stretch", 4] == []
    assert multiplicities["nearest", 4] == [1, 1]
    assert multiplicities["linear, triangle", 2] == [2]
    assert multiplicities["linear, triangle", 4] == [2, 2]
    assert multiplicities["linear, half-pixel", 2] == [3]
    for name, factor in reports:
        # Every filter but the stretch has a null at each multiple of the input rate.
        expected = 0 if name == "stretch" else factor // 2
        assert len(multiplicities[name, factor]) == expected
    # The transform sums as many terms as the response is long; its angles reach as many turns.
    for (name, factor), error in script["errors"].items():
        terms = 129 * factor
        scale = 2 * factor * np.pi * terms  # the taps' magnitudes add up to less than 2 L
        assert error <= rounding(terms, scale), (name, factor)


def test_the_gallery_runs_every_script_that_is_tested():
    folder = Path(__file__).resolve().parents[2] / "examples"
    scripts = {path.stem for kind in ("figure*.py", "plot_*.py") for path in folder.glob(kind)}
    figures = {f"figure{n}" for n in ("2", "3", "4", "5", "6_left", "6_right", "7", "8_left")}
    expected = figures | {"figure8_right", "plot_line_at_n_khz", "plot_interpolators"}
    assert scripts == expected
