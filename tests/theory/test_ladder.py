"""Which layer a line can come from: the ladder against its definition, and what explain says."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import upsim
from upsim.errors import ArgumentError
from upsim.theory.lines.ladder import Ladder

strides = st.lists(st.integers(1, 6), min_size=1, max_size=5)


def upsamplers(factors):
    """One layer a stride, with layers between them that keep the rate."""
    layers = []
    for place, factor in enumerate(factors):
        up = (
            upsim.Nearest(factor),
            upsim.Stretch(factor),
            upsim.TransposedConv(1, 1, 3, factor),
        )[place % 3]
        layers += [up, upsim.Conv(1, 1, 3), upsim.ReLU()]
    return layers


def by_definition(factors, rate, frequency):
    """Return the last layer whose f_l = F / (s_l ... s_N) divides the frequency, or None."""
    found = None
    spacing = Fraction(rate)
    for place in reversed(range(len(factors))):
        spacing /= factors[place]
        # A factor of 1 repeats nothing: its lines would be whole turns.
        if factors[place] > 1 and (frequency / spacing).denominator == 1 and found is None:
            found = place
    return found


@given(factors=strides, numerator=st.integers(1, 10**6), extra=st.sampled_from([1, 1, 1, 2, 3, 7]))
def test_a_line_belongs_to_the_last_layer_whose_spacing_divides_it(factors, numerator, extra):
    stack = upsim.Stack(upsamplers(factors), 48000)
    whole = int(stack.rate) * extra
    fraction = Fraction(numerator % whole, whole)
    if fraction == 0:
        return
    origin = Ladder(stack).origin(fraction)
    expected = by_definition(factors, 1, fraction)
    if expected is None:
        assert origin is None
    else:
        assert origin.layer == str(3 * expected + 1)
        assert stack[3 * expected].rate == factors[expected]


rates = st.lists(
    st.sampled_from([(2, 1), (3, 1), (4, 1), (1, 2), (1, 3), (1, 1)]), min_size=1, max_size=5
)


def reachable(steps):
    """Return {fraction: last step that could have made it}, by carrying every line forward."""
    known: dict[Fraction, int] = {}
    for number, (up, down) in enumerate(steps):
        after: dict[Fraction, int] = {}
        for line, made in {**known, Fraction(0): -1}.items():
            for image in range(up):
                place = (line + image) / up * down % 1
                maker = number if line == 0 and (image * down) % up else made
                if place:
                    after[place] = max(after.get(place, -1), maker)
        known = {line: maker for line, maker in after.items() if maker >= 0}
    return known


@given(steps=rates)
def test_with_strides_down_it_is_the_last_layer_that_could_have_made_it(steps):
    layers = [upsim.Nearest(up) if up > 1 else upsim.Conv(1, 1, 2, down) for up, down in steps]
    stack = upsim.Stack(layers, 1000)
    ladder = Ladder(stack)
    whole = 2 * 3 * 4**5
    known = reachable(steps)
    for place in {*known, *(Fraction(k, whole) for k in (1, 384, 1000, 3072))}:
        origin = ladder.origin(place)
        assert (origin.node if origin else None) == known.get(place)


@given(factors=strides, line=st.integers(1, 49), image=st.integers(0, 10**4))
def test_an_image_of_an_input_line_is_known_by_its_place_in_the_input(factors, line, image):
    stack = upsim.Stack(upsamplers(factors), 1)
    own = Fraction(line, 100)
    whole = int(stack.rate)
    place = (own + image % whole) / whole
    if by_definition(factors, 1, place) is not None:
        return
    origin = Ladder(stack, frozenset([(0, own * stack.input_rate)])).origin(place)
    assert origin.node == -1
    assert origin.image_of == own
    # The last stretch below whose old Nyquist the place does not lie.
    mover, turns = "", min(place, 1 - place)
    for number in reversed(range(len(factors))):
        # What was above the old Nyquist of a later layer is folded before the earlier is asked.
        if turns > Fraction(1, 2 * factors[number]) and not mover:
            mover = str(3 * number + 1)
        turns = turns * factors[number] % 1
        turns = min(turns, 1 - turns)
    assert origin.moved_by == mover


def movers(steps, own):
    """Return where a line at ``own`` cycles per sample lands, and by which layer it was moved last.

    By hand: all images, then all folds, layer by layer.
    """
    lines = {own: {""}}
    for number, (up, down) in enumerate(steps, 1):
        made = {}
        for turns, by in lines.items():
            images = {(side * turns + k) / up % 1 for k in range(up) for side in (1, -1)}
            for image in {min(each, 1 - each) for each in images}:
                landed = image * down % 1
                moved = {str(number)} if 2 * image * up > 1 else by
                made.setdefault(min(landed, 1 - landed), set()).update(moved)
        lines = made
    return lines


@given(
    steps=st.lists(st.sampled_from([(2, 1), (4, 1), (1, 3), (3, 2), (2, 3), (5, 4)]), max_size=4),
    line=st.integers(1, 49),
)
@example(steps=[(4, 1), (1, 3)], line=50)
def test_an_image_that_a_decimation_folds_back_is_put_down_to_what_made_it(steps, line):
    own = Fraction(line, 100)
    layers = [upsim.Resample(down, up) if up > 1 else upsim.Decimate(down) for up, down in steps]
    stack = upsim.Stack([upsim.Conv(1, 1, 1), *layers], 1)
    ladder = Ladder(stack, frozenset([(0, own * stack.input_rate)]))
    for place, by in movers(steps, own).items():
        if place and len(by) == 1:
            image = next(each for each in ladder.origins(place) if each.node < 0)
            named = str(int(image.moved_by) - 1) if image.moved_by else ""
            assert named == min(by)


class TestFamilies:
    def test_only_layers_that_stretch_have_one(self):
        layers = [upsim.Nearest(1), upsim.Conv(1, 1, 3), upsim.Nearest(3), upsim.ReLU()]
        (family,) = upsim.families(upsim.Stack(layers, 12000))
        assert (family.layer, family.spacing, family.factor) == ("3", 4000, 3)
        assert family.name == "layer 3 (Nearest)"

    def test_a_u_net_has_the_families_of_its_inner_layers(self):
        stack = upsim.Stack(
            [
                upsim.Conv(1, 1, 4, 2, 1),
                upsim.Residual(upsim.Conv(1, 1, 4, 2, 1), upsim.TransposedConv(1, 1, 4, 2, 1)),
                upsim.TransposedConv(1, 1, 4, 2, 1),
            ],
            16000,
        )
        found = [(family.layer, int(family.spacing)) for family in upsim.families(stack)]
        assert found == [("2.1.2", 4000), ("3", 8000)]

    def test_a_sample_rate_that_is_no_whole_number_of_hertz(self):
        stack = upsim.Stack([upsim.Nearest(3)], Fraction(44100, 1001))
        (family,) = upsim.families(stack)
        assert family.spacing == Fraction(14700, 1001)


def melgan_strides(rate=22050):
    layers = []
    for stride in (8, 8, 2, 2):
        up = upsim.TransposedConv(1, 1, 2 * stride, stride, stride // 2)
        layers += [upsim.LeakyReLU(0.2), up]
    return upsim.Stack(layers, rate)


class TestExplain:
    def test_twelve_kilohertz_of_figure_8(self):
        stack = upsim.Stack([upsim.TransposedConv(1, 1, 4, 2)] * 3, 32000)
        found = upsim.explain(stack, 12000)
        assert (found.layer, found.fraction, found.possible) == ("1", Fraction(3, 8), True)
        assert str(found) == (
            "12 kHz = 3/8 of the output rate 32 kHz: first possible at layer 1 (TransposedConv), "
            "whose lines are the multiples of 4 kHz"
        )

    def test_nothing_in_this_stack_can_make_it(self):
        stack = upsim.Stack([upsim.TransposedConv(1, 1, 4, 2)] * 3, 32000)
        found = upsim.explain(stack, 4100)
        assert (found.possible, found.layer, found.tone) == (False, "", None)
        assert str(found) == (
            "4.1 kHz = 41/320 of the output rate 32 kHz: no offset in this stack can make it\n"
            "  possible lines are the multiples of 4 kHz; nearest: 4 kHz and 8 kHz"
        )

    def test_the_offset(self):
        found = upsim.explain(melgan_strides(), 0)
        assert str(found).endswith("0 Hz is the output's own offset")

    def test_a_stack_that_does_not_upsample(self):
        found = upsim.explain(upsim.Stack([upsim.Conv(1, 1, 3)], 8000), 1000)
        assert not found.possible
        assert "has no upsampling layer" in str(found)

    def test_an_image_of_the_inputs_line(self):
        stack = upsim.Stack([upsim.Nearest(3)], 48000)
        found = upsim.explain(stack, 15000, signal=upsim.Sine(1000))
        assert str(found) == (
            "15 kHz = 5/16 of the output rate 48 kHz: the input's own line at 1 kHz, "
            "an image made by layer 1 (Nearest)"
        )
        prediction = upsim.predict(stack, upsim.Sine(1000))
        assert prediction.explain(15000).tone is prediction.tones[1]
        # |1 + 2 cos(2 pi 15 / 48)| / 3 = 0.0782: -22.13 dB, and the input has -3.01 dB
        assert "predicted: -25.14 dB, carried over from the input" in str(prediction.explain(15000))

    def test_a_harmonic(self):
        stack = upsim.Stack([upsim.ReLU()], 32)
        found = upsim.predict(stack, upsim.Sine(1)).explain(2)
        assert found.layer == "1"
        assert "made by the activation of layer 1 (ReLU), which distorts a line" in str(found)

    def test_a_possible_line_that_is_not_there(self):
        stack = upsim.Stack([upsim.Nearest(2)], 8000)
        found = upsim.predict(stack, upsim.Constant(1.0)).explain(4000)
        assert found.possible
        assert found.tone is None
        assert str(found).endswith("with these weights and this signal there is no line here")

    @pytest.mark.parametrize("frequency", [-1, 16001, float("nan")])
    def test_a_frequency_outside_the_band(self, frequency):
        with pytest.raises(ArgumentError):
            upsim.explain(upsim.Stack([upsim.Nearest(2)], 32000), frequency)
