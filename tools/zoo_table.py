"""Run every architecture of tests/zoo through the checks of its tests, and write docs/zoo.md from it.

Usage: python tools/zoo_table.py [names ...]; with names, only these are run and the table is printed.
"""

from __future__ import annotations

import importlib.metadata
import logging
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402  the tests are found from the root of the project
from tests.zoo import test_zoo as checks  # noqa: E402
from tests.zoo.compare import call, same  # noqa: E402
from tests.zoo.definition import Entry  # noqa: E402

from torchbend.errors import TorchbendError  # noqa: E402

PAGE = ROOT / "docs" / "zoo.md"
INTRODUCTION = """# The zoo

Architectures that every change of torchbend is tested on, each small, and with random weights. This page is
written by `python tools/zoo_table.py`, which runs what `make test` runs. Why some graphs refuse another input
is told in [tracing](tracing.md#flow-steps-what-a-graph-takes-for-granted).

| column | what was done |
|---|---|
| parameters, nodes, activations | of the model, of its graph; activations that have a name and can be bent |
| replay | the captured graph, with the traced input, against the model: equal bit for bit |
| other input | the graph with another length, size or batch: equal, or refused with the reason |
| weight bent | one weight near the middle, against a model that was edited by hand: equal bit for bit |
| activation bent | one activation near the middle, against the graph edited by hand: equal bit for bit |

The bent model itself takes the other input in any case. After each bend, `reset()` gave back the plain
output, bit for bit. *At its own place*: the values decide the way through the code, so that the graph is no
reference; the bent activation is then compared with the callback's result.
"""


@dataclass
class Row:
    """What happened to one architecture."""

    name: str
    method: str
    parameters: int
    nodes: int
    activations: int
    replay: str
    other: str
    weight: str
    activation: str

    def line(self) -> str:
        """The row of the table."""
        name = self.name if self.method == "forward" else f"{self.name} (`{self.method}`)"
        counts = f"{self.parameters:,} | {self.nodes:,} | {self.activations:,}"
        return f"| {name} | {counts} | {self.replay} | {self.other} | {self.weight} | {self.activation} |"


def outcome(check: Callable[[Entry], None], entry: Entry) -> str:
    """``"equal"``, or how the check failed."""
    try:
        check(entry)
    except (AssertionError, TorchbendError, RuntimeError) as error:
        lines = str(error).splitlines()
        return f"**differs**: {lines[0] if lines else type(error).__name__}"
    return "equal"


def replay(entry: Entry) -> tuple[str, str]:
    """How the replay went with the traced input, and with another one."""
    model, bended, plain = checks.traced(entry.name)
    capture = bended._captures[entry.method]
    traced = same(checks.replayed(entry, model, capture, entry.inputs()), plain)
    if entry.other_inputs is None:
        return ("equal" if traced else "**differs**"), "-"
    try:
        got = checks.replayed(entry, model, capture, entry.other_inputs())
        other = "equal" if same(got, call(entry, model, entry.other_inputs())) else "**differs**"
    except TorchbendError:
        other = f"refused: {checks.REFUSED.get(entry.name, '**not expected**')}"
    return ("equal" if traced else "**differs**"), other


def measured(entry: Entry) -> Row:
    """Run one architecture through all of it."""
    model, bended, _ = checks.traced(entry.name)
    capture = bended._captures[entry.method]
    first, second = replay(entry)
    activation = outcome(checks.test_a_bent_activation_has_exactly_the_callbacks_effect, entry)
    if activation == "equal" and entry.name in checks.DECIDED_BY_VALUES:
        activation = "equal, at its own place"
    row = Row(
        entry.name,
        entry.method,
        sum(p.numel() for p in model.parameters()),
        len(capture.graph.nodes),
        len(capture.activations),
        first,
        second,
        outcome(checks.test_a_bent_weight_has_exactly_the_callbacks_effect, entry),
        activation,
    )
    checks.traced.cache_clear()
    return row


def page(rows: dict[str, list[Row]]) -> str:
    """The whole page."""
    every = [row for family in rows.values() for row in family]
    versions = ", ".join(
        f"{n} {importlib.metadata.version(n)}" for n in ("torch", "transformers", "diffusers")
    )
    parts = [INTRODUCTION]
    parts.append(
        f"{len(every)} architectures, {sum(row.nodes for row in every):,} nodes. With another input, "
        f"{sum(row.other == 'equal' for row in every)} graphs answer as the model does and "
        f"{sum(row.other.startswith('refused') for row in every)} refuse. {versions}.\n"
    )
    for family, members in rows.items():
        parts.append(f"## {family.capitalize()}\n")
        parts.append(
            "| architecture | parameters | nodes | activations | replay | other input | weight bent | "
            "activation bent |\n|---|--:|--:|--:|---|---|---|---|"
        )
        parts.extend(row.line() for row in members)
        parts.append("")
    return "\n".join(parts)


def main(names: Sequence[str]) -> int:
    """Run all, or the named ones; the exit code is 1 if something differs."""
    logging.getLogger("torchbend").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    rows: dict[str, list[Row]] = {}
    for entry in checks.ZOO:
        if not names or entry.name in names:
            rows.setdefault(entry.family, []).append(measured(entry))
            print(rows[entry.family][-1].line(), flush=True)
    text = page(rows)
    if not names:
        PAGE.write_text(text, encoding="utf-8")
    return int("**" in text.replace(INTRODUCTION, ""))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
