"""Each configuration is exported once."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from torchbend.interfaces.rave import BendedRAVE

from .models import OPTIONS, bent_rave
from .playing import loaded


@dataclass
class Export:
    """A file, and the live model that it was made of.

    Attributes:
        facts: of the JSON file beside it.
        options: that it was exported with.
        seconds: that the export took.
        unplayed: the file, read once.
    """

    path: Path
    bended: BendedRAVE
    facts: dict[str, Any]
    options: dict[str, Any]
    seconds: float
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

    Further arguments are those of the export; each combination is exported once.
    """
    made: dict[str, Export] = {}

    def export(name: str, **options: Any) -> Export:
        key = f"{name} {sorted(options.items())}"
        if key not in made:
            bended = bent_rave(name)
            path = tmp_path_factory.mktemp("nn") / f"{name}.ts"
            began = time.monotonic()
            torch.manual_seed(7)
            given = {**OPTIONS.get(name, {}), **options}
            bended.export(path, **given)
            seconds = time.monotonic() - began
            facts = json.loads(path.with_suffix(".json").read_text())
            made[key] = Export(path, bended, facts, given, seconds)
        return made[key]

    return export


@pytest.fixture(autouse=True)
def same_numbers() -> None:
    """Random numbers are the same in each test."""
    torch.manual_seed(0)
