"""Cases small enough to work out by hand; whole numbers, so equality is exact."""

from fractions import Fraction

import numpy as np
import pytest

from upsim.layers import (
    ELU,
    GELU,
    GLU,
    Bias,
    Conv,
    Crop,
    Cubic,
    Decimate,
    HaarSynthesis,
    Hold,
    LazyWaveletSynthesis,
    LeakyReLU,
    LearnedInterpolation,
    Linear,
    Nearest,
    Parallel,
    PeriodicShuffle,
    PReLU,
    ReLU,
    Residual,
    Sigmoid,
    SiLU,
    Slice,
    Snake,
    SnakeBeta,
    Softplus,
    Stretch,
    SubpixelConv,
    Tanh,
    TransposedConv,
    WindowedSinc,
)
from upsim.neural import run

from .bounds import bound_of


def transposed(weight, stride, **options):
    return TransposedConv(1, 1, len(weight), stride, bias=False, weight=[[weight]], **options)


def conv(weight, **options):
    return Conv(1, 1, len(weight), bias=False, weight=[[weight]], **options)


ONES = [1, 1, 1, 1]

EXACT = [
    # Seed 002, figure 2: length = stride, so the kernel itself repeats.
    (transposed([3, 1, 2], 3), [ONES], [[3, 1, 2] * 4]),
    # Figure 3: length 3, stride 2: neighbours overlap in every second sample.
    (transposed([1, 1, 1], 2), [[1, 1, 1]], [[1, 1, 2, 1, 2, 1, 1]]),
    # Figure 4: length 3, stride 1: full overlap, save for the two samples at each end.
    (transposed([1, 1, 1], 1), [[1, 1, 1, 1, 1]], [[1, 2, 3, 3, 3, 2, 1]]),
    # Stride > length: samples in between stay undefined, that is zero.
    (transposed([2, 1], 3), [[1, 10]], [[2, 1, 0, 20, 10]]),
    (transposed([1, 2, 4], 2, padding=1), [[1, 10]], [[2, 14, 20]]),
    (transposed([1, 2, 4], 2, padding=1, output_padding=1), [[1, 10]], [[2, 14, 20, 40]]),
    (transposed([1, 2], 2, output_padding=1), [[1, 10]], [[1, 2, 10, 20, 0]]),
    (transposed([1, 2, 4], 1, dilation=2), [[1, 10]], [[1, 10, 2, 20, 4, 40]]),
    # The weight of a transposed convolution is (in, out / groups, K).
    (
        TransposedConv(2, 1, 1, bias=[100], weight=[[[1]], [[3]]]),
        [[1, 2], [10, 20]],
        [[131, 162]],
    ),
    (
        TransposedConv(2, 4, 1, groups=2, bias=False, weight=[[[1], [2]], [[3], [4]]]),
        [[1], [10]],
        [[1], [2], [30], [40]],
    ),
    # Frameworks correlate: the first weight meets the earliest sample.
    (conv([1, 10]), [[1, 2, 3]], [[21, 32]]),
    (conv([1, 10], stride=2), [[1, 2, 3, 4, 5]], [[21, 43]]),
    (conv([1, 10], dilation=2), [[1, 2, 3]], [[31]]),
    (conv([1, 10, 100], padding=1), [[1, 2, 3]], [[210, 321, 32]]),
    (conv([1, 10, 100], padding=1, padding_mode="replicate"), [[1, 2, 3]], [[211, 321, 332]]),
    (conv([1, 10, 100], padding=1, padding_mode="reflect"), [[1, 2, 3]], [[212, 321, 232]]),
    (conv([1, 10, 100], padding=1, padding_mode="circular"), [[1, 2, 3]], [[213, 321, 132]]),
    # "same" with an even kernel: the odd sample is added on the right.
    (conv([1, 10], padding="same"), [[1, 2, 3]], [[21, 32, 3]]),
    (conv([1, 10], padding="same", padding_mode="circular"), [[1, 2, 3]], [[21, 32, 13]]),
    (conv([1, 10], padding="valid"), [[1, 2, 3]], [[21, 32]]),
    (
        Conv(2, 2, 1, groups=2, bias=[0, 5], weight=[[[2]], [[3]]]),
        [[1, 2], [10, 20]],
        [[2, 4], [35, 65]],
    ),
    (Stretch(3), [[1, 2]], [[1, 0, 0, 2, 0, 0]]),
    (Nearest(3), [[1, 2]], [[1, 1, 1, 2, 2, 2]]),
    (Linear(2), [[0, 4, 8]], [[0, 1, 3, 5, 7, 8]]),
    (Linear(4), [[0, 8]], [[0, 0, 1, 3, 5, 7, 8, 8]]),
    (Linear(2, "triangle"), [[2, 4, 8]], [[2, 3, 4, 6, 8, 4]]),
    (Linear(4, "triangle"), [[4, 8]], [[4, 5, 6, 7, 8, 6, 4, 2]]),
    # a = -3/4 at t = 1/4 and 3/4: weights -27/256, 225/256, 67/256, -9/256.
    (Cubic(2), [[0, 0, 0, 256, 0, 0, 0]], [[0, 0, 0, -9, -27, 67, 225, 225, 67, -27, -9, 0, 0, 0]]),
    # Beyond the ends the end samples are held: their weights fall on them.
    (Cubic(2), [[256, 0]], [[225 + 67 - 9, 225 - 27, 67 - 9, -27]]),
    (LearnedInterpolation(1, weight=[0]), [[1, 3, 9]], [[1, 2, 3, 6, 9]]),
    (LearnedInterpolation(1, weight=[0]), [[7]], [[7]]),
    # sigmoid(1000) is 1: the left neighbour alone.
    (LearnedInterpolation(1, weight=[1000]), [[1, 3, 9]], [[1, 1, 3, 3, 9]]),
    (PeriodicShuffle(2), [[1, 2], [3, 4], [5, 6], [7, 8]], [[1, 3, 2, 4], [5, 7, 6, 8]]),
    (
        PeriodicShuffle(2, "tensorflow"),
        [[1, 2], [3, 4], [5, 6], [7, 8]],
        [[1, 5, 2, 6], [3, 7, 4, 8]],
    ),
    # The bias is added before the shuffle: an offset of period 2.
    (
        SubpixelConv(1, 1, 1, 2, bias=[10, 20], weight=[[[1]], [[3]]]),
        [[1, 2]],
        [[11, 23, 12, 26]],
    ),
    (
        SubpixelConv(
            1, 2, 1, 2, bias=False, order="tensorflow", weight=[[[1]], [[2]], [[3]], [[4]]]
        ),
        [[1]],
        [[1, 3], [2, 4]],
    ),
    (LazyWaveletSynthesis(), [[1, 2], [3, 4], [5, 6], [7, 8]], [[1, 5, 2, 6], [3, 7, 4, 8]]),
    (Bias(3), [[1, 2], [3, 4]], [[4, 5], [6, 7]]),
    (Bias([1, 10]), [[1, 2], [3, 4]], [[2, 3], [13, 14]]),
    (Hold(2), [[2, 4, 8]], [[1, 3, 6]]),
    (Hold(2, order=2), [[4, 8, 16]], [[1, 4, 9]]),
    (Hold(4), [[4, 8]], [[1, 3]]),
    (Crop(1, 2), [[1, 2, 3, 4, 5]], [[2, 3]]),
    (Crop(-1, 2), [[1, 2, 3]], [[0, 1]]),
    (Crop(1, -2), [[1, 2, 3]], [[2, 3, 0, 0]]),
    (Decimate(2), [[1, 2, 3, 4, 5]], [[1, 3, 5]]),
    (Decimate(3, phase=1), [[1, 2, 3, 4, 5]], [[2, 5]]),
    (Slice(1, -1), [[1, 2, 3, 4, 5]], [[2, 3, 4]]),
    (Slice(1, None, 2), [[1, 2, 3, 4, 5]], [[2, 4]]),
    (Slice(None, -1, 3), [[1, 2, 3, 4, 5]], [[1, 4]]),
    (Residual(Bias(1)), [[1, 2]], [[3, 5]]),
    (Residual(Nearest(2), skip=Stretch(2)), [[1, 2]], [[2, 1, 4, 2]]),
    (Parallel(Bias(1), (), (Bias(1), ReLU())), [[-4, 2]], [[-7, 8]]),
    (Parallel(Bias(2), (), merge="mean"), [[-4, 2]], [[-3, 3]]),
    (Parallel(Bias(1), (), merge="concatenate"), [[-4, 2]], [[-3, 3], [-4, 2]]),
    (ReLU(), [[-4, 0, 2]], [[0, 0, 2]]),
    (LeakyReLU(0.25), [[-4, 0, 2]], [[-1, 0, 2]]),
    (PReLU(), [[-4, 2]], [[-1, 2]]),
    (PReLU(2, weight=[0.5, -1]), [[-4, 2], [-4, 2]], [[-2, 2], [4, 2]]),
    (ELU(2), [[0, 3]], [[0, 3]]),
    (Softplus(1, 20), [[21, 1000]], [[21, 1000]]),
]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("layer", "given", "expected"), EXACT, ids=lambda value: repr(value)[:70])
def test_worked_out_by_hand(layer, given, expected, dtype):
    made = run(layer, given, dtype=dtype)
    assert made.dtype == dtype
    np.testing.assert_array_equal(made, np.array(expected, dtype))


CLOSE = [
    (HaarSynthesis(), [[3.0], [1.0]], [[4 / 2**0.5, 2 / 2**0.5]]),
    # tanh(atanh x) = x with atanh(1/2) = log(3) / 2, and so on.
    (Tanh(), [[np.log(3) / 2, -np.log(3) / 2, 0.0, 800.0]], [[0.5, -0.5, 0.0, 1.0]]),
    (Sigmoid(), [[np.log(3), -np.log(3), 0.0, 800.0, -800.0]], [[0.75, 0.25, 0.5, 1.0, 0.0]]),
    (SiLU(), [[np.log(3), -800.0]], [[0.75 * np.log(3), 0.0]]),
    (ELU(2.0), [[-np.log(2), 1.0, -800.0]], [[-1.0, 1.0, -2.0]]),
    (Softplus(), [[0.0, np.log(7), -800.0]], [[np.log(2), np.log(8), 0.0]]),
    (Softplus(2.0), [[0.0, np.log(7) / 2]], [[np.log(2) / 2, np.log(8) / 2]]),
    (GLU(), [[2.0, 4.0], [np.log(3), -np.log(3)]], [[1.5, 1.0]]),
    (Snake(), [[np.pi / 2, np.pi]], [[np.pi / 2 + 1, np.pi]]),
    (Snake([2.0]), [[np.pi / 4]], [[np.pi / 4 + 0.5]]),
    (SnakeBeta(2.0, 4.0), [[np.pi / 4]], [[np.pi / 4 + 0.25]]),
    # Phi(1) and Phi(-1) from tables, 15 places: Abramowitz & Stegun, table 26.1.
    (GELU(), [[1.0, -1.0, 0.0]], [[0.841344746068543, -0.158655253931457, 0.0]]),
    # tanh form at x = 1, by hand: (1 + tanh(sqrt(2/pi) 1.044715)) / 2.
    (GELU("tanh"), [[1.0]], [[0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * 1.044715))]]),
]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("layer", "given", "expected"), CLOSE, ids=lambda value: repr(value)[:70])
def test_known_values(layer, given, expected, dtype):
    made = run(layer, given, dtype=dtype)
    bound = bound_of([layer], np.array(given), dtype, longest=2)
    np.testing.assert_allclose(made, expected, rtol=0, atol=bound.distance)


def test_cubic_of_keys_passes_parabolas():
    # Keys chose a = -1/2 because then any parabola passes unchanged (away from the ends).
    squares = np.arange(12.0)[None] ** 2
    for factor in (2, 3, 4):
        layer = Cubic(factor, a=-0.5)
        made = run(layer, squares)[0]
        bound = bound_of([layer], squares, np.float64, longest=12 * factor)
        for place in range(3 * factor, 9 * factor):
            source = Fraction(2 * place + 1, 2 * factor) - Fraction(1, 2)
            assert abs(made[place] - float(source**2)) <= bound.distance


@pytest.mark.parametrize(
    "layer",
    [
        WindowedSinc(3),
        WindowedSinc(4, 5, 0.7, "blackman"),
        Cubic(3),
        Linear(4),
        Hold(3, order=2),
        LearnedInterpolation(1, weight=[2]),
    ],
)
def test_constant_passes_far_from_the_ends(layer):
    # Each phase's weights sum to 1: no tone from an offset.
    ones = np.ones((1, 200))
    made = run(layer, ones)[0]
    middle = made[made.size // 3 : -made.size // 3]
    bound = bound_of([layer], ones, np.float64, longest=made.size)
    assert np.abs(middle - 1).max() <= bound.distance
