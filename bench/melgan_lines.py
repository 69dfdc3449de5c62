"""Exact lines of a MelGAN-size decoder, against one forward pass over a second of audio."""

from __future__ import annotations

from timing import Result, in_turn, report

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


def melgan() -> upsim.Stack:
    """Return the generator of Kumar et al. (2019), 4.26 M parameters, weights drawn."""
    layers: list[upsim.layers.Layer] = [upsim.Conv(80, 512, 7, padding=3, padding_mode="reflect")]
    channels = 512
    for stride in STRIDES:
        up = upsim.TransposedConv(channels, channels // 2, 2 * stride, stride, stride // 2)
        channels //= 2
        layers += [upsim.LeakyReLU(0.2), up, *(residual(channels, 3**i) for i in range(3))]
    last = upsim.Conv(channels, 1, 7, padding=3, padding_mode="reflect")
    layers += [upsim.LeakyReLU(0.2), last, upsim.Tanh()]
    return upsim.Stack(layers, SAMPLE_RATE).draw(0)


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
    report(
        Result(
            "lines of a 4.26 M-parameter MelGAN decoder",
            "`predict(stack, Constant(1.0), provenance=False)`, exact",
            f"one torch float32 forward over 1 s of audio ({frames} frames)",
            ours,
            theirs,
            "at most 1/10",
            ours <= theirs / 10,
        )
    )


if __name__ == "__main__":
    main()
