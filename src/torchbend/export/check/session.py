"""What the steps of a check share, in the process that runs the file."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import torch

from torchbend.export.check.blocks import FAILURES, Method
from torchbend.export.check.facts import Facts
from torchbend.export.check.findings import Finding
from torchbend.export.check.program import Program
from torchbend.export.check.protocol import Attribute, compiled

__all__ = ["LARGEST_BLOCK", "SMALLEST_BLOCK", "Session"]

SMALLEST_BLOCK = 64
"""The block of Pure Data."""

LARGEST_BLOCK = 8192


@dataclass
class Session:
    """A file under check, and the line to the process that asked for it.

    Attributes:
        path: of the file.
        events: where each step, finding and result is written at once, so that a crash loses none.
        facts: what the file says of itself.
        program: its text.
        rates: of the host, in Hz.
        sizes: of the blocks in samples; filled in when the methods are known.
        asked: sizes that were asked for instead of all.
        methods, attributes: filled in when they are known.
        unplayed: the file, read once, of which copies are played.
    """

    path: Path
    events: IO[str]
    facts: Facts
    program: Program
    rates: Sequence[int] = (44100, 48000)
    asked: Sequence[int] = ()
    sizes: list[int] = field(default_factory=list)
    methods: list[Method] = field(default_factory=list)
    attributes: list[Attribute] = field(default_factory=list)
    unplayed: Any = None

    def step(self, what: str) -> None:
        """Says what is done next: the last word of a process that dies."""
        self._write({"step": what})

    def tell(self, finding: Finding) -> None:
        """Hands over a finding."""
        self._write({"finding": finding.to_dict()})

    def result(self, name: str, value: Any) -> None:
        """Hands over a result."""
        self._write({"result": name, "value": value})

    def fresh(self) -> Any:
        """The file, read anew, and asked for its methods as nn~ does then."""
        module: Any = torch.jit.load(str(self.path), map_location="cpu").eval()  # type: ignore[no-untyped-call]
        if compiled(module, "get_methods"):
            with contextlib.suppress(*FAILURES):  # told where methods are read
                module.get_methods()
        return module

    def load(self) -> Any:
        """The file as it is after loading: a copy, which is fast from the first block on."""
        if self.unplayed is None:
            self.unplayed = self.fresh()
        try:
            return copy.deepcopy(self.unplayed)
        except FAILURES:  # it holds what cannot be copied
            return self.fresh()

    @property
    def smallest(self) -> int:
        """The least block that the host can use: the largest ratio of all methods, and no less than 64."""
        return max([SMALLEST_BLOCK, *(r for m in self.methods for r in (m.in_ratio, m.out_ratio))])

    def choose_sizes(self) -> None:
        """All powers of two from the least to 8192, or those that were asked for and can be had."""
        every = [1 << k for k in range(6, 20)]
        within = [n for n in every if self.smallest <= n <= max(LARGEST_BLOCK, self.smallest)]
        self.sizes = [n for n in self.asked if n >= self.smallest] if self.asked else within

    def _write(self, event: dict[str, Any]) -> None:
        self.events.write(json.dumps(event) + "\n")
        self.events.flush()
