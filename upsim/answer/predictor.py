"""Predict: push the record through the stack and read the answer from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.answer.measured import Measured
from upsim.answer.prediction import Panels, Prediction, lines_of
from upsim.errors import ArgumentError, TooLargeError
from upsim.layers import Crop
from upsim.network.feed import Feed, signals_of
from upsim.network.graph import Graph, needs_network
from upsim.network.signals import Constant, Signal, WhiteNoise
from upsim.network.stack import Stack
from upsim.theory.lines.ablation import with_repeats
from upsim.theory.lines.expected_tones import expected_tones, lines_left_out
from upsim.theory.lines.provenance import asked_back
from upsim.theory.lines.recorded import recorded_lines
from upsim.theory.lines.statistics import FALSE_ALARM
from upsim.theory.lines.tones import Tone, find_tones, repeating
from upsim.theory.moments import (
    DeterministicMoments,
    EnsembleMoments,
    Moments,
    StationaryMoments,
)
from upsim.theory.moments.closure_error import stated_size
from upsim.theory.moments.propagation import Trace, is_linear, propagate, starting_moments
from upsim.theory.moments.recording import plain_chain, run_chain, with_recording
from upsim.words.arguments import (
    MEMORY_BUDGET,
    axes_of,
    finite_array,
    finite_number,
    memory_refused,
    on_or_off,
    refuse_beyond_memory,
    whole_number,
)
from upsim.words.overflow import in_range, refuse_infinite
from upsim.words.progress import Progress, told
from upsim.words.tolerance import rounding

Array = NDArray[np.float64]

#: Frequencies of a density, when the caller does not say: as many as welch of 4096 samples gives.
_DEFAULT_COUNT = 2049

#: Bytes of a density, a channel and frequency: complex, twice, and real, twice.
_DENSITY = 48

#: Points that a default grid may grow to for long responses.
_MOST_POINTS = 2**16 + 1


def predict(
    stack: Graph,
    signal: Feed | None = None,
    *,
    frequencies: int | ArrayLike | None = None,
    provenance: bool = True,
    memory: float = MEMORY_BUDGET,
    progress: Progress | None = None,
) -> Prediction:
    """Predict in closed form what a stack makes of a signal.

    Parameters
    ----------
    stack : Stack or Graph
        With drawn weights: that network.  With weights that are named initialisations: the
        expectation over all networks that they draw; layers whose weights are given stay as they
        are.
    signal : Signal, or dict of input name to Signal, optional
        ``Constant(1) + WhiteNoise(1)`` by default, on every input channel.  Inputs are independent.
        An input with a signal of its own needs none; one that is given by its name replaces it.
        Recordings at several inputs are equally long in seconds; what is no recording goes on for
        as long.
    frequencies : int or array, optional
        Where the density is evaluated: a number of points from 0 to half the sample rate, or
        frequencies in Hz.  A recording has its own grid (that of its DFT) unless a number is given;
        then its density is averaged as ``scipy.signal.welch`` does.
    provenance : bool
        Whether each line is split by its sources; the lines alone are faster, in expectation up
        to six times: there the walk is repeated without each cause (see `Contribution`).
    memory : float
        Bytes that noise may take in all, 2 GiB by default: the periods of the lines, the
        covariances, what is worked on beside them, and the density.  They are foreseen before
        anything is made; some 32 MiB for pieces of work come on top.  Where the covariances of all
        pairs of channels do not fit, channels are taken as independent: that gives the lines
        alone, ``psd`` is None, and to ask for ``frequencies`` is refused.  What fits in no form is
        refused.  In expectation over networks the phases of the noise's covariance take a
        thirty-second of it; the lines are the same whatever it is.
    progress : callable, optional
        Called with the part that is done, 0 to 1, and the layer that comes next.  Noise through a
        drawn decoder of hundreds of channels takes minutes.

    Returns
    -------
    Prediction

    Raises
    ------
    NotPredictableError
        For noise and a recording together through an activation (at one input, or where the ways
        of two inputs meet), an activation without moments,
        and, over networks, where given layers add channels that are not independent.
    TooLargeError
        If the period of the signal, or the covariances in their least form, would not fit in
        memory, or a density is asked for that does not; before any is taken.

    Examples
    --------
    >>> from upsim.layers import TransposedConv
    >>> stack = Stack([TransposedConv(1, 1, 3, 2, bias=False, weight="ones")], 16000).draw(0)
    >>> print(predict(stack, Constant(1.0)).table())
    frequency  fraction  power     layer               cause         mostly from
    0 Hz       0         3.52 dB   input               input offset  input offset; a step of \
3.52 dB at starts, stops and joins
    8 kHz      1/2       -6.02 dB  1 (TransposedConv)  overlap       input offset
    """
    graph = needs_network(stack, "predict")
    if signal is None:
        signal = Constant(1.0) + WhiteNoise(1.0)
    on_or_off(provenance, "provenance")
    asked = Asked(graph, signal, _grid(frequencies, graph.sample_rate))
    signals = asked.signals
    budget = finite_number(memory, "memory")
    if budget <= 0:
        raise ArgumentError(
            "memory must be positive", given=f"memory={budget:g}", fix="memory=2 * 2**30"
        )
    tell = told(progress)
    with in_range(), memory_refused():
        left = budget
        if graph.is_drawn and any(
            each.has_noise(own.channels, rate)
            for each, own, rate in zip(signals, graph.inputs, graph.input_rates, strict=True)
        ):
            left -= _density_bytes(graph, asked.frequencies, budget)
        starts = starting_moments(
            graph,
            signals,
            provenance=provenance,
            budget=left,
            density_asked=frequencies is not None,
        )
        steady = [start for start in starts if isinstance(start, DeterministicMoments)]
        if (
            len(steady) == len(starts)
            and graph.is_drawn
            and provenance
            and all(start.waveform is None for start in steady)
            and asked_back(graph, [start.period.shape[1] for start in steady])
        ):
            trace = propagate(graph, [start.without_shares() for start in steady], tell)
            return _read(asked, trace, steady)
        if plain_chain(graph) is None or _recorded(starts[0]) is None:
            trace = propagate(graph, starts, tell)
        else:
            # The recording waits at the input until an answer is read.
            trace = propagate(graph, [with_recording(starts[0], None)], tell)
            trace = replace(trace, values=(starts[0], *trace.values[1:]))
        tell(1.0, "reading the answer")
        if provenance:
            trace = with_repeats(signals, trace)
        return _read(asked, trace)


def _density_bytes(graph: Graph, frequencies: int | Array | None, budget: float) -> int:
    """Return what the density takes; refuse one that does not fit."""
    count = frequencies.size if isinstance(frequencies, np.ndarray) else frequencies
    # Complex levels, real ones, and what one is made of on the way.
    size = _DENSITY * graph.out_channels * (count or _DEFAULT_COUNT)
    if size > budget:
        raise TooLargeError(
            f"the density would need {size / 2**20:.1f} MiB",
            given=f"{count or _DEFAULT_COUNT} frequencies of {graph.out_channels} channels",
            expected=f"at most memory={budget:g}, that is {budget / 2**20:.1f} MiB",
            fix="frequencies=129",
        )
    return size


def _predict_input(asked: Asked, number: int) -> Prediction:
    """Return what is fed to an input, by its number from 1, as a prediction."""
    graph = asked.graph
    rate, each = graph.input_rates[number - 1], graph.inputs[number - 1]
    wire = Stack([Crop()], rate, in_channels=each.channels, name=graph.name)
    return predict(wire, asked.signals[number - 1])


@dataclass(frozen=True, eq=False)
class Asked:
    """What was asked: the network, what is fed to it, and the frequencies of the density."""

    graph: Graph
    signal: Feed
    frequencies: int | Array | None

    @cached_property
    def signals(self) -> tuple[Signal, ...]:
        """The signal of each input."""
        return signals_of(self.graph, self.signal)

    def upto(self, place: int) -> Asked:
        """Return the same question about the network up to a given part."""
        graph = self.graph.upto(place)
        signal = self.signal
        if not isinstance(signal, Signal):
            kept = {each.name for each in graph.inputs}
            signal = {name: each for name, each in signal.items() if name in kept}
        count = self.frequencies if isinstance(self.frequencies, int) else None
        return Asked(graph, signal, count)


def _read(
    asked: Asked, trace: Trace, starts: Sequence[DeterministicMoments] | None = None
) -> Prediction:
    """Read the answer at the end of a (possibly shortened) network from a trace.

    ``starts`` are the records at the inputs, for a trace without shares whose lines are to be
    split.
    """
    graph, frequencies, place = asked.graph, asked.frequencies, trace.end
    if isinstance(place, EnsembleMoments):
        return _read_expectation(asked, trace, place)
    recorded = _recorded(trace.values[0])
    if recorded is not None and _recorded(place) is None:
        chain = plain_chain(graph)
        assert chain is not None
        place = with_recording(place, run_chain(chain, recorded))
    mean = repeating(place)
    rate = float(graph.sample_rate)
    assumptions = [*graph.notes, *place.assumptions]
    found = _of_recording(asked, trace, assumptions) if mean.waveform is not None else None
    tones = find_tones(trace, asked.signals, starts=starts) if found is None else found[0]
    run = None if found is None else found[1]
    psd, waveform = None, None
    grid = frequencies
    if mean.waveform is not None:
        waveform = mean.waveform
        count = waveform.shape[1]
        steady = mean.samples(count) if found is None else lines_of(tones, count, len(waveform))
        residue = np.subtract(waveform, steady, out=steady)
        grid, psd = _measured(residue, rate, frequencies)
        assumptions.append("psd: of the recording's output without the listed lines")
    if grid is None or isinstance(grid, int):
        grid = np.linspace(0, rate / 2, grid or _points(place))
    if isinstance(place, StationaryMoments) and not place.place.per_channel:
        level = 2 * place.density(grid / rate).real
        if psd is not None and frequencies is None:
            # Among the bins of a DFT, those at 0 Hz and at Nyquist are half as wide.
            level[:, 0] /= 2
            level[:, -1] /= 1 + (waveform is not None and waveform.shape[1] % 2 == 0)
        psd = level if psd is None else psd + level
    for array in (grid, psd, waveform):
        if array is not None:
            if array is not grid:
                refuse_infinite(array)
            array.setflags(write=False)

    return Prediction(
        graph,
        asked.signal,
        graph.sample_rate,
        grid,
        psd,
        tones,
        tuple(assumptions),
        waveform,
        Panels(len(graph), _After(asked, trace, starts)),
        Panels(len(graph.inputs), partial(_predict_input, asked)),
        place.density if isinstance(place, StationaryMoments) and place.place.linear else None,
        place.noise_power if isinstance(place, StationaryMoments) else None,
        run,
        stated_size(place.place) if isinstance(place, StationaryMoments) else None,
    )


def _of_recording(
    asked: Asked, trace: Trace, assumptions: list[str]
) -> tuple[tuple[Tone, ...], Measured] | None:
    """Return the lines of a recording behind activations; None where linear layers alone are."""
    if is_linear(asked.graph):
        return None
    end = repeating(trace.end)
    assert end.waveform is not None
    shown = end.provenance
    found = recorded_lines(trace, asked.signals, provenance=shown)
    assumptions[:] = [each for each in assumptions if not each.startswith("lines: exact")]
    if found is None:
        assumptions.append(
            "lines: those of silence; the recording is too short to be searched for others"
        )
        return None
    tones, tested, period = found
    seconds = end.waveform.shape[1] / float(asked.graph.sample_rate)
    assumptions.append(
        f"lines: of the recording's {seconds:.4g} s, each tested against its neighbours at a "
        f"false-alarm rate of {FALSE_ALARM:g} in all; their errors are the neighbours' level"
    )
    bounds = np.where(tested.listed, np.nan, tested.bounds)
    bounds.setflags(write=False)
    return tones, Measured(1, 1, seconds, "", 0, 0, None, bounds, period)


def _recorded(record: Moments) -> Array | None:
    """Return the recording that a record holds."""
    return None if isinstance(record, EnsembleMoments) else repeating(record).waveform


def _read_expectation(asked: Asked, trace: Trace, place: EnsembleMoments) -> Prediction:
    """Read the expectation over networks at the end of a (possibly shortened) network."""
    graph, grid = asked.graph, asked.frequencies
    rate = float(graph.sample_rate)
    if grid is None or isinstance(grid, int):
        grid = np.linspace(0, rate / 2, grid or _DEFAULT_COUNT)
    level = place.density(grid / rate)
    refuse_infinite(level)
    # The difference of two kernels that agree to rounding is no density.
    floor = rounding(len(trace.nodes) + 1, float(np.abs(level).max(initial=0.0)))
    psd = place.by_channel(2 * np.clip(level, 0, None) / rate)
    has_noise = bool(level.max(initial=0.0) > floor)
    grid.setflags(write=False)

    return Prediction(
        graph,
        asked.signal,
        graph.sample_rate,
        grid,
        psd if has_noise else None,
        expected_tones(trace, asked.signals),
        graph.notes + place.assumptions + (lines_left_out(graph) if has_noise else ()),
        None,
        Panels(len(graph), _After(asked, trace)),
        Panels(len(graph.inputs), partial(_predict_input, asked)),
        power_of_noise=place.noise_power,
    )


@dataclass(frozen=True, eq=False)
class _After:
    """Reads the answer after a part; a class, so that a prediction can be sent to a worker."""

    asked: Asked
    trace: Trace
    starts: Sequence[DeterministicMoments] | None = None

    def __call__(self, place: int) -> Prediction:
        return _read(self.asked.upto(place), self._split.upto(place))

    @cached_property
    def _split(self) -> Trace:
        """The trace with the shares at every value: inside, channels are too many to ask back."""
        if self.starts is None:
            return self.trace
        return propagate(self.asked.graph, self.starts)


def _points(place: Moments) -> int:
    """Return enough points for every ripple of the density: half the length of its response."""
    memory = place.memory if isinstance(place, StationaryMoments) else 0
    return max(_DEFAULT_COUNT, min(_MOST_POINTS, memory + 1))


def _grid(frequencies: object, rate: Fraction) -> int | Array | None:
    """Return given frequencies, or their number, checked."""
    if frequencies is None:
        return None
    if axes_of(frequencies) == 0:
        count = whole_number(frequencies, "frequencies", least=2)
        refuse_beyond_memory(count * 16, "the density", fix="frequencies=4097")
        return count
    grid = np.array(finite_array(frequencies, "frequencies", shape=(None,)))
    if (
        not grid.size
        or grid.min() < 0
        or grid.max() > float(rate) / 2
        or np.any(np.diff(grid) <= 0)
    ):
        raise ArgumentError(
            "frequencies must ascend from 0 to half the sample rate",
            given=f"{grid.size} frequencies, {grid.min(initial=0):g} to {grid.max(initial=0):g} Hz",
            expected=f"0 to {float(rate) / 2:g} Hz",
        )
    return grid


def _measured(samples: Array, rate: float, frequencies: int | Array | None) -> tuple[Array, Array]:
    """Return the one-sided density of finite samples: whole DFT, or Welch's average."""
    count = samples.shape[1]
    if frequencies is None:
        spectrum = np.fft.rfft(samples, axis=1)
        power = spectrum.real**2
        power += np.square(spectrum.imag, out=spectrum.imag)
        power /= rate * count
        # Every bin but 0 and Nyquist stands for two.
        power[:, 1 : (count + 1) // 2] *= 2
        return np.asarray(np.fft.rfftfreq(count, 1 / rate)), power
    if not isinstance(frequencies, int):
        raise ArgumentError(
            "a recording has the frequencies of its own DFT",
            given="an array of frequencies",
            expected="None, or a number of points",
            fix="frequencies=2049",
        )
    from scipy.signal import welch

    segment = min(count, 2 * (frequencies - 1))
    grid, power = welch(samples, rate, nperseg=segment, detrend=False, axis=1)
    return np.asarray(grid, dtype=np.float64), np.asarray(power, dtype=np.float64)
