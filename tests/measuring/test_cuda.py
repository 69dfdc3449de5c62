"""The same run on a GPU: what NumPy measures, up to the rounding of the precision."""

import numpy as np
import pytest

import upsim
from upsim.neural.backends import PRECISIONS
from upsim.words.tolerance import probable

pytestmark = pytest.mark.cuda


def decoder() -> upsim.Stack:
    layers = [
        upsim.TransposedConv(8, 32, 8, 4, padding=2),
        upsim.GLU(),
        upsim.Residual([upsim.Conv(16, 16, 3, padding=1), upsim.Snake(16)]),
        upsim.TransposedConv(16, 16, 4, 2, padding=1),
        upsim.LeakyReLU(0.1),
        upsim.Conv(16, 1, 7, padding=3),
        upsim.Tanh(),
    ]
    return upsim.Stack(layers, 16000).draw(0)


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_a_gpu_measures_what_numpy_does(dtype):
    arguments = {"target_db": None, "seconds": 1.0, "seed": 4}
    signal = upsim.WhiteNoise(1.0) + upsim.Constant(0.5)
    one = upsim.measure(decoder(), signal, **arguments)
    other = upsim.measure(
        decoder(), signal, backend="torch", device="cuda", dtype=dtype, **arguments
    )
    # Some two thousand products and sums lie between a sample and the noise.
    off = probable(2**11, 1.0, PRECISIONS[dtype])
    assert np.all(np.abs(other.psd - one.psd) < 2 * off * one.psd.max())
    found = {tone.fraction: tone for tone in other.tones}
    size = np.sqrt(one.noise_power + one.tone_power)
    for tone in one.tones:
        if np.all(np.abs(tone.amplitude) > 2 * off * size):
            assert np.all(np.abs(found[tone.fraction].amplitude - tone.amplitude) < off * size)
    for tone in other.tones:
        total = np.sum([share.amplitude for share in tone.contributions], axis=0)
        assert np.all(np.abs(total - tone.amplitude) < off * size)


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_the_silent_output_is_within_the_derived_bound(dtype):
    from upsim.neural.backends import TorchBackend
    from upsim.verification.witness import Witness, run_period

    true = upsim.predict(decoder(), upsim.Silence())
    witness = Witness.of(TorchBackend(dtype, "cuda"))
    seen = run_period(decoder(), [np.zeros((1, 8, 1))], witness).end
    wanted = true.lines(seen.samples.shape[2])
    assert np.all(np.abs(seen.samples[0] - wanted) <= seen.error[:, None])
