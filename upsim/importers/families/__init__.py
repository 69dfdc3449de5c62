"""The families of models whose configurations are read, the more special ones first."""

from upsim.importers.families import codecs, hifigan, melgan
from upsim.importers.families.family import Family

FAMILIES: tuple[Family, ...] = (
    *codecs.FAMILIES,
    *melgan.FAMILIES,
    *hifigan.FAMILIES,
)

__all__ = ["FAMILIES", "Family"]
