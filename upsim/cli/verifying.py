"""``upsim verify``: run the layers and compare them with the prediction."""

from __future__ import annotations

import typer

from upsim.cli.options import (
    JsonOption,
    RateOption,
    RecordingChannelOption,
    SeedOption,
    SignalOption,
    StackArgument,
)


def verify(
    stack: StackArgument,
    signal: SignalOption = None,
    seed: SeedOption = None,
    rate: RateOption = None,
    recording_channel: RecordingChannelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the layers in NumPy and compare with the prediction; exit code 1 if they differ."""
    from upsim.cli.inputs import at_input_rate, drawn_stack, read_signal, read_stack
    from upsim.cli.printing import answer, answer_json, progress
    from upsim.verify import verify as verify_stack

    with progress("reading", 2) as bar:
        bar.stage("reading")
        found = at_input_rate(read_stack(stack), rate)
        fed = read_signal(signal, found, channel=recording_channel)
        found = drawn_stack(found, seed)
        bar.stage("running the layers")
        report = verify_stack(found, fed)
    if as_json:
        answer_json(report.to_dict())
    else:
        answer(str(report))
    if not report.passed:
        raise typer.Exit(1)
