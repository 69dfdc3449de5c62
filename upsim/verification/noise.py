r"""What noise makes behind activations, by a seeded run: means and densities with standard errors.

The run is made of circles: inputs that repeat after M samples of the output, so nothing has an
end.  A circle is eight times as long as the network looks, D samples.  Output samples further apart
than D have no input in common, so their covariance is 0, and the density at any frequency is

.. math:: S(f) = \frac{2}{F} \sum_{|d| \le D} r[d] \cos(2 \pi f d / F).

The estimate takes the lags with a window that is 1 up to D and falls smoothly to 0 at M / 2.  So
its mean is S exactly, at every frequency, and a loud band does not leak into a faint one.  Circles
are dealt to batches; the scatter of the batches gives the standard errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from upsim.answer.prediction import Prediction
from upsim.errors import NotPredictableError, TooLargeError
from upsim.network.draws import Draws
from upsim.network.feed import signals_of
from upsim.network.graph import Graph
from upsim.network.signals import WhiteNoise
from upsim.theory.lines.repetition import common_time
from upsim.theory.reports.context import find_reach
from upsim.theory.reports.cost import cost
from upsim.verification.inputs import whole_periods
from upsim.verification.witness import Run, Seen, Witness, run_circles
from upsim.words.arguments import refuse_beyond_memory

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

#: Batches whose scatter gives the errors, and the fewest of them.
BATCHES, LEAST_BATCHES = 32, 8

#: A circle over the reach of the network.
_TURNS = 8

#: The relative standard error of the density that a run is made for: 0.15 dB.
_TARGET = 0.15 * np.log(10) / 10

#: Products of a run as it is meant, and the most for its fewest batches: seconds and a minute.
_MEANT, MOST_PRODUCTS = 2**31, 2**36

#: Work on a sample that is no product, activations and sums, in products.
_TOUCHED = 16

#: Cosines of a density that are held at a time, and products for all of it.
_BLOCK, _MOST_COSINES = 2**21, 2**31


@dataclass(frozen=True, eq=False)
class NoiseRun:
    """What a run showed.

    Parameters
    ----------
    means : list of array (channels, P)
        By value number: the mean period.
    offset_errors : list of array (channels,)
        Standard errors of the mean over time of each.
    lines : array (channels, P // 2 + 1)
        Complex amplitudes at the output.
    line_errors : array (channels, P // 2 + 1)
        The larger of the standard errors of their real and imaginary part.
    chosen : array (F,)
        The numbers of the frequencies at which the density is known.
    levels : array (batches, channels, F)
        The one-sided density by each batch.
    power, power_error : array (channels,)
        The mean square of all that is not a line.
    seconds : float
        Of the output.
    white : bool
        Whether all noise that comes in is white.
    batches : int
    off : list of str
        Layers of another length than their law says.
    """

    means: list[Real]
    offset_errors: list[Real]
    lines: Complex
    line_errors: Real
    chosen: NDArray[np.intp]
    levels: Real
    power: Real
    power_error: Real
    seconds: float
    white: bool
    batches: int
    off: list[str]

    def run(self, graph: Graph, times: float) -> Run:
        """Return the mean period at every place; a place's error is that of its offset."""
        places = [
            Seen(mean[None], times * error)
            for mean, error in zip(self.means, self.offset_errors, strict=True)
        ]
        return Run(places, graph.end, self.off)


@dataclass(frozen=True)
class _Sizes:
    """How much is run.

    Parameters
    ----------
    periods : list of int
        By value number.
    turns : int
        Such periods in a circle.
    reach : int
        Output samples further apart are independent.
    white : bool
    batches, circles : int
        Batches, and circles in each.
    """

    periods: list[int]
    turns: int
    reach: int
    white: bool
    batches: int
    circles: int

    @classmethod
    def of(cls, prediction: Prediction) -> _Sizes:
        graph = prediction.stack
        signals = signals_of(graph, prediction.signal)
        reach = find_reach(graph)
        if reach.endless:
            raise NotPredictableError(
                f"{reach.endless[0]}: statistics over the whole signal; a run of finite length has "
                "others"
            )
        span = common_time(graph, signals)
        periods = [int(span * rate) for rate in graph.value_rates]
        seen = max((each.left + each.right + 1) / each.sample_rate for each in reach.inputs)
        looks = -(-seen * graph.sample_rate // 1)
        white = all(
            isinstance(term, WhiteNoise)
            for signal, each, rate in zip(signals, graph.inputs, graph.input_rates, strict=True)
            for term in signal.terms()
            if term.has_noise(each.channels, rate)
        )
        if not white or prediction.measured is not None:
            # Other noise has a memory of its own: as fine as the grid.
            looks = max(looks, prediction.frequencies.size)
        turns = int(-(-_TURNS * looks // periods[graph.end]))
        length = turns * periods[graph.end]
        touched = sum(
            channels * rate / graph.sample_rate
            for channels, rate in zip(graph.value_channels, graph.value_rates, strict=True)
        )
        each = length * (cost(graph).macs + _TOUCHED * touched)
        if LEAST_BATCHES * each > MOST_PRODUCTS:
            raise TooLargeError(
                f"a run of {LEAST_BATCHES} batches would take {float(LEAST_BATCHES * each):.2g} "
                "products; upsim.measure(graph, signal, backend='torch') makes it"
            )
        held = graph.out_channels * (length // 2 + 1)
        refuse_beyond_memory(
            2 * BATCHES * held, "the spectra of all batches", fix="upsim.measure(graph, signal)"
        )
        batches = int(min(BATCHES, max(LEAST_BATCHES, _MEANT // each)))
        # The window holds 3.5 D lags: a relative variance of 3.5 D over the samples.
        wanted = 3.5 * float(looks) / _TARGET**2
        circles = min(wanted / (batches * length), float(_MEANT / (batches * each)))
        return cls(periods, turns, int(looks), white, batches, max(1, int(circles)))


def run_noise(prediction: Prediction, witness: Witness, seed: int) -> NoiseRun:
    """Run noise with the signals' lines through a network, in batches."""
    graph, sizes = prediction.stack, _Sizes.of(prediction)
    signals = signals_of(graph, prediction.signal)
    draws = [
        Draws(signal, each.channels, period * sizes.turns, rate)
        for signal, each, period, rate in zip(
            signals, graph.inputs, sizes.periods, graph.input_rates, strict=False
        )
    ]
    steady = [
        np.tile(lines, period * sizes.turns // lines.shape[1])
        for lines, period in zip(whole_periods(prediction), sizes.periods, strict=False)
    ]
    shapes = list(zip(graph.value_channels, sizes.periods, strict=True))
    means = [np.zeros(shape) for shape in shapes]
    offsets = [np.zeros((sizes.batches, channels)) for channels, _ in shapes]
    period = sizes.periods[graph.end]
    length = period * sizes.turns
    ends = np.zeros((sizes.batches, graph.out_channels, period))
    powers = np.zeros((sizes.batches, graph.out_channels, length // 2 + 1))
    total, batch, off = sizes.batches * sizes.circles, 0, []

    def show(value: int, samples: Real) -> None:
        channels, own = shapes[value]
        folded = samples[0].reshape(channels, -1, own).mean(axis=1)
        means[value] += folded / total
        offsets[value][batch] += folded.mean(axis=1) / sizes.circles
        if value == graph.end:
            ends[batch] += folded / sizes.circles
            spectrum = np.fft.rfft(samples[0], axis=1, norm="forward")
            powers[batch] += np.abs(spectrum) ** 2 / sizes.circles

    rng = np.random.default_rng(seed)
    for number in range(total):
        batch = number % sizes.batches
        fed = [(lines + draw(rng))[None] for lines, draw in zip(steady, draws, strict=True)]
        off = run_circles(graph, fed, witness, show)
    lines = np.fft.rfft(ends, axis=2, norm="forward")
    mean = lines.mean(axis=0)
    # What is left of a line's bin: its scatter about the mean of all circles.
    places = slice(None, None, sizes.turns)
    cross = 2 * (np.conj(mean) * lines).real
    left = (powers[:, :, places] - cross + np.abs(mean) ** 2) * (total / max(1, total - 1))
    powers[:, :, places] = np.maximum(left, 0.0)
    lags = np.fft.irfft(powers, length, axis=2, norm="forward")
    chosen, levels = _densities(prediction, lags, sizes.reach)
    parts = np.maximum(standard_error(lines.real), standard_error(lines.imag))
    return NoiseRun(
        means,
        [standard_error(each) for each in offsets],
        mean,
        parts,
        chosen,
        levels,
        lags[:, :, 0].mean(axis=0),
        standard_error(lags[:, :, 0]),
        float(Fraction(total * length) / graph.sample_rate),
        sizes.white,
        sizes.batches,
        off,
    )


def standard_error(batches: Real) -> Real:
    """Return the standard error of the mean of the first axis."""
    return np.asarray(batches.std(axis=0, ddof=1) / np.sqrt(len(batches)))


def _densities(prediction: Prediction, lags: Real, reach: int) -> tuple[NDArray[np.intp], Real]:
    """Return the chosen frequencies, and the density of each batch there."""
    grid, rate = prediction.frequencies, float(prediction.sample_rate)
    batches, channels, length = lags.shape
    half = length // 2
    taper = np.clip((np.arange(half) - reach) / max(1, half - reach), 0.0, 1.0)
    window = np.cos(np.pi / 2 * taper) ** 2
    window[1:] *= 2
    weighted = (lags[:, :, :half] * window).reshape(batches * channels, half)
    most = max(2, _MOST_COSINES // (half * batches * channels))
    chosen = np.arange(grid.size)
    if grid.size > most:
        chosen = np.unique(np.linspace(0, grid.size - 1, most).astype(np.intp))
    found = np.empty((batches * channels, chosen.size))
    for first in range(0, chosen.size, step := max(1, _BLOCK // half)):
        turns = grid[chosen[first : first + step]] / rate
        angles = 2 * np.pi * np.outer(np.arange(half), turns)
        found[:, first : first + step] = weighted @ np.cos(angles)
    return chosen, 2 / rate * found.reshape(batches, channels, -1)
