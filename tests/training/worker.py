"""A run without chance in its latents, by as many processes as there are: ``worker.py DB OUT ACCUMULATE``."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.training.conftest import settings, tiny

from torchbend.corpus.store import Corpus
from torchbend.training.folder import RunFolder
from torchbend.training.model import Training


def main(corpus: str, out: str, accumulate: int) -> None:
    """Train for six steps over both phases."""
    torch.set_num_threads(1)
    torch.randn_like = torch.zeros_like
    own = settings(max_steps=6, batch=1, accumulate=accumulate)
    Training(RunFolder(out), tiny(warmup=3), own, Corpus.open(corpus), device="cpu").run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
