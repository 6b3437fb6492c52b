"""The text of programs that do what the demonstration does."""

from __future__ import annotations

import re
import textwrap

from torchbend.bending.recipe import Bend

__all__ = ["bend_code", "module_commands", "module_program"]

_WIDTH = 84


def bend_code(bend: Bend) -> str:
    """The lines that bend ``bended`` so; they can be pasted after those that make it.

    Args:
        bend: one bend of a recipe.
    """
    callback = re.sub(r"\b([A-Z]\w*)\(", r"tb.\1(", repr(bend.callback))
    lines = textwrap.wrap(callback, _WIDTH, subsequent_indent=" " * 8, break_long_words=False)
    return "bended.bend(\n    " + "\n".join(lines) + f",\n    {_raw(bend.patterns[0])},\n)"


def _raw(pattern: str) -> str:
    return f'r"{pattern}"' if "\\" in pattern else f'"{pattern}"'


def module_program(factory: str, reading: str, recipe: str) -> str:
    """A Python program that bends what a factory makes by a recipe of the page's folder.

    Args:
        factory: ``package.module:function``.
        reading: the line that makes the input, ``x``.
        recipe: the recipe's name, without folder and ending.
    """
    module, _, function = factory.partition(":")
    return (
        f"import torchbend as tb\nfrom {module} import {function}\n\n{reading}\n"
        f"bended = tb.BendedModule({function}())\nbended.trace(x)\n"
        f'bended.bend(tb.BendingConfig.load("recipes/{recipe}.json", bended))\n'
        "out = bended(x)"
    )


def module_commands(factory: str, path: str, recipe: str, sample_rate: int) -> str:
    """Command lines that look into what a factory makes, and bend it by a recipe of the page's folder.

    Args:
        factory: ``package.module:function``.
        path: of the input.
        recipe: the recipe's name, without folder and ending.
        sample_rate: of the sound, in Hz.
    """
    what = f"{factory} --input {path}"
    return (
        f"torchbend inspect {what}\n"
        f"torchbend bend {what} --recipe recipes/{recipe}.json \\\n"
        f"    --out bent.wav --sample-rate {sample_rate}"
    )
