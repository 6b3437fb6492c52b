"""Which model a recipe was made for: a hash of its weights' names, shapes and dtypes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from torch import nn

from torchbend.errors import RecipeError

__all__ = ["described_weights", "signature", "difference"]

_SHOWN = 5


def described_weights(module: Any) -> dict[str, str]:
    """Each weight and buffer of a model by name: ``{"linear.weight": "float32[80, 4]"}``.

    Args:
        module: a bent model, or a plain one.

    Raises:
        RecipeError: it is neither.
    """
    plain = module.module if hasattr(module, "bendable_keys") else module
    if not isinstance(plain, nn.Module):
        raise RecipeError("no model to describe", wanted="a BendedModule", got=type(module).__name__)
    tensors = [*plain.named_parameters(remove_duplicate=False), *plain.named_buffers(remove_duplicate=False)]
    return {
        name: f"{str(t.dtype).removeprefix('torch.')}{list(map(int, t.shape))}"
        for name, t in sorted(tensors, key=lambda item: item[0])
    }


def signature(weights: Mapping[str, str]) -> str:
    """``"sha256:..."`` over the sorted names with shapes and dtypes."""
    text = "\n".join(f"{name}\t{weights[name]}" for name in sorted(weights))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def difference(wanted: Mapping[str, str], got: Mapping[str, str]) -> str:
    """What tells two models apart, in words: missing, extra, other shape or type."""
    missing = [name for name in wanted if name not in got]
    extra = [name for name in got if name not in wanted]
    other = [
        f"{name} {got[name]}, not {wanted[name]}"
        for name in wanted
        if got.get(name, wanted[name]) != wanted[name]
    ]
    parts = [("missing", missing), ("extra", extra), ("other", other)]
    return "; ".join(f"{word}: {_listed(names)}" for word, names in parts if names) or "nothing but the hash"


def _listed(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
