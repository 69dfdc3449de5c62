"""to_torch and run_torch themselves: devices, precisions, modules, refusals."""

import importlib.util

import numpy as np
import pytest

from upsim import neural
from upsim.errors import ArgumentError, NotPredictableError, ShapeError, UnknownNameError
from upsim.layers import Conv, Linear, Nearest, Parallel, ReLU, Snake, TransposedConv
from upsim.layers.base import Activation
from upsim.network.stack import Stack
from upsim.neural import torch_layers

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(
        importlib.util.find_spec("torch") is None, reason="torch is missing: pip install torch"
    ),
]


def test_a_stack_becomes_torchs_own_modules():
    import torch

    stack = Stack(
        [Conv(1, 2, 3), TransposedConv(2, 1, 4, 2), Nearest(2), Linear(2), ReLU()], 16000
    ).draw(0)
    module = neural.to_torch(stack)
    kinds = [type(part) for part in module]
    nn = torch.nn
    assert kinds == [nn.Conv1d, nn.ConvTranspose1d, nn.Upsample, nn.Upsample, nn.ReLU]
    assert sum(each.numel() for each in module.parameters()) == sum(
        layer.parameters(channels)
        for layer, channels in zip(stack, stack.channel_counts(), strict=False)
    )


def test_precision_reaches_branches_and_arrays():
    import torch

    layers = [Parallel(Conv(1, 1, 1), Snake()).draw(np.random.default_rng(0))]
    for dtype in (np.float32, torch.float32, "float32"):
        module = neural.to_torch(layers, dtype=dtype)
        kept = [*module.parameters(), *module.buffers()]
        assert len(kept) == 3
        assert {each.dtype for each in kept} == {torch.float32}


def test_torchs_seed_is_left_alone():
    import torch

    before = torch.get_rng_state()
    neural.to_torch(Stack([Conv(4, 4, 3), TransposedConv(4, 4, 3)], 8000).draw(0))
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_are_copies():
    layer = Conv(1, 1, 1, bias=False, weight=[[[2.0]]])
    module = neural.to_torch(layer)
    module.weight.detach().fill_(5.0)
    assert layer.weight_array() == [[[2.0]]]


def test_rank_is_kept():
    assert neural.run_torch(Nearest(2), np.ones((3, 4))).shape == (3, 8)
    assert neural.run_torch([Nearest(2)], np.ones((2, 3, 4))).shape == (2, 3, 8)


@pytest.mark.parametrize("device", ["tpu", "mps", "", 3.5, "cpu:x"])
def test_other_devices_are_refused(device):
    with pytest.raises(ArgumentError, match="device is not one"):
        neural.to_torch(ReLU(), device=device)


def test_cuda_without_cuda_is_refused(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ArgumentError, match="no such CUDA device") as refused:
        neural.run_torch(ReLU(), [[1.0]], device="cuda")
    assert refused.value.fix == 'device="cpu"'


def test_other_precisions_are_refused():
    import torch

    for dtype in (torch.float16, torch.bfloat16, np.int64):
        with pytest.raises(ArgumentError, match="single or double precision"):
            neural.run_torch(ReLU(), [[1.0]], dtype=dtype)


def test_undrawn_weights_and_wrong_channels_are_refused():
    with pytest.raises(NotPredictableError, match="not drawn") as refused:
        neural.to_torch([ReLU(), Conv(1, 1, 1)])
    assert "layer 2 of 2 (Conv)" in refused.value.where
    with pytest.raises(ShapeError, match="channels"):
        neural.run_torch(Conv(2, 1, 1, bias=False, weight=[[[1], [1]]]), np.ones((3, 4)))


def test_a_third_partys_layer_needs_a_builder(monkeypatch):
    monkeypatch.setattr(torch_layers, "_BUILDERS", dict(torch_layers._BUILDERS))

    class Softsign(Activation):
        def function(self, samples):
            return samples / (1 + np.abs(samples))

    with pytest.raises(UnknownNameError, match=r"register_torch\(Softsign\)"):
        neural.to_torch([Softsign()])

    @neural.register_torch(Softsign)
    def softsign(_, torch):
        return torch.nn.Softsign()

    assert neural.run_torch([Softsign()], [[1.0]]) == [[0.5]]
