"""Every array of every reference model, offline and streaming."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from torchbend.rave import RAVE
from torchbend.rave.config import SphericalConfig, VariationalConfig
from torchbend.rave.filtered_noise import filter_noise, impulse_responses
from torchbend.rave.pca import project, unproject
from torchbend.rave.sphere import from_angles, to_angles

from . import references

Arrays = dict[str, Tensor]
Maker = Callable[[RAVE, Arrays], Tensor]


def _noise_module(model: RAVE) -> torch.nn.Module:
    decoder: torch.nn.Module = model.decoder
    return decoder.get_submodule("noise_module" if hasattr(decoder, "noise_module") else "synth.branches.2")


def _noise_ir(model: RAVE, a: Arrays) -> Tensor:
    noise = _noise_module(model)
    return impulse_responses(noise.net(a["noise_in"]), noise.outputs, noise.frame)


def _exported_encode(model: RAVE, x: Tensor) -> Tensor:
    """What the original's exports give: reduced latents, codes or angles."""
    raw = model.encode(x)
    if isinstance(model.config.latent, VariationalConfig):
        z = project(model.encoder.latents(raw), model.latent_pca, model.latent_mean)
        return z[:, : references.exported_latents(model)]
    if isinstance(model.config.latent, SphericalConfig):
        return to_angles(model.encoder.latents(raw))
    if hasattr(model.encoder, "rvq"):
        return model.encoder.rvq.encode(raw).to(raw)
    return raw


def _exported_decode(model: RAVE, z: Tensor) -> Tensor:
    if isinstance(model.config.latent, VariationalConfig):
        return model.decode(unproject(z, model.latent_pca, model.latent_mean, fill="zeros"))
    if isinstance(model.config.latent, SphericalConfig):
        return model.decode(from_angles(z))
    if hasattr(model.encoder, "rvq"):
        return model.decode(model.encoder.rvq.decode(z.long()))
    return model.decode(z)


def _streamed(method: Callable[[RAVE, Tensor], Tensor], name: str, samples: int) -> Maker:
    def make(model: RAVE, a: Arrays) -> Tensor:
        x = a[name].nan_to_num()  # the original writes NaN where a latent is zero
        block = samples if x.shape[1] == model.channels and x.shape[-1] >= samples else samples // model.ratio
        model.stream(as_original=True)
        return torch.cat([method(model, part) for part in x.split(block, -1)], -1)

    return make


def _adain(model: RAVE, a: Arrays, steps: int) -> Tensor:
    """The sequence of the reference: learn the target, learn the source twice, then only apply."""
    layers = [m for m in model.modules() if hasattr(m, "learn_y")]
    plan = [(a["x2"], 0, 1), (a["x"], 1, 0), (a["x"], 1, 0), (a["x"], 0, 0)]
    out = a["x"]
    for x, learn_x, learn_y in plan[:steps]:
        for layer in layers:
            layer.learn_x.fill_(learn_x)
            layer.learn_y.fill_(learn_y)
        out = model(x)
    return out


def _first_statistics(model: RAVE, a: Arrays) -> Tensor:
    _adain(model, a, 4)
    first = next(m for m in model.encoder.modules() if hasattr(m, "learn_y"))
    return torch.stack([s[0, :, 0] for s in (first.mean_x, first.std_x, first.mean_y, first.std_y)])


def _reparametrised(model: RAVE, a: Arrays, place: int) -> Tensor:
    out: Tensor = model.encoder.reparametrize(model.encode(a["x"]))[place]
    return out


MAKERS: dict[str, Maker] = {
    "pqmf": lambda m, a: m.pqmf(a["x"]),
    "pqmf_inverse": lambda m, a: m.pqmf.inverse(m.pqmf(a["x"])),
    "enc_raw": lambda m, a: m.encode(a["x"]),
    "z": lambda m, a: _reparametrised(m, a, 0),
    "reg": lambda m, a: _reparametrised(m, a, 1),
    "z_pca": lambda m, a: project(_reparametrised(m, a, 0), m.latent_pca, m.latent_mean),
    "codes": lambda m, a: m.encoder.rvq.encode(m.encode(a["x"])),
    "angles": lambda m, a: to_angles(_reparametrised(m, a, 0)),
    "dec_raw": lambda m, a: m.decoder(a["z_fixed"]),
    "dec": lambda m, a: m.decode(a["z_fixed"]),
    "recon": lambda m, a: m(a["x"]),
    "noise_ir": _noise_ir,
    "noise_out": lambda m, a: filter_noise(2 * a["noise_u"] - 1, _noise_ir(m, a)),
    "adain_y": lambda m, a: _adain(m, a, 1),
    "adain_xfer1": lambda m, a: _adain(m, a, 2),
    "adain_xfer2": lambda m, a: _adain(m, a, 3),
    "adain_xfer3": lambda m, a: _adain(m, a, 4),
    "adain_first_stats": _first_statistics,
    "ts_stream_encode": _streamed(_exported_encode, "x", 2048),
    "ts_stream_decode": _streamed(_exported_decode, "ts_stream_encode", 2048),
    "ts_offline_encode": lambda m, a: _exported_encode(m, a["x"]),
    "ts_offline_decode": lambda m, a: _exported_decode(m, a["ts_offline_encode"]),
}
for _key, _samples in (("1", 2048), ("4", 8192)):
    MAKERS[f"stream{_key}_pqmf"] = _streamed(lambda m, x: m.pqmf(x), "x", _samples)
    MAKERS[f"stream{_key}_enc_raw"] = _streamed(lambda m, x: m.encode(x), "x", _samples)
    MAKERS[f"stream{_key}_dec"] = _streamed(lambda m, z: m.decode(z), "z_fixed", _samples)
    MAKERS[f"stream{_key}_recon"] = _streamed(lambda m, x: m(x), "x", _samples)

GIVEN = {"x", "x2", "z_fixed", "noise_in", "noise_u", "mmd_prior_samples"}
"""Arrays that are inputs."""


def _all_arrays() -> list[tuple[str, str]]:
    return [(c, a) for c in references.configurations() for a in references.arrays(c) if a not in GIVEN]


@pytest.mark.usefixtures("shared_dir")
def test_there_are_references() -> None:
    assert {"v1", "v2", "v3", "discrete"} <= set(references.configurations())


@pytest.mark.parametrize(("name", "array"), _all_arrays())
def test_array(name: str, array: str) -> None:
    held = references.arrays(name)
    wanted = held[array]
    with references.without_randomness():
        got = MAKERS[array](references.model(name), held)
    if not wanted.is_floating_point():
        assert torch.equal(got, wanted)
        return
    assert got.shape == wanted.shape
    finite = wanted.isfinite()
    assert bool(got.isfinite().all()), "the original gives NaN where a latent is zero; here nothing does"
    if not bool(finite.any()):
        pytest.fail("the reference holds no number to compare with")
    spread = float(wanted[finite].std()) if wanted.numel() > 1 else abs(float(wanted))
    error = float((got - wanted)[finite].abs().max())
    assert error <= references.tolerance(name) * spread + 1e-12


@pytest.mark.parametrize("name", references.configurations())
def test_weights_are_all_read(name: str) -> None:
    """Key by key, what the checkpoint holds is what the model holds."""
    (path,) = (references.FOLDER / name / "run").rglob("*.ckpt")
    stored = torch.load(path, weights_only=True)["state_dict"]
    own = references.model(name).state_dict()
    assert set(stored) <= set(own)
    assert all(torch.equal(own[key], value) for key, value in stored.items())
    left = {key.split(".")[0] for key in set(own) - set(stored)}
    assert left <= {"discriminator"}


def _full_size() -> list[str]:
    return sorted(path.stem.removeprefix("_keys_") for path in references.FOLDER.glob("_keys_*.json"))


@pytest.mark.parametrize("name", _full_size())
def test_full_size_keys(name: str) -> None:
    wanted = {key: tuple(shape) for key, (shape, _) in references.full_size_keys(name).items()}
    with torch.device("meta"):
        model = RAVE(references.full_size_config(name))
    assert {key: tuple(value.shape) for key, value in model.state_dict().items()} == wanted
    types = {key: str(value.dtype) for key, value in model.state_dict().items()}
    assert types == {key: kind for key, (_, kind) in references.full_size_keys(name).items()}


def test_references_are_whole(shared_dir: Path) -> None:
    """No array of a reference is left out of the tests above."""
    for name in references.configurations():
        with np.load(shared_dir / "rave_ref" / name / "vectors.npz") as held:
            assert set(held.files) - GIVEN <= set(MAKERS)
