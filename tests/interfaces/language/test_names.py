"""Readable names: the same words for the same places in each model; sites, heads, thirds of a weight."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import torchbend as tb
from torchbend.errors import SiteNotFoundError
from torchbend.interfaces.language import BendedLanguageModel, Loaded
from torchbend.interfaces.language.names import METHOD

IDS = torch.tensor([[72, 101, 108, 108, 111, 33]])
EVERYWHERE = [
    "embedding",
    "embedding.weight",
    "layer.2",
    *(f"layer.2.attention{end}" for end in ("", ".query", ".key", ".value", ".out", ".heads", ".head.3")),
    *(f"layer.2.attention.{part}.weight" for part in ("query", "key", "value", "out")),
    *(f"layer.2.mlp{end}" for end in ("", ".up", ".hidden", ".down", ".up.weight", ".down.weight")),
    "layer.2.norm1",
    "layer.2.norm2.weight",
    "norm.weight",
    "head",
    "head.weight",
]


def blocks(model: BendedLanguageModel) -> Any:
    """The layers, whatever they are called."""
    module: Any = model.module
    core = getattr(module, "transformer", None) or getattr(module, "model", None) or module.gpt_neox
    return getattr(core, "h", None) or core.layers


def halves(model: BendedLanguageModel, layer: int) -> tuple[Any, Any]:
    """Attention and MLP of a layer."""
    block = blocks(model)[layer]
    return next(getattr(block, n) for n in ("attn", "self_attn", "attention") if hasattr(block, n)), block.mlp


@pytest.mark.shows("BendedLanguageModel", "readable names", model="GPT-2, Llama, Mistral, Qwen2, GPT-NeoX")
def test_all_models_have_the_same_words(each: BendedLanguageModel) -> None:
    assert [name for name in EVERYWHERE if name not in each.names] == []
    assert each["layer.2.mlp"].labels == each.select("layer.2.mlp").labels
    table = str(each.sites())
    assert "layer.N.attention.head.H" in table and "(N: 0 to 2)" in table
    assert each.print_sites("layer.1.mlp.*", out=_Nowhere()).count("layer.1.mlp") >= 6
    told: Any = each.stats("layer.1.mlp", input_ids=IDS)[each.names["layer.1.mlp"].site]
    assert told.std > 0


class _Nowhere:
    def write(self, text: str, /) -> None:
        """Take it."""


def test_an_output_is_what_the_part_gives(each: BendedLanguageModel) -> None:
    attention, mlp = halves(each, 1)
    given: dict[str, torch.Tensor] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(module: Any, args: Any, out: Any) -> None:
            given[name] = (out[0] if isinstance(out, tuple) else out).detach()[0]

        return hook

    parts = {"attention": attention, "mlp": mlp}
    module: Any = each.module
    every = {f"layer.1.{name}": part for name, part in parts.items()}
    every |= {
        "layer.1": blocks(each)[1],
        "embedding": module.get_input_embeddings(),
        "head": module.lm_head if hasattr(module, "lm_head") else module.embed_out,
    }
    handles = [part.register_forward_hook(keep(name)) for name, part in every.items()]
    found = each.inside(IDS, *every)
    for handle in handles:
        handle.remove()
    for name in every:
        assert torch.equal(found[name], given[name]), name
    hidden = found["layer.1.mlp"] - found["layer.1.mlp"]  # a shape only
    assert hidden.shape == (6, 32) and each.inside(IDS, "layer.1.attention.heads").popitem()[1].shape == (
        6,
        4,
        8,
    )


@pytest.mark.shows("BendedLanguageModel", "single heads", model="GPT-2, Llama, Mistral, Qwen2, GPT-NeoX")
def test_a_head_that_is_silent_adds_nothing(each: BendedLanguageModel) -> None:
    attention, _ = halves(each, 1)
    out = next(getattr(attention, n) for n in ("c_proj", "o_proj", "dense") if hasattr(attention, n))
    rows = slice(2 * 8, 3 * 8)
    before = out.weight.detach().clone()
    with torch.no_grad():
        (out.weight[rows] if type(out).__name__ == "Conv1D" else out.weight[:, rows]).zero_()
        wanted = each.module(IDS).logits
        out.weight.copy_(before)
    silent = tb.Scale(0.0)
    for callback, name in ((silent, "head.2"), (tb.Cluster(silent, [2]), "heads")):
        with each.bend(callback, f"layer.1.attention.{name}"):
            assert torch.allclose(each(input_ids=IDS).logits, wanted, atol=1e-5)
    assert each.bended_keys() == []


@pytest.mark.shows("BendedLanguageModel", "bend weights", model="GPT-2")
def test_a_third_of_a_weight_is_a_part_of_it(gpt2: BendedLanguageModel) -> None:
    attention, _ = halves(gpt2, 1)
    weight, bias, before = (
        attention.c_attn.weight,
        attention.c_attn.bias,
        attention.c_attn.weight.detach().clone(),
    )
    with torch.no_grad():
        weight[:, 32:64] *= 1.7
        bias[64:] += 0.3
        wanted = gpt2.module(IDS).logits
        weight.copy_(before)
        bias[64:] -= 0.3
    plain = gpt2.module(IDS).logits
    gpt2.bend(tb.Scale(1.7), "layer.1.attention.key.weight")
    gpt2.bend(tb.Bias(0.3), "layer.1.attention.value.bias")
    assert torch.allclose(gpt2(input_ids=IDS).logits, wanted, atol=1e-5)
    assert gpt2.bended_keys() == ["transformer.h.1.attn.c_attn.weight", "transformer.h.1.attn.c_attn.bias"]
    gpt2.reset()
    assert torch.equal(gpt2(input_ids=IDS).logits, plain)


def test_thirds_are_the_same_queries_in_weight_and_activation(each: BendedLanguageModel) -> None:
    plain = each.logits(IDS)
    for third in ("query", "key", "value"):
        biased = f"layer.1.attention.{third}.bias" in each.names
        with each.bend(tb.Scale(1.5), f"layer.1.attention.{third}"):
            by_activation = each.logits(IDS)
        patterns = [f"layer.1.attention.{third}.weight", *[f"layer.1.attention.{third}.bias"] * biased]
        with each.bend(tb.Scale(1.5), *patterns):
            assert torch.allclose(each.logits(IDS), by_activation, atol=1e-4), third
        assert not torch.allclose(by_activation, plain, atol=1e-3)
    assert torch.equal(each.logits(IDS), plain)


@pytest.mark.shows("BendedLanguageModel", "bend activations", model="GPT-2, Llama")
def test_channels_lie_along_the_last_dimension(both: BendedLanguageModel) -> None:
    _, mlp = halves(both, 1)
    mask = tb.Mask(0.5, seed=2)
    both.bend(mask, "layer.1.mlp.hidden")
    drawn = both.inside(IDS, "layer.1.mlp.hidden")["layer.1.mlp.hidden"] == 0
    assert drawn.all(0).sum() == drawn.any(0).sum() and 0 < int(drawn.all(0).sum()) < drawn.shape[1]
    down = mlp.c_proj if hasattr(mlp, "c_proj") else mlp.down_proj
    before = down.weight.detach().clone()
    with torch.no_grad():
        (down.weight if hasattr(mlp, "c_proj") else down.weight.T)[drawn.all(0)] = 0
        wanted = both.module(IDS).logits
        down.weight.copy_(before)
    assert torch.allclose(both(input_ids=IDS).logits, wanted, atol=1e-5)
    both.reset()
    both.bend(tb.OrderedMask(0.5, seed=1), "layer.1.attention.heads")
    silent = both.inside(IDS, "layer.1.attention.heads")["layer.1.attention.heads"] == 0
    assert sorted(silent.all(0).all(-1).tolist()) == [False, False, True, True]


def test_patterns_mean_whole_names(both: BendedLanguageModel) -> None:
    layers = [f"{METHOD}:{both.names[f'layer.{n}.mlp'].site}" for n in range(3)]
    assert both.bend(tb.Scale(0.5), "layer.*.mlp").keys == layers
    assert both.bend(tb.Scale(0.5), "forward:layer.[02].mlp", "layer.1.mlp$").keys == [
        *layers[::2],
        layers[1],
    ]
    weights = both.resolve_parameters("layer.1.attention.*weight")
    own = both.resolve_parameters(r".*\.1\.(attn|self_attn)\..*weight")
    assert sorted(weights) == sorted(own) and len(weights) in (2, 4)
    # a weight and parts of it: the weight, once
    keys = both.bendable_keys("layer.1.attention.*")
    assert len(keys) == len(set(keys)) and not [key for key in keys if "head." in key]
    assert both.bendable_keys(".*") == both.bendable_keys()
    recipe = tb.BendingConfig((tb.Scale(2.0), "layer.0.attention.head.1", "head.weight"))
    assert len(both.bend(recipe).keys) == 2


def test_the_names_hold_in_every_step(each: BendedLanguageModel) -> None:
    module: Any = each.module
    with torch.no_grad():
        past = module(IDS, use_cache=True).past_key_values
    step = tb.BendedModule(module)
    step.trace(input_ids=IDS[:, :1], attention_mask=torch.ones(1, 7), past_key_values=past, use_cache=True)
    padded = tb.BendedModule(module)
    padded.trace(input_ids=IDS, attention_mask=torch.tensor([[0, 0, 1, 1, 1, 1]]), use_cache=True)
    own = each._captures[METHOD].activations
    for other in (step, padded):
        met = {a.address for a in other._captures[METHOD].activations.values()}
        for site in each.names.values():
            assert site.kind == "weight" or own[site.site].address in met, site.name


def test_names_that_are_none_are_told(both: BendedLanguageModel) -> None:
    with pytest.raises(SiteNotFoundError, match="no place of this model") as told:
        both.bend(tb.Scale(1.0), "layer.7.mlp")
    assert "layer.2.mlp" in str(told.value.wanted) or "layer.0.mlp" in str(told.value.wanted)
    with pytest.raises(SiteNotFoundError, match="matches no site"):
        both.bend(tb.Scale(1.0), "hidden_layers")
    with pytest.raises(SiteNotFoundError, match="a part of a site"):
        both.select("layer.0.attention.head.1")
    with pytest.raises(SiteNotFoundError, match="no readable name"):
        both.inside("abc", "conv1")
    with pytest.raises(SiteNotFoundError, match="no activation was asked for"):
        both.inside("abc", "head.weight")


@pytest.mark.shows("BendedLanguageModel", "attention maps", model="Llama")
def test_maps_of_attention_are_those_of_transformers(tiny: Callable[[str], Loaded]) -> None:
    from torchbend.errors import GenerationError
    from torchbend.interfaces.language import tiny_language_model

    model = BendedLanguageModel(tiny_language_model("llama", layers=2), attention="explicit")
    maps = model.attention(IDS)
    with torch.no_grad():
        theirs = model.module(IDS, output_attentions=True).attentions
    assert torch.allclose(maps, torch.cat(theirs), atol=1e-6) and maps.shape == (2, 4, 6, 6)
    # all attention on the first token: bent before it is used
    model.bend(
        tb.Lambda(
            lambda x: torch.nn.functional.one_hot(torch.zeros_like(x[..., 0]).long(), x.shape[-1]) * 1.0
        ),
        "layer.*.attention.map",
    )
    first = model.attention(IDS)
    assert torch.equal(first[..., 0], torch.ones_like(first[..., 0]))
    values = model.inside(IDS, "layer.0.attention.value")["layer.0.attention.value"].reshape(6, 2, 8)
    heads = model.inside(IDS, "layer.0.attention.heads")["layer.0.attention.heads"]
    assert torch.allclose(heads, values[:1].repeat_interleave(2, 1).expand(6, 4, 8), atol=1e-6)
    with pytest.raises(GenerationError, match="fused attention"):
        BendedLanguageModel(tiny("llama")).attention("abc")


def test_a_recipe_with_readable_names_is_saved_and_loaded(gpt2: BendedLanguageModel, tmp_path: Path) -> None:
    recipe = tb.BendingConfig(
        (tb.Scale(0.3), "layer.1.attention.head.0", "layer.2.mlp"),
        (tb.Scale(1.5), "layer.0.attention.key.weight"),
    )
    path = recipe.save(tmp_path / "recipe.json")
    gpt2.bend(recipe)
    bent, keys = gpt2.logits(IDS), gpt2.bended_keys()
    gpt2.reset()
    for strict in (True, False):
        loaded = tb.BendingConfig.load(path, gpt2, strict=strict)
        gpt2.bend(loaded)
        assert torch.equal(gpt2.logits(IDS), bent) and gpt2.bended_keys() == keys
        gpt2.reset()
    assert gpt2.bendable_keys("layer.1.attention.head.0") == [
        f"{METHOD}:{gpt2.names['layer.1.attention.heads'].site}"
    ]
    assert gpt2.resolve_activations("layer.2.mlp.*") and not gpt2.resolve_parameters("layer.2.mlp")


def test_readable_names_are_those_of_the_last_trace(gpt2: BendedLanguageModel) -> None:
    before = gpt2.inside(IDS, "layer.2")["layer.2"]
    gpt2.trace(IDS)  # without a mask: operations have other numbers
    own = gpt2._captures[METHOD].activations
    assert all(site.site in own for site in gpt2.names.values() if site.kind == "activation")
    assert torch.equal(gpt2.inside(IDS, "layer.2")["layer.2"], before)
