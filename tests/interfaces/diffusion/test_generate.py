"""Images are the pipeline's own, to the bit; a bend is what a hand would have done to the pipeline."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

import torchbend as tb
from torchbend.errors import ControlError
from torchbend.interfaces import BendingInterface
from torchbend.interfaces.diffusion import BendedDiffusion

from .conftest import plainly

PROMPTS = ["a cat", "two boats"]


@pytest.mark.shows("BendedDiffusion", "generate", model="Stable Diffusion")
def test_unbent_images_are_those_of_diffusers(model: BendedDiffusion) -> None:
    plain = plainly(model.pipeline, steps=2, prompt=PROMPTS)
    state = torch.random.get_rng_state()
    made = model.generate(PROMPTS, steps=2, seed=3)
    assert torch.equal(made, plain) and made.shape == (2, 3, 32, 32)
    assert float(made.min()) >= 0 and float(made.max()) <= 1 and made.std() > 0.05
    assert torch.equal(torch.random.get_rng_state(), state)  # a seed leaves torch's own state alone
    assert torch.equal(model.generate(PROMPTS, steps=2, seed=3), made)
    assert not torch.equal(model.generate(PROMPTS, steps=2, seed=4), made)


def test_all_that_a_pipeline_takes_reaches_it(model: BendedDiffusion) -> None:
    plain = plainly(
        model.pipeline,
        prompt=PROMPTS,
        negative_prompt=["dull"] * 2,
        guidance_scale=3.0,
        height=24,
        width=40,
        num_images_per_prompt=2,
        eta=0.5,
        steps=2,
    )
    made = model.generate(
        PROMPTS, steps=2, seed=3, negative="dull", guidance=3.0, height=24, width=40, n=2, eta=0.5
    )
    assert torch.equal(made, plain) and made.shape == (4, 3, 24, 40)
    assert not torch.equal(made, model.generate(PROMPTS, steps=2, seed=3, height=24, width=40, n=2, eta=0.5))


def test_guidance_takes_both_halves_through_the_bend(model: BendedDiffusion) -> None:
    rows = []
    model.bend(tb.Lambda(lambda x: rows.append(len(x)) or x), "denoise:unet_conv_in$")
    model.generate(PROMPTS, steps=2, seed=3, guidance=7.5)
    model.generate(PROMPTS, steps=2, seed=3, guidance=1.0)
    assert rows == [4, 4, 2, 2]


def test_a_list_of_seeds_has_one_for_each_image(model: BendedDiffusion) -> None:
    alone = model.generate("a cat", steps=3, seed=[8])
    both = model.generate("a cat", n=2, steps=3, seed=[5, 8])
    assert torch.allclose(both[1:], alone, atol=1e-5)


@pytest.mark.shows("BendedDiffusion", "bend weights", model="Stable Diffusion")
@pytest.mark.parametrize("name", ["unet.mid_block.resnets.0.conv1.weight", "vae.decoder.conv_in.weight"])
def test_a_bent_weight_is_the_weight_bent_by_hand(model: BendedDiffusion, name: str) -> None:
    plain = model.generate(PROMPTS, steps=2, seed=3)
    model.bend(tb.Scale(0.25), f"{name}$")
    bent = model.generate(PROMPTS, steps=2, seed=3)
    part, _, rest = name.partition(".")
    by_hand = copy.copy(model.pipeline)
    edited = copy.deepcopy(getattr(by_hand, part))
    with torch.no_grad():
        edited.get_parameter(rest).mul_(0.25)
    setattr(by_hand, part, edited)
    assert torch.equal(plainly(by_hand, steps=2, prompt=PROMPTS), bent) and not torch.equal(bent, plain)
    assert torch.equal(
        plainly(model.pipeline, steps=2, prompt=PROMPTS), plain
    )  # the pipeline itself is not changed


@pytest.mark.shows("BendedDiffusion", "bend activations", model="Stable Diffusion")
@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("denoise:unet_mid_block_attentions_0_proj_out$", "unet.mid_block.attentions.0.proj_out"),
        ("condition:text_encoder_.*layers_1_mlp_fc2$", "text_encoder.encoder.layers.1.mlp.fc2"),
        ("decode:vae_decoder_up_blocks_0_resnets_0_conv1$", "vae.decoder.up_blocks.0.resnets.0.conv1"),
    ],
)
def test_a_bent_activation_is_a_hook_written_by_hand(model: BendedDiffusion, pattern: str, path: str) -> None:
    plain = model.generate(PROMPTS, steps=2, seed=3)
    model.bend(tb.Scale(0.25), pattern)
    bent = model.generate(PROMPTS, steps=2, seed=3)
    module = next(part for name, part in model.module.named_modules() if name.endswith(path.split(".", 1)[1]))
    hook = module.register_forward_hook(lambda module, inputs, out: out * 0.25)
    by_hand = plainly(model.pipeline, steps=2, prompt=PROMPTS)
    hook.remove()
    assert torch.equal(by_hand, bent) and not torch.equal(bent, plain)


@pytest.mark.shows("BendedDiffusion", "bend operations", model="Stable Diffusion")
def test_an_operation_is_bent_in_every_step(model: BendedDiffusion) -> None:
    """An attention that hears nothing is one whose last layer weighs nothing."""
    plain = model.generate("a cat", steps=3, seed=3)
    model.bend(tb.Scale(0.0), "denoise:scaled_dot_product_attention$")
    by_operation = model.generate("a cat", steps=3, seed=3)
    model.reset()
    model.bend(tb.Scale(0.0), "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_out.0.weight$")
    assert torch.equal(model.generate("a cat", steps=3, seed=3), by_operation)
    assert not torch.equal(by_operation, plain)


@pytest.mark.shows("BendedDiffusion", "reset is bit-identical", model="Stable Diffusion")
def test_reset_gives_everything_back(model: BendedDiffusion) -> None:
    plain = model.generate(PROMPTS, steps=2, seed=3)
    model.bend(tb.Scale(2.0), "unet.*weight", "condition:text_encoder_.*fc2$", "vae.decoder.*bias")
    assert not torch.equal(model.generate(PROMPTS, steps=2, seed=3), plain)
    model.reset()
    assert torch.equal(model.generate(PROMPTS, steps=2, seed=3), plain)


@pytest.mark.shows("BendedDiffusion", "controls and schedules", model="Stable Diffusion")
def test_a_schedule_moves_a_control_over_the_steps(model: BendedDiffusion) -> None:
    amount = tb.BendingParameter("amount", 1.0, range=[0.0, 4.0])
    model.bend(tb.Scale(amount), "denoise:unet_mid_block_attentions_0_proj_out$")
    seen: list[float] = []
    model.bend(tb.Lambda(lambda x: seen.append(amount.value) or x), "denoise:unet_conv_in$")
    curve = [(0.0, 1.0), (0.5, 1.0), (1.0, 3.0)]
    moved = model.generate("a cat", steps=4, seed=3, schedule={"amount": curve})
    assert seen == [1.0, 1.0, 1.0, 2.0] and amount.value == 1.0
    model.reset()
    numbers = iter(seen)
    layer = model.module.get_submodule("unet.mid_block.attentions.0.proj_out")
    hook = layer.register_forward_hook(lambda module, inputs, out: out * next(numbers))
    by_hand = plainly(model.pipeline, prompt="a cat")
    hook.remove()
    assert torch.equal(moved, by_hand)
    with pytest.raises(ControlError):
        model.generate("a cat", steps=2, schedule={"nothing": curve})


def test_a_schedule_moves_a_weight(model: BendedDiffusion) -> None:
    amount = tb.BendingParameter("amount", 1.0, range=[0.0, 4.0])
    plain = model.generate("a cat", steps=4, seed=3, return_latents=True)[1]
    model.bend(tb.Scale(amount), "unet.mid_block.attentions.0.proj_out.weight")
    found: list[list[torch.Tensor]] = []
    for curve in (None, {"amount": lambda share: 1.0 if share < 0.5 else 3.0}):
        found.append(list(model.steps_of("a cat", steps=4, seed=3, schedule=curve)))
    still, moved = found
    assert torch.equal(still[0], moved[0]) and torch.equal(still[1], moved[1])
    assert not torch.equal(still[2], moved[2])
    assert torch.equal(model.generate("a cat", steps=4, seed=3, return_latents=True)[1], plain)


@pytest.mark.shows("BendedDiffusion", "compare", model="Stable Diffusion")
def test_bent_beside_unbent(model: BendedDiffusion) -> None:
    plain = model.generate(PROMPTS, steps=3, seed=3)
    model.bend(tb.Scale(0.25), "unet.mid_block.*weight")
    bent = model.generate(PROMPTS, steps=3, seed=3)
    pairs = model.compare(PROMPTS, steps=3, seed=3)
    assert torch.equal(pairs[0::2], plain) and torch.equal(pairs[1::2], bent)
    assert model.grid(pairs, columns=2).shape == (3, 66, 66)


@pytest.mark.shows("BendedDiffusion", "render to a file", model="Stable Diffusion")
def test_render(model: BendedDiffusion, tmp_path: Path) -> None:
    file = model.render(tmp_path / "out.png", PROMPTS, seed=3, steps=2, columns=1)
    from PIL import Image

    with Image.open(file) as image:
        assert image.size == (32, 66)
        first = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)[:, :32] / 255
    assert torch.allclose(first, model.generate(PROMPTS, seed=3, steps=2)[0], atol=0.5 / 255 + 1e-6)
    both = model.render(tmp_path / "pairs.png", PROMPTS, seed=3, steps=2, compare=True)
    with Image.open(both) as image:
        assert image.size == (66, 66)


def test_a_bar_counts_the_steps(model: BendedDiffusion, capfd: pytest.CaptureFixture[str]) -> None:
    model.generate("a cat", steps=3, seed=3, progress=True)
    assert "denoising" in capfd.readouterr().err
    model.generate("a cat", steps=3, seed=3)
    assert "denoising" not in capfd.readouterr().err


def test_it_is_an_interface(model: BendedDiffusion) -> None:
    assert isinstance(model, BendingInterface) and BendedDiffusion.has_tiny()
    assert set(model.verbs) >= {"generate", "encode", "decode", "latents", "steps_of", "compare", "grid"}
    assert model.bent_methods == ["condition", "denoise", "encode", "decode"]
    halves = {name.split(".")[0] for name in model.weight_names}
    assert halves == {"unet", "vae", "text_encoder"}
    assert repr(model).startswith("BendedDiffusion(StableDiffusionPipeline: vae, text_encoder, unet")
