"""Functions of NumPy with one fault each, as people write them.

Each entry: the fault's name, the callable, its channels, and the layer that it should be (None:
the laws alone find it).
"""

import numpy as np

import upsim

RNG = np.random.default_rng(7)
L = 4
#: A transposed convolution, (in, out, K), and a subpixel convolution, (out L, in, K).
UP = RNG.integers(-8, 9, (2, 3, 10)) / 8
UP_BIAS = RNG.integers(1, 9, 3) / 8
SUB = RNG.integers(-8, 9, (2 * L, 3, 3)) / 8
SUB_BIAS = RNG.integers(1, 9, 2 * L) / 8


def transposed(**changes):
    given = {"padding": 3, "output_padding": 2, "bias": UP_BIAS} | changes
    return upsim.TransposedConv(2, 3, 10, L, weight=UP, **given)


def subpixel(**changes):
    given = {"bias": SUB_BIAS} | changes
    return upsim.SubpixelConv(3, 2, 3, L, padding=1, weight=SUB, **given)


# --- in NumPy, (batch, channels, time)


def overlap_add(x, weight=UP, left=3, right=1, bias=UP_BIAS):
    """A transposed convolution, tap by tap."""
    batch, _, n = x.shape
    full = np.zeros((batch, weight.shape[1], (n - 1) * L + weight.shape[2]))
    for m in range(n):
        for k in range(weight.shape[2]):
            full[:, :, m * L + k] += x[:, :, m] @ weight[:, :, k]
    return full[..., left : full.shape[-1] - right] + bias[:, None]


def correlated(x, weight=SUB, bias=SUB_BIAS):
    """A convolution with padding 1, as frameworks have it."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1)))
    rows = [
        sum(np.einsum("oi,bi->bo", weight[:, :, k], padded[:, :, n + k]) for k in range(3))
        for n in range(x.shape[2])
    ]
    return np.stack(rows, axis=2) + bias[:, None]


def shuffle(y):
    b, rows, n = y.shape
    return y.reshape(b, rows // L, L, n).swapaxes(2, 3).reshape(b, rows // L, n * L)


def stretched(x):
    made = np.zeros((*x.shape[:-1], x.shape[-1] * L))
    made[..., ::L] = x
    return made


def triangle(x, gain=1.0, step=0):
    h = gain * (1 - np.abs(np.arange(1 - L, L)) / L)
    full = np.apply_along_axis(np.convolve, -1, stretched(x), h)
    return full[..., L - 1 + step : full.shape[-1] - L + 1 + step]


def aligned(x):
    n = x.shape[-1]
    grid = np.linspace(0, n - 1, L * n)
    return np.apply_along_axis(lambda row: np.interp(grid, np.arange(n), row), -1, x)


def in_tensorflow_order(x):
    y = correlated(x)
    return shuffle(y.reshape(len(x), L, 2, -1).swapaxes(1, 2).reshape(len(x), 2 * L, -1))


def phases_rolled(x):
    y = correlated(x).reshape(len(x), 2, L, -1)
    return shuffle(np.roll(y, 1, axis=2).reshape(len(x), 2 * L, -1))


def phases_reversed(x):
    y = correlated(x).reshape(len(x), 2, L, -1)
    return shuffle(y[:, :, ::-1].reshape(len(x), 2 * L, -1))


def reshaped(x):
    return correlated(x).reshape(len(x), 2, -1)


def late_bias(x):
    return shuffle(correlated(x, bias=np.zeros(2 * L))) + SUB_BIAS[:2, None]


def early_bias(x):
    return shuffle(correlated(x))


def padded_with(value, *sides):
    return lambda x: (
        np.pad(
            overlap_add(x, right=3, bias=0 * UP_BIAS),
            ((0, 0), (0, 0), sides),
            constant_values=value,
        )
        + UP_BIAS[:, None]
    )


#: Bias of one number a channel, in the rows of a subpixel convolution.
EVEN_BIAS = np.repeat(SUB_BIAS[:2], L)

NUMPY = [
    ("plain reshape", reshaped, 3, None),
    ("plain reshape", reshaped, 3, subpixel()),
    ("plain reshape", lambda x: correlated(x).swapaxes(1, 2).reshape(len(x), 2, -1), 3, None),
    ("channel order", in_tensorflow_order, 3, subpixel()),
    ("kernel flip", lambda x: overlap_add(x, UP[..., ::-1]), 2, transposed()),
    ("kernel flip", lambda x: shuffle(correlated(x, SUB[..., ::-1])), 3, subpixel()),
    ("channel order", lambda x: overlap_add(x, UP[:, ::-1]), 2, transposed()),
    ("channel order", lambda x: overlap_add(x, UP[::-1]), 2, transposed()),
    (
        "crop at the wrong end",
        lambda x: overlap_add(x, left=0, right=6),
        2,
        transposed(output_padding=0),
    ),
    (
        "crop at the wrong end",
        lambda x: overlap_add(x, left=6, right=0),
        2,
        transposed(output_padding=0),
    ),
    (
        "output_padding on the wrong side",
        lambda x: overlap_add(x, left=1, right=3),
        2,
        transposed(),
    ),
    ("output_padding on the wrong side", padded_with(0, 2, 0), 2, transposed()),
    ("output_padding of zeros", padded_with(0, 0, 2), 2, transposed()),
    ("crop forgotten", lambda x: overlap_add(x, left=0, right=0), 2, transposed()),
    ("gain L forgotten", lambda x: triangle(x, 1 / L), 2, upsim.Linear(L, "triangle")),
    ("gain L applied twice", lambda x: triangle(x, L), 2, upsim.Linear(L, "triangle")),
    ("half-pixel against triangle", triangle, 2, upsim.Linear(L)),
    ("half-pixel against aligned", aligned, 2, None),
    ("half-pixel against aligned", aligned, 2, upsim.Linear(L)),
    ("crop at the wrong end", lambda x: triangle(x, step=1), 2, upsim.Linear(L, "triangle")),
    ("bias after the shuffle", late_bias, 3, subpixel()),
    ("bias before the shuffle", early_bias, 3, subpixel(bias=EVEN_BIAS)),
    ("bias forgotten", lambda x: shuffle(correlated(x, bias=np.zeros(2 * L))), 3, subpixel()),
    ("bias added twice", lambda x: overlap_add(x) + UP_BIAS[:, None], 2, transposed()),
    ("weights of another phase", phases_rolled, 3, subpixel()),
    ("weights of another phase", phases_reversed, 3, subpixel()),
    ("sign", lambda x: -overlap_add(x), 2, transposed()),
]
