"""Upsamplers with a fixed or learned interpolation kernel, each channel by itself."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Self, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.errors import ArgumentError, NotPredictableError
from upsim.gaussian import Quadrature
from upsim.layers.base import Array, LinearLayer, drawn, is_random, refuse_other_channels
from upsim.layers.resample import Resample
from upsim.layers.samples import Decimate
from upsim.network.weights import (
    Gaussian,
    IndependentTaps,
    Initialisation,
    TapShape,
    Uniform,
    draw_taps,
    parse_weight,
)
from upsim.operators import LengthRule, StretchFIR
from upsim.operators.kernels import (
    WINDOWS,
    Kernel,
    half_pixel,
    hold_counts,
    nearest,
    triangle,
    windowed_sinc,
)
from upsim.operators.random_taps import ApartTaps, Part
from upsim.words.arguments import (
    finite_number,
    one_of,
    plain_fraction,
    refuse_beyond_memory,
    whole_number,
)
from upsim.words.frozen import frozen


class Interpolator(LinearLayer):
    """A stretch and one fixed kernel, the same for every channel; ``n`` samples become ``n L``."""

    factor: int

    def _check(self) -> None:
        ratio = plain_fraction(self.factor)
        if ratio is not None:
            raise ArgumentError(
                "factor must be a whole number; a fraction is an upsampling, then a decimation",
                given=f"factor={self.factor!r}",
                expected="an int >= 1",
                fix=self._by_fraction(ratio),
            )
        self._set(factor=whole_number(self.factor, "factor"))

    def _by_fraction(self, ratio: Fraction) -> str:
        """Return layers to type that change the rate by a fraction."""
        up, down = ratio.numerator, ratio.denominator
        # Half-pixel centres stay centres where a middle sample of an odd number is kept.
        middle = (down - 1) // 2 if self.centred and down % 2 else 0
        kept = repr(Decimate(down, middle))
        return kept if up == 1 else f"{replace(self, factor=up)!r}, {kept}"  # type: ignore[type-var]

    @property
    def centred(self) -> bool:
        """Whether output samples stand at half-pixel centres."""
        return False

    @abstractmethod
    def kernel(self) -> tuple[Kernel, int]:
        """Return the taps, and how many samples before ``m L`` they begin."""

    @property
    def edge(self) -> str:
        """What the layer sees beyond its input's ends."""
        return "zeros"

    def channels_out(self, channels: int) -> int:
        """Return ``channels``."""
        return channels

    def length_rule(self) -> LengthRule:
        """Return ``n L``."""
        return LengthRule(((self.factor, 1, 0),))

    def operator(self, channels: int) -> StretchFIR:
        """Return the stretch-FIR, one group a channel."""
        # Beyond the exact kernels there are positions, distances and taps at once.
        refuse_beyond_memory(8 * self.factor, "the kernel", fix="use a smaller factor")
        taps, begin = self.kernel()
        values = np.asarray(taps, dtype=np.float64)
        return StretchFIR(
            np.broadcast_to(values, (channels, 1, values.size)),
            self.factor,
            groups=channels,
            crop=(begin, values.size - self.factor - begin),
            padding_mode=self.edge,
        )

    def macs(self, channels: int) -> Fraction:
        """Return the multiplications by taps that are neither 0 nor 1."""
        taps, _ = self.kernel()
        values = np.asarray(taps, dtype=np.float64)
        return Fraction(channels * int(np.count_nonzero((values != 0) & (values != 1))))


@final
@dataclass(frozen=True, eq=False, repr=False)
class Stretch(Interpolator):
    """Zero insertion: ``L - 1`` zeros after each sample, no filter.

    Examples
    --------
    >>> Stretch(3).operator(1).apply(np.array([[1.0, 2.0]]))
    array([[1., 0., 0., 2., 0., 0.]])
    """

    factor: int

    def kernel(self) -> tuple[tuple[Fraction, ...], int]:
        """Return a unit impulse."""
        return (Fraction(1),), 0


@final
@dataclass(frozen=True, eq=False, repr=False)
class Nearest(Interpolator):
    r"""Nearest neighbour, ``torch.nn.Upsample(mode="nearest")``: each sample ``L`` times.

    :math:`|H(f)| / L = |\sin(\pi f L) / (L \sin \pi f)|`: a zero at every ``k / L``.

    Examples
    --------
    >>> Nearest(2).operator(1).apply(np.array([[1.0, 2.0]]))
    array([[1., 1., 2., 2.]])
    """

    factor: int

    def kernel(self) -> tuple[tuple[Fraction, ...], int]:
        """Return ones."""
        return nearest(self.factor), 0


@final
@dataclass(frozen=True, eq=False, repr=False)
class Linear(Interpolator):
    """Linear interpolation, in one of the two conventions in use.

    ``"half-pixel"`` is torch's default (``align_corners=False``): the triangle is sampled at
    half-pixel centres and the ends are held; for an even factor it is not the textbook triangle
    (times 2: taps 1/4, 3/4, 3/4, 1/4, a triple zero at Nyquist).  ``"triangle"`` is the textbook
    kernel of ``2 L - 1`` taps, whose output sample ``m L`` is input sample ``m``; the ends see
    zeros.  For an odd factor the two kernels agree, shifted by ``(L - 1) / 2`` samples.

    torch's ``align_corners=True`` has a step of ``(n - 1) / (L n - 1)`` and is not periodic in the
    output, so it is no linear time-periodic layer and has no spectrum of this kind.

    Examples
    --------
    >>> Linear(2).operator(1).apply(np.array([[1.0, 2.0]]))
    array([[1.  , 1.25, 1.75, 2.  ]])
    >>> Linear(2, "triangle").operator(1).apply(np.array([[1.0, 2.0]]))
    array([[1. , 1.5, 2. , 1. ]])
    """

    factor: int
    convention: str = "half-pixel"

    def _check(self) -> None:
        super()._check()
        one_of(self.convention, "convention", ("half-pixel", "triangle"))

    @property
    def centred(self) -> bool:
        """Whether the convention is that of half-pixel centres."""
        return self.convention == "half-pixel"

    @property
    def edge(self) -> str:
        """Half-pixel interpolation holds the end samples, the triangle sees zeros."""
        return "replicate" if self.convention == "half-pixel" else "zeros"

    def kernel(self) -> tuple[Kernel, int]:
        """Return the triangle, sampled where the convention samples it."""
        return half_pixel(self.factor) if self.convention == "half-pixel" else triangle(self.factor)


@final
@dataclass(frozen=True, eq=False, repr=False)
class Cubic(Interpolator):
    """Cubic convolution at half-pixel centres, one axis of torch's ``bicubic``.

    Parameters
    ----------
    factor : int
    a : float
        Keys' parameter; torch uses -0.75, Keys (1981) derives -0.5.

    Examples
    --------
    >>> Cubic(2).operator(1).phase_gains().round(12)
    array([[[1., 1.]]])
    """

    factor: int
    a: float = -0.75

    def _check(self) -> None:
        super()._check()
        self._set(a=finite_number(self.a, "a"))

    @property
    def centred(self) -> bool:
        """Half-pixel centres."""
        return True

    @property
    def edge(self) -> str:
        """The end samples are held."""
        return "replicate"

    def kernel(self) -> tuple[Kernel, int]:
        """Return Keys' kernel at half-pixel centres."""
        return half_pixel(self.factor, "cubic", Fraction(self.a))


@final
@dataclass(frozen=True, eq=False, repr=False)
class WindowedSinc(Interpolator):
    """A windowed-sinc low-pass, of textbook form and no library's.

    It differs from the resamplers in use, which :class:`~upsim.layers.resample.Resample` copies:

    * its window ends at the first output sample at or after the last zero crossing; that of julius
      and torchaudio ends at the crossing itself, ``zeros factor / rolloff`` samples from the
      middle, which lies between two samples as a rule;
    * beyond the ends it sees zeros; julius holds the end samples;
    * the weights of each output sample sum to 1, as those of julius do; torchaudio and SciPy divide
      by no sum of one phase, so a constant leaves weak tones there;
    * SciPy's ``resample_poly`` takes a Kaiser window of 10 zero crossings a side by default.

    Parameters
    ----------
    factor : int
    zeros : int
        Zero crossings of the sinc on each side.
    rolloff : float
        Cutoff over the old Nyquist frequency.
    window : str
        "hann", "hamming", "blackman" or "rectangular".

    Examples
    --------
    >>> WindowedSinc(4).operator(1).phase_gains().round(12)
    array([[[1., 1., 1., 1.]]])
    """

    factor: int
    zeros: int = 24
    rolloff: float = 0.945
    window: str = "hann"

    def _check(self) -> None:
        super()._check()
        self._set(
            zeros=whole_number(self.zeros, "zeros"), rolloff=finite_number(self.rolloff, "rolloff")
        )
        if not 0 < self.rolloff <= 1:
            raise ArgumentError(
                "rolloff must lie in (0, 1]", given=f"rolloff={self.rolloff}", fix="rolloff=0.945"
            )
        one_of(self.window, "window", WINDOWS)

    def _by_fraction(self, ratio: Fraction) -> str:
        """Return the resampler whose filter knows both rates."""
        return repr(Resample(ratio.denominator, ratio.numerator))

    def kernel(self) -> tuple[NDArray[np.float64], int]:
        """Return the windowed sinc."""
        # Sinc, window and their parts are alive at once: eight arrays of the kernel's length.
        taps = min(2.0 * self.zeros * self.factor / self.rolloff, 2.0**62)
        refuse_beyond_memory(8 * int(taps), "the kernel", fix="use fewer zeros, or rolloff=0.945")
        return windowed_sinc(self.factor, self.zeros, self.rolloff, self.window)


@final
@dataclass(frozen=True, eq=False, repr=False)
class LearnedInterpolation(LinearLayer):
    r"""Wave-U-Net's learned upsampling by 2.

    Between two samples of channel ``c`` stands
    :math:`\sigma(w_c)\, x[m] + (1 - \sigma(w_c))\, x[m + 1]`; ``n`` samples become ``2 n - 1``
    (Stoller, Ewert & Dixon, *Wave-U-Net*, ISMIR 2018, section 3.2.2).

    Parameters
    ----------
    in_channels : int
    factor : int
        2, the only factor that the source defines.
    weight : array (in,) or initialisation
        Before the sigmoid; 0 is linear interpolation.

    Examples
    --------
    >>> LearnedInterpolation(1, weight=[0.0]).operator(1).apply(np.array([[1.0, 2.0]]))
    array([[1. , 1.5, 2. ]])
    """

    in_channels: int
    factor: int = 2
    weight: Array | Initialisation | str | ArrayLike = field(default="keras", kw_only=True)

    def _check(self) -> None:
        self._set(in_channels=whole_number(self.in_channels, "in_channels"))
        if whole_number(self.factor, "factor") != 2:
            raise ArgumentError(
                "learned interpolation is defined for factor 2",
                given=f"factor={self.factor!r}",
                fix="several of them, one after another",
            )
        self._set(weight=parse_weight(self.weight, (self.in_channels,), "weight"))

    @property
    def weights(self) -> Array | Initialisation:
        """The numbers before the sigmoid."""
        return self.weight  # type: ignore[return-value]

    @property
    def channels_in(self) -> int:
        """The input channels that the layer asks for."""
        return self.in_channels

    def channels_out(self, channels: int) -> int:
        """Return ``channels``."""
        refuse_other_channels(self, channels)
        return channels

    def length_rule(self) -> LengthRule:
        """Return ``2 n - 1``."""
        return LengthRule(((2, 1, -1),))

    @property
    def is_drawn(self) -> bool:
        """Whether the weight is numbers, or of an initialisation that is not random."""
        return not is_random(self.weight)

    def draw(self, rng: np.random.Generator) -> Self:
        """Return the layer with a drawn weight."""
        if not isinstance(self.weight, Initialisation):
            return self
        return replace(self, weight=draw_taps(self.weight, self._shape(), rng).reshape(-1))

    def _shape(self) -> TapShape:
        """One number a channel: Keras counts the length of a vector as both fans."""
        return TapShape(self.in_channels, 1, 1, 1, self.in_channels, self.in_channels)

    def parameters(self, channels: int) -> int:
        """Return one number a channel."""
        return self.in_channels

    def macs(self, channels: int) -> Fraction:
        """Return two products for each new sample."""
        return Fraction(2 * channels)

    def weight_array(self) -> Array:
        """Return the numbers before the sigmoid, or say how to get them."""
        return drawn(self.weight, self._shape(), self).reshape(-1)  # type: ignore[arg-type]

    def in_expectation(self, channels: int) -> tuple[Part, ...]:
        r"""Return the mean taps and their products: each channel has a share of its own.

        With the share :math:`s = (1 + t) / 2`, :math:`t = \tanh(w / 2)` of mean zero, the taps are
        ``[1/2, 1, 1/2] + t/2 [-1, 0, 1]``.  For w uniform up to b,
        :math:`E t^2 = 1 - 2 \tanh(b / 2) / b`, the integral worked out.
        """
        if self.is_drawn:
            return (self.operator(channels),)
        refuse_other_channels(self, channels)
        if not isinstance(self.weight, IndependentTaps):
            raise NotPredictableError(
                "the shares of this initialisation have no known moments",
                given=repr(self),
                expected='"torch", "keras" or Normal(std)',
                fix="stack = stack.draw(seed=0), and predict that one network",
            )
        mean, moved = np.array([0.5, 1.0, 0.5]), np.array([-0.5, 0.0, 0.5])
        square = _mean_square_tanh(self.weight.distribution(self._shape()))
        products = np.outer(mean, mean) + square * np.outer(moved, moved)
        return (ApartTaps(mean, products, np.array([-1, 0, 1]), 2),)

    def operator(self, channels: int) -> StretchFIR:
        """Return the stretch-FIR with taps ``[1 - s, 1, s]`` in each channel."""
        refuse_other_channels(self, channels)
        # tanh form: no overflow for any weight.
        share = 0.5 + 0.5 * np.tanh(0.5 * self.weight_array())
        taps = np.stack([1 - share, np.ones_like(share), share], axis=1)[:, None, :]
        return StretchFIR(frozen(taps), 2, groups=channels, crop=(1, 1))


def _mean_square_tanh(distribution: Uniform | Gaussian) -> float:
    """Return ``E tanh(w / 2)^2``."""
    if isinstance(distribution, Uniform):
        return 1 - 2 * float(np.tanh(distribution.bound / 2)) / distribution.bound
    form = Quadrature(lambda numbers: np.tanh(numbers / 2), name="tanh(w / 2)")
    return float(form.moments(0.0, distribution.std).variance)


@final
@dataclass(frozen=True, eq=False, repr=False)
class Hold(LinearLayer):
    r"""A smoothing filter after an upsampler: the zero-order hold of Kinoshita & Kiya.

    :math:`H(z) = \left(\frac{1}{L} \sum_{i<L} z^{-i}\right)^{order}` at the rate of its input, so
    every ``k / L`` is a zero of multiplicity ``order`` and no offset tone of a factor-``L`` layer
    passes (arXiv 2002.02117).  Causal; the length is kept.

    Parameters
    ----------
    factor : int
        ``L`` of the upsampler before it.
    order : int
        Boxes that are convolved.

    Examples
    --------
    >>> Hold(2).operator(1).apply(np.array([[2.0, 4.0, 6.0]]))
    array([[1., 3., 5.]])
    """

    factor: int
    order: int = 1

    def _check(self) -> None:
        self._set(
            factor=whole_number(self.factor, "factor"), order=whole_number(self.order, "order")
        )
        if self.order > 64:
            raise ArgumentError(
                "order must be at most 64", given=f"order={self.order}", fix="order=1"
            )

    def channels_out(self, channels: int) -> int:
        """Return ``channels``."""
        return channels

    def length_rule(self) -> LengthRule:
        """Return the law that keeps the length."""
        return LengthRule()

    def macs(self, channels: int) -> Fraction:
        """Return the taps, once a channel."""
        return Fraction(channels * (self.order * (self.factor - 1) + 1))

    def operator(self, channels: int) -> StretchFIR:
        """Return the filter, one group a channel."""
        count = self.order * (self.factor - 1) + 1
        # Whole numbers of up to order log2(L) bits, in three lists, made order times.
        refuse_beyond_memory(
            16 * self.order * count, "the kernel", fix="use a smaller factor or order"
        )
        total = self.factor**self.order
        taps = np.asarray([tap / total for tap in hold_counts(self.factor, self.order)])
        return StretchFIR(
            np.broadcast_to(taps, (channels, 1, taps.size)),
            groups=channels,
            crop=(0, taps.size - 1),
        )
