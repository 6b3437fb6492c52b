"""The pickles (``.pkl``) in which NVIDIA publishes StyleGAN: read without running them.

They hold the source of Python classes, which loading them the usual way runs. Here only the numbers are
taken: the parameters and buffers below ``G_ema``, by name, and the clamp that the model was trained with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from torchbend.errors import WeightsFileError
from torchbend.pickles import Record, read_pickle, tensor_of

__all__ = ["Pickled", "read_nvidia"]

_PERSISTENT = "torch_utils.persistence._reconstruct_persistent_obj"
_DICTS = ("collections.OrderedDict", "dnnlib.util.EasyDict")
_DEEPEST = 32
_LONGEST = 200
_LARGEST_CLAMP = 1e9
_MOST = 1 << 13
"""Modules, and weights; the largest published models have some hundred."""


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
            size = stream.tell()
        held = _mapping(content)
        generator = None if held is None else held.get("G_ema")
        if generator is None or _state(generator) is None:
            raise _no_generator(content)
        return Pickled(_weights(generator, 2 * size), _clamp(generator))
    except OSError as error:
        raise WeightsFileError("the file cannot be read", site=str(path), got=str(error)) from error
    except WeightsFileError as error:
        error.site = str(path)
        raise


def _mapping(value: Any) -> Mapping[Any, Any] | None:
    """The items of a dict, or of a record of one; None for anything else."""
    if isinstance(value, dict):
        return value
    return value.items if isinstance(value, Record) and value.name in _DICTS else None


def _state(value: Any) -> Any:
    """The attributes of a module, where a record is one."""
    if not isinstance(value, Record):
        return None
    state = value.state
    if value.name == _PERSISTENT and value.args:
        meta = _mapping(value.args[0])
        state = None if meta is None else meta.get("state")
    attributes = _mapping(state)
    return attributes if attributes is not None and "_modules" in attributes else None


def _weights(generator: Any, most: int) -> dict[str, Tensor]:
    """Parameters and buffers by name, no more bytes than ``most``: many names may be for the same ones."""
    weights: dict[str, Tensor] = {}
    for prefix, attributes in _modules(generator):
        kept_out = _names(attributes.get("_non_persistent_buffers_set"))
        for kind in ("_parameters", "_buffers"):
            for name, value in _entries(attributes.get(kind)):
                if value is None or name in kept_out:
                    continue
                tensor = tensor_of(value)
                if tensor is None:
                    raise WeightsFileError("a weight of the pickle is no tensor", got=f"{prefix}{name}")
                weights[f"{prefix}{name}"] = tensor
                most -= tensor.nbytes
                if most < 0 or len(weights) > _MOST:
                    raise WeightsFileError(
                        "the pickle names more weights than it holds", got=f"{prefix}{name}"
                    )
    return weights


def _modules(generator: Any) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """All modules: what stands before the names in them, and their attributes."""
    waiting, count = [("", generator, 0)], 1
    while waiting:
        prefix, module, depth = waiting.pop()
        attributes = _state(module)
        if attributes is None:
            raise WeightsFileError(
                "a part of the pickle is no module of torch", got=f"{prefix} {type(module).__name__}"
            )
        yield prefix, attributes
        inner = [item for item in _entries(attributes["_modules"]) if item[1] is not None]
        count += len(inner)
        if depth > _DEEPEST or count > _MOST:
            raise WeightsFileError("modules of the pickle hold themselves", got=f"{count} modules")
        waiting += [(f"{prefix}{name}.", part, depth + 1) for name, part in reversed(inner)]


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    """What a dict holds under the names of parts."""
    for name, held in (_mapping(value) or {}).items():
        if not isinstance(name, str) or len(name) > _LONGEST:
            raise WeightsFileError("what names a part of the pickle is no name", got=type(name).__name__)
        yield name, held


def _names(value: Any) -> set[str]:
    """The texts of a set; old kinds of pickles make one of a list."""
    held = value.args[0] if isinstance(value, Record) and value.args else value
    return {name for name in held if isinstance(name, str)} if isinstance(held, set | list | tuple) else set()


def _clamp(generator: Any) -> float | None:
    """What the generator was made with: ``conv_clamp`` of the synthesis."""
    given = _mapping(_state(generator).get("_init_kwargs")) or {}
    inner = _mapping(given.get("synthesis_kwargs")) or {}
    value = inner.get("conv_clamp", given.get("conv_clamp"))
    return float(value) if isinstance(value, int | float) and 0 < value < _LARGEST_CLAMP else None


def _no_generator(content: Any) -> WeightsFileError:
    held = _mapping(content)
    first = content[0] if isinstance(content, tuple) and content else None
    if isinstance(first, Record) and "tflib" in first.name:
        return WeightsFileError(
            "this pickle is of the time of TensorFlow, and is a program: it is not read here",
            wanted="a pickle of NVIDIA's PyTorch versions, with G_ema",
            got=first.name,
            next_step="convert it where you trust it, and save G_ema's state_dict() as safetensors",
        )
    return WeightsFileError(
        "this pickle holds no generator of NVIDIA's",
        wanted="a dict with a module under G_ema",
        got=", ".join(str(name)[:40] for name in list(held)[:8])
        if held is not None
        else type(content).__name__,
    )
