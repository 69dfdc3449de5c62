"""Charts of the course, in the drawings' style: lines, curves, samples, spectrograms."""

import base64
import io

import numpy as np

import upsim
from coursework.svg import INK, Drawing, colour, dot, element, line, number, text

WIDE, HIGH = 620, 230
LEFT, RIGHT, TOP, BELOW = 62, 18, 14, 40


class Plane:
    """A rectangle with a horizontal and a vertical scale.

    Parameters
    ----------
    across, up : (float, float)
        The values at the left and right, and at the bottom and top.
    """

    def __init__(self, across, up, *, high=HIGH):
        self.across, self.up, self.high = across, up, high

    def x(self, value):
        """Return where a value lies across."""
        low, top = self.across
        return LEFT + (WIDE - LEFT - RIGHT) * (value - low) / (top - low)

    def y(self, value):
        """Return where a value lies; what is below the scale lies at its bottom."""
        low, top = self.up
        part = (np.clip(value, low, top) - low) / (top - low)
        return self.high - BELOW - (self.high - TOP - BELOW) * part

    def frame(self, across, up, *, unit_across, unit_up, ground=None):
        """Return the axes: ticks with their numbers, a faint line at each height."""
        floor = self.y(self.up[0] if ground is None else ground)
        made = []
        for tick in up:
            made.append(line(LEFT, self.y(tick), WIDE - RIGHT, self.y(tick), opacity=0.15, width=1))
            made.append(text(LEFT - 8, self.y(tick), plain(tick), size=12, anchor="end"))
        for tick in across:
            x = self.x(tick)
            made.append(line(x, self.high - BELOW, x, self.high - BELOW + 5, width=1))
            made.append(text(x, self.high - BELOW + 15, plain(tick), size=12))
        made.append(line(LEFT, floor, WIDE - RIGHT, floor, width=1.2))
        made.append(
            text((LEFT + WIDE - RIGHT) / 2, self.high - 7, unit_across, size=12, anchor="middle")
        )
        made.append(
            element(
                "g",
                text(0, 0, unit_up, size=12),
                transform=f"translate(13 {number((TOP + self.high - BELOW) / 2)}) rotate(-90)",
            )
        )
        return "".join(made)


def plain(value):
    """Return a tick's number as short as it can be, with a true minus sign."""
    return f"{value + 0.0:.6g}".replace("-", "−")  # + 0.0: no minus before a nought


def ticks(low, high, most=7):
    """Return round numbers between two values, at most so many."""
    step = 10 ** np.floor(np.log10((high - low) / most))
    step *= next(each for each in (1, 2, 2.5, 5, 10, 20) if (high - low) / (step * each) <= most)
    first = np.ceil(low / step - 1e-9)
    return [float(n * step) for n in np.arange(first, high / step + 1e-9)]


def _kilo(rate):
    return (1000.0, "kHz") if rate >= 2000 else (1.0, "Hz")


def lines(prediction, title, alt, *, floor=-60.0, offset=True, label=True, density=False):
    """Draw a prediction's lines as stems in dB, coloured by the layer that can first make them.

    Parameters
    ----------
    prediction : Prediction
    title, alt : str
    floor : float
        dB; the picture's bottom.
    offset : bool
        Whether the line at 0 Hz is drawn.
    label : bool
        Whether each stem bears its level.
    density : bool
        Whether the density is drawn, too, in dB of power in a band of a hundredth of half the rate.
    """
    rate = float(prediction.sample_rate)
    scale, unit = _kilo(rate)
    found = [
        (tone.frequency / scale, 10 * np.log10(tone.power[0]), tone.layer if tone.frequency else "")
        for tone in prediction.tones
        if offset or tone.frequency
    ]
    top = max([0.0, *(10 * np.ceil((level + 6) / 10) for _, level, _ in found)])
    half = rate / 2 / scale
    plane = Plane((-0.02 * half, 1.02 * half), (floor, top))
    made = [
        plane.frame(
            ticks(0, half), ticks(floor, top, 6),
            unit_across=f"frequency in {unit}", unit_up="level in dB",
        )
    ]  # fmt: skip
    if density:
        width = rate / 200
        grid = prediction.frequencies / scale
        level = 10 * np.log10(np.maximum(prediction.psd[0] * width, 1e-30))
        made.append(_curve(plane, grid, level, INK))
    steps = [family.layer for family in upsim.families(prediction.stack)]
    names = [name for name in steps if any(layer == name for _, _, layer in found)]
    for place, level, layer in found:
        shade = colour(str(steps.index(layer) + 1)) if layer in steps else INK
        x = plane.x(place)
        made.append(line(x, plane.y(floor), x, plane.y(level), stroke=shade, width=2.5))
        made.append(dot(x, plane.y(level), 4.5, fill=shade))
        if label and level > floor:
            side = "end" if place > 0.93 * half else "start" if place < 0.05 * half else "middle"
            made.append(text(x, plane.y(level) - 12, plain(round(level, 2)), size=12, anchor=side))
    if len(names) > 1:
        made.append(
            _legend([(colour(str(steps.index(name) + 1)), f"layer {name}") for name in names])
        )
    return Drawing(title, alt, "".join(made), WIDE, plane.high)


def _legend(entries):
    made, right = [], WIDE - RIGHT
    for shade, words in reversed(entries):
        right -= 7.2 * len(words) + 26
        made.append(line(right, TOP - 5, right + 14, TOP - 5, stroke=shade, width=3))
        made.append(text(right + 19, TOP - 5, words, size=12, anchor="start"))
    return "".join(made)


def _curve(plane, across, values, shade, dash=""):
    points = " ".join(
        f"{number(plane.x(x))},{number(plane.y(y))}" for x, y in zip(across, values, strict=True)
    )
    more = {"stroke_dasharray": dash} if dash else {}
    return element("polyline", points=points, fill="none", stroke=shade, stroke_width=2, **more)


DASHES = ("", "7 4", "2 4", "9 3 2 3")


def curves(named, title, alt, *, unit_across, unit_up="level in dB", up=None, marks=()):
    """Draw curves over one scale; each has a colour, a dash and a name of its own.

    Parameters
    ----------
    named : dict
        From a name to its (across, values).
    up : (float, float), optional
        The bottom and the top of the picture.
    marks : sequence of (float, str)
        Places across to mark, each with a word.
    """
    across = np.concatenate([np.asarray(x, float) for x, _ in named.values()])
    values = np.concatenate([np.asarray(y, float) for _, y in named.values()])
    if up is None:
        finite = values[np.isfinite(values)]
        up = (float(finite.min()), float(finite.max()))
    plane = Plane((across.min(), across.max()), up)
    made = [
        plane.frame(
            ticks(across.min(), across.max()),
            ticks(*up, 6),
            unit_across=unit_across,
            unit_up=unit_up,
        )
    ]
    for place, word in marks:
        made.append(
            line(plane.x(place), TOP, plane.x(place), plane.high - BELOW, dash="4 4", width=1)
        )
        made.append(text(plane.x(place) + 5, TOP + 8, word, size=12, anchor="start"))
    entries = []
    for row, (name, (x, y)) in enumerate(named.items()):
        shade = colour(str(row + 1))
        level = np.nan_to_num(np.asarray(y, float), neginf=up[0] - 1)
        made.append(_curve(plane, x, level, shade, DASHES[row % len(DASHES)]))
        entries.append((shade, name))
    if len(entries) > 1:
        made.append(_legend(entries))
    return Drawing(title, alt, "".join(made), WIDE, plane.high)


def samples(rows, title, alt, *, phases=1, high=92):
    """Draw signals as stems, one below the other, coloured by phase.

    Parameters
    ----------
    rows : dict
        From a name to its samples.
    phases : int
        The period of the colours; 1 for one colour.
    """
    made, y = [], 0
    for name, given in rows.items():
        values = np.asarray(given, float)
        step = (WIDE - 110 - RIGHT) / values.size
        top, low = max(values.max(), 0.0), min(values.min(), 0.0)
        per = (high - 24) / ((top - low) or 1)
        ground = y + 12 + per * top
        made.append(text(98, ground, name, size=13, anchor="end"))
        made.append(line(110, ground, WIDE - RIGHT, ground, width=1, opacity=0.7))
        for n, value in enumerate(values):
            x = 110 + (n + 0.5) * step
            shade = colour(str(n % phases + 1))
            made.append(
                line(x, ground, x, ground - per * value, stroke=shade, width=min(3, 0.4 * step))
            )
            made.append(dot(x, ground - per * value, min(4, 0.35 * step), fill=shade))
        y += high
    return Drawing(title, alt, "".join(made), WIDE, y)


def spectrogram(waveform, rate, title, alt, *, window=512):
    """Draw a spectrogram: time across, frequency up, a bin's half of margin at 0 Hz and the top.

    Parameters
    ----------
    waveform : array
        One channel.
    rate : float
        Hz.
    window : int
        Samples of a frame, Hann, half overlapping.
    """
    import matplotlib as mpl
    from scipy import signal

    _, times, power = signal.spectrogram(
        waveform, rate, "hann", window, window // 2, detrend=False, mode="psd"
    )
    level = 10 * np.log10(np.maximum(power, power.max() * 1e-15))
    # Black is just below the weakest that is common, white the strongest: no line is lost.
    low = np.percentile(level, 2) - 10
    shade = np.clip((level - low) / (level.max() - low), 0, 1)
    pixels = (mpl.colormaps["magma"](shade[::-1]) * 255).astype(np.uint8)
    seconds = times[-1] + times[0]
    scale, unit = _kilo(rate)
    # A bin reaches half its width to both sides, also at 0 Hz and at half the rate.
    margin = rate / window / 2 / scale
    plane = Plane((0, seconds), (-margin, rate / 2 / scale + margin), high=300)
    edge = (TOP, plane.high - BELOW)
    made = [
        element(
            "image", x=LEFT, y=edge[0], width=WIDE - LEFT - RIGHT, height=edge[1] - edge[0],
            preserveAspectRatio="none", href=_png(pixels),
        ),
        plane.frame(
            ticks(0, seconds), ticks(0, rate / 2 / scale, 6),
            unit_across="time in s", unit_up=f"frequency in {unit}",
        ),
    ]  # fmt: skip
    return Drawing(title, alt, "".join(made), WIDE, plane.high)


def _png(pixels):
    from matplotlib.image import imsave

    file = io.BytesIO()
    imsave(file, pixels, format="png", metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
