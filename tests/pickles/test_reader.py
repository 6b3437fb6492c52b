"""Pickles of all protocols are read; nothing in them is run, and nothing in them takes the reader down."""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from typing import Any

import pytest
import torch

from torchbend.errors import WeightsFileError
from torchbend.pickles import Named, Persistent, Record, read_pickle


def read(data: bytes) -> Any:
    return read_pickle(io.BytesIO(data))


def test_every_step_of_a_pickle_gives_the_same_data() -> None:
    shared = [1, 2]
    content = {
        "numbers": (0, 1, -1, 255, 65535, 2**31, -(2**70), 1.5, True, False, None),
        "texts": ("", "a", "ä" * 300, "x" * 70000, b"", b"bytes", b"y" * 300, bytearray(b"z")),
        "more": [
            [],
            (),
            {},
            set(),
            {1, 2},
            frozenset([3]),
            (1,),
            (1, 2),
            (1, 2, 3),
            (1, 2, 3, 4),
            shared,
            shared,
        ],
    }
    for protocol in range(6):
        some = content if protocol >= 3 else {"numbers": content["numbers"], "more": content["more"][:3]}
        if protocol < 5 and protocol >= 3:
            some = {**content, "texts": content["texts"][:-1]}
        got = read(pickle.dumps(some, protocol))
        if protocol >= 4:
            assert got == some
            assert got["more"][-1] is got["more"][-2]
        else:
            assert got["numbers"] == some["numbers"]


def test_objects_become_records() -> None:
    got = read_pickle(io.BytesIO(b"cos\nsystem\n(S'rm -rf x'\ntR."))
    assert isinstance(got, Record) and (got.name, got.args) == ("os.system", ("rm -rf x",))
    assert read_pickle(io.BytesIO(pickle.dumps(io.BytesIO, 4))) == Named("_io.BytesIO")
    assert read_pickle(io.BytesIO(b"Pmark\n.")) == Persistent("mark")
    complex_number = read_pickle(io.BytesIO(pickle.dumps(1 + 2j, 4)))
    assert complex_number.name == "builtins.complex" and complex_number.args == (1.0, 2.0)
    instance = read_pickle(io.BytesIO(b"(ios\nsystem\n."))
    assert instance.name == "os.system"


@pytest.mark.parametrize("protocol", range(6))
def test_dicts_of_other_classes_keep_their_items(protocol: int) -> None:
    got = read(pickle.dumps(OrderedDict(a=1, b=[2]), protocol))
    assert isinstance(got, Record) and got.name == "collections.OrderedDict"
    assert got.items == {"a": 1, "b": [2]} or got.args


def test_the_stream_is_behind_the_pickle() -> None:
    stream = io.BytesIO(pickle.dumps(1) + pickle.dumps("two") + b"rest")
    assert (read_pickle(stream), read_pickle(stream), stream.read()) == (1, "two", b"rest")


# -- what is no pickle, or a hostile one -----------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",
        b"N",  # no end
        b".",  # nothing on the stack
        b"(.",  # a mark as the result
        b"h\x05.",  # nothing in the memory
        b"t.",  # no mark
        b"]]s.",  # an item for a list
        b"K\x01K\x02R.",  # a call of a number
        b"K\x01}b.",  # a state of a number
        b"\x82\x01.",  # an extension
        b"}]K\x01s.",  # a list as a key
        b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00.",
        b"just some text",
        b"X\xff\xff\xff\xffabc.",  # a text longer than the file
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",  # bytes that no computer holds
        b"\x8a\xff.",
        b"N\x86.",
        b"NNs.",  # an item for nothing
        b"(" * 100 + b".",
        b"\x80\x06N.",  # a protocol that there is not
        b"cos\nsystem\n)]\x92.",  # arguments by name in a list
        b"(q\x000.",  # a mark to be remembered
    ],
)
def test_broken_pickles_are_told_as_such(data: bytes) -> None:
    with pytest.raises(WeightsFileError):
        read(data)


def test_numbers_are_not_larger_than_can_be_written_out() -> None:
    assert read(pickle.dumps(2**2000)) == 2**2000
    for number in (2**5000, -(2**100_000)):
        with pytest.raises(WeightsFileError, match="bits"):
            read(pickle.dumps(number))
    with pytest.raises(WeightsFileError):
        read(b"I" + b"9" * 10_000 + b"\n.")


def test_deep_nesting_is_read_without_recursion() -> None:
    depth = 50_000
    got = read(b"]" * depth + b"a" * (depth - 1) + b".")
    for _ in range(depth - 1):
        (got,) = got
    assert got == []
    assert isinstance(read(b")" + b"\x85" * depth + b"."), tuple)


@pytest.mark.parametrize(
    "key",
    [b")" + b"\x85" * 200_000, b")" + b"2\x86" * 200, b"N" + b"Q" * 10_000, b"]", b"cos\nsystem\n)R"],
    ids=["deep", "each part twice", "outside of outside", "list", "object"],
)
def test_keys_are_plain(key: bytes) -> None:
    steps = (b"}%bNs.", b"}(%bNu.", b"(%bNd.", b"\x8f(%b\x90.", b"(%b\x91.")
    for data in steps if len(key) < 10_000 else steps[:1]:
        with pytest.raises(WeightsFileError, match="plain"):
            read(data % key)


def test_what_holds_itself_is_read() -> None:
    whole: list[Any] = []
    whole.append({"whole": whole})
    got = read(pickle.dumps(whole))
    assert got[0]["whole"] is got
    got = read(b"cos\nsystem\n)Rq\x00}X\x04\x00\x00\x00selfh\x00sb.")
    assert got.state["self"] is got


def whole_pickle() -> bytes:
    content = {"weights": torch.arange(3.0), "more": [(1, 2.5), {"a": {1, 2}}, b"x", 1 + 2j], "name": "x"}
    return pickle.dumps(content, 4)


def test_each_cut_is_told() -> None:
    data = whole_pickle()
    for length in range(len(data)):
        with pytest.raises(WeightsFileError):
            read(data[:length])


def test_random_changes_raise_nothing_but_the_package_s_error() -> None:
    data = whole_pickle()
    dice = torch.Generator().manual_seed(0)
    for _ in range(1500):
        changed = bytearray(data)
        at = int(torch.randint(0, len(data), (1,), generator=dice))
        changed[at] = int(torch.randint(0, 256, (1,), generator=dice))
        try:
            read(bytes(changed))
        except WeightsFileError as error:
            assert "near byte" in str(error) or "end" in str(error)
