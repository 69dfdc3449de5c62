"""The answer: one record with tones, density, replicas and what was assumed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from upsim.answer.explanation import Explanation, explain
from upsim.answer.measured import Measured
from upsim.answer.tone_table import HEADER, place_of, tone_rows, wide_table
from upsim.errors import ArgumentError, MissingDependencyError, NotPredictableError
from upsim.network.feed import Feed
from upsim.network.graph import Graph
from upsim.network.node import spoken
from upsim.operators.phasor import phasors
from upsim.show.tables import html_table, text_table
from upsim.theory.lines.spread import Spread, bias_at_the_end, spread
from upsim.theory.lines.tones import Tone
from upsim.theory.moments.closure_error import StatedSize
from upsim.theory.moments.propagation import is_linear
from upsim.theory.moments.stationary import NO_DENSITY
from upsim.theory.reports.boundaries import Boundaries, boundary_report
from upsim.theory.reports.cost import Cost, cost
from upsim.theory.reports.filtering import Filtering, filtering_report
from upsim.theory.reports.kernel_images import KernelImages, kernel_images
from upsim.theory.reports.offset_step import OffsetStep
from upsim.theory.reports.overlap import LayerOverlap, overlap_report
from upsim.theory.reports.replicas import Replica, find_bands, find_replicas, linear_gains, repeats
from upsim.theory.reports.tone_audibility import Audibility, judge_tones
from upsim.words.arguments import (
    LARGEST_LENGTH,
    LARGEST_SEED,
    finite_number,
    on_or_off,
    refuse_beyond_memory,
    whole_number,
)
from upsim.words.units import format_decibels, format_hertz

if TYPE_CHECKING:
    from upsim.show import Panel

Array = NDArray[np.float64]


class Panels(Sequence["Prediction"]):
    """The predictions after each layer, made when they are first asked for."""

    def __init__(self, count: int, make: Callable[[int], Prediction]) -> None:
        self._make = make
        self._made: list[Prediction | None] = [None] * count

    def __len__(self) -> int:
        return len(self._made)

    @overload
    def __getitem__(self, index: int) -> Prediction: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Prediction]: ...
    def __getitem__(self, index: int | slice) -> Prediction | Sequence[Prediction]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        made = self._made[number]
        if made is None:
            made = self._made[number] = self._make(number + 1)
        return made


@dataclass(frozen=True, eq=False, repr=False)
class Prediction:
    """What a stack makes of a signal.

    Parameters
    ----------
    stack : Stack or Graph
    signal : Signal, or dict of input name to Signal
    sample_rate : Fraction
        Of the output, in Hz.
    frequencies : array (F,)
        In Hz.
    psd : array (channels, F) or None
        One-sided density, power per Hz, of all that is not a line; None if there is no such part,
        or if it does not fit the memory: :attr:`noise_is_unknown`.
        ``scipy.signal.welch`` of the output lies on it.
    tones : tuple of Tone
        All lines, in ascending frequency.
    assumptions : tuple of str
        What is exact, closed or ignored.
    waveform : array (channels, n) or None
        For a recorded input: the whole output, ends included.
    layers : sequence of Prediction
        The same after each layer; made when asked for.
    inputs : sequence of Prediction
        What is fed to each input, as a prediction of its own; made when asked for.
    measured : Measured or None
        For the answer of :func:`upsim.measure`: the size of the run and its errors.
    stated_size : StatedSize or None
        For noise in closed form: how far off density and lines may be, in dB; None where no number
        is stated.

    Notes
    -----
    The tones' powers and the integral of the density add up to the mean square of the output; for
    a recording, whose finite samples are not orthogonal to the lines, up to their product.
    """

    stack: Graph
    signal: Feed
    sample_rate: Fraction
    frequencies: Array
    psd: Array | None
    tones: tuple[Tone, ...]
    assumptions: tuple[str, ...]
    waveform: Array | None = None
    layers: Sequence[Prediction] = ()
    inputs: Sequence[Prediction] = ()
    cyclic: Callable[[Array, Fraction], NDArray[np.complex128]] | None = field(
        default=None, repr=False
    )
    power_of_noise: Callable[[], Array] | None = field(default=None, repr=False)
    measured: Measured | None = None
    stated_size: StatedSize | None = None

    @property
    def channels(self) -> int:
        """Channels of the output."""
        return self.stack.out_channels

    # Reports of the stack itself.

    @cached_property
    def replicas(self) -> tuple[Replica, ...]:
        """Where the bands of the input land, and with which gain if the stack is linear."""
        known = is_linear(self.stack) and self.stack.is_drawn
        gains = linear_gains(self.stack) if known else None
        return find_replicas(self.stack, gains)

    @cached_property
    def overlap(self) -> tuple[LayerOverlap, ...]:
        """Overlap, phase gains and phase powers of each upsampling layer."""
        return overlap_report(self.stack)

    @cached_property
    def filtering(self) -> tuple[Filtering, ...]:
        """Droop and nulls of each upsampling layer."""
        return filtering_report(self.stack)

    @cached_property
    def kernel_images(self) -> tuple[KernelImages, ...]:
        """Where kernels whose taps are spread out pass their band again."""
        return kernel_images(self.stack)

    @cached_property
    def cost(self) -> Cost:
        """Parameters, operations and memory."""
        return cost(self.stack)

    def boundaries(self, input_length: int) -> Boundaries:
        """Return transients, output length and its deficit for an input length."""
        return boundary_report(self.stack, input_length)

    # Questions.

    def explain(self, frequency: object, *, within: object = None) -> Explanation:
        """Say which layer makes the line at a frequency, or that none can.

        A number is in Hz and exact; a text ("5.5kHz") is read as people write, and ``within`` (Hz)
        says how far the line may lie to each side: see :func:`upsim.explain`.
        """
        return explain(
            self.stack,
            frequency,
            within=within,
            signal=self.signal,
            tones=self.tones,
            run=self.measured,
        )

    @property
    def offset_step(self) -> OffsetStep | None:
        """The step that the output's offset is at starts, stops and joins; None without one."""
        offset = next((tone for tone in self.tones if tone.fraction == 0), None)
        return None if offset is None else OffsetStep(offset.power, self.sample_rate)

    def audibility(self, *, calibration: float | None = None, channel: int = 0) -> Audibility:
        """Say which tones will be heard, and which layer made them.

        Each tone is judged against the predicted noise in its critical band: tone-to-noise ratio,
        prominence (ECMA-418-1), audibility (ISO/TS 20065).  Lines of one critical band add up: a
        comb of masked lines may be heard together, and :attr:`Audibility.groups` says which.  Where
        the output is at hand (a recording, a measured run) the levels re this programme are told.

        Parameters
        ----------
        calibration : float, optional
            Sound pressure level in dB at which a signal of RMS 1 is played; 94 if one unit of the
            output is one pascal.  Without it the threshold of hearing is not judged, and the
            answer says so.
        channel : int

        Returns
        -------
        Audibility

        Examples
        --------
        >>> from upsim import Constant, Stack, TransposedConv, WhiteNoise, predict
        >>> stack = Stack([TransposedConv(1, 1, 3, 2, bias=False, weight="ones")], 16000).draw(0)
        >>> print(predict(stack, Constant(0.1) + WhiteNoise(0.01)).audibility())
        1 of 1 tone will be heard, from layer 1 (TransposedConv):
          8 kHz  TNR 4.0 dB  heard  layer 1 (TransposedConv), overlap
        channel 0 alone, steady sound; threshold of hearing not judged (...)
        """
        channel = whole_number(channel, "channel", least=0)
        if channel >= self.channels:
            raise ArgumentError(
                "there is no such channel",
                given=f"channel={channel}",
                expected=f"0 to {self.channels - 1}",
                fix="channel=0",
            )
        self._refuse_unknown_noise()
        return judge_tones(
            self.tones,
            self.frequencies,
            self.psd,
            channel=channel,
            places={tone.layer: place_of(self, tone.layer) for tone in self.tones},
            calibration=calibration,
            recorded=self.waveform is not None,
            programme=self._programme(channel),
        )

    def _programme(self, channel: int) -> float | None:
        """Return the mean square of a channel without its offset; None where nothing was run."""
        if self.waveform is None and self.measured is None:
            return None
        lines = sum(float(tone.power[channel]) for tone in self.tones if tone.fraction)
        return float(self.noise_power[channel]) + lines

    def cyclic_density(self, order: int) -> tuple[float, NDArray[np.complex128]]:
        """Return how spectral components ``order`` lines apart are correlated.

        Parameters
        ----------
        order : int
            The cyclic frequency is ``order`` times the rate at which the stack repeats itself.

        Returns
        -------
        alpha : float
            Cyclic frequency in Hz.
        density : array (channels, F)
            Two-sided, power per Hz, at :attr:`frequencies`; order 0 is half of :attr:`psd` inside
            the band.
        """
        order = whole_number(order, "order", least=0)
        if self.cyclic is None:
            raise NotPredictableError(
                "this prediction holds no random part with a chain of linear layers",
                given=f"signal {self.signal!r}",
                fix="upsim.predict(stack, upsim.WhiteNoise())",
            )
        alpha = Fraction(order, repeats(self.stack)[0])
        turns = self.frequencies / float(self.sample_rate)
        return float(alpha * self.sample_rate), self.cyclic(turns, alpha)

    @property
    def tone_power(self) -> Array:
        """Power of all lines together, (channels,)."""
        powers = [np.zeros(self.channels), *(tone.power for tone in self.tones)]
        return np.asarray(np.sum(powers, axis=0))

    @property
    def noise_is_unknown(self) -> bool:
        """Whether there is noise whose density is not given; `assumptions` says why."""
        return any(each.startswith(NO_DENSITY) for each in self.assumptions)

    def _refuse_unknown_noise(self) -> None:
        if self.noise_is_unknown:
            raise NotPredictableError(
                "the noise of this prediction is not known",
                given=next(each for each in self.assumptions if each.startswith(NO_DENSITY)),
                expected="a density",
                fix="upsim.predict(stack, signal, memory=<more bytes>)",
            )

    @cached_property
    def noise_power(self) -> Array:
        """Power of all that is not a line, (channels,), whatever frequencies were asked for.

        NaN where the density is not given because it does not fit the memory.
        """
        if self.psd is None:
            return np.full(self.channels, np.nan if self.noise_is_unknown else 0.0)
        averaged = self.measured is not None and self.measured.psd_error is not None
        if self.waveform is not None and not averaged:
            # The bins of a DFT are a sum, not points of a curve.
            width = np.append(self.frequencies, float(self.sample_rate))[1]
            return np.asarray(self.psd.sum(axis=1) * width)
        assert self.power_of_noise is not None
        return self.power_of_noise()

    def spread(self) -> tuple[Spread, ...]:
        """Return how far one network's lines may lie from an expectation over networks.

        For a stack that ends in random weights: median of each line's power over networks, and the
        probability that one mirror line is stronger than the offset.  A wide last layer is assumed.

        Returns
        -------
        tuple of Spread
            One for each tone.

        Examples
        --------
        >>> from upsim import Constant, Stack, TransposedConv, predict
        >>> stack = Stack([TransposedConv(64, 1, 8, 4, bias=False)], 16000)
        >>> for row in predict(stack, Constant(1.0)).spread():
        ...     print(row.tone.fraction, round(row.above_offset, 3))
        0 0.5
        1/4 0.577
        1/2 0.5
        """
        if self.stack.is_drawn:
            raise NotPredictableError(
                "a network with drawn weights has one value for each line, no spread",
                given="a stack with drawn weights",
                expected="weights that are named initialisations",
                fix="upsim.predict(stack, signal) before stack.draw(...)",
            )
        return spread(self.tones, bias_at_the_end(self.stack))

    def lines(self, count: int) -> Array:
        """Return ``count`` samples of all lines together, (channels, count)."""
        if any(tone.amplitude is None for tone in self.tones):
            raise NotPredictableError(
                "an expectation over networks has lines of no certain phase",
                given="a stack with undrawn weights",
                fix="upsim.predict(stack.draw(seed=0), signal)",
            )
        count = whole_number(count, "count", most=LARGEST_LENGTH)
        # The samples, the index, a line's turns and its wave.
        refuse_beyond_memory((4 + 4 * self.channels) * count, "the samples", fix="count=48000")
        return lines_of(self.tones, count, self.channels)

    def audio(self, seconds: float, *, seed: int = 0) -> Array:
        """Return samples to listen to, (channels, n).

        The lines as they are, noise of the predicted density (Gaussian, drawn with ``seed``), or
        the output of a recording, cut to ``seconds``.
        """
        seconds = finite_number(seconds, "seconds")
        seed = whole_number(seed, "seed", least=0, most=LARGEST_SEED)
        count = int(min(np.rint(seconds * float(self.sample_rate)), LARGEST_LENGTH))
        if count < 1:
            raise ArgumentError(
                "seconds must be positive", given=f"seconds={seconds}", fix="seconds=1.0"
            )
        self._refuse_unknown_noise()
        if self.waveform is not None:
            return self.waveform[:, :count].copy()
        # The samples, a line's wave, and the noise with its spectrum: some eight arrays in all.
        refuse_beyond_memory(8 * self.channels * count, "the samples", fix="seconds=10")
        samples = self.lines(count)
        if self.psd is not None:
            rng = np.random.default_rng(seed)
            grid = np.fft.rfftfreq(count, 1 / float(self.sample_rate))
            white = np.fft.rfft(rng.standard_normal((self.channels, count)), axis=1)
            levels = [np.interp(grid, self.frequencies, row) for row in self.psd]
            shaped = white * np.sqrt(np.asarray(levels) * float(self.sample_rate) / 2)
            samples += np.fft.irfft(shaped, count, axis=1)
        return samples

    # Tables.

    def table(
        self,
        *,
        family: bool = False,
        dbfs: bool = False,
        audible: bool = False,
        calibration: float | None = None,
    ) -> str:
        """Return all tones as a table of text.

        The power is that of the strongest channel, in dB re a mean square of 1: a full-scale sine
        is -3.01 dB.

        Parameters
        ----------
        family : bool
            Also the family of each line: its number, counted over the upsampling layers, and its
            spacing.
        dbfs : bool
            Also the level in dBFS (AES17: a full-scale sine is 0 dB).
        audible : bool
            Also whether it will be heard: see :meth:`audibility`.
        calibration : float, optional
            For ``audible``: sound pressure level in dB of a signal of RMS 1.

        Examples
        --------
        >>> from upsim import Constant, Stack, TransposedConv, predict
        >>> stack = Stack([TransposedConv(1, 1, 3, 2, bias=False, weight="ones")], 16000).draw(0)
        >>> found = predict(stack, Constant(0.1)).table(family=True, dbfs=True)
        >>> print(found.splitlines()[-1])
        8 kHz  1/2  1 (8 kHz)  -26.02 dB  -23.01 dBFS  1 (TransposedConv)  overlap  input offset
        """
        on_or_off(family, "family")
        on_or_off(dbfs, "dbfs")
        on_or_off(audible, "audible")
        if calibration is not None:
            calibration = finite_number(calibration, "calibration")
        if not self.tones:
            return "no tones"
        header, rows = wide_table(
            self, family=family, dbfs=dbfs, audible=audible, calibration=calibration
        )
        return text_table(header, rows)

    def __repr__(self) -> str:
        lines = [f"{self.stack.summary()}; input {_short(self.signal)}"]
        tones = [tone for tone in self.tones if tone.fraction != 0]
        strongest = sorted(tones, key=lambda tone: -float(tone.power.max()))
        if tones:
            shown = strongest[:4]
            rest = f", the strongest {len(shown)}" if len(tones) > len(shown) else ""
            kind = "tone" if self.stack.is_drawn else "expected tone"
            lines.append(f"{len(tones)} {kind}{'s' if len(tones) > 1 else ''}{rest}:")
            rows = [[row[0], row[2], _made(row)] for row in tone_rows(self, shown)]
            lines += text_table(["  ", "", ""], rows).splitlines()[1:]
        else:
            kind = "no tones" if self.stack.is_drawn else "no expected tones"
            quiet = self.psd is None and not self.noise_is_unknown
            silent = "this output is silent" if quiet else "this output has no line"
            lines.append(f"{kind}: {'an offset is the only line' if self.tones else silent}")
        lines.append(self._closing())
        return "\n".join(lines[:8])

    def _closing(self) -> str:
        offset = next((tone for tone in self.tones if tone.fraction == 0), None)
        parts = [f"offset {format_decibels(float(offset.power.max()))}"] if offset else []
        if self.psd is not None:
            kind = "recording" if self.waveform is not None else "noise"
            parts.append(f"{kind} {format_decibels(float(self.noise_power.max()))}")
        if self.noise_is_unknown:
            parts.append("noise not given: see assumptions")
        images = sum(each.is_image for each in find_bands(self.stack))
        if images:
            band = format_hertz(self.stack.input_rate / 2)
            parts.append(f"{images} image{'s' if images > 1 else ''} of the band to {band}")
        return "; ".join(parts) or "silence"

    def _repr_html_(self) -> str:
        header = f"<p>{_escaped(self.stack.summary())}; input {_escaped(_short(self.signal))}</p>"
        return header + html_table(HEADER, tone_rows(self, self.tones))

    # Pictures and data: written in modules of their own, offered here.

    def panels(self) -> list[Panel]:
        """Return what is drawn for the input and after each layer."""
        from upsim.answer.pictures import panels

        return panels(self)

    def plot(
        self, ax: Any = None, kind: str = "spectrum", *, channel: int = 0, title: str | None = None
    ) -> Any:
        """Draw a picture and return its Axes; nothing is shown or saved.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            An array of them for ``kind="layers"`` and ``kind="impulse"``.
        kind : str
            "spectrum": tones, density and shaded replicas. "layers": a panel for the input and
            each layer. "spectrograms": the same as spectrograms. "spectrogram": the output alone.
            "comb": the line families of the layers. "provenance": the sources of the strongest
            tones. "impulse": impulse response and phase gains of the folded stack.
        channel : int
        title : str, optional

        Returns
        -------
        Axes, or an array of Axes where there are several panels
        """
        from upsim.answer.pictures import plot

        return plot(self, ax, kind, channel=channel, title=title)

    def to_dict(self) -> dict[str, Any]:
        """Return plain, versioned data: numbers, strings and lists."""
        from upsim.answer.predictionfile import prediction_to_dict

        return prediction_to_dict(self)

    def to_json(self, *, indent: int | None = None) -> str:
        """Return :meth:`to_dict` as JSON."""
        if indent is not None:
            indent = whole_number(indent, "indent", least=0, most=64)
        return json.dumps(self.to_dict(), indent=indent)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Prediction:
        """Return a prediction from :meth:`to_dict`'s data; its layers are not kept there."""
        from upsim.answer.predictionfile import prediction_from_dict

        return prediction_from_dict(content)

    def to_dataframe(self) -> Any:
        """Return the tones as a pandas DataFrame, one row a tone and channel."""
        try:
            import pandas as pd
        except ImportError:
            raise MissingDependencyError(
                "to_dataframe needs the package pandas",
                given="pandas is not installed",
                fix="pip install pandas, or use .table() or .to_dict()",
            ) from None
        rows = [
            {
                "frequency": tone.frequency,
                "fraction": str(tone.fraction),
                "channel": channel,
                "amplitude": None if tone.amplitude is None else complex(tone.amplitude[channel]),
                "power": float(tone.power[channel]),
                "layer": tone.layer,
                "cause": tone.cause,
            }
            for tone in self.tones
            for channel in range(self.channels)
        ]
        return pd.DataFrame(rows)


def lines_of(tones: Sequence[Tone], count: int, channels: int) -> Array:
    """Return ``count`` samples of lines of known phase, (channels, count)."""
    samples = np.zeros((channels, count))
    index = np.arange(count)
    for tone in tones:
        assert tone.amplitude is not None
        wave = phasors(tone.fraction, index)
        sides = 1 if tone.fraction in (0, Fraction(1, 2)) else 2
        samples += sides * (tone.amplitude[:, None] * wave).real
    return samples


def _made(row: list[str]) -> str:
    source = f", from the {row[5]}" if row[5] else ""
    return f"{spoken(row[3])}, {row[4]}{source}"


def _short(signal: Feed) -> str:
    text = repr(signal)
    return text if len(text) <= 60 else text[:57] + "..."


def _escaped(text: str) -> str:
    from html import escape

    return escape(text)
