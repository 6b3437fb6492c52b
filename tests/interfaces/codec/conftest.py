"""One tiny codec of each kind for all tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

pytest.importorskip("transformers")

from torchbend.interfaces.codec import BendedCodec, tiny_codec

KINDS = ("encodec", "encodec-48khz", "dac")


@pytest.fixture(scope="session")
def originals() -> dict[str, Any]:
    """The models as transformers has them."""
    return {kind: tiny_codec(kind) for kind in KINDS}  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def _loaded(originals: dict[str, Any]) -> dict[str, BendedCodec]:
    return {kind: BendedCodec(model) for kind, model in originals.items()}


@pytest.fixture
def codecs(_loaded: dict[str, BendedCodec]) -> Iterator[dict[str, BendedCodec]]:
    """The same models as codecs, not bent."""
    yield _loaded
    for codec in _loaded.values():
        codec.reset()
        codec.offline()


@pytest.fixture
def sound() -> Callable[..., Tensor]:
    """Noise for a codec: ``sound(codec, frames)``."""

    def made(codec: BendedCodec, frames: float = 30, rows: int = 1) -> Tensor:
        shape = (rows, codec.channels, int(frames * codec.ratio))
        return 0.3 * torch.randn(shape, generator=torch.Generator().manual_seed(3))

    return made
