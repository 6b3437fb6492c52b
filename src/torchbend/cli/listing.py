"""``torchbend models``: the known models, what they make, and what they need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchbend.display import Table
    from torchbend.interfaces.base import BendingInterface
    from torchbend.interfaces.kinds import Option

__all__ = ["models"]


def models(
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help="Tell all of this kind, as musicgen.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As data, for programs.")] = False,
) -> None:
    """List the known models: what each kind makes, what it needs, what it can do.

    A known model is named KIND:SOURCE in all commands, and KIND:tiny is one with random weights.
    """
    import json

    from torchbend.display import Table, emit
    from torchbend.interfaces.kinds import all_kinds

    if kind is not None:
        found = _found(kind)
        if as_json:
            typer.echo(json.dumps(_facts(found), indent=2))
        else:
            _tell(found)
        return
    kinds = all_kinds()
    if as_json:
        typer.echo(json.dumps([_facts(each) for each in kinds.values()], indent=2))
        return
    rows = [
        (name, each.__name__, each.makes, _needs(each), ", ".join(each.export_targets) or "nothing")
        for name, each in kinds.items()
    ]
    emit(Table(("kind", "class", "makes", "needs", "exports to"), rows))
    typer.echo("")
    emit(Table(("kind", "verbs"), [(name, line) for name, each in kinds.items() for line in _verbs(each)]))
    typer.echo('\n"torchbend models KIND" tells all of a kind.')


def _found(name: str) -> type[BendingInterface]:
    from torchbend.interfaces.kinds import all_kinds, closest_kinds, kind_of

    found = kind_of(name)
    if found is None:
        close = closest_kinds(name)
        raise typer.BadParameter(
            f"there is no kind {name!r}; "
            + (f"closest: {', '.join(close)}" if close else f"there are {', '.join(all_kinds())}"),
            param_hint="KIND",
        )
    return found


def _needs(kind: type[BendingInterface]) -> str:
    """Whether what a kind needs is there, or how it is installed."""
    from torchbend.interfaces.kinds import install, is_installed

    if kind.extra is None:
        return "nothing more"
    return f"{kind.extra}: installed" if is_installed(kind) else install(kind)


def _verbs(kind: type[BendingInterface]) -> list[str]:
    """The names of the verbs, as lines of one cell each."""
    import textwrap

    names = ", ".join(name for name, _, _ in kind.verb_rows())
    return textwrap.wrap(names, 90) or ["none"]


def _facts(kind: type[BendingInterface]) -> dict[str, Any]:
    """Everything that is told of a kind, as data."""
    from torchbend.interfaces.kinds import class_options, install, is_installed, render_options

    return {
        "kind": kind.kind,
        "class": kind.__name__,
        "makes": kind.makes,
        "extra": kind.extra,
        "installed": is_installed(kind),
        "install": install(kind) if kind.extra else None,
        "tiny": kind.has_tiny(),
        "writes": list(kind.writes),
        "exports": list(kind.export_targets),
        "verbs": [dict(zip(("verb", "arguments", "about"), row, strict=True)) for row in kind.verb_rows()],
        "arguments": [_option(option) for option in class_options(kind)],
        "options": [_option(option) for option in render_options(kind)],
    }


def _option(option: Option) -> dict[str, Any]:
    return {"name": option.name, "default": repr(option.default), "about": option.about}


def _tell(kind: type[BendingInterface]) -> None:
    """All of a kind, for a reader."""
    import inspect

    from torchbend.display import emit
    from torchbend.interfaces.kinds import class_options, is_installed, render_options, tiny_options

    about = _plain((inspect.getdoc(kind) or "").partition("\n\n")[0].replace("\n", " "))
    typer.echo(f"{kind.kind}: {about}\n")
    typer.echo(f"makes       {kind.makes}{_written(kind)}")
    typer.echo(f"needs       {_needs(kind)}")
    typer.echo(f"exports to  {', '.join(kind.export_targets) or f'nothing: {kind.why_no_export}'}")
    if kind.has_tiny() and is_installed(kind):
        typer.echo(f"bent inside {', '.join(kind.tiny().bent_methods)}")
    rows = [(name, arguments, _plain(what)) for name, arguments, what in kind.verb_rows()]
    if rows:
        typer.echo("\nverbs (in Python, and for --call)\n")
        emit(_wrapped(("verb", "arguments", "what it does"), rows, (22, 24, 48)))
    _tell_options("--arg: how it is loaded", class_options(kind))
    _tell_options(f"--arg of {kind.kind}:tiny", tiny_options(kind))
    _tell_options("--option: how it is rendered", render_options(kind))
    _tell_example(kind)


def _tell_example(kind: type[BendingInterface]) -> None:
    """One line that can be tried."""
    from torchbend.interfaces.base import BendingInterface
    from torchbend.interfaces.kinds import about_arguments

    if kind.render is not BendingInterface.render:
        takes = _plain(about_arguments(kind.render).get("inputs", "")).rstrip(".")
        typer.echo(f"\nINPUT: {takes or 'as the kind takes it'}\n")
        source = "tiny" if kind.has_tiny() else "SOURCE"
        typer.echo(f"torchbend render {kind.kind}:{source} INPUT --out FILE{next(iter(kind.writes), '')}")


def _plain(text: str) -> str:
    """A docstring's words without its marks."""
    return text.replace("`", "")


def _written(kind: type[BendingInterface]) -> str:
    return f" ({' '.join(kind.writes)})" if kind.writes else ""


def _tell_options(title: str, options: Sequence[Option]) -> None:
    from torchbend.display import emit

    if options:
        typer.echo(f"\n{title}\n")
        rows = [(option.name, repr(option.default), _plain(option.about)) for option in options]
        emit(_wrapped(("name", "default", "what it is"), rows, (20, 20, 56)))


def _wrapped(columns: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> Table:
    """A table whose long cells go on in the next row."""
    import itertools
    import textwrap

    from torchbend.display import Table

    broken: list[tuple[str, ...]] = []
    for row in rows:
        pieces = [textwrap.wrap(cell, width) for cell, width in zip(row, widths, strict=True)]
        broken += itertools.zip_longest(*pieces, fillvalue="")
    return Table(columns, broken)
