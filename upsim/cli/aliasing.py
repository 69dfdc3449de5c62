"""``upsim aliasing``: aliased over harmonic power against the frequency of a sine."""

from __future__ import annotations

from typing import Annotated

import typer

from upsim.cli.options import (
    CsvOption,
    JsonOption,
    OverwriteOption,
    PlotOption,
    SeedOption,
    StackArgument,
)


def aliasing(
    stack: StackArgument,
    frequencies: Annotated[
        str | None,
        typer.Option(
            "--frequencies",
            metavar="N|HZ,HZ,...",
            help="How many sines, or a list in Hz. Default: 24, up to nine tenths of the band.",
        ),
    ] = None,
    after: Annotated[
        str | None,
        typer.Option("--after", metavar="NODE", help="The sine enters behind this node."),
    ] = None,
    amplitude: Annotated[
        float, typer.Option("--amplitude", metavar="A", help="Of the sines.")
    ] = 1.0,
    definition: Annotated[
        str,
        typer.Option(
            "--definition",
            metavar="NAME",
            help="mean-removed, all-bins, residual or peaks: what is divided by what.",
        ),
    ] = "mean-removed",
    plot: PlotOption = None,
    seed: SeedOption = None,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Say how much of a sine is aliased, against its frequency.

    Aliased power over that of fundamental and harmonics, exact: images, folded harmonics and copies
    of offsets, each in its own column. Open weights are drawn.
    """
    from upsim.answer.aliasing import aliasing as find_aliasing
    from upsim.cli.inputs import drawn_stack, parse_frequencies, read_stack
    from upsim.cli.pictures import check_picture, save_picture
    from upsim.cli.printing import (
        answer,
        answer_json,
        answer_rows,
        note,
        progress,
        refuse_two_formats,
    )

    refuse_two_formats(as_json=as_json, as_csv=as_csv)
    if plot is not None:
        check_picture(plot, overwrite=overwrite)
    sines = parse_frequencies(frequencies)
    with progress("reading", 2) as bar:
        bar.stage("reading")
        found = read_stack(stack)
        if after is not None:
            found = found.after(int(after) if after.isdecimal() else after)
        graph = drawn_stack(found, seed)
        bar.stage("running sines")
        report = find_aliasing(
            graph, sines, amplitude=amplitude, definition=definition, progress=bar
        )
        if plot is not None:
            save_picture(report.plot, plot, overwrite=overwrite)
    if plot is not None:
        note(f"picture written to {plot}")
    if as_json:
        answer_json(report.to_dict())
        return
    records = [
        {
            "frequency_hz": float(each.frequency),
            "ratio": float(ratio),
            "fundamental": each.fundamental,
            "harmonics": each.harmonics,
            "offset": each.offset,
            "images": each.images,
            "folds": each.folds,
            "tones": each.tones,
        }
        for each, ratio in zip(report.sines, report.ratios, strict=True)
    ]
    if answer_rows(records, as_json=False, as_csv=as_csv):
        return
    answer(f"{report!r}\n\n{report.table()}\n\n{report.definitions()}")
