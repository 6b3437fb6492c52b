"""Names, shapes and numbers of weights at full size, from configurations alone: no memory, no download."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import torchbend as tb
from torchbend.interfaces.diffusion import BendedDiffusion, tiny_pipeline

UNET_1_5 = {
    "sample_size": 64,
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
    "block_out_channels": (320, 640, 1280, 1280),
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
}
VAE_1_5 = {
    "sample_size": 512,
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "scaling_factor": 0.18215,
}
CLIP_1_5 = {
    "vocab_size": 49408,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "max_position_embeddings": 77,
    "projection_dim": 768,
}
UNET_XL = {
    "sample_size": 128,
    "cross_attention_dim": 2048,
    "attention_head_dim": (5, 10, 20),
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
DIT_XL_2 = {
    "sample_size": 32,
    "num_layers": 28,
    "patch_size": 2,
    "num_attention_heads": 16,
    "attention_head_dim": 72,
    "in_channels": 4,
    "out_channels": 8,
    "attention_bias": True,
    "activation_fn": "gelu-approximate",
    "num_embeds_ada_norm": 1000,
    "norm_elementwise_affine": False,
}


def count(model: BendedDiffusion, part: str) -> int:
    return sum(weight.numel() for weight in model.module.get_submodule(part).parameters())


@pytest.fixture(scope="module")
def stable_diffusion() -> BendedDiffusion:
    import diffusers
    from transformers import CLIPTextConfig, CLIPTextModel

    with torch.device("meta"):
        parts: dict[str, Any] = {
            "unet": diffusers.UNet2DConditionModel(**UNET_1_5),
            "vae": diffusers.AutoencoderKL(**VAE_1_5),
            "text_encoder": CLIPTextModel(CLIPTextConfig(**CLIP_1_5)),
        }
    kept = {**tiny_pipeline().components, **parts}
    return BendedDiffusion(diffusers.StableDiffusionPipeline(**kept, requires_safety_checker=False))


@pytest.mark.shows("BendedDiffusion", "full-size names and shapes", model="Stable Diffusion")
def test_stable_diffusion_1_5(stable_diffusion: BendedDiffusion) -> None:
    model = stable_diffusion
    assert count(model, "unet") == 859_520_964
    assert count(model, "vae") == 83_653_863
    assert count(model, "text_encoder") == 123_060_480
    shapes = {
        "unet.conv_in.weight": [320, 4, 3, 3],
        "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight": [320, 768],
        "unet.mid_block.resnets.1.conv2.weight": [1280, 1280, 3, 3],
        "unet.up_blocks.3.attentions.2.transformer_blocks.0.ff.net.0.proj.weight": [2560, 320],
        "vae.decoder.conv_in.weight": [512, 4, 3, 3],
    }
    assert set(shapes) <= set(model.weight_names)
    weights = dict(model.module.named_parameters())
    assert {name: list(weights[name].shape) for name in shapes} == shapes
    assert model.bent_methods == []  # nothing could run


def test_a_step_at_full_size_has_names(stable_diffusion: BendedDiffusion) -> None:
    model = stable_diffusion
    with torch.device("meta"):
        words = torch.zeros(1, 77, 768)
        model.trace(
            "denoise", sample=torch.zeros(1, 4, 64, 64), timestep=torch.zeros(()), encoder_hidden_states=words
        )
    assert model.activation_shape("unet_mid_block_resnets_0_conv1", "denoise") == (1, 1280, 8, 8)
    last = "unet_up_blocks_3_attentions_2_transformer_blocks_0_attn2_to_v"
    assert model.activation_shape(last, "denoise") == (1, 77, 320)
    handle = model.bend(tb.Scale(2.0), "denoise:.*attn2_to_v$", steps=(0.2, 0.6))
    assert len(handle.keys) == 16


@pytest.mark.shows("BendedDiffusion", "full-size names and shapes", model="Stable Diffusion XL")
def test_stable_diffusion_xl() -> None:
    import diffusers

    with torch.device("meta"):
        unet = diffusers.UNet2DConditionModel(**UNET_XL)
    kept = {**tiny_pipeline("stable-diffusion-xl").components, "unet": unet}
    model = BendedDiffusion(diffusers.StableDiffusionXLPipeline(**kept, add_watermarker=False))
    assert count(model, "unet") == 2_567_463_684
    deepest = r"unet\.mid_block\.attentions\.0\.transformer_blocks\.9\.attn2\.to_k\.weight"
    assert [list(model.weight(name).shape) for name in model.resolve_parameters(deepest)] == [[1280, 2048]]


@pytest.mark.shows("BendedDiffusion", "full-size names and shapes", model="DiT")
def test_dit_xl_2() -> None:
    import diffusers

    with torch.device("meta"):
        transformer = diffusers.DiTTransformer2DModel(**DIT_XL_2)
    kept = {**tiny_pipeline("dit").components, "transformer": transformer}
    model = BendedDiffusion(diffusers.DiTPipeline(**kept))
    assert count(model, "transformer") == 749_826_464  # diffusers' has an embedding of classes in each block
    assert model.weight("transformer.transformer_blocks.27.ff.net.2.weight").shape == (1152, 4608)
