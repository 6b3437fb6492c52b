"""What is asked of a pipeline, in the words that it takes itself."""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from torchbend.errors import GenerationError

__all__ = [
    "Prompts",
    "Seed",
    "as_images",
    "asked_of",
    "checked_side",
    "generator_of",
    "rows_of",
    "size_step",
    "takes",
]

Prompts: TypeAlias = str | int | Sequence[str] | Sequence[int] | None
Seed: TypeAlias = int | Sequence[int] | None


def takes(pipeline: Any) -> list[str]:
    """The arguments of a pipeline's call."""
    return list(inspect.signature(type(pipeline).__call__).parameters)[1:]


def asked_of(
    pipeline: Any,
    prompts: Prompts,
    *,
    n: int,
    negative: str | Sequence[str] | None,
    steps: int | None,
    guidance: float | None,
    height: int | None,
    width: int | None,
    options: dict[str, Any],
) -> dict[str, Any]:
    """Arguments of a pipeline's call.

    Args:
        pipeline: any pipeline of diffusers.
        prompts: texts, or numbers of classes, or None, as it takes them.
        n: images for each of them.
        negative, steps, guidance, height, width: as of `BendedDiffusion.generate`; None: the pipeline's own.
        options: others, under the pipeline's names.

    Raises:
        GenerationError: the pipeline takes no such thing, or not this value of it.
    """
    known = takes(pipeline)
    asked = _prompted(known, prompts, _whole("n", n))
    if negative is not None:
        count = len(asked.get("prompt", ()))
        texts = [negative] * count if isinstance(negative, str) else list(negative)
        if len(texts) != count or not all(isinstance(text, str) for text in texts):
            raise GenerationError(
                "what is not wanted is one text, or one for each prompt",
                site="negative",
                wanted=f"a text, or {count}",
                got=repr(negative)[:80],
            )
        asked["negative_prompt"] = texts
    if steps is not None:
        asked["num_inference_steps"] = _whole("steps", steps)
    if guidance is not None:
        if isinstance(guidance, bool) or not isinstance(guidance, int | float) or not math.isfinite(guidance):
            raise GenerationError("guidance is a number", site="guidance", got=repr(guidance))
        asked["guidance_scale"] = float(guidance)
    for name, value in (("height", height), ("width", width)):
        if value is not None:
            asked[name] = checked_side(name, value, pipeline)
    asked.update(options)
    _check_known(asked, known, type(pipeline).__name__)
    return asked


def _prompted(known: list[str], prompts: Prompts, n: int) -> dict[str, Any]:
    if "prompt" in known:
        texts = [prompts] if isinstance(prompts, str) else prompts
        if not isinstance(texts, Sequence) or not texts or not all(isinstance(t, str) for t in texts):
            raise GenerationError(
                "a prompt is a text",
                site="prompts",
                wanted="a text, or a list of texts",
                got=repr(prompts)[:80],
                next_step="generate('a lighthouse'); generate('') for no words at all",
            )
        asked: dict[str, Any] = {"prompt": list(texts)}
        return asked if n == 1 else {**asked, "num_images_per_prompt": n}
    if "class_labels" in known:
        labels = [prompts] if isinstance(prompts, int) else prompts
        whole = isinstance(labels, Sequence) and not isinstance(labels, str) and len(labels) > 0
        if not whole or not all(isinstance(k, int) and not isinstance(k, bool) for k in labels or ()):
            raise GenerationError(
                "this model makes images of classes",
                site="prompts",
                wanted="the number of a class, or a list of numbers",
                got=repr(prompts)[:80],
            )
        return {"class_labels": [k for k in labels or () for _ in range(n)]}
    if prompts is not None:
        raise GenerationError(
            "this model takes no prompt",
            site="prompts",
            wanted="None",
            got=repr(prompts)[:80],
            next_step="generate(n=4)",
        )
    return {"batch_size": n} if "batch_size" in known else {}


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise GenerationError(
            f"{name} is a whole number", site=name, wanted="1 or more", got=repr(value)[:80]
        )
    return value


def checked_side(name: str, value: object, pipeline: Any) -> int:
    """A height or width that the model can make.

    Raises:
        GenerationError: it is no multiple of `size_step`.
    """
    multiple = size_step(pipeline)
    if isinstance(value, bool) or not isinstance(value, int) or value < multiple or value % multiple:
        near = max(1, round(value / multiple)) * multiple if isinstance(value, int) else 8 * multiple
        raise GenerationError(
            "the model cannot make images of this size",
            site=name,
            wanted=f"a multiple of {multiple} pixels",
            got=repr(value)[:80],
            next_step=f"{name}={near}",
        )
    return value


def _check_known(asked: dict[str, Any], known: list[str], pipeline: str) -> None:
    ours = {
        "negative_prompt": "negative",
        "num_inference_steps": "steps",
        "guidance_scale": "guidance",
        "num_images_per_prompt": "n",
    }
    for name in asked:
        if name not in known:
            told = ours.get(name, name)
            raise GenerationError(
                f"{pipeline} takes no {told!r}",
                site=told,
                wanted="closest: " + ", ".join(difflib.get_close_matches(name, known, 4, 0.3) or known[:6]),
                next_step="leave it out",
            )


def generator_of(seed: Seed, device: torch.device, rows: int) -> Any:
    """The random numbers of a seed: one generator for the batch; of a list of seeds, one for each image.

    Raises:
        GenerationError: they are no whole numbers, or there are more or fewer than images.
    """
    if seed is None:
        return None
    seeds = [seed] if isinstance(seed, int) else list(seed)
    if not all(isinstance(s, int) and not isinstance(s, bool) for s in seeds):
        raise GenerationError("a seed is a whole number", site="seed", got=repr(seed)[:80])
    made = [torch.Generator(device).manual_seed(s) for s in seeds]
    if isinstance(seed, int):
        return made[0]
    if len(made) != rows:
        raise GenerationError(
            "a list of seeds has one for each image", site="seed", wanted=f"{rows}", got=f"{len(made)}"
        )
    return made


def size_step(pipeline: Any) -> int:
    """Height and width are multiples of this."""
    scale = int(getattr(pipeline, "vae_scale_factor", 1) or 1)
    transformer = getattr(pipeline, "transformer", None)
    patch = getattr(getattr(transformer, "config", None), "patch_size", None)
    return math.lcm(8, scale * (patch if isinstance(patch, int) else 1))


def rows_of(asked: dict[str, Any]) -> int:
    """How many images are asked for."""
    if "prompt" in asked:
        return len(asked["prompt"]) * int(asked.get("num_images_per_prompt", 1))
    return len(asked["class_labels"]) if "class_labels" in asked else int(asked.get("batch_size", 1))


def as_images(made: Any) -> Tensor | None:
    """A pipeline's images as ``[B, 3, H, W]`` on the CPU, from 0 to 1; None where they are none."""
    if not isinstance(made, Tensor):
        if not hasattr(made, "__array__"):
            return None
        made = torch.from_numpy(made.__array__()).movedim(-1, 1)
    if made.dim() != 4:
        return None
    images: Tensor = made.detach().float().cpu()
    return images.expand(-1, 3, -1, -1).contiguous() if images.shape[1] == 1 else images
