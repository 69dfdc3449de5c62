"""The answers of exercises, computed once more, by upsim or by brute force."""

import numpy as np
import pytest

import upsim
from upsim.course import exercise

STUDENTS = ["page", *(f"student {n}" for n in range(6))]


def levels(stack, signal, skip=1):
    tones = upsim.predict(stack, signal).tones[skip:]
    return [10 * np.log10(tone.power[0]) for tone in tones]


def transposed(taps, stride):
    weight = np.asarray(taps, float)[None, None]
    return upsim.TransposedConv(1, 1, weight.size, stride, bias=False, weight=weight)


@pytest.fixture(params=STUDENTS)
def of(request):
    def answers(number):
        found = exercise(number)
        given = found.parameters(request.param)
        return given, list(found.answer(given))

    return answers


def test_0_1_and_6_2_the_layer(of):
    given, (layer,) = of("0.1")
    stack = upsim.Stack([upsim.Stretch(s) for s in given["strides"]], given["rate"])
    assert upsim.explain(stack, given["line"]).layer == str(int(layer))
    given, (layer, multiple) = of("6.2")
    stack = upsim.Stack([upsim.Stretch(s) for s in given["strides"]], 48000)
    family = upsim.families(stack)[int(layer) - 1]
    assert upsim.explain(stack, 4000).layer == family.layer
    assert multiple * family.spacing == 4000


def test_0_2_and_6_1_the_ladder(of):
    for number in ("0.2", "6.1"):
        given, answer = of(number)
        stack = upsim.Stack([upsim.Stretch(s) for s in given["strides"]], given["rate"])
        spacings = [float(family.spacing) for family in upsim.families(stack)]
        np.testing.assert_allclose(answer, spacings[: len(answer)])


def test_1_1_and_1_2_images(of):
    given, answer = of("1.1")
    stack = upsim.Stack([upsim.Stretch(given["factor"])], given["rate"] * given["factor"])
    tones = upsim.predict(stack, upsim.Sine(given["frequency"])).tones
    np.testing.assert_allclose(answer, [tone.frequency for tone in tones])
    given, answer = of("1.2")
    stack = upsim.Stack([upsim.Stretch(given["factor"])], 1000 * given["factor"])
    found = levels(stack, upsim.Sine(70, amplitude=given["amplitude"]), skip=0)
    np.testing.assert_allclose(found, answer * len(found))


def test_2_1_lines_of_ones(of):
    given, answer = of("2.1")
    layer = transposed(np.ones(given["kernel_size"]), given["stride"])
    np.testing.assert_allclose(answer, levels(upsim.Stack([layer], 1000), upsim.Constant(1.0)))


def test_2_2_the_missing_tap(of):
    given, (tap,) = of("2.2")
    assert levels(upsim.Stack([transposed([*given["taps"], tap], 2)], 1000), upsim.Constant()) == []


def test_2_3_free_taps(of):
    given, (free,) = of("2.3")
    size, stride = given["kernel_size"], given["stride"]
    rows = [
        [int(n % stride == i) - int(n % stride == 0) for n in range(size)] for i in range(1, stride)
    ]
    rank = np.linalg.matrix_rank(np.array(rows))
    assert free == given["inputs"] * given["outputs"] * (size - rank)


def test_3_1_the_silent_multiple(of):
    given, (silent,) = of("3.1")
    stride, rate = given["stride"], given["rate"]
    layer = transposed(np.ones(given["kernel_size"]), stride)
    tones = upsim.predict(upsim.Stack([layer], rate * stride), upsim.Constant(1.0)).tones
    there = {int(tone.frequency) for tone in tones}
    assert {k * rate for k in range(1, stride // 2 + 1)} - there == {silent}


def test_3_2_the_expected_line(of):
    given, answer = of("3.2")
    deviation = np.sqrt(given["variance"])
    layer = upsim.TransposedConv(
        1, 1, given["kernel_size"], given["stride"], bias=False, weight=upsim.Normal(deviation)
    )
    stack = upsim.Stack([layer], 1000 * given["stride"])
    np.testing.assert_allclose(answer, levels(stack, upsim.Constant(1.0))[:1])


def test_3_3_the_length(of):
    given, (length,) = of("3.3")
    rest = {name: value for name, value in given.items() if name != "n"}
    layer = upsim.TransposedConv(1, 1, **rest)
    assert (
        upsim.neural.run(layer.draw(np.random.default_rng(0)), np.ones((1, given["n"]))).shape[1]
        == length
    )


def test_4_1_droop(of):
    given, answer = of("4.1")
    for layer, level in zip(
        (upsim.Nearest, lambda f: upsim.Linear(f, "triangle")), answer, strict=True
    ):
        stack = upsim.Stack([layer(given["factor"])], given["rate"] * given["factor"])
        (report,) = upsim.predict(stack, upsim.WhiteNoise()).filtering
        np.testing.assert_allclose(level, report.droop)


def test_4_2_the_order_of_a_zero(of):
    given, (order,) = of("4.2")
    stack = upsim.Stack([transposed(given["taps"], 2)], 2000)
    (report,) = upsim.predict(stack, upsim.WhiteNoise()).filtering
    assert [null.multiplicity for null in report.nulls if null.fraction * 2 == 1] == [order]


def test_4_3_a_double_zero(of):
    given, taps = of("4.3")
    signs = (-1.0) ** np.arange(4)
    assert taps[0] == given["first"]
    np.testing.assert_allclose(
        [sum(taps), signs @ taps, (signs * np.arange(4)) @ taps], [2, 0, 0], atol=1e-12
    )


def test_5_1_which_channel(of):
    given, (torch, tensorflow) = of("5.1")
    factor, channels = given["factor"], given["channels"]
    numbers = np.tile(np.arange(float(factor * channels))[:, None], (1, 9))
    for order, answer in (("torch", torch), ("tensorflow", tensorflow)):
        output = upsim.neural.run(upsim.PeriodicShuffle(factor, order=order), numbers)
        assert output[given["channel"], given["sample"]] == answer


def test_5_2_a_bias_before_the_shuffle(of):
    given, answer = of("5.2")
    layer = upsim.SubpixelConv(1, 1, 1, 2, bias=list(given["biases"]), weight=[[[0.0]], [[0.0]]])
    np.testing.assert_allclose(answer, levels(upsim.Stack([layer], 8000), upsim.Silence()))


def test_5_3_two_names_of_one_layer():
    weight = np.random.default_rng(0).standard_normal((3, 4))
    taps = exercise("5.3").model({})(weight, 3)
    x = np.random.default_rng(1).standard_normal((1, 20))
    one = upsim.neural.run(
        upsim.SubpixelConv(1, 1, 4, 3, bias=[0.0] * 3, weight=weight[:, None]), x
    )[0]
    other = upsim.neural.run(transposed(taps, 3), x)[0]
    np.testing.assert_allclose(one, other[9 : 9 + one.size])


def test_6_3_after_the_repair(of):
    given, (left,) = of("6.3")
    product = int(np.prod(given["strides"]))
    own = int(np.prod(given["strides"][given["layer"] - 1 :]))
    behind = int(np.prod(given["strides"][given["layer"] :]))
    step, next_step = product // own, product // behind  # in multiples of f1
    there = [k for k in range(1, product // 2 + 1) if k % step or not k % next_step]
    assert left == len(there)


def test_7_2_two_lines(of):
    given, answer = of("7.2")
    n = np.arange(given["rate"])
    x = sum(np.cos(2 * np.pi * given[name] * n / given["rate"]) for name in ("first", "second"))
    power = abs(np.fft.rfft(x**2)) / n.size
    assert np.flatnonzero(power[1:] > 1e-6).tolist() == [each - 1 for each in answer]


def test_7_3_silence_with_a_bias(of):
    given, answer = of("7.3")
    layers = [
        upsim.Conv(1, 1, 1, bias=[given["bias"]], weight=[[[1.0]]]),
        upsim.LeakyReLU(given["slope"]),
        transposed(given["taps"], 2),
    ]
    np.testing.assert_allclose(answer, levels(upsim.Stack(layers, 2000), upsim.Silence()))
