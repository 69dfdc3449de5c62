"""``upsim inspect`` and ``upsim compare``: a network as a table, two answers side by side."""

from __future__ import annotations

from typing import Annotated

import typer

from upsim.cli.options import (
    CsvOption,
    ExpectedOption,
    JsonOption,
    MemoryOption,
    OverwriteOption,
    PlotOption,
    RecordingChannelOption,
    SeedOption,
    SignalOption,
    StackArgument,
)

_SHOWN_ROWS = 32


def inspect(
    stack: StackArgument,
    signal: SignalOption = None,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """List each node: rate, channels, parameters, lines, length.

    Each node is named with the lines that are first possible there. No weights are looked at.
    """
    from upsim.answer.inspection import inspect as find
    from upsim.cli.inputs import read_signal, read_stack
    from upsim.cli.printing import answer, answer_csv, answer_json, refuse_two_formats

    refuse_two_formats(as_json=as_json, as_csv=as_csv)
    found = read_stack(stack)
    report = find(found, read_signal(signal, found) if signal else None)
    if as_json:
        answer_json(report.to_dict())
    elif as_csv:
        rows = [
            {key: " ".join(value) if key == "reads" else value for key, value in node.items()}
            | {"length": report.nodes[number].length_text}
            for number, node in enumerate(report.to_dict()["nodes"])
        ]
        answer_csv(list(rows[0]), [list(row.values()) for row in rows])
    else:
        answer(f"{report.name}\n{report.parameters:,} parameters\n\n{report.table()}")


def compare(
    first: Annotated[
        str, typer.Argument(metavar="FIRST", help="Name of a model, or path of a stack file.")
    ],
    second: Annotated[str, typer.Argument(metavar="SECOND", help="The other one.")],
    signal: SignalOption = None,
    channel: Annotated[
        int | None,
        typer.Option(
            "--channel", metavar="N", min=0, help="Output channel, from 0 (default: the strongest)."
        ),
    ] = None,
    plot: PlotOption = None,
    seed: SeedOption = None,
    expected: ExpectedOption = False,
    memory: MemoryOption = None,
    recording_channel: RecordingChannelOption = None,
    as_json: JsonOption = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Set the answers of two networks side by side.

    Before and after training, or two configurations: lines matched by frequency with their
    difference in dB, the noise by octaves, and the sources whose share of the tones changed. With
    --expected, open weights are averaged over and given ones stay as they are.
    """
    from upsim.answer.comparison import compare as set_beside
    from upsim.answer.predictor import predict
    from upsim.cli.inputs import read_signal, read_stack, with_weights
    from upsim.cli.pictures import check_picture, save_picture
    from upsim.cli.printing import answer, answer_json, note, progress
    from upsim.theory.moments.propagation import is_linear
    from upsim.words.arguments import MEMORY_BUDGET

    if plot is not None:
        check_picture(plot, overwrite=overwrite)
    budget = MEMORY_BUDGET if memory is None else memory * 2**30
    with progress("reading", 4) as bar:
        bar.stage("reading")
        found = [read_stack(each) for each in (first, second)]
        if not signal and not all(map(is_linear, found)):
            note("the input is a constant 1; --signal constant --signal noise adds noise")
            signal = ["constant:1"]
        answers = []
        for each in found:
            bar.stage("predicting")
            weighted = with_weights(each, seed, expected=expected)
            fed = read_signal(signal, each, channel=recording_channel, expected=expected)
            answers.append(predict(weighted, fed, memory=budget, progress=bar))
        report = set_beside(answers[0], answers[1], channel=channel)
        if plot is not None:
            bar.stage("drawing the picture")
            save_picture(report.plot, plot, overwrite=overwrite)
    if plot is not None:
        note(f"picture written to {plot}")
    if as_json:
        answer_json(report.to_dict())
        return
    table = report.table().splitlines()
    lines = [repr(report), "", *table[: len(report.lines[:_SHOWN_ROWS]) + 1]]
    rest = table[len(report.lines) + 1 :]
    if len(report.lines) > _SHOWN_ROWS:
        lines.append(f"... {len(report.lines) - _SHOWN_ROWS} more lines: --json lists all")
    answer("\n".join([*lines, *rest]))
