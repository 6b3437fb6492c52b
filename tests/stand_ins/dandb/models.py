"""The models of the workshop: here, one that is made on the spot."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

from torchbend import rave
from torchbend.interfaces.rave import BendedRAVE

__all__ = ["RAVE_DECODER_ACT_NAMES_DECODE", "download_models", "import_model", "made"]

RAVE_DECODER_ACT_NAMES_DECODE = ["add_6", "add_12", "add_18", "add_24", "sigmoid"]


def made(capacity: int = 4) -> rave.RAVE:
    """A model of the documents' kind: no filter bank after the decoder, Snake, 128 latents; not trained."""
    torch.manual_seed(0)
    model = rave.RAVE(rave.preset("v2_nopqmf", "snake", capacity=capacity)).eval().requires_grad_(False)
    model.latent_pca.copy_(torch.linalg.qr(torch.randn(128, 128))[0])
    model.latent_mean.normal_(0.0, 0.3)
    model.fidelity.copy_(1 - torch.exp(-torch.arange(1, 129) / 12))
    return model


def download_models() -> dict[str, str]:
    """The models by name, each with its path."""
    folder = Path(tempfile.mkdtemp(prefix="models"))
    path = rave.save(made(), folder / "sol_full_nopqmf.safetensors")
    return {"sol_full_nopqmf": str(path)}


def import_model(path: str) -> BendedRAVE:
    """A model, bent."""
    return BendedRAVE(path)
