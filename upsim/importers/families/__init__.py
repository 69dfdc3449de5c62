"""The families of models whose configurations are read, the more special ones first."""

from upsim.importers.families import codecs, hifigan, melgan, spectral
from upsim.importers.families.family import Family

FAMILIES: tuple[Family, ...] = (
    *codecs.FAMILIES,
    *melgan.FAMILIES,
    *spectral.FAMILIES,
    *hifigan.FAMILIES,
)

__all__ = ["FAMILIES", "Family"]
