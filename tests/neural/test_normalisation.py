"""Normalisations against torch's own modules in float64, by hand, and at their edges."""

import json
import warnings

import numpy as np
import pytest

import upsim
from upsim import neural
from upsim.errors import ArgumentError, ArgumentTypeError, NotPredictableError, ShapeError
from upsim.files.stackfile import stack_from_dict, stack_to_dict
from upsim.files.stackschema import schema
from upsim.layers import (
    BatchNorm,
    Conv,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    Nearest,
    SubpixelConv,
    TransposedConv,
    WeightNorm,
)
from upsim.words.tolerance import rounding

from .bounds import bound_of
from .cases import noise


def numbers(tensor):
    return tensor.detach().numpy().reshape(-1)


def filled(module, seed=0):
    """A torch module with every parameter and buffer drawn, variances positive."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    for name, values in [*module.named_parameters(), *module.named_buffers()]:
        if values.dtype == torch.float64:
            drawn = torch.randn(values.shape, generator=generator, dtype=torch.float64)
            values.data = drawn.square() if name == "running_var" else drawn
    return module.eval()


def affine(module):
    return {name: numbers(getattr(module, name)) for name in ("weight", "bias")}


def modules():
    import torch

    double = {"dtype": torch.float64}
    batch = filled(torch.nn.BatchNorm1d(6, eps=1e-3, **double))
    yield (
        batch,
        BatchNorm(
            6,
            1e-3,
            **affine(batch),
            running_mean=numbers(batch.running_mean),
            running_var=numbers(batch.running_var),
        ),
    )
    group = filled(torch.nn.GroupNorm(3, 6, **double))
    yield group, GroupNorm(3, 6, **affine(group))
    yield torch.nn.GroupNorm(2, 6, affine=False), GroupNorm(2, 6, affine=False)
    instance = filled(torch.nn.InstanceNorm1d(6, affine=True, **double))
    yield instance, InstanceNorm(6, affine=True, **affine(instance))
    yield torch.nn.InstanceNorm1d(6), InstanceNorm(6)


@pytest.mark.torch
def test_torchs_own_modules_give_the_same_numbers():
    import torch

    samples = 3 * noise(2, 6, 31) + 5
    for module, layer in modules():
        theirs = module(torch.tensor(samples)).detach().numpy()
        bound = bound_of([layer], samples, np.float64, longest=31).distance
        assert np.abs(neural.run(layer, samples) - theirs).max() <= bound, layer
        stack = upsim.Stack([layer], 8000)
        for item in range(2):
            made = upsim.predict(stack, upsim.Recorded(samples[item], 8000)).waveform
            assert np.abs(made - theirs[item]).max() <= bound, layer


@pytest.mark.torch
@pytest.mark.parametrize("transposed", [False, True])
def test_both_forms_of_torchs_weight_norm(transposed):
    import torch

    kind = torch.nn.ConvTranspose1d if transposed else torch.nn.Conv1d
    ours = TransposedConv if transposed else Conv
    samples = noise(1, 2, 9)
    gain = np.array([0.5, -2.0] if transposed else [0.5, -2.0, 3.0])
    direction = noise(*((2, 3, 4) if transposed else (3, 2, 4)), seed=4)
    bias = np.array([1.0, 2.0, 3.0])
    layer = WeightNorm(ours(2, 3, 4, 2, bias=bias, weight=direction), gain=gain)
    made = neural.run(layer, samples)
    bound = bound_of([layer], samples, np.float64, longest=24).distance

    old = kind(2, 3, 4, 2, dtype=torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls this form old
        torch.nn.utils.weight_norm(old, dim=0)
    old.weight_g.data = torch.tensor(gain.reshape(-1, 1, 1))
    old.weight_v.data = torch.tensor(direction)
    new = kind(2, 3, 4, 2, dtype=torch.float64)
    torch.nn.utils.parametrizations.weight_norm(new, dim=0)
    new.parametrizations.weight.original0.data = torch.tensor(gain.reshape(-1, 1, 1))
    new.parametrizations.weight.original1.data = torch.tensor(direction)
    for module in (old, new):
        module.bias.data = torch.tensor(bias)
        theirs = module(torch.tensor(samples)).detach().numpy()
        assert np.abs(made - theirs).max() <= bound
    # The operator's is the same again.
    operator = layer.operator(2)
    mapped = operator.apply(samples[0])
    assert np.abs(made[0] - mapped - operator.offset).max() <= bound


@pytest.mark.parametrize(
    "inner", [Conv(2, 3, 4), TransposedConv(2, 3, 4, 2), SubpixelConv(2, 3, 4, 2)], ids=repr
)
def test_weight_norm_starts_with_the_weights_that_it_was_given(inner):
    layer = WeightNorm(inner)
    assert not layer.is_drawn
    with pytest.raises(NotPredictableError):
        layer.operator(2)
    drawn = layer.draw(np.random.default_rng(3))
    assert drawn.is_drawn
    assert drawn.effective() == inner.draw(np.random.default_rng(3))
    assert drawn.draw(np.random.default_rng(4)) == drawn
    assert layer.parameters(2) == inner.parameters(2) + inner.weight_shape[0]
    count = inner.weight_shape[0]
    gained = WeightNorm(drawn.layer, gain=np.arange(1.0, count + 1))
    norms = np.sqrt((gained.effective().weight ** 2).sum((1, 2)))
    assert np.abs(norms - np.arange(1, count + 1)).max() <= rounding(32, count)


def test_by_hand():
    # Channels 1, 3 and 0, 4: means 2 and 2, variances 1 and 4; together 2 and 5/2.
    samples = np.array([[1.0, 3.0], [0.0, 4.0]])
    root = np.sqrt(2.5 + 1.5)
    expected = (samples - 2) / root
    assert neural.run(GroupNorm(1, 2, 1.5), samples).tolist() == expected.tolist()
    assert neural.run(InstanceNorm(2, 5.0), samples)[1].tolist() == [-2 / 3, 2 / 3]
    # At each time step 1, 0 and 3, 4: means 1/2, 7/2, variance 1/4.
    assert neural.run(LayerNorm(2, 0.75), samples).tolist() == [[0.5, -0.5], [-0.5, 0.5]]
    fixed = BatchNorm(2, 1.0, running_mean=[1.0, 2.0], running_var=[0.0, 3.0])
    assert neural.run(fixed, samples).tolist() == [[0.0, 2.0], [-1.0, 1.0]]


def test_zero_variance_leaves_the_bias():
    constant = np.full((2, 5), 7.0)
    for layer in (
        GroupNorm(2, 2, bias=[1.0, 2.0]),
        InstanceNorm(2, affine=True, bias=[1.0, 2.0]),
        GroupNorm(1, 2, bias=[1.0, 2.0]),
        LayerNorm(2, bias=[1.0, 2.0]),
    ):
        expected = [[1.0] * 5, [2.0] * 5]
        assert neural.run(layer, constant).tolist() == expected
        assert layer.function(constant).tolist() == expected


@pytest.mark.parametrize("eps", [0, -1e-5, np.inf, np.nan])
@pytest.mark.parametrize(
    "kind", [BatchNorm, InstanceNorm, LayerNorm, lambda count, eps: GroupNorm(1, count, eps)]
)
def test_eps_is_positive(kind, eps):
    with pytest.raises(ArgumentError, match="eps must be"):
        kind(4, eps)


@pytest.mark.parametrize(
    ("make", "kind", "said"),
    [
        (lambda: GroupNorm(3, 4), ArgumentError, "multiple of num_groups.*fix: num_groups=1"),
        (lambda: GroupNorm(0, 4), ArgumentError, "num_groups must be a positive"),
        (lambda: GroupNorm(1, 2.5), ArgumentError, "num_channels must be a positive"),
        (lambda: GroupNorm(1, 2, weight=[1.0]), ShapeError, "weight has the wrong shape"),
        (lambda: GroupNorm(1, 2, bias=[1.0, np.nan]), ArgumentError, "bias must be finite"),
        (lambda: GroupNorm(1, 2, affine="yes"), ArgumentTypeError, "affine is on or off"),
        (lambda: InstanceNorm(2, weight=[1, 2]), ArgumentError, "without affine.*fix: affine=True"),
        (lambda: InstanceNorm(2, track_running_stats=True), ArgumentError, "BatchNorm"),
        (lambda: BatchNorm(2, track_running_stats=False), ArgumentError, "InstanceNorm"),
        (lambda: BatchNorm(2, running_var=[1.0, -1.0]), ArgumentError, "must not be negative"),
        (lambda: BatchNorm(2, running_mean=[1.0]), ShapeError, "running_mean has the wrong"),
        (lambda: LayerNorm((4, 5)), ArgumentTypeError, "normalized_shape must be"),
        (lambda: LayerNorm(2, elementwise_affine=False, bias=[1, 2]), ArgumentError, "no bias"),
        (lambda: WeightNorm(Nearest(2)), ArgumentTypeError, "for convolutions"),
        (lambda: WeightNorm(Conv), ArgumentTypeError, "for convolutions"),
        (lambda: WeightNorm(Conv(2, 3, 4), gain=[1.0]), ShapeError, "gain has the wrong shape"),
        (
            lambda: WeightNorm(Conv(1, 2, 1, weight=[[[0.0]], [[1.0]]]), gain=[1.0, 1.0]),
            ArgumentError,
            "no direction.*1 of 2 slices",
        ),
    ],
)
def test_what_is_wrong_is_said(make, kind, said):
    with pytest.raises(kind, match=said):
        make()


@pytest.mark.parametrize("layer", [BatchNorm(2), GroupNorm(1, 2), InstanceNorm(2), LayerNorm(2)])
def test_other_channels_are_refused(layer):
    with pytest.raises(ShapeError, match="input channels do not match"):
        upsim.Stack([layer], 8000, in_channels=3)
    assert upsim.Stack([layer], 8000).in_channels == 2


LAYERS = [
    BatchNorm(2, 1e-3, affine=False, running_mean=[0.5, 1.5], running_var=[1.0, 2.0]),
    GroupNorm(2, 2, weight=[0.5, 1.5]),
    InstanceNorm(2, affine=True),
    LayerNorm(2, elementwise_affine=False),
    WeightNorm(Conv(2, 3, 1, bias=False, weight=np.ones((3, 2, 1))), gain=[1.0, 2.0, 3.0]),
    WeightNorm(TransposedConv(3, 2, 2, 2)),
]


def test_stack_files_keep_them_and_the_schema_knows_them():
    from jsonschema import Draft202012Validator

    stack = upsim.Stack(LAYERS, 8000)
    content = json.loads(json.dumps(stack_to_dict(stack)))
    assert stack_from_dict(content) == stack
    validator = Draft202012Validator(schema())
    validator.validate(content)
    content["layers"][2]["affine"] = "yes"
    assert not validator.is_valid(content)
