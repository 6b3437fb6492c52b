"""Where models come from: folders, hub names, memory; other checkpoints; what is refused."""

from __future__ import annotations

import json
import math
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from torchbend.errors import CheckpointError, GenerationError, VersionError
from torchbend.interfaces.language import BendedLanguageModel, Loaded, tiny_language_model

from ..audiocraft.hub import in_cache
from .conftest import saved

huggingface_hub = pytest.importorskip("huggingface_hub")

IDS = torch.tensor([[72, 101, 108, 108, 111, 33]])


@pytest.fixture(autouse=True)
def _without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


@pytest.mark.shows("BendedLanguageModel", "load from a folder", model="Llama")
def test_a_folder_is_read(folder: Path, tiny: Callable[[str], Loaded]) -> None:
    model = BendedLanguageModel(folder)
    assert torch.equal(model.module(IDS).logits, tiny("llama").model(IDS).logits)
    assert model.context == 128 and model.text(model.tokens("ab")) == "ab"
    assert repr(model) == f"BendedLanguageModel({folder}: LlamaForCausalLM, 3 layers, 44,320 weights)"
    half = BendedLanguageModel(folder, dtype="bf16")
    assert {weight.dtype for weight in half.module.parameters()} == {torch.bfloat16}
    assert len(half.generate("abc", 4)) > 0 and half.logits("abc").dtype == torch.float32
    assert "state_dict" not in vars(model) and not next(model.module.parameters()).requires_grad


@pytest.mark.shows("BendedLanguageModel", "load by hub name", model="Llama")
def test_a_hub_name_is_taken_from_the_cache(folder: Path, tmp_path: Path) -> None:
    in_cache(folder, "someone/small-llama", tmp_path)
    model = BendedLanguageModel("someone/small-llama", tmp_path)
    assert torch.equal(model.logits("abc"), BendedLanguageModel(folder).logits("abc"))
    with pytest.raises(CheckpointError, match="cannot be fetched"):
        BendedLanguageModel("someone/else", tmp_path)


def test_weights_in_an_old_file_are_read_without_running_it(folder: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(folder, old)
    (old / "model.safetensors").unlink()
    plain = BendedLanguageModel(folder)
    torch.save(plain.module.state_dict(), old / "pytorch_model.bin")
    assert torch.equal(BendedLanguageModel(old).logits("abc"), plain.logits("abc"))

    class Harm:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "harm",)

    with open(old / "pytorch_model.bin", "wb") as file:
        pickle.dump({"model.norm.weight": Harm()}, file)
    with pytest.raises(CheckpointError, match="cannot be read"):
        BendedLanguageModel(old)
    assert not (tmp_path / "harm").exists()
    (old / "model.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(CheckpointError, match="cannot be read"):
        BendedLanguageModel(old)


@pytest.mark.shows("BendedLanguageModel", "a model in memory", model="GPT-2")
def test_a_model_in_memory_is_taken_as_it_is(tiny: Callable[[str], Loaded]) -> None:
    loaded = tiny("gpt2")
    model = BendedLanguageModel(loaded.model, tokenizer=loaded.tokenizer)
    assert model.module is loaded.model and "in memory" in repr(model)
    bare = BendedLanguageModel(loaded.model)
    ids = bare.generate_tokens(IDS, 4, use_sampling=False)
    assert torch.equal(ids, model.generate_tokens(IDS, 4, use_sampling=False)) and ids.shape == (1, 4)
    assert torch.equal(bare.logits(IDS), model.logits(IDS))
    with pytest.raises(GenerationError, match="no tokenizer"):
        bare.generate("abc")

    class Letters:
        """A tokenizer that is none of transformers'."""

        def encode(self, text: str) -> list[int]:
            return [ord(letter) % 256 for letter in text]

        def decode(self, ids: list[int]) -> str:
            return "".join(map(chr, ids))

    own = BendedLanguageModel(loaded.model, tokenizer=Letters())
    assert own.tokens("Hello!") == IDS[0].tolist() and len(own.generate("Hello!", 5, seed=0)) == 5


def test_other_models_are_refused(folder: Path, tmp_path: Path) -> None:
    import transformers

    small: dict[str, Any] = {
        "hidden_size": 8,
        "intermediate_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
    }
    bert = transformers.BertModel(transformers.BertConfig(vocab_size=20, **small))
    bert.save_pretrained(tmp_path / "bert")
    t5 = transformers.T5ForConditionalGeneration(
        transformers.T5Config(vocab_size=20, d_model=8, d_ff=8, num_layers=1, num_heads=1, d_kv=8)
    )
    t5.save_pretrained(tmp_path / "t5")
    for name in ("bert", "t5"):
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(folder / file, tmp_path / name / file)
        with pytest.raises(CheckpointError, match="left to right"):
            BendedLanguageModel(tmp_path / name)
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="no model of transformers"):
        BendedLanguageModel(tmp_path / "empty")
    for where in (tmp_path / "nowhere", folder / "config.json"):
        with pytest.raises(CheckpointError, match="no such folder"):
            BendedLanguageModel(where)


def test_damaged_folders_are_told(folder: Path, tmp_path: Path) -> None:
    def broken(name: str) -> Path:
        return Path(shutil.copytree(folder, tmp_path / name))

    config = json.loads((folder / "config.json").read_text())
    unknown = broken("unknown")
    (unknown / "config.json").write_text(json.dumps({**config, "model_type": "newest"}))
    with pytest.raises(CheckpointError, match="configuration cannot be read"):
        BendedLanguageModel(unknown)
    program = broken("program")
    (program / "config.json").write_text(
        json.dumps(
            {"model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.M"}}
        )
    )
    (program / "own.py").write_text("raise SystemExit")
    with pytest.raises(CheckpointError, match="configuration cannot be read"):
        BendedLanguageModel(program)
    deeper = broken("deeper")
    (deeper / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 4}))
    with pytest.raises(CheckpointError, match="weights are missing"):
        BendedLanguageModel(deeper)
    wider = broken("wider")
    (wider / "config.json").write_text(json.dumps({**config, "intermediate_size": 96}))
    with pytest.raises(CheckpointError, match="cannot be read"):
        BendedLanguageModel(wider)
    mute = broken("mute")
    (mute / "tokenizer.json").unlink()
    with pytest.raises(CheckpointError, match="tokenizer"):
        BendedLanguageModel(mute)
    wrong: dict[str, Any]
    for wrong in ({"dtype": "int8"}, {"dtype": torch.int64}, {"attention": "fast"}):
        with pytest.raises(CheckpointError):
            BendedLanguageModel(folder, **wrong)
    with pytest.raises(CheckpointError, match="no tiny model"):
        tiny_language_model("bert")


@pytest.mark.shows("BendedLanguageModel", "interpolation between two checkpoints", model="GPT-2, Llama")
def test_two_checkpoints_are_interpolated(both: BendedLanguageModel, tmp_path: Path) -> None:
    kind = "gpt2" if "GPT2" in type(both.module).__name__ else "llama"
    other = tiny_language_model(kind, seed=1, layers=3)
    plain = both.logits(IDS)
    both.add_checkpoint("other", saved(other, tmp_path / "other"))
    with both.set_version("other"):
        assert torch.equal(both.logits(IDS), BendedLanguageModel(other).logits(IDS))
    with both.interpolate(0.25, other=0.75):
        middle = both.logits(IDS)
    mixed = tiny_language_model(kind, seed=2, layers=3)
    state, own, theirs = mixed.model.state_dict(), both.module.state_dict(), other.model.state_dict()
    mixed.model.load_state_dict({name: 0.25 * own[name] + 0.75 * theirs[name] for name in state})
    assert torch.allclose(middle, BendedLanguageModel(mixed).logits(IDS), atol=1e-5)
    assert torch.equal(both.logits(IDS), plain)
    both.add_checkpoint("in memory", other.model)
    assert len(both._versions["in memory"]) == len(both._versions["other"])
    with pytest.raises(VersionError, match="exists"):
        both.add_checkpoint("other", other)
    with pytest.raises(VersionError):
        both.add_checkpoint("deeper", tiny_language_model(kind, layers=4))
    for name in ("other", "in memory"):
        both.remove_version(name)


def test_surprise_is_that_of_the_definition(both: BendedLanguageModel) -> None:
    text = "what comes next is known by nobody"
    ids = both.tokens(text)
    likely = torch.log_softmax(both.logits(text), -1)
    wanted = math.exp(-sum(float(likely[n, token]) for n, token in enumerate(ids[1:])) / (len(ids) - 1))
    assert both.perplexity(text) == pytest.approx(wanted, rel=1e-5)
    # longer than the model can read: pieces of 128 that overlap by half
    long = (ids * 8)[:260]
    scores = [torch.log_softmax(both.logits(long[b : b + 128]), -1) for b in (0, 64, 128, 132)]
    places = [(0, 0, n) for n in range(1, 128)]
    places += [(1, 64, n) for n in range(128, 192)] + [(2, 128, n) for n in range(192, 256)]
    places += [(3, 132, n) for n in range(256, 260)]
    total = -sum(float(scores[k][n - begin - 1, long[n]]) for k, begin, n in places)
    assert both.perplexity(long) == pytest.approx(math.exp(total / 259), rel=1e-5)


LLAMA_2_7B = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "vocab_size": 32000,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": False,
}
LLAMA_3_8B = {
    **LLAMA_2_7B,
    "intermediate_size": 14336,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 8192,
    "rope_theta": 500000.0,
}
MISTRAL_7B = {
    **LLAMA_2_7B,
    "model_type": "mistral",
    "intermediate_size": 14336,
    "num_key_value_heads": 8,
    "max_position_embeddings": 32768,
    "sliding_window": 4096,
}
GPT2 = {
    "model_type": "gpt2",
    "vocab_size": 50257,
    "n_positions": 1024,
    "n_embd": 768,
    "n_layer": 12,
    "n_head": 12,
}


@pytest.mark.shows("BendedLanguageModel", "full-size names and shapes", model="GPT-2, Llama, Mistral")
@pytest.mark.parametrize(
    ("config", "count", "layers", "shapes"),
    [
        (
            GPT2,
            124_439_808,
            12,
            {
                "layer.11.attention.qkv.weight": (768, 2304),
                "layer.0.mlp.up.weight": (768, 3072),
                "embedding.weight": (50257, 768),
                "positions.weight": (1024, 768),
            },
        ),
        (
            LLAMA_2_7B,
            6_738_415_616,
            32,
            {
                "layer.31.attention.key.weight": (4096, 4096),
                "layer.0.mlp.gate.weight": (11008, 4096),
                "head.weight": (32000, 4096),
            },
        ),
        (
            LLAMA_3_8B,
            8_030_261_248,
            32,
            {
                "layer.31.attention.key.weight": (1024, 4096),
                "layer.9.mlp.down.weight": (4096, 14336),
                "head.weight": (128256, 4096),
            },
        ),
        (
            MISTRAL_7B,
            7_241_732_096,
            32,
            {"layer.31.attention.value.weight": (1024, 4096), "norm.weight": (4096,)},
        ),
    ],
    ids=["gpt2", "Llama-2-7B", "Llama-3-8B", "Mistral-7B"],
)
def test_full_size(config: dict[str, Any], count: int, layers: int, shapes: dict[str, Any]) -> None:
    import transformers

    from torchbend.interfaces.language.anatomy import anatomy
    from torchbend.interfaces.language.sites import named_sites

    given = dict(config)
    made = transformers.AutoConfig.for_model(given.pop("model_type"), **given)
    with torch.device("meta"):
        model: Any = transformers.AutoModelForCausalLM.from_config(made)  # type: ignore[no-untyped-call]
    assert sum(weight.numel() for weight in model.parameters()) == count
    parts = anatomy(model)
    names = named_sites(model, parts, None)
    assert len(parts.layers) == layers and (parts.heads, parts.head_size) in ((12, 64), (32, 128))
    assert {name: names[name].shape for name in shapes} == shapes
    named = {site.site for site in names.values()}
    assert named == {name for name, _ in model.named_parameters(remove_duplicate=False)}
