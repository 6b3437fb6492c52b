"""What a training says while it runs: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from torchbend.training.loop import Listener, Progress
    from torchbend.training.model import Training
    from torchbend.training.prior import PriorTraining

__all__ = ["introduction", "introduction_of_prior", "shown"]


def introduction(training: Training) -> str:
    """What is about to be trained, in a few lines."""
    config, settings = training.config, training.settings
    model = training.model
    count = sum(p.numel() for part in (model.encoder, model.decoder) for p in part.parameters())
    first = config.training.phase_1_duration
    lines = [
        f"{config.name}: {count / 1e6:.2f} M parameters, {config.latent_size} latents, ratio {config.ratio}, "
        f"{config.sampling_rate} Hz, {config.channels} channel(s), on {training.accelerator.device}",
        *_data(training),
        f"steps {training.at.step:,} to {settings.max_steps:,}; the discriminator comes in at step {first:,}"
        if first < settings.max_steps
        else f"steps {training.at.step:,} to {settings.max_steps:,}: the discriminator never comes in, since "
        f"the first phase takes {first:,} (--warmup)",
    ]
    return "\n".join(lines)


def introduction_of_prior(training: PriorTraining) -> str:
    """What is about to be trained, in a few lines."""
    sizes, model, settings = training.sizes, training.config, training.settings
    seconds = sizes.receptive_field * model.ratio / model.sampling_rate
    lines = [
        f"a prior of {training.engine.parameters / 1e6:.2f} M parameters for {model.name}: "
        f"{sizes.latents} of {model.latent_size} latents, {sizes.resolution} values each; it looks "
        f"{seconds:.1f} s back, on {training.accelerator.device}",
        *_data(training),
        f"steps {training.at.step:,} to {settings.max_steps:,}; knowing nothing is a cross entropy of "
        f"{math.log(sizes.resolution):.3f}",
    ]
    return "\n".join(lines)


def _data(training: Training | PriorTraining) -> list[str]:
    data, length = training.data, training.settings.length / training.config.sampling_rate
    return [
        f"{training.corpus!r}",
        f"{len(data.train):,} excerpts of {length:.2f} s to train on, {len(data.held_out):,} held out; "
        f"{len(data.order):,} steps an epoch",
    ]


@contextmanager
def shown(total: int, begun: int, phases: bool = True) -> Iterator[Listener]:
    """A bar on a terminal; where stderr goes elsewhere, a line for each event and now and then for a step.

    Args:
        total: steps in all.
        begun: steps that are done.
        phases: whether there are several.
    """
    if not sys.stderr.isatty():
        yield _lines(total)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        *([TextColumn("phase {task.fields[phase]}")] if phases else []),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=total, completed=begun, phase=1)

        def tell(progress: Progress) -> None:
            if progress.event:
                bar.console.print(f"step {progress.step:,}: {progress.event}", markup=False, highlight=False)
            bar.update(task, completed=progress.step, phase=progress.phase, description=_losses(progress))

        yield tell


def _lines(total: int) -> Listener:
    """A line for each event, and for steps whenever another hundredth is done."""
    shown = -1

    def tell(progress: Progress) -> None:
        nonlocal shown
        hundredth = progress.step * 100 // total
        if progress.event:
            typer.echo(f"step {progress.step:,}: {progress.event}", err=True)
        elif hundredth > shown:
            shown = hundredth
            typer.echo(f"step {progress.step:,} of {total:,}: {_losses(progress)}", err=True)

    return tell


def _losses(progress: Progress) -> str:
    short = {
        "multiband_spectral_distance": "bands",
        "fullband_spectral_distance": "audio",
        "regularization": "kl",
        "feature_matching": "features",
        "adversarial": "adversarial",
        "loss_dis": "discriminator",
        "latent_prediction": "cross entropy",
    }
    values = [
        f"{word} {progress.values[name]:.3g}" for name, word in short.items() if name in progress.values
    ]
    return f"{', '.join(values)}; {progress.step_seconds:.2f} s a step, {progress.waited:.1%} waiting"
