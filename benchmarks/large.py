"""A language model of a billion weights, bent with no copy: memory and time, in a process of its own."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import torchbend as tb
from benchmarks.harness import Settings
from benchmarks.memory import _peak, _restart, resident
from torchbend.errors import MissingExtraError
from torchbend.interfaces.libraries import transformers

__all__ = ["LargeRow", "large"]

_ROOT = Path(__file__).parent.parent
_TOKENS = 8
_WEIGHTS = ("layer.1.mlp.down.weight", "layer.2.attention.query.weight", "layer.3.mlp.up.weight")


@dataclass(frozen=True)
class LargeRow:
    """Bytes and seconds, of one measurement.

    Attributes:
        parameters: of the model, a count.
        model: size of its weights.
        weights: size of the three bent weights together.
        largest: size of the largest of them.
        plain_peak: the highest that reading a prompt and one step took on top of the model, not bent.
        bent_peak: the same with the bends, the first call after they were made.
        kept: what is still held on top of the model after further steps.
        plain, bent: seconds of one step, medians of calls in turn.
        again: the plain step measured a second time, in seconds.
    """

    parameters: int
    model: int
    weights: int
    largest: int
    plain_peak: int
    bent_peak: int
    kept: int
    plain: float
    bent: float
    again: float

    @property
    def extra(self) -> int:
        """What the bends took at their highest, beside what a plain step takes."""
        return self.bent_peak - self.plain_peak

    @property
    def met(self) -> bool:
        """Whether it costs the bent weights, once, and what a callback needs for one of them."""
        return self.extra <= 1.1 * self.weights + self.largest


def large(settings: Settings) -> LargeRow | None:
    """Measure in a fresh process; ``None`` where the system tells no peak, or transformers is missing."""
    try:
        transformers("the benchmark")
    except MissingExtraError:
        return None
    if not Path("/proc/self/clear_refs").exists():
        return None
    width, layers, rounds = (64, 4, 1) if settings.tiny else (4096, 5, max(settings.rounds // 8, 3))
    command = [sys.executable, "-m", "benchmarks.large", str(width), str(layers), str(rounds)]
    answer = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True)
    return LargeRow(**json.loads(answer.stdout.splitlines()[-1]))


def _model(width: int, layers: int) -> Any:
    """A Llama in bfloat16 with random weights; with 4096 by 5 layers of Llama-2-7B's build 1.27 G of them."""
    library = transformers("the benchmark")
    config = library.LlamaConfig(
        vocab_size=32000 if width > 1000 else 100,
        hidden_size=width,
        intermediate_size=11008 * width // 4096,
        num_hidden_layers=layers,
        num_attention_heads=width // 32 if width < 1000 else width // 128,
        dtype=torch.bfloat16,
    )
    with torch.device("meta"):
        model = library.LlamaForCausalLM(config).to(torch.bfloat16)
    model.to_empty(device="cpu")
    model.model.rotary_emb = type(model.model.rotary_emb)(config)  # computed, not loaded: it was left empty
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():  # each row the same: quick to make, and no matter here
            noise = torch.randn(weight.shape[-1], generator=generator)
            weight.copy_(noise / weight.shape[-1] ** 0.5)
    return model.eval().requires_grad_(False)


def _measure(width: int, layers: int, rounds: int) -> LargeRow:
    from torchbend.interfaces.language import BendedLanguageModel

    torch.set_num_threads(1)
    bended = BendedLanguageModel(_model(width, layers))
    prompt = torch.arange(1, _TOKENS + 1)[None]

    def step() -> float:
        begin = time.perf_counter()
        bended.generate_tokens(prompt, 2, use_sampling=False)
        return time.perf_counter() - begin

    step()
    before = _restart()
    step()
    plain_peak = _peak() - before
    before = _restart()
    for name in _WEIGHTS:
        bended.bend(tb.Scale(1.1), name)
    bended.bend(tb.Scale(1.1), "layer.2.attention.heads")
    step()
    bent_peak = _peak() - before
    for _ in range(2):
        step()
    kept = resident() - before
    plain, bent, again = [], [], []
    recipe = bended.bending_config()
    for _ in range(rounds):
        bent.append(step())
        bended.reset()
        plain.append(step())
        again.append(step())
        bended.bend(recipe)
        step()
    own = dict(bended.module.named_parameters())
    sizes = [own[bended.names[name].site].nbytes for name in _WEIGHTS]
    weights = list(bended.module.parameters())
    return LargeRow(
        sum(weight.numel() for weight in weights),
        sum(weight.nbytes for weight in weights),
        sum(sizes),
        max(sizes),
        plain_peak,
        bent_peak,
        kept,
        *map(statistics.median, (plain, bent, again)),
    )


if __name__ == "__main__":
    print(json.dumps(vars(_measure(*map(int, sys.argv[1:4])))))
