"""Pictures into files: checked before the work, drawn in memory, written at once."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from upsim.answer.prediction import Prediction
from upsim.cli.inputs import refuse_missing
from upsim.errors import ArgumentError, OutputExistsError

FORMATS = ("png", "pdf", "svg")


def check_picture(path: Path, *, overwrite: bool) -> None:
    """Refuse a picture that could not be written, before anything is computed."""
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise ArgumentError(
            "the picture's format is not known",
            given=f"--plot {path}",
            expected="a name that ends in " + ", ".join(f".{each}" for each in FORMATS),
            fix=f"--plot {path.with_suffix('.png') if path.name else 'out.png'}",
        )
    refuse_missing(path)
    if path.exists() and (path.is_dir() or not overwrite):
        raise _exists(path)


def save_picture(
    prediction: Prediction, path: Path, kind: str, *, channel: int, overwrite: bool
) -> None:
    """Draw a prediction and write the file; an existing file is kept unless ``overwrite``."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    axes = prediction.plot(kind=kind, channel=channel)
    first: Any = np.asarray(axes, dtype=object).ravel()[0]
    picture = io.BytesIO()
    try:
        first.figure.savefig(picture, format=path.suffix.lower().removeprefix("."))
    finally:
        plt.close(first.figure)
    try:
        with path.open("wb" if overwrite else "xb") as file:
            file.write(picture.getvalue())
    except FileExistsError:
        raise _exists(path) from None


def _exists(path: Path) -> OutputExistsError:
    return OutputExistsError(
        "the output file exists and is kept", given=str(path), fix="another name, or --overwrite"
    )
