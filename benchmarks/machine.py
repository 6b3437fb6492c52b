"""Where and when something was measured."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import torch

__all__ = ["Before", "describe"]

_ROOT = Path(__file__).parent.parent


def _load() -> str:
    """The load averages over 1, 5 and 15 minutes."""
    if not hasattr(os, "getloadavg"):
        return "unknown"
    return ", ".join(f"{value:.2f}" for value in os.getloadavg())


@dataclass(frozen=True)
class Before:
    """What is noted before the first measurement: the code that is measured may change meanwhile."""

    load: str = field(default_factory=_load)
    commit: str = field(default_factory=lambda: _commit())


def describe(before: Before) -> dict[str, str]:
    """What a reader needs to judge the numbers, in the order of the page."""
    after = _commit()
    commit = before.commit if after == before.commit else f"{before.commit} at first, {after} at the end"
    return {
        "Date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "Commit": commit,
        "Processor": _processor(),
        "Cores": str(os.cpu_count()),
        "Threads of torch": str(torch.get_num_threads()),
        "Load average (1, 5, 15 minutes) before": before.load,
        "Load average after": _load(),
        "System": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "torch": torch.__version__,
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or "unknown"
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _commit() -> str:
    command = ["git", "rev-parse", "--short=12", "HEAD"]
    try:
        answer = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    changed = ["git", "status", "--porcelain", "--untracked-files=no", "--", "src"]
    if answer.returncode:
        return "unknown"
    dirty = subprocess.run(changed, cwd=_ROOT, capture_output=True, text=True, check=False).stdout.strip()
    return answer.stdout.strip() + (" and changes on top" if dirty else "")
