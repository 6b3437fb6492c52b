"""How many latents are played, what stands for the others, and latents of other kinds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from .conftest import Export
from .models import FIDELITY, PLAIN, bent_rave
from .playing import away, played, refused

FRAME = 2048


@pytest.fixture
def offline(exported: Callable[..., Export]) -> Export:
    """Exactly three latents, means, and zeros for the others."""
    return exported("v2", latents=3, **PLAIN)


def test_exactly_the_number_asked_for_is_played(offline: Export) -> None:
    assert offline.facts["methods"]["encode"] == [1, 1, 3, FRAME]
    assert offline.facts["methods"]["decode"] == [3, FRAME, 1, 1]
    module = offline.load()
    assert module.encode_params.tolist() == [1, 1, 3, FRAME]
    assert module.decode_params.tolist() == [3, FRAME, 1, 1]
    assert module.encode_output_labels == [f"(signal) Latent dimension {k}" for k in (1, 2, 3)]
    assert module.decode_input_labels == module.encode_output_labels
    assert module.encode(torch.randn(1, 1, 2 * FRAME)).shape == (1, 3, 2)
    assert module.decode(torch.randn(1, 3, 2)).shape == (1, 1, 2 * FRAME)


@pytest.mark.parametrize(("fidelity", "wanted"), [(0.0, 1), (0.6, 2), (0.79, 3), (0.95, 5), (1.0, 8)])
def test_fidelity_tells_how_many(fidelity: float, wanted: int) -> None:
    from torchbend.export.rave import RavePlan

    bended = bent_rave("v2")
    plan = RavePlan(bended._engine, bended.rave, fidelity=fidelity)
    assert plan.played_latents == wanted
    assert wanted == 1 or FIDELITY[wanted - 2] < fidelity <= FIDELITY[wanted - 1]
    assert plan.methods()["encode"].about.params == (1, 1, wanted, FRAME)


def test_fidelity_is_that_of_the_file(exported: Callable[..., Export]) -> None:
    assert exported("v2").facts["methods"]["encode"][2] == 5


def test_latents_are_the_first_principal_components(offline: Export) -> None:
    bended = offline.bended
    x = 0.3 * torch.randn(1, 1, 40 * FRAME)
    with torch.no_grad():
        wanted = bended.encode(x, postprocess=True)[:, :3]
    late = int(offline.facts["delays"]["encode"]) // FRAME
    got = played(offline.load(), "encode", x, FRAME)
    assert away(wanted[..., 12 : 40 - late], got[..., 12 + late :]) <= 1e-4


def test_latents_that_are_not_played_are_zeros_in_the_components(offline: Export) -> None:
    z = torch.randn(1, 3, 40)
    with torch.no_grad():
        wanted = offline.bended.decode(z, preprocess=True, fill="zeros")
    late = int(offline.facts["delays"]["decode"])
    got = played(offline.load(), "decode", z, 1)
    start = 12 * FRAME
    assert away(wanted[..., start : 40 * FRAME - late], got[..., start + late :]) <= 1e-4
    assert torch.equal(got, played(offline.load(), "decode", z, 1)), "nothing is drawn"


def test_latents_that_are_not_played_can_be_noise(exported: Callable[..., Export]) -> None:
    export = exported("v2")
    z = torch.randn(1, 5, 12)

    def heard(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return played(export.load(), "decode", z, 1)

    first = heard(1)
    assert torch.equal(first, heard(1)), "the seed repeats it"
    assert away(first, heard(2)) > 0.01, "it is noise"


def test_sampled_latents_are_drawn_and_means_are_not(
    exported: Callable[..., Export], offline: Export
) -> None:
    x = 0.3 * torch.randn(1, 1, 12 * FRAME)

    def heard(export: Export, seed: int) -> Tensor:
        torch.manual_seed(seed)
        return played(export.load(), "encode", x, FRAME)

    drawn = exported("v2")
    assert torch.equal(heard(drawn, 1), heard(drawn, 1))
    assert away(heard(drawn, 1), heard(drawn, 2)) > 0.01
    assert torch.equal(heard(offline, 1), heard(offline, 2))


def test_codes_are_whole_numbers_and_those_that_do_not_exist_are_the_nearest(
    exported: Callable[..., Export],
) -> None:
    export = exported("discrete")
    assert export.facts["methods"]["encode"] == [1, 1, 3, 1024]
    x = 0.3 * torch.randn(1, 1, 16 * 1024)
    codes = played(export.load(), "encode", x, 1024)
    assert codes.dtype == torch.float32
    assert torch.equal(codes, codes.round()) and float(codes.min()) >= 0 and float(codes.max()) <= 15
    assert len(codes.unique()) >= 3
    wild = torch.tensor([[[-7.0, 99.0, 3.0, 15.9], [0.0, 16.0, -0.4, 1e6], [2.0, 15.0, -1e6, 4.2]]])
    tame = wild.clamp(0, 15).floor()
    assert torch.equal(played(export.load(), "decode", wild, 1), played(export.load(), "decode", tame, 1))
    with torch.no_grad():
        vectors = export.bended.rave.encoder.rvq.decode(codes.long())
        wanted = export.bended.decode(vectors)
    late = int(export.facts["delays"]["decode"])
    got = played(export.load(), "decode", codes, 1)
    assert wanted.shape == got.shape and late < got.shape[-1]


def test_angles_stand_for_directions(exported: Callable[..., Export]) -> None:
    from torchbend.rave.sphere import from_angles

    export = exported("spherical")
    size = export.bended.latent_size
    assert export.facts["methods"]["encode"][2] == export.facts["methods"]["decode"][0] == size - 1
    x = 0.3 * torch.randn(1, 1, 40 * FRAME)
    angles = played(export.load(), "encode", x, FRAME)
    assert float(angles.abs().max()) <= 1
    late = int(export.facts["delays"]["encode"]) // FRAME
    with torch.no_grad():
        wanted = export.bended.encode(x)
    assert away(wanted[..., 12 : 40 - late], from_angles(angles)[..., 12 + late :]) <= 1e-3


@pytest.mark.parametrize(
    ("name", "options", "site"),
    [
        ("v2", {"latents": 9}, "latents"),
        ("v2", {"latents": 0}, "latents"),
        ("discrete", {"latents": 2}, "latents"),
        ("two_channels", {"channels": 3}, "channels"),
        ("two_channels", {"channels": 1}, "channels"),
        ("v2", {"channels": 0}, "channels"),
        ("v2", {"sample_rate": 48000}, "sample_rate"),
        ("v2", {"sample_rate": 3 * 44100}, "ratio"),
        ("v2", {"sample_rate": 22050}, "sample_rate"),
        ("v2", {"target": "nowhere"}, "target"),
    ],
)
def test_what_cannot_be_played_is_refused_before_anything_is_written(
    name: str, options: dict[str, int], site: str, tmp_path: Path
) -> None:
    error = refused(bent_rave(name), tmp_path / "model.ts", **options)
    assert error.site is not None and site in error.site
    assert error.wanted and error.got is not None


def test_all_latents_are_played_when_all_are_asked_for(exported: Callable[..., Export]) -> None:
    export = exported("brave")
    assert export.options["latents"] == export.bended.latent_size == 8
    assert export.load().encode(torch.randn(1, 1, 128)).shape == (1, 8, 1)
