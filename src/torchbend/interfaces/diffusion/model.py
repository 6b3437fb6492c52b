"""`BendedDiffusion`: a pipeline of diffusers behind its verbs."""

from __future__ import annotations

from typing import Any, TypeVar

from torchbend.interfaces.diffusion.tiny import tiny_pipeline
from torchbend.interfaces.diffusion.verbs import DiffusionVerbs

__all__ = ["BendedDiffusion"]

Self = TypeVar("Self", bound="BendedDiffusion")


class BendedDiffusion(DiffusionVerbs):
    """A pipeline that makes images out of noise, bent: Stable Diffusion and its kin, by UNet or transformer.

    The pipeline's own code runs. Weights are ``unet.*`` or ``transformer.*``, ``vae.*``, ``text_encoder.*``,
    as the pipeline calls its parts. Activations are those of the methods ``denoise`` (one step),
    ``condition`` (words; ``condition_2`` for a second text encoder), ``encode`` and ``decode`` (the VAE); of
    any other part ``use_<its name>``. Each call of a part is a call of its own: controls that are turned
    meanwhile count from the next one on. A pipeline that is given is never changed, but moved where
    ``device`` says so.

    Args:
        source: a folder in diffusers' layout, a name of the model hub, or a pipeline in memory.
        cache_dir: where what is fetched is kept.
        dtype: of the weights that are loaded: ``"fp32"`` (by default), ``"bf16"``, ``"fp16"``, or a dtype.
        device: where it runs; a pipeline in memory is moved there.
        variant: of the files, as ``"fp16"``.
        safety_checker: False leaves it out where the pipeline has one and is loaded.
        example: arguments for a short run of a pipeline that needs more than a prompt: that run gives the
            activations their names.
        trace: False leaves that run out: activations have no names then.

    Raises:
        CheckpointError: there is no such pipeline, it is built by code of its own, or a file is missing.
        MissingExtraError: diffusers is not installed.

    Example:
        >>> import torch, torchbend as tb
        >>> from torchbend.interfaces.diffusion import BendedDiffusion, tiny_pipeline
        >>> model = BendedDiffusion(tiny_pipeline())
        >>> plain = model.generate("a cat", steps=4, seed=1)
        >>> handle = model.bend(tb.Scale(0.5), "denoise:unet_mid_block_.*conv1$", steps=(0.5, 1.0))
        >>> bent = model.generate("a cat", steps=4, seed=1)
        >>> model.reset()
        >>> list(plain.shape), torch.equal(bent, plain)
        ([1, 3, 32, 32], False)
        >>> torch.equal(model.generate("a cat", steps=4, seed=1), plain)
        True
    """

    @classmethod
    def tiny(cls: type[Self], seed: int = 0, *, model: str = "stable-diffusion", **options: Any) -> Self:
        """A tiny pipeline with random weights: to try things out, without a download.

        Args:
            seed: of its weights.
            model: its architecture, as ``"flux"`` (`tiny_pipeline`).
            options: the class's other arguments.
        """
        return cls(tiny_pipeline(model, seed=seed), **options)
