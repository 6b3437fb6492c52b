"""Looking up what a configuration file binds: by name of class, in scopes, macros resolved late."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torchbend.errors import RAVEConfigError
from torchbend.rave.checkpoints.gin import Binding, GinFile
from torchbend.rave.checkpoints.gin_tokens import Macro, Reference, Value

__all__ = ["Lookup"]


class Lookup:
    """The bindings of a file, found by the name of a class or function.

    Only the last part of a dotted name counts, as modules are never imported. A later binding overrides an
    earlier one, a scoped one overrides an unscoped one for what is built in that scope.

    Args:
        file: what was read.
    """

    def __init__(self, file: GinFile) -> None:
        self.file = file
        self._values: dict[tuple[str, str, str], Binding] = {}
        for binding in file.bindings:
            self._values[(binding.scope, binding.name, binding.parameter)] = binding
        self._read: set[tuple[str, str, str]] = set()

    def has(self, name: str, parameter: str, scope: str = "") -> bool:
        """Whether a parameter is bound."""
        return any((each, name, parameter) in self._values for each in _scopes(scope))

    def get(self, name: str, parameter: str, default: Any = None, scope: str = "") -> Any:
        """The value of a parameter with its macros resolved.

        Raises:
            RAVEConfigError: the value needs a macro that is not defined, or that needs itself.
        """
        for each in _scopes(scope):
            key = (each, name, parameter)
            if key in self._values:
                self._read.add(key)
                binding = self._values[key]
                return self.resolve(binding.value, f"{self.file.source}, line {binding.line}")
        return default

    def macro(self, name: str, default: Any = None) -> Any:
        """The value of a macro.

        Raises:
            RAVEConfigError: it needs a macro that is not defined, or that needs itself.
        """
        if name not in self.file.macros:
            return default
        return self.resolve(Macro(name), self.file.source)

    def resolve(self, value: Value, site: str, within: tuple[str, ...] = ()) -> Any:
        """A value with its macros resolved, and the results that are known put in for calls.

        Raises:
            RAVEConfigError: a macro is not defined, or needs itself.
        """
        if isinstance(value, Macro):
            if value.name in within or value.name not in self.file.macros:
                raise RAVEConfigError(
                    "this macro needs itself" if value.name in within else "this macro is not defined",
                    site=site,
                    wanted=f"one of: {', '.join(self.file.macros)}",
                    got=f"%{value.name}",
                )
            return self.resolve(self.file.macros[value.name], site, (*within, value.name))
        if isinstance(value, list | tuple):
            return type(value)(self.resolve(item, site, within) for item in value)
        if isinstance(value, dict):
            return {key: self.resolve(item, site, within) for key, item in value.items()}
        if isinstance(value, Reference) and value.called and value.name == "get_augmented_latent_size":
            return self._augmented(value)
        return value

    def unread(self) -> tuple[Binding, ...]:
        """The bindings that nothing has asked for, the last of each parameter."""
        return tuple(binding for key, binding in self._values.items() if key not in self._read)

    def whole(self, name: str, parameter: str, default: int, scope: str = "") -> int:
        """A whole number."""
        value = self.get(name, parameter, default, scope)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(name, parameter, "a whole number", value)
        return value

    def number(self, name: str, parameter: str, default: float, scope: str = "") -> float:
        """A number."""
        value = self.get(name, parameter, default, scope)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(name, parameter, "a number", value)
        return float(value)

    def truth(self, name: str, parameter: str, default: bool, scope: str = "") -> bool:
        """True or False."""
        value = self.get(name, parameter, default, scope)
        if not isinstance(value, bool):
            raise self.wrong(name, parameter, "True or False", value)
        return value

    def wholes(self, name: str, parameter: str, default: tuple[int, ...], scope: str = "") -> tuple[int, ...]:
        """A list of whole numbers."""
        value = self.get(name, parameter, default, scope)
        if not isinstance(value, list | tuple) or any(type(item) is not int for item in value):
            raise self.wrong(name, parameter, "a list of whole numbers", value)
        return tuple(value)

    def reference(self, name: str, parameter: str, scope: str = "") -> Reference | None:
        """A reference to a class or function, ``None`` where there is none."""
        value = self.get(name, parameter, None, scope)
        if value is not None and not isinstance(value, Reference):
            raise self.wrong(name, parameter, "a @reference or None", value)
        return value

    def wrong(self, name: str, parameter: str, wanted: str, got: object) -> RAVEConfigError:
        """The error for a value of the wrong type."""
        shown = f"@{got.path}" if isinstance(got, Reference) else repr(got)[:200]
        return RAVEConfigError(
            "this value cannot be used",
            site=f"{self.file.source}, {name}.{parameter}",
            wanted=wanted,
            got=shown,
        )

    def _augmented(self, call: Reference) -> int:
        values: Mapping[str, int] = {
            key: self.whole(call.name, key, 0, call.scope) for key in ("latent_size", "noise_augmentation")
        }
        return sum(values.values())


def _scopes(scope: str) -> list[str]:
    """A scope and those that hold it, the innermost first."""
    parts = scope.split("/") if scope else []
    return ["/".join(parts[:n]) for n in range(len(parts), -1, -1)]
