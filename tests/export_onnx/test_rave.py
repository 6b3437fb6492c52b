"""A streaming RAVE model gives the live numbers from ONNX, block after block, while controls move."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.export_onnx.models import small_rave, stream_difference
from torch import Tensor

import torchbend as tb
from torchbend.export.onnx import export_onnx
from torchbend.export.onnx_stream import OnnxStream
from torchbend.export.pt2 import export_pt2

pytest.importorskip("onnxruntime")

CONFIGS = {"raspberry": ("raspberry",)}
FRAMES = (2, 1, 5, 1, 3)


def blocks(channels: int, unit: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [0.3 * torch.randn(1, channels, unit * n, generator=generator) for n in FRAMES]


@pytest.fixture(autouse=True)
def constant_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise of one value, so that outputs can be compared."""

    def still(like: Tensor) -> Tensor:
        return torch.full_like(like, 0.25)

    randn = torch.randn

    def drawn(*shape: int, **options: Any) -> Tensor:
        return randn(*shape, **options) if "generator" in options else torch.full(shape, 0.25, **options)

    monkeypatch.setattr(torch, "rand_like", still)
    monkeypatch.setattr(torch, "randn_like", still)
    monkeypatch.setattr(torch, "randn", drawn)


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_a_stream_from_onnx_is_the_live_stream(name: str, tmp_path: Path) -> None:
    bended = small_rave(*CONFIGS[name])
    gain = tb.BendingParameter("gain", 1.0, range=(0, 2))
    bended.bend(tb.Scale(gain), r"decoder\.net\.0\.weight$|decoder\.synth.*weight$", "decode:add$")
    (file,) = export_onnx(bended._engine, tmp_path / "m.onnx", "forward")
    stream, model = OnnxStream(file), bended.rave
    info = stream.info()
    assert info["sample_rate"] == model.sample_rate and info["delay"] == float(model.delay("forward"))
    given = blocks(model.channels, model.ratio)
    for value in (1.0, 1.75):
        stream.set("gain", value)
        bended.update("gain", value)
        assert stream_difference(bended.__call__, stream, given) < 1e-5
    stream.reset()
    model.__dict__["stream_state"].reset()
    assert stream_difference(bended.__call__, stream, given) < 1e-5


@pytest.mark.slow
def test_methods_go_to_files_of_their_own(tmp_path: Path) -> None:
    bended = small_rave("v2")
    files = export_onnx(bended._engine, tmp_path / "m.onnx", ["encode", "decode"])
    assert [f.name for f in files] == ["m.encode.onnx", "m.decode.onnx"]
    stream, model = OnnxStream(files), bended.rave
    assert stream.methods == ["encode", "decode"]

    def encode(x: Tensor) -> Tensor:
        return bended._engine.call("encode", model.encode, (x,), {})  # type: ignore[no-any-return]

    x = blocks(1, model.ratio)
    assert stream_difference(encode, lambda b: stream(b, method="encode"), x) < 1e-5
    z = blocks(model.config.decoder_inputs, 1)
    assert stream_difference(bended.decode, lambda b: stream(b, method="decode"), z) < 1e-5


@pytest.mark.slow
def test_a_package_of_torch_export_streams_too(tmp_path: Path) -> None:
    bended = small_rave("v2")
    bended.bend(tb.Scale(tb.BendingParameter("gain", 1.0, range=(0, 2))), "decode:add$")
    (file,) = export_pt2(bended._engine, tmp_path / "m.pt2", "decode")
    module = torch.export.load(file).module(check_guards=False)
    states = {n: t.clone() for n, t in _states(bended).items()}
    bended.update("gain", 1.5)

    def play(z: Tensor) -> Tensor:
        nonlocal states
        (y,), states = module(inputs={"z": z}, states=states, controls={"gain": torch.tensor(1.5)})
        return y

    z = blocks(bended.rave.config.decoder_inputs, 1)
    assert stream_difference(bended.decode, play, z) < 1e-5


def _states(bended: object) -> dict[str, Tensor]:
    from torchbend.export.functional import Functional
    from torchbend.export.program import chosen_methods
    from torchbend.export.restoring import restored

    engine = bended._engine  # type: ignore[attr-defined]
    with restored(engine):
        return Functional(engine, "decode", chosen_methods(engine, "decode", None)["decode"]).states


@pytest.mark.slow
def test_noise_stays_noise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    bended = small_rave("v1")
    bended.rave.decoder.warmed_up.fill_(1)  # the noise takes part from the second phase of training on
    (file,) = export_onnx(bended._engine, tmp_path / "m.onnx", "decode")
    z = torch.randn(1, bended.rave.config.decoder_inputs, 4)
    stream = OnnxStream(file)
    first, second = stream(z), stream(z)
    assert first.shape == (1, 1, 4 * bended.rave.ratio)
    assert torch.isfinite(torch.from_numpy(first)).all() and (first != second).any()
