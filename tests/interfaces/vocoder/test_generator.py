"""The generator: sizes of the paper, and the same numbers as other implementations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.utils import parametrizations

from torchbend.errors import CheckpointError, TorchbendError, WeightsFileError
from torchbend.interfaces.vocoder import BendedVocoder
from torchbend.interfaces.vocoder.generator import Generator, HifiGanSizes
from torchbend.interfaces.weight_norm import folded

SMALL: dict[str, Any] = {
    "resblock": "1",
    "upsample_rates": [4, 4],
    "upsample_kernel_sizes": [8, 8],
    "upsample_initial_channel": 16,
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1, 3]],
    "num_mels": 20,
    "n_fft": 64,
    "hop_size": 16,
    "win_size": 64,
    "sampling_rate": 22050,
    "fmin": 0,
    "fmax": 8000,
}
V2 = HifiGanSizes(channels=128)
V3 = HifiGanSizes(
    channels=256,
    rates=(8, 8, 4),
    kernels=(16, 16, 8),
    block_kernels=(3, 5, 7),
    block_dilations=((1, 2), (2, 6), (3, 12)),
    two=False,
)


@pytest.mark.shows("BendedVocoder", "full-size names and shapes", model="HiFi-GAN")
@pytest.mark.parametrize(
    ("sizes", "millions"), [(HifiGanSizes(), 13.92), (V2, 0.92), (V3, 1.46)], ids=["V1", "V2", "V3"]
)
def test_the_papers_sizes_have_the_papers_numbers_of_weights(sizes: HifiGanSizes, millions: float) -> None:
    with torch.device("meta"):
        generator = Generator(sizes)
    assert round(sum(w.numel() for w in generator.parameters()) / 1e6, 2) == pytest.approx(
        millions, abs=0.011
    )
    assert sizes.hop == 256


def written(folder: Path, config: dict[str, Any], weights: Any, name: str = "generator.pth.tar") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    torch.save(weights, folder / name)
    return folder


def small() -> Generator:
    torch.manual_seed(1)
    return Generator(HifiGanSizes(20, 16, (4, 4), (8, 8), (3,), ((1, 3),)))


@pytest.mark.shows("BendedVocoder", "load from a folder", model="HiFi-GAN")
def test_a_folder_of_the_published_layout(tmp_path: Path) -> None:
    generator = small()
    mel = torch.randn(1, 20, 9)
    wanted = generator(mel)
    halves = small()
    for part in halves.modules():
        if isinstance(part, torch.nn.Conv1d | torch.nn.ConvTranspose1d):
            parametrizations.weight_norm(part)
    state = {
        name.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): tensor
        for name, tensor in halves.state_dict().items()
    }
    folder = written(tmp_path / "a", SMALL, {"generator": state})
    for source in (folder, folder / "generator.pth.tar", str(folder)):
        loaded = BendedVocoder(source)
        assert torch.allclose(loaded.decode(mel), wanted, atol=1e-6)
    assert loaded.sample_rate == 22050 and loaded.bands == 20 and loaded.hop == 16
    plain = written(tmp_path / "b", SMALL, generator.state_dict(), "g_02500000")
    assert torch.equal(BendedVocoder(plain).decode(mel), wanted)


@pytest.mark.shows("BendedVocoder", "load from a folder", model="SpeechT5HifiGan")
def test_the_layout_of_transformers_sounds_the_same(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.SpeechT5HifiGanConfig(
        model_in_dim=20,
        upsample_initial_channel=16,
        upsample_rates=[4, 4],
        upsample_kernel_sizes=[8, 8],
        resblock_kernel_sizes=[3, 5],
        resblock_dilation_sizes=[[1, 3], [1, 2]],
        normalize_before=True,
    )
    torch.manual_seed(0)
    original = transformers.SpeechT5HifiGan(config).eval()
    with torch.no_grad():
        original.mean.copy_(torch.randn(20))
        original.scale.copy_(torch.rand(20) + 0.5)
        for weight in original.parameters():
            weight.normal_(std=0.2)
    original.save_pretrained(tmp_path)
    loaded = BendedVocoder(tmp_path)
    mel = torch.randn(2, 20, 11)
    with torch.no_grad():
        wanted = original(mel.transpose(1, 2))
    assert float(wanted.std()) > 0.01
    assert torch.allclose(loaded.decode(mel)[:, 0], wanted, atol=1e-6)
    assert loaded.sample_rate == 16000


def test_the_bands_of_speecht5_are_those_of_transformers() -> None:
    transformers = pytest.importorskip("transformers")
    from torchbend.interfaces.vocoder.mel import LogMel

    extractor = transformers.SpeechT5FeatureExtractor()
    sound = 0.3 * torch.randn(16000, generator=torch.Generator().manual_seed(0))
    wanted = torch.as_tensor(extractor(audio_target=sound.numpy(), sampling_rate=16000)["input_values"][0])
    made = LogMel(16000, 1024, 256, 80, 80.0, 7600.0, floor=1e-10, decimal=True, centred=True)(
        sound[None, None]
    )
    assert torch.allclose(made[0].T[2:-2], wanted[2 : len(made[0].T) - 2], atol=2e-3)


def test_a_direction_of_no_length_is_a_weight_of_zero() -> None:
    lengths, directions = torch.ones(3, 1, 1), torch.randn(3, 2, 5)
    directions[1] = 0
    whole = folded({"a.weight_g": lengths, "a.weight_v": directions, "a.bias": torch.ones(3)})
    assert set(whole) == {"a.weight", "a.bias"} and not bool(whole["a.weight"][1].any())
    assert torch.allclose(whole["a.weight"][0].norm(), torch.tensor(1.0))
    with pytest.raises(WeightsFileError, match="one half"):
        folded({"a.weight_g": lengths})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"upsample_rates": [4]}, "no generator has these sizes"),
        ({"upsample_rates": "x"}, "incomplete, or wrong"),
        ({"hop_size": 32}, "do not fit together"),
        ({"upsample_kernel_sizes": None}, "incomplete, or wrong"),
        ({"upsample_initial_channel": 32}, "do not fit"),
    ],
)
def test_other_configurations_are_refused(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    folder = written(tmp_path, {**SMALL, **change}, {"generator": small().state_dict()})
    with pytest.raises((CheckpointError, WeightsFileError), match=told):
        BendedVocoder(folder)


def test_what_is_no_vocoder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(TorchbendError, match="gpt2|no configuration"):
        BendedVocoder(tmp_path)
    with pytest.raises(CheckpointError, match="no vocoder"):
        BendedVocoder(3)  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match="no such folder"):
        BendedVocoder(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="cannot be read"):
        BendedVocoder(
            written(tmp_path / "x", SMALL, {}).joinpath("config.json").rename(tmp_path / "x" / "c.pth")
        )


@pytest.mark.shows("BendedVocoder", "load by hub name", model="SpeechT5HifiGan")
def test_a_hub_name_out_of_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transformers = pytest.importorskip("transformers")
    sizes = {"upsample_initial_channel": 16, "upsample_rates": [4, 4], "upsample_kernel_sizes": [8, 8]}
    blocks = {"resblock_kernel_sizes": [3], "resblock_dilation_sizes": [[1, 3]]}
    home = tmp_path / "models--microsoft--speecht5_hifigan"
    transformers.SpeechT5HifiGan(transformers.SpeechT5HifiGanConfig(**sizes, **blocks)).save_pretrained(
        home / "snapshots" / "abc"
    )
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("abc")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    loaded = BendedVocoder("microsoft/speecht5_hifigan", tmp_path)
    assert (loaded.sample_rate, loaded.bands, loaded.hop) == (16000, 80, 16)
