"""What cannot be is told, with the place, what was wanted, what was got, and the next step."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import torchbend as tb
from torchbend.errors import ExportError, GenerationError, NonFiniteError, TorchbendError
from torchbend.interfaces.diffusion import BendedDiffusion

from .conftest import Open


@pytest.mark.parametrize(
    ("prompts", "options", "told"),
    [
        ([], {}, "a prompt is a text"),
        (None, {}, "a prompt is a text"),
        ([1], {}, "a prompt is a text"),
        ("a", {"steps": 0}, "steps is a whole number"),
        ("a", {"steps": 2.5}, "steps is a whole number"),
        ("a", {"n": 0}, "n is a whole number"),
        ("a", {"height": 30}, "of this size"),
        ("a", {"width": 0}, "of this size"),
        ("a", {"guidance": float("nan")}, "guidance is a number"),
        ("a", {"negative": ["b", "c"]}, "one text, or one for each"),
        ("a", {"seed": "now"}, "a seed is a whole number"),
        ("a", {"seed": [1, 2]}, "one for each image"),
        ("a", {"nonsense": 2}, "takes no 'nonsense'"),
        ("a", {"prompt_embeds": 3}, "does not take this"),
    ],
)
def test_wrong_requests(model: BendedDiffusion, prompts: Any, options: dict[str, Any], told: str) -> None:
    with pytest.raises(GenerationError, match=told):
        model.generate(prompts, **{"steps": 2, **options})


def test_each_kind_of_prompt_has_its_model(open_tiny: Open) -> None:
    with pytest.raises(GenerationError, match="takes no prompt"):
        open_tiny("ddim").generate("a cat", steps=2)
    with pytest.raises(GenerationError, match="images of classes"):
        open_tiny("dit").generate("a cat", steps=2)
    with pytest.raises(GenerationError, match="takes no 'guidance'"):
        open_tiny("ddim").generate(steps=2, guidance=3.0)
    with pytest.raises(GenerationError, match="takes no 'height'"):
        open_tiny("ddim").generate(steps=2, height=32)
    with pytest.raises(GenerationError, match="one size"):
        open_tiny("ddim").latents(1, height=32)


def test_an_image_that_is_none_is_told(model: BendedDiffusion) -> None:
    model.bend(tb.Scale(float("nan")), "denoise:unet_mid_block_attentions_0_proj_out$")
    with pytest.raises(NonFiniteError, match="there is no image") as told:
        model.generate("a cat", steps=2, seed=3)
    assert "denoise:unet_mid_block_attentions_0_proj_out" in str(told.value)
    with pytest.raises(NonFiniteError, match="there is no image"):
        model.steps_of("a cat", steps=2, seed=3)
    model.guard = "raise"
    try:
        with pytest.raises(NonFiniteError, match="values that are not finite"):
            model.generate("a cat", steps=2, seed=3)
    finally:
        model.guard = "warn"


def test_steps_of_one_image(model: BendedDiffusion) -> None:
    with pytest.raises(GenerationError, match="one image at a time"):
        model.steps_of(["a", "b"], steps=2)
    with pytest.raises(GenerationError, match="counted"):
        model.steps_of("a", steps=2, every=0)


def test_nothing_is_exported_and_only_png_is_written(model: BendedDiffusion, tmp_path: Any) -> None:
    with pytest.raises(ExportError, match="step by step"):
        model.export(tmp_path / "model.ts")
    with pytest.raises(TorchbendError, match="PNG"):
        model.render(tmp_path / "out.jpg", ["a"])


def test_an_error_in_the_middle_leaves_nothing_behind(model: BendedDiffusion) -> None:
    plain = model.generate("a cat", steps=3, seed=3)
    amount = tb.BendingParameter("amount", 0.5, range=[0.0, 1.0])

    def fail(x: Any) -> Any:
        raise RuntimeError("stop")

    handle = model.bend(tb.Lambda(fail), "denoise:unet_conv_out$", steps=(1, 2))
    model.bend(tb.Scale(amount), "unet.conv_out.weight")
    with pytest.raises(TorchbendError, match="stop"):
        model.generate("a cat", steps=3, seed=3, schedule={"amount": [(0.0, 0.2)]})
    assert amount.value == 0.5
    handle.remove()
    model.reset()
    assert torch.equal(model.generate("a cat", steps=3, seed=3), plain)
