"""How well the moments of an activation are known: what is said of it, and when it is refused.

Moments come with bounds of their errors (:mod:`upsim.gaussian`).  Closed forms and smooth functions
are known to rounding.  A function that grows faster than a Gaussian falls has none, and one that
turns many times within a deviation may be too fine for the quadrature: the bounds say so.
"""

from __future__ import annotations

from upsim.errors import NotPredictableError
from upsim.layers.base import Activation
from upsim.network.node import spoken

#: A bound, as a share of the signal, below which nothing is said; rounding is far below.
WORTH_SAYING = 1e-9

#: A bound above which the answer would not be worth having: a hundredth of a decibel.
USELESS = 1e-3


def moments_note(error: float, activation: Activation, label: str) -> tuple[str, ...]:
    """Return what to say of moments known to a share ``error``; refuse those that are not known.

    Examples
    --------
    >>> from upsim.layers import ReLU
    >>> moments_note(1e-15, ReLU(), "2")
    ()
    >>> moments_note(1e-6, ReLU(), "2")
    ('layer 2 (ReLU): its moments are known to 1e-06 of the signal',)
    """
    name = f"{spoken(label)} ({type(activation).__name__})"
    if error > USELESS:
        raise NotPredictableError(
            "the moments of this activation are not known well enough",
            given=f"{name}: known to {error:.1g} of the signal",
            expected="a function that grows more slowly than a Gaussian falls, and does not turn "
            "hundreds of times within a deviation",
            fix="normalise the input (a smaller deviation), or "
            "upsim.predict(stack, upsim.Constant(1.0)) for exact lines",
        )
    return (f"{name}: its moments are known to {error:.0e} of the signal",) * (error > WORTH_SAYING)
