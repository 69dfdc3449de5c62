"""Precision, batches and blocks: what must not change the answer, or only by rounding."""

import numpy as np
import pytest

from upsim import neural
from upsim.layers import CATALOGUE, Conv, SubpixelConv, TransposedConv
from upsim.neural import convolution

from .bounds import bound_of, difference
from .cases import CASES, drawn, name_of, noise

LENGTH = 23


def test_every_layer_of_the_catalogue_is_judged():
    assert {type(layer).__name__ for layer, _ in CASES} == set(CATALOGUE)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_single_precision_is_double_precision_up_to_rounding(case):
    layer, channels = case
    layer, samples = drawn(layer), noise(2, channels, LENGTH)
    double = neural.run(layer, samples)
    single = neural.run(layer, samples, dtype=np.float32)
    assert (double.dtype, single.dtype) == (np.float64, np.float32)
    bound = bound_of([layer], samples, np.float32, longest=double.shape[-1])
    assert not difference(single, double, bound)


def test_single_precision_rounds_weights_and_samples_first():
    # 1 + 2^-30 is 1 in float32; its product with 2^30, less 2^30, tells the two apart.
    layer = Conv(1, 1, 1, weight=[[[1 + 2.0**-30]]], bias=[-(2.0**30)])
    assert neural.run(layer, [[2.0**30]]) == [[1.0]]
    assert neural.run(layer, [[2.0**30]], dtype=np.float32) == [[0.0]]
    shifted = Conv(1, 1, 1, weight=[[[1.0]]], bias=[-1.0])
    assert neural.run(shifted, [[1 + 2.0**-30]]) == [[2.0**-30]]
    assert neural.run(shifted, [[1 + 2.0**-30]], dtype=np.float32) == [[0.0]]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_items_of_a_batch_do_not_see_each_other(case, dtype):
    layer, channels = case
    layer, samples = drawn(layer), noise(3, channels, LENGTH)
    together = neural.run(layer, samples, dtype=dtype)
    for item, made in zip(samples, together, strict=True):
        np.testing.assert_array_equal(neural.run(layer, item, dtype=dtype), made)


def test_samples_are_not_written_to():
    for layer, channels in CASES:
        samples = noise(1, channels, LENGTH)
        kept = samples.copy()
        neural.run(drawn(layer), samples)
        np.testing.assert_array_equal(samples, kept)


BLOCKED = [
    Conv(2, 3, 5, stride=2, padding=3, dilation=2, padding_mode="circular"),
    Conv(4, 4, 3, groups=2),
    TransposedConv(2, 3, 7, stride=3, padding=2, dilation=2, output_padding=2),
    TransposedConv(4, 4, 8, stride=2, groups=2),
    SubpixelConv(2, 2, 4, 3, "same", order="tensorflow"),
]


@pytest.mark.parametrize("budget", [1, 500, 2000])
@pytest.mark.parametrize("layer", BLOCKED, ids=repr)
def test_blocks_of_time_do_not_show(layer, budget, monkeypatch):
    rng = np.random.default_rng(0)
    # Whole numbers, so that no order of summing shows.
    weight = rng.integers(-9, 10, layer.weight_shape)
    layer = type(layer)(**{**layer.to_fields(), "weight": weight, "bias": False})
    samples = rng.integers(-9, 10, (2, layer.in_channels, 40))
    whole = neural.run(layer, samples)
    monkeypatch.setattr(convolution, "COLUMN_BYTES", budget)
    assert len(list(convolution.blocks(40, 100))) > 1
    np.testing.assert_array_equal(neural.run(layer, samples), whole)


def test_columns_of_a_clip_stay_within_the_budget(monkeypatch):
    # 8 channels x 16 taps x 1985 places x 8 bytes would be 2 MB at once, 31 budgets.
    asked = []
    monkeypatch.setattr(convolution, "COLUMN_BYTES", 2**16)

    def watched(count, bytes_each, plain=convolution.blocks):
        for begin, end in plain(count, bytes_each):
            asked.append((end - begin) * bytes_each)
            yield begin, end

    monkeypatch.setattr(convolution, "blocks", watched)
    layer = Conv(8, 1, 16).draw(np.random.default_rng(0))
    neural.run(layer, np.ones((1, 8, 2000)))
    assert len(asked) >= 31
    assert max(asked) <= 2**16
