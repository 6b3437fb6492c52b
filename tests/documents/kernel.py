"""Run a document's cells in a Jupyter kernel of its own, without a network."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from .outputs import Cell

STAND_INS = Path(__file__).resolve().parents[1] / "stand_ins"
PATIENCE_S = 300
"""For one cell: a busy machine is no failure."""


class Executed:
    """A document after its run.

    Attributes:
        cells: the document's cells, with what each showed.
        variables: what the document's variables held at its end, those that were asked for.
        asked: what the kernel asked of the network; it got nothing.
        notebook: the notebook with all outputs.
    """

    def __init__(self, notebook: Any, count: int, folder: Path) -> None:
        self.notebook = notebook
        self.cells = [Cell(cell) for cell in notebook.cells[:count]]
        self.variables: dict[str, Any] = torch.load(folder / "variables.pt", weights_only=False)
        asked = folder / "asked.txt"
        self.asked = asked.read_text().splitlines() if asked.exists() else []


def execute(cells: Sequence[str], wanted: Sequence[str] = (), after: Sequence[str] = ()) -> Executed:
    """Run cells unchanged, one after the other, in a new kernel.

    Args:
        cells: the document's code.
        wanted: expressions of the document's variables, read when all cells have run.
        after: further cells of the test's own, run behind the document's; their outputs come last.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    nbformat = pytest.importorskip("nbformat")
    with tempfile.TemporaryDirectory(prefix="kernel") as name, _surroundings(Path(name)):
        folder = Path(name)
        pairs = ", ".join(f"{text!r}: {text}" for text in wanted)
        keep = f"import torch; torch.save({{{pairs}}}, {str(folder / 'variables.pt')!r})"
        codes = [*cells, *after, keep]
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in codes])
        _run(notebook)
        return Executed(notebook, len(codes) - 1, folder)


def _run(notebook: Any) -> None:
    client = pytest.importorskip("nbclient").NotebookClient
    config = pytest.importorskip("traitlets.config").Config()
    # Sockets of files in a folder of their own (its name is short: a socket's is limited), and not of ports:
    # kernels side by side cannot take each other's.
    with tempfile.TemporaryDirectory(prefix="kernel-") as sockets:
        config.KernelManager.transport = "ipc"
        config.KernelManager.ip = f"{sockets}/socket"
        client(
            notebook, timeout=PATIENCE_S, startup_timeout=PATIENCE_S, kernel_name="python3", config=config
        ).execute()


@contextmanager
def _surroundings(folder: Path) -> Iterator[None]:
    """Folders of the kernel's own, the stand-ins, no network, one thread."""
    path = os.pathsep.join(filter(None, [str(STAND_INS), os.environ.get("PYTHONPATH")]))
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in {
            "PYTHONPATH": path,
            "ASKED_OF_THE_NETWORK": folder / "asked.txt",
            "JUPYTER_RUNTIME_DIR": folder / "run",
            "IPYTHONDIR": folder / "ipython",
            "TORCHBEND_CACHE": folder / "cache",
            "OMP_NUM_THREADS": "1",
            "PLOTLY_RENDERER": None,
        }.items():
            if value is None:
                patch.delenv(variable, raising=False)
            else:
                patch.setenv(variable, str(value))
        yield
