"""A prior is played as a method: what it makes up is what the live one makes up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from torchbend.errors import CheckpointError
from torchbend.export.check import check
from torchbend.export.prior import streaming_prior
from torchbend.rave import Prior, PriorConfig, load, preset, save_prior
from torchbend.rave.model import RAVE

from .models import bent_rave, small
from .playing import as_host, away, loaded, played, refused

SIZES = PriorConfig(latents=4, resolution=8, residual_size=16, skip_size=8, cycle_size=3, layers=4)
NAMES = ["encode", "decode", "forward", "prior"]
FRAME = 2048
HEATS = ([0.0], [1.5, -0.5], [-3.0, -3.0, -3.0], [0.5] * 5, [4.0])
"""Temperatures of the frames of several blocks."""


@pytest.fixture(scope="module")
def prior() -> Prior:
    made = Prior(small("two_signals"), SIZES).eval().requires_grad_(False)
    for layer in made.residuals:  # sure enough that its choices do not hang on rounding
        layer.sconv.weight.mul_(8)
    return made


@pytest.fixture(scope="module")
def path(prior: Prior, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read from the file of the prior, as from a shell; beside two controls of the model."""
    folder = tmp_path_factory.mktemp("prior")
    saved = save_prior(prior, folder / "prior.safetensors")
    made = bent_rave("two_signals").export(folder / "model.ts", prior=saved, batch=3)
    assert isinstance(made, Path)
    return made


def live(prior: Prior, rows: int) -> list[Tensor]:
    """What the prior makes up for `HEATS`, in one stream."""
    torch.manual_seed(11)
    with streaming_prior(prior, rows):
        return [prior(torch.tensor(heat).expand(rows, 1, -1)) for heat in HEATS]


@pytest.mark.parametrize("rows", [1, 3])
def test_the_file_makes_up_what_the_live_prior_does(prior: Prior, path: Path, rows: int) -> None:
    module = loaded(path)
    torch.manual_seed(11)
    with torch.inference_mode():
        got = [module.prior(as_host(torch.tensor(heat).expand(rows, 1, -1))) for heat in HEATS]
    wanted = live(prior, rows)
    assert [part.shape for part in got] == [(rows, 4, len(heat)) for heat in HEATS]
    assert away(torch.cat(wanted, -1), torch.cat(got, -1)) <= 1e-5
    assert len(torch.cat(got, -1)[:, 0].unique()) > 3, "there is something to compare"


def test_it_starts_anew_where_it_is_loaded_anew_and_goes_on_where_it_is_not(path: Path) -> None:
    heat = torch.zeros(1, 1, 6)
    first, second = loaded(path), loaded(path)
    streams = []
    for module in (first, second, first):
        torch.manual_seed(5)
        streams.append(played(module, "prior", heat, 1, (1, 2)))
    assert torch.equal(streams[0], streams[1])
    assert not torch.equal(streams[0], streams[2])
    assert not bool(streams[0][:, :3, 0].any()), "what is not made up yet is zero: it comes in diagonally"
    assert bool(streams[0][:, 3, 0].any())


def test_the_coldest_prior_takes_the_likeliest_value(prior: Prior, path: Path) -> None:
    heat = torch.full((1, 1, 8), -80.0)
    with streaming_prior(prior, 1):
        wanted = prior(heat, argmax=True)
    got = played(loaded(path), "prior", heat, 1)
    shares = [prior.quantiser.to_index(z[..., 4:]) for z in (wanted, got)]
    assert torch.equal(*shares), "only where in its share a value lies is random"


def test_numbers_labels_and_delays_are_told(path: Path) -> None:
    module, facts = loaded(path), json.loads(path.with_suffix(".json").read_text())
    assert module.get_methods() == NAMES
    assert module.prior_params.tolist() == [1, FRAME, 4, FRAME] == facts["methods"]["prior"]
    assert facts["methods"]["decode"][0] == 4, "as many latents as the prior makes"
    assert module.prior_input_labels == ["(signal) Temperature"]
    assert module.prior_output_labels == module.decode_input_labels
    assert facts["delays"]["prior"] == 3 * FRAME
    assert facts["prior"]["resolution"] == 8
    patch = path.with_suffix(".pd").read_text()
    assert "nn~ model prior 2048" in patch and "prior-decode" in patch
    again = load(path)
    assert again.config == small("two_signals").config, "the model is read back without it"


def test_what_it_makes_up_is_decoded(path: Path) -> None:
    module = loaded(path)
    torch.manual_seed(0)
    with torch.inference_mode():
        sound = [module.decode(module.prior(torch.zeros(1, 1, 2))) for _ in range(4)]
    heard = torch.cat(sound, -1)
    assert heard.shape == (1, 1, 8 * FRAME) and float(heard.std()) > 1e-3


def test_it_passes_the_check(path: Path) -> None:
    report = check(path, rates=(44100,), blocks=(4096,), speed=False)
    assert report.ok, str(report)
    assert [m["name"] for m in report.methods] == NAMES and "prior" in report.random
    assert report.state["prior"]["names"]


def test_two_signals_have_a_prior_each_and_the_live_ones_are_left_alone(prior: Prior, tmp_path: Path) -> None:
    prior.stream(2)
    torch.manual_seed(3)
    prior(torch.zeros(2, 1, 3))
    state = {name: tensor.clone() for name, tensor in prior.stream_state.tensors.items()}
    module = loaded(bent_rave("two_signals").export(tmp_path / "two.ts", prior=prior, channels=2, batch=1))
    assert all(torch.equal(tensor, state[name]) for name, tensor in prior.stream_state.tensors.items())
    prior.offline()
    assert module.prior_params.tolist() == [2, FRAME, 8, FRAME]
    assert module.decode_params.tolist() == [8, FRAME, 2, 1]
    cold, hot = torch.full((1, 1, 12), -80.0), torch.full((1, 1, 12), 3.0)
    got = played(module, "prior", torch.cat([cold, hot], 1), 1)
    with streaming_prior(prior, 1):
        wanted = prior(cold, argmax=True)
    assert torch.equal(prior.quantiser.to_index(got[:, :4, 4:]), prior.quantiser.to_index(wanted[..., 4:]))


def test_what_does_not_fit_is_refused_before_anything_is_written(prior: Prior, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    error = refused(bent_rave("two_signals"), folder / "model.ts", prior=prior, latents=5)
    assert error.site == "latents" and str(error.wanted) == "4"
    other = Prior(RAVE(preset("brave", capacity=4, latent_size=8)), SIZES)
    assert refused(bent_rave("two_signals"), folder / "model.ts", prior=other).site == "prior"
    assert refused(bent_rave("wasserstein"), folder / "model.ts", prior=prior).site == "prior"
    with pytest.raises(CheckpointError):
        bent_rave("two_signals").export(folder / "model.ts", prior=tmp_path / "missing.ckpt")
    assert not list(folder.iterdir())
