"""What every picture owes its reader: Axes back, `ax` respected, units, and nothing shown."""

from __future__ import annotations

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes

from upsim import show
from upsim.errors import ArgumentError, ShapeError
from upsim.show.rows import Panel, ToneRow
from upsim.words.tolerance import rounding


@pytest.fixture
def single(density, tones, bands, contributions, half_sine):
    frequencies, psd = density(3)
    image = show.expected_spectrogram(frequencies, psd, tones, sample_rate=32000)
    return {
        "spectrum": lambda **kw: show.draw_spectrum(
            frequencies, psd, tones, bands, sample_rate=32000, **kw
        ),
        "spectrogram": lambda **kw: show.draw_spectrogram(image, **kw),
        "comb": lambda **kw: show.draw_comb([("1", 4e3)], tones, sample_rate=32000, **kw),
        "provenance": lambda **kw: show.draw_provenance(tones, contributions, **kw),
        "impulse": lambda **kw: show.draw_impulse_response(half_sine, 3, **kw),
        "gains": lambda **kw: show.draw_phase_gains(half_sine[:3], **kw),
    }


KINDS = ["spectrum", "spectrogram", "comb", "provenance", "impulse", "gains"]
UNITS = {
    "spectrum": ("frequency (kHz)", "density (dB re 1/Hz)"),
    "spectrogram": ("time (s)", "frequency (kHz)"),
    "comb": ("frequency (kHz)", ""),
    "provenance": ("layer that contributes", "power (dB re 1)"),
    "impulse": ("time (output samples)", "tap (amplitude per unit of input)"),
    "gains": ("phase (output sample modulo 3)", "phase gain (output per input)"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_axes_are_returned_and_respected(single, kind):
    assert isinstance(single[kind](), Axes)
    plt.close("all")
    figure, (left, right) = plt.subplots(1, 2)
    assert single[kind](ax=right, title="here") is right
    assert plt.get_fignums() == [figure.number]
    assert not left.has_data()
    assert "here" in right.get_title() + right.get_title(loc="left")


@pytest.mark.parametrize("kind", KINDS)
def test_units_stand_on_the_axes(single, kind):
    ax = single[kind]()
    x, y = UNITS[kind]
    assert ax.get_xlabel().startswith(x)
    assert ax.get_ylabel() == y


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_clipped_at_the_edges_of_the_figure(single, kind):
    figure = single[kind](title="A heading").figure
    figure.canvas.draw()
    box = figure.get_tightbbox(figure.canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert min(box.x0, box.y0) >= 0
    assert box.x1 <= width
    assert box.y1 <= height


def test_the_two_scales_of_a_spectrum_are_the_bandwidth_apart(density, tones):
    frequencies, psd = density(3)
    ax = show.draw_spectrum(frequencies, psd, tones, [], sample_rate=32000, bandwidth_hz=10.0)
    ax.figure.canvas.draw()
    (right,) = ax.child_axes
    # 10 Hz are 10 dB.
    assert np.subtract(right.get_ylim(), ax.get_ylim()) == pytest.approx(
        [10.0, 10.0], rel=rounding(64, 1.0)
    )
    assert right.get_ylabel() == "tone power (dB re 1), B = 10 Hz"
    head = next(line for line in ax.lines if line.get_marker() == "o" and len(line.get_xdata()))
    assert head.get_ydata()[0] == pytest.approx(
        -10.0, rel=rounding(8, 1.0)
    )  # a line of 0 dB, spread over 10 Hz


def test_each_cause_has_a_marker_a_colour_and_a_dash_of_its_own():
    from upsim.show.style import CAUSES

    for part in ("marker", "colour", "hatch"):
        assert len({getattr(style, part) for style in CAUSES.values()}) == len(CAUSES)
    looks = {(style.marker, style.linestyle) for style in CAUSES.values()}
    assert len(looks) == len(CAUSES)


def test_layers_share_their_decibels(panels):
    axes = show.draw_layers(panels)
    assert len({ax.get_ylim() for ax in axes}) == 1
    assert len({ax.get_xlim() for ax in axes}) == 1
    images = [ax.images[0] for ax in show.draw_layers(panels, kind="spectrogram")]
    assert len({image.get_clim() for image in images}) == 1


def test_layers_far_apart_keep_their_own_frequency_axes():
    panels = [Panel(title="input", sample_rate=100.0), Panel(title="layer 1", sample_rate=25600.0)]
    first, last = show.draw_layers(panels)
    assert first.get_xlabel() == "frequency (Hz)"
    assert last.get_xlabel() == "frequency (kHz)"
    assert first.get_xlim()[1] < 51.0


def test_layers_draw_into_the_axes_given(panels):
    _, axes = plt.subplots(len(panels))
    assert list(show.draw_layers(panels, axes=axes)) == list(axes)
    with pytest.raises(ShapeError, match="3 axes for 4 panels"):
        show.draw_layers(panels, axes=axes[:3])


def test_a_waveform_takes_the_place_of_the_expectation():
    waveform = np.random.default_rng(1).standard_normal((1, 4000))
    (ax,) = show.draw_layers(
        [Panel(title="recorded", sample_rate=4000.0, waveform=waveform)], kind="spectrogram"
    )
    assert ax.images[0].get_array().shape[1] > 2


def test_mean_line_and_bars_of_the_phase_gains():
    # Three ones, stride 2: gains 2 and 1, mean 3/2.
    ax = show.draw_phase_gains(np.array([2.0, 1.0]))
    assert [bar.get_height() for bar in ax.patches] == [2.0, 1.0]
    assert 1.5 in [line.get_ydata()[0] for line in ax.lines]


def test_phases_follow_the_first_sample():
    # With its first tap at sample -1, that tap belongs to phase 2 of 3.
    _, right = show.draw_impulse_and_phase_gains(np.array([5.0, 1.0, 2.0]), 3, first=-1)
    assert [bar.get_height() for bar in right.patches] == [1.0, 2.0, 5.0]


def test_what_is_wrong_is_said(density, tones):
    frequencies, psd = density(3)
    with pytest.raises(ShapeError, match="one column a frequency"):
        show.draw_spectrum(frequencies[:-1], psd, [], [], sample_rate=32000)
    with pytest.raises(ShapeError, match="channel=1"):
        show.draw_spectrum(frequencies, psd, [], [], sample_rate=32000, channel=1)
    with pytest.raises(ArgumentError, match="bandwidth_hz=0"):
        show.draw_spectrum(None, None, tones, [], sample_rate=32000, bandwidth_hz=0)
    with pytest.raises(ArgumentError, match="kind='pie'"):
        show.draw_layers([Panel(title="", sample_rate=1.0)], kind="pie")
    with pytest.raises(ArgumentError, match="at least one panel"):
        show.draw_layers([])
    with pytest.raises(ArgumentError, match="spacing"):
        show.draw_comb([("1", 0.0)], [], sample_rate=32000)
    with pytest.raises(ArgumentError, match="factor=0"):
        show.draw_impulse_response(np.ones(3), 0)
    with pytest.raises(ShapeError, match="finite"):
        show.draw_phase_gains(np.array([1.0, np.nan]))
    with pytest.raises(ShapeError, match="channels by time"):
        show.spectrogram_of_waveform(np.ones(3), 8000)
    with pytest.raises(ArgumentError, match="duration"):
        show.expected_spectrogram(None, None, [], sample_rate=1, duration=0)
    with pytest.raises(ArgumentError, match="bars=0"):
        show.draw_provenance(tones, [], bars=0)


def test_nothing_to_draw_is_drawn():
    assert show.draw_provenance([], []).texts[0].get_text() == "no line"
    show.draw_comb([], [], sample_rate=8000).figure.canvas.draw()
    silent = show.expected_spectrogram(None, None, [], sample_rate=8000)
    show.draw_spectrogram(silent).figure.canvas.draw()


def test_an_unknown_cause_is_drawn_too():
    tone = ToneRow(frequency_hz=10.0, power=1.0, layer="1", cause="moonlight")
    ax = show.draw_spectrum(None, None, [tone], [], sample_rate=100)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["moonlight"]


def test_matplotlib_is_not_imported_with_the_package_and_no_display_is_needed():
    program = (
        "import sys, os; os.environ.pop('DISPLAY', None); os.environ.pop('MPLBACKEND', None)\n"
        "import upsim.show as d; assert 'matplotlib' not in sys.modules\n"
        "assert 'scipy' not in sys.modules\n"
        "ax = d.draw_spectrum(None, None, [], [], sample_rate=8000)\n"
        "ax.figure.canvas.draw(); print(type(ax).__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "Axes"
