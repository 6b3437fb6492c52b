"""Play an ONNX file that `export_onnx` wrote: block after block, its states kept, its controls at hand."""

from __future__ import annotations

import base64
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from torchbend.errors import ControlError, ExportError, MissingExtraError, ShapeError

__all__ = ["OnnxStream", "open_session"]

_KEY = "torchbend"
_MOST_SHAPES = 16
"""Block sizes whose outputs' memory is kept."""
_KINDS: dict[str, Any] = {"float": np.float32, "int": np.int64, "bool": np.bool_}

Array = npt.NDArray[Any]


def open_session(path: str | os.PathLike[str], threads: int = 1) -> Any:
    """An onnxruntime session on the CPU.

    Args:
        path: of the file.
        threads: that one run may use.

    Raises:
        MissingExtraError: onnxruntime is not installed.
        ExportError: the file is not one that onnxruntime can run.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError(
            "playing ONNX files needs a package that is not installed",
            site="onnxruntime",
            next_step="pip install 'torchbend[onnx]'",
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common public base
        raise ExportError(
            "onnxruntime cannot open the file", site=str(path), got=str(error).splitlines()[0][:200]
        ) from error


class OnnxStream:
    """An exported model that is played block after block.

    Args:
        path: a file of `export_onnx`, or several of them: methods of one model. Each method has states of its
            own; a control that several methods have is set in all of them.
        threads: that one call may use.

    Raises:
        MissingExtraError: onnxruntime is not installed.
        ExportError: a file is no such export.
    """

    def __init__(
        self, path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], threads: int = 1
    ) -> None:
        paths = [path] if isinstance(path, str | os.PathLike) else list(path)
        self._methods = {m.name: m for m in (_Method(Path(p), threads) for p in paths)}
        self._controls = {c["name"]: c for m in self._methods.values() for c in m.info["controls"]}
        self._values = {name: c["value"] for name, c in self._controls.items()}

    @property
    def methods(self) -> list[str]:
        """Names of the methods."""
        return list(self._methods)

    @property
    def controls(self) -> dict[str, Any]:
        """The controls' values."""
        return dict(self._values)

    def info(self, method: str | None = None) -> dict[str, Any]:
        """What a file says of its method: inputs, outputs, states, controls, sample rate, delay."""
        return dict(self._method(method).info)

    def reset(self) -> None:
        """Begin a new stream: all states are as they were when the model was exported. Controls stay."""
        for method in self._methods.values():
            method.reset()

    def get(self, name: str) -> Any:
        """The value of a control.

        Raises:
            ControlError: there is no such control.
        """
        self._control(name)
        return self._values[name]

    def set(self, name: str, value: float) -> None:
        """Set a control; it acts from the next block on.

        Raises:
            ControlError: there is no such control, or the value is out of its range.
        """
        control = self._control(name)
        accepted = _accepted(control, value)
        self._values[name] = accepted
        tensor = np.asarray(accepted, dtype=_KINDS[control["type"]])
        for method in self._methods.values():
            method.set(name, tensor)

    def __call__(self, *blocks: Any, method: str | None = None) -> Any:
        """The next block.

        Args:
            blocks: the method's inputs: arrays, or anything that numpy makes an array of.
            method: its name; it may be left out where there is one, or one called ``forward``.

        Returns:
            The output, or a tuple of them where the method has several.

        Raises:
            ShapeError: the block does not fit the method.
        """
        return self._method(method).run(blocks)

    def _method(self, name: str | None) -> _Method:
        if name is None and len(self._methods) == 1:
            return next(iter(self._methods.values()))
        found = self._methods.get("forward" if name is None else name)
        if found is None:
            raise ExportError(
                "there is no such method", wanted=", ".join(self._methods), got=repr(name or "forward")
            )
        return found

    def _control(self, name: str) -> dict[str, Any]:
        if name not in self._controls:
            raise ControlError(
                f"there is no control {name!r}", wanted=", ".join(self._controls) or "no control", got=name
            )
        control: dict[str, Any] = self._controls[name]
        return control


class _Method:
    """One file: its session, its states and its controls.

    States lie in two sets of memory that runs read and write in turn, so that nothing is copied between
    blocks.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self.session = open_session(path, threads)
        held = self.session.get_modelmeta().custom_metadata_map.get(_KEY)
        if held is None:
            raise ExportError(
                "this is no export of a bent model: it has no description",
                site=str(path),
                wanted=f"metadata under {_KEY!r}",
                got="none",
            )
        self.info: dict[str, Any] = json.loads(held)
        self.name: str = self.info["method"]
        self._outputs = [o["name"] for o in self.info["outputs"]]
        self._known = {i.name for i in self.session.get_inputs()}
        self._bind()
        for control in self.info["controls"]:
            self.set(control["name"], np.asarray(control["value"], dtype=_KINDS[control["type"]]))
        self.reset()

    def _bind(self) -> None:
        from onnxruntime import OrtValue

        states = self.info["states"]
        shapes = [(s["shape"], np.dtype(s["dtype"])) for s in states]
        self._memory = [[OrtValue.ortvalue_from_numpy(np.zeros(*s)) for s in shapes] for _ in range(2)]
        self._bindings = [self.session.io_binding() for _ in range(2)]
        for k, binding in enumerate(self._bindings):
            for name in self._outputs:  # first, so that they are the first ones got
                binding.bind_output(name)
            for state, now, after in zip(states, self._memory[k], self._memory[1 - k], strict=True):
                if state["name"] in self._known:
                    binding.bind_ortvalue_input(state["name"], now)
                binding.bind_ortvalue_output(state["output"], after)
        self._turn = 0
        self._results: dict[tuple[tuple[int, ...], ...], list[Any]] = {}

    def reset(self) -> None:
        """The first states."""
        for state, memory in zip(self.info["states"], self._memory[self._turn], strict=True):
            kind = np.dtype(state["dtype"])
            first = np.zeros(state["shape"], dtype=kind)
            if "initial" in state:
                first = np.frombuffer(base64.b64decode(state["initial"]), dtype=kind)
            memory.update_inplace(np.ascontiguousarray(first.reshape(state["shape"])))

    def set(self, name: str, tensor: Array) -> None:
        """Set a control, where the file has it."""
        if name in self._known:
            for binding in self._bindings:
                binding.bind_cpu_input(name, tensor)

    def run(self, blocks: Sequence[Any]) -> Any:
        """One block; the new states take the place of the old ones."""
        wanted, binding = self.info["inputs"], self._bindings[self._turn]
        if len(blocks) != len(wanted):
            raise ShapeError(
                f"{self.name}() takes other inputs",
                site=self.name,
                wanted=", ".join(i["name"] for i in wanted),
                got=f"{len(blocks)} inputs",
            )
        for entry, block in zip(wanted, blocks, strict=True):
            array = np.ascontiguousarray(block, dtype=np.dtype(entry["dtype"]))
            _check(self.name, entry, array)
            if entry["name"] in self._known:
                binding.bind_cpu_input(entry["name"], array)
        results = self._computed(binding, tuple(np.shape(block) for block in blocks))
        self._turn = 1 - self._turn
        return results[0] if len(results) == 1 else tuple(results)

    def _computed(self, binding: Any, shapes: tuple[tuple[int, ...], ...]) -> list[Array]:
        """The outputs of one run. Memory of the outputs is kept: asking a run for its own takes long."""
        kept = self._results.get(shapes)
        for k, name in enumerate(self._outputs):
            if kept is None:
                binding.bind_output(name)
            else:
                binding.bind_ortvalue_output(name, kept[k])
        self.session.run_with_iobinding(binding)
        if kept is None:
            kept = binding.get_outputs()[: len(self._outputs)]
            if len(self._results) >= _MOST_SHAPES:
                self._results.clear()
            self._results[shapes] = kept
        return [np.array(value.numpy()) for value in kept]


def _check(method: str, entry: Mapping[str, Any], array: Array) -> None:
    wanted = entry["shape"]
    fits = array.ndim == len(wanted) and all(map(_fits, wanted, array.shape))
    if not fits:
        raise ShapeError(
            f"{method}() cannot take this block",
            site=entry["name"],
            wanted=f"shape [{', '.join(map(str, wanted))}]",
            got=list(array.shape),
            next_step="n stands for any number of at least 1",
        )


def _fits(wanted: int | str, size: int) -> bool:
    if isinstance(wanted, int):
        return size == wanted
    multiple = int(wanted.partition("*")[0]) if "*" in wanted else 1
    return size > 0 and size % multiple == 0


def _accepted(control: Mapping[str, Any], value: Any) -> Any:
    kind = {"float": float, "int": int, "bool": bool}[control["type"]]
    try:
        number = kind(value)
    except (TypeError, ValueError, OverflowError):
        number = None
    low, high = control["range"]
    if number is not None and control["clamp"] and not math.isnan(number):
        number = kind(low) if low is not None and number < low else number
        number = kind(high) if high is not None and number > high else number
    inside = number is not None and not math.isnan(number)
    inside = inside and (kind is float or number == value or bool(control["clamp"]))
    inside = inside and (low is None or number >= low) and (high is None or number <= high)
    if not inside:
        raise ControlError(
            f"the control {control['name']!r} was set out of its range",
            site=control["name"],
            wanted=f"a {kind.__name__} in ({low}, {high})",
            got=value,
            next_step="set a value in the range",
        )
    return number
