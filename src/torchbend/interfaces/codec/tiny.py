"""Tiny codecs of random weights through the real classes: to try out what can be done, without a download."""

from __future__ import annotations

from typing import Any, Literal

import torch

from torchbend.errors import CheckpointError
from torchbend.interfaces.libraries import transformers

__all__ = ["Kind", "tiny_codec"]

Kind = Literal["encodec", "encodec-48khz", "dac"]


def tiny_codec(kind: Kind = "encodec", seed: int = 0) -> Any:
    """A codec of transformers with some ten thousand random weights: ``BendedCodec(tiny_codec())``.

    Args:
        kind: ``"encodec"`` (24 kHz, mono, causal, 75 frames a second), ``"encodec-48khz"`` (stereo,
            in pieces of a tenth of a second, each at the same loudness) or ``"dac"`` (16 kHz, 50 frames a
            second).
        seed: of its weights.

    Raises:
        CheckpointError: there is no such kind.
        MissingExtraError: transformers is not installed.
    """
    library = transformers("a codec")
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        if kind == "dac":
            model = library.DacModel(
                library.DacConfig(
                    encoder_hidden_size=4,
                    decoder_hidden_size=32,
                    downsampling_ratios=[2, 4, 5, 8],
                    n_codebooks=4,
                    codebook_size=64,
                    codebook_dim=4,
                )
            )
        elif kind in ("encodec", "encodec-48khz"):
            model = library.EncodecModel(_encodec(library, kind == "encodec-48khz"))
        else:
            raise CheckpointError(
                "there is no tiny codec of this kind",
                site="kind",
                wanted="encodec, encodec-48khz or dac",
                got=repr(kind),
            )
        _randomise(model, 0.85 if kind == "dac" else 1.2)
    return model.eval()


def _encodec(library: Any, stereo: bool) -> Any:
    sizes: dict[str, Any] = {"hidden_size": 16, "num_filters": 4, "codebook_size": 64}
    if not stereo:
        # 75 frames a second with codebooks of 6 bits: 1 to 8 of them
        return library.EncodecConfig(target_bandwidths=[0.45, 0.9, 1.8, 3.6], **sizes)
    return library.EncodecConfig(
        sampling_rate=48000,
        audio_channels=2,
        normalize=True,
        chunk_length_s=0.1,
        overlap=0.1,
        norm_type="time_group_norm",
        use_causal_conv=False,
        target_bandwidths=[1.8, 3.6],
        **sizes,
    )


def _randomise(model: Any, gain: float) -> None:
    """Weights such that what goes in comes out about as large, and every code is in use."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "codebook" in name:
                weight.normal_()
            elif name.endswith("alpha"):
                weight.uniform_(0.5, 1.5)
            elif name.endswith("original0"):
                weight.uniform_(0.6, 1.2)
            elif name.endswith("bias"):
                weight.normal_(std=0.05)
            elif weight.dim() == 3 and "original1" not in name and "conv" in name:
                weight.normal_(std=gain / weight[0].numel() ** 0.5)
        for name, buffer in model.named_buffers():
            if name.endswith("codebook.embed"):
                buffer.normal_(std=0.5)
