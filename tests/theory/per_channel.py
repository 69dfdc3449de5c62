"""The form of covariances in which channels are taken as independent, made on purpose."""

from contextlib import contextmanager

import pytest

from upsim.theory.moments.lag_window import LagWindows
from upsim.theory.moments.propagation import propagate, starting_moments


@contextmanager
def per_channel_only():
    """Let all pairs of channels pass every memory."""
    plain = LagWindows.bytes_of

    def size(self, between):
        return plain(self, between) if self.per_channel else 10**18

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LagWindows, "bytes_of", size)
        yield


def record_at_end(stack, signal):
    """Return what is known of the output, whose density `predict` does not give."""
    return propagate(stack, starting_moments(stack, [signal], provenance=True)).end
