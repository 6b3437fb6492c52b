"""Builds the wheel, installs it into an empty environment, and uses it there as a new user would.

Run by ``make wheel``. Ends with status 1, and the output of the command that failed, at the first failure.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = ("inspect", "bend", "activations", "export", "check", "demo")


class CheckError(Exception):
    """A step of the check failed; the message tells which, and what it said."""


def run(*command: str | Path, cwd: Path) -> str:
    """Runs a command away from the checkout and returns what it printed.

    Args:
        command: the program and its arguments.
        cwd: where it runs; never the repository, whose sources must not be found by accident.

    Raises:
        CheckError: it ended with a status other than 0.
    """
    words = [str(word) for word in command]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    answer = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise CheckError(f"$ {' '.join(words)}\n{answer.stdout}{answer.stderr}")
    return answer.stdout


def build_wheel(out: Path) -> Path:
    """Builds the wheel of the checkout into ``out``.

    Raises:
        CheckError: there is not exactly one wheel.
    """
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    wheels = list(out.glob("torchbend-*.whl"))
    if len(wheels) != 1:
        raise CheckError(f"wanted one wheel, got {[wheel.name for wheel in wheels]}")
    return wheels[0]


def install(wheel: Path, folder: Path) -> Path:
    """Installs a wheel with the tested versions into a new environment and returns its ``bin``."""
    venv.create(folder, with_pip=True)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    pip = [
        programs / "python",
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--quiet",
        "--no-compile",
    ]
    run(*pip, "--constraint", ROOT / "constraints.txt", "torch", wheel, cwd=folder)
    return programs


def check_import(programs: Path, cwd: Path) -> str:
    """Imports the installed package and returns where it lies.

    Raises:
        CheckError: what was imported is not what was installed.
    """
    program = "import torchbend; print(torchbend.__file__)"
    said = run(programs / "python", "-c", program, cwd=cwd).strip()
    if not Path(said).is_relative_to(programs.parent):
        raise CheckError(f"wanted torchbend from {programs.parent}, got {said}")
    return said


def check_help(programs: Path, cwd: Path) -> None:
    """Asks the program and each of its commands for help.

    Raises:
        CheckError: a command is missing from the program's own help, or has none.
    """
    told = run(programs / "torchbend", "--help", cwd=cwd)
    for command in COMMANDS:
        if command not in told:
            raise CheckError(f"torchbend --help does not name {command}:\n{told}")
        if command not in run(programs / "torchbend", command, "--help", cwd=cwd):
            raise CheckError(f"torchbend {command} --help says nothing of {command}")


def check_workshop(programs: Path, cwd: Path) -> str:
    """Asks the workshop for its models, loads the first and returns what it says of itself.

    Raises:
        CheckError: there is no model, or it cannot be loaded.
    """
    program = "import dandb; print(dandb.import_model(dandb.download_models()['sax']))"
    said = run(programs / "python", "-c", program, cwd=cwd).strip()
    if "BendedRAVE(sax" not in said:
        raise CheckError(f"wanted the saxophone, got {said}")
    return said.splitlines()[-1]


def check_demo(programs: Path, out: Path) -> list[str]:
    """Runs the quick demo and returns the names of the files that it made.

    Raises:
        CheckError: sounds, recipes or the page are missing, or empty.
    """
    run(programs / "torchbend", "demo", "--quick", "--out", out, cwd=out.parent)
    files = [path for path in sorted(out.rglob("*")) if path.is_file()]
    for kind in (".wav", ".json", ".html"):
        if not any(path.suffix == kind and path.stat().st_size for path in files):
            raise CheckError(f"the quick demo made no {kind} file; it made {[path.name for path in files]}")
    return [path.name for path in files]


def main() -> int:
    """Runs all steps and prints one line for each; returns the exit status."""
    began = time.monotonic()

    def tell(text: str) -> None:
        print(f"[{time.monotonic() - began:5.1f} s] {text}", flush=True)

    with tempfile.TemporaryDirectory(prefix="torchbend-wheel-") as name:
        folder = Path(name).resolve()
        try:
            wheel = build_wheel(folder)
            tell(f"built {wheel.name}, {wheel.stat().st_size / 1e6:.1f} MB")
            programs = install(wheel, folder / "environment")
            tell("installed into an empty environment")
            tell(f"imported {check_import(programs, folder)}")
            tell(f"loaded {check_workshop(programs, folder)}")
            check_help(programs, folder)
            tell(f"help of {', '.join(COMMANDS)}")
            tell(f"quick demo made {', '.join(check_demo(programs, folder / 'demo'))}")
        except CheckError as error:
            print(f"the wheel does not work:\n{error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
