"""The recipe: a list of bends as data."""

from __future__ import annotations

import logging
import re
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from torchbend.bending.callback import BendingCallback, CallbackChain
from torchbend.errors import NotTracedError, RecipeError, SiteNotFoundError

__all__ = ["Bend", "BendingConfig"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Bend:
    """One line of a recipe: a callback, and where it goes.

    Args:
        callback: the transformation.
        patterns: regular expressions, matched from the start of a site's name.
        fn: the method whose activations are meant; None: of all traced methods.
        buffers: whether buffers are bent too.

    Raises:
        RecipeError: one of these is of another type, or a pattern is no regular expression.
    """

    callback: BendingCallback
    patterns: tuple[str, ...]
    fn: str | None = None
    buffers: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.callback, BendingCallback):
            raise RecipeError(
                "a bend begins with a callback",
                wanted="a callback first, as in bend(Scale(2.0), 'conv.*')",
                got=f"{self.callback!r} first",
                next_step=_instead_of(self.callback),
            )
        if not self.patterns or not all(isinstance(p, str) for p in self.patterns):
            raise RecipeError(
                "a bend needs patterns",
                site=repr(self.callback),
                wanted="at least one pattern after the callback",
                got=self.patterns,
                next_step='name the sites to bend, ".*" for all',
            )
        for pattern in self.patterns:
            try:
                re.compile(pattern)
            except (re.error, RecursionError, OverflowError) as error:
                raise RecipeError(
                    f"a pattern is not a regular expression: {error}",
                    site=repr(self.callback),
                    got=pattern,
                    next_step="write .* for anything, and a backslash before characters meant as they are",
                ) from error

    def covers(self, key: str) -> bool:
        """Whether the bend names ``key``: its pattern itself, or a site that the pattern matches."""
        method, _, name = key.rpartition(":")
        if self.fn is not None and method and method != self.fn:
            return False
        return key in self.patterns or any(
            re.match(pattern, key) or re.match(pattern, name) for pattern in self.patterns
        )


def _instead_of(given: object) -> str:
    """What to write where something else than a callback was given."""
    if isinstance(given, type) and issubclass(given, BendingCallback):
        return f"make one of the class: {given.__name__}(...)"
    if callable(given):
        return "wrap the function: Lambda(fn)"
    return "put the callback first, then the patterns"


Entry = Bend | Sequence[Any]


class BendingConfig:
    """A list of bends: what is bent, by what. Iterates as ``(callback, *patterns)``.

    Args:
        entries: tuples ``(callback, pattern, ...)``, or ``Bend`` objects.
        module: a bent model to bind to.

    Raises:
        RecipeError: an entry is malformed, or a pattern matches nothing in ``module``.
    """

    def __init__(self, *entries: Entry, module: Any = None) -> None:
        self._entries: list[Bend] = [_as_bend(entry) for entry in entries]
        self._module: weakref.ref[Any] | None = None
        self._matched: dict[str, list[str]] = {}
        if module is not None:
            self.bind(module)

    @property
    def entries(self) -> tuple[Bend, ...]:
        """The bends with all that belongs to them (``fn``, ``buffers``)."""
        return tuple(self._entries)

    @property
    def callbacks(self) -> list[BendingCallback]:
        """The callbacks, in order."""
        return [bend.callback for bend in self._entries]

    # a list

    def append(
        self, entry: Entry | BendingCallback, *patterns: str, fn: str | None = None, buffers: bool = False
    ) -> None:
        """Adds a bend: ``append(callback, "conv.*")`` or ``append((callback, "conv.*"))``.

        Raises:
            RecipeError: it is malformed, or matches nothing in the model that the recipe is bound to.
        """
        if isinstance(entry, BendingCallback):
            bend = Bend(entry, patterns, fn, buffers)
        elif patterns:
            raise RecipeError(
                "an entry and patterns at once", wanted="append(callback, pattern, ...)", got=entry
            )
        else:
            bend = _as_bend(entry, fn, buffers)
        if (module := self.module) is not None:
            self._matched.update(_matches(module, [bend]))
        self._entries.append(bend)

    def extend(self, entries: Iterable[Entry]) -> None:
        """Adds the bends of another recipe, or of a list of entries."""
        for entry in entries.entries if isinstance(entries, BendingConfig) else entries:
            self.append(entry)

    def __add__(self, other: BendingConfig) -> BendingConfig:
        if not isinstance(other, BendingConfig):
            return NotImplemented
        total = BendingConfig(*self._entries, *other._entries)
        bound = [c for c in (self, other) if c.is_binded]
        if bound and all(c.module is bound[0].module for c in bound):
            total.bind(bound[0].module)
        return total

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BendingConfig) and self._entries == other._entries

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return ((bend.callback, *bend.patterns) for bend in self._entries)

    @overload
    def __getitem__(self, index: int) -> tuple[Any, ...]: ...

    @overload
    def __getitem__(self, index: slice) -> BendingConfig: ...

    def __getitem__(self, index: int | slice) -> tuple[Any, ...] | BendingConfig:
        if isinstance(index, slice):
            return BendingConfig(*self._entries[index])
        bend = self._entries[index]
        return (bend.callback, *bend.patterns)

    def __contains__(self, item: object) -> bool:
        """Whether a callback, an entry, a pattern or a bent site's name is in the recipe."""
        if isinstance(item, BendingCallback):
            return item in self.callbacks
        if isinstance(item, str):
            return any(bend.covers(item) for bend in self._entries)
        if isinstance(item, Bend):
            return item in self._entries
        return item in list(self)

    def op_from_key(self, key: str) -> BendingCallback:
        """The callback at a pattern or at a site's name; several make a chain, in order.

        Raises:
            SiteNotFoundError: nothing in the recipe bends it.
        """
        found = [bend.callback for bend in self._entries if bend.covers(key)]
        if not found:
            raise SiteNotFoundError(
                "nothing in the recipe bends this",
                site=key,
                wanted=", ".join(p for bend in self._entries for p in bend.patterns) or "a pattern",
                got=key,
                next_step="append an entry for it",
            )
        return found[0] if len(found) == 1 else CallbackChain(*found)

    # a model

    @property
    def module(self) -> Any:
        """The bent model that the recipe is bound to, or None."""
        return None if self._module is None else self._module()

    @property
    def is_binded(self) -> bool:
        """Whether the recipe is bound to a bent model."""
        return self.module is not None

    @property
    def binded_fn(self) -> list[str]:
        """The methods of the bound model whose activations the recipe bends."""
        named = [bend.fn for bend in self._entries if bend.fn is not None]
        matched = [key.partition(":")[0] for keys in self._matched.values() for key in keys if ":" in key]
        return list(dict.fromkeys([*named, *matched]))

    def bind(self, module: Any) -> BendingConfig:
        """Remembers ``module``, once each pattern is known to match something in it.

        Args:
            module: a bent model (it has ``bendable_keys(pattern)``).

        Returns:
            the recipe itself.

        Raises:
            RecipeError: a pattern matches nothing, or the recipe is bound to another model.
        """
        if not callable(getattr(module, "bendable_keys", None)):
            raise RecipeError(
                "a recipe binds to a bent model", wanted="a BendedModule", got=type(module).__name__
            )
        if self.is_binded and self.module is not module:
            raise RecipeError(
                "the recipe is bound to another model", next_step="bind a copy: recipe.copy_and_bind(module)"
            )
        self._matched = _matches(module, self._entries)
        self._module = weakref.ref(module)
        return self

    def copy_and_bind(self, module: Any) -> BendingConfig:
        """A copy, with the same callbacks and controls, bound to ``module``."""
        return BendingConfig(*self._entries, module=module)

    def only_matching(self, module: Any) -> BendingConfig:
        """A copy, bound to ``module``, without the patterns that match nothing there; those are logged."""
        kept = []
        for bend in self._entries:
            patterns = tuple(p for p in bend.patterns if _keys(module, bend, p))
            for pattern in set(bend.patterns) - set(patterns):
                logger.warning(
                    "left out of the recipe: %r at %r, which matches nothing", bend.callback, pattern
                )
            if patterns:
                kept.append(Bend(bend.callback, patterns, bend.fn, bend.buffers))
        return BendingConfig(*kept, module=module)

    # a file

    def save(self, path: str | Path) -> Path:
        """Writes the recipe as JSON, and its tensors, if any, as ``.safetensors`` beside it.

        Raises:
            RecipeError: it holds code (a ``Lambda``), or two controls of one name.
        """
        from torchbend.bending.recipe_file import save

        return save(self, path)

    @staticmethod
    def load(
        path: str | Path,
        module: Any = None,
        callbacks: Iterable[type[BendingCallback]] = (),
        strict: bool = True,
    ) -> BendingConfig:
        """Reads a recipe; runs no code from it.

        Args:
            path: of the JSON file.
            module: a bent model to bind to; it has to be the model that the recipe was saved with.
            callbacks: the user's own callback classes in the recipe.
            strict: False: binds to another model too, what matches; the rest is logged.

        Raises:
            RecipeError: the file is broken, names an unknown class, or does not fit the model.
        """
        from torchbend.bending.recipe_file import load

        return load(path, module, callbacks, strict)

    def __getstate__(self) -> dict[str, Any]:
        return {"_entries": self._entries, "_module": None, "_matched": {}}

    def __repr__(self) -> str:
        lines = []
        for bend in self._entries:
            options = f", fn={bend.fn!r}" * (bend.fn is not None) + ", buffers=True" * bend.buffers
            lines.append(f"  ({bend.callback!r}, {', '.join(map(repr, bend.patterns))}{options}),\n")
        return f"BendingConfig({chr(10) if lines else ''}{''.join(lines)})"


def _as_bend(entry: Any, fn: str | None = None, buffers: bool = False) -> Bend:
    if isinstance(entry, Bend):
        return entry
    if not isinstance(entry, Sequence) or isinstance(entry, str) or not entry:
        raise RecipeError(
            "an entry of a recipe is malformed", wanted="(callback, pattern, ...)", got=repr(entry)
        )
    return Bend(entry[0], tuple(entry[1:]), fn, buffers)


def _keys(module: Any, bend: Bend, pattern: str) -> list[str]:
    options: dict[str, Any] = {} if bend.fn is None else {"fn": bend.fn}
    if bend.buffers:
        options["buffers"] = True
    try:
        return list(module.bendable_keys(pattern, **options))
    except (SiteNotFoundError, NotTracedError):
        return []


def _matches(module: Any, bends: Sequence[Bend]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for bend in bends:
        for pattern in bend.patterns:
            keys = _keys(module, bend, pattern)
            if not keys:
                raise RecipeError(
                    "a pattern of the recipe matches nothing in this model",
                    site=pattern,
                    wanted="a weight, a buffer, or an activation of a traced method",
                    got=f"{bend.callback!r} at {pattern!r}",
                    next_step="an activation? trace its method first; see weight_names, activation_names",
                )
            found.setdefault(pattern, []).extend(keys)
    return found
