"""Runs without chance in their latents, by as many processes as there are: ``worker.py DB OUT``."""

from __future__ import annotations

import atexit
import os
import sys
from dataclasses import replace
from pathlib import Path

import torch
import torch.distributed as dist

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.training.conftest import settings, tiny

from torchbend.corpus.store import Corpus
from torchbend.rave.config import DiscreteConfig, RAVEConfig
from torchbend.training.folder import RunFolder
from torchbend.training.model import Training


def quantised() -> RAVEConfig:
    """A tiny discrete model that quantises from the first step on."""
    config = tiny("discrete")
    codes = DiscreteConfig(num_quantizers=2, codebook_size=8, noise_augmentation=0)
    return replace(config, latent=codes, training=replace(config.training, warmup_quantize=0))


def main(corpus: str, out: Path) -> None:
    """Train over both phases; learn codes; learn the statistics of a batch normalisation."""
    atexit.register(lambda: sys.stdout.write(f"connected at the end: {dist.is_initialized()}\n"))
    torch.set_num_threads(1)
    torch.randn_like = torch.zeros_like
    opened = Corpus.open(corpus)
    count = int(os.environ.get("WORLD_SIZE", "1"))
    own = settings(max_steps=6, batch=1, accumulate=2 // count)
    Training(RunFolder(out / "phases"), tiny(warmup=3), own, opened, device="cpu").run()
    for name, config in (("codes", quantised()), ("statistics", tiny("v1"))):
        own = settings(max_steps=4, batch=2 // count, save_every=1)
        done = Training(RunFolder(out / name), config, own, opened, device="cpu")
        done.run()
        held = done.model.encoder.state_dict()
        torch.save(held, out / f"{name}{done.accelerator.process_index}.pt")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
