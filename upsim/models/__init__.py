"""Named architectures: the settings of the founding figures, and networks that people really use.

Every function returns an undrawn :class:`~upsim.network.stack.Stack`; its docstring says what its
source determines and what is left out.  Weights are left to PyTorch's default initialisation unless
a docstring says otherwise: a trained model has other weights, and the same lines in the same
places.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable

from upsim.errors import ArgumentTypeError, UnknownNameError
from upsim.models.bigvgan_generator import bigvgan
from upsim.models.codecs import dac_16k, dac_44k, encodec_24k, encodec_48k
from upsim.models.demucs_variants import (
    demucs,
    demucs_ladder,
    demucs_linear,
    demucs_modified,
    demucs_nearest,
    demucs_subpixel,
    demucs_subpixel_modified,
)
from upsim.models.figures import (
    fig2,
    fig3,
    fig4,
    fig5_full,
    fig5_full_random,
    fig5_partial,
    fig5_partial_random,
    fig6_left,
    fig6_right,
    fig7,
    fig8_left,
    fig8_right,
)
from upsim.models.gantts import gan_tts
from upsim.models.hifigan import (
    audioldm_vocoder,
    gpt_sovits,
    hifigan_v1,
    hifigan_v2,
    hifigan_v3,
    rvc_32k,
    rvc_40k,
    rvc_48k,
)
from upsim.models.melgan_generator import melgan
from upsim.models.posts import resize_convolution, subpixel_autoencoder, wgan, wgan_resize
from upsim.models.segan_generator import segan
from upsim.models.vocoders import bigvgan_24k, wavegan, wavegan_critic
from upsim.models.waveunet import wave_unet, wave_unet_learned
from upsim.network.stack import Stack
from upsim.words.arguments import shown

_MAKERS: dict[str, Callable[[], Stack]] = {
    maker.__name__.replace("_", "-"): maker
    for maker in (
        fig2,
        fig3,
        fig4,
        fig5_partial,
        fig5_partial_random,
        fig5_full,
        fig5_full_random,
        fig6_left,
        fig6_right,
        fig7,
        fig8_left,
        fig8_right,
        melgan,
        hifigan_v1,
        hifigan_v2,
        hifigan_v3,
        bigvgan,
        bigvgan_24k,
        encodec_24k,
        encodec_48k,
        dac_16k,
        dac_44k,
        demucs,
        demucs_nearest,
        demucs_linear,
        demucs_subpixel,
        demucs_modified,
        demucs_subpixel_modified,
        demucs_ladder,
        wave_unet,
        wave_unet_learned,
        segan,
        wavegan,
        wavegan_critic,
        gan_tts,
        wgan,
        wgan_resize,
        subpixel_autoencoder,
        audioldm_vocoder,
        gpt_sovits,
        rvc_32k,
        rvc_40k,
        rvc_48k,
    )
}

#: The names that :func:`build` knows: those of the functions, with hyphens.
NAMES: tuple[str, ...] = tuple(_MAKERS)

__all__ = [
    "NAMES",
    "audioldm_vocoder",
    "bigvgan",
    "bigvgan_24k",
    "build",
    "dac_16k",
    "dac_44k",
    "demucs",
    "demucs_ladder",
    "demucs_linear",
    "demucs_modified",
    "demucs_nearest",
    "demucs_subpixel",
    "demucs_subpixel_modified",
    "describe",
    "encodec_24k",
    "encodec_48k",
    "fig2",
    "fig3",
    "fig4",
    "fig5_full",
    "fig5_full_random",
    "fig5_partial",
    "fig5_partial_random",
    "fig6_left",
    "fig6_right",
    "fig7",
    "fig8_left",
    "fig8_right",
    "gan_tts",
    "gpt_sovits",
    "hifigan_v1",
    "hifigan_v2",
    "hifigan_v3",
    "melgan",
    "resize_convolution",
    "rvc_32k",
    "rvc_40k",
    "rvc_48k",
    "segan",
    "subpixel_autoencoder",
    "wave_unet",
    "wave_unet_learned",
    "wavegan",
    "wavegan_critic",
    "wgan",
    "wgan_resize",
]


def build(name: str) -> Stack:
    """Return a model by its name; hyphens and underscores are the same.

    Examples
    --------
    >>> build("rvc-40k").sample_rate
    Fraction(40000, 1)
    """
    return _maker(name)()


def describe(name: str) -> str:
    """Return what a model is, in one line."""
    return (_maker(name).__doc__ or "").strip().splitlines()[0].rstrip(".")


def near_models(name: str) -> list[str]:
    """Return the models that a misspelt or shortened name may mean, the nearest first.

    Examples
    --------
    >>> near_models("rvc"), near_models("fig8right")
    (['rvc-32k', 'rvc-40k', 'rvc-48k'], ['fig8-right', 'fig6-right'])
    """
    wanted = name.strip().lower().replace("_", "-")
    begun = [each for each in NAMES if wanted and each.startswith(wanted)]
    return (begun or difflib.get_close_matches(wanted, NAMES))[:4]


def _maker(name: str) -> Callable[[], Stack]:
    if not isinstance(name, str):
        raise ArgumentTypeError(
            "a model is asked for by its name",
            given=f"name={shown(name)}",
            fix='upsim.models.build("fig8-left")',
        )
    wanted = name.strip().lower().replace("_", "-")
    if wanted not in _MAKERS:
        near = near_models(name)
        raise UnknownNameError(
            "there is no model of this name",
            given=repr(name) if len(name) < 60 else repr(name[:57] + "..."),
            expected=", ".join(NAMES),
            fix=f"upsim.models.build({near[0]!r})" if near else "upsim.models.NAMES",
        )
    return _MAKERS[wanted]
