"""Tiny pipelines, each made and traced once for all tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

pytest.importorskip("diffusers")

from torchbend.interfaces.diffusion import BendedDiffusion, tiny_pipeline

Open = Callable[[str], BendedDiffusion]


@pytest.fixture(scope="session")
def _opened() -> dict[str, BendedDiffusion]:
    return {}


@pytest.fixture
def open_tiny(_opened: dict[str, BendedDiffusion]) -> Iterator[Open]:
    """A tiny pipeline of a kind, not bent."""

    def find(kind: str) -> BendedDiffusion:
        if kind not in _opened:
            _opened[kind] = BendedDiffusion(tiny_pipeline(kind))
        return _opened[kind]

    yield find
    for model in _opened.values():
        model.reset()


@pytest.fixture
def model(open_tiny: Open) -> BendedDiffusion:
    """A tiny Stable Diffusion, not bent."""
    return open_tiny("stable-diffusion")


def plainly(pipeline: Any, seed: int = 3, steps: int = 4, **asked: Any) -> Tensor:
    """What diffusers itself makes, without torchbend: ``[B, 3, H, W]`` from 0 to 1."""
    made = pipeline(
        **asked,
        num_inference_steps=steps,
        generator=torch.Generator().manual_seed(seed),
        output_type="pt",
    ).images
    return made if isinstance(made, Tensor) else torch.from_numpy(made).permute(0, 3, 1, 2)
