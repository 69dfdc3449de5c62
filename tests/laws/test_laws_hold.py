"""Every law over every layer of the catalogue that it speaks of, and over random stacks."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import upsim
from upsim import neural
from upsim.errors import ShapeError
from upsim.layers import CATALOGUE, LinearLayer
from upsim.testing import LAWS, layers_with_channels, parametrize_with_laws, samples, stacks
from upsim.testing.laws import fold, operator_of, run_finite
from upsim.testing.laws.comparison import agree, margin, probe, tiled_alike
from upsim.testing.laws.forms import check_folding
from upsim.testing.laws.overlap import overlap_ratio
from upsim.testing.laws.witness import chain_margin
from upsim.testing.strategies.opaque import Leaky
from upsim.words.units import decibels


@pytest.mark.parametrize("name", LAWS)
def test_a_law_is_written_out(name):
    law = LAWS[name]
    assert law.name == name
    assert law.statement.endswith(".")
    assert law.formula
    assert law.source
    assert law.names(), "a law of no layer"


@pytest.mark.parametrize("name", LAWS)
def test_a_law_holds(name):
    law = LAWS[name]
    met = []

    @given(layers_with_channels(names=law.names()))
    def holds(pair):
        layer, channels = pair
        assume(law.applies(layer, channels))
        met.append(layer)
        law(layer, channels)

    holds()
    assert len(met) >= 5, f"{name} was asked of {len(met)} layers only: a law without subjects"


EXAMPLES = [
    upsim.Conv(2, 3, 4, stride=2, padding=1, padding_mode="reflect"),
    upsim.Conv(2, 2, 3, padding="same", dilation=2, groups=2),
    upsim.TransposedConv(2, 4, 5, stride=3, padding=1, output_padding=2, groups=2),
    upsim.TransposedConv(1, 1, 2, stride=5, dilation=3, weight="ones", bias=False),
    upsim.Stretch(3),
    upsim.Nearest(5),
    upsim.Linear(2),
    upsim.Linear(3, "triangle"),
    upsim.Cubic(4),
    upsim.WindowedSinc(2, zeros=6),
    upsim.Resample(3, 2, zeros=4),
    upsim.Resample(2, 3, "scipy"),
    upsim.Resample(5, 4, "torchaudio", resampling_method="sinc_interp_kaiser"),
    upsim.Resample(2, 1, "bigvgan"),
    upsim.LearnedInterpolation(3),
    upsim.SubpixelConv(2, 2, 3, 4, padding=1, order="tensorflow"),
    upsim.PeriodicShuffle(3, "tensorflow"),
    upsim.HaarSynthesis(),
    upsim.LazyWaveletSynthesis(),
    upsim.PQMF(3, 16),
    upsim.InverseSTFT(8, 2),
    upsim.InverseSTFT(6, 2, 4, "hamming", trim=1),
    upsim.Bias([0.5, -0.25]),
    upsim.Hold(4, order=3),
    upsim.Scale([0.5, -2.0], bias=0.25),
    upsim.Select([2, 0, 2]),
    upsim.Crop(2, -1),
    upsim.Pad(3, 1, "reflect"),
    upsim.Decimate(3, phase=2),
    upsim.Slice(4, -1, 3),
    upsim.Residual(upsim.Conv(2, 2, 3, padding=1), upsim.Nearest(2), skip=upsim.Linear(2)),
    upsim.Parallel(upsim.Nearest(2), (upsim.Stretch(2), upsim.Hold(2)), merge="concatenate"),
    upsim.ReLU(),
    upsim.LeakyReLU(0.1),
    upsim.PReLU(2),
    upsim.Clamp(-0.5, 1.5),
    upsim.Sin(2.0, [0.5, 1.0]),
    upsim.ELU(),
    upsim.GELU("tanh"),
    upsim.Tanh(),
    upsim.Sigmoid(),
    upsim.SiLU(),
    upsim.Softplus(),
    upsim.GLU(),
    upsim.Gate(upsim.Tanh(), upsim.Sigmoid()),
    upsim.Gate(),
    upsim.Softmax(),
    upsim.Pointwise(
        [("multiply", "x", [0.5, 2.0]), ("sin", "s0"), ("square", "s1"), ("add", "x", "s2")]
    ),
    upsim.Pointwise([("tanh", "x0"), ("add", "s0", "x1"), ("sin", "s1"), ("multiply", "s2", "x0")]),
    upsim.Snake([0.5, 2.0]),
    upsim.SnakeBeta(2.0, 0.5),
    upsim.BatchNorm(2, bias=[0.5, -0.25], running_mean=[1.0, 0.0], running_var=[2.0, 0.5]),
    upsim.GroupNorm(2, 4, weight=[1.0, 2.0, -1.0, 0.5], bias=[0.0, 1.0, 0.0, 2.0]),
    upsim.InstanceNorm(3),
    upsim.LayerNorm(16),
    upsim.Opaque("LSTM", 2, 2, Leaky(2, Fraction(2), 0.5), "it has a state"),
    upsim.WeightNorm(upsim.TransposedConv(2, 1, 4, stride=2, padding=1), gain=[1.0, -3.0]),
]


def test_the_examples_are_the_whole_catalogue():
    assert {type(layer).__name__ for layer in EXAMPLES} == set(CATALOGUE)


@parametrize_with_laws(EXAMPLES)
def test_an_example_obeys(layer, law):
    law(layer)


@given(stacks(linear=True, longest=3))
def test_a_linear_stack_folds_to_one_operator(stack):
    folded = fold(stack, stack.in_channels)
    signal = probe(stack.in_channels, 2 * folded.down)
    offset = np.zeros((stack.in_channels, 1))
    steps, channels = [], stack.in_channels
    output = signal
    for layer in stack:
        operator = operator_of(layer, channels)
        output = operator.periodic(output)
        period = operator.periodic(offset)
        offset = np.add(*tiled_alike(period, operator.offset_samples(operator.up)))
        steps.append(operator)
        channels = layer.channels_out(channels)
    within = margin(2 * np.abs(signal) + np.abs(offset).max(), *steps)
    agree(*tiled_alike(folded.periodic(signal), output), within=within, what="one period")
    agree(
        *tiled_alike(folded.offset_samples(folded.up * offset.shape[1]), offset),
        within=within,
        what="the offset",
    )
    assert stack.rate * folded.down == folded.up
    assert folded.out_channels == stack.out_channels


@given(stacks(linear=True, longest=2), st.data())
def test_the_package_folds_as_the_plain_chain_does(stack, data):
    plain, folded = fold(stack, stack.in_channels), upsim.fold(stack)
    signal = data.draw(samples(stack.in_channels, plain.down))
    steps, channels = [], stack.in_channels
    for layer in stack:
        steps.append(operator_of(layer, channels))
        channels = layer.channels_out(channels)
    within = margin(2 * np.abs(signal) + 1, *steps)
    agree(*tiled_alike(folded.periodic(signal), plain.periodic(signal)), within=within, what="fold")


LINEAR = [name for name, kind in CATALOGUE.items() if issubclass(kind, LinearLayer)]


@given(layers_with_channels(names=LINEAR), st.data())
def test_any_two_linear_layers_fold(pair, data):
    first = operator_of(*pair)
    following = layers_with_channels(names=LINEAR, channels=first.out_channels)
    check_folding(first, operator_of(*data.draw(following)), "two layers")


@given(stacks(linear=False, longest=3), st.integers(1, 40))
def test_a_stack_keeps_the_length_that_it_promises(stack, length):
    try:
        promised = stack.output_length(length)
        made = run_finite(stack, probe(stack.in_channels, length))
    except ShapeError:
        assume(False)
    assert made.shape == (stack.out_channels, promised)


# |a_k| / a_0 of an all-ones kernel in dB, by K, L, k, worked out by hand to two decimals.
LEVELS = {
    (3, 2, 1): -9.54,
    (25, 4, 1): -27.96,
    (16, 5, 1): -24.08,
    (8, 6, 1): -13.29,
    (8, 6, 2): -18.06,
}


@pytest.mark.parametrize(
    ("kernel_size", "factor", "k", "level"), [(*at, dB) for at, dB in LEVELS.items()]
)
def test_the_overlap_numbers_of_the_literature(kernel_size, factor, k, level):
    ratio = overlap_ratio(kernel_size, factor, k)
    assert round(float(decibels(ratio**2)), 2) == level


def test_a_partial_overlap_may_miss_a_line_exactly():
    layer = upsim.TransposedConv(1, 1, 8, 6, bias=False, weight=np.ones((1, 1, 8)))
    gains = layer.operator(1).phase_gains()[0, 0]
    assert gains.tolist() == [2, 2, 1, 1, 1, 1]
    # The line at k = 3 alternates: whole numbers, so the zero is exact.
    assert np.sum(gains * (-1) ** np.arange(6)) == 0 == overlap_ratio(8, 6, 3)


@settings(max_examples=15)
@given(st.integers(1, 12), st.integers(1, 8))
def test_ones_make_no_tone_exactly_when_the_factor_divides_the_kernel(kernel_size, factor):
    ratios = [overlap_ratio(kernel_size, factor, k) for k in range(1, factor)]
    assert any(ratios) == (kernel_size % factor != 0)


def test_channels_that_cancel_make_no_tone_although_each_alone_would():
    weight = np.array([[[1.0, 2.0]], [[1.0, 2.0]]])
    layer = upsim.TransposedConv(2, 1, 2, 2, bias=False, weight=weight)
    LAWS["offset_tones"](layer)
    operator = layer.operator(2)
    assert operator.periodic(np.array([[1.0], [-1.0]])).tolist() == [[0.0, 0.0]]
    assert operator.periodic(np.array([[1.0], [1.0]])).tolist() == [[2.0, 4.0]]


def test_half_pixel_doubling_has_a_triple_zero_and_no_more():
    from upsim.testing.laws.tones import multiplicity

    operator = upsim.Linear(2).operator(1)
    assert multiplicity(operator, 0, 0, 9) == 3
    assert multiplicity(upsim.Linear(4).operator(1), 0, 0, 9) == 2


@given(stacks(linear=True, longest=3), st.data())
def test_a_linear_stack_is_performed_as_it_is_foretold(stack, data):
    length = data.draw(st.integers(1, 30))
    signal = data.draw(samples(stack.in_channels, length))
    try:
        foretold = run_finite(stack, signal)
    except ShapeError:
        assume(False)
    within = chain_margin(stack, stack.in_channels, signal)
    agree(neural.run(stack, signal), foretold, within=within, what="performed and foretold")
