"""The RAVE model family: plain PyTorch, streaming or not, that reads the original's checkpoints."""

from torchbend.rave.checkpoints.load import load, load_with_notes
from torchbend.rave.checkpoints.native import save
from torchbend.rave.compiled import compiled
from torchbend.rave.config import RAVEConfig
from torchbend.rave.model import RAVE
from torchbend.rave.presets import preset
from torchbend.rave.prior import Prior, PriorConfig, load_prior, save_prior
from torchbend.rave.streaming import StreamState

__all__ = [
    "RAVE",
    "Prior",
    "PriorConfig",
    "RAVEConfig",
    "StreamState",
    "compiled",
    "load",
    "load_prior",
    "load_with_notes",
    "preset",
    "save",
    "save_prior",
]
