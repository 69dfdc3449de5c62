"""The judge: every claim of a prediction against the witness's own run.

It reads the record and nothing that the prediction was made with.  A claim that it cannot decide is
named, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from upsim.answer.prediction import Prediction
from upsim.errors import UpsimError
from upsim.layers.base import Activation, Normalisation, Unmodelled
from upsim.network.feed import signals_of
from upsim.network.graph import Graph
from upsim.verification.births import judge_births
from upsim.verification.densities import Fed, judge_density, judge_noise_power
from upsim.verification.impulses import Impulses
from upsim.verification.inputs import whole_periods
from upsim.verification.lines import Lines, judge_lines, judge_shares, judge_sums
from upsim.verification.noise import run_noise
from upsim.verification.noise_claims import judge_noise
from upsim.verification.recordings import (
    judge_recorded_density,
    judge_recorded_lines,
    judge_waveform,
    run_recording,
)
from upsim.verification.replicas import judge_replicas
from upsim.verification.report import Check
from upsim.verification.witness import Run, Witness, run_period
from upsim.words.progress import Progress

_LINES = ("lines", "powers", "frequencies", "sums of shares", "shares", "first layers", "causes")
_NOISE = ("density", "noise power")
_MIXED = "channels of the input go together: upsim.measure(graph, signal) shows the density"


class Judge:
    """Judges the claims of one prediction.

    Parameters
    ----------
    prediction : Prediction
    witness : Witness
    seed : int
        Of the random mixtures of sources.
    """

    def __init__(self, prediction: Prediction, witness: Witness, seed: int) -> None:
        self.prediction, self.witness, self.seed = prediction, witness, seed
        self.stack = prediction.stack
        signals = signals_of(self.stack, prediction.signal)
        fed = list(zip(signals, self.stack.inputs, self.stack.input_rates, strict=True))
        self.linear = is_linear(self.stack)
        #: The inputs with noise, by their number.
        self.noises = {
            number: signal
            for number, (signal, each, rate) in enumerate(fed)
            if signal.has_noise(each.channels, rate)
        }
        self.noisy = bool(self.noises)
        self.mixed = any(
            signal.mixing(each.channels) is not None for signal, each, _ in fed if self.noisy
        )
        self.recorded = any(
            signal.recording(each.channels, rate) is not None for signal, each, rate in fed
        )
        self._steady: Run | None = None
        self._impulses: dict[int, Impulses] = {}

    def checks(self, progress: Progress) -> tuple[Check, ...]:
        """Return the verdict on every claim."""
        found: list[Check] = []
        parts = self._parts()
        for number, (names, part) in enumerate(parts):
            progress((number + 1) / (len(parts) + 1), names[0])
            try:
                found += part()
            except UpsimError as error:
                found += [Check.skipped(name, str(error)) for name in names]
        return tuple(found)

    def _parts(self) -> list[tuple[tuple[str, ...], Callable[[], list[Check]]]]:
        parts: list[tuple[tuple[str, ...], Callable[[], list[Check]]]] = []
        if self.recorded:
            parts.append((("recording", "density"), self._recording))
        elif self.prediction.waveform is not None:
            wrong = Check.wrong("recording", "there is an output of a recording, and no recording")
            parts.append((("recording",), lambda: [wrong]))
        if self.linear or not (self.noisy or self.recorded):
            parts.append(((*_LINES[:4], "lengths"), self._lines))
            parts.append((_LINES[4:5], self._shares))
            parts.append((_LINES[5:], self._births))
        elif not self.recorded:
            parts.append(((*_LINES, "lengths", *_NOISE, "replicas"), self._noise))
            return parts
        elif self.noisy:
            parts.append((_LINES, partial(self._unknown, _LINES)))
        if self.noisy and self.linear and not self.recorded:
            parts.append((_NOISE[:1], self._density))
            parts.append((_NOISE[1:], self._noise_power))
        elif not (self.noisy or self.recorded):
            parts.append((("density",), self._no_density))
        parts.append((("replicas",), self._replicas))
        return parts

    @property
    def steady(self) -> Run:
        """The witness's run of the signal's lines."""
        if self._steady is None:
            starts = [period[None] for period in whole_periods(self.prediction)]
            self._steady = run_period(self.stack, starts, self.witness)
        return self._steady

    def impulses(self, number: int) -> Impulses:
        """Return the witness's impulse responses from an input."""
        if number not in self._impulses:
            self._impulses[number] = Impulses(self.stack, self.witness, number)
        return self._impulses[number]

    @property
    def fed(self) -> list[Fed]:
        """The impulse responses from each input with noise, and its signal."""
        return [(signal, self.impulses(number)) for number, signal in self.noises.items()]

    def _unknown(self, names: Sequence[str]) -> list[Check]:
        """Name the claims that one run cannot decide."""
        what = "noise and a recording" if self.noisy else "a recording"
        reason = f"{what} through an activation or a normalisation: one run does not decide it"
        return [Check.skipped(name, reason) for name in names]

    def _noise(self) -> list[Check]:
        run = run_noise(self.prediction, self.witness, self.seed)
        checks = [_lengths(run.off, "circle of noise")]
        return [*checks, *judge_noise(self.prediction, run, self.witness), *self._replicas()]

    def _recording(self) -> list[Check]:
        run = run_recording(self.prediction, self.witness)
        checks = [_lengths(run.off, "length"), judge_waveform(self.prediction, run.end)]
        if self.linear:
            checks.append(
                judge_recorded_density(self.prediction, run.end, self.steady.end, self.fed)
            )
        else:
            checks += self._unknown(("density",))
            found = [] if self.noisy else judge_recorded_lines(self.prediction, run.end)
            if not self.noisy:
                judged = {check.name for check in found}
                checks += found
                checks += self._unknown([name for name in _LINES if name not in judged])
        return checks

    def _lines(self) -> list[Check]:
        lines = Lines(self.steady.end)
        checks = [_lengths(self.steady.off, "period")]
        checks += judge_lines(self.prediction, lines)
        if checks[-1].name != "lines":
            checks += judge_sums(self.prediction, lines)
        return checks

    def _shares(self) -> list[Check]:
        if not any(tone.contributions for tone in self.prediction.tones):
            return []
        if not self.linear:
            reason = "behind an activation or a normalisation only their sum is a fact of a run"
            return [Check.skipped("shares", reason)]
        return judge_shares(self.prediction, self.witness, self.seed)

    def _births(self) -> list[Check]:
        return judge_births(self.prediction, self.steady, self.witness)

    def _density(self) -> list[Check]:
        if self.mixed:
            return [Check.skipped("density", _MIXED)]
        return judge_density(self.prediction, self.fed)

    def _noise_power(self) -> list[Check]:
        if self.prediction.psd is None:
            return []
        if self.mixed:
            return [Check.skipped("noise power", _MIXED)]
        return [judge_noise_power(self.prediction, self.fed)]

    def _no_density(self) -> list[Check]:
        if self.prediction.psd is None:
            return []
        return [Check.wrong("density", "there is a density, and nothing in the signal is random")]

    def _replicas(self) -> list[Check]:
        # Replicas are those of the first input's band.
        return judge_replicas(self.prediction, self.impulses(0) if self.linear else None)


def is_linear(stack: Graph) -> bool:
    """Return True if a stack has no activation, no normalisation over time, no opaque node."""
    kinds = (Activation, Normalisation, Unmodelled)
    return not any(isinstance(node.layer, kinds) for node in stack.nodes)


def _lengths(off: Sequence[str], what: str) -> Check:
    about = f"output lengths of all layers, in the run of one {what}"
    if off:
        return Check.wrong("lengths", off[0])
    return Check("lengths", about, 0.0, 0.0)
