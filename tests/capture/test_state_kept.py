"""A capture leaves the module, its buffers and attributes, hooks and the random state as they were."""

from __future__ import annotations

import builtins
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from tests.zoo.nets_audio import old_weight_norm
from torch import Tensor, nn
from torch.nn.modules import module as hooks
from torch.nn.utils import parametrizations

from torchbend.capture import capture


class _Busy(nn.Module):
    """Changes everything that a forward can change. Shape: x [B, 4]."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4))
        self.register_buffer("level", torch.zeros(4))
        self.register_buffer("past", torch.zeros(1, 4))
        self.plain = torch.zeros(4)
        self.history: list[Tensor] = []
        self.cache: dict[str, Any] = {"calls": 0}
        self.names = {"a"}
        self.count = 0
        self.norm = nn.BatchNorm1d(4)
        self.drop = nn.Dropout(0.5)
        self.fail = False

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        self.level += 1
        self.level[0] = 7
        self.past = x.detach()[-1:]
        self.plain.add_(1)
        self.history.append(x)
        self.cache["calls"] += 1
        self.cache["last"] = x
        self.names.add("b")
        self.new_attribute = x
        self.weight.data.mul_(2)
        self.drop.p = 0.25
        self.drop.eval()
        self.register_buffer("late", torch.ones(1))
        y = self.drop(self.norm(x)) + torch.randn(4) + np.random.rand() + random.random()
        torch.nn.init.zeros_(self.norm.bias)
        if self.fail:
            raise KeyError("in mid-capture")
        return y * self.weight


def _state(module: nn.Module) -> dict[str, Any]:
    """Identity and contents of everything a module holds."""
    found: dict[str, Any] = {}
    for path, part in module.named_modules():
        for held in ("__dict__", "_parameters", "_buffers", "_modules"):
            values = part.__dict__ if held == "__dict__" else getattr(part, held)
            found[f"{path}.{held}"] = [(k, id(v)) for k, v in values.items()]
        for key, value in part.__dict__.items():
            if isinstance(value, (list, dict, set)) and not key.startswith("_"):
                found[f"{path}.{key}"] = [id(v) for v in value]
        found[f"{path} scalars"] = [
            (k, v) for k, v in part.__dict__.items() if isinstance(v, (int, float, bool))
        ]
    tensors = (*module.parameters(), *module.buffers())
    found["contents"] = [t.detach().clone() for t in tensors]
    return found


def _assert_same(a: dict[str, Any], b: dict[str, Any]) -> None:
    for before, after in zip(a.pop("contents"), b.pop("contents"), strict=True):
        assert torch.equal(before, after)
    assert a == b


@pytest.mark.parametrize("fail", [False, True], ids=["returns", "raises"])
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_everything_is_as_it_was(fail: bool, training: bool) -> None:
    module = _Busy().train(training)
    module.fail = fail
    plain = module.plain.clone()
    before = _state(module)
    if fail:
        with pytest.raises(KeyError, match="in mid-capture"):
            capture(module, "forward", (torch.randn(3, 4),), {})
    else:
        capture(module, "forward", (torch.randn(3, 4),), {})
    _assert_same(before, _state(module))
    assert torch.equal(module.plain, plain)
    assert module.cache == {"calls": 0} and module.history == [] and module.names == {"a"}
    assert not hasattr(module, "new_attribute") and not hasattr(module, "late")
    assert module.training is training and module.drop.training is training


@pytest.mark.parametrize("fail", [False, True], ids=["returns", "raises"])
def test_the_random_state_of_torch_numpy_and_python_is_as_it_was(fail: bool) -> None:
    module = _Busy()
    module.fail = fail
    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    wanted = torch.randn(2), np.random.rand(2), random.random()
    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    if fail:
        with pytest.raises(KeyError):
            capture(module, "forward", (torch.ones(3, 4),), {})
    else:
        capture(module, "forward", (torch.ones(3, 4),), {})
    assert torch.equal(torch.randn(2), wanted[0])
    assert np.array_equal(np.random.rand(2), wanted[1])
    assert random.random() == wanted[2]


@pytest.mark.parametrize("fail", [False, True], ids=["returns", "raises"])
def test_nothing_global_is_left_behind(fail: bool) -> None:
    module = _Busy()
    module.fail = fail
    operators = {name: value for name, value in vars(torch.Tensor).items() if name.startswith("__")}
    before = (
        builtins.range,
        dict(hooks._global_forward_hooks),
        dict(hooks._global_forward_pre_hooks),
        torch._C._len_torch_function_stack(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
    )
    try:
        capture(module, "forward", (torch.ones(3, 4),), {})
    except KeyError:
        assert fail
    after = (
        builtins.range,
        dict(hooks._global_forward_hooks),
        dict(hooks._global_forward_pre_hooks),
        torch._C._len_torch_function_stack(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
    )
    assert after == before
    now = {name: value for name, value in vars(torch.Tensor).items() if name.startswith("__")}
    assert now == operators


def test_the_inputs_are_as_they_were() -> None:
    class Writes(nn.Module):
        def forward(self, x: Tensor, more: dict[str, Tensor]) -> Tensor:
            return x + more["y"]

    x, y = torch.ones(3, requires_grad=True), torch.ones(3)
    capture(Writes(), "forward", (x, {"y": y}), {})
    assert torch.equal(x, torch.ones(3)) and x.grad is None and x.requires_grad
    assert not hasattr(x, "_torchbend") and type(x) is Tensor


def test_the_result_of_the_call_is_given_back() -> None:
    module = nn.Linear(4, 4)
    x = torch.randn(2, 4)
    _, out = capture(module, "forward", (x,), {})
    assert torch.equal(out, module(x))


@pytest.mark.parametrize(
    "norm", [old_weight_norm, parametrizations.weight_norm, parametrizations.spectral_norm]
)
def test_computed_weights_are_as_they_were(norm: Callable[[nn.Module], nn.Module]) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(norm(nn.Linear(4, 4)), nn.ReLU()).train()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    capture(module, "forward", (torch.randn(2, 4),), {})
    after = module.state_dict()
    assert list(after) == list(before) and all(torch.equal(after[k], before[k]) for k in before)


def test_gradients_are_as_they_were() -> None:
    module = nn.Linear(4, 4)
    module(torch.ones(1, 4)).sum().backward()
    grad = module.weight.grad
    copied = grad.clone()
    captured, out = capture(module, "forward", (torch.ones(1, 4),), {})
    assert module.weight.grad is grad and torch.equal(grad, copied)
    assert not out.requires_grad and all(p.requires_grad for p in module.parameters())
    assert captured.constants == {}


def test_hooks_of_the_model_s_own_run_and_stay() -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    calls: list[str] = []
    module[0].register_forward_hook(lambda m, a, out: calls.append("after"))
    module[1].register_forward_pre_hook(lambda m, a: calls.append("before"))
    capture(module, "forward", (torch.ones(1, 4),), {})
    assert calls == ["after", "before"]
    assert len(module[0]._forward_hooks) == 1 and len(module[1]._forward_pre_hooks) == 1


def test_a_capture_costs_no_copy_of_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Contents are copied only where something writes."""
    module = nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64))
    sizes: list[int] = []
    clone = Tensor.clone

    def counting(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        sizes.append(self.numel())
        return clone(self, *args, **kwargs)

    monkeypatch.setattr(Tensor, "clone", counting)
    capture(module, "forward", (torch.ones(2, 64),), {})
    assert sizes and max(sizes) == 64  # the buffers of the norm, not the weights
