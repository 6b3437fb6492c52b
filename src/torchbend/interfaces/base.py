"""The base of interfaces: known models behind their own verbs."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from torchbend.display import Table, emit
from torchbend.display.table import TextWriter
from torchbend.errors import ExportError, TorchbendError
from torchbend.module import BendedWrapper
from torchbend.module.inputs import as_arguments

__all__ = ["BendingInterface", "Interface"]

Self = TypeVar("Self", bound="BendingInterface")


class BendingInterface(BendedWrapper):
    """A known model, bent, with verbs of its own that a subclass adds (``encode``, ``generate``, ...).

    A subclass makes the model, hands it to this constructor and calls `trace_methods`. What it wraps it calls
    through itself (``self.decode(z)`` or ``self._call("decode", (z,), {})``), so that bends are in force.
    Everything that a `BendedModule` can do, it can do too.

    Args:
        model: the model: a module, or an object that holds modules.

    Attributes:
        kind: what the command line calls it, as in ``torchbend render language:gpt2``.
        extra: the extra of the package that brings what it needs; None where nothing is missing.
        makes: what it makes, in a word or two.
        writes: endings of the files that `render` writes, as ``(".wav", ".flac")``: another one is refused
            before the work; none named: `render` looks at the name itself.
        export_targets: what `export` can write of such a model.
        why_no_export: said where it cannot.

    Raises:
        TorchbendError: it is no module and holds none.
    """

    kind: ClassVar[str] = ""
    extra: ClassVar[str | None] = None
    makes: ClassVar[str] = ""
    writes: ClassVar[tuple[str, ...]] = ()
    export_targets: ClassVar[tuple[str, ...]] = ("nn~", "torchscript", "onnx", "pt2")
    why_no_export: ClassVar[str] = "this model cannot be written as one program"

    def __init__(self, model: Any) -> None:
        super().__init__(model)

    @classmethod
    def load(cls: type[Self], source: Any, **options: Any) -> Self:
        """The model of a file, a folder or a name: the same as calling the class.

        Args:
            source: what the class takes first.
            options: its other arguments.
        """
        return cls(source, **options)

    @classmethod
    def tiny(cls: type[Self], seed: int = 0, **options: Any) -> Self:
        """A tiny model of this kind with random weights: to try things out, without a download.

        To be overridden where the class can make one; the command line calls it ``KIND:tiny``.

        Args:
            seed: of its weights.
            options: the class's other arguments.

        Raises:
            TorchbendError: this class makes none.
        """
        raise TorchbendError(
            f"{cls.__name__} makes no tiny model",
            site="tiny",
            next_step=f"{cls.__name__}(source), with a file, a folder or a name",
        )

    @classmethod
    def has_tiny(cls) -> bool:
        """Whether `tiny` makes a model."""
        return cls.tiny.__func__ is not BendingInterface.tiny.__func__  # type: ignore[attr-defined]

    # -- methods of the model that are bent ------------------------------------------------------------------

    def example_inputs(self) -> Mapping[str, Any]:
        """An example input for each method of the model whose activations are to have names.

        To be overridden. Each is a tensor, a tuple of arguments, or a dict of arguments by name.
        """
        return {}

    def trace_methods(self) -> None:
        """Trace each method of `example_inputs`; to be called when the model is there."""
        for method, given in self.example_inputs().items():
            args, named = as_arguments(given, {})
            self.trace(*args, fn=method, **named)

    @property
    def bent_methods(self) -> list[str]:
        """The methods of the model whose activations have names and can be bent."""
        return list(self._captures)

    # -- verbs -----------------------------------------------------------------------------------------------

    @property
    def verbs(self) -> dict[str, str]:
        """What this kind of model can do beside bending: each method that it adds, in one sentence."""
        return {name: what for name, _, what in self.verb_rows()}

    def print_verbs(self, out: str | os.PathLike[str] | TextWriter | None = None) -> str:
        """Print a table of the verbs: name, arguments, what they do.

        Args:
            out: a file, or its path, to write to instead.

        Returns:
            The table as text.
        """
        return emit(Table(("verb", "arguments", "what it does"), self.verb_rows()), out)

    @classmethod
    def verb_rows(cls) -> list[tuple[str, str, str]]:
        """The verbs: name, names of the arguments, what it does. No model is needed for it."""
        return [(name, _arguments(member), _first_line(member)) for name, member in cls._added()]

    @classmethod
    def _added(cls) -> Iterator[tuple[str, Any]]:
        """The public methods of the classes between this one and the base that the base has not."""
        kinds = cls.__mro__[: cls.__mro__.index(BendingInterface)]
        added: dict[str, Any] = {}
        for kind in reversed(kinds):
            for name, member in vars(kind).items():
                known = name != "forward" and hasattr(BendingInterface, name)
                if inspect.isfunction(member) and not known and not name.startswith("_"):
                    added[name] = member
        return iter(added.items())

    # -- files -----------------------------------------------------------------------------------------------

    def render(
        self, out: str | os.PathLike[str], inputs: Sequence[str] = (), *, seed: int = 0, **options: Any
    ) -> Path:
        """Make something, bent, and write it to a file: what ``torchbend render`` does. To be overridden.

        Args:
            out: the file; it appears whole or not at all.
            inputs: what it is made of, as a user writes it: texts, numbers, names of files.
            seed: of the random numbers: the same seed makes the same.
            options: of the verb that is behind it.

        Returns:
            The file.

        Raises:
            TorchbendError: such a model makes nothing that could be written, or not of these inputs.
        """
        raise TorchbendError(
            f"{type(self).__name__} makes nothing that could be written to a file",
            site="render",
            next_step="call its verbs: " + ", ".join(self.verbs),
        )

    # -- the stage -------------------------------------------------------------------------------------------

    def export(self, path: str | os.PathLike[str], target: str = "nn~", **options: Any) -> Path | list[Path]:
        """Write the bent model to a file, where such a model can leave Python (see `BendedModule.export`).

        Args:
            path: of the file.
            target: one of ``export_targets``.
            options: those of `BendedModule.export`.

        Raises:
            ExportError: such a model cannot be exported to this target, or something in it cannot.
        """
        self.check_export(path, target)
        return super().export(path, target, **options)

    @classmethod
    def check_export(cls, path: str | os.PathLike[str], target: str) -> None:
        """Refuse a target that no model of this class can be exported to, before there is one.

        Args:
            path, target: as of `export`.

        Raises:
            ExportError: it is none of ``export_targets``.
        """
        if target in BendingInterface.export_targets and target not in cls.export_targets:
            known = ", ".join(cls.export_targets)
            raise ExportError(
                f"{cls.__name__} cannot be exported to {target!r}: {cls.why_no_export}",
                site=str(path),
                wanted=f"one of: {known}" if known else None,
                next_step="write what it makes to files, or export one part: BendedModule(model.part)"
                if not known
                else f'target="{cls.export_targets[0]}"; on a command line --target {cls.export_targets[0]}',
            )


def _first_line(member: Any) -> str:
    return (inspect.getdoc(member) or "").strip().split("\n")[0]


def _arguments(member: Any) -> str:
    """The names of a method's arguments, without ``self``."""
    return ", ".join(list(inspect.signature(member).parameters)[1:])


Interface = BendingInterface
"""The name that code for the prototype knows."""
