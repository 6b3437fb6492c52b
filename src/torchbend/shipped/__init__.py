"""Models that come with the package, by name: the saxophone, a RAVE of 1.3 million weights."""

from __future__ import annotations

from pathlib import Path

from torchbend.errors import TorchbendError

__all__ = ["model_card", "model_path", "model_paths"]

_HERE = Path(__file__).parent


def model_paths() -> dict[str, Path]:
    """All models that come with the package, by name.

    Example:
        >>> sorted(model_paths())
        ['sax']
    """
    return {path.stem: path for path in sorted(_HERE.glob("*.safetensors"))}


def model_path(name: str) -> Path:
    """The file of a model that comes with the package.

    Args:
        name: of the model, as ``"sax"``.

    Raises:
        TorchbendError: there is no model of that name.
    """
    paths = model_paths()
    if name not in paths:
        raise TorchbendError(
            "no model of this name comes with the package",
            site=name,
            wanted="one of " + ", ".join(paths),
            got=name,
        )
    return paths[name]


def model_card(name: str) -> str:
    """What a model is, how it was trained, how good it is and what it cannot do; Markdown.

    Args:
        name: of the model, as ``"sax"``.

    Raises:
        TorchbendError: there is no model of that name.
    """
    return model_path(name).with_suffix(".md").read_text(encoding="utf-8")
