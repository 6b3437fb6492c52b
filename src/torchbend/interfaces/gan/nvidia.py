"""The pickles (``.pkl``) in which NVIDIA publishes StyleGAN: read without running them.

They hold the source of Python classes, which loading them the usual way runs. Here only the numbers are
taken: the parameters and buffers below ``G_ema``, by name, and the clamp that the model was trained with.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from torchbend.errors import WeightsFileError
from torchbend.interfaces.gan.pickle_records import Record, as_mapping, read_pickle
from torchbend.interfaces.gan.pickle_tensors import tensor_of

__all__ = ["Pickled", "read_nvidia"]

_PERSISTENT = "torch_utils.persistence._reconstruct_persistent_obj"
_DEEPEST = 32


class Pickled(NamedTuple):
    """What a pickle holds of a generator.

    Attributes:
        weights: parameters and buffers by name.
        clamp: what its layers are clamped to; None for nothing.
    """

    weights: dict[str, Tensor]
    clamp: float | None


def read_nvidia(path: Path) -> Pickled:
    """The generator ``G_ema`` of a pickle. Nothing in the file is run.

    Args:
        path: of the file.

    Raises:
        WeightsFileError: the file is missing, damaged, or holds no such generator.
    """
    try:
        with path.open("rb") as stream:
            content = read_pickle(stream)
    except OSError as error:
        raise WeightsFileError("the file cannot be read", site=str(path), got=str(error)) from error
    except WeightsFileError as error:
        error.site = str(path)
        raise
    held = as_mapping(content)
    generator = None if held is None else held.get("G_ema")
    if generator is None or _state(generator) is None:
        raise _no_generator(path, content)
    weights: dict[str, Tensor] = {}
    _collect(generator, "", weights, 0)
    return Pickled(weights, _clamp(generator))


def _state(value: Any) -> Any:
    """The attributes of a module, where a record is one."""
    if not isinstance(value, Record):
        return None
    state = value.state
    if value.name == _PERSISTENT and value.args:
        meta = as_mapping(value.args[0])
        state = None if meta is None else meta.get("state")
    attributes = as_mapping(state)
    return attributes if attributes is not None and "_modules" in attributes else None


def _collect(module: Any, prefix: str, weights: dict[str, Tensor], depth: int) -> None:
    attributes = _state(module)
    if attributes is None or depth > _DEEPEST:
        raise WeightsFileError(
            "a part of the pickle is no module of torch", site=prefix.rstrip("."), got=type(module).__name__
        )
    kept_out = _names(attributes.get("_non_persistent_buffers_set"))
    for kind in ("_parameters", "_buffers"):
        for name, value in (as_mapping(attributes.get(kind)) or {}).items():
            if value is None or name in kept_out:
                continue
            tensor = tensor_of(value)
            if tensor is None:
                raise WeightsFileError("a weight of the pickle is no tensor", site=f"{prefix}{name}")
            weights[f"{prefix}{name}"] = tensor
    for name, part in (as_mapping(attributes["_modules"]) or {}).items():
        if part is not None:
            _collect(part, f"{prefix}{name}.", weights, depth + 1)


def _names(value: Any) -> set[str]:
    """The texts of a set; old kinds of pickles make one of a list."""
    held = value.args[0] if isinstance(value, Record) and value.args else value
    return {name for name in held if isinstance(name, str)} if isinstance(held, set | list | tuple) else set()


def _clamp(generator: Any) -> float | None:
    """What the generator was made with: ``conv_clamp`` of the synthesis."""
    given = as_mapping(_state(generator).get("_init_kwargs")) or {}
    inner = as_mapping(given.get("synthesis_kwargs")) or {}
    value = inner.get("conv_clamp", given.get("conv_clamp"))
    return float(value) if isinstance(value, int | float) and value > 0 else None


def _no_generator(path: Path, content: Any) -> WeightsFileError:
    held = as_mapping(content)
    first = content[0] if isinstance(content, tuple) and content else None
    if isinstance(first, Record) and "tflib" in first.name:
        return WeightsFileError(
            "this pickle is of the time of TensorFlow, and is a program: it is not read here",
            site=str(path),
            wanted="a pickle of NVIDIA's PyTorch versions, with G_ema",
            got=first.name,
            next_step="convert it where you trust it, and save G_ema's state_dict() as safetensors",
        )
    return WeightsFileError(
        "this pickle holds no generator of NVIDIA's",
        site=str(path),
        wanted="a dict with a module under G_ema",
        got=", ".join(map(str, held))[:200] if held is not None else type(content).__name__,
    )
