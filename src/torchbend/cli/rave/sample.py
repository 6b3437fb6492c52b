"""``torchbend rave sample``: sound that a prior makes up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from torchbend.cli import options
from torchbend.cli.rave.training_options import Seed

__all__ = ["sample"]


def sample(
    prior: Annotated[
        Path, typer.Argument(metavar="PRIOR", help="A prior: a run's folder, a .ckpt or a .safetensors.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The sound file; .wav as a rule.")],
    seconds: Annotated[float, typer.Option("--seconds", "--length", min=0.01, help="Of sound.")] = 10.0,
    temperature: Annotated[
        float,
        typer.Option("--temperature", "-t", min=0.0, help="1 is as learnt, less is surer, more is freer."),
    ] = 1.0,
    prompt: Annotated[
        Path | None,
        typer.Option("--prompt", metavar="FILE", help="A sound that is gone on from; it is not written."),
    ] = None,
    seed: Seed = 0,
    device: options.Device = "cpu",
) -> None:
    """Let a prior make up latents, and its model make sound of them."""
    import torch

    from torchbend.audio import write_audio
    from torchbend.cli.models import told_as
    from torchbend.corpus.decoding import decode
    from torchbend.rave.prior import load_prior
    from torchbend.rave.prior.sound import made_up

    opened = load_prior(prior)
    rate = opened.synth.sample_rate
    with told_as("the prior cannot go there", f"--device {device}"):
        opened.to(device)
    before = None if prompt is None else torch.from_numpy(decode(prompt, rate, opened.synth.channels))
    made = made_up(opened, seconds, temperature=temperature, prompt=before, seed=seed)
    write_audio(out, made, rate)
    typer.echo(f"wrote {made.shape[-1] / rate:.2f} s of sound to {out}")
