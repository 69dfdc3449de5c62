"""The overlap rules, and initialisations that obey or break them."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, pi, sin

import numpy as np

from upsim.layers.base import Layer
from upsim.layers.convolution import TransposedConv
from upsim.layers.subpixel import SubpixelConv
from upsim.network.weights import ICNR, CheckerboardFree, Initialisation, Normal
from upsim.operators.operator import Real
from upsim.testing.laws.comparison import agree, largest_row, spectral_margin
from upsim.testing.laws.law import law
from upsim.testing.laws.subject import operator_of
from upsim.words.tolerance import rounding


def overlap_ratio(kernel_size: int, factor: int, k: int, *, dilation: int = 1) -> float:
    r"""Return ``|a_k| / a_0`` of an all-ones kernel.

    .. math:: \frac{|\sin(\pi k d K / L)|}{K\,|\sin(\pi k d / L)|}

    1 where ``L`` divides ``k d``; exactly 0 where it divides ``k d K`` but not ``k d``.

    Examples
    --------
    >>> overlap_ratio(8, 6, 3), round(overlap_ratio(3, 2, 1), 6)
    (0.0, 0.333333)
    """
    turn = k * dilation
    if turn % factor == 0:
        return 1.0
    if turn * kernel_size % factor == 0:
        return 0.0
    # Reduced modulo L and 2 L before the sine, so that its argument is small.
    above = abs(sin(pi * (turn * kernel_size % factor) / factor))
    return above / (kernel_size * abs(sin(pi * (turn % factor) / factor)))


@law(
    of=TransposedConv,
    formula="|a_k| / a_0 = |sin(pi k K / L)| / (K |sin(pi k / L)|)",
    source="a geometric sum; Odena et al., Distill 2016; Pons et al., ICASSP 2021",
)
def overlap(layer: Layer, channels: int) -> None:
    """Check that an all-ones kernel makes the tone of its overlap, none when L divides K."""
    assert isinstance(layer, TransposedConv)
    ones = np.ones(layer.weight_shape)
    plain = replace(layer, weight=ones, bias=False, padding=0, output_padding=0)
    operator = operator_of(plain, channels)
    count, factor, spread = layer.kernel_size, layer.stride, layer.dilation
    gains = operator.phase_gains()
    lines = np.abs(operator.gains(np.arange(factor) / factor)[:, 0])
    ratios = np.array([overlap_ratio(count, factor, k, dilation=spread) for k in range(factor)])
    # The sines and the quotient are a dozen more roundings; a_0 = K / L.
    within = spectral_margin(operator, 12, largest_row(operator))
    met = np.zeros((operator.out_channels, operator.in_channels), dtype=np.bool_)
    rows, columns = layer.out_channels // layer.groups, layer.in_channels // layer.groups
    for group in range(layer.groups):
        met[group * rows : (group + 1) * rows, group * columns : (group + 1) * columns] = True
    expected = ratios[:, None, None] * met * count / factor
    agree(lines, expected, within=within, what="lines of an all-ones kernel, by (k, out, in)")
    equal = bool(np.array_equal(gains, np.broadcast_to(gains[..., :1], gains.shape)))
    if equal != (not ratios[1:].any()):
        raise AssertionError(f"K={count}, L={factor}: phase gains {gains[0, 0]}, ratios {ratios}")
    if spread == 1 and equal != (count % factor == 0):
        raise AssertionError(f"K={count}, L={factor}: phase gains {gains[0, 0]}")


def _has_every_phase(layer: Layer, channels: int) -> bool:
    del channels
    if isinstance(layer, TransposedConv):
        return layer.dilation == 1 and layer.kernel_size >= layer.stride
    assert isinstance(layer, SubpixelConv)
    # In tensorflow's order, and where several groups make a channel, the groups cut across the
    # phases: a pair of channels meets some of them only, and no weights make its gains equal.
    whole = layer.order == "torch" and layer.out_channels % layer.groups == 0
    return layer.groups == 1 or whole


def _phase_gains(layer: Layer, channels: int, weight: Initialisation) -> tuple[Real, float, float]:
    """Return phase gains drawn anew, their rounding, and the largest sum of absolute taps."""
    assert isinstance(layer, TransposedConv | SubpixelConv)
    drawn = replace(layer, weight=weight, bias=False).draw(np.random.default_rng(0))
    operator = operator_of(drawn, channels).stretch_fir()
    taps = operator.dense_taps()
    total = float(np.abs(taps).sum(axis=2).max())
    # Moving taps to equal gains takes two sums over them, and a product and a sum a tap.
    return operator.phase_gains(), rounding(2 * taps.shape[2] + 4 + ceil(total), total), total


@law(
    of=(TransposedConv, SubpixelConv),
    when=_has_every_phase,
    formula="H(z) = P(z) (1 + z^-1 + ... + z^-(L - 1))",
    source="Aitken et al., arXiv 1707.02937 (ICNR); Sugawara, Shiota & Kiya, ICIP 2018",
)
def equal_gain_draws(layer: Layer, channels: int) -> None:
    """Check that ICNR and checkerboard-free draws have equal phase gains, normal ones not."""
    assert isinstance(layer, TransposedConv | SubpixelConv)
    factor = layer.stride if isinstance(layer, TransposedConv) else layer.factor
    kinds: list[Initialisation] = [CheckerboardFree(), ICNR()]
    for kind in kinds:
        gains, within, _ = _phase_gains(layer, channels, kind)
        agree(
            gains,
            np.repeat(gains[..., :1], factor, axis=2),
            within=within,
            what=f"phase gains of a draw of {type(kind).__name__}",
        )
    gains, within, total = _phase_gains(layer, channels, Normal(1.0))
    if factor > 1 and total > 0 and not np.any(np.abs(gains - gains[..., :1]) > within):
        raise AssertionError("independent Gaussian taps have equal phase gains")
