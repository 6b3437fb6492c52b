"""The pickle of an archive: what it describes is found by name, and hostile ones come to an end."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest
import torch

from torchbend.errors import CheckpointError
from torchbend.rave.checkpoints import archive_tree
from torchbend.rave.checkpoints.archive import Archive
from torchbend.rave.checkpoints.archive_tree import Module, Tree


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def module(name: str = "Top", **values: bytes) -> bytes:
    """The steps that make a module."""
    items = b"".join(text(key) + value for key, value in values.items())
    return b"c__torch__\n" + name.encode() + b"\n)\x81}(" + items + b"ub"


def tensor(kind: str = "FloatStorage", count: bytes = b"K\x04", size: bytes = b"K\x02K\x02\x86") -> bytes:
    """The steps that make a tensor of 2 x 2 numbers in the storage ``0``."""
    mark = b"(" + text("storage") + f"ctorch\n{kind}\n".encode() + text("0") + text("cpu") + count + b"tQ"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + mark + b"K\x00" + size + b"K\x02K\x01\x86\x89}tR"


def tree(steps: bytes) -> Tree:
    return Tree(b"\x80\x02" + steps + b".", "model.ts")


def test_modules_tensors_and_values_are_found_by_name() -> None:
    typed = b"ctorch.jit._pickle\nbuild_intlist\n](K\x01K\x02e\x85R"
    inner = module("layers.Conv", weight=tensor(), stride=typed, bias=b"N")
    got = tree(module(training=b"\x89", net=inner, odd=b"cos\nsystem\n)R"))
    assert list(got.modules) == ["", "net."] and list(got.tensors) == ["net.weight"]
    assert got.modules[""] == Module("__torch__.Top", {"training": False, "odd": "Record"})
    assert got.modules["net."].values == {"stride": [1, 2], "bias": None}
    assert got.modules["net."].short_kind == "Conv"


def test_a_state_that_is_no_dict_is_kept() -> None:
    got = tree(module(packed=b"c__torch__\nPacked\n)\x81K\x05b"))
    assert got.modules["packed."].values == {"state": 5}


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        (b"N", "no module"),
        (b"cos\nsystem\n(" + text("ls") + b"tR", "no module"),
        (b"c__torch__\nTop\n)\x81}K\x01Nsb", "int instead of a name"),
        (b"c__torch__\nTop\n)\x81q\x00}" + text("self") + b"h\x00sb", "hold themselves"),
        (module(weight=tensor("OddStorage")), "OddStorage"),
        (module(weight=tensor(size=b"K\x02J\xff\xff\xff\xff\x86")), "no whole numbers"),
        (module(weight=tensor().replace(b"tQ", b"\x85Q")), "damaged"),
        (module(weight=tensor().replace(b"tQ", b"t")), "without its parts"),
    ],
)
def test_what_is_no_module_is_told(steps: bytes, told: str) -> None:
    with pytest.raises(CheckpointError, match=told) as error:
        tree(steps)
    assert error.value.site == "model.ts"


def test_a_damaged_pickle_is_told_with_its_place() -> None:
    with pytest.raises(CheckpointError, match="near byte 3") as error:
        tree(b"N\x82\x01")
    assert error.value.wanted == "plain values, records and tensors"


def test_a_pickle_that_is_too_long_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_tree, "LONGEST", 10)
    with pytest.raises(CheckpointError, match="at most 10 bytes"):
        tree(module(weight=tensor()))


def lists_of_lists() -> bytes:
    """A list of 100 times the same list of 100 times the same list, and so on."""
    steps = b"]q\x00"
    for _ in range(7):
        steps = steps + b"0](" + b"h\x00" * 100 + b"eq\x00"
    return module(values=steps)


def modules_of_modules() -> bytes:
    """A module with 300 times the same module, and so on."""
    steps = module("Last") + b"q\x000"
    for _ in range(7):
        steps += module(**{f"m{n}": b"h\x00" for n in range(300)}) + b"q\x000"
    return steps + b"h\x00"


def long_names() -> bytes:
    """A short module with a long name, in a module with a long name, many times."""
    steps = module("Last", **{f"v{n}": b"N" for n in range(1000)}) + b"q\x000"
    return steps + module(**{f"{n}" * 2000: b"h\x00" for n in range(100, 400)})


@pytest.mark.parametrize("bomb", [lists_of_lists, modules_of_modules, long_names])
def test_short_pickles_do_not_stand_for_endless_values(bomb, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(archive_tree, "MOST", 1 << 18)
    steps = bomb()
    assert len(steps) < 2_000_000
    with pytest.raises(CheckpointError, match="values and letters"):
        tree(steps)


def test_values_in_values_without_end() -> None:
    wrapped = b"ctorch.jit._pickle\nf\n" * 50_000 + b"N" + b"\x85R" * 50_000
    assert tree(module(value=wrapped)).modules[""].values == {"value": "Record"}
    assert str(tree(module(value=b"]" * 50_000 + b"a" * 49_999)).modules[""].values).count("list") == 1


@pytest.mark.parametrize(
    "steps",
    [
        tensor(count=b"K\x05"),
        tensor(count=b"J\xff\xff\xff\xff"),
        tensor(count=b"N"),
        tensor("DoubleStorage"),
        tensor(size=b"K\x03K\x02\x86"),
        tensor(size=b"K\x02\x85"),
        tensor(size=b"\x8a\x10" + b"\x01" * 15 + b"\x00K\x00\x86"),
    ],
)
def test_a_tensor_that_does_not_fit_its_data(tmp_path: Path, steps: bytes) -> None:
    def written(content: bytes) -> Path:
        with zipfile.ZipFile(tmp_path / "model.ts", "w") as archive:
            archive.writestr("model/data.pkl", b"\x80\x02" + module(weight=content) + b".")
            archive.writestr("model/data/0", struct.pack("<4f", 1, 2, 3, 4))
        return tmp_path / "model.ts"

    with Archive(written(tensor())) as archive:
        assert archive.tensor("weight").equal(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    with Archive(written(steps)) as archive, pytest.raises(CheckpointError, match="weight|data/0"):
        archive.tensor("weight")
