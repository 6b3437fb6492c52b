"""The demonstration from one end to the other: play, bend, write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from torchbend.audio import write_audio
from torchbend.demo.additive import additive_instrument
from torchbend.demo.instrument import Instrument, NamedBend
from torchbend.demo.render import difference_db, levelled, play
from torchbend.demo.report import Take, demo_page, input_path
from torchbend.demo.vocoder_bends import vocoder_instrument
from torchbend.display import write_text
from torchbend.errors import TorchbendError

__all__ = ["Demo", "open_demo"]

_HEADROOM = 0.5
"""Of the original: bent sounds of the same loudness may have higher peaks."""


def open_demo(quick: bool = False) -> Demo:
    """The demonstration, ready to run.

    Args:
        quick: with the additive synthesiser instead of the vocoder.

    Raises:
        MissingExtraError: the vocoder is not installed.
    """
    return Demo(additive_instrument() if quick else vocoder_instrument())


@dataclass
class Demo:
    """An instrument and what was made with it.

    Attributes:
        instrument: the model with its phrases and bends.
        takes: every sound made so far.
    """

    instrument: Instrument
    takes: list[Take] = field(default_factory=list)

    @property
    def step_count(self) -> int:
        """How many sounds `run` makes."""
        return len(self.instrument.phrases) * (1 + len(self.instrument.bends))

    def print_tables(self) -> None:
        """Prints some of the weights and activations; the page has all of them."""
        bended = self.instrument.bended
        print(f"{self.instrument.title}: some of its {len(bended.weight_names)} weights\n")
        bended.print_weights(self.instrument.weights)
        print(f"\nsome of its {len(bended.activation_names())} activations\n")
        bended.print_activations(flt=self.instrument.activations)

    def run(self, out: Path, tell: Callable[[str], None] = lambda name: None) -> Iterator[str]:
        """Makes all sounds, recipes and the page.

        Args:
            out: the folder; it is made.
            tell: is told of each sound before it is made.

        Yields:
            A line on each thing that was written.

        Raises:
            TorchbendError: something cannot be written, or a bend gave no sound.
        """
        self.takes.clear()
        for bend in self.instrument.bends:
            yield f"recipe  {bend.recipe.save(_folder(out / 'recipes') / f'{bend.slug}.json')}"
        for name, phrase in self.instrument.phrases.items():
            yield f"input   {self._write_input(out / input_path(self.instrument, name), phrase)}"
            tell(f"{name}, as it is")
            plain = levelled(play(self.instrument, phrase)) * _HEADROOM
            path = self._write(out / f"{name}-original.wav", plain)
            yield f"sound   {path}"
            for bend in self.instrument.bends:
                tell(f"{name}, {bend.name}")
                yield self._bent(out, name, phrase, plain, bend)
        page = out / "index.html"
        try:
            write_text(page, demo_page(self.instrument, self.takes))
        except OSError as error:
            raise TorchbendError("the page cannot be written", site=str(page), got=str(error)) from error
        yield f"page    {page}"

    def _bent(self, out: Path, name: str, phrase: Tensor, plain: Tensor, bend: NamedBend) -> str:
        sound = levelled(play(self.instrument, phrase, bend), plain)
        path = self._write(out / f"{name}-{bend.slug}.wav", sound)
        distance = difference_db(plain, sound, self.instrument.sample_rate)
        self.takes.append(Take(name, bend, plain, sound, distance, path))
        return f"sound   {path}  ({distance:.1f} dB from the original)"

    def _write_input(self, path: Path, phrase: Tensor) -> Path:
        if self.instrument.input_files:
            return self._write(path, phrase.reshape(-1))
        from safetensors.torch import save_file

        _folder(path.parent)
        save_file({"score": phrase.contiguous()}, path)
        return path

    def _write(self, path: Path, sound: Tensor) -> Path:
        write_audio(path, sound, self.instrument.sample_rate)
        return path


def _folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TorchbendError("the folder cannot be made", site=str(path), got=str(error)) from error
    return path
