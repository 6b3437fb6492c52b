"""``torchbend rave train``: from a corpus to a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from torchbend.cli.rave import training_options as options

if TYPE_CHECKING:
    from torchbend.corpus.store import Corpus
    from torchbend.rave.config import RAVEConfig

__all__ = ["train"]


def train(
    ctx: typer.Context,
    data: options.Data = None,
    name: options.Name = "rave",
    out: options.Out = Path("runs"),
    resume: options.Resume = False,
    ckpt: options.Ckpt = None,
    config: Annotated[
        list[str] | None,
        typer.Option(
            "--config",
            "-c",
            help="v1, v2, v3, discrete, raspberry, ...; options after it, as causal, snake, noise. May be "
            "repeated; v2 by default.",
        ),
    ] = None,
    change: options.Change = None,
    channels: Annotated[
        int | None, typer.Option("--channels", min=1, help="1 or 2; by default those of the corpus.")
    ] = None,
    cropped_latents: Annotated[
        int | None,
        typer.Option(
            "--cropped-latent-size",
            "--cropped_latent_size",
            min=1,
            help="Exports play exactly so many latents, instead of as many as hold 95 % of the variance.",
        ),
    ] = None,
    kl: Annotated[
        float | None, typer.Option("--kl", min=0, help="A fixed factor of the KL divergence, as 0.1.")
    ] = None,
    kl_warmup: Annotated[
        int | None, typer.Option("--kl-warmup", min=1, help="Let the factor rise, for so many steps.")
    ] = None,
    max_steps: Annotated[
        int, typer.Option("--max-steps", "--max_steps", min=1, help="Of both phases together.")
    ] = 3_000_000,
    warmup: Annotated[
        int | None, typer.Option("--warmup", min=0, help="Steps of the first phase; 1,000,000 in v2.")
    ] = None,
    batch: options.Batch = 8,
    accumulate: options.Accumulate = 1,
    length: Annotated[
        int, typer.Option("--length", "--n-signal", "--n_signal", min=1, help="Of an excerpt, in samples.")
    ] = 131_072,
    learning_rate: Annotated[
        float, typer.Option("--learning-rate", help="Of encoder and decoder, at first.")
    ] = 1e-3,
    ema: Annotated[float | None, typer.Option("--ema", help="Keep averaged weights too, as 0.999.")] = None,
    augment: options.Augment = None,
    rand_pitch: options.RandPitch = None,
    normalise: options.Normalise = False,
    derivative: options.Derivative = False,
    held_out: options.HeldOut = 0.02,
    val_every: options.ValEvery = 10_000,
    save_every: options.SaveEvery = 500_000,
    checkpoint_every: options.CheckpointEvery = 1_000,
    seed: options.Seed = 0,
    as_original: Annotated[
        bool, typer.Option("--as-original", help="Reproduce what the original gets wrong.")
    ] = False,
    workers: options.Workers = 2,
    device: options.Device = None,
    precision: options.Precision = "no",
    compiled: options.Compiled = False,
) -> None:
    """Train a model on a corpus: first its representation, then, with a discriminator, its sound.

    The run's folder holds checkpoints, a log, sounds and curves (tensorboard --logdir runs). A run that was
    ended in any way goes on with --resume; options that are given then take the place of the run's own.
    Several GPUs or machines: accelerate launch $(which torchbend) rave train ...
    """
    with options.starting():
        from torchbend.cli.rave.training_progress import introduction, shown
        from torchbend.training.folder import RunFolder
        from torchbend.training.model import Training
        from torchbend.training.settings import TrainSettings

        given = options.given_in(ctx)
        folder = RunFolder(out / name)
        options.refuse_another(folder, resume, ckpt)
        before = folder.description() if resume else None
        if before and "prior" in before[2]:
            raise typer.BadParameter(
                "this run trains a prior: torchbend rave train-prior", param_hint="--resume"
            )
        corpus = options.open_corpus(data, before[2] if before else None)
        settings = options.changed(before[1] if before else TrainSettings(), given)
        model = before[0] if before else _configuration(given, corpus)
        if before and any(
            key in given for key in ("config", "change", "channels", "kl", "kl_warmup", "warmup")
        ):
            raise typer.BadParameter(
                "a run keeps its configuration; start another one", param_hint="--resume"
            )
        start = str(ckpt) if ckpt else resume
        training = Training(folder, model, settings, corpus, checkpoint=start or None, device=device)
    if not training.is_main:
        training.run()
        return
    typer.echo(introduction(training))
    with shown(settings.max_steps, training.at.step) as tell:
        training.run(tell)
    typer.echo(f"{training.at.step:,} steps done. Next: torchbend rave export {folder.path} --out {name}.ts")


def _configuration(given: dict[str, Any], corpus: Corpus) -> RAVEConfig:
    from torchbend.training.configure import configured

    changes = options.changes_of(given.get("change"))
    if "channels" in given:
        changes["channels"] = given["channels"]
    schedule = {key: given.get(key) for key in ("warmup", "kl", "kl_warmup")}
    return configured(given.get("config") or ["v2"], corpus, changes, **schedule)
