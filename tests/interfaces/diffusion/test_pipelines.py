"""Other pipelines: transformers, two and three text encoders, classes, images without words, sound."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import torchbend as tb
from torchbend.errors import GenerationError
from torchbend.interfaces.diffusion import BendedDiffusion, tiny_pipeline

from .conftest import Open, plainly

# kind; prompts as `generate` takes them; the same as the pipeline takes them; methods; a layer in the middle
KINDS = {
    "stable-diffusion-xl": (
        ["a cat", "two boats"],
        {"prompt": ["a cat", "two boats"]},
        ["condition", "condition_2", "denoise", "encode", "decode"],
        "unet_mid_block_attentions_0_transformer_blocks_1_ff_net_2",
    ),
    "stable-diffusion-3": (
        ["a cat", "two boats"],
        {"prompt": ["a cat", "two boats"]},
        ["condition", "condition_2", "condition_3", "denoise", "encode", "decode"],
        "transformer_transformer_blocks_0_ff_net_2",
    ),
    "flux": (
        ["a cat", "two boats"],
        {"prompt": ["a cat", "two boats"]},
        ["condition", "condition_2", "denoise", "encode", "decode"],
        "transformer_single_transformer_blocks_0_proj_out",
    ),
    "pixart": (
        ["a cat", "two boats"],
        {"prompt": ["a cat", "two boats"], "use_resolution_binning": False, "clean_caption": False},
        ["condition", "denoise", "encode", "decode"],
        "transformer_transformer_blocks_0_ff_net_2",
    ),
    "dit": (
        [3, 207],
        {"class_labels": [3, 207]},
        ["denoise", "encode", "decode"],
        "transformer_transformer_blocks_0_ff_net_2",
    ),
    "ddim": (None, {"batch_size": 2}, ["denoise"], "unet_mid_block_resnets_0_conv1"),
    "ddpm": (None, {"batch_size": 2}, ["denoise"], "unet_mid_block_resnets_0_conv1"),
}


@pytest.mark.shows(
    "BendedDiffusion",
    "generate",
    model="Stable Diffusion XL, Stable Diffusion 3, Flux, PixArt, DiT, DDIM, DDPM",
)
@pytest.mark.parametrize("kind", KINDS)
def test_each_pipeline_is_itself_bends_and_comes_back(open_tiny: Open, kind: str) -> None:
    prompts, asked, methods, layer = KINDS[kind]
    model = open_tiny(kind)
    assert model.bent_methods == methods
    options = {name: value for name, value in asked.items() if isinstance(value, bool)}
    given: dict[str, Any] = {"steps": 2, "seed": 3, "n": 2 if prompts is None else 1, **options}
    plain, latents = model.generate(prompts, return_latents=True, **given)
    assert torch.equal(plain, plainly(model.pipeline, steps=2, **asked))
    assert torch.allclose(model.decode(latents), plain, atol=1e-5)

    module = next(part for name, part in model.module.named_modules() if name.replace(".", "_") == layer)
    model.bend(tb.Scale(0.25), f"denoise:{layer}$", steps=(1, None))
    bent = model.generate(prompts, **given)
    calls = [0]

    def act(module: Any, inputs: Any, out: torch.Tensor) -> torch.Tensor:
        calls[0] += 1
        return out * 0.25 if calls[0] > 1 else out

    hook = module.register_forward_hook(act)
    by_hand = plainly(model.pipeline, steps=2, **asked)
    hook.remove()
    assert torch.equal(bent, by_hand) and not torch.equal(bent, plain)
    model.reset()
    assert torch.equal(model.generate(prompts, **given), plain)


def test_a_pipeline_is_called_as_itself(open_tiny: Open) -> None:
    """Everything else goes by the pipeline's own call, with its own arguments and results."""
    model = open_tiny("ddim")
    given = {"batch_size": 1, "num_inference_steps": 3, "output_type": "pt"}
    own = model.pipeline(**given, generator=torch.Generator().manual_seed(1))
    ours = model(**given, generator=torch.Generator().manual_seed(1))
    assert type(ours) is type(own) and torch.equal(ours.images, own.images)
    amount = tb.BendingParameter("amount", 1.0, range=[0.0, 2.0])
    model.bend(tb.Scale(amount), "unet.mid_block.*weight", steps=(0.5, 1.0))
    moved = model(
        **given, generator=torch.Generator().manual_seed(1), schedule={"amount": [(0.0, 0.5), (1.0, 0.5)]}
    )
    assert not torch.equal(moved.images, own.images) and amount.value == 1.0


@pytest.mark.shows("BendedDiffusion", "any pipeline: image to image", model="Stable Diffusion")
def test_a_pipeline_that_needs_more_than_a_prompt_gets_an_example() -> None:
    import diffusers

    base = tiny_pipeline()
    pipeline = diffusers.StableDiffusionImg2ImgPipeline(**base.components, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    asked = {"prompt": "a cat", "image": image, "strength": 0.5, "num_inference_steps": 4}
    model = BendedDiffusion(pipeline, example=asked)
    assert model.bent_methods == ["condition", "denoise", "encode", "decode"]
    plain = pipeline(**asked, generator=torch.Generator().manual_seed(3), output_type="pt").images
    made = model.generate("a cat", image=image, strength=0.5, steps=4, seed=3)
    assert torch.equal(made, plain)
    calls: list[int] = []
    model.bend(tb.Lambda(lambda x: calls.append(1) or x), "denoise:unet_conv_in$", steps=(0.0, 0.5))
    model.generate("a cat", image=image, strength=0.5, steps=4, seed=3)
    assert len(calls) == 1  # of the two steps that are left of four
    with pytest.raises(GenerationError, match="takes no 'latents'|draws its noise"):
        model.generate("a cat", image=image, latents=model.latents(1))


def test_without_an_example_only_weights_have_names(caplog: pytest.LogCaptureFixture) -> None:
    import diffusers

    base = tiny_pipeline("dit")
    kept = base.components

    class Needy(diffusers.DiTPipeline):  # type: ignore[misc]
        def __call__(self, class_labels: Any, mask: Any, **options: Any) -> Any:
            return super().__call__(class_labels, **options)

    model = BendedDiffusion(Needy(**kept))
    assert model.bent_methods == [] and "example=" in caplog.text
    assert model.resolve_parameters("transformer.proj_out_2.weight")
