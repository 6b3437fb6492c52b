"""What a check found: failures, warnings, methods, attributes, and what a block costs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from torchbend.export.check.findings import Finding

__all__ = ["Report", "Timing", "timing"]


@dataclass(frozen=True)
class Timing:
    """What blocks of one size cost, on one thread.

    Attributes:
        method: its name.
        block: in samples.
        median_ms, worst_ms: milliseconds for a block, from the tenth on.
        first_ms, second_ms, tenth_ms: of the first blocks after the file was loaded.
        cpu_ms: processor time for a block.
        blocks: how many were timed.
        real_time: by sample rate in Hz, the time that a block takes over the time that it lasts; below 1, the
            file keeps up.
        real_time_worst: the same for the worst block.
        cpu: by sample rate, the share of one processor, in percent.
        latency_ms: by sample rate: the host's buffer (two blocks less 64 samples, as Pure Data has it with a
            thread) and the file's own delay, where it tells one.
    """

    method: str
    block: int
    median_ms: float
    worst_ms: float
    first_ms: float
    second_ms: float
    tenth_ms: float
    cpu_ms: float
    blocks: int
    real_time: dict[int, float] = field(default_factory=dict)
    real_time_worst: dict[int, float] = field(default_factory=dict)
    cpu: dict[int, float] = field(default_factory=dict)
    latency_ms: dict[int, float] = field(default_factory=dict)


@dataclass
class Report:
    """The outcome of a check.

    Attributes:
        path: of the file.
        structure: what it is made of, as plain data.
        facts: what it says of itself, as plain data.
        findings: all failures and warnings.
        methods: name, channels and ratios of each.
        attributes: name and types of each.
        state: by method, the names of what it keeps, and how many numbers that is.
        random: the methods that draw random numbers; their streams are not compared.
        differences: by method, the largest difference from what was given to compare.
        timings: what blocks cost.
    """

    path: str
    structure: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    methods: list[dict[str, Any]] = field(default_factory=list)
    attributes: list[dict[str, Any]] = field(default_factory=list)
    state: dict[str, dict[str, Any]] = field(default_factory=dict)
    random: list[str] = field(default_factory=list)
    differences: dict[str, float] = field(default_factory=dict)
    timings: list[Timing] = field(default_factory=list)

    @property
    def failures(self) -> list[Finding]:
        """What keeps the file off the stage."""
        return [finding for finding in self.findings if finding.level == "failure"]

    @property
    def warnings(self) -> list[Finding]:
        """What one can live with."""
        return [finding for finding in self.findings if finding.level == "warning"]

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failures

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data."""
        return {"ok": self.ok, **asdict(self)}

    def json(self) -> str:
        """The report as JSON."""
        return json.dumps(self.to_dict(), indent=1, default=str)

    def take(self, name: str, value: Any) -> None:
        """Keeps a result of the process that ran the file."""
        if name == "methods":
            self.methods = list(value)
        elif name == "attributes":
            self.attributes = list(value)
        elif name == "state":
            self.state[value["method"]] = {"names": value["names"], "numbers": value["numbers"]}
        elif name == "random" and value["random"]:
            self.random.append(value["method"])
        elif name == "comparison":
            self.differences[value["method"]] = value["difference"]

    def __str__(self) -> str:
        counts = f"{len(self.failures)} failure(s), {len(self.warnings)} warning(s)"
        return "\n".join([f"{self.path}: {counts}", *(finding.text() for finding in self.findings)])


def timing(value: Mapping[str, Any], rates: Sequence[int], delays: Mapping[str, float]) -> Timing:
    """What a block costs, with what follows from it at each rate.

    Args:
        value: what was measured.
        rates: of the host, in Hz.
        delays: of the file by method, in samples.
    """
    block, delay = value["block"], delays.get(value["method"], 0.0)
    lasts = {rate: 1e3 * block / rate for rate in rates}
    return Timing(
        **value,
        real_time={rate: value["median_ms"] / ms for rate, ms in lasts.items()},
        real_time_worst={rate: value["worst_ms"] / ms for rate, ms in lasts.items()},
        cpu={rate: 100 * value["cpu_ms"] / ms for rate, ms in lasts.items()},
        latency_ms={rate: 1e3 * (2 * block - 64 + delay) / rate for rate in rates},
    )
