"""Two answers side by side: nothing is lost, and every difference is that of the two answers."""

from dataclasses import replace
from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings

import upsim
from upsim.errors import ArgumentError
from upsim.testing.strategies import stacks
from upsim.words.tolerance import rounding

CONSTANT = upsim.Constant(1.0)


def up(weight, *, rate=16000, bias=False, kernel=4):
    layer = upsim.TransposedConv(1, 1, kernel, 2, bias=bias, weight=weight)
    return upsim.Stack([layer], rate)


def test_levels_by_hand():
    # Phase gains of (1, 2, 1, 1) are 2 and 3: mean 5/2, alternating part 1/2. Of (1, 1.1, 1, 1):
    # 2 and 2.1: mean 2.05, alternating part 0.05.
    found = upsim.compare(up([[[1, 2, 1, 1]]]), up([[[1, 1.1, 1, 1]]]), CONSTANT)
    offset, line = found.lines
    assert (offset.frequency, line.frequency) == (0, 8000)
    exact = rounding(8, 10.0)
    assert abs(offset.first - 6.25) < exact
    assert abs(offset.second - 2.05**2) < exact
    assert abs(line.difference - 20 * np.log10(0.05 / 0.5)) < rounding(64, 20.0)
    assert found.bands == ()
    (source,) = found.shares
    assert (source.cause, source.layer) == ("input offset", "input")
    assert abs(source.first - 0.25) < exact


@settings(max_examples=15)
@given(stacks(linear=False, longest=3), stacks(longest=3))
def test_nothing_is_lost_and_nothing_is_added(first, second):
    answers = []
    for stack in (first, second):
        try:
            answers.append(upsim.predict(stack.draw(0), CONSTANT))
        except upsim.errors.UpsimError:
            return
    found = upsim.compare(*answers)
    for side, answer in zip(("first", "second"), answers, strict=True):
        powers = {tone.fraction * answer.sample_rate: tone.power.max() for tone in answer.tones}
        mine = {
            line.frequency: getattr(line, side)
            for line in found.lines
            if getattr(line, side) is not None
        }
        assert mine == powers
        summed = {}
        for tone in answer.tones:
            for share in tone.contributions if tone.fraction else ():
                key = (share.cause, share.place)
                summed[key] = summed.get(key, 0.0) + share.power[0]
        assert {
            (each.cause, each.layer): getattr(each, side)
            for each in found.shares
            if getattr(each, side) is not None
        } == summed
    assert len(found.both) + len(found.only_first) + len(found.only_second) == len(found.lines)


def test_bands_add_up_to_the_density():
    answers = [
        upsim.predict(up([[taps]]), upsim.WhiteNoise(1.0), frequencies=257)
        for taps in ([1, 2, 1, 1], [3, 1, 0, 1])
    ]
    found = upsim.compare(*answers)
    for side, answer in zip(("first", "second"), answers, strict=True):
        whole = sum(getattr(band, side) for band in found.bands)
        by_scipy = np.trapezoid(answer.psd[0], answer.frequencies)
        assert abs(whole - by_scipy) < rounding(1024, float(by_scipy))
    assert found.bands[0].low == 0
    assert found.bands[-1].high == 8000
    assert all(
        low.high == high.low for low, high in zip(found.bands, found.bands[1:], strict=False)
    )


def test_bands_of_a_recording_are_sums_of_its_bins():
    samples = np.random.default_rng(0).standard_normal((1, 400))
    answer = upsim.predict(up([[[1, 2, 1, 1]]]), upsim.Recorded(samples, 8000))
    found = upsim.compare(answer, answer)
    whole = sum(band.first for band in found.bands)
    assert abs(whole - float(answer.noise_power[0])) < rounding(1024, whole)
    assert all(band.difference == 0 for band in found.bands if band.first)


def test_other_rates_meet_at_the_same_hertz():
    # Lines of 16 kHz at 8 kHz; of 32 kHz and two layers at 8 and 16 kHz.
    deep = upsim.Stack(
        [upsim.TransposedConv(1, 1, 3, 2, bias=False, weight=[[[1, 2, 1.5]]]) for _ in range(2)],
        32000,
    )
    found = upsim.compare(up([[[1, 2, 1, 1]]]), deep, CONSTANT + upsim.WhiteNoise(1.0))
    assert [int(line.frequency) for line in found.both] == [0, 8000]
    assert [int(line.frequency) for line in found.only_second] == [16000]
    # What the higher rate has above half the lower one is a band that the first cannot have.
    assert (found.bands[-1].low, found.bands[-1].high) == (8000, 16000)
    assert found.bands[-1].first is None
    assert found.bands[-1].second > 0


def test_initialisation_beside_a_network():
    open_stack = upsim.Stack([upsim.TransposedConv(8, 1, 8, 4, bias=False)], 16000)
    found = upsim.compare(open_stack, open_stack.draw(0), CONSTANT)
    assert [int(line.frequency) for line in found.both] == [0, 4000, 8000]
    assert all(line.difference is not None for line in found.both)
    assert "only in" not in repr(found)
    assert "3 in both" in repr(found)


def test_a_channel_of_both():
    wide = upsim.Stack(
        [upsim.TransposedConv(1, 2, 2, 2, bias=False, weight=[[[1, 2], [1, 4]]])], 16000
    )
    first = upsim.compare(wide, wide, CONSTANT, channel=0).lines[1]
    assert abs(first.first - 0.25) < rounding(8, 1.0)
    strongest = upsim.compare(wide, wide, CONSTANT).lines[1]
    assert abs(strongest.first - 2.25) < rounding(8, 4.0)
    with pytest.raises(ArgumentError, match="no such channel"):
        upsim.compare(wide, up([[[1, 2, 1, 1]]]), CONSTANT, channel=1)


def test_a_negative_share_has_no_decibels():
    # In expectation a line may be the weaker for a cause.
    line = upsim.compare(up([[[1, 2, 1, 1]]]), up([[[1, 2, 1, 1]]]), CONSTANT).shares[0]
    assert replace(line, first=-0.5).difference is None
    assert replace(line, first=0.0).difference is None


def test_plain_data():
    first = upsim.predict(up([[[1, 2, 1, 1]]]), CONSTANT + upsim.WhiteNoise(1.0))
    found = upsim.compare(first, up([[[1, 1, 1, 1]]]), CONSTANT)
    content = found.to_dict()
    assert (content["format"], content["version"]) == ("upsim-comparison", 1)
    line = content["lines"][1]
    assert (line["frequency"], line["second"], line["difference"]) == ("8000", None, None)
    assert Fraction(content["sample_rates"][0]) == 16000
    assert upsim.Comparison.__name__ == "Comparison"
    assert '"format"' in found.to_json(indent=1)
    assert "none" in found.table()
    assert "<table>" in found._repr_html_()


def test_the_picture_has_both_answers():
    found = upsim.compare(up([[[1, 2, 1, 1]]]), up([[[1, 1.1, 1, 1]]]), CONSTANT)
    ax = found.plot(title="before and after")
    drawn = {line.get_label(): line for line in ax.lines}
    for name, power in (("first", found.lines[1].first), ("second", found.lines[1].second)):
        assert drawn[name].get_xdata().tolist() == [8.0]
        assert drawn[name].get_ydata().tolist() == [pytest.approx(10 * np.log10(power))]
    assert ax.get_title() == "before and after"
    plt.close(ax.figure)
