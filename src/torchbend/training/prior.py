"""The training of a prior: how large it is, and its run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torchbend.corpus.store import Corpus
from torchbend.errors import TrainingError
from torchbend.rave.model import RAVE
from torchbend.rave.prior import Prior, PriorConfig, latents_for_fidelity
from torchbend.rave.prior.config import prior_from_dict, prior_to_dict
from torchbend.training.folder import RunFolder
from torchbend.training.loop import Loop
from torchbend.training.preflight import prepare_prior
from torchbend.training.prior_engine import PriorEngine
from torchbend.training.settings import PriorSettings

__all__ = ["PriorTraining", "prior_sizes"]

WIDTHS = ("residual_size", "skip_size")


def prior_sizes(
    model: RAVE,
    latents: int | None = None,
    fidelity: float = 0.95,
    changes: Mapping[str, object] | None = None,
) -> PriorConfig:
    """The sizes of a prior for a model.

    Args:
        model: that it is for.
        latents: principal components that it models. Where the widths do not divide among them, the next
            larger ones are taken, unless ``changes`` holds them.
        fidelity: share of the variance that the components have to hold, where ``latents`` is left out.
        changes: other sizes, by their names in `PriorConfig`.

    Raises:
        TrainingError: the model's components are not known.
        RAVEConfigError: there is no such size.

    >>> from torchbend.rave import preset
    >>> model = RAVE(preset("v2_small", capacity=2, latent_size=16))
    >>> prior_sizes(model, latents=12).residual_size
    516
    """
    given = dict(changes or {})
    if latents is None and "latents" not in given:
        if not bool(model.fidelity.any()):
            raise TrainingError(
                "nobody knows how many latents of this model matter",
                site="fidelity",
                wanted="a model that was validated in its training",
                got="a fidelity curve of zeros",
                next_step="name their number: --latents 8",
            )
        latents = latents_for_fidelity(model.fidelity, fidelity)
    if latents is not None:
        given["latents"] = latents
    config = prior_from_dict(given)
    count = config.latents
    if type(count) is int and count > 0:
        for name in WIDTHS:
            given.setdefault(name, -(-getattr(config, name) // count) * count)
    return prior_from_dict(given)


class PriorTraining(Loop[PriorEngine, PriorSettings]):
    """A run that trains a prior for a model.

    Args:
        folder: of the run.
        model: that it is for; it stays as it is.
        sizes: of the prior.
        settings: of the training.
        corpus: to train on.
        checkpoint: a file of this or another run to go on from; True takes the run's last one.
        device: as ``"cpu"`` or ``"cuda"``; by default what ``accelerate`` finds, or was started with.
        source: where the model came from, in words.

    Raises:
        TrainingError: what would go wrong later (see `torchbend.training.preflight.prepare_prior`), or the
            folder holds another run.
        RAVEConfigError: the model is not variational, or the sizes do not fit it.
        CorpusError: no sound is long enough.
    """

    def __init__(
        self,
        folder: RunFolder,
        model: RAVE,
        sizes: PriorConfig,
        settings: PriorSettings,
        corpus: Corpus,
        checkpoint: str | bool | None = None,
        device: str | None = None,
        source: str = "",
    ) -> None:
        self._model, self.sizes, self.source = model, sizes, source
        super().__init__(folder, model.config, settings, corpus, checkpoint, device)

    @property
    def prior(self) -> Prior:
        """What is trained."""
        return self.engine.prior

    def built(self, state: Mapping[str, Any] | None) -> PriorEngine:
        """A new prior with the model that it is for."""
        own, prior = self.accelerator, Prior(self._model, self.sizes)
        counts = len(self.data.train), len(self.data.held_out)
        prepare_prior(prior, self.corpus, counts, self.settings, own.num_processes)
        return PriorEngine(prior.to(own.device).train(), self.settings, own)

    def own_words(self) -> dict[str, Any]:
        """The sizes, and which model it is for."""
        return {"prior": prior_to_dict(self.sizes), "model": self.source}
