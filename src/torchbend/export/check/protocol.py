"""A file as nn~ reads it: its methods, their channels and ratios, its attributes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from torchbend.export.check.blocks import FAILURES, Method, reason
from torchbend.export.check.findings import Finding, failure, some, warning

__all__ = ["KINDS", "Attribute", "compiled", "read_attributes", "read_methods"]

KINDS = ("bool", "int", "float", "str", "tensor", "buffer")
"""The types of an attribute's elements, by code."""

Tell = Callable[[Finding], None]


@dataclass(frozen=True)
class Attribute:
    """An attribute as nn~ knows it: a name, and the type of each of its elements."""

    name: str
    kinds: tuple[str, ...]


def compiled(module: Any, name: str) -> bool:
    """Whether a loaded module has a compiled method of this name."""
    return isinstance(getattr(module, name, None), torch._C.ScriptMethod)


def read_methods(module: Any, tell: Tell) -> list[Method]:
    """The methods that can be played; what is wrong with the others is told."""
    found = []
    for name in _method_names(module, tell):
        if not compiled(module, name):
            tell(
                failure(
                    "methods",
                    f"{name}()",
                    "get_methods names a method that is not compiled",
                    "a method of the module",
                    "nothing of that name: nn~ would call forward instead",
                    "mark it with torch.jit.export",
                )
            )
        elif (numbers := _numbers(module, f"{name}_params", 4, tell)) is not None:
            method = Method(name, *numbers)
            found.append(method)
            _check_ratios(method, tell)
            _check_labels(module, method, tell)
    if not found:
        tell(
            failure(
                "methods",
                "the file",
                "there is no method that nn~ can play",
                "a compiled method, and a buffer <method>_params of four numbers",
                "none",
                "export it for nn~",
            )
        )
    return found


def read_attributes(module: Any, tell: Tell) -> list[Attribute]:
    """The attributes that can be set; what is wrong with the others is told."""
    found = []
    for name in _list(module, "get_attributes", tell):
        missing = [m for m in (f"get_{name}", f"set_{name}") if not compiled(module, m)]
        if missing:
            tell(
                failure(
                    "attributes",
                    name,
                    "an attribute lacks its methods",
                    f"get_{name} and set_{name}, compiled",
                    f"no {' and no '.join(missing)}",
                    "mark them with torch.jit.export",
                )
            )
            continue
        codes = _numbers(module, f"{name}_params", None, tell, "attributes")
        if codes is None:
            continue
        if any(not 0 <= code < len(KINDS) for code in codes):
            known = ", ".join(f"{code} {kind}" for code, kind in enumerate(KINDS))
            tell(failure("attributes", f"{name}_params", "an unknown code of a type", known, codes))
            continue
        found.append(Attribute(name, tuple(KINDS[code] for code in codes)))
    flags = [attribute.name for attribute in found if "bool" in attribute.kinds]
    if flags:
        tell(
            warning(
                "attributes",
                some(flags),
                "Pure Data sets a bool to true by any number, even 0",
                "an int or float from 0 to 1",
                "bool",
                f"send the word: set {flags[0]} false",
            )
        )
    return found


def _method_names(module: Any, tell: Tell) -> list[str]:
    if compiled(module, "get_methods"):
        return _list(module, "get_methods", tell)
    buffers = {name for name, _ in module.named_buffers() if name.endswith("_params")}
    names = [name.removesuffix("_params") for name in sorted(buffers)]
    if hasattr(module, "forward_params") and "forward" not in names:
        names.append("forward")
    return [name for name in names if compiled(module, name)]


def _list(module: Any, name: str, tell: Tell) -> list[str]:
    """What a method such as ``get_methods`` returns; nothing where there is none."""
    if not compiled(module, name):
        return []
    try:
        value = getattr(module, name)()
    except FAILURES as error:
        tell(failure("loading", f"{name}()", "it fails", "a list of names", reason(error)))
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        tell(failure("loading", f"{name}()", "it returns something else", "List[str]", type(value).__name__))
        return []
    return list(dict.fromkeys(value))


def _numbers(
    module: Any, name: str, count: int | None, tell: Tell, part: str = "methods"
) -> list[int] | None:
    """The whole numbers in a tensor attribute, or None where it is not as it should be."""
    value = getattr(module, name, None)
    wanted = f"a tensor of {count} whole numbers" if count else "a tensor with one code for each element"
    if not isinstance(value, Tensor):
        got = "nothing" if value is None else type(value).__name__
        tell(failure(part, name, "the description is missing", wanted, got, f"register a buffer {name}"))
        return None
    flat = [float(item) for item in value.flatten().tolist()]
    if value.dim() != 1 or (count and len(flat) != count) or not flat or any(n != int(n) for n in flat):
        tell(failure(part, name, "the description is malformed", wanted, str(value.tolist())[:100]))
        return None
    return [int(number) for number in flat]


def _check_ratios(method: Method, tell: Tell) -> None:
    ratios = (method.in_ratio, method.out_ratio)
    channels = (method.in_channels, method.out_channels)
    if min(*ratios, *channels) < 1:
        tell(
            failure(
                "methods", f"{method.name}_params", "channels and ratios begin at 1", got=(channels, ratios)
            )
        )
    elif any(ratio & (ratio - 1) for ratio in ratios):
        tell(
            failure(
                "methods",
                f"{method.name}_params",
                "a ratio is no power of two: it fits into no block of the host",
                "1, 2, 4, ...",
                f"in_ratio {method.in_ratio}, out_ratio {method.out_ratio}",
                "hold frames back inside the model until a power of two is full",
            )
        )


def _check_labels(module: Any, method: Method, tell: Tell) -> None:
    for side, count in (("input", method.in_channels), ("output", method.out_channels)):
        name = f"{method.name}_{side}_labels"
        labels = getattr(module, name, None)
        if labels is not None and (not isinstance(labels, list) or len(labels) != count):
            got = f"{len(labels)}" if isinstance(labels, list) else type(labels).__name__
            tell(failure("methods", name, "the labels do not fit the channels", f"{count} texts", got))
