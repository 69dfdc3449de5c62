"""A node with a name is called by it: no sentence makes "layer up1" of it, and none breaks."""

import pytest

import upsim


def named():
    return upsim.Stack(
        [
            ("pre", upsim.Conv(2, 4, 3, padding=1)),
            ("act", upsim.LeakyReLU(0.1)),
            ("norm", upsim.GroupNorm(1, 4)),
            ("up", upsim.TransposedConv(4, 4, 3, 2, 1, 1)),
            ("level", upsim.LayerNorm(4)),
            ("bend", upsim.Tanh()),
            ("post", upsim.Conv(4, 1, 3, padding=1)),
        ],
        sample_rate=16000,
    )


def two_inputs():
    return upsim.Graph(
        [
            ("up", upsim.TransposedConv(2, 2, 3, 2, 1, 1), "mel"),
            ("source", upsim.Conv(1, 2, 3, padding=1), "pitch"),
            ("sum", upsim.Add(), ("up", "source")),
            ("act", upsim.LeakyReLU(0.1), "sum"),
            ("post", upsim.Conv(2, 1, 3, padding=1), "act"),
        ],
        inputs={"mel": 2, "pitch": 1},
        sample_rate=16000,
    )


def said(prediction):
    """Return all that a prediction says in sentences."""
    yield repr(prediction)
    yield prediction.table()
    yield from prediction.assumptions
    for tone in prediction.tones:
        yield str(prediction.explain(tone.frequency))
    yield str(prediction.explain(prediction.stack.sample_rate / 3))
    if prediction.psd is not None:
        yield repr(prediction.audibility())


STACKS = {
    "constant": (named().draw(0), upsim.Constant(1.0)),
    "noise": (named().draw(0), upsim.Constant(1.0) + upsim.WhiteNoise(1.0)),
    "expectation": (named(), upsim.WhiteNoise(1.0)),
    "two inputs": (two_inputs().draw(0), {"mel": upsim.Constant(1.0), "pitch": upsim.Sine(1000)}),
}


@pytest.mark.parametrize("case", STACKS)
def test_a_name_is_said_as_it_is(case):
    stack, signal = STACKS[case]
    prediction = upsim.predict(stack, signal)
    texts = list(said(prediction))
    assert prediction.tones
    assert [text for text in texts for node in stack.nodes if f"layer {node.name}" in text] == []
    everything = "\n".join(texts)
    assert "up (TransposedConv)" in everything
    if case == "noise":
        assert "level (LayerNorm): wide limit" in everything


def test_a_number_is_called_a_layer():
    layers = list(named().layers)
    prediction = upsim.predict(upsim.Stack(layers, 16000).draw(0), upsim.Constant(1.0))
    assert "layer 4 (TransposedConv)" in repr(prediction)


def test_an_input_is_named_as_a_source():
    # Bussgang's rest of the activation is smaller than what comes in, at 8 kHz and at 0 Hz.
    stack, signal = STACKS["two inputs"]
    text = str(upsim.predict(stack, signal).explain(8000))
    assert "input offset of mel (input)" in text
    linear = upsim.predict(stack.upto("sum"), upsim.Constant(1000.0))
    (offset,) = (tone for tone in linear.tones if tone.frequency == 0)
    assert offset.layer in ("mel", "pitch")
    assert f"{offset.layer} (input)" in linear.table()
    assert "input offset of" in str(linear.explain(0))
