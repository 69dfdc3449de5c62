"""A drawing's numbers are right by hand, its words say what is seen, its colours are the page's."""

import re
import xml.etree.ElementTree as ET
from collections import defaultdict
from html import escape
from pathlib import Path

import numpy as np
import pytest
from coursework import charts, drawings
from coursework.svg import COLOURS, Drawing, colour

import upsim

SVG = "{http://www.w3.org/2000/svg}"


def numbers_by_row(drawing: Drawing) -> list[list[float]]:
    """The numbers in boxes, row by row from the top, each row from the left."""
    rows = defaultdict(list)
    for word in ET.fromstring(drawing.svg()).iter(SVG + "text"):
        if word.get("font-size") == "14" and re.fullmatch(r"−?\d+(\.\d+)?", word.text):
            rows[word.get("y")].append((float(word.get("x")), float(word.text.replace("−", "-"))))
    return [[n for _, n in sorted(rows[y])] for y in sorted(rows, key=float)]


@pytest.mark.parametrize(
    ("kernel_size", "stride"), [(3, 2), (3, 1), (3, 3), (5, 4), (8, 4), (8, 6)]
)
def test_the_columns_of_an_overlap_add_up(kernel_size, stride):
    inputs, *copies, total = numbers_by_row(drawings.overlap(kernel_size, stride))
    assert set(inputs) == {1.0}
    assert sum(map(len, copies)) == len(inputs) * kernel_size
    stretched = np.zeros((len(inputs) - 1) * stride + 1)
    stretched[::stride] = 1
    np.testing.assert_array_equal(total, np.convolve(stretched, np.ones(kernel_size)))


@pytest.mark.parametrize(
    ("kernel_size", "stride", "words"),
    [
        # A line's amplitude over the constant: |sin(pi k K / L) / (K sin(pi k / L))|, and
        # 3.01 dB more where it has a mirror image.
        (
            3,
            2,
            [
                "1 of every 2 samples meets 2 copies",
                "a line: 1/2 of the rate at −9.54 dB re the constant.",
            ],
        ),
        (5, 4, ["1/4 of the rate at −10.97 dB and 1/2 of the rate at −13.98 dB"]),
        (8, 6, ["2 of every 6 samples meet 2 copies", "1/6 of the rate at −10.28 dB"]),
        (8, 4, ["every sample meets 2 copies. A constant stays a constant."]),
        (3, 3, ["every sample meets 1 copy. A constant stays a constant."]),
    ],
)
def test_a_title_states_the_finding(kernel_size, stride, words):
    title = drawings.overlap(kernel_size, stride).title
    assert [each for each in words if each not in title] == []


def test_collapse_and_expand_by_hand():
    inputs, outputs = numbers_by_row(drawings.collapse())
    assert outputs == [
        a + 2 * b + c for a, b, c in zip(inputs[:-2:2], inputs[1::2], inputs[2::2], strict=True)
    ]
    inputs, outputs = numbers_by_row(drawings.expand())
    assert outputs == np.convolve(np.insert(inputs, [1, 2], 0), [1, 2, 1]).tolist()


def test_stretch_by_hand():
    inputs, outputs = numbers_by_row(drawings.stretch(3))
    assert outputs == [n for each in inputs for n in (each, 0.0, 0.0)]


def test_the_shuffle_takes_turns():
    *channels, first, second = numbers_by_row(drawings.shuffle())
    assert np.shape(channels) == (4, 6)
    assert first == [n for pair in zip(*channels[:2], strict=True) for n in pair]
    assert second == [n for pair in zip(*channels[2:], strict=True) for n in pair]


@pytest.mark.parametrize(
    ("drawing", "taps"),
    [(drawings.nearest, [1, 1]), (drawings.linear, [0.5, 1, 0.5]),
     (drawings.half_pixel, [0.25, 0.75, 0.75, 0.25])],
)  # fmt: skip
def test_an_interpolation_is_a_stretch_and_a_filter(drawing, taps):
    words = [
        (float(word.get("y")), float(word.get("x")), float(word.text))
        for word in ET.fromstring(drawing().svg()).iter(SVG + "text")
        if word.get("font-size") == "12"
    ]
    rows = [[n for _, _, n in sorted(row)] for row in _by_height(words)]
    inputs, stretched, kernel, output = rows
    assert stretched == [n for each in inputs for n in (each, 0.0)]
    assert kernel == taps
    ahead = {2: 0, 3: 1, 4: 1}[len(taps)]
    whole = np.convolve(stretched, taps)[ahead : ahead + len(stretched)]
    inner = slice(2, -2)  # the ends depend on what lies beyond
    np.testing.assert_allclose(output[inner], np.round(whole, 2)[inner])


def _by_height(words):
    heights = sorted({y for y, _, _ in words})
    return [[each for each in words if each[0] == y] for y in heights]


@pytest.mark.parametrize("name", drawings.FILES)
def test_a_drawing_has_words_and_the_colours_of_the_page(name):
    drawing = drawings.FILES[name]()
    assert drawing.title.endswith(".")
    assert len(drawing.alt) > 40
    page = ET.fromstring(drawing.svg())
    assert page.get("role") == "img"
    assert page.get("aria-label") == drawing.alt
    for each in page.iter():
        for attribute in ("fill", "stroke"):
            said = each.get(attribute, "none")
            assert said in {"none", "currentColor"} or re.fullmatch(
                r"var\(--up-(\d|faint), #[0-9a-f]{6}\)", said
            ), said
    # A file of its own says its title and has paper below it.
    text = drawing.file()
    assert escape(drawing.title.split()[0]) in text
    assert 'fill="#fff"' in text


def test_the_style_sheet_has_every_colour_in_both_themes():
    root = Path(__file__).resolve().parents[2]
    sheet = (root / "docs" / "_static" / "course.css").read_text(encoding="utf-8")
    light, dark = sheet.split('html[data-theme="dark"]')[:2]
    for name in COLOURS:
        assert f"--up-{name}:" in light
        assert f"--up-{name}:" in dark.split("}")[0]


def test_colours_go_round():
    assert colour("7") == colour("1")


def test_words_are_escaped():
    made = Drawing("a < b & c.", 'say "no"', "", 10, 10)
    assert ET.fromstring(made.svg()).get("aria-label") == 'say "no"'
    assert "a &lt; b &amp; c." in made.figure()


def test_a_chart_of_lines_has_a_stem_at_each_line():
    stack = upsim.Stack([drawings.ones(5, 4)], 16000)
    chart = charts.lines(upsim.predict(stack, upsim.Constant(1.0)), "Two lines.", "Stems.")
    page = ET.fromstring(chart.svg())
    heads = [float(each.get("cx")) for each in page.iter(SVG + "circle")]
    plane = charts.Plane((-0.16, 8.16), (-60, 10))
    np.testing.assert_allclose(heads, [plane.x(0), plane.x(4), plane.x(8)], atol=0.005)
    said = [each.text for each in page.iter(SVG + "text")]
    assert {"−9.03", "−12.04"} <= set(said)


def test_a_spectrogram_is_a_picture_with_margin():
    tone = np.sin(2 * np.pi * 0.125 * np.arange(4000))
    chart = charts.spectrogram(tone, 8000, "A line at 1 kHz.", "One line.", window=256)
    (image,) = ET.fromstring(chart.svg()).iter(SVG + "image")
    assert image.get("href").startswith("data:image/png;base64,")
    assert "−0" not in [each.text for each in ET.fromstring(chart.svg()).iter(SVG + "text")]
