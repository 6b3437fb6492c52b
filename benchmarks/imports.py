"""What `import torchbend` takes beyond `import torch`: fresh processes, in turns."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.harness import AGAIN, PLAIN, Bar, Row, Section, Settings, Timings

__all__ = ["imports"]

_IMPORT = Bar("torch + 0.25 s", extra=0.25)
_RAVE = Bar("torch + 0.5 s", extra=0.5)
_TORCH = "import torch"
_STATEMENTS = {
    PLAIN: _TORCH,
    "torchbend": "import torch, torchbend",
    "core": "import torch, torchbend; torchbend.BendedModule; torchbend.Scale",
    "rave": "import torch; from torchbend import rave; rave.load, rave.RAVE",
    AGAIN: _TORCH,
}
_ROWS = (
    ("torchbend", "`import torchbend`", _IMPORT),
    ("core", "the same, `BendedModule` in use", _IMPORT),
    ("rave", "`from torchbend import rave`, in use", _RAVE),
)
_CODE = """
import time
begin = time.perf_counter()
{statement}
print(time.perf_counter() - begin)
"""


def imports(settings: Settings) -> Section:
    """`import torchbend`, and the same with its core in use (names are imported at first use)."""
    rounds = 1 if settings.tiny else max(settings.rounds // 2, 5)
    seconds: dict[str, list[float]] = {name: [] for name in _STATEMENTS}
    _seconds(_STATEMENTS["core"])  # fills the file system's cache
    for _ in range(rounds):
        for name, statement in _STATEMENTS.items():
            seconds[name].append(_seconds(statement))
    rows = []
    for name, what, bar in _ROWS:
        alone = Timings({n: seconds[n] for n in (PLAIN, AGAIN, name)})
        rows.append(Row.of(what, alone, name, bar))
    text = f"Medians of {rounds} fresh processes each, in turns; *plain* is `import torch`."
    return Section("`import torchbend` beyond `import torch`", text, rows)


def _seconds(statement: str) -> float:
    command = [sys.executable, "-c", _CODE.format(statement=statement)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
