"""Exact lines of a MelGAN-size decoder, against one forward pass over a second of audio.

Without and with the split of every line by its sources, which is the default.
"""

from __future__ import annotations

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


def main() -> None:
    import torch

    from upsim.neural import to_torch

    torch.set_num_threads(1)
    stack = melgan()
    assert upsim.cost(stack).parameters == 4_260_257
    module = to_torch(stack, dtype="float32")
    frames = round(SAMPLE_RATE / 256)
    mel = torch.ones(1, 80, frames)
    constant = upsim.Constant(1.0)

    def forward() -> object:
        with torch.inference_mode():
            return module(mel)

    assert forward().shape[-1] == stack.output_length(frames)  # type: ignore[attr-defined]
    ours, theirs = in_turn(
        lambda: upsim.predict(stack, constant, provenance=False), forward, turns=15, calls=5
    )
    split, forwards = in_turn(lambda: upsim.predict(stack, constant), forward, turns=9)
    # A stack keeps what it has worked out of its layers: the first prediction pays for that.
    first = first_calls(melgan, lambda new: upsim.predict(new, constant, provenance=False))
    first_split = first_calls(melgan, lambda new: upsim.predict(new, constant))
    report(
        Result(
            "lines of a 4.26 M-parameter MelGAN decoder",
            "`predict(stack, Constant(1.0), provenance=False)`, exact",
            f"one torch float32 forward over 1 s of audio ({frames} frames)",
            ours,
            theirs,
            "at most 1/10",
            ours <= theirs / 10,
            f"first prediction of a newly drawn stack {1e3 * first:.3g} ms",
        ),
        Result(
            "the same lines, each split by its sources",
            "`predict(stack, Constant(1.0))`, exact",
            "the same forward",
            split,
            forwards,
            "less than 1",
            split < forwards,
            f"first prediction of a newly drawn stack {1e3 * first_split:.3g} ms",
        ),
    )


if __name__ == "__main__":
    main()
