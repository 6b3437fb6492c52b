"""Captures can be copied and pickled, made in several threads at once, and inside one another."""

from __future__ import annotations

import copy
import pickle
import threading
from typing import Any

import pytest
import torch
from tests.zoo.handwritten import HANDWRITTEN
from torch import Tensor, nn

import torchbend as tb
from torchbend.capture import Capture, Replay, capture
from torchbend.errors import ReplayError

from .fx_rows import Program, rows

X = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))


def _branching(x: Tensor, m: Any) -> Any:
    y = x @ m.w + torch.ones(x.shape[0], 1)
    parts = y.chunk(2, dim=-1)
    if x.sum() > -100:
        y = parts[0].sin() * torch.tensor([2.0]) ** 2
    return {"y": y, "parts": parts}


@pytest.mark.parametrize("how", ["deepcopy", "pickle"])
def test_a_capture_can_be_copied(how: str) -> None:
    module = Program(_branching)
    captured, _ = capture(module, "forward", (X,), {})
    twin: Capture = copy.deepcopy(captured) if how == "deepcopy" else pickle.loads(pickle.dumps(captured))
    assert [r[:2] for r in rows(twin.graph)] == [r[:2] for r in rows(captured.graph)]
    assert [r[3:] for r in rows(twin.graph)] == [r[3:] for r in rows(captured.graph)]
    assert twin.activations == captured.activations
    assert [str(s) for s in twin.graph.flow_steps] == [str(s) for s in captured.graph.flow_steps]
    twin.graph.lint()
    other = torch.ones(3, 6)
    assert torch.equal(Replay(module, twin).run_all({"x": other})["y"], module(other)["y"])
    with pytest.raises(ReplayError):
        Replay(module, twin).run_all({"x": torch.full((3, 6), -100.0)})
    own = {id(n) for n in captured.graph.nodes}
    assert not any(id(n) in own for n in twin.graph.nodes)


@pytest.mark.parametrize("entry", HANDWRITTEN, ids=lambda e: e.name)
def test_every_handwritten_network_s_capture_can_be_copied(entry: Any) -> None:
    module = entry.build()
    captured, _ = capture(module, entry.method, (), entry.inputs())
    twin = copy.deepcopy(captured)
    assert [r[:2] for r in rows(twin.graph)] == [r[:2] for r in rows(captured.graph)]
    assert twin.activations == captured.activations
    assert [n.name for n in twin.graph.nodes if n.op == "placeholder"] == [
        n.name for n in captured.graph.nodes if n.op == "placeholder"
    ]


def test_threads_that_capture_at_once_do_not_mix() -> None:
    def sines(x: Tensor, m: Any) -> Tensor:
        for _ in range(x.shape[0] * 5):
            x = torch.sin(x) * 2
        return x

    def cosines(x: Tensor, m: Any) -> Tensor:
        for _ in range(x.shape[0] * 5):
            x = 1 - torch.cos(x)
        return x

    programs = {"sin": Program(sines), "cos": Program(cosines)}
    wanted = {k: rows(capture(m, "forward", (X,), {})[0].graph) for k, m in programs.items()}
    found: dict[tuple[str, int], Any] = {}
    start = threading.Barrier(4)

    def work(key: str, number: int) -> None:
        start.wait()
        for turn in range(5):
            captured, out = capture(programs[key], "forward", (X,), {})
            found[key, number * 10 + turn] = rows(captured.graph), out

    threads = [threading.Thread(target=work, args=(k, n)) for k in programs for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    for (key, _), (graph, out) in found.items():
        assert graph == wanted[key]
        assert torch.equal(out, programs[key](X))


def test_another_thread_s_calls_are_not_recorded() -> None:
    stop, running = threading.Event(), threading.Event()
    other = nn.Linear(6, 6)
    errors: list[BaseException] = []

    def busy() -> None:
        try:
            while not stop.is_set():
                y = other(torch.ones(2, 6)) * 3 + 1
                assert sum(range(y.shape[0])) == 1 and isinstance(range(3), range)
                running.set()
        except BaseException as error:  # noqa: BLE001  told by the main thread
            errors.append(error)
            running.set()

    thread = threading.Thread(target=busy)
    thread.start()
    running.wait()
    module = Program(_branching)
    try:
        graphs = [rows(capture(module, "forward", (X,), {})[0].graph) for _ in range(20)]
    finally:
        stop.set()
        thread.join()
    assert errors == []
    assert all([r[:2] for r in g] == [r[:2] for r in graphs[0]] for g in graphs)
    assert "linear" not in {r[1] for r in graphs[0]}


class _Captures(nn.Module):
    """Captures another module in the middle of its own forward. Shape: x [4, 6]."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Program(lambda x, m: x.cos() @ m.w)
        self.graphs: list[Any] = []
        self.last: Any = None

    def forward(self, x: Tensor) -> Tensor:
        y = x.sin()
        captured, _ = capture(self.inner, "forward", (y,), {})
        _Captures.seen = [n.name for n in captured.graph.nodes]
        return y * 2 + 1

    seen: list[str] = []


def test_a_capture_inside_a_capture() -> None:
    module = _Captures()
    captured, out = capture(module, "forward", (X,), {})
    assert [n.name for n in captured.graph.nodes] == ["x", "sin", "mul", "add", "output"]
    assert _Captures.seen == ["x", "cos", "w", "matmul", "output"]
    assert torch.equal(out, X.sin() * 2 + 1)
    again, _ = capture(module, "forward", (X,), {})
    assert rows(again.graph) == rows(captured.graph)


def test_a_bent_module_inside_a_bent_module() -> None:
    inner = Program(lambda x, m: x.cos())
    bent = tb.BendedModule(inner)
    bent.trace(X)
    bent.bend(tb.Scale(2.0), "cos$")

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = bent

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x.sin()) + 1

    outer = tb.BendedModule(Outer())
    assert torch.equal(outer(X), 2 * X.sin().cos() + 1)
    outer.trace(X)
    outer.bend(tb.Scale(3.0), "sin$")
    assert torch.equal(outer(X), 2 * (3 * X.sin()).cos() + 1)
    outer.reset()
    bent.reset()
    assert torch.equal(outer(X), X.sin().cos() + 1)
