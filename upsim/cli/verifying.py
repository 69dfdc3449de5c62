"""``upsim verify``: run the layers and compare them with the prediction."""

from __future__ import annotations

from typing import Annotated

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
    backend: Annotated[
        str,
        typer.Option(
            "--backend", metavar="NAME", help="What runs the layers: numpy, torch or cuda."
        ),
    ] = "numpy",
    precision: Annotated[
        str,
        typer.Option(
            "--precision", metavar="NAME", help="float64 or float32, for the run of the layers."
        ),
    ] = "float64",
    as_json: JsonOption = False,
) -> None:
    """Run the layers and judge each claim of the prediction.

    Exit code 0: every claim passed; 1: a claim failed; 2: nothing could be checked; 3: what could
    be checked passed, and some claims were not checked.
    """
    from upsim.cli.inputs import at_input_rate, drawn_stack, read_signal, read_stack
    from upsim.cli.printing import answer, answer_json, progress
    from upsim.verification import verify as verify_stack
    from upsim.words.arguments import one_of
    from upsim.words.overflow import in_range

    one_of(backend, "--backend", ("numpy", "torch", "cuda"))
    one_of(precision, "--precision", ("float64", "float32"))
    with progress("reading", 1) as bar:
        found = at_input_rate(read_stack(stack), rate)
        fed = read_signal(signal, found, channel=recording_channel)
        found = drawn_stack(found, seed)
        with in_range():
            report = verify_stack(found, fed, dtype=precision, backend=backend, progress=bar)
    if as_json:
        answer_json(report.to_dict())
    else:
        answer(str(report))
    if report.verdict == "failed":
        raise typer.Exit(1)
    if not report.complete:
        # Where nothing could be compared, nothing disagrees: what was asked for cannot be done.
        raise typer.Exit(3 if report.passed else 2)
