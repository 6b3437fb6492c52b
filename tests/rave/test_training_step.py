"""A training step gives the original's losses and gradients, and does nothing that is not needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from unittest import mock

import pytest
import torch
from torch import nn

from torchbend.errors import ShapeError
from torchbend.rave import bottlenecks
from torchbend.rave.losses.reconstruction import valid_bands
from torchbend.rave.losses.step import (
    discriminator_losses,
    generator_losses,
    is_discriminator_step,
    logged,
    total,
)
from torchbend.rave.model import RAVE
from torchbend.rave.presets import preset

from . import references, training_references
from .training_references import PHASES

_NAMES = training_references.names()
_STEPS = [(name, phase) for name in _NAMES for phase in PHASES]
_GENERATOR_STEPS = [(name, phase) for name in _NAMES for phase in PHASES[:2]]
_LOGGED = [
    (name, phase, key)
    for name, phase in _STEPS
    for key in training_references.losses(name)["training_step"][phase]["logged"]
    if key.startswith("loss_gen/") != (phase == "phase2_dis") and key != "beta_factor"
]
_SMALL = ("v1", "v2", "v2 hybrid", "v2 wasserstein", "discrete", "v2_nopqmf", "v2_small")


def _small(names: str, channels: int = 1) -> RAVE:
    # Short windows, so that the step takes short signals; the second phase without a quantiser's first codes.
    torch.manual_seed(0)
    config = preset(*names.split(), capacity=4, latent_size=8, channels=channels)
    distance = replace(config.training.distance, scales=(64, 32))
    return RAVE(replace(config, training=replace(config.training, distance=distance))).train()


def _gradients(model: nn.Module) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.grad is not None}


# -- the original's numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "phase", "key"), _LOGGED)
def test_what_is_logged(name: str, phase: str, key: str) -> None:
    wanted = training_references.losses(name)["training_step"][phase]["logged"][key]
    got = training_references.step(name, phase).logged[key.removeprefix("loss_gen/")]
    assert got == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize(("name", "phase"), _GENERATOR_STEPS)
def test_nothing_else_is_logged(name: str, phase: str) -> None:
    stored = training_references.losses(name)["training_step"][phase]["logged"]
    wanted = {key.removeprefix("loss_gen/") for key in stored if key.startswith("loss_gen/")}
    assert set(training_references.step(name, phase).logged) == wanted


@pytest.mark.parametrize(("name", "phase"), _GENERATOR_STEPS)
def test_what_is_minimised(name: str, phase: str) -> None:
    wanted = training_references.losses(name)["training_step"][phase]["loss_gen_total_as_backpropagated"]
    assert training_references.step(name, phase).total == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize(("name", "phase"), _STEPS)
def test_the_gradient_of_every_parameter(name: str, phase: str) -> None:
    wanted = training_references.losses(name)["training_step"][phase]["grad_norm"]
    got = training_references.step(name, phase).norms
    assert {key: got[key] for key in wanted} == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("part", ["pqmf", "encoder", "decoder", "discriminator"])
@pytest.mark.parametrize(("name", "phase"), _STEPS)
def test_the_gradients_of_every_part(name: str, phase: str, part: str) -> None:
    stored = training_references.losses(name)["training_step"][phase]
    norms = [
        norm
        for key, norm in training_references.step(name, phase).norms.items()
        if key.startswith(part + ".")
    ]
    assert len(norms) == stored["n_params_with_grad"].get(part, 0)
    norm = sum(norm**2 for norm in norms) ** 0.5
    assert norm == pytest.approx(stored["grad_norm_total"].get(part, 0.0), rel=1e-4)


# -- the same, without what nobody uses ------------------------------------------------------------------


# v1 differs in the second phase: its encoder's batch normalisation rests. The third version's discriminator
# is large and slow, and its networks keep the signals of a batch apart like all others.
_SHORT = [name for name in _NAMES if name != "v1" and "v3" not in name]


@pytest.mark.parametrize("name", _SHORT)
@pytest.mark.parametrize("phase", PHASES)
def test_the_short_way_is_the_same_step(name: str, phase: str) -> None:
    whole = training_references.step(name, phase)
    short = training_references.step(name, phase, as_original=False)
    assert short.logged == pytest.approx(whole.logged, rel=1e-4)
    parts = ("discriminator.",) if phase == "phase2_dis" else ("encoder.", "decoder.")
    wanted = {key: norm for key, norm in whole.norms.items() if key.startswith(parts)}
    assert short.norms == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize("names", _SMALL)
def test_only_what_learns_gets_gradients(names: str) -> None:
    model, x = _small(names), 0.1 * torch.randn(2, 1, 16384)
    total(generator_losses(model, x, True, 0.1), {}).backward()  # type: ignore[no-untyped-call]
    parts = {name.partition(".")[0] for name in _gradients(model)}
    assert parts == ({"decoder"} if model.encoder.detaches else {"encoder", "decoder"})
    model.zero_grad()
    discriminator_losses(model, x)["loss_dis"].backward()  # type: ignore[no-untyped-call]
    assert _gradients(model) == {
        f"discriminator.{name}" for name, _ in model.discriminator.named_parameters()
    }
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize(
    ("step", "unused"),
    [
        (lambda model, x: generator_losses(model, x, False, 0.1), "discriminator"),
        (lambda model, x: discriminator_losses(model, x), "audio_distance"),
        (lambda model, x: discriminator_losses(model, x), "multiband_audio_distance"),
    ],
)
def test_parts_that_a_step_does_not_need_do_not_run(
    step: Callable[[RAVE, torch.Tensor], object], unused: str
) -> None:
    model = _small("v2")
    failing = mock.Mock(side_effect=AssertionError(unused))
    with mock.patch.object(type(getattr(model, unused)), "forward", failing):
        step(model, torch.randn(1, 1, 16384))


@pytest.mark.parametrize(("names", "unused"), [("v2", "kl_normal"), ("v2 wasserstein", "mmd")])
def test_a_step_of_the_discriminator_regularises_nothing(names: str, unused: str) -> None:
    model = _small(names)
    with mock.patch.object(bottlenecks, unused, side_effect=AssertionError(unused)):
        discriminator_losses(model, torch.randn(1, 1, 16384))


def test_a_resting_encoder_s_statistics_rest() -> None:
    model, x = _small("v1"), torch.randn(2, 1, 16384)
    norms = [layer for layer in model.encoder.modules() if isinstance(layer, nn.BatchNorm1d)]
    before = [layer.running_mean.clone() for layer in norms if layer.running_mean is not None]
    assert before
    for losses in (generator_losses(model, x, True, 0.1), discriminator_losses(model, x)):
        assert losses
    after = [layer.running_mean for layer in norms if layer.running_mean is not None]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert all(layer.training for layer in norms)
    generator_losses(model, x, False, 0.1)
    assert not all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_v1_s_noise_comes_in_with_the_second_phase() -> None:
    model, x = _small("v1"), torch.randn(1, 1, 16384)
    for warmed_up in (False, True, False):
        generator_losses(model, x, warmed_up, 0.1)
        assert bool(model.decoder.warmed_up) is bool(model.encoder.warmed_up) is warmed_up


# -- every kind of model ---------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("names", _SMALL)
def test_a_step_lowers_the_loss(names: str, channels: int) -> None:
    model = _small(names, channels)
    x = 0.3 * torch.randn(2, channels, 16384)
    weights = model.config.training.loss_weights
    trained = [*model.encoder.parameters(), *model.decoder.parameters()]
    optimiser = torch.optim.Adam(trained, 1e-3)
    seen = []
    for _ in range(6):
        with references.without_randomness(), torch.enable_grad():
            loss = total(generator_losses(model, x, False, 0.1), weights)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        seen.append(float(loss.detach()))
    assert seen[-1] < seen[0]


@pytest.mark.parametrize("names", _SMALL)
def test_second_phase_in_stereo(names: str) -> None:
    model, x = _small(names, 2), 0.3 * torch.randn(2, 2, 16384)
    losses = generator_losses(model, x, True, 0.1)
    wanted = {"multiband_spectral_distance", "fullband_spectral_distance", "feature_matching", "adversarial"}
    assert wanted <= set(losses)
    assert all(bool(loss.isfinite()) for loss in losses.values())
    assert bool(discriminator_losses(model, x)["loss_dis"].isfinite())


# -- factors and turns -----------------------------------------------------------------------------------


def test_factors_are_applied_once_unless_asked() -> None:
    names = ("multiband_spectral_distance", "fullband_spectral_distance", "feature_matching", "adversarial")
    losses = {name: torch.ones(()) for name in names}
    weights = {
        "multiband_audio_distance": 2.0,
        "audio_distance": 3.0,
        "feature_matching": 20.0,
        "adversarial": 5.0,
    }
    assert float(total(losses, weights)) == 2 + 3 + 20 + 5
    assert float(total(losses, weights, as_original=True)) == 2 + 3 + 400 + 25
    both = {**weights, "fullband_spectral_distance": 7.0}
    assert float(total(losses, both)) == 2 + 21 + 20 + 5
    assert [float(part) for part in logged(losses, both).values()] == [2, 3, 20, 5]


def test_a_regularisation_has_the_factor_beta() -> None:
    model, x = _small("v2"), torch.randn(1, 1, 16384)
    with references.without_randomness():
        one, ten = (generator_losses(model, x, False, beta) for beta in (1.0, 10.0))
    torch.testing.assert_close(10 * one["regularization"], ten["regularization"])


@pytest.mark.parametrize("names", ["v2 spherical", "discrete"])
def test_latents_without_regularisation_log_none(names: str) -> None:
    losses = generator_losses(_small(names), torch.randn(1, 1, 16384), False, 0.1)
    assert set(losses) == {"multiband_spectral_distance", "fullband_spectral_distance"}


def test_no_losses_are_refused() -> None:
    with pytest.raises(ShapeError, match="no losses"):
        total({}, {})


@pytest.mark.parametrize(
    ("warmed_up", "batch", "wanted"), [(True, 0, True), (True, 4, True), (True, 3, False)]
)
def test_the_turns_of_the_second_phase(warmed_up: bool, batch: int, wanted: bool) -> None:
    assert is_discriminator_step(warmed_up, batch, 4) is wanted


def test_the_first_phase_has_no_turn_of_the_discriminator() -> None:
    assert not any(is_discriminator_step(False, batch, 2) for batch in range(4))


# -- the valid part --------------------------------------------------------------------------------------


def _with_field(channels: int, before: int, after: int, **training: bool) -> RAVE:
    model = _small("v2", channels)
    model.receptive_field.copy_(torch.tensor([before, after]))
    model.config = replace(model.config, training=replace(model.config.training, **training))  # type: ignore[arg-type]
    return model


@pytest.mark.parametrize("channels", [1, 2])
def test_a_frame_is_sixteen_samples_for_any_number_of_channels(channels: int) -> None:
    model = _with_field(channels, 3000, 2500)
    assert valid_bands(model, 1000) == slice(3000 // 16, 1000 - -(-2500 // 16))
    rows = 16 * channels
    assert valid_bands(model, 1000, as_original=True) == slice(3000 // rows, 1000 - -(-2500 // rows))


def test_padding_does_not_count() -> None:
    model = _with_field(1, 4096, 4096)
    x = 0.3 * torch.randn(1, 1, 32768)
    with references.without_randomness():
        cut = generator_losses(model, x, False, 0.1)
        whole = generator_losses(_with_field(1, 0, 0), x, False, 0.1)
    assert cut["multiband_spectral_distance"] != whole["multiband_spectral_distance"]
    assert cut["fullband_spectral_distance"] == whole["fullband_spectral_distance"]


def test_a_model_that_is_not_cut() -> None:
    assert valid_bands(_with_field(1, 3000, 3000, valid_signal_crop=False), 100) == slice(0, 100)


def test_a_signal_with_no_valid_part_is_refused_with_the_length_that_is_needed() -> None:
    model = _with_field(1, 27117, 26428)
    with pytest.raises(ShapeError, match=f"at least {16 * (33 + 1694 + 1652)} samples") as told:
        generator_losses(model, torch.randn(1, 1, 32768), False, 0.1)
    assert "valid_signal_crop" in str(told.value)


@pytest.mark.parametrize("shape", [(1, 2, 16384), (1, 1, 100), (16384,)])
def test_what_is_no_batch_is_refused(shape: tuple[int, ...]) -> None:
    model = _small("v2")
    for step in (lambda x: generator_losses(model, x, True, 0.1), lambda x: discriminator_losses(model, x)):
        with pytest.raises(ShapeError):
            step(torch.zeros(shape))
    assert all(parameter.requires_grad for parameter in model.parameters())
