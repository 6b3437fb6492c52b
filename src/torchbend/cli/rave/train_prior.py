"""``torchbend rave train-prior``: from a model and its corpus to a prior, which makes latents up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from torchbend.cli.rave import training_options as options
from torchbend.cli.rave.model_options import Ema

if TYPE_CHECKING:
    from torchbend.rave import RAVE, PriorConfig
    from torchbend.training.settings import PriorSettings, TrainSettings

__all__ = ["train_prior"]

_OF_THE_PRIOR = ("model", "latents", "fidelity", "change", "ema")
"""What a run keeps."""


def train_prior(
    ctx: typer.Context,
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="A variational RAVE model that is trained: a run's folder, a .ckpt or a .safetensors. A run "
            "that goes on has its own.",
            show_default=False,
        ),
    ] = None,
    data: options.Data = None,
    name: options.Name = "prior",
    out: options.Out = Path("runs"),
    resume: options.Resume = False,
    ckpt: options.Ckpt = None,
    latents: Annotated[
        int | None,
        typer.Option(
            "--latents",
            min=1,
            help="So many latents, instead of those that --fidelity takes or --cropped-latent-size named.",
        ),
    ] = None,
    fidelity: Annotated[
        float,
        typer.Option(
            "--fidelity", min=0.0, max=1.0, help="As many latents as hold this share of the variance."
        ),
    ] = 0.95,
    change: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            "--override",
            metavar="NAME=VALUE",
            help="A size: resolution=32, residual_size=512, skip_size=256, kernel_size=3, cycle_size=4, "
            "layers=10. May be repeated.",
        ),
    ] = None,
    ema: Ema = False,
    max_steps: Annotated[int, typer.Option("--max-steps", "--max_steps", min=1, help="In all.")] = 1_000_000,
    batch: options.Batch = 8,
    accumulate: options.Accumulate = 1,
    length: Annotated[
        int | None,
        typer.Option(
            "--length",
            "--n-signal",
            "--n_signal",
            min=1,
            help="Of an excerpt, in samples; by default the shortest that shows all that a prediction "
            "depends on.",
        ),
    ] = None,
    learning_rate: Annotated[float, typer.Option("--learning-rate", help="Constant.")] = 1e-4,
    augment: options.Augment = None,
    rand_pitch: options.RandPitch = None,
    normalise: options.Normalise = False,
    derivative: options.Derivative = False,
    held_out: options.HeldOut = 0.02,
    val_every: options.ValEvery = 10_000,
    save_every: options.SaveEvery = 500_000,
    checkpoint_every: options.CheckpointEvery = 1_000,
    seed: options.Seed = 0,
    workers: options.Workers = 2,
    device: options.Device = None,
    precision: options.Precision = "no",
    compiled: options.Compiled = False,
) -> None:
    """Train a prior: a network that makes up the latents of a model, frame by frame.

    It learns to tell the next latents from those before, on the corpus of the model or another one. Its
    checkpoints hold the model too. What it makes up is heard by "torchbend rave sample", and in the folder
    audio/ of the run.
    """
    with options.starting():
        from torchbend.cli.rave.training_progress import introduction_of_prior, shown
        from torchbend.training.folder import LAST, RunFolder
        from torchbend.training.prior import PriorTraining
        from torchbend.training.settings import PriorSettings

        given = options.given_in(ctx)
        folder = RunFolder(out / name)
        options.refuse_another(folder, resume, ckpt)
        before = folder.description(PriorSettings) if resume else None
        start = ckpt if ckpt is not None else folder.checkpoints / LAST if resume else None
        corpus = options.open_corpus(data, before[2] if before else None)
        if start is not None:
            synth, sizes = _kept(start, given)
        else:
            synth, sizes = _chosen(model, given)
        settings = _settings(model or start, given, before[1] if before else None, synth, sizes)
        source = str((before[2] if before else {}).get("model") or model or start)
        training = PriorTraining(
            folder, synth, sizes, settings, corpus, str(start) if start else None, device, source
        )
    if not training.is_main:
        training.run()
        return
    typer.echo(introduction_of_prior(training))
    with shown(settings.max_steps, training.at.step, phases=False) as tell:
        training.run(tell)
    typer.echo(
        f"{training.at.step:,} steps done. Next: torchbend rave sample {folder.path} --out {name}.wav, or\n"
        f"torchbend rave export {source} --prior {folder.path} --out {name}.ts"
    )


def _kept(start: Path, given: dict[str, Any]) -> tuple[RAVE, PriorConfig]:
    """Model and sizes of a checkpoint of a prior."""
    from torchbend.rave.prior import load_prior

    if any(key in given for key in _OF_THE_PRIOR):
        raise typer.BadParameter(
            "a run keeps its model and its sizes; start another one", param_hint="--resume or --ckpt"
        )
    prior = load_prior(start)
    return prior.synth, prior.config


def _chosen(model: str | None, given: dict[str, Any]) -> tuple[RAVE, PriorConfig]:
    """The named model, and the sizes of a new prior for it."""
    from torchbend.rave import load
    from torchbend.training.prior import prior_sizes

    if model is None:
        raise typer.BadParameter("the model is needed", param_hint="MODEL")
    run = _run_of(model)
    cropped = run.cropped_latents if run is not None and "fidelity" not in given else None
    synth = load(model, ema=given.get("ema", False))
    changes = options.changes_of(given.get("change"))
    latents = given.get("latents", None if "latents" in changes else cropped)
    return synth, prior_sizes(synth, latents, given.get("fidelity", 0.95), changes)


def _run_of(model: str | Path) -> TrainSettings | None:
    """The settings of the run that a model or a prior belongs to, if it is one of this project's."""
    from torchbend.training.folder import RunFolder

    for path in (Path(model), *Path(model).absolute().parents[:2]):
        folder = RunFolder(path)
        if folder.exists:
            return folder.description()[1]
    return None


def _settings(
    source: str | Path | None,
    given: dict[str, Any],
    before: PriorSettings | None,
    synth: RAVE,
    sizes: PriorConfig,
) -> PriorSettings:
    """The run's own, or the defaults for a model, with the given options in their places."""
    from torchbend.training.preflight import shortest_for_prior
    from torchbend.training.settings import PriorSettings

    if before is not None:
        return options.changed(before, given)
    own = PriorSettings(length=shortest_for_prior(sizes, synth.ratio))
    run = _run_of(source) if source is not None else None
    if run is not None:  # the prior hears what the model heard
        own = replace(own, normalise=run.normalise, derivative=run.derivative)
    return options.changed(own, given)
