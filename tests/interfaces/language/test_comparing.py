"""Bent and unbent side by side: as a table, in a notebook, in files, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import torchbend as tb
from torchbend.cli.main import app
from torchbend.errors import ExportError, GenerationError
from torchbend.interfaces.language import BendedLanguageModel, Comparison

PROMPTS = ["Once upon", "the end"]


@pytest.mark.shows("BendedLanguageModel", "compare bent and unbent", model="GPT-2, Llama")
def test_unbent_is_what_it_was_and_bent_is_what_it_writes(both: BendedLanguageModel) -> None:
    plain = both.generate(PROMPTS, 8, seed=0)
    both.bend(tb.Scale(0.0), "layer.1.mlp")
    both.bend(tb.Scale(0.9), "layer.2.mlp.down.weight")
    found = both.compare(PROMPTS, 8)
    assert found.unbent == plain and found.bent == both.generate(PROMPTS, 8, seed=0) != plain
    assert found.prompts == PROMPTS and found.bends == both.bended_keys()
    assert both.compare("Once upon", 8, seed=3).bent == [both.generate("Once upon", 8, seed=3)]
    both.add_checkpoint("halved", {n: t * 0.5 for n, t in both.module.state_dict().items()})
    with both.set_version("halved"):
        assert both.compare(PROMPTS, 8).unbent == plain
    both.remove_version("halved")


def test_a_table_shows_long_texts_in_lines() -> None:
    texts = Comparison(
        ["a <b>", "c"], ["one two three four", "x\ny"], ["five | six", "\x1b[31m"], ["head"], 10
    )
    assert str(texts) == (
        "prompt    unbent      bent\n"
        "--------  ----------  ----------\n"
        "a <b>     one two     five | six\n"
        "          three four\n"
        "\n"
        "c         x           �[31m\n"
        "          y"
    )
    assert "a &lt;b&gt;" in texts._repr_html_()
    assert "| a <b> | one two three four | five \\| six |" in texts.markdown()


@pytest.mark.shows("BendedLanguageModel", "render to a file", model="GPT-2")
def test_texts_are_written_to_files(gpt2: BendedLanguageModel, tmp_path: Path) -> None:
    gpt2.bend(tb.Scale(0.0), "layer.1.mlp")
    wanted = gpt2.compare(PROMPTS, 6, seed=2, use_sampling=False)
    options = {"max_new_tokens": 6, "use_sampling": False}
    out = gpt2.render(tmp_path / "new" / "texts.json", PROMPTS, seed=2, **options)  # type: ignore[arg-type]
    found = json.loads(out.read_text(encoding="utf-8"))
    assert [row["bent"] for row in found["texts"]] == wanted.bent and found["bends"] == gpt2.bended_keys()
    text = gpt2.render(tmp_path / "texts.txt", PROMPTS, seed=2, **options)  # type: ignore[arg-type]
    assert text.read_text(encoding="utf-8") == f"{wanted}\n"
    page = gpt2.render(tmp_path / "texts.md", PROMPTS, seed=2, **options)  # type: ignore[arg-type]
    assert page.read_text(encoding="utf-8") == wanted.markdown()
    with pytest.raises(GenerationError, match="not written to such a file"):
        gpt2.render(tmp_path / "texts.wav", PROMPTS)
    with pytest.raises(GenerationError, match="a prompt is empty"):
        gpt2.render(tmp_path / "texts.txt", [])
    with pytest.raises(ExportError, match="token by token"):
        gpt2.export(tmp_path / "model.ts")


@pytest.mark.shows("BendedLanguageModel", "render from the command line", model="GPT-2")
def test_the_command_line_writes_texts(tmp_path: Path) -> None:

    out = tmp_path / "texts.json"
    words = ["render", "language:tiny", "Once upon", "the end", "--out", str(out), "--seed", "2"]
    words += ["--option", "max_new_tokens=5", "--bend", "Scale(0.0)@layer.1.mlp"]
    answer = CliRunner().invoke(app, words)
    assert answer.exit_code == 0, answer.output
    model = BendedLanguageModel.tiny(2)
    model.bend(tb.Scale(0.0), "layer.1.mlp")
    wanted = model.compare(PROMPTS, 5, seed=2)
    found = json.loads(out.read_text(encoding="utf-8"))
    assert [(r["unbent"], r["bent"]) for r in found["texts"]] == list(
        zip(wanted.unbent, wanted.bent, strict=True)
    )


def test_a_tiny_model_is_made_on_the_spot() -> None:
    assert BendedLanguageModel.has_tiny()
    small = BendedLanguageModel.tiny(3, model="llama")
    again = BendedLanguageModel.tiny(3, model="llama")
    assert torch.equal(small.logits("ab"), again.logits("ab")) and "Llama" in repr(small)
    assert {"generate", "stream", "compare", "perplexity", "add_checkpoint"} <= set(small.verbs)


def test_tiny_models_of_other_builds_have_names_on_the_command_line(tmp_path: Path) -> None:
    words = ["render", "language:tiny", "Once", "--out", str(tmp_path / "a.json"), "--bend"]
    llama = [*words, "Scale(0.0)@layer.0.mlp.gate", "--arg", "model=llama"]  # GPT-2 has no gates
    for line, status in ((llama, 0), (llama[:-2], 1), ([*llama[:-1], "model=bert"], 1)):
        result = CliRunner().invoke(app, line)
        assert (result.exit_code == 0) == (status == 0), result.output
