"""``plot(kind="impulse")``: the responses of any linear stack, or a fix that can be typed."""

import matplotlib as mpl
import numpy as np
import pytest

import upsim
from upsim.errors import NotPredictableError
from upsim.words.tolerance import rounding

mpl.use("Agg")


def u_net():
    down = upsim.Conv(1, 1, 4, 2, 1, bias=False, weight=[[[1.0, 2.0, -3.0, 0.5]]])
    up = upsim.TransposedConv(1, 1, 4, 2, 1, bias=False, weight=[[[0.5, 1.0, 4.0, -1.0]]])
    return upsim.Stack([upsim.Residual(down, up), upsim.Nearest(2)], 16000)


def test_a_u_net_shows_the_response_to_each_of_its_input_samples():
    stack = u_net()
    left, right = upsim.predict(stack, upsim.Silence()).plot(kind="impulse")
    drawn = [line for line in left.lines if line.get_marker() not in ("None", "")]
    assert len(drawn) == 2
    largest = 16.0  # no tap is larger than a product of two taps, added to a wire of 1
    for place, line in enumerate(drawn):
        # The witness's answer to an impulse at an even or an odd sample, far from the ends.
        samples = np.zeros((1, 40))
        samples[0, 20 + place] = 1.0
        answer = upsim.neural.run(stack, samples)[0]
        times = np.round(line.get_xdata()).astype(int) + 2 * 20
        expected = answer[times]
        assert np.abs(line.get_ydata() - expected).max() <= rounding(8, largest)
        assert np.count_nonzero(answer) == np.count_nonzero(expected)
    bars = [bar.get_height() for bar in right.patches]
    constant = upsim.neural.run(stack, np.ones((1, 40)))[0]
    assert np.abs(np.array(bars) - constant[40:44]).max() <= rounding(16, largest)


def test_a_stretch_and_an_fir_shows_its_taps():
    taps = [1.0, 3.0, -2.0]
    layer = upsim.TransposedConv(1, 1, 3, 2, 1, bias=False, weight=[[taps]])
    left, _ = upsim.predict(upsim.Stack([layer], 8000)).plot(kind="impulse")
    drawn = {
        float(x): float(y)
        for line in left.lines
        if line.get_marker() not in ("None", "")
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    }
    assert drawn == {-1.0: 1.0, 0.0: 3.0, 1.0: -2.0}


@pytest.mark.parametrize(
    ("layers", "given", "fix"),
    [
        (
            [upsim.Nearest(2), upsim.Nearest(2), upsim.ReLU()],
            "layer 3 (ReLU)",
            'upsim.predict(stack.upto(2)).plot(kind="impulse")',
        ),
        (
            [upsim.Nearest(2), upsim.Residual(upsim.Tanh())],
            "layer 2 (Residual)",
            'upsim.predict(stack.upto(1)).plot(kind="impulse")',
        ),
        (
            [upsim.Conv(1, 1, 3, padding=1)],
            "undrawn",
            'upsim.predict(stack.draw(seed=0)).plot(kind="impulse")',
        ),
    ],
)
def test_the_fix_of_a_refusal_can_be_typed(layers, given, fix):
    stack = upsim.Stack(layers, 16000)
    with pytest.raises(NotPredictableError) as caught:
        upsim.predict(stack, upsim.Constant(1.0)).plot(kind="impulse")
    assert given in caught.value.given
    assert caught.value.fix == fix
    assert len(eval(fix, {"upsim": upsim, "stack": stack})) == 2


def test_an_activation_alone_is_sent_to_another_picture():
    stack = upsim.Stack([upsim.ReLU()], 16000)
    prediction = upsim.predict(stack, upsim.Constant(1.0))
    with pytest.raises(NotPredictableError, match=r'fix: kind="layers"'):
        prediction.plot(kind="impulse")
    assert prediction.plot(kind="layers") is not None


@pytest.mark.parametrize("kind", ["comb", "provenance", "spectrum", "spectrogram"])
def test_every_single_picture_says_which_stack_it_shows(kind):
    stack = u_net()
    ax = upsim.predict(stack, upsim.Constant(1.0)).plot(kind=kind)
    assert ax.get_title() == stack.summary()
