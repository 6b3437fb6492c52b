"""GANs leave Python: map and synthesize, or the whole generator, with live controls."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import torchbend as tb
from torchbend.interfaces.gan import DCGAN, BendedGAN, StyleGAN2, StyleGAN2Sizes


def small() -> BendedGAN:
    """Two blocks are enough: exporters take their time with each operation."""
    torch.manual_seed(0)
    return BendedGAN(StyleGAN2(StyleGAN2Sizes((8, 6), z_dim=8, w_dim=8, mapping_layers=2)))


@pytest.mark.shows("BendedGAN", "export to torchscript", model="StyleGAN2")
def test_map_and_synthesize_as_torchscript(tmp_path: Path) -> None:
    gan = small()
    glow = tb.BendingParameter("glow", 1.5, range=(0.0, 3.0))
    gan.bend(tb.Scale(glow), "synthesize:synthesis_b8_conv1_out$")
    gan.bend(tb.Scale(0.8), "mapping.fc1.weight")
    played = torch.jit.load(str(gan.export(tmp_path / "clouds.ts", "torchscript")))
    z = gan.latents([1, 2, 3])  # more than at the export
    ws = played.map(z)
    assert torch.allclose(ws, gan.map(z), atol=1e-5)
    images = played.synthesize(ws).add(1).div(2).clamp(0, 1)
    assert torch.allclose(images, gan.generate([1, 2, 3]), atol=1e-5)


@pytest.mark.shows("BendedGAN", "export to ONNX", model="StyleGAN2")
def test_synthesize_as_onnx(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    gan = small()
    gan.bend(tb.Scale(0.5), "synthesize:synthesis_b8_conv1_out$")
    (path,) = gan.export(tmp_path / "clouds.onnx", "onnx", methods=["synthesize"])
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    ws = gan.map(gan.latents([1, 2]))
    (made,) = session.run(None, {session.get_inputs()[0].name: ws.numpy()})
    images = torch.from_numpy(made).add(1).div(2).clamp(0, 1)
    assert torch.allclose(images, gan.generate([1, 2]), atol=1e-4)


@pytest.mark.shows("BendedGAN", "export to pt2", model="StyleGAN2")
def test_map_as_pt2(tmp_path: Path) -> None:
    gan = small()
    gan.bend(tb.Scale(0.5), "mapping.fc1.weight", "map:mapping_fc0_out$")
    (path,) = gan.export(tmp_path / "clouds.pt2", "pt2", methods=["map"])
    played = torch.export.load(path).module(check_guards=False)
    z = gan.latents([1, 2])
    (ws,), _ = played(inputs={"z": z}, states={}, controls={})
    assert torch.allclose(ws, gan.map(z), atol=1e-5)


@pytest.mark.shows("BendedGAN", "export to torchscript", model="DCGAN")
def test_a_plain_generator_as_torchscript(tmp_path: Path) -> None:
    torch.manual_seed(0)
    gan = BendedGAN(DCGAN(10, (16, 8)))
    gan.bend(tb.Scale(0.5), "main_5$")
    played = torch.jit.load(str(gan.export(tmp_path / "plain.ts", "torchscript")))
    images = played.forward(gan.latents([1, 2])).add(1).div(2).clamp(0, 1)
    assert torch.allclose(images, gan.generate([1, 2]), atol=1e-5)
