"""Where a picture is drawn: the caller's axes, or new ones of a projector's size.

matplotlib is imported here, when a picture is drawn, and never when upsim is imported. Nothing in
this package calls ``show``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ArgumentTypeError, ShapeError
from upsim.show.style import FIGURE_SIZE, LABEL_SIZE, TICK_SIZE
from upsim.words.arguments import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "axes_column",
    "axes_or_new",
    "axes_row",
    "frequency_unit",
    "label_axes",
    "size_in_points",
]


def axes_or_new(ax: Axes | None) -> Axes:
    """`ax` itself, or the axes of a new figure of 1280 x 720 pixels."""
    if ax is not None:
        return _one_axes(ax)
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=FIGURE_SIZE, dpi=100, layout="constrained")[1]


def axes_column(count: int, axes: Any = None, *, height: float = 2.0) -> NDArray[Any]:
    """`count` axes one under the other; those of the caller if given, and then as many."""
    if axes is None:
        import matplotlib.pyplot as plt

        size = (FIGURE_SIZE[0], max(FIGURE_SIZE[1], height * count))
        axes = plt.subplots(count, figsize=size, dpi=100, layout="constrained", squeeze=False)[1]
    return _checked(count, axes)


def axes_row(count: int, axes: Any = None) -> NDArray[Any]:
    """`count` axes side by side; those of the caller if given, and then as many."""
    if axes is None:
        import matplotlib.pyplot as plt

        size = (FIGURE_SIZE[0], 0.75 * FIGURE_SIZE[1])
        axes = plt.subplots(1, count, figsize=size, dpi=100, layout="constrained", squeeze=False)[1]
    return _checked(count, axes)


def _checked(count: int, axes: Any) -> NDArray[Any]:
    flat = np.asarray(axes, dtype=object).ravel()
    for each in flat:
        _one_axes(each)
    if flat.size != count:
        raise ShapeError(
            "one axes a panel is needed",
            given=f"{flat.size} axes for {count} panels",
            expected=f"{count} axes",
            fix=f"axes=plt.subplots({count})[1], or leave axes out",
            where="upsim.show",
        )
    return flat


def _one_axes(value: object) -> Axes:
    from matplotlib.axes import Axes

    if not isinstance(value, Axes):
        raise ArgumentTypeError(
            "pictures are drawn on matplotlib's Axes",
            given=f"ax={shown(value)}",
            expected="an Axes, or several of them where there are several panels",
            fix="ax=None, which makes a new figure",
        )
    return value


def frequency_unit(highest_hz: float) -> tuple[float, str]:
    """The divisor and the name of the unit in which frequencies up to `highest_hz` are read.

    Examples
    --------
    >>> frequency_unit(16000.0), frequency_unit(500.0)
    ((1000.0, 'kHz'), (1.0, 'Hz'))
    """
    return (1000.0, "kHz") if highest_hz >= 1000.0 else (1.0, "Hz")


def label_axes(ax: Axes, *, x: str | None = None, y: str | None = None) -> None:
    """Write the labels and numbers of both axes in letters that a room can read."""
    if x is not None:
        ax.set_xlabel(x, fontsize=LABEL_SIZE)
    if y is not None:
        ax.set_ylabel(y, fontsize=LABEL_SIZE)
    ax.tick_params(labelsize=TICK_SIZE)


def size_in_points(ax: Axes) -> tuple[float, float]:
    """Width and height of the axes, in points; before a constrained layout, an estimate."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    box = ax.get_window_extent()
    scale = 72.0 / figure.dpi
    return float(box.width * scale), float(box.height * scale)
