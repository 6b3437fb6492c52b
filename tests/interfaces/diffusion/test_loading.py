"""Pipelines out of folders and the hub's cache; what would need code, or is no pipeline, is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from torchbend.errors import CheckpointError
from torchbend.interfaces.diffusion import BendedDiffusion, tiny_pipeline

from .conftest import plainly

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipelines") / "sd"
    tiny_pipeline().save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A folder that a test may spoil."""
    return Path(shutil.copytree(saved, tmp_path / "sd"))


def edit(folder: Path, **entries: Any) -> None:
    path = folder / "model_index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


@pytest.mark.shows("BendedDiffusion", "load from a folder", model="Stable Diffusion")
def test_a_folder(saved: Path) -> None:
    model = BendedDiffusion(saved, trace=False)
    assert torch.equal(
        model.generate("a cat", steps=2, seed=3), plainly(tiny_pipeline(), steps=2, prompt="a cat")
    )
    assert str(saved) in repr(model) and not model.pipeline.unet.training
    half = BendedDiffusion(saved, dtype="bf16", trace=False)
    assert {weight.dtype for weight in half.module.parameters()} == {torch.bfloat16}
    assert half.generate("a cat", steps=1, seed=3).dtype == torch.float32


@pytest.mark.shows("BendedDiffusion", "load by hub name", model="Stable Diffusion")
def test_a_hub_name_from_the_cache(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "models--somebody--tiny-sd"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(COMMIT)
    shutil.copytree(saved, place / "snapshots" / COMMIT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    model = BendedDiffusion("somebody/tiny-sd", tmp_path, trace=False)
    assert torch.equal(
        model.generate("a cat", steps=2, seed=3), plainly(tiny_pipeline(), steps=2, prompt="a cat")
    )
    with pytest.raises(CheckpointError, match="cannot be fetched"):
        BendedDiffusion("somebody/else", tmp_path)


def test_only_tensors_and_texts_are_fetched(monkeypatch: pytest.MonkeyPatch, saved: Path) -> None:
    from fnmatch import fnmatch

    asked: list[str] = []

    def download(name: str, cache_dir: Any = None, allow_patterns: Any = ()) -> str:
        asked[:] = allow_patterns
        return str(saved)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    BendedDiffusion("somebody/tiny-sd", trace=False)
    hub = {
        "model_index.json": True,
        "unet/config.json": True,
        "unet/diffusion_pytorch_model.safetensors": True,
        "transformer/diffusion_pytorch_model-00001-of-00002.safetensors": True,
        "transformer/diffusion_pytorch_model.safetensors.index.json": True,
        "text_encoder/model.safetensors": True,
        "text_encoder_3/model-00001-of-00002.safetensors": True,
        "tokenizer/merges.txt": True,
        "tokenizer_3/spiece.model": True,
        "unet/diffusion_pytorch_model.fp16.safetensors": False,
        "unet/diffusion_pytorch_model.non_ema.safetensors": False,
        "unet/diffusion_pytorch_model.bin": False,
        "v1-5-pruned.safetensors": False,
        "v1-5-pruned.ckpt": False,
        "pipeline.py": False,
        "unet/my_unet.py": False,
    }
    assert {name: any(fnmatch(name, pattern) for pattern in asked) for name in hub} == hub


@pytest.mark.parametrize(
    "entries",
    [
        {"_class_name": "MyOwnPipeline"},
        {"_class_name": ["pipeline", "MyOwnPipeline"]},
        {"_class_name": "UNet2DConditionModel"},
        {"unet": ["my_unet", "MyUNet"]},
        {"unet": ["diffusers"]},
        {"scheduler": ["os", "system"]},
    ],
)
def test_pipelines_with_code_of_their_own_are_refused(folder: Path, entries: dict[str, Any]) -> None:
    ran = folder / "ran"
    for name in ("pipeline.py", "my_unet.py", "unet/my_unet.py"):
        (folder / name).write_text(f"open({str(ran)!r}, 'w')\nclass MyUNet: ...\nclass MyOwnPipeline: ...\n")
    edit(folder, **entries)
    with pytest.raises(CheckpointError, match="code of its own"):
        BendedDiffusion(folder)
    assert not ran.exists()


def test_pickles_are_refused(folder: Path) -> None:
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save(tiny_pipeline().unet.state_dict(), weights.with_suffix(".bin"))
    weights.unlink()
    with pytest.raises(CheckpointError, match="safetensors"):
        BendedDiffusion(folder)


def test_folders_that_hold_no_pipeline(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such folder"):
        BendedDiffusion(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="holds no pipeline"):
        BendedDiffusion(folder / "unet")
    (folder / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"cut off")
    with pytest.raises(CheckpointError, match="cannot be read"):
        BendedDiffusion(folder)
    (folder / "model_index.json").write_text("[1, 2]")
    with pytest.raises(CheckpointError, match="index cannot be read"):
        BendedDiffusion(folder)


def test_what_is_no_pipeline(saved: Path) -> None:
    with pytest.raises(CheckpointError, match="no pipeline of diffusers"):
        BendedDiffusion(torch.nn.Linear(2, 2))
    with pytest.raises(CheckpointError, match="loaded already"):
        BendedDiffusion(tiny_pipeline("ddim"), dtype="bf16")
    with pytest.raises(CheckpointError, match="such numbers"):
        BendedDiffusion(saved, dtype="int8")


def test_the_safety_checker_may_stay_out(folder: Path) -> None:
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPImageProcessorPil

    size = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config=size, vision_config={**size, "image_size": 32, "patch_size": 8}, projection_dim=16
    )
    checker = StableDiffusionSafetyChecker(config)
    checker.save_pretrained(folder / "safety_checker")
    CLIPImageProcessorPil(size=32, crop_size=32).save_pretrained(folder / "feature_extractor")
    edit(
        folder,
        safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"],
        feature_extractor=["transformers", "CLIPImageProcessor"],
        requires_safety_checker=True,
    )
    assert BendedDiffusion(folder, trace=False, safety_checker=False).pipeline.safety_checker is None
    assert BendedDiffusion(folder, trace=False).resolve_parameters("safety_checker.*")
