"""Predictions as plain, versioned data: what JSON can carry, and nothing that runs."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.answer.measured import Measured
from upsim.answer.prediction import Prediction
from upsim.errors import FileFormatError, TooLargeError, UpsimError
from upsim.files.graphfile import network_from_dict, network_to_dict
from upsim.files.signalfile import feed_from_dict, feed_to_dict
from upsim.files.stackfile import exact_rate
from upsim.theory.lines.tones import Contribution, Tone
from upsim.theory.moments.closure_error import StatedSize
from upsim.theory.reports.replicas import Replica
from upsim.words.frozen import frozen
from upsim.words.units import positive_rate

FORMAT, VERSION = "upsim-prediction", 1


def prediction_to_dict(prediction: Prediction) -> dict[str, Any]:
    """Return plain data: numbers, strings and lists; weights are part of the stack."""
    psd, waveform, stated = prediction.psd, prediction.waveform, prediction.stated_size
    return {
        "format": FORMAT,
        "version": VERSION,
        "stack": network_to_dict(prediction.stack),
        "signal": feed_to_dict(prediction.signal),
        "sample_rate": str(prediction.sample_rate),
        "frequencies": prediction.frequencies.tolist(),
        "psd": None if psd is None else psd.tolist(),
        "noise_power": None if prediction.noise_is_unknown else prediction.noise_power.tolist(),
        "tones": [_tone_to_dict(tone) for tone in prediction.tones],
        "replicas": _replicas_to_list(prediction),
        "assumptions": list(prediction.assumptions),
        "waveform": None if waveform is None else waveform.tolist(),
        "measured": None if prediction.measured is None else _run_to_dict(prediction.measured),
        "stated_size": None
        if stated is None
        else {"density": stated.density, "lines": stated.lines},
    }


def prediction_from_dict(content: object) -> Prediction:
    """Return a prediction from its data; replicas are worked out again from the stack."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise FileFormatError(
            "this is not an upsim prediction",
            given=f"format={content.get('format')!r:.60}"
            if isinstance(content, dict)
            else f"{type(content).__name__}, no object",
            expected=f"format {FORMAT!r}",
            fix="upsim.Prediction.from_dict(prediction.to_dict())",
        )
    if content.get("version") != VERSION:
        raise FileFormatError(
            "this prediction is of another version",
            given=f"version {content.get('version')!r}",
            expected=f"version {VERSION}",
            fix="predict again",
        )
    try:
        return Prediction(
            network_from_dict(content["stack"]),
            feed_from_dict(content["signal"]),
            positive_rate(exact_rate(content["sample_rate"])),
            _array(content["frequencies"]),
            _optional_array(content["psd"]),
            tuple(_tone_from_dict(each) for each in content["tones"]),
            tuple(content["assumptions"]),
            _optional_array(content["waveform"]),
            power_of_noise=partial(_array, content["noise_power"]),
            # A file of an older version has no runs.
            measured=_run_from_dict(content.get("measured")),
            stated_size=_size_from_dict(content.get("stated_size")),
        )
    except UpsimError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise FileFormatError(
            "the prediction is incomplete", given=f"{type(error).__name__}: {error}"
        ) from None


def _fraction(text: object) -> Fraction:
    # Fraction("1e999999999") would count to the end of its zeros: whole numbers only.
    if not isinstance(text, str) or not re.fullmatch(r"\d{1,400}(/\d{1,400})?", text):
        raise FileFormatError(
            "a tone's place is a fraction of the sample rate",
            given=f"{text!r:.40}",
            expected='"1/8"',
        )
    return Fraction(text)


def _optional_array(values: Any) -> NDArray[np.float64] | None:
    return None if values is None else _array(values)


def _array(values: Any) -> NDArray[np.float64]:
    return frozen(np.asarray(values, dtype=np.float64))


def _optional_pairs(values: NDArray[np.complex128] | None) -> list[list[float]] | None:
    if values is None:
        return None
    return [[float(value.real), float(value.imag)] for value in values]


def _from_pairs(pairs: list[list[float]] | None) -> NDArray[np.complex128] | None:
    if pairs is None:
        return None
    found = np.asarray([complex(*pair) for pair in pairs], dtype=np.complex128)
    found.setflags(write=False)
    return found


def _tone_to_dict(tone: Tone) -> dict[str, Any]:
    return {
        "fraction": str(tone.fraction),
        "frequency": tone.frequency,
        "amplitude": _optional_pairs(tone.amplitude),
        "power": tone.power.tolist(),
        "layer": tone.layer,
        "cause": tone.cause,
        "contributions": [
            {
                "cause": share.cause,
                "layer": share.layer,
                "amplitude": _optional_pairs(share.amplitude),
                "power": share.power.tolist(),
            }
            for share in tone.contributions
        ],
        "interaction": None if tone.interaction is None else tone.interaction.tolist(),
        "error": None if tone.error is None else tone.error.tolist(),
    }


def _tone_from_dict(content: dict[str, Any]) -> Tone:
    return Tone(
        _fraction(content["fraction"]),
        float(content["frequency"]),
        _from_pairs(content["amplitude"]),
        _array(content["power"]),
        str(content["layer"]),
        str(content["cause"]),
        tuple(
            Contribution(
                share["cause"],
                share["layer"],
                _from_pairs(share["amplitude"]),
                _array(share["power"]),
            )
            for share in content["contributions"]
        ),
        _optional_array(content.get("error")),
    )


def _run_to_dict(run: Measured) -> dict[str, Any]:
    """Return a run as data; a place where a line is listed has no bound: null."""
    return {
        "batches": run.batches,
        "circles": run.circles,
        "seconds": run.seconds,
        "backend": run.backend,
        "seed": str(run.seed),
        "degrees": run.degrees,
        "psd_error": None if run.psd_error is None else run.psd_error.tolist(),
        "bounds": [
            [None if np.isnan(bound) else bound for bound in row] for row in run.bounds.tolist()
        ],
        "period": run.period,
    }


def _run_from_dict(content: Any) -> Measured | None:
    if content is None:
        return None
    bounds = [[np.nan if bound is None else bound for bound in row] for row in content["bounds"]]
    return Measured(
        int(content["batches"]),
        int(content["circles"]),
        float(content["seconds"]),
        str(content["backend"]),
        int(content["seed"]),
        int(content["degrees"]),
        _optional_array(content["psd_error"]),
        _array(bounds),
        int(content["period"]),
    )


def _size_from_dict(content: Any) -> StatedSize | None:
    if content is None:
        return None
    return StatedSize(float(content["density"]), float(content["lines"]))


def _replicas_to_list(prediction: Prediction) -> list[dict[str, Any]] | None:
    """Return the replicas as data; None where there are too many to list."""
    try:
        return [_replica_to_dict(replica) for replica in prediction.replicas]
    except TooLargeError:
        return None


def _replica_to_dict(replica: Replica) -> dict[str, Any]:
    return {
        "low": str(replica.low),
        "high": str(replica.high),
        "input_low": str(replica.input_low),
        "input_high": str(replica.input_high),
        "mirrored": replica.mirrored,
        "made_by": list(replica.made_by),
        "gain": None if replica.gain is None else replica.gain.tolist(),
    }
