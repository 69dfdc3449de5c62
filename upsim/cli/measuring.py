"""``upsim measure``: run a network, with standard errors and makers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from upsim.cli.options import (
    CsvOption,
    JsonOption,
    OverwriteOption,
    PlotOption,
    RateOption,
    RecordingChannelOption,
    SeedOption,
    SignalOption,
    StackArgument,
)


def measure(
    stack: StackArgument,
    signal: SignalOption = None,
    target: Annotated[
        float | None,
        typer.Option(
            "--target",
            metavar="DB",
            help="Standard error of the density, in dB (default 0.5; with --seconds alone: none).",
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option("--seconds", metavar="S", help="Seconds of output that may be run in all."),
    ] = None,
    frequencies: Annotated[
        int, typer.Option("--frequencies", metavar="N", help="Points of the density.")
    ] = 129,
    noise_seed: Annotated[
        int, typer.Option("--noise-seed", metavar="N", min=0, help="Seed of the noise.")
    ] = 0,
    backend: Annotated[
        str, typer.Option("--backend", metavar="NAME", help="numpy, torch, or cuda.")
    ] = "numpy",
    precision: Annotated[
        str,
        typer.Option(
            "--precision",
            metavar="NAME",
            help="float64 or float32; torch also: tf32, float16, bfloat16.",
        ),
    ] = "float64",
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            metavar="FILE",
            help="Keep the run in this file; go on from it if it is there.",
        ),
    ] = None,
    plot: PlotOption = None,
    seed: SeedOption = None,
    rate: RateOption = None,
    recording_channel: RecordingChannelOption = None,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Run the network: its lines and density, with errors.

    Ctrl-C ends the run and answers with what was measured by then. --csv prints the tones, --json
    everything.
    """
    from upsim.cli.inputs import at_input_rate, drawn_stack, read_signal, read_stack
    from upsim.cli.pictures import check_picture, save_picture
    from upsim.cli.predicting import tone_rows, tone_text
    from upsim.cli.printing import (
        answer,
        answer_csv,
        answer_json,
        note,
        progress,
        refuse_two_formats,
    )
    from upsim.measuring import measure as run

    refuse_two_formats(as_json=as_json, as_csv=as_csv)
    if plot is not None:
        check_picture(plot, overwrite=overwrite)
    if target is None and seconds is None:
        target = 0.5
    with progress("reading", 2) as bar:
        bar.stage("reading")
        found = at_input_rate(read_stack(stack), rate)
        fed = read_signal(signal, found, channel=recording_channel)
        found = drawn_stack(found, seed)
        bar.stage("measuring")
        made = run(
            found,
            fed,
            target_db=target,
            seconds=seconds,
            frequencies=frequencies,
            seed=noise_seed,
            backend=backend,
            dtype=precision,
            resume=resume,
            progress=bar,
        )
        if plot is not None:
            save_picture(made.plot, plot, overwrite=overwrite)
    if plot is not None:
        note(f"picture written to {plot}")
    if as_json:
        answer_json(made.to_dict())
    elif as_csv:
        header, rows = tone_rows(made)
        answer_csv(header, rows)
    else:
        answer(tone_text(made, made.table(family=True)))
