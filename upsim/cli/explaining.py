"""``upsim explain``: which layer makes the line at a frequency."""

from __future__ import annotations

from typing import Annotated

import typer

from upsim.cli.options import (
    ExpectedOption,
    JsonOption,
    RateOption,
    RecordingChannelOption,
    SeedOption,
    SignalOption,
    StackArgument,
)


def explain(
    stack: StackArgument,
    freq: Annotated[
        list[str],
        typer.Option("--freq", "-f", metavar="HZ", help="4000, 86.13, 4kHz, 11025/2; repeatable."),
    ],
    signal: SignalOption = None,
    structure: Annotated[
        bool,
        typer.Option("--structure", help="Only what the layers allow: no weights, no levels."),
    ] = False,
    seed: SeedOption = None,
    expected: ExpectedOption = False,
    rate: RateOption = None,
    recording_channel: RecordingChannelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which layer makes the line at a frequency.

    Or that nothing in the stack can. The input is a constant 1 unless --signal says otherwise.
    """
    from upsim.answer.explanation import explain as explain_line
    from upsim.answer.predictor import predict
    from upsim.cli.inputs import (
        at_input_rate,
        parse_hertz,
        read_signal,
        read_stack,
        with_weights,
    )
    from upsim.cli.printing import answer, answer_json, progress

    asked = [parse_hertz(each, "--freq") for each in freq]
    found = at_input_rate(read_stack(stack), rate)
    fed = read_signal(signal or ["constant:1"], found, channel=recording_channel)
    # Refused here, the frequencies cost no prediction.
    answers = [explain_line(found, each, signal=fed) for each in asked]
    if not structure:
        with progress("predicting", 1) as bar:
            bar.stage("predicting")
            weighted = with_weights(found, seed, expected=expected)
            prediction = predict(weighted, fed, progress=bar)
        answers = [prediction.explain(each) for each in asked]
    if as_json:
        answer_json(
            [
                {
                    "frequency_hz": float(each.frequency),
                    "fraction": str(each.fraction),
                    "possible": each.possible,
                    "layer": each.layer,
                    "power": None if each.tone is None else each.tone.power.tolist(),
                    "cause": None if each.tone is None else each.tone.cause,
                    "text": each.text,
                }
                for each in answers
            ]
        )
    else:
        answer("\n".join(each.text for each in answers))
