"""A self-contained page: headings, text, tables, and sounds before and after."""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TypeAlias

from torch import Tensor

from torchbend.errors import TorchbendError
from torchbend.plots.page_style import PAGE_SCRIPT, PAGE_STYLE
from torchbend.plots.spectrogram import spectrogram_png
from torchbend.plots.waveform import waveform_svg

__all__ = [
    "AudioComparison",
    "Heading",
    "Paragraph",
    "Preformatted",
    "Section",
    "TableHtml",
    "audio_data_uri",
    "page",
    "wav_bytes",
]


@dataclass(frozen=True)
class Heading:
    """A heading of level 2 or 3 (the page's title is level 1)."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """Plain text; line breaks are kept."""

    text: str


@dataclass(frozen=True)
class Preformatted:
    """Code or a text table, in letters of one width."""

    text: str
    caption: str = ""


@dataclass(frozen=True)
class TableHtml:
    """HTML that is put on the page as it is, such as that of :meth:`torchbend.display.Table.html`.

    It is not escaped: give it nothing that came from elsewhere.
    """

    html: str
    caption: str = ""


@dataclass(frozen=True)
class AudioComparison:
    """Two sounds side by side, each with its player, spectrogram and waveform.

    Args:
        name: what was done.
        note: a sentence on it.
        before: samples ``[T]``, ``[C, T]`` or ``[1, C, T]`` in [-1, 1]; ``None`` shows ``after`` alone.
        after: the same for the other sound; its length may differ.
        sample_rate: of both, in Hz.
        labels: the words above both.
    """

    name: str
    note: str
    before: Tensor | None
    after: Tensor
    sample_rate: int
    labels: tuple[str, str] = ("before", "after")


Section: TypeAlias = Heading | Paragraph | Preformatted | TableHtml | AudioComparison


def wav_bytes(x: Tensor, sample_rate: int) -> bytes:
    """A WAV file of 16 bit; samples beyond [-1, 1] are clipped.

    Args:
        x: floating point samples ``[T]``, ``[C, T]`` or ``[1, C, T]``, T >= 1 and at most 64 channels.
        sample_rate: in Hz, 1 or more.

    Returns:
        The bytes of the file.

    Raises:
        TorchbendError: another shape or type, or samples that are NaN or infinite.
    """
    samples = x.detach()[0] if x.dim() == 3 and x.shape[0] == 1 else x.detach()
    samples = samples[None] if samples.dim() == 1 else samples
    shaped = samples.dim() == 2 and samples.numel() > 0 and samples.shape[0] <= 64
    if not (shaped and x.is_floating_point() and bool(samples.isfinite().all())):
        raise TorchbendError(
            "this cannot be played",
            wanted="finite floating point samples [samples], [channels, samples] or [1, channels, samples]",
            got=f"{x.dtype} {list(x.shape)}" + (", with NaN or infinity" if shaped else ""),
        )
    # Full scale is 32768, as for readers; the last step up, +1.0 exactly, is 32767.
    steps = (samples.cpu().double() * 32768).round().clamp(-32768, 32767)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(samples.shape[0])
        file.setsampwidth(2)
        file.setframerate(int(sample_rate))
        file.writeframes(steps.T.contiguous().numpy().astype("<i2").tobytes())
    return buffer.getvalue()


def audio_data_uri(x: Tensor, sample_rate: int) -> str:
    """A ``data:`` address that holds the sound itself, for the ``src`` of an ``<audio>``.

    Args:
        x: samples, as for :func:`wav_bytes`.
        sample_rate: in Hz.

    Raises:
        TorchbendError: see :func:`wav_bytes`.
    """
    return "data:audio/wav;base64," + base64.b64encode(wav_bytes(x, sample_rate)).decode("ascii")


def page(title: str, sections: Sequence[Section], subtitle: str = "", footer: str = "") -> str:
    """A whole HTML page that asks nothing of the network: style, sounds and pictures are inside.

    Readable on small screens, in light and dark; without JavaScript the players still play.

    Args:
        title: the page's title.
        sections: what it shows, from top to bottom.
        subtitle: a sentence below the title.
        footer: a sentence at the end.

    Returns:
        The text of the page, to be written as UTF-8.

    Raises:
        TorchbendError: a section is of another type, or holds a sound that cannot be played.

    >>> "<h2>Two &amp; two</h2>" in page("A page", [Heading("Two & two")])
    True
    """
    body = "\n".join(_section_html(section) for section in sections)
    lead = f"<p>{escape(subtitle)}</p>" if subtitle else ""
    end = f"<footer>{escape(footer)}</footer>" if footer else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{PAGE_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<header><h1>{escape(title)}</h1>{lead}</header>\n{body}\n{end}\n</main>\n"
        f"<script>{PAGE_SCRIPT}</script>\n</body>\n</html>\n"
    )


def _section_html(section: Section) -> str:
    if isinstance(section, Heading):
        level = min(max(section.level, 2), 3)
        return f"<h{level}>{escape(section.text)}</h{level}>"
    if isinstance(section, Paragraph):
        return f"<p>{escape(section.text)}</p>"
    if isinstance(section, Preformatted):
        return _sheet(f"<pre>{escape(section.text)}</pre>", section.caption)
    if isinstance(section, TableHtml):
        return _sheet(section.html, section.caption)
    if isinstance(section, AudioComparison):
        return _comparison_html(section)
    raise TorchbendError(
        "a page cannot show this",
        site="sections",
        wanted="Heading, Paragraph, Preformatted, TableHtml or AudioComparison",
        got=type(section).__name__,
    )


def _sheet(inside: str, caption: str) -> str:
    words = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure><div class="sheet" tabindex="0">{inside}</div>{words}</figure>'


def _comparison_html(row: AudioComparison) -> str:
    takes = [] if row.before is None else [_take(row, row.before, row.labels[0], "before")]
    takes.append(_take(row, row.after, row.labels[1], "after"))
    note = f"<p>{escape(row.note)}</p>" if row.note else ""
    return f'<article><h3>{escape(row.name)}</h3>{note}<div class="pair">{"".join(takes)}</div></article>'


def _take(row: AudioComparison, x: Tensor, label: str, kind: str) -> str:
    """One sound: its label, spectrogram, waveform and player."""
    source = audio_data_uri(x, row.sample_rate)
    picture = base64.b64encode(spectrogram_png(x, row.sample_rate)).decode("ascii")
    words = escape(f"{row.name}, {label}", quote=True)
    image = f'<img alt="spectrogram of {words}" src="data:image/png;base64,{picture}">'
    return (
        f'<figure class="take {kind}"><figcaption>{escape(label)}</figcaption>'
        f'<div class="screen">{image}<i></i></div>'
        f"{waveform_svg(x, label=f'waveform of {row.name}, {label}')}"
        f'<audio controls preload="metadata" aria-label="{words}" src="{source}"></audio></figure>'
    )
