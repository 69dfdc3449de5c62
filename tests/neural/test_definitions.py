"""Convolutions against torch's documented sums, term by term, and against scipy's upfirdn."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.signal import get_window, upfirdn

from upsim.layers import (
    Conv,
    Hold,
    LearnedInterpolation,
    Linear,
    Nearest,
    Stretch,
    SubpixelConv,
    TransposedConv,
    WindowedSinc,
)
from upsim.neural import run
from upsim.neural.shuffle import shuffle

from .bounds import bound_of

counts = st.integers(1, 3)


def whole(rng, *shape):
    """Small whole numbers: their sums of products are exact in any order, so equality is exact."""
    return rng.integers(-9, 10, shape).astype(float)


@settings(deadline=None)
@given(
    groups=counts,
    per_group=counts,
    out=counts,
    kernel=st.integers(1, 6),
    stride=st.integers(1, 4),
    padding=st.integers(0, 4),
    dilation=counts,
    extra=st.integers(0, 9),
    seed=st.integers(0, 99),
)
def test_conv_is_the_sum_that_torch_documents(
    groups, per_group, out, kernel, stride, padding, dilation, extra, seed
):
    rng = np.random.default_rng(seed)
    length = dilation * (kernel - 1) + 1 + extra
    weight = whole(rng, out * groups, per_group, kernel)
    bias = whole(rng, out * groups)
    samples = whole(rng, 2, groups * per_group, length)
    layer = Conv(
        groups * per_group,
        out * groups,
        kernel,
        stride,
        padding,
        dilation,
        groups,
        bias,
        weight=weight,
    )
    count = (length + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    expected = np.empty((2, out * groups, count))
    for b, o, m in np.ndindex(expected.shape):
        first = o // out * per_group
        expected[b, o, m] = bias[o] + sum(
            weight[o, c, k] * samples[b, first + c, place]
            for c in range(per_group)
            for k in range(kernel)
            if 0 <= (place := m * stride + k * dilation - padding) < length
        )
    np.testing.assert_array_equal(run(layer, samples), expected)


@settings(deadline=None)
@given(
    groups=counts,
    per_group=counts,
    out=counts,
    kernel=st.integers(1, 7),
    stride=st.integers(1, 5),
    padding=st.integers(0, 3),
    output_padding=st.integers(0, 4),
    dilation=counts,
    length=st.integers(4, 9),
    seed=st.integers(0, 99),
)
def test_transposed_conv_is_the_scatter_that_torch_documents(
    groups, per_group, out, kernel, stride, padding, output_padding, dilation, length, seed
):
    rng = np.random.default_rng(seed)
    output_padding %= max(stride, dilation)
    weight = whole(rng, groups * per_group, out, kernel)
    bias = whole(rng, out * groups)
    samples = whole(rng, 2, groups * per_group, length)
    layer = TransposedConv(
        groups * per_group,
        out * groups,
        kernel,
        stride,
        padding,
        output_padding,
        groups,
        bias,
        dilation,
        weight=weight,
    )
    count = (length - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1
    assume(count >= 1)
    expected = np.zeros((2, out * groups, count)) + bias[:, None]
    for b, c, m in np.ndindex(samples.shape):
        for o in range(out):
            for k in range(kernel):
                place = m * stride + k * dilation - padding
                if 0 <= place < count:
                    target = c // per_group * out + o
                    expected[b, target, place] += weight[c, o, k] * samples[b, c, m]
    np.testing.assert_array_equal(run(layer, samples), expected)


@settings(deadline=None)
@given(
    kernel=st.integers(1, 12),
    stride=st.integers(1, 6),
    length=st.integers(1, 20),
    seed=st.integers(0, 99),
)
def test_transposed_conv_of_one_channel_is_upfirdn(kernel, stride, length, seed):
    rng = np.random.default_rng(seed)
    taps, samples = rng.normal(size=kernel), rng.normal(size=length)
    layer = TransposedConv(1, 1, kernel, stride, bias=False, weight=taps[None, None])
    made = run(layer, samples[None])[0]
    bound = bound_of([layer], samples, np.float64, longest=length)
    np.testing.assert_allclose(made, upfirdn(taps, samples, stride), rtol=0, atol=bound.distance)


@settings(deadline=None)
@given(
    kernel=st.integers(1, 7),
    factor=st.integers(1, 4),
    length=st.integers(8, 20),
    order=st.sampled_from(["torch", "tensorflow"]),
    seed=st.integers(0, 99),
)
def test_subpixel_conv_of_one_channel_is_upfirdn(kernel, factor, length, order, seed):
    # Correlating with w_i in phase i is convolving the stretched input with taps whose phase i is
    # w_i back to front.  With one output channel the two channel orders are the same.
    rng = np.random.default_rng(seed)
    weight, samples = rng.normal(size=(factor, 1, kernel)), rng.normal(size=length)
    layer = SubpixelConv(1, 1, kernel, factor, kernel - 1, bias=False, weight=weight, order=order)
    made = run(layer, samples[None])[0]
    taps = weight[:, 0, ::-1].T.reshape(-1)
    bound = bound_of([layer], samples, np.float64, longest=length)
    full = np.append(upfirdn(taps, samples, factor), np.zeros(factor))[: made.size]
    np.testing.assert_allclose(made, full, rtol=0, atol=bound.distance)


def sinc_taps(layer):
    """The textbook taps: a sinc under scipy's window, each phase divided by its sum."""
    span = int(np.ceil(layer.zeros * layer.factor / layer.rolloff))
    places = np.arange(-span, span + 1)
    name = {"rectangular": "boxcar"}.get(layer.window, layer.window)
    window = get_window(name, places.size, fftbins=False)
    window[[0, -1]] = 0  # the kernel ends before the window does
    taps = layer.rolloff * np.sinc(layer.rolloff * places / layer.factor) * window
    for phase in range(layer.factor):
        taps[places % layer.factor == phase] /= taps[places % layer.factor == phase].sum()
    return taps, span


FIXED = [
    *((Stretch(factor), np.ones(1), 0) for factor in (1, 2, 5)),
    *((Nearest(factor), np.ones(factor), 0) for factor in (1, 2, 5)),
    *(
        (Linear(factor, "triangle"), 1 - np.abs(np.arange(1 - factor, factor)) / factor, factor - 1)
        for factor in (1, 2, 3, 8)
    ),
    *(
        (layer, *sinc_taps(layer))
        for layer in (
            WindowedSinc(2),
            WindowedSinc(3, zeros=1, rolloff=1.0),
            WindowedSinc(5, 3, 0.6, "hamming"),
            WindowedSinc(4, 6, 0.9, "blackman"),
            WindowedSinc(1, 6, 0.5, "rectangular"),
        )
    ),
]


@pytest.mark.parametrize(("layer", "taps", "lead"), FIXED, ids=lambda value: repr(value)[:50])
@pytest.mark.parametrize("length", [1, 7, 60])
def test_fixed_upsampler_is_upfirdn(layer, taps, lead, length):
    samples = np.random.default_rng(length).normal(size=length)
    made = run(layer, samples[None])[0]
    full = np.append(upfirdn(taps, samples, layer.factor), np.zeros(layer.factor))
    bound = bound_of([layer], samples, np.float64, longest=length * layer.factor)
    expected = full[lead : lead + length * layer.factor]
    assert made.shape == expected.shape
    np.testing.assert_allclose(made, expected, rtol=0, atol=bound.distance)


def test_half_pixel_linear_is_upfirdn_between_held_ends():
    # Hold one sample at each end, stretch, filter with [1, 3, 3, 1] / 4, cut the held ends off.
    samples = np.random.default_rng(0).normal(size=20)
    full = upfirdn(np.array([1, 3, 3, 1]) / 4, np.pad(samples, 1, mode="edge"), 2)
    bound = bound_of([Linear(2)], samples, np.float64, longest=40)
    made = run(Linear(2), samples[None])[0]
    np.testing.assert_allclose(made, full[3:43], rtol=0, atol=bound.distance)


def test_learned_interpolation_is_upfirdn():
    samples = np.random.default_rng(0).normal(size=20)
    layer = LearnedInterpolation(1, weight=[np.log(4)])  # sigmoid(log 4) = 4/5
    full = upfirdn([1 / 5, 1, 4 / 5], samples, 2)
    bound = bound_of([layer], samples, np.float64, longest=40)
    np.testing.assert_allclose(
        run(layer, samples[None])[0], full[1:-1], rtol=0, atol=bound.distance
    )


def test_hold_is_upfirdn_with_convolved_boxes():
    samples = np.random.default_rng(0).normal(size=20)
    box = np.ones(3) / 3
    full = upfirdn(np.convolve(box, np.convolve(box, box)), samples)
    layer = Hold(3, order=3)
    bound = bound_of([layer], samples, np.float64, longest=20)
    np.testing.assert_allclose(run(layer, samples[None])[0], full[:20], rtol=0, atol=bound.distance)


@given(channels=st.integers(1, 4), factor=st.integers(1, 4), length=st.integers(1, 5))
def test_shuffle_puts_every_sample_where_its_order_says(channels, factor, length):
    wide = np.arange(float(channels * factor * length)).reshape(1, channels * factor, length)
    for order in ("torch", "tensorflow"):
        made = shuffle(wide, factor, order)
        for c, i, m in np.ndindex(channels, factor, length):
            row = c * factor + i if order == "torch" else i * channels + c
            assert made[0, c, m * factor + i] == wide[0, row, m]
