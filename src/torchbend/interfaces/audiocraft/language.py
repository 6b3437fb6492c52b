"""The language model of MusicGen and AudioGen: a transformer that writes codes of sound, four at a time.

Weights have the names that audiocraft gives them. The model is described in Copet et al., "Simple and
Controllable Music Generation" (arXiv 2306.05284), and Kreuk et al., "AudioGen" (arXiv 2209.15352).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchbend.interfaces.audiocraft.chroma import Chroma
from torchbend.interfaces.audiocraft.past import Past

__all__ = ["LanguageModel", "LanguageSizes"]


@dataclass(frozen=True)
class LanguageSizes:
    """The sizes of a language model.

    Attributes:
        size: of its hidden states.
        layers: how many.
        heads: of each attention.
        inner: size between the two linear layers of a block.
        codebooks: of the codec: codes per frame.
        codes: in each codebook; one more stands for "none".
        text_size: of the text encoder's hidden states.
        delays: for each codebook, how many steps later than the first it is written.
        chroma: how it hears melodies, which stand before what it writes, with the words; None for models that
            follow no melody: these have an attention of their own to the words.
    """

    size: int
    layers: int
    heads: int
    inner: int
    codebooks: int
    codes: int
    text_size: int
    delays: tuple[int, ...]
    chroma: Chroma | None = None


class Attention(nn.Module):
    """What self-attention and cross-attention share: queries, keys and values of one weight.

    Args:
        size: of the hidden states.
        heads: how many.
    """

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.explicit = False
        self.in_proj_weight = nn.Parameter(torch.empty(3 * size, size))
        self.out_proj = nn.Linear(size, size, bias=False)

    def _apart(self, x: Tensor) -> Tensor:
        """``[B, T, size]`` as ``[B, heads, T, size / heads]``."""
        apart: Tensor = x.reshape(*x.shape[:-1], self.heads, -1)
        return apart.transpose(1, 2)

    def _attend(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        if self.explicit:  # slower: the weights of the attention are activations then
            scores = query @ keys.transpose(-1, -2) * query.shape[-1] ** -0.5
            if mask is not None:
                scores = scores.masked_fill(~mask, -torch.inf)
            heard = torch.softmax(scores, -1) @ values
        else:
            heard = F.scaled_dot_product_attention(query, keys, values, attn_mask=mask)
        mixed: Tensor = self.out_proj(heard.transpose(1, 2).flatten(-2))
        return mixed


class SelfAttention(Attention):
    """Attention to the frames so far."""

    def forward(self, x: Tensor, past: Past, layer: int, mask: Tensor | None) -> Tensor:
        """Shape: x ``[B, T, size]``, result the same; ``past`` remembers the new keys and values."""
        query, key, value = F.linear(x, self.in_proj_weight).chunk(3, -1)
        keys, values = past(layer, self._apart(key), self._apart(value))
        return self._attend(self._apart(query), keys, values, mask)


class CrossAttention(Attention):
    """Attention to the words."""

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        """Shape: x ``[B, T, size]``, keys and values ``[B, heads, words, size / heads]``, mask over words."""
        query = F.linear(x, self.in_proj_weight[: self.in_proj_weight.shape[1]])
        return self._attend(self._apart(query), keys, values, mask)

    def read(self, text: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of the words: computed once, used in every step."""
        keys, values = F.linear(text, self.in_proj_weight[self.in_proj_weight.shape[1] :]).chunk(2, -1)
        return self._apart(keys), self._apart(values)


class Layer(nn.Module):
    """One block: self-attention, attention to the text where the model has one, two linear layers."""

    def __init__(self, sizes: LanguageSizes) -> None:
        super().__init__()
        self.self_attn = SelfAttention(sizes.size, sizes.heads)
        self.linear1 = nn.Linear(sizes.size, sizes.inner, bias=False)
        self.linear2 = nn.Linear(sizes.inner, sizes.size, bias=False)
        self.norm1 = nn.LayerNorm(sizes.size)
        self.norm2 = nn.LayerNorm(sizes.size)
        self.crosses = sizes.chroma is None
        if self.crosses:
            self.cross_attention = CrossAttention(sizes.size, sizes.heads)
            self.norm_cross = nn.LayerNorm(sizes.size)

    def forward(self, x: Tensor, past: Past, layer: int, mask: Tensor | None) -> Tensor:
        """Shape: x ``[B, T, size]``, result the same."""
        x = x + self.self_attn(self.norm1(x), past, layer, mask)
        if self.crosses:
            x = x + self.cross_attention(self.norm_cross(x), *past.text(layer))
        inner: Tensor = self.linear2(F.gelu(self.linear1(self.norm2(x))))
        return x + inner


class LanguageModel(nn.Module):
    """Codes so far to scores of the codes that come next.

    Args:
        sizes: how large it is.
    """

    def __init__(self, sizes: LanguageSizes) -> None:
        super().__init__()
        self.sizes = sizes
        told = {"description": sizes.text_size}
        if sizes.chroma is not None:
            told = {"self_wav": sizes.chroma.bins, **told}
        conditioners = {
            name: nn.ModuleDict({"output_proj": nn.Linear(size, sizes.size)}) for name, size in told.items()
        }
        self.condition_provider = nn.ModuleDict({"conditioners": nn.ModuleDict(conditioners)})
        self.emb = nn.ModuleList(nn.Embedding(sizes.codes + 1, sizes.size) for _ in range(sizes.codebooks))
        layers = nn.ModuleList(Layer(sizes) for _ in range(sizes.layers))
        self.transformer = nn.ModuleDict({"layers": layers})
        self.out_norm = nn.LayerNorm(sizes.size)
        self.linears = nn.ModuleList(
            nn.Linear(sizes.size, sizes.codes, bias=False) for _ in range(sizes.codebooks)
        )

    @property
    def layers(self) -> list[Any]:
        """The blocks (`Layer`) in order."""
        layers: Any = self.transformer["layers"]
        return list(layers)

    def describe(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """The text encoder's hidden states in this model's size; zeros where there is no word.

        Shape: hidden ``[B, words, text_size]``, mask ``[B, words]``, result ``[B, words, size]``.
        """
        described: Tensor = self._projection("description")(hidden) * mask.unsqueeze(-1)
        return described

    def follow(self, chroma: Tensor) -> Tensor:
        """The pitch classes of a melody in this model's size.

        Shape: chroma ``[B, frames, bins]``, result ``[B, frames, size]``.
        """
        heard: Tensor = self._projection("self_wav")(chroma.to(self.out_norm.weight.dtype))
        return heard

    def _projection(self, conditioner: str) -> Any:
        conditioners: Any = self.condition_provider["conditioners"]
        return conditioners[conditioner]["output_proj"]

    def forward(self, codes: Tensor, past: Past) -> Tensor:
        """Scores (logits) for the code after each of the given ones.

        Args:
            codes: shape ``[B, codebooks, T]``, those that ``past`` does not know yet.
            past: what came before; it remembers the new ones.

        Returns:
            Shape ``[B, codebooks, T, codes]``.
        """
        x = self.emb[0](codes[:, 0])
        for k, embedding in enumerate(self.emb[1:], start=1):
            x = x + embedding(codes[:, k])
        opening = past.opening
        if opening is not None:
            x = torch.cat([opening, x], 1)
        x = x + sinusoids(past.positions(x.shape[1]), x)
        mask = past.causal(x.shape[1])
        for index, layer in enumerate(self.layers):
            x = layer(x, past, index, mask)
        x = self.out_norm(x if opening is None else x[:, opening.shape[1] :])
        return torch.stack([head(x) for head in self.linears], 1)


def sinusoids(positions: Tensor, like: Tensor) -> Tensor:
    """What tells the model where it is (cosines first, then sines).

    Shape: positions ``[..., T]``, result ``[..., T, size]``, the size and type of ``like``.
    """
    half = like.shape[-1] // 2
    scale = torch.arange(half, device=like.device, dtype=torch.float32) / (half - 1)
    phase = positions[..., None].float() / 10000.0**scale
    return torch.cat([phase.cos(), phase.sin()], -1).to(like.dtype)
