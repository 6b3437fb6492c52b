"""Callbacks, controls and tensors as JSON values, and back.

Plain values stand for themselves. Everything else is an object with one telling key:
``{"control": name}``, ``{"expression": [operation, ...]}``, ``{"tensor": key}``,
``{"complex": [re, im]}``, ``{"float": "inf"}``, ``{"tuple": [...]}``, ``{"map": [[k, v], ...]}``
and, for a callback, ``{"callback": class, "arguments": {...}}``. Nothing names code but the class
of a callback, which is looked up among those that the reader knows.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from torchbend.bending.arguments import rebuild
from torchbend.bending.callback import BendingCallback
from torchbend.bending.expression import BendingExpression
from torchbend.bending.parameter import BendingParameter
from torchbend.errors import RecipeError, TorchbendError

__all__ = ["Encoder", "Decoder"]

_LARGEST = 2**64
_TYPES: dict[str, type] = {"float": float, "int": int, "bool": bool, "complex": complex}


class Encoder:
    """Turns callbacks into JSON values, and collects the controls and tensors that they hold.

    Attributes:
        controls: the controls met so far, by name.
        tensors: the tensors met so far, by key.
    """

    def __init__(self) -> None:
        self.controls: dict[str, BendingParameter] = {}
        self.tensors: dict[str, Tensor] = {}

    def callback(self, callback: BendingCallback) -> dict[str, Any]:
        """A callback as ``{"callback": class, "arguments": {...}}``.

        Raises:
            RecipeError: it holds something that cannot be written as data.
        """
        parameters = inspect.signature(type(callback)).parameters
        arguments: dict[str, Any] = {}
        for name, value in callback.arguments.items():
            where = f"{type(callback).__name__}({name}=...)"
            if name in parameters and parameters[name].kind is inspect.Parameter.VAR_POSITIONAL:
                value = list(value)
            elif name in parameters and parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
                arguments[name] = {"map": [[k, self.value(v, where)] for k, v in value.items()]}
                continue
            arguments[name] = self.value(value, where)
        return {"callback": type(callback).__name__, "arguments": arguments}

    def value(self, value: Any, where: str) -> Any:
        """Any argument as a JSON value.

        Raises:
            RecipeError: it cannot be written as data.
        """
        if value is None or isinstance(value, bool | str):
            return value
        if isinstance(value, int) and abs(value) < _LARGEST:
            return int(value)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else {"float": str(float(value))}
        if isinstance(value, complex):
            return {"complex": [self.value(value.real, where), self.value(value.imag, where)]}
        if isinstance(value, list):
            return [self.value(v, where) for v in value]
        if isinstance(value, tuple):
            return {"tuple": [self.value(v, where) for v in value]}
        if isinstance(value, Mapping):
            return {"map": [[self.value(k, where), self.value(v, where)] for k, v in value.items()]}
        if isinstance(value, BendingCallback):
            return self.callback(value)
        if isinstance(value, BendingParameter):
            return self._control(value)
        if isinstance(value, BendingExpression):
            return {"expression": [value.operation, *(self.value(o, where) for o in value.operands)]}
        if isinstance(value, Tensor):
            key = f"tensor_{len(self.tensors)}"
            self.tensors[key] = value.detach().cpu().contiguous().clone()
            return {"tensor": key}
        raise RecipeError(
            "a recipe holds data, never code",
            site=where,
            wanted="numbers (ints of 64 bits), texts, lists, tensors, controls or callbacks",
            got=f"{value!r} ({type(value).__name__})",
            next_step="write a BendingCallback subclass that does it, and pass the class to "
            "BendingConfig.load(path, callbacks=[...])",
        )

    def _control(self, control: BendingParameter) -> dict[str, str]:
        known = self.controls.setdefault(control.name, control)
        if known is not control:
            raise RecipeError(
                "two controls of one name",
                site=control.name,
                wanted="one control, shared by the callbacks",
                got=f"{known!r} and {control!r}",
                next_step="use one control for both, or give them different names",
            )
        return {"control": control.name}

    def described_controls(self) -> dict[str, Any]:
        """The controls met so far as JSON values, by name."""
        return {name: self._described(control) for name, control in self.controls.items()}

    def _described(self, control: BendingParameter) -> dict[str, Any]:
        described = {
            "type": control.type.__name__,
            "value": self.value(control.value, control.name),
            "range": [self.value(v, control.name) for v in control.range],
            "clamp": control.clamp,
        }
        for key in ("weight", "bias"):
            if getattr(control, key) is not None:
                described[key] = self.value(getattr(control, key), control.name)
        return described


class Decoder:
    """Makes callbacks of JSON values.

    Args:
        classes: the callback classes that a recipe may name.
        tensors: the recipe's tensors by key.
    """

    def __init__(self, classes: Mapping[str, type[BendingCallback]], tensors: Mapping[str, Tensor]) -> None:
        self.classes = classes
        self.tensors = tensors
        self.controls: dict[str, BendingParameter] = {}

    def control(self, name: str, described: Any) -> None:
        """Makes the control ``name``.

        Raises:
            RecipeError: its description is malformed.
        """
        fields = _object(described, f"control {name!r}")
        kind = _TYPES.get(str(fields.get("type")))
        limits = fields.get("range", [None, None])
        if kind is None or not isinstance(limits, list):
            raise broken(f"control {name!r}", "a type of float, int, bool or complex, and a range", described)
        value = self.value(fields.get("value"))
        if kind in (float, complex) and isinstance(value, int) and not isinstance(value, bool):
            value = kind(value)
        if type(value) is not kind:
            raise broken(f"control {name!r}", f"a value of type {kind.__name__}", value)
        numbers: dict[str, Any] = {key: self.value(fields.get(key)) for key in ("weight", "bias")}
        try:
            self.controls[name] = BendingParameter(
                name,
                value,  # type: ignore[arg-type]
                range=[self.value(v) for v in limits],
                clamp=bool(fields.get("clamp")),
                **numbers,
            )
        except (TorchbendError, TypeError, ValueError, OverflowError) as error:
            raise broken(f"control {name!r}", "a value in its range", f"{error}") from error

    def callback(self, described: Any) -> BendingCallback:
        """Makes a callback.

        Raises:
            RecipeError: its class is unknown, or its arguments are not those of the class.
        """
        fields = _object(described, "a callback")
        name = fields.get("callback")
        cls = self.classes.get(name) if isinstance(name, str) else None
        if cls is None:
            way = (
                f"BendingConfig.load(path, callbacks=[{name}])" if isinstance(name, str) else "check the file"
            )
            raise RecipeError(
                "the recipe names a callback that is not known",
                site=str(name)[:80],
                wanted=", ".join(sorted(self.classes)),
                got=str(name)[:80],
                next_step=f"if it is a class of your own, pass it: {way[:160]}",
            )
        given = _object(fields.get("arguments", {}), f"the arguments of {name}")
        arguments = {key: self.value(value) for key, value in given.items()}
        try:
            made = rebuild(cls, arguments)
        except (TorchbendError, TypeError, ValueError, ArithmeticError, LookupError, RuntimeError) as error:
            raise broken(f"{name}", "arguments that the callback takes", str(error)) from error
        if not isinstance(made, BendingCallback):
            raise broken(f"{name}", "a callback", type(made).__name__)
        return made

    def value(self, value: Any) -> Any:
        """The argument that a JSON value stands for.

        Raises:
            RecipeError: it is malformed.
        """
        if value is None or isinstance(value, bool | float | str):
            return value
        if isinstance(value, int):
            if abs(value) >= _LARGEST:
                raise broken("a number", "an int of 64 bits", "a larger one")
            return value
        if isinstance(value, list):
            return [self.value(v) for v in value]
        fields = _object(value, "an argument")
        if "callback" in fields:
            return self.callback(fields)
        if len(fields) != 1:
            raise broken("an argument", "an object with one key", ", ".join(map(str, fields))[:80])
        ((key, content),) = fields.items()
        readers = {
            "control": self._control,
            "expression": self._expression,
            "tensor": self._tensor,
            "complex": self._complex,
            "float": self._float,
            "tuple": self._tuple,
            "map": self._map,
        }
        if key not in readers:
            raise broken("an argument", " or ".join(readers), key[:80])
        return readers[key](content)

    def _control(self, name: Any) -> BendingParameter:
        if not isinstance(name, str) or name not in self.controls:
            raise broken("an argument", f"a control of the recipe: {', '.join(self.controls)}", name)
        return self.controls[name]

    def _expression(self, content: Any) -> BendingExpression:
        operation, *operands = _list(content, "an expression", 2)
        values = [self.value(o) for o in operands]
        try:
            return BendingExpression(operation, *values)
        except (TorchbendError, TypeError) as error:
            raise broken("an expression", "[operation, operand, ...]", f"{error}") from error

    def _tensor(self, key: Any) -> Tensor:
        if not isinstance(key, str) or key not in self.tensors:
            raise broken("an argument", f"a tensor of the recipe: {', '.join(self.tensors) or 'none'}", key)
        return self.tensors[key]

    def _complex(self, content: Any) -> complex:
        real, imaginary = (self.value(v) for v in _list(content, "a complex number", 2, 2))
        if not all(isinstance(v, int | float) for v in (real, imaginary)):
            raise broken("a complex number", "[real, imaginary]", content)
        return complex(real, imaginary)

    def _float(self, content: Any) -> float:
        if content not in ("inf", "-inf", "nan"):
            raise broken("a float", "inf, -inf or nan", content)
        return float(content)

    def _tuple(self, content: Any) -> tuple[Any, ...]:
        return tuple(self.value(v) for v in _list(content, "a tuple"))

    def _map(self, content: Any) -> dict[Any, Any]:
        pairs = [_list(pair, "a map's pair", 2, 2) for pair in _list(content, "a map")]
        if not all(isinstance(k, str | int | float) for k, _ in pairs):
            raise broken("a map", "keys that are texts or numbers", content)
        return {k: self.value(v) for k, v in pairs}


def broken(where: str, wanted: str, got: Any) -> RecipeError:
    """The error for a recipe that is not as it should be."""
    return RecipeError(
        "the recipe is broken",
        site=where,
        wanted=wanted,
        got=str(got)[:300],
        next_step="save it again, or correct the file by hand",
    )


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise broken(where, "an object", type(value).__name__)
    return value


def _list(value: Any, where: str, least: int = 0, most: float = math.inf) -> list[Any]:
    if not isinstance(value, list) or not least <= len(value) <= most:
        raise broken(where, "a list" if most == math.inf else f"a list of {least}", value)
    return value
