"""What a GAN does, bent and not: images, styles, mixes, walks, grids, files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import torchbend as tb
from torchbend.errors import ExportError, GenerationError
from torchbend.interfaces.gan import DCGAN, BendedGAN
from torchbend.interfaces.images import grid


@pytest.fixture(scope="module")
def _gan() -> BendedGAN:
    return BendedGAN.tiny()


@pytest.fixture
def gan(_gan: BendedGAN) -> BendedGAN:
    _gan.reset()
    return _gan


@pytest.fixture(scope="module")
def plain() -> BendedGAN:
    torch.manual_seed(1)
    return BendedGAN(DCGAN(10, (16, 8)))


def shown(images: torch.Tensor) -> torch.Tensor:
    return images.detach().add(1).div(2).clamp(0, 1)


@pytest.mark.shows("BendedGAN", "generate: seeds to images", model="StyleGAN2")
def test_seeds_make_images(gan: BendedGAN) -> None:
    made = gan.generate([3, 1, 4])
    z = torch.from_numpy(np.random.RandomState(1).randn(1, 32)).float()  # as NVIDIA's programs do
    assert made.shape == (3, 3, 32, 32) and torch.equal(gan.latents([1]), z)
    assert torch.allclose(made[1:2], shown(gan.module(z)), atol=1e-6)
    assert torch.equal(gan.generate(3, seed=3), gan.generate([3, 4, 5]))
    assert torch.equal(gan(z), gan.generate([1])) and torch.equal(gan([3, 1, 4]), made)
    before = torch.random.get_rng_state()
    gan.generate(2, seed=0, noise="random")
    assert torch.equal(torch.random.get_rng_state(), before)
    many = gan.generate(11, seed=0)  # more than go through at once
    assert torch.allclose(many[9:], gan.generate([9, 10]), atol=1e-6)
    torch.manual_seed(5)
    drawn = gan.generate(1)
    torch.manual_seed(5)
    assert torch.equal(gan.generate(1), drawn) and not torch.equal(gan.generate(1), drawn)


@pytest.mark.shows("BendedGAN", "map and synthesize apart", model="StyleGAN2")
def test_mapping_and_synthesis_apart(gan: BendedGAN) -> None:
    ws = gan.map(gan.latents([1, 2]))
    assert ws.shape == (2, gan.styles, 32) and torch.equal(ws[:, 0], ws[:, -1])
    assert torch.equal(gan.synthesize(ws), gan.generate([1, 2]))
    assert torch.equal(gan.synthesize(ws[0]), gan.synthesize(ws[:1]))


@pytest.mark.shows("BendedGAN", "truncation", model="StyleGAN2")
def test_truncation_goes_to_the_mean_style(gan: BendedGAN) -> None:
    mean = gan.module.mapping.w_avg
    assert torch.equal(gan.map(gan.latents([1]), 0.0), mean.expand(1, gan.styles, -1))
    middle = gan.synthesize(mean.expand(gan.styles, -1)).expand(2, -1, -1, -1)
    assert torch.allclose(gan.generate([1, 2], truncation=0.0), middle, atol=1e-6)
    ws = gan.map(gan.latents([1]))
    assert torch.allclose(gan.map(gan.latents([1]), 0.7), mean + 0.7 * (ws - mean), atol=1e-6)
    coarse = gan.map(gan.latents([1]), 0.5, cutoff=3)
    assert torch.equal(coarse[:, 3:], ws[:, 3:])
    assert torch.allclose(coarse[:, :3], mean + 0.5 * (ws[:, :3] - mean), atol=1e-6)


def test_noise_is_the_model_s_own_drawn_anew_or_none(gan: BendedGAN) -> None:
    own = gan.generate([1], noise="const")
    drawn = [gan.generate([1], noise="random", seed=seed) for seed in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    without = gan.generate([1], noise="none")
    with gan.bend(tb.Scale(0.0), r"synthesis.*noise_strength"):
        assert torch.allclose(gan.generate([1]), without, atol=1e-6)
    assert not torch.equal(own, without) and not torch.equal(own, drawn[0])
    several = gan.generate([1, 1, *range(9)], noise="random", seed=1)
    assert not torch.equal(several[0], several[1])  # each image has grains of its own


@pytest.mark.shows("BendedGAN", "mix: styles of two images", model="StyleGAN2")
def test_mixing_exchanges_rows_of_styles(gan: BendedGAN) -> None:
    made = gan.mix([1, 2], [3, 4, 5], range(2, 6))
    assert made.shape == (6, 3, 32, 32)
    ws = gan.map(gan.latents([1, 2, 3, 4, 5]))
    byhand = torch.stack([torch.cat([ws[a, :2], ws[b, 2:6], ws[a, 6:]]) for a in (0, 1) for b in (2, 3, 4)])
    assert torch.equal(made, gan.synthesize(byhand))
    assert torch.equal(gan.mix(1, 3, iter(range(gan.styles))), gan.generate([3]))
    for layers in ([], [8], [-1], [0.5]):
        with pytest.raises(GenerationError, match="styles"):
            gan.mix(1, 2, layers)


@pytest.mark.shows("BendedGAN", "walk: from one image to another", model="StyleGAN2")
def test_walks_begin_and_end_at_their_seeds(gan: BendedGAN, plain: BendedGAN) -> None:
    for model, space in ((gan, "w"), (gan, "z"), (plain, "z")):
        way = model.walk(1, 2, 5, space=space)
        assert len(way) == 5
        assert torch.allclose(way[[0, -1]], model.generate([1, 2]), atol=1e-5)
        steps = (way[1:] - way[:-1]).abs().mean((1, 2, 3))
        assert bool((steps < 0.8 * (way[-1] - way[0]).abs().mean() + 0.02).all())
    ws = gan.map(gan.latents([1, 2]))
    assert torch.allclose(gan.walk(1, 2, 3)[1:2], gan.synthesize(ws.mean(0)), atol=1e-5)
    z = plain.latents([1, 2])
    middle = (z[0] + z[1]) / (2 * torch.cos(torch.arccos(torch.cosine_similarity(z[0], z[1], 0)) / 2))
    assert torch.allclose(plain.walk(1, 2, 3)[1:2], plain.synthesize(middle), atol=1e-5)
    assert torch.allclose(plain.walk(1, 1, 2)[0], plain.generate([1])[0], atol=1e-6)


@pytest.mark.shows("BendedGAN", "generate: seeds to images", model="DCGAN")
def test_a_generator_without_styles_says_what_it_cannot_do(plain: BendedGAN) -> None:
    z = plain.latents([1, 2])
    assert torch.equal(plain.generate([1, 2]), shown(plain.module(z))) and not plain.has_styles
    assert torch.equal(plain.synthesize(z.reshape(2, 10, 1, 1)), plain.synthesize(z))
    assert torch.equal(plain.generate([1], truncation=0.5), plain.synthesize(0.5 * z[:1]))
    calls = (
        lambda: plain.map(z),
        lambda: plain.mix(1, 2, [0]),
        lambda: plain.walk(1, 2, space="w"),
        lambda: plain.generate(1, noise="random"),
        lambda: plain.generate(1, cutoff=2),
    )
    for call in calls:
        with pytest.raises(GenerationError, match="no styles"):
            call()


# -- bends -----------------------------------------------------------------------------------------------


@pytest.mark.shows("BendedGAN", "bend weights", model="StyleGAN2")
@pytest.mark.shows("BendedGAN", "reset is bit-identical", model="StyleGAN2")
def test_bent_weights_are_those_of_a_model_edited_by_hand(gan: BendedGAN) -> None:
    before = gan.generate([1, 2])
    own = {name: w.clone() for name, w in gan.module.state_dict().items()}
    gan.bend(
        tb.Scale(1.7), "synthesis.b8.conv0.weight", "mapping.fc1.bias", "synthesis.b16.torgb.affine.weight"
    )
    edited = dict(own)
    for name in gan.bended_keys():
        edited[name] = 1.7 * own[name]
    assert torch.allclose(gan.generate([1, 2]), BendedGAN(edited).generate([1, 2]), atol=1e-6)
    assert not torch.equal(gan.generate([1, 2]), before)
    gan.reset()
    assert torch.equal(gan.generate([1, 2]), before)
    assert all(torch.equal(w, own[name]) for name, w in gan.module.state_dict().items())


@pytest.mark.shows("BendedGAN", "bend activations", model="StyleGAN2")
def test_layers_are_bent_by_their_names(gan: BendedGAN) -> None:
    outs = [
        name for name in gan.activation_names("synthesize") if name.endswith("_out") and "affine" not in name
    ]
    assert outs[:5] == [
        f"synthesis_b{n}_out" for n in ("4_conv1", "4_torgb", "8_conv0", "8_conv1", "8_torgb")
    ]
    inner = gan.get_activations("synthesis_b8_conv0_out$", fn="synthesize", ws=gan.map(gan.latents([1])))
    assert inner["synthesis_b8_conv0_out"].shape == (1, 32, 8, 8)
    before = gan.generate([1])
    gan.bend(tb.Scale(0.0), r"synthesize:synthesis_b\d+_torgb_out$")
    assert torch.allclose(gan.generate([1]), torch.full_like(before, 0.5))
    gan.reset()
    gan.bend(tb.Lambda(lambda w: 0 * w), "map:mapping_fc1_out$")
    zero = torch.zeros(gan.styles, 32)
    assert torch.equal(gan.generate([1]), gan.synthesize(zero))
    gan.reset()
    hook = gan.module.synthesis.b16.conv0.register_forward_hook(lambda m, args, out: out.flip(-1))
    byhand = gan.generate([1])
    hook.remove()
    gan.bend(tb.Reverse(dim=-1), "synthesize:synthesis_b16_conv0_out$")
    assert torch.equal(gan.generate([1]), byhand)
    gan.reset()
    assert torch.equal(gan.generate([1]), before)


@pytest.mark.shows("BendedGAN", "bend activations", model="DCGAN")
def test_a_plain_generator_is_bent(plain: BendedGAN) -> None:
    before = plain.generate([1, 2])
    assert isinstance(plain.module.main[2], nn.ReLU)
    with plain.bend(tb.Scale(0.0), "main_5$"):
        assert torch.allclose(plain.generate([1, 2]), torch.full_like(before, 0.5))
    with plain.bend(tb.Scale(-1.0), "main.6.weight"):
        assert torch.allclose(plain.generate([1, 2]), 1 - before, atol=1e-6)
    assert torch.equal(plain.generate([1, 2]), before)


def test_controls_count_from_the_next_image_on(gan: BendedGAN) -> None:
    glow = tb.BendingParameter("glow", 1.0, range=(0.0, 3.0))
    before = gan.generate([1])
    gan.bend(tb.Scale(glow), "synthesize:synthesis_b8_conv1_out$")
    assert torch.equal(gan.generate([1]), before)
    gan.update("glow", 2.0)
    assert not torch.equal(gan.generate([1]), before)


@pytest.mark.shows("BendedGAN", "grid and compare", model="StyleGAN2")
def test_grids_and_comparisons_are_images_side_by_side(gan: BendedGAN) -> None:
    plain = gan.generate([1, 2, 3])
    assert torch.equal(gan.grid([1, 2, 3], columns=3), grid(plain, 3))
    gan.bend(tb.Scale(-1.0), r"synthesize:synthesis_b\d+_torgb_out$")
    bent = gan.generate([1, 2, 3])
    assert torch.equal(gan.compare([1, 2, 3]), grid(torch.cat([plain, bent]), 3))
    assert torch.equal(gan.generate([1, 2, 3]), bent)


@pytest.mark.shows("BendedGAN", "render from the command line", model="StyleGAN2")
def test_seeds_are_rendered_to_a_grid(gan: BendedGAN, tmp_path: Path) -> None:
    pil = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    path = gan.render(tmp_path / "out.png", ["1", "4-6"], columns=4, truncation=0.8)
    seen = torch.from_numpy(np.array(pil.open(path))).permute(2, 0, 1)
    assert torch.equal(seen, gan.grid([1, 4, 5, 6], columns=4, truncation=0.8).mul(255).round().byte())
    gan.render(tmp_path / "nine.png", seed=3)
    assert pil.open(tmp_path / "nine.png").size == (100, 100)
    for wrong in ("a face", "6-4", "-1"):
        with pytest.raises(GenerationError, match="no seed"):
            gan.render(tmp_path / "x.png", [wrong])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda gan: gan.generate(0),
        lambda gan: gan.generate([]),
        lambda gan: gan.generate("12"),
        lambda gan: gan.generate([-1]),
        lambda gan: gan.generate([1.5]),
        lambda gan: gan.generate(1, truncation=float("nan")),
        lambda gan: gan.generate(1, noise="pink"),
        lambda gan: gan.generate(1, labels=3),
        lambda gan: gan.map(torch.zeros(2, 31)),
        lambda gan: gan.synthesize(torch.zeros(2, 7, 32)),
        lambda gan: gan.walk(1, 2, 1),
        lambda gan: gan.walk(1, 2, space="x"),
        lambda gan: gan.generate(1, truncation=0.5, cutoff=9),
    ],
)
def test_what_cannot_be_is_told(gan: BendedGAN, wrong) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(GenerationError):
        wrong(gan)


def test_what_it_is_and_what_it_can_do(gan: BendedGAN) -> None:
    assert gan.bent_methods == ["map", "synthesize"] and (gan.kind, gan.makes) == ("gan", "images")
    assert {"generate", "map", "synthesize", "mix", "walk", "grid", "compare", "latents"} <= set(gan.verbs)
    with pytest.raises(ExportError, match="sound"):
        gan.export("clouds.ts")
