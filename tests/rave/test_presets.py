"""Configurations by name hold the published values, and options combine in order."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from torchbend.errors import RAVEConfigError
from torchbend.rave import RAVE
from torchbend.rave.config import (
    CombinedConfig,
    DescriptConfig,
    DiscreteConfig,
    EncoderV2Config,
    GeneratorV2Config,
    MultiPeriodConfig,
    MultiScaleConfig,
    NoiseV1Config,
    NoiseV2Config,
    SpectralConfig,
    SphericalConfig,
    WassersteinConfig,
)
from torchbend.rave.presets import OPTIONS, PRESETS, preset

RATIOS = {
    "v1": 2048, "v2": 2048, "v2_small": 512, "v2_nopqmf": 2048, "v2_nopqmf_small": 2048, "v2_with_augs": 2048,
    "v3": 2048, "discrete": 1024, "discrete_v3": 1024, "onnx": 2048, "raspberry": 2048, "brave": 128,
}  # fmt: skip
CAPACITIES = {
    "v1": 64, "v2": 96, "v2_small": 48, "v2_nopqmf": 64, "v2_nopqmf_small": 64, "v2_with_augs": 96,
    "v3": 96, "discrete": 96, "discrete_v3": 96, "onnx": 32, "raspberry": 16,
}  # fmt: skip
BETAS = {
    "v1": (0.1, 0.1, 1), "v2": (1e-6, 0.05, 20_000), "v2_small": (0.01, 0.01, 300_000),
    "v2_nopqmf": (1e-6, 0.01, 500_000), "v2_nopqmf_small": (0.1, 0.1, 1), "v2_with_augs": (0.1, 0.1, 1),
    "v3": (1e-6, 0.05, 20_000), "discrete": (0.1, 0.1, 1), "discrete_v3": (1e-6, 0.05, 20_000),
}  # fmt: skip


def test_every_name_has_a_description() -> None:
    assert set(PRESETS) == set(RATIOS)
    assert all(text and "\n" not in text for text in [*PRESETS.values(), *OPTIONS.values()])


@pytest.mark.parametrize("name", PRESETS)
def test_ratio(name: str) -> None:
    assert preset(name).ratio == RATIOS[name]
    assert preset(name).name == name


@pytest.mark.parametrize("name", CAPACITIES)
def test_capacity(name: str) -> None:
    config = preset(name)
    assert config.encoder.capacity == config.decoder.capacity == CAPACITIES[name]
    if isinstance(config.discriminator, CombinedConfig):
        assert [part.capacity for part in config.discriminator.parts] == [CAPACITIES[name]] * 2


@pytest.mark.parametrize("name", BETAS)
def test_beta(name: str) -> None:
    beta = preset(name).training.beta
    assert (beta.initial, beta.target, beta.warmup) == BETAS[name]


def test_training_of_each_family() -> None:
    v1, v2, discrete = (preset(name).training for name in ("v1", "v2", "discrete"))
    assert v1.adversarial.update_every == 2 and v2.adversarial.update_every == 4
    assert not v1.adversarial.relative_features and v2.adversarial.relative_features
    assert v1.weights == (("feature_matching", 10.0),)
    assert (v1.valid_signal_crop, v2.valid_signal_crop) == (False, True)
    assert discrete.distance.log_epsilon == 1 and v2.distance.log_epsilon == 1e-7
    assert discrete.warmup_quantize == -1 and v2.warmup_quantize is None
    assert discrete.phase_1_duration == 200_000
    assert preset("v2_nopqmf_small").training.phase_1_duration == 500_000


def test_v3_is_v2_with_three_options() -> None:
    built = preset("v2", "adain", "snake", "descript_discriminator")
    assert replace(built, name="v3") == preset("v3")


def test_noise_of_each_generator() -> None:
    assert preset("v1").decoder.noise == NoiseV1Config((4, 4, 4), 5)
    assert preset("v2_small").decoder.noise == NoiseV2Config(64, (2, 2, 2), 32)
    assert preset("v2", "noise").decoder.noise == NoiseV2Config(128, (2, 2, 2), 5)
    assert preset("onnx").decoder.noise is None


@pytest.mark.parametrize("names", [("v2", "noise", "snake"), ("v2", "snake", "noise")])
def test_snake_reaches_the_noise(names: tuple[str, ...]) -> None:
    config = preset(*names)
    assert config.decoder.noise == NoiseV2Config(activation="snake")
    assert isinstance(config.encoder, EncoderV2Config) and config.encoder.activation == "snake"


def test_snake_leaves_the_first_model_as_it_is() -> None:
    assert replace(preset("v1", "snake"), name="v1") == preset("v1")


@pytest.mark.parametrize(
    ("option", "kind"), [("wasserstein", WassersteinConfig), ("spherical", SphericalConfig)]
)
def test_latents(option: str, kind: type) -> None:
    config = preset("v2", option)
    assert isinstance(config.latent, kind)
    assert config.latent_size == 16 and config.encoder_outputs == 16
    assert config.training.phase_1_duration == 200_000


def test_wasserstein_weights() -> None:
    weights = preset("v2", "wasserstein").training.loss_weights
    assert weights["adversarial"] == 2 and weights["feature_matching"] == 20
    assert weights["fullband_spectral_distance"] == 2


def test_hybrid() -> None:
    config = preset("hybrid")
    assert replace(preset("v2", "hybrid"), name="hybrid") == config
    assert replace(preset("v1", "hybrid"), name="hybrid") == config
    assert config.input == "mel" and config.ratio == 2048
    assert isinstance(config.encoder, EncoderV2Config) and config.encoder.dilations == ((1,),) * 3
    assert isinstance(config.decoder, GeneratorV2Config) and config.decoder.recurrent_layers == 2


def test_discriminators() -> None:
    assert preset("v1").discriminator == MultiScaleConfig(64)
    assert preset("v2").discriminator == CombinedConfig((MultiPeriodConfig(96), MultiScaleConfig(96)))
    assert preset("v3").discriminator == DescriptConfig()
    spectral = preset("v2", "spectral_discriminator").discriminator
    assert spectral == CombinedConfig(
        (MultiScaleConfig(96), SpectralConfig(32, (4096, 2048, 1024, 512, 256)))
    )


def test_overrides() -> None:
    config = preset("discrete", capacity=6, latent_size=8, channels=2, sampling_rate=48_000, num_quantizers=4)
    assert config.decoder.capacity == 6 and config.discriminator.parts[1].capacity == 6
    assert (config.latent_size, config.channels, config.sampling_rate) == (8, 2, 48_000)
    assert isinstance(config.latent, DiscreteConfig) and config.latent.num_quantizers == 4
    assert preset("v2", ratios=[2, 2]).ratio == 64
    assert preset("v2_nopqmf", encoder_ratios=[2, 2], decoder_ratios=[8, 8]).ratio == 64


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("option", OPTIONS)
def test_every_pair_works_or_says_why(name: str, option: str) -> None:
    try:
        config = preset(name, option)
    except RAVEConfigError as error:
        assert "no place in the first model" in str(error)
    else:
        assert config.name == f"{name}+{option}"


@pytest.mark.parametrize(
    ("names", "overrides", "said"),
    [
        ((), {}, "no configuration was named"),
        (("v2_smal",), {}, "did you mean 'v2_small'"),
        (("snake",), {}, "first name"),
        (("v2", "v1"), {}, "options follow"),
        (("v2", "cuasal"), {}, "did you mean 'causal'"),
        (("v2",), {"capacitty": 3}, "did you mean 'capacity'"),
        (("v2",), {"num_quantizers": 3}, "no part of this configuration"),
        (("v2_nopqmf",), {"ratios": (2, 2)}, "do not share"),
        (("v1", "adain"), {}, "first model"),
        (("v2",), {"capacity": 0}, "too small"),
    ],
)
def test_refusals(names: tuple[str, ...], overrides: dict[str, object], said: str) -> None:
    with pytest.raises(RAVEConfigError, match=said):
        preset(*names, **overrides)


def test_brave_answers_within_10_ms() -> None:
    model = RAVE(preset("brave", capacity=2, latent_size=2))
    assert model.config.padding == "causal" and model.config.decoder.noise is None
    impulse = torch.zeros(1, 1, 4096)
    impulse[0, 0, 2048] = 1
    filter_bank = int(model.pqmf.inverse(model.pqmf(impulse)).abs().argmax()) - 2048
    late = filter_bank + model.delay("forward") + model.ratio
    assert 1000 * late / model.sample_rate < 10
