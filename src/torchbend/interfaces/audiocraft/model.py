"""The three parts of MusicGen or AudioGen as one module, with the methods that bends apply to."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from torchbend.interfaces.audiocraft.codec import Codec, Tail
from torchbend.interfaces.audiocraft.language import LanguageModel
from torchbend.interfaces.audiocraft.past import Opening, Past, Told, Words

__all__ = ["AudiocraftModel"]


class AudiocraftModel(nn.Module):
    """Codec, language model and text encoder.

    Weights are called ``compression_model.*`` and ``lm.*``, as audiocraft calls them, and
    ``text_encoder.*`` (audiocraft does not list that part).

    Args:
        compression_model: the codec.
        lm: the language model.
        text_encoder: transformers' ``T5EncoderModel``.
        channels: of the sound; 2: every second codebook is one of the right side.
    """

    def __init__(
        self, compression_model: Codec, lm: LanguageModel, text_encoder: nn.Module, channels: int = 1
    ) -> None:
        super().__init__()
        self.compression_model = compression_model
        self.lm = lm
        self.text_encoder = text_encoder
        self.channels = channels

    @property
    def device(self) -> torch.device:
        """Where the language model is."""
        return self.lm.out_norm.weight.device

    def condition(
        self, ids: Tensor, mask: Tensor, guided: bool = False, chroma: Tensor | None = None
    ) -> Told:
        """What the language model listens to.

        Args:
            ids: tokens of the prompts, shape ``[B, words]``.
            mask: 1 where there is one.
            guided: add as many rows without any word or melody behind them.
            chroma: of a melody for each prompt, ``[B, frames, bins]``; None, and for a model that follows no
                melody, without one.
        """
        encoder: Any = self.text_encoder
        text = self.lm.describe(encoder(input_ids=ids, attention_mask=mask).last_hidden_state, mask)
        if self.lm.sizes.chroma is not None:
            return self._opening(text, mask, guided, chroma)
        if guided:
            text, mask = torch.cat([text, torch.zeros_like(text)]), torch.cat([mask, torch.zeros_like(mask)])
        read = [layer.cross_attention.read(text) for layer in self.lm.layers]
        keys, values = (torch.stack(part) for part in zip(*read, strict=True))
        # rows without a word listen to zeros: a softmax over nothing would not be a number
        listens = mask.bool() | (mask.sum(-1, keepdim=True) == 0)
        return Words(keys, values, listens[:, None, None])

    def _opening(self, text: Tensor, mask: Tensor, guided: bool, chroma: Tensor | None) -> Opening:
        """Melody, then words: what stands before the first step."""
        sizes, rows = self.lm.sizes, len(text)
        hears: Any = sizes.chroma
        none = hears.none(rows, text.device)
        melody = self.lm.follow(none if chroma is None else chroma)
        hidden = torch.cat([melody, text], 1)
        # without a word the first place remains, as in a prompt that is read alone
        always = torch.ones(rows, hears.frames + 1, dtype=torch.bool, device=mask.device)
        listens = torch.cat([always, mask[:, 1:].bool()], 1)
        if guided:
            nothing = torch.cat([self.lm.follow(none), torch.zeros_like(text)], 1)
            hidden, listens = torch.cat([hidden, nothing]), torch.cat([listens, listens])
        return Opening(hidden, listens, sizes.layers, sizes.heads)

    def step(self, codes: Tensor, past: Past) -> Tensor:
        """Scores of the codes that come next: codes ``[B, codebooks, T]`` to ``[B, codebooks, T, codes]``."""
        scores: Tensor = self.lm(codes, past)
        return scores

    def encode(self, audio: Tensor) -> Tensor:
        """Codes of sound: audio ``[B, channels, samples]`` to ``[B, codebooks, frames]``."""
        if self.channels == 1:
            return self.compression_model.encode(audio)
        rows = len(audio)
        codes = self.compression_model.encode(torch.cat([audio[:, :1], audio[:, 1:]]))
        return torch.stack([codes[:rows], codes[rows:]], 2).flatten(1, 2)

    def decode(self, codes: Tensor, tail: Tail | None = None) -> Tensor:
        """Sound of codes: ``[B, codebooks, frames]`` to ``[B, channels, samples]``.

        Args:
            tail: of a stream: the codes are its next frames.
        """
        if self.channels == 1:
            return self.compression_model.decode(codes, tail)
        rows = len(codes)
        audio = self.compression_model.decode(torch.cat([codes[:, 0::2], codes[:, 1::2]]), tail)
        return torch.cat([audio[:rows], audio[rows:]], 1)
