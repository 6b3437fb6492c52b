"""The spectrogram is what its definition says, streamed or not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from torchbend.errors import RAVEConfigError, ShapeError, StreamError
from torchbend.rave.config import MelConfig
from torchbend.rave.mel import MelSpectrogram, mel_filters
from torchbend.rave.streaming import Delay, Measure, Opening, StreamState, close, follow

RATE = 44_100


def _noise(samples: int = 16384, batch: int = 1, channels: int = 1) -> Tensor:
    return torch.randn(batch, channels, samples, generator=torch.Generator().manual_seed(1))


def _open(layer: MelSpectrogram, batch: int = 1, as_original: bool = False) -> StreamState:
    close(layer)
    follow(layer, Delay(), Opening(batch, torch.zeros(()), as_original))
    return StreamState(layer, batch, as_original)


def _streamed(layer: MelSpectrogram, x: Tensor, block: int) -> Tensor:
    return torch.cat([layer(part) for part in x.split(block, -1)], -1)


def test_keys_and_sizes_are_the_checkpoint_s(shared_dir: Path) -> None:
    stored = json.loads((shared_dir / "rave_ref/_keys_v2_hybrid.json").read_text())
    wanted = {k: tuple(v[0]) for k, v in stored.items() if k.startswith("spectrogram.")}
    model = nn.Module()
    model.spectrogram = MelSpectrogram(MelConfig(), RATE)
    assert {k: tuple(v.shape) for k, v in model.state_dict().items()} == wanted
    assert len(wanted) == 2


def test_it_can_be_built_without_memory() -> None:
    with torch.device("meta"):
        assert MelSpectrogram(MelConfig(), RATE).mel_scale.fb.is_meta


def test_a_stream_leaves_the_keys_as_they_are() -> None:
    layer = MelSpectrogram(MelConfig(), RATE)
    keys = list(layer.state_dict())
    _open(layer)
    assert list(layer.state_dict()) == keys


def test_filters_are_triangles_between_points_of_the_mel_scale() -> None:
    fb = mel_filters(2048, 128, RATE).double().numpy()
    points = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), 130) / 2595) - 1)
    bins = np.linspace(0, RATE / 2, 1025)
    for band in range(128):
        wanted = np.interp(bins, points[band : band + 3], [0.0, 1.0, 0.0], left=0, right=0)
        np.testing.assert_allclose(fb[:, band], wanted, atol=2e-5)
    assert fb.shape == (1025, 128) and fb.max() <= 1


def test_the_offline_frames_follow_the_definition() -> None:
    x = _noise()
    got = MelSpectrogram(MelConfig(), RATE)(x)
    padded = np.pad(x[0, 0].double().numpy(), 1024, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(2048) / 2048)
    frames = np.stack([padded[t * 256 : t * 256 + 2048] * window for t in range(64)])
    energy = np.abs(np.fft.rfft(frames)) ** 2 / np.sum(window**2)
    wanted = np.log1p(energy @ mel_filters(2048, 128, RATE).double().numpy()).T
    assert got.shape == (1, 128, 64)
    np.testing.assert_allclose(got[0].numpy(), wanted, atol=1e-5)


def test_a_tone_stands_in_its_band() -> None:
    time = torch.arange(16384) / RATE
    mel = MelSpectrogram(MelConfig(), RATE)(torch.sin(2 * torch.pi * 1000 * time).reshape(1, 1, -1))
    band = 2595 * np.log10(1 + 1000 / 700) / (2595 * np.log10(1 + RATE / 2 / 700)) * 129 - 1
    assert abs(int(mel[0, :, 32].argmax()) - band) <= 1


@pytest.mark.parametrize("block", [256, 512, 2048, 8192])
def test_a_stream_is_the_offline_frames_three_hops_late(block: int) -> None:
    layer = MelSpectrogram(MelConfig(), RATE)
    x = _noise()
    x[..., :2048] = 0  # reflection and silence before the start are the same then
    whole = layer(x)
    _open(layer)
    assert follow(layer, Delay(), Measure()).frames == 3
    late = _streamed(layer, x, block)
    torch.testing.assert_close(late[..., 3:], whole[..., :-3], rtol=0, atol=1e-5)
    assert float(late[..., :3].abs().max()) == 0


def test_any_block_gives_the_same_from_the_start_on() -> None:
    layer = MelSpectrogram(MelConfig(), RATE)
    state = _open(layer, batch=2)
    long = _streamed(layer, _noise(batch=2), 8192)
    state.reset()
    torch.testing.assert_close(_streamed(layer, _noise(batch=2), 256), long, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("n_fft", "hop"), [(2048, 256), (1024, 512), (1024, 300), (512, 512)])
def test_other_sizes_stream_too(n_fft: int, hop: int) -> None:
    layer = MelSpectrogram(MelConfig(n_fft, hop, 40), RATE)
    x = _noise(20 * hop)
    x[..., :n_fft] = 0
    whole = layer(x)
    _open(layer)
    late = int(follow(layer, Delay(), Measure()).frames)
    got = _streamed(layer, x, 2 * hop)
    torch.testing.assert_close(got[..., late:], whole[..., : 20 - late], rtol=0, atol=1e-5)


def test_the_original_takes_each_block_as_a_whole_signal() -> None:
    layer = MelSpectrogram(MelConfig(), RATE)
    x = _noise()
    wanted = torch.cat([layer(part) for part in x.split(2048, -1)], -1)
    _open(layer)
    _open(layer, as_original=True)
    assert follow(layer, Delay(), Measure(True)).frames == 0
    assert torch.equal(_streamed(layer, x, 2048), wanted)


def test_channels_are_apart() -> None:
    stereo = MelSpectrogram(MelConfig(), RATE, channels=2)
    x = _noise(batch=3, channels=2)
    mono = MelSpectrogram(MelConfig(), RATE)
    wanted = torch.cat([mono(x[:, :1]), mono(x[:, 1:])], 1)
    torch.testing.assert_close(stereo(x), wanted)
    _open(stereo, batch=3)
    _open(mono, batch=3)
    left = _streamed(mono, x[:, :1], 2048)
    torch.testing.assert_close(_streamed(stereo, x, 2048)[:, :128], left)


def test_silence_is_zero_and_nothing_is_negative() -> None:
    layer = MelSpectrogram(MelConfig(), RATE)
    assert not layer(torch.zeros(1, 1, 4096)).any()
    assert bool((layer(_noise()) >= 0).all())


def test_what_does_not_fit_is_told() -> None:
    layer = MelSpectrogram(MelConfig(), RATE)
    for shape in ((1, 1, 1024), (1, 2, 4096), (1, 4096)):
        with pytest.raises(ShapeError, match="no spectrogram"):
            layer(torch.zeros(shape))
    _open(layer)
    with pytest.raises(ShapeError, match="no spectrogram"):
        layer(torch.zeros(1, 1, 128))
    with pytest.raises(StreamError, match="larger"):
        layer(torch.zeros(2, 1, 256))
    with pytest.raises(RAVEConfigError, match="sizes"):
        MelSpectrogram(MelConfig(1024, 2048, 40), RATE)
