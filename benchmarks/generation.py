"""Generate sound with MusicGen's language model and codec, bent and not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

import torchbend as tb
from benchmarks.harness import PLAIN, Bar, Row, Section, Settings, interleaved
from torchbend.errors import MissingExtraError

__all__ = ["generation"]

_TITLE = "Generating: MusicGen"
_BAR = Bar("1.05x", ratio=1.05)


class _Words:
    """Stands for the tokenizer: three words of any prompt."""

    def __call__(self, prompts: list[str], **options: Any) -> dict[str, torch.Tensor]:
        words = torch.ones(len(prompts), 3, dtype=torch.long)
        return {"input_ids": words, "attention_mask": words}


def _loaded(tiny: bool) -> Any:
    """A model of random weights: its language model a fifth of the small one's, or a handful."""
    from torchbend.interfaces.audiocraft.language import LanguageSizes
    from torchbend.interfaces.audiocraft.loaded import Loaded, built
    from torchbend.interfaces.libraries import transformers

    library = transformers("the benchmark")
    size, layers, filters = (16, 7, 2) if tiny else (512, 12, 16)
    sizes = LanguageSizes(size, layers, 8, 4 * size, 4, 64, 32, (0, 1, 2, 3))
    codec = library.EncodecConfig(
        sampling_rate=32000,
        target_bandwidths=[4.5 * 50 * 6 / 1000],
        num_filters=filters,
        upsampling_ratios=[8, 5, 4, 4],
        codebook_size=64,
        use_causal_conv=False,
        use_conv_shortcut=False,
    )
    text = library.T5Config(d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=2, vocab_size=32)
    torch.manual_seed(0)
    model = built(sizes, codec, text)
    model.lm.to_empty(device="cpu")
    for weight in model.lm.parameters():
        torch.nn.init.normal_(weight, std=0.05)
    return Loaded(model, _Words())


def generation(settings: Settings) -> Section:
    """A second of sound from one prompt with guidance, the same codes each time."""
    text = (
        "A second of sound (50 frames, 53 steps of the language model, guidance, then the codec) from a "
        "model of random weights: 12 layers of 512. Each step is a call of the bent model. The bends: a "
        "weight of the language model, the output of one of its layers in every step, and a weight of the "
        "codec."
    )
    try:
        calls = _calls(settings)
    except MissingExtraError:
        return Section(_TITLE, "transformers is not installed.", [])
    with torch.no_grad():
        timings = interleaved(calls, max(settings.rounds // 4, 1) if not settings.tiny else 1, warm_up=1)
    rows = []
    for name, bar in (("3 bends", _BAR), ("an operation", None)):
        kept = {n: v for n, v in timings.seconds.items() if n.startswith(PLAIN) or n == name}
        what = "generation with 3 bends" if bar else "generation with an operation bent in every step"
        rows.append(Row.of(what, type(timings)(kept), name, bar))
    return Section(_TITLE, text, rows)


def _calls(settings: Settings) -> dict[str, Callable[[], object]]:
    from torchbend.interfaces.audiocraft import BendedMusicGen

    loaded = _loaded(settings.tiny)
    models = {name: BendedMusicGen(loaded) for name in (PLAIN, "3 bends", "an operation")}
    for model in models.values():
        model.set_generation_params(duration=0.1 if settings.tiny else 1.0)
    bent = models["3 bends"]
    bent.bend(tb.Scale(0.9), "lm.transformer.layers.3.linear1.weight$")
    bent.bend(tb.Scale(0.9), "step:lm_transformer_layers_5_linear2$")
    bent.bend(tb.Scale(0.9), "compression_model.decoder.model.6.conv.bias$")
    models["an operation"].bend(tb.Scale(0.9), "step:gelu_4$")

    def call(model: Any) -> Callable[[], object]:
        return lambda: model.generate(["a prompt"], seed=0)

    return {name: call(model) for name, model in models.items()}
