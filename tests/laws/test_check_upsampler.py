"""The door for anybody's layer."""

from dataclasses import dataclass

import numpy as np
import pytest

import upsim
from upsim.errors import ArgumentTypeError
from upsim.layers.base import LinearLayer
from upsim.operators import LengthRule, StretchFIR
from upsim.testing import check_upsampler, laws_for, parametrize_with_laws


@dataclass(frozen=True, eq=False, repr=False)
class Echo(LinearLayer):
    """Somebody's upsampler: each sample, then half of it."""

    promised: int = 2

    def channels_out(self, channels):
        return channels

    def length_rule(self):
        return LengthRule(((self.promised, 1, 0),))

    def operator(self, channels):
        return StretchFIR(np.tile([1.0, 0.5], (channels, 1, 1)), 2, groups=channels)


def test_a_layer_of_ones_own_is_checked_by_the_laws_of_all():
    check_upsampler(Echo())
    check_upsampler(Echo(), channels=3)
    assert len(laws_for(Echo())) > 15


def test_the_report_lists_every_law_that_fails():
    with pytest.raises(AssertionError) as failure:
        check_upsampler(Echo(3))
    report = str(failure.value)
    assert report.startswith("Echo(promised=3) breaks 1 of ")
    assert "  length: 1 samples become (1, 2), promised are (1, 3)" in report
    assert "law: As many samples and channels leave as the layer says" in report


@dataclass(frozen=True, eq=False, repr=False)
class Raising(LinearLayer):
    def channels_out(self, channels):
        return channels

    def length_rule(self):
        return LengthRule()

    def operator(self, channels):
        raise RuntimeError(f"no operator for {channels}")


def test_a_layer_that_raises_is_reported_and_not_let_through():
    with pytest.raises(AssertionError, match=r"RuntimeError: no operator for 1"):
        check_upsampler(Raising())


def test_initialisations_are_drawn():
    check_upsampler(upsim.TransposedConv(2, 3, 7, stride=3, padding=2, output_padding=1))


@pytest.mark.parametrize("wrong", [upsim.Nearest, 3, "Nearest(2)"])
def test_what_is_not_a_layer_is_refused(wrong):
    with pytest.raises(ArgumentTypeError, match=r"^only layers .*\. given: "):
        check_upsampler(wrong)


def test_a_class_is_told_its_brackets():
    with pytest.raises(ArgumentTypeError, match=r"with brackets and arguments: Nearest\(\.{3}\)$"):
        check_upsampler(upsim.Nearest)


@parametrize_with_laws([upsim.Nearest(2), upsim.ReLU()])
def test_parametrize_gives_a_layer_and_a_law_that_speaks_of_it(layer, law):
    assert law.applies(layer)
    law(layer)
