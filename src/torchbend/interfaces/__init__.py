"""Known models behind their own verbs."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from torchbend.interfaces.base import BendingInterface, Interface

if TYPE_CHECKING:
    from torchbend.interfaces.audiocraft import BendedAudioGen, BendedMusicGen
    from torchbend.interfaces.codec import BendedCodec
    from torchbend.interfaces.diffusion import BendedDiffusion
    from torchbend.interfaces.gan import BendedGAN
    from torchbend.interfaces.language import BendedLanguageModel
    from torchbend.interfaces.rave import BendedRAVE
    from torchbend.interfaces.vocoder import BendedVocoder

__all__ = [
    "BendedAudioGen",
    "BendedCodec",
    "BendedDiffusion",
    "BendedGAN",
    "BendedLanguageModel",
    "BendedMusicGen",
    "BendedRAVE",
    "BendedVocoder",
    "BendingInterface",
    "Interface",
]

# Interfaces are imported at first use: each brings its own family of models.
_HOME_OF = {
    "BendedAudioGen": "torchbend.interfaces.audiocraft",
    "BendedCodec": "torchbend.interfaces.codec",
    "BendedDiffusion": "torchbend.interfaces.diffusion",
    "BendedGAN": "torchbend.interfaces.gan",
    "BendedLanguageModel": "torchbend.interfaces.language",
    "BendedMusicGen": "torchbend.interfaces.audiocraft",
    "BendedRAVE": "torchbend.interfaces.rave",
    "BendedVocoder": "torchbend.interfaces.vocoder",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
