"""Broken and hostile recipe files end in a RecipeError, and run nothing."""

import contextlib
import copy
import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from torchbend.bending.callbacks import Blend, Replace, Scale
from torchbend.bending.parameter import BendingParameter
from torchbend.bending.recipe import BendingConfig
from torchbend.errors import RecipeError

CONTROL = BendingParameter("gain", 0.5, range=(0, 1))
CONFIG = BendingConfig((Blend(Scale(2 * CONTROL), CONTROL), "a.*"), (Replace(torch.ones(2)), "b"))


@pytest.fixture
def saved(tmp_path):
    return CONFIG.save(tmp_path / "r.json")


def refused(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(RecipeError) as caught:
        BendingConfig.load(path)
    assert caught.value.next_step
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "3",
        '"x"',
        "{}",
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"format": NaN}',
        "\x00",
        "{'a': 1}",
    ],
    ids=lambda t: t[:10],
)
def test_what_is_no_recipe_is_refused(saved, text):
    refused(saved, text)


def test_bytes_that_are_no_text_are_refused(saved):
    saved.write_bytes(b"\xff\xfe\x00\xd8\x93NUMPY\x80\x04")
    with pytest.raises(RecipeError):
        BendingConfig.load(saved)


def test_every_truncation_is_refused(saved):
    text = saved.read_text().rstrip()
    for end in range(0, len(text), 7):
        refused(saved, text[:end])


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(RecipeError, match="cannot be read"):
        BendingConfig.load(tmp_path / "none.json")


@pytest.mark.parametrize("version", [0, 2, "1", None, True, 1.0, [1]])
def test_another_version_is_told(saved, version):
    assert "version" in refused(saved, {**json.loads(saved.read_text()), "version": version})


NAMES = [
    "../r.safetensors",
    "/etc/passwd",
    "..\\r.safetensors",
    "C:r.safetensors",
    "a/../r.safetensors",
    "",
    None,
    3,
]
NAMES += [
    "r.json",
    "none.safetensors",
    "\x00.safetensors",
    [],
    "r.safetensors\n",
    "x" * 5000 + ".safetensors",
]


@pytest.mark.parametrize("name", NAMES, ids=lambda n: repr(n)[:20])
def test_tensors_are_read_from_beside_the_recipe_only(saved, name):
    content = json.loads(saved.read_text())
    content["tensors"]["file"] = name
    refused(saved, content)


def test_broken_or_changed_tensors_are_refused(saved):
    beside = saved.with_suffix(".safetensors")
    data = beside.read_bytes()
    beside.write_bytes(data[:-1] + b"\x00")
    refused(saved, saved.read_text())
    beside.unlink()
    assert "beside" in refused(saved, saved.read_text())
    content = json.loads(saved.read_text())
    del content["tensors"]
    refused(saved, content)


def replaced(content, path, value):
    content = copy.deepcopy(content)
    target = content
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return content


PLACES = [
    ("controls",),
    ("controls", "gain"),
    ("controls", "gain", "type"),
    ("controls", "gain", "value"),
    ("controls", "gain", "range"),
    ("bends",),
    ("bends", 0),
    ("bends", 0, "callback"),
    ("bends", 0, "patterns"),
    ("bends", 0, "arguments"),
    ("bends", 0, "arguments", "callback"),
    ("bends", 0, "arguments", "mix"),
    ("bends", 1, "arguments", "value"),
    ("tensors",),
]
VALUES = [
    {"callback": "os.system", "arguments": {"command": "true"}},
    {"callback": "Lambda", "arguments": {"fn": "print"}},
    {"callback": "Scale", "arguments": {"self": 1}},
    {"callback": "Scale", "arguments": {"__class__": 1}},
    {"callback": ["Scale"], "arguments": {}},
    {"control": "other"},
    {"control": {}},
    {"expression": ["__import__", "os"]},
    {"expression": ["add", 1]},
    {"expression": "add"},
    {"tensor": "other"},
    {"complex": [1]},
    {"complex": ["1", 2]},
    {"float": "1e9999"},
    {"map": [[[], 1]]},
    {"map": 3},
    {"__reduce__": []},
    {"a": 1, "b": 2},
    ["("],
    [3],
    "x",
    3.5,
    [None, {}],
]


@pytest.mark.parametrize("value", VALUES, ids=str)
@pytest.mark.parametrize("place", PLACES, ids=str)
def test_wrong_values_in_any_place_are_refused(saved, place, value):
    content = json.loads(saved.read_text())
    accepted = [
        ("bends", 0, "arguments", "mix"),
        ("bends", 1, "arguments", "value"),
        ("controls", "gain", "value"),
    ]
    if place in accepted and isinstance(value, float):
        value = "nothing"
    refused(saved, replaced(content, place, value))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@given(place=st.sampled_from(PLACES), value=JSON)
def test_any_value_in_any_place_is_read_or_refused(place, value, tmp_path_factory):
    path = CONFIG.save(tmp_path_factory.mktemp("recipe") / "r.json")
    path.write_text(json.dumps(replaced(json.loads(path.read_text()), place, value)))
    with contextlib.suppress(RecipeError):
        BendingConfig.load(path)


def test_deep_nesting_and_huge_numbers_are_refused(saved):
    content = json.loads(saved.read_text())
    deep = {"callback": "Scale", "arguments": {}}
    for _ in range(300):
        deep = {"callback": "Blend", "arguments": {"callback": deep}}
    refused(saved, replaced(content, ("bends", 0), {"patterns": ["a"], **deep}))
    refused(saved, replaced(content, ("controls", "gain", "value"), 10**400))
    refused(saved, saved.read_text().replace("0.5", "1" * 5000))
    refused(saved, replaced(content, ("bends", 0, "arguments", "mix"), {"complex": [10**400, 1]}))
    control = {"type": "int", "value": 10**400, "range": [0, 1], "clamp": False}
    refused(saved, replaced(content, ("controls", "gain"), control))
