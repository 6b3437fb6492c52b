"""A RAVE model on its way to the stage: the streaming model, bent, in a file that other programs play."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path as FilePath
from typing import Any, Literal, cast

from torch import nn

from torchbend.errors import ExportError
from torchbend.export.nntilde import nn_module
from torchbend.export.prior import opened_prior, prior_layers, streaming_prior
from torchbend.export.rave import RavePlan
from torchbend.export.targets import export_played
from torchbend.interfaces.base import BendingInterface
from torchbend.rave import RAVE, Prior
from torchbend.rave.config_json import to_dict
from torchbend.rave.prior.config import prior_to_dict
from torchbend.rave.resampling import Resampling

__all__ = ["RaveOnStage"]

Path = str | os.PathLike[str]


class RaveOnStage(BendingInterface):
    """What `BendedRAVE` exports, and how; construction and errors are its own.

    Attributes:
        batch_size: signals that a stream holds side by side, at most.
        sample: draw latents from their distributions, as in training, instead of taking the means.
    """

    batch_size: int
    sample: bool

    @property
    def rave(self) -> RAVE:
        """The wrapped model, not bent."""
        return cast(RAVE, self.module)

    def export(  # type: ignore[override]
        self,
        path: Path,
        target: str = "nn~",
        *,
        latents: int | None = None,
        fidelity: float = 0.95,
        fill: Literal["noise", "zeros"] = "noise",
        channels: int | None = None,
        sample_rate: int | None = None,
        batch: int | None = None,
        sample: bool = True,
        prior: Prior | Path | None = None,
        seed: int | None = None,
        warm_up: bool = True,
        patches: bool = True,
    ) -> FilePath | list[FilePath]:
        """Write the streaming model, bent, to a file, with live controls.

        Args:
            path: of the file; a JSON file that tells where it comes from is written beside it.
            target: ``"nn~"`` for Max and Pure Data, or one of the other targets of `BendedModule.export`,
                which take the model as it is: the arguments below are for nn~.
            latents: exactly so many principal components; by default as many as ``fidelity`` asks for.
            fidelity: share of the latents' variance that the components reconstruct, 0 to 1.
            fill: what ``decode`` puts in the place of components that are not played.
            channels: of audio; 2 plays a mono model on two signals side by side.
            sample_rate: of the host, in Hz, a multiple of the model's; the model's own by default.
            batch: signals that ``mc.nn~`` may play at once, at most; ``batch_size`` by default.
            sample: draw latents from their distributions, as the original's exports do; otherwise the means.
            prior: a prior, or its file: a method ``prior`` makes latents for ``decode`` up, given
                temperatures (0 is as learnt). As many latents are played then as it makes.
            seed: an attribute ``seed`` of this value; random numbers begin there when the file is loaded, and
                anew when it is set.
            warm_up: play silence when the file is loaded, so that the first blocks are fast.
            patches: write a patch for Pure Data and one for Max beside the file.

        Returns:
            The path of the file; for ``"onnx"`` and ``"pt2"`` the paths of the files, one for each method.

        Raises:
            ExportError: something cannot be exported; nothing is written then.
        """
        rows = self.batch_size if batch is None else batch
        if target != "nn~":
            with self._on_stage(rows, 1, None, self.sample):
                return super().export(path, target)
        resampling = self._resampling(sample_rate)
        player = None if prior is None else opened_prior(prior, self.rave)
        plan = RavePlan(self._engine, self.rave, latents, fidelity, fill, channels, resampling, player)
        facts = {} if player is None else {"prior": prior_to_dict(player.config)}
        with ExitStack() as stack:
            stack.enter_context(self._on_stage(rows, plan.signals, resampling, sample))
            if player is not None:
                stack.enter_context(streaming_prior(player, rows * plan.signals))
            beside = {"resampling": resampling, "prior": None if player is None else prior_layers(player)}
            return export_played(
                self._engine,
                path,
                plan.methods(),
                plan.switches(),
                nn.ModuleDict({name: part for name, part in beside.items() if part is not None}),
                patches,
                seed=seed,
                warm_up=warm_up,
                sample_rate=sample_rate or self.rave.sample_rate,
                max_batch=rows,
                extra={"rave_config.json": json.dumps(to_dict(self.rave.config))},
                configuration=self.rave.config.name,
                **facts,
            )

    def script(
        self, script: bool = True, export_for_nn: bool = False, inputs: Mapping[str, Any] | None = None
    ) -> nn.Module:
        """The methods as one ``torch.jit.ScriptModule`` (see `BendedModule.script`).

        Args:
            script: False: the module that would be traced.
            export_for_nn: with the protocol of nn~: the streaming model, as `export` writes it by default.
            inputs: example inputs by method.

        Raises:
            ExportError: something cannot be exported.
        """
        if not (script and export_for_nn):
            return super().script(script, export_for_nn, inputs)
        plan = RavePlan(self._engine, self.rave)
        with self._on_stage(self.batch_size, plan.signals, None, True):
            return nn_module(self._engine, plan.methods(), plan.switches())

    def _resampling(self, sample_rate: int | None) -> Resampling | None:
        model = self.rave
        if sample_rate is None or sample_rate == model.sample_rate:
            return None
        if sample_rate % model.sample_rate:
            raise ExportError(
                "the model cannot be played at this sample rate",
                site="sample_rate",
                wanted=f"a multiple of {model.sample_rate} Hz",
                got=f"{sample_rate} Hz",
                next_step="let the host run at the model's rate",
            )
        return Resampling(sample_rate // model.sample_rate, model.channels).to(model.latent_mean.device)

    @contextmanager
    def _on_stage(
        self, rows: int, signals: int, resampling: Resampling | None, sample: bool
    ) -> Iterator[None]:
        """The model as a fresh stream; afterwards it is what it was."""
        model = self.rave
        before = model.stream_state
        with self._engine.lock, model.encoder.sampling(sample):
            late = 0
            if resampling is not None:
                resampling.open(rows * signals)
                late = resampling.delays[0] // resampling.ratio
            model.stream(rows * signals, late=late)
            try:
                yield
            finally:
                model.offline()
                if before is not None:
                    model.resume(before)
