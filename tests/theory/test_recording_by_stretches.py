"""A recording through a plain chain: stretch by stretch, against the witness's whole run."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import upsim
from upsim import neural
from upsim.errors import ShapeError
from upsim.operators import StretchFIR
from upsim.testing.strategies.layers import layers_with_channels
from upsim.theory.moments import recording
from upsim.theory.moments.recording import plain_chain, run_chain
from upsim.words.tolerance import rounding


def bound(chain, samples):
    """Return what two runs may differ by: each sum's roundings, at the largest size on the way."""
    size, terms = float(np.abs(samples).max(initial=0.0)), 0
    for operator in chain:
        offset = 0.0 if operator.offset is None else float(np.abs(operator.offset).max())
        size, terms = operator.largest_gain() * size + offset, terms + operator.terms + 1
    return rounding(terms, size)


@st.composite
def chains(draw):
    """Chains of layers that are mostly a stretch and an FIR that sees zeros beyond the ends."""
    names = ["TransposedConv", "TransposedConv", "Conv", "Nearest", "Stretch", "Crop", "Bias"]
    channels, found = 1, []
    for name in draw(st.lists(st.sampled_from(names), min_size=1, max_size=4)):
        layer, _ = draw(layers_with_channels(names=[name], channels=channels))
        found.append(layer)
        channels = layer.channels_out(channels)
    return upsim.Stack(found, 16000, in_channels=1).draw(seed=5)


@given(chains(), st.integers(1, 40), st.sampled_from([1, 7, 64, 2**18]))
def test_stretches_of_any_size_make_the_whole(stack, count, block):
    chain = plain_chain(stack)
    assume(chain is not None)
    samples = np.random.default_rng(count).standard_normal((stack.in_channels, count))
    try:
        wanted = neural.run(stack, samples[None])[0]
    except ShapeError:
        assume(False)
    whole = recording._BLOCK
    try:
        recording._BLOCK = block
        made = run_chain(chain, samples)
    finally:
        recording._BLOCK = whole
    assert made.shape == wanted.shape
    assert np.abs(made - wanted).max() <= bound(chain, samples)


CHAINS = {
    "dilated and cropped": [
        upsim.TransposedConv(1, 3, 5, 3, 2, 1, dilation=2),
        upsim.Crop(2, -3),
        upsim.Conv(3, 1, 4, dilation=3),
    ],
    "a periodic bias": [
        upsim.Conv(1, 4, 3, padding=1),
        upsim.PeriodicShuffle(2),
        upsim.Conv(2, 1, 3),
    ],
    "more taps than samples": [upsim.Conv(1, 1, 41, padding=40), upsim.TransposedConv(1, 1, 90, 7)],
    "groups": [upsim.TransposedConv(4, 4, 3, 2, groups=2), upsim.Conv(4, 4, 3, groups=4)],
}


@pytest.mark.parametrize("name", CHAINS)
def test_predict_and_its_panels_hear_the_recording(name):
    layers = CHAINS[name]
    channels = 4 if name == "groups" else 1
    stack = upsim.Stack(layers, 16000, in_channels=channels).draw(6)
    samples = np.random.default_rng(1).standard_normal((channels, 33))
    found = upsim.predict(stack, upsim.Recorded(samples, stack.input_rate) + upsim.WhiteNoise(0.1))
    made = neural.run(stack, samples[None], each=True)
    operators = stack.operators
    for number, (panel, wanted) in enumerate(zip(found.layers, made, strict=True)):
        if isinstance(operators[number], StretchFIR):
            assert np.abs(panel.waveform - wanted[0]).max() <= bound(operators, samples)
    assert np.array_equal(found.layers[-1].waveform, found.waveform)
    assert "recording: carried exactly, edges included" in found.assumptions


def test_what_lies_between_is_never_held_as_a_whole():
    width, count = 64, 2**15
    layers = [upsim.Conv(1, width, 3), upsim.Conv(width, width, 1), upsim.Conv(width, 1, 3)]
    stack = upsim.Stack(layers, 8000).draw(0)
    signal = upsim.Recorded(np.ones(count), 8000)
    upsim.predict(stack, upsim.Recorded(np.ones(64), 8000))
    tracemalloc.start()
    upsim.predict(stack, signal)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # One value of all channels would take 16 MiB.
    assert peak < width * count * 8
