"""Training checkpoints load whole and exactly, or not at all."""

from __future__ import annotations

import logging
import os
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from torchbend.errors import CheckpointError
from torchbend.rave import RAVE, load, load_with_notes, preset
from torchbend.rave.config import MultiScaleConfig

RUNS = (
    "v1", "v2", "v2_causal", "v2_noise", "v2_nopqmf", "v2_spherical", "v2_wasserstein", "v3", "discrete"
)  # fmt: skip
SMALL: dict[str, Any] = {"discriminator": MultiScaleConfig(2), "capacity": 4, "latent_size": 4}


def stored(path: Path) -> dict[str, Tensor]:
    state: dict[str, Tensor] = torch.load(path, weights_only=True)["state_dict"]
    return state


def small(*names: str, **overrides: Any) -> RAVE:
    torch.manual_seed(0)
    return RAVE(preset(*names, **{**SMALL, **overrides})).eval()


def assert_holds(model: RAVE, state: dict[str, Tensor]) -> None:
    own = model.state_dict()
    for name, value in state.items():
        assert torch.equal(own[name], value), name
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Path]:
    """Writes a run as training leaves it: a configuration, and a checkpoint two folders below."""

    def write(model: RAVE, gin: str | None, name: str = "best.ckpt", **more: object) -> Path:
        folder = tmp_path / "run" / "version_0" / "checkpoints"
        folder.mkdir(parents=True, exist_ok=True)
        if gin is not None:
            (tmp_path / "run" / "config.gin").write_text(gin)
        torch.save({"state_dict": model.state_dict(), **more}, folder / name)
        return tmp_path / "run"

    return write


GIN = """include "v2.gin"
CAPACITY = 4
LATENT_SIZE = 4
RAVE.discriminator = @MultiScaleDiscriminator
MultiScaleDiscriminator.convnet = @scales/ConvNet
scales/ConvNet.capacity = 4
"""


@pytest.mark.shows("BendedRAVE", "load the original's checkpoints", model="v1, v2, v3, discrete")
@pytest.mark.parametrize("name", RUNS)
def test_reference_runs(shared_dir: Path, name: str) -> None:
    folder = shared_dir / "rave_ref" / name / "run"
    model, notes = load_with_notes(folder)
    state = stored(folder / "version_0" / "checkpoints" / "best.ckpt")
    assert_holds(model, state)
    assert len(notes) == (1 if name == "v3" else 0)


def test_a_run_by_its_checkpoint_and_by_each_folder(shared_dir: Path) -> None:
    folder = shared_dir / "rave_ref" / "v2_causal" / "run"
    checkpoint = folder / "version_0" / "checkpoints" / "best.ckpt"
    for path in (folder, folder / "version_0", checkpoint.parent, checkpoint, str(checkpoint)):
        assert load(path).config.padding == "causal"


@pytest.mark.shows("BendedRAVE", "real weights: a run of the original")
def test_a_real_run_and_its_average(shared_dir: Path) -> None:
    folder = shared_dir / "rave_ref" / "real_run_v2"
    content = torch.load(next(folder.rglob("*.ckpt")), weights_only=True)
    plain, averaged = load(folder), load(folder, ema=True)
    assert_holds(plain, content["state_dict"])
    average = content["callbacks"]["EMA"]
    buffers = {name: v for name, v in content["state_dict"].items() if name not in average}
    assert "latent_pca" in buffers and len(average) == 226
    assert_holds(averaged, {**average, **buffers})


def test_a_prior_holds_its_model(shared_dir: Path) -> None:
    path = shared_dir / "rave_ref" / "prior_v2" / "prior.ckpt"
    model, notes = load_with_notes(path)
    state = stored(path)
    inside = {name.removeprefix("synth."): v for name, v in state.items() if name.startswith("synth.")}
    assert_holds(model, inside)
    assert any("synth." in note for note in notes)
    assert replace(model.config, name="v2") == preset("v2", capacity=6, latent_size=16)


@pytest.mark.parametrize("name", [name for name in RUNS if name not in ("v2_causal", "v3")])
def test_without_a_configuration_the_sizes_tell(shared_dir: Path, tmp_path: Path, name: str) -> None:
    folder = shared_dir / "rave_ref" / name / "run"
    shutil.copy(folder / "version_0" / "checkpoints" / "best.ckpt", tmp_path / "a.ckpt")
    model, notes = load_with_notes(tmp_path / "a.ckpt")
    wanted = load(folder).config
    assert replace(model.config, name=wanted.name, training=wanted.training) == wanted
    assert any("no config.gin" in note for note in notes)


COMBINATIONS: list[tuple[tuple[str, ...], dict[str, Any]]] = [
    (("v1",), {"channels": 2}),
    (("raspberry",), {}),
    (("v2", "snake", "adain", "noise"), {}),
    (("v2", "hybrid"), {}),
    (("v2_with_augs",), {}),
    (("v2_small",), {"channels": 2}),
    (("v2_nopqmf",), {"channels": 2}),
    (("v2",), {"ratios": (8, 2), "kernel_size": 5, "dilations": ((1, 3), (1,))}),
    (("v2",), {"bands": 8, "attenuation": 70.0}),
    (("discrete",), {"num_quantizers": 3, "codebook_size": 8, "noise_augmentation": 2}),
    (("v2", "wasserstein"), {"noise_augmentation": 3}),
]


@pytest.mark.parametrize(("names", "overrides"), COMBINATIONS, ids=lambda value: str(value)[:40])
def test_sizes_tell_combinations(tmp_path: Path, names: tuple[str, ...], overrides: dict[str, Any]) -> None:
    wanted = small(*names, **overrides)
    torch.save({"state_dict": wanted.state_dict()}, tmp_path / "a.ckpt")
    found = load(tmp_path / "a.ckpt")
    # What no weight tells takes its usual value.
    training = replace(found.config.training, distance=wanted.config.training.distance)
    assert found.config == replace(wanted.config, name="inferred", training=training)
    assert_holds(found, wanted.state_dict())


def test_keep_dim_is_told_by_the_sizes(tmp_path: Path) -> None:
    base = preset("v2", **SMALL)
    config = replace(
        base, encoder=replace(base.encoder, keep_dim=True), decoder=replace(base.decoder, keep_dim=True)
    )
    wanted = RAVE(config)
    torch.save({"state_dict": wanted.state_dict()}, tmp_path / "a.ckpt")
    found = load(tmp_path / "a.ckpt").config
    assert (found.encoder, found.decoder) == (config.encoder, config.decoder)


# -- what runs leave behind ------------------------------------------------------------------------------


def test_the_newest_checkpoint_is_taken(run: Callable[..., Path]) -> None:
    old, new = small("v2"), small("v2")
    new.latent_mean.fill_(3)
    folder = run(old, GIN, "epoch_9.ckpt")
    run(new, GIN, "best.ckpt")
    checkpoints = folder / "version_0" / "checkpoints"
    os.utime(checkpoints / "epoch_9.ckpt", (1, 1))
    os.utime(checkpoints / "best.ckpt", (2, 2))
    assert load(folder).latent_mean[0] == 3
    os.utime(checkpoints / "epoch_9.ckpt", (3, 3))
    assert load(folder).latent_mean[0] == 0


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_channels_are_not_in_the_configuration(run: Callable[..., Path], channels: int) -> None:
    model = small("v2", channels=channels)
    loaded = load(run(model, GIN))
    assert loaded.channels == channels
    assert_holds(loaded, model.state_dict())


def test_what_only_training_needs_may_be_missing(run: Callable[..., Path]) -> None:
    model = small("v2")
    state = {
        name: v for name, v in model.state_dict().items() if name.startswith(("enc", "dec", "lat", "fid"))
    }
    state["receptive_field"] = torch.tensor([3, 4])
    folder = run(model, GIN)
    torch.save({"state_dict": state}, folder / "version_0" / "checkpoints" / "best.ckpt")
    loaded, notes = load_with_notes(folder)
    assert_holds(loaded, state)
    assert_holds(loaded, {n: v for n, v in model.state_dict().items() if n.startswith(("pqmf", "audio"))})
    assert "the discriminator is not in this file: a new one takes its place" in notes
    values = torch.cat([parameter.flatten() for parameter in loaded.discriminator.parameters()])
    assert values.isfinite().all() and 0 < values.std() < 2


def test_caches_of_a_stream_are_left_out(run: Callable[..., Path]) -> None:
    model = small("v2")
    folder = run(model, GIN)
    caches = {
        "encoder.encoder.net.0.cache.pad": torch.zeros(64, 16, 6),
        "decoder.net.2.cache": torch.zeros(64, 4, 4),
        "decoder.net.3.aligned.paddings.1.pad": torch.zeros(64, 4, 2),
        "encoder.encoder.net.5.downsampling_delay.pad": torch.zeros(64, 4, 0),
    }
    torch.save(
        {"state_dict": {**model.state_dict(), **caches}}, folder / "version_0" / "checkpoints" / "best.ckpt"
    )
    loaded, notes = load_with_notes(folder)
    assert_holds(loaded, model.state_dict())
    assert "4 caches of a stream left out" in notes


def test_new_names_of_normalised_weights(run: Callable[..., Path]) -> None:
    model = small("v2")
    folder = run(model, GIN)
    renamed = {
        name.replace("weight_g", "parametrizations.weight.original0").replace(
            "weight_v", "parametrizations.weight.original1"
        ): value
        for name, value in model.state_dict().items()
    }
    torch.save({"state_dict": renamed}, folder / "version_0" / "checkpoints" / "best.ckpt")
    assert_holds(load(folder), model.state_dict())


@pytest.mark.parametrize("rows", [1, 8, 64, 100])
def test_rows_of_adaptive_normalisations(tmp_path: Path, rows: int) -> None:
    model = small("v2", "adain")
    state = model.state_dict()
    for name, value in state.items():
        if name.endswith(("mean_x", "std_y")):
            state[name] = torch.full((rows, *value.shape[1:]), 2.5)
    torch.save({"state_dict": state}, tmp_path / "a.ckpt")
    loaded = load(tmp_path / "a.ckpt").state_dict()
    kept = min(rows, 64)
    assert (loaded["encoder.encoder.net.1.mean_x"][:kept] == 2.5).all()
    assert (loaded["encoder.encoder.net.1.mean_x"][kept:] == 0).all()
    assert (loaded["encoder.encoder.net.1.std_y"][kept:] == 1).all()


def test_weights_share_no_memory_with_the_file(run: Callable[..., Path]) -> None:
    model = small("v2")
    folder = run(model, GIN)
    checkpoint = folder / "version_0" / "checkpoints" / "best.ckpt"
    loaded = load(folder)
    with checkpoint.open("r+b") as file:
        file.write(b"\0" * checkpoint.stat().st_size)
    assert_holds(loaded, model.state_dict())


@pytest.mark.parametrize("whole", [True, False])
def test_loading_leaves_random_numbers_as_they_are(run: Callable[..., Path], whole: bool) -> None:
    model = small("v2")
    folder = run(model, GIN)
    if not whole:
        state = {n: v for n, v in model.state_dict().items() if not n.startswith("discriminator.")}
        torch.save({"state_dict": state}, folder / "version_0" / "checkpoints" / "best.ckpt")
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load(folder)
    assert torch.equal(torch.rand(3), expected)


def test_what_the_configuration_gets_wrong_about_modulation(run: Callable[..., Path]) -> None:
    base = preset("v2", **SMALL)
    config = replace(base, decoder=replace(base.decoder, amplitude_modulation=False))
    assert load(run(RAVE(config), GIN)).config.decoder == config.decoder


# -- refusals --------------------------------------------------------------------------------------------


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        load(tmp_path / "nothing")
    with pytest.raises(CheckpointError, match="an empty folder"):
        load(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(CheckpointError, match="notes.txt"):
        load(tmp_path)


def test_several_models_in_one_folder(tmp_path: Path) -> None:
    for name in ("a.ts", "b.safetensors"):
        (tmp_path / name).touch()
    with pytest.raises(CheckpointError, match="several models"):
        load(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_truncated(run: Callable[..., Path], share: float) -> None:
    folder = run(small("v2"), GIN)
    checkpoint = folder / "version_0" / "checkpoints" / "best.ckpt"
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(CheckpointError, match="empty|damaged"):
        load(folder)


class Hostile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("how", ["zip", "legacy", "plain"])
def test_hostile_pickles_run_nothing(tmp_path: Path, how: str) -> None:
    touched = tmp_path / "touched"
    content = {"state_dict": small("onnx").state_dict(), "evil": Hostile(touched)}
    path = tmp_path / "a.ckpt"
    if how == "plain":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=how == "zip")
    with pytest.raises(CheckpointError):
        load(path)
    assert not touched.exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"state_dict": {"layer.weight": torch.zeros(2)}}, "not the weights of a RAVE"),
        ({"state_dict": {}}, "not the weights of a RAVE"),
        ({"state_dict": [1, 2]}, "holds no weights"),
        ({"epoch": 3}, "not the weights of a RAVE"),
        ([1, 2], "holds no checkpoint"),
        (torch.zeros(3), "holds no checkpoint"),
        (
            {"state_dict": {"encoder.net.0.weight": torch.zeros(2), "decoder.synth.x": torch.zeros(1)}},
            "before 2.0",
        ),
    ],
)
def test_foreign_checkpoints(tmp_path: Path, content: Any, said: str) -> None:
    torch.save(content, tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match=said):
        load(tmp_path / "a.ckpt")


def test_a_configuration_of_another_model(run: Callable[..., Path]) -> None:
    folder = run(small("v2"), GIN.replace("CAPACITY = 4", "CAPACITY = 5"))
    with pytest.raises(CheckpointError, match="other shapes") as error:
        load(folder)
    assert "encoder.encoder.net.0.weight_g" in str(error.value)


def test_a_configuration_of_another_kind(run: Callable[..., Path]) -> None:
    with pytest.raises(CheckpointError, match="missing.*unexpected"):
        load(run(small("v2"), 'include "v1.gin"\nCAPACITY = 4\nLATENT_SIZE = 4\n'))


def test_a_run_gives_its_name(run: Callable[..., Path]) -> None:
    folder = run(small("v2"), GIN)
    for path in (folder, folder / "version_0", next(folder.rglob("*.ckpt"))):
        assert load(path).config.name == "run"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("model.ts", b"\n<!DOCTYPE html><html>404</html>", "a web page"),
        ("model.safetensors", b"<html>log in first</html>", "a web page"),
        ("model.ckpt", b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "a pointer of Git LFS"),
    ],
)
def test_what_servers_give_instead(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=f"this file is {said}, not a model") as caught:
        load(tmp_path / name)
    assert caught.value.next_step is not None and "fetch the model again" in caught.value.next_step


def test_what_is_assumed_is_a_warning(run: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    folder = run(small("v2"), GIN)
    with caplog.at_level(logging.INFO, "torchbend"):
        load(folder)
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []
    next(folder.rglob("config.gin")).unlink()
    with caplog.at_level(logging.INFO, "torchbend"):
        load(folder)
    (warning,) = [record for record in caplog.records if record.levelno > logging.INFO]
    for what in ("dilations", "padding", "sampling rate"):
        assert what in warning.getMessage()
    assert "there is no config.gin" in caplog.text and "there is no config.gin" not in warning.getMessage()


def test_what_fits_is_taken_on_demand(run: Callable[..., Path]) -> None:
    model = small("v2")
    folder = run(model, GIN.replace("v2.gin", 'v2.gin"\ninclude "noise.gin'))
    with pytest.raises(CheckpointError, match="missing"):
        load(folder)
    loaded, notes = load_with_notes(folder, strict=False)
    assert_holds(loaded, {n: v for n, v in model.state_dict().items() if n.startswith("encoder.")})
    assert loaded.config.decoder.noise is not None
    assert all(value.isfinite().all() for value in loaded.state_dict().values())
    assert any("missing" in note for note in notes)


def test_a_damaged_configuration(run: Callable[..., Path]) -> None:
    with pytest.raises(CheckpointError, match="closed brackets"):
        load(run(small("v2"), "A = 1\nB = [\n"))
    with pytest.raises(CheckpointError, match="describes no RAVE model"):
        load(run(small("v2"), "A = 1\n"))


def test_a_hostile_configuration_imports_nothing(run: Callable[..., Path], tmp_path: Path) -> None:
    model = small("v2")
    folder = run(model, "import evil\nfrom evil import *\n" + GIN)
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'touched')!r}, 'w')\n")
    assert_holds(load(folder), model.state_dict())
    assert not (tmp_path / "touched").exists()


def test_no_average(run: Callable[..., Path]) -> None:
    with pytest.raises(CheckpointError, match="no averaged weights"):
        load(run(small("v2"), GIN, callbacks={"WarmupCallback": {}}), ema=True)


def test_channels_that_fit_no_number_of_bands(run: Callable[..., Path]) -> None:
    model = small("v2")
    folder = run(model, GIN)
    state = {**model.state_dict(), "encoder.encoder.net.0.weight_v": torch.zeros(4, 17, 7)}
    torch.save({"state_dict": state}, folder / "version_0" / "checkpoints" / "best.ckpt")
    with pytest.raises(CheckpointError, match="multiple of 16"):
        load(folder)


def test_sizes_that_fit_no_model(tmp_path: Path) -> None:
    state = small("v2").state_dict()
    for name, value in (
        ("latent_pca", torch.eye(5)),
        ("encoder.encoder.net.0.weight_v", torch.zeros(4, 17, 7)),
    ):
        torch.save({"state_dict": {**state, name: value}}, tmp_path / "a.ckpt")
        with pytest.raises(CheckpointError, match="fit"):
            load(tmp_path / "a.ckpt")


@pytest.mark.parametrize("name", ["latent_pca", "pqmf.h", "pqmf.hk", "decoder.net.2.weight_v", "fidelity"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 2, 2, 2)])
def test_shapes_that_make_no_sense(tmp_path: Path, name: str, shape: tuple[int, ...]) -> None:
    state = {**small("v2").state_dict(), name: torch.zeros(shape)}
    torch.save({"state_dict": state}, tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError):
        load(tmp_path / "a.ckpt")


def test_entries_that_are_no_plain_tensors(tmp_path: Path) -> None:
    state: dict[Any, Any] = {**small("v2").state_dict(), 3: torch.zeros(2), "note": "text"}
    torch.save({"state_dict": state}, tmp_path / "a.ckpt")
    assert load(tmp_path / "a.ckpt").latent_size == 4
    state["latent_mean"] = torch.zeros(4).to_sparse()
    torch.save({"state_dict": state}, tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match="latent_mean"):
        load(tmp_path / "a.ckpt")


def test_sizes_that_no_memory_holds(run: Callable[..., Path]) -> None:
    with pytest.raises(CheckpointError, match="can be built|other shapes"):
        load(run(small("v2"), GIN.replace("CAPACITY = 4", f"CAPACITY = {10**15}")))
