"""Tiny pipelines of random weights through the real classes: to try things out, without a download."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from torchbend.errors import CheckpointError
from torchbend.interfaces.diffusion import tiny_parts as parts
from torchbend.interfaces.libraries import diffusers

__all__ = ["TINY_PIPELINES", "tiny_pipeline"]

_PURPOSE = "a diffusion pipeline"


def tiny_pipeline(kind: str = "stable-diffusion", seed: int = 0) -> Any:
    """A pipeline with some hundred thousand random weights: ``BendedDiffusion(tiny_pipeline())``.

    It has the parts and names of a real one, reads letters, and makes images of 32 pixels; they are noise.

    Args:
        kind: one of ``TINY_PIPELINES``.
        seed: of its weights.

    Raises:
        CheckpointError: another kind.
        MissingExtraError: diffusers is not installed.
    """
    if kind not in TINY_PIPELINES:
        raise CheckpointError(
            f"there is no tiny pipeline of the kind {kind!r}",
            site="kind",
            wanted=f"one of: {', '.join(TINY_PIPELINES)}",
        )
    library = diffusers(_PURPOSE)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pipeline = TINY_PIPELINES[kind](library)
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval().requires_grad_(False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _stable_diffusion(library: Any) -> Any:
    return library.StableDiffusionPipeline(
        vae=parts.vae(library),
        text_encoder=parts.clip(False),
        tokenizer=parts.tokenizer(),
        unet=parts.unet(library),
        scheduler=library.DDIMScheduler(
            **parts.NOISE, steps_offset=1, clip_sample=False, set_alpha_to_one=False
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _stable_diffusion_xl(library: Any) -> Any:
    more = {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 6 * 8 + 32,
        "transformer_layers_per_block": (1, 2),
        "use_linear_projection": True,
    }
    return library.StableDiffusionXLPipeline(
        vae=parts.vae(library),
        text_encoder=parts.clip(False),
        text_encoder_2=parts.clip(True),
        tokenizer=parts.tokenizer(),
        tokenizer_2=parts.tokenizer(),
        unet=parts.unet(library, cross_attention_dim=64, **more),
        scheduler=library.EulerDiscreteScheduler(**parts.NOISE, steps_offset=1),
        add_watermarker=False,
    )


def _stable_diffusion_3(library: Any) -> Any:
    transformer = library.SD3Transformer2DModel(
        sample_size=16,
        patch_size=2,
        in_channels=4,
        out_channels=4,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=4,
        joint_attention_dim=64,
        caption_projection_dim=32,
        pooled_projection_dim=64,
        pos_embed_max_size=16,
    )
    return library.StableDiffusion3Pipeline(
        transformer=transformer,
        scheduler=library.FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=parts.vae(library, shift_factor=0.06, use_quant_conv=False, use_post_quant_conv=False),
        text_encoder=parts.clip(True),
        tokenizer=parts.tokenizer(),
        text_encoder_2=parts.clip(True),
        tokenizer_2=parts.tokenizer(),
        text_encoder_3=parts.t5(64),
        tokenizer_3=parts.tokenizer(),
    )


def _flux(library: Any) -> Any:
    transformer = library.FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        axes_dims_rope=(4, 4, 8),
    )
    pipeline = library.FluxPipeline(
        scheduler=library.FlowMatchEulerDiscreteScheduler(),
        vae=parts.vae(library, shift_factor=0.06, use_quant_conv=False, use_post_quant_conv=False),
        text_encoder=parts.clip(False),
        tokenizer=parts.tokenizer(),
        text_encoder_2=parts.t5(32),
        tokenizer_2=parts.tokenizer(),
        transformer=transformer,
    )
    pipeline.default_sample_size = 16
    return pipeline


def _pixart(library: Any) -> Any:
    transformer = library.PixArtTransformer2DModel(
        sample_size=16,
        patch_size=2,
        in_channels=4,
        out_channels=8,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=4,
        cross_attention_dim=32,
        caption_channels=32,
        use_additional_conditions=False,
    )
    return library.PixArtSigmaPipeline(
        tokenizer=parts.tokenizer(),
        text_encoder=parts.t5(32),
        vae=parts.vae(library),
        transformer=transformer,
        scheduler=library.DPMSolverMultistepScheduler(**parts.NOISE),
    )


def _dit(library: Any) -> Any:
    transformer = library.DiTTransformer2DModel(
        sample_size=16,
        num_layers=2,
        patch_size=2,
        attention_head_dim=8,
        num_attention_heads=4,
        in_channels=4,
        out_channels=8,
        attention_bias=True,
        activation_fn="gelu-approximate",
        num_embeds_ada_norm=1000,  # the pipeline knows class 1000 as none
    )
    return library.DiTPipeline(
        transformer=transformer, vae=parts.vae(library), scheduler=library.DDIMScheduler(**parts.NOISE)
    )


def _ddim(library: Any) -> Any:
    return library.DDIMPipeline(unet=parts.unet_of_images(library), scheduler=library.DDIMScheduler())


def _ddpm(library: Any) -> Any:
    return library.DDPMPipeline(unet=parts.unet_of_images(library), scheduler=library.DDPMScheduler())


TINY_PIPELINES: dict[str, Callable[[Any], Any]] = {
    "stable-diffusion": _stable_diffusion,
    "stable-diffusion-xl": _stable_diffusion_xl,
    "stable-diffusion-3": _stable_diffusion_3,
    "flux": _flux,
    "pixart": _pixart,
    "dit": _dit,
    "ddim": _ddim,
    "ddpm": _ddpm,
}
"""The kinds of tiny pipelines, each with what makes it."""
