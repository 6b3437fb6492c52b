"""Music and sound models of transformers: codecs, MusicGen, vocoders, pairs of sound and text."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .definition import Entry
from .make import by_shape, entries, from_transformers, noise, seeded, tokens, wake

FAMILY = "audio"

ENCODEC: dict[str, Any] = {
    "target_bandwidths": [24.0],
    "sampling_rate": 8000,
    "hidden_size": 16,
    "num_filters": 4,
    "upsampling_ratios": [4, 2],
    "num_lstm_layers": 1,
    "codebook_size": 16,
    "codebook_dim": 16,
}

DAC: dict[str, Any] = {
    "encoder_hidden_size": 4,
    "downsampling_ratios": [2, 4],
    "decoder_hidden_size": 16,
    "n_codebooks": 2,
    "codebook_size": 16,
    "codebook_dim": 4,
}

MUSICGEN_DECODER: dict[str, Any] = {
    "vocab_size": 16,
    "max_position_embeddings": 32,
    "num_hidden_layers": 2,
    "ffn_dim": 32,
    "num_attention_heads": 2,
    "hidden_size": 16,
    "num_codebooks": 4,
    "pad_token_id": 16,
    "bos_token_id": 16,
}

T5: dict[str, Any] = {"vocab_size": 64, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}


def _musicgen(codebooks: int = 4) -> nn.Module:
    """All of MusicGen: a T5 encoder, an EnCodec, and the language model of its codes."""
    from transformers import EncodecConfig, MusicgenConfig, MusicgenForConditionalGeneration, T5Config
    from transformers.models.musicgen.configuration_musicgen import MusicgenDecoderConfig

    # 8000 Hz, a hop of 8 and 16 codes make 4000 bits per second and codebook
    encodec = EncodecConfig(**{**ENCODEC, "target_bandwidths": [4.0 * codebooks]})
    parts = {
        "text_encoder": T5Config(**T5).to_dict(),
        "audio_encoder": encodec.to_dict(),
        "decoder": MusicgenDecoderConfig(**MUSICGEN_DECODER).to_dict(),
    }
    return wake(MusicgenForConditionalGeneration(MusicgenConfig(**parts)))


def _codes(batch: int, length: int, rows: int = 4) -> Tensor:
    """MusicGen's codes: one row for each codebook of each item, [B * codebooks, T]."""
    return tokens(batch * rows, length, vocabulary=16, first=0)


def _conditioned_codes(batch: int, length: int) -> dict[str, Tensor]:
    return {"input_ids": _codes(batch, length), "encoder_hidden_states": noise(batch, 5, 16)}


def _text_to_music(batch: int, text: int, length: int) -> dict[str, Tensor]:
    return {"input_ids": tokens(batch, text), "decoder_input_ids": _codes(batch, length)}


def _sound_and_text(batch: int, length: int) -> dict[str, Tensor]:
    return {
        "input_ids": tokens(batch, length),
        "input_features": noise(batch, 1, 64, 16),
        "is_longer": torch.zeros(batch, 1, dtype=torch.bool),
    }


def _conditioned_noise(batch: int, frames: int) -> dict[str, Tensor]:
    return {
        "input_features": noise(batch, frames, 8, seed=1),
        "noise_sequence": noise(batch, frames, 4, seed=2),
    }


def _codebook_numbers(batch: int, length: int) -> dict[str, Tensor]:
    return {"audio_codes": tokens(batch * 2, length, vocabulary=16, first=0).reshape(batch, 2, length)}


CODECS = entries(
    FAMILY,
    Entry(
        "encodec",
        FAMILY,
        from_transformers("EncodecModel", "EncodecConfig", **ENCODEC),
        **by_shape("input_values", (1, 1, 128), (2, 1, 160)),
    ),
    Entry(
        "dac",
        FAMILY,
        from_transformers("DacModel", "DacConfig", **DAC),
        **by_shape("input_values", (1, 1, 64), (2, 1, 96)),
    ),
    Entry(
        "dac_decode",
        FAMILY,
        from_transformers("DacModel", "DacConfig", **DAC),
        lambda: _codebook_numbers(1, 8),
        lambda: _codebook_numbers(2, 11),
        method="decode",
    ),
    Entry(
        "mimi",
        FAMILY,
        from_transformers(
            "MimiModel",
            "MimiConfig",
            sampling_rate=8000,
            frame_rate=500.0,
            hidden_size=16,
            num_filters=4,
            upsampling_ratios=[4, 2],
            codebook_size=16,
            codebook_dim=8,
            num_quantizers=3,
            vector_quantization_hidden_dimension=8,
            upsample_groups=16,
            num_hidden_layers=1,
            intermediate_size=32,
            num_attention_heads=2,
            num_key_value_heads=2,
            head_dim=8,
            max_position_embeddings=64,
            sliding_window=8,
        ),
        **by_shape("input_values", (1, 1, 128), (2, 1, 160)),
    ),
)

MUSIC = entries(
    FAMILY,
    Entry(
        "musicgen_language_model",
        FAMILY,
        from_transformers("MusicgenForCausalLM", "MusicgenDecoderConfig", **MUSICGEN_DECODER),
        lambda: _conditioned_codes(1, 6),
        lambda: _conditioned_codes(2, 9),
    ),
    Entry(
        "musicgen",
        FAMILY,
        seeded(_musicgen),
        lambda: _text_to_music(1, 5, 6),
        lambda: _text_to_music(2, 7, 9),
    ),
)

SOUND = entries(
    FAMILY,
    Entry(
        "univnet",
        FAMILY,
        from_transformers(
            "UnivNetModel",
            "UnivNetConfig",
            model_in_channels=4,
            model_hidden_channels=4,
            num_mel_bins=8,
            resblock_kernel_sizes=[3, 3],
            resblock_stride_sizes=[4, 2],
            resblock_dilation_sizes=[[1, 3], [1, 3]],
            kernel_predictor_num_blocks=1,
            kernel_predictor_hidden_channels=4,
        ),
        lambda: _conditioned_noise(1, 8),
        lambda: _conditioned_noise(2, 11),
    ),
    Entry(
        "clap",
        FAMILY,
        from_transformers(
            "ClapModel",
            "ClapConfig",
            projection_dim=8,
            text_config={
                "vocab_size": 64,
                "hidden_size": 16,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "intermediate_size": 32,
                "max_position_embeddings": 32,
                "projection_dim": 8,
                "pad_token_id": 0,
            },
            audio_config={
                "window_size": 4,
                "num_mel_bins": 16,
                "spec_size": 32,
                "patch_size": 4,
                "patch_stride": [4, 4],
                "hidden_size": 16,
                "projection_dim": 8,
                "depths": [1, 1],
                "num_attention_heads": [2, 2],
                "num_hidden_layers": 2,
                "patch_embeds_hidden_size": 8,
            },
        ),
        lambda: _sound_and_text(1, 6),
        lambda: _sound_and_text(2, 9),
    ),
)

AUDIO = [*CODECS, *MUSIC, *SOUND]
