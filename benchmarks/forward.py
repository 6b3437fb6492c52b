"""Forward with weights, module outputs and inner operations bent."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.func import functional_call

import torchbend as tb
from benchmarks.harness import PLAIN, Bar, Row, Section, Settings, interleaved
from benchmarks.subjects import Subject, gpt2, thirty_blocks, two_layers, vocoder

__all__ = ["weights", "activations"]

_SMALL_WEIGHT = Bar("plain + 10 µs", extra=10e-6)
_WEIGHT = Bar("<= 1.03x", ratio=1.03)
_OUTPUT = Bar("plain + 15 µs", extra=15e-6)
_OPERATION = Bar("<= 1.05x", ratio=1.05)
_FACTOR = 1.1


def weights(settings: Settings) -> Section:
    """One weight and a hundred weights bent."""
    tiny = settings.tiny
    rows: list[Row] = []
    layers = two_layers()
    for count in (1, 4):
        rows.append(_weight_row(layers, count, _SMALL_WEIGHT, settings.short_rounds))
    rows.append(_weight_row(layers, 1, None, settings.short_rounds, gradients=True))
    for subject in (thirty_blocks(tiny), vocoder(tiny), gpt2(tiny)):
        if subject is not None:
            rows += [_weight_row(subject, count, _WEIGHT, settings.rounds) for count in (1, 100)]
            rows.append(_weight_row(subject, 1, None, settings.rounds, gradients=True))
    text = (
        "A bent weight is computed once per change and swapped in for the time of a call. "
        "*functional_call* is `torch.func.functional_call` with the bent tensors computed before. With "
        "gradients on, a bent weight is computed anew in each call, so that its graph is fresh: those rows "
        "are information."
    )
    return Section("Forward, weights bent", text, rows)


def _weight_row(subject: Subject, count: int, bar: Bar | None, rounds: int, gradients: bool = False) -> Row:
    model, inputs = subject.model, subject.inputs
    names = [name for name, _ in model.named_parameters()][:count]
    bended = tb.BendedModule(model)
    bended.bend(tb.Scale(_FACTOR), *(f"{name.replace('.', '[.]')}$" for name in names))
    replaced = {name: model.get_parameter(name).detach() * _FACTOR for name in names}
    calls: dict[str, Callable[[], object]] = {PLAIN: subject.plain, "bent": lambda: bended(**inputs)}
    if not gradients:
        calls["functional_call"] = lambda: functional_call(model, replaced, (), inputs)
    with torch.set_grad_enabled(gradients):
        timings = interleaved(calls, rounds)
    many = f"{len(names)} weight{'s' if len(names) > 1 else ''}"
    return Row.of(f"{subject.name}: {many}{', gradients on' if gradients else ''}", timings, "bent", bar)


def activations(settings: Settings) -> Section:
    """One module output, and one inner operation bent."""
    rows = [
        _output_row(two_layers(), "0", _OUTPUT, settings.short_rounds),
        _operation_row(thirty_blocks(settings.tiny), "sin_15$", settings.rounds),
    ]
    sounding = vocoder(settings.tiny)
    if sounding is not None:
        part = sounding.early.rstrip("$").replace("_", ".")
        rows.append(_output_row(sounding, part, None, settings.rounds))
    text = (
        "A module output is bent by a hook on that one module, an operation by a function mode that is on "
        "only while its module's code runs. *hook* is a forward hook written by hand that does the same "
        "arithmetic, without checks, reset, names or controls."
    )
    return Section("Forward, activations bent", text, rows)


def _output_row(subject: Subject, path: str, bar: Bar | None, rounds: int) -> Row:
    model, inputs = subject.model, subject.inputs
    bended = tb.BendedModule(model)
    bended.trace(**inputs)
    bended.bend(tb.Scale(_FACTOR), f"_?{path.replace('.', '_')}$")
    hooked = _Hooked(model, path)
    calls: dict[str, Callable[[], object]] = {
        PLAIN: subject.plain,
        "bent": lambda: bended(**inputs),
        "hook": lambda: hooked(**inputs),
    }
    with torch.no_grad():
        timings = interleaved(calls, rounds)
    return Row.of(f"{subject.name}: output of `{path}`", timings, "bent", bar)


def _operation_row(subject: Subject, name: str, rounds: int) -> Row:
    bended = tb.BendedModule(subject.model)
    bended.trace(**subject.inputs)
    bended.bend(tb.Scale(_FACTOR), name)
    calls: dict[str, Callable[[], object]] = {PLAIN: subject.plain, "bent": lambda: bended(**subject.inputs)}
    with torch.no_grad():
        timings = interleaved(calls, rounds)
    return Row.of(f"{subject.name}: `{name.rstrip('$')}` in one block", timings, "bent", _OPERATION)


class _Hooked:
    """A module with a hook of one's own, on for the time of a call: the plain call beside it stays plain."""

    def __init__(self, model: nn.Module, path: str) -> None:
        self._model, self._part = model, model.get_submodule(path)
        self._key = -1

    def __call__(self, **inputs: torch.Tensor) -> object:
        self._part._forward_hooks[self._key] = _scaled
        try:
            return self._model(**inputs)
        finally:
            del self._part._forward_hooks[self._key]


def _scaled(module: nn.Module, inputs: object, output: torch.Tensor) -> torch.Tensor:
    return output * _FACTOR
