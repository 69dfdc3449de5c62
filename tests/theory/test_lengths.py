"""Which lengths can be run, and which layer loses samples: against torch and by hand."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import upsim
from upsim import neural
from upsim.errors import ShapeError, UpsimError
from upsim.models import segan
from upsim.testing.strategies import stacks
from upsim.theory.reports.lengths import accepts


def u_net(kernel, padding, output_padding):
    down = upsim.Conv(1, 1, kernel, stride=2, padding=padding)
    up = upsim.TransposedConv(1, 1, kernel, 2, padding, output_padding)
    return upsim.Stack([upsim.Residual(down, up)], 16000)


class TestLengthsThatCannotBeRun:
    def test_a_u_net_of_odd_length(self):
        found = upsim.lengths(u_net(4, 1, 0), 9)
        assert not found.accepted
        assert (found.below, found.above, found.every) == (8, 10, 2)
        assert str(found) == (
            "9 samples cannot be run: branches that meet have different lengths, 8 and 9 samples, "
            "at layer 1 (sum); the nearest lengths that can: 8 and 10"
        )

    def test_an_output_padding_that_asks_for_even_lengths(self):
        found = upsim.lengths(u_net(3, 1, 1), 3601)
        assert (found.accepted, found.below, found.above) == (False, 3600, 3602)

    def test_segan_takes_multiples_of_2048(self):
        found = upsim.lengths(segan(), 20000)
        # One sample more than a multiple is dropped by the first convolution's floor.
        assert (found.accepted, found.below, found.above) == (False, 18433, 20480)
        assert upsim.lengths(segan(), 20480).output_length == 20480

    def test_the_branch_alone_and_the_stack_refuse_it_too(self):
        stack = u_net(4, 1, 0)
        with pytest.raises(ShapeError, match="different lengths"):
            stack.output_length(9)
        with pytest.raises(ShapeError, match="different lengths"):
            stack[0].output_length(9)
        assert stack[0].output_length(10) == 10

    @pytest.mark.parametrize(("mode", "shortest"), [("reflect", 4), ("circular", 3)])
    def test_padding_that_reaches_further_than_the_input(self, mode, shortest):
        layer = upsim.Conv(1, 1, 7, padding=3, padding_mode=mode)
        wrapped = [layer, upsim.WeightNorm(layer)]
        wrapped += [upsim.SubpixelConv(1, 1, 7, 2, padding=3, padding_mode=mode)]
        for each in wrapped:
            stack = upsim.Stack([each], 16000)
            found = upsim.lengths(stack, shortest - 1)
            assert (found.accepted, found.above) == (False, shortest)
            with pytest.raises(ShapeError, match="padding or crop reaches further"):
                stack.output_length(shortest - 1)
            assert stack.output_length(shortest) == shortest * stack.rate

    def test_an_input_that_leaves_no_sample(self):
        found = upsim.lengths(upsim.Stack([upsim.Conv(1, 1, 7)], 16000), 3)
        assert (found.accepted, found.below, found.above) == (False, None, 7)


class TestWhichLayerLosesSamples:
    def test_a_codec_whose_padding_is_rounded_up(self):
        layers = [upsim.Conv(1, 1, 7, padding=3)]
        layers += [upsim.TransposedConv(1, 1, 2 * s, s, -(-s // 2)) for s in (2, 5, 4, 2)]
        found = upsim.lengths(upsim.Stack(layers, 24000), 6000)
        assert [node.length_out for node in found.nodes] == [6000, 12000, 59999, 239996, 479992]
        (lost,) = found.losses
        assert (lost.name, lost.loss, lost.loss_at_output) == ("3", 1, 8)
        assert "layer 3 (TransposedConv): 12000 to 59999, loses 1 of its own, 8 at" in str(found)

    def test_a_loss_at_a_lower_rate_is_a_fraction_at_none(self):
        stack = upsim.Stack([upsim.Conv(1, 1, 3, 2), upsim.Crop(-1, 0)], 8000)
        first, second = upsim.lengths(stack, 9).nodes
        assert (first.loss, second.loss) == (Fraction(1, 2), -1)


def test_zeros_behind_a_crop_do_not_make_up_for_what_it_cuts():
    """torch refuses to cut two samples of one, whatever is added at the other end."""
    stack = upsim.Stack([upsim.Crop(2, -2)], 8000)
    for length, made in ((1, None), (2, [0, 0]), (3, [1, 0, 0])):
        assert upsim.lengths(stack, length).accepted == (made is not None)
        if made is None:
            with pytest.raises(UpsimError, match="no sample is left"):
                neural.run(stack, np.ones((1, length)))
        else:
            assert neural.run(stack, np.ones((1, length))).tolist() == [made]


@settings(max_examples=60)
@given(data=st.data())
def test_what_is_accepted_is_what_the_witness_runs(data):
    stack = data.draw(stacks(linear=False)).draw(0)
    lengths = np.arange(1, 24)
    fits = accepts(stack, lengths)
    for length, fit in zip(lengths.tolist(), fits.tolist(), strict=True):
        try:
            made = neural.run(stack, np.ones((stack.in_channels, length))).shape[-1]
        except UpsimError:
            made = None
        assert fit == (made is not None and made > 0), (stack, length)
        found = upsim.lengths(stack, length)
        assert found.output_length == made
        if made is not None:
            at_output = sum(node.loss_at_output for node in found.nodes)
            if all(not isinstance(layer, upsim.layers.Branch) for layer in stack):
                assert at_output == found.expected_length - made
