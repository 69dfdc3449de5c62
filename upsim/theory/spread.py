r"""How far one network's line may lie from the expectation over networks.

Behind a wide last layer of random taps a line's Fourier coefficient is Gaussian over networks:
complex and circular for ``0 < k < L / 2``, real at 0 Hz and at the Nyquist frequency.  So a line's
power is its expectation times an exponential variable, respectively times a chi-squared variable
of one degree of freedom.  Coefficients at different frequencies are independent if the factor
divides the kernel size (full overlap); with partial overlap they are correlated, which
:attr:`Spread.above_offset` and :attr:`Spread.ratio` leave out.

For lines as strong as their offset the ratio of the two has the median 3/2, and the line is the
stronger with probability :math:`1 / \sqrt 3`; at the Nyquist frequency 1 and 1/2.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import atan, inf, log, pi, sqrt

from upsim.errors import ArgumentError, NotPredictableError
from upsim.layers.base import LinearLayer
from upsim.layers.convolution import WeightedLayer
from upsim.layers.samples import Bias
from upsim.layers.weight_norm import WeightNorm
from upsim.stack import Stack
from upsim.theory.tones import Tone

#: Median of a chi-squared variable of one degree of freedom: the square of the normal quartile.
_CHI_SQUARED_MEDIAN = 0.6744897501960817**2


@dataclass(frozen=True)
class Spread:
    """The distribution of one line's power over networks.

    Parameters
    ----------
    tone : Tone
        In expectation.
    median : float
        Power that half of the networks exceed.
    above_offset : float
        Probability that the line is stronger than the offset at 0 Hz, line against line (one
        mirror line of the two); 1 without an offset.
    ratio : float
        Median of the line's squared coefficient over the offset's; infinite without an offset.
    """

    tone: Tone
    median: float
    above_offset: float
    ratio: float


def above_offset(line: float, offset: float, *, real: bool) -> float:
    r"""Return the probability that a line's squared coefficient exceeds the offset's.

    With ``a = E|a_k|^2`` and ``b = E a_0^2``: the offset is ``b Z^2``, Z normal.  A complex line is
    ``a E``, E exponential, and :math:`P = E\,e^{-b Z^2 / a} = 1 / \sqrt{1 + 2 b / a}`; a real line
    is ``a Z'^2`` and :math:`P = \frac2\pi \arctan\sqrt{a / b}`.

    Examples
    --------
    >>> round(above_offset(1.0, 1.0, real=False), 4), above_offset(1.0, 1.0, real=True)
    (0.5774, 0.5)
    """
    if line < 0 or offset < 0:
        raise ArgumentError("powers must not be negative", given=f"{line}, {offset}")
    if offset == 0:
        return 1.0
    if line == 0:
        return 0.0
    if real:
        return 2 / pi * atan(sqrt(line / offset))
    return 1 / sqrt(1 + 2 * offset / line)


def ratio_median(line: float, offset: float, *, real: bool) -> float:
    r"""Return the median of a line's squared coefficient over the offset's.

    The line is stronger than ``r`` times the offset with the probability that
    :func:`above_offset` gives for ``r b``; that is one half at :math:`r = 3 a / 2 b`, respectively
    at :math:`r = a / b`.

    Examples
    --------
    >>> ratio_median(1.0, 1.0, real=False), ratio_median(1.0, 1.0, real=True)
    (1.5, 1.0)
    """
    if offset == 0:
        return inf
    return line / offset * (1.0 if real else 1.5)


def refuse_other_ends(stack: Stack) -> None:
    """Refuse a stack that does not end in random taps: its lines have other distributions.

    Fixed layers without an offset may follow: a filtered Gaussian line is one.
    """
    makers = {step.output: step for step in stack.steps}
    waiting = [stack.steps[-1].output]
    while waiting:
        step = makers.get(waiting.pop())
        if step is not None and step.layer is None:
            waiting += step.inputs
            continue
        if step is not None and isinstance(step.layer, LinearLayer):
            if not step.layer.is_drawn:
                continue
            if not isinstance(step.layer, WeightedLayer | WeightNorm | Bias):
                waiting += step.inputs
                continue
        what = "the input" if step is None else step.name
        raise NotPredictableError(
            "the spread is known behind a layer of random weights only",
            given=f"a stack that ends in {what}",
            expected="a random layer, then at most fixed filters",
            fix="upsim.predict(stack.upto(n), signal).spread(), n the last random layer",
        )


def spread(tones: tuple[Tone, ...]) -> tuple[Spread, ...]:
    """Return the spread of each expected tone; the offset's own comes first if there is one."""
    offset = sum(float(tone.power.mean()) for tone in tones if tone.fraction == 0)
    found = []
    for tone in tones:
        real = tone.fraction in (0, Fraction(1, 2))
        power = float(tone.power.mean())
        median = power * (_CHI_SQUARED_MEDIAN if real else log(2))
        line = power if real else power / 2
        chance = above_offset(line, offset, real=real) if tone.fraction else 0.5
        ratio = ratio_median(line, offset, real=real) if tone.fraction else 1.0
        found.append(Spread(tone, median, chance, ratio))
    return tuple(found)
