"""``upsim predict``: tones, densities and pictures of a stack's output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from upsim.cli.options import (
    CsvOption,
    ExpectedOption,
    JsonOption,
    MemoryOption,
    OverwriteOption,
    PlotOption,
    RateOption,
    RecordingChannelOption,
    SeedOption,
    SignalOption,
    StackArgument,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from upsim.answer.prediction import Prediction

_SHOWN_TONES = 32


def predict(
    stack: StackArgument,
    signal: SignalOption = None,
    plot: PlotOption = None,
    kind: Annotated[
        str,
        typer.Option(
            "--kind",
            metavar="KIND",
            help="Picture: spectrum, layers, spectrograms (of the layers), spectrogram, comb, "
            "provenance or impulse.",
        ),
    ] = "spectrum",
    channel: Annotated[
        int,
        typer.Option(
            "--channel", metavar="N", min=0, help="Output channel of the picture, from 0."
        ),
    ] = 0,
    frequencies: Annotated[
        str | None,
        typer.Option(
            "--frequencies",
            metavar="N|HZ,HZ,...",
            help="Where the density is evaluated: a number of points, or a list in Hz.",
        ),
    ] = None,
    dbfs: Annotated[
        bool, typer.Option("--dbfs", help="Levels in dBFS, too (a full-scale sine is 0 dB).")
    ] = False,
    audible: Annotated[
        bool, typer.Option("--audible", help="Say of each tone whether it will be heard.")
    ] = False,
    calibration: Annotated[
        float | None,
        typer.Option(
            "--calibration",
            metavar="DB",
            help="For --audible: the sound pressure level of a signal of RMS 1.",
        ),
    ] = None,
    seed: SeedOption = None,
    expected: ExpectedOption = False,
    memory: MemoryOption = None,
    rate: RateOption = None,
    recording_channel: RecordingChannelOption = None,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Predict the output's tones: their levels, layers and causes.

    --csv prints the tones, --json everything.
    """
    from upsim.answer.pictures import KINDS
    from upsim.answer.predictor import predict as compute
    from upsim.cli.inputs import (
        at_input_rate,
        parse_frequencies,
        read_signal,
        read_stack,
        with_weights,
    )
    from upsim.cli.pictures import check_picture, save_picture
    from upsim.cli.printing import (
        answer,
        answer_csv,
        answer_json,
        note,
        progress,
        refuse_two_formats,
    )
    from upsim.errors import ArgumentError
    from upsim.words.arguments import MEMORY_BUDGET, one_of

    refuse_two_formats(as_json=as_json, as_csv=as_csv)
    if calibration is not None and not audible:
        raise ArgumentError(
            "a calibration is for --audible",
            given="--calibration",
            fix="--audible --calibration 94",
        )
    one_of(kind, "--kind", KINDS)
    points = parse_frequencies(frequencies)
    if plot is not None:
        check_picture(plot, overwrite=overwrite)
    with progress("reading", 4) as bar:
        bar.stage("reading")
        found = at_input_rate(read_stack(stack), rate)
        fed = read_signal(signal, found, channel=recording_channel, expected=expected)
        bar.stage("drawing weights")
        found = with_weights(found, seed, expected=expected)
        bar.stage("predicting")
        budget = MEMORY_BUDGET if memory is None else memory * 2**30
        prediction = compute(found, fed, frequencies=points, memory=budget, progress=bar)
        if plot is not None:
            bar.stage("drawing the picture")
            save_picture(
                lambda: prediction.plot(kind=kind, channel=channel), plot, overwrite=overwrite
            )
    if plot is not None:
        note(f"picture written to {plot}")
    if as_json:
        answer_json(prediction.to_dict())
    elif as_csv:
        header, rows = tone_rows(prediction)
        answer_csv(header, rows)
    else:
        table = prediction.table(family=True, dbfs=dbfs, audible=audible, calibration=calibration)
        answer(tone_text(prediction, table))


def _parts(amplitude: NDArray[np.complex128] | None, channel: int) -> list[float | None]:
    if amplitude is None:  # in expectation over networks the phase of a line is anything
        return [None, None]
    return [float(amplitude[channel].real), float(amplitude[channel].imag)]


def tone_rows(prediction: Prediction) -> tuple[list[str], list[list[Any]]]:
    """Return a header and one row a tone and output channel."""
    from upsim.words.units import decibels

    # Of a run, also the standard errors.
    errors = ["power_error"] if prediction.measured else []
    header = [
        "frequency_hz",
        "fraction",
        "channel",
        "amplitude_real",
        "amplitude_imag",
        "power",
        "power_db",
        *errors,
        "layer",
        "cause",
    ]
    rows: list[list[Any]] = [
        [
            tone.frequency,
            str(tone.fraction),
            channel,
            *_parts(tone.amplitude, channel),
            float(tone.power[channel]),
            float(decibels(tone.power[channel])),
            *(float(tone.error[channel]) for _ in errors if tone.error is not None),
            tone.layer,
            tone.cause,
        ]
        for tone in prediction.tones
        for channel in range(prediction.channels)
    ]
    return header, rows


def tone_text(prediction: Prediction, table: str) -> str:
    """Return an answer as it is printed: in short, its tones, what was assumed."""
    lines = [repr(prediction), ""]
    rows = table.splitlines()
    lines += rows[: _SHOWN_TONES + 1]
    if len(rows) > _SHOWN_TONES + 1:
        lines.append(f"... {len(rows) - 1 - _SHOWN_TONES} more tones: --csv lists all")
    if prediction.tones:
        lines.append("power: dB re a mean square of 1, of which a full-scale sine has -3.01 dB")
    if prediction.assumptions:
        lines += ["", *(f"* {each}" for each in prediction.assumptions)]
    return "\n".join(lines)
