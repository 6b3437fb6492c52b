"""Executes the notebooks of docs/notebooks in copies, once; the documentation site shows the copies.

Usage: python tools/site_notebooks.py [--jobs N]

The copies lie in build/notebooks, each in a folder of its own. A copy that is newer than its notebook and
than the package is left as it is. nbmake runs the others: a cell that raises is a failed test, and the
status is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "docs" / "notebooks"
EXECUTED = ROOT / "build" / "notebooks"


def copy_of(notebook: Path) -> Path:
    """Where the executed copy of a notebook lies."""
    return EXECUTED / notebook.stem / notebook.name


def changed() -> float:
    """When the package changed last, in seconds since 1970."""
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "src").rglob("*.safetensors")]
    return max(file.stat().st_mtime for file in files)


def out_of_date(package: float) -> list[Path]:
    """The notebooks without a copy that is newer than they and the package.

    Args:
        package: when it changed last.
    """
    wanted = []
    for notebook in sorted(NOTEBOOKS.glob("*.ipynb")):
        done = copy_of(notebook)
        if not done.exists() or done.stat().st_mtime < max(package, notebook.stat().st_mtime):
            wanted.append(notebook)
    return wanted


def execute(notebooks: list[Path], jobs: str) -> int:
    """Runs copies of notebooks; a copy whose run fails counts as not run.

    Args:
        notebooks: to run.
        jobs: processes side by side, as pytest-xdist takes it.

    Returns:
        The status of pytest: 0 when every cell ran.
    """
    began = []
    for notebook in notebooks:
        copy = copy_of(notebook)
        shutil.rmtree(copy.parent, ignore_errors=True)
        copy.parent.mkdir(parents=True)
        shutil.copyfile(notebook, copy)
        os.utime(copy, (0, 0))  # until it has run
        began.append(copy)
    # Figures as data, not as a program of megabytes in each cell.
    environment = {
        **os.environ,
        "PLOTLY_RENDERER": "plotly_mimetype",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    command = [sys.executable, "-m", "pytest", "--nbmake", "--overwrite", "--nbmake-timeout=300", "-q"]
    command += ["--numprocesses", jobs, "--dist", "loadfile", "--durations=0"]
    status = subprocess.run([*command, *map(str, began)], cwd=ROOT, env=environment, check=False).returncode
    for copy in began:
        if failed(copy):
            os.utime(copy, (0, 0))  # to look at, and to be run again
    return status


def failed(copy: Path) -> bool:
    """Whether a cell of an executed notebook raised what it was not meant to."""
    return any(
        output["output_type"] == "error" and "raises-exception" not in cell["metadata"].get("tags", [])
        for cell in json.loads(copy.read_text(encoding="utf-8"))["cells"]
        for output in cell.get("outputs", [])
    )


def main() -> int:
    """Executes what is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", default="auto", help="processes side by side")
    jobs = parser.parse_args().jobs
    notebooks = out_of_date(changed())
    print(f"{len(notebooks)} notebook(s) to execute")
    return execute(notebooks, jobs) if notebooks else 0


if __name__ == "__main__":
    sys.exit(main())
