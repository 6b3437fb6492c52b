"""Runs a file in a process of its own, which may crash or hang without harm to this one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from torchbend.export.check.findings import Finding, failure
from torchbend.export.check.structure import Structure

__all__ = ["TIMEOUT", "run_worker"]

TIMEOUT = 120.0
"""Seconds without any sign of life after which a process counts as hanging."""

START = 60.0
"""Seconds that Python and torch may take to start, however short the timeout is."""

_POLL = 0.02
_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def run_worker(
    structure: Structure,
    rates: Sequence[int],
    blocks: Sequence[int],
    compare: Mapping[str, tuple[Any, Any]] | None,
    timeout: float,
    speed: bool = True,
) -> tuple[list[Finding], list[tuple[str, Any]]]:
    """Plays a file in a fresh process on one thread.

    Args:
        structure: the file.
        rates: of the host, in Hz.
        blocks: sizes of blocks; none for all.
        compare: inputs and outputs by method.
        timeout: seconds without a sign of life.
        speed: time the blocks.

    Returns:
        What it found, and its results by name, in order.
    """
    with tempfile.TemporaryDirectory(prefix="torchbend-check-") as name:
        folder = Path(name)
        job = {
            "path": str(structure.path.resolve()),
            "facts": structure.facts.to_dict(),
            "rates": list(rates),
            "blocks": list(blocks),
            "speed": speed,
        }
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        if compare:
            _write_references(folder / "references.pt", compare)
        with (folder / "said").open("w+", encoding="utf-8", errors="replace") as said:
            status = _run(folder, said, timeout)
            said.seek(0)
            last_lines = said.read()[-2000:].strip().splitlines()[-3:]
        findings, results, step = _events(folder / "events.jsonl")
    if ("done", True) not in results:
        findings.append(_ended(status, step, timeout, last_lines))
    return findings, results


def _run(folder: Path, said: IO[str], timeout: float) -> int | None:
    """The status of the process; None where it was ended because it hung."""
    # An empty folder to run in, and only installed modules: nothing that lies beside the file is imported.
    environment = {**os.environ, **dict.fromkeys(_ONE_THREAD, "1"), "PYTHONSAFEPATH": "1", "PYTHONUTF8": "1"}
    empty = folder / "empty"
    empty.mkdir()
    command = [sys.executable, "-m", "torchbend.export.check.worker", str(folder)]
    process = subprocess.Popen(
        command,
        cwd=empty,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=said,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    events, seen, since = folder / "events.jsonl", -1, time.monotonic()
    try:
        while process.poll() is None:
            size = events.stat().st_size if events.exists() else 0
            if size != seen:
                seen, since = size, time.monotonic()
            elif time.monotonic() - since > (timeout if size else max(timeout, START)):
                return None
            time.sleep(_POLL)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return process.returncode


def _write_references(path: Path, compare: Mapping[str, tuple[Any, Any]]) -> None:
    """One tensor or several blocks for each side."""
    import torch

    def blocks(value: Any) -> list[Any]:
        parts = [value] if isinstance(value, torch.Tensor) else list(value)
        return [part.detach().cpu().contiguous() for part in parts]

    torch.save({name: [blocks(x), blocks(y)] for name, (x, y) in compare.items()}, path)


def _events(path: Path) -> tuple[list[Finding], list[tuple[str, Any]], str]:
    """Findings, results, and the last step that was begun."""
    findings, results, step = [], [], "starting Python"
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    for line in text.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue  # the line at which the process died
        step = event.get("step", step)
        if "finding" in event:
            findings.append(Finding.from_dict(event["finding"]))
        if "result" in event:
            results.append((event["result"], event["value"]))
    return findings, results, step


def _ended(status: int | None, step: str, timeout: float, last_lines: Sequence[str]) -> Finding:
    said = " | ".join(line.strip() for line in last_lines)
    if status is None:
        return failure(
            "process",
            step,
            "the file hangs",
            f"a sign of life within {timeout:g} s",
            said,
            "a host would stand still too; give --timeout where the file is only slow",
        )
    if status < 0:
        names = {number.value: number.name for number in signal.Signals}
        return failure(
            "process",
            step,
            "the file crashes the process that runs it: it would end the host",
            got=f"{names.get(-status, f'signal {-status}')}{': ' * bool(said)}{said}",
        )
    return failure("process", step, "the process ended before the check did", got=f"status {status}: {said}")
