"""A bent model as a file for nn~, the external that plays TorchScript in Max and Pure Data.

The file has the methods, each with a buffer ``<method>_params`` of channels and ratios and lists of labels,
and the controls as attributes with ``get_<name>`` and ``set_<name>``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from torchbend.bending.engine import Engine
from torchbend.bending.parameter import BendingParameter
from torchbend.errors import ExportError
from torchbend.export.accessors import accessors
from torchbend.export.framed import framed_example, framed_queues, framed_source
from torchbend.export.inputs import ExampleInputs
from torchbend.export.play import Played
from torchbend.export.ready import IS_READY, define_ready
from torchbend.export.torchscript import compiled

__all__ = ["Switch", "nn_module"]

Switch = Callable[[Tensor], Tensor]
"""Changes the model's state in place, given 0 or 1; answers with any tensor."""

_CODES = {bool: 0, int: 1, float: 2}


def nn_module(
    engine: Engine,
    methods: Mapping[str, Played],
    switches: Mapping[str, Switch] | None = None,
    beside: nn.Module | None = None,
    *,
    seed: int | None = None,
    warm_up: bool = True,
) -> torch.jit.ScriptModule:
    """The module that is saved for nn~: without gradients, its state as it is now.

    Args:
        engine: of the bent model.
        methods: the methods to play.
        switches: further attributes, each a bool, with what happens when it is set.
        beside: a module beside the model whose tensors the methods use too.
        seed: a further attribute, which begins the random numbers anew when it is set, and when the file is
            loaded; not below 0.
        warm_up: play silence when a host reads the methods, so that the first blocks are fast.

    Raises:
        ExportError: a method, a callback or a control cannot be exported.
    """
    switches = dict(switches or {})
    own = [*switches, *([] if seed is None else ["seed"])]
    _refuse(engine, own, seed)
    like = next((t for t in (*engine.module.parameters(), *engine.module.buffers())), torch.zeros(()))
    longest = max(max(m.about.in_ratio, m.about.out_ratio) for m in methods.values())
    blocks = {name: method.about.example(longest, like) for name, method in methods.items()}
    examples = {
        _traced(name, method): ExampleInputs((_example(name, method, x),), {}, ("x",))
        for (name, method), x in zip(methods.items(), blocks.values(), strict=True)
    }
    queues = {
        queue: tensor
        for name, method in methods.items()
        if method.frame
        for queue, tensor in framed_queues(name, method, like).items()
    }
    attributes = [control.name for control in engine.controls] + own

    def define(module: torch.jit.ScriptModule, written: list[str]) -> None:
        silent = {name: list(x.shape) for name, x in blocks.items()} if warm_up else {}
        module.define(_loops(methods))
        define_ready(module, silent, [*written, *queues], seed is not None)
        module.define(_protocol(list(methods), attributes, list(switches), seed is not None))

    return compiled(
        engine,
        examples,
        calls={_traced(name, method): method.call for name, method in methods.items()},
        held={
            **_held(engine, methods, switches),
            **_held_seed(seed),
            **queues,
            IS_READY: torch.tensor(False, device=like.device),
        },
        write=_accessors,
        define=define,
        beside=beside,
        actions={f"_{name}": (switch, (torch.zeros(1).to(like),)) for name, switch in switches.items()},
    )


def _refuse(engine: Engine, own: list[str], seed: int | None) -> None:
    """Say no to controls that cannot be attributes, and to a seed that is none.

    Raises:
        ExportError: which, and why.
    """
    for control in engine.controls:
        if control.type not in _CODES:
            raise ExportError(
                "nn~ has no attributes of this type",
                site=control.name,
                wanted="a control that is a float, an int or a bool",
                got=control.type.__name__,
            )
        if control.name in own:
            raise ExportError(
                "a control and an attribute of the file would share a name",
                site=control.name,
                got=", ".join(own),
                next_step="make the BendingParameter with another name",
            )
    if seed is not None and not 0 <= seed < 2**31:
        raise ExportError("this is no seed", site="seed", wanted="a whole number from 0 on", got=seed)


def _held_seed(seed: int | None) -> dict[str, Tensor]:
    return {} if seed is None else {"seed_params": torch.tensor([1]), "seed_held": torch.tensor(seed)}


def _traced(name: str, method: Played) -> str:
    """Under which name a method's call is in the file."""
    return f"_{name}_frame" if method.by_frame or method.frame else name


def _example(name: str, method: Played, block: Tensor) -> Tensor:
    """What a method is traced with, given an example block."""
    if method.frame:
        return framed_example(name, method, block)
    return block[..., :1] if method.by_frame else block


def _loops(methods: Mapping[str, Played]) -> str:
    """The source of the methods that make one value after the other, or gather whole frames."""
    lines: list[str] = []
    for name, method in methods.items():
        if method.frame:
            lines += framed_source(name, _traced(name, method), method)
        elif method.by_frame:
            lines += [
                f"def {name}(self, x: Tensor) -> Tensor:",
                "    steady = torch.mean(x, -1, True)",
                "    values: List[Tensor] = []",
                "    for _ in range(x.size(-1)):",
                f"        values.append(self.{_traced(name, method)}(steady))",
                "    return torch.cat(values, -1)",
            ]
    return "\n".join([*lines, ""])


def _held(
    engine: Engine, methods: Mapping[str, Played], switches: Mapping[str, Switch]
) -> dict[str, Tensor | list[str]]:
    """What the file holds beside the model: numbers and labels of methods, types of attributes."""
    held: dict[str, Tensor | list[str]] = {}
    for name, method in methods.items():
        held[f"{name}_params"] = torch.tensor(method.about.params)
        held[f"{name}_input_labels"], held[f"{name}_output_labels"] = method.about.labels()
    for control in engine.controls:
        held[f"{control.name}_params"] = torch.tensor([_CODES[control.type]])
    for name in switches:
        held[f"{name}_params"] = torch.tensor([0])
        held[f"{name}_held"] = torch.tensor(False)
    return held


def _accessors(control: BendingParameter, paths: list[str]) -> str:
    return accessors(control, paths, for_host=True)


def _protocol(methods: list[str], attributes: list[str], switches: list[str], seed: bool) -> str:
    listed = f"    return {attributes!r}" if attributes else "    names: List[str] = []\n    return names"
    lines = [
        "def get_methods(self) -> List[str]:",
        "    self._get_ready()",
        f"    return {methods!r}",
        "def get_attributes(self) -> List[str]:",
        listed,
    ]
    for name in switches:
        lines += [
            f"def get_{name}(self) -> Tuple[bool]:",
            f"    return (bool(self.{name}_held),)",
            f"def set_{name}(self, value: bool) -> int:",
            f"    self.{name}_held.fill_(value)",
            f"    self._{name}(torch.tensor([float(value)]))",
            "    return 0",
        ]
    if seed:
        lines += [
            "def get_seed(self) -> Tuple[int]:",
            "    return (int(self.seed_held),)",
            "def set_seed(self, value: int) -> int:",
            "    if value < 0:",
            "        return 1",
            "    self.seed_held.fill_(value)",
            "    torch.manual_seed(value)",
            "    return 0",
        ]
    return "\n".join([*lines, ""])
