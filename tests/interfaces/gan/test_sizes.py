"""Full sizes without weights: names, shapes and numbers of weights of the public checkpoints."""

from __future__ import annotations

import pytest
import torch

from torchbend.errors import CheckpointError
from torchbend.interfaces.gan import DCGAN, StyleGAN2, StyleGAN2Sizes

CONFIG_F = {
    "mapping.fc0": 262_656,
    "synthesis.b4.conv1": 2_622_465,
    "synthesis.b4.torgb": 264_195,
    "synthesis.b64.conv0": 2_622_465,
    "synthesis.b128.conv0": 1_442_561,
    "synthesis.b128.conv1": 721_409,
    "synthesis.b128.torgb": 132_099,
    "synthesis.b256.conv0": 426_369,
    "synthesis.b256.conv1": 213_249,
    "synthesis.b256.torgb": 66_051,
    "synthesis.b512.conv0": 139_457,
}
"""Weights of a layer, as the summaries tell that NVIDIA's program prints when it trains."""


def on_meta(sizes: StyleGAN2Sizes) -> StyleGAN2:
    with torch.device("meta"):
        return StyleGAN2(sizes)


@pytest.mark.shows("BendedGAN", "full-size names and shapes", model="StyleGAN2")
def test_config_f_at_1024_pixels_has_the_published_number_of_weights() -> None:
    model = on_meta(StyleGAN2Sizes.at(1024))
    assert sum(weight.numel() for weight in model.parameters()) == 30_370_060
    for name, count in CONFIG_F.items():
        assert sum(weight.numel() for weight in model.get_submodule(name).parameters()) == count, name
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert model.sizes.styles == 18 and model.sizes.channels == (512, 512, 512, 512, 512, 256, 128, 64, 32)
    assert shapes["mapping.w_avg"] == (512,) and shapes["synthesis.b4.const"] == (512, 4, 4)
    assert shapes["synthesis.b1024.conv0.weight"] == (32, 64, 3, 3)
    assert shapes["synthesis.b1024.conv1.noise_const"] == (1024, 1024)
    assert shapes["synthesis.b1024.conv1.noise_strength"] == ()
    assert shapes["synthesis.b1024.torgb.affine.weight"] == (32, 512)
    assert shapes["synthesis.b8.resample_filter"] == shapes["synthesis.b8.conv1.resample_filter"] == (4, 4)
    assert len(shapes) == 1 + 8 * 2 + 1 + 9 + 17 * 7 + 9 * 4


def test_half_as_wide_at_256_pixels() -> None:
    model = on_meta(StyleGAN2Sizes.at(256, channel_base=16384))
    assert sum(weight.numel() for weight in model.parameters()) == 24_767_458
    assert model.sizes.styles == 14


def test_a_conditional_model_has_an_embedding() -> None:
    model = on_meta(StyleGAN2Sizes.at(32, labels=10, mapping_layers=2))
    assert model.state_dict()["mapping.embed.weight"].shape == (512, 10)
    assert model.state_dict()["mapping.fc0.weight"].shape == (512, 1024)


def test_dcgan_of_the_paper() -> None:
    with torch.device("meta"):
        model = DCGAN()
    assert sum(weight.numel() for weight in model.parameters()) == 3_576_704
    assert model(torch.empty(2, 100, device="meta")).shape == (2, 3, 64, 64) and model.resolution == 64


def test_sizes_that_cannot_be() -> None:
    for resolution in (2, 48):
        with pytest.raises(CheckpointError, match="doubles"):
            StyleGAN2Sizes.at(resolution)
    with pytest.raises(CheckpointError, match="sizes"):
        StyleGAN2Sizes(())
