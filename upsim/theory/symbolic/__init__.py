"""Exact expressions of what upsamplers do, and proofs of the rules about them.

:func:`symbolic` gives H(z), phase gains, tones, nulls and droop of a layer or a folded stack;
:mod:`~upsim.theory.symbolic.overlap` and :mod:`~upsim.theory.symbolic.factorisation` prove, in
steps that are checked and can be printed, the rules that the numbers obey.
"""

from upsim.theory.symbolic.expressions import Symbolic, symbolic
from upsim.theory.symbolic.factorisation import (
    Factorisation,
    box_division,
    equal_gains_factorisation,
    icnr_factorisation,
    prove_multiplicity,
    strang_fix,
)
from upsim.theory.symbolic.laurent import z
from upsim.theory.symbolic.magnitude import hold_magnitude, omega
from upsim.theory.symbolic.overlap import (
    AllOnes,
    all_ones_tones,
    overlap_rule,
    prove_overlap_rule,
    prove_tones,
)
from upsim.theory.symbolic.proof import Proof, Step

__all__ = [
    "AllOnes",
    "Factorisation",
    "Proof",
    "Step",
    "Symbolic",
    "all_ones_tones",
    "box_division",
    "equal_gains_factorisation",
    "hold_magnitude",
    "icnr_factorisation",
    "omega",
    "overlap_rule",
    "prove_multiplicity",
    "prove_overlap_rule",
    "prove_tones",
    "strang_fix",
    "symbolic",
    "z",
]
