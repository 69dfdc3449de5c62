"""Frequencies as people write them, and what explain makes of a reading."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

import upsim
from upsim import models
from upsim.errors import ArgumentError
from upsim.words.reading import Reading, reading


def melgan_strides():
    return upsim.Stack([upsim.Stretch(stride) for stride in (8, 8, 2, 2)], 22050)


WAVEGLOW = upsim.Stack([upsim.PeriodicShuffle(8)], 22050)


@pytest.mark.parametrize(
    ("typed", "value", "within"),
    [
        ("689", 689, Fraction(1, 2)),
        ("0.6891kHz", Fraction(6891, 10), Fraction(1, 20)),
        ("5.5 kHz", 5500, Fraction(55, 2)),  # half a unit is 50 Hz, 0.5 % are 27.5
        ("5.50k", 5500, 5),
        ("86.13", Fraction(8613, 100), Fraction(1, 200)),
        ("11025/2", Fraction(11025, 2), 0),
        ("11025/2 Hz", Fraction(11025, 2), 0),
        ("0", 0, 0),
    ],
)
def test_a_text_has_half_a_unit_of_its_last_digit(typed, value, within):
    assert reading(typed) == Reading(Fraction(value), Fraction(within))


@given(value=st.integers(1, 10**6), places=st.integers(0, 6), kilo=st.booleans())
def test_what_was_rounded_lies_within_the_reading(value, places, kilo):
    """A value that is written with fewer digits is found again, up to 0.5 %."""
    exact = Fraction(value, 64)
    unit = 1000 if kilo else 1
    written = f"{float(exact / unit):.{places}f}"
    found = reading(written + ("kHz" if kilo else ""))
    assert found.value == Fraction(written) * unit
    if abs(found.value - exact) <= found.value / 200:
        assert found.holds(exact)


@pytest.mark.parametrize("number", [689, 689.06, Fraction(689)])
def test_a_number_is_exact(number):
    assert reading(number).within == 0
    assert not upsim.explain(melgan_strides(), number).possible
    assert upsim.explain(melgan_strides(), number, within=0.5).frequency == Fraction(22050, 32)


@pytest.mark.parametrize("typed", ["x", "nan", "snan", "inf", "1/0", "", "4 MHz", "1e99999999"])
def test_what_is_no_frequency(typed):
    with pytest.raises(ArgumentError):
        reading(typed)


def test_a_width_is_not_negative():
    with pytest.raises(ArgumentError, match="within must not be negative"):
        reading(5500, within=-1)


@pytest.mark.parametrize(
    ("stack", "typed", "hertz"),
    [
        (models.build("hifigan-v1"), "0.6891kHz", 689.0625),
        (models.build("hifigan-v1"), "689", 689.0625),
        (WAVEGLOW, "8.3kHz", 8268.75),
        (WAVEGLOW, "2.756kHz", 2756.25),
        (WAVEGLOW, "2756", 2756.25),
        (WAVEGLOW, "5.5kHz", 5512.5),
        (melgan_strides(), "86.13", 86.1328125),
        (melgan_strides(), "172.3", 172.265625),
    ],
)
def test_as_people_type_them(stack, typed, hertz):
    found = upsim.explain(stack, typed)
    assert (found.frequency, found.possible) == (Fraction(hertz), True)
    assert found.asked == reading(typed)
    assert found.candidates[0].frequency == found.frequency


@pytest.mark.parametrize("typed", ["86.12", "86.14", "87"])
def test_and_not_beyond_the_last_digit(typed):
    assert not upsim.explain(melgan_strides(), typed).possible


def test_the_exact_verdict_comes_first_then_the_coarsest_family():
    found = upsim.explain(melgan_strides(), "5.5kHz")
    assert str(found) == (
        "5.5 kHz itself: no offset in this stack can make it\n"
        "5.5125 kHz, family 3, lies within the reading (27.5 Hz to each side): 1/4 of the output "
        "rate 22.05 kHz, first possible at layer 3 (Stretch), whose lines are the multiples of "
        "5.5125 kHz"
    )


def test_half_a_bin_holds_lines_of_several_families():
    found = upsim.explain(melgan_strides(), 5500, within=100)
    # 64 and 63 times 86.13 Hz; the former is 8 times 689.06 and once 5512.5 Hz.
    assert [each.what for each in found.candidates] == ["family 3", "family 1"]
    assert [each.frequency for each in found.candidates] == [
        Fraction(22050, 4),
        Fraction(22050 * 63, 256),
    ]
    assert "also within the reading: 5.426367 kHz (family 1)" in str(found)


def test_a_predicted_line_goes_before_a_possible_one():
    # The interpolation has a zero at 4 kHz, so only 3.999 kHz, the input's own, is there.
    stack = upsim.Stack([upsim.Nearest(4)], 16000)
    prediction = upsim.predict(stack, upsim.Sine(1) + upsim.Constant(1.0))
    found = prediction.explain(3999.2, within=1)
    assert found.frequency == 3999
    assert found.tone is not None
    assert "image of 1 Hz" in str(found)


def test_harmonics_within_a_reading():
    stack, sine = upsim.Stack([upsim.ReLU()], 16000), upsim.Sine(Fraction(1, 3) * 1000)
    found = upsim.explain(stack, "666.7", signal=sine)
    assert (found.frequency, found.origin) == (Fraction(2000, 3), "activation")
    assert found.candidates[0].what == "harmonic 2 of 333.3333 Hz"


class TestAReadingAtTheEndOfTheBand:
    """What is read off a picture may lie a little beyond half the rate, or beside 0 Hz."""

    STACK = upsim.Stack([upsim.Stretch(8), upsim.Stretch(2)], 22050)

    @pytest.mark.parametrize(
        ("frequency", "within"), [("11.03kHz", None), (11030.0, 6), (11050.0, 43.07)]
    )
    def test_half_the_rate_lies_within(self, frequency, within):
        found = upsim.explain(self.STACK, frequency, within=within)
        assert (found.frequency, found.layer) == (11025, "2")
        assert "itself: above half the output rate" in str(found)

    def test_nothing_can_make_half_the_rate(self):
        found = upsim.explain(upsim.Stack([upsim.Conv(1, 1, 3)], 8000), 4005.0, within=10)
        assert (found.frequency, found.possible) == (4000, False)

    @pytest.mark.parametrize(("frequency", "within"), [(11030.0, None), (11030.0, 4), (-1.0, 2)])
    def test_what_lies_beyond_is_refused(self, frequency, within):
        with pytest.raises(ArgumentError):
            upsim.explain(self.STACK, frequency, within=within)

    def test_the_offset_is_named_and_is_no_line(self):
        found = upsim.explain(self.STACK, 10.0, within=20)
        assert not found.possible
        assert "0 Hz lies within the reading, too: the output's offset" in str(found)
