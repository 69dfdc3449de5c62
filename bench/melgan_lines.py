"""Exact lines of a MelGAN-size decoder, against the least that such an answer can cost.

That is the matrix products of one period; what a user would do instead is the shortest run that
holds the period.  Without and with the split of every line by its sources, which is the default.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from timing import Result, first_calls, in_turn, report

import upsim

SAMPLE_RATE = 22050
STRIDES = (8, 8, 2, 2)


def residual(channels: int, dilation: int) -> upsim.Residual:
    return upsim.Residual(
        upsim.LeakyReLU(0.2),
        upsim.Conv(
            channels, channels, 3, padding=dilation, dilation=dilation, padding_mode="reflect"
        ),
        upsim.LeakyReLU(0.2),
        upsim.Conv(channels, channels, 1),
        skip=upsim.Conv(channels, channels, 1),
    )


def melgan(seed: int = 0) -> upsim.Stack:
    """Return the generator of Kumar et al. (2019), 4.26 M parameters, weights drawn."""
    layers: list[upsim.layers.Layer] = [upsim.Conv(80, 512, 7, padding=3, padding_mode="reflect")]
    channels = 512
    for stride in STRIDES:
        up = upsim.TransposedConv(channels, channels // 2, 2 * stride, stride, stride // 2)
        channels //= 2
        layers += [upsim.LeakyReLU(0.2), up, *(residual(channels, 3**i) for i in range(3))]
    last = upsim.Conv(channels, 1, 7, padding=3, padding_mode="reflect")
    layers += [upsim.LeakyReLU(0.2), last, upsim.Tanh()]
    return upsim.Stack(layers, SAMPLE_RATE).draw(seed)


def products(stack: upsim.Stack) -> Callable[[], object]:
    """Return a function that does the float64 matrix products of one period, and nothing else.

    Each layer's weights as they lie, times as many columns as its input's period has samples.
    """
    pairs, period = [], 1
    for operator in (each for each in stack.operators if each is not None):
        assert isinstance(operator, upsim.StretchFIR)
        out, given, count = operator.taps.shape
        if operator.factor > 1:
            weights = operator.taps.transpose(0, 2, 1).reshape(out * count, given)
        else:
            weights = operator.taps.reshape(out, given * count)
        columns = np.ones((weights.shape[1], period))
        pairs.append((np.ascontiguousarray(weights), columns))
        period *= operator.factor
    return lambda: [weights @ columns for weights, columns in pairs]


def main() -> None:
    import torch

    from upsim.neural import to_torch

    torch.set_num_threads(1)
    stack = melgan()
    assert upsim.cost(stack).parameters == 4_260_257
    module = to_torch(stack, dtype="float32")
    constant = upsim.Constant(1.0)

    def forward(frames: int) -> Callable[[], object]:
        mel = torch.ones(1, 80, frames)

        def run() -> object:
            with torch.inference_mode():
                return module(mel)

        return run

    def lines() -> object:
        return upsim.predict(stack, constant, provenance=False)

    assert lines().tones[-1].fraction.denominator <= 256  # type: ignore[attr-defined]
    second = round(SAMPLE_RATE / 256)
    # The ends reach 3 frames into the output on each side: 8 frames hold a whole period.
    shortest = 8
    ours, bare = in_turn(lines, products(stack), turns=15, calls=5)
    _, short = in_turn(lines, forward(shortest), turns=15)
    _, whole = in_turn(lines, forward(second), turns=9)
    split, _ = in_turn(lambda: upsim.predict(stack, constant), forward(shortest), turns=9)
    # A stack keeps what it has worked out of its layers: the first prediction pays for that.
    first = first_calls(melgan, lambda new: upsim.predict(new, constant, provenance=False))
    first_split = first_calls(melgan, lambda new: upsim.predict(new, constant))
    report(
        Result(
            "lines of a 4.26 M-parameter MelGAN decoder",
            "`predict(stack, Constant(1.0), provenance=False)`, exact",
            "the float64 matrix products of its one period, nothing else",
            ours,
            bare,
            "at most 1.3",
            ours <= 1.3 * bare,
            f"first prediction of a newly drawn stack {1e3 * first:.3g} ms",
        ),
        Result(
            "the same lines",
            "as above",
            f"the shortest torch float32 forward that holds the period ({shortest} frames)",
            ours,
            short,
            "less than 1",
            ours < short,
            f"a forward over 1 s of audio ({second} frames) took {1e3 * whole:.3g} ms",
        ),
        Result(
            "the same lines, each split by its sources",
            "`predict(stack, Constant(1.0))`, exact",
            f"one torch float32 forward over 1 s of audio ({second} frames)",
            split,
            whole,
            "less than 1",
            split < whole,
            f"first prediction of a newly drawn stack {1e3 * first_split:.3g} ms",
        ),
    )


if __name__ == "__main__":
    main()
