"""The parts of tiny pipelines: UNets, a VAE, text encoders and a tokenizer, all of the real classes."""

from __future__ import annotations

from typing import Any

from torchbend.interfaces.libraries import transformers

__all__ = ["NOISE", "clip", "t5", "tokenizer", "unet", "unet_of_images", "vae"]

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,'-"
_WORDS = 24
_PURPOSE = "a diffusion pipeline"

NOISE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def unet(library: Any, **more: Any) -> Any:
    """A UNet that listens to words."""
    sizes: dict[str, Any] = {
        "sample_size": 16,
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": (16, 32),
        "layers_per_block": 1,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": 32,
        "attention_head_dim": 4,
        "norm_num_groups": 8,
    }
    return library.UNet2DConditionModel(**{**sizes, **more})


def unet_of_images(library: Any) -> Any:
    """A UNet of images of 32 pixels, without words."""
    return library.UNet2DModel(
        sample_size=32,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=8,
    )


def vae(library: Any, **more: Any) -> Any:
    """A VAE that halves an image once."""
    return library.AutoencoderKL(
        block_out_channels=(16, 32),
        down_block_types=("DownEncoderBlock2D", "DownEncoderBlock2D"),
        up_block_types=("UpDecoderBlock2D", "UpDecoderBlock2D"),
        latent_channels=4,
        norm_num_groups=8,
        **more,
    )


def clip(projected: bool) -> Any:
    """A CLIP text encoder; ``projected``: with the projection of its summary."""
    library = transformers(_PURPOSE)
    config = library.CLIPTextConfig(
        vocab_size=len(_vocabulary()),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=_WORDS,
        projection_dim=32,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    return (library.CLIPTextModelWithProjection if projected else library.CLIPTextModel)(config)


def t5(size: int) -> Any:
    """A T5 encoder."""
    library = transformers(_PURPOSE)
    config = library.T5Config(
        vocab_size=len(_vocabulary()),
        d_model=size,
        d_kv=8,
        d_ff=64,
        num_layers=2,
        num_heads=4,
        pad_token_id=1,
    )
    return library.T5EncoderModel(config)


def _vocabulary() -> dict[str, int]:
    words = ["<begin>", "<end>", "<unknown>", " ", *_LETTERS]
    return {word: number for number, word in enumerate(words)}


def tokenizer() -> Any:
    """A tokenizer of transformers that reads letters."""
    library = transformers(_PURPOSE)
    import tokenizers
    from tokenizers import models, normalizers, processors

    core = tokenizers.Tokenizer(models.BPE(vocab=_vocabulary(), merges=[], unk_token="<unknown>"))
    core.normalizer = normalizers.Lowercase()
    core.post_processor = processors.TemplateProcessing(
        single="<begin> $A <end>", special_tokens=[("<begin>", 0), ("<end>", 1)]
    )
    return library.PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token="<begin>",
        eos_token="<end>",
        pad_token="<end>",
        unk_token="<unknown>",
        model_max_length=_WORDS,
    )
