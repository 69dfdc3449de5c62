"""The claims about a recording: its output, sample by sample, and the density of what is left."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from upsim.answer.prediction import Prediction
from upsim.network.feed import signals_of
from upsim.theory.lines.statistics import NEIGHBOURS
from upsim.verification.densities import Fed, density
from upsim.verification.inputs import whole_periods
from upsim.verification.lines import Lines, judge_sums, malformed, sides_of
from upsim.verification.report import Check
from upsim.verification.witness import Run, Seen, Witness, run_samples
from upsim.words.tolerance import probable

Real = NDArray[np.float64]


def run_recording(prediction: Prediction, witness: Witness) -> Run:
    """Return the witness's output for recordings with the signals' lines, edges included.

    An input that is no recording is fed its lines for as long.
    """
    graph = prediction.stack
    signals = signals_of(graph, prediction.signal)
    recordings = [
        signal.recording(each.channels, rate)
        for signal, each, rate in zip(signals, graph.inputs, graph.input_rates, strict=True)
    ]
    seconds = max(
        samples.shape[1] / rate
        for samples, rate in zip(recordings, graph.input_rates, strict=True)
        if samples is not None
    )
    fed = []
    for samples, period, rate in zip(
        recordings, whole_periods(prediction), graph.input_rates, strict=True
    ):
        lines = period[:, np.arange(int(seconds * rate)) % period.shape[1]]
        fed.append(lines if samples is None else lines + samples)
    return run_samples(graph, fed, witness)


def judge_waveform(prediction: Prediction, seen: Seen) -> Check:
    """Judge every sample of the output."""
    made, claimed = seen.samples[0], prediction.waveform
    if claimed is None or claimed.shape != made.shape:
        return Check.wrong("recording", f"the output has the shape {made.shape}")
    about = f"all {made.shape[1]} output samples of the recording"
    return Check.worst("recording", about, np.abs(made - claimed), seen.error[:, None])


def judge_recorded_lines(prediction: Prediction, seen: Seen) -> list[Check]:
    """Judge the lines of a recording: amplitudes, sums of shares, and that no stronger one is left.

    The mean of whole periods of the witness's output has the lines that a bin of their own has.
    """
    run = prediction.measured
    if run is None:  # too few periods for lines of its own
        return []
    samples, period = seen.samples, run.period
    turns = samples.shape[2] // period
    cut = samples[:, :, : turns * period].reshape(*samples.shape[:2], turns, period)
    # A sum of the periods, beside the error of the samples.
    error = seen.error + probable(turns, 1.0) * seen.size
    lines = Lines(Seen(cut.mean(axis=2), error))
    wrong = malformed(prediction, samples.shape[1])
    if wrong:
        return [Check.wrong("lines", wrong)]
    sums = judge_sums(prediction, lines)
    tones = prediction.tones
    found = lines.at([tone.fraction for tone in tones])[0]
    claimed = np.array([tone.amplitude for tone in tones]).reshape(-1, samples.shape[1])
    about = f"amplitudes of {len(tones)} lines in the witness's output of the recording"
    checks = [Check.worst("lines", about, np.abs(claimed - found), lines.tolerance)]
    listed = {int(tone.fraction * period) for tone in tones}
    if listed != set(np.flatnonzero(np.isnan(run.bounds).any(axis=0)).tolist()):
        return [Check.wrong("lines", "some place has neither a line nor an upper bound")]
    sides = np.array([sides_of(Fraction(k, period)) for k in range(run.bounds.shape[1])])
    power = sides * np.abs(lines.amplitudes[0]) ** 2
    left = ~np.isnan(run.bounds)
    claimed = power.copy()
    beside = sides * _beside(samples[0, :, : turns * period], period)
    for tone in tones:
        # What the neighbours hold is taken off.
        number = int(tone.fraction * period)
        power[:, number] = np.maximum(power[:, number] - beside[:, number], 0.0)
        claimed[:, number] = tone.power
    off = np.where(left, power - np.nan_to_num(run.bounds), np.abs(claimed - power))
    about = "powers less those of the neighbours; upper bounds at all other places"
    widest = float(lines.tolerance.max())
    scale = 2 * np.sqrt(claimed + beside) + 2 * widest
    checks.append(Check.worst("powers", about, np.maximum(off, 0.0), 2 * widest * scale))
    return [*checks, *sums]


def _beside(samples: Real, period: int) -> Real:
    """Return the mean power of the bins next to each place, (channels, period // 2 + 1)."""
    count = samples.shape[1]
    turns = count // period
    power = np.abs(np.fft.fft(samples, axis=1) / count) ** 2
    reach = min(NEIGHBOURS, (turns - 1) // 2)
    found = []
    for number in range(period // 2 + 1):
        near = [number * turns + step for step in range(-reach, reach + 1) if step]
        found.append(power[:, np.array(near) % count].mean(axis=1))
    return np.array(found).T


def judge_recorded_density(
    prediction: Prediction, seen: Seen, steady: Seen, fed: Sequence[Fed]
) -> Check:
    """Judge the density of the output less its lines: of the whole, or Welch's average.

    Parameters
    ----------
    prediction : Prediction
    seen : Seen
        The output of the recording.
    steady : Seen
        One period of the lines.
    fed : sequence of (Signal, Impulses)
        For noise beside the recordings.
    """
    name, grid, psd = "density", prediction.frequencies, prediction.psd
    made, rate = seen.samples[0], float(prediction.stack.sample_rate)
    count = made.shape[1]
    if psd is None or psd.shape != (made.shape[0], grid.size):
        return Check.wrong(name, "there is no density for each channel")
    rest = made - steady.samples[0][:, np.arange(count) % steady.samples.shape[2]]
    error = seen.error + steady.error
    noise, allowed = density(prediction, fed, grid)
    whole = np.fft.rfftfreq(count, 1 / rate)
    found: list[tuple[Real, Real]] = []
    if grid.size == whole.size and np.array_equal(grid, whole):
        # Every bin but 0 and Nyquist stands for two, and is twice as wide.
        sides = np.where((np.arange(grid.size) * 2) % count == 0, 1.0, 2.0)
        power = sides * np.abs(np.fft.rfft(rest, axis=1)) ** 2 / (rate * count)
        found.append((power + noise * sides / 2, allowed))
    from scipy.signal import welch

    segment = min(count, 2 * (grid.size - 1))
    if segment:
        points, power = welch(rest, rate, nperseg=segment, detrend=False, axis=1)
        if points.size == grid.size:
            found.append((power + noise, allowed))
    if not found:
        return Check.wrong(name, "the frequencies are neither those of a DFT nor Welch's")
    # A bin is |X|^2 / (rate n), X a sum of n samples (or of a window's, which are no larger).
    size = np.abs(rest).max(axis=1, initial=0.0)
    root = np.sqrt(count / rate)
    moved = 2 * root * (error + probable(count.bit_length() + 1, 1.0) * size)[:, None]
    checks = []
    for level, more in found:
        bound = more + moved * (2 * np.sqrt(level) + moved)
        about = f"density of the recording's output without its lines, {grid.size} bins"
        checks.append(Check.worst(name, about, np.abs(level - psd), bound))
    return min(checks, key=lambda check: (not check.passed, check.error or 0.0))
