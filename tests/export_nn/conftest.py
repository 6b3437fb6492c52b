"""Each configuration is exported once."""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from torchbend.corpus.locking import lock, unlock
from torchbend.interfaces.rave import BendedRAVE

from .models import OPTIONS, bent_rave
from .playing import loaded


@dataclass
class Export:
    """A file, and the live model that it was made of.

    Attributes:
        facts: of the JSON file beside it.
        options: that it was exported with.
        unplayed: the file, read once.
    """

    path: Path
    bended: BendedRAVE
    facts: dict[str, Any]
    options: dict[str, Any]
    unplayed: Any = None

    def load(self) -> Any:
        """The file as it is when it is loaded; a copy, which takes less time than reading it again."""
        if self.unplayed is None:
            self.unplayed = loaded(self.path)
        return copy.deepcopy(self.unplayed)

    @property
    def ratio(self) -> int:
        """Samples of the host for each frame of the latents."""
        return int(self.facts["methods"]["encode"][3])

    @property
    def rows(self) -> int:
        """Signals that it may be played on at once."""
        return int(self.facts["max_batch"])


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Export]:
    """``exported("v2")``: a configuration of `models.PRESETS` with two controls, exported for nn~.

    Further arguments are those of the export; each combination is exported once, by whichever of the
    processes that run tests side by side comes first.
    """
    made: dict[str, Export] = {}
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "exports"

    def export(name: str, **options: Any) -> Export:
        given = {**OPTIONS.get(name, {}), **options}
        key = re.sub(r"\W+", "_", f"{name} {sorted(given.items())}").strip("_")
        if key not in made:
            bended = bent_rave(name)
            path = folder / key / f"{name}.ts"
            with _alone(folder / f"{key}.lock"):
                if not path.with_suffix(".json").is_file():  # it is written after the file
                    path.parent.mkdir(exist_ok=True)
                    with torch.random.fork_rng():
                        torch.manual_seed(7)
                        bended.export(path, **given)
            facts = json.loads(path.with_suffix(".json").read_text())
            made[key] = Export(path, bended, facts, given)
        return made[key]

    return export


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Within it, no other process is within it."""
    path.parent.mkdir(exist_ok=True)
    with path.open("ab") as file:
        assert lock(file, 300), "another process exports for ever"
        try:
            yield
        finally:
            unlock(file)


@pytest.fixture(autouse=True)
def same_numbers() -> None:
    """Random numbers are the same in each test."""
    torch.manual_seed(0)
