"""A column of pictures: the signal before the first layer and after each.

So the founding figures are drawn: Pons, Pascual, Cengarle and Serra, *Upsampling artifacts in
neural audio synthesis*, ICASSP 2021, figures 6 to 8. All panels share one range of dB, so
that levels can be compared down the column.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ArgumentError
from upsim.show.axes import axes_column
from upsim.show.levels import level_limits
from upsim.show.rows import Panel
from upsim.show.spectrogram import (
    SpectrogramImage,
    draw_spectrogram,
    expected_spectrogram,
    spectrogram_limits,
    spectrogram_of_waveform,
)
from upsim.show.spectrum import density_of_channel, paint_spectrum
from upsim.show.stems import line_levels
from upsim.show.style import FIGURE_SIZE, LABEL_SIZE, SMALL_SIZE, TICK_SIZE, TITLE_SIZE

if TYPE_CHECKING:
    from matplotlib.artist import Artist

__all__ = ["draw_layers"]

# Beyond this ratio of sample rates, the slowest panel would be a sliver of the common axis.
_WIDEST_RATIO = 16.0
# Short, so that one line is still some pixels high where four pictures share a figure.
_WINDOW_LENGTH = 128
# Room above the loudest line for its name, as a share of the range.
_HEADROOM = 0.35


def draw_layers(
    panels: Sequence[Panel],
    *,
    kind: str = "spectrum",
    axes: Any = None,
    channel: int = 0,
    duration: float = 1.0,
    title: str | None = None,
) -> NDArray[Any]:
    """Draw one panel a layer, one under the other.

    Parameters
    ----------
    panels : sequence of Panel
        The input first, then the signal after each layer.
    kind : {"spectrum", "spectrogram"}
        What each panel shows. Spectra share the frequency axis too, as long as the rates are within
        a factor of 16: what a layer adds then appears to the right of what was there.
    axes : array of Axes, optional
        One a panel; a new figure otherwise.
    channel : int
        Which channel to show.
    duration : float
        Seconds on the time axis of an expected spectrogram.
    title : str, optional
        Heading over all panels.

    Returns
    -------
    array (panels,) of Axes

    Examples
    --------
    >>> panels = [Panel(title="input", sample_rate=4000), Panel(title="layer 1", sample_rate=8000)]
    >>> axes = draw_layers(panels)
    >>> axes.shape, axes[1].get_xlabel()
    ((2,), 'frequency (kHz)')
    >>> import matplotlib.pyplot as plt
    >>> plt.close(axes[0].figure)
    """
    if kind not in ("spectrum", "spectrogram") or not panels:
        raise ArgumentError(
            "draw_layers draws at least one panel, of a kind that it knows",
            given=f"kind={kind!r}, {len(panels)} panels",
            expected='kind "spectrum" or "spectrogram"',
            fix='kind="spectrum"',
            where="draw_layers",
        )
    column = axes_column(len(panels), axes)
    if kind == "spectrum":
        _draw_spectra(panels, column, channel, new=axes is None)
    else:
        _draw_spectrograms(panels, column, channel, duration)
    if title is not None:
        column[0].get_figure(root=True).suptitle(title, fontsize=TITLE_SIZE)
    return column


def _draw_spectra(
    panels: Sequence[Panel], column: NDArray[Any], channel: int, *, new: bool
) -> None:
    densities = [density_of_channel(p.frequencies_hz, p.psd, channel)[1] for p in panels]
    lines = [line_levels(p.tones, channel) for p in panels]
    shared = level_limits(np.concatenate(lines), densities)
    rates = [p.sample_rate for p in panels]
    common = max(rates) / 2 if max(rates) <= _WIDEST_RATIO * min(rates) else None
    entries: dict[str, Artist] = {}
    for ax, panel in zip(column, panels, strict=True):
        entries |= paint_spectrum(
            ax, panel, shared, channel=channel, highest_hz=common, with_frequency=False
        )
        ax.set_ylim(shared.low, shared.high + _HEADROOM * (shared.high - shared.low))
        # Above the names of the layers that made the bands, which stand over the axes too.
        above = SMALL_SIZE + 8 if panel.bands else 4
        ax.set_title(panel.title, fontsize=TICK_SIZE, loc="left", fontweight="bold", pad=above)
        ax.yaxis.set_major_locator(_few_ticks())
        # A panel is too low for whole words beside it; units stay, the legend has the words.
        label = ax.get_ylabel()
        ax.set_ylabel(label[label.index("(") + 1 : -1], fontsize=TICK_SIZE)
        for scale in ax.child_axes:
            scale.set_ylabel("dB re 1", fontsize=TICK_SIZE)
            scale.yaxis.set_major_locator(_few_ticks())
        if common is not None and ax is not column[-1]:
            ax.set_xlabel("")
            ax.tick_params(labelbottom=False)
    words = "stems: tone power, dB re 1"
    if "density" in entries:
        words = f"curve: density, dB re 1/Hz     {words} (B = 1 Hz)"
    if new:
        column[0].get_figure(root=True).legend(
            entries.values(), entries.keys(), loc="outside lower center", ncols=6, title=words,
            fontsize=SMALL_SIZE, title_fontsize=SMALL_SIZE,
        )  # fmt: skip
    else:
        column[0].legend(entries.values(), entries.keys(), fontsize=SMALL_SIZE, loc="upper right")


def _draw_spectrograms(
    panels: Sequence[Panel], column: NDArray[Any], channel: int, duration: float
) -> None:
    images = [_image_of(panel, channel, duration) for panel in panels]
    shared = spectrogram_limits(images)
    for ax, panel, image in zip(column, panels, images, strict=True):
        draw_spectrogram(image, ax=ax, limits=shared, colour_bar=False)
        ax.set_title(panel.title, fontsize=TICK_SIZE, loc="left", fontweight="bold", pad=4)
        # A panel is too low for the whole word beside it.
        ax.set_ylabel(ax.get_ylabel().replace("frequency", "f"), fontsize=TICK_SIZE)
        ax.yaxis.set_major_locator(_few_ticks())
        if ax is not column[-1]:
            ax.set_xlabel("")
            ax.tick_params(labelbottom=False)
    figure = column[0].get_figure(root=True)
    # As wide as beside a single picture, however tall the column is.
    thin = 20 * figure.get_figheight() / FIGURE_SIZE[1]
    bar = figure.colorbar(column[0].images[0], ax=list(column), pad=0.02, aspect=2 * thin)
    bar.set_label("density (dB re 1/Hz)", fontsize=LABEL_SIZE)
    bar.ax.tick_params(labelsize=TICK_SIZE)


def _image_of(panel: Panel, channel: int, duration: float) -> SpectrogramImage:
    if panel.waveform is not None:
        return spectrogram_of_waveform(
            panel.waveform, panel.sample_rate, channel=channel, window_length=_WINDOW_LENGTH
        )
    return expected_spectrogram(
        panel.frequencies_hz, panel.psd, panel.tones,
        sample_rate=panel.sample_rate, duration=duration, channel=channel,
        window_length=_WINDOW_LENGTH,
    )  # fmt: skip


def _few_ticks() -> Any:
    """At most five numbers on a low panel, and no quarters among them."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=5, steps=[1, 2, 4, 5, 10])
