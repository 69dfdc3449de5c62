"""Names, titles and legends stay off each other and off the lines, and every grey is explained."""

from __future__ import annotations

from itertools import combinations, pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Annotation

from upsim import show
from upsim.show import Band, Panel, ToneRow
from upsim.show.style import layer_name


def boxes(ax):
    """Return the rectangles of the names in a picture, as they are printed."""
    ax.figure.canvas.draw()
    named = [each for each in ax.texts if isinstance(each, Annotation)]
    return [each.get_window_extent() for each in named]


def line(frequency, power, layer="2.1.3"):
    return ToneRow(frequency_hz=frequency, power=power, layer=layer, cause="bias")


CROWDED = [line(7900.0 + 20.0 * k, 10.0 ** -(1 + 0.05 * k)) for k in range(10)]


def crowded_spectrum():
    return show.draw_spectrum(None, None, CROWDED, [], sample_rate=32000)


def crowded_panel():
    panels = [Panel(title="input", sample_rate=4000.0)]
    panels.append(Panel(title="layer 2 (Residual)", sample_rate=32000.0, tones=CROWDED))
    return show.draw_layers(panels)[1]


@pytest.mark.parametrize("draw", [crowded_spectrum, crowded_panel])
def test_names_of_lines_do_not_cover_each_other(draw):
    found = boxes(draw())
    assert 1 <= len(found) < len(CROWDED)
    assert not any(first.overlaps(second) for first, second in combinations(found, 2))


def test_lines_with_room_keep_their_names():
    tones = [line(2000.0 * k, 10.0**-k) for k in range(1, 8)]
    ax = show.draw_spectrum(None, None, tones, [], sample_rate=32000)
    assert len(boxes(ax)) == 7


def test_of_many_lines_the_loudest_are_named():
    tones = [line(100.0 * k, 10.0 ** -(k % 7), str(k)) for k in range(1, 160)]
    tones.append(line(9050.0, 100.0, "loud"))
    ax = show.draw_spectrum(None, None, tones, [], sample_rate=32000)
    words = [each.get_text().split("\n")[0] for each in ax.texts]
    assert words[0] == "loud"
    assert 1 <= len(words) <= 6


def test_a_nested_layer_is_called_a_layer():
    assert layer_name("2.1.3") == "layer 2.1.3"
    assert layer_name("decoder.2") == "decoder.2"


def test_a_panels_title_is_clear_of_the_names_of_its_bands(panels):
    for ax in show.draw_layers(panels, title="all of them"):
        titles = [ax.title, ax._left_title, ax._right_title]
        (title,) = [each for each in titles if each.get_text()]
        for box in boxes(ax):
            assert not box.overlaps(title.get_window_extent())
    assert ax.figure.get_suptitle() == "all of them"


@pytest.mark.parametrize("causes", [("bias",), tuple(show.style.CAUSES)])
def test_the_legend_of_a_comb_covers_neither_title_nor_lines(causes):
    tones = [
        ToneRow(frequency_hz=4000.0 * (k + 1), power=1.0, layer="1", cause=cause)
        for k, cause in enumerate(causes)
    ]
    ax = show.draw_comb(
        [("1", 4000.0), ("2", 8000.0)], tones, sample_rate=64000,
        title="A heading that is about as long as the whole picture is wide, or a little longer",
    )  # fmt: skip
    ax.figure.canvas.draw()
    legend = ax.get_legend().get_window_extent()
    assert not legend.overlaps(ax.title.get_window_extent())
    assert not legend.overlaps(ax.get_window_extent())
    written = {text.get_text() for text in ax.get_legend().get_texts()}
    assert written == {*causes, "multiple of the spacing", "also a later layer's"}


def test_rungs_too_close_to_draw_are_explained():
    ax = show.draw_comb([("1", 1.0)], [], sample_rate=64000)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "multiples too close to draw"
    ]


def even_bands(count, width):
    edges = np.arange(count + 1) * width
    return [
        Band(low_hz=low, high_hz=high, mirrored=bool(k % 2), made_by="1" if k else "input")
        for k, (low, high) in enumerate(pairwise(edges))
    ]


@pytest.mark.parametrize("count", [8, 64, 256])
def test_shaded_bands_are_the_mirrored_ones_and_are_explained(count):
    bands = even_bands(count, 16000.0 / count)
    ax = show.draw_spectrum(None, None, [line(4000.0, 1.0)], bands, sample_rate=32000)
    shaded = {round(patch.get_x() * 1000 / bands[0].high_hz) for patch in ax.patches}
    assert shaded == {k for k, band in enumerate(bands) if band.mirrored}
    assert "mirrored replica" in {text.get_text() for text in ax.get_legend().get_texts()}


def test_upright_bands_are_left_white():
    upright = [Band(low_hz=2000.0 * k, high_hz=2000.0 * (k + 1)) for k in range(8)]
    ax = show.draw_spectrum(None, None, [line(4000.0, 1.0)], upright, sample_rate=32000)
    assert not ax.patches


@pytest.mark.parametrize(("rate", "explained"), [(8000.0, False), (14000.0, True)])
def test_the_grey_beyond_half_the_rate_is_explained(rate, explained):
    panels = [Panel(title="input", sample_rate=rate), Panel(title="layer 1", sample_rate=16000.0)]
    first = show.draw_layers(panels)[0]
    assert any("nothing above" in text.get_text() for text in first.texts) is not explained
    legends = first.figure.legends
    words = {text.get_text() for legend in legends for text in legend.get_texts()}
    assert ("beyond half the rate" in words) is explained


@pytest.mark.parametrize(("rows", "factor"), [(1, 8), (1, 2), (2, 4), (8, 3)])
def test_the_legend_of_an_impulse_response_covers_no_stem(rows, factor):
    taps = np.ones((rows, 24))
    ax = show.draw_impulse_response(taps if rows > 1 else taps[0], factor, sample_rate=16000)
    ax.figure.canvas.draw()
    legend = ax.get_legend()
    assert len(legend.get_texts()) == (rows if rows > 1 else factor)
    top = ax.transData.transform((0.0, 1.0))[1]
    assert top < legend.get_window_extent().y0


def test_each_input_sample_of_a_block_has_its_own_stems():
    taps = np.arange(8.0).reshape(2, 4)
    left, right = show.draw_impulse_and_phase_gains(taps, 2, first=-2)
    drawn = [each for each in left.lines if each.get_marker() not in ("None", "")]
    assert [each.get_ydata().tolist() for each in drawn] == taps.tolist()
    assert [np.round(each.get_xdata()).tolist() for each in drawn] == [[-2, -1, 0, 1]] * 2
    # A constant meets both: 0 + 4 + 2 + 6 at even samples, 1 + 5 + 3 + 7 at odd ones.
    assert [bar.get_height() for bar in right.patches] == [12.0, 16.0]
    assert left.get_legend().get_title().get_text() == "impulse at"
    plt.close("all")
