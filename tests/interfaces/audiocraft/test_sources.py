"""Where models come from: folders, hub names, and what is told when there is none."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from torchbend.errors import CheckpointError, MissingExtraError, WeightsFileError
from torchbend.interfaces.audiocraft import BendedAudioGen, BendedMusicGen

from . import tiny
from .hub import in_cache

huggingface_hub = pytest.importorskip("huggingface_hub")


@pytest.fixture(autouse=True)
def _without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


@pytest.mark.shows("BendedMusicGen", "load by hub name", model="MusicGen")
def test_a_hub_name_is_taken_from_the_cache(folder: Path, tmp_path: Path, original: Any) -> None:
    in_cache(folder, "facebook/musicgen-small", tmp_path)
    bended = BendedMusicGen("facebook/musicgen-small", cache_dir=tmp_path)
    assert "facebook/musicgen-small" in repr(bended)
    weight = original.state_dict()["decoder.lm_heads.0.weight"]
    assert torch.equal(bended.module.lm.linears[0].weight, weight)


@pytest.mark.shows("BendedAudioGen", "audiocraft's two files", model="AudioGen")
def test_audiocraft_s_files_of_a_hub_name_name_their_text_encoder(
    audiocraft_folder: Path, tmp_path: Path, folder: Path
) -> None:
    both = tmp_path / "both"
    shutil.copytree(audiocraft_folder, both)
    shutil.rmtree(both / "tiny-t5")
    in_cache(both, "facebook/audiogen-medium", tmp_path)
    with pytest.raises(CheckpointError, match="cannot be fetched") as told:
        BendedAudioGen("facebook/audiogen-medium", tmp_path)
    assert told.value.site == "tiny-t5"
    in_cache(audiocraft_folder / "tiny-t5", "tiny-t5", tmp_path)
    bended = BendedAudioGen("facebook/audiogen-medium", tmp_path)
    bended.set_generation_params(duration=1.0, use_sampling=False)
    music = BendedMusicGen(folder)
    music.set_generation_params(duration=1.0, use_sampling=False)
    assert torch.equal(bended.generate(["abc"]), music.generate(["abc"]))
    given = BendedAudioGen(both, text_encoder=audiocraft_folder / "tiny-t5")
    assert torch.equal(given.module.text_encoder.shared.weight, bended.module.text_encoder.shared.weight)


@pytest.mark.parametrize("name", ["facebook/musicgen-small", "t5-base"])
def test_no_network_is_told_with_what_to_do(name: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be fetched") as told:
        BendedMusicGen(name, cache_dir=tmp_path)
    assert str(tmp_path) in str(told.value.wanted) and "--local-dir" in str(told.value.next_step)


def test_wrong_folders_are_told(tmp_path: Path, folder: Path) -> None:
    for name in (str(tmp_path / "nowhere"), "./nowhere", "a/b/c", str(folder / "config.json")):
        with pytest.raises(CheckpointError, match="no such folder"):
            BendedMusicGen(name)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(CheckpointError, match="no model that is known") as told:
        BendedMusicGen(tmp_path)
    assert "notes.txt" in str(told.value.got)


def test_other_models_are_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "m" / "config.json").write_text(json.dumps({**config, "model_type": "gpt2"}))
    with pytest.raises(CheckpointError, match="no MusicGen"):
        BendedMusicGen(tmp_path / "m")


def test_weights_that_do_not_fit_are_refused(audiocraft_folder: Path, tmp_path: Path) -> None:
    other = shutil.copytree(audiocraft_folder, tmp_path / "m")
    content = torch.load(other / "state_dict.bin", weights_only=True)
    del content["best_state"]["transformer.layers.1.norm2.bias"]
    content["best_state"]["extra.weight"] = torch.ones(2)
    torch.save(content, other / "state_dict.bin")
    with pytest.raises(CheckpointError, match="do not fit") as told:
        BendedMusicGen(other)
    assert "norm2.bias" in str(told.value.got) and "extra.weight" in str(told.value.got)


class DictConfig:
    """A configuration that is an object, as a training keeps it."""


DictConfig.__module__ = "omegaconf.dictconfig"


def test_a_training_s_own_checkpoint_is_refused_with_the_reason(
    audiocraft_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = shutil.copytree(audiocraft_folder, tmp_path / "m")
    module = ModuleType("omegaconf.dictconfig")
    module.DictConfig = DictConfig  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "omegaconf", ModuleType("omegaconf"))
    monkeypatch.setitem(sys.modules, "omegaconf.dictconfig", module)
    torch.save({"best_state": {"model": {}}, "xp.cfg": DictConfig()}, other / "state_dict.bin")
    with pytest.raises(CheckpointError, match="training keeps for itself") as told:
        BendedMusicGen(other)
    assert "omegaconf" in str(told.value.got) and "export_lm" in str(told.value.next_step)
    torch.save({"model": {"a": torch.ones(1)}, "optimizer": {}}, other / "state_dict.bin")
    with pytest.raises(CheckpointError, match="training keeps for itself") as told:
        BendedMusicGen(other)
    assert "optimizer" in str(told.value.got)
    torch.save({"best_state": {}, "xp.cfg": Path("x")}, other / "state_dict.bin")
    with pytest.raises(WeightsFileError, match="without running code"):
        BendedMusicGen(other)


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("model: t5", "model: clap", "something else"),
        ("conditioners:", "conditioners:\n  self_wav: {model: style}", "something else"),
        ("conditioners:", "conditioners:\n  chords: {model: chords_emb}", "something else"),
        ("conditioners:", "conditioners:\n  self_wav: {model: chroma_stem}", "no language model"),
        ("modeling: delay", "modeling: parallel", "another pattern"),
        ("conditioners:", "conditioners: [", "cannot be read"),
        ("num_heads: 2", "num_heads: two", "no number"),
    ],
)
def test_configurations_of_other_models_are_refused(
    audiocraft_folder: Path, tmp_path: Path, old: str, new: str, match: str
) -> None:
    other = shutil.copytree(audiocraft_folder, tmp_path / "m")
    content = torch.load(other / "state_dict.bin", weights_only=True)
    assert old in content["xp.cfg"]
    content["xp.cfg"] = content["xp.cfg"].replace(old, new)
    torch.save(content, other / "state_dict.bin")
    with pytest.raises(CheckpointError, match=match):
        BendedMusicGen(other)


def test_a_missing_tokenizer_is_told(tmp_path: Path, original: Any) -> None:
    original.save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="tokenizer"):
        BendedMusicGen(tmp_path)


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    found = importlib.import_module

    def without(name: str, *args: Any) -> Any:
        if name == "transformers":
            raise ImportError(name)
        return found(name, *args)

    monkeypatch.setattr(importlib, "import_module", without)
    for source in (folder, "facebook/musicgen-small"):
        with pytest.raises(MissingExtraError) as told:
            BendedMusicGen(source)
        assert 'pip install "torchbend[transformers]"' in str(told.value.next_step)


@pytest.mark.shows("BendedMusicGen", "load from a folder", model="MusicGen")
def test_weights_in_several_files_are_read(original: Any, tmp_path: Path) -> None:
    original.save_pretrained(tmp_path, max_shard_size="100KB")
    tiny.tokenizer().save_pretrained(tmp_path)
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    bended = BendedMusicGen(tmp_path)
    assert torch.equal(bended.module.lm.out_norm.bias, original.decoder.model.decoder.layer_norm.bias)
