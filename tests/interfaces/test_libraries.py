"""Optional libraries: what they say that nobody needs to read."""

from __future__ import annotations

import logging

import pytest

from torchbend.interfaces.libraries import diffusers


def test_diffusers_does_not_ask_for_torchvision(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("diffusers")
    diffusers("the test")
    log = logging.getLogger("transformers.utils.import_utils")
    log.addHandler(caplog.handler)
    try:
        caplog.set_level(logging.WARNING, logger=log.name)  # whatever other tests have made of it
        log.warning("`CLIPImageProcessor` requires torchvision (not installed); falling back to another")
        log.warning("something else")
    finally:
        log.removeHandler(caplog.handler)
    assert {record.getMessage() for record in caplog.records} == {"something else"}
