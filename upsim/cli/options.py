"""The arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

StackArgument = Annotated[
    str,
    typer.Argument(
        metavar="STACK",
        help="Name of a model (upsim models), or path of a stack file, of an ONNX file, or of a "
        "model's configuration (JSON, YAML).",
    ),
]
#: The option by which a signal is typed; errors of the signal have it in their place.
SIGNAL_OPTION = "--signal"
SignalOption = Annotated[
    list[str] | None,
    typer.Option(
        SIGNAL_OPTION,
        "-s",
        metavar="SIGNAL",
        help="constant[:VALUE], silence, noise[:POWER], sine:HZ[:AMPLITUDE], or the path of a WAV "
        "or FLAC file, or of frames (.npy, .npz). Given several times, they are added.",
    ),
]
SeedOption = Annotated[
    int | None,
    typer.Option(
        "--seed", metavar="N", min=0, help="Seed of weights that the stack leaves open (default 0)."
    ),
]
ExpectedOption = Annotated[
    bool,
    typer.Option(
        "--expected",
        help="Draw no weights: predict the average over all networks of the initialisation.",
    ),
]
MemoryOption = Annotated[
    float | None,
    typer.Option(
        "--memory",
        metavar="GIB",
        min=1e-6,
        help="What noise may take in all, covariances and density (default 2). Foreseen before "
        "anything is made.",
    ),
]
RateOption = Annotated[
    str | None,
    typer.Option(
        "--rate",
        metavar="HZ",
        help="Input rate at which the stack is to run; recordings are resampled to it. "
        "Default: the stack's own.",
    ),
]
RecordingChannelOption = Annotated[
    int | None,
    typer.Option(
        "--recording-channel",
        metavar="N",
        min=0,
        help="Use one channel of the recordings, from 0.",
    ),
]
InputLengthOption = Annotated[
    int, typer.Option("--length", "-n", metavar="N", help="Samples of the input.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
CsvOption = Annotated[bool, typer.Option("--csv", help="Print CSV and nothing else.")]
PlotOption = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Draw a .png, .pdf or .svg file.")
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Write although the output file exists.")
]
