"""``torchbend rave train``: from a corpus to a model."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from torchbend.corpus.store import Corpus
    from torchbend.rave.config import RAVEConfig
    from torchbend.training.settings import TrainSettings

__all__ = ["train"]


def train(
    ctx: typer.Context,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            "--db-path",
            "--db_path",
            "-d",
            metavar="DB",
            help="The corpus that preprocess made. With --resume: that of the run.",
        ),
    ] = None,
    name: Annotated[str, typer.Option("--name", "-n", help="Of the run: its folder in --out.")] = "rave",
    out: Annotated[
        Path, typer.Option("--out", "--out-path", "--out_path", metavar="DIR", help="Folder of all runs.")
    ] = Path("runs"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run of this name.")] = False,
    ckpt: Annotated[
        Path | None, typer.Option("--ckpt", metavar="FILE", help="Go on from this checkpoint, of any run.")
    ] = None,
    config: Annotated[
        list[str] | None,
        typer.Option(
            "--config",
            "-c",
            help="v1, v2, v3, discrete, raspberry, ...; options after it, as causal, snake, noise. May be "
            "repeated; v2 by default.",
        ),
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            "--override",
            metavar="NAME=VALUE",
            help="As capacity=32, latent_size=16. May be repeated.",
        ),
    ] = None,
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
    batch: Annotated[int, typer.Option("--batch", min=1, help="Excerpts in a step.")] = 8,
    accumulate: Annotated[
        int, typer.Option("--accumulate", min=1, help="So many batches in a step, one after the other.")
    ] = 1,
    length: Annotated[
        int, typer.Option("--length", "--n-signal", "--n_signal", min=1, help="Of an excerpt, in samples.")
    ] = 131_072,
    learning_rate: Annotated[
        float, typer.Option("--learning-rate", help="Of encoder and decoder, at first.")
    ] = 1e-3,
    ema: Annotated[float | None, typer.Option("--ema", help="Keep averaged weights too, as 0.999.")] = None,
    augment: Annotated[
        list[str] | None,
        typer.Option("--augment", help="mute, gain, compress or masking. May be repeated."),
    ] = None,
    rand_pitch: Annotated[
        str | None,
        typer.Option("--rand-pitch", "--rand_pitch", metavar="LOW,HIGH", help="Other speeds, as 0.8,1.2."),
    ] = None,
    normalise: Annotated[
        bool, typer.Option("--normalise", "--normalize", help="Bring the peak of each excerpt to 1.")
    ] = False,
    derivative: Annotated[
        bool, typer.Option("--derivative", help="Train on differences of samples.")
    ] = False,
    held_out: Annotated[
        float, typer.Option("--held-out", help="Share of the corpus that is only validated with.")
    ] = 0.02,
    val_every: Annotated[
        int, typer.Option("--val-every", "--val_every", min=1, help="Steps between validations.")
    ] = 10_000,
    save_every: Annotated[
        int,
        typer.Option("--save-every", "--save_every", min=1, help="Steps between checkpoints that are kept."),
    ] = 500_000,
    checkpoint_every: Annotated[
        int,
        typer.Option("--checkpoint-every", min=1, help="Steps between checkpoints that replace one another."),
    ] = 1_000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of all chance.")] = 0,
    as_original: Annotated[
        bool, typer.Option("--as-original", help="Reproduce what the original gets wrong.")
    ] = False,
    workers: Annotated[int, typer.Option("--workers", min=0, help="Processes that read sound.")] = 2,
    device: Annotated[
        str | None, typer.Option("--device", help="cpu, cuda, mps; by default the best that is there.")
    ] = None,
    precision: Annotated[str, typer.Option("--precision", help="no, bf16 or fp16, for the networks.")] = "no",
    compiled: Annotated[bool, typer.Option("--compile", help="Run the networks by torch.compile.")] = False,
) -> None:
    """Train a model on a corpus: first its representation, then, with a discriminator, its sound.

    The run's folder holds checkpoints, a log, sounds and curves (tensorboard --logdir runs). A run that was
    ended in any way goes on with --resume; options that are given then take the place of the run's own.
    Several GPUs or machines: accelerate launch $(which torchbend) rave train ...
    """
    from torchbend.cli.rave.training_progress import introduction, shown
    from torchbend.training.folder import RunFolder
    from torchbend.training.model import Training

    given = {
        key: value
        for key, value in ctx.params.items()
        if (source := ctx.get_parameter_source(key)) is not None and source.name != "DEFAULT"
    }
    folder = RunFolder(out / name)
    before = folder.description() if resume else None
    corpus = _corpus(data, before[2] if before else None)
    settings = _settings(given, before[1] if before else None)
    model = before[0] if before else _configuration(given, corpus)
    if before and any(key in given for key in ("config", "change", "channels", "kl", "kl_warmup", "warmup")):
        raise typer.BadParameter("a run keeps its configuration; start another one", param_hint="--resume")
    start = str(ckpt) if ckpt else resume
    training = Training(folder, model, settings, corpus, checkpoint=start or None, device=device)
    if not training.is_main:
        training.run()
        return
    typer.echo(introduction(training))
    with shown(settings.max_steps, training.at.step) as tell:
        training.run(tell)
    typer.echo(f"{training.at.step:,} steps done. Next: torchbend rave export {folder.path} --out {name}.ts")


def _corpus(data: Path | None, facts: dict[str, Any] | None) -> Corpus:
    from torchbend.corpus.store import Corpus

    held = (facts or {}).get("corpus")
    if data is None and held is None:
        raise typer.BadParameter("the corpus is needed", param_hint="--data")
    return Corpus.open(data if data is not None else str(held))


def _settings(given: dict[str, Any], before: TrainSettings | None) -> TrainSettings:
    """The run's own, or the defaults, with the given options in their places."""
    from torchbend.training.settings import TrainSettings

    values = {name: given[key] for key, name in _NAMES.items() if key in given}
    values |= {field.name: given[field.name] for field in fields(TrainSettings) if field.name in given}
    if "augment" in values:
        values["augment"] = tuple(values["augment"] or ())
    if "rand_pitch" in values:
        values["rand_pitch"] = _range(values["rand_pitch"])
    return replace(before or TrainSettings(), **values)


_NAMES = {"compiled": "compile"}


def _range(text: str) -> tuple[float, float]:
    from torchbend.cli.words import literal

    found = literal(f"({text})", "--rand-pitch")
    if not isinstance(found, tuple) or len(found) != 2:
        raise typer.BadParameter("write two numbers, as 0.8,1.2", param_hint="--rand-pitch")
    return float(found[0]), float(found[1])


def _configuration(given: dict[str, Any], corpus: Corpus) -> RAVEConfig:
    from torchbend.cli.words import literal
    from torchbend.training.configure import configured

    changes: dict[str, object] = {}
    for text in given.get("change") or ():
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--set")
        changes[key.strip()] = literal(value, "--set")
    if "channels" in given:
        changes["channels"] = given["channels"]
    schedule = {key: given.get(key) for key in ("warmup", "kl", "kl_warmup")}
    return configured(given.get("config") or ["v2"], corpus, changes, **schedule)
