"""The moments of pointwise functions of Gaussian samples: arrays in, arrays out.

A :class:`Form` is a function and what is known of it; :meth:`Form.moments` gives mean, variance,
slope and Hermite coefficients for any means and deviations, each with the bound of its error, and
:func:`covariance` the covariances of two functions of correlated samples.
"""

from upsim.gaussian.bent import BentLine
from upsim.gaussian.confirm import confirmed
from upsim.gaussian.covariance import Covariance, covariance, series
from upsim.gaussian.elu import ExponentialLinear
from upsim.gaussian.erf import NormalCumulative, erf
from upsim.gaussian.exponential import Exponential
from upsim.gaussian.form import Form
from upsim.gaussian.gated import GatedMoments, gated_covariance, gated_moments
from upsim.gaussian.gates import SIGMOID, Gate
from upsim.gaussian.gelu import ExactGELU
from upsim.gaussian.moments import DEFAULT_ORDER, ActivationMoments
from upsim.gaussian.pairs import PairedMoments
from upsim.gaussian.products import GatePair, ProductMoments, product_moments
from upsim.gaussian.quadrature import Quadrature
from upsim.gaussian.rectifier import Rectifier
from upsim.gaussian.sinusoid import Sinusoid, snake
from upsim.gaussian.unclosed import Unclosed

__all__ = [
    "DEFAULT_ORDER",
    "SIGMOID",
    "ActivationMoments",
    "BentLine",
    "Covariance",
    "ExactGELU",
    "Exponential",
    "ExponentialLinear",
    "Form",
    "Gate",
    "GatePair",
    "GatedMoments",
    "NormalCumulative",
    "PairedMoments",
    "ProductMoments",
    "Quadrature",
    "Rectifier",
    "Sinusoid",
    "Unclosed",
    "confirmed",
    "covariance",
    "erf",
    "gated_covariance",
    "gated_moments",
    "product_moments",
    "series",
    "snake",
]
