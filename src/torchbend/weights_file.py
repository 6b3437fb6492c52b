"""Weights files: read without running any code from them, and put into a module."""

from __future__ import annotations

import os
import pickle
import re
import struct
import tarfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from torchbend.errors import WeightsFileError

__all__ = ["BROKEN", "SUFFIXES", "apply_weights", "find_weights", "load_tensors", "load_weights"]

NESTED = (
    "state_dict",
    "model_state_dict",
    "generator",
    "model",
    "params",
    "g_ema",
    "G_ema",
    "netG_state_dict",
    "ema",
    "net",
    "module",
    "weights",
)
"""Where checkpoints keep their weights, the most telling name first."""

PREFIXES = ("module.", "_orig_mod.", "model.")
"""What wrappers (data parallel, compiled, training) put before every name."""

SUFFIXES = (".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".tar")
"""How the names of weights files end."""

BROKEN = (
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    MemoryError,
    struct.error,
    OSError,
)
"""What damaged files make PyTorch's reader raise."""


def load_weights(path: str | os.PathLike[str], key: str | None = None) -> dict[str, Tensor]:
    """Read the weights of a file by name, on the CPU. Nothing in the file is ever executed.

    Args:
        path: a ``.safetensors`` file, or one that ``torch.save`` wrote (``.pt``, ``.pth``, ``.ckpt``,
            ``.bin``, ``.pth.tar``).
        key: where in the file the weights are, as ``"generator"`` or ``"ema.model"``. By default they are
            the file's own content, or under a usual name (``state_dict``, ``generator``, ``model``, ...).

    Returns:
        The tensors by name.

    Raises:
        WeightsFileError: the file is missing, empty, damaged or of another kind; it would need code to be
            read; or it holds no weights, or none at ``key``.
    """
    source = Path(path)
    content = load_tensors(source)
    if key is not None:
        content = _entry(source, content, key)
    weights = find_weights(content)
    if weights is None:
        held = ", ".join(f"{name!r}" for name in _mappings(content))
        raise WeightsFileError(
            "no weights were found in this file",
            site=str(source),
            wanted="tensors by name, at the top or under one of: " + ", ".join(NESTED),
            got=_described(content),
            next_step=f"name the place of the weights with key (--key): {held}" if held else None,
        )
    return weights


def load_tensors(path: str | os.PathLike[str]) -> Any:
    """Read whatever tensors a file holds: a tensor, or lists and dicts of them. Nothing is executed.

    Args:
        path: as for :func:`load_weights`.

    Raises:
        WeightsFileError: the file is missing, empty, damaged or of another kind, or needs code to be read.
    """
    source = Path(path)
    if not source.is_file():
        what = "a folder" if source.is_dir() else "nothing"
        raise WeightsFileError("there is no such file", site=str(source), wanted="a weights file", got=what)
    if source.stat().st_size == 0:
        raise WeightsFileError("the file is empty", site=str(source), wanted="a weights file", got="0 bytes")
    if source.suffix == ".safetensors":
        return _read_safetensors(source)
    return _read_torch(source)


def apply_weights(module: nn.Module, weights: Mapping[str, Tensor], strict: bool = True) -> list[str]:
    """Put weights into a module. Where they do not fit, the module stays as it was.

    A prefix that wrappers put before every name (``module.``) is taken off, and the two ways in which torch
    names the parts of a normalised weight are exchanged, where that is what makes the names fit.

    Args:
        module: the module to fill.
        weights: tensors by name; their type and device become those of the module.
        strict: refuse weights that the module lacks, and a set that leaves some out. Shapes have to fit.

    Returns:
        The names in the module that were filled.

    Raises:
        WeightsFileError: names or shapes do not fit; the message lists them.
    """
    own = {name: value for name, value in module.state_dict().items() if isinstance(value, Tensor)}
    given = _renamed(_without_prefix(dict(weights), own), own)
    shapes = [
        f"{name}: {tuple(own[name].shape)} here, {tuple(tensor.shape)} in the file"
        for name, tensor in given.items()
        if name in own and own[name].shape != tensor.shape
    ]
    fitting = [name for name in given if name in own]
    missing = [name for name in own if name not in given] if strict or not fitting else []
    unexpected = [name for name in given if name not in own] if strict or not fitting else []
    if shapes or missing or unexpected:
        told = [
            f"{what} ({len(names)}): {_listed(names)}"
            for what, names in (("other shapes", shapes), ("missing", missing), ("unexpected", unexpected))
            if names
        ]
        raise WeightsFileError(
            f"these weights do not fit {type(module).__name__}",
            wanted=f"{len(own)} tensors, like {_listed(list(own), 3)}",
            got="; ".join(told),
            next_step="build the model with the arguments that it was trained with"
            if shapes
            else "name their place in the file with key (--key); strict=False (--loose) takes what fits",
        )
    module.load_state_dict({name: given[name] for name in fitting}, strict=False)
    return fitting


# -- reading ------------------------------------------------------------------------------------------


def _read_safetensors(source: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(source, device="cpu")
    except (SafetensorError, ValueError, KeyError, OSError) as error:
        raise WeightsFileError(
            "the file is damaged, or no safetensors file", site=str(source), got=_first_line(error)
        ) from error


def _read_torch(source: Path) -> Any:
    # Readers before torch 2.6 run code from this oldest format even where they are asked not to.
    if tarfile.is_tarfile(source):
        raise _needs_code(source, "an archive in torch's oldest format, a tar file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(source, map_location="cpu", weights_only=True)
    except BROKEN as error:
        wanted = _wanted_code(str(error))
        if wanted is not None:
            raise _needs_code(source, wanted) from error
        raise WeightsFileError(
            "the file is damaged, or no weights file",
            site=str(source),
            wanted=f"one of: {', '.join(SUFFIXES)}",
            got=_first_line(error),
            next_step="compare its size with that of the original, and fetch it again",
        ) from error


def _wanted_code(message: str) -> str | None:
    """What a file asked torch to import, in the words of torch's refusal; None if it asked for nothing."""
    found = re.search(r"(?:unsupported|Unsupported) (?:global: )?GLOBAL (\S+)", message)
    if found:
        return found.group(1).rstrip(".,")
    if "TorchScript" in message:
        return "a TorchScript program"
    instance = re.search(r"(?:instantiate|call|create) (?:class )?[`']?([\w.]+\.[\w.]+)", message)
    return instance.group(1) if instance else None


def _needs_code(source: Path, wanted: str) -> WeightsFileError:
    return WeightsFileError(
        "this file cannot be read without running code that it names, and that is not done",
        site=str(source),
        wanted="tensors, numbers, texts, lists and dicts",
        got=wanted,
        next_step="if you trust it, open it where it was made and save its state_dict() as safetensors",
    )


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    inner = [line for line in lines if "Unsupported operand" in line or "not an allowed" in line]
    return (inner or lines or [type(error).__name__])[0][:200]


# -- finding the weights ------------------------------------------------------------------------------


def _entry(source: Path, content: Any, key: str) -> Any:
    """What lies at a dotted key."""
    value, rest = content, key
    while rest:
        if not isinstance(value, Mapping):
            break
        # A name may itself contain dots: the longest one that fits counts.
        names = sorted((n for n in value if rest == n or rest.startswith(f"{n}.")), key=len)
        if not names:
            break
        value, rest = value[names[-1]], rest[len(names[-1]) + 1 :]
    if not rest:
        return value
    raise WeightsFileError(
        f"there is nothing at {key!r}", site=str(source), wanted=f"one of: {_described(value)}", got=rest
    )


def find_weights(content: Any, depth: int = 3) -> dict[str, Tensor] | None:
    """The weights in what a file holds; None where it holds none.

    Args:
        content: what :func:`load_tensors` gave.
        depth: dicts in dicts to look into.
    """
    if isinstance(content, nn.Module) or not isinstance(content, Mapping):
        return None
    tensors = {name: v for name, v in content.items() if isinstance(name, str) and isinstance(v, Tensor)}
    if tensors and len(tensors) == len(content):
        return tensors
    nested = _mappings(content) if depth else {}
    for name in [name for name in NESTED if name in nested] or (list(nested) if len(nested) == 1 else []):
        found = find_weights(nested[name], depth - 1)
        if found is not None:
            return found
    return tensors or None


def _mappings(content: Any) -> dict[str, Mapping[Any, Any]]:
    if not isinstance(content, Mapping):
        return {}
    return {str(name): value for name, value in content.items() if isinstance(value, Mapping) and value}


def _described(content: Any) -> str:
    if isinstance(content, Mapping):
        return _listed([f"{name} ({type(value).__name__})" for name, value in content.items()]) or "nothing"
    return type(content).__name__


def _listed(names: list[str], most: int = 8) -> str:
    more = f", and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


# -- names --------------------------------------------------------------------------------------------


def _without_prefix(given: dict[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    best, shorter = given, given
    prefix: str | None = ""
    while prefix is not None and shorter:
        if sum(name in own for name in shorter) > sum(name in own for name in best):
            best = shorter
        prefix = next((p for p in PREFIXES if all(name.startswith(p) for name in shorter)), None)
        shorter = {name[len(prefix or "") :]: tensor for name, tensor in shorter.items()}
    return best


def _renamed(given: dict[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names of the parts of a normalised weight as the module has them (torch has two ways to name them)."""
    return {
        next(
            (name for name in _namings(key) if name in own and (name == key or name not in given)), key
        ): tensor
        for key, tensor in given.items()
    }


def _namings(name: str) -> Iterator[str]:
    yield name
    for old, new in (("weight_g", "original0"), ("weight_v", "original1")):
        if name.endswith(f".{old}") or name == old:
            yield f"{name.removesuffix(old)}parametrizations.weight.{new}"
        if name.endswith(f"parametrizations.weight.{new}"):
            yield name.removesuffix(f"parametrizations.weight.{new}") + old
