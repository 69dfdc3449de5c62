"""Normalisations by a centre and a level: over the channels of one time step, or over time."""

from __future__ import annotations

from abc import abstractmethod
from fractions import Fraction

import numpy as np

from upsim.errors import NotPredictableError
from upsim.gaussian import Form
from upsim.layers.base import Activation, Array, Normalisation, refuse_other_channels


class ChannelNormalisation(Activation):
    r"""Each time step is divided by the root of a level of its channels.

    .. math:: y_c[n] = w_c\, \frac{z_c[n]}{\sqrt{l(S[n])}} + b_c, \qquad
              S[n] = \frac1C \sum_c z_c[n]^2

    with :math:`z = x`, or x without its mean over the channels.  A class says whether the mean is
    taken away (:attr:`is_centred`) and what the level ``l`` of a mean square is (:meth:`level`).
    """

    _derived = ("form", "function", "passing", "moments", "pointwise", "is_homogeneous")

    @property
    @abstractmethod
    def is_centred(self) -> bool:
        """Whether the mean over the channels is taken away first."""

    @abstractmethod
    def level(self, square: Array) -> Array:
        """Return what is divided by, squared, for mean squares over the channels."""

    def weight_array(self) -> Array | None:
        """Return ``w``, (channels,); None for ones."""
        return None

    def bias_array(self) -> Array | None:
        """Return ``b``, (channels,); None if nothing is added."""
        return None

    @property
    def mixes_channels(self) -> bool:
        """The level is that of all."""
        return True

    @property
    def is_homogeneous(self) -> bool:
        """A channel's output depends on the others."""
        return False

    def form(self) -> Form:
        """Refuse: an output depends on all channels."""
        raise NotPredictableError(
            "a normalisation over channels has no moments of one sample",
            given=repr(self),
            expected="the statistics of all channels",
            fix="upsim.predict(upsim.Stack([...], sample_rate), signal)",
            where=type(self).__name__,
        )

    def macs(self, channels: int) -> Fraction:
        """Return two a number: one for its square in the level, one for its gain."""
        return Fraction(2 * channels)

    def function(self, samples: Array) -> Array:
        """Return the samples, each time step divided by its level."""
        # Each time step's channels lie side by side, so that the order in which they are added,
        # and with it the last bit, does not depend on how many time steps there are.
        steps = np.ascontiguousarray(np.swapaxes(samples, -1, -2))
        if self.is_centred:
            steps = steps - steps.mean(axis=-1, keepdims=True)
        made = steps / np.sqrt(self.level((steps**2).mean(axis=-1, keepdims=True)))
        weight, bias = self.weight_array(), self.bias_array()
        made = made if weight is None else made * weight
        made = made if bias is None else made + bias
        return np.ascontiguousarray(np.swapaxes(made, -1, -2))


class TimeNormalisation(Normalisation):
    r"""Groups of neighbouring channels are divided by the root of their level over all time.

    .. math:: y_c[n] = w_c\, \frac{x_c[n] - m_G}{\sqrt{l(S_G)}} + b_c

    with ``S`` the mean of :math:`(x_c[n] - m_G)^2` over the channels of the group G of c and over
    all time, and m the mean over the same, or 0.  A class says how many groups there are
    (:attr:`group_count`), whether the mean is taken away (:attr:`is_centred`) and what the level
    ``l`` of a mean square is (:meth:`level`).
    """

    _derived = ("gains", "centre", "operator_for", "function")

    @property
    @abstractmethod
    def group_count(self) -> int:
        """Groups of neighbouring channels."""

    @property
    def is_centred(self) -> bool:
        """Whether the mean is taken away first."""
        return True

    @abstractmethod
    def level(self, square: Array) -> Array:
        """Return what is divided by, squared, for mean squares over channels and time."""

    def channels_out(self, channels: int) -> int:
        """Return ``channels``."""
        refuse_other_channels(self, channels)
        return channels

    def weight_array(self) -> Array | None:
        """Return ``w``, (channels,); None for ones."""
        return None

    def _averaged(self, values: Array) -> Array:
        """Return the mean of each channel's group, (..., channels)."""
        split = values.reshape(*values.shape[:-1], self.group_count, -1)
        averaged = np.broadcast_to(split.mean(axis=-1, keepdims=True), split.shape)
        return averaged.reshape(values.shape)

    def centre(self, mean: Array) -> Array:
        """Return the mean of each channel's group, or zeros."""
        return self._averaged(mean) if self.is_centred else np.zeros_like(mean)

    def gains(self, mean: Array, variance: Array) -> Array:
        """Return ``w / sqrt(l(S))``.

        The mean square of a group is the mean of its channels' variances and of the squares of
        what their means keep.
        """
        kept = (mean - self.centre(mean)) ** 2
        gains = 1 / np.sqrt(self.level(self._averaged(variance + kept)))
        weight = self.weight_array()
        return np.asarray(gains if weight is None else weight * gains)
