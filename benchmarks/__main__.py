"""``python -m benchmarks``: measure everything, and write the page."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from benchmarks.activations import early_activations
from benchmarks.capture import captures
from benchmarks.controls import streaming
from benchmarks.corpus import corpora
from benchmarks.exports import exports
from benchmarks.forward import activations, weights
from benchmarks.generation import generation
from benchmarks.harness import Section, Settings
from benchmarks.imports import imports
from benchmarks.large import large
from benchmarks.machine import Before, describe
from benchmarks.memory import memory
from benchmarks.page import page
from benchmarks.peers import compared
from benchmarks.rave import loading, offline, streams
from benchmarks.reference import references
from benchmarks.training import training

__all__ = ["SECTIONS", "measure", "main"]

SECTIONS: dict[str, Callable[[Settings], Section]] = {
    "weights": weights,
    "outputs": activations,
    "early": early_activations,
    "capture": captures,
    "controls": streaming,
    "imports": imports,
    "rave_streams": streams,
    "rave_offline": offline,
    "rave_loading": loading,
    "corpus": corpora,
    "rave_training": training,
    "rave_exports": exports,
    "generation": generation,
}
_PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def measure(settings: Settings, only: Sequence[str] = ()) -> str:
    """The page; ``only`` names sections, by default all of them, both memories and the peers."""
    torch.set_num_threads(1)
    before, ruler = Before(), references(settings)
    sections = []
    for name, section in SECTIONS.items():
        if not only or name in only:
            print(f"measuring: {name}", file=sys.stderr, flush=True)
            sections.append(section(settings))
    held = memory(settings) if not only or "memory" in only else None
    whole = large(settings) if not only or "large" in only else None
    others = compared(settings) if settings.peers and (not only or "peers" in only) else {}
    return page(describe(before), ruler, sections, held, others, whole)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, measure, write or print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds; printed, not written")
    parser.add_argument("--out", type=Path, help=f"where to write the page (default: docs/{_PAGE.name})")
    known = [*SECTIONS, "memory", "large", "peers"]
    parser.add_argument("--only", nargs="+", choices=known, default=[], help="some sections only; printed")
    given = parser.parse_args(arguments)
    settings = Settings(rounds=20, short_rounds=500, peers=False) if given.quick else Settings()
    if "peers" in given.only:
        settings = Settings(settings.rounds, settings.short_rounds, peers=True)
    text = measure(settings, given.only)
    target = given.out or (None if given.quick or given.only else _PAGE)
    if target is None:
        print(text)
    else:
        target.write_text(text, encoding="utf-8")
        print(f"wrote {target}")


if __name__ == "__main__":
    main()
