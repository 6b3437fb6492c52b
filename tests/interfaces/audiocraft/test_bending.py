"""Bends of all parts: weights, activations of words, steps and codec, controls that move, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import torchbend as tb
from torchbend.errors import ControlError, ExportError, SiteNotFoundError
from torchbend.interfaces import BendingInterface
from torchbend.interfaces.audiocraft import BendedMusicGen, Curve
from torchbend.interfaces.audiocraft.past import Past

PROMPT = ["abc"]
LAYER = "lm.transformer.layers.1"


def codes_of(music: BendedMusicGen, **options: Any) -> Tensor:
    return music.generate(PROMPT, return_tokens=True, seed=1, **options)[1]  # type: ignore[no-any-return]


def test_names_are_those_of_the_two_halves(music: BendedMusicGen) -> None:
    halves = {name.split(".")[0] for name in music.weight_names}
    assert halves == {"lm", "compression_model", "text_encoder"}
    assert f"{LAYER}.self_attn.in_proj_weight" in music.weight_names
    assert "compression_model.decoder.model.1.lstm.weight_ih_l0" in music.weight_names
    assert music.bent_methods == ["condition", "step", "encode", "decode"]
    names = music.activation_names("step")
    assert {"lm_transformer_layers_1_linear1", "gelu_1", "lm_out_norm", "lm_linears_3"} <= set(names)
    assert "compression_model_decoder_model_4_block_1_conv" in music.activation_names("decode")
    assert isinstance(music, BendingInterface) and "generate_continuation" in music.verbs


@pytest.mark.shows("BendedMusicGen", "bend weights", model="MusicGen")
def test_a_bent_weight_is_the_weight_bent_by_hand(music: BendedMusicGen) -> None:
    plain = codes_of(music)
    music.bend(tb.Scale(0.5), f"{LAYER}.linear2.weight$")
    bent = codes_of(music)
    music.reset()
    weight = music.module.lm.layers[1].linear2.weight
    kept = weight.clone()
    with torch.no_grad():
        weight.mul_(0.5)
    by_hand = codes_of(music)
    with torch.no_grad():
        weight.copy_(kept)
    assert torch.equal(bent, by_hand) and not torch.equal(bent, plain)
    assert torch.equal(codes_of(music), plain)


@pytest.mark.shows("BendedMusicGen", "bend activations", model="MusicGen")
@pytest.mark.parametrize(
    ("activation", "weight"),
    [
        ("step:gelu_1$", "linear2.weight"),
        ("step:lm_transformer_layers_1_cross_attention_out_proj$", "cross_attention.out_proj.weight"),
        ("step:scaled_dot_product_attention_2$", "self_attn.out_proj.weight"),
    ],
)
def test_an_activation_is_bent_in_every_step(music: BendedMusicGen, activation: str, weight: str) -> None:
    """What a linear layer takes or gives, times zero, is its weight times zero; in a second window too."""
    music.longest = 1.0
    music.set_generation_params(duration=1.6, extend_stride=0.6)
    plain = codes_of(music)
    music.bend(tb.Scale(0.0), activation)
    by_activation = codes_of(music)
    music.reset()
    music.bend(tb.Scale(0.0), f"{LAYER}.{weight}$")
    assert torch.equal(codes_of(music), by_activation)
    assert not torch.equal(by_activation, plain)
    music.reset()
    assert torch.equal(codes_of(music), plain)


def test_words_are_bent(music: BendedMusicGen) -> None:
    unguided = music.generate_unconditional(1, return_tokens=True, seed=1)[1]
    projection = "condition:lm_condition_provider_conditioners_description_output_proj$"
    music.bend(tb.Scale(0.0), projection)
    assert torch.equal(codes_of(music), unguided)  # words that say nothing


@pytest.mark.shows("BendedMusicGen", "reset is bit-identical", model="MusicGen")
@pytest.mark.shows("BendedMusicGen", "bend activations of the codec", model="MusicGen")
def test_the_codec_is_bent_in_the_whole_and_in_the_stream(music: BendedMusicGen) -> None:
    plain = music.generate(PROMPT, seed=1)
    music.bend(tb.Scale(0.3), "decode:compression_model_decoder_model_4_block_1_conv$")
    music.bend(tb.Bias(0.1), r"compression_model.decoder.model.15.*bias")
    bent = music.generate(PROMPT, seed=1)
    assert not torch.allclose(bent, plain, atol=1e-3)
    assert torch.allclose(torch.cat(list(music.stream(PROMPT, 0.4, seed=1)), -1), bent, atol=1e-4)
    music.reset()
    assert torch.equal(music.generate(PROMPT, seed=1), plain)


@pytest.mark.shows("BendedMusicGen", "masked parts of the codec stay finite", model="MusicGen")
@pytest.mark.parametrize("layer", [1, 4, 13])
def test_masks_of_the_codec_give_sound(music: BendedMusicGen, layer: int) -> None:
    """The documents' bend takes whole directions away in a codec as small as this one."""
    patterns = (rf"compression_model.*{layer}.*weight.*", rf"compression_model.*{layer}.*bias.*")
    plain = music.generate(PROMPT, seed=1)
    music.bend(tb.Mask(0.4, seed=0), *patterns)
    bent = music.generate(PROMPT, seed=1)
    assert bool(bent.isfinite().all()) and not torch.equal(bent, plain)
    music.reset()
    music.bend(tb.Scale(0.0), r"compression_model.decoder.model.15.*original1")
    silent = music.generate(PROMPT, seed=1)
    assert torch.equal(silent, music.module.compression_model.decoder.model[15].conv.bias.expand_as(silent))
    music.reset()
    assert torch.equal(music.generate(PROMPT, seed=1), plain)


@pytest.mark.shows("BendedMusicGen", "bend attention weights", model="MusicGen")
def test_weights_of_the_attention_are_activations_where_they_are_wanted(folder: Path) -> None:
    music = BendedMusicGen(folder, attention="explicit")
    music.set_generation_params(duration=1.0)
    plain = codes_of(music)
    found = music.get_activations("softmax$", fn="step", _args=music.example_inputs()["step"])["softmax"]
    assert found.shape == (1, 2, 1, 1) and torch.equal(found, torch.ones(1, 2, 1, 1))
    music.bend(tb.Lambda(lambda x: torch.ones_like(x) / x.shape[-1]), "step:softmax_2$")
    assert not torch.equal(codes_of(music), plain)


def test_activations_of_a_step_can_be_read(music: BendedMusicGen) -> None:
    codes, past = music.example_inputs()["step"]
    found = music.get_activations("lm_out_norm$", fn="step", _args=(codes, past))["lm_out_norm"]
    heads = torch.stack([head(found) for head in music.module.lm.linears], 1)
    assert torch.equal(heads, music.module.step(codes, Past(past.words, 1)))


# -- controls over time ---------------------------------------------------------------------------------


def test_a_control_that_is_turned_meanwhile_counts_from_the_next_step_on(music: BendedMusicGen) -> None:
    amount = tb.BendingParameter("amount", 1.0)
    music.bend(tb.Scale(amount), f"{LAYER}.linear1.weight$")
    plain = codes_of(music)
    music.set_custom_progress_callback(lambda done, total: amount.set_value(1.0 if done < 12 else -2.0))
    turned = codes_of(music)
    assert torch.equal(turned[..., :9], plain[..., :9]) and not torch.equal(turned, plain)


@pytest.mark.shows("BendedMusicGen", "schedule", model="MusicGen")
@pytest.mark.parametrize(
    "curve",
    [
        [(1.2, 1.0), (1.2, -2.0)],
        Curve([(1.2, 1.0), (1.2, -2.0)]),
        lambda seconds: 1.0 if seconds < 1.2 else -2.0,
    ],
    ids=["points", "curve", "function"],
)
def test_a_schedule_moves_a_control_over_the_seconds(music: BendedMusicGen, curve: Any) -> None:
    amount = tb.BendingParameter("amount", 0.5, range=[-2.0, 2.0])
    music.bend(tb.Scale(amount), f"step:{LAYER.replace('.', '_')}_linear1$")
    amount.set_value(1.0)
    plain = codes_of(music)
    amount.set_value(0.5)
    moved = codes_of(music, schedule={"amount": curve})
    assert torch.equal(moved[..., :9], plain[..., :9]) and not torch.equal(moved, plain)
    assert amount.value == 0.5
    assert torch.equal(codes_of(music, schedule={amount: curve}), moved)


@pytest.mark.shows("BendedMusicGen", "schedule of the codec", model="MusicGen")
def test_a_schedule_moves_the_codec_too(music: BendedMusicGen) -> None:
    gain = tb.BendingParameter("gain", 1.0)
    music.bend(tb.Scale(gain), "decode:compression_model_decoder_model_15_conv$")
    plain = music.generate(PROMPT, seed=1)
    off = {"gain": [(1.0, 1.0), (1.0, 0.0)]}
    faded = music.generate(PROMPT, seed=1, schedule=off)
    streamed = torch.cat(list(music.stream(PROMPT, 0.2, seed=1, schedule=off)), -1)
    assert torch.equal(streamed, faded) and faded.shape == plain.shape
    begin = int((faded[0, 0] == 0).nonzero()[0, 0])
    assert 320 <= begin <= 384
    assert torch.allclose(faded[..., :begin], plain[..., :begin], atol=1e-4)
    assert not faded[..., begin:].any() and plain[..., begin:].any()
    assert gain.value == 1.0


def test_a_stream_that_is_left_leaves_controls_as_they_were(music: BendedMusicGen) -> None:
    gain = tb.BendingParameter("gain", 1.0)
    music.bend(tb.Scale(gain), "lm.emb.0.weight")
    stream = music.stream(PROMPT, 0.2, seed=1, schedule={"gain": [(0.0, 0.5)]})
    next(stream)
    assert gain.value == 0.5
    stream.close()  # type: ignore[attr-defined]
    assert gain.value == 1.0


def test_curves() -> None:
    steps = Curve([(0, 1), (1, 3), (1, 5), (2, 0)])
    assert [steps(t) for t in (-1, 0, 0.5, 1, 1.5, 2, 7)] == [1, 1, 2, 5, 2.5, 0, 0]


@pytest.mark.parametrize(
    ("schedule", "match"),
    [
        (lambda c: {"other": [(0, 1)]}, "no control"),
        (lambda c: {tb.BendingParameter("gain", 1.0): [(0, 1)]}, "no control"),
        (lambda c: {"gain": []}, "curve"),
        (lambda c: {"gain": [(1, 1), (0, 1)]}, "curve"),
        (lambda c: {"gain": 3.0}, "curve"),
        (lambda c: {"gain": [(0, float("nan"))]}, "curve"),
        (lambda c: {"gain": [(0.5, 9.0)]}, "range"),
    ],
)
def test_a_wrong_schedule_is_told(
    music: BendedMusicGen, schedule: Callable[[Any], Mapping[Any, Any]], match: str
) -> None:
    gain = tb.BendingParameter("gain", 1.0, range=[0.0, 2.0])
    music.bend(tb.Scale(gain), "lm.emb.0.weight")
    with pytest.raises(ControlError, match=match):
        music.generate(PROMPT, schedule=schedule(gain))
    assert gain.value == 1.0


# -- patterns of the documents --------------------------------------------------------------------------


def test_short_patterns_mean_a_layer(music: BendedMusicGen) -> None:
    expected = [n for n in music.weight_names if n.startswith(f"{LAYER}.") and n.endswith("weight")]
    assert len(expected) == 9
    assert music.resolve_parameters("lm.transformer.1.weight") == expected
    assert music.bendable_keys(r"lm\.transformer\.1\.weight$") == expected
    assert music.select("lm.transformer.1.weight").labels == expected
    music.bend(tb.Scale(2.0), "lm.transformer.1.bias")
    assert music.bended_keys() == [f"{LAYER}.{norm}.bias" for norm in ("norm1", "norm2", "norm_cross")]
    music.reset()
    music.bend(tb.BendingConfig((tb.Scale(2.0), "lm.transformer.1.bias")))
    assert len(music.bended_keys()) == 3
    with pytest.raises(SiteNotFoundError):
        music.bend(tb.Scale(2.0), "lm.transformer.7.weight")
    with pytest.raises(SiteNotFoundError):
        music.bend(tb.Scale(2.0), "lm.transformer.1.heads")


@pytest.mark.shows("BendedMusicGen", "recipes", model="MusicGen")
def test_a_recipe_is_kept_and_used_again(music: BendedMusicGen, tmp_path: Path) -> None:
    music.bend(tb.Mask(0.4, seed=1), "lm.transformer.1.weight")
    bent = codes_of(music)
    music.bending_config().save(tmp_path / "recipe.json")
    music.reset()
    music.bend(tb.BendingConfig.load(tmp_path / "recipe.json"))
    assert torch.equal(codes_of(music), bent)


def test_it_cannot_be_exported_and_says_why(music: BendedMusicGen, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="step by step"):
        music.export(tmp_path / "music.ts")
    assert not list(tmp_path.iterdir())
