"""What is compared between a prediction and torch: one function a kind, each with its outcome."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np
import torch

import upsim
from upsim.errors import ShapeError, UpsimError
from upsim.words.tolerance import rounding

from .networks import Network
from .precision import Measured, measured, measured_each
from .torch_run import Arithmetic, LengthError, run, steady


@dataclass(frozen=True)
class Outcome:
    """One comparison: the numbers compared, the largest difference over the tolerance.

    ``verdict`` is "agree", "differ", "refused" (upsim refuses what torch runs), "raised", or
    "ill-conditioned" (single precision says too little of the rounding for a verdict).
    """

    check: str
    verdict: str
    numbers: int = 0
    worst: float = 0.0
    detail: str = ""


#: The kinds of comparisons, in the order of the report.
CHECKS = ("lengths", "lines", "shares", "recordings", "densities")


def compare(network: Network, seed: int) -> list[Outcome]:
    """Return the outcomes of all comparisons that apply to a network."""
    rng = np.random.default_rng(seed)
    found = []
    for check, outcomes in (
        ("lengths", _lengths(network, rng)),
        ("lines", _lines(network, rng)),
        ("recordings", _recordings(network, rng)),
        ("densities", _densities(network, rng)),
    ):
        try:
            found += list(outcomes)
        except UpsimError as error:
            found.append(Outcome(check, "refused", detail=f"{type(error).__name__}: {error}"))
        except Exception as error:  # noqa: BLE001 - any bug of upsim is an outcome
            place = traceback.extract_tb(error.__traceback__)[-1]
            detail = f"{type(error).__name__}: {error} ({place.filename}:{place.lineno})"
            found.append(Outcome(check, "raised", detail=detail))
    return found


def _judged(check: str, found: np.ndarray, truth: Measured, what: str = "") -> Outcome:
    if found.shape != truth.values.shape:
        return Outcome(check, "differ", detail=f"{what} shape {found.shape}, {truth.values.shape}")
    difference = float(np.abs(found - truth.values).max(initial=0.0))
    worst = difference / truth.tolerance if truth.tolerance else float(difference > 0)
    if worst <= 1:
        return Outcome(check, "agree", truth.values.size, worst)
    verdict = "differ" if truth.is_proportional else "ill-conditioned"
    detail = f"{what} off by {difference:.3g}, tolerance {truth.tolerance:.3g}, size "
    detail += f"{np.abs(truth.values).max():.3g}"
    return Outcome(check, verdict, truth.values.size, worst, detail)


# Lengths


def _inputs(network: Network, length: int) -> list[tuple[int, int]]:
    """Return the shape of each input for ``length`` samples of the first; or a multiple of that."""
    rates = [network.rates[0] / rate for rate in network.rates]
    whole = lcm(*(rate.denominator for rate in rates))
    length = -(-length // whole) * whole
    return [(c, int(length * rate)) for c, rate in zip(network.channels, rates, strict=True)]


def _lengths(network: Network, rng: np.random.Generator) -> Iterator[Outcome]:
    """Compare the length of each value, and which inputs cannot run."""
    for length in (int(rng.integers(1, 12)), int(rng.integers(12, 100))):
        shapes = _inputs(network, length)
        fed = [torch.zeros(1, *shape, dtype=torch.float64) for shape in shapes]
        first = shapes[0][1]
        try:
            _, true = run(network.nodes, fed, Arithmetic(torch.float64))
        except LengthError as error:
            try:
                network.subject.output_length(first)
            except ShapeError:
                yield Outcome("lengths", "agree", 1)
            else:
                yield Outcome("lengths", "differ", detail=f"n = {first}: {error}, upsim gives one")
            continue
        promised = network.subject.lengths(first)
        if promised == true:
            yield Outcome("lengths", "agree", len(true))
        else:
            yield Outcome("lengths", "differ", len(true), 0.0, f"n = {first}: {promised}, {true}")


# Lines and shares


def _fed(network: Network, rng: np.random.Generator) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Return a periodic signal for each input, and one period of each."""
    signals, periods = {}, []
    kind = rng.random()
    for each, rate in zip(network.subject.inputs, network.subject.input_rates, strict=True):
        if kind < 0.15:
            signals[each.name] = upsim.Silence()
            periods.append(np.zeros((each.channels, 1)))
            continue
        values = rng.uniform(0.3, 1.2, each.channels) * rng.choice([-1, 1], each.channels)
        signals[each.name], period = upsim.Constant(values), values[:, None]
        if kind < 0.45:
            count = int(rng.choice([2, 3, 4, 5, 8]))
            turns = Fraction(int(rng.integers(1, count // 2 + 1)), count)
            amplitude, phase = rng.uniform(0.2, 1.0, each.channels), float(rng.uniform(0, 6))
            signals[each.name] += upsim.Sine(turns * rate, amplitude, phase)
            angles = 2 * np.pi * float(turns) * np.arange(turns.denominator) + phase
            period = period + amplitude[:, None] * np.cos(angles)
        periods.append(period)
    return signals, periods


def _lines(network: Network, rng: np.random.Generator) -> Iterator[Outcome]:
    """Compare all lines of the steady state, then what each source has of them."""
    signals, periods = _fed(network, rng)

    def lines(
        arithmetic: Arithmetic,
        fed: Sequence[np.ndarray] = periods,
        only: Sequence[str] | None = None,
    ) -> torch.Tensor:
        rows = 1 if only is None else len(only)
        inputs = [arithmetic(each)[None].expand(rows, -1, -1) for each in fed]
        made = steady(network.nodes, inputs, arithmetic, only=only)
        transform = torch.fft.rfft if only is None else torch.fft.fft
        return transform(made[0] if only is None else made, norm="forward")

    seed, operations = int(rng.integers(2**31)), 8 * len(network.nodes) + 64
    truth = measured(lines, seed, operations)
    prediction = upsim.predict(network.subject, signals, frequencies=2)
    double = Arithmetic(torch.float64)
    inputs = [double(each)[None] for each in periods]
    count = steady(network.nodes, inputs, double).shape[-1]
    found, strays = _spectrum(prediction.tones, truth.values.shape, count)
    if strays > truth.tolerance:
        yield Outcome("lines", "differ", detail=f"a line of {strays:.3g} between the true ones")
    yield _judged("lines", found, truth, _where(found, truth, count))
    yield from _sums(prediction.tones, truth, len(network.nodes))
    if network.is_linear:
        yield from _sources(network, prediction.tones, lines, periods, truth, count, seed)


def _spectrum(tones: tuple[upsim.Tone, ...], shape: tuple[int, ...], count: int):
    """Return listed lines at ``k / count``, and the largest line that stands elsewhere."""
    found, strays = np.zeros(shape, dtype=np.complex128), 0.0
    for tone in tones:
        place = tone.fraction * count
        if place.denominator == 1:
            found[:, int(place)] += tone.amplitude
        else:
            strays = max(strays, float(np.abs(tone.amplitude).max()))
    return found, strays


def _where(found: np.ndarray, truth: Measured, count: int) -> str:
    line = int(np.abs(found - truth.values).max(axis=0).argmax())
    missing = "" if found[:, line].any() else ", not listed"
    return f"line {line}/{count}{missing}:"


def _sums(tones: tuple[upsim.Tone, ...], truth: Measured, nodes: int) -> Iterator[Outcome]:
    """Compare each line with the sum of its shares.

    Shares may be larger than their sum.  A share is rounded as the whole is, in proportion to its
    size.
    """
    line = float(np.abs(truth.values).max(initial=0.0))
    worst, what = 0.0, ""
    for tone in tones:
        shares = np.array([share.amplitude for share in tone.contributions])
        apart = float(np.abs(shares.sum(axis=0) - tone.amplitude).max())
        size = float(np.abs(shares).sum(axis=0).max(initial=0.0))
        larger = max(1.0, size / line) if line else 1.0
        ratio = apart / (truth.tolerance * larger + rounding(8 * nodes, size) or 1.0)
        if ratio > worst:
            worst, what = ratio, f"shares of line {tone.fraction}: sum off by {apart:.3g}"
    verdict = "agree" if worst <= 1 else "differ" if truth.is_proportional else "ill-conditioned"
    yield Outcome("shares", verdict, len(tones), worst, "" if worst <= 1 else what)


def _sources(network, tones, lines, periods, line, count, seed) -> Iterator[Outcome]:
    """Compare the share of each source of a linear network with torch on that source alone.

    Shares weaker than the rounding of the line are listed as the strongest one's, and the shares
    together may be larger than the line.
    """
    silence = [np.zeros((channels, 1)) for channels in network.channels]
    truths, operations = {}, 8 * len(network.nodes) + 64
    for number, each in enumerate(network.subject.inputs):
        fed = [*silence[:number], periods[number], *silence[number + 1 :]]

        def by_itself(arithmetic: Arithmetic, fed: list[np.ndarray] = fed) -> torch.Tensor:
            return lines(arithmetic, fed, [""])[0]

        name = each.name if len(periods) > 1 else ""
        truths[name] = measured(by_itself, seed, operations)
    names = [node.name for node in network.nodes if node.layer is not None]

    def alone(arithmetic: Arithmetic) -> torch.Tensor:
        return lines(arithmetic, silence, names)

    if names:
        rows = zip(names, measured_each(alone, seed, operations), strict=True)
        truths |= {name: truth for name, truth in rows if truth.values.any()}
    together = sum(float(np.abs(truth.values).max(initial=0.0)) for truth in truths.values())
    size = float(np.abs(line.values).max(initial=0.0))
    weak = line.tolerance * (max(1.0, together / size) if size else 1.0)
    outcomes = []
    for name, truth in truths.items():
        found = np.zeros((truth.values.shape[0], count // 2 + 1), dtype=np.complex128)
        for tone in tones:
            for share in tone.contributions:
                if share.layer == name:
                    found[:, int(tone.fraction * count)] += share.amplitude
        spread = np.zeros((len(found), count), dtype=np.complex128)
        spread[:, :: count // truth.values.shape[1]] = truth.values
        whole = replace(truth, values=spread[:, : count // 2 + 1], tolerance=truth.tolerance + weak)
        outcomes.append(_judged("shares", found, whole, f"source {name or 'input'},"))
    bad = [each for each in outcomes if each.verdict != "agree"] or outcomes
    worst = max(bad, key=lambda each: each.worst)
    more = f" (and {len(bad) - 1} more sources)" if worst.verdict != "agree" and bad[1:] else ""
    numbers = sum(each.numbers for each in outcomes)
    yield replace(worst, numbers=numbers, detail=worst.detail + more)


# Recordings


def _recordings(network: Network, rng: np.random.Generator) -> Iterator[Outcome]:
    """Compare a finite output sample by sample, ends included."""
    graph = network.subject
    for length in (int(rng.integers(8, 48)), int(rng.integers(150, 250)), 960):
        fed = [rng.standard_normal(shape) for shape in _inputs(network, length)]

        def made(arithmetic: Arithmetic, fed: list[np.ndarray] = fed) -> torch.Tensor:
            return run(network.nodes, [arithmetic(each)[None] for each in fed], arithmetic)[0][0]

        try:
            truth = measured(made, int(rng.integers(2**31)), 8 * len(network.nodes) + 64)
        except LengthError:
            continue
        signals = {
            each.name: upsim.Recorded(samples, rate)
            for each, samples, rate in zip(graph.inputs, fed, graph.input_rates, strict=True)
        }
        prediction = upsim.predict(graph, signals, provenance=False)
        yield _judged("recordings", prediction.waveform, truth)
        return


# Densities


def _densities(network: Network, rng: np.random.Generator) -> Iterator[Outcome]:
    r"""Compare the density of white noise at every input of a linear network.

    A network that repeats itself after U output samples, D of an input, answers an impulse at
    sample m of that input with h_m[n], and h_{m + D}[n + U] = h_m[n].  So the density, the mean
    over the U phases of the output and the sum over the inputs' channels, is
    :math:`S(f) = \frac{2}{U f_s} \sum_{c} \sigma_c^2 \sum_{m < D} |H_{c m}(f)|^2`, one-sided.
    """
    if not network.is_linear:
        return
    graph, double = network.subject, Arithmetic(torch.float64)
    silence = [torch.zeros(1, channels, 1, dtype=torch.float64) for channels in network.channels]
    up = steady(network.nodes, silence, double).shape[-1]
    # the samples of each input after which the network repeats itself
    downs = [int(up / rate) for rate in network.rates]
    powers = [rng.uniform(0.2, 2.0, channels) for channels in network.channels]
    weights = np.concatenate([np.repeat(p, d) for p, d in zip(powers, downs, strict=True)])
    # Few bits each, so that the phases of a long response are exact.
    turns = np.unique(np.rint(rng.uniform(0.002, 0.498, 24) * 2**20)) / 2**20
    for blocks in (24, 120, 600, 3000):
        # Numbers that the network makes of the impulses, at its output's rate.
        if weights.size * blocks * up * len(network.nodes) > 2**23:
            return
        impulses = _impulses(network.channels, downs, blocks)

        def responses(arithmetic: Arithmetic, fed: list[np.ndarray] = impulses) -> torch.Tensor:
            made, _ = run(network.nodes, [arithmetic(each) for each in fed], arithmetic)
            return made[:-1] - made[-1]  # the last is the answer to silence

        try:
            response = responses(Arithmetic(torch.float64))
        except LengthError:
            continue
        # Of dilated taps a few samples in a row are zero: that is no end yet.
        edge = response.shape[-1] // 3
        if edge and not response[..., :edge].any() and not response[..., -edge:].any():
            heard = np.flatnonzero(response.any(dim=0).any(dim=0).numpy())
            inside = slice(heard.min(initial=0), heard.max(initial=0) + 1)
            break
    else:
        return

    def density(arithmetic: Arithmetic) -> torch.Tensor:
        # (channels in × D, channels out, time) to (channels out, frequencies)
        made = responses(arithmetic)[..., inside]
        waves = np.exp(-2j * np.pi * (np.outer(np.arange(made.shape[-1]), turns) % 1))
        gains = (made.to(torch.complex128) @ torch.as_tensor(waves)).abs() ** 2
        total = torch.einsum("i,iof->of", torch.as_tensor(weights), gains)
        return total * 2 / (up * float(graph.sample_rate))

    # The transform of the response is a sum of that many terms, in double precision each time.
    operations = 8 * len(network.nodes) + inside.stop - inside.start
    truth = measured(density, int(rng.integers(2**31)), operations)
    grid = turns * float(graph.sample_rate)
    signals = {
        each.name: upsim.WhiteNoise(power) for each, power in zip(graph.inputs, powers, strict=True)
    }
    psd = upsim.predict(graph, signals, frequencies=grid, provenance=False).psd
    yield _judged("densities", np.zeros_like(truth.values) if psd is None else psd, truth)


def _impulses(channels: tuple[int, ...], downs: list[int], blocks: int) -> list[np.ndarray]:
    """Return each input for one impulse a channel and sample of a block, and for silence last."""
    total = sum(count * down for count, down in zip(channels, downs, strict=True))
    found, number = [], 0
    for count, down in zip(channels, downs, strict=True):
        fed = np.zeros((total + 1, count, blocks * down))
        for each in range(count * down):
            fed[number, each // down, blocks // 2 * down + each % down] = 1
            number += 1
        found.append(fed)
    return found
