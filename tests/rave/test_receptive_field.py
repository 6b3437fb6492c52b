"""The receptive field is the original's, for all channels together; measuring leaves nothing behind."""

from __future__ import annotations

from unittest import mock

import pytest
import torch

from torchbend.errors import RAVEConfigError, StreamError
from torchbend.rave.losses import receptive_field as measuring
from torchbend.rave.losses.receptive_field import receptive_field
from torchbend.rave.model import RAVE
from torchbend.rave.presets import preset
from torchbend.rave.recurrent import GRU

# Samples before and after, of models of any width.
_KNOWN = {"v2": (27117, 26428), "v1": (24109, 22060), "v2 causal": (51497, 0)}


def _model(names: str, channels: int = 1) -> RAVE:
    torch.manual_seed(1)
    return RAVE(preset(*names.split(), capacity=4, latent_size=4, channels=channels))


@pytest.mark.parametrize("names", _KNOWN)
def test_the_original_s_values(names: str) -> None:
    assert receptive_field(_model(names)) == _KNOWN[names]


@pytest.mark.parametrize("names", ["v2_small", "v2 noise causal"])
def test_two_channels_have_the_field_of_one(names: str) -> None:
    assert receptive_field(_model(names, 2)) == receptive_field(_model(names, 1))


@pytest.mark.parametrize(
    "names", ["v2_nopqmf", "v2 hybrid", "v2 wasserstein", "v2 spherical", "discrete", "v3"]
)
def test_every_kind_of_model_has_one(names: str) -> None:
    before, after = receptive_field(_model(names))
    assert 1000 < after <= before < 2**16


def test_what_lies_outside_does_not_matter() -> None:
    model = _model("v2").eval()
    before, after = receptive_field(model)
    middle = 32768
    x = torch.randn(1, 1, 2 * middle)
    y = x.clone()
    y[..., : middle - before] = 0
    y[..., middle + after :] = 0
    with torch.no_grad():
        one, other = (model.decode(model.encode(audio)[:, :4])[..., middle] for audio in (x, y))
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_the_model_is_left_as_it_was() -> None:
    model = _model("v2 hybrid noise").train()
    model.decoder.eval()
    model.pqmf.requires_grad_(False)
    torch.manual_seed(3)
    modes = [module.training for module in model.modules()]
    learning = [parameter.requires_grad for parameter in model.parameters()]
    state = {key: value.clone() for key, value in model.state_dict().items()}
    generator = torch.get_rng_state()
    receptive_field(model)
    assert [module.training for module in model.modules()] == modes
    assert [parameter.requires_grad for parameter in model.parameters()] == learning
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), generator)
    assert all(module.enabled for module in model.modules() if isinstance(module, GRU))


def test_it_can_be_measured_where_gradients_are_off() -> None:
    with torch.no_grad():
        assert receptive_field(_model("v2 causal"))[1] == 0


def test_a_stream_has_to_end_first() -> None:
    model = _model("v2_small")
    model.stream()
    with pytest.raises(StreamError, match=r"offline\(\)"):
        receptive_field(model)


def test_a_field_without_end_is_told() -> None:
    with (
        mock.patch.object(measuring, "_LONGEST", 2**15),
        pytest.raises(RAVEConfigError, match="no end"),
    ):
        receptive_field(_model("v2"))
