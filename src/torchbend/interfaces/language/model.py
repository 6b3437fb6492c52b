"""`BendedLanguageModel`: a causal language model of transformers behind its verbs."""

from __future__ import annotations

from torchbend.interfaces.language.verbs import LanguageVerbs

__all__ = ["BendedLanguageModel"]


class BendedLanguageModel(LanguageVerbs):
    """A model that writes text from left to right: GPT-2, Llama, and any causal model of transformers.

    Weights and activations have the model's own names, and readable ones that are the same in all models
    (`print_sites`). Activations are those of ``forward``; a bend of one holds while the prompt is read and in
    each step after it, with keys and values kept. Channels lie along the last dimension; callbacks know it.

    Args:
        source: a folder in transformers' layout, a name of the model hub, a model in memory (it is put into
            eval mode), or a `Loaded`.
        cache_dir: where what is fetched is kept.
        tokenizer: of a model in memory, or instead of the one that comes with it: anything with
            ``encode(text)`` and ``decode(ids)``.
        dtype: of the weights: ``"bf16"``, ``"fp16"``, ``"fp32"``, a dtype, or ``"auto"``: as in the file.
        device: where it runs.
        device_map: parts to devices, through accelerate: ``"auto"``, or a dict as accelerate takes it.
            Weights that it keeps elsewhere (memory, disk) are bent where they are.
        offload_folder: for what the map puts on disk.
        attention: ``"explicit"`` makes the map of each attention an activation (`attention`); slower.

    Raises:
        CheckpointError: there is no such folder or name, or it holds a model of another kind.
        MissingExtraError: transformers (or accelerate, for ``device_map``) is not installed.

    Example:
        >>> import torchbend as tb
        >>> from torchbend.interfaces.language import BendedLanguageModel, tiny_language_model
        >>> model = BendedLanguageModel(tiny_language_model())
        >>> plain = model.generate("Once", 8, seed=0)
        >>> handle = model.bend(tb.Scale(0.0), "layer.2.attention.head.1", "layer.[01].mlp")
        >>> bent = model.generate("Once", 8, seed=0)
        >>> model.reset()
        >>> bent == plain, model.generate("Once", 8, seed=0) == plain
        (False, True)
    """
