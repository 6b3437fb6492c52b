"""Image models of transformers: transformers, convolutional networks, detection, image and text."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .definition import Entry
from .make import by_shape, entries, from_transformers, noise, tokens

FAMILY = "vision"

#: sizes that the vision transformers name alike
SMALL: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": 16,
    "patch_size": 8,
}


def _images(
    name: str, model: str, config: str, size: int = 16, other: int | None = None, **settings: Any
) -> Entry:
    """A model of square images: a batch of one, and of two, the second of another size where one is given."""
    shapes = (1, 3, size, size), (2, 3, other or size, other or size)
    return Entry(
        name, FAMILY, from_transformers(model, config, **settings), **by_shape("pixel_values", *shapes)
    )


def _captioned(batch: int, length: int) -> dict[str, Tensor]:
    return {"input_ids": tokens(batch, length), "pixel_values": noise(batch, 3, 16, 16)}


def _detr() -> nn.Module:
    """DETR on a small ResNet of transformers, so that neither timm nor torchvision is needed."""
    from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig

    torch.manual_seed(0)
    backbone = ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", out_features=["stage2"]
    )
    settings = {
        "encoder_layers": 1,
        "decoder_layers": 1,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
    }
    sizes = {"d_model": 16, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "num_queries": 4, "num_labels": 3}
    return DetrForObjectDetection(DetrConfig(backbone_config=backbone, **settings, **sizes)).eval()


TRANSFORMERS = entries(
    FAMILY,
    _images("vit", "ViTForImageClassification", "ViTConfig", **SMALL),
    _images("deit", "DeiTForImageClassificationWithTeacher", "DeiTConfig", **SMALL),
    _images(
        "swin",
        "SwinForImageClassification",
        "SwinConfig",
        size=32,
        other=48,
        image_size=32,
        patch_size=4,
        embed_dim=8,
        depths=[2, 2],
        num_heads=[1, 2],
        window_size=4,
    ),
    _images(
        "segformer",
        "SegformerForSemanticSegmentation",
        "SegformerConfig",
        size=32,
        other=64,
        num_encoder_blocks=2,
        depths=[1, 1],
        sr_ratios=[2, 1],
        hidden_sizes=[8, 16],
        patch_sizes=[7, 3],
        strides=[4, 2],
        num_attention_heads=[1, 2],
        mlp_ratios=[2, 2],
        decoder_hidden_size=16,
    ),
    _images(
        "yolos",
        "YolosForObjectDetection",
        "YolosConfig",
        **{**SMALL, "image_size": [16, 16]},
        num_detection_tokens=4,
    ),
)

CONVOLUTIONAL = entries(
    FAMILY,
    _images(
        "convnext",
        "ConvNextForImageClassification",
        "ConvNextConfig",
        size=32,
        other=48,
        num_stages=2,
        hidden_sizes=[8, 16],
        depths=[1, 1],
        layer_scale_init_value=0.5,
    ),
    _images(
        "resnet",
        "ResNetForImageClassification",
        "ResNetConfig",
        size=32,
        other=48,
        embedding_size=8,
        hidden_sizes=[8, 16],
        depths=[1, 1],
        layer_type="basic",
    ),
    Entry("detr", FAMILY, _detr, **by_shape("pixel_values", (1, 3, 32, 32), (2, 3, 48, 32))),
)

PAIRS = entries(
    FAMILY,
    Entry(
        "clip",
        FAMILY,
        from_transformers(
            "CLIPModel",
            "CLIPConfig",
            projection_dim=8,
            text_config={
                "vocab_size": 64,
                "hidden_size": 16,
                "intermediate_size": 32,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "max_position_embeddings": 16,
                "bos_token_id": 1,
                "eos_token_id": 2,
                "pad_token_id": 0,
            },
            vision_config={**SMALL, "num_hidden_layers": 1},
        ),
        lambda: _captioned(2, 6),
        lambda: _captioned(3, 9),
    ),
)

VISION = [*TRANSFORMERS, *CONVOLUTIONAL, *PAIRS]
