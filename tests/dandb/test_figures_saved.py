"""Figures are kept in files that need nothing else, with words for those who do not see them."""

from __future__ import annotations

import base64
import io
import re
import sys
import wave
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import dandb
from dandb.figures import Figure
from dandb.figures.by_plotly import png_of
from dandb.figures.chart import HeatMap, Picture
from dandb.figures.layout import layout_of
from dandb.figures.players import player_of, samples_of
from torchbend.errors import MissingExtraError, TorchbendError

TINY = torch.linspace(-1, 1, 2 * 3 * 6 * 6).reshape(2, 3, 6, 6)
FIGURES: dict[str, Callable[[], Figure]] = {
    "audio": lambda: dandb.plot_audio(torch.zeros(2, 900), "a <b> & c", display=False),
    "latents": lambda: dandb.plot_latent_trajs(torch.randn(20, 9), display=False),
    "activation": lambda: dandb.plot_1d_activation("mul", torch.randn(3, 9), display=False),
    "kernels": lambda: dandb.plot_kernel_grid(torch.randn(9, 5), display=False),
    "grid": lambda: dandb.plot_image_grid(TINY, ["a", "b"], display=False),
    "tiles": lambda: dandb.plot_image_activations("conv", TINY, display=False),
    "pictures": lambda: dandb.plot_image_reconstructions(TINY, TINY * 0.5, display=False),
    "sounds": lambda: dandb.plot_reconstructions(torch.zeros(1, 900), torch.zeros(800), display=False),
    "features": lambda: dandb.plot_features(torch.randn(9, 4), np.linspace(0, 1, 9), display=False),
    "players": lambda: dandb.make_audio_grid({"r": {"c": torch.zeros(90), "d": [0.0]}}, display=False),
}


class Loads(HTMLParser):
    """What a page fetches, and what it says to those who do not see it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.labels: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("src", "href", "srcset", "data", "poster"):
                self.fetched.append(value or "")
            if name == "aria-label":
                self.labels.append(value or "")


@pytest.mark.parametrize("name", FIGURES)
def test_a_page_fetches_nothing_and_says_what_it_shows(name: str, tmp_path: Path) -> None:
    figure = FIGURES[name]()
    text = figure.save(tmp_path / "x.html").read_text(encoding="utf-8")
    page = Loads(text)
    assert all(address.startswith("data:") for address in page.fetched)
    assert "@import" not in re.sub(r"<script.*?</script>", "", text, flags=re.S)
    assert len(page.fetched) == len(figure.chart.players)
    assert page.labels and "<title>" in text and 'lang="en"' in text
    for player in figure.chart.players:
        assert player.name in page.labels


@pytest.mark.parametrize("name", FIGURES)
def test_pictures_have_their_size(name: str, tmp_path: Path) -> None:
    figure = FIGURES[name]()
    picture = Image.open(figure.save(tmp_path / "x.png", scale=0.5))
    picture.load()
    height = layout_of(figure.chart).height
    assert picture.size[0] == 500 and abs(picture.size[1] - height / 2) <= 1
    assert picture.info["Description"] == figure.description and picture.info["Title"] == figure.chart.title
    assert len(np.unique(np.asarray(picture.convert("L")))) > 8


def test_drawings_for_paper(tmp_path: Path) -> None:
    figure = FIGURES["kernels"]()
    drawing = figure.save(tmp_path / "x.svg").read_text(encoding="utf-8")
    assert "<svg" in drawing and figure.description in drawing
    assert figure.save(tmp_path / "x.PDF").read_bytes().startswith(b"%PDF")
    for path, scale in (("x.gif", 1.0), ("x", 1.0), ("x.png", 0.0), ("x.png", 99.0)):
        with pytest.raises(TorchbendError, match="cannot be saved"):
            figure.save(tmp_path / path, scale)
    with pytest.raises(TorchbendError, match="cannot be written"):
        figure.save(tmp_path / "nowhere" / "x.svg")


def test_a_player_holds_the_sound(tmp_path: Path) -> None:
    x = torch.tensor([[0.0, 0.5, -0.5, 0.25]])
    page = Loads(dandb.plot_audio(x, "four", display=False, sr=8000).html())
    content = base64.b64decode(page.fetched[0].split(",")[1])
    with wave.open(io.BytesIO(content)) as file:
        assert file.getframerate() == 8000 and file.getnchannels() == 1
        steps = np.frombuffer(file.readframes(9), "<i2")
    assert steps.tolist() == [0, 16384, -16384, 8192]


def test_peaks_beyond_full_scale_are_told() -> None:
    x = torch.tensor([0.0, 2.0, -1.0])
    clipped = dandb.plot_audio(x, display=False)
    assert "clips" in clipped.chart.players[0].note and "6.0 dB over full scale" in clipped.chart.subtitle
    softer = dandb.plot_audio(x, display=False, normalize=True)
    assert softer.chart.players[0].sound.tolist() == [[0.0, 1.0, -0.5]] and "softer" in softer.chart.subtitle
    table = dandb.make_audio_grid([x, [0.5]], display=False)
    assert "1 of them pass full scale: clipped" in table.chart.subtitle
    long = player_of("long", samples_of(np.zeros(6_000_100, np.float32), "x"), 44100)
    assert long.sound.shape[1] == 6_000_000 and "first 136 seconds" in long.note


def test_pictures_are_drawn_with_the_range_that_is_told() -> None:
    def drawn(x: object, **options: object) -> tuple[np.ndarray, str]:
        figure = dandb.plot_image_grid(x, display=False, **options)  # type: ignore[arg-type]
        (picture,) = (mark for mark in figure.chart.marks() if isinstance(mark, Picture))
        return picture.pixels, figure.chart.subtitle

    unit = torch.tensor([[[0.0, 0.5], [0.25, 1.0]]])
    pixels, told = drawn(unit)
    assert pixels[..., 0].tolist() == [[0, 128], [64, 255]] and "Black is 0, white is 1" in told
    pixels, told = drawn(unit * 2 - 1)
    assert pixels[..., 0].tolist() == [[0, 128], [64, 255]] and "Black is -1, white is 1" in told
    pixels, told = drawn((unit * 254).to(torch.uint8))
    assert pixels[..., 0].tolist() == [[0, 127], [63, 254]] and "white is 255" in told
    pixels, told = drawn(unit * 10 + 3)
    assert pixels[..., 0].tolist() == [[0, 128], [64, 255]] and "from 3 to 13 are stretched" in told
    assert drawn(unit, limits=(0, 2))[0].max() == 128
    colours = torch.rand(5, 3, 8, 8)
    pixels, _ = drawn(colours, columns=2)
    assert pixels.shape == (3 * 9 - 1, 2 * 9 - 1, 3)
    wanted = (colours[3] * 255).round().permute(1, 2, 0).numpy()
    assert np.array_equal(pixels[9:17, 9:17], wanted)
    assert np.array_equal(drawn(colours.permute(0, 2, 3, 1), columns=2)[0], pixels)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png_of(pixels)))), pixels)


def test_tiles_hold_their_channels() -> None:
    x = torch.randn(1, 70, 5, 4, generator=torch.Generator().manual_seed(0))
    figure = dandb.plot_image_activations("conv", x, display=False, channel_idx=[69, 2, 0])
    (heat,) = (mark for mark in figure.chart.marks() if isinstance(mark, HeatMap))
    assert heat.z.shape[1] == 3 * 5 - 1
    for place, channel in enumerate((69, 2, 0)):
        assert np.array_equal(heat.z[-5:, place * 5 : place * 5 + 4], x[0, channel].numpy())
    assert np.isnan(heat.z[:, 4]).all()
    wide = dandb.plot_image_activations("conv", torch.randn(1024, 64, 64), display=False)
    (heat,) = (mark for mark in wide.chart.marks() if isinstance(mark, HeatMap))
    assert heat.z.size < 1_000_000 and "1,024 channels" in wide.description


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    figure = FIGURES["latents"]()
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    with pytest.raises(MissingExtraError, match=r"torchbend\[workshop\]"):
        figure.save(tmp_path / "x.html")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"torchbend\[workshop\]"):
        figure.save(tmp_path / "x.png")


@pytest.mark.parametrize("name", ["$5 and $6", r"gain $\nosuch$", "_0", "a_{b}^c"])
def test_names_are_written_as_they_are(name: str, tmp_path: Path) -> None:
    figure = dandb.plot_features([[0.0, 1.0], [1.0, 0.0]], [name, "b"], [name, "b"], False, name=name)
    figure.save(tmp_path / "x.png")
    drawn = figure.matplotlib()
    legend = next(axes.get_legend() for axes in drawn.axes)
    assert legend is not None and [words.get_text() for words in legend.get_texts()] == [name, "b"]
    assert not any(words.get_parse_math() for words in (*drawn.texts, *legend.get_texts()))


def test_plotly_gets_no_entities_that_it_would_show() -> None:
    figure = dandb.plot_audio(torch.zeros(9), 'it\'s a "<b>loud" & kick', display=False)
    title = figure.plotly.layout.title.text
    assert 'it\'s a "&lt;b>loud" &amp; kick'.replace("b>", "b&gt;") in title
    assert "&quot;" not in figure.plotly.to_json() and "&#x27;" not in figure.plotly.to_json()


def test_a_table_of_players_keeps_its_names(tmp_path: Path) -> None:
    x = torch.zeros(9)
    path = dandb.make_audio_grid([[None, x], [x, x]], ["a / b", "c"], ["d / e", "f"], False).save(
        tmp_path / "x.html"
    )
    heads = re.findall(r'<th scope="(row|col)"[^>]*>([^<]*)</th>', path.read_text(encoding="utf-8"))
    assert heads == [("col", "d / e"), ("col", "f"), ("row", "a / b"), ("row", "c")]
    one = dandb.make_audio_grid({"g / h": x}, display=False)
    assert re.findall(r"<th [^>]*>([^<]*)</th>", one.html()) == ["g / h"]
