"""Configurations as people have them, read from public files, with what is known of each.

The fields are those of the public files, with the training fields that stand beside them.  The
expectations are not made from the fields: names are those of the modules in the public code,
families are multiples of ``rate / (s_i ... s_N)``, worked out by hand.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

_BLOCKS = {
    "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
}

HIFIGAN_V1 = {
    "resblock": "1",
    "num_gpus": 0,
    "batch_size": 16,
    "learning_rate": 0.0002,
    "adam_b1": 0.8,
    "adam_b2": 0.99,
    "lr_decay": 0.999,
    "seed": 1234,
    "upsample_rates": [8, 8, 2, 2],
    "upsample_kernel_sizes": [16, 16, 4, 4],
    "upsample_initial_channel": 512,
    **_BLOCKS,
    "segment_size": 8192,
    "num_mels": 80,
    "num_freq": 1025,
    "n_fft": 1024,
    "hop_size": 256,
    "win_size": 1024,
    "sampling_rate": 22050,
    "fmin": 0,
    "fmax": 8000,
    "fmax_for_loss": None,
    "num_workers": 4,
    "dist_config": {"dist_backend": "nccl", "dist_url": "tcp://localhost:1", "world_size": 1},
}

HIFIGAN_32K = HIFIGAN_V1 | {
    "upsample_rates": [8, 8, 4, 2],
    "upsample_kernel_sizes": [16, 16, 8, 4],
    "upsample_initial_channel": 256,
    "hop_size": 512,
    "sampling_rate": 32000,
}

VITS = {
    "train": {"log_interval": 200, "learning_rate": 2e-4, "segment_size": 8192, "c_mel": 45},
    "data": {
        "training_files": "filelists/train.txt",
        "max_wav_value": 32768.0,
        "sampling_rate": 22050,
        "filter_length": 1024,
        "hop_length": 256,
        "n_mel_channels": 80,
        "n_speakers": 0,
    },
    "model": {
        "inter_channels": 192,
        "hidden_channels": 192,
        "filter_channels": 768,
        "n_heads": 2,
        "n_layers": 6,
        "kernel_size": 3,
        "p_dropout": 0.1,
        "resblock": "1",
        **_BLOCKS,
        "upsample_rates": [8, 8, 2, 2],
        "upsample_initial_channel": 512,
        "upsample_kernel_sizes": [16, 16, 4, 4],
        "n_layers_q": 3,
        "use_spectral_norm": False,
    },
}

RVC_40K = {
    "train": VITS["train"],
    "data": {"sampling_rate": 40000, "filter_length": 2048, "hop_length": 400},
    "model": VITS["model"]
    | {
        "upsample_rates": [10, 10, 2, 2],
        "gin_channels": 256,
        "spk_embed_dim": 109,
    },
}

BIGVGAN_24K = HIFIGAN_V1 | {
    "upsample_rates": [4, 4, 2, 2, 2, 2],
    "upsample_kernel_sizes": [8, 8, 4, 4, 4, 4],
    "upsample_initial_channel": 1536,
    "activation": "snakebeta",
    "snake_logscale": True,
    "num_mels": 100,
    "sampling_rate": 24000,
}

DAC_44K = {
    "$include": ["conf/base.yml"],
    "DAC.sample_rate": 44100,
    "DAC.encoder_dim": 64,
    "DAC.encoder_rates": [2, 4, 8, 8],
    "DAC.decoder_dim": 1536,
    "DAC.decoder_rates": [8, 8, 4, 2],
    "DAC.n_codebooks": 9,
    "Discriminator.sample_rate": 44100,
    "AdamW.lr": 1e-4,
}

DAC_24K = DAC_44K | {
    "DAC.sample_rate": 24000,
    "DAC.encoder_rates": [2, 4, 5, 8],
    "DAC.decoder_rates": [8, 5, 4, 2],
    "Discriminator.sample_rate": 24000,
}

SNAC = {
    "sampling_rate": 24000,
    "encoder_dim": 64,
    "encoder_rates": [3, 3, 7, 7],
    "decoder_dim": 1536,
    "decoder_rates": [7, 7, 3, 3],
    "attn_window_size": None,
    "codebook_size": 4096,
    "codebook_dim": 8,
    "vq_strides": [8, 4, 2, 1],
    "noise": True,
    "depthwise": True,
}

MULTIBAND_MELGAN = {
    "sampling_rate": 22050,
    "fft_size": 1024,
    "hop_size": 256,
    "win_length": None,
    "window": "hann",
    "num_mels": 80,
    "format": "hdf5",
    "generator_type": "MelGANGenerator",
    "generator_params": {
        "in_channels": 80,
        "out_channels": 4,
        "kernel_size": 7,
        "channels": 384,
        "upsample_scales": [8, 4, 2],
        "stack_kernel_size": 3,
        "stacks": 4,
        "use_weight_norm": True,
        "use_causal_conv": False,
    },
    "discriminator_type": "MelGANMultiScaleDiscriminator",
    "discriminator_params": {"in_channels": 1, "channels": 16, "downsample_scales": [4, 4, 4]},
}

FIREFLY = {
    "_target_": "fish_speech.models.vqgan.modules.firefly.FireflyArchitecture",
    "spec_transform": {
        "_target_": "fish_speech.utils.spectrogram.LogMelSpectrogram",
        "sample_rate": 44100,
        "n_mels": 160,
        "hop_length": 512,
    },
    "head": {
        "_target_": "fish_speech.models.vqgan.modules.firefly.HiFiGANGenerator",
        "hop_length": 512,
        "upsample_rates": [8, 8, 2, 2, 2],
        "upsample_kernel_sizes": [16, 16, 4, 4, 4],
        **_BLOCKS,
        "num_mels": 512,
        "upsample_initial_channel": 512,
        "pre_conv_kernel_size": 13,
        "post_conv_kernel_size": 13,
    },
}

ENCODEC = {
    "architectures": ["EncodecModel"],
    "model_type": "encodec",
    "audio_channels": 1,
    "codebook_dim": 128,
    "codebook_size": 1024,
    "compress": 2,
    "dilation_growth_rate": 2,
    "hidden_size": 128,
    "kernel_size": 7,
    "last_kernel_size": 7,
    "norm_type": "weight_norm",
    "num_filters": 32,
    "num_lstm_layers": 2,
    "num_residual_layers": 1,
    "pad_mode": "reflect",
    "residual_kernel_size": 3,
    "sampling_rate": 24000,
    "trim_right_ratio": 1.0,
    "upsampling_ratios": [8, 5, 4, 2],
    "use_causal_conv": True,
    "use_conv_shortcut": True,
}

MIMI = {
    "architectures": ["MimiModel"],
    "model_type": "mimi",
    "audio_channels": 1,
    "compress": 2,
    "dilation_growth_rate": 2,
    "frame_rate": 12.5,
    "hidden_size": 512,
    "kernel_size": 7,
    "last_kernel_size": 3,
    "num_filters": 64,
    "num_residual_layers": 1,
    "pad_mode": "constant",
    "residual_kernel_size": 3,
    "sampling_rate": 24000,
    "trim_right_ratio": 1.0,
    "upsample_groups": 512,
    "upsampling_ratios": [8, 6, 5, 4],
    "use_causal_conv": True,
    "use_conv_shortcut": False,
}

QWEN3_TTS = {
    "architectures": ["Qwen3TTSTokenizerV2Model"],
    "model_type": "qwen3_tts_tokenizer_12hz",
    "input_sample_rate": 24000,
    "output_sample_rate": 24000,
    "decode_upsample_rate": 1920,
    "encode_downsample_rate": 1920,
    "encoder_config": MIMI | {"upsample_groups": 512},
    "decoder_config": {
        "codebook_dim": 512,
        "decoder_dim": 1536,
        "hidden_size": 1024,
        "latent_dim": 1024,
        "upsample_rates": [8, 5, 4, 3],
        "upsampling_ratios": [2, 2],
    },
}

PARALLEL_WAVEGAN_HIFIGAN = {
    "sampling_rate": 24000,
    "hop_size": 300,
    "generator_type": "HiFiGANGenerator",
    "generator_params": {
        "in_channels": 80,
        "out_channels": 1,
        "channels": 512,
        "kernel_size": 7,
        "upsample_scales": [5, 5, 4, 3],
        "upsample_kernel_sizes": [10, 10, 8, 6],
        "resblock_kernel_sizes": [3, 7, 11],
        "resblock_dilations": [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
        "use_additional_convs": True,
        "bias": True,
        "nonlinear_activation": "LeakyReLU",
        "nonlinear_activation_params": {"negative_slope": 0.1},
        "use_weight_norm": True,
    },
    "discriminator_type": "HiFiGANMultiScaleMultiPeriodDiscriminator",
    "discriminator_params": {"scales": 3, "periods": [2, 3, 5, 7, 11]},
}

COQUI_HIFIGAN = {
    "audio": {"sample_rate": 22050, "hop_length": 256, "num_mels": 80, "fft_size": 1024},
    "generator_model": "hifigan_generator",
    "generator_model_params": {
        "upsample_factors": [8, 8, 2, 2],
        "upsample_kernel_sizes": [16, 16, 4, 4],
        "upsample_initial_channel": 512,
        **_BLOCKS,
        "resblock_type": "1",
    },
}

AUDIOCRAFT = {
    "sample_rate": 32000,
    "channels": 1,
    "seanet": {
        "dimension": 128,
        "channels": 1,
        "causal": False,
        "n_filters": 64,
        "n_residual_layers": 1,
        "ratios": [8, 5, 4, 4],
        "activation": "ELU",
        "activation_params": {"alpha": 1.0},
        "norm": "weight_norm",
        "kernel_size": 7,
        "residual_kernel_size": 3,
        "last_kernel_size": 7,
        "dilation_base": 2,
        "pad_mode": "constant",
        "true_skip": True,
        "compress": 2,
        "lstm": 2,
    },
}

HIFT = {
    "in_channels": 80,
    "base_channels": 512,
    "nb_harmonics": 8,
    "sampling_rate": 24000,
    "nsf_alpha": 0.1,
    "nsf_sigma": 0.003,
    "nsf_voiced_threshold": 10,
    "upsample_rates": [8, 5, 3],
    "upsample_kernel_sizes": [16, 11, 7],
    "istft_params": {"n_fft": 16, "hop_len": 4},
    **_BLOCKS,
    "source_resblock_kernel_sizes": [7, 7, 11],
    "source_resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
    "lrelu_slope": 0.1,
    "audio_limit": 0.99,
}

KOKORO = {
    "istftnet": {
        "upsample_kernel_sizes": [20, 12],
        "upsample_rates": [10, 6],
        "gen_istft_hop_size": 5,
        "gen_istft_n_fft": 20,
        **_BLOCKS,
        "upsample_initial_channel": 512,
    },
    "dim_in": 64,
    "hidden_dim": 512,
    "n_mels": 80,
    "style_dim": 128,
    "vocab": {";": 1, ":": 2},
}

ISTFTNET = HIFIGAN_V1 | {
    "upsample_rates": [8, 8],
    "upsample_kernel_sizes": [16, 16],
    "gen_istft_n_fft": 16,
    "gen_istft_hop_size": 4,
}

VOCOS = {
    "feature_extractor": {
        "class_path": "vocos.feature_extractors.MelSpectrogramFeatures",
        "init_args": {
            "sample_rate": 24000,
            "n_fft": 1024,
            "hop_length": 256,
            "n_mels": 100,
            "padding": "center",
        },
    },
    "backbone": {
        "class_path": "vocos.models.VocosBackbone",
        "init_args": {
            "input_channels": 100,
            "dim": 512,
            "intermediate_dim": 1536,
            "num_layers": 8,
        },
    },
    "head": {
        "class_path": "vocos.heads.ISTFTHead",
        "init_args": {"dim": 512, "n_fft": 1024, "hop_length": 256, "padding": "center"},
    },
}

UNIVNET = {
    "audio": {"n_mel_channels": 100, "sampling_rate": 24000, "hop_length": 256},
    "gen": {
        "noise_dim": 64,
        "channel_size": 32,
        "dilations": [1, 3, 9, 27],
        "strides": [8, 8, 4],
        "lReLU_slope": 0.2,
    },
    "mpd": {"periods": [2, 3, 5, 7, 11]},
}

STYLEMELGAN = {
    "generator_type": "StyleMelGANGenerator",
    "generator_params": {
        "in_channels": 128,
        "aux_channels": 80,
        "channels": 64,
        "noise_upsample_scales": [11, 2, 2, 2],
        "upsample_scales": [2, 2, 2, 2, 2, 2, 2, 2, 1],
        "gated_function": "softmax",
    },
}


class Row(NamedTuple):
    """A configuration; for each upsampling module its name, stride, kernel and lowest line."""

    config: dict[str, Any]
    rate: int
    inputs: dict[str, int]
    hop: int
    ups: list[tuple[str, int, int, Fraction | int]]
    also: list[str]  # other modules of the public code


ROWS = {
    "HiFi-GAN V1": Row(
        HIFIGAN_V1,
        22050,
        {"mel": 80},
        256,
        [
            ("ups.0", 8, 16, Fraction(22050, 256)),
            ("ups.1", 8, 16, Fraction(22050, 32)),
            ("ups.2", 2, 4, Fraction(22050, 4)),
            ("ups.3", 2, 4, 11025),
        ],
        ["conv_pre", "conv_post", "resblocks.0.convs1.0", "resblocks.11.convs2.2"],
    ),
    "HiFi-GAN, a 32 kHz fork": Row(
        HIFIGAN_32K,
        32000,
        {"mel": 80},
        512,
        [
            ("ups.0", 8, 16, Fraction(125, 2)),
            ("ups.1", 8, 16, 500),
            ("ups.2", 4, 8, 4000),
            ("ups.3", 2, 4, 16000),
        ],
        ["resblocks.11.convs1.2"],
    ),
    "RVC 40k": Row(
        RVC_40K,
        40000,
        {"z": 192, "source": 1},
        400,
        [
            ("dec.ups.0", 10, 16, 100),
            ("dec.ups.1", 10, 16, 1000),
            ("dec.ups.2", 2, 4, 10000),
            ("dec.ups.3", 2, 4, 20000),
        ],
        ["dec.conv_pre", "dec.noise_convs.0", "dec.noise_convs.3", "dec.resblocks.11.convs1.0"],
    ),
    "VITS ljs_base": Row(
        VITS,
        22050,
        {"z": 192},
        256,
        [
            ("dec.ups.0", 8, 16, Fraction(22050, 256)),
            ("dec.ups.1", 8, 16, Fraction(22050, 32)),
            ("dec.ups.2", 2, 4, Fraction(22050, 4)),
            ("dec.ups.3", 2, 4, 11025),
        ],
        ["dec.conv_post"],
    ),
    "BigVGAN 24 kHz": Row(
        BIGVGAN_24K,
        24000,
        {"mel": 100},
        256,
        [
            ("ups.0.0", 4, 8, Fraction(375, 4)),
            ("ups.1.0", 4, 8, 375),
            ("ups.2.0", 2, 4, 1500),
            ("ups.3.0", 2, 4, 3000),
            ("ups.4.0", 2, 4, 6000),
            ("ups.5.0", 2, 4, 12000),
        ],
        ["resblocks.17.activations.5.act", "activation_post.act", "resblocks.17.convs2.2"],
    ),
    "DAC 44 kHz": Row(
        DAC_44K,
        44100,
        {"z": 1024},
        512,
        [
            ("decoder.model.1.block.1", 8, 16, Fraction(44100, 512)),
            ("decoder.model.2.block.1", 8, 16, Fraction(44100, 64)),
            ("decoder.model.3.block.1", 4, 8, Fraction(44100, 8)),
            ("decoder.model.4.block.1", 2, 4, 22050),
        ],
        ["decoder.model.0", "decoder.model.4.block.4.block.3", "decoder.model.6"],
    ),
    "DAC 24 kHz": Row(
        DAC_24K,
        24000,
        {"z": 1024},
        320,
        [
            ("decoder.model.1.block.1", 8, 16, 75),
            ("decoder.model.2.block.1", 5, 10, 600),
            ("decoder.model.3.block.1", 4, 8, 3000),
            ("decoder.model.4.block.1", 2, 4, 12000),
        ],
        ["decoder.model.6"],
    ),
    "SNAC": Row(
        SNAC,
        24000,
        {"z": 1024},
        441,
        [
            ("decoder.model.2.block.1", 7, 14, Fraction(24000, 441)),
            ("decoder.model.3.block.1", 7, 14, Fraction(24000, 63)),
            ("decoder.model.4.block.1", 3, 6, Fraction(24000, 9)),
            ("decoder.model.5.block.1", 3, 6, 8000),
        ],
        ["decoder.model.0", "decoder.model.1", "decoder.model.5.block.5.block.3"],
    ),
    "MelGAN of four bands": Row(
        MULTIBAND_MELGAN,
        22050,
        {"mel": 80},
        256,
        [
            ("melgan.3", 8, 16, Fraction(22050, 256)),
            ("melgan.9", 4, 8, Fraction(22050, 32)),
            ("melgan.15", 2, 4, Fraction(22050, 8)),
        ],
        ["melgan.1", "melgan.19.stack.4", "melgan.19.skip_layer", "melgan.22", "pqmf"],
    ),
    "HiFi-GAN of ParallelWaveGAN": Row(
        PARALLEL_WAVEGAN_HIFIGAN,
        24000,
        {"mel": 80},
        300,
        [
            ("upsamples.0.1", 5, 10, 80),
            ("upsamples.1.1", 5, 10, 400),
            ("upsamples.2.1", 4, 8, 2000),
            ("upsamples.3.1", 3, 6, 8000),
        ],
        ["input_conv", "blocks.11.convs1.2.1", "blocks.0.convs2.0.1", "output_conv.1"],
    ),
    "HiFi-GAN of Coqui": Row(
        COQUI_HIFIGAN,
        22050,
        {"mel": 80},
        256,
        [
            ("ups.0", 8, 16, Fraction(22050, 256)),
            ("ups.1", 8, 16, Fraction(22050, 32)),
            ("ups.2", 2, 4, Fraction(22050, 4)),
            ("ups.3", 2, 4, 11025),
        ],
        ["conv_pre", "resblocks.11.convs1.2"],
    ),
    "EnCodec of AudioCraft": Row(
        AUDIOCRAFT,
        32000,
        {"z": 128},
        640,
        [
            ("decoder.model.3.convtr.convtr", 8, 16, 50),
            ("decoder.model.6.convtr.convtr", 5, 10, 400),
            ("decoder.model.9.convtr.convtr", 4, 8, 2000),
            ("decoder.model.12.convtr.convtr", 4, 8, 8000),
        ],
        ["decoder.model.0.conv.conv", "decoder.model.1", "decoder.model.4.block.3.conv.conv"],
    ),
    "Firefly": Row(
        FIREFLY,
        44100,
        {"features": 512},
        512,
        [
            ("head.ups.0", 8, 16, Fraction(44100, 512)),
            ("head.ups.1", 8, 16, Fraction(44100, 64)),
            ("head.ups.2", 2, 4, Fraction(44100, 8)),
            ("head.ups.3", 2, 4, 11025),
            ("head.ups.4", 2, 4, 22050),
        ],
        ["head.conv_pre", "head.resblocks.4.blocks.2.convs2.2", "head.conv_post"],
    ),
    "EnCodec": Row(
        ENCODEC,
        24000,
        {"z": 128},
        320,
        [
            ("decoder.layers.3.conv", 8, 16, 75),
            ("decoder.layers.6.conv", 5, 10, 600),
            ("decoder.layers.9.conv", 4, 8, 3000),
            ("decoder.layers.12.conv", 2, 4, 12000),
        ],
        ["decoder.layers.1", "decoder.layers.4.block.1.conv", "decoder.layers.15.conv"],
    ),
    "Mimi": Row(
        MIMI,
        24000,
        {"z": 512},
        1920,
        [
            ("upsample.conv", 2, 4, Fraction(25, 2)),
            ("decoder.layers.2.conv", 8, 16, 25),
            ("decoder.layers.5.conv", 6, 12, 200),
            ("decoder.layers.8.conv", 5, 10, 1200),
            ("decoder.layers.11.conv", 4, 8, 6000),
        ],
        ["decoder_transformer", "decoder.layers.3.block.3.conv", "decoder.layers.14.conv"],
    ),
    "Qwen3-TTS tokenizer": Row(
        QWEN3_TTS,
        24000,
        {"codes": 512},
        1920,
        [
            ("decoder.upsample.0.0.conv", 2, 2, Fraction(25, 2)),
            ("decoder.upsample.1.0.conv", 2, 2, 25),
            ("decoder.decoder.1.block.1.conv", 8, 16, 50),
            ("decoder.decoder.2.block.1.conv", 5, 10, 400),
            ("decoder.decoder.3.block.1.conv", 4, 8, 2000),
            ("decoder.decoder.4.block.1.conv", 3, 6, 8000),
        ],
        ["decoder.pre_transformer", "decoder.upsample.1.1.dwconv.conv", "decoder.decoder.6.conv"],
    ),
}
