"""What a law is, and the registry of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from upsim.layers import CATALOGUE
from upsim.layers.base import Layer
from upsim.testing.laws.subject import default_channels

#: Says whether a law has something to say of a layer with so many input channels.
Condition = Callable[[Layer, int], bool]
Check = Callable[[Layer, int], None]


@dataclass(frozen=True)
class Law:
    """One law: what it says, why it is true, and the check.

    Parameters
    ----------
    name : str
    statement : str
        One sentence.
    formula : str
        In the notation of the docstrings.
    source : str
        Where it is derived.
    kinds : tuple of types
        The classes of layers that it speaks of.
    condition : callable (layer, channels) -> bool
        Which of those layers.
    check : callable (layer, channels) -> None
        Raises AssertionError where the law is broken.
    """

    name: str
    statement: str
    formula: str
    source: str
    kinds: tuple[type, ...]
    condition: Condition
    check: Check

    def applies(self, layer: Layer, channels: int | None = None) -> bool:
        """Return True if the law speaks of this layer."""
        if not isinstance(layer, self.kinds):
            return False
        count = default_channels(layer) if channels is None else channels
        return self.condition(layer, count)

    def __call__(self, layer: Layer, channels: int | None = None) -> None:
        """Check the law on a drawn layer; raise AssertionError where it is broken."""
        self.check(layer, default_channels(layer) if channels is None else channels)

    def names(self) -> tuple[str, ...]:
        """Return the catalogue's layers of these kinds."""
        return tuple(name for name, kind in CATALOGUE.items() if issubclass(kind, self.kinds))


#: Every law by its name.
LAWS: dict[str, Law] = {}


def _always(layer: Layer, channels: int) -> bool:
    del layer, channels
    return True


def law(
    *, of: type | tuple[type, ...], formula: str, source: str, when: Condition = _always
) -> Callable[[Check], Check]:
    """Enter a function into :data:`LAWS`.

    The first line of its docstring, "Check that ...", is the statement.
    """

    def enter(check: Check) -> Check:
        name = check.__name__
        if name in LAWS:
            raise ValueError(f"there are two laws called {name}")
        said = (check.__doc__ or "").strip().splitlines()[0].removeprefix("Check that ")
        statement = said[:1].upper() + said[1:]
        kinds = of if isinstance(of, tuple) else (of,)
        LAWS[name] = Law(name, statement, formula, source, kinds, when, check)
        return check

    return enter
