"""Bends as the commands' options write them: recipes, callbacks with patterns, controls."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import typer

from torchbend.bending.recipe import BendingConfig
from torchbend.cli.words import literal, named, parse_bend
from torchbend.module import BendedModule

__all__ = ["apply_bends", "tell_bends"]


def apply_bends(
    bended: BendedModule,
    recipe: Path | None,
    bends: Sequence[str],
    controls: Sequence[str] = (),
    buffers: bool = False,
    seed: int = 0,
) -> None:
    """Bends a model as the options say: the recipe first, then each of ``bends`` in order.

    Args:
        bended: the model.
        recipe: a recipe's file.
        bends: ``CALLBACK@PATTERN``, or further recipes' files: names that end in ``.json``.
        controls: ``NAME=VALUE``.
        buffers: whether the patterns select buffers too.
        seed: what random callbacks without a seed of their own begin from.

    Raises:
        typer.BadParameter: a bend or a control is malformed.
        TorchbendError: the recipe does not fit, or a pattern matches nothing.
    """
    torch.manual_seed(seed)
    written = [Path(text) if _is_recipe(text) else parse_bend(text) for text in bends]
    if recipe is not None:
        written.insert(0, recipe)
    for each in written:
        if isinstance(each, Path):
            bended.bend(BendingConfig.load(each, bended))
        else:
            bended.bend(*each, buffers=buffers)
    for text in controls:
        name, value = named(text)
        if name is None:
            raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--set")
        bended.update(name, literal(value, "--set"))


def _is_recipe(text: str) -> bool:
    return text.endswith(".json") and "@" not in text


def tell_bends(bended: BendedModule) -> None:
    """Tells what is bent."""
    keys = bended.bended_keys()
    named_first = f": {', '.join(keys[:6])}{', ...' * (len(keys) > 6)}" if keys else ""
    typer.echo(f"bent {len(keys)} site(s){named_first}")
