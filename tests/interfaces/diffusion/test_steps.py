"""Bends that hold in some of the denoising steps only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import torch
from torch import Tensor

import torchbend as tb
from torchbend.errors import CallbackError, RecipeError
from torchbend.interfaces.diffusion import BendedDiffusion, DuringSteps

from .conftest import Open, plainly

ByHand: TypeAlias = Callable[[set[int]], Tensor]

MIDDLE = "denoise:unet_mid_block_attentions_0_proj_out$"
WEIGHT = "unet.mid_block.attentions.0.proj_out.weight$"


def trajectory(model: BendedDiffusion, steps: int = 5) -> list[Tensor]:
    return list(model.steps_of("a cat", steps=steps, seed=3))


def hooked(model: BendedDiffusion, active: frozenset[int], steps: int = 5) -> Tensor:
    """The pipeline of diffusers with a hook that acts in these calls of the UNet."""
    counted = [-1]

    def count(module: Any, inputs: Any) -> None:
        counted[0] += 1

    def act(module: Any, inputs: Any, out: Tensor) -> Tensor:
        return out * 0.25 if counted[0] in active else out

    unet = model.pipeline.unet
    hooks = [
        unet.register_forward_pre_hook(count),
        unet.mid_block.attentions[0].proj_out.register_forward_hook(act),
    ]
    try:
        return plainly(model.pipeline, steps=steps, prompt="a cat")
    finally:
        for hook in hooks:
            hook.remove()


@pytest.fixture(scope="module")
def _made() -> dict[frozenset[int], Tensor]:
    return {}


@pytest.fixture
def by_hand(model: BendedDiffusion, _made: dict[frozenset[int], Tensor]) -> ByHand:
    """What `hooked` makes, made once for all tests."""

    def find(active: set[int]) -> Tensor:
        key = frozenset(active)
        if key not in _made:
            _made[key] = hooked(model, key)
        return _made[key]

    return find


@pytest.mark.shows("BendedDiffusion", "bend in a range of denoising steps", model="Stable Diffusion")
@pytest.mark.parametrize(
    ("steps", "active"),
    [
        ((0.2, 0.6), {1, 2}),
        ((1, 3), {1, 2}),
        ((None, 0.4), {0, 1}),
        ((3, None), {3, 4}),
        ((0.0, 1.0), {0, 1, 2, 3, 4}),
        ((7, 9), set()),
    ],
)
def test_a_bend_holds_in_its_steps_only(
    model: BendedDiffusion, by_hand: ByHand, steps: tuple[Any, Any], active: set[int]
) -> None:
    model.bend(tb.Scale(0.25), MIDDLE, steps=steps)
    assert torch.equal(model.generate("a cat", steps=5, seed=3), by_hand(active))


@pytest.mark.shows("BendedDiffusion", "what each step made", model="Stable Diffusion")
def test_before_its_steps_nothing_differs(model: BendedDiffusion) -> None:
    plain = trajectory(model)
    model.bend(tb.Scale(0.25), MIDDLE, steps=(0.4, 0.8))
    bent = trajectory(model)
    equal = [torch.equal(a, b) for a, b in zip(plain, bent, strict=True)]
    assert equal == [True, True, False, False, False]
    few = model.steps_of("a cat", steps=5, seed=3, every=2)
    assert torch.equal(few, torch.stack([bent[1], bent[3], bent[4]]))


def test_weights_are_bent_in_steps_too(model: BendedDiffusion) -> None:
    plain = trajectory(model)
    model.bend(tb.Scale(0.25), WEIGHT, steps=(0.4, 0.8))
    bent = trajectory(model)
    model.reset()
    model.bend(tb.Scale(0.25), WEIGHT)
    throughout = model.generate("a cat", steps=5, seed=3)[0]
    equal = [torch.equal(a, b) for a, b in zip(plain, bent, strict=True)]
    assert equal == [True, True, False, False, False] and not torch.equal(bent[-1], throughout)
    model.reset()
    model.bend(tb.Scale(0.25), WEIGHT, steps=(0.0, 1.0))
    assert torch.equal(model.generate("a cat", steps=5, seed=3)[0], throughout)


def test_ranges_that_follow_each_other_cover_each_step_once(model: BendedDiffusion, by_hand: ByHand) -> None:
    model.bend(tb.Scale(0.25), MIDDLE, steps=(0.0, 0.6))
    model.bend(tb.Scale(0.25), MIDDLE, steps=(0.6, 1.0))
    assert torch.equal(model.generate("a cat", steps=5, seed=3), by_hand(set(range(5))))
    for total in range(1, 40):
        halves = [DuringSteps(tb.Scale(2.0), a / 7, (a + 1) / 7) for a in range(7)]
        assert all(sum(half.holds(step, total) for half in halves) == 1 for step in range(total))


def test_outside_of_a_generation_it_holds(model: BendedDiffusion) -> None:
    model.bend(tb.Scale(0.25), WEIGHT, steps=(0.0, 0.4))
    name = WEIGHT.rstrip("$")
    assert torch.equal(model.bended_weights()[name], 0.25 * model.weight(name))
    model.generate("a cat", steps=4, seed=3)
    assert torch.equal(model.bended_weights()[name], 0.25 * model.weight(name))


def test_steps_are_counted_by_the_scheduler(open_tiny: Open) -> None:
    """A scheduler of second order takes two calls for a step; each call counts as one."""
    import diffusers

    model = open_tiny("stable-diffusion")
    own = model.pipeline.scheduler
    calls: list[int] = []
    model.bend(tb.Lambda(lambda x: calls.append(1) or x), "denoise:unet_conv_in$", steps=(0.0, 0.5))
    try:
        for kind, total in ((diffusers.HeunDiscreteScheduler, 7), (diffusers.PNDMScheduler, 5)):
            more = {"skip_prk_steps": True} if kind is diffusers.PNDMScheduler else {}
            model.pipeline.scheduler = kind.from_config(own.config, **more)
            calls.clear()
            images = model.steps_of("a cat", steps=4, seed=3)
            assert len(images) == total and len(calls) == (total + 1) // 2
    finally:
        model.pipeline.scheduler = own


def test_a_recipe_keeps_the_steps(model: BendedDiffusion, by_hand: ByHand, tmp_path: Path) -> None:
    amount = tb.BendingParameter("amount", 0.25, range=[0.0, 1.0])
    model.bend(tb.Scale(amount), MIDDLE, steps=(0.2, 0.6))
    bent = by_hand({1, 2})
    assert torch.equal(model.generate("a cat", steps=5, seed=3), bent)
    file = model.bending_config().save(tmp_path / "recipe.json")
    model.reset()
    model.bend(tb.BendingConfig.load(file, module=model))
    assert "DuringSteps" in repr(model.bending_config()) and "amount" in model.controllables
    assert torch.equal(model.generate("a cat", steps=5, seed=3), bent)
    with pytest.raises(RecipeError, match="not known"):
        tb.BendingConfig.load(file)  # without the model, a recipe knows the common callbacks only
    assert len(tb.BendingConfig.load(file, callbacks=[DuringSteps])) == 1


def test_a_whole_recipe_in_some_steps(model: BendedDiffusion, by_hand: ByHand) -> None:
    model.bend(tb.BendingConfig((tb.Scale(0.25), MIDDLE)), steps=(1, 3))
    assert torch.equal(model.generate("a cat", steps=5, seed=3), by_hand({1, 2}))


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ((0.6, 0.2), "begin below the end"),
        ((4, 4), "begin below the end"),
        ((0.2, 12), "shares from"),
        ((-1, 3), "wrong begin"),
        (("a", 3), "wrong begin"),
        ((0.2, float("nan")), "wrong end"),
        (0.3, "a begin and an end"),
        ((1, 2, 3), "a begin and an end"),
    ],
)
def test_wrong_ranges_are_refused(model: BendedDiffusion, steps: Any, told: str) -> None:
    with pytest.raises(CallbackError, match=told):
        model.bend(tb.Scale(2.0), MIDDLE, steps=steps)
    assert model.bended_keys() == []


@pytest.mark.parametrize("pattern", ["vae.decoder.conv_in.weight", "condition:.*fc1$", ".*conv_in.weight"])
def test_only_the_denoiser_has_steps(model: BendedDiffusion, pattern: str) -> None:
    with pytest.raises(CallbackError, match="only the denoiser runs in steps"):
        model.bend(tb.Scale(2.0), pattern, steps=(0.0, 0.5))
    assert model.bended_keys() == []
