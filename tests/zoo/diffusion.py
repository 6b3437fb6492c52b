"""Image and sound diffusion models of diffusers: UNets, autoencoders, diffusion transformers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .definition import Entry
from .make import by_shape, entries, from_diffusers, noise

FAMILY = "diffusion"

TIMESTEP = 7

CONDITIONED: dict[str, Any] = {
    "sample_size": 8,
    "block_out_channels": (8, 16),
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "cross_attention_dim": 8,
    "attention_head_dim": 4,
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
}

CONTROL = {name: value for name, value in CONDITIONED.items() if name != "sample_size"}

AUTOENCODER: dict[str, Any] = {
    "block_out_channels": (8, 16),
    "down_block_types": ("DownEncoderBlock2D", "DownEncoderBlock2D"),
    "up_block_types": ("UpDecoderBlock2D", "UpDecoderBlock2D"),
    "norm_num_groups": 4,
    "latent_channels": 4,
}

TRANSFORMER: dict[str, Any] = {"num_attention_heads": 2, "attention_head_dim": 8, "num_layers": 2}


def _times(batch: int) -> Tensor:
    return torch.arange(batch) * 10 + TIMESTEP


def _prompted(batch: int, size: int, words: int) -> dict[str, Any]:
    sample, prompt = noise(batch, 4, size, size, seed=1), noise(batch, words, 8, seed=2)
    return {"sample": sample, "timestep": TIMESTEP, "encoder_hidden_states": prompt}


def _guided(batch: int, size: int, words: int) -> dict[str, Any]:
    return {**_prompted(batch, size, words), "controlnet_cond": noise(batch, 3, 2 * size, 2 * size, seed=3)}


def _classed(batch: int) -> dict[str, Tensor]:
    return {
        "hidden_states": noise(batch, 4, 8, 8),
        "timestep": _times(batch),
        "class_labels": torch.arange(batch),
    }


def _pixart(batch: int, words: int) -> dict[str, Any]:
    sample, prompt = noise(batch, 4, 8, 8, seed=1), noise(batch, words, 8, seed=2)
    sizes = {"resolution": None, "aspect_ratio": None}
    times = _times(batch)
    return {
        "hidden_states": sample,
        "encoder_hidden_states": prompt,
        "timestep": times,
        "added_cond_kwargs": sizes,
    }


def _sd3(batch: int, size: int, words: int) -> dict[str, Tensor]:
    return {
        "hidden_states": noise(batch, 4, size, size, seed=1),
        "encoder_hidden_states": noise(batch, words, 16, seed=2),
        "pooled_projections": noise(batch, 8, seed=3),
        "timestep": _times(batch),
    }


def _flux(batch: int, size: int, words: int) -> dict[str, Tensor]:
    row, column = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    place = torch.stack([torch.zeros_like(row), row, column], dim=-1).reshape(-1, 3)
    return {
        "hidden_states": noise(batch, size * size, 8, seed=1),
        "encoder_hidden_states": noise(batch, words, 16, seed=2),
        "pooled_projections": noise(batch, 8, seed=3),
        "timestep": _times(batch) / 1000,
        "img_ids": place.float(),
        "txt_ids": torch.zeros(words, 3),
    }


def _stable_audio(batch: int, length: int, words: int) -> dict[str, Any]:
    from diffusers.models.embeddings import get_1d_rotary_pos_embed

    rotary = get_1d_rotary_pos_embed(4, length + 1, use_real=True, repeat_interleave_real=False)
    return {
        "hidden_states": noise(batch, 4, length, seed=1),
        "timestep": _times(batch) / 1000,
        "encoder_hidden_states": noise(batch, words, 8, seed=2),
        "global_hidden_states": noise(batch, 1, 8, seed=3),
        "rotary_embedding": rotary,
    }


def _audioldm2(batch: int, size: int, words: int) -> dict[str, Any]:
    return {**_prompted(batch, size, words), "encoder_hidden_states_1": noise(batch, words + 2, 8, seed=4)}


UNETS = entries(
    FAMILY,
    Entry(
        "unet2d",
        FAMILY,
        from_diffusers(
            "UNet2DModel",
            sample_size=8,
            block_out_channels=(8, 16),
            layers_per_block=1,
            norm_num_groups=4,
            attention_head_dim=4,
            down_block_types=("DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        ),
        **by_shape("sample", (1, 3, 8, 8), (2, 3, 16, 8), timestep=TIMESTEP),
    ),
    Entry(
        "unet2d_condition",
        FAMILY,
        from_diffusers(
            "UNet2DConditionModel", up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), **CONDITIONED
        ),
        lambda: _prompted(1, 8, 5),
        lambda: _prompted(2, 12, 7),
    ),
    Entry(
        "controlnet",
        FAMILY,
        from_diffusers("ControlNetModel", conditioning_embedding_out_channels=(4, 8), **CONTROL),
        lambda: _guided(1, 8, 5),
        lambda: _guided(2, 12, 7),
    ),
    Entry(
        "audioldm2_unet",
        FAMILY,
        from_diffusers(
            "AudioLDM2UNet2DConditionModel",
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            **{**CONDITIONED, "cross_attention_dim": ((None, 8, 8), (None, 8, 8))},
        ),
        lambda: _audioldm2(1, 8, 5),
        lambda: _audioldm2(2, 12, 7),
    ),
    Entry(
        "unet1d",
        FAMILY,
        from_diffusers(
            "UNet1DModel",
            sample_size=32,
            extra_in_channels=16,
            in_channels=2,
            block_out_channels=(8, 32, 32),
        ),
        **by_shape("sample", (1, 2, 32), (2, 2, 64), timestep=TIMESTEP),
    ),
)

AUTOENCODERS = entries(
    FAMILY,
    Entry(
        "autoencoder_kl",
        FAMILY,
        from_diffusers("AutoencoderKL", **AUTOENCODER),
        **by_shape("sample", (1, 3, 16, 16), (2, 3, 24, 16)),
    ),
    Entry(
        "autoencoder_kl_encode",
        FAMILY,
        from_diffusers("AutoencoderKL", **AUTOENCODER),
        method="encode",
        **by_shape("x", (1, 3, 16, 16), (2, 3, 24, 16)),
    ),
    Entry(
        "vq_model",
        FAMILY,
        from_diffusers("VQModel", num_vq_embeddings=16, **AUTOENCODER),
        **by_shape("sample", (1, 3, 16, 16), (2, 3, 24, 16)),
    ),
    Entry(
        "autoencoder_oobleck",
        FAMILY,
        from_diffusers(
            "AutoencoderOobleck",
            encoder_hidden_size=4,
            downsampling_ratios=[2, 4],
            channel_multiples=[1, 2],
            decoder_channels=4,
            decoder_input_channels=2,
            audio_channels=1,
        ),
        **by_shape("sample", (1, 1, 64), (2, 1, 96)),
    ),
)

TRANSFORMERS = entries(
    FAMILY,
    Entry(
        "dit",
        FAMILY,
        from_diffusers(
            "DiTTransformer2DModel", sample_size=8, num_embeds_ada_norm=10, norm_num_groups=4, **TRANSFORMER
        ),
        lambda: _classed(1),
        lambda: _classed(3),
    ),
    Entry(
        "pixart",
        FAMILY,
        from_diffusers(
            "PixArtTransformer2DModel",
            sample_size=8,
            cross_attention_dim=16,
            caption_channels=8,
            norm_num_groups=4,
            use_additional_conditions=False,
            **TRANSFORMER,
        ),
        lambda: _pixart(1, 5),
        lambda: _pixart(2, 7),
    ),
    Entry(
        "sd3",
        FAMILY,
        from_diffusers(
            "SD3Transformer2DModel",
            sample_size=8,
            in_channels=4,
            out_channels=4,
            joint_attention_dim=16,
            caption_projection_dim=16,
            pooled_projection_dim=8,
            pos_embed_max_size=8,
            qk_norm="rms_norm",
            **TRANSFORMER,
        ),
        lambda: _sd3(1, 8, 5),
        lambda: _sd3(2, 12, 7),
    ),
    Entry(
        "flux",
        FAMILY,
        from_diffusers(
            "FluxTransformer2DModel",
            in_channels=8,
            num_single_layers=1,
            joint_attention_dim=16,
            pooled_projection_dim=8,
            axes_dims_rope=(4, 2, 2),
            **{**TRANSFORMER, "num_layers": 1},
        ),
        lambda: _flux(1, 4, 5),
        lambda: _flux(2, 6, 7),
    ),
    Entry(
        "stable_audio_dit",
        FAMILY,
        from_diffusers(
            "StableAudioDiTModel",
            sample_size=16,
            in_channels=4,
            out_channels=4,
            num_key_value_attention_heads=1,
            cross_attention_dim=8,
            time_proj_dim=8,
            global_states_input_dim=8,
            cross_attention_input_dim=8,
            **TRANSFORMER,
        ),
        lambda: _stable_audio(1, 8, 5),
        lambda: _stable_audio(2, 12, 7),
    ),
)

DIFFUSION = [*UNETS, *AUTOENCODERS, *TRANSFORMERS]
