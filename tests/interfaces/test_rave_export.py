"""What is exported for the stage can be read back, and dissected."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from torchbend import BendedRAVE, BendingParameter, Scale, rave
from torchbend.errors import ExportError


@pytest.mark.shows("BendedRAVE", "export to nn~", model="v1, v2")
@pytest.mark.parametrize("names", [("v1",), ("v2",), ("v2", "causal"), ("v2_nopqmf", "snake")])
def test_an_export_is_read_back(names: tuple[str, ...], tmp_path: Path) -> None:
    torch.manual_seed(0)
    made = rave.RAVE(rave.preset(*names, capacity=4, latent_size=8)).eval().requires_grad_(False)
    made.latent_mean.normal_()
    if "warmed_up" in made.decoder._buffers:
        made.decoder.warmed_up.fill_(1)  # its noise is heard, and so it is in the file
    path = BendedRAVE(made).export(tmp_path / "model.ts", latents=4, patches=False, warm_up=False)
    assert isinstance(path, Path)
    again = rave.load(path)
    assert again.config == made.config
    x = 0.3 * torch.randn(1, 1, 8 * made.ratio)
    assert torch.allclose(again.encode(x), made.encode(x), atol=1e-5)
    z = torch.randn(1, 8, 6)
    decoded = []
    for model in (again, made):
        torch.manual_seed(1)  # the noise of v1
        decoded.append(model.decode(z))
    assert torch.allclose(*decoded, atol=1e-5)
    assert torch.equal(again.latent_mean, made.latent_mean)


@pytest.mark.shows("BendedRAVE", "export to nn~, bent, with a control")
def test_a_bent_export_keeps_what_the_bend_starts_from(tmp_path: Path) -> None:
    torch.manual_seed(0)
    made = rave.RAVE(rave.preset("v2", capacity=4, latent_size=8)).eval().requires_grad_(False)
    bended = BendedRAVE(made)
    bended.bend(Scale(BendingParameter("gain", 2.0, range=[0, 4])), r"encoder\.encoder\.net\.0\.weight_g")
    path = bended.export(tmp_path / "bent.ts", patches=False, warm_up=False)
    loaded = torch.jit.load(str(path))
    x = 0.3 * torch.randn(1, 1, 4 * made.ratio)
    with torch.inference_mode():
        assert loaded.set_gain(9.0) == 1 and loaded.get_gain() == (2.0,)
        loud = loaded.encode(x)
        assert loaded.set_gain(0.0) == 0
        assert not torch.allclose(torch.jit.load(str(path)).encode(x), loaded.encode(x))
    assert loud.shape == (1, loaded.encode_params[2].item(), 4)


def test_what_cannot_be_played_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    torch.manual_seed(0)
    made = rave.RAVE(rave.preset("v2", capacity=4, latent_size=8)).eval().requires_grad_(False)
    bended = BendedRAVE(made)
    for options in ({"latents": 9}, {"latents": 0}, {"sample_rate": 48_000}, {"channels": 0}):
        with pytest.raises(ExportError):
            bended.export(tmp_path / "model.ts", **options)  # type: ignore[arg-type]
    with pytest.raises(ExportError, match="target"):
        bended.export(tmp_path / "model.ts", target="vst")
    with pytest.raises(ExportError, match=".ts"):
        bended.export(tmp_path / "model.wav")
    assert list(tmp_path.iterdir()) == []
    assert not made.is_streaming
