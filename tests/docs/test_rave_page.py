"""The page on RAVE: table and figure are those of the present code, and the sizes those of the originals."""

from __future__ import annotations

import re

import pytest
from tools import rave_figure, rave_table

from .pages import ROOT

PAGE = (ROOT / "docs" / "rave.md").read_text(encoding="utf-8")

# Parameters of encoder, decoder and discriminator, latents and ratio of the original's full-size models.
ORIGINALS = {
    "v1": (4_834_176, 12_778_193, 7_751_619, 128, 2048),
    "v2": (16_056_928, 15_479_072, 27_130_952, 128, 2048),
    "v2_small": (3_945_904, 3_816_608, 6_791_720, 128, 512),
    "v2_nopqmf": (7_403_328, 10_477_954, 12_066_184, 128, 2048),
    "v2_with_augs": (4_552_288, 15_479_072, 27_130_952, 128, 2048),
    "v3": (16_059_904, 15_482_048, 42_519_760, 128, 2048),
    "discrete": (14_287_328, 14_889_248, 27_130_952, 128, 1024),
    "discrete_v3": (14_290_304, 14_892_224, 42_519_760, 128, 1024),
    "onnx": (1_374_656, 3_417_969, 1_940_451, 128, 2048),
    "raspberry": (426_720, 971_201, 486_387, 128, 2048),
    "v2 + causal": (16_056_928, 15_479_072, 27_130_952, 128, 2048),
    "v2 + noise": (16_056_928, 15_634_720, 27_130_952, 128, 2048),
    "v2 + wasserstein": (14_950_768, 15_552_800, 27_130_952, 16, 2048),
    "v2 + spherical": (14_950_768, 14_962_976, 27_130_952, 16, 2048),
    "v2 + hybrid": (3_001_312, 15_677_216, 27_130_952, 128, 2048),
    "v2 + adain": (16_056_928, 15_479_072, 27_130_952, 128, 2048),
    "v2 + snake": (16_059_904, 15_482_048, 27_130_952, 128, 2048),
}


def rows() -> dict[str, str]:
    """The lines of the table, by configuration."""
    text = PAGE.partition(rave_table.BEGIN)[2].partition(rave_table.END)[0]
    found = {}
    for line in text.strip().splitlines():
        name = line.split("|")[1].strip()
        if not name.startswith(("configuration", "---")):
            found[name] = line
    return found


def test_each_configuration_has_its_row() -> None:
    assert list(rows()) == [" + ".join(names) for names in rave_table.EVERY]


@pytest.mark.shows("BendedRAVE", "full-size names and shapes", model="v1, v2, v3, discrete, onnx, raspberry")
@pytest.mark.parametrize("name", ORIGINALS)
def test_sizes_are_the_originals(name: str) -> None:
    cells = [cell.strip().replace(",", "") for cell in rows()[name].split("|")]
    assert tuple(int(cell) for cell in cells[2:7]) == ORIGINALS[name]


@pytest.mark.parametrize("names", rave_table.EVERY, ids=" + ".join)
def test_the_table_is_that_of_the_code(names: tuple[str, ...]) -> None:
    assert rows()[" + ".join(names)] == rave_table.measured(names).line(), "run: python tools/rave_table.py"


def test_the_figure_is_the_tools() -> None:
    assert rave_figure.FIGURE.read_text(encoding="utf-8") == rave_figure.figure(), (
        "run: python tools/rave_figure.py"
    )


def test_the_family_tree_names_every_configuration() -> None:
    tree = PAGE.partition("## The family")[2].partition("## ")[0]
    named = set(re.findall(r"[\w]+", tree))
    assert {names[-1] for names in rave_table.EVERY} <= named
