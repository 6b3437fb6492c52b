"""Noise, ways between noises, images to latents and back."""

from __future__ import annotations

import math

import pytest
import torch

import torchbend as tb
from torchbend.errors import GenerationError, NonFiniteError, ShapeError
from torchbend.interfaces.diffusion import BendedDiffusion, slerp
from torchbend.interfaces.diffusion.latents import from_codec, to_codec

from .conftest import Open


@pytest.mark.shows("BendedDiffusion", "latents", model="Stable Diffusion, Flux, DDIM")
@pytest.mark.parametrize("kind", ["stable-diffusion", "flux", "ddim"])
def test_noise_of_a_seed_is_the_noise_that_the_seed_begins_with(open_tiny: Open, kind: str) -> None:
    model = open_tiny(kind)
    prompts = None if kind == "ddim" else ["a cat", "a dog"]
    options = {"n": 2} if kind == "ddim" else {}
    by_seed = model.generate(prompts, steps=2, seed=3, **options)
    noise = model.latents(3, 2)
    assert torch.equal(model.generate(prompts, steps=2, latents=noise, seed=9, **options), by_seed)
    alone = torch.cat([model.latents(3), model.latents(4)])
    assert torch.equal(model.latents([3, 4]), alone)


def test_noise_of_another_size(model: BendedDiffusion) -> None:
    noise = model.latents(3, height=24, width=40)
    assert noise.shape == (1, 4, 12, 20)
    made = model.generate("a cat", steps=2, latents=noise, height=24, width=40)
    assert torch.equal(made, model.generate("a cat", steps=2, seed=3, height=24, width=40))


def test_slerp_is_what_its_formula_says() -> None:
    a, b = torch.tensor([[[[1.0, 0.0]]]]), torch.tensor([[[[0.0, 2.0]]]])
    half = slerp(a, b, 0.5)
    assert torch.allclose(half, torch.tensor([[[[1.0, 2.0]]]]) * math.sin(math.pi / 4))
    assert torch.allclose(slerp(a, b, 0.0), a) and torch.allclose(slerp(a, b, 1.0), b)
    assert torch.equal(slerp(a, a, 0.3), a)  # no angle: the straight line
    noise = torch.randn(2, 1, 4, 64, 64, generator=torch.Generator().manual_seed(0))
    middle = slerp(*noise, 0.5)
    assert abs(float(middle.std()) - 1) < 0.02  # the mean of two noises has a deviation of 0.71


@pytest.mark.shows("BendedDiffusion", "interpolate latents", model="Stable Diffusion")
def test_a_way_between_two_noises(model: BendedDiffusion) -> None:
    a, b = (noise / noise.norm() * 32 for noise in (model.latents(1), model.latents(2)))
    way = model.interpolate_latents(a, b, 5)
    assert way.shape == (5, 4, 16, 16) and torch.allclose(way[:1], a, atol=1e-6)
    assert torch.allclose(way[4:], b, atol=1e-6)
    rows = way.flatten(1).double() / 32
    angles = (rows[:-1] * rows[1:]).sum(1).arccos()
    whole = (rows[0] * rows[-1]).sum().arccos()
    assert torch.allclose(angles, whole.expand(4) / 4, atol=1e-5)  # equal steps on the circle
    images = model.generate(["a cat"] * 5, steps=2, latents=way)
    assert torch.allclose(images[:1], model.generate("a cat", steps=2, latents=a), atol=1e-4)


@pytest.mark.shows("BendedDiffusion", "encode and decode", model="Stable Diffusion")
def test_images_to_latents_and_back_are_the_vae_s_own(model: BendedDiffusion) -> None:
    vae, images = model.pipeline.vae, torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        own = vae.encode(images * 2 - 1).latent_dist
        factor = vae.config.scaling_factor
        latents = model.encode(images)
        assert torch.equal(latents, own.mode() * factor)
        drawn = own.sample(torch.Generator().manual_seed(5)) * factor
        assert torch.equal(model.encode(images, sample=True, seed=5), drawn)
        back = (vae.decode(latents / factor).sample / 2 + 0.5).clamp(0, 1)
    assert torch.equal(model.decode(latents), back)
    model.bend(tb.Scale(0.5), "encode:vae_quant_conv$")
    assert not torch.equal(model.encode(images), latents)
    model.reset()
    assert torch.equal(model.encode(images), latents)


def test_a_shift_and_statistics_go_there_and_back(open_tiny: Open) -> None:
    model = open_tiny("stable-diffusion-3")
    vae, images = model.pipeline.vae, torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        mode = vae.encode(images * 2 - 1).latent_dist.mode()
    wanted = (mode - vae.config.shift_factor) * vae.config.scaling_factor
    assert torch.equal(model.encode(images), wanted)

    class Config:
        scaling_factor, latents_mean, latents_std = 0.5, [1.0, 2.0], [3.0, 4.0]

    x = torch.randn(1, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(to_codec(from_codec(x, Config), Config), x, atol=1e-6)
    assert torch.allclose(from_codec(x, Config)[0, 1], (x[0, 1] - 2.0) * 0.5 / 4.0)


def test_a_model_without_a_vae_works_on_images(open_tiny: Open) -> None:
    model = open_tiny("ddim")
    images = torch.rand(1, 3, 32, 32)
    assert torch.allclose(model.decode(model.encode(images)), images, atol=1e-6)


def test_what_is_no_latent_is_refused(model: BendedDiffusion) -> None:
    a = model.latents(1)
    with pytest.raises(GenerationError, match="two ends"):
        model.interpolate_latents(a, a, 1)
    with pytest.raises(ShapeError, match="one noise to another"):
        model.interpolate_latents(model.latents(1, 2), a)
    with pytest.raises(ShapeError, match="one shape"):
        model.interpolate_latents(a, a[..., :8])
    with pytest.raises(ShapeError, match="no latents"):
        model.decode(torch.zeros(4))
    with pytest.raises(NonFiniteError):
        model.decode(torch.full((1, 4, 16, 16), float("nan")))
    with pytest.raises(ShapeError, match="no images"):
        model.encode(torch.zeros(3, 3))
    with pytest.raises(GenerationError, match="each image"):
        model.generate(["a", "b"], latents=a)
    with pytest.raises(GenerationError, match="of this size"):
        model.latents(1, height=30)
