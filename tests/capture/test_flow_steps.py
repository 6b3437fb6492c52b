"""What the program decides in Python is a flow step: listed, checked at replay, refused when it differs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import torchbend as tb
from torchbend.capture import Replay, capture
from torchbend.errors import ReplayError

from .fx_rows import Program

ONES = torch.ones(4, 6)


def _bool_of_tensor(x: Tensor, m: Any) -> Tensor:
    return x + 1 if x.sum() > 0 else x - 1


def _and_or(x: Tensor, m: Any) -> Tensor:
    return x * 2 if (x.min() > 0 and x.max() < 5) or x.numel() == 7 else x


def _not(x: Tensor, m: Any) -> Tensor:
    return x.sin() if not (x < 0).any() else x.cos()


def _size_compared(x: Tensor, m: Any) -> Tensor:
    return x[:, :4] * 2 if x.shape[-1] > 4 else x


def _size_equal(x: Tensor, m: Any) -> Tensor:
    return x * 2 if x.size(0) == 4 else x


def _size_modulo(x: Tensor, m: Any) -> Tensor:
    return x * 2 if x.shape[0] % 2 == 0 else x


def _size_true(x: Tensor, m: Any) -> Tensor:
    return x.sum() * 2 if x.shape[0] else x.sum()


def _range_of_size(x: Tensor, m: Any) -> Tensor:
    total = x[0] * 0
    for k in range(x.shape[0]):
        total = total + x[k] * k
    return total


def _range_of_half(x: Tensor, m: Any) -> Tensor:
    total = x[0] * 0
    for k in range(1, x.shape[0] // 2 + 1):
        total = total + x[k - 1]
    return total


def _iterated(x: Tensor, m: Any) -> Tensor:
    total = x[0] * 0
    for row in x:
        total = total + row.sin()
    return total


def _length(x: Tensor, m: Any) -> Tensor:
    return x.sum() * len(x)


def _item(x: Tensor, m: Any) -> Tensor:
    return x * round(x.max().item())


def _int_of(x: Tensor, m: Any) -> Tensor:
    return x.repeat(int(x.max()), 1)


def _float_of(x: Tensor, m: Any) -> Tensor:
    return x * float(x.sum())


def _tolist(x: Tensor, m: Any) -> Tensor:
    return x * x[0].tolist()[1]


def _numpy(x: Tensor, m: Any) -> Tensor:
    return x * float(x.numpy().max())


def _chunks(x: Tensor, m: Any) -> Tensor:
    total = x[:, :1] * 0
    for part in x.split(2, dim=-1):
        total = total + part.sum(-1, keepdim=True)
    return total


def _unbound(x: Tensor, m: Any) -> Tensor:
    rows = x.unbind(0)
    return rows[0] + rows[-1] * 2


def _max_of_sizes(x: Tensor, m: Any) -> Tensor:
    return x * max(x.shape[0], 5)


def _contains(x: Tensor, m: Any) -> Tensor:
    return x * 2 if 1.0 in x else x


def _while(x: Tensor, m: Any) -> Tensor:
    while x.norm() > 2:
        x = x / 2
    return x


# program, kind of its first flow step, an input on the same way (or None), an input on another way
CASES: dict[str, tuple[Callable[..., Any], str, Tensor | None, Tensor]] = {
    "bool of a tensor": (_bool_of_tensor, "branch", ONES * 2, -ONES),
    "and, or": (_and_or, "branch", ONES * 2, ONES * 9),
    "not": (_not, "branch", ONES * 2, -ONES),
    "size > 4": (_size_compared, "branch", torch.ones(3, 7), torch.ones(4, 3)),
    "size == 4": (_size_equal, "branch", torch.ones(4, 9), torch.ones(5, 6)),
    "size % 2": (_size_modulo, "branch", torch.ones(6, 6), torch.ones(5, 6)),
    "size as a truth": (_size_true, "branch", torch.ones(2, 6), torch.ones(0, 6)),
    "range(size)": (_range_of_size, "loop", torch.ones(4, 2), torch.ones(5, 6)),
    "range(size // 2)": (_range_of_half, "loop", torch.ones(5, 6), torch.ones(6, 6)),
    "for row in x": (_iterated, "", torch.ones(4, 3), torch.ones(5, 6)),
    "len(x)": (_length, "loop", torch.ones(4, 3), torch.ones(5, 6)),
    "item": (_item, "value", None, ONES * 3),
    "int": (_int_of, "value", torch.ones(2, 6), ONES * 3),
    "float": (_float_of, "value", None, ONES * 3),
    "tolist": (_tolist, "value", None, ONES * 3),
    "numpy": (_numpy, "value", None, ONES * 3),
    "number of parts": (_chunks, "count", torch.ones(2, 6), torch.ones(4, 8)),
    "number of rows": (_unbound, "count", torch.ones(4, 2), torch.ones(5, 6)),
    "max of a size": (_max_of_sizes, "branch", torch.ones(3, 6), torch.ones(8, 6)),
    "in": (_contains, "value", torch.ones(4, 6), -ONES),
    "while": (_while, "branch", ONES * 1.01, ONES * 8),
}


@pytest.mark.parametrize("name", CASES)
def test_another_way_is_refused(name: str) -> None:
    program, kind, same, other = CASES[name]
    module = Program(program)
    captured, out = capture(module, "forward", (ONES,), {})
    kinds = {step.kind for step in captured.graph.flow_steps}
    assert kind in kinds or not kind
    replay = Replay(module, captured)
    assert torch.equal(replay.run_all({"x": ONES}), out)
    if same is not None:
        assert torch.equal(replay.run_all({"x": same}), module(same))
    with pytest.raises(ReplayError) as told:
        replay.run_all({"x": other})
    assert told.value.next_step is not None and "trace again" in told.value.next_step


@pytest.mark.parametrize("name", CASES)
def test_the_graph_module_refuses_too_and_the_bent_model_runs(name: str) -> None:
    program, _, same, other = CASES[name]
    module = Program(program)
    bended = tb.BendedModule(module)
    bended.trace(ONES)
    graph = bended.graph_module()
    if same is not None:
        assert torch.equal(graph(same), module(same))
    with pytest.raises(ReplayError):
        graph(other)
    assert torch.equal(bended(other), module(other))


def test_a_step_names_the_line_of_the_model() -> None:
    captured, _ = capture(Program(_bool_of_tensor), "forward", (ONES,), {})
    (step,) = captured.graph.flow_steps
    assert step.kind == "branch" and step.expected is True
    line = _bool_of_tensor.__code__.co_firstlineno + 1
    assert step.source == f"capture/test_flow_steps.py:{line}"
    assert str(step).startswith("branch: bool(gt) == True")


def test_an_argument_that_is_no_tensor_is_taken_for_granted() -> None:
    class Chooses(torch.nn.Module):
        def forward(self, x: Tensor, how: str = "sin", gain: float = 2.0) -> Tensor:
            return getattr(x, how)() * gain

    module = Chooses()
    captured, _ = capture(module, "forward", (ONES,), {"how": "cos", "gain": 3.0})
    replay = Replay(module, captured)
    assert torch.equal(replay.run_all({"x": ONES, "how": "cos", "gain": 3.0}), ONES.cos() * 3)
    assert torch.equal(replay.run_all({"x": ONES, "how": "cos", "gain": 5.0}), ONES.cos() * 5)
    with pytest.raises(ReplayError):
        replay.run_all({"x": ONES, "how": "sin", "gain": 3.0})


def test_a_missing_input_is_named() -> None:
    module = Program(_size_equal)
    captured, _ = capture(module, "forward", (ONES,), {})
    with pytest.raises(ReplayError, match="'x' is needed"):
        Replay(module, captured).run_all({})


def test_reading_a_value_without_using_it_does_not_refuse_every_other_input() -> None:
    """A progress message prints a shape: that decides nothing."""

    def program(x: Tensor, m: Any) -> Tensor:
        m.told = f"{tuple(x.shape)} {x.dtype}"
        return x * 2

    module = Program(program)
    captured, _ = capture(module, "forward", (ONES,), {})
    other = torch.ones(2, 3)
    assert torch.equal(Replay(module, captured).run_all({"x": other}), other * 2)
