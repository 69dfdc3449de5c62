"""A copy of a torch module to look into: in double precision, in evaluation, without gradients.

The module itself is left as it was: its numbers, its mode, its hooks and its gradients.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from upsim.errors import ArgumentError, ArgumentTypeError, MissingDependencyError, UpsimError
from upsim.words.arguments import shown

#: Containers of tensors inside a module's attributes are searched to this depth.
_DEPTH = 3


def torch_package() -> Any:
    """Return torch, or say how to get it."""
    try:
        import torch
    except ImportError:
        raise MissingDependencyError(
            "PyTorch is needed to read a torch module", fix='pip install "upsim[torch]"'
        ) from None
    return torch


def checked_module(module: object) -> Any:
    """Return a torch module, or refuse what is none."""
    torch = torch_package()
    module = getattr(module, "_orig_mod", module)  # what torch.compile wraps
    if isinstance(module, torch.nn.Module):
        _refuse_frozen(torch, module)
        return module
    is_class = isinstance(module, type) and issubclass(module, torch.nn.Module)
    is_weights = isinstance(module, dict)
    raise ArgumentTypeError(
        "from_torch needs a torch module"
        + (": weights alone do not say what is computed" if is_weights else ""),
        given="a dict, as a state dict is" if is_weights else shown(module),
        expected="a torch.nn.Module",
        fix="build the model, then model.load_state_dict(weights)"
        if is_weights
        else f"{module.__name__}(), with its arguments"  # type: ignore[attr-defined]
        if is_class
        else "",
    )


def _refuse_frozen(torch: Any, module: Any) -> None:
    """Refuse frozen code: its weights are constants in single precision, and torch cannot copy it.

    Freezing takes the mode away: that is how it is known.
    """
    for path, each in module.named_modules():
        if isinstance(each, torch.jit.ScriptModule) and not hasattr(each, "training"):
            raise ArgumentError(
                "a frozen module cannot be read: its weights are constants of its code",
                given=path or "the whole module",
                expected="a module of Python, or a scripted, traced or loaded one",
                fix="the module before torch.jit.freeze",
            )


def double_copy(module: Any) -> Any:
    """Return a copy in double precision on the CPU, in evaluation mode.

    Tensors are copied by hand: the plain way refuses weights that a hook has computed, as
    ``torch.nn.utils.weight_norm`` leaves them, and would hold two copies for a moment.
    """
    torch = torch_package()
    memo: dict[int, Any] = {}
    for path, tensor in _tensors(torch, module):
        if id(tensor) in memo:
            continue
        if tensor.is_meta or isinstance(tensor, torch.nn.parameter.UninitializedTensorMixin):
            raise ArgumentError(
                "a weight of the module has no numbers yet",
                given=path,
                expected="weights that are drawn or loaded",
                fix="build the module on the CPU, and run it once if it is lazy",
            )
        memo[id(tensor)] = _double(torch, tensor)
    try:
        with torch.no_grad():  # scripted modules are copied by operations
            made = copy.deepcopy(module, memo).eval()
            made = made.to(device="cpu").double()
    except UpsimError:
        raise
    except Exception as error:
        raise ArgumentError(
            "the module cannot be copied, and it is not changed in place",
            given=f"{type(error).__name__}: {shown(str(error))}",
            expected="a module that copy.deepcopy takes",
        ) from error
    for each in made.parameters():
        each.requires_grad_(False)
    return made


def _double(torch: Any, tensor: Any) -> Any:
    wide = torch.complex128 if tensor.is_complex() else torch.float64
    floating = tensor.is_floating_point() or tensor.is_complex()
    values = tensor.detach().to("cpu", wide if floating else tensor.dtype, copy=True)
    if isinstance(tensor, torch.nn.Parameter):
        return torch.nn.Parameter(values, requires_grad=False)
    return values


def _tensors(torch: Any, module: Any) -> Iterator[tuple[str, Any]]:
    """Yield every tensor that a module holds, with its path: weights, buffers, attributes."""

    def inside(value: Any, path: str, depth: int) -> Iterator[tuple[str, Any]]:
        if isinstance(value, torch.Tensor):
            yield path, value
        elif depth and isinstance(value, dict):
            for key, each in list(value.items()):
                yield from inside(each, f"{path}.{key}" if path else str(key), depth - 1)
        elif depth and isinstance(value, list | tuple):
            for number, each in enumerate(value):
                yield from inside(each, f"{path}.{number}", depth - 1)

    for path, each in module.named_modules():
        if isinstance(each, torch.jit.ScriptModule):
            continue  # copied by torch itself
        for name, value in list(vars(each).items()):
            if name == "_modules" or "hooks" in name:
                continue
            start = path if name in ("_parameters", "_buffers") else f"{path}.{name}".strip(".")
            yield from inside(value, start, _DEPTH)
