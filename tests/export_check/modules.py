"""Modules that keep nn~'s contract, written by hand; and the file of one."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from torchbend.export.check import write_mark


class Echo(nn.Module):
    """A gain, and a delay line of 100 samples with a cache for four rows; one control.

    Subclasses break one thing each.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("forward_params", torch.tensor([1, 1, 1, 1]))
        self.register_buffer("gain_params", torch.tensor([2]))
        self.register_buffer("gain", torch.tensor(1.0))
        self.register_buffer("cache", torch.zeros(4, 1, 100))
        self.forward_input_labels = ["in"]
        self.forward_output_labels = ["out"]

    @torch.jit.export
    def get_methods(self) -> list[str]:
        return ["forward"]

    @torch.jit.export
    def get_attributes(self) -> list[str]:
        return ["gain"]

    @torch.jit.export
    def get_gain(self) -> tuple[float]:
        return (float(self.gain),)

    @torch.jit.export
    def set_gain(self, value: float) -> int:
        if not (value >= 0.0 and value <= 2.0):
            return 1
        self.gain.copy_(torch.tensor(value))
        return 0

    def forward(self, x: Tensor) -> Tensor:
        rows = x.shape[0]
        joined = torch.cat([self.cache[:rows], x], -1)
        self.cache[:rows].copy_(joined[..., -100:])
        return self.gain * (x + joined[..., : x.shape[-1]])


FACTS: dict[str, Any] = {
    "sample_rate": 44100,
    "max_batch": 4,
    "delays": {"forward": 100},
    "controls": [{"name": "gain", "range": [0.0, 2.0]}],
}


def saved(module: nn.Module, path: Path, facts: dict[str, Any] | None = None, mark: bool = True) -> Path:
    """The module, scripted, in a file with the mark of this project."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = module if isinstance(module, torch.jit.ScriptModule) else torch.jit.script(module.eval())
        for tensor in scripted.parameters():
            if not getattr(module, "keeps_gradients", False):
                tensor.requires_grad_(False)
        torch.jit.save(scripted, str(path))
    if mark:
        write_mark(path, FACTS if facts is None else facts)
    return path
