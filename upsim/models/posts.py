"""Models of two posts on the subject: a WGAN with and without resizing, and an autoencoder.

A post shows a layer and says what went in and out.  What it does not say is chosen here, by the
stated facts where they leave one choice, and named in the docstring.
"""

from __future__ import annotations

from itertools import pairwise

from upsim.layers import Conv, Layer, Nearest, ReLU, SubpixelConv, Tanh, TransposedConv
from upsim.network.stack import Stack

_WGAN_WIDTHS = (256, 128, 64, 32, 16, 1)
_WGAN_KERNEL = 22


def wgan() -> Stack:
    """WGAN for speech windows of 2048 samples at 16 kHz, with transposed convolutions.

    The post says: 64 latent dimensions, 2048 samples, 16 kHz, a stride that divides the kernel
    size.  It does not give stride, kernel or channels.  Here: kernel 22 and stride 2, those of its
    resize convolution, so that five layers make 2048 samples of 64; 256 channels at the start,
    halved in each layer; ReLU and tanh; Keras' weights and ``same`` padding.  Left out: the dense
    layer that would make the 64 samples of 256 channels.
    """
    layers: list[Layer] = []
    for before, after in pairwise(_WGAN_WIDTHS):
        # 22 - 2 samples more than twice the input are cut, ten on each side.
        layers += [
            TransposedConv(before, after, _WGAN_KERNEL, 2, padding=10, weight="keras"),
            ReLU() if after > 1 else Tanh(),
        ]
    return Stack(layers, 16000, name="wgan")


def wgan_resize() -> Stack:
    """WGAN for speech windows with resize convolutions: nearest neighbour, then 22 taps.

    The post gives the layer: factor 2, kernel 22, ``same``, nearest neighbour.  The number of
    layers and their channels are those of :func:`wgan`.
    """
    layers: list[Layer] = []
    for before, after in pairwise(_WGAN_WIDTHS):
        layers += [*resize_convolution(before, after), ReLU() if after > 1 else Tanh()]
    return Stack(layers, 16000, name="wgan-resize")


def resize_convolution(
    in_channels: int, filters: int, kernel_size: int = _WGAN_KERNEL, upscale_factor: int = 2
) -> tuple[Layer, Layer]:
    """Return a nearest-neighbour resize and a convolution that keeps the length, as Keras draws.

    Examples
    --------
    >>> resize_convolution(64, 32)
    (Nearest(2), Conv(64, 32, 22, padding='same', weight='keras'))
    """
    filtering = Conv(in_channels, filters, kernel_size, padding="same", weight="keras")
    return Nearest(upscale_factor), filtering


def subpixel_autoencoder() -> Stack:
    """Autoencoder of 16384 samples: strided convolutions down, Subpixel1D up, by 4 a layer.

    The post says: 16384 samples, layers that go down and up by a factor of four, convolutions only,
    each subpixel layer (TensorFlow's channel order) behind a convolution that multiplies the
    channels.  Its summary of the model is a picture.  It does not give the number of layers, the
    channels, the kernels, the activations or the sample rate.  Here: three layers each way of 16,
    32 and 64 channels, 8 taps down and 3 up, ReLU and tanh, 16 kHz, Keras' weights and ``same``
    padding.
    """
    widths = (1, 16, 32, 64)
    layers: list[Layer] = []
    for before, after in pairwise(widths):
        # ``same`` of 8 taps and stride 4 pads four samples, two on each side.
        layers += [Conv(before, after, 8, 4, padding=2, weight="keras"), ReLU()]
    for before, after in pairwise(reversed(widths)):
        layers += [
            SubpixelConv(before, after, 3, 4, padding=1, order="tensorflow", weight="keras"),
            ReLU() if after > 1 else Tanh(),
        ]
    return Stack(layers, 16000, name="subpixel-autoencoder")
