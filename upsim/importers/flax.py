"""Kernels of Flax and JAX in the layout of upsim's layers, which is torch's."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.errors import ArgumentError
from upsim.words.arguments import finite_array, on_or_off


def flax_kernel(
    kernel: ArrayLike, *, transposed: bool = False, transpose_kernel: bool = False
) -> NDArray[np.float64]:
    r"""Return the weight of a ``Conv`` or ``TransposedConv`` for a kernel of Flax.

    ``flax.linen.Conv`` correlates as torch does, so only the axes move, (taps, in / groups, out) to
    (out, in / groups, taps).

    ``flax.linen.ConvTranspose`` stretches the signal and then correlates, too,

    .. math:: y_o[n] = \sum_{c,m,k:\; n = m s + (K - 1 - k) - p} w_k^{co}\, x_c[m],

    where torch convolves: the taps stand back to front.  With ``transpose_kernel=True`` it flips
    the kernel itself, and its axes are (taps, out, in), as in Keras.

    Parameters
    ----------
    kernel : array (taps, in, out)
    transposed : bool
        Whether it is a transposed convolution's.
    transpose_kernel : bool
        As ``ConvTranspose`` has it.

    Returns
    -------
    array
        (out, in / groups, taps), or (in, out, taps) if transposed.

    Notes
    -----
    ``padding="SAME"`` of K taps pads the stretched signal by K + s - 2 samples, the half of them
    that is rounded up on the left (K - 1 of them where s > K - 1).  So ``TransposedConv(...,
    padding=p)`` has the left crop p = K - 1 - ceil((K + s - 2) / 2), and n s samples are kept.
    ``padding="VALID"`` is p = 0.  No padding="SAME" is needed for an odd ``Conv``: it is upsim's
    ``padding="same"``.

    Examples
    --------
    >>> kernel = np.arange(3.0).reshape(3, 1, 1)  # three taps, one channel
    >>> flax_kernel(kernel)
    array([[[0., 1., 2.]]])
    >>> flax_kernel(kernel, transposed=True)
    array([[[2., 1., 0.]]])
    """
    found = finite_array(kernel, "kernel", shape=(None, None, None))
    if found.size == 0:
        raise ArgumentError(
            "kernel has no taps", given=f"shape {found.shape}", expected="(taps, in, out)"
        )
    if not on_or_off(transposed, "transposed"):
        if on_or_off(transpose_kernel, "transpose_kernel"):
            raise ArgumentError(
                "transpose_kernel is for transposed convolutions",
                given="transpose_kernel=True",
                fix="transposed=True, transpose_kernel=True",
            )
        return np.ascontiguousarray(found.transpose(2, 1, 0))
    if on_or_off(transpose_kernel, "transpose_kernel"):
        return np.ascontiguousarray(found.transpose(2, 1, 0))
    return np.ascontiguousarray(found[::-1].transpose(1, 2, 0))
