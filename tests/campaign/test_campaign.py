"""The campaign reaches what it claims, its torch runs are sound, and it finds what is wrong."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import settings

import upsim
from upsim.layers import CATALOGUE
from upsim.layers.base import Branch
from upsim.layers.merging import Merging

torch = pytest.importorskip("torch", reason='torch is missing: pip install ".[torch]"')
from . import comparisons, networks, precision, torch_run  # noqa: E402 - they need torch

pytestmark = pytest.mark.torch
DOUBLE = torch_run.Arithmetic(torch.float64)


@pytest.fixture(scope="module")
def drawn():
    return [networks.draw_network(7, number) for number in range(300)]


# Copies of libraries are compared with the libraries themselves: tests/layers/test_resample.py.
# Small words are compared with torch one by one: tests/layers.
# Opaque nodes are run: tests/theory/test_opaque_nodes.py.
# Heads are compared with torch's own: tests/layers/test_heads.py.
ELSEWHERE = {
    "Resample", "Scale", "Select", "Pad", "Clamp", "Sin", "Gate", "Softmax", "Pointwise",
    "Opaque", "PQMF", "InverseSTFT",
}  # fmt: skip


def test_every_layer_of_the_catalogue_is_drawn_and_run():
    assert set(CATALOGUE) - ELSEWHERE == networks.KINDS
    assert set(CATALOGUE) - ELSEWHERE == torch_run.KINDS


def layers_of(network):
    return tuple(
        part.layer for part in network.subject.parts if not isinstance(part.layer, Merging)
    )


def test_graphs_have_several_inputs_rates_shared_values_and_crossing_skips(drawn):
    graphs = [it for it in drawn if not isinstance(it.subject, upsim.Stack)]
    assert {len(it.channels) for it in graphs} == {1, 2, 3}
    assert any(len(set(it.subject.input_rates)) > 1 for it in graphs)
    assert any(max(map(len, it.subject.readers)) > 2 for it in graphs)
    assert any(crossing(it.subject) for it in graphs)
    merged = {node.merging for it in graphs for node in it.subject.nodes}
    assert merged >= {"sum", "mean", "concatenate"}


def crossing(graph):
    """Tell whether two skips cross: one begins inside the other and ends outside."""
    spans = [(value, reading[-1]) for value, reading in enumerate(graph.readers) if reading[1:]]
    return any(a < c < b < d for a, b in spans for c, d in spans)


def test_networks_hold_every_layer_and_every_depth(drawn):
    found = Counter(
        type(layer).__name__ for it in drawn for layer in networks.leaves(layers_of(it))
    )
    assert set(found) == set(CATALOGUE) - ELSEWHERE
    depths = [len(it.subject.parts) for it in drawn]
    assert min(depths) == 1
    assert max(depths) > 50
    assert {it.channels[0] for it in drawn} >= {1, 16}
    assert {it.is_linear for it in drawn} == {True, False}


def nested(layer):
    if not isinstance(layer, Branch):
        return 0
    return 1 + max((nested(each) for part in layer.parts for each in part), default=0)


def test_networks_nest_decimate_and_leave_out_samples(drawn):
    layers = [layer for it in drawn for layer in networks.leaves(layers_of(it))]
    assert max(map(nested, layers)) >= 3
    transposed = [layer for layer in layers if isinstance(layer, upsim.TransposedConv)]
    assert any(layer.kernel_size < layer.stride for layer in transposed)
    assert any(layer.output_padding > 0 for layer in transposed)
    assert any(layer.dilation > 1 and layer.groups > 1 for layer in transposed)
    assert any(it.subject.rate.denominator > 1 for it in drawn)
    modes = {layer.padding_mode for layer in layers if isinstance(layer, upsim.Conv)}
    assert modes == {"zeros", "reflect", "replicate", "circular"}


def test_a_seed_and_a_number_make_the_same_network_again(drawn):
    assert networks.draw_network(7, 5).subject == drawn[5].subject
    assert networks.draw_network(8, 5).subject != drawn[5].subject


def test_the_steady_state_is_the_middle_of_a_long_run(drawn):
    met = 0
    for it in drawn[:60]:
        # Normalisations over time see the ends of a finite signal. torch works out the places of
        # its interpolations in floating point, so that their error grows with the length.
        left_out = upsim.GroupNorm | upsim.InstanceNorm | upsim.Linear | upsim.Cubic
        if any(isinstance(node.layer, left_out) for node in it.nodes):
            continue
        if len(it.channels) > 1:
            continue
        fed = np.random.default_rng(met).standard_normal((1, it.channels[0], 2))
        period = torch_run.steady(it.nodes, [DOUBLE(fed)], DOUBLE)[0].numpy()
        count = period.shape[-1]
        repeats = max(1, int(count / it.subject.rate) // 2) * 2048

        def middle(arithmetic, it=it, fed=fed, count=count, repeats=repeats):
            made, _ = torch_run.run(it.nodes, [arithmetic(np.tile(fed, repeats))], arithmetic)
            start = made.shape[-1] // (2 * count) * count
            return made[0, :, start : start + count]

        try:
            truth = precision.measured(middle, seed=met, operations=len(it.nodes))
        except torch_run.LengthError:
            continue
        assert np.abs(truth.values - period).max() <= truth.tolerance
        met += 1
    assert met > 10


STACK = upsim.Stack(
    [
        upsim.Conv(2, 3, 3, padding=1, bias=[0.1, 0.2, 0.3], weight=np.full((3, 2, 3), 0.2)),
        upsim.TransposedConv(3, 1, 5, 3, 1, bias=[0.4], weight=np.arange(15.0).reshape(3, 1, 5)),
    ],
    48000,
)
NETWORK = networks.Network(networks.nodes_of(tuple(STACK)), (2,), STACK)


def verdicts(network=NETWORK):
    return {each.check: each.verdict for each in comparisons.compare(network, 3)}


def test_a_sound_network_agrees_in_every_comparison():
    assert verdicts() == dict.fromkeys(comparisons.CHECKS, "agree")


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("lines", lambda answer: {"tones": answer.tones[:-1]}),
        ("lines", lambda answer: {"tones": (*answer.tones, moved(answer.tones[1]))}),
        ("shares", lambda answer: {"tones": tuple(map(without_a_share, answer.tones))}),
        ("recordings", lambda answer: {"waveform": rolled(answer.waveform)}),
        ("densities", lambda answer: {"psd": None if answer.psd is None else answer.psd * 1.001}),
    ],
)
def test_a_wrong_answer_differs(check, change, monkeypatch):
    predict = upsim.predict

    def wrong(*arguments, **named):
        answer = predict(*arguments, **named)
        return replace(answer, **change(answer))

    monkeypatch.setattr(upsim, "predict", wrong)
    found = {each.check for each in comparisons.compare(NETWORK, 3) if each.verdict == "differ"}
    assert check in found


def moved(tone):
    return replace(tone, fraction=tone.fraction / 2)


def without_a_share(tone):
    return replace(tone, contributions=tone.contributions[1:])


def rolled(samples):
    return None if samples is None else np.roll(samples, 1, axis=1)


def test_a_wrong_length_differs(monkeypatch):
    monkeypatch.setattr(upsim.Stack, "lengths", lambda _, length: [length, length, length])
    assert verdicts()["lengths"] == "differ"


def test_the_first_networks_agree():
    # as many as the profile has examples of a property, at half a second each
    count = settings().max_examples
    found = [
        (number, each)
        for number in range(count)
        for each in comparisons.compare(networks.draw_network(1, number), number)
    ]
    assert [pair for pair in found if pair[1].verdict != "agree"] == []


#: Networks that differed once: normalisations in series lost lines and shares, a crop of more than
#: there is, a network without a line, weak shares missing in the sum.
ONCE_WRONG = [(77, 36), (77, 113), (77, 697), (77, 1210), (77, 1223), (5, 533), (5, 2936)]


@pytest.mark.parametrize(("seed", "number"), ONCE_WRONG)
def test_what_once_differed_agrees(seed, number):
    outcomes = comparisons.compare(networks.draw_network(seed, number), number)
    assert {each.check for each in outcomes} >= {"lengths", "lines"}
    assert [each for each in outcomes if each.verdict != "agree"] == []
