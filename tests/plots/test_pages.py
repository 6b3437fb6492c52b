"""A page holds everything it shows and plays."""

import base64
import io
import math
import re
from html.parser import HTMLParser

import pytest
import torch

from torchbend.display import Table
from torchbend.errors import TorchbendError
from torchbend.plots import (
    AudioComparison,
    Heading,
    Paragraph,
    Preformatted,
    TableHtml,
    audio_data_uri,
    page,
    wav_bytes,
)

RATE = 16000
EMPTY_TAGS = {"meta", "img"}


class Page(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.open, self.addresses, self.tags = [], [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in EMPTY_TAGS:
            self.open.append(tag)
        self.addresses += [value for name, value in attrs if name in {"src", "href"}]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)


def noise(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)) * 1.9 - 0.95


@pytest.mark.parametrize("shape", [(100,), (2, 100), (1, 3, 100)])
def test_a_wav_in_memory_is_the_sound(shape):
    import soundfile

    x = noise(*shape)
    found, rate = soundfile.read(io.BytesIO(wav_bytes(x, RATE)), dtype="float32", always_2d=True)
    assert rate == RATE
    assert (torch.from_numpy(found.T) - x.reshape(-1, 100)).abs().max().item() <= 2**-16 + 2**-24


def test_samples_beyond_full_scale_do_not_wrap_around():
    import soundfile

    found, _ = soundfile.read(
        io.BytesIO(wav_bytes(torch.tensor([1.0, 3.0, -1.0, -3.0]), RATE)), dtype="int16"
    )
    assert found.tolist() == [32767, 32767, -32768, -32768]


def test_an_address_holds_the_file():
    uri = audio_data_uri(noise(50), RATE)
    assert base64.b64decode(uri.removeprefix("data:audio/wav;base64,")) == wav_bytes(noise(50), RATE)


@pytest.mark.parametrize(
    "x", [torch.zeros(0), torch.zeros(2, 3, 4), torch.zeros(4).int(), torch.tensor([0.0, math.nan])]
)
def test_what_cannot_be_played_is_refused(x):
    with pytest.raises(TorchbendError, match="cannot be played"):
        wav_bytes(x, RATE)


def whole_page():
    sections = [
        Heading("One <two>"),
        Heading("Three", 3),
        Paragraph("a & b"),
        TableHtml(Table(["a"], [[1.0]]).html(), "the <numbers>"),
        Preformatted("x < y", "code"),
        AudioComparison('Scale("2")', "louder <b>", noise(2, 4000), noise(6000), RATE),
        AudioComparison("alone", "", None, noise(1, 1, 4000), RATE, labels=("", "bent")),
    ]
    return page("Title & more", sections, subtitle="sub <i>", footer="end")


def test_a_page_is_whole_and_asks_nothing_of_the_network():
    html = whole_page()
    found = Page(html)
    assert html.startswith("<!doctype html>")
    assert all(address.startswith("data:") for address in found.addresses)
    assert "http" not in html
    assert "url(" not in html
    assert "@import" not in html
    assert found.tags.count("audio") == 3
    assert found.tags.count("img") == 3
    assert html.count('class="waveform"') == 3


def test_texts_are_escaped():
    html = whole_page()
    for words in (
        "One &lt;two&gt;",
        "a &amp; b",
        "x &lt; y",
        "louder &lt;b&gt;",
        "Title &amp; more",
        "sub &lt;i&gt;",
    ):
        assert words in html
    assert 'aria-label="Scale(&quot;2&quot;), before"' in html


def test_the_players_hold_both_sounds_in_order():
    html = whole_page()
    sounds = re.findall(r"<audio[^>]*src=\"([^\"]*)\"", html)
    assert sounds[0] == audio_data_uri(noise(2, 4000), RATE)
    assert sounds[1] == audio_data_uri(noise(6000), RATE)


def test_a_page_of_the_same_things_is_the_same():
    assert whole_page() == whole_page()


def test_an_unknown_section_is_refused():
    with pytest.raises(TorchbendError, match=r"AudioComparison[\s\S]*str"):
        page("title", ["text"])
