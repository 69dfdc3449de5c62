"""The records that flow through a stack, one regime a file."""

from upsim.theory.moments.base import Levels, Moments, Source
from upsim.theory.moments.deterministic import DeterministicMoments
from upsim.theory.moments.ensemble import EnsembleMoments
from upsim.theory.moments.stationary import StationaryMoments

__all__ = [
    "DeterministicMoments",
    "EnsembleMoments",
    "Levels",
    "Moments",
    "Source",
    "StationaryMoments",
]
