"""Neither exceptions, threads nor a thousand bends leave a trace in the module or in memory."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import psutil
import pytest
import torch
from tests.zoo.nets_audio import old_weight_norm
from torch import Tensor, nn
from torch.nn.utils import parametrizations

import torchbend as tb
from torchbend.errors import CallbackError

X = torch.linspace(-1, 1, 8).reshape(2, 4)


class _Model(nn.Module):
    """Layers of several kinds, two methods, and a switch that makes it fail. Shape: x [B, 4]."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = old_weight_norm(nn.Linear(4, 4))
        self.second = parametrizations.weight_norm(nn.Linear(4, 4))
        self.tied = nn.Linear(4, 4)
        self.lstm = nn.LSTM(4, 4, batch_first=True)
        self.register_buffer("table", torch.ones(4))
        self.fail: type[BaseException] | None = None

    def encode(self, x: Tensor) -> Tensor:
        return self.second(self.first(x).sin()) * self.table

    def forward(self, x: Tensor) -> Tensor:
        y = self.lstm(self.encode(x)[None])[0][0]
        if self.fail is not None:
            raise self.fail("in mid-call")
        return self.tied(y).cos()


def _identity(module: nn.Module) -> dict[str, Any]:
    """Ids of everything that a module holds, hooks and attributes included, and the global mode stack."""
    found: dict[str, Any] = {"modes": torch._C._len_torch_function_stack()}
    for path, part in module.named_modules():
        for name, value in part.__dict__.items():
            found[f"{path}.{name}"] = id(value)
            if isinstance(value, dict):
                found[f"{path}.{name} items"] = [(k, id(v)) for k, v in value.items()]
            elif isinstance(value, list):
                found[f"{path}.{name} items"] = [id(v) for v in value]
    return found


def _bent(model: nn.Module) -> tb.BendedModule:
    bended = tb.BendedModule(model)
    bended.trace(X)
    bended.trace("encode", X)
    bended.bend(tb.Scale(2.0), ".*weight.*", ".*bias", "lstm.*")
    bended.bend(tb.Scale(2.0), "table", buffers=True)
    bended.bend(tb.Scale(2.0), "sin$", "cos$", r"lstm\[0\]", "x$")
    return bended


def test_a_call_leaves_the_module_as_it_was() -> None:
    model = _Model()
    bended = _bent(model)
    with torch.no_grad():
        model(X)  # the old weight norm leaves its computed weight in the module at each call
        for call in (bended, bended.encode, lambda x: bended.get_activations("sin$", x=x)):
            before = _identity(model)
            kept = model.first.__dict__["weight"]
            call(X)
            after = _identity(model)
            if model.first.__dict__["weight"] is not kept:  # only what the plain model itself changes
                before["first.weight"] = after["first.weight"] = 0
            assert after == before


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, RuntimeError, SystemExit])
def test_an_exception_of_the_model_leaves_it_as_it_was(error: type[BaseException]) -> None:
    model = _Model()
    with torch.no_grad():
        plain = model(X)
        bended = _bent(model)
        wanted = bended(X)
        before = _identity(model)
        model.fail = error
        before[".fail"] = id(error)
        for _ in range(3):
            with pytest.raises(error, match="in mid-call"):
                bended(X)
            now = _identity(model)
            now["first.weight"] = before["first.weight"]
            assert now == before
        model.fail = None
        assert torch.equal(model(X), plain)
        assert torch.equal(bended(X), wanted)


@pytest.mark.parametrize("pattern", ["first.weight_g", "second.bias", "sin$", "cos$", r"lstm\[0\]", "x$"])
def test_an_exception_of_a_callback_leaves_it_as_it_was(pattern: str) -> None:
    model = _Model()
    plain = model(X)
    bended = _bent(model)

    def fails(x: Tensor) -> Tensor:
        raise ValueError("of the callback")

    bended.bend(tb.Lambda(fails), pattern)
    before = _identity(model)
    with pytest.raises(CallbackError, match="of the callback") as told:
        bended(X)
    assert told.value.site is not None and pattern.split("$")[0].replace("\\", "") in told.value.site
    now = _identity(model)
    now["first.weight"] = before["first.weight"]
    assert now == before
    bended.reset()
    assert torch.equal(bended(X), plain)


def test_threads_calling_while_a_control_moves_each_see_one_value() -> None:
    class Gains(nn.Module):
        """The control is read by two weights and an activation. Shape: x [B, 4] -> [B, 3]."""

        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Parameter(torch.ones(4))
            self.b = nn.Parameter(torch.ones(4))

        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([(x * self.a).sum(-1), (x * self.b).sum(-1), x.sum(-1)], dim=-1)

    model = Gains().requires_grad_(False)
    control = tb.BendingParameter("gain", 0)
    bended = tb.BendedModule(model)
    bended.trace(torch.ones(2, 4))
    bended.bend(tb.Scale(control), "a$", "b$")
    bended.bend(tb.Scale(control), "sum_3$")
    values = range(50)
    outputs: list[list[float]] = []
    errors: list[BaseException] = []
    stop = threading.Event()

    def play() -> None:
        try:
            mine = [bended(torch.ones(1, 4))[0].tolist() for _ in range(150)]
            outputs.extend(mine)
        except BaseException as error:  # noqa: BLE001  told by the main thread
            errors.append(error)

    def turn() -> None:
        while not stop.is_set():
            for value in values:
                bended.update("gain", value)

    players = [threading.Thread(target=play) for _ in range(8)]
    turner = threading.Thread(target=turn)
    turner.start()
    for player in players:
        player.start()
    for player in players:
        player.join()
    stop.set()
    turner.join()
    assert errors == [] and len(outputs) == 1200
    assert all(out == [4.0 * (c := out[0] / 4), 4.0 * c, 4.0 * c] and c in values for out in outputs)
    assert len({tuple(out) for out in outputs}) > 1
    assert torch.equal(model.a, torch.ones(4))


def test_a_thousand_bends_leave_nothing_behind() -> None:
    model = nn.Sequential(nn.Linear(256, 256), nn.Tanh(), nn.Linear(256, 256)).requires_grad_(False)
    x = torch.ones(1, 256)
    bended = tb.BendedModule(model)
    bended.trace(x)
    process = psutil.Process()
    callbacks: list[weakref.ref[Any]] = []
    weights: list[weakref.ref[Any]] = []

    def rounds(count: int) -> None:
        for _ in range(count):
            callback = tb.Scale(tb.BendingParameter("gain", 2.0)) >> tb.Normal(0.1)
            bended.bend(callback, "0.weight", "2.bias", "_1$")
            bended(x)
            bended.update("gain", 3.0)
            bended(x)
            callbacks.append(weakref.ref(callback))
            weights.append(weakref.ref(bended.bended_weights()["0.weight"]))
            bended.reset()

    rounds(50)
    bended(x)
    gc.collect()
    before = process.memory_info().rss
    rounds(1000)
    bended(x)
    gc.collect()
    assert sum(ref() is not None for ref in callbacks) == 0
    assert sum(ref() is not None for ref in weights) == 0
    assert process.memory_info().rss - before < 5e6
    assert not model[1]._forward_hooks and set(vars(model)) == set(vars(nn.Sequential()))


def test_a_bent_module_lets_its_module_go() -> None:
    model = nn.Linear(4, 4)
    gone = weakref.ref(model)
    bended = tb.BendedModule(model)
    bended.trace(torch.ones(1, 4))
    bended.bend(tb.Scale(2.0), ".*")
    bended(torch.ones(1, 4))
    del model, bended
    gc.collect()
    assert gone() is None


MODES: dict[str, Callable[[], Any]] = {
    "grad": torch.enable_grad,
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
}


@pytest.mark.parametrize("first", MODES)
@pytest.mark.parametrize("second", MODES)
def test_modes_can_follow_one_another(first: str, second: str) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
    bended = tb.BendedModule(model)
    bended.trace(X)
    bended.bend(tb.Normal(0.1, seed=1), "0.weight")
    bended.bend(tb.Scale(2.0), "_1$")
    with MODES[first]():
        one = bended(X)
    with MODES[second]():
        two = bended(X)
        assert two.requires_grad == (second == "grad")
    assert torch.equal(one, two)
