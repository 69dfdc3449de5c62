"""Laws of offset tones: equal phase gains, periodic offsets, polynomial inputs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import product

import numpy as np

from upsim.errors import NotPredictableError
from upsim.layers.base import Branch, Layer, LinearLayer
from upsim.layers.interpolation import (
    Cubic,
    Hold,
    LearnedInterpolation,
    Linear,
    Nearest,
    Stretch,
    WindowedSinc,
)
from upsim.layers.subpixel import SubpixelConv
from upsim.operators import Operator, StretchFIR
from upsim.operators.operator import Complex, Real
from upsim.testing.laws.comparison import (
    agree,
    bits,
    largest_row,
    margin,
    room,
    spectral_margin,
)
from upsim.testing.laws.law import law
from upsim.testing.laws.subject import fold, is_linear, operator_of
from upsim.words.tolerance import rounding

_OF = (LinearLayer, Branch)


def _means(channels: int) -> Iterable[tuple[int, ...]]:
    """Return vectors of channel means, with signs, so that channels may cancel each other."""
    if channels <= 2:
        return product((-2, -1, 0, 1, 2), repeat=channels)
    return [tuple(row) for row in np.random.default_rng(0).integers(-2, 3, (24, channels)).tolist()]


@law(
    of=_OF,
    when=is_linear,
    formula="a_k = sum_c mu_c H_oc(k / L) / L = DFT_L(sum_c mu_c g_oc,i) / L",
    source="Harada, Muramatsu & Kiya 1998; Sugawara, Shiota & Kiya, ICIP 2018, arXiv 1806.02658",
)
def offset_tones(layer: Layer, channels: int) -> None:
    """Check that a constant leaves no tone exactly when the phase gains are equal.

    For a vector of channel means it is enough that the weighted gains are equal; all vectors of
    small whole means are tried.
    """
    operator = operator_of(layer, channels)
    up, down = operator.up, operator.down
    gains = operator.phase_gains()
    lines = operator.gains(np.arange(up) / up)
    # The constant lies at f = 0: (k + l) / D whole, l = -k modulo D.
    at_zero = np.stack([lines[k, -k % down] for k in range(up)])
    largest = max(1.0, largest_row(operator))
    for mean in _means(channels):
        weights = np.array(mean, dtype=np.float64)
        constant = np.repeat(weights[:, None], down, axis=1)
        output = operator.periodic(constant)
        within = margin(constant, operator)
        agree(
            output,
            np.einsum("oci,c->oi", gains, weights),
            within=within,
            what=f"the output for means {mean} and the phase gains",
        )
        foretold: Complex = at_zero @ weights.astype(np.complex128)
        turned = np.fft.fft(output, axis=1).T / up
        spectral = spectral_margin(operator, up, 2 * largest)
        agree(foretold, turned, within=spectral, what=f"lines k / {up} for means {mean}")
        _tone_or_not(output, foretold, within, spectral, mean)


def _tone_or_not(
    output: Real, lines: Complex, within: float, spectral: float, mean: tuple[int, ...]
) -> None:
    """Check that unequal phases and a line go together.

    By Parseval the lines' powers add up to the variance of the phases, so the strongest of the
    ``L - 1`` lines is at least the deviation over ``sqrt(L - 1)``.
    """
    for row, line in zip(output, lines.T, strict=True):
        deviation = float(np.sqrt(np.mean((row - row.mean()) ** 2)))
        strongest = float(np.abs(line[1:]).max(initial=0.0))
        unequal = bool(np.any(np.abs(row - row[0]) > within))
        if unequal and strongest < deviation / np.sqrt(max(1, line.size - 1)) - spectral:
            raise AssertionError(f"phases {row} differ for means {mean}, yet no line is foretold")
        if not unequal and strongest > spectral:
            raise AssertionError(f"phases are equal for means {mean}, yet a line {strongest:.3g}")


@law(
    of=_OF,
    when=is_linear,
    formula="b[n + U] = b[n]",
    source="the operator repeats itself every U output samples, its offset included",
)
def offset_periodicity(layer: Layer, channels: int) -> None:
    """Check that the offset repeats itself whenever the operator does, and fills any length."""
    operator = operator_of(layer, channels)
    span = 4 * operator.up + 1
    offset = operator.offset_samples(span)
    if offset.shape != (operator.out_channels, span):
        raise AssertionError(f"offset_samples({span}) has shape {offset.shape}")
    agree(
        offset[:, operator.up :],
        offset[:, : -operator.up],
        within=0.0,
        what=f"the offset, {operator.up} samples later",
    )


def _pairs(operator: StretchFIR) -> Iterable[tuple[int, int]]:
    return product(range(operator.out_channels), range(operator.in_channels))


def multiplicity(operator: StretchFIR, out: int, inward: int, most: int) -> int:
    r"""Return how often ``H`` vanishes at every ``k / L``, ``most`` at most.

    ``H`` and its first ``d`` derivatives vanish there exactly when the moments
    :math:`\sum n^q h[n]` over the taps of phase ``i`` are the same for every ``i``, ``q <= d``.
    """
    taps = operator.dense_taps()[out, inward]
    places = np.arange(taps.size) - operator.crop[0]
    for order in range(most):
        terms = places.astype(np.float64) ** order * taps
        moments = np.array(
            [terms[places % operator.factor == i].sum() for i in range(operator.factor)]
        )
        dyadic = bits(taps) is not None
        allowed = 0.0 if dyadic else 2 * rounding(taps.size + order, float(np.abs(terms).sum()))
        if np.any(np.abs(moments - moments[0]) > allowed):
            return order
    return most


def known_multiplicity(layer: Layer) -> tuple[int, bool] | None:
    """Return the multiplicity that the literature gives, and whether it is exact or the least."""
    if isinstance(layer, Stretch):
        return 0, True
    if isinstance(layer, Nearest):
        return 1, True
    if isinstance(layer, Linear) and layer.convention == "triangle":
        return 2, True
    if isinstance(layer, Linear):
        return (3, True) if layer.factor == 2 else (2, False)
    if isinstance(layer, Hold):
        return layer.order, True
    return (1, False) if isinstance(layer, Cubic | WindowedSinc | LearnedInterpolation) else None


def _makes_replicas(layer: Layer, channels: int) -> bool:
    del channels
    if isinstance(layer, LearnedInterpolation) or not is_linear(layer):
        return False
    if isinstance(layer, Hold):
        return layer.factor > 1
    return layer.rate > 1 and layer.rate.denominator == 1


@law(
    of=_OF,
    when=_makes_replicas,
    formula="H = O((f - k / L)^d) for all k <=> polynomials of degree < d leave as polynomials",
    source="Strang & Fix 1971; Kinoshita & Kiya, ICASSP 2020, arXiv 2002.02117",
)
def strang_fix(layer: Layer, channels: int) -> None:
    """Check that m^q leaves no replicas exactly up to the multiplicity of the zeros.

    With ``M_r[i]`` the moments of phase ``i``, the input ``m^q`` leaves as
    ``L^-q sum_r C(q, r) (-1)^r n^(q - r) M_r[n mod L]``: a polynomial of degree ``q`` in ``n``
    exactly when ``M_0 ... M_q`` do not depend on the phase.  Its difference of order ``q + 1``
    then vanishes; a moment that does depend leaves a periodic remainder, which no difference
    removes.  A hold filter is taken behind the stretch that it is made for.
    """
    chain = [Stretch(layer.factor), layer] if isinstance(layer, Hold) else [layer]
    try:
        operator = fold(chain, channels).stretch_fir()
    except NotPredictableError:
        return  # a branch that goes down on the way up has no single set of taps
    known = known_multiplicity(layer)
    away = room(operator)
    ramp = np.arange(2 * away + 8, dtype=np.float64) - away
    inside = slice(away * operator.factor, (away + 8) * operator.factor)
    for out, inward in _pairs(operator):
        if not operator.dense_taps()[out, inward].any():
            continue
        found = multiplicity(operator, out, inward, 4)
        if known is not None and (found != known[0] if known[1] else found < known[0]):
            raise AssertionError(f"zeros of multiplicity {found} at every k / L, known: {known[0]}")
        for degree in range(min(found + 1, 4)):
            samples = np.zeros((channels, ramp.size))
            samples[inward] = ramp**degree
            output = operator.apply(samples)[out, inside]
            remainder = np.diff(output, degree + 1)
            # A difference of order d is a sum of at most 2^d outputs.
            within = margin(samples * 2.0 ** (degree + 1), operator)
            leaves = bool(np.any(np.abs(remainder) > within))
            if leaves and degree < found:
                raise AssertionError(f"m^{degree} leaves replicas, multiplicity {found}")
            if not leaves and degree >= found:
                raise AssertionError(f"m^{degree} leaves no replicas, multiplicity {found}")


@law(
    of=SubpixelConv,
    formula="b[m L + i] = bias of phase i; lines DFT_L(b) / L at k / L",
    source="Shi et al., CVPR 2016; Aitken et al., arXiv 1707.02937: the bias precedes the shuffle",
)
def subpixel_bias(layer: Layer, channels: int) -> None:
    """Check that a subpixel layer's bias is an offset of period L, a tone of its own."""
    assert isinstance(layer, SubpixelConv)
    rows, factor = layer.out_channels, layer.factor
    bias = np.arange(layer.bias_count, dtype=np.float64) ** 2 + 1
    operator: Operator = replace(layer, bias=bias).operator(channels)
    offset = operator.offset_samples(3 * factor)
    channel, sample = np.indices(offset.shape)
    phase = sample % factor
    index = channel * factor + phase if layer.order == "torch" else phase * rows + channel
    agree(offset, bias[index], within=0.0, what="the offset and the bias, shuffled")
    same = replace(layer, bias=np.ones(layer.bias_count)).operator(channels)
    equal = same.offset_samples(3 * factor)
    agree(equal, np.ones_like(equal), within=0.0, what="the offset of an equal bias")
