"""The process that runs a file: ``python -m torchbend.export.check.worker FOLDER``.

The folder holds ``job.json``; findings and results go to ``events.jsonl`` in it, line by line. What the file
itself prints goes to the standard output, which nobody reads but for its last lines after a crash.
"""

from __future__ import annotations

import json
import sys
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from torchbend.export.check.blocks import FAILURES, reason
from torchbend.export.check.comparing import compare
from torchbend.export.check.facts import Facts
from torchbend.export.check.feeding import feed
from torchbend.export.check.findings import failure
from torchbend.export.check.mark import code_files
from torchbend.export.check.program import Program, read_program
from torchbend.export.check.protocol import compiled, read_attributes, read_methods
from torchbend.export.check.session import Session
from torchbend.export.check.setting import set_attributes
from torchbend.export.check.speed import measure
from torchbend.export.check.streams import check_gradients, check_rows, check_state, check_streams

__all__ = ["main", "work"]


def main() -> None:
    """Does the job in the folder that the command names."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    folder = Path(sys.argv[1])
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    with (folder / "events.jsonl").open("a", encoding="utf-8") as events:
        path = Path(job["path"])
        session = Session(
            path, events, Facts.from_dict(job["facts"]), _program(path), job["rates"], tuple(job["blocks"])
        )
        work(session, folder / "references.pt", job["speed"])
        session.result("done", True)


def work(session: Session, references: Path, speed: bool = True) -> None:
    """All steps in turn but those that need what is missing; timings only with ``speed``."""
    torch.manual_seed(0)
    session.step("loading the file")
    try:
        module = session.load()
    except FAILURES as error:
        session.tell(failure("loading", str(session.path), "the file cannot be loaded", got=reason(error)))
        return
    session.step("reading methods and attributes")
    session.methods = read_methods(module, session.tell)
    session.attributes = read_attributes(module, session.tell)
    session.result("methods", [vars(method) for method in session.methods])
    session.result("attributes", [vars(attribute) for attribute in session.attributes])
    check_gradients(session, module)
    session.step("reading operators")
    session.result("operators", _operators(module))
    del module
    session.methods = [method for method in session.methods if method.playable]
    session.choose_sizes()
    if not session.methods or not session.sizes:
        return
    feed(session)
    set_attributes(session)
    check_state(session)
    check_streams(session)
    check_rows(session)
    if references.is_file():
        compare(session, references)
    if speed:
        measure(session)


def _program(path: Path) -> Program:
    with zipfile.ZipFile(path) as archive:
        return read_program({n: data.decode("utf-8", "replace") for n, data in code_files(archive).items()})


def _operators(module: Any) -> dict[str, list[str]]:
    """The methods by the schema of each operator in them, with everything that they call."""
    found: dict[str, set[str]] = {}
    for name in sorted({*dir(module), "forward"}):
        if not compiled(module, name):
            continue
        for schema in _schemas(getattr(module, name).inlined_graph):
            found.setdefault(schema, set()).add(name)
    return {schema: sorted(names) for schema, names in found.items()}


def _schemas(graph: Any) -> Iterator[str]:
    """The schema of each node, in all blocks; nodes of the language itself have none."""
    waiting = [graph]
    while waiting:
        for node in waiting.pop().nodes():
            waiting.extend(node.blocks())
            schema = node.schema()
            if schema != "(no schema)":
                yield schema


if __name__ == "__main__":
    main()
