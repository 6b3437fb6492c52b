"""A notebook as a page of the documentation site: its text, its code, and what its cells gave.

Nothing of a page is loaded from elsewhere: figures are drawn by the site's own copy of plotly.js, pictures
and sounds become files of the site.
"""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import soundfile

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_DATA = re.compile(r'src=(["\'])data:(audio|image)/(\w+)[^,"\']*;base64,([^"\']+)\1')
_OUTSIDE = re.compile(r"<script[^>]*\ssrc=[\"'](?:https?:)?//[^>]*>\s*</script>", re.IGNORECASE)
_PLOTLY = "application/vnd.plotly.v1+json"
_WIDGET = "application/vnd.jupyter.widget-view+json"
_UNTOLD = "figure made by this cell"
_SLOT = '<div class="tb-slot" id="{}"></div>'


@dataclass
class Rendered:
    """A notebook as Markdown.

    Attributes:
        title: its first heading.
        text: Markdown, with an empty element for each output.
        outputs: the HTML of each output, by the id of its element.
        files: pictures and sounds, by their names.
        has_figures: whether plotly.js is needed.
    """

    title: str
    text: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    has_figures: bool = False

    def with_outputs(self, html: str) -> str:
        """The page's HTML with the outputs in their places."""
        for name, output in self.outputs.items():
            html = html.replace(_SLOT.format(name), output)
        return html


def rendered(notebook: Path) -> Rendered:
    """Reads a notebook, executed or not, of format 4.

    Args:
        notebook: the file.
    """
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    first = next((_text(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"), "")
    heading = re.search(r"^# +(.+)$", first, re.MULTILINE)
    page = Rendered(heading[1].strip() if heading else notebook.stem)
    parts = []
    for cell in cells:
        source = _text(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
        elif cell["cell_type"] == "code" and source.strip():
            parts.append(f"```python\n{source.rstrip()}\n```")
            outputs = "".join(_output(page, output, notebook.stem) for output in _joined(cell["outputs"]))
            if outputs:
                name = f"output-{len(page.outputs) + 1}"
                page.outputs[name] = f'<div class="tb-output">{outputs}</div>'
                parts.append(_SLOT.format(name))
    page.text = "\n\n".join(parts) + "\n"
    return page


def _text(lines: str | list[str]) -> str:
    return lines if isinstance(lines, str) else "".join(lines)


def _joined(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Outputs with neighbouring pieces of one stream joined."""
    found: list[dict[str, Any]] = []
    for output in outputs:
        last = found[-1] if found else {}
        if output["output_type"] == "stream" and last.get("name") == output["name"]:
            last["text"] = _text(last["text"]) + _text(output["text"])
        else:
            found.append(dict(output))
    return found


def _printed(text: str) -> str:
    """Printed text as a terminal leaves it: without colours, and of a progress bar its end."""
    lines = [line.rstrip("\r").rpartition("\r")[2].rstrip() for line in _ANSI.sub("", text).split("\n")]
    shown = "\n".join(lines).strip("\n")
    return f'<pre tabindex="0">{escape(shown)}</pre>' if shown.strip() else ""


def _output(page: Rendered, output: dict[str, Any], stem: str) -> str:
    """The HTML of one output."""
    if output["output_type"] == "stream":
        return _printed(_text(output["text"]))
    if output["output_type"] == "error":
        return _printed("\n".join(output["traceback"]))
    data = output.get("data", {})
    words = _ANSI.sub("", _text(data.get("text/plain", "")))
    if _PLOTLY in data:
        page.has_figures = True
        return _figure(data[_PLOTLY], words)
    if _WIDGET in data and "text/html" not in data:
        return '<p class="tb-widget">Here the notebook shows knobs: open it in Jupyter to turn them.</p>'
    if "text/html" in data:
        return f'<div class="tb-html" tabindex="0">{_html(page, _text(data["text/html"]), stem)}</div>'
    if "image/svg+xml" in data:
        return f'<div class="tb-html">{_text(data["image/svg+xml"])}</div>'
    for kind in ("png", "jpeg"):
        if f"image/{kind}" in data:
            told = output.get("metadata", {}).get(f"image/{kind}", {}).get("alt") or _UNTOLD
            name = _file(page, stem, kind, base64.b64decode(_text(data[f"image/{kind}"])))
            return f'<img src="{name}" alt="{escape(told, quote=True)}" loading="lazy">'
    return _printed(words)


def _figure(figure: dict[str, Any], told: str) -> str:
    """A place where docs/assets/site.js draws a plotly figure, with the words for those who do not see it."""
    layout = figure.get("layout", {})
    title = layout.get("title") or ""
    words = (title.get("text", "") if isinstance(title, dict) else title) or _UNTOLD
    words = re.sub(r"<[^>]*>", " ", words) if told.startswith("Figure(") or not told else told
    data = json.dumps({"data": figure.get("data", []), "layout": layout}).replace("</", "<\\/")
    height = int(layout.get("height") or 450)
    return (
        f'<figure class="tb-plotly" role="img" aria-label="{escape(words, quote=True)}" '
        f'style="min-height:{height}px"><script type="application/json">{data}</script></figure>'
    )


def _html(page: Rendered, html: str, stem: str) -> str:
    """A cell's HTML, with its sounds and pictures in files, and without scripts of other hosts."""

    def as_file(found: re.Match[str]) -> str:
        content, kind = base64.b64decode(found[4]), found[3]
        if found[2] == "audio" and content[:4] == b"RIFF":
            content, kind = flac(content), "flac"
        return f'src="{_file(page, stem, kind, content)}"'

    return _DATA.sub(as_file, _OUTSIDE.sub("", html))


def flac(wav: bytes) -> bytes:
    """The samples of a WAV file of 16 bits, packed without loss.

    Args:
        wav: the file's bytes.
    """
    samples, rate = soundfile.read(io.BytesIO(wav), dtype="int16")
    packed = io.BytesIO()
    soundfile.write(packed, samples, rate, format="FLAC", subtype="PCM_16")
    return packed.getvalue()


def _file(page: Rendered, stem: str, kind: str, content: bytes) -> str:
    """Keeps a file of the page; gives its address."""
    name = f"{stem}_files/{len(page.files) + 1}.{kind}"
    page.files[name] = content
    return name
