"""``measure``: run a network in batches, and say what comes out, with errors and makers."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from upsim.answer.measured import Measured
from upsim.answer.prediction import Panels, Prediction, lines_of
from upsim.answer.predictor import predict
from upsim.errors import ArgumentError, NotPredictableError, TooLargeError
from upsim.files.paths import refuse_output
from upsim.layers import Crop
from upsim.measuring.circles import Circles
from upsim.measuring.plan import Plan, planned
from upsim.measuring.recording import run_recording, stretched_density
from upsim.measuring.resumefile import fingerprint, load, save
from upsim.measuring.steady import steady_lines
from upsim.network.draws import Draws
from upsim.network.feed import Feed, signals_of
from upsim.network.graph import Graph, needs_network
from upsim.network.signals import Constant, Signal, WhiteNoise
from upsim.network.stack import Stack
from upsim.neural.backends import Backend, backend_of
from upsim.theory.lines.explained import MeanPeriods, explained, lines_fed
from upsim.theory.lines.recorded import terms
from upsim.theory.lines.statistics import FALSE_ALARM, line_statistics, mean_and_error
from upsim.theory.moments import DeterministicMoments
from upsim.words.arguments import (
    LARGEST_SEED,
    finite_number,
    path_of,
    refuse_beyond_memory,
    whole_number,
)
from upsim.words.overflow import in_range, refuse_infinite
from upsim.words.progress import Progress, told
from upsim.words.tolerance import probable
from upsim.words.units import exact

Real = NDArray[np.float64]

#: The fewest batches from whose scatter an error is taken.
LEAST_BATCHES = 8

#: Decibels of a power that is larger by a small share.
_DECIBELS = 10 / np.log(10)

#: Seconds between two writings of the file of a run.
_SAVED_EVERY = 10.0

#: Seconds of output that are run for a target where none are said.
_MOST_SECONDS = 3600.0

#: What a first forecast of the time may be short by, before it refuses.
_DOUBT = 1.5


def measure(
    graph: Graph,
    signal: Feed | None = None,
    *,
    target_db: float | None = 0.5,
    seconds: float | None = None,
    frequencies: int = 129,
    batches: int = 16,
    seed: int = 0,
    backend: str | Backend = "numpy",
    device: str = "cpu",
    dtype: object = "float64",
    resume: str | Path | None = None,
    progress: Progress | None = None,
) -> Prediction:
    """Run a network on a signal and say what comes out: density, lines, errors, and makers.

    Parameters
    ----------
    graph : Stack or Graph
        With drawn weights.
    signal : Signal, or dict of input name to Signal, optional
        As :func:`upsim.predict` takes it.  Recordings, of sound or of frames (a mel spectrogram),
        are run as they are, ends included, with lines and noise of other inputs for as long.
    target_db : float or None
        For noise.  The standard error of the density, root mean square over frequencies and
        channels, in dB.
        None: run for ``seconds``.
    seconds : float, optional
        Of the output, that may be run in all.  Without it, as many as the target takes, up to an
        hour.
    frequencies : int
        Points of the density, from 0 to half the sample rate.
    batches : int
        Of which the scatter gives the errors; at least 8.
    seed : int
        Of the noise.
    backend : str
        What runs the layers: "numpy", "torch", or "cuda", torch on a GPU.
    device : str
        Of torch: "cpu", "cuda".
    dtype : str
        "float64" or "float32"; torch also runs "tf32", "float16" and "bfloat16".
    resume : path, optional
        A file in which the run is kept.  If it exists, the run goes on from there.
    progress : callable, optional
        Called with the part that is done, 0 to 1, and what comes next.

    Returns
    -------
    Prediction
        With :attr:`Prediction.measured`.  An interruption (Ctrl-C) ends the run, and what was
        measured by then is returned.

    Notes
    -----
    A batch is a number of circles: runs whose input repeats, so that nothing has an end.  What is
    random is drawn anew for each.  A line is listed where it stands out of the scatter of the
    batches; the chance that any other is listed is 1e-3 in all.  Where none is listed,
    :attr:`Measured.bounds` says how strong it may be.  The shares of a line are those of this very
    run, and add up to it at rounding.

    Examples
    --------
    >>> from upsim import Conv, ReLU, TransposedConv
    >>> layers = [TransposedConv(1, 8, 8, 4), ReLU(), TransposedConv(8, 1, 8, 4), ReLU()]
    >>> run = measure(Stack(layers, 16000).draw(0), WhiteNoise(1.0), target_db=1.0)
    >>> print(run.assumptions[0])
    measured: ...
    """
    graph = needs_network(graph, "measure")
    if not graph.is_drawn:
        raise NotPredictableError(
            "an expectation over networks is not one network that could be run",
            given="a network whose weights are not drawn yet",
            fix="upsim.measure(graph.draw(seed=0), signal)",
        )
    if signal is None:
        signal = Constant(1.0) + WhiteNoise(1.0)
    kept = None
    if resume is not None:
        kept = refuse_output(path_of(resume, "resume"), overwrite=True)
    asked = Asked(
        graph,
        signal,
        _positive(target_db, "target_db"),
        _positive(seconds, "seconds"),
        whole_number(frequencies, "frequencies", least=3, most=2**16 + 1),
        whole_number(batches, "batches", least=LEAST_BATCHES, most=2**12),
        whole_number(seed, "seed", least=0, most=LARGEST_SEED),
        backend_of(backend, dtype=dtype, device=device),
        kept,
    )
    if asked.target is None and asked.seconds is None:
        raise ArgumentError(
            "a run needs an end",
            given="target_db=None, seconds=None",
            expected="a target, or seconds",
            fix="target_db=0.5",
        )
    with in_range():
        return _Measuring(asked, told(progress)).result()


def _positive(value: object, name: str) -> float | None:
    if value is None:
        return None
    number = finite_number(value, name)
    if number <= 0:
        raise ArgumentError(
            f"{name} must be positive",
            given=f"{name}={number:g}",
            fix=f"{name}={'0.5' if name == 'target_db' else '10'}",
        )
    return number


@dataclass(frozen=True, eq=False)
class Asked:
    """What was asked, checked."""

    graph: Graph
    signal: Feed
    target: float | None
    seconds: float | None
    points: int
    batches: int
    seed: int
    backend: Backend
    resume: Path | None

    def upto(self, place: int, seconds: float | None) -> Prediction:
        """Return the same for the network up to a given part, run for as long."""
        graph, signal = self.graph.upto(place), self.signal
        if not isinstance(signal, Signal):
            kept = {each.name for each in graph.inputs}
            signal = {name: each for name, each in signal.items() if name in kept}
        # Bands of the same width, as far as the rate reaches.
        points = round((self.points - 1) * float(graph.sample_rate / self.graph.sample_rate)) + 1
        return measure(
            graph,
            signal,
            target_db=0.5 if seconds is None else None,
            seconds=seconds,
            frequencies=max(3, points),
            batches=self.batches,
            seed=self.seed,
            backend=self.backend,
        )

    def fed(self, number: int) -> Prediction:
        """Return what is fed to an input, by its number from 1."""
        each, rate = self.graph.inputs[number - 1], self.graph.input_rates[number - 1]
        wire = Stack([Crop()], rate, in_channels=each.channels, name=self.graph.name)
        return predict(wire, signals_of(self.graph, self.signal)[number - 1])


class _Measuring:
    """One call of ``measure``."""

    def __init__(self, asked: Asked, tell: Progress) -> None:
        self.asked, self.tell = asked, tell
        graph = self.graph = asked.graph
        self.signals = signals_of(graph, asked.signal)
        self.grid = np.linspace(0.0, float(graph.sample_rate) / 2, asked.points)
        self.grid.setflags(write=False)
        self.noisy = [
            signal.has_noise(each.channels, rate)
            for signal, each, rate in zip(
                self.signals, graph.inputs, graph.input_rates, strict=True
            )
        ]

    def result(self) -> Prediction:
        """Run, and return the answer."""
        graph, asked = self.graph, self.asked
        if any(
            signal.recording(each.channels, rate) is not None
            for signal, each, rate in zip(
                self.signals, graph.inputs, graph.input_rates, strict=True
            )
        ):
            return self._recorded()
        if not any(self.noisy):
            return self._steady()
        limit = None if asked.seconds is None else exact(asked.seconds, "seconds")
        plan = planned(graph, self.signals, self.grid, limit, LEAST_BATCHES, asked.backend.numbers)
        count = asked.batches
        if limit is not None:
            count = max(LEAST_BATCHES, min(count, int(limit // plan.seconds)))
        self._refuse_far_target(plan)
        starts = [
            lines_fed(graph, signal, number, plan.periods[number])
            for number, signal in enumerate(self.signals)
        ]
        draws = [
            Draws(signal, each.channels, plan.length(number), rate)
            for number, (signal, each, rate) in enumerate(
                zip(self.signals, graph.inputs, graph.input_rates, strict=True)
            )
        ]
        refuse_beyond_memory(
            count * graph.out_channels * (plan.period + self.grid.size),
            "the sums of all batches",
            fix="batches=8",
        )
        circles = Circles(plan, draws, starts, asked.backend, self.grid, count, asked.seed)
        stopped = self._run(circles)
        return self._read(circles, starts, stopped=stopped)

    # ------------------------------------------------------------------ how long

    def _refuse_far_target(self, plan: Plan) -> None:
        """Refuse a target that not even Gaussian noise reaches in the seconds."""
        asked = self.asked
        if asked.target is None:
            return
        bins = plan.length(self.graph.end) / 2 / (self.grid.size - 1)
        ratio = min(_DECIBELS / asked.target, 1e100)
        needed = ratio**2 / bins * float(plan.seconds)
        if needed > self.most_seconds:
            self._too_short(needed, "even for Gaussian noise")

    def _too_short(self, needed: float, why: str) -> None:
        target, seconds = self.asked.target, self.most_seconds
        assert target is not None
        kept = "" if self.asked.resume is None else ", which goes on from the file"
        raise TooLargeError(
            "the target cannot be reached in these seconds",
            given=f"target_db={target:g}, seconds={seconds:g}",
            expected=f"about {needed:.3g} s ({why})",
            fix=f"seconds={np.ceil(needed * 1.2):g}{kept}, or "
            f"target_db={target * np.sqrt(needed / seconds) * 1.1:.2g}",
        )

    @property
    def most_seconds(self) -> float:
        """Seconds of output that may be run."""
        return _MOST_SECONDS if self.asked.seconds is None else self.asked.seconds

    def _run(self, circles: Circles) -> bool:
        """Run until the target or the end; return whether it was interrupted."""
        asked, plan = self.asked, circles.plan
        mark = ""
        if asked.resume is not None:
            mark = fingerprint(
                self.graph,
                list(self.signals),
                asked.seed,
                asked.points,
                circles.batches,
                plan.turns,
                asked.backend.name,
            )
            if os.path.lexists(asked.resume):
                load(asked.resume, mark, circles.sums)
            else:  # a place that cannot be written is found before the work
                save(asked.resume, mark, circles.sums)
        most = int(exact(self.most_seconds, "seconds") // plan.seconds)
        goal = circles.batches
        saved = time.monotonic()
        try:
            while True:
                while circles.done < goal:
                    done = circles.done
                    self.tell(
                        min(0.99, done / goal), f"{done * float(plan.seconds):.3g} s measured"
                    )
                    circles.run(min(plan.rows, goal - done))
                    if asked.resume is not None and time.monotonic() - saved > _SAVED_EVERY:
                        save(asked.resume, mark, circles.sums)
                        saved = time.monotonic()
                goal = self._goal(circles, most)
                if goal <= circles.done:
                    return False
        except KeyboardInterrupt:
            if np.count_nonzero(circles.sums.output.counts) < LEAST_BATCHES:
                raise
            return True
        finally:
            if asked.resume is not None and circles.done:
                save(asked.resume, mark, circles.sums)

    def _goal(self, circles: Circles, most: int) -> int:
        """Return the circles to run in all, from the scatter so far."""
        asked, done, batches = self.asked, circles.done, circles.batches
        if asked.target is None:
            return max(done, most // batches * batches)
        error = self._error_db(circles)
        wanted = int(np.ceil(done * (error / asked.target) ** 2))
        wanted = -(-wanted // batches) * batches
        if error <= asked.target:
            return done
        if wanted > most:
            needed = wanted * float(circles.plan.seconds)
            if done >= most // batches * batches or wanted > _DOUBT * most:
                self._too_short(needed, "by the scatter of its batches")
            return most // batches * batches
        return max(wanted, done + batches)

    def _error_db(self, circles: Circles) -> float:
        """Return the standard error of the density, rms, in dB."""
        output = circles.sums.output
        level, error = mean_and_error(output.levels, output.counts)
        there = level > 0
        if not there.any():
            return 0.0
        return float(_DECIBELS * np.sqrt(np.mean((error[there] / level[there]) ** 2)))

    # ------------------------------------------------------------------ the answer

    def _read(
        self, circles: Circles, starts: Sequence[DeterministicMoments], *, stopped: bool
    ) -> Prediction:
        plan, output, asked = circles.plan, circles.sums.output, self.asked
        psd, psd_error = mean_and_error(output.levels, output.counts)
        square, _ = mean_and_error(output.squares, output.counts)
        for array in (psd, square):
            refuse_infinite(array)
        floor = probable(terms(self.graph), 1.0, asked.backend.epsilon) * np.sqrt(square)
        found = line_statistics(output.periods, output.counts, floor)
        nodes = circles.sums.nodes
        fed = [each / circles.done for each in circles.sums.inputs]
        means = MeanPeriods(
            fed,
            ["input noise"] * len(fed),
            {name: each.mean for name, each in nodes.items()},
            {name: each.gains() for name, each in nodes.items()},
        )
        tones = explained(self.graph, self.signals, starts, means, found)
        bounds = np.where(found.listed, np.nan, found.bounds)
        batches = int(np.count_nonzero(output.counts))
        seconds = circles.done * float(plan.seconds)
        lines_power = sum((tone.power for tone in tones), np.zeros(self.graph.out_channels))
        noise = np.maximum(square - lines_power, 0.0)
        for array in (psd, psd_error, bounds):
            array.setflags(write=False)
        run = Measured(
            batches,
            circles.done,
            seconds,
            asked.backend.name,
            asked.seed,
            batches - 1,
            psd_error,
            bounds,
            plan.period,
        )
        error = self._error_db(circles)
        places = bounds.shape[1]
        circle, width = float(plan.seconds), float(self.grid[1])
        ran = f"{asked.backend.name}, seed {asked.seed}"
        size = f"{seconds:.4g} s in {batches} batches, each of circles of {circle:.4g} s, by {ran}"
        to = f"{error:.2g} dB (standard error, rms over frequencies)"
        over = f"{places} place{'s' if places > 1 else ''}"
        assumptions = [
            f"measured: {size}",
            f"measured: density to {to}, each point the mean of a band of {width:.4g} Hz",
            f"measured: lines at a false-alarm rate of {FALSE_ALARM:g} over {over}",
            *plan.notes,
            *self.graph.notes,
        ]
        if stopped:
            assumptions.insert(1, f"measured: interrupted after {seconds:.4g} s")
        return Prediction(
            self.graph,
            asked.signal,
            self.graph.sample_rate,
            self.grid,
            psd,
            tones,
            tuple(assumptions),
            None,
            Panels(len(self.graph), partial(_upto, asked, seconds)),
            Panels(len(self.graph.inputs), asked.fed),
            power_of_noise=partial(np.array, noise),
            measured=run,
        )

    def _recorded(self) -> Prediction:
        """Return the answer for recordings."""
        asked, graph = self.asked, self.graph
        if asked.resume is not None:
            raise ArgumentError(
                "a recording is run at once",
                given="resume, and a recording as the signal",
                fix="seconds=10, without resume",
            )
        limit = None if asked.seconds is None else exact(asked.seconds, "seconds")
        self.tell(0.0, "the recording")
        run = run_recording(graph, self.signals, asked.backend, seconds=limit, seed=asked.seed)
        waveform, count = run.waveform, run.waveform.shape[1]
        refuse_infinite(waveform)
        rest = waveform - lines_of(run.tones, count, graph.out_channels)
        rate = float(graph.sample_rate)
        psd, psd_error, stretches = stretched_density(rest, rate, asked.points)
        bounds = np.where(run.found.listed, np.nan, run.found.bounds)
        for array in (psd, psd_error, bounds, waveform):
            array.setflags(write=False)
        seconds = count / rate
        record = Measured(
            stretches,
            1,
            seconds,
            asked.backend.name,
            asked.seed,
            stretches - 1,
            psd_error,
            bounds,
            run.period,
        )
        by = f"by {asked.backend.name}"
        if any(self.noisy):
            by += f", seed {asked.seed}"
        rarely = f"at a false-alarm rate of {FALSE_ALARM:g} over {bounds.shape[1]} places"
        assumptions = (
            f"measured: {seconds:.4g} s of a recording, its ends included, {by}",
            f"measured: density with the scatter of {stretches} stretches as its error",
            f"measured: lines against their neighbours, {rarely}",
            "measured: what the ends make is a share of its own",
            *graph.notes,
        )
        return Prediction(
            graph,
            asked.signal,
            graph.sample_rate,
            self.grid,
            psd,
            run.tones,
            assumptions,
            waveform,
            Panels(len(graph), partial(_upto, asked, asked.seconds)),
            Panels(len(graph.inputs), asked.fed),
            power_of_noise=partial(np.array, np.square(rest).mean(axis=1)),
            measured=record,
        )

    def _steady(self) -> Prediction:
        """Return the answer where nothing is random: one period is all there is."""
        asked, graph = self.asked, self.graph
        tones, bounds, period = steady_lines(graph, self.signals, asked.backend)
        seconds = period / float(graph.sample_rate)
        run = Measured(1, 1, seconds, asked.backend.name, asked.seed, 0, None, bounds, period)
        assumptions = (
            f"measured: one period of {seconds:.4g} s by {asked.backend.name}; nothing is random",
            *graph.notes,
        )
        return Prediction(
            graph,
            asked.signal,
            graph.sample_rate,
            self.grid,
            None,
            tones,
            assumptions,
            None,
            Panels(len(graph), partial(_upto, asked, None)),
            Panels(len(graph.inputs), asked.fed),
            measured=run,
        )


def _upto(asked: Asked, seconds: float | None, place: int) -> Prediction:
    return asked.upto(place, seconds)
