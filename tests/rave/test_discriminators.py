"""Discriminators hear what the original's hear: every feature of every network, under the same names."""

from __future__ import annotations

import json
import math

import pytest
import torch

from torchbend.errors import RAVEConfigError, ShapeError
from torchbend.rave.config import (
    CombinedConfig,
    DescriptConfig,
    DiscriminatorConfig,
    MultiPeriodConfig,
    MultiScaleConfig,
    SpectralConfig,
)
from torchbend.rave.discriminators import build_discriminator
from torchbend.rave.discriminators.descript import RateDiscriminator
from torchbend.rave.discriminators.multi_period import fold
from torchbend.rave.discriminators.spectral import MultiScaleSpectral1dDiscriminator
from torchbend.rave.presets import preset

from . import references, training_references

_STORED = {
    name: training_references.losses(name)["discriminator_features"] for name in training_references.names()
}
_NETWORKS = [(name, network) for name, stored in _STORED.items() for network in range(len(stored))]

_SMALL: dict[str, DiscriminatorConfig] = {
    "scales": MultiScaleConfig(4),
    "periods": MultiPeriodConfig(4),
    "spectral": SpectralConfig(4, (256, 128)),
    "combined": CombinedConfig((MultiPeriodConfig(4), MultiScaleConfig(4), SpectralConfig(4, (256, 128)))),
    "descript": DescriptConfig(periods=(2, 3), windows=(256,)),
    "descript with a rate": DescriptConfig(periods=(2,), windows=(256,), rates=(1, 2)),
}


# -- the original's numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "network"), _NETWORKS)
def test_shapes_of_features(name: str, network: int) -> None:
    stored, made = _STORED[name][network], training_references.features(name)[network]
    assert [list(feature.shape) for feature in made] == [feature["shape"] for feature in stored]


@pytest.mark.parametrize("quantity", ["mean", "std", "first"])
@pytest.mark.parametrize(("name", "network"), _NETWORKS)
def test_values_of_features(name: str, network: int, quantity: str) -> None:
    made = training_references.features(name)[network]
    for wanted, got in zip(_STORED[name][network], made, strict=True):
        values = {"mean": got.mean(), "std": got.std(), "first": got.flatten()[: len(wanted["first"])]}
        error = (values[quantity] - torch.tensor(wanted[quantity])).abs().max()
        assert error <= 1e-5 * wanted["std"]


@pytest.mark.parametrize("name", _STORED)
def test_as_many_networks(name: str) -> None:
    assert len(training_references.features(name)) == len(_STORED[name])


_FULL = sorted(path.stem.removeprefix("_keys_") for path in references.FOLDER.glob("_keys_*.json"))


@pytest.mark.parametrize("name", _FULL)
def test_names_and_shapes_at_full_size(name: str) -> None:
    stored = json.loads((references.FOLDER / f"_keys_{name}.json").read_text())
    prefix = "discriminator."
    wanted = {key.removeprefix(prefix): value[0] for key, value in stored.items() if key.startswith(prefix)}
    config = preset(*_preset_of(name)).discriminator
    with torch.device("meta"):
        made = build_discriminator(config, 1).state_dict()
    assert {key: list(value.shape) for key, value in made.items()} == wanted
    assert list(made) == list(wanted)


def _preset_of(name: str) -> list[str]:
    option = name.removeprefix("v2_")
    complete = name in ("v2_small", "v2_nopqmf", "v2_nopqmf_small", "v2_with_augs") or option == name
    return [name] if complete else ["v2", option]


# -- what holds for all ----------------------------------------------------------------------------------


@pytest.mark.parametrize("config", _SMALL.values(), ids=_SMALL)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_network_gives_scores_and_gradients(config: DiscriminatorConfig, channels: int) -> None:
    discriminator = build_discriminator(config, channels)
    x = torch.randn(2, channels, 2000, requires_grad=True)
    features = discriminator(x)
    assert all(network[-1].shape[:2] == (2, 1) for network in features)
    torch.stack([network[-1].sum() for network in features]).sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None and bool((x.grad.abs().amax((0, 2)) > 0).all())
    assert all(parameter.grad is not None for parameter in discriminator.parameters())


@pytest.mark.parametrize("config", _SMALL.values(), ids=_SMALL)
def test_signals_of_a_batch_do_not_meet(config: DiscriminatorConfig) -> None:
    discriminator = build_discriminator(config, 2)
    x = torch.randn(3, 2, 1500)
    with torch.no_grad():
        together, alone = discriminator(x), discriminator(x[1:2])
    for a, b in zip(together, alone, strict=True):
        for one, other in zip(a, b, strict=True):
            torch.testing.assert_close(one[1:2], other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("config", _SMALL.values(), ids=_SMALL)
@pytest.mark.parametrize("shape", [(1, 1, 4000), (1, 3, 4000), (2, 4000), (1, 2, 0), (4000,)])
def test_what_is_no_such_audio_is_refused(config: DiscriminatorConfig, shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"\[batch, 2, at least \d+ samples\]"):
        build_discriminator(config, 2)(torch.zeros(shape))


@pytest.mark.parametrize("config", _SMALL.values(), ids=_SMALL)
def test_the_shortest_signal_is_told_and_taken(config: DiscriminatorConfig) -> None:
    discriminator = build_discriminator(config, 1)
    least, refused = 1, True
    while refused:
        try:
            discriminator(torch.randn(1, 1, least))
            refused = False
        except ShapeError as error:
            wanted = int(str(error.wanted).split("at least ")[1].split()[0])
            assert wanted > least
            least = wanted
    assert least <= 256


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(RAVEConfigError, match="DescriptConfig|known kind"):
        build_discriminator("v2", 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("channels", [0, -1])
def test_no_channels_are_refused(channels: int) -> None:
    with pytest.raises(RAVEConfigError, match="channels"):
        build_discriminator(MultiScaleConfig(4), channels)


def test_no_layers_are_refused() -> None:
    with pytest.raises(RAVEConfigError, match="layers"):
        build_discriminator(MultiScaleConfig(4, layers=0), 1)


# -- single kinds ----------------------------------------------------------------------------------------


def test_a_folded_signal_is_read_row_by_row() -> None:
    x = torch.arange(12.0).reshape(1, 2, 6)
    assert fold(x, 3).tolist() == [[[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]]


def test_each_scale_hears_half_the_rate() -> None:
    features = build_discriminator(MultiScaleConfig(4), 1)(torch.randn(1, 1, 4096))
    assert [network[0].shape[-1] for network in features] == [1024, 512, 256]
    assert [feature.shape[1] for feature in features[0]] == [4, 8, 16, 32, 1]


def test_spectral_networks_see_all_frequencies() -> None:
    features = build_discriminator(SpectralConfig(4, (256, 128)), 1)(torch.randn(1, 1, 1024))
    assert [len(network) for network in features] == [6, 6]
    frames = 1 + (1024 - 256) // 64
    assert list(features[0][0].shape) == [1, 4, 129, frames]
    assert list(features[0][-1].shape) == [1, 1, 17, frames]


def test_frequencies_can_be_channels() -> None:
    discriminator = MultiScaleSpectral1dDiscriminator(SpectralConfig(4, (256, 128)), 2)
    first = discriminator.state_dict()["layers.0.net.0.weight_v"]
    assert list(first.shape) == [4, 2 * 258, 5]
    assert all(network[-1].shape[1] == 1 for network in discriminator(torch.randn(2, 2, 1024)))


def test_descript_does_not_hear_loudness_or_offset() -> None:
    discriminator = build_discriminator(DescriptConfig(periods=(2,), windows=(256,)), 1)
    x = torch.randn(1, 1, 1000)
    with torch.no_grad():
        for a, b in zip(discriminator(x), discriminator(0.1 * x + 0.3), strict=True):
            torch.testing.assert_close(a[-1], b[-1], rtol=1e-3, atol=1e-4)


def test_a_lower_rate_passes_low_frequencies_only() -> None:
    network = RateDiscriminator(4, 1)
    taps = network.downsampler[0, 0]
    time = torch.arange(len(taps), dtype=torch.float64)
    for frequency, loud in ((0.01, True), (0.5, False)):
        turn = 2 * math.pi * frequency * time
        gain = torch.hypot((taps * turn.cos()).sum(), (taps * turn.sin()).sum())
        assert (abs(float(gain) - 1) < 0.01) if loud else (float(gain) < 1e-5)
    assert network(torch.randn(2, 1, 4096))[0].shape[-1] == 1024
