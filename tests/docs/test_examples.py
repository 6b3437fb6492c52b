"""Every example of the README and of the documentation runs, and prints what its page says."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from torchbend.display import get_output, set_output

from .pages import PAGES, ROOT, examples
from .running import run_page

WITH_EXAMPLES = [
    pytest.param(page, id=page.stem) for page in PAGES if examples(page.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("page", WITH_EXAMPLES)
def test_examples_print_what_the_page_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "100")
    mode = get_output()
    torch.manual_seed(0)
    random.seed(0)
    wrong = []
    try:
        for example, got, agrees in run_page(examples(page.read_text(encoding="utf-8")), page.name, folder):
            if not agrees:
                wanted = example.output.text if example.output else example.block.text
                wrong.append(f"{page.name}, line {example.block.line}:\n--- page\n{wanted}--- run\n{got}")
    finally:
        set_output(mode)
    assert not wrong, "\n".join(wrong)


def test_every_page_has_examples() -> None:
    without = {page.stem for page in PAGES} - {param.id for param in WITH_EXAMPLES}
    assert without <= {"benchmarks", "interfaces", "zoo"}
    assert ROOT / "README.md" in PAGES
