"""The whole check: outside first, then, if it may be run, inside."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from torchbend.errors import ExportError
from torchbend.export.check.findings import failure
from torchbend.export.check.judging import judge
from torchbend.export.check.operators import check_graphs, name_methods
from torchbend.export.check.process import TIMEOUT, run_worker
from torchbend.export.check.report import Report, timing
from torchbend.export.check.structure import Structure, read_structure

__all__ = ["RATES", "check", "check_structure"]

RATES = (44100, 48000)


def check(
    path: str | os.PathLike[str],
    trust: bool = False,
    *,
    rates: Sequence[int] = RATES,
    blocks: Sequence[int] = (),
    compare: Mapping[str, tuple[Any, Any]] | None = None,
    timeout: float = TIMEOUT,
    speed: bool = True,
) -> Report:
    """Plays an exported file as nn~ would, without nn~, and tells what would go wrong on stage.

    The file's structure is read first, without running anything. Its code runs in a process of its own, on
    one thread, and only when this project wrote it or ``trust`` says so. The mark that tells so is no
    signature.

    Args:
        path: of a TorchScript file, as ``model.ts``.
        trust: run code that this project did not write.
        rates: of the host, in Hz.
        blocks: sizes in samples, powers of two; by default all from the least that the file allows to 8192.
        compare: by method, what it was given, and what the live model returned: ``{"forward": (x, y)}``,
            tensors ``[batch, channels, samples]``, or lists of such blocks that are played in order.
        timeout: seconds without a sign of life after which the file counts as hanging.
        speed: time the blocks.

    Raises:
        ExportError: there is no such file, its code is foreign and ``trust`` is False, or an argument is
            wrong.
    """
    _refuse_arguments(rates, blocks, timeout)
    structure = read_structure(path)
    if structure.readable and not structure.ours and not trust:
        raise ExportError(
            "this file holds code that torchbend did not write; it has only been looked at from outside",
            site=str(path),
            wanted="a file with the mark of torchbend",
            got=structure.why_not,
            next_step="where you trust whoever made it: check(path, trust=True), or torchbend check --trust",
        )
    return check_structure(
        structure, rates=rates, blocks=blocks, compare=compare, timeout=timeout, speed=speed
    )


def check_structure(
    structure: Structure,
    *,
    rates: Sequence[int] = RATES,
    blocks: Sequence[int] = (),
    compare: Mapping[str, tuple[Any, Any]] | None = None,
    timeout: float = TIMEOUT,
    speed: bool = True,
) -> Report:
    """The second half of `check`: runs the code of a file that was looked at, whoever wrote it."""
    report = Report(str(structure.path), structure.to_dict(), structure.facts.to_dict())
    report.findings += structure.findings
    if not structure.readable:
        return report
    found, results = run_worker(structure, rates, blocks, compare, timeout, speed)
    by_name = dict(results)
    for name, value in results:
        report.take(name, value)
        if name == "timing":
            report.timings.append(timing(value, rates, structure.facts.delays))
    schemas = by_name.get("operators", {})
    report.findings += check_graphs(schemas, structure.program, structure.findings)
    report.findings = name_methods(report.findings, _methods_by_operator(schemas))
    report.findings += [*found, *judge(report.timings, rates)]
    if blocks and report.methods and not (report.timings if speed else report.state) and report.ok:
        report.findings.append(
            failure("blocks", "the file", "no block of these sizes can be played", got=blocks)
        )
    return report


def _methods_by_operator(schemas: Mapping[str, Sequence[str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for text, methods in schemas.items():
        found.setdefault(text.partition("(")[0].partition(".")[0], set()).update(methods)
    return found


def _refuse_arguments(rates: Sequence[int], blocks: Sequence[int], timeout: float) -> None:
    """Says no to what cannot be meant.

    Raises:
        ExportError: which argument, and why.
    """
    if not rates or min(rates) < 1:
        raise ExportError(
            "a sample rate is a positive number", site="rates", wanted="as (44100, 48000)", got=rates
        )
    wrong = [n for n in blocks if n < 64 or n & (n - 1)]
    if wrong:
        raise ExportError(
            "blocks of a host are powers of two", site="blocks", wanted="64, 128, 256, ...", got=wrong
        )
    if not timeout > 0:
        raise ExportError("the timeout is a positive number", site="timeout", wanted="seconds", got=timeout)
