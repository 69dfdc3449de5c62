"""Exact transfer functions of layers and stacks, against closed forms and the numeric operators."""

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

from upsim.errors import (
    ArgumentError,
    ArgumentTypeError,
    NotPredictableError,
    ShapeError,
    TooLargeError,
)
from upsim.layers import (
    Bias,
    Conv,
    Crop,
    Cubic,
    Decimate,
    HaarSynthesis,
    Hold,
    LazyWaveletSynthesis,
    LearnedInterpolation,
    Linear,
    Nearest,
    Parallel,
    PeriodicShuffle,
    ReLU,
    Residual,
    Stretch,
    SubpixelConv,
    TransposedConv,
    WindowedSinc,
)
from upsim.network.stack import Stack
from upsim.operators.kernels import half_pixel
from upsim.theory.symbolic import hold_magnitude, omega, symbolic, z
from upsim.theory.symbolic.roots import is_zero
from upsim.theory.symbolic.transfer import merge
from upsim.words.tolerance import rounding


def decibels(expression):
    return round(float(expression), 2)


def convolution(*sizes, seed=0, kind=Conv, **more):
    layer = kind(*sizes, bias=False, **more)
    return layer.draw(np.random.default_rng(seed))


# Closed forms.


@pytest.mark.parametrize("factor", range(1, 9))
def test_nearest_is_a_box(factor):
    s = symbolic(Nearest(factor))
    assert sp.expand(s.H - sum(z**-i for i in range(factor))) == 0
    assert s.phase_gains == (1,) * factor
    assert s.tones == (1,) + (0,) * (factor - 1)
    assert s.nulls == dict.fromkeys(range(1, factor), 1)
    assert s.condition == ()


@pytest.mark.parametrize("factor", range(2, 9))
def test_the_triangle_is_the_box_squared(factor):
    s = symbolic(Linear(factor, "triangle"))
    box = symbolic(Nearest(factor)).H
    assert sp.expand(s.H - z ** (factor - 1) * box**2 / factor) == 0
    assert s.nulls == dict.fromkeys(range(1, factor), 2)
    assert s.magnitude() == factor * hold_magnitude(factor, 2)


@pytest.mark.parametrize("factor", range(2, 9))
def test_textbook_linear_white_noise_powers(factor):
    # Phase i: (1 - i/L)^2 + (i/L)^2, mean (2 L^2 + 1) / (3 L^2).
    s = symbolic(Linear(factor, "triangle"))
    expected = [Fraction(factor - i, factor) ** 2 + Fraction(i, factor) ** 2 for i in range(factor)]
    assert list(s.phase_powers) == [sp.Rational(value) for value in expected]
    mean = sum(s.phase_powers) / factor
    assert mean == sp.Rational(2 * factor**2 + 1, 3 * factor**2)


@pytest.mark.parametrize(("factor", "expected"), [(2, -3.01), (4, -3.70), (8, -3.87)])
def test_droops(factor, expected):
    nearest = symbolic(Nearest(factor))
    triangle = symbolic(Linear(factor, "triangle"))
    assert decibels(nearest.droop_db) == expected
    # In decibels exactly twice: the amplitude ratio exactly squared.
    assert sp.simplify(triangle.droop - nearest.droop**2) == 0
    assert decibels(triangle.droop_db - 2 * nearest.droop_db) == 0
    assert sp.simplify(nearest.droop - hold_magnitude(factor, frequency=sp.pi / factor)) == 0


def test_droop_has_the_limit_two_over_pi():
    L = sp.Symbol("L", positive=True)
    limit = sp.limit(hold_magnitude(L, frequency=sp.pi / L), L, sp.oo)
    assert limit == 2 / sp.pi
    assert decibels(20 * sp.log(limit) / sp.log(10)) == -3.92


def test_half_pixel_linear_by_two_has_a_triple_zero():
    s = symbolic(Linear(2))
    taps = (1, 3, 3, 1)
    assert sp.expand(s.H - sum(sp.Rational(t, 4) * z ** (1 - n) for n, t in enumerate(taps))) == 0
    assert s.nulls == {1: 3}
    assert s.droop == sp.sqrt(2) / 4
    assert decibels(s.droop_db) == -9.03
    assert decibels(symbolic(Linear(2, "triangle")).droop_db) == -6.02
    assert sp.expand(s.factored - z * (1 + 1 / z) ** 3 / 4) == 0


@pytest.mark.parametrize("factor", range(2, 10))
def test_the_linear_conventions_agree_for_odd_factors_up_to_a_shift(factor):
    ratio = sp.cancel(symbolic(Linear(factor)).H / symbolic(Linear(factor, "triangle")).H)
    if factor % 2:
        assert sp.cancel(ratio - z ** -((factor - 1) // 2)) == 0
    else:
        # Half a sample between the grids: another box of two, averaged.
        assert sp.cancel(ratio - z ** (1 - factor // 2) * (1 + 1 / z) / 2) == 0


@pytest.mark.parametrize("a", [-0.75, -0.5])
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_cubic_is_exact_and_passes_a_constant(factor, a):
    s = symbolic(Cubic(factor, a))
    assert s.phase_gains == (1,) * factor
    taps, begin = half_pixel(factor, "cubic", Fraction(a))
    expected = sum(sp.Rational(tap) * z ** (begin - n) for n, tap in enumerate(taps))
    assert sp.expand(s.H - expected) == 0


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("factor", [2, 3, 4, 5])
def test_a_hold_after_a_stretch_smooths_it(factor, order):
    s = symbolic(Stack([Stretch(factor), Hold(factor, order)], 16000))
    assert s.nulls == dict.fromkeys(range(1, factor), order)
    # The hold has gain 1 and the stretch shares a constant among L phases.
    assert s.tones == (sp.Rational(1, factor),) + (0,) * (factor - 1)


@pytest.mark.parametrize(
    ("kernel_size", "factor", "k", "expected"),
    [
        (3, 2, 1, -9.54),
        (25, 4, 1, -27.96),
        (16, 5, 1, -24.08),
        (8, 6, 1, -13.29),
        (8, 6, 2, -18.06),
    ],
)
def test_overlap_of_ones_in_decibels(kernel_size, factor, k, expected):
    s = symbolic(TransposedConv(1, 1, kernel_size, factor, weight="ones"))
    assert decibels(s.tone_db(k)) == expected


def test_eight_ones_at_stride_six_have_an_exact_zero_though_the_overlap_is_partial():
    s = symbolic(TransposedConv(1, 1, 8, 6, weight="ones"))
    assert s.tones[3] == 0
    assert s.tone_db(3) == -sp.oo
    assert s.nulls == {1: 0, 2: 0, 3: 1, 4: 0, 5: 0}
    assert s.condition == (sp.false,)


# Symbolic taps.


def test_symbolic_taps_of_a_transposed_convolution():
    s = symbolic(TransposedConv(1, 1, 3, 2), taps="h")
    h = sp.symbols("h_:3", real=True)
    assert s.symbols == h
    assert s.phase_gains == (h[0] + h[2], h[1])
    assert s.phase_powers == (h[0] ** 2 + h[2] ** 2, h[1] ** 2)
    assert sp.expand(2 * s.tones[1] - (h[0] - h[1] + h[2])) == 0
    assert s.condition == (sp.Eq(h[0] + h[2], h[1]),)
    # Solving the condition silences the line, and nothing less does.
    assert s.tones[1].subs(h[1], h[0] + h[2]) == 0
    assert s.nulls == {1: 0}


def test_taps_given_as_expressions_or_numbers():
    a, b = sp.symbols("a b", real=True)
    s = symbolic(TransposedConv(1, 1, 4, 2), taps=[a, b, b, a])
    assert s.condition == ()
    assert s.nulls == {1: 1}
    mixed = symbolic(TransposedConv(1, 1, 2, 2), taps=[0.1, sp.Float(0.25) * a])
    assert mixed.phase_gains == (sp.Rational(0.1), a / 4)


def test_crops_move_the_phases():
    s = symbolic(TransposedConv(1, 1, 4, 3, 1), taps="h")
    h = sp.symbols("h_:4", real=True)
    assert s.phase_gains == (h[1], h[2], h[0] + h[3])


def test_symbols_are_named_by_the_weight_in_torchs_layout():
    conv = symbolic(Conv(1, 1, 3, padding=1), taps="w")
    w = sp.symbols("w_:3", real=True)
    # Frameworks correlate: the last tap of the weight looks ahead.
    assert sp.expand(conv.H - (w[0] / z + w[1] + w[2] * z)) == 0
    many = symbolic(Conv(2, 1, 2), taps="w")
    assert [str(symbol) for symbol in many.symbols] == ["w_{0,0}", "w_{0,1}", "w_{1,0}", "w_{1,1}"]
    two = symbolic(Stack([Conv(1, 1, 2), TransposedConv(1, 1, 2, 2)], 8), taps="h")
    assert {str(symbol) for symbol in two.symbols} == {
        "h^{(1)}_{0}",
        "h^{(1)}_{1}",
        "h^{(2)}_{0}",
        "h^{(2)}_{1}",
    }


def test_subpixel_icnr_condition():
    s = symbolic(SubpixelConv(1, 1, 2, 2), taps="w")
    w = {str(symbol): symbol for symbol in s.symbols}
    first, second = (w[f"w_{{{i},0}}"] + w[f"w_{{{i},1}}"] for i in (0, 1))
    assert s.condition == (sp.Eq(first, second),)
    equal = symbolic(SubpixelConv(1, 1, 2, 2), taps=[*sp.symbols("p q")] * 2)
    assert equal.condition == ()


def test_learned_interpolation_passes_a_constant_whatever_it_learned():
    for s in (
        symbolic(LearnedInterpolation(1), taps="s"),
        symbolic(LearnedInterpolation(1, weight=[0.3])),
    ):
        assert s.phase_gains == (1, 1)
        assert s.tones == (1, 0)
    middle = symbolic(LearnedInterpolation(1, weight=[0.0]))
    assert sp.expand(middle.H - (z / 2 + 1 + 1 / (2 * z))) == 0


# Several channels, wavelets, blocks.


def test_haar_is_exact():
    haar = symbolic(HaarSynthesis())
    half = sp.sqrt(2) / 2
    assert sp.expand(haar.channel(0, 0).H - half * (1 + 1 / z)) == 0
    assert sp.expand(haar.channel(0, 1).H - half * (1 - 1 / z)) == 0
    # Orthogonal: its polyphase matrix times its transpose is the identity.
    gains = sp.Matrix([list(gain) for gain in haar.phase_gains])
    assert gains * gains.T == sp.eye(2)


def test_zeros_are_found_where_irrational_taps_meet_roots_of_unity():
    # 1 - sqrt(2) z^-1 + z^-2 is zero at 1/8 and 7/8 of a cycle and not at 3/8: over the
    # rationals all four eighths would stand or fall together.
    s = symbolic(TransposedConv(1, 1, 3, 8), taps=[1, -sp.sqrt(2), 1])
    assert s.nulls == {1: 1, 2: 0, 3: 0, 4: 0, 5: 0, 6: 0, 7: 1}
    assert s.tones[1] == 0
    assert s.tones[3] != 0


def test_the_lazy_wavelet_is_a_shuffle():
    assert symbolic(LazyWaveletSynthesis()).H == symbolic(PeriodicShuffle(2)).H
    assert sp.Matrix([[1, 1 / z]]) == symbolic(PeriodicShuffle(2)).H


def test_a_strided_convolution_is_a_polyphase_matrix():
    s = symbolic(Conv(1, 1, 4, 2), taps="h")
    h = sp.symbols("h_:4", real=True)
    assert sp.expand(s.H - sp.Matrix([[h[0] + h[2] * z, h[1] + h[3] * z]])) == sp.zeros(1, 2)
    assert s.phase_gains == (sum(h),)


def test_decimating_what_was_stretched_is_a_stretch_again():
    s = symbolic(Stack([Nearest(4), Decimate(2)], 16000))
    assert s.H == symbolic(Nearest(2)).H
    whole = symbolic(Stack([Nearest(3), Decimate(3, 1)], 16000))
    assert whole.H == 1
    assert whole.factor == 1


def test_branches():
    inner = Residual(Conv(1, 1, 3, padding=1, bias=False, weight=[[[1.0, 2.0, 3.0]]]))
    assert sp.expand(symbolic(inner).H - (1 / z + 3 + 3 * z)) == 0
    mean = symbolic(Parallel(Nearest(2), Linear(2), merge="mean"))
    expected = (symbolic(Nearest(2)).H + symbolic(Linear(2)).H) / 2
    assert sp.expand(mean.H - expected) == 0
    both = symbolic(Parallel(Nearest(2), Stretch(2), merge="concatenate"))
    assert sp.Matrix([1 + 1 / z, 1]) == both.H


def test_phases_taken_apart_and_shuffled_together_are_a_wire():
    even, odd = (Conv(1, 1, 2, 2, bias=False, weight=[[w]]) for w in ([1.0, 0.0], [0.0, 1.0]))
    apart = Parallel(even, odd, merge="concatenate")
    assert symbolic(apart).transfer.down == 2
    s = symbolic(Stack([apart, PeriodicShuffle(2)], 8))
    assert sp.eye(2) == s.H
    # A wire beside it is blocked to the common period before the two are added.
    doubled = merge([symbolic(Crop()).transfer, s.transfer], "sum")
    assert 2 * sp.eye(2) == doubled.response.expression()
    with pytest.raises(ShapeError, match="different rates"):
        merge([symbolic(Crop()).transfer, symbolic(Nearest(2)).transfer], "sum")


# Folding and numbers.

STACKS = {
    "linear three times": [Linear(2), Linear(2), Linear(2)],
    "mixed": [Nearest(3), Linear(2, "triangle"), Cubic(2), Hold(2, 2)],
    "transposed": [
        convolution(1, 1, 4, 2, kind=TransposedConv, padding=1),
        convolution(1, 1, 5, padding=2, dilation=2, seed=1),
        convolution(1, 1, 7, 3, kind=TransposedConv, seed=2),
        Crop(3, 1),
        Bias(0.5),
    ],
    "channels": [
        convolution(2, 4, 3, padding=1),
        PeriodicShuffle(2),
        convolution(2, 2, 3, 2, kind=TransposedConv, groups=2, seed=3),
    ],
    "subpixel": [convolution(1, 2, 3, seed=4), convolution(2, 1, 3, 3, kind=SubpixelConv, seed=5)],
    "tensorflow": [convolution(2, 2, 2, 2, kind=SubpixelConv, order="tensorflow", seed=6)],
    "learned": [LearnedInterpolation(1, weight=[0.7]), WindowedSinc(2, zeros=3)],
    "haar": [HaarSynthesis(), HaarSynthesis()],
}


def numeric(layers, channels):
    operator = layers[0].operator(channels)
    for layer in layers[1:]:
        operator = operator.then(layer.operator(operator.out_channels))
    return operator


@pytest.mark.parametrize("name", STACKS)
def test_folded_by_the_noble_identities_and_equal_to_the_numeric_fold(name):
    layers = STACKS[name]
    stack = Stack(layers, 16000)
    s = symbolic(stack)
    # H(z) = ... H_2(z^(L_3 ... L_N)) H_1(z^(L_2 ... L_N)), from each layer by itself.
    channels, expected = stack.channel_counts(), sp.eye(stack.in_channels)
    for number, layer in enumerate(layers):
        alone = symbolic(Stack([layer], 1, in_channels=channels[number]))
        later = int(np.prod([int(each.rate) for each in layers[number + 1 :]]))
        expected = sp.Matrix([[alone.H]]).subs(z, z**later) * expected
    assert all(map(is_zero, sp.Matrix([[s.H]]) - expected))

    operator = numeric(layers, stack.in_channels).stretch_fir()
    assert operator.factor == s.factor
    frequencies = np.random.default_rng(1).random(7)
    found = sp.lambdify(z, sp.Matrix([[s.H]]), "numpy")
    exact = np.stack([found(np.exp(2j * np.pi * f)) for f in frequencies])
    # One float operation a product and layer in the fold, a turned exponential a tap.
    taps = operator.dense_taps()
    scale = np.prod(
        [
            float(np.abs(each.operator(c).dense_taps()).sum())
            for each, c in zip(layers, channels[:-1], strict=True)
        ]
    )
    operations = 8 * taps[0, 0].size * (len(layers) + stack.in_channels)
    bound = rounding(operations, float(scale) * (1 + np.abs(operator.positions).max()))
    assert np.abs(exact - operator.response(frequencies)).max() <= bound
    gains = np.stack(
        [
            np.array(sp.Matrix([g]).tolist(), dtype=float).reshape(exact.shape[1:])
            for g in s.phase_gains
        ],
        axis=2,
    )
    assert np.abs(gains - operator.phase_gains()).max() <= bound


@pytest.mark.parametrize(
    "layer",
    [
        Nearest(5),
        Linear(4),
        Linear(3, "triangle"),
        Cubic(3),
        Hold(3, 4),
        WindowedSinc(2, zeros=4),
        convolution(1, 1, 6, 4, kind=TransposedConv),
        convolution(1, 1, 5),
    ],
    ids=repr,
)
def test_magnitude_at_random_frequencies(layer):
    s = symbolic(layer)
    operator = layer.operator(1)
    frequencies = np.random.default_rng(2).uniform(0.05, 0.45, 20)
    found = sp.lambdify(omega, s.magnitude(), "numpy")(2 * np.pi * frequencies)
    taps = operator.dense_taps()[0, 0]
    # Sines below the line are at least sin(0.05 pi) there; a product of K of them at most.
    loss = float(np.sin(0.05 * np.pi)) ** -4
    bound = rounding(16 * taps.size, float(np.abs(taps).sum()) * taps.size * loss)
    assert np.abs(found - np.abs(operator.response(frequencies)[:, 0, 0])).max() <= bound


def test_magnitude_at_an_exact_frequency_where_sines_cancel():
    # At w = 0 the closed form of ones(4) is 0/0; the value is 4.
    assert symbolic(Nearest(4)).magnitude(0) == 4
    assert symbolic(Nearest(4)).magnitude(sp.pi / 2) == 0
    assert symbolic(Nearest(4)).magnitude() == sp.Abs(sp.sin(2 * omega)) / sp.Abs(sp.sin(omega / 2))


@pytest.mark.parametrize(
    ("layers", "up", "down"),
    [
        ([convolution(1, 2, 4, 2), convolution(2, 1, 6, 3, kind=TransposedConv, seed=1)], 3, 2),
        # Blocked to a common period before they are multiplied, with delays in both.
        ([convolution(1, 2, 7, 3, kind=TransposedConv), convolution(2, 1, 5, 2, seed=1)], 3, 2),
        (
            [
                convolution(1, 1, 5, 4),
                convolution(1, 2, 7, 3, 1, kind=TransposedConv, seed=1),
                convolution(2, 1, 4, 2, seed=2),
            ],
            3,
            8,
        ),
    ],
    ids=["down then up", "up then down", "down, up, down"],
)
def test_decimating_stacks_against_the_numeric_polyphase_matrix(layers, up, down):
    s = symbolic(Stack(layers, 16000))
    matrix = numeric(layers, 1).polyphase()
    assert (s.transfer.up, s.transfer.down) == (matrix.up, matrix.down) == (up, down)
    expected = sp.zeros(up, down)
    for j, block in enumerate(matrix.blocks):
        expected += sp.Matrix(block.reshape(up, down)) * z ** -(matrix.first + j)
    difference = sp.lambdify(z, sp.Matrix(s.H) - expected, "numpy")(np.exp(0.7j))
    scale = float(np.prod([np.abs(layer.weight).sum() for layer in layers]))
    assert np.abs(difference).max() <= rounding(64 * len(layers), scale)
    gains = np.array([float(gain) for gain in s.phase_gains])
    assert np.abs(gains - matrix.phase_gains()[0, 0]).max() <= rounding(64 * len(layers), scale)


# LaTeX.


def test_latex_of_linear():
    text = symbolic(Linear(2)).latex()
    assert text.startswith("\\begin{aligned}\nH(z) &= \\frac{1}{4} z + \\frac{3}{4}")
    assert "\\frac{1}{4} z^{-2}" in text
    assert "g_{0} = g_{1} &= 1" in text
    assert "a_{1} &= 0" in text
    assert "&= 3, \\quad k = 1" in text
    assert "\\frac{\\sqrt{2}}{4} \\approx -9.03\\ \\mathrm{dB}" in text
    assert text.endswith("\\end{aligned}")


@pytest.mark.parametrize(
    "subject",
    [
        Stretch(3),
        Hold(4),
        HaarSynthesis(),
        Conv(1, 1, 3, 2),
        Conv(2, 1, 3),
        SubpixelConv(1, 1, 2, 3),
        Stack([Nearest(2), Conv(1, 1, 3)], 8),
    ],
    ids=repr,
)
def test_latex_is_balanced(subject):
    weighted = (
        any(layer.parameters(2) for layer in Stack([subject], 1))
        if not isinstance(subject, Stack)
        else True
    )
    text = symbolic(subject, taps="h" if weighted else None).latex()
    assert text.count("{") == text.count("}")
    assert text.count("\\left") == text.count("\\right")
    assert text.count("\\begin") == text.count("\\end")
    assert symbolic(subject, taps="h" if weighted else None)._repr_latex_().startswith("$")


def test_latex_states_the_condition():
    text = symbolic(TransposedConv(1, 1, 3, 2), taps="h").latex()
    assert r"a_k = 0\ (k \ne 0) &\iff h_{0} + h_{2} = h_{1}" in text


# Refusals.


def test_an_activation_is_refused_with_its_place_and_a_way_out():
    stack = Stack([Nearest(2), ReLU()], 16000)
    with pytest.raises(NotPredictableError, match="not linear") as caught:
        symbolic(stack)
    assert "layer 2" in str(caught.value)
    assert "upsim.predict(stack, upsim.Constant(1.0))" in caught.value.fix
    with pytest.raises(NotPredictableError, match="not linear"):
        symbolic(ReLU())
    with pytest.raises(NotPredictableError, match=r"layer 1\.1\.1"):
        symbolic(Stack([Residual(ReLU())], 8))


def test_undrawn_weights_are_refused_with_both_ways_out():
    with pytest.raises(NotPredictableError, match="not drawn yet") as caught:
        symbolic(TransposedConv(1, 1, 4, 2))
    assert 'taps="h"' in caught.value.fix
    assert "draw(seed=0)" in caught.value.fix
    assert symbolic(TransposedConv(1, 1, 4, 2, weight="ones")).phase_gains == (2, 2)
    with pytest.raises(NotPredictableError, match="not drawn yet"):
        symbolic(LearnedInterpolation(2))


def test_what_a_decimating_map_has_not_is_refused():
    s = symbolic(Conv(1, 1, 4, 2), taps="h")
    with pytest.raises(NotPredictableError, match="decimates"):
        s.magnitude()
    with pytest.raises(NotPredictableError, match="decimates"):
        _ = s.droop
    with pytest.raises(NotPredictableError, match="every 2 input samples"):
        s.multiplicity(Fraction(1, 2))


def test_a_magnitude_of_many_channels_is_refused_and_a_pair_is_not():
    s = symbolic(HaarSynthesis())
    with pytest.raises(NotPredictableError, match="one pair") as caught:
        s.magnitude()
    assert caught.value.fix == "s.channel(0, 0)"
    assert decibels(s.channel(0, 0).droop_db) == -3.01
    with pytest.raises(NotPredictableError, match="0 Hz"):
        _ = s.channel(0, 1).droop
    with pytest.raises(ArgumentError, match="no such pair"):
        s.channel(1, 0)


@pytest.mark.parametrize(
    ("subject", "taps", "error", "message"),
    [
        (Linear, None, ArgumentTypeError, "a layer or a stack"),
        (Nearest(2), "h", ArgumentError, "no layer here has any"),
        (Conv(1, 1, 3), "2h", ArgumentError, "not a name"),
        (Conv(1, 1, 3), 5, ArgumentTypeError, "must be a name"),
        (Conv(1, 1, 3), ["a", "b", "c"], ArgumentTypeError, "SymPy expressions or numbers"),
        (Conv(1, 1, 3), [1, 2], ShapeError, "do not match"),
        (Conv(1, 1, 3), {2: "h"}, ArgumentError, "without weights"),
        (Stack([Conv(1, 1, 2), Conv(1, 1, 2)], 8), [1, 2], ArgumentError, "which is whose"),
        (Conv(512, 512, 3), "h", TooLargeError, "too long to read"),
        (Nearest(10**6), None, TooLargeError, "too long to read"),
        (TransposedConv(1, 1, 3, 10**6), "h", TooLargeError, "too long to read"),
        (Stack([Nearest(64)] * 3, 8), None, TooLargeError, "layer 3"),
    ],
)
def test_bad_input_says_what_is_wrong(subject, taps, error, message):
    with pytest.raises(error, match=message):
        symbolic(subject, taps=taps)


def test_taps_of_several_layers_by_number():
    a = sp.symbols("a_:2", real=True)
    stack = Stack([Conv(1, 1, 2), Nearest(2), Conv(1, 1, 1)], 8)
    s = symbolic(stack, taps={1: "a", 3: [2]})
    assert s.symbols == a
    assert s.phase_gains == (2 * a[0] + 2 * a[1],) * 2


def test_taps_of_layers_inside_branches():
    inside = Residual(Conv(1, 1, 3, padding=1))
    w = sp.symbols("w_:3", real=True)
    assert sp.expand(symbolic(inside, taps="w").H - (w[0] / z + w[1] + 1 + w[2] * z)) == 0
    stack = Stack([inside, Conv(1, 1, 1)], 8)
    s = symbolic(stack, taps={"1.1.1": "w", 2: [2]})
    assert sp.expand(s.H - 2 * symbolic(inside, taps="w").H) == 0
    with pytest.raises(NotPredictableError, match=r"layer 1\.1\.1"):
        symbolic(stack, taps={2: "h"})


def test_float_weights_are_the_rationals_that_they_are():
    s = symbolic(TransposedConv(1, 1, 2, 2, bias=False, weight=[[[0.1, 0.75]]]))
    assert s.phase_gains == (sp.Rational(0.1), sp.Rational(3, 4))
    assert s.phase_gains[0] != sp.Rational(1, 10)


def test_repr_names_the_layer():
    assert repr(symbolic(Nearest(2))) == "<Symbolic Nearest(2): L = 2, H(z) = 1 + 1/z>"
