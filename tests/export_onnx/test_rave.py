"""A streaming RAVE model gives the live numbers from ONNX, block after block, while controls move."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.export_onnx.models import small_rave, stream_difference
from torch import Tensor, nn

import torchbend as tb
from torchbend.export.onnx import export_onnx
from torchbend.export.onnx_stream import OnnxStream
from torchbend.export.pt2 import export_pt2
from torchbend.interfaces.rave import BendedRAVE
from torchbend.rave import RAVE
from torchbend.rave.model import Method
from torchbend.rave.recurrent import GRU
from torchbend.rave.streaming import Delay

pytest.importorskip("onnxruntime")

STREAMS: dict[str, tuple[tuple[str, ...], Method]] = {
    "v1": (("v1",), "decode"),
    "v2": (("v2",), "decode"),
    "causal": (("brave",), "forward"),
    "nopqmf": (("v2_nopqmf",), "decode"),
    "wasserstein": (("v2", "wasserstein"), "encode"),
    "hybrid": (("hybrid",), "encode"),  # hears a spectrogram; its decoder has a GRU
    "stereo": (("raspberry",), "encode"),
}
"""Configurations with the method that is exported: one each, since each export takes seconds."""

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


@pytest.mark.shows("BendedRAVE", "export to onnx: the stream")
@pytest.mark.slow
@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_from_onnx_is_the_live_stream(name: str, tmp_path: Path) -> None:
    names, method = STREAMS[name]
    bended = small_rave(*names, channels=2 if name == "stereo" else 1)
    model = bended.rave
    if name == "v1":
        model.decoder.warmed_up.fill_(1)  # the noise takes part from the second phase of training on
    gain = tb.BendingParameter("gain", 1.0, range=(0, 2))
    part = "encoder.*" if method == "encode" else "decoder."
    bended.bend(tb.Scale(gain), rf"{part}net\.0\.weight$")
    if method == "decode":
        bended.bend(tb.Scale(gain), "decode:add$")
    (file,) = export_onnx(bended._engine, tmp_path / "m.onnx", method)
    stream = OnnxStream(file)
    assert [c["name"] for c in stream.info()["controls"]] == ["gain"]
    assert stream.info()["delay"] == float(model.delay(method))
    given = blocks(*_block_of(model, method))
    live = _live(bended, method)
    first = [stream(block) for block in given]
    stream.reset()
    assert all((stream(block) == wanted).all() for block, wanted in zip(given, first, strict=True))
    stream.reset()
    for value in (1.0, 1.75):
        stream.set("gain", value)
        bended.update("gain", value)
        assert stream_difference(live, stream, given) < 1e-5
    stream.reset()
    model.__dict__["stream_state"].reset()
    assert stream_difference(live, stream, given) < 1e-5
    assert any((stream(b) - f).any() for b, f in zip(given, first, strict=True))


def _block_of(model: RAVE, method: str) -> tuple[int, int]:
    """Channels of a method's input, and its smallest block."""
    if method == "decode":
        return model.config.decoder_inputs, 1
    return model.channels, model.ratio


def _live(bended: BendedRAVE, method: str) -> Callable[[Tensor], Tensor]:
    function = bended.module if method == "forward" else getattr(bended.rave, method)
    return lambda x: bended._engine.call(method, function, (x,), {})


@pytest.mark.slow
def test_methods_go_to_files_of_their_own(tmp_path: Path) -> None:
    bended = small_rave("raspberry")
    files = export_onnx(bended._engine, tmp_path / "m.onnx", ["encode", "decode"])
    assert [f.name for f in files] == ["m.encode.onnx", "m.decode.onnx"]
    stream, model = OnnxStream(files), bended.rave
    assert stream.methods == ["encode", "decode"]
    x = blocks(1, model.ratio)
    assert stream_difference(_live(bended, "encode"), lambda b: stream(b, method="encode"), x) < 1e-5
    z = blocks(model.config.decoder_inputs, 1)
    assert stream_difference(bended.decode, lambda b: stream(b, method="decode"), z) < 1e-5


@pytest.mark.shows("BendedRAVE", "export to pt2: the stream")
@pytest.mark.slow
def test_a_package_of_torch_export_streams_too(tmp_path: Path) -> None:
    bended = small_rave("raspberry")
    bended.bend(tb.Scale(tb.BendingParameter("gain", 1.0, range=(0, 2))), r"encoder.*net\.0\.weight$")
    (file,) = export_pt2(bended._engine, tmp_path / "m.pt2", "encode")
    module = torch.export.load(file).module(check_guards=False)
    states = {n: t.clone() for n, t in _states(bended).items()}
    bended.update("gain", 1.5)

    def play(x: Tensor) -> Tensor:
        nonlocal states
        (z,), states = module(inputs={"x": x}, states=states, controls={"gain": torch.tensor(1.5)})
        return z

    assert stream_difference(_live(bended, "encode"), play, blocks(1, bended.rave.ratio)) < 1e-5


def _states(bended: object) -> dict[str, Tensor]:
    from torchbend.export.functional import Functional
    from torchbend.export.program import chosen_methods
    from torchbend.export.restoring import restored

    engine = bended._engine  # type: ignore[attr-defined]
    with restored(engine):
        return Functional(engine, "encode", chosen_methods(engine, "encode", None)["encode"]).states


class Hiss(nn.Module):
    """Noise of both kinds beside the input."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([x, torch.rand_like(x), torch.randn(x.shape[0], x.shape[1])])


def test_noise_stays_noise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    bended = tb.BendedModule(Hiss())
    bended.trace(torch.ones(2, 8))
    (file,) = export_onnx(bended._engine, tmp_path / "hiss.onnx")
    stream, x = OnnxStream(file), torch.ones(3, 5000)
    (kept, uniform, normal), (_, again, other) = stream(x), stream(x)
    assert (kept == 1).all() and (uniform != again).any() and (normal != other).any()
    assert uniform.min() >= 0 and uniform.max() <= 1 and abs(uniform.mean() - 0.5) < 0.02
    assert abs(normal.mean()) < 0.05 and abs(normal.std() - 1) < 0.05


@pytest.mark.slow
def test_a_recurrent_layer_goes_on_from_block_to_block(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layer = GRU(6, layers=2).eval()
    layer.cache = torch.zeros(1, *(layer.past(Delay()) or ()))
    bended = tb.BendedModule(layer)
    bended.trace(torch.randn(1, 6, 4))
    (file,) = export_onnx(bended._engine, tmp_path / "gru.onnx")
    stream = OnnxStream(file)
    given = [torch.randn(1, 6, n) for n in (4, 1, 7)]
    assert stream_difference(bended, stream, given) < 1e-5
