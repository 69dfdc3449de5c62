"""Laws that every layer must obey; each is a function ``law(layer, channels)`` and in ``LAWS``.

A law raises AssertionError with what was compared, where it differs and by how much.  Sums of
products of small dyadic numbers are compared for equality; what floating point must round is
compared within the bound that :func:`upsim.words.tolerance.rounding` derives from the operations.
"""

from upsim.testing.laws import (  # noqa: F401 - importing a family enters its laws in LAWS
    definitions,
    expectation,
    forms,
    lengths,
    linear,
    moments,
    overlap,
    records,
    spectra,
    tones,
    witness,
)
from upsim.testing.laws.law import LAWS, Law
from upsim.testing.laws.subject import default_channels, fold, operator_of, run_finite

__all__ = ["LAWS", "Law", "default_channels", "fold", "operator_of", "run_finite"]
