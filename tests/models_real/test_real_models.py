"""Models of full size against ``from_torch``: lines of a constant input beside the steady state.

Their weights are drawn from one seed: what is compared is what the code computes, and nothing is
downloaded.  ``pip install ".[models-test]"`` brings the packages.
"""

from fractions import Fraction

import numpy as np
import pytest

import upsim
from upsim.words.tolerance import rounding

torch = pytest.importorskip("torch", reason='torch is missing: pip install ".[torch]"')

from tests.importers import torch_zoo as zoo  # noqa: E402 - needs torch

pytestmark = [pytest.mark.torch, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

WHY = '{} is missing: pip install ".[models-test]"'


def package(name):
    return pytest.importorskip(name, reason=WHY.format(name))


def speecht5():
    found = package("transformers")
    return found.SpeechT5HifiGan(found.SpeechT5HifiGanConfig())


def vits():
    found = package("transformers")
    return found.VitsModel(found.VitsConfig()).decoder


def dac():
    found = package("transformers")
    return found.DacModel(found.DacConfig()).decoder


def encodec():
    found = package("transformers")
    return found.EncodecModel(found.EncodecConfig()).decoder


def snac():
    # The 24 kHz model without its random noise.
    whole = package("snac").SNAC(
        sampling_rate=24000,
        encoder_dim=48,
        encoder_rates=[2, 4, 8, 8],
        decoder_dim=1024,
        decoder_rates=[8, 8, 4, 2],
        attn_window_size=None,
        codebook_size=4096,
        vq_strides=[4, 2, 1],
        noise=False,
    )
    return whole.decoder


#: What makes it, the shape of its input, the axis of time, the rate, and samples until it settles.
MODELS = {
    "speecht5": (speecht5, (1, 32, 80), 1, 16000, 96),
    "vits": (vits, (1, 192, 32), 2, 22050, 96),
    "dac": (dac, (1, 1024, 24), 2, 44100, 48),
    "encodec": (encodec, (1, 128, 24), 2, 24000, 128),
    "snac": (snac, (1, 768, 24), 2, 24000, 48),
}


@pytest.mark.parametrize("name", list(MODELS))
def test_lines_of_a_constant_are_those_of_the_steady_state(name):
    made, shape, axis, rate, settled = MODELS[name]
    module = zoo.seeded(made)
    graph = upsim.from_torch(module, sample_rate=rate, input=shape)
    period = graph.rate.numerator
    ones = np.ones(zoo.longer(shape, axis, settled * graph.rate.denominator))
    want = np.asarray(zoo.made_by(module, ones)).reshape(-1)
    # All roundings of a layer are those of the terms that one sample of it sums.
    terms = sum(each[0].numel() for each in module.parameters() if each.ndim > 1)
    bound = rounding(terms, float(np.abs(want).max()))
    middle = want.size // 2 // period * period
    one, next_one = want[middle : middle + 2 * period].reshape(2, period)
    assert np.abs(one - next_one).max() <= bound, "the module has not settled"
    found = np.zeros(period // 2 + 1, dtype=complex)
    for tone in upsim.predict(graph, upsim.Constant(1.0)).tones:
        line = Fraction(tone.fraction) * period
        assert line.denominator == 1
        found[int(line)] = tone.amplitude[0]
    assert np.abs(found - np.fft.rfft(one) / period).max() <= bound
