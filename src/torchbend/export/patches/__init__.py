"""Patches for Pure Data and Max, ready to open, beside an exported file.

Both play every method of the file and have a knob for every attribute. A patch that was changed by hand is
never written over.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from torchbend.bending.engine import Engine
from torchbend.display.atomic import write_text
from torchbend.errors import ExportError
from torchbend.export.patches.maxpat import as_max
from torchbend.export.patches.pd import as_pd
from torchbend.export.patches.stage import Knob, Stage, stage_patch
from torchbend.export.play import Played

__all__ = ["Knob", "Stage", "patch_texts", "stage_of", "write_patches"]

logger = logging.getLogger(__name__)

_MARK = "(????????????)"


def write_patches(path: Path, stage: Stage) -> list[Path]:
    """Write ``<name>.pd`` and ``<name>.maxpat`` beside an exported file.

    Args:
        path: of the exported file.
        stage: what the file holds.

    Returns:
        The patches that were written; one that was changed by hand is left as it is, and a warning tells so.

    Raises:
        ExportError: the place cannot be written.
    """
    try:
        return _write(path, stage)
    except OSError as error:
        raise ExportError(
            "the patches cannot be written",
            site=str(path),
            got=str(error),
            next_step="patches=False leaves them out",
        ) from error


def _write(path: Path, stage: Stage) -> list[Path]:
    written = []
    for suffix, text in patch_texts(stage).items():
        target = path.with_suffix(suffix)
        if target.exists() and not _as_written(target):
            logger.warning("%s was changed by hand: it is kept, and no new one is written", target)
            continue
        write_text(target, text)
        written.append(target)
    return written


def stage_of(
    engine: Engine,
    name: str,
    methods: Mapping[str, Played],
    switches: Collection[str] = (),
    sample_rate: int | None = None,
    max_batch: int | None = None,
    seed: int | None = None,
) -> Stage:
    """What an exported file holds, for its patches.

    Args:
        engine: of the bent model.
        name: of the file, without its suffix.
        methods: the methods in it.
        switches: its attributes that are no controls, each a bool.
        sample_rate: of the host, in Hz.
        max_batch: signals that its state holds at once.
        seed: of its random numbers, where it has an attribute for that.
    """
    knobs = [Knob(c.name, c.type.__name__, c.value, *c.range) for c in engine.controls]
    knobs += [Knob(switch, "bool", 0.0) for switch in switches]
    knobs += [] if seed is None else [Knob("seed", "int", seed, 0)]
    return Stage(name, {n: m.about for n, m in methods.items()}, tuple(knobs), sample_rate, max_batch)


def patch_texts(stage: Stage) -> Mapping[str, str]:
    """The patches as texts, by the suffix of their files."""
    note = f"made by torchbend {_MARK}. Save changes under another name."
    return {
        ".pd": _marked(as_pd(stage_patch(stage, "pd", note))),
        ".maxpat": _marked(as_max(stage_patch(stage, "max", note))),
    }


def _marked(text: str) -> str:
    """With a hash of the text in the place of the mark."""
    return text.replace(_MARK, f"({_hash(text)})")


def _as_written(path: Path) -> bool:
    """Whether a patch is as it was written, so that nothing is lost when it is written anew."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return False
    found = re.search(r"made by torchbend \(([0-9a-f]{12})\)", text)
    return found is not None and _hash(text.replace(f"({found[1]})", _MARK)) == found[1]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
