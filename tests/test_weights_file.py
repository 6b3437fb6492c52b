"""Weights files are read without running code from them, and told apart when they do not fit."""

from __future__ import annotations

import contextlib
import os
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from torchbend.errors import WeightsFileError
from torchbend.weights_file import apply_weights, load_tensors, load_weights


class Hostile:
    """Unpickling this would make a folder."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.marker),)


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return list(one) == list(other) and all(torch.equal(one[n], other[n]) for n in one)


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    return dict(nn.Linear(3, 2).state_dict())


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ckpt", ".bin", ".pth.tar"])
@pytest.mark.parametrize("zipped", [True, False])
def test_what_torch_saves_is_read(
    tmp_path: Path, weights: dict[str, torch.Tensor], suffix: str, zipped: bool
) -> None:
    path = tmp_path / f"w{suffix}"
    torch.save(weights, path, _use_new_zipfile_serialization=zipped)
    assert same(load_weights(path), weights)


def test_safetensors_are_read(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    save_file(weights, tmp_path / "w.safetensors")
    assert same(dict(sorted(load_weights(tmp_path / "w.safetensors").items())), dict(sorted(weights.items())))


@pytest.mark.parametrize(
    "place", [("state_dict",), ("generator",), ("model", "state_dict"), ("params",), ("anything",)]
)
def test_nested_weights_are_found(
    tmp_path: Path, weights: dict[str, torch.Tensor], place: tuple[str, ...]
) -> None:
    content: Any = weights
    for name in reversed(place):
        content = {name: content, "epoch": 3}
    torch.save(content, tmp_path / "w.pt")
    assert same(load_weights(tmp_path / "w.pt"), weights)
    assert same(load_weights(tmp_path / "w.pt", key=".".join(place)), weights)


def test_of_several_places_one_has_to_be_named(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    torch.save({"left": weights, "right": weights}, tmp_path / "w.pt")
    with pytest.raises(WeightsFileError, match="'left', 'right'"):
        load_weights(tmp_path / "w.pt")
    assert same(load_weights(tmp_path / "w.pt", "right"), weights)
    with pytest.raises(WeightsFileError, match="nothing at 'top'"):
        load_weights(tmp_path / "w.pt", "top")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_hostile_file_is_refused_and_does_nothing(tmp_path: Path, zipped: bool) -> None:
    marker = tmp_path / "marker"
    torch.save({"state_dict": Hostile(marker)}, tmp_path / "w.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsFileError, match=r"without running code[\s\S]*mkdir"):
        load_weights(tmp_path / "w.pt")
    assert not marker.exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_plain_pickle_is_refused_and_does_nothing(tmp_path: Path, protocol: int) -> None:
    marker = tmp_path / "marker"
    (tmp_path / "w.ckpt").write_bytes(pickle.dumps(Hostile(marker), protocol))
    with pytest.raises(WeightsFileError):
        load_weights(tmp_path / "w.ckpt")
    assert not marker.exists()


def test_the_oldest_format_is_refused(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    for name in ("sys_info", "pickle", "storages", "tensors"):
        (tmp_path / name).write_bytes(pickle.dumps(Hostile(marker), 2))
    with tarfile.open(tmp_path / "w.pth.tar", "w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            archive.add(tmp_path / name, name)
    with pytest.raises(WeightsFileError, match="tar file"):
        load_weights(tmp_path / "w.pth.tar")
    assert not marker.exists()


def test_the_refusal_names_what_the_file_wanted(tmp_path: Path) -> None:
    torch.save(nn.Linear(1, 1), tmp_path / "module.pt")
    with pytest.raises(WeightsFileError, match="torch.nn.modules.linear.Linear"):
        load_weights(tmp_path / "module.pt")
    torch.save({"a": np.ones(3)}, tmp_path / "array.pt")
    with pytest.raises(WeightsFileError, match="numpy"):
        load_weights(tmp_path / "array.pt")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_program_is_refused(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.trace(nn.Linear(1, 1), torch.ones(1, 1)), str(tmp_path / "program.pt"))
    with pytest.raises(WeightsFileError, match="TorchScript"):
        load_weights(tmp_path / "program.pt")


def test_missing_empty_and_other_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsFileError, match="no such file"):
        load_weights(tmp_path / "gone.pt")
    with pytest.raises(WeightsFileError, match="folder"):
        load_weights(tmp_path)
    for name in ("w.pt", "w.safetensors"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(WeightsFileError, match="empty"):
            load_weights(tmp_path / name)
        (tmp_path / name).write_bytes(b"RIFF what is this " * 99)
        with pytest.raises(WeightsFileError, match="damaged"):
            load_weights(tmp_path / name)
    torch.save({"epoch": 3}, tmp_path / "none.pt")
    with pytest.raises(WeightsFileError, match="no weights"):
        load_weights(tmp_path / "none.pt")
    torch.save(torch.ones(2), tmp_path / "tensor.pt")
    with pytest.raises(WeightsFileError, match="no weights"):
        load_weights(tmp_path / "tensor.pt")
    assert torch.equal(load_tensors(tmp_path / "tensor.pt"), torch.ones(2))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    tensors = {"a": torch.arange(40.0), "b": torch.ones(3, 3)}
    torch.save(tensors, folder / "w.pt")
    torch.save(tensors, folder / "old.pt", _use_new_zipfile_serialization=False)
    save_file(tensors, folder / "w.safetensors")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("name", ["w.pt", "old.pt", "w.safetensors"])
@given(share=st.floats(0.01, 0.99), junk=st.binary(max_size=8))
def test_a_damaged_file_is_told_as_such(
    tmp_path_factory: pytest.TempPathFactory, whole: dict[str, bytes], name: str, share: float, junk: bytes
) -> None:
    data = whole[name]
    cut = int(share * len(data))
    path = tmp_path_factory.getbasetemp() / f"damaged-{name}"
    path.write_bytes(data[:cut])
    with pytest.raises(WeightsFileError):
        load_weights(path)
    path.write_bytes(data[:cut] + junk + data[cut + len(junk) :])
    with contextlib.suppress(WeightsFileError):  # what was overwritten may have been a number of a tensor
        load_weights(path)


def test_weights_are_put_into_a_module(weights: dict[str, torch.Tensor]) -> None:
    module = nn.Linear(3, 2)
    assert apply_weights(module, weights) == ["weight", "bias"]
    assert same(dict(module.state_dict()), weights)


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.", "module._orig_mod."])
def test_the_prefix_of_a_wrapper_is_taken_off(weights: dict[str, torch.Tensor], prefix: str) -> None:
    module = nn.Linear(3, 2)
    apply_weights(module, {f"{prefix}{name}": tensor for name, tensor in weights.items()})
    assert same(dict(module.state_dict()), weights)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_both_ways_to_name_a_normalised_weight_fit() -> None:
    old = nn.Sequential(nn.utils.weight_norm(nn.Linear(3, 2)))
    new = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)))
    x = torch.randn(1, 3)
    apply_weights(new, old.state_dict())
    assert torch.allclose(new(x), old(x), atol=1e-6)
    newer = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)))
    apply_weights(old, newer.state_dict())
    assert torch.allclose(newer(x), old(x), atol=1e-6)


def test_what_does_not_fit_is_listed_and_changes_nothing(weights: dict[str, torch.Tensor]) -> None:
    module = nn.Linear(3, 2)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with pytest.raises(WeightsFileError, match=r"missing \(1\): bias; unexpected \(1\): other"):
        apply_weights(module, {"weight": weights["weight"], "other": torch.ones(1)})
    with pytest.raises(WeightsFileError, match=r"weight: \(2, 3\) here, \(3, 2\) in the file"):
        apply_weights(module, {**weights, "weight": torch.ones(3, 2)}, strict=False)
    with pytest.raises(WeightsFileError, match="unexpected"):
        apply_weights(module, {"nothing": torch.ones(1)}, strict=False)
    assert same(dict(module.state_dict()), before)


def test_loose_takes_what_fits(weights: dict[str, torch.Tensor]) -> None:
    module = nn.Linear(3, 2)
    assert apply_weights(module, {"weight": weights["weight"], "x": torch.ones(1)}, strict=False) == [
        "weight"
    ]
    assert torch.equal(module.weight, weights["weight"])
