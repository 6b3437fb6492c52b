"""The demonstration from one end to the other: play, bend, export, write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from torchbend.audio import write_audio
from torchbend.demo.additive import additive_instrument
from torchbend.demo.instrument import Instrument, LatentPlay, LatentSpace, NamedBend
from torchbend.demo.render import level_db, levelled, play
from torchbend.demo.report import MADE_BY, Results, demo_page
from torchbend.demo.sax import sax_instrument
from torchbend.demo.stage import go_on_stage
from torchbend.demo.takes import Take
from torchbend.demo.vocoder_bends import vocoder_instrument
from torchbend.display import write_text
from torchbend.errors import TorchbendError

__all__ = ["INSTRUMENTS", "Demo", "open_demo"]

INSTRUMENTS: dict[str, Callable[[], Instrument]] = {
    "sax": sax_instrument,
    "vocoder": vocoder_instrument,
    "additive": additive_instrument,
}

_HEADROOM = 0.5
"""Of the unbent sound: bent sounds of the same loudness may have higher peaks."""

Tell = Callable[[str], None]


def open_demo(model: str = "sax") -> Demo:
    """The demonstration, ready to run.

    Args:
        model: one of `INSTRUMENTS`.

    Raises:
        TorchbendError: there is no such instrument.
        MissingExtraError: the vocoder is not installed.
    """
    if model not in INSTRUMENTS:
        raise TorchbendError(
            "there is no demonstration of this", site="model", wanted=", ".join(INSTRUMENTS), got=model
        )
    return Demo(INSTRUMENTS[model]())


@dataclass
class Demo:
    """An instrument and what was made with it.

    Attributes:
        instrument: the model with its phrases and bends.
        results: everything made so far.
    """

    instrument: Instrument
    results: Results = field(default_factory=Results)

    @property
    def step_count(self) -> int:
        """How many steps `run` tells of."""
        one = self.instrument
        return len(one.phrases) * (1 + len(one.bends)) + len(one.plays) + 2 * (one.stage is not None) + 1

    def print_tables(self) -> None:
        """Prints some of the weights and activations; the page has all of them."""
        bended, method = self.instrument.bended, list(self.instrument.probes)[-1]
        print(f"{self.instrument.title}: some of its {len(bended.weight_names)} weights\n")
        bended.print_weights(self.instrument.weights)
        print(f"\nsome of the {len(bended.activation_names(method))} activations of {method}()\n")
        bended.print_activations(method, flt=self.instrument.activations)

    def run(self, out: Path, tell: Tell = lambda name: None) -> Iterator[str]:
        """Makes all sounds, recipes, programs, the exported file and the page.

        Files of an earlier run are replaced, and others are left alone.

        Args:
            out: the folder; it is made.
            tell: is told of each step before it begins.

        Yields:
            A line on each thing that was written.

        Raises:
            TorchbendError: something cannot be written, the folder holds a page of somebody else, a bend gave
                no sound, or the exported file fails its check.
        """
        page = out / "index.html"
        _refuse_foreign(page)
        self.results = Results()
        for bend in self.instrument.bends:
            yield f"recipe  {bend.recipe.save(_folder(out / 'recipes') / f'{bend.slug}.json')}"
        for name, phrase in self.instrument.phrases.items():
            yield from self._phrase(out, name, phrase, tell)
        if self.instrument.latents is not None:
            for way in self.instrument.plays:
                tell(way.name)
                yield from self._played(out, self.instrument.latents, way)
        if self.instrument.stage is not None:
            _folder(out / "stage")
            staged = go_on_stage(self.instrument, self.instrument.stage, out, tell)
            self.results.staged = staged
            faster = f"(checked; real-time factor {staged.real_time:.2f}, {staged.core_share:.0%} of a core)"
            yield f"stage   {staged.path}  {faster}"
            yield from (f"stage   {path}" for path in staged.beside)
        tell("the page")
        _write_text(page, demo_page(self.instrument, self.results))
        yield f"page    {page}"

    # -- sounds ------------------------------------------------------------------------------------------

    def _phrase(self, out: Path, name: str, phrase: Tensor, tell: Tell) -> Iterator[str]:
        """A phrase as it is, by the unbent model, and by each bend."""
        yield f"input   {self._write_input(out / self.instrument.input_path(name), phrase)}"
        tell(f"{name}, as it is")
        raw = play(self.instrument, phrase)
        plain = levelled(raw) * _HEADROOM
        heard = levelled(phrase.reshape(-1), plain) if self.instrument.input_files else None
        level = self.results.levels[name] = level_db(raw)
        gain = 0.0 if heard is None else level - level_db(phrase)
        word = self.instrument.plain_word
        yield self._keep(out / f"{name}-{word}.wav", name, None, heard, plain, gain, ("original", word))
        for bend in self.instrument.bends:
            tell(f"{name}, {bend.name}")
            bent = play(self.instrument, phrase, bend)
            yield self._keep(
                out / f"{name}-{bend.slug}.wav",
                name,
                bend,
                plain,
                levelled(bent, plain),
                level_db(bent) - level,
                (word, bend.name),
            )

    def _played(self, out: Path, space: LatentSpace, way: LatentPlay) -> Iterator[str]:
        """What the decoder gives for latents that no sound gave, and the program that does the same."""
        script = _folder(out / "scripts") / f"{way.slug}.py"
        _write_text(script, way.script)
        yield f"script  {script}"
        latents = way.latents(space.phrases)
        self.results.played[way.name] = latents
        with torch.no_grad():
            raw = space.decode(latents).reshape(-1)
        unbent = [take for take in self.results.takes if take.way is None]
        like = next((take for take in unbent if take.phrase == way.like), unbent[0])
        before = like.after if way.like is not None else None
        sound = levelled(raw, like.after)
        gain = level_db(raw) - self.results.levels[like.phrase]
        labels = (f"{like.phrase}, {self.instrument.plain_word}", way.name)
        yield self._keep(out / f"{way.slug}.wav", "", way, before, sound, gain, labels)

    def _keep(
        self,
        path: Path,
        phrase: str,
        way: NamedBend | LatentPlay | None,
        before: Tensor | None,
        after: Tensor,
        gain: float,
        labels: tuple[str, str],
    ) -> str:
        """Writes a sound, keeps it for the page, and tells of it."""
        write_audio(path, after, self.instrument.sample_rate)
        take = Take(phrase, way, before, after, gain, path, self.instrument.sample_rate, labels)
        self.results.takes.append(take)
        far = "" if take.distance is None else f"  ({take.distance:.1f} dB from the {labels[0]})"
        return f"sound   {path}{far}"

    def _write_input(self, path: Path, phrase: Tensor) -> Path:
        if self.instrument.input_files:
            write_audio(path, phrase.reshape(-1), self.instrument.sample_rate)
            return path
        from safetensors.torch import save_file

        _folder(path.parent)
        save_file({"score": phrase.contiguous()}, path)
        return path


def _refuse_foreign(page: Path) -> None:
    """Says no before the work where the page would replace one that the demonstration did not make."""
    try:
        foreign = page.exists() and MADE_BY not in page.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise TorchbendError("the page cannot be written", site=str(page), got=str(error)) from error
    if foreign:
        raise TorchbendError(
            "the folder holds a page that the demonstration did not make; it is not replaced",
            site=str(page),
            next_step="choose another folder: --out FOLDER",
        )


def _write_text(path: Path, text: str) -> None:
    try:
        write_text(path, text)
    except OSError as error:
        raise TorchbendError("the file cannot be written", site=str(path), got=str(error)) from error


def _folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TorchbendError("the folder cannot be made", site=str(path), got=str(error)) from error
    return path
