"""What ``bend`` and ``render`` do: a model, bent, makes something, and it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from torchbend.cli.bends import apply_bends, tell_bends
from torchbend.cli.known import Known, known_model, render_options
from torchbend.cli.models import check_module, told_as
from torchbend.cli.outputs import check_out, write_output
from torchbend.cli.steps import steps
from torchbend.cli.subject import open_subject

if TYPE_CHECKING:
    from torchbend.interfaces.base import BendingInterface

__all__ = ["Work"]


@dataclass(frozen=True)
class Work:
    """What a user asked for, option by option (see :mod:`torchbend.cli.options`).

    Attributes:
        model: which one.
        out: the file.
        inputs: what it is made of.
        recipe, bends, controls, buffers: how the model is bent (see :func:`torchbend.cli.bends.apply_bends`).
        save_recipe: where all bends are kept.
        arguments, weights, key, loose: how the model is made.
        call: the method that is called; None: `render` of a known model, ``forward`` of another one.
        options: of `render`.
        sample_rate, mono, normalize: of the sounds that a method takes and gives.
        seed: of everything random.
        device: where it is computed.
    """

    model: str
    out: Path
    inputs: Sequence[str]
    recipe: Path | None = None
    bends: Sequence[str] = ()
    controls: Sequence[str] = ()
    buffers: bool = False
    save_recipe: Path | None = None
    arguments: Sequence[str] = ()
    weights: Path | None = None
    key: str | None = None
    loose: bool = False
    call: str | None = None
    options: Sequence[str] = ()
    sample_rate: int | None = None
    mono: bool = False
    normalize: bool = False
    seed: int = 0
    device: str = "cpu"

    def do(self) -> None:
        """Makes it, and tells what was bent and written.

        Raises:
            typer.BadParameter: the words do not go together.
            TorchbendError: the model, its inputs or bends cannot be had, or the file cannot be written.
        """
        options = self._checked(known_model(self.model))
        with steps(6) as tell:
            subject = open_subject(
                tell,
                self.model,
                arguments=self.arguments,
                weights=self.weights,
                key=self.key,
                loose=self.loose,
                inputs=self.inputs,
                method=self.call,
                sample_rate=self.sample_rate,
                mono=self.mono,
                seed=self.seed,
                device=self.device,
            )
            tell("bending")
            apply_bends(subject.bended, self.recipe, self.bends, self.controls, self.buffers, self.seed)
            if subject.method is not None:
                tell(f"making {self.out}")
                value = subject.run()
                write_output(self.out, value, subject.inputs.sample_rate, self.normalize)
        if subject.interface is not None and subject.method is None:
            self._render(subject.interface, subject.texts, options)
        tell_bends(subject.bended)
        typer.echo(f"wrote {self.out}")
        if self.save_recipe is not None:
            typer.echo(f"wrote {subject.bended.bending_config().save(self.save_recipe)}")

    def _checked(self, known: Known | None) -> dict[str, Any]:
        """The options of `render`; everything that can be refused before there is a model is refused."""
        if known is not None and self.call is None:
            check_out(self.out, known.kind.writes)
            _only_for_calls(
                {
                    "--sample-rate": self.sample_rate,
                    "--mono": self.mono,
                    "--normalize": self.normalize,
                }
            )
            return render_options(known.kind, self.options)
        if known is None:
            check_module(self.model)
        check_out(self.out, texts=known is not None)
        if self.options:
            raise typer.BadParameter(
                "this is for known models without --call; the arguments of a method are --input NAME=...",
                param_hint="--option",
            )
        if not self.inputs:
            raise typer.BadParameter("what should the model be run on? give an --input", param_hint="--input")
        return {}

    def _render(self, model: BendingInterface, texts: Sequence[str], options: dict[str, Any]) -> None:
        """What takes long has a bar of its own, which counts the model's steps."""
        with told_as("nothing could be rendered", f"{type(model).__name__}.render()"):
            model.render(self.out, texts, seed=self.seed, **options)


def _only_for_calls(given: dict[str, Any]) -> None:
    for name, value in given.items():
        if value:
            raise typer.BadParameter(
                "a known model sees to this itself; it is for other models, and for --call", param_hint=name
            )
