"""Writing: token for token what transformers writes, bent in every step, streamed, stopped, scheduled."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import torchbend as tb
from torchbend.errors import ControlError, GenerationError, NonFiniteError
from torchbend.interfaces.language import BendedLanguageModel
from torchbend.interfaces.language.sampling import TextParams, weighed

PROMPTS = ["abc", "a longer one, to be filled up"]


def theirs(model: BendedLanguageModel, prompts: list[str], count: int, **options: Any) -> list[str]:
    """What transformers' own loop writes."""
    tokenizer = model.tokenizer
    tokenizer.padding_side = "left"
    tokenizer.pad_token = tokenizer.eos_token
    given = tokenizer(prompts, return_tensors="pt", padding=True)
    original: Any = model.module
    out = original.generate(**given, max_new_tokens=count, **options)
    return tokenizer.batch_decode(  # type: ignore[no-any-return]
        out[:, given["input_ids"].shape[1] :], skip_special_tokens=True
    )


@pytest.mark.shows("BendedLanguageModel", "generate", model="GPT-2, Llama, Mistral, Qwen2, GPT-NeoX")
def test_the_likeliest_tokens_are_those_of_transformers(each: BendedLanguageModel) -> None:
    made = each.generate(PROMPTS, 12, use_sampling=False)
    assert made == theirs(each, PROMPTS, 12, do_sample=False)
    assert each.generate(PROMPTS[0], 12, use_sampling=False) == made[0]
    ids = torch.tensor([each.tokens(PROMPTS[0])])
    written = each.generate_tokens(ids, 12, use_sampling=False)
    assert each.text(written) == made[0] and each.text(each.tokens("über, 音")) == "über, 音"


def test_what_is_drawn_is_what_transformers_draws(both: BendedLanguageModel) -> None:
    options = {"temperature": 0.8, "top_k": 12, "top_p": 0.9, "repetition_penalty": 1.3}
    torch.manual_seed(3)
    mine = both.generate(PROMPTS[1], 12, **options)  # type: ignore[arg-type]
    torch.manual_seed(3)
    assert [mine] == theirs(both, PROMPTS[1:], 12, do_sample=True, **options)
    assert mine != both.generate(PROMPTS[1], 12, use_sampling=False)


def test_scores_are_weighed_as_transformers_weighs_them() -> None:
    from transformers.generation import logits_process as process

    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(3, 50, generator=generator) * 3
    ids = torch.randint(0, 50, (3, 9), generator=generator)
    there = torch.ones_like(ids)
    for given, processor in (
        ({"temperature": 0.7}, process.TemperatureLogitsWarper(0.7)),
        ({"top_k": 7}, process.TopKLogitsWarper(7)),
        ({"top_p": 0.6}, process.TopPLogitsWarper(0.6)),
        ({"top_p": 0.01}, process.TopPLogitsWarper(0.01)),
        ({"repetition_penalty": 1.7}, process.RepetitionPenaltyLogitsProcessor(1.7)),
    ):
        params = TextParams.of(**{"top_k": 0, **given})
        assert torch.equal(weighed(scores, ids, there, params), processor(ids, scores.clone())), given
    # a place that is only filled up is no repetition
    penalty = TextParams.of(top_k=0, repetition_penalty=2.0)
    assert torch.equal(weighed(scores, ids, torch.zeros_like(ids), penalty), scores)


def test_the_same_seed_gives_the_same_text(gpt2: BendedLanguageModel) -> None:
    first = gpt2.generate(PROMPTS, 8, seed=1)
    state = torch.get_rng_state()
    assert gpt2.generate(PROMPTS, 8, seed=1) == first and gpt2.generate(PROMPTS, 8, seed=2) != first
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.shows("BendedLanguageModel", "stream", model="GPT-2, Llama")
def test_pieces_put_together_are_the_text(both: BendedLanguageModel) -> None:
    whole = both.generate("Once", 16, seed=4)
    pieces = list(both.stream("Once", 16, seed=4))
    assert "".join(pieces) == whole and len(pieces) > 5
    letter = next(c for c in whole[3:] if c.isprintable() and c != "\N{REPLACEMENT CHARACTER}")
    stopped = both.generate("Once", 16, seed=4, stop=["never", letter])
    assert whole.startswith(stopped + letter) and letter not in stopped
    assert "".join(both.stream("Once", 16, seed=4, stop=[letter + "never", letter])) == stopped


def test_a_text_ends_where_the_model_ends_it(gpt2: BendedLanguageModel) -> None:
    end = len(gpt2.tokenizer) - 1
    ids = torch.tensor([gpt2.tokens("ab"), gpt2.tokens("cd")])
    bias = tb.Lambda(lambda x: x + 100.0 * torch.nn.functional.one_hot(torch.tensor(end), x.shape[-1]))
    with gpt2.bend(bias, "head"):
        assert gpt2.generate(["ab", "cd"], 5) == ["", ""]
        assert gpt2.generate_tokens(ids, 5).shape == (2, 0)


@pytest.mark.shows(
    "BendedLanguageModel",
    "bending with the key-value cache on",
    model="GPT-2, Llama, Mistral, Qwen2, GPT-NeoX",
)
def test_with_and_without_a_cache_bends_are_the_same(each: BendedLanguageModel) -> None:
    each.bend(tb.Scale(1.5), "layer.1.attention.value", "layer.2.mlp.down.weight")
    each.bend(tb.Mask(0.7, seed=1), "layer.1.mlp.hidden")
    each.bend(tb.Scale(0.0), "layer.0.attention.head.[12]")
    each.bend(tb.Bias(0.3), "layer.1", "layer.2.attention.key")
    ids = torch.tensor([each.tokens("what is remembered")])
    whole = each(input_ids=ids, use_cache=False).logits
    with torch.no_grad():
        read = each(input_ids=ids[:, :9], use_cache=True)
        steps, past = [read.logits], read.past_key_values
        for token in ids[0, 9:]:
            out = each(input_ids=token.reshape(1, 1), past_key_values=past, use_cache=True)
            steps, past = [*steps, out.logits], out.past_key_values
    assert torch.allclose(torch.cat(steps, 1), whole, atol=1e-5)
    greedy = {"use_sampling": False, "max_new_tokens": 6}
    assert each.generate(PROMPTS, **greedy) == each.generate(PROMPTS, cache=False, **greedy)  # type: ignore[arg-type]
    bent = each.generate(PROMPTS, **greedy)  # type: ignore[arg-type]
    each.reset()
    assert each.generate(PROMPTS, **greedy) != bent  # type: ignore[arg-type]


@pytest.mark.shows("BendedLanguageModel", "controls on a schedule", model="GPT-2")
def test_a_control_moves_over_the_tokens(gpt2: BendedLanguageModel) -> None:
    amount = tb.BendingParameter("amount", 0.0, range=[0.0, 50.0])
    gpt2.bend(tb.Bias(amount), "layer.1.mlp.up.bias")
    still = gpt2.generate("Once", 16, use_sampling=False)
    seen: list[float] = []

    def curve(token: float) -> float:
        seen.append(token)
        return 0.0 if token < 6 else 40.0

    moved = gpt2.generate("Once", 16, use_sampling=False, schedule={"amount": curve})
    first = gpt2.generate("Once", 6, use_sampling=False)
    assert moved.startswith(first.rstrip("\N{REPLACEMENT CHARACTER}")) and moved != still
    assert seen == list(range(16)) and amount.value == 0.0
    points = {"amount": [(5, 0.0), (6, 40.0)]}
    assert gpt2.generate("Once", 16, use_sampling=False, schedule=points) == moved
    with pytest.raises(ControlError, match="no control"):
        gpt2.generate("Once", 3, schedule={"nothing": points["amount"]})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"prompts": ""}, "a prompt is empty"),
        ({"prompts": []}, "a prompt is empty"),
        ({"prompts": ["a", ""]}, "a prompt is empty"),
        ({"prompts": 3}, "a prompt is a text"),
        ({"prompts": ["a", None]}, "a prompt is a text"),
        ({"prompts": "a" * 128}, "longer than what the model can read"),
        ({"prompts": "a" * 100, "max_new_tokens": 29}, "at most 28"),
        ({"prompts": "a", "max_new_tokens": 0}, "max_new_tokens cannot be 0"),
        ({"prompts": "a", "max_new_tokens": 2.5}, "max_new_tokens cannot be 2.5"),
        ({"prompts": "a", "temperature": 0}, "temperature cannot be 0"),
        ({"prompts": "a", "top_k": -1}, "top_k cannot be -1"),
        ({"prompts": "a", "top_p": 1.5}, "top_p cannot be 1.5"),
        ({"prompts": "a", "repetition_penalty": "much"}, "repetition_penalty cannot be 'much'"),
        ({"prompts": "a", "use_sampling": "no"}, "use_sampling cannot be 'no'"),
        ({"prompts": "a", "stop": 3}, "stop cannot be 3"),
        ({"prompts": "a", "stop": ["x", ""]}, "stop cannot be"),
    ],
)
def test_what_cannot_be_written_is_told(gpt2: BendedLanguageModel, given: Any, told: str) -> None:
    with pytest.raises(GenerationError, match=told):
        gpt2.generate(**given)


def test_other_wrong_inputs_are_told(gpt2: BendedLanguageModel) -> None:
    with pytest.raises(GenerationError, match="there is no parameter 'beams'"):
        gpt2.compare("a", 3, beams=2)
    with pytest.raises(GenerationError, match="goes on from one text"):
        gpt2.stream(["a", "b"])  # type: ignore[arg-type]
    for wrong in (torch.tensor([[1.0]]), [300], [], "", torch.zeros(2, 3, dtype=torch.long), None):
        with pytest.raises(GenerationError, match="no tokens of this model"):
            gpt2.logits(wrong)  # type: ignore[arg-type]
    with pytest.raises(GenerationError, match="longer than what the model can read"):
        gpt2.logits("a" * 129)
    with pytest.raises(GenerationError, match="surprise"):
        gpt2.perplexity("a")
    with pytest.raises(GenerationError, match="a text"):
        gpt2.tokens(3)  # type: ignore[arg-type]


def test_bends_that_draw_repeat_with_the_seed(gpt2: BendedLanguageModel) -> None:
    noise = tb.Lambda(lambda x: x + 3 * torch.randn_like(x))
    gpt2.bend(noise, "layer.1.mlp")
    before = torch.get_rng_state()
    made = gpt2.generate("abc", 12, seed=1)
    assert made == gpt2.generate("abc", 12, seed=1) == "".join(gpt2.stream("abc", 12, seed=1))
    assert made != gpt2.generate("abc", 12, seed=2)
    assert torch.equal(torch.get_rng_state(), before)


def test_scores_that_are_no_numbers_choose_no_token(gpt2: BendedLanguageModel) -> None:
    gpt2.bend(tb.Scale(float("nan")), "layer.1.mlp")
    for sampling in (True, False):
        with pytest.raises(NonFiniteError, match="no token can be chosen"):
            gpt2.generate("abc", 3, use_sampling=sampling)


def test_no_rows_of_tokens_are_told(gpt2: BendedLanguageModel) -> None:
    with pytest.raises(GenerationError, match="these are no tokens"):
        gpt2.generate_tokens(torch.zeros(0, 3, dtype=torch.long))
