"""Combinations that cannot work are refused with their reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from torchbend.errors import RAVEConfigError
from torchbend.rave.config import (
    AdversarialConfig,
    BetaConfig,
    CombinedConfig,
    DescriptConfig,
    DiscreteConfig,
    DistanceConfig,
    EncoderV1Config,
    EncoderV2Config,
    GeneratorV1Config,
    GeneratorV2Config,
    MelConfig,
    MultiScaleConfig,
    NoiseV1Config,
    NoiseV2Config,
    PQMFConfig,
    RAVEConfig,
    SphericalConfig,
    TrainingConfig,
)
from torchbend.rave.validation import check

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "ratios that differ": ({"encoder": EncoderV2Config(ratios=(4, 4, 4))}, "does not give back as many"),
    "bands": ({"pqmf": PQMFConfig(bands=12)}, "power of two"),
    "no bands": ({"pqmf": PQMFConfig(bands=0)}, "power of two"),
    "attenuation": ({"pqmf": PQMFConfig(attenuation=5.0)}, "more than 21 dB"),
    "mel without its description": ({"input": "mel"}, "spectrogram that nothing describes"),
    "mel with holes": ({"input": "mel", "mel": MelConfig(64, 256, 8)}, "between its windows"),
    "input": ({"input": "cqt"}, "one of: 'pqmf', 'mel', 'raw'"),
    "output": ({"output": "mel"}, "one of: 'pqmf', 'raw'"),
    "padding": ({"padding": "same"}, "'causal'"),
    "no latents": ({"latent_size": 0}, "latent_size"),
    "no channels": ({"channels": 0}, "channels"),
    "rate": ({"sampling_rate": -1}, "sampling_rate"),
    "a rate that is no whole number": ({"sampling_rate": 44_100.0}, "sampling_rate"),
    "no quantiser": ({"latent": DiscreteConfig(num_quantizers=0)}, "num_quantizers"),
    "negative noise": ({"latent": DiscreteConfig(noise_augmentation=-1)}, "noise_augmentation"),
    "decay": ({"latent": DiscreteConfig(decay=1.0)}, "moving average"),
    "a sphere of one dimension": ({"latent": SphericalConfig(), "latent_size": 1}, "no angle"),
    "odd ratio": (
        {"encoder": EncoderV2Config(ratios=(3, 4)), "decoder": GeneratorV2Config(ratios=(3, 4))},
        "odd stride",
    ),
    "no ratios": ({"encoder": EncoderV2Config(ratios=())}, "encoder.ratios"),
    "too few dilations": ({"encoder": EncoderV2Config(dilations=((1,),))}, "a stage has no dilations"),
    "dilation 0": ({"decoder": GeneratorV2Config(dilations=((0,),) * 4)}, "a dilation is a number"),
    "activation": ({"decoder": GeneratorV2Config(activation="relu")}, "decoder.activation"),  # type: ignore[arg-type]
    "kernel": ({"encoder": EncoderV2Config(kernel_size=0)}, "encoder.kernel_size"),
    "recurrent": ({"decoder": GeneratorV2Config(recurrent_layers=-1)}, "recurrent_layers"),
    "second noise in the first generator": (
        {"decoder": GeneratorV1Config(noise=NoiseV2Config())},  # type: ignore[arg-type]
        "wanted: a NoiseV1Config",
    ),
    "first noise in the second generator": (
        {"decoder": GeneratorV2Config(noise=NoiseV1Config())},  # type: ignore[arg-type]
        "wanted: a NoiseV2Config",
    ),
    "one band of noise": ({"decoder": GeneratorV2Config(noise=NoiseV2Config(bands=1))}, "noise.bands"),
    "no layers": ({"decoder": GeneratorV1Config(dilations=())}, "without layers"),
    "repeat": ({"encoder": EncoderV1Config(repeat_layers=0)}, "repeat_layers"),
    "an encoder that is none": ({"encoder": MelConfig()}, "wanted: one of: EncoderV1Config"),
    "nothing to combine": ({"discriminator": CombinedConfig(())}, "combination of nothing"),
    "discriminator": ({"discriminator": CombinedConfig((MultiScaleConfig(0),))}, r"parts\[0\]"),
    "frequency bands": ({"discriminator": DescriptConfig(bands=((0.5, 0.2),))}, "frequency band"),
    "loss": ({"training": TrainingConfig(adversarial=AdversarialConfig(loss="l1"))}, "adversarial losses"),  # type: ignore[arg-type]
    "epsilon": ({"training": TrainingConfig(distance=DistanceConfig(log_epsilon=0.0))}, "no logarithm"),
    "beta": ({"training": TrainingConfig(beta=BetaConfig(0.0, 1.0))}, "interpolates logarithms"),
    "weights": ({"training": TrainingConfig(weights=(("adversarial", float("nan")),))}, "no number"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what: str) -> None:
    changes, said = REFUSED[what]
    with pytest.raises(RAVEConfigError, match=said):
        check(replace(RAVEConfig(), **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"encoder": EncoderV1Config(), "decoder": GeneratorV1Config()},
        {"encoder": EncoderV1Config(), "decoder": GeneratorV2Config()},
        {"encoder": EncoderV1Config(ratios=(8, 1)), "decoder": GeneratorV1Config(ratios=(1, 8))},
        {"encoder": EncoderV2Config(ratios=(3, 4)), "decoder": GeneratorV2Config(ratios=(2, 6))},
        {"decoder": GeneratorV2Config(noise=NoiseV2Config(bands=32))},
        {"input": "raw", "encoder": EncoderV2Config(ratios=(16, 8, 8, 2)), "channels": 2},
        {"pqmf": PQMFConfig(bands=1)},
        {"decoder": GeneratorV1Config(), "latent": DiscreteConfig(), "padding": "causal"},
    ],
)
def test_unusual_but_possible(changes: dict[str, Any]) -> None:
    check(replace(RAVEConfig(), **changes))
