"""A tiny model of random weights: to try out what can be done, without a download. What it plays is noise."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from torchbend.interfaces.audiocraft.chroma import Chroma
from torchbend.interfaces.audiocraft.language import LanguageSizes
from torchbend.interfaces.audiocraft.loaded import Loaded, built
from torchbend.interfaces.libraries import transformers

__all__ = ["tiny_model"]

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def tiny_model(seed: int = 0, layers: int = 4, *, melody: bool = False) -> Loaded:
    """A model of MusicGen's kind with some hundred thousand weights, which reads letters.

    It plays 8 kHz, 50 frames in a second, and has the parts and names of a real one:
    ``BendedMusicGen(tiny_model())``.

    Args:
        seed: of its weights.
        layers: of its language model.
        melody: a model that follows melodies; it hears four seconds of them, 31 pitch classes in a second.

    Raises:
        MissingExtraError: transformers is not installed.
    """
    library = transformers("MusicGen and AudioGen")
    chroma = Chroma(frames=126, window=1024, hop=256) if melody else None
    sizes = LanguageSizes(32, layers, 4, 128, 4, 64, 24, (0, 1, 2, 3), chroma)
    codec = library.EncodecConfig(
        sampling_rate=8000,
        target_bandwidths=[4.5 * 50 * 6 / 1000],  # four codebooks and a half: rounded down
        hidden_size=32,
        num_filters=4,
        upsampling_ratios=[5, 4, 4, 2],
        codebook_size=64,
        use_causal_conv=False,
        use_conv_shortcut=False,
    )
    text = library.T5Config(
        vocab_size=40, d_model=24, d_kv=8, d_ff=32, num_layers=1, num_heads=2, feed_forward_proj="relu"
    )
    model = built(sizes, codec, text)
    model.lm.to_empty(device="cpu")
    _randomise(model, seed)
    _hears(model.compression_model.encoder)
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    tokenizer = library.T5Tokenizer(vocab=pieces + [(letter, -3.0) for letter in _LETTERS], extra_ids=0)
    return Loaded(model, tokenizer)


def _hears(encoder: Any) -> None:
    """Make an encoder louder: else its biases drown what it hears, and all sounds have the same codes."""
    with torch.no_grad():
        for layer, factor in ((encoder.model[0], 10.0), (encoder.model[-1], 4.0)):
            layer.conv.parametrizations["weight"].original0.mul_(factor)


def _randomise(model: nn.Module, seed: int) -> None:
    """Weights such that what goes in comes out about as large."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape, generator=generator)
            if name.endswith("original0"):
                weight.copy_(0.7 + 0.1 * noise)
            elif "norm" in name and name.endswith("weight"):
                weight.copy_(1.0 + 0.1 * noise)
            elif name.endswith("bias"):
                weight.copy_(0.1 * noise)
            else:
                weight.copy_(noise / weight[0].numel() ** 0.5)
        for name, buffer in model.named_buffers():
            if name.endswith("codebook.embed"):
                buffer.copy_(torch.randn(buffer.shape, generator=generator))
