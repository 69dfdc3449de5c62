"""A run with standard errors, explained exactly.

Where closed forms end, a run is the best estimator: behind several activations of a trained
network.  :func:`measure` runs a network in independent batches, circular in time, so that nothing
has an end.  The scatter of the batches gives the standard error of every number, and each line of
the run is split exactly into what the inputs, the biases and the activations gave it.
"""

from upsim.measuring.measuring import measure

__all__ = ["measure"]
