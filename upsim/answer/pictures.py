"""From a prediction to a picture: plain rows are handed to :mod:`upsim.show`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from upsim import show
from upsim.errors import ArgumentError, NotPredictableError
from upsim.network.graph import Graph
from upsim.network.node import spoken
from upsim.operators import StretchFIR
from upsim.show import Band, ContributionRow, Panel, ToneRow
from upsim.theory.lines.ladder import families
from upsim.theory.lines.tones import Tone
from upsim.theory.moments.propagation import fold, is_linear
from upsim.theory.reports.replicas import find_bands
from upsim.words.arguments import one_of, plain_text, whole_number

if TYPE_CHECKING:
    from upsim.answer.prediction import Prediction

#: Kinds of pictures.
KINDS = ("spectrum", "layers", "spectrograms", "spectrogram", "comb", "provenance", "impulse")

Array = NDArray[np.float64]

#: Samples of a segment of a recording.
_SEGMENT = 2048


def plot(
    prediction: Prediction, ax: Any, kind: str, *, channel: int = 0, title: str | None = None
) -> Any:
    """Draw one of :data:`KINDS` and return its Axes, or an array of them."""
    one_of(kind, "kind", KINDS)
    if title is not None:
        plain_text(title, "title")
    channel = whole_number(channel, "channel", least=0)
    if channel >= prediction.channels:
        raise ArgumentError(
            "there is no such channel",
            given=f"channel={channel}",
            expected=f"0 to {prediction.channels - 1}",
            fix="channel=0",
        )
    heading = title or prediction.stack.summary()
    rate = float(prediction.sample_rate)
    if kind in ("layers", "spectrograms"):
        each = "spectrum" if kind == "layers" else "spectrogram"
        return show.draw_layers(
            panels(prediction), kind=each, axes=ax, channel=channel, title=heading
        )
    if kind == "impulse":
        taps, factor, first = _responses(prediction.stack)
        return show.draw_impulse_and_phase_gains(
            taps[channel, 0], factor, sample_rate=rate, first=first, axes=ax, title=title
        )
    panel = panel_of(prediction, heading)
    if kind == "spectrum":
        return show.draw_spectrum(
            panel.frequencies_hz,
            panel.psd,
            panel.tones,
            panel.bands,
            sample_rate=rate,
            ax=ax,
            title=heading,
            channel=channel,
            psd_interval=panel.psd_interval,
        )
    if kind == "comb":
        rows = [(each.layer, float(each.spacing)) for each in families(prediction.stack)]
        return show.draw_comb(
            rows, panel.tones, sample_rate=rate, ax=ax, title=heading, channel=channel
        )
    if kind == "provenance":
        return show.draw_provenance(
            panel.tones, _shares(prediction, channel), ax=ax, title=heading, channel=channel
        )
    if panel.waveform is not None:
        image = show.spectrogram_of_waveform(panel.waveform, rate, channel=channel)
    else:
        image = show.expected_spectrogram(
            panel.frequencies_hz, panel.psd, panel.tones, sample_rate=rate, channel=channel
        )
    return show.draw_spectrogram(image, ax=ax, title=heading)


def _responses(stack: Graph) -> tuple[Array, int, int]:
    """Return what a linear stack makes of an impulse, its phases, and the first sample.

    The responses are of shape (out, in, taps) for a stretch and an FIR; one that decimates too
    repeats after D > 1 input samples, and has D responses: (out, in, D, taps).
    """
    if not stack.is_drawn:
        raise NotPredictableError(
            "an impulse response is that of one network, whose weights are drawn",
            given='kind="impulse" of a stack with undrawn weights',
            fix='upsim.predict(stack.draw(seed=0)).plot(kind="impulse")',
        )
    linear = next((n for n in range(len(stack), 0, -1) if is_linear(stack.upto(n))), 0)
    if linear < len(stack):
        raise NotPredictableError(
            "only a linear stack has an impulse response",
            given=f'kind="impulse", {stack.label(linear + 1)}',
            expected="a stack without activations and normalisations",
            fix=f'upsim.predict(stack.upto({linear})).plot(kind="impulse")'
            if linear
            else 'kind="layers"',
        )
    folded = fold(stack)
    if isinstance(folded, StretchFIR) and folded.down == 1:
        return folded.dense_taps(), folded.factor, -folded.crop[0]
    blocks = folded.polyphase().reduced()
    return blocks.impulse_response(), blocks.up, blocks.first * blocks.up


def panels(prediction: Prediction) -> list[Panel]:
    """Return what is drawn for the input and after each layer."""
    found = []
    for each, fed in zip(prediction.stack.inputs, prediction.inputs, strict=True):
        title = "input" if len(prediction.stack.inputs) == 1 else each.name
        found.append(panel_of(fed, title, bands=False))
    for number, after in enumerate(prediction.layers, 1):
        found.append(panel_of(after, prediction.stack.label(number)))
    return found


def panel_of(prediction: Prediction, title: str, *, bands: bool = True) -> Panel:
    """Return the rows of one picture."""
    tones = [
        ToneRow(
            frequency_hz=tone.frequency,
            power=tone.power.tolist(),
            layer=tone.layer,
            cause=tone.cause,
            interval=_interval(prediction, tone),
        )
        for tone in prediction.tones
    ]
    shaded = [
        Band(
            low_hz=float(each.low),
            high_hz=float(each.high),
            mirrored=each.mirrored,
            made_by=spoken(each.made_by[0]) if each.made_by else "input",
            order=order,
        )
        for order, each in enumerate(find_bands(prediction.stack) if bands else ())
    ]
    frequencies, psd, run = prediction.frequencies, prediction.psd, prediction.measured
    if (
        psd is not None
        and prediction.waveform is not None
        and (run is None or run.psd_error is None)
    ):
        frequencies, psd = _curve(prediction)
    return Panel(
        title=title,
        sample_rate=float(prediction.sample_rate),
        frequencies_hz=None if psd is None else frequencies,
        psd=psd,
        tones=tuple(tones),
        bands=tuple(shaded),
        waveform=prediction.waveform,
        psd_interval=None
        if psd is None or run is None or run.psd_error is None
        else run.density_interval(psd),
    )


def _interval(prediction: Prediction, tone: Tone) -> tuple[tuple[float, float], ...]:
    """Return the interval of a measured line's power, one a channel; nothing of another line."""
    if prediction.measured is None or not prediction.measured.degrees:
        return ()
    low, high = prediction.measured.line_interval(tone)
    return tuple(zip(low.tolist(), high.tolist(), strict=True))


def _curve(prediction: Prediction) -> tuple[Array, Array]:
    """Return a recording's density averaged over segments: a curve that can be read.

    The DFT of a whole recording has more bins than a picture has columns, and the cut at its ends
    fills the valleys between them; Welch's windowed segments do neither.
    """
    from scipy.signal import welch

    assert prediction.waveform is not None
    rest = prediction.waveform - prediction.lines(prediction.waveform.shape[1])
    segment = min(rest.shape[1], _SEGMENT)
    rate = float(prediction.sample_rate)
    grid, psd = welch(rest, rate, nperseg=segment, detrend=False, axis=1)
    return np.asarray(grid), np.asarray(psd)


def _shares(prediction: Prediction, channel: int) -> list[ContributionRow]:
    rows = []
    for tone in prediction.tones:
        rows += [
            ContributionRow(
                frequency_hz=tone.frequency,
                layer=share.layer or "input",
                cause=share.cause,
                power=float(share.power[channel]),
                phase=None
                if share.amplitude is None
                else float(np.angle(share.amplitude[channel])),
            )
            for share in tone.contributions
            # What a line loses to a cause is no bar of its own.
            if share.power[channel] > 0
        ]
        together = 0.0 if tone.interaction is None else float(tone.interaction[channel])
        if together > 0:
            rows.append(
                ContributionRow(
                    frequency_hz=tone.frequency, layer="all", cause="together", power=together
                )
            )
    return rows
