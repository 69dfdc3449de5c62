"""Adapters: how a framework's callables take arrays and give them back.

A framework is found, not imported.  Its adapter is chosen by the callable's type (a class of torch,
of Keras), else by what the callable's code mentions (a function that says ``jnp.``), else it is
NumPy's.  :data:`FRAMEWORKS` holds the adapters; :func:`register_framework` adds one.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ArgumentTypeError
from upsim.network.graph import Graph
from upsim.words.arguments import shown

#: Array of shape (..., axes of the layout).
Array = NDArray[Any]


def _plainly(function: Any) -> Any:
    return function


def _is_tensor_of(*roots: str) -> Callable[[object], bool]:
    def says(value: object) -> bool:
        return any(root_of(kind) in roots for kind in type(value).__mro__)

    return says


@dataclass(frozen=True, kw_only=True)
class Framework:
    """How callables of one framework are called.

    Parameters
    ----------
    name : str
    roots : tuple of str
        Top-level modules that its types and functions come from.
    layout : str
        The layout that its layers have unless they say otherwise: see :mod:`.layouts`.
    tensor : callable (array, callable) -> tensor
        Put an array where the callable wants it, in the callable's precision.
    array : callable (tensor) -> array
        Bring a result back; raises where it holds no numbers.
    is_tensor : callable (object) -> bool
        Whether a result is an array of the framework.
    calling : callable () -> context manager
        Held around every call: no gradients, for instance.
    pull : callable (callable, tensor, array) -> tensor, optional
        The transposed Jacobian at a tensor, applied to an array of the output's shape.
    doubled : callable (callable) -> callable, optional
        The same callable in double precision; None where there is none.
    hint : callable (callable) -> str, optional
        What the framework's own switches say of a callable that is not repeatable.
    """

    name: str
    roots: tuple[str, ...]
    layout: str
    tensor: Callable[[Array, Any], Any]
    array: Callable[[Any], Array]
    is_tensor: Callable[[object], bool]
    calling: Callable[[], AbstractContextManager[Any]] = nullcontext
    pull: Callable[[Any, Any, Array], Any] | None = None
    doubled: Callable[[Any], Any] | None = None
    hint: Callable[[Any], str] | None = None


def root_of(kind: object) -> str:
    """Return the top-level module that a class or function comes from, "" if it does not say."""
    module = getattr(kind, "__module__", None)
    return module.partition(".")[0] if isinstance(module, str) else ""


def _mentioned(function: object, depth: int = 0) -> Iterator[str]:
    """Yield the top-level modules that a function's code and its closure mention."""
    if isinstance(function, functools.partial):
        yield from _mentioned(function.func, depth)
        for value in (*function.args, *function.keywords.values()):
            yield from (root_of(kind) for kind in type(value).__mro__)
        return
    inner = getattr(function, "__wrapped__", None) or getattr(function, "__func__", None)
    if inner is not None and depth < 8:
        yield from _mentioned(inner, depth + 1)
    if not isinstance(function, types.FunctionType):
        call = getattr(type(function), "__call__", None)  # noqa: B004 - its code is looked at
        if isinstance(call, types.FunctionType) and depth < 8:
            yield from _mentioned(call, depth + 1)
        return
    code = function.__code__
    cells = [cell for cell in function.__closure__ or () if _is_filled(cell)]
    met = [function.__globals__.get(name) for name in code.co_names]
    met += [cell.cell_contents for cell in cells]
    met += list((function.__defaults__ or ()) + tuple((function.__kwdefaults__ or {}).values()))
    for name in code.co_names:
        if name in sys.modules and name not in function.__globals__:
            yield name  # imported inside the function
    for value in met:
        if isinstance(value, types.ModuleType):
            yield value.__name__.partition(".")[0]
        elif value is not None:
            yield root_of(value)
            yield from (root_of(kind) for kind in type(value).__mro__)
            same = getattr(value, "__module__", None) == function.__module__
            if isinstance(value, types.FunctionType) and same and depth < 8:
                yield from _mentioned(value, depth + 1)


def _is_filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:  # empty: the name is not bound yet
        return False


def owner(subject: Any) -> Any:
    """Return the object whose method a callable is, or the callable itself."""
    own = subject.func if isinstance(subject, functools.partial) else subject
    bound = getattr(own, "__self__", None)
    return own if bound is None or isinstance(bound, types.ModuleType) else bound


def framework_of(subject: Any) -> Framework:
    """Return the adapter of a callable.

    Examples
    --------
    >>> framework_of(lambda x: np.repeat(x, 2, axis=-1)).name
    'numpy'
    """
    own = owner(subject)
    roots = [root_of(kind) for kind in type(own).__mro__ if kind is not object]
    for roots_of_it in (roots, [root_of(own)]):
        for framework in reversed(FRAMEWORKS.values()):
            if set(roots_of_it) & set(framework.roots):
                return framework
    met = set(_mentioned(subject))
    for framework in reversed(FRAMEWORKS.values()):
        if met & set(framework.roots):
            return framework
    return FRAMEWORKS["numpy"]


def register_framework(framework: Framework) -> None:
    """Add an adapter; one that was added later is asked first."""
    if not isinstance(framework, Framework):
        raise ArgumentTypeError(
            "an adapter is a Framework",
            given=f"framework={shown(framework)}",
            expected="an upsim.testing.Framework",
        )
    FRAMEWORKS[framework.name] = framework


# --- NumPy, and layers of our own


def _numpy_array(value: Any) -> Array:
    return np.asarray(value)


def _run_layer(layers: Any) -> Any:
    from upsim import neural

    return functools.partial(neural.run, layers)


# --- torch


def _torch() -> Any:
    return sys.modules["torch"]


def _torch_example(subject: Any) -> Any:
    """Return a parameter or buffer of floating type of a module, None if there is none."""
    own = owner(subject)
    if not isinstance(own, _torch().nn.Module):
        return None
    for each in (*own.parameters(), *own.buffers()):
        if each.is_floating_point():
            return each
    return None


def _torch_tensor(array: Array, subject: Any) -> Any:
    torch = _torch()
    example = _torch_example(subject)
    if example is None:
        return torch.from_numpy(np.array(array))
    return torch.from_numpy(np.array(array)).to(device=example.device, dtype=example.dtype)


def _torch_array(tensor: Any) -> Array:
    torch = _torch()
    if tensor.device.type == "meta":
        raise ValueError("it lies on the device 'meta' and holds no numbers")
    tensor = tensor.detach().resolve_conj().resolve_neg().cpu()
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    if tensor.dtype in (torch.bfloat16, torch.float16):
        return np.asarray(tensor.float().numpy())
    return np.asarray(tensor.numpy())


def _torch_pull(subject: Any, tensor: Any, back: Array) -> Any:
    torch = _torch()
    with torch.enable_grad():
        given = tensor.detach().clone().requires_grad_(True)
        made = subject(given)
        if not made.requires_grad:
            return None
        weights = torch.from_numpy(np.array(back)).to(device=made.device, dtype=made.dtype)
        return torch.autograd.grad(made, given, weights, allow_unused=True)[0]


def _torch_doubled(subject: Any) -> Any:
    if _torch_example(subject) is None:
        return None
    import copy

    own = copy.deepcopy(subject)
    return own.double() if isinstance(own, _torch().nn.Module) else None


def _torch_hint(subject: Any) -> str:
    if getattr(owner(subject), "training", False):
        return "the module is in training mode, where dropout and batch norm are random or stateful"
    return ""


# --- Keras (any backend) and JAX


def _keras_tensor(array: Array, subject: Any) -> Any:
    keras = sys.modules["keras"]
    dtype = getattr(subject, "compute_dtype", None) or keras.config.floatx()
    return keras.ops.convert_to_tensor(np.array(array), dtype=dtype)


def _keras_array(value: Any) -> Array:
    if _is_tensor_of("torch")(value):
        return _torch_array(value)
    return np.asarray(sys.modules["keras"].ops.convert_to_numpy(value))


def _keras_pull(subject: Any, tensor: Any, back: Array) -> Any:
    backend = sys.modules["keras"].config.backend()
    if backend == "torch":
        return _torch_pull(subject, tensor, back)
    return _jax_pull(subject, tensor, back) if backend == "jax" else None


def _jax_tensor(array: Array, subject: Any) -> Any:
    del subject
    return sys.modules["jax"].numpy.asarray(np.array(array))


def _jax_pull(subject: Any, tensor: Any, back: Array) -> Any:
    jax = sys.modules["jax"]
    made, pull = jax.vjp(subject, tensor)
    return pull(jax.numpy.asarray(back, dtype=made.dtype))[0]


def _no_grad() -> AbstractContextManager[Any]:
    torch = sys.modules.get("torch")
    return nullcontext() if torch is None else torch.no_grad()


#: Adapters by name, the one that is asked last first.
FRAMEWORKS: dict[str, Framework] = {}

for _each in (
    Framework(
        name="numpy",
        roots=("numpy", "scipy"),
        layout="batch channels time",
        tensor=lambda array, _: np.array(array),
        array=_numpy_array,
        is_tensor=lambda value: isinstance(value, np.ndarray),
    ),
    Framework(
        name="jax",
        roots=("jax", "jaxlib", "flax", "equinox", "haiku"),
        layout="batch channels time",
        tensor=_jax_tensor,
        array=_numpy_array,
        is_tensor=_is_tensor_of("jax", "jaxlib"),
        pull=_jax_pull,
    ),
    Framework(
        name="torch",
        roots=("torch",),
        layout="batch channels time",
        tensor=_torch_tensor,
        array=_torch_array,
        is_tensor=_is_tensor_of("torch"),
        calling=_no_grad,
        pull=_torch_pull,
        doubled=_torch_doubled,
        hint=_torch_hint,
    ),
    Framework(
        name="keras",
        roots=("keras",),
        layout="batch time channels",
        tensor=_keras_tensor,
        array=_keras_array,
        is_tensor=_is_tensor_of("torch", "jax", "jaxlib", "tensorflow", "numpy"),
        calling=_no_grad,
        pull=_keras_pull,
    ),
):
    register_framework(_each)


def runnable(subject: Any) -> Any:
    """Return what is called: layers and graphs of our own are run by the witness."""
    from upsim.layers.base import Layer

    return _run_layer(subject) if isinstance(subject, Layer | Graph) else subject
