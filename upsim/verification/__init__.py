"""Run the independent witness and compare it with the prediction.

The witness computes the layers as frameworks do and shares no mathematics with the operators.
Each check compares numbers, not statistics; its tolerance is derived from the number of roundings
and the size of the numbers (:mod:`upsim.words.tolerance`).
"""

from upsim.verification.report import Check, Verification
from upsim.verification.verifying import verify

__all__ = ["Check", "Verification", "verify"]
