"""Linear operators: a stretch followed by an FIR, and the polyphase matrix."""

from upsim.operators.length import LengthRule
from upsim.operators.operator import Operator
from upsim.operators.polyphase import PolyphaseMatrix
from upsim.operators.stretch_fir import StretchFIR

__all__ = ["LengthRule", "Operator", "PolyphaseMatrix", "StretchFIR"]
