"""Pictures into files: checked before the work, drawn in memory, written at once."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from upsim.errors import ArgumentError
from upsim.files.paths import refuse_output, write_output

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
    refuse_output(path, overwrite=overwrite)


def save_picture(draw: Callable[[], Any], path: Path, *, overwrite: bool) -> None:
    """Draw and write the file; an existing file is kept unless ``overwrite``.

    ``draw`` returns the Axes, or an array of them.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    first: Any = np.asarray(draw(), dtype=object).ravel()[0]
    picture = io.BytesIO()
    try:
        first.figure.savefig(picture, format=path.suffix.lower().removeprefix("."))
    finally:
        plt.close(first.figure)
    write_output(path, picture.getvalue(), overwrite=overwrite)
