"""Fetching: it goes on where it stopped, keeps only what has the checksum, and follows no address astray."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import dandb.fetch as fetching
from dandb.cache import cache_folder
from dandb.fetch import fetch
from dandb.registry import Entry
from torchbend.errors import DownloadError, UnreachableError

from .serving import Site, serving

WHOLE = torch.randint(0, 256, (300_000,), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
DATA = WHOLE.numpy().tobytes()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_PAUSE", 0.0)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(Site({"/birds.ts": DATA})) as running:
        yield running


def entry(site: Site, path: str = "/birds.ts", data: bytes = DATA) -> Entry:
    return Entry("birds", site.url(path), hashlib.sha256(data).hexdigest(), len(data))


def parts(folder: Path) -> list[Path]:
    return list(folder.glob("*.part"))


def test_a_file_is_fetched_once(site: Site, tmp_path: Path) -> None:
    path = fetch(entry(site), tmp_path / "deep" / "cache")
    assert path == tmp_path / "deep" / "cache" / "birds.ts" and path.read_bytes() == DATA
    assert fetch(entry(site), path.parent) == path
    assert site.asked == [("/birds.ts", None)] and not parts(path.parent)


def test_a_broken_connection_goes_on(site: Site, tmp_path: Path) -> None:
    site.breaks = [100_000, 50_000]
    assert fetch(entry(site), tmp_path).read_bytes() == DATA
    assert [wanted for _, wanted in site.asked] == [None, "bytes=100000-", "bytes=150000-"]


def test_a_later_run_goes_on(site: Site, tmp_path: Path) -> None:
    site.breaks = [70_000, 0, 0, 0]
    with pytest.raises(UnreachableError, match="did not arrive as a whole") as caught:
        fetch(entry(site), tmp_path)
    assert "70000 of 300000" in str(caught.value.got)
    (part,) = parts(tmp_path)
    assert part.read_bytes() == DATA[:70_000] and not (tmp_path / "birds.ts").exists()
    site.asked.clear()
    site.breaks.clear()
    assert fetch(entry(site), tmp_path).read_bytes() == DATA
    assert site.asked == [("/birds.ts", "bytes=70000-")] and not parts(tmp_path)


def test_a_server_that_cannot_go_on_begins_anew(site: Site, tmp_path: Path) -> None:
    site.ranges = False
    site.breaks = [200_000]
    assert fetch(entry(site), tmp_path).read_bytes() == DATA
    assert len(site.asked) == 2


@pytest.mark.parametrize("started", [DATA[:9][::-1], b"x" * 299_999, b"y" * 400_000, b"z" * 300_000])
def test_a_wrong_beginning_is_dropped(site: Site, tmp_path: Path, started: bytes) -> None:
    wanted = entry(site)
    (tmp_path / f"birds.ts.{wanted.sha256[:12]}.part").write_bytes(started)
    assert fetch(wanted, tmp_path).read_bytes() == DATA


def test_a_file_that_became_shorter_is_asked_for_anew(site: Site, tmp_path: Path) -> None:
    short = DATA[:1000]
    (tmp_path / f"birds.ts.{hashlib.sha256(DATA).hexdigest()[:12]}.part").write_bytes(DATA[:5000])
    site.files["/birds.ts"] = short
    with pytest.raises(UnreachableError, match="did not arrive as a whole"):
        fetch(entry(site), tmp_path)
    assert site.asked[:2] == [("/birds.ts", "bytes=5000-"), ("/birds.ts", None)]


def test_another_file_is_refused_and_does_not_stay(site: Site, tmp_path: Path) -> None:
    site.files["/birds.ts"] = DATA[::-1]
    with pytest.raises(DownloadError, match="not what the registry says") as caught:
        fetch(entry(site), tmp_path)
    assert caught.value.got == hashlib.sha256(DATA[::-1]).hexdigest()
    assert not (tmp_path / "birds.ts").exists() and not parts(tmp_path)


def test_a_longer_file_is_refused_before_its_end(site: Site, tmp_path: Path) -> None:
    site.files["/birds.ts"] = DATA * 40
    with pytest.raises(DownloadError, match="longer than the registry says"):
        fetch(entry(site), tmp_path)
    assert not parts(tmp_path)


def test_a_spoilt_file_in_the_cache_is_fetched_again(site: Site, tmp_path: Path) -> None:
    path = fetch(entry(site), tmp_path)
    path.write_bytes(DATA[:-1] + b"?")
    assert fetch(entry(site), tmp_path).read_bytes() == DATA


def test_an_address_may_hold_any_letters(site: Site, tmp_path: Path) -> None:
    site.files["/my%20v%C3%B6gel%20%231.ts"] = DATA
    assert fetch(entry(site, "/my vögel %231.ts"), tmp_path).read_bytes() == DATA


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "bücher.example", "a..b", "", "a b"])
def test_a_host_that_cannot_be_is_told_before_it_is_asked(host: str) -> None:
    with pytest.raises(DownloadError, match="an entry of the registry is wrong"):
        Entry("birds", f"https://{host}/birds.ts", "0" * 64, 1)


def test_nobody_there(site: Site, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        gone = replace(entry(site), url=f"http://127.0.0.1:{taken.getsockname()[1]}/birds.ts")
        with pytest.raises(UnreachableError, match="does not answer"):
            fetch(gone, tmp_path)
    with pytest.raises(DownloadError, match="404") as caught:
        fetch(entry(site, "/moved.ts"), tmp_path)
    assert not isinstance(caught.value, UnreachableError)


def test_few_addresses_are_followed(site: Site, tmp_path: Path) -> None:
    site.leads = {f"/{k}.ts": f"/{k + 1}.ts" for k in range(9)} | {"/4.ts": "/birds.ts"}
    assert fetch(entry(site, "/0.ts"), tmp_path / "a").read_bytes() == DATA
    site.leads["/4.ts"] = "/5.ts"
    with pytest.raises(DownloadError, match="302"):
        fetch(entry(site, "/0.ts"), tmp_path / "b")


@pytest.mark.parametrize("astray", ["file:///etc/hostname", "ftp://127.0.0.1/x.ts", "data:,x"])
def test_an_address_that_leads_off_the_web_is_not_followed(site: Site, tmp_path: Path, astray: str) -> None:
    site.leads = {"/away.ts": astray}
    with pytest.raises(DownloadError, match=r"leads elsewhere|not allowed"):
        fetch(entry(site, "/away.ts"), tmp_path)


def test_a_file_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "stick").mkdir()
    source = tmp_path / "stick" / "my birds.ts"
    source.write_bytes(DATA)
    local = Entry.of_file(source, source.as_uri(), name="birds")
    assert fetch(local, tmp_path / "cache").read_bytes() == DATA
    source.unlink()
    with pytest.raises(UnreachableError):
        fetch(local, tmp_path / "other")


def test_two_at_once_fetch_once(site: Site, tmp_path: Path) -> None:
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(fetch(entry(site), tmp_path))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.read_bytes() == DATA for path in found] == [True] * 4
    assert len(site.asked) == 1


def test_a_folder_that_cannot_be_made(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DownloadError, match="cannot be kept") as caught:
        fetch(entry(site), tmp_path / "file")
    assert "TORCHBEND_CACHE" in str(caught.value.next_step)


def test_a_bar_is_shown_where_it_is_asked_for(
    site: Site, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fetch(entry(site), tmp_path / "a")
    assert capfd.readouterr() == ("", "")
    fetch(entry(site), tmp_path / "b", progress=True)
    assert "birds" in capfd.readouterr().err


def test_where_the_cache_is(tmp_path: Path) -> None:
    assert cache_folder({"TORCHBEND_CACHE": str(tmp_path)}) == tmp_path
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "torchbend"
    assert cache_folder({}) == Path.home() / ".cache" / "torchbend"
