"""A site by its name, the tab key that completes it, and what a bent module says of itself."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

import torchbend as tb
from torchbend.errors import SiteNotFoundError


class Net(nn.Module):
    """Two methods that share an activation's name."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(2, 3)
        self.register_buffer("gain", torch.tensor(2.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.first(x)) * self.gain

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sin(torch.tanh(x))


@pytest.fixture
def bended() -> tb.BendedModule:
    made = tb.BendedModule(Net())
    made.trace(torch.ones(1, 2))
    made.trace("encode", torch.ones(1, 2))
    return made


def test_a_site_by_its_name_is_bent(bended: tb.BendedModule) -> None:
    x = torch.tensor([[1.0, -2.0]])
    plain = bended(x)
    assert bended["first.weight"].labels == ["first.weight"]
    assert bended["encode:tanh"].labels == ["encode:tanh"]
    assert bended["sin"].labels == ["encode:sin"]
    assert bended["gain"].bend(tb.Scale(2.0)).keys == ["gain"]
    assert torch.equal(bended(x), 2 * plain)
    assert all(name in bended for name in ("gain", "sin", "forward:tanh", "first.bias"))
    assert "cos" not in bended and 3 not in bended


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tanh", "several methods have an activation 'tanh'.*forward:tanh, encode:tanh"),
        ("first.weigth", "no site 'first.weigth'.*first.weight"),
        ("nowhere:tanh", "no site"),
        (0, "found by its name.*select"),
    ],
)
def test_other_names_are_told(bended: tb.BendedModule, name: str, said: str) -> None:
    with pytest.raises(SiteNotFoundError) as caught:
        bended[name]
    assert re.search(said, str(caught.value).replace("\n", " "))


def test_the_tab_key_completes_names(bended: tb.BendedModule) -> None:
    shells = pytest.importorskip("IPython.core.interactiveshell")
    shell = shells.InteractiveShell()
    try:
        shell.user_ns.update(model=bended, chosen=bended.select("first"))
        for typed, names in (
            ('model["', {"first.weight", "first.bias", "gain", "forward:tanh", "encode:tanh", "encode:sin"}),
            ('model["encode:t', {"tanh"}),  # behind the colon
            ('chosen["first.w', {"first.weight"}),
        ):
            completed = shell.Completer.complete(line_buffer=typed, cursor_pos=len(typed))[1]
            assert names <= set(completed), typed
    finally:
        shell.history_manager.end_session()
        shell.clear_instance()


def test_a_bent_module_says_what_it_is(bended: tb.BendedModule) -> None:
    second = repr(bended).splitlines()[1].strip()
    counts = [len(bended.activation_names(fn)) for fn in ("forward", "encode")]
    assert (
        second
        == f"9 weights; traced: forward ({counts[0]} activations), encode ({counts[1]} activations); not bent"
    )
    bended.bend(tb.Scale(2.0), "first\\.")
    assert repr(bended).splitlines()[1].endswith("; 1 bend: first.weight, first.bias")
    assert "not traced; not bent" in repr(tb.BendedModule(nn.LazyLinear(2)))
