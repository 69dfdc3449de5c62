"""One drawing for each operation of the course.  Every number in them is computed by a layer."""

import numpy as np

import upsim
from coursework.svg import INK, Drawing, cell, colour, dot, line, text
from upsim import neural

STEP = 30  # a sample's width
TALL = 26  # a cell's height
LEFT = 92  # where the first sample begins; its row's name stands before it


def plain(value):
    """Return a sample's value as it is written in a cell."""
    return f"{value:.2f}".rstrip("0").rstrip(".").replace("-", "−")


def fitting(words):
    """Return the size of letters with which a number fits a sample's width."""
    return 14 if len(words) <= 3 else 11.5 if len(words) == 4 else 9.5


def levels(prediction):
    """Return the lines of a prediction in words: where, and how strong against the constant."""
    constant = next(tone.power[0] for tone in prediction.tones if not tone.frequency)
    said = [
        f"{share(tone.fraction)} of the rate at "
        f"{10 * np.log10(tone.power[0] / constant):.2f} dB".replace("-", "−")
        for tone in prediction.tones
        if tone.frequency
    ]
    return f"{'a line' if len(said) == 1 else 'lines'}: {' and '.join(said)} re the constant"


def share(fraction):
    """Return a fraction as a reader says it."""
    return f"{fraction.numerator}/{fraction.denominator}"


def _name(row, words):
    return text(LEFT - 12, row, words, size=13, anchor="end")


def _boxes(row, values, fills, *, step=1, edge=INK):
    return "".join(
        cell(LEFT + n * step * STEP + 1, row, STEP - 2, TALL, plain(value),
             fill=fill, shade=0.32, edge=edge, size=fitting(plain(value)))
        for n, (value, fill) in enumerate(zip(values, fills, strict=True))
    )  # fmt: skip


def _middle(sample):
    return LEFT + sample * STEP + STEP / 2


def paint(layer, samples, title, alt):
    """Draw a transposed convolution as paint: copies of the kernel, one for each input sample.

    Above, the input. Below each input its copy of the kernel, scaled by it. At the bottom the
    output, the sum of each column, in the colour of its phase.
    """
    samples = np.asarray(samples, float)
    kernel = layer.operator(1).taps[0, 0]
    size, stride = kernel.size, layer.stride
    output = neural.run(layer, samples[None])[0]
    lanes = -(-size // stride)
    # Outputs that meet as many taps as all later ones do: the ends see fewer.
    first, last = size - stride, samples.size * stride
    body = [_name(15, "input"), _boxes(2, samples, ["none"] * samples.size, step=stride)]
    tops = [46 + (m % lanes) * (TALL + 4) for m in range(samples.size)]
    # First the threads, so that the copies lie over them.
    body += [line(_middle(m * stride), 30, _middle(m * stride), top) for m, top in enumerate(tops)]
    for m, (value, top) in enumerate(zip(samples, tops, strict=True)):
        left = LEFT + m * stride * STEP
        body.append(cell(left + 2, top, size * STEP - 4, TALL, fill=colour("faint")))
        body += [
            text(
                left + (k + 0.5) * STEP,
                top + TALL / 2,
                plain(value * tap),
                size=fitting(plain(value * tap)),
            )
            for k, tap in enumerate(kernel)
        ]
    body.append(_name(46 + (lanes * (TALL + 4) - 4) / 2, "copies"))
    row = 46 + lanes * (TALL + 4) + 8
    fills = [
        colour(str(n % stride + 1)) if first <= n < last else "none" for n in range(output.size)
    ]
    body += [_name(row + TALL / 2, "sum"), _boxes(row, output, fills)]
    high = 58 / (max(output.max(), 0.0) - min(output.min(), 0.0))
    ground = row + TALL + 20 + high * max(output.max(), 0.0)
    under = ground + high * max(-output.min(), 0.0)
    body += [_name(ground - 20, "output"), line(LEFT, ground, LEFT + output.size * STEP, ground)]
    for n, value in enumerate(output):
        inside = first <= n < last
        shade = colour(str(n % stride + 1)) if inside else INK
        body.append(
            line(_middle(n), ground, _middle(n), ground - high * value, stroke=shade,
                 width=3, opacity=1.0 if inside else 0.35)
        )  # fmt: skip
        body.append(dot(_middle(n), ground - high * value, 5 if inside else 3, fill=shade))
    if first > 0:
        edges = (
            (LEFT, _middle(first) - STEP / 2),
            (_middle(last) - STEP / 2, _middle(output.size)),
        )
        body += [
            text((a + b - (STEP / 2 if n else 0)) / 2, under + 14, "border", size=12)
            for n, (a, b) in enumerate(edges)
        ]
    return Drawing(title, alt, "".join(body), LEFT + output.size * STEP + 8, under + 26)


def ones(kernel_size, stride):
    """Return a transposed convolution whose taps are ones."""
    return upsim.TransposedConv(1, 1, kernel_size, stride, bias=False, weight="ones")


def overlap(kernel_size, stride):
    """Draw what a constant becomes under a kernel of ones."""
    layer = ones(kernel_size, stride)
    found = upsim.overlap(kernel_size, stride)
    prediction = upsim.predict(upsim.Stack([layer], 1000 * stride), upsim.Constant(1.0))
    gains = [round(gain) for gain in layer.operator(1).phase_gains()[0, 0]]
    name = f"Length {kernel_size}, stride {stride}"
    least, most = min(found.counts), max(found.counts)
    if least != most:
        often = sum(count == most for count in found.counts)
        title = (
            f"{name}: {often} of every {stride} samples {'meets' if often == 1 else 'meet'} "
            f"{_copies(most)}, the {'other' if stride - often == 1 else 'others'} "
            f"{_copies(least)}. A constant leaves with {levels(prediction)}."
        )
    else:
        title = f"{name}: every sample meets {_copies(most)}. A constant stays a constant."
    alt = (
        f"Inputs of 1, {stride} columns apart, each with {kernel_size} ones below it. "
        f"The columns add up to {', '.join(map(str, gains))} again and again"
        + (", but for fewer at both borders." if kernel_size > stride else ".")
    )
    count = max(3, min(7, (20 - kernel_size) // stride + 1))
    return paint(layer, np.ones(count), title, alt)


def _copies(count):
    return f"{count} copy" if count == 1 else f"{count} copies"


def weights_of(taps, stride):
    """Draw what a constant becomes under taps of your own."""
    taps = np.asarray(taps, float)
    layer = upsim.TransposedConv(1, 1, taps.size, stride, bias=False, weight=taps[None, None])
    prediction = upsim.predict(upsim.Stack([layer], 1000 * stride), upsim.Constant(1.0))
    gains = layer.operator(1).phase_gains()[0, 0]
    equal = not any(tone.frequency for tone in prediction.tones)
    title = (
        f"Phase gains {', '.join(map(plain, gains))}: "
        + ("all equal, so a constant stays a constant." if equal else
           f"unequal, so a constant leaves with {levels(prediction)}.")
    )  # fmt: skip
    alt = (
        f"Inputs of 1, {stride} columns apart, each with the taps {', '.join(map(plain, taps))} "
        f"below it. Between the borders the columns add up to "
        f"{', '.join(map(plain, gains))} again and again."
    )
    return paint(layer, np.ones(max(3, (20 - taps.size) // stride)), title, alt)


def collapse():
    """Draw a strided convolution: several samples become one."""
    layer = upsim.Conv(1, 1, 3, stride=2, bias=False, weight=[[[1.0, 2.0, 1.0]]])
    samples = np.array([1.0, 3, 2, 0, 1, 2, 1])
    output = neural.run(layer, samples[None])[0]
    top, bottom = 2, 108
    body = [_name(top + 13, "input"), _boxes(top, samples, ["none"] * samples.size)]
    centres = [2 * m + 1 for m in range(output.size)]
    for m, at in enumerate(centres):
        shade = colour(str(m + 1))
        body += [
            line(_middle(2 * m + k), top + TALL + 2, _middle(at), bottom - 2, stroke=shade,
                 width=1.2 * layer.weight[0, 0, k], opacity=0.8)
            for k in range(3)
        ]  # fmt: skip
        body.append(
            cell(LEFT + at * STEP + 1, bottom, STEP - 2, TALL, plain(output[m]),
                 fill=shade, shade=0.32)
        )  # fmt: skip
    body.append(_name(bottom + 13, "output"))
    return Drawing(
        f"A convolution of stride 2 collapses: 3 samples, weighted 1, 2, 1, become one, and "
        f"{samples.size} become {output.size}.",
        f"Seven samples in a row. Lines from samples 1 to 3, 3 to 5 and 5 to 7 meet in three "
        f"outputs: {', '.join(map(plain, output))}.",
        "".join(body),
        LEFT + samples.size * STEP + 8,
        bottom + TALL + 6,
    )


def expand():
    """Draw a transposed convolution: one sample becomes several."""
    layer = upsim.TransposedConv(1, 1, 3, stride=2, bias=False, weight=[[[1.0, 2.0, 1.0]]])
    samples = np.array([1.0, 3, 2])
    output = neural.run(layer, samples[None])[0]
    top, bottom = 2, 108
    body = [_name(top + 13, "input"), _name(bottom + 13, "output")]
    for m, value in enumerate(samples):
        shade = colour(str(m + 1))
        at = 2 * m + 1
        body.append(
            cell(LEFT + at * STEP + 1, top, STEP - 2, TALL, plain(value), fill=shade, shade=0.32)
        )
        body += [
            line(_middle(at), top + TALL + 2, _middle(2 * m + k), bottom - 2, stroke=shade,
                 width=1.2 * layer.weight[0, 0, k], opacity=0.8)
            for k in range(3)
        ]  # fmt: skip
    body.append(_boxes(bottom, output, ["none"] * output.size))
    return Drawing(
        f"A transposed convolution of stride 2 expands: each sample paints 3, neighbours overlap, "
        f"and {samples.size} become {output.size}.",
        f"Three samples, 1, 3 and 2. From each, lines of weight 1, 2, 1 go to three of seven "
        f"outputs; outputs 3 and 5 are reached twice: {', '.join(map(plain, output))}.",
        "".join(body),
        LEFT + output.size * STEP + 8,
        bottom + TALL + 6,
    )


def stretch(factor=3):
    """Draw zeros between the samples."""
    samples = np.array([2.0, 3, 1, 2])
    output = neural.run(upsim.Stretch(factor), samples[None])[0]
    top, bottom = 2, 84
    body = [_name(top + 13, "input"), _name(bottom + 13, "output")]
    for m, value in enumerate(samples):
        shade = colour(str(m + 1))
        at = factor * m
        body.append(
            cell(LEFT + at * STEP + 1, top, STEP - 2, TALL, plain(value), fill=shade, shade=0.32)
        )
        body.append(line(_middle(at), top + TALL + 2, _middle(at), bottom - 2, stroke=shade))
    fills = [
        colour(str(n // factor + 1)) if n % factor == 0 else "none" for n in range(output.size)
    ]
    body.append(_boxes(bottom, output, fills))
    return Drawing(
        f"Stretch by {factor}: {factor - 1} zeros after each sample. Nothing is lost and nothing "
        "is smoothed.",
        f"Four samples, {', '.join(map(plain, samples))}, above twelve: each sample is followed by "
        f"{factor - 1} zeros.",
        "".join(body),
        LEFT + output.size * STEP + 8,
        bottom + TALL + 6,
    )


def shuffle():
    """Draw the periodic shuffle of the authors' talk: 2 x 2 channels of 6 samples."""
    factor, channels, length = 2, 2, 6
    numbers = np.arange(channels * factor * length, dtype=float).reshape(-1, length)
    output = neural.run(upsim.PeriodicShuffle(factor), numbers)
    source = {value: row for row, values in enumerate(numbers) for value in values}
    body = []
    for row, values in enumerate(numbers):
        y = 2 + row * (TALL + 3)
        body.append(_name(y + 13, f"channel {row}"))
        body.append(_boxes(y, values, [colour(str(row + 1))] * length))
    below = 2 + len(numbers) * (TALL + 3) + 34
    arrow = LEFT + length * STEP / 2
    body += [
        line(arrow, below - 30, arrow, below - 8),
        line(arrow - 5, below - 14, arrow, below - 8),
        line(arrow + 5, below - 14, arrow, below - 8),
        text(arrow + 14, below - 20, "take turns", size=13, anchor="start"),
    ]
    for row, values in enumerate(output):
        y = below + row * (TALL + 3)
        body.append(_name(y + 13, f"channel {row}"))
        body.append(_boxes(y, values, [colour(str(source[value] + 1)) for value in values]))
    return Drawing(
        f"Periodic shuffle by {factor}: {len(numbers)} channels of {length} samples become "
        f"{len(output)} of {output.shape[1]}. Neighbours in time come from different filters.",
        "Four rows of six numbered boxes, one colour a row. Below, two rows of twelve: the first "
        "takes turns between rows 0 and 1, the second between rows 2 and 3.",
        "".join(body),
        LEFT + output.shape[1] * STEP + 8,
        below + len(output) * (TALL + 3) + 4,
    )


def interpolation(layer, word, finding):
    """Draw an interpolation as a stretch and a filter."""
    samples = np.array([1.0, 3, 2, 2, 0, 1])
    factor = layer.factor
    stretched = neural.run(upsim.Stretch(factor), samples[None])[0]
    operator = layer.operator(1)
    kernel, ahead = operator.taps[0, 0], operator.crop[0]
    output = neural.run(layer, samples[None])[0]
    body, y = [], 0
    rows = (
        ("input", samples, factor, 0),
        ("stretch", stretched, 1, 0),
        ("filter", kernel, 1, ahead),
    )
    for name, values, step, back in (*rows, ("output", output, 1, 0)):
        ground = y + 66
        high = 48 / max(abs(values).max(), 1e-12)
        body += [_name(ground - 18, name)]
        body.append(line(LEFT, ground, LEFT + output.size * STEP, ground, opacity=0.6))
        offset = 2 * factor if name == "filter" else 0
        for n, value in enumerate(values):
            at = _middle(n * step - back + offset)
            shade = colour("2") if name == "filter" else colour("1")
            body.append(line(at, ground, at, ground - high * value, stroke=shade, width=2.5))
            body.append(dot(at, ground - high * value, 4, fill=shade))
            body.append(text(at, ground + 11, plain(value), size=12))
        y = ground + 18
    return Drawing(
        f"{word} interpolation is a stretch by {factor} and a filter of {kernel.size} taps. "
        + finding,
        f"Four rows of stems: six samples; the same with zeros between; the filter's taps "
        f"{', '.join(map(plain, kernel))}; and the filtered row, {', '.join(map(plain, output))}.",
        "".join(body),
        LEFT + output.size * STEP + 8,
        y + 4,
    )


def nearest():
    """Draw nearest neighbour by 2."""
    return interpolation(
        upsim.Nearest(2), "Nearest-neighbour", "Each zero becomes a copy of its sample."
    )


def linear():
    """Draw the textbook's linear interpolation by 2."""
    return interpolation(
        upsim.Linear(2, "triangle"), "Linear", "Each zero becomes the mean of its neighbours."
    )


def half_pixel():
    """Draw torch's linear interpolation by 2."""
    return interpolation(
        upsim.Linear(2), "torch's linear", "No sample is kept: each output mixes 3 : 1."
    )


#: Every drawing that is a file of its own, for slides.
FILES = {
    "collapse": collapse,
    "expand": expand,
    "stretch": stretch,
    "overlap-3-2": lambda: overlap(3, 2),
    "overlap-3-1": lambda: overlap(3, 1),
    "overlap-3-3": lambda: overlap(3, 3),
    "overlap-5-4": lambda: overlap(5, 4),
    "overlap-8-4": lambda: overlap(8, 4),
    "overlap-8-6": lambda: overlap(8, 6),
    "shuffle": shuffle,
    "interpolation-nearest": nearest,
    "interpolation-linear": linear,
    "interpolation-half-pixel": half_pixel,
}
