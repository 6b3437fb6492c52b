"""Write a trained run as the model that comes with the package, and what it is worth into its card.

Usage: python tools/ship_model.py RUN EARLY HELD_OUT CORPUS [NAME]

    RUN       the folder of the training whose averaged weights are shipped
    EARLY     the run, or a checkpoint of it, after a tenth of its steps: what the model has to beat, with its
              weights as they are (so early, an average is worse)
    HELD_OUT  a folder of sounds that the training did not hear
    CORPUS    the preprocessed corpus of the training: the components of the latents are found on all of it
    NAME      of the model; sax

Weights are stored in 16 bits, without the discriminator. Everything in the table of the card is measured on
the file as it is shipped, after it was read back.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from torchbend import rave
from torchbend.cli.rave.evaluate_sounds import References
from torchbend.corpus.files import find_sounds
from torchbend.corpus.store import Corpus
from torchbend.display import write_text
from torchbend.evaluation.models import Evaluation, evaluate, evaluate_baseline
from torchbend.evaluation.summary import table_of
from torchbend.rave import RAVE
from torchbend.rave.pca import dims_for_fidelity, fit

SHIPPED = Path(__file__).resolve().parents[1] / "src" / "torchbend" / "shipped"
BEGIN, END = "<!-- begin: python tools/ship_model.py -->", "<!-- end -->"
SHARES = (0.8, 0.9, 0.95, 0.99)


@torch.no_grad()
def latents(model: RAVE, corpus: Corpus) -> Iterator[Tensor]:
    """The latents of every sound of a corpus, each ``[1, L, frames]``."""
    for index, sound in enumerate(corpus.sounds):
        length = sound.frames - sound.frames % model.ratio
        x = torch.from_numpy(corpus.read(index, 0, length))[None]
        with model.encoder.sampling(False):
            yield model.encoder.latents(model.encode(x))


def with_components(model: RAVE, corpus: Corpus) -> RAVE:
    """The model, its principal components found on a corpus."""
    found = fit(list(latents(model, corpus)))
    model.latent_pca.copy_(found.pca)
    model.latent_mean.copy_(found.mean)
    model.fidelity.copy_(found.fidelity)
    return model


def section(model: RAVE, size: int, found: Sequence[Evaluation], seconds: float, count: int) -> str:
    """The part of the card that is measured."""
    kept = ", ".join(f"{share:.0%}: {dims_for_fidelity(model.fidelity, share)}" for share in SHARES)
    head = f"{count} held-out notes, {seconds:.1f} s. One thread of a processor.\n\n"
    tail = f"\n\nComponents that hold a share of the latents' variance: {kept}. File: {size / 1e6:.1f} MB."
    return head + table_of(found).markdown() + tail


def main(run: str, early: str, held_out: str, corpus: str, name: str = "sax") -> None:
    """Write the model, read it back, measure it, and write its card's table."""
    torch.set_num_threads(1)
    store = Corpus.open(corpus)
    model = with_components(rave.load(run, ema=True), store)
    path = rave.save(model, SHIPPED / name, half=True, discriminator=False)
    shipped = rave.load(path)
    files = [file.path for file in find_sounds([Path(held_out)])]
    reference = References(files).at(shipped.sample_rate, shipped.channels)
    found = [
        evaluate(shipped, reference, name),
        evaluate(rave.load(early), reference, "after a tenth of the steps", speed=False),
        evaluate_baseline(reference),
    ]
    card = path.with_suffix(".md")
    text = card.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    told = section(shipped, path.stat().st_size, found, reference.seconds, len(files))
    write_text(card, f"{head}{BEGIN}\n{told}\n{END}{rest.split(END)[1]}")
    print(told)


if __name__ == "__main__":
    main(*sys.argv[1:])
