r"""How far one network's line may lie from the expectation over networks.

Behind a wide last layer of random taps a line's Fourier coefficient is Gaussian over networks:
complex and circular for ``0 < k < L / 2``, real at 0 Hz and at the Nyquist frequency.  So a line's
power is its expectation times an exponential variable, respectively times a chi-squared variable
of one degree of freedom.  Coefficients at different frequencies are independent if the factor
divides the kernel size (full overlap); with partial overlap they are correlated, which
:attr:`Spread.above_offset` and :attr:`Spread.ratio` leave out.

The offset holds the last layer's bias besides, which is uniform where torch draws it.

For lines as strong as their offset the ratio of the two has the median 3/2, and the line is the
stronger with probability :math:`1 / \sqrt 3`; at the Nyquist frequency 1 and 1/2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import atan, erf, erfc, exp, inf, log, pi, sqrt

import numpy as np

from upsim.errors import ArgumentError, NotPredictableError
from upsim.layers.base import LinearLayer
from upsim.layers.merging import Merging
from upsim.network.graph import Graph
from upsim.theory.lines.ablation import own_bias
from upsim.theory.lines.tones import Tone

#: Levels of the offset over which a chance is summed; the error falls with their square.
_LEVELS = 4097

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


def above_offset(line: float, offset: float, *, real: bool, bias: float = 0.0) -> float:
    r"""Return the probability that a line's squared coefficient exceeds the offset's.

    With :math:`a = E|a_k|^2` and :math:`b = E a_0^2`, of which ``bias`` is the variance of a
    uniform bias: the offset is :math:`G + U`, G normal of variance :math:`g^2`, U uniform from -w
    to w.  A complex line is a times an exponential variable, so that

    .. math:: P = E\,e^{-(G + U)^2 / a}
              = \frac{\sqrt{\pi a}}{2 w}\, \mathrm{erf} \frac{w}{\sqrt{a + 2 g^2}},

    :math:`1 / \sqrt{1 + 2 b / a}` without a bias.  A real line is a times a squared normal
    variable: :math:`P = E\,\mathrm{erfc}(|G + U| / \sqrt{2 a})`, without a bias
    :math:`\frac2\pi \arctan\sqrt{a / b}`.

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
    if not bias:
        return 2 / pi * atan(sqrt(line / offset)) if real else 1 / sqrt(1 + 2 * offset / line)
    normal, edge = _parts(offset, bias)
    if not real:
        return sqrt(pi * line) / (2 * edge) * erf(edge / sqrt(line + 2 * normal**2))
    from scipy.special import erfc as each_erfc

    # Even in the offset: its distribution function, level by level.
    levels = np.linspace(0.0, edge + 9 * normal, _LEVELS)
    masses = np.diff([_within(level, normal, edge) for level in levels])
    middles = (levels[1:] + levels[:-1]) / 2
    return float(masses @ each_erfc(middles / sqrt(2 * line)))


def ratio_median(line: float, offset: float, *, real: bool, bias: float = 0.0) -> float:
    r"""Return the median of a line's squared coefficient over the offset's.

    The line is stronger than ``r`` times the offset with the probability that
    :func:`above_offset` gives for the line ``a / r``; without a bias that is one half at
    :math:`r = 3 a / 2 b`, respectively at :math:`r = a / b`.

    Examples
    --------
    >>> ratio_median(1.0, 1.0, real=False), ratio_median(1.0, 1.0, real=True)
    (1.5, 1.0)
    """
    if offset == 0:
        return inf
    plain = line / offset * (1.0 if real else 1.5)
    if not bias or not line:
        return plain
    # The bias flattens the offset's distribution: the median moves by less than these factors.
    low, high = plain / 64, plain * 64
    return _where_half(
        lambda ratio: 1 - above_offset(line / ratio, offset, real=real, bias=bias), low, high
    )


def offset_median(offset: float, bias: float) -> float:
    """Return the median of the offset's squared coefficient, of which ``bias`` is uniform.

    Examples
    --------
    A uniform variable of variance 1 reaches from -sqrt(3) to sqrt(3):

    >>> round(offset_median(1.0, 1.0), 6), round(offset_median(1.0, 0.0), 6)
    (0.75, 0.454936)
    """
    if not bias:
        return offset * _CHI_SQUARED_MEDIAN
    normal, edge = _parts(offset, bias)
    return _where_half(lambda level: _within(level, normal, edge), 0.0, edge + 9 * normal) ** 2


def _parts(offset: float, bias: float) -> tuple[float, float]:
    """Return the deviation of the normal part of an offset, and the end of the uniform one."""
    return sqrt(max(offset - bias, 0.0)), sqrt(3 * min(bias, offset))


def _within(level: float, normal: float, edge: float) -> float:
    r"""Return :math:`P(|G + U| \le t)`, from the integral :math:`x \Phi(x) + \varphi(x)` of Phi."""
    if normal < 1e-9 * edge:
        return min(level / edge, 1.0)

    def summed(x: float) -> float:
        return x * 0.5 * erfc(-x / sqrt(2)) + exp(-0.5 * x * x) / sqrt(2 * pi)

    near, far = (level - edge) / normal, (level + edge) / normal
    total = summed(far) - summed(near) - summed(-near) + summed(-far)
    return normal * total / (2 * edge)


def _where_half(rising: Callable[[float], float], low: float, high: float) -> float:
    """Return where a rising function passes one half, by bisection to the last bits."""
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0.5 else (low, middle)
    return (low + high) / 2


def bias_at_the_end(graph: Graph) -> float:
    """Return the variance of the uniform bias of the random layer in which a stack ends, or 0.

    Refuses a stack that does not end in random taps: its lines have other distributions.  Fixed
    layers without an offset may follow, if there is no bias: a filtered Gaussian line is one.  The
    mean of a bias for each phase is taken as Gaussian, too.
    """
    last, ends = graph.node(graph.output), []
    makers = {node.output: node for node in graph.nodes}
    waiting = [graph.end]
    while waiting:
        node = makers.get(waiting.pop())
        if node is not None and isinstance(node.layer, Merging):
            waiting += node.inputs
            continue
        if node is not None and isinstance(node.layer, LinearLayer):
            if not node.layer.is_drawn:
                ends.append(node)
                continue
            if node.layer.weights is None and not node.layer.has_bias:
                waiting += node.inputs
                continue
        what = "the input" if node is None else node.title
        raise NotPredictableError(
            "the spread is known behind a layer of random weights only",
            given=f"a stack that ends in {what}",
            expected="a random layer, then at most fixed filters",
            fix="upsim.predict(stack.upto(n), signal).spread(), n the last random layer",
        )
    biases = {node.name: own_bias(node, graph.value_channels[node.inputs[0]]) for node in ends}
    given = [bias for bias in biases.values() if bias is not None and bias.period == 1]
    if given and ends != [last]:
        raise NotPredictableError(
            "the spread is not known where filters or sums follow a layer with a random bias",
            given=f"a stack that ends in {last.name}",
            expected="the random layer last, or without a bias",
            fix="bias=False, or upsim.predict(stack.upto(n), signal).spread()",
        )
    return given[0].variance if given else 0.0


def spread(tones: tuple[Tone, ...], bias: float = 0.0) -> tuple[Spread, ...]:
    """Return the spread of each expected tone; the offset's own comes first if there is one.

    ``bias`` is the variance of the last layer's bias, which is uniform.
    """
    offset = sum(float(tone.power.mean()) for tone in tones if tone.fraction == 0)
    found = []
    for tone in tones:
        power = float(tone.power.mean())
        if not tone.fraction:
            found.append(Spread(tone, offset_median(power, bias), 0.5, 1.0))
            continue
        real = tone.fraction == Fraction(1, 2)
        median = power * (_CHI_SQUARED_MEDIAN if real else log(2))
        line = power if real else power / 2
        chance = above_offset(line, offset, real=real, bias=bias)
        found.append(Spread(tone, median, chance, ratio_median(line, offset, real=real, bias=bias)))
    return tuple(found)
