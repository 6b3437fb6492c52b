"""What the 2024 prototype got wrong is right in a file for nn~ too."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import torchbend as tb

from .playing import away, blocks_of, both, loaded

SETTINGS = {1: [("c", 0.25)], 2: [("c", 1.5)], 3: [("c", 0.0)], 4: [("c", 1.0)]}
X = 0.5 * torch.randn(2, 1, 1024, generator=torch.Generator().manual_seed(1))


class Tied(nn.Module):
    """One weight under two names, an activation with two parts, and a sum whose terms come in a list."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv1d(1, 4, 1), nn.Conv1d(1, 4, 1)
        self.second.weight = self.first.weight
        self.last = nn.Conv1d(8, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        a, b = torch.sin(self.first(x)), torch.cos(self.second(x))
        return torch.tanh(self.last(torch.cat([a, b], 1)))


class Silenced(tb.BendingCallback):
    """Writes into what it is given."""

    activation_compatible = True
    jit_compatible = True

    def bend(self, x: Tensor, name: str | None = None) -> Tensor:
        x[..., :1, :] = 0.0
        return x


def _bended() -> tuple[tb.BendedModule, tb.BendingParameter]:
    bended = tb.BendedModule(Tied().eval())
    bended.trace("forward", torch.randn(1, 1, 256))
    return bended, tb.BendingParameter("c", 1.0, range=(0.0, 2.0))


def _agrees(bended: tb.BendedModule, path: Path, settings: dict[int, list[tuple[str, float]]]) -> None:
    """The file and the live model play one stream, and the control is heard in it."""

    def live(block: Tensor) -> Tensor:
        with torch.no_grad():
            return bended(block)

    before = {name: tensor.clone() for name, tensor in bended.module.state_dict().items()}
    module = loaded(bended.export(path, warm_up=False))
    wanted, got = both(module, bended, "forward", live, blocks_of(X, 64, (1, 2, 3, 5)), settings)
    assert away(wanted, got) <= 1e-5
    after = bended.module.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items()), "the model is as it was"


@pytest.mark.parametrize(
    "expression", [lambda c: 2 * c, lambda c: c + 1, lambda c: 1 - c, lambda c: -c, lambda c: c / 2]
)
@pytest.mark.parametrize("site", ["first.weight$", "forward:cos$"])
def test_expressions_of_a_control_are_live(expression, site: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    bended, c = _bended()
    bended.bend(tb.Scale(expression(c)), site)
    _agrees(bended, tmp_path / "model.ts", SETTINGS)


def test_bends_of_one_weight_compose_and_both_of_its_names_are_bent(tmp_path: Path) -> None:
    bended, c = _bended()
    bended.bend(tb.Scale(c), "first.weight$")
    bended.bend(tb.Scale(3.0), "first.weight$")
    _agrees(bended, tmp_path / "model.ts", SETTINGS)
    module = loaded(tmp_path / "model.ts")
    assert module.set_c(2.0) == 0
    plain = Tied().eval()
    with torch.no_grad():
        plain.first.weight.mul_(6.0)
        assert torch.allclose(plain(X), module(X), atol=1e-6)


def test_consumers_that_take_lists_hear_the_bend(tmp_path: Path) -> None:
    bended, c = _bended()
    bended.bend(tb.Scale(c), "forward:sin$")
    _agrees(bended, tmp_path / "model.ts", SETTINGS)
    module = loaded(tmp_path / "model.ts")
    silent, loud = (module(X).clone() for value in (0.0, 2.0) if module.set_c(value) == 0)
    assert away(loud, silent) > 0.01


def test_callbacks_that_write_in_place_harm_nothing(tmp_path: Path) -> None:
    bended, c = _bended()
    bended.bend(Silenced(), "forward:sin$")
    bended.bend(tb.Scale(c), "first.weight$")
    _agrees(bended, tmp_path / "model.ts", SETTINGS)


@pytest.mark.parametrize("site", ["last.weight$", "forward:sin$"])
@pytest.mark.parametrize("kind", [tb.Mask, tb.OrderedMask])
def test_masks_are_drawn_once_and_a_control_does_not_draw_them_again(
    kind: type[tb.BendingCallback], site: str, tmp_path: Path
) -> None:
    bended, c = _bended()
    bended.bend(kind(0.5, seed=3), site)  # type: ignore[arg-type]
    bended.bend(tb.Scale(c), site)
    _agrees(bended, tmp_path / "model.ts", SETTINGS)
    module = loaded(tmp_path / "model.ts")
    first = module(X).clone()
    assert module.set_c(0.5) == 0 and module.set_c(1.0) == 0
    assert torch.equal(module(X), first)


@pytest.mark.parametrize("site", ["last.weight$", "forward:sin$"])
@pytest.mark.parametrize("kind", [tb.Mask, tb.OrderedMask])
def test_how_much_is_kept_can_be_played(kind: type[tb.BendingCallback], site: str, tmp_path: Path) -> None:
    bended, _ = _bended()
    share = tb.BendingParameter("share", 0.5, range=(0.0, 1.0))
    bended.bend(kind(share, seed=3), site)  # type: ignore[arg-type]
    _agrees(bended, tmp_path / "model.ts", {1: [("share", 0.25)], 2: [("share", 1.0)], 4: [("share", 0.75)]})
