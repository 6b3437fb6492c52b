"""The stand-ins are there for the kernels of the documents, and only for them."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


def test_no_test_imports_a_stand_in_by_chance() -> None:
    found = importlib.util.find_spec("torchaudio")
    assert found is None or "stand_ins" not in str(found.origin)
    assert "stand_ins" not in str(getattr(sys.modules.get("sitecustomize"), "__file__", ""))


def test_a_kernel_of_a_document_has_no_network_and_says_what_it_asked(
    repository: Path, tmp_path: Path
) -> None:
    """The address is one that nobody has; the way to this machine itself stays open."""
    program = """if True:
        import socket
        for ask in (socket.create_connection, socket.getaddrinfo):
            try:
                ask(("nobody.invalid", 80)) if ask is socket.create_connection else ask("nobody.invalid", 80)
            except OSError as error:
                print(error)
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname()).close()
    """
    asked = tmp_path / "asked.txt"
    path = repository / "tests" / "stand_ins"
    answer = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(path), "ASKED_OF_THE_NETWORK": str(asked)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.splitlines() == ["there is no network here: nobody.invalid"] * 2
    assert asked.read_text().splitlines() == ["socket.getaddrinfo nobody.invalid"] * 2


def test_the_phrases_are_there(phrase: Callable[[str], Path]) -> None:
    soundfile = pytest.importorskip("soundfile")
    for name in ("violin", "piano"):
        about = soundfile.info(phrase(name))
        assert (about.samplerate, about.channels, about.duration) == (44100, 1, 8.0)
