"""Components are those of the data, found the same way each time; there and back is the identity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from torchbend.errors import ControlError, ShapeError
from torchbend.rave.pca import Components, dims_for_fidelity, fidelity_for_dims, fit, project, unproject

VARIATIONAL = ["v1", "v2", "v2_causal", "v2_noise", "v2_nopqmf", "v3"]
CURVE = 1 - torch.exp(-(torch.arange(16) + 1) / 3.0)


def _latents(seed: int = 0, batch: int = 3, frames: int = 200) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    mixing = torch.randn(6, 6, generator=draw, dtype=torch.float64)
    scales = torch.tensor([5.0, 3.0, 2.0, 1.0, 0.5, 0.1], dtype=torch.float64)
    z = torch.randn(batch, 6, frames, generator=draw, dtype=torch.float64) * scales[:, None]
    return torch.linalg.qr(mixing)[0] @ z + torch.arange(6.0, dtype=torch.float64)[:, None]


def _stored(shared_dir: Path, name: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    folder = shared_dir / "rave_ref" / name
    state = torch.load(folder / "run/version_0/checkpoints/best.ckpt", weights_only=True)["state_dict"]
    with np.load(folder / "vectors.npz") as file:
        return state, {key: torch.from_numpy(file[key]) for key in file.files}


@pytest.mark.parametrize("name", VARIATIONAL)
def test_projected_latents_are_the_original_s(name: str, shared_dir: Path) -> None:
    state, arrays = _stored(shared_dir, name)
    z = project(arrays["z"], state["latent_pca"], state["latent_mean"])
    assert float((z - arrays["z_pca"]).abs().max() / arrays["z_pca"].std()) < 2e-6
    back = unproject(z, state["latent_pca"], state["latent_mean"])
    torch.testing.assert_close(back, arrays["z"], rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", sorted({*VARIATIONAL} - {"v2_nopqmf"}))  # which the original cannot export
def test_exported_latents_are_the_original_s(name: str, shared_dir: Path) -> None:
    state, arrays = _stored(shared_dir, name)
    dims = dims_for_fidelity(state["fidelity"], 0.95, as_original=True)
    assert dims == 8 == arrays["ts_offline_encode"].shape[1]
    assert dims_for_fidelity(state["fidelity"], 0.95) == 9
    z = project(arrays["z"], state["latent_pca"], state["latent_mean"])[:, :dims]
    assert float((z - arrays["ts_offline_encode"]).abs().max() / z.std()) < 2e-6


def test_the_number_of_dims_is_the_smallest_that_exceeds_the_share() -> None:
    for share in np.linspace(0, 1, 100, endpoint=False):
        dims = dims_for_fidelity(CURVE, float(share))
        assert 1 <= dims <= 16
        if dims < 16:
            assert fidelity_for_dims(CURVE, dims) > share
        assert fidelity_for_dims(CURVE, dims - 1) <= share


def test_a_curve_that_never_exceeds_the_share_keeps_all_dims() -> None:
    zeros = torch.zeros(16)
    assert dims_for_fidelity(zeros, 0.95) == 16
    assert dims_for_fidelity(zeros, 0.95, as_original=True) == 1
    assert dims_for_fidelity(torch.tensor([0.5, 1.0]), 1.0) == 2


@pytest.mark.parametrize(
    ("first", "exported"), [(0, 1), (1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (8, 8), (9, 16)]
)
def test_the_original_exports_a_power_of_two(first: int, exported: int) -> None:
    curve = torch.where(torch.arange(16) >= first, 1.0, 0.0)
    assert dims_for_fidelity(curve, 0.5, as_original=True) == exported
    assert dims_for_fidelity(curve, 0.5) == first + 1


def test_the_share_of_dims() -> None:
    assert fidelity_for_dims(CURVE, 0) == 0.0
    assert fidelity_for_dims(CURVE, 16) == pytest.approx(float(CURVE[-1]))


def test_components_are_orthogonal_sorted_and_hold_the_variance() -> None:
    z = _latents()
    pca, mean, fidelity = fit(z)
    torch.testing.assert_close(pca @ pca.t(), torch.eye(6, dtype=torch.float64))
    projected = project(z, pca, mean).transpose(1, 2).flatten(0, 1)
    torch.testing.assert_close(projected.mean(0), torch.zeros(6, dtype=torch.float64))
    variances = projected.var(0)
    assert bool((variances.diff() <= 0).all())
    torch.testing.assert_close(fidelity, variances.cumsum(0) / variances.sum())
    assert float(fidelity[-1]) == pytest.approx(1)


def test_components_are_those_of_a_singular_value_decomposition() -> None:
    frames = _latents().transpose(1, 2).flatten(0, 1)
    rows = torch.linalg.svd(frames - frames.mean(0), full_matrices=False)[2]
    pca = fit(_latents()).pca
    torch.testing.assert_close((pca * rows).sum(1).abs(), torch.ones(6, dtype=torch.float64))


def test_batches_give_what_the_whole_gives() -> None:
    z = _latents()
    whole = fit(z)
    for cut in (fit(iter(z.split(1))), fit(list(z.split([17, 3, 180], -1)))):
        for a, b in zip(cut, whole, strict=True):
            torch.testing.assert_close(a, b)


def test_signs_do_not_depend_on_the_data_s_sign() -> None:
    a, b = fit(_latents()), fit(-_latents())
    torch.testing.assert_close(a.pca, b.pca)
    assert bool((a.pca.gather(1, a.pca.abs().argmax(1, keepdim=True)) > 0).all())


def test_few_frames_and_silence_give_numbers() -> None:
    few = fit(torch.randn(1, 8, 3))
    torch.testing.assert_close(few.pca @ few.pca.t(), torch.eye(8), atol=1e-5, rtol=0)
    assert float(few.fidelity[1]) == pytest.approx(1, abs=1e-5)
    silent = fit(torch.ones(2, 4, 10))
    assert torch.equal(silent.fidelity, torch.ones(4))
    assert silent.pca.dtype == torch.float32


def test_missing_components_are_noise_or_zeros() -> None:
    pca, mean, _ = fit(_latents())
    z = project(_latents(), pca, mean)
    torch.testing.assert_close(unproject(z, pca, mean), _latents())
    cropped = unproject(z[:, :3], pca, mean, fill="zeros")
    torch.testing.assert_close(
        project(cropped, pca, mean)[:, 3:], torch.zeros(3, 3, 200, dtype=torch.float64)
    )
    torch.manual_seed(0)
    noisy = project(unproject(z[:, :3], pca, mean, fill="noise"), pca, mean)
    torch.testing.assert_close(noisy[:, :3], z[:, :3])
    assert float(noisy[:, 3:].std()) == pytest.approx(1, rel=0.1)


def test_one_signal_needs_no_batch() -> None:
    pca, mean, _ = fit(_latents())
    z = _latents()
    torch.testing.assert_close(project(z[0], pca, mean), project(z, pca, mean)[0])
    torch.testing.assert_close(project(z, pca[:2], mean), project(z, pca, mean)[:, :2])
    assert unproject(z[0, :2], pca, mean).shape == (6, 200)


def test_what_does_not_fit_is_told() -> None:
    found: Components = fit(_latents())
    for share in (-0.1, 1.5, float("nan")):
        with pytest.raises(ControlError, match="share"):
            dims_for_fidelity(CURVE, share)
    for dims in (-1, 17):
        with pytest.raises(ControlError, match="not so many"):
            fidelity_for_dims(CURVE, dims)
    with pytest.raises(ShapeError, match="fidelity curve"):
        dims_for_fidelity(torch.zeros(0), 0.5)
    with pytest.raises(ShapeError, match="do not fit"):
        project(torch.zeros(1, 5, 2), found.pca, found.mean)
    with pytest.raises(ShapeError, match="do not fit"):
        unproject(torch.zeros(1, 7, 2), found.pca, found.mean)
    with pytest.raises(ControlError, match="cannot be this"):
        unproject(torch.zeros(1, 5, 2).double(), found.pca, found.mean, fill="ones")  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="batches"):
        fit([torch.zeros(1, 4, 3), torch.zeros(1, 5, 3)])
    with pytest.raises(ShapeError, match="two frames"):
        fit(torch.zeros(1, 4, 1))
    with pytest.raises(ShapeError, match="two frames"):
        fit([])
