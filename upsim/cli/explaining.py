"""``upsim explain``: which layer makes the line at a frequency."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from upsim.answer.explanation import Explanation
    from upsim.network.graph import Graph


def explain(
    stack: StackArgument,
    freq: Annotated[
        list[str],
        typer.Option(
            "--freq",
            "-f",
            metavar="HZ",
            help="689, 86.13, 5.5kHz, 11025/2; repeatable. Read as people write: half a unit of "
            "the last digit to each side, at most 0.5 %; a fraction is exact.",
        ),
    ],
    within: Annotated[
        str | None,
        typer.Option("--within", metavar="HZ", help="How far the line may lie to each side."),
    ] = None,
    fft: Annotated[
        int | None,
        typer.Option(
            "--fft",
            metavar="N",
            min=1,
            help="The frequency was read off a spectrogram of N points at the output rate: half a "
            "bin to each side.",
        ),
    ] = None,
    signal: SignalOption = None,
    structure: Annotated[
        bool,
        typer.Option("--structure", help="Only what the layers allow: no weights, no levels."),
    ] = False,
    levels: Annotated[
        bool,
        typer.Option(
            "--levels",
            help="Levels too: open weights are drawn. Also with --seed, with --expected, and where "
            "all weights stand in the file.",
        ),
    ] = False,
    seed: SeedOption = None,
    expected: ExpectedOption = False,
    rate: RateOption = None,
    recording_channel: RecordingChannelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which layer makes the line at a frequency.

    Or that nothing in the stack can. Structure decides what is possible, at once and without
    weights. Levels are predicted where all weights stand in the file or where they are asked for;
    the input then is a constant 1 unless --signal says otherwise.
    """
    from upsim.answer.explanation import explain as explain_line
    from upsim.answer.predictor import predict
    from upsim.cli.inputs import at_input_rate, read_signal, read_stack, with_weights
    from upsim.cli.printing import answer, answer_json, note, progress

    found = at_input_rate(read_stack(stack), rate)
    asked = seed is not None or expected or levels
    predicted = not structure and (asked or found.is_drawn)
    width = _width(within, fft, found)
    fed = read_signal(signal, found, channel=recording_channel) if signal else None
    # Refused here, the frequencies cost no prediction.
    answers = [explain_line(found, each, within=width, signal=fed) for each in freq]
    if predicted:
        fed = fed or read_signal(["constant:1"], found)
        with progress("predicting", 1) as bar:
            bar.stage("predicting")
            weighted = with_weights(found, seed, expected=expected)
            prediction = predict(weighted, fed, progress=bar)
        answers = [prediction.explain(each, within=width) for each in freq]
    elif not structure:
        note("the weights are open, so no levels: --levels draws them, --expected averages")
    if as_json:
        answer_json([_record(each) for each in answers])
    else:
        answer("\n".join(each.text for each in answers))


def _width(within: str | None, fft: int | None, stack: Graph) -> Fraction | None:
    """Return how far a line may lie from its reading, in Hz; None leaves it to the last digit."""
    from upsim.cli.inputs import parse_hertz
    from upsim.errors import ArgumentError

    if within is not None and fft is not None:
        raise ArgumentError(
            "a reading has one width",
            given=f"--within {within[:60]} --fft {fft}",
            expected="one of them",
            fix=f"--fft {fft}",
        )
    if fft is not None:
        return stack.sample_rate / (2 * fft)
    return None if within is None else parse_hertz(within, "--within")


def _record(found: Explanation) -> dict[str, object]:
    tone = found.tone
    assert found.asked is not None
    return {
        "frequency_hz": float(found.frequency),
        "fraction": str(found.fraction),
        "possible": found.possible,
        "layer": found.layer,
        "power": None if tone is None else tone.power.tolist(),
        "cause": None if tone is None else tone.cause,
        "origin": found.origin,
        "asked_hz": float(found.asked.value),
        "within_hz": float(found.asked.within),
        "candidates": [
            {"frequency_hz": float(each.frequency), "what": each.what} for each in found.candidates
        ],
        "text": found.text,
    }
