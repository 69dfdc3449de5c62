"""Run the independent witness and compare it with the prediction.

The witness computes the layers as frameworks do and shares no mathematics with the operators.
Each check compares numbers, not statistics; its tolerance is derived from the number of roundings
and the size of the numbers (:mod:`upsim.tolerance`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from upsim import neural
from upsim.arguments import LARGEST_SEED, one_of, whole_number
from upsim.errors import ArgumentError, NotPredictableError, ShapeError, UpsimError
from upsim.layers.base import Normalisation
from upsim.operators import Operator, StretchFIR
from upsim.prediction import Prediction
from upsim.predictor import predict
from upsim.signals import Constant, Line, Signal, Term, WhiteNoise
from upsim.stack import Stack
from upsim.tables import text_table
from upsim.theory.boundaries import boundary_report
from upsim.theory.moments import DeterministicMoments, Moments
from upsim.theory.propagation import Trace, is_linear, propagate, transfer_chain
from upsim.tolerance import probable, rounding

Array = NDArray[np.float64]
Progress = Callable[[float, str], None]

#: Frequencies at which a density is checked.
_POINTS = 65

#: Unit impulses that the density check may feed at most.
_IMPULSES = 4096


@dataclass(frozen=True)
class Check:
    """One comparison.

    Parameters
    ----------
    name : str
    about : str
        What was compared with what.
    error : float
        Largest difference.
    tolerance : float
        What rounding can explain.
    """

    name: str
    about: str
    error: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether rounding explains the difference."""
        return bool(self.error <= self.tolerance)


@dataclass(frozen=True)
class Verification:
    """The comparison of a prediction with the witness.

    Parameters
    ----------
    summary : str
    witness : str
        What was run, in which precision.
    checks : tuple of Check
    skipped : tuple of str
        What could not be checked, each with its reason.
    """

    summary: str
    witness: str
    checks: tuple[Check, ...]
    skipped: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every check passed, and there was one."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    def __str__(self) -> str:
        rows = [
            [
                "ok" if check.passed else "MISMATCH",
                check.name,
                f"{check.error:.2e}",
                f"{check.tolerance:.2e}",
                check.about,
            ]
            for check in self.checks
        ]
        lines = [f"{self.summary}; witness: {self.witness}"]
        lines.append(text_table(["", "check", "error", "tolerance", "compared"], rows))
        lines += [f"skipped: {reason}" for reason in self.skipped]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "format": "upsim-verification",
            "version": 1,
            "summary": self.summary,
            "witness": self.witness,
            "passed": self.passed,
            "checks": [
                {
                    "name": check.name,
                    "about": check.about,
                    "error": check.error,
                    "tolerance": check.tolerance,
                    "passed": check.passed,
                }
                for check in self.checks
            ],
            "skipped": list(self.skipped),
        }


def verify(
    stack: Stack,
    signal: Signal | None = None,
    *,
    dtype: DTypeLike = np.float64,
    backend: str = "numpy",
    seed: int = 0,
    progress: Progress | None = None,
) -> Verification:
    """Run the layers and compare every part of the prediction with what comes out.

    Parameters
    ----------
    stack : Stack
        With drawn weights.
    signal : Signal, optional
        By default that of :func:`upsim.predict`; a constant if the stack has activations or
        normalisations.
    dtype : float64 or float32
        Precision of the witness.
    backend : str
        "numpy", "torch" (on the CPU) or "cuda" (torch on a GPU).
    seed : int
        Of the random samples that the finite map is tried with.
    progress : callable, optional
        Called with the part that is done, 0 to 1, and what comes next.

    Returns
    -------
    Verification

    Examples
    --------
    >>> from upsim.layers import Nearest, TransposedConv
    >>> stack = Stack([TransposedConv(1, 1, 4, 2), Nearest(2)], 16000).draw(0)
    >>> verify(stack).passed
    True
    """
    if not stack.is_drawn:
        raise NotPredictableError(
            "an expectation over networks is not one network that could be run",
            given="a stack whose weights are not drawn yet",
            fix="upsim.verify(stack.draw(seed=0))",
        )
    linear = is_linear(stack)
    if signal is None:
        signal = Constant(1.0) + WhiteNoise(1.0) if linear else Constant(1.0)
    one_of(backend, "backend", ("numpy", "torch", "cuda"))
    if np.dtype(dtype) not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ArgumentError("dtype must be float32 or float64", given=f"dtype={dtype!r}")
    runner = _Runner(backend, np.dtype(dtype))
    tell = progress or _silent
    tell(0.0, "predicting")
    prediction = predict(stack, signal)
    checks: list[Check] = []
    skipped: list[str] = []
    parts: list[tuple[str, Callable[[], Check]]] = [
        ("lengths", partial(_lengths, stack, runner)),
        ("lines", partial(_lines, stack, signal, runner)),
        (
            "samples",
            partial(
                _samples, stack, runner, whole_number(seed, "seed", least=0, most=LARGEST_SEED)
            ),
        ),
    ]
    if prediction.cyclic is not None:
        parts.append(("density", partial(_density, stack, prediction, runner)))
    elif prediction.psd is not None and prediction.waveform is None:
        skipped.append(
            "density: through activations it is a prediction for long runs, see assumptions"
        )
    if prediction.waveform is not None:
        parts.append(("recording", partial(_recording, stack, prediction, runner)))
    for number, (name, check) in enumerate(parts):
        tell((number + 1) / (len(parts) + 1), name)
        try:
            checks.append(check())
        except UpsimError as error:
            skipped.append(f"{name}: {error}")
    tell(1.0, "done")
    return Verification(stack.summary(), runner.name, tuple(checks), tuple(skipped))


def _silent(done: float, text: str) -> None:
    """Tell nobody."""


class _Runner:
    """The witness in one precision: samples (batch, channels, time) to every layer's output."""

    def __init__(self, backend: str, dtype: np.dtype[Any]) -> None:
        self.backend, self.dtype = backend, dtype
        self.name = f"{backend} {dtype.name}"

    def __call__(self, stack: Stack, samples: Array) -> list[Array]:
        if self.backend == "numpy":
            made = neural.run(stack, samples, dtype=self.dtype, each=True)
            return [np.asarray(each, dtype=np.float64) for each in made]
        device = "cuda" if self.backend == "cuda" else "cpu"
        last = neural.run_torch(stack, samples, dtype=self.dtype, device=device)
        return [np.asarray(last, dtype=np.float64)]


def _unit_length(stack: Stack) -> int:
    """Return a number of samples of which any multiple passes through every branch."""
    return prod(step.layer.rate.denominator for step in stack.steps if step.layer is not None)


def _tolerance(trace: Trace, dtype: np.dtype[Any]) -> float:
    """Return what rounding may put between prediction and witness at the end of a stack.

    Each layer adds the rounding of its own sums, and passes the error that it is given on as it
    passes the signal on: by the ratio of the largest values behind and before it, at most by its
    largest gain.  Errors that meet are of either sign and add as powers.
    """
    sizes = [_size(value) for value in trace.values]
    errors = [0.0] * len(sizes)
    for step, operator in zip(trace.steps, trace.operators, strict=True):
        given, made = max(sizes[value] for value in step.inputs), sizes[step.output]
        before = float(np.hypot.reduce([errors[value] for value in step.inputs]))
        if isinstance(step.layer, Normalisation):
            errors[step.output] = _normalised(
                trace.values[step.inputs[0]], step.layer, before, made, dtype
            )
            continue
        passed = made / given if given else 0.0
        if operator is None:
            # Activations and mergings: a few roundings, and a slope that may reach one or more.
            own = probable(8, max(given, made), dtype)
            errors[step.output] = float(np.hypot(max(1.0, passed) * before, own))
            continue
        most = operator.largest_gain()
        offset = 0.0 if operator.offset is None else float(np.abs(operator.offset).max())
        own = probable(operator.terms + 1, most * given + offset, dtype)
        errors[step.output] = float(np.hypot(min(passed, most) * before, own))
    return errors[-1]


def _normalised(
    value: Moments, layer: Normalisation, before: float, made: float, dtype: np.dtype[Any]
) -> float:
    r"""Return the error behind a normalisation of a finite signal.

    With :math:`\hat x = (x - m) / s` an error ``d`` of the input makes
    :math:`g\,(d - \overline d - \hat x\,\overline{\hat x d})`, at most
    :math:`g\,|d|\,(2 + \sqrt n)`: of ``n`` samples of variance 1 none is beyond
    :math:`\sqrt n`, and the mean of :math:`|\hat x|` is at most 1.  The statistics are sums over
    all samples of a group, at most all samples that there are.
    """
    assert isinstance(value, DeterministicMoments)
    held = value.period if value.waveform is None else value.waveform
    levels = value.levels()
    gain = float(np.abs(layer.gains(levels.mean, levels.variance)).max())
    # A sample less its centre is at most twice the largest sample.
    size = max(made, 2 * gain * float(np.abs(held).max(initial=0.0)))
    own = probable(held.size + 8, size, dtype)
    return float(np.hypot(gain * (2 + held.size**0.5) * before, own))


def _refuse_normalisations(stack: Stack, what: str) -> None:
    """Refuse a check that a finite run cannot make behind a normalisation."""
    for step in stack.steps:
        if isinstance(step.layer, Normalisation):
            raise NotPredictableError(
                f"a finite run's {what} includes its ends, a long signal's does not",
                given=step.name,
                expected="no normalisation over time; the samples check covers finite signals",
                fix="upsim.verify(stack.upto(n)), the layers before it",
            )


def _size(value: Moments) -> float:
    assert isinstance(value, DeterministicMoments)
    held = [value.period] if value.waveform is None else [value.period, value.waveform]
    return max(float(np.abs(each).max()) for each in held)


def _lengths(stack: Stack, runner: _Runner) -> Check:
    """Compare output lengths for several input lengths; whole numbers, so the tolerance is 0."""
    unit = _unit_length(stack)
    worst = 0
    for count in (1, 2, 3):
        length = unit * (_shortest(stack, unit) // unit + count)
        made = runner(stack, np.zeros((1, stack.in_channels, length)))[-1]
        worst = max(worst, abs(made.shape[-1] - stack.output_length(length)))
    return Check("lengths", "output lengths for three inputs against the length law", worst, 0)


def _shortest(stack: Stack, unit: int) -> int:
    """Return an input length, a multiple of ``unit``, that leaves a sample after every layer."""
    length = unit
    while True:
        try:
            _finite(stack, np.zeros((stack.in_channels, length)))
        except ShapeError:
            length *= 2
            if length > 2**24:
                raise
        else:
            return length


def _finite(stack: Stack, samples: Array) -> Trace:
    """Carry finite samples through the stack's exact finite maps."""
    silence = np.zeros((stack.in_channels, 1))
    return propagate(stack, DeterministicMoments(silence, waveform=samples, provenance=False))


def _lines(stack: Stack, signal: Signal, runner: _Runner) -> Check:
    """Compare one period of the predicted steady state with the middle of a long run."""
    _refuse_normalisations(stack, "level")
    start = DeterministicMoments.from_signal(
        _LinesOf(signal), stack.in_channels, stack.input_rate, provenance=False
    )
    trace = propagate(stack, start)
    end = trace.after(len(stack))
    assert isinstance(end, DeterministicMoments)
    period = end.period.shape[1]
    unit = _unit_length(stack)
    length = _shortest(stack, unit)
    while True:
        edges = boundary_report(stack, length).transients[-1]
        if stack.output_length(length) - edges.left - edges.right >= period:
            break
        length *= 2
        if length * stack.in_channels > 2**26:
            raise ArgumentError(
                "the steady state needs a run that is too long", given=f"{length} samples"
            )
    index = np.arange(length) % start.period.shape[1]
    made = runner(stack, start.period[None, :, index])
    middle = np.arange(edges.left, edges.left + period)
    error = np.abs(made[-1][0][:, middle] - end.period[:, middle % period]).max()
    return Check(
        "lines",
        f"one period ({period} samples) of the steady state, in the middle of {length} in",
        float(error),
        _tolerance(trace, runner.dtype),
    )


@dataclass(frozen=True, eq=False, repr=False)
class _LinesOf(Term):
    """The lines of another signal, without its noise and recordings."""

    signal: Signal

    def lines(self, channels: int, rate: Fraction) -> tuple[Line, ...]:
        """Return the lines of the other signal."""
        return self.signal.lines(channels, rate)


def _samples(stack: Stack, runner: _Runner, seed: int) -> Check:
    """Compare the finite map, edges included, on random samples."""
    unit = _unit_length(stack)
    length = _shortest(stack, unit) + 4 * unit
    samples = np.random.default_rng(seed).standard_normal((stack.in_channels, length))
    made = runner(stack, samples[None])
    trace = _finite(stack, samples)
    end = trace.after(len(stack))
    assert isinstance(end, DeterministicMoments)
    assert end.waveform is not None
    if made[-1][0].shape != end.waveform.shape:
        return Check("samples", "shapes differ", float("inf"), 0.0)
    return Check(
        "samples",
        f"{length} random samples through the finite map, edges included",
        float(np.abs(made[-1][0] - end.waveform).max()),
        _tolerance(trace, runner.dtype),
    )


def _density(stack: Stack, prediction: Prediction, runner: _Runner) -> Check:
    r"""Compare the density with that of the witness's impulse responses, without statistics.

    With ``h_q`` the response to a unit impulse at input sample ``q = 0 … D - 1`` of a block, the
    gain from ``f_K = (U g + K) / D`` to ``g`` is
    :math:`\frac1U \sum_q e^{j 2\pi f_K q} \sum_n h_q[n] e^{-j 2\pi g n}`.
    """
    _refuse_normalisations(stack, "level")
    unit = prod(layer.block[1] for layer in stack)
    ups = prod(layer.block[0] for layer in stack)
    channels = stack.in_channels
    if unit * channels > _IMPULSES:
        raise ArgumentError(
            "the density check would feed too many impulses",
            given=f"{unit * channels}",
            expected=f"at most {_IMPULSES}",
        )
    chain = transfer_chain(stack)
    length = _shortest(stack, _unit_length(stack))
    while True:
        edges = boundary_report(stack, 2 * length).transients[-1]
        centre = length // unit * unit
        steady = 2 * (edges.left + edges.right) < stack.output_length(2 * length)
        ends = (centre, centre + unit - 1)
        if steady and all(_answer_fits(chain, each, 2 * length) for each in ends):
            break
        length *= 2
    samples = np.zeros((unit * channels + 1, channels, 2 * length))
    for phase in range(unit):
        for channel in range(channels):
            samples[phase * channels + channel, channel, centre + phase] = 1.0
    made = runner(stack, samples)[-1]
    # The last row is silence: what remains without offsets is the linear part.
    responses = (made[:-1] - made[-1:]).reshape(unit, channels, stack.out_channels, -1)
    rate = float(stack.sample_rate)
    grid = np.linspace(0, 0.5, _POINTS)
    times = np.arange(responses.shape[-1]) - centre // unit * ups
    turned = responses @ np.exp(-2j * np.pi * np.outer(times, grid))
    inputs = (ups * grid[:, None] + np.arange(unit)) / unit
    ahead = np.exp(2j * np.pi * inputs[:, :, None] * np.arange(unit))
    gains = np.einsum("qcof,fkq->fkoc", turned, ahead) / ups
    level = prediction.signal.density(
        inputs.reshape(-1) * float(stack.input_rate), channels, stack.input_rate
    )
    assert level is not None
    shaped = level.reshape(channels, _POINTS, unit)
    measured = 2 * np.einsum("fkoc,cfk->of", np.abs(gains) ** 2, shaped)
    predicted = predict(stack, prediction.signal, frequencies=grid * rate, provenance=False).psd
    assert predicted is not None
    # |A|^2 has twice the relative error of A, whose sum runs over all taps of the response.
    sums = sum(operator.terms + 1 for operator in chain)
    operations = 2 * (sums + responses.shape[-1] * unit)
    scale = float((np.abs(responses).sum(axis=(0, 3)) ** 2).sum(axis=0).max() / ups**2)
    return Check(
        "density",
        f"density at {_POINTS} frequencies against {unit * channels} impulse responses",
        float(np.abs(measured - predicted).max()),
        rounding(operations, 2 * scale * float(shaped.max()) * unit, runner.dtype),
    )


def _answer_fits(chain: tuple[Operator, ...], sample: int, length: int) -> bool:
    """Tell whether the answer to an impulse at ``sample`` lies inside every layer's output."""
    low = high = sample
    for operator in chain:
        if isinstance(operator, StretchFIR):
            low = low * operator.factor + int(operator.positions.min())
            high = high * operator.factor + int(operator.positions.max())
        else:
            blocks = operator.polyphase()
            low = (low // blocks.down + blocks.first) * blocks.up
            high = (high // blocks.down + blocks.first + len(blocks.blocks)) * blocks.up - 1
        length = operator.output_length(length)
        if low < 0 or high >= length:
            return False
    return True


def _recording(stack: Stack, prediction: Prediction, runner: _Runner) -> Check:
    """Compare the output for the recording, sample by sample."""
    assert prediction.waveform is not None
    channels, rate = stack.in_channels, stack.input_rate
    start = DeterministicMoments.from_signal(prediction.signal, channels, rate, provenance=False)
    assert start.waveform is not None
    trace = propagate(stack, start)
    made = runner(stack, start.waveform[None])
    return Check(
        "recording",
        f"all {prediction.waveform.shape[1]} output samples of the recording",
        float(np.abs(made[-1][0] - prediction.waveform).max()),
        _tolerance(trace, runner.dtype),
    )
