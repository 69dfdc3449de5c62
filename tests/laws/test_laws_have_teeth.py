"""Every law fails on a broken layer; the sound layer it was made from passes them all."""

import pytest

from upsim.testing import LAWS, check_upsampler

from .broken import BROKEN, whole

PAIRS = [(name, layer) for name, broken in BROKEN.items() for layer in broken]


def test_every_law_has_a_broken_layer_that_it_must_catch():
    missing = set(LAWS) - {name for name, broken in BROKEN.items() if broken}
    assert not missing, f"add to tests.laws.broken.catalogue.BROKEN: {sorted(missing)}"
    assert set(BROKEN) <= set(LAWS)


@pytest.mark.parametrize(
    ("name", "layer"), PAIRS, ids=[f"{name}-{type(layer).__name__}" for name, layer in PAIRS]
)
def test_a_law_catches_its_broken_layer(name, layer):
    law = LAWS[name]
    assert law.applies(layer)
    with pytest.raises(AssertionError) as failure:
        law(layer)
    assert str(failure.value), "a law that fails must say why"


@pytest.mark.parametrize(
    ("name", "layer"), PAIRS, ids=[f"{name}-{type(layer).__name__}" for name, layer in PAIRS]
)
def test_the_report_names_the_law_and_what_it_says(name, layer):
    with pytest.raises(AssertionError) as failure:
        check_upsampler(layer)
    report = str(failure.value)
    assert f"  {name}: " in report
    assert LAWS[name].statement in report
    assert LAWS[name].formula in report
    assert LAWS[name].source in report


SOUND = [whole(layer) for _, layer in PAIRS]


@pytest.mark.parametrize("layer", SOUND, ids=[name for name, _ in PAIRS])
def test_the_sound_layer_passes(layer):
    check_upsampler(layer)
