"""Models by name: shipped ones always, others by their registries; and what `import_model` opens."""

from __future__ import annotations

import copy
import json
import pickle
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import torchbend as tb
from dandb import (
    RAVE_DECODER_ACT_NAMES,
    RAVE_DECODER_ACT_NAMES_DECODE,
    download_models,
    import_model,
)
from dandb.registry import Entry, read_registry, write_registry
from torchbend.errors import CheckpointError, DownloadError
from torchbend.shipped import model_path

from .serving import Site, serving

STANDS_IN = (
    "sol_full_nopqmf: the original has no public address that can be checked; sax, which comes with the "
    "package, stands in for it\n"
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no proxy."""
    monkeypatch.setenv("TORCHBEND_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache" / "models"


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    model = tb.rave.RAVE(tb.rave.preset("raspberry", capacity=2, latent_size=4)).eval()
    return tb.rave.save(model, tmp_path_factory.mktemp("birds") / "birds.safetensors", discriminator=False)


@pytest.fixture
def site(birds: Path) -> Iterator[Site]:
    with serving(Site({"/models/birds.safetensors": birds.read_bytes()})) as running:
        yield running


@pytest.fixture
def registry(site: Site, birds: Path, tmp_path: Path) -> Path:
    path = tmp_path / "mine.json"
    write_registry(path, [Entry.of_file(birds, site.url("/models/birds.safetensors"), licence="CC BY 4.0")])
    return path


def test_the_shipped_model_has_two_names(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = download_models()
    assert capsys.readouterr().out == STANDS_IN
    assert list(models) == ["sax", "sol_full_nopqmf"]
    assert models["sax"] == models["sol_full_nopqmf"] == str(model_path("sax"))
    printed = f"{models}".splitlines()
    assert printed[0] == "2 models" and printed[3].startswith("sax              comes with the package")
    assert printed[4].startswith("sol_full_nopqmf  sax stands in for it")
    assert models._ipython_key_completions_() == list(models) and "<td>sax</td>" in models._repr_html_()
    assert not cache.exists()
    download_models(quiet=True)
    assert capsys.readouterr() == ("", "")


def test_some_by_name() -> None:
    assert list(download_models("sax")) == ["sax"]
    assert download_models(["sol_full_nopqmf"], quiet=True)["sol_full_nopqmf"].name == "sax"
    with pytest.raises(DownloadError, match="no model has this name") as caught:
        download_models(["sax", "sxa"])
    assert caught.value.site == "sxa" and "sax, sol_full_nopqmf" in str(caught.value.wanted)
    with pytest.raises(DownloadError, match="there is no model 'sxa' here"):
        download_models(quiet=True)["sxa"]


def test_a_path_of_a_model_is_a_path() -> None:
    path = download_models("sax")["sax"]
    for same in (path, copy.copy(path), pickle.loads(pickle.dumps(path))):
        assert same == str(model_path("sax")) and (same.name, same.about) == ("sax", "comes with the package")
    assert Path(path).is_file() and path.megabytes == Path(path).stat().st_size / 1e6


def test_a_registry_of_ones_own(registry: Path, site: Site, birds: Path, cache: Path) -> None:
    models = download_models(registry=registry, quiet=True)
    assert list(models) == ["sax", "birds", "sol_full_nopqmf"]
    assert models["birds"] == str(cache / "birds.safetensors") and models["birds"].about == "CC BY 4.0"
    assert Path(models["birds"]).read_bytes() == birds.read_bytes()
    assert list(download_models("sax", registry)) == ["sax"]
    assert len(site.asked) == 1
    for given in (models["birds"], "birds"):  # by its path; by its name, since it was fetched before
        assert import_model(given).latent_size == 4


def test_without_a_network(registry: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held = json.loads(registry.read_text())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        entry = {**held["models"][0], "url": f"{address}/birds.ts"}
        original = {**entry, "name": "sol_full_nopqmf", "url": f"{address}/original.ts"}
        registry.write_text(json.dumps({**held, "models": [entry, original]}))
        models = download_models(registry=registry)
        told = capsys.readouterr().out.splitlines()
        assert list(models) == ["sax", "sol_full_nopqmf"]
        assert told[0].startswith(f"birds: cannot be fetched now ({address}/birds.ts: ")
        assert told[1].startswith("sol_full_nopqmf: cannot be fetched now") and len(told) == 2
        assert told[1].endswith("; sax stands in for it")
        with pytest.raises(DownloadError, match="'birds' could not be fetched") as caught:
            models["birds"]
        assert "where there is network" in str(caught.value.next_step)
        with pytest.raises(DownloadError, match="could not be fetched"):
            import_model("birds", registry=registry)


def test_a_changed_model_is_an_error(registry: Path, site: Site, cache: Path) -> None:
    site.files["/models/birds.safetensors"] += b"!"
    with pytest.raises(DownloadError, match="longer"):
        download_models(registry=registry)
    site.files["/models/birds.safetensors"] = bytes(len(site.files["/models/birds.safetensors"]) - 1)
    with pytest.raises(DownloadError, match=r"not what the registry says|as a whole"):
        download_models("birds", registry, quiet=True)["birds"]
    assert not (cache / "birds.safetensors").exists()


def test_a_registry_beside_its_models(birds: Path, tmp_path: Path) -> None:
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick" / "my birds.safetensors").write_bytes(birds.read_bytes())
    held = vars(Entry.of_file(birds, "https://nowhere.invalid/x.ts")) | {"url": "my%20birds.safetensors"}
    written = {"format": "dandb models", "version": 1, "models": [held], "stand_ins": {"crows": "birds"}}
    (tmp_path / "stick" / "all.json").write_text(json.dumps(written))
    models = download_models("crows", "stick/all.json", quiet=True)
    assert list(models) == ["crows"] and models["crows"].name == "birds"
    assert import_model(models["crows"]).latent_size == 4


FINE = {"name": "a", "url": "https://x.invalid/a.ts", "sha256": "0" * 64, "size": 1}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": "../a"}, "name of '../a'"),
        ({"name": "a/b"}, "name of"),
        ({"name": ".hidden"}, "name of"),
        ({"name": ""}, "name of"),
        ({"name": "sax"}, "comes with the package has this name"),
        ({"url": "ftp://x.invalid/a.ts"}, "url of 'a'"),
        ({"url": "https:///a.ts"}, "url of 'a'"),
        ({"url": "file://host/a.ts"}, "url of 'a'"),
        ({"url": "https://x.invalid/a.exe"}, "url of 'a'"),
        ({"url": "http://[/a.ts"}, "of 'a'|cannot be read"),
        ({"url": 3}, "url of 'a'"),
        ({"sha256": "0" * 63}, "sha256 of 'a'"),
        ({"sha256": "G" * 64}, "sha256 of 'a'"),
        ({"size": 0}, "size of 'a'"),
        ({"size": True}, "size of 'a'"),
        ({"size": "1"}, "size of 'a'"),
        ({"licence": None}, "licence of 'a'"),
        ({"colour": "red"}, "entry of the registry is wrong"),
    ],
)
def test_wrong_entries_are_refused(changed: dict[str, object], said: str, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps({"format": "dandb models", "version": 1, "models": [{**FINE, **changed}]}))
    with pytest.raises(DownloadError, match=said):
        download_models(registry=path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": "dandb models", "version": 2}',
        '{"format": "dandb models", "version": 1, "models": 3}',
    ]
    + [
        json.dumps({"format": "dandb models", "version": 1, "models": models})
        for models in ([FINE, FINE], [1], [{}])
    ]
    + [json.dumps({"format": "dandb models", "version": 1, "stand_ins": {"a": 1}})],
)
def test_what_is_no_registry_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(DownloadError, match="registry|stand-ins"):
        read_registry(tmp_path / "r.json")


def test_a_registry_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="cannot be read"):
        download_models(registry=tmp_path / "none.json")


def test_a_module() -> None:
    bended = import_model(torch.nn.Linear(3, 3))
    assert type(bended) is tb.BendedModule and import_model(bended) is bended


@pytest.mark.parametrize("file", ["net.pt", pytest.param("net.pt2", marks=pytest.mark.slow)])
def test_a_program_is_run_only_if_one_says_so(file: str) -> None:
    net = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Tanh())
    x = torch.ones(1, 3)
    if file == "net.pt":
        torch.jit.script(net).save(file)
    else:
        torch.export.save(torch.export.export(net, (x,)), file)
    with pytest.raises(CheckpointError, match="only if you say so") as caught:
        import_model(file)
    assert "run_code=True" in str(caught.value.next_step)
    program = import_model(Path(file), run_code=True)
    torch.testing.assert_close(program(x), net(x))
    program.bend(tb.Scale(0.0), "0.weight")
    torch.testing.assert_close(program(x), torch.tanh(net[0].bias)[None])


@pytest.mark.parametrize("wrong", ["saxo", "nowhere/birds.ts", "../birds"])
def test_a_name_that_nobody_has(wrong: str) -> None:
    with pytest.raises(CheckpointError, match="there is no such model") as caught:
        import_model(wrong)
    assert "sax" in str(caught.value.wanted) and "download_models()" in str(caught.value.next_step)


def test_the_names_are_the_ends_of_the_decoders_stages() -> None:
    model = import_model("sax")
    x = 0.1 * torch.randn(1, 1, 4 * 2048, generator=torch.Generator().manual_seed(0))
    seen: dict[int, torch.Tensor] = {}
    stages = (5, 10, 15, 20)
    hooks = [
        model.rave.decoder.net[k].register_forward_hook(lambda m, i, o, k=k: seen.update({k: o}))
        for k in (*stages, 21)
    ]
    model(x)
    for hook in hooks:
        hook.remove()
    expected = [*(seen[k] for k in stages), torch.sigmoid(seen[21].chunk(2, 1)[1])]
    z = model.encode(x)
    for names, fn, given in (
        (RAVE_DECODER_ACT_NAMES, "forward", {"x": x}),
        (RAVE_DECODER_ACT_NAMES_DECODE, "decode", {"z": z}),
    ):
        got = model.get_activations(*(f"{name}$" for name in names), fn=fn, **given)
        assert list(got) == names
        for name, value in zip(names, expected, strict=True):
            assert torch.equal(got[name], value), (fn, name)
