"""Any strides: families by the formula, whole lengths, the product; any value: a graph or words."""

from copy import deepcopy
from fractions import Fraction
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import upsim
from tests.hostile_calls.calls import HOSTILE
from upsim.errors import ArgumentError, UpsimError

from .configurations import HIFT, ISTFTNET, KOKORO, ROWS, STYLEMELGAN, VOCOS

stages = st.lists(
    st.integers(1, 12).flatmap(lambda s: st.integers(0, 3).map(lambda more: (s, s + 2 * more))),
    min_size=1,
    max_size=6,
)


def config_of(pairs, rate):
    return {
        "upsample_rates": [stride for stride, _ in pairs],
        "upsample_kernel_sizes": [kernel for _, kernel in pairs],
        "upsample_initial_channel": 2 ** len(pairs),
        "num_mels": 3,
        "resblock_kernel_sizes": [3],
        "resblock_dilation_sizes": [[1]],
        "sampling_rate": rate,
        "hop_size": prod(stride for stride, _ in pairs),
    }


@settings(max_examples=40, deadline=None)
@given(pairs=stages, rate=st.integers(8000, 96000))
def test_family_i_has_the_multiples_of_the_rate_over_the_product_from_stride_i_on(pairs, rate):
    graph = upsim.from_config(config_of(pairs, rate))
    found = {each.layer: each.spacing for each in upsim.families(graph) if each.factor > 1}
    expected = {
        f"ups.{stage}": Fraction(rate, prod(stride for stride, _ in pairs[stage:]))
        for stage, (stride, _) in enumerate(pairs)
        if stride > 1
    }
    assert found == expected
    assert graph.output_length(20) == 20 * prod(stride for stride, _ in pairs)


@settings(max_examples=40, deadline=None)
@given(pairs=stages, off=st.integers(1, 1000))
def test_another_hop_is_refused_with_the_product(pairs, off):
    config = config_of(pairs, 16000)
    config["hop_size"] += off
    product = prod(stride for stride, _ in pairs)
    with pytest.raises(ArgumentError, match=rf"= {product}, hop_size {product + off}"):
        upsim.from_config(config)


CONFIGS = {name: row.config for name, row in ROWS.items()}
CONFIGS |= {"HiFT": HIFT, "iSTFTNet": ISTFTNET, "Kokoro": KOKORO, "Vocos": VOCOS}
CONFIGS["StyleMelGAN"] = STYLEMELGAN | {"sampling_rate": 22050}


def places(config, before=()):
    for key, value in config.items():
        yield (*before, key)
        if isinstance(value, dict):
            yield from places(value, (*before, key))


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_value_in_any_two_fields_is_read_or_refused_in_words(data):
    config = deepcopy(CONFIGS[data.draw(st.sampled_from(sorted(CONFIGS)))])
    for _ in range(2):
        *sections, key = data.draw(st.sampled_from(list(places(config))))
        inner = config
        for each in sections:
            inner = inner[each]
        inner[key] = HOSTILE[data.draw(st.sampled_from(sorted(HOSTILE)))]()
    assert outcome(config)


def outcome(config):
    """Return whether a configuration is a graph, or is refused with what was given, on one line."""
    try:
        return isinstance(upsim.from_config(config), upsim.Graph)
    except UpsimError as error:
        return bool(error.given) and "\n" not in str(error)
