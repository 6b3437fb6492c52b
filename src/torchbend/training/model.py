"""The training of a RAVE model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torchbend.rave.model import RAVE
from torchbend.training.engine import Engine
from torchbend.training.loop import Loop
from torchbend.training.preflight import prepare
from torchbend.training.settings import TrainSettings

__all__ = ["Training"]


class Training(Loop[Engine, TrainSettings]):
    """A run that trains a model: first its representation, then, with a discriminator, its sound."""

    @property
    def model(self) -> RAVE:
        """What is trained."""
        return self.engine.model

    def built(self, state: Mapping[str, Any] | None) -> Engine:
        """A new model; a checkpoint's knows how far it listens, which is then not measured again."""
        model, own = RAVE(self.config), self.accelerator
        known = (state or {}).get("state_dict", {}).get("receptive_field")
        if known is not None:
            model.receptive_field.copy_(known)
        counts = len(self.data.train), len(self.data.held_out)
        prepare(model, self.corpus, counts, self.settings, own.num_processes)
        return Engine(model.to(own.device).train(), self.settings, own)
