"""Runs the steps of a check in this process, for files that neither crash nor hang."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.export_check.modules import saved
from torch import nn

from torchbend.export.check import speed
from torchbend.export.check.findings import Finding
from torchbend.export.check.operators import check_graphs
from torchbend.export.check.session import Session
from torchbend.export.check.structure import read_structure
from torchbend.export.check.worker import work


@dataclass
class Outcome:
    """What the steps told, and their results by name."""

    findings: list[Finding] = field(default_factory=list)
    results: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def failures(self) -> list[str]:
        return [f"{f.part}: {f.where}: {f.message}" for f in self.findings if f.level == "failure"]

    def only(self, part: str, said: str) -> Finding:
        """The one failure, which has to be of this part and say this."""
        failures = [f for f in self.findings if f.level == "failure"]
        assert len(failures) == 1, self.failures
        (found,) = failures
        assert found.part == part and said in found.text(), found.text()
        return found


@pytest.fixture
def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """``checked(module, facts)``: what a check of the module's file tells, with blocks of few sizes."""
    monkeypatch.setattr(speed, "SECONDS", 0.0)

    def check(
        module: nn.Module, facts: dict[str, Any] | None = None, blocks: tuple[int, ...] = (64, 256)
    ) -> Outcome:
        structure = read_structure(saved(module, tmp_path / "model.ts", facts))
        events = io.StringIO()
        session = Session(structure.path, events, structure.facts, structure.program, asked=blocks)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            work(session, tmp_path / "references.pt")
        outcome = Outcome(list(structure.findings))
        for line in events.getvalue().splitlines():
            event = json.loads(line)
            if "finding" in event:
                outcome.findings.append(Finding.from_dict(event["finding"]))
            elif "result" in event:
                outcome.results.setdefault(event["result"], []).append(event["value"])
        for schemas in outcome.results.get("operators", []):
            outcome.findings += check_graphs(schemas, structure.program, structure.findings)
        return outcome

    return check
