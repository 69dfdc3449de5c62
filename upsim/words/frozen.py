"""Arrays that a record holds are read-only, so that a record cannot change."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Kind = TypeVar("Kind", bound=np.generic)


def frozen(array: NDArray[Kind]) -> NDArray[Kind]:
    """Return a read-only view."""
    view = array.view()
    view.setflags(write=False)
    return view
