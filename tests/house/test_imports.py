"""`import torchbend` and `import dandb` are light, and imports only go down the floors of the design."""

from __future__ import annotations

import ast
import subprocess
import sys
import types
from pathlib import Path

import pytest

import dandb
import torchbend

HEAVY = ("rich", "soundfile", "soxr", "plotly", "matplotlib", "IPython", "transformers", "diffusers", "typer")

# Each floor may import the ones before it; the parts of one floor know nothing of each other.
FLOORS = (
    ("errors", "version"),
    ("display", "shipped"),
    ("audio", "pickles", "plots", "weights_file"),
    ("capture", "rave", "distributions", "corpus"),
    ("evaluation",),
    ("bending", "tracing", "training"),
    ("export", "hacks"),
    ("module",),
    ("interfaces",),
    ("__init__",),
    ("demo",),
    ("cli", "studio"),
)
LEVEL = {part: level for level, parts in enumerate(FLOORS) for part in parts}
PARTS = {part for parts in FLOORS for part in parts}
TOP = ("cli", "studio")
"""The parts that the workshop stands beside, not upon."""


def part_of(module: str) -> str:
    """``torchbend.capture.graph`` is of the part ``capture``; the package itself is ``__init__``."""
    pieces = module.split(".")
    return pieces[1] if len(pieces) > 1 else "__init__"


def imported_modules(source: str, module: str, is_package: bool) -> list[tuple[int, str]]:
    """Line and full name of everything of the project that a source imports, at any depth."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            in_root = base == "torchbend"
            for alias in node.names:
                full = f"{base}.{alias.name}" if in_root and alias.name in PARTS else base
                found.append((node.lineno, full))
    return [(line, name) for line, name in found if name.split(".")[0] in ("torchbend", "dandb")]


def breaches(source: str, module: str, is_package: bool = False) -> list[str]:
    """The imports of one source that do not go down; the workshop stands above all but `TOP`."""
    if module.split(".")[0] == "dandb":
        taken = [(line, name) for line, name in imported_modules(source, module, is_package)]
        return [f"{module}:{line} imports {name}" for line, name in taken if part_of(name) in TOP]
    here = part_of(module)
    if here not in LEVEL:
        return [f"{module}: the part {here!r} stands on no floor; give it one in FLOORS"]
    told = []
    for line, name in imported_modules(source, module, is_package):
        if name.split(".")[0] == "dandb":
            told.append(f"{module}:{line} imports {name}: nothing of torchbend stands above the workshop")
            continue
        there = part_of(name)
        if there == here:
            continue
        if there not in LEVEL:
            told.append(f"{module}:{line} imports {name}, whose part stands on no floor")
        elif LEVEL[there] >= LEVEL[here]:
            told.append(f"{module}:{line} imports {name}: {here} does not stand above {there}")
    return told


def module_name(path: Path, source_root: Path) -> tuple[str, bool]:
    """The dotted name of a file, and whether it is a package's ``__init__``."""
    pieces = list(path.relative_to(source_root).with_suffix("").parts)
    is_package = pieces[-1] == "__init__"
    return ".".join(pieces[:-1] if is_package else pieces), is_package


def test_imports_only_go_down(repository: Path) -> None:
    root = repository / "src"
    told = []
    for path in sorted(root.rglob("*.py")):
        told += breaches(path.read_text(encoding="utf-8"), *module_name(path, root))
    assert not told, "\n".join(told)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("torchbend.capture.graph", "from torchbend.bending.callback import BendingCallback"),
        ("torchbend.capture.graph", "from ..bending import callback"),
        ("torchbend.capture.graph", "def late():\n    import torchbend.rave.model"),
        ("torchbend.rave.model", "from torchbend import capture"),
        ("torchbend.rave.model", "import torchbend"),
        ("torchbend.plots.figure", "from ..audio import read"),
        ("torchbend.errors", "from .display import table"),
        ("torchbend.bending.live", "from torchbend.module import BendedModule"),
        ("torchbend.export.onnx", "from torchbend.interfaces import rave"),
        ("torchbend.attic.old", "import torch"),
        ("torchbend.cli.main", "from torchbend.attic import old"),
        ("torchbend.demo.run", "import dandb"),
        ("torchbend.cli.main", "def late():\n    from dandb.sounds import get_sounds"),
        ("dandb.models", "from torchbend.cli import words"),
        ("dandb.models", "import torchbend.cli.words"),
        ("dandb.figures.lines", "from torchbend import studio"),
    ],
)
def test_an_import_that_does_not_go_down_is_told(module: str, source: str) -> None:
    assert breaches(source, module)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (
            "torchbend.capture.graph",
            "import torch\nfrom .names import name\nfrom ..errors import CaptureError",
        ),
        ("torchbend.bending.live", "from torchbend.capture import Graph\nfrom torchbend import errors"),
        ("torchbend.cli.main", "import torchbend\nfrom torchbend import BendedModule"),
        (
            "dandb.models",
            "import torchbend as tb\nfrom torchbend.demo import render\nfrom dandb import names",
        ),
    ],
)
def test_an_import_that_goes_down_is_fine(module: str, source: str) -> None:
    assert not breaches(source, module)


def test_a_package_resolves_its_own_relative_imports() -> None:
    assert not breaches("from .graph import Graph", "torchbend.capture", is_package=True)
    assert breaches("from ..bending import callback", "torchbend.capture", is_package=True)
    assert not breaches("from .module import BendedModule", "torchbend", is_package=True)
    assert breaches("from .cli import main", "torchbend", is_package=True)


def loaded_by(statement: str) -> set[str]:
    """The heavy libraries that a statement loads in a fresh interpreter."""
    program = (
        f"import torch, sys\nbefore = set(sys.modules)\n{statement}\nprint(*(set(sys.modules) - before))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return {name for name in HEAVY if name in answer.stdout.split()}


def test_importing_the_package_loads_no_heavy_library() -> None:
    everything = "import torchbend; [getattr(torchbend, name) for name in torchbend.__all__]"
    assert loaded_by(everything) == set()


@pytest.mark.parametrize("module", ["torchbend.cli.main", "dandb"])
def test_the_command_line_and_the_workshop_do_not_wait_for_torch(module: str) -> None:
    program = (
        f"import sys, {module}; sys.exit(bool({{'torch', *{HEAVY!r}}} & set(sys.modules) - {{'typer'}}))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def read_by_checkers(package: types.ModuleType) -> set[tuple[str | None, str]]:
    """The names that a package shows to type checkers, each with its home."""
    tree = ast.parse(Path(str(package.__file__)).read_text(encoding="utf-8"))
    (checked,) = [node for node in tree.body if isinstance(node, ast.If)]
    return {
        (node.module, alias.name)
        for node in ast.walk(checked)
        if isinstance(node, ast.ImportFrom) and node.module != package.__name__
        for alias in node.names
    }


@pytest.mark.parametrize("package", [torchbend, dandb], ids=["torchbend", "dandb"])
def test_the_table_of_public_names_is_what_type_checkers_read(package: types.ModuleType) -> None:
    assert read_by_checkers(package) == {(home, name) for name, home in package._HOME_OF.items()}
    assert sorted({*package._HOME_OF, *(["errors"] if package is torchbend else [])}) == sorted(
        package.__all__
    )


def test_parts_are_found_at_first_use_and_other_names_are_not() -> None:
    assert torchbend.BendingCallback is torchbend.bending.callback.BendingCallback
    assert set(torchbend.__all__) <= set(dir(torchbend))
    assert dandb.names.RAVE_DECODER_ACT_NAMES is dandb.RAVE_DECODER_ACT_NAMES
    assert set(dandb.__all__) <= set(dir(dandb))
    for package in (torchbend, dandb):
        with pytest.raises(AttributeError, match="nowhere"):
            _ = package.nowhere


def test_every_public_name_of_the_workshop_is_where_its_table_says() -> None:
    pytest.importorskip("plotly")
    assert all(getattr(dandb, name) is not None for name in dandb.__all__)


def test_a_heavy_library_would_be_seen() -> None:
    assert loaded_by("import soundfile") == {"soundfile"}
