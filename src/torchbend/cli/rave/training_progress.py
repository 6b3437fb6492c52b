"""What a training says while it runs: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from torchbend.training.loop import Listener, Progress
    from torchbend.training.model import Training

__all__ = ["introduction", "shown"]


def introduction(training: Training) -> str:
    """What is about to be trained, in a few lines."""
    config, settings, data = training.config, training.settings, training.data
    rate, model = config.sampling_rate, training.model
    count = sum(p.numel() for part in (model.encoder, model.decoder) for p in part.parameters())
    first = config.training.phase_1_duration
    lines = [
        f"{config.name}: {count / 1e6:.2f} M parameters, {config.latent_size} latents, ratio {config.ratio}, "
        f"{rate} Hz, {config.channels} channel(s), on {training.accelerator.device}",
        f"{training.corpus!r}",
        f"{len(data.train):,} excerpts of {settings.length / rate:.2f} s to train on, "
        f"{len(data.held_out):,} held out; {len(data.order):,} steps an epoch",
        f"steps {training.at.step:,} to {settings.max_steps:,}; the discriminator comes in at step {first:,}"
        if first < settings.max_steps
        else f"steps {training.at.step:,} to {settings.max_steps:,}: the discriminator never comes in, since "
        f"the first phase takes {first:,} (--warmup)",
    ]
    return "\n".join(lines)


@contextmanager
def shown(total: int, begun: int) -> Iterator[Listener]:
    """A bar on a terminal; where stderr goes elsewhere, a line for each event and now and then for a step."""
    if not sys.stderr.isatty():
        yield _lines(total)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("phase {task.fields[phase]}"),
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
    }
    values = [
        f"{word} {progress.values[name]:.3g}" for name, word in short.items() if name in progress.values
    ]
    return f"{', '.join(values)}; {progress.step_seconds:.2f} s a step, {progress.waited:.1%} waiting"
