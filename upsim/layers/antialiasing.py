r"""Activations that fold less: run at a higher rate, or averaged between two samples.

**Oversampled.**  The activation runs at a multiple of the rate, between two low-pass filters
(BigVGAN's anti-aliased activation).

**Antiderivative.**  Between two samples the signal is taken as a straight line, and the output is
the mean of the activation ``f`` along it (Parker, Zavalishin & Le Bivic, DAFx 2016; Bilbao et al.,
IEEE Signal Processing Letters 24, 2017).  With the antiderivative ``F`` of ``f``:

.. math:: y[n] = \int_0^1 f\bigl(b + t (a - b)\bigr)\, dt = \frac{F(a) - F(b)}{a - b},
          \qquad a = x[n],\ b = x[n - 1].

The quotient is written so that nothing cancels where ``a`` and ``b`` are close.  With
``s = (a + b) / 2``, ``d = a - b`` and ``r(x) = max(x, 0)``:

* slope ``g`` below zero, as ``f = g x + (1 - g) r(x)`` and ``R = r^2 / 2``:

  .. math:: g s + (1 - g)\, \frac{r(a) + r(b)}{2} \cdot \frac{r(a) - r(b)}{d};

* ``x + sin^2(\alpha x) / \beta``, as
  :math:`\sin 2 \alpha a - \sin 2 \alpha b = 2 \cos(2 \alpha s) \sin(\alpha d)`:

  .. math:: s + \frac{1}{2 \beta}
            \left(1 - \cos(2 \alpha s)\, \frac{\sin \alpha d}{\alpha d}\right).
"""

from __future__ import annotations

import numpy as np

from upsim.errors import ArgumentTypeError, NotPredictableError
from upsim.layers.activations import LeakyReLU, ReLU, Snake, SnakeBeta
from upsim.layers.base import Activation, Layer
from upsim.layers.branches import Parallel
from upsim.layers.pointwise import Pointwise, Step
from upsim.layers.resample import Resample
from upsim.layers.samples import Crop
from upsim.words.arguments import shown, whole_number

_KNOWN = "ReLU, LeakyReLU, Snake or SnakeBeta"


def oversampled(
    activation: Activation, factor: int = 2, like: str = "bigvgan"
) -> tuple[Layer, Layer, Layer]:
    """Return an activation that runs at a multiple of the rate, between two low-pass filters.

    Parameters
    ----------
    activation : Activation
    factor : int
        From 2 on.
    like : str
        The filters of :class:`~upsim.layers.Resample`.

    Returns
    -------
    tuple of layers

    Examples
    --------
    >>> from upsim.layers import ReLU
    >>> oversampled(ReLU())
    (Resample(1, 2, like='bigvgan'), ReLU(), Resample(2, 1, like='bigvgan'))
    """
    activation = _activation(activation)
    factor = whole_number(factor, "factor", least=2)
    return Resample(1, factor, like), activation, Resample(factor, 1, like)


def antiderivative(activation: Activation) -> tuple[Parallel, Pointwise]:
    """Return the mean of an activation along the line between two samples (first-order ADAA).

    The output is half a sample late, and its highs are softer, as a mean over a sample makes them.

    Parameters
    ----------
    activation : ReLU, LeakyReLU, Snake or SnakeBeta

    Returns
    -------
    tuple of layers

    Examples
    --------
    >>> from upsim.layers import ReLU
    >>> both, mean = antiderivative(ReLU())
    >>> mean.function(np.array([[1.0, -1.0, 2.0], [1.0, 1.0, 0.0]]))
    array([[1.  , 0.25, 1.  ]])
    """
    program = _mean(_activation(activation))
    return Parallel((), Crop(-1, 1), merge="concatenate"), Pointwise(program)


def _activation(value: object) -> Activation:
    if not isinstance(value, Activation):
        raise ArgumentTypeError(
            "activation must be an activation",
            given=f"activation={shown(value)}",
            expected="a layer such as upsim.ReLU()",
            fix="activation=upsim.ReLU()",
        )
    return value


def _mean(activation: Activation) -> list[Step]:
    """Return the program of the mean; x0 is the sample and x1 the one before."""
    middle: list[Step] = [
        ("add", "x0", "x1"),
        ("multiply", "s0", 0.5),
        ("subtract", "x0", "x1"),
        ("equal", "s2", 0.0),
    ]
    if isinstance(activation, ReLU | LeakyReLU):
        slope = activation.negative_slope if isinstance(activation, LeakyReLU) else 0.0
        return [
            *middle,
            ("relu", "x0"),
            ("relu", "x1"),
            ("add", "s4", "s5"),
            ("subtract", "s4", "s5"),
            ("divide", "s7", "s2"),
            ("where", "s3", 1.0, "s8"),  # equal samples: their own value
            ("multiply", "s6", "s9"),
            ("multiply", "s10", 0.5 * (1.0 - slope)),
            ("multiply", "s1", slope),
            ("add", "s11", "s12"),
        ]
    if isinstance(activation, Snake | SnakeBeta):
        alpha = activation.alpha
        beta = activation.beta if isinstance(activation, SnakeBeta) else alpha
        return [
            *middle,
            ("multiply", "s2", alpha),
            ("sin", "s4"),
            ("divide", "s5", "s4"),
            ("where", "s3", 1.0, "s6"),
            ("multiply", "s0", alpha),
            ("cos", "s8"),
            ("multiply", "s9", "s7"),
            ("subtract", 1.0, "s10"),
            ("divide", "s11", 2.0 * np.asarray(beta)),
            ("add", "s1", "s12"),
        ]
    raise NotPredictableError(
        "no mean along a line is known for this activation",
        given=f"{activation!r:.60}",
        expected=_KNOWN,
        fix="upsim.layers.oversampled(activation, 4)",
    )
