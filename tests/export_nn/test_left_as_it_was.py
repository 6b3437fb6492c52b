"""An export, and one that fails, leaves the model as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import torchbend as tb
from torchbend.errors import ExportError
from torchbend.interfaces.rave import BendedRAVE

from .models import bent_rave


@pytest.fixture(params=["offline", "streaming"])
def playing(request: pytest.FixtureRequest) -> BendedRAVE:
    """A bent model, in the middle of a stream or not."""
    bended = bent_rave("brave")
    if request.param == "streaming":
        bended.stream(2)
        with torch.no_grad():
            bended.forward(0.3 * torch.randn(2, 1, 512))
    return bended


@pytest.mark.parametrize("fails", [False, True])
def test_weights_bends_and_stream_are_as_before(playing: BendedRAVE, fails: bool, tmp_path: Path) -> None:
    model = playing.rave
    if fails:
        playing.bend(tb.Lambda(lambda x: x * 2), "encode:conv1d$")
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = model.stream_state
    caches = {} if state is None else {name: tensor.clone() for name, tensor in state.tensors.items()}
    keys, samples, random = playing.bended_keys(), model.encoder.samples, torch.get_rng_state()
    path = tmp_path / "model.ts"
    if fails:
        with pytest.raises(ExportError):
            playing.export(path, sample_rate=88200)
        assert not list(tmp_path.iterdir())
    else:
        playing.export(path, sample_rate=88200)
    assert torch.equal(torch.get_rng_state(), random)
    assert model.encoder.samples == samples and playing.bended_keys() == keys
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())
    assert model.stream_state is state and model.is_streaming == (state is not None)
    if state is not None:
        assert all(torch.equal(tensor, caches[name]) for name, tensor in state.tensors.items())
    assert {c.name: c.value for c in playing._engine.controls} == {"drive": 1.25, "shift": 0.1}


def test_a_stream_goes_on_after_an_export_as_if_there_had_been_none(tmp_path: Path) -> None:
    blocks = 0.3 * torch.randn(6, 2, 1, 512)
    heard = []
    for exports in (False, True):
        bended = bent_rave("brave")
        bended.stream(2)
        parts = []
        for number, block in enumerate(blocks):
            if exports and number == 3:
                bended.export(tmp_path / "model.ts")
            with torch.no_grad():
                parts.append(bended.forward(block))
        heard.append(torch.cat(parts, -1))
    assert torch.equal(heard[0], heard[1])


def test_a_stream_of_audio_that_is_late_already_goes_on_as_late(tmp_path: Path) -> None:
    late = 7
    bended = bent_rave("brave")
    blocks = 0.3 * torch.randn(4, 1, 1, 512)
    heard = []
    for exports in (False, True):
        bended.rave.stream(1, late=late)
        parts = []
        for number, block in enumerate(blocks):
            if exports and number == 2:
                bended.export(tmp_path / "model.ts", sample_rate=88200, warm_up=False)
                assert bended.rave.stream_state is not None and bended.rave.stream_state.late == late
            with torch.no_grad():
                parts.append(bended.forward(block))
        heard.append(torch.cat(parts, -1))
    assert torch.equal(heard[0], heard[1])


def test_a_copy_of_a_state_is_resumed_from_another_stream() -> None:
    model = bent_rave("brave").rave
    block = 0.3 * torch.randn(1, 1, 512)
    with torch.no_grad(), model.encoder.sampling(False):
        past = model.stream(1, late=7).copy()
        wanted = model.forward(block)
        model.stream(1)
        model.resume(past)
        assert torch.equal(model.forward(block), wanted)
        model.offline()
        model.resume(model.stream(1, late=7).copy())
        assert torch.equal(model.forward(block), wanted)
