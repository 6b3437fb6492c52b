"""Versions hold what differs, are switched and mixed, and work together with bends."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import torchbend as tb
from torchbend.errors import VersionError

X = torch.linspace(-1, 1, 8).reshape(2, 4)


def _net(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4)).requires_grad_(False)


def _mixed(parts: list[tuple[float, nn.Module]], x: Tensor) -> Tensor:
    """A net whose weights are the weighted sum of those of ``parts``."""
    made = _net()
    states = [m.state_dict() for _, m in parts]
    total = {name: sum(w * s[name] for (w, _), s in zip(parts, states, strict=True)) for name in states[0]}
    made.load_state_dict(total)
    out: Tensor = made(x)
    return out


@pytest.fixture
def pair() -> tuple[nn.Sequential, nn.Sequential, tb.BendedModule]:
    own, other = _net(0), _net(1)
    bended = tb.BendedModule(own)
    bended.create_version("other", other)
    return own, other, bended


def test_switching_versions(pair: tuple[nn.Sequential, nn.Sequential, tb.BendedModule]) -> None:
    own, other, bended = pair
    assert bended.version == "_default" and bended.versions == ["_default", "other"]
    assert torch.equal(bended(X), own(X))
    with bended.set_version("other"):
        assert bended.version == "other" and torch.equal(bended(X), other(X))
    assert torch.equal(bended(X), own(X))
    bended.version = "other"
    assert torch.equal(bended(X), other(X))
    del bended.version
    assert torch.equal(bended(X), own(X))
    with pytest.raises(VersionError, match="no version 'third'"):
        bended.set_version("third")


@pytest.mark.parametrize(
    "weights", [(-1.0, 1.0), (0.5, 0.5), (0.0, 1.0), (2.0, 3.0), (1.0, -1.0), (0.0, 0.0)]
)
def test_mixing_versions(
    pair: tuple[nn.Sequential, nn.Sequential, tb.BendedModule], weights: tuple[float, float]
) -> None:
    own, other, bended = pair
    with bended.interpolate(weights[0], other=weights[1]):
        wanted = _mixed([(weights[0], own), (weights[1], other)], X)
        assert torch.allclose(bended(X), wanted, atol=1e-6)
    assert torch.equal(bended(X), own(X))
    bended.set_interpolation_weights(weights[0], other=weights[1])
    assert torch.allclose(bended(X), wanted, atol=1e-6)
    bended.remove_interpolation_weights()
    assert torch.equal(bended(X), own(X))


def test_bends_apply_on_top_of_a_version(
    pair: tuple[nn.Sequential, nn.Sequential, tb.BendedModule],
) -> None:
    own, other, bended = pair
    bended.bend(tb.Scale(2.0), "0.weight")
    for net, version in ((own, "_default"), (other, "other")):
        bended.version = version
        hidden = F.linear(X, 2 * net[0].weight, net[0].bias).tanh()
        assert torch.allclose(bended(X), net[2](hidden), atol=1e-6)
    bended.reset()
    assert bended.version == "_default" and torch.equal(bended(X), own(X))


def test_a_version_costs_what_differs() -> None:
    own = _net()
    other = copy.deepcopy(own)
    other[2].bias.mul_(2)
    bended = tb.BendedModule(own)
    bended.create_version("other", other)
    assert list(bended._versions["other"]) == ["2.bias"]
    bended.bend(tb.Scale(3.0), "0.weight")
    bended.write("loud")
    assert list(bended._versions["loud"]) == ["0.weight"]
    assert bended._versions["loud"]["0.weight"].data_ptr() != own[0].weight.data_ptr()
    inside: list[Tensor] = []
    own[0].register_forward_pre_hook(lambda m, a: inside.append(m.bias))
    bended(X)
    assert inside[0] is own[0].bias


def test_write_keeps_the_bent_weights_and_undoes_their_bends() -> None:
    own = _net()
    bended = tb.BendedModule(own)
    bended.trace(X)
    bended.bend(tb.Scale(3.0), "0.weight", "_1$")
    out = bended(X)
    bended.write("loud")
    assert bended.version == "loud" and torch.allclose(bended(X), out)
    assert bended.bended_keys() == ["forward:_1"]  # a version holds weights: the activation stays bent
    bended.reset()
    assert torch.equal(bended(X), own(X))
    assert torch.equal(bended.state_dict(version="loud")["0.weight"], own[0].weight * 3)
    assert torch.equal(bended.state_dict()["0.weight"], own[0].weight)
    bended.version = "loud"
    assert torch.equal(bended.state_dict()["0.weight"], own[0].weight * 3)
    assert list(bended.state_dict(with_versions=True)) == ["_default", "loud"]


def test_integers_are_rounded_and_stay_integers() -> None:
    class Counts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.n = nn.Parameter(torch.tensor([1, 2, 3]), requires_grad=False)

        def forward(self, x: Tensor) -> Tensor:
            return x * self.n

    bended = tb.BendedModule(Counts())
    bended.create_version("more", {"n": torch.tensor([4, 5, 100])})
    with bended.interpolate(0.5, more=0.5):
        n = bended.bended_weights()["n"]
    assert n.dtype == torch.int64 and n.tolist() == [2, 4, 52]  # 2.5, 3.5, 51.5: to the even one
    with bended.interpolate(-1.0, more=1.0):
        assert bended.bended_weights()["n"].tolist() == [3, 3, 97]


def test_versions_that_do_not_fit_are_refused(
    pair: tuple[nn.Sequential, nn.Sequential, tb.BendedModule],
) -> None:
    own, other, bended = pair
    with pytest.raises(VersionError, match="exists"):
        bended.create_version("other", other)
    with pytest.raises(VersionError, match="do not fit"):
        bended.create_version("third", {"0.weight": own[0].weight})
    with pytest.raises(VersionError, match="another shape"):
        bended.create_version("third", {"0.weight": torch.ones(2, 2)}, strict=False)
    bended.create_version("third", {"0.weight": torch.ones(4, 4)}, strict=False)
    with bended.set_version("third"):
        assert torch.equal(bended(X), own[2](F.linear(X, torch.ones(4, 4), own[0].bias).tanh()))
    bended.remove_version("third")
    assert bended.versions == ["_default", "other"]


def test_versions_are_copied_and_pickled(
    pair: tuple[nn.Sequential, nn.Sequential, tb.BendedModule],
) -> None:
    own, other, bended = pair
    bended.version = "other"
    bended.bend(tb.Scale(2.0), "0.bias")
    out = bended(X)
    for twin in (copy.deepcopy(bended), pickle.loads(pickle.dumps(bended))):
        assert twin.versions == bended.versions and twin.version == "other"
        assert torch.equal(twin(X), out)
        twin.reset()
        assert torch.equal(twin(X), own(X))
        assert torch.equal(bended(X), out)
    bended.set_interpolation_weights(0.25, other=0.75)
    out = bended(X)
    for twin in (copy.deepcopy(bended), pickle.loads(pickle.dumps(bended))):
        assert torch.equal(twin(X), out)
