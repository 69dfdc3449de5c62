"""Normalisations as torch defines them, at the time of use (evaluation).

Which numbers a layer takes its mean and variance from decides what it is: running ones are fixed
(:class:`BatchNorm`, linear), those over time depend on the signal (:class:`GroupNorm`,
:class:`InstanceNorm`), those over the channels act at each time step (:class:`LayerNorm`).
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from fractions import Fraction
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from upsim.errors import ArgumentError, ArgumentTypeError
from upsim.layers.base import Array, Layer, LinearLayer, refuse_other_channels
from upsim.layers.levels import ChannelNormalisation, TimeNormalisation
from upsim.operators import LengthRule, StretchFIR
from upsim.words.arguments import finite_array, finite_number, whole_number

Vector = Array | ArrayLike | None


class _Affine(Layer):
    """What normalisations share: eps, and a weight and a bias a channel."""

    eps: float
    weight: Vector
    bias: Vector

    @property
    @abstractmethod
    def channels_in(self) -> int:
        """The channels that the layer is for."""

    @property
    @abstractmethod
    def is_affine(self) -> bool:
        """Whether the layer has a weight and a bias to train."""

    @property
    def has_bias(self) -> bool:
        """Whether a bias is given."""
        return self.bias is not None

    def weight_array(self) -> Array:
        """Return the weight, (channels,): ones if none is given, as torch starts."""
        if self.weight is None:
            return np.ones(self.channels_in)
        return np.asarray(self.weight, dtype=np.float64)

    def level(self, square: Array) -> Array:
        """Return ``square + eps``."""
        return square + self.eps

    def bias_array(self) -> Array | None:
        """Return the bias, (channels,); None if none is given: zero, as torch starts."""
        return None if self.bias is None else np.asarray(self.bias, dtype=np.float64)

    def parameters(self, channels: int) -> int:
        """Return a weight and a bias a channel."""
        return 2 * self.channels_in if self.is_affine else 0

    def _check_affine(self, switch: str) -> None:
        _check_flag(getattr(self, switch), switch)
        eps = finite_number(self.eps, "eps")
        if eps <= 0:
            raise ArgumentError(
                "eps must be positive, or silence is divided by zero",
                given=f"eps={eps:g}",
                fix="eps=1e-5",
            )
        self._set(eps=eps)
        for name in ("weight", "bias"):
            value = getattr(self, name)
            if value is None:
                continue
            if not self.is_affine:
                raise ArgumentError(
                    f"a layer without {switch} has no {name}",
                    given=f"{name}, {switch}=False",
                    fix=f"{switch}=True",
                )
            self._set(**{name: finite_array(value, name, shape=(self.channels_in,))})


@final
@dataclass(frozen=True, eq=False, repr=False)
class BatchNorm(_Affine, LinearLayer):
    r"""Batch normalisation in evaluation, ``torch.nn.BatchNorm1d(...).eval()``: linear.

    .. math:: y_c[n] = \frac{x_c[n] - \mu_c}{\sqrt{\sigma^2_c + \epsilon}}\, w_c + b_c

    with the running mean and variance, which do not depend on the signal (Ioffe & Szegedy, ICML
    2015).

    Parameters
    ----------
    num_features, eps, momentum, affine, track_running_stats
        As torch has them; momentum matters in training only.
    weight, bias, running_mean, running_var : array (num_features,), optional
        1, 0, 0 and 1 if not given, as torch starts.

    Examples
    --------
    >>> layer = BatchNorm(1, eps=0.25, running_mean=[2.0], running_var=[3.75])
    >>> operator = layer.operator(1)
    >>> operator.taps.tolist(), operator.offset.tolist()
    ([[[0.5]]], [[-1.0]])
    """

    num_features: int
    eps: float = 1e-5
    momentum: float = 0.1
    affine: bool = True
    track_running_stats: bool = True
    weight: Vector = field(default=None, kw_only=True)
    bias: Vector = field(default=None, kw_only=True)
    running_mean: Vector = field(default=None, kw_only=True)
    running_var: Vector = field(default=None, kw_only=True)

    def _check(self) -> None:
        self._set(
            num_features=whole_number(self.num_features, "num_features"),
            momentum=finite_number(self.momentum, "momentum"),
        )
        self._check_affine("affine")
        _check_flag(self.track_running_stats, "track_running_stats")
        if not self.track_running_stats:
            raise ArgumentError(
                "without running statistics each batch is normalised by its own",
                given="track_running_stats=False",
                fix=f"InstanceNorm({self.num_features}, affine=True), the same for one signal",
            )
        for name in ("running_mean", "running_var"):
            value = getattr(self, name)
            if value is not None:
                self._set(**{name: finite_array(value, name, shape=(self.num_features,))})
        if self.running_var is not None and np.min(np.asarray(self.running_var)) < 0:
            raise ArgumentError(
                "a variance must not be negative",
                given=f"running_var as low as {np.min(np.asarray(self.running_var)):g}",
                fix="the module's running_var, not its standard deviation or logarithm",
            )

    @property
    def channels_in(self) -> int:
        """``num_features``."""
        return self.num_features

    @property
    def is_affine(self) -> bool:
        """``affine``."""
        return self.affine

    def channels_out(self, channels: int) -> int:
        """Return ``channels``."""
        refuse_other_channels(self, channels)
        return channels

    def length_rule(self) -> LengthRule:
        """Return the law that keeps the length."""
        return LengthRule()

    def macs(self, channels: int) -> Fraction:
        """Return one a number: the running statistics fold into a gain and an offset."""
        return Fraction(channels)

    def operator(self, channels: int) -> StretchFIR:
        """Return a gain and an offset a channel."""
        refuse_other_channels(self, channels)
        variance = np.ones(channels) if self.running_var is None else np.asarray(self.running_var)
        gains = self.weight_array() / np.sqrt(self.level(variance))
        offset = None
        if self.running_mean is not None or self.bias is not None:
            mean = 0.0 if self.running_mean is None else np.asarray(self.running_mean)
            bias = self.bias_array()
            offset = (np.zeros(channels) if bias is None else bias) - gains * mean
        return StretchFIR(
            gains[:, None, None],
            groups=channels,
            offset=None if offset is None else offset[:, None],
        )


@final
@dataclass(frozen=True, eq=False, repr=False)
class GroupNorm(_Affine, TimeNormalisation):
    r"""Group normalisation, ``torch.nn.GroupNorm``.

    .. math:: y_c[n] = \frac{x_c[n] - \mu_G}{\sqrt{\sigma^2_G + \epsilon}}\, w_c + b_c

    with the mean and the (biased) variance of all samples of the channel's group ``G`` (Wu & He,
    ECCV 2018).

    Parameters
    ----------
    num_groups, num_channels, eps, affine
        As torch has them.
    weight, bias : array (num_channels,), optional
        Ones and zeros if not given.

    Examples
    --------
    >>> GroupNorm(1, 2, eps=3.0).function(np.array([[1.0, 3.0], [1.0, 3.0]]))
    array([[-0.5,  0.5],
           [-0.5,  0.5]])
    """

    num_groups: int
    num_channels: int
    eps: float = 1e-5
    affine: bool = True
    weight: Vector = field(default=None, kw_only=True)
    bias: Vector = field(default=None, kw_only=True)

    def _check(self) -> None:
        for name in ("num_groups", "num_channels"):
            self._set(**{name: whole_number(getattr(self, name), name)})
        if self.num_channels % self.num_groups:
            raise ArgumentError(
                "num_channels must be a multiple of num_groups",
                given=f"num_groups={self.num_groups}, num_channels={self.num_channels}",
                fix="num_groups=1",
            )
        self._check_affine("affine")

    @property
    def channels_in(self) -> int:
        """``num_channels``."""
        return self.num_channels

    @property
    def is_affine(self) -> bool:
        """``affine``."""
        return self.affine

    @property
    def group_count(self) -> int:
        """``num_groups``."""
        return self.num_groups


@final
@dataclass(frozen=True, eq=False, repr=False)
class InstanceNorm(_Affine, TimeNormalisation):
    """Instance normalisation, ``torch.nn.InstanceNorm1d``: each channel is a group of its own.

    Source: Ulyanov, Vedaldi & Lempitsky, arXiv 1607.08022.

    Parameters
    ----------
    num_features, eps, momentum, affine, track_running_stats
        As torch has them; running statistics make it a :class:`BatchNorm` in evaluation.
    weight, bias : array (num_features,), optional
        Ones and zeros if not given.

    Examples
    --------
    >>> InstanceNorm(1, eps=3.0).function(np.array([[1.0, 3.0]]))
    array([[-0.5,  0.5]])
    """

    num_features: int
    eps: float = 1e-5
    momentum: float = 0.1
    affine: bool = False
    track_running_stats: bool = False
    weight: Vector = field(default=None, kw_only=True)
    bias: Vector = field(default=None, kw_only=True)

    def _check(self) -> None:
        self._set(
            num_features=whole_number(self.num_features, "num_features"),
            momentum=finite_number(self.momentum, "momentum"),
        )
        self._check_affine("affine")
        _check_flag(self.track_running_stats, "track_running_stats")
        if self.track_running_stats:
            raise ArgumentError(
                "with running statistics the layer is a BatchNorm in evaluation",
                given="track_running_stats=True",
                fix=f"BatchNorm({self.num_features}, running_mean=..., running_var=...)",
            )

    @property
    def channels_in(self) -> int:
        """``num_features``."""
        return self.num_features

    @property
    def is_affine(self) -> bool:
        """``affine``."""
        return self.affine

    @property
    def group_count(self) -> int:
        """``num_features``."""
        return self.num_features


@final
@dataclass(frozen=True, eq=False, repr=False)
class LayerNorm(_Affine, ChannelNormalisation):
    r"""Layer normalisation over the channels at each time step, ``torch.nn.LayerNorm``.

    .. math:: y_c[n] = \frac{x_c[n] - \mu[n]}{\sqrt{\sigma^2[n] + \epsilon}}\, w_c + b_c

    with the mean and the (biased) variance over the channels at time ``n``.  It acts at each time
    step by itself, so it is an activation.  torch wants the channels last; the samples here are
    (..., channels, time) as everywhere (Ba, Kiros & Hinton, arXiv 1607.06450).

    Parameters
    ----------
    normalized_shape : int
        The channels.
    eps, elementwise_affine
        As torch has them.
    weight, bias : array (normalized_shape,), optional
        Ones and zeros if not given.

    Examples
    --------
    >>> LayerNorm(2, eps=3.0).function(np.array([[1.0, 0.0], [3.0, 0.0]]))
    array([[-0.5,  0. ],
           [ 0.5,  0. ]])
    """

    normalized_shape: int
    eps: float = 1e-5
    elementwise_affine: bool = True
    weight: Vector = field(default=None, kw_only=True)
    bias: Vector = field(default=None, kw_only=True)

    def _check(self) -> None:
        self._set(normalized_shape=whole_number(self.normalized_shape, "normalized_shape"))
        self._check_affine("elementwise_affine")

    @property
    def channels_in(self) -> int:
        """``normalized_shape``."""
        return self.normalized_shape

    @property
    def is_affine(self) -> bool:
        """``elementwise_affine``."""
        return self.elementwise_affine

    @property
    def is_centred(self) -> bool:
        """The mean is taken away."""
        return True


def _check_flag(value: object, name: str) -> None:
    if not isinstance(value, bool):
        raise ArgumentTypeError(
            f"{name} is on or off", given=f"{name}={value!r}", expected="True or False"
        )
