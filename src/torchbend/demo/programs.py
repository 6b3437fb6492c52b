"""The text of programs that do what the demonstration does."""

from __future__ import annotations

__all__ = ["module_commands", "module_program"]


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
