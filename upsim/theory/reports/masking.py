r"""What noise hides from the ear: the formulas of the standards, arrays in, arrays out.

All frequencies are in Hz.  The formulas are fits to listening tests and hold where those were made:
critical bands over the whole range of hearing, prominence from 89.1 Hz to 11.22 kHz, masking from
50 Hz.  Outside they are extrapolated.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.errors import ArgumentError
from upsim.words.arguments import finite_array
from upsim.words.units import LARGEST_HERTZ

Array = NDArray[np.float64]

#: Where a person can hear a tone at all, in Hz.
HEARING_RANGE = (20.0, 20000.0)

#: Where ECMA-418-1 has listening tests behind its criterion, in Hz (its section 1, Scope).
PROMINENCE_RANGE = (89.1, 11220.0)

#: Below this a critical band lies evenly about its tone, above it in the geometric sense, in Hz.
_EVEN_BELOW = 500.0


def hertz_array(frequencies: ArrayLike) -> Array:
    """Return frequencies in Hz, finite and not negative."""
    array = finite_array(frequencies, "frequencies")
    if np.any(array < 0):
        raise ArgumentError(
            "frequencies must not be negative",
            given=f"{array.min():g} Hz",
            expected="one-sided frequencies, 0 Hz and up",
        )
    if np.any(array > LARGEST_HERTZ):
        raise ArgumentError(
            "a frequency is too large",
            given=f"{array.max():g} Hz",
            expected=f"at most {LARGEST_HERTZ:g} Hz",
        )
    return array


def critical_bandwidth(frequencies: ArrayLike) -> Array:
    r"""Return the width in Hz of the band within which the ear adds noise up.

    .. math:: \Delta f_c = 25 + 75\,(1 + 1.4\,(f / 1\,\mathrm{kHz})^2)^{0.69}

    Source: Zwicker & Terhardt, "Analytical expressions for critical-band rate and critical
    bandwidth as a function of frequency", J. Acoust. Soc. Am. 68, 1980, equation (2).

    Examples
    --------
    >>> critical_bandwidth([0, 1000, 4000]).round(1).tolist()
    [100.0, 162.2, 685.4]
    """
    kilohertz = hertz_array(frequencies) / 1000
    return np.asarray(25 + 75 * (1 + 1.4 * kilohertz**2) ** 0.69)


def critical_band(frequencies: ArrayLike) -> tuple[Array, Array]:
    r"""Return the lower and upper edge in Hz of the critical band about a tone.

    .. math:: f \mp \Delta f_c / 2 \quad (f < 500\,\mathrm{Hz}), \qquad
              \sqrt{f^2 + \Delta f_c^2 / 4} \mp \Delta f_c / 2 \quad \text{above,}

    so that from 500 Hz on the tone is the geometric mean of its edges.  The lower edge of a tone
    below 50 Hz is negative.  Source: ECMA-418-1 (formerly ECMA-74, annex D.8).

    Examples
    --------
    >>> low, high = critical_band(1000)
    >>> round(float(low), 1), round(float(high), 1), round(float(np.sqrt(low * high)), 6)
    (922.2, 1084.4, 1000.0)
    """
    frequencies = hertz_array(frequencies)
    width = critical_bandwidth(frequencies)
    middle = np.where(frequencies < _EVEN_BELOW, frequencies, np.hypot(frequencies, width / 2))
    return middle - width / 2, middle + width / 2


def prominence_limit(frequencies: ArrayLike) -> Array:
    r"""Return the tone-to-noise ratio in dB from which a tone is called prominent.

    .. math:: 8 \quad (f \ge 1\,\mathrm{kHz}), \qquad 8 + 8.33 \log_{10}(1\,\mathrm{kHz} / f)
              \quad \text{below.}

    Source: ECMA-418-1, section 11.6; infinite at 0 Hz, which is no tone to the ear.

    Examples
    --------
    >>> prominence_limit([100, 1000, 4000]).round(2).tolist()
    [16.33, 8.0, 8.0]
    """
    with np.errstate(divide="ignore", over="ignore"):
        decades = np.log10(1000 / hertz_array(frequencies))
    return np.asarray(8 + 8.33 * np.maximum(decades, 0))


def masking_index(frequencies: ArrayLike) -> Array:
    r"""Return the tone-to-noise ratio in dB at which half of the listeners just hear a tone.

    .. math:: a_v = -2 - \log_{10}\left(1 + (f / 502\,\mathrm{Hz})^{2.5}\right)

    Source: ISO/TS 20065:2022 (as DIN 45681).

    Examples
    --------
    >>> masking_index([0, 502, 20000]).round(2).tolist()
    [-2.0, -2.3, -6.0]
    """
    return np.asarray(-2 - np.log10(1 + (hertz_array(frequencies) / 502) ** 2.5))


def hearing_threshold(frequencies: ArrayLike) -> Array:
    r"""Return the sound pressure level in dB below which a tone is not heard in silence.

    .. math:: 3.64\,k^{-0.8} - 6.5\,e^{-0.6 (k - 3.3)^2} + 10^{-3} k^4, \qquad
              k = f / 1\,\mathrm{kHz}

    Source: Terhardt, "Calculating virtual pitch", Hearing Research 1, 1979.  A fit for young
    listeners in a free field; infinite at 0 Hz.

    Examples
    --------
    >>> hearing_threshold([100, 1000, 4000]).round(1).tolist()
    [23.0, 3.4, -3.4]
    """
    k = hertz_array(frequencies) / 1000
    with np.errstate(divide="ignore"):
        rise = 3.64 * k**-0.8
    return np.asarray(rise - 6.5 * np.exp(-0.6 * (k - 3.3) ** 2) + 1e-3 * k**4)
