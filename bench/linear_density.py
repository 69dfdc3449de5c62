"""The density of a linear stack, against the averaged simulation that reaches 0.1 dB.

How many averages that takes follows from a formula.  Welch's average of K segments, half
overlapping under a Hann window, has a relative variance of ``1.056 / K`` (neighbours are
correlated by 1/6: ``1 + 2 / 36``); a relative error is ``10 / ln 10`` times as large in dB.
Leakage into the valleys adds a bias, known from the exact density: the autocorrelation times that
of the window.  Squares add.  The simulation is then run, and its error must come out as the
formula says.
"""

from __future__ import annotations

from math import ceil, log

import numpy as np
from timing import Result, first_calls, in_turn, report

import upsim

SAMPLE_RATE = 32000
SEGMENT = 4096
#: rms over all frequencies, dB.
ALLOWED = 0.1
TURNS = 4


def stack(seed: int = 0) -> upsim.Stack:
    """Return three transposed convolutions x 2, kernels of 4, with 1, 8, 8 and 1 channels."""
    layers = [
        upsim.TransposedConv(given, made, 4, 2, 1, bias=False)
        for given, made in ((1, 8), (8, 8), (8, 1))
    ]
    return upsim.Stack(layers, SAMPLE_RATE).draw(seed)


def leakage(psd: np.ndarray) -> np.ndarray:
    """Return the bias of Welch's average at each frequency, in dB."""
    # A one-sided density is twice the two-sided one but at 0 and Nyquist, where upsim doubles, too.
    correlation = np.fft.irfft(psd / 2)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(SEGMENT) / SEGMENT)
    padded = np.abs(np.fft.fft(window, 2 * SEGMENT)) ** 2
    overlap = np.fft.ifft(padded).real[:SEGMENT] / (window**2).sum()
    lags = np.minimum(np.arange(SEGMENT), SEGMENT - np.arange(SEGMENT))
    expected = 2 * np.fft.rfft(correlation * overlap[lags]).real
    return 10 * np.log10(expected / psd)


def segments_needed(bias: np.ndarray) -> int:
    """Return K such that chance and leakage together are ``ALLOWED`` dB rms."""
    chance = ALLOWED**2 - np.mean(bias**2)
    assert chance > 0, "no number of averages is enough: use longer segments"
    return ceil(1.056 * (10 / log(10)) ** 2 / chance)


def main() -> None:
    import torch
    from scipy.signal import welch

    from upsim.neural import to_torch

    torch.set_num_threads(1)
    layers = stack()
    noise = upsim.WhiteNoise(1.0)
    exact = upsim.predict(layers, noise)
    assert exact.psd is not None
    assert exact.psd.shape == (1, SEGMENT // 2 + 1)
    bias = leakage(exact.psd[0])
    segments = segments_needed(bias)
    count = ceil((segments + 1) * SEGMENT / 2 / layers.rate)
    module = to_torch(layers, dtype="float32")
    rng = np.random.default_rng(0)
    errors = []

    def simulate() -> None:
        samples = rng.standard_normal((1, 1, count), dtype=np.float32)
        with torch.inference_mode():
            made = module(torch.from_numpy(samples))[0, 0].numpy()
        _, level = welch(made, SAMPLE_RATE, nperseg=SEGMENT, detrend=False)
        level[[0, -1]] *= 2  # the two ends are their own mirror images
        errors.append(np.sqrt(np.mean((10 * np.log10(level / exact.psd[0])) ** 2)))

    ours, theirs = in_turn(lambda: upsim.predict(layers, noise), simulate, turns=TURNS, calls=20)
    first = first_calls(stack, lambda new: upsim.predict(new, noise))
    measured = float(np.mean(errors))
    # 2049 levels, neighbours correlated: their rms varies by some 2 % a run; five of that.
    assert 0.9 * ALLOWED < measured < 1.1 * ALLOWED, f"the simulation is {measured:.3f} dB off"
    report(
        Result(
            "density of a linear stack (1, 8, 8, 1 channels, three times x 2)",
            f"`predict(stack, WhiteNoise())`, exact at {SEGMENT // 2 + 1} frequencies",
            f"torch float32 over {count * int(layers.rate) / 1e6:.1f} M samples and "
            f"`scipy.signal.welch`, {segments} segments",
            ours,
            theirs,
            "at most 1/1000",
            ours <= theirs / 1000,
            f"simulation's error {measured:.3f} dB rms, first prediction of a newly drawn stack "
            f"{1e3 * first:.3g} ms",
        )
    )


if __name__ == "__main__":
    main()
