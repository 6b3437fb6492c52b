"""TorchScript of a bent model: its methods as they run now, with live controls."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from torchbend.bending.engine import Engine
from torchbend.bending.parameter import BendingParameter
from torchbend.bending.sites import not_traced
from torchbend.errors import ExportError, TorchbendError
from torchbend.export.accessors import accessors, check_name
from torchbend.export.inputs import ExampleInputs
from torchbend.export.ready import check_ready
from torchbend.export.remembering import refuse_memory, remembered
from torchbend.export.restoring import restored
from torchbend.export.shell import Bench
from torchbend.export.verify import verify

__all__ = ["compiled", "script"]


def script(
    engine: Engine,
    script: bool = True,
    export_for_nn: bool = False,
    inputs: Mapping[str, Any] | None = None,
) -> nn.Module:
    """The traced methods of a bent model as one ``torch.jit.ScriptModule`` that shares nothing with it.

    Bent weights that no control moves are in the file as they are. A control is a buffer with two methods,
    ``get_<name>()`` and ``set_<name>(value)``; setting it computes the weights that depend on it once. Values
    out of the control's range are refused, or clamped where the control says so. The file runs on the device
    that the model is on now. Tensor sizes stay free where the model's code treats them as such.

    The result is compared with the live model, for two inputs and at other values of each control.

    Args:
        engine: of the bent model.
        script: False: the module that would be traced, for a look at it.
        export_for_nn: the protocol of nn~ too, with channels and ratios as the methods were traced;
            ``inputs`` are not needed then.
        inputs: example inputs by method, as a tensor, a tuple of arguments or a dict of them. By default
            noise like the inputs that each method was traced with. Arguments that hold no tensor are fixed.

    Raises:
        NotTracedError: no method was traced, and no inputs are given.
        ExportError: a callback or the model cannot be exported; nothing has been written then.
    """
    if export_for_nn:
        return _for_nn(engine, script)
    with restored(engine):
        methods = _methods(engine, inputs or {})
        _refuse(engine, methods)
        bench = Bench(engine, methods)
        with bench.with_tensors():
            shell = _prepared(bench)
            if not script:
                return shell
            before = remembered(engine)
            exported, told = _exported(bench, shell, accessors)
            refuse_memory(engine, before)
            verify(bench, exported, told)
    _take_back(shell, exported)
    return exported


def _for_nn(engine: Engine, script: bool) -> nn.Module:
    from torchbend.export.nntilde import nn_module  # it stands on this file
    from torchbend.export.play import played_methods

    if not script:
        raise ExportError(
            "the protocol of nn~ is compiled",
            site="script",
            wanted="script=True",
            got="script=False, export_for_nn=True",
        )
    return nn_module(engine, played_methods(engine, None))


def _take_back(shell: nn.Module, exported: nn.Module) -> None:
    """Give an exported module the state that the live one has again."""
    held = dict(shell.named_buffers(remove_duplicate=False))
    with torch.no_grad():
        for name, tensor in exported.named_buffers(remove_duplicate=False):
            tensor.copy_(held[name])


def compiled(
    engine: Engine,
    methods: Mapping[str, ExampleInputs],
    *,
    calls: Mapping[str, Callable[..., Any]],
    held: Mapping[str, Tensor | list[str]],
    write: Callable[[BendingParameter, list[str]], str],
    define: Callable[[torch.jit.ScriptModule, list[str]], None],
    beside: nn.Module | None = None,
    actions: Mapping[str, tuple[Callable[..., Tensor], tuple[Tensor, ...]]] | None = None,
) -> torch.jit.ScriptModule:
    """Methods with a protocol of their own, in eval mode; weights and state keep their names in the file.

    Args:
        engine: of the bent model.
        methods: example inputs by method.
        calls: what each method runs.
        held: buffers and lists of texts that the file holds beside the model.
        write: gives the source of a control's methods.
        define: defines further methods, ``get_methods`` among them, given the paths of the tensors that the
            methods change.
        beside: a module beside the model whose tensors the methods use too.
        actions: what changes the model's state, by name, with example arguments; ``define`` calls them.

    Raises:
        ExportError: something cannot be exported, or differs from the live model.
    """
    with restored(engine, beside):
        _refuse(engine, {**methods, **held})
        bench = Bench(engine, methods, calls, beside, actions)
        with bench.with_tensors():
            shell = _prepared(bench)
            tensors = {name: value for name, value in held.items() if isinstance(value, Tensor)}
            for name, tensor in tensors.items():
                shell.register_buffer(name, tensor)
            before = remembered(engine)
            exported, told = _exported(bench, shell, write, define)
            refuse_memory(engine, before)
            texts = torch._C.ListType(torch._C.StringType.get())
            for name in held.keys() - tensors.keys():
                exported._c._register_attribute(name, texts, held[name])
            trial = copy.deepcopy(exported)
            check_ready(trial)
            verify(bench, trial, told)
    _take_back(shell, exported)
    return exported


def _prepared(bench: Bench) -> nn.Module:
    for name, example in bench.methods.items():  # draws are made, finite values are checked
        bench.run(name, example.args, example.kwargs)
    return bench.shell()


def _exported(
    bench: Bench,
    shell: nn.Module,
    write: Callable[[BendingParameter, list[str]], str],
    define: Callable[[torch.jit.ScriptModule, list[str]], None] | None = None,
) -> tuple[torch.jit.ScriptModule, list[warnings.WarningMessage]]:
    """The traced shell with the methods of its controls, sharing nothing with the live model."""
    given = {name: values for name, (_, values) in bench.actions.items()}
    traced, told = _traced(shell, bench.methods, given)
    for control in bench.controls:
        traced.define(write(control, bench.weight_paths(control)))
    if define is not None:
        define(traced, bench.written)
    exported: torch.jit.ScriptModule = copy.deepcopy(traced)
    for tensor in (*exported.buffers(), *exported.parameters()):
        tensor.requires_grad_(False)
    return exported, told


def _methods(engine: Engine, inputs: Mapping[str, Any]) -> dict[str, ExampleInputs]:
    if not engine.captures and not inputs:
        raise not_traced("forward", engine.captures)
    found = {}
    for name in dict.fromkeys((*engine.captures, *inputs)):
        if name in inputs:
            found[name] = ExampleInputs.given(engine.module, name, inputs[name], engine.extra_names)
        else:
            found[name] = ExampleInputs.remembered(engine.module, engine.captures[name])
    return found


def _refuse(engine: Engine, methods: Iterable[str]) -> None:
    """Say no to callbacks and names that cannot be in a file.

    Raises:
        ExportError: which, and where.
    """
    for bend in engine.bends:
        for callback in bend.callback.family():
            if not callback.jit_compatible and all(c.jit_compatible for c in callback.inner()):
                raise ExportError(
                    f"{callback!r} cannot be exported",
                    site=", ".join(bend.keys),
                    wanted="callbacks whose jit_compatible is True",
                    got=type(callback).__name__,
                    next_step="write a BendingCallback whose bend(self, x) is made of torch operations",
                )
    taken = {*methods, *dir(nn.Module)}
    for control in engine.controls:
        check_name(control, taken)


def _traced(
    shell: nn.Module, methods: Mapping[str, ExampleInputs], actions: Mapping[str, tuple[Tensor, ...]]
) -> tuple[torch.jit.ScriptModule, list[warnings.WarningMessage]]:
    """The traced shell, and what the tracer warned of.

    Raises:
        ExportError: a method cannot be traced.
    """
    examples = {name: example.values for name, example in methods.items()}
    refreshing = [name for name in vars(type(shell)) if name.startswith("_weights_of_")]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            trace: Any = torch.jit.trace_module
            calls = {**examples, **dict.fromkeys(refreshing, ()), **actions}
            traced: torch.jit.ScriptModule = trace(shell, calls, check_trace=False, strict=False)
        except TorchbendError:
            raise
        except (RuntimeError, TypeError, ValueError, NotImplementedError) as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            raise ExportError(
                f"the tracer of TorchScript failed: {lines[0] if lines else type(error).__name__}",
                site=", ".join(methods),
                wanted="methods that take and return tensors, tuples, lists and dicts of tensors",
                next_step="export another method, or look at the error above this one",
            ) from error
    return traced, told
