"""How much memory a model may ask for: a multiple of its file, and checked before it is taken.

A file of some kilobytes can ask for any amount: a tensor of ones of a given shape, a tile, a chain
of concatenations that doubles each time.  A model that was trained asks for its weights, some
times over where they are normalised or turned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import isfinite, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError, TooLargeError
from upsim.words.arguments import MEMORY_BUDGET

Array = NDArray[Any]
Given = Sequence[Array | None]

#: What every model may take, and how many times its own bytes beside it.
FIXED, TIMES = 128 * 2**20, 16

#: Bytes of one number.
_NUMBER = 8

#: More than any budget has.
_TOO_MANY = 2**62


class Budget:
    """Bytes for the constants that are folded, and for the numbers of samples that are moved.

    Parameters
    ----------
    size : callable
        Returns the bytes of the model, its external data included as far as they were read.

    Examples
    --------
    >>> Budget(lambda: 1000).take(2**30, "a constant")
    Traceback (most recent call last):
        ...
    upsim.errors.TooLargeError: a constant takes more memory than a model of this size may ask ...
    """

    def __init__(self, size: Callable[[], int]) -> None:
        self._size = size
        self.taken = 0

    @property
    def limit(self) -> int:
        """The most bytes that may be taken."""
        return min(FIXED + TIMES * self._size(), MEMORY_BUDGET)

    def take(self, size: int, what: str) -> None:
        """Note bytes that are about to be taken, or refuse them."""
        if self.taken + size > self.limit:
            raise TooLargeError(
                f"{what} takes more memory than a model of this size may ask for",
                given=f"{_mebibytes(size)} MiB more than the {_mebibytes(self.taken)} MiB before",
                expected=f"at most {_mebibytes(self.limit)} MiB together: "
                f"{_mebibytes(FIXED)} MiB and {TIMES} times the file",
                fix="inputs= behind this node",
            )
        self.taken += size


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:.0f}" if size < 2**50 else f"{size / 2**20:.1e}"


def bytes_made(node: Any, given: Given) -> int:
    """Return the most bytes that a node makes of arrays, in double precision.

    Each operator that makes more numbers than it reads has its own law.  What no law says is
    bounded by the product of all sizes, of the whole numbers that are read, and of the attributes.
    """
    kind = node.op_type
    if any(each is not None and each.dtype.kind in "OSTU" for each in given):
        raise NotPredictableError("an operator on texts is no part of a network", given=kind)
    try:
        count = _LAWS.get(kind, _all_together)(node, given)
    except (ValueError, TypeError, LookupError, OverflowError, AttributeError, StopIteration):
        # Arguments that make no sense: the evaluator says so, if they ask for little.
        count = _all_together(node, given)
    is_slow = kind in _SLOW or kind not in _LAWS
    return count * _NUMBER * (_SLOW_AS if is_slow else 1)


#: What is computed number by number is counted by the time that it takes.
_SLOW = frozenset(("GatherElements", "Resize", "ScatterElements", "ScatterND", "Upsample"))
_SLOW_AS = 64


def _attribute(node: Any, name: str, otherwise: Any) -> Any:
    for each in node.attribute:
        if each.name == name:
            return list(each.ints) or list(each.floats) or each.i
    return otherwise


def _text(node: Any, name: str) -> str:
    return str(next(each.s.decode("latin-1") for each in node.attribute if each.name == name))


def _product(sizes: Iterable[Any]) -> int:
    """Return the product of sizes, as whole numbers of any length."""
    return prod(max(1, abs(int(each))) for each in sizes)


def _array(given: Given, place: int) -> Array:
    found = given[place] if place < len(given) else None
    if found is None:
        raise IndexError(place)
    return found


def _kept(_node: Any, given: Given) -> int:
    return sum(each.size for each in given if each is not None)


def _broadcast(_node: Any, given: Given) -> int:
    shapes = [each.shape for each in given if each is not None]
    rank = max(map(len, shapes), default=0)
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    return _product(max(sizes) for sizes in zip(*padded, strict=True))


def _constant_of_shape(_node: Any, given: Given) -> int:
    return _product(np.ravel(_array(given, 0)))


def _expand(_node: Any, given: Given) -> int:
    shape = _array(given, 0).shape
    wanted = [abs(int(each)) for each in np.ravel(_array(given, 1))]
    rank = max(len(shape), len(wanted))
    pairs = zip(
        (1,) * (rank - len(shape)) + shape, [1] * (rank - len(wanted)) + wanted, strict=True
    )
    return _product(max(pair) for pair in pairs)


def _tile(_node: Any, given: Given) -> int:
    return max(1, _array(given, 0).size) * _product(np.ravel(_array(given, 1)))


def _range(_node: Any, given: Given) -> int:
    start, stop, step = (float(np.ravel(_array(given, place))[0]) for place in range(3))
    count = abs((stop - start) / step) if step else np.inf
    return int(count) + 1 if isfinite(count) else _TOO_MANY


def _pad(node: Any, given: Given) -> int:
    array = _array(given, 0)
    found = _attribute(node, "pads", None) or np.ravel(_array(given, 1))
    ends = [abs(int(each)) for each in found]
    axes = range(array.ndim)
    if len(given) > 3 and given[3] is not None:
        axes = [int(each) % array.ndim for each in np.ravel(given[3])]  # type: ignore[assignment]
    sizes = list(array.shape)
    for number, axis in enumerate(axes):
        sizes[axis] += ends[number] + ends[number + len(axes)]
    return _product(sizes)


def _resize(node: Any, given: Given) -> int:
    count = max(1, _array(given, 0).size)
    asked = [each for each in given[1:] if each is not None and each.size]
    listed = [np.ravel(each) for each in asked] + [np.asarray(_attribute(node, "scales", [1]))]
    numbers = [float(each) for array in listed for each in array]
    if not all(map(isfinite, numbers)):
        return _TOO_MANY
    return int(count * prod(max(1.0, abs(each)) for each in numbers))


def _one_hot(_node: Any, given: Given) -> int:
    return _array(given, 0).size * _product(np.ravel(_array(given, 1))[:1])


def _gather(node: Any, given: Given) -> int:
    array, indices = _array(given, 0), _array(given, 1)
    axis = int(_attribute(node, "axis", 0)) % max(1, array.ndim)
    return int(array.size // max(1, array.shape[axis]) * max(1, indices.size))


def _matrix_product(_node: Any, given: Given) -> int:
    first, second = _array(given, 0), _array(given, 1)
    if min(first.ndim, second.ndim) < 2:
        return first.size + second.size
    batch = [first[..., :1, :1], second[..., :1, :1]]
    return int(_broadcast(None, batch) * first.shape[-2] * second.shape[-1])


def _gemm(node: Any, given: Given) -> int:
    first, second = _array(given, 0), _array(given, 1)
    rows = first.shape[1 if _attribute(node, "transA", 0) else 0]
    columns = second.shape[0 if _attribute(node, "transB", 0) else 1]
    return int(rows * columns)


def _convolution(node: Any, given: Given) -> int:
    array, weight = _array(given, 0), _array(given, 1)
    pads = [abs(each) for each in _attribute(node, "pads", [0])]
    sizes = [size + sum(pads) + kernel for size, kernel in _along(array, weight)]
    return _product([array.shape[0], array.shape[1] + weight.shape[0], *sizes])


def _transposed(node: Any, given: Given) -> int:
    array, weight = _array(given, 0), _array(given, 1)
    groups = max(1, abs(int(_attribute(node, "group", 1))))
    names = ("strides", "dilations", "output_padding", "output_shape")
    most = [max([1, *map(abs, _attribute(node, name, [1]))]) for name in names]
    sizes = [
        size * most[0] + kernel * most[1] + most[2] + most[3]
        for size, kernel in _along(array, weight)
    ]
    return _product([array.shape[0], weight.shape[1], groups, *sizes])


def _along(array: Array, weight: Array) -> list[tuple[int, int]]:
    return list(zip(array.shape[2:], weight.shape[2:], strict=True))


def _all_together(node: Any, given: Given) -> int:
    """Return a bound for an operator without a law of its own."""
    arrays = [each for each in given if each is not None]
    sizes = _product(each.size for each in arrays)
    wholes = [each for each in arrays if each.size <= _FEW and each.dtype.kind in "iu"]
    values = _product(value for each in wholes for value in np.ravel(each))
    attributes = _product(
        value for each in node.attribute for value in (*each.ints, each.i) if value
    )
    return sizes * values * attributes


#: Numbers that may be sizes or repeats.
_FEW = 32


def _recurrent(_node: Any, given: Given) -> int:
    array, weight = _array(given, 0), _array(given, 1)
    steps = array.shape[0] * array.shape[1] if array.ndim > 1 else array.size
    return _product([steps, weight.size // max(1, weight.shape[-1]), _LISTS])


#: How many lists of its states and gates a recurrent layer makes.
_LISTS = 4


def _attention(node: Any, given: Given) -> int:
    others = [each for each in given if each is not None and each.ndim > 1]
    times = sum(int(each.shape[-2]) for each in others)
    return _array(given, 0).size * times + 3 * _kept(node, given)


def _einsum(node: Any, given: Given) -> int:
    read, _, made = _text(node, "equation").replace(" ", "").partition("->")
    sizes: dict[str, int] = {}
    for names, array in zip(read.split(","), given, strict=True):
        if array is None or len(names) != array.ndim:
            return _all_together(node, given)
        sizes |= dict(zip(names, array.shape, strict=True))
    return _product(sizes[name] for name in made) if made else _product(sizes.values())


_Law = Callable[[Any, Given], int]

#: Operators that make more numbers than they read, and those that make as many, or fewer.
_LAWS: dict[str, _Law] = {
    "Attention": _attention,
    "ConstantOfShape": _constant_of_shape,
    "Conv": _convolution,
    "ConvTranspose": _transposed,
    "Einsum": _einsum,
    "Expand": _expand,
    "GRU": _recurrent,
    "Gather": _gather,
    "Gemm": _gemm,
    "LSTM": _recurrent,
    "MatMul": _matrix_product,
    "OneHot": _one_hot,
    "Pad": _pad,
    "RNN": _recurrent,
    "Range": _range,
    "Resize": _resize,
    "Tile": _tile,
    "Upsample": _resize,
}

_NAMES: list[tuple[_Law, str]] = [
    (
        _broadcast,
        (
            "Add And BitShift BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual "
            "Less LessOrEqual Max Mean Min Mod Mul Or PRelu Pow Sub Sum Where Xor"
        ),
    ),
    (
        _kept,
        (
            "Abs Acos Acosh ArgMax ArgMin Asin Asinh Atan Atanh BatchNormalization Cast CastLike "
            "Ceil Celu Clip Compress Concat Constant Cos Cosh CumSum DepthToSpace DequantizeLinear "
            "Dropout Elu Erf Exp EyeLike Flatten Floor GatherElements Gelu GroupNormalization "
            "HardSigmoid HardSwish Hardmax Identity InstanceNormalization IsInf IsNaN "
            "LayerNormalization LeakyRelu Log LogSoftmax LpNormalization MeanVarianceNormalization "
            "Mish Neg Not RMSNormalization Reciprocal ReduceL1 ReduceL2 ReduceLogSum "
            "ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare "
            "Relu Reshape Round ScatterElements ScatterND Selu Shape Shrink Sigmoid "
            "Sign Sin Sinh Size Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze "
            "Swish Tan Tanh ThresholdedRelu TopK Transpose Trilu Unsqueeze"
        ),
    ),
]

_LAWS |= {name: law for law, names in _NAMES for name in names.split()}
