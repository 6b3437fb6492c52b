"""The MusicGen cells of document 003 run unchanged, with a tiny model where the hub's cache would have it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.documents.reading import code_cells

from . import tiny
from .hub import in_cache

huggingface_hub = pytest.importorskip("huggingface_hub")

CELLS = slice(8, 11)
RATE = 32  # a frame in a second: the cells generate 35 seconds
BROKEN = "print('-- bending layer %s with callback %s...')%(layer, callback)"
"""A line of the document that fails in any Python: what print returns has no operator %."""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache in a folder of the test, where the cells say ``/tmp``; as deep a model as the small one."""
    pytest.importorskip("IPython")
    in_cache(
        tiny.save(tiny.model(layers=24, rate=RATE), tmp_path / "model"),
        "facebook/musicgen-small",
        tmp_path / "cache",
    )
    found = huggingface_hub.snapshot_download

    def redirected(name: str, cache_dir: str | None = None, **options: Any) -> str:
        assert cache_dir == "/tmp"
        return str(found(name, cache_dir=str(tmp_path / "cache"), **options))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", redirected)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return tmp_path


@pytest.mark.shows("BendedMusicGen", "the documents' cells", model="MusicGen")
def test_the_cells_bend_music(hub: Path, shared_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, table, bends = code_cells(shared_dir, "003")[CELLS]
    assert bends.count(BROKEN) == 2
    namespace: dict[str, Any] = {"__name__": "document"}
    torch.manual_seed(0)
    exec(compile(first, "cell 8", "exec"), namespace)  # noqa: S102  the documents' own code
    assert namespace["out"].shape == (1, 1, 5 * RATE) and namespace["bended"].sample_rate == RATE
    capsys.readouterr()
    exec(compile(table, "cell 9", "exec"), namespace)  # noqa: S102
    printed = capsys.readouterr().out
    assert "lm.transformer.layers.23.self_attn.in_proj_weight" in printed
    assert "compression_model.decoder.model.13.block.1.conv.parametrizations.weight.original0" in printed
    exec(compile(bends.replace(BROKEN, "pass"), "cell 10", "exec"), namespace)  # noqa: S102
    printed = capsys.readouterr().out
    sounds = [*namespace["audios_compression"], *namespace["audios_lm"]]
    assert len(sounds) == 6 and all(sound.shape == (1, 1, 5 * RATE) for sound in sounds)
    assert all(bool(sound.isfinite().all()) for sound in sounds)
    bent = [line for line in printed.splitlines() if line.startswith("bended keys")]
    assert len(bent) == 6
    assert all(
        f"lm.transformer.layers.{n}.norm1.bias" in line for n, line in zip((1, 6, 18), bent[3:], strict=True)
    )
    assert "compression_model.encoder.model.13.lstm.bias_hh_l0" in bent[2]
    assert all("lm." not in line for line in bent[:3])
