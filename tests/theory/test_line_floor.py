"""Lines down to the rounding of doubles are listed, and rounding itself is not."""

import numpy as np
import pytest

import upsim

#: The spacing of doubles at 1: a line of this size cannot be less than rounding.
EPS = np.finfo(np.float64).eps


@pytest.mark.parametrize("quiet", [2.0**22 * EPS, 2.0**12 * EPS, 2.0**8 * EPS])
def test_a_line_just_above_rounding_is_listed_at_its_exact_level(quiet):
    weight = np.array([[[1.0 + quiet, 1.0 - quiet]]])
    stack = upsim.Stack([upsim.TransposedConv(1, 1, 2, 2, bias=False, weight=weight)], 16000)
    offset, tone = upsim.predict(stack, upsim.Constant(1.0)).tones
    # All numbers here are exact in double precision.
    assert (offset.fraction, offset.amplitude[0]) == (0, 1)
    assert tone.amplitude[0] == quiet
    (share,) = tone.contributions
    assert (share.cause, share.amplitude[0]) == ("input offset", quiet)


@pytest.mark.parametrize("layers", [1, 4, 12])
def test_a_quiet_line_passes_through_layers_that_do_not_round(layers):
    quiet = 2.0**12 * EPS
    weight = np.array([[[1.0 + quiet, 1.0 - quiet]]])
    wires = [upsim.Conv(1, 1, 1, bias=False, weight=[[[-1.0]]]) for _ in range(layers)]
    up = upsim.TransposedConv(1, 1, 2, 2, bias=False, weight=weight)
    _, tone = upsim.predict(upsim.Stack([up, *wires], 16000), upsim.Constant(1.0)).tones
    assert tone.amplitude[0] == quiet * (-1) ** layers


@pytest.mark.parametrize("seed", range(8))
def test_rounding_is_no_line(seed):
    # Equal taps in both phases, added up in another order: equal but for rounding.
    rng = np.random.default_rng(seed)
    taps = rng.standard_normal(50)
    weight = np.stack([taps, rng.permutation(taps)], axis=1).reshape(1, 1, 100)
    stack = upsim.Stack([upsim.TransposedConv(1, 1, 100, 2, bias=False, weight=weight)], 16000)
    (offset,) = upsim.predict(stack, upsim.Constant(0.7)).tones
    assert offset.fraction == 0
