"""Adversarial losses, feature matching and divergences are the original's, and follow their formulas."""

from __future__ import annotations

import math
from typing import Literal

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

from torchbend.errors import RAVEConfigError, ShapeError
from torchbend.rave.losses.adversarial import discriminator_distance, generator_distance
from torchbend.rave.losses.divergences import kl_normal, mmd
from torchbend.rave.losses.feature_matching import feature_matching

from . import references, training_references

_KL, _MMD = "KL(enc_raw)", "MMD(enc_raw, mmd_prior_samples)"
_Form = Literal["hinge", "least_squares", "non_saturating"]
_FORMS: tuple[_Form, ...] = ("hinge", "least_squares", "non_saturating")


def _with(key: str) -> list[str]:
    return [name for name in training_references.names() if key in training_references.losses(name)]


def _halves(name: str) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
    features = training_references.features(name)
    return [[f[:1] for f in network] for network in features], [
        [f[1:] for f in network] for network in features
    ]


# -- the original's numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", training_references.names())
def test_feature_matching(name: str) -> None:
    settings = training_references.config(name).training.adversarial
    assert settings.skipped_features == training_references.losses(name)["num_skipped_features"]
    real, fake = _halves(name)
    got = feature_matching(real, fake, relative=settings.relative_features, skipped=settings.skipped_features)
    assert float(got) == pytest.approx(training_references.losses(name)["feature_matching(x,x2)"], rel=1e-5)


@pytest.mark.parametrize("name", training_references.names())
def test_loss_of_the_discriminator(name: str) -> None:
    real, fake = _halves(name)
    got = discriminator_distance([network[-1] for network in real], [network[-1] for network in fake])
    assert float(got) == pytest.approx(training_references.losses(name)["loss_dis"], rel=1e-5)


@pytest.mark.parametrize("name", training_references.names())
def test_loss_of_the_generator(name: str) -> None:
    _, fake = _halves(name)
    got = generator_distance([network[-1] for network in fake])
    assert float(got) == pytest.approx(training_references.losses(name)["loss_adv"], rel=1e-5)


@pytest.mark.parametrize("name", training_references.names())
def test_the_form_is_the_configured_one(name: str) -> None:
    form = training_references.config(name).training.adversarial.loss
    assert training_references.losses(name)["gan_loss"].startswith(form)


@pytest.mark.parametrize("name", training_references.names())
def test_factors(name: str) -> None:
    wanted = training_references.losses(name)["weights"]
    assert training_references.config(name).training.loss_weights == wanted


@pytest.mark.parametrize("name", _with(_KL))
def test_divergence_of_means_and_scales(name: str) -> None:
    mean, scale = references.arrays(name)["enc_raw"].chunk(2, 1)
    got = kl_normal(mean, softplus(scale) + 1e-4)
    assert float(got) == pytest.approx(training_references.losses(name)[_KL], rel=1e-5)


@pytest.mark.parametrize("name", _with(_MMD))
def test_discrepancy_from_stored_normal_numbers(name: str) -> None:
    held = references.arrays(name)
    got = mmd(held["enc_raw"].transpose(1, 2).flatten(0, 1), held["mmd_prior_samples"])
    assert float(got) == pytest.approx(training_references.losses(name)[_MMD], rel=1e-5)


# -- the formulas ----------------------------------------------------------------------------------------


def test_hinge() -> None:
    real, fake = [torch.tensor([0.0, 3.0])], [torch.tensor([-2.0, 0.5])]
    assert float(discriminator_distance(real, fake)) == pytest.approx((1 + 0 + 0 + 1.5) / 2)
    assert float(generator_distance(fake)) == pytest.approx(0.75)


def test_least_squares() -> None:
    real, fake = [torch.tensor([0.0, 3.0])], [torch.tensor([-2.0, 0.5])]
    assert float(discriminator_distance(real, fake, "least_squares")) == pytest.approx((1 + 4 + 4 + 0.25) / 2)
    assert float(generator_distance(fake, "least_squares")) == pytest.approx((9 + 0.25) / 2)


def test_non_saturating() -> None:
    zero = [torch.zeros(3)]
    assert float(discriminator_distance(zero, zero, "non_saturating")) == pytest.approx(2 * math.log(2))
    assert float(generator_distance(zero, "non_saturating")) == pytest.approx(math.log(2))


@pytest.mark.parametrize("form", _FORMS)
def test_networks_are_summed(form: _Form) -> None:
    real, fake = torch.randn(5), torch.randn(5)
    once = discriminator_distance([real], [fake], form), generator_distance([fake], form)
    torch.testing.assert_close(discriminator_distance([real] * 3, [fake] * 3, form), 3 * once[0])
    torch.testing.assert_close(generator_distance([fake] * 3, form), 3 * once[1])


@pytest.mark.parametrize("form", _FORMS)
def test_scores_that_are_far_out_stay_finite(form: _Form) -> None:
    far = torch.tensor([1e4, -1e4], requires_grad=True)
    loss = discriminator_distance([far], [far], form) + generator_distance([far], form)
    loss.backward()  # type: ignore[no-untyped-call]
    assert bool(loss.isfinite()) and far.grad is not None and bool(far.grad.isfinite().all())


def test_features_are_averaged_over_a_network_and_over_networks() -> None:
    one, two = torch.ones(2, 3), torch.full((2, 3), 2.0)
    real, fake = [[one, two], [one]], [[two, two], [3 * one]]
    assert float(feature_matching(real, fake)) == pytest.approx((0.5 + 2) / 2)
    assert float(feature_matching(real, fake[:1] + [[one]], relative=True)) == pytest.approx(0.25)


def test_features_at_the_front_can_be_skipped() -> None:
    one, two = torch.ones(2), torch.full((2,), 2.0)
    assert float(feature_matching([[one, two]], [[two, two]], skipped=1)) == 0


def test_no_divergence_from_itself() -> None:
    assert float(kl_normal(torch.zeros(2, 4, 3), torch.ones(2, 4, 3))) == 0


def test_divergence_is_twice_that_of_torch() -> None:
    mean, std = torch.randn(2, 4, 3), torch.rand(2, 4, 3) + 0.1
    normal = torch.distributions.Normal(mean, std)
    known = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0))
    torch.testing.assert_close(kl_normal(mean, std), 2 * known.sum(1).mean())


def test_discrepancy_is_zero_for_equal_sets_and_grows() -> None:
    x = torch.randn(50, 4)
    assert float(mmd(x, x)) == pytest.approx(0, abs=1e-6)
    assert 0 < float(mmd(x, x + 1)) < float(mmd(x, x + 3))


# -- refusals --------------------------------------------------------------------------------------------


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(RAVEConfigError, match="hinge"):
        generator_distance([torch.zeros(1)], "wasserstein")  # type: ignore[arg-type]


def test_no_networks_are_refused() -> None:
    with pytest.raises(RAVEConfigError, match="without networks"):
        generator_distance([])
    with pytest.raises(RAVEConfigError, match="nothing is left"):
        feature_matching([], [])


def test_skipping_all_features_is_refused() -> None:
    one = torch.ones(1)
    with pytest.raises(RAVEConfigError, match="nothing is left"):
        feature_matching([[one]], [[one]], skipped=1)


def test_scales_of_another_shape_are_refused() -> None:
    with pytest.raises(ShapeError, match="mean and a scale"):
        kl_normal(torch.zeros(1, 4, 3), torch.ones(1, 2, 3))


def test_what_is_no_list_of_vectors_is_refused() -> None:
    with pytest.raises(ShapeError, match="lists of vectors"):
        mmd(torch.zeros(1, 4, 3), torch.zeros(3, 4))
