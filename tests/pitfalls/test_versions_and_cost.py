"""Versions mix with the weights given; a bent weight costs its own memory and one computation."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import torchbend as tb
from torchbend.errors import VersionError

from .models import joseph, seeded_linear


def _with_versions() -> tuple[nn.Sequential, tb.BendedModule]:
    model = seeded_linear(4, 4)
    bended = tb.BendedModule(model)
    bended.bend(tb.Scale(3.0), "0.weight")
    bended.write("loud")
    bended.reset()
    return model, bended


def test_weights_of_an_interpolation_are_used_as_given() -> None:
    model, bended = _with_versions()
    w, x = model[0].weight.detach(), torch.ones(1, 4)
    for default, loud in ((0.5, 0.5), (-1.0, 1.0), (1.0, 1.0), (0.0, 0.0), (2.0, -1.0)):
        with bended.interpolate(default, loud=loud):
            total = w * default + 3 * w * loud
            bias = model[0].bias * (default + loud)
            assert torch.allclose(bended(x), nn.functional.linear(x, total, bias), atol=1e-6)
    assert torch.equal(bended(x), model(x))


def test_normalising_is_an_option() -> None:
    model, bended = _with_versions()
    w, x = model[0].weight.detach(), torch.ones(1, 4)
    with bended.interpolate(3.0, loud=1.0, normalize=True):
        wanted = nn.functional.linear(x, w * 0.75 + 3 * w * 0.25, model[0].bias)
        assert torch.allclose(bended(x), wanted, atol=1e-6)
    with pytest.raises(VersionError, match="0"):
        bended.interpolate(-1.0, loud=1.0, normalize=True)


def test_integers_stay_integers() -> None:
    bended = tb.BendedModule(joseph())
    bended.create_version("high", {"f0": torch.full((1, 1, 1), 333)}, strict=False)
    with bended.interpolate(0.5, high=0.5):
        f0 = bended.bended_weights()["f0"]
    assert f0.dtype == torch.int64 and f0.item() == 222  # 221.5, rounded


class _SlowScale(tb.BendingCallback):
    """Counts how often it is applied."""

    def __init__(self) -> None:
        super().__init__()
        self.applied = 0

    def bend(self, x: Tensor) -> Tensor:
        self.applied += 1
        return x * 2


def test_a_bent_weight_is_computed_once_and_is_the_same_object_in_each_call() -> None:
    model = seeded_linear(4, 4)
    seen: list[int] = []
    model[0].register_forward_pre_hook(lambda module, args: seen.append(id(module.weight)))
    callback = _SlowScale()
    gain = tb.BendingParameter("gain", 1.0)
    bended = tb.BendedModule(model)
    bended.bend(callback, "0.weight")
    bended.bend(tb.Scale(gain), "0.bias")
    with torch.no_grad():
        for _ in range(5):
            bended(torch.ones(1, 4))
        assert callback.applied == 1 and len(set(seen)) == 1
        bended.update("gain", 2.0)  # another weight's control
        bended(torch.ones(1, 4))
        assert callback.applied == 1 and len(set(seen)) == 1
        model[0].weight.mul_(1.5)  # the weight itself changed: a fresh one
        bended(torch.ones(1, 4))
        assert callback.applied == 2
        assert torch.equal(bended.bended_weights()["0.weight"], model[0].weight * 2)


def test_unbent_weights_are_the_module_s_own_objects_in_a_call() -> None:
    model = seeded_linear(4, 4, 4)
    inside: dict[str, Any] = {}
    model[1].register_forward_pre_hook(
        lambda module, args: inside.update(own=module.weight, other=model[0].weight)
    )
    bended = tb.BendedModule(model)
    bended.bend(tb.Scale(2.0), "0.weight")
    bended(torch.ones(1, 4))
    assert inside["own"] is model[1].weight
    assert inside["other"] is not model[0].weight


def test_no_copy_of_the_module_is_ever_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a copy was made")

    model = seeded_linear(4, 4, 4)
    x = torch.ones(1, 4)
    plain = model(x)
    monkeypatch.setattr(copy, "deepcopy", refuse)
    monkeypatch.setattr(nn.Module, "state_dict", refuse)
    monkeypatch.setattr(nn.Module, "load_state_dict", refuse)
    bended = tb.BendedModule(model)
    bended.trace(x)
    bended.bend(tb.Scale(2.0), "0.weight", "_1$")
    assert torch.allclose(
        bended(x), 2 * model[1](nn.functional.linear(x, 2 * model[0].weight, model[0].bias))
    )
    bended.get_activations("_0$", input=x)
    bended.from_activations("_0", _0=torch.ones(1, 4))
    with bended.interpolate(0.5):
        bended(x)
    bended.reset()
    assert torch.equal(bended(x), plain) and bended.module is model


def test_no_graph_is_compiled_in_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a graph was compiled")

    model = seeded_linear(4, 4)
    x = torch.ones(1, 4)
    bended = tb.BendedModule(model)
    bended.trace(x)
    bended.bend(tb.Scale(2.0), "_0$")
    bended(x)
    monkeypatch.setattr(torch.fx.Graph, "python_code", refuse)
    monkeypatch.setattr(torch.fx.GraphModule, "__init__", refuse)
    monkeypatch.setattr(torch.fx.Interpreter, "run_node", refuse)
    assert torch.equal(bended(x), 2 * model(x))


def test_bends_of_weights_leave_no_hook_and_no_mode_on() -> None:
    """A bent weight costs no time at run time: nothing watches the call."""
    model = seeded_linear(4, 4)
    inside: list[tuple[int, int]] = []

    class Spy(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())
            inside.append((hooks, torch._C._len_torch_function_stack()))
            return x

    model.append(Spy())
    bended = tb.BendedModule(model)
    bended.trace(torch.ones(1, 4))
    inside.clear()
    bended.bend(tb.Scale(2.0), "0.weight")
    bended(torch.ones(1, 4))
    assert inside == [(0, 0)]


def test_a_bent_output_hooks_its_own_module_alone() -> None:
    model = seeded_linear(4, 4, 4)
    hooked: list[list[int]] = []
    model.append(nn.Identity())
    model[2].register_forward_pre_hook(
        lambda module, args: hooked.append([k for k, m in enumerate(model) if m._forward_hooks])
    )
    bended = tb.BendedModule(model)
    bended.trace(torch.ones(1, 4))
    hooked.clear()
    bended.bend(tb.Scale(2.0), "_0$")
    bended(torch.ones(1, 4))
    assert hooked == [[0]]
    assert not any(m._forward_hooks for m in model)
