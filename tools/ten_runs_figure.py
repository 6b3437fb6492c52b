"""Draw docs/figures/ten_runs.svg: what ``torchbend rave plot`` makes of ten runs, which are invented.

Usage: python tools/ten_runs_figure.py
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from click.testing import CliRunner
from typer.main import get_command

from torchbend.cli.main import app
from torchbend.errors import TrainingError

FIGURE = Path(__file__).resolve().parents[1] / "docs" / "figures" / "ten_runs.svg"
LINE = 10_000
"""Steps between two lines of a log."""


class Run(NamedTuple):
    """A run that could have been.

    Attributes:
        name: of its folder.
        steps: done.
        change: steps of its first phase.
        floor: the distance to which it falls.
    """

    name: str
    steps: int
    change: int
    floor: float


RUNS = (
    *(
        Run(f"{k:02}_{what}", 2_000_000 + 130_000 * k, 1_000_000, 3.1 + 0.22 * k)
        for k, what in enumerate(
            ("birds", "bells", "voices", "rain", "strings", "drums", "engines", "sax"), start=1
        )
    ),
    Run("09_sax_augmented", 1_400_000, 1_000_000, 2.7),
    Run("10_sax_long_warmup", 6_000_000, 3_000_000, 2.4),
)
"""Eight short ones, one that is under way, one with a long first phase."""


def lines(run: Run, number: int) -> list[str]:
    """The log of a run: the distance falls, jumps where phase 2 begins, and falls again."""
    rng = np.random.default_rng(number)
    steps = np.arange(LINE, run.steps + 1, LINE)
    since = np.where(steps > run.change, steps - run.change, 0)
    fall = run.floor + 4 * np.exp(-steps / 250_000) + 0.6 * np.exp(-steps / 1_500_000)
    jump = np.where(since > 0, 0.9 * np.exp(-since / 600_000), 0)
    distances = (fall + jump) * (1 + 0.02 * rng.standard_normal(len(steps)))
    return [
        json.dumps(
            {
                "step": int(step),
                "epoch": int(step // 2000),
                "phase": 1 + bool(step > run.change),
                "seconds": float(step) * 0.1,
                "fullband_spectral_distance": round(float(distance), 4),
            }
        )
        for step, distance in zip(steps, distances, strict=True)
    ]


def drawn() -> str:
    """The figure, by the command itself.

    Raises:
        TrainingError: the command failed.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, run in enumerate(RUNS):
            place = folder / run.name
            place.mkdir()
            (place / "records.jsonl").write_text("\n".join([*lines(run, number), ""]), encoding="utf-8")
        out = folder / "ten_runs.svg"
        words = ["rave", "plot", str(folder), "--out", str(out), "--smooth", "60000"]
        result = CliRunner().invoke(get_command(app), words)
        if result.exit_code:
            raise TrainingError("the figure was not drawn", got=result.output)
        written = out.read_text(encoding="utf-8").splitlines(keepends=True)
        return "".join(line for line in written if "<dc:date>" not in line)


def main() -> None:
    """Write the figure."""
    FIGURE.write_text(drawn(), encoding="utf-8")
    sys.stdout.write(f"wrote {FIGURE}\n")


if __name__ == "__main__":
    main()
