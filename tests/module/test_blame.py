"""What goes wrong because of a bend is told as that bend's, with its site and the next step."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import torchbend as tb
from torchbend import errors


class Net(nn.Module):
    """Two layers, and a method that yields."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4)

    def encode(self, x: Tensor) -> Tensor:
        return torch.tanh(self.first(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.encode(x))

    def stream(self, x: Tensor) -> Iterator[Tensor]:
        for _ in range(3):
            x = self.first(x)
            yield x


@pytest.fixture
def bended() -> tb.BendedModule:
    made = tb.BendedModule(Net())
    made.trace(torch.ones(2, 4))
    return made


@pytest.mark.parametrize("site", ["tanh$", "first.weight"])
def test_a_result_on_another_device_is_refused_at_the_site(bended: tb.BendedModule, site: str) -> None:
    bended.bend(tb.Lambda(lambda t: t.to("meta")), site)
    with pytest.raises(errors.DeviceError, match="another device") as caught:
        bended(torch.ones(2, 4))
    assert caught.value.wanted == "cpu" and caught.value.got == "meta" and caught.value.next_step


@pytest.mark.parametrize(("site", "label"), [("tanh$", "forward:tanh"), ("second.weight", "second.weight")])
def test_a_failure_after_another_dtype_is_told_as_the_bends(
    bended: tb.BendedModule, site: str, label: str
) -> None:
    bended.bend(tb.Lambda(lambda t: t.double()), site)
    for _ in range(2):  # a bent weight is kept: the second call has to tell it too
        with pytest.raises(errors.CallbackError, match="changed a dtype") as caught:
            bended(torch.ones(2, 4))
        assert caught.value.site == label and caught.value.got == "torch.float64"


def test_another_dtype_that_the_model_takes_is_fine(bended: tb.BendedModule) -> None:
    bended.bend(tb.Lambda(lambda t: t.double()), "linear.*|second$")
    assert bended(torch.ones(2, 4)).dtype is torch.float64


def test_a_given_activation_of_a_wrong_shape_is_told(bended: tb.BendedModule) -> None:
    with pytest.raises(errors.ReplayError, match="failed from there on") as caught:
        bended.from_activations("tanh", tanh=torch.ones(2, 7))
    assert "(2, 4)" in str(caught.value) and "(2, 7)" in str(caught.value)


def test_a_method_that_yields_is_bent_step_by_step(bended: tb.BendedModule) -> None:
    x = torch.ones(2, 4)
    net: Any = bended.module
    plain = list(net.stream(x))
    bended.bend(tb.Scale(0.0), "first.weight|first.bias")
    steps = bended.stream(x)
    assert not next(steps).any()
    bended.reset()
    assert torch.equal(next(steps), net.first(torch.zeros(2, 4)))
    assert len(list(steps)) == 1
    assert all(torch.equal(a, b) for a, b in zip(bended.stream(x), plain, strict=True))


def test_the_wrapped_module_cannot_be_replaced(bended: tb.BendedModule) -> None:
    with pytest.raises(errors.TorchbendError, match="cannot be replaced"):
        bended.module = nn.Linear(2, 2)  # type: ignore[misc]


def test_a_kept_method_takes_no_name_of_the_model_and_positional_inputs(bended: tb.BendedModule) -> None:
    x = torch.ones(2, 4)
    with pytest.raises(errors.CaptureError, match="cannot be kept"):
        bended.get_activations("tanh$", x=x, _save_as_method="encode")
    bended.get_activations("tanh$", _save_as_method="tanh_of")
    assert torch.equal(bended.tanh_of(x)["tanh"], bended.tanh_of(x=x)["tanh"])


def test_no_pattern_is_refused(bended: tb.BendedModule) -> None:
    with pytest.raises(errors.SiteNotFoundError, match="no activation was asked for"):
        bended.get_activations(x=torch.ones(2, 4))


def test_wrong_weights_of_versions_are_refused(bended: tb.BendedModule) -> None:
    with pytest.raises(errors.VersionError, match="no weights"):
        bended.create_version("loud", 3)  # type: ignore[arg-type]
    bended.create_version("loud")
    with pytest.raises(errors.VersionError, match="is a number"):
        bended.interpolate(loud="a")  # type: ignore[arg-type]


def test_a_part_is_selected_by_its_printed_name() -> None:
    bended = tb.BendedModule(nn.Sequential(nn.LSTM(3, 3)))
    bended.trace(torch.ones(2, 1, 3))
    part = next(n for n in bended.activation_names() if n.endswith("[0]"))
    for pattern in (part, f"{part}$"):
        with bended.bend(tb.Scale(0.0), pattern):
            assert not bended(torch.ones(2, 1, 3))[0].any()


def test_shift_is_roll_without_wrapping(tmp_path: Path) -> None:
    x = torch.arange(5.0)[None]
    assert torch.equal(tb.Shift(2)(x), torch.tensor([[0.0, 0, 0, 1, 2]]))
    recipe = tb.BendingConfig((tb.Shift(2), "first.weight"))
    recipe.save(tmp_path / "r.json")
    assert tb.BendingConfig.load(tmp_path / "r.json") == recipe
