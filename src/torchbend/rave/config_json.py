"""RAVE configurations as readable JSON, and back without loss.

Every dataclass becomes an object of its fields. Where a field can hold several kinds of parts, the object
also has a ``"kind"``.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import lru_cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from torchbend.errors import RAVEConfigError
from torchbend.rave import config as parts
from torchbend.rave.config import RAVEConfig
from torchbend.rave.validation import check

__all__ = ["from_dict", "to_dict"]

KINDS: Mapping[type[Any], str] = types.MappingProxyType(
    {
        parts.EncoderV1Config: "v1",
        parts.EncoderV2Config: "v2",
        parts.VariationalConfig: "variational",
        parts.WassersteinConfig: "wasserstein",
        parts.DiscreteConfig: "discrete",
        parts.SphericalConfig: "spherical",
        parts.GeneratorV1Config: "v1",
        parts.GeneratorV2Config: "v2",
        parts.MultiScaleConfig: "multi_scale",
        parts.MultiPeriodConfig: "multi_period",
        parts.SpectralConfig: "spectral",
        parts.CombinedConfig: "combined",
        parts.DescriptConfig: "descript",
    }
)
"""What stands under ``"kind"`` for the parts that share a place with others."""


def to_dict(config: RAVEConfig) -> dict[str, Any]:
    """The configuration as dicts, lists, texts and numbers, ready for ``json.dumps``.

    >>> to_dict(RAVEConfig())["latent"]
    {'kind': 'variational', 'beta': 1.0}
    """
    written: dict[str, Any] = _written(config)
    return written


def from_dict(content: object) -> RAVEConfig:
    """The configuration that `to_dict` wrote.

    Args:
        content: what ``json.loads`` gives; fields that are left out take their defaults.

    Raises:
        RAVEConfigError: a key is unknown, a value has the wrong type, or the parts cannot work together.
    """
    config: RAVEConfig = _read(RAVEConfig, content, "config")
    check(config)
    return config


def _written(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        kind = {"kind": KINDS[type(value)]} if type(value) in KINDS else {}
        return kind | {field.name: _written(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [_written(item) for item in value]
    return value


@lru_cache(maxsize=64)
def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)


def _read(wanted: Any, value: object, site: str) -> Any:
    if isinstance(wanted, type) and is_dataclass(wanted):
        return _read_part((wanted,), value, site)
    origin = get_origin(wanted)
    if origin is Literal:
        return _read_choice(get_args(wanted), value, site)
    if origin in (Union, types.UnionType):
        choices = [choice for choice in get_args(wanted) if choice is not types.NoneType]
        if value is None and len(choices) < len(get_args(wanted)):
            return None
        if is_dataclass(choices[0]):
            return _read_part(tuple(choices), value, site)
        return _read(choices[0], value, site)
    if origin is tuple:
        return _read_tuple(get_args(wanted), value, site)
    return _read_plain(wanted, value, site)


def _read_part(kinds: tuple[Any, ...], value: object, site: str) -> Any:
    if not isinstance(value, Mapping):
        raise _wrong(site, "an object with named values", value)
    given = dict(value)
    kind = given.pop("kind", None)
    known = {KINDS.get(each): each for each in kinds}
    part = kinds[0] if kind is None and len(kinds) == 1 else known.get(kind if isinstance(kind, str) else "")
    if part is None:
        raise _wrong(f"{site}.kind", f"one of: {', '.join(str(name) for name in known)}", kind)
    names = {field.name: field for field in fields(part)}
    unknown = [str(name) for name in given if name not in names]
    if unknown:
        raise RAVEConfigError(
            f"{part.__name__} has no such value",
            site=f"{site}.{unknown[0]}",
            wanted=f"some of: {', '.join(names)}",
            got=", ".join(unknown),
        )
    for name, field in names.items():
        if name not in given and field.default is MISSING and field.default_factory is MISSING:
            raise RAVEConfigError(f"{part.__name__} needs this value", site=f"{site}.{name}", got="nothing")
    hints = _hints(part)
    return part(**{name: _read(hints[name], item, f"{site}.{name}") for name, item in given.items()})


def _read_tuple(wanted: tuple[Any, ...], value: object, site: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise _wrong(site, "a list", value)
    if len(wanted) == 2 and wanted[1] is Ellipsis:
        wanted = (wanted[0],) * len(value)
    if len(wanted) != len(value):
        raise _wrong(site, f"a list of {len(wanted)}", value)
    return tuple(
        _read(kind, item, f"{site}[{i}]") for i, (kind, item) in enumerate(zip(wanted, value, strict=True))
    )


def _read_choice(choices: tuple[Any, ...], value: object, site: str) -> Any:
    if not isinstance(value, str) or value not in choices:
        raise _wrong(site, f"one of: {', '.join(repr(choice) for choice in choices)}", value)
    return value


def _read_plain(wanted: Any, value: object, site: str) -> Any:
    if wanted is float and isinstance(value, int | float) and not isinstance(value, bool):
        if abs(value) <= sys.float_info.max:
            return float(value)
        raise _wrong(site, "a finite number", value)
    if isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool)):
        return value
    names = {int: "a whole number", bool: "true or false", str: "a text", float: "a number"}
    raise _wrong(site, names[wanted], value)


def _wrong(site: str, wanted: str, got: object) -> RAVEConfigError:
    return RAVEConfigError("this value has the wrong type", site=site, wanted=wanted, got=repr(got)[:200])
