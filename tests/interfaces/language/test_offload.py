"""Models too large for one device: bent where their weights are kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import torchbend as tb
from torchbend.capture.elsewhere import brought_in_quietly, hooked, kept_elsewhere
from torchbend.interfaces.language import BendedLanguageModel, Loaded, tiny_language_model

from .conftest import saved

accelerate = pytest.importorskip("accelerate")

IDS = torch.tensor([[72, 101, 108, 108, 111, 33]])
MAPS = {
    "gpt2": {
        "transformer.wte": "cpu",
        "transformer.wpe": "cpu",
        "transformer.h.0": "cpu",
        "transformer.h.1": "disk",
        "transformer.h.2": "disk",
        "transformer.ln_f": "disk",
        "lm_head": "cpu",
    },
    "llama": {
        "model.embed_tokens": "disk",
        "model.layers.0": "cpu",
        "model.layers.1": "disk",
        "model.layers.2": "disk",
        "model.norm": "cpu",
        "model.rotary_emb": "cpu",
        "lm_head": "disk",
    },
}


def bend_all(model: BendedLanguageModel) -> None:
    """Weights that are kept elsewhere and at hand, and activations inside of both."""
    model.bend(tb.Scale(1.5), "layer.1.mlp.down.weight", "layer.0.mlp.up.weight")
    model.bend(tb.Mask(0.5, seed=1), "layer.2.attention.out.weight", "norm.weight")
    model.bend(tb.Scale(1.2), "embedding.weight")
    model.bend(tb.Scale(0.0), "layer.1.attention.head.2")
    model.bend(tb.Mask(0.5, seed=3), "layer.2.mlp.hidden", "layer.0.mlp.up")


def by_hand(model: Any, names: BendedLanguageModel) -> Any:
    """The same weights, written into a model that is whole."""
    state = dict(model.named_parameters(remove_duplicate=False))
    mask = tb.Mask(0.5, seed=1)
    with torch.no_grad():
        for name in ("layer.1.mlp.down.weight", "layer.0.mlp.up.weight"):
            state[names.names[name].site].mul_(1.5)
        for name in ("layer.2.attention.out.weight", "norm.weight"):
            weight = state[names.names[name].site]
            probe = tb.BendedModule(model)
            probe.bend(mask, names.names[name].pattern)
            weight.copy_(probe.bended_weights()[names.names[name].site])
        state[names.names["embedding.weight"].site].mul_(1.2)
    return model


@pytest.mark.shows("BendedLanguageModel", "a model too large for one device", model="GPT-2, Llama")
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.parametrize("how", ["disk", "memory"])
def test_what_is_kept_elsewhere_is_bent_there(
    kind: str, how: str, tiny: Callable[[str], Loaded], tmp_path: Path
) -> None:
    whole = BendedLanguageModel(tiny(kind))
    if how == "disk":
        folder = saved(tiny(kind), tmp_path / "model")
        spread = BendedLanguageModel(folder, device_map=MAPS[kind], offload_folder=tmp_path / "rest")
    else:
        own = tiny_language_model(kind, layers=3)
        accelerate.cpu_offload(own.model, execution_device="cpu")
        spread = BendedLanguageModel(own)
    away = sum(weight.is_meta for weight in spread.module.parameters())
    assert away > 15 and set(spread.names) == set(whole.names)
    assert not spread._captures["forward"].constants  # weights that are brought in are known by their names
    plain = spread.logits(IDS)
    assert torch.equal(plain, whole.logits(IDS))
    for model in (spread, whole):
        bend_all(model)
    assert torch.equal(spread.logits(IDS), whole.logits(IDS)) and not torch.equal(spread.logits(IDS), plain)
    greedy = {"use_sampling": False, "max_new_tokens": 6}
    assert spread.generate("abc", **greedy) == whole.generate("abc", **greedy)  # type: ignore[arg-type]
    looked = ("layer.1.attention.heads", "layer.2.mlp.up")
    assert all(map(torch.equal, spread.inside(IDS, *looked).values(), whole.inside(IDS, *looked).values()))
    assert sum(weight.is_meta for weight in spread.module.parameters()) == away
    spread.reset()
    assert torch.equal(spread.logits(IDS), plain)
    whole.reset()


def test_a_bent_shard_is_the_model_edited_by_hand(tmp_path: Path, tiny: Callable[[str], Loaded]) -> None:
    folder = saved(tiny("llama"), tmp_path / "model")
    spread = BendedLanguageModel(folder, device_map=MAPS["llama"], offload_folder=tmp_path / "rest")
    edited = by_hand(tiny_language_model("llama", layers=3).model, spread)
    with torch.no_grad():
        wanted = edited(IDS).logits[0]
    spread.bend(tb.Scale(1.5), "layer.1.mlp.down.weight", "layer.0.mlp.up.weight")
    spread.bend(tb.Mask(0.5, seed=1), "layer.2.attention.out.weight", "norm.weight")
    spread.bend(tb.Scale(1.2), "embedding.weight")
    assert torch.equal(spread.logits(IDS), wanted)


def test_a_control_and_a_version_reach_it(tmp_path: Path, tiny: Callable[[str], Loaded]) -> None:
    own = tiny_language_model("llama", layers=3)
    accelerate.cpu_offload(own.model, execution_device="cpu")
    spread, whole = BendedLanguageModel(own), BendedLanguageModel(tiny("llama"))
    other = tiny_language_model("llama", seed=1, layers=3)
    for model in (spread, whole):
        model.add_checkpoint("other", other)
        amount = tb.BendingParameter("amount", 1.0, range=[0.0, 9.0])
        model.bend(tb.Scale(amount), "layer.1.mlp.down.weight")
        amount.set_value(2.0)
        model.interpolate(0.5, other=0.5)
    assert torch.equal(spread.logits(IDS), whole.logits(IDS))
    calls: list[int] = []

    def doubled(x: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return x * 2

    spread.reset()
    spread.bend(tb.Lambda(doubled), "layer.1.mlp.down.weight")
    for _ in range(3):
        spread.logits(IDS)
    assert len(calls) == 1  # computed once, though it is brought in for each call
    whole.reset()
    whole.remove_version("other")


def test_an_exception_leaves_the_weights_where_they_were() -> None:
    own = tiny_language_model("gpt2", layers=3)
    accelerate.cpu_offload(own.model, execution_device="cpu")
    model = BendedLanguageModel(own)
    plain = model.logits(IDS)
    away = sum(weight.is_meta for weight in model.module.parameters())

    def fail(x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("no")

    with model.bend(tb.Lambda(fail), "layer.1.mlp.up"), pytest.raises(tb.errors.CallbackError):
        model.logits(IDS)
    assert sum(weight.is_meta for weight in model.module.parameters()) == away
    assert torch.equal(model.logits(IDS), plain)
    assert len(kept_elsewhere(model.module)) == away
    places = model._places()
    assert places["lm_head.weight"] is places["transformer.wte.weight"]  # GPT-2's head, under its two names
    assert model.resolve_parameters("head.weight") == ["lm_head.weight"]
    with model.bend(tb.Scale(0.0), "embedding.weight"):
        assert torch.equal(model.logits(IDS), torch.zeros_like(plain))  # both names, one weight


def test_inputs_that_a_hook_moves_are_seen_to_move() -> None:
    class Hook:
        offload, no_grad = False, False

        def pre_forward(self, module: nn.Module, *args: Any) -> Any:
            return tuple(x.clone() for x in args), {}

        def post_forward(self, module: nn.Module, out: Any) -> Any:
            return out.clone()

    part = nn.Linear(2, 2)
    hook = Hook()
    part._hf_hook = hook  # type: ignore[assignment]
    x = torch.ones(1, 2)
    with brought_in_quietly(hooked([part])):
        (given,), _ = hook.pre_forward(part, x)
        assert given is x and hook.post_forward(part, x) is x
    assert not vars(hook)
