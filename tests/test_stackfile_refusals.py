"""Stack files: what is written comes back, and what is wrong is said once and clearly."""

from dataclasses import dataclass

import numpy as np
import pytest

import upsim
from upsim.answer.predictionfile import prediction_from_dict, prediction_to_dict
from upsim.errors import ArgumentTypeError, FileFormatError, UnknownNameError, UpsimError
from upsim.files.stackfile import stack_from_dict, stack_to_dict
from upsim.network.weights import Initialisation, Normal


def content_of(*layers, sample_rate=16000):
    return {
        "format": "upsim-stack",
        "version": 1,
        "sample_rate": sample_rate,
        "layers": list(layers),
    }


@pytest.mark.parametrize(
    "layer",
    [
        {"type": "LeakyReLU", "layers": 0.3},
        {"type": "Nearest", "branches": [3]},
        {"type": "Residual", "branches": []},
        {"type": "Parallel", "layers": []},
    ],
)
def test_parts_are_taken_only_by_layers_that_have_them(layer):
    with pytest.raises(FileFormatError, match=f"{layer['type']} has no such field"):
        stack_from_dict(content_of(layer))


def test_branches_come_back_as_they_were():
    stack = upsim.Stack(
        [
            upsim.Residual(upsim.Conv(2, 2, 3, padding=1, weight=Normal(0.5)), skip=upsim.ReLU()),
            upsim.Parallel((), (upsim.ReLU(), upsim.Bias(0.5)), merge="mean"),
        ],
        16000,
    )
    assert stack_from_dict(stack_to_dict(stack)) == stack


@dataclass(frozen=True)
class Mine(Initialisation):
    def draw(self, shape, rng):
        return np.zeros((shape.out, shape.per_group, shape.count))


def test_an_initialisation_of_the_users_own_is_refused_until_it_is_drawn():
    stack = upsim.Stack([upsim.Conv(1, 1, 1, weight=Mine())], 16000)
    with pytest.raises(UnknownNameError, match=r"only initialisations of upsim.*stack\.draw"):
        stack_to_dict(stack)
    drawn = stack.draw(0)
    assert stack_from_dict(stack_to_dict(drawn)) == drawn


def test_a_number_that_is_none_is_refused_once(tmp_path):
    path = tmp_path / "stack.json"
    path.write_text('{"format": "upsim-stack", "sample_rate": NaN}', encoding="utf-8")
    with pytest.raises(FileFormatError) as refusal:
        upsim.load_stack(path)
    assert str(refusal.value) == (
        f"JSON has no such number. given: NaN, {path}. expected: finite numbers"
    )


@pytest.mark.parametrize("rate", ["1e30000000", "1/0", "-5", "9" * 41, "", "x"])
def test_a_rate_that_is_none_is_refused_at_once(rate):
    # Ten to the thirty millionth, written out, would take half a minute.
    with pytest.raises(UpsimError):
        stack_from_dict(content_of({"type": "ReLU"}, sample_rate=rate))


def test_a_fraction_is_a_rate():
    stack = upsim.Stack([upsim.ReLU()], 86.1328125)
    assert stack_from_dict(stack_to_dict(stack)) == stack


def test_what_is_no_stack_or_no_path_is_refused(tmp_path):
    with pytest.raises(ArgumentTypeError, match=r"only a Stack or a Graph can be saved. given: 5"):
        upsim.save_stack(5, tmp_path / "stack.json")
    stack = upsim.Stack([upsim.ReLU()], 16000)
    for wrong in (None, 5):
        with pytest.raises(ArgumentTypeError, match="path must be a path"):
            upsim.load_stack(wrong)
        with pytest.raises(ArgumentTypeError, match="path must be a path"):
            upsim.save_stack(stack, wrong)


def test_a_predictions_fractions_are_read_without_exponents():
    stack = upsim.Stack([upsim.TransposedConv(1, 1, 3, 2, bias=False, weight="ones")], 16000)
    plain = prediction_to_dict(upsim.predict(stack.draw(0), upsim.Constant(1.0)))
    assert prediction_from_dict(plain).sample_rate == 16000
    for changed in (
        {"sample_rate": "1e30000000"},
        {"tones": [{**plain["tones"][0], "fraction": "1e30000000"}]},
    ):
        with pytest.raises(FileFormatError) as refusal:
            prediction_from_dict({**plain, **changed})
        assert "FileFormatError" not in str(refusal.value)
