"""What cannot be exported is refused with the site's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import torchbend as tb
from torchbend.errors import ExportError


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(self.linear(x))


class Reading(tb.BendingCallback):
    """Reads its control as a Python number."""

    controllable_params = ("gain",)

    def __init__(self, gain: Any = 1.0) -> None:
        super().__init__()
        self.register_controllable("gain", gain)

    def bend(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return x * float(self.get("gain"))


class Branching(tb.BendingCallback):
    """Goes one way or the other with the sign of the mean."""

    def bend(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return x * 2 if bool(x[0, 0] > 0) else x - 1


@pytest.fixture
def bended() -> tb.BendedModule:
    bended = tb.BendedModule(Net())
    bended.trace(torch.randn(2, 4))
    return bended


@pytest.mark.parametrize(("pattern", "site"), [("sin", "forward:sin"), ("linear.weight", "linear.weight")])
def test_a_lambda_is_refused_by_its_site(bended: tb.BendedModule, pattern: str, site: str) -> None:
    bended.bend(tb.Scale(2.0) >> tb.Lambda(lambda x: x), f"{pattern}$")
    with pytest.raises(ExportError) as told:
        bended.script()
    assert told.value.site == site
    assert told.value.got == "Lambda"


@pytest.mark.parametrize(("pattern", "site"), [("sin", "forward:sin"), ("linear.weight", "linear.weight")])
def test_a_control_that_would_stand_still_is_refused(
    bended: tb.BendedModule, pattern: str, site: str
) -> None:
    bended.bend(Reading(tb.BendingParameter("gain", 2.0)), f"{pattern}$")
    with pytest.raises(ExportError, match="'gain' does not act") as told:
        bended.script()
    assert told.value.site == site


def test_a_branch_on_values_in_a_callback_is_refused(bended: tb.BendedModule) -> None:
    bended.bend(Branching(), "sin")
    with pytest.raises(ExportError, match="another way") as told:
        bended.script()
    assert told.value.site == "forward:sin"


@pytest.mark.parametrize("name", ["my gain", "2nd", "für", "class"])
def test_a_control_needs_a_name_for_its_methods(bended: tb.BendedModule, name: str) -> None:
    bended.bend(tb.Scale(tb.BendingParameter(name, 2.0)), "sin")
    with pytest.raises(ExportError, match="identifier"):
        bended.script()


def test_a_control_that_shares_a_name_with_a_method_is_refused(bended: tb.BendedModule) -> None:
    bended.bend(tb.Scale(tb.BendingParameter("submodule", 2.0)), "sin")
    with pytest.raises(ExportError, match="share a name"):
        bended.script()


def test_outputs_that_torchscript_does_not_know_are_refused() -> None:
    class Drawn(nn.Module):
        def forward(self, x: Tensor) -> torch.distributions.Normal:
            return torch.distributions.Normal(x, x.exp())

    bended = tb.BendedModule(Drawn())
    bended.trace(torch.randn(2, 4))
    with pytest.raises(ExportError, match="tracer") as told:
        bended.script()
    assert told.value.site == "forward"


def test_inputs_that_cannot_be_made_up_are_asked_for() -> None:
    class Listed(nn.Module):
        def forward(self, xs: list[Tensor]) -> Tensor:
            return xs[0] + xs[1]

    bended = tb.BendedModule(Listed())
    xs = [torch.randn(2), torch.randn(2)]
    bended.trace(xs)
    with pytest.raises(ExportError, match="cannot be made up"):
        bended.script()
    assert torch.equal(bended.script(inputs={"forward": {"xs": xs}})(xs), xs[0] + xs[1])


def test_after_a_refusal_all_is_as_before(bended: tb.BendedModule) -> None:
    x = torch.randn(2, 4)
    bended.bend(Reading(tb.BendingParameter("gain", 2.0)), "sin")
    before = bended(x)
    with pytest.raises(ExportError):
        bended.script()
    assert torch.equal(bended(x), before)
    bended.reset()
    assert torch.equal(bended(x), bended.module(x))


class Counting(tb.BendingCallback):
    """Louder with each call: it counts in its site's memory, as a number or as a tensor, or in a buffer."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where
        self.register_buffer("count", torch.zeros(1))

    def bend(self, x: Tensor, site: Any) -> Tensor:
        if self.where == "number":
            site.memory["count"] = site.memory.get("count", 0) + x.shape[0]
            count: Any = site.memory["count"]
        else:
            count = site.once("count", lambda: torch.zeros(1)) if self.where == "tensor" else self.count
            count.add_(1)
        out: Tensor = x * count
        return out


@pytest.mark.parametrize("where", ["number", "tensor", "buffer"])
def test_a_callback_that_goes_on_from_call_to_call_is_refused(where: str, tmp_path: Path) -> None:
    bended = tb.BendedModule(nn.Tanh())
    bended.trace(torch.randn(1, 1, 64))
    bended.bend(tb.Scale(2.0) >> Counting(where), "tanh$")
    numbers = {"forward": (1, 1, 1, 1)}
    for export in (bended.script, lambda: bended.export(tmp_path / "x.ts", methods=numbers)):
        with pytest.raises(ExportError, match="remembers something from call to call") as told:
            export()
        assert told.value.site == "forward:tanh"
        assert told.value.got == "'count', which each call changes"
    assert not (tmp_path / "x.ts").exists()


def test_what_is_drawn_once_is_no_reason_to_refuse(bended: tb.BendedModule) -> None:
    drawing = tb.Mask(0.5, seed=1) >> tb.Normal(0.1, seed=2) >> tb.Permute(seed=3)
    bended.bend(drawing, "sin$", "linear.weight$")
    x = torch.randn(2, 4)
    assert torch.allclose(bended.script().forward(x), bended(x))
