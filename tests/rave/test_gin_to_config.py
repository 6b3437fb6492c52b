"""Configuration files become the configurations that the runs were made with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from torchbend.errors import RAVEConfigError
from torchbend.rave.checkpoints.from_gin import MACROS, SHIPPED, GinReading, config_from_gin, read_gin
from torchbend.rave.checkpoints.gin import parse_gin
from torchbend.rave.config import (
    CombinedConfig,
    DescriptConfig,
    DiscreteConfig,
    EncoderV2Config,
    GeneratorV2Config,
    MelConfig,
    MultiScaleConfig,
    NoiseV2Config,
    RAVEConfig,
    SpectralConfig,
    WassersteinConfig,
)
from torchbend.rave.presets import preset

RUNS = (
    "v1", "v2", "v2_causal", "v2_noise", "v2_nopqmf", "v2_spherical", "v2_wasserstein", "v3", "discrete"
)  # fmt: skip


def wanted(folder: Path) -> RAVEConfig:
    made_with = json.loads((folder / "manifest.json").read_text())
    pairs = [binding.split("=") for binding in made_with["bindings"]]
    names = [name.removesuffix(".gin") for name in made_with["config_files"]]
    return preset(*names, **{MACROS[macro]: int(value) for macro, value in pairs}, name="custom")


@pytest.mark.parametrize("name", RUNS)
def test_runs(shared_dir: Path, name: str) -> None:
    folder = shared_dir / "rave_ref" / name
    config = config_from_gin(folder / "run" / "config.gin")
    expected = wanted(folder)
    # These runs made no training step: the schedule is not in their files.
    training = replace(expected.training, beta=config.training.beta)
    assert config == replace(expected, training=training)


def test_a_run_that_was_trained(shared_dir: Path) -> None:
    config = config_from_gin(shared_dir / "rave_ref" / "real_run_v2" / "config.gin", channels=2)
    expected = preset("v2", capacity=4, latent_size=16, channels=2, phase_1_duration=10, name="custom")
    assert config == expected


def shipped(name: str) -> str | None:
    return Path(name).stem if Path(name).stem in SHIPPED else None


def read(text: str) -> GinReading:
    return read_gin(parse_gin(text, include=shipped))


def config(text: str) -> RAVEConfig:
    return read(text).config


def same(text: str, *names: str, **overrides: object) -> None:
    assert config(text) == preset(*names, name="custom", **overrides)


V2 = 'include "configs/v2.gin"\n'


def test_files_that_build_on_shipped_ones() -> None:
    same('include "configs/v1.gin"\nCAPACITY = 32\n', "v1", capacity=32)
    same(V2 + 'include "adain.gin"\ninclude "snake.gin"\n', "v2", "adain", "snake")
    discrete = 'include "v1.gin"\ninclude "discrete.gin"\ninclude "causal.gin"\nNUM_QUANTIZERS = 3\n'
    same(discrete, "discrete", "causal", num_quantizers=3)
    same(V2 + "RATIOS = [2, 2]\nNOISE_AUGMENTATION = 0\n", "v2", ratios=(2, 2))
    same('include "v2_nopqmf.gin"\nRATIOS = [2, 2]\n', "v2_nopqmf")
    same(V2 + 'include "compress.gin"\nDILATIONS = [[1], [1], [1], [1]]\n', "v2", dilations=((1,),) * 4)
    same(V2 + "DILATIONS = [1, 2]\n", "v2", dilations=((1, 2),) * 4)
    same('include "v1.gin"\nKERNEL_SIZE = 3\n', "v1")


def test_bindings_over_a_shipped_file() -> None:
    found = config(
        V2 + "blocks.EncoderV2.kernel_size = 5\nblocks.EncoderV2.dilations = [1, 3]\n"
        "model.RAVE.sampling_rate = 48000\nmodel.RAVE.weights = {'feature_matching': 3, 'adversarial': 2.5}\n"
        "blocks.GeneratorV2.noise_module = @blocks.NoiseGeneratorV2\n"
        "blocks.NoiseGeneratorV2.noise_bands = 7\nblocks.GeneratorV2.activation = @blocks.Snake\n"
        "model.RAVE.discriminator = @d.MultiScaleDiscriminator\n"
    )
    assert isinstance(found.encoder, EncoderV2Config) and found.encoder.kernel_size == 5
    assert found.encoder.dilations == ((1, 3),) * 4
    assert found.sampling_rate == 48_000
    assert found.training.weights == (("adversarial", 2.5), ("feature_matching", 3.0))
    assert isinstance(found.decoder, GeneratorV2Config) and found.decoder.activation == "snake"
    assert found.decoder.noise == NoiseV2Config(bands=7)
    assert found.discriminator == MultiScaleConfig()


HYBRID = """
RAVE.encoder = @VariationalEncoder
RAVE.decoder = @GeneratorV2
RAVE.input_mode = 'mel'
RAVE.spectrogram = @core.MelSpectrogram()
core.MelSpectrogram.n_mels = 64
core.MelSpectrogram.n_fft = 1024
core.MelSpectrogram.hop_length = 256
VariationalEncoder.encoder = @variational/EncoderV2
variational/EncoderV2.ratios = [2, 2, 2]
variational/EncoderV2.dilations = [1]
variational/EncoderV2.n_out = 2
GeneratorV2.recurrent_layer = @blocks.GRU
blocks.GRU.num_layers = 2
"""


def test_more_dilations_than_ratios() -> None:
    found = config(V2 + "RATIOS = [4, 2]\nEncoderV2.ratios = %RATIOS\nGeneratorV2.ratios = %RATIOS\n")
    assert found == preset("v2", ratios=(4, 2), name="custom")
    assert isinstance(found.encoder, EncoderV2Config) and isinstance(found.decoder, GeneratorV2Config)
    # Encoders take the first lists, decoders start from the last one.
    assert found.encoder.dilations == ((1, 3, 9), (1, 3, 9))
    assert found.decoder.dilations == ((1, 3, 9), (1, 3))
    bound = config(
        V2 + "EncoderV2.ratios = [2]\nGeneratorV2.ratios = [2]\nGeneratorV2.dilations = [[1], [2]]\n"
    )
    assert isinstance(bound.decoder, GeneratorV2Config) and bound.decoder.dilations == ((2,),)


def test_hybrid() -> None:
    found = config(HYBRID)
    assert found.mel == MelConfig(1024, 256, 64) and found.input_size == 64
    assert isinstance(found.encoder, EncoderV2Config) and found.encoder.dilations == ((1,),) * 3
    assert isinstance(found.decoder, GeneratorV2Config) and found.decoder.recurrent_layers == 2


@pytest.mark.parametrize(
    ("line", "modes"),
    [
        ("RAVE.enable_pqmf_encode = True\nRAVE.enable_pqmf_decode = True", ("pqmf", "pqmf")),
        ("RAVE.enable_pqmf_encode = True", ("pqmf", "raw")),
        ("RAVE.enable_pqmf_decode = True", ("raw", "pqmf")),
        ("RAVE.is_mel_input = False\nRAVE.encoder = @VariationalEncoder", ("mel", "pqmf")),
    ],
)
def test_old_names_of_modes(line: str, modes: tuple[str, str]) -> None:
    ratios = {"raw": "[16, 16, 8]", "pqmf": "[16, 8]", "mel": "[4, 2]"}
    encoder, decoder = ratios[modes[0]], ratios[modes[1]]
    found = config(f"{V2}{line}\nEncoderV2.ratios = {encoder}\nGeneratorV2.ratios = {decoder}\n")
    assert (found.input, found.output) == modes


def test_old_name_of_weights() -> None:
    found = config(V2 + 'RAVE.loss_weights = {"adversarial": 4}\nRAVE.balancer = @Balancer\n')
    assert found.training.weights == (("adversarial", 4.0),)


def test_what_has_no_effect_is_told() -> None:
    text = "blocks.DilatedUnit.activation = @blocks.Snake\nmy.Thing.x = @my.call()\n"
    reading = read('include "v1.gin"\n' + text)
    assert reading.config == preset("v1", name="custom")
    assert reading.unread == ("blocks.DilatedUnit.activation", "my.Thing.x")
    assert reading.notes == ()


def test_what_is_not_known_is_told() -> None:
    reading = read(
        V2
        + 'RAVE.discriminator = @my.Discriminator\nnormalization.mode = "spectral"\ncc.Conv1d.bias = True\n'
    )
    assert reading.config == preset("v2", name="custom")
    notes = " ".join(reading.notes)
    assert "my.Discriminator" in notes and "spectral" in notes and "Conv1d.bias" in notes


def test_discriminators() -> None:
    combined = config(
        V2 + "RAVE.discriminator = @CombineDiscriminators\n"
        "CombineDiscriminators.discriminators = [@MultiScaleDiscriminator, \n"
        "  @MultiScaleSpectralDiscriminator]\nscales/ConvNet.capacity = 5\nConvNet.capacity = 9\n"
        "MultiScaleDiscriminator.convnet = @scales/ConvNet\n"
        "MultiScaleSpectralDiscriminator.convnet = @EncodecConvNet\nEncodecConvNet.capacity = 16\n"
    )
    assert combined.discriminator == CombinedConfig((MultiScaleConfig(5), SpectralConfig(16)))
    descript = config(
        V2 + "RAVE.discriminator = @DescriptDiscriminator\nDescriptDiscriminator.fft_sizes = [512]\n"
    )
    assert descript.discriminator == DescriptConfig(windows=(512,))


def test_latents_of_another_kind_than_the_shipped_ones() -> None:
    discrete = config(
        V2 + "RAVE.encoder = @DiscreteEncoder\nDiscreteEncoder.encoder_cls = @EncoderV2\n"
        "DiscreteEncoder.num_quantizers = 3\nDiscreteEncoder.noise_augmentation = 2\n"
        "ResidualVectorQuantization.codebook_size = 7\n"
    )
    assert discrete.latent == DiscreteConfig(3, 7, 2)
    wasserstein = config(V2 + "RAVE.encoder = @WasserteinEncoder\nWasserteinEncoder.noise_augmentation = 4\n")
    assert wasserstein.latent == WassersteinConfig(4)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "describes no RAVE model"),
        ("A = 1\nprior.Prior.resolution = 32\n", "describes no RAVE model"),
        (V2 + 'EncoderV2.capacity = "six"\n', "EncoderV2.capacity"),
        (V2 + "EncoderV2.ratios = [1, 2.5]\n", "EncoderV2.ratios"),
        (V2 + "EncoderV2.dilations = [[1], 2]\n", "EncoderV2.dilations"),
        (V2 + "EncoderV2.activation = @nn.Mish\n", "EncoderV2.activation"),
        (V2 + "EncoderV2.recurrent_layer = @LSTM\n", "recurrent_layer"),
        (V2 + "GeneratorV2.noise_module = @Other\n", "noise_module"),
        (V2 + "RAVE.decoder = @Other\n", "@Generator or @GeneratorV2"),
        (V2 + "RAVE.decoder = 3\n", "a @reference"),
        (V2 + "RAVE.encoder = @my.Encoder\n", "VariationalEncoder"),
        (V2 + "RAVE.gan_loss = @my.loss\n", "gan_loss"),
        (V2 + "RAVE.weights = [1]\n", "a dict of numbers"),
        (V2 + "RAVE.valid_signal_crop = 1\n", "True or False"),
        (V2 + "RAVE.warmup_quantize = 'x'\n", "warmup_quantize"),
        (V2 + 'get_padding.mode = "same"\n', "padding"),
        (V2 + "EncoderV2.ratios = [4, 4]\n", "does not give back"),
        (V2 + "LATENT_SIZE = None\n", "LATENT_SIZE"),
        (V2 + "DILATIONS = 3\n", "DILATIONS"),
        (V2 + "DILATIONS = [[1], 'x']\n", "DILATIONS"),
        (V2 + "RATIOS = %NOTHING\n", "not defined"),
    ],
)
def test_refusals(text: str, said: str) -> None:
    with pytest.raises(RAVEConfigError, match=said):
        read(text)
