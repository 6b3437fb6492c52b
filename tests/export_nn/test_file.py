"""What is in the file and beside it."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from torchbend.export.check import MARK, code_digest, read_structure
from torchbend.export.files import weights_hash

from .conftest import Export
from .models import PLAIN, bent_additive, bent_rave, small


def test_a_file_starts_from_silence_and_keeps_no_gradients(exported: Callable[..., Export]) -> None:
    for name in ("v2", "brave"):
        module = exported(name).load()
        tensors = {**dict(module.named_buffers()), **dict(module.named_parameters())}
        assert not any(tensor.requires_grad for tensor in tensors.values())
        caches = [tensor for key, tensor in tensors.items() if key.endswith("cache")]
        assert len(caches) > 5 and not any(bool(cache.any()) for cache in caches)
        assert all(cache.shape[0] == 4 for cache in caches), "as many rows as were asked for"
        assert not module.training


def test_the_json_file_tells_where_the_export_comes_from(exported: Callable[..., Export]) -> None:
    export = exported("v2")
    facts = export.facts
    assert facts["file"] == "v2.ts"
    assert facts["file_sha256"] == hashlib.sha256(export.path.read_bytes()).hexdigest()
    assert facts["weights_sha256"] == weights_hash(small("v2"))
    assert (facts["torch"], facts["model"], facts["target"]) == (torch.__version__, "RAVE", "nn~")
    assert (facts["sample_rate"], facts["max_batch"]) == (44100, 4)
    assert [control["name"] for control in facts["controls"]] == ["drive", "shift"]
    assert [control["range"] for control in facts["controls"]] == [[0.0, 2.0], [-0.5, 0.5]]
    assert [bend["sites"] for bend in facts["bends"]][0] == ["decoder.net.0.weight_g"]
    assert sorted(facts["delays"]) == ["decode", "encode", "forward"]


def test_the_mark_in_the_file_is_valid_and_says_the_same(exported: Callable[..., Export]) -> None:
    export = exported("v2")
    structure = read_structure(export.path)
    assert structure.readable and structure.ours
    with zipfile.ZipFile(export.path) as archive:
        assert archive.testzip() is None
        name = next(n for n in archive.namelist() if n.endswith(f"extra/{MARK}"))
        mark = json.loads(archive.read(name))
    assert mark.pop("sha256") == code_digest(export.path)
    assert mark == {k: v for k, v in export.facts.items() if k not in ("file", "file_sha256")}


def test_nothing_else_is_left_in_the_folder(exported: Callable[..., Export]) -> None:
    export = exported("v2")
    assert sorted(p.name for p in export.path.parent.iterdir()) == ["v2.json", "v2.maxpat", "v2.pd", "v2.ts"]


def test_an_export_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    path = tmp_path / "model.ts"
    path.write_bytes(b"an older file")
    bent_additive().export(path)
    assert read_structure(path).ours
    assert {p.suffix for p in tmp_path.iterdir()} == {".json", ".maxpat", ".pd", ".ts"}


@pytest.mark.slow
def test_a_file_is_hardly_larger_than_what_it_plays_with(tmp_path: Path) -> None:
    bended = bent_rave("v2", capacity=24, latent_size=8)
    path = bended.export(tmp_path / "medium.ts", batch=1, **PLAIN)
    model = bended.rave
    numbers = sum(
        tensor.numel()
        for part in (model.encoder, model.decoder)
        for name, tensor in part.state_dict().items()
        if not name.endswith("weight_g")
    )
    sizes = {}
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            kind = "numbers" if "/data/" in info.filename or "/constants/" in info.filename else "code"
            sizes[kind] = sizes.get(kind, 0) + info.file_size
    assert sizes["numbers"] <= 1.05 * 4 * numbers, "no weight is held twice, but those that a control moves"
    assert path.stat().st_size <= 1.3 * 4 * numbers, f"{path.stat().st_size / 4 / numbers:.2f}"
