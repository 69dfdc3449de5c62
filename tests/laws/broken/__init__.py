"""Deliberately broken layers: what each law must catch.

A law that no broken layer can fail says nothing.  :data:`BROKEN` names, for every law, layers that
are wrong in the way the law speaks of; the tests run each law on them and ask for a failure.
"""

from .door import opened

with opened():
    from .catalogue import BROKEN, whole

__all__ = ["BROKEN", "whole"]
