"""Programs as sums of products: one form for all orders in which an expression may be written.

A sum maps monomials to coefficients, numbers or arrays of one a channel.  A monomial is a product
of powers of atoms.  An atom is a value, ``("x", 0)``, or a function of a sum, ``("sin", sum)``, the
sum written as a tuple.  Rewriting is exact in real numbers, and makes many spellings one:

* a difference, a square, a quotient by a monomial: sums and products;
* ``tanh u = 2 sigmoid(2 u) - 1``, ``1 / (1 + e^-u) = sigmoid(u) = 1 - sigmoid(-u)``;
* ``max(a, b) = b + relu(a - b)``, ``min(a, b) = a - relu(a - b)``, ``|u| = 2 relu(u) - u``,
  ``relu(c u) = c relu(u)`` for c > 0, ``relu(-u) = relu(u) - u``;
* ``cos u = 1 - 2 sin^2(u / 2)``, ``sin(-u) = -sin u``, ``log(1 + e^u) = softplus(u)``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import Any

import numpy as np

from upsim.layers.base import Array
from upsim.layers.operations import OPERATIONS
from upsim.words.tolerance import rounding

Atom = tuple[Any, ...]
Monomial = tuple[tuple[Atom, int], ...]
Sum = dict[Monomial, Array]

#: Terms of a sum, and the largest whole power that is multiplied out.
_MOST_TERMS, _MOST_POWER = 48, 8

#: Coefficients that differ by less are one: an expression has few roundings.
ALIKE = rounding(16, 1.0)

#: Beyond 40, log(1 + e^u) is u to the last bit.
NO_THRESHOLD = 40.0

#: Letters of the longest atom that is looked at: nested programs would grow without end.
_LONGEST = 4096

_ODD = ("sin", "erf")


class Numbers:
    """A coefficient in an atom, as something that can be compared, sorted and looked up."""

    def __init__(self, values: Array) -> None:
        self.values = values
        digest = hashlib.blake2b(np.ascontiguousarray(values).tobytes(), digest_size=8)
        self._text = str(float(values)) if values.ndim == 0 else digest.hexdigest()

    def __repr__(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Numbers) and np.array_equal(self.values, other.values)

    def __hash__(self) -> int:
        return hash(self._text)


class UnreadableError(Exception):
    """A program that is no short sum."""


def number(value: Any) -> Sum:
    """Return a constant."""
    return _clean({(): np.asarray(value, dtype=np.float64)})


def value(index: int) -> Sum:
    """Return value number ``index``."""
    return {((("x", index), 1),): np.asarray(1.0)}


def atom(*parts: Any) -> Sum:
    """Return an atom as a sum."""
    return {((parts, 1),): np.asarray(1.0)}


def written(total: Sum) -> Atom:
    """Return a sum as a tuple, in one order."""
    text = tuple(sorted(((each, Numbers(factor)) for each, factor in total.items()), key=repr))
    if len(repr(text)) > _LONGEST:
        raise UnreadableError
    return text


def read(text: Atom) -> Sum:
    """Return the sum of :func:`written`."""
    return {monomial: factor.values for monomial, factor in text}


def constant_of(total: Sum) -> Array | None:
    """Return the number that a sum is; None if it reads a value."""
    if set(total) <= {()}:
        return np.asarray(total.get((), 0.0))
    return None


def reads(total: Sum) -> frozenset[int]:
    """Return the numbers of the values that a sum reads."""
    return frozenset[int]().union(*(_reads_atom(each) for term in total for each, _ in term))


def _reads_atom(each: Atom) -> frozenset[int]:
    if each[0] == "x":
        return frozenset([each[1]])
    return frozenset[int]().union(*(reads(read(part)) for part in each[1:]))


def equal(one: Sum, other: Sum) -> bool:
    """Return whether two sums have the same terms and coefficients."""
    return set(one) == set(other) and all(np.array_equal(one[each], other[each]) for each in one)


def added(one: Sum, other: Sum) -> Sum:
    """Return the sum of two."""
    total = dict(one)
    for monomial, factor in other.items():
        total[monomial] = total.get(monomial, np.asarray(0.0)) + factor
    return _clean(total)


def scaled(total: Sum, factor: Any) -> Sum:
    """Return a sum times a number."""
    return _clean({monomial: each * factor for monomial, each in total.items()})


def multiplied(one: Sum, other: Sum) -> Sum:
    """Return the product, multiplied out; refuse ``u / u``, which is no number at u = 0."""
    found: Sum = {}
    for (left, a), (right, b) in ((m, n) for m in one.items() for n in other.items()):
        powers = dict(left)
        for each, count in right:
            if powers.get(each, 0) * count < 0:
                raise UnreadableError
            powers[each] = powers.get(each, 0) + count
        kept = ((each, count) for each, count in powers.items() if count)
        monomial = tuple(sorted(kept, key=repr))
        found[monomial] = found.get(monomial, np.asarray(0.0)) + a * b
    return _clean(found)


def inverse(total: Sum) -> Sum:
    """Return ``1 / u``."""
    if len(total) == 1:
        ((monomial, factor),) = total.items()
        if np.all(factor):
            return {tuple((each, -count) for each, count in monomial): 1 / factor}
    exponent = _one_plus_exponential(total)
    if exponent is not None:
        return applied("sigmoid", [scaled(exponent, -1.0)])
    return atom("reciprocal", written(total))


def _one_plus_exponential(total: Sum) -> Sum | None:
    """Return u where a sum is ``1 + e^u``."""
    others = {monomial: factor for monomial, factor in total.items() if monomial}
    if len(others) != 1 or not np.all(total.get((), 0.0) == 1):
        return None
    ((monomial, factor),) = others.items()
    if len(monomial) == 1 and monomial[0][0][0] == "exp" and monomial[0][1] == 1:
        return read(monomial[0][0][1]) if np.all(factor == 1) else None
    return None


def applied(name: str, given: Sequence[Sum]) -> Sum:
    """Return an operation of sums, rewritten."""
    numbers = [constant_of(each) for each in given]
    if all(each is not None for each in numbers):
        with np.errstate(all="ignore"):
            return number(OPERATIONS[name].function(*numbers))
    if name in _RULES:
        return _RULES[name](*given)
    u = given[0]
    if name in _ODD and _is_negative(u):
        return scaled(atom(name, written(scaled(u, -1.0))), -1.0)
    return atom(name, *map(written, given))


def _is_negative(total: Sum) -> bool:
    """Return whether the first term, in the order of :func:`written`, is negative."""
    return bool(np.ravel(written(total)[0][1].values)[0] < 0)


def _power(base: Sum, exponent: Sum) -> Sum:
    given = constant_of(exponent)
    if given is not None and given.ndim == 0:
        count = float(given)
        if count == int(count) and 0 < abs(count) <= _MOST_POWER:
            base = base if count > 0 else inverse(base)
            total = base
            for _ in range(int(abs(count)) - 1):
                total = multiplied(total, base)
            return total
        if count == 0.5:
            return applied("sqrt", [base])
    return atom("power", written(base), written(exponent))


def _sigmoid(u: Sum) -> Sum:
    if _is_negative(u):
        return added(number(1.0), scaled(atom("sigmoid", written(scaled(u, -1.0))), -1.0))
    return atom("sigmoid", written(u))


def _relu(u: Sum) -> Sum:
    rest = {monomial: factor for monomial, factor in u.items() if monomial}
    size = next(iter(rest.values()))
    if len(rest) == 1 and np.any(size != 1) and (np.all(size > 0) or np.all(size < 0)):
        # relu(c v) = |c| relu(+-v), and relu(-v) = relu(v) - v
        kept = scaled(u, 1 / size)
        part = _relu(kept)
        return scaled(part if np.all(size > 0) else added(part, scaled(kept, -1.0)), np.abs(size))
    # relu(c + relu(v)) = relu(c + v) for c <= 0
    inner = next(iter(rest)) if len(rest) == 1 else ()
    if len(inner) == 1 and inner[0][0][0] == "relu" and inner[0][1] == 1:
        shift = u.get((), np.asarray(0.0))
        if np.all(shift <= 0):
            return _relu(added(read(inner[0][0][1]), number(shift)))
    return atom("relu", written(u))


def _softplus(u: Sum, beta: Sum, threshold: Sum) -> Sum:
    return atom("softplus", written(u), written(beta), written(threshold))


def _log1p(u: Sum) -> Sum:
    exponent = _one_plus_exponential(added(u, number(1.0)))
    if exponent is None:
        return atom("log", written(added(u, number(1.0))))
    return _softplus(exponent, number(1.0), number(NO_THRESHOLD))


def _where(chosen: Sum, one: Sum, other: Sum) -> Sum:
    """Return ``other + 1[u > 0] (one - other)``, by a relu where that is one."""
    u = _positive(chosen)
    if u is None:
        u = _positive(added(number(1.0), scaled(chosen, -1.0)))
        if u is not None:
            return _where(atom("greater", written(u), ()), other, one)
    if u is not None:
        ratio = _ratio(added(one, scaled(other, -1.0)), u)
        if ratio is not None:
            return added(other, scaled(applied("relu", [u]), ratio))
        for v, above, below in ((u, one, other), (scaled(u, -1.0), other, one)):
            alpha = _elu_height(v, above, below)
            if alpha is not None:
                return atom("elu", written(v), written(number(alpha)))
    return atom("where", written(chosen), written(one), written(other))


def _positive(chosen: Sum) -> Sum | None:
    """Return u where a choice is ``1[u > 0]``."""
    parts = _choice(chosen)
    return parts[0] if parts is not None and parts[1] == "greater" else None


def _choice(total: Sum) -> tuple[Sum, str] | None:
    """Return u and the name where a sum is a comparison of u with 0, 1 or 0."""
    if len(total) == 1:
        ((monomial, factor),) = total.items()
        if len(monomial) == 1 and monomial[0][1] == 1 and np.all(factor == 1):
            name, *operands = monomial[0][0]
            if name in ("greater", "equal"):
                return read(operands[0]), name
    return None


def _ratio(one: Sum, other: Sum) -> Array | None:
    """Return c where ``one = c other``."""
    if set(one) != set(other) or not other:
        return None
    monomial = next(iter(other))
    if not np.all(other[monomial]):
        return None
    ratio = np.asarray(one[monomial] / other[monomial])
    same = all(np.allclose(one[each], ratio * other[each], rtol=ALIKE, atol=0) for each in other)
    return ratio if same else None


def _elu_height(u: Sum, one: Sum, other: Sum) -> Array | None:
    """Return alpha where ``one`` is u and ``other`` is ``alpha (e^u - 1)``."""
    if written(one) != written(u):
        return None
    return _ratio(other, added(applied("exp", [u]), number(-1.0)))


def _compared(one: Sum, other: Sum) -> Sum:
    return atom("greater", written(added(one, scaled(other, -1.0))), ())


def _equal(one: Sum, other: Sum) -> Sum:
    apart = added(one, scaled(other, -1.0))
    if _choice(apart) is not None:  # 1 or 0: it is not
        return added(number(1.0), scaled(apart, -1.0))
    return atom("equal", written(apart), ())


def _maximum(one: Sum, other: Sum) -> Sum:
    return added(other, applied("relu", [added(one, scaled(other, -1.0))]))


def _minimum(one: Sum, other: Sum) -> Sum:
    # The corner of max(u, low) that a minimum adds is at its own number, to the last bit.
    offset, high = one.get((), np.asarray(0.0)), constant_of(other)
    bends = [monomial for monomial in one if monomial]
    if len(bends) == 1 and high is not None and np.all(offset <= high):
        bend = bends[0]
        if len(bend) == 1 and bend[0][0][0] == "relu" and bend[0][1] == 1:
            inner = added(read(bend[0][0][1]), number(offset))
            if np.all(one[bend] == 1):
                return added(one, scaled(_relu(added(inner, number(-high))), -1.0))
    return added(one, scaled(applied("relu", [added(one, scaled(other, -1.0))]), -1.0))


def _leaky(u: Sum, slope: Sum) -> Sum:
    below = constant_of(slope)
    if below is None:
        return atom("leaky_relu", written(u), written(slope))
    return added(scaled(u, below), scaled(applied("relu", [u]), 1 - below))


def _gelu(u: Sum) -> Sum:
    inner = applied("erf", [scaled(u, np.sqrt(0.5))])
    return multiplied(scaled(u, 0.5), added(number(1.0), inner))


def _gelu_tanh(u: Sum) -> Sum:
    cube = _power(u, number(3.0))
    inner = scaled(added(u, scaled(cube, 0.044715)), np.sqrt(8 / np.pi))
    return multiplied(u, applied("sigmoid", [inner]))


def _cos(u: Sum) -> Sum:
    half = applied("sin", [scaled(u, 0.5)])
    return added(number(1.0), scaled(multiplied(half, half), -2.0))


def _tanh(u: Sum) -> Sum:
    return added(scaled(applied("sigmoid", [scaled(u, 2.0)]), 2.0), number(-1.0))


_RULES: dict[str, Callable[..., Sum]] = {
    "add": added,
    "subtract": lambda one, other: added(one, scaled(other, -1.0)),
    "multiply": multiplied,
    "divide": lambda one, other: multiplied(one, inverse(other)),
    "negative": lambda u: scaled(u, -1.0),
    "reciprocal": inverse,
    "square": lambda u: multiplied(u, u),
    "power": _power,
    "expm1": lambda u: added(applied("exp", [u]), number(-1.0)),
    "log": lambda u: _log1p(added(u, number(-1.0))),
    "log1p": _log1p,
    "cos": _cos,
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "abs": lambda u: added(scaled(applied("relu", [u]), 2.0), scaled(u, -1.0)),
    "relu": _relu,
    "leaky_relu": _leaky,
    "maximum": _maximum,
    "minimum": _minimum,
    "clip": lambda u, low, high: _minimum(_maximum(u, low), high),
    "where": _where,
    "equal": _equal,
    "greater": _compared,
    "less": lambda one, other: _compared(other, one),
    "softplus": _softplus,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
}


def _one(values: Array) -> Array:
    return np.asarray(values.flat[0]) if np.all(values == values.flat[0]) else values


def _clean(total: Sum) -> Sum:
    """Return a sum without terms that are 0, equal numbers as one; refuse a long one."""
    kept = {monomial: _one(np.asarray(each)) for monomial, each in total.items() if np.any(each)}
    if len(kept) > _MOST_TERMS or not all(np.isfinite(each).all() for each in kept.values()):
        raise UnreadableError
    return kept


def sum_of(steps: Sequence[tuple[Any, ...]], values: Sequence[Sum] | None = None) -> Sum:
    """Return a program as a sum, of given sums for its values; refuse one that is none."""
    results: list[Sum] = []
    for name, *operands in steps:
        given = []
        for each in operands:
            if not isinstance(each, str):
                given.append(number(each))
            elif each.startswith("s"):
                given.append(results[int(each[1:])])
            else:
                place = int(each[1:])
                given.append(value(place) if values is None else values[place])
        results.append(applied(name, given))
    return results[-1]


def program_of(total: Sum) -> list[tuple[Any, ...]]:
    """Return a program that says what a sum says.

    Examples
    --------
    >>> program_of(sum_of([("sin", "x0"), ("add", "x0", "s0")]))
    [('sin', 'x0'), ('add', 'x0', 's0')]
    """
    steps: list[tuple[Any, ...]] = []

    def emitted(name: str, *operands: Any) -> str:
        steps.append((name, *operands))
        return f"s{len(steps) - 1}"

    def of_sum(part: Sum) -> Any:
        constant = constant_of(part)
        if constant is not None:
            return constant
        terms = [of_term(monomial, factor) for monomial, factor in part.items()]
        return reduce(lambda one, other: emitted("add", one, other), terms)

    def of_term(monomial: Monomial, factor: Array) -> Any:
        if not monomial:
            return factor
        parts = []
        for each, count in monomial:
            one = (
                f"x{each[1]}"
                if each[0] == "x"
                else emitted(each[0], *map(of_sum, map(read, each[1:])))
            )
            parts.append(one if count == 1 else emitted("power", one, float(count)))
        made = reduce(lambda one, other: emitted("multiply", one, other), parts)
        return made if np.all(factor == 1) else emitted("multiply", made, factor)

    result = of_sum(total)
    if not isinstance(result, str) or result.startswith("x"):
        emitted("add", result, 0.0)
    return steps


def factors_of(total: Sum) -> Iterator[tuple[Sum, Sum]]:
    """Yield f and g where a sum is ``f(x0) g(x1)``, with a number taken into one or the other.

    The coefficients, by the part of x0 and the part of x1, are then a matrix of rank 1.
    """
    table: dict[tuple[Monomial, Monomial], Array] = {}
    for monomial, factor in total.items():
        sides: tuple[list[Any], list[Any]] = ([], [])
        for each in monomial:
            own = reads({(each,): factor})
            if len(own) != 1:
                return
            sides[next(iter(own))].append(each)
        table[tuple(sides[0]), tuple(sides[1])] = factor
    rows, columns = (list(dict.fromkeys(pair[side] for pair in table)) for side in (0, 1))
    first = table[next(iter(table))]
    corner = next(iter(table))
    if len(table) < len(rows) * len(columns) or not np.all(first):
        return
    for (row, column), factor in table.items():
        left, right = table[row, corner[1]], table[corner[0], column]
        if not np.allclose(factor * first, left * right, rtol=ALIKE, atol=0):
            return
    for (row, column), pivot in table.items():
        yield (
            _clean({each: table[each, column] / pivot for each in rows}),
            _clean({each: table[row, each] for each in columns}),
        )
        yield (
            _clean({each: table[each, column] for each in rows}),
            _clean({each: table[row, each] / pivot for each in columns}),
        )


def renamed(total: Sum) -> Sum:
    """Return a sum of one value, whichever it is, as one of value 0."""

    def atom_of(each: Atom) -> Atom:
        if each[0] == "x":
            return ("x", 0)
        return (each[0], *(written(renamed(read(part))) for part in each[1:]))

    found: Sum = {}
    for monomial, factor in total.items():
        named = ((atom_of(each), count) for each, count in monomial)
        found[tuple(sorted(named, key=repr))] = factor
    return found
