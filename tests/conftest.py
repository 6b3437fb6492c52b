"""What all tests share: one thread, the folder beside the checkout, the phrases."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from torchbend.display.output import get_output, set_output

ROOT = Path(__file__).resolve().parents[1]

torch.set_num_threads(1)

# No deadline: a busy machine is no failure. On the continuous integration each run draws the same examples.
settings.register_profile("torchbend", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("torchbend")


@pytest.fixture(autouse=True)
def _output_mode() -> Iterator[None]:
    """Puts back how tables are shown, which documents set for a whole notebook."""
    mode = get_output()
    yield
    set_output(mode)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder ``shared`` beside the checkout; a test that asks for it is skipped where it is missing."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("needs the shared folder beside the checkout")
    return folder


@pytest.fixture(scope="session")
def phrase() -> Callable[[str], Path]:
    """``phrase("violin")`` or ``phrase("piano")``: the path of a WAV file, 8 s at 44.1 kHz, mono."""
    folder = ROOT / "src" / "torchbend" / "demo_data"

    def find(name: str) -> Path:
        return folder / f"{name}.wav"

    return find
