"""The wheel carries markers of types, licence, phrases with their notice, a model, and only the packages."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

pytest.importorskip("build")
pytest.importorskip("hatchling")

CORE = {"torch>=2.5", "numpy", "safetensors", "soundfile", "soxr", "rich", "typer"}
CARRIED = {
    "torchbend/py.typed",
    "torchbend/demo_data/violin.wav",
    "torchbend/demo_data/piano.wav",
    "torchbend/demo_data/NOTICE",
    "torchbend/shipped/sax.safetensors",
    "torchbend/shipped/sax.md",
    "dandb/__init__.py",
    "dandb/py.typed",
    "dandb/models.json",
}


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    out = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(out),
        str(repository),
    ]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = out.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return Parser().parsestr(wheel.read(name).decode())


def missing(wanted: set[str], names: list[str]) -> set[str]:
    """What a wheel should carry and does not."""
    return wanted - set(names)


def test_the_wheel_carries_markers_phrases_and_model(wheel: zipfile.ZipFile) -> None:
    assert missing(CARRIED, wheel.namelist()) == set()
    assert missing(CARRIED | {"torchbend/gone.wav"}, wheel.namelist()) == {"torchbend/gone.wav"}


def test_the_wheel_carries_the_licence(wheel: zipfile.ZipFile, metadata: Message) -> None:
    licences = [name for name in wheel.namelist() if ".dist-info/licenses/" in name]
    assert any(name.endswith("/licenses/LICENSE") for name in licences)
    assert any(name.endswith("demo_data/NOTICE") for name in licences)
    assert metadata["License-Expression"] == "MIT"
    assert "LICENSE" in metadata.get_all("License-File", [])


def test_the_wheel_holds_the_packages_only(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"torchbend", "dandb"}


def test_the_core_dependencies_stay_few(metadata: Message) -> None:
    required = metadata.get_all("Requires-Dist", [])
    assert {line for line in required if "extra ==" not in line} == CORE
    assert metadata["Requires-Python"] == ">=3.10"
