"""One tiny vocoder for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from torchbend.interfaces.vocoder import BendedVocoder


@pytest.fixture(scope="session")
def _tiny() -> BendedVocoder:
    return BendedVocoder.tiny()


@pytest.fixture
def vocoder(_tiny: BendedVocoder) -> Iterator[BendedVocoder]:
    """The tiny vocoder, not bent."""
    _tiny.reset()
    _tiny.offline()
    yield _tiny
    _tiny.reset()
    _tiny.offline()


@pytest.fixture
def sound() -> Tensor:
    """A quarter of a second of noise."""
    return 0.1 * torch.randn(1, 1, 5500, generator=torch.Generator().manual_seed(5))
