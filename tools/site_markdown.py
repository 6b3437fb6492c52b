"""What differs between Markdown on a code host and on the documentation site, made one."""

from __future__ import annotations

import re

_FENCE = re.compile(r"^```(\w+) +(\S.*)$", re.MULTILINE)
_CARD = re.compile(r"\((?:\.\./)*src/torchbend/shipped/(\w+)\.md\)")
_FROM_ROOT = re.compile(r"\]\((?:\.\./)*docs/([\w-]+\.md)")
_NOTEBOOK = re.compile(r"(\]\((?!https?:)[^)\s]+)\.ipynb\)")
_DETAILS = re.compile(r"^<details(?P<rest>[^>]*)>", re.MULTILINE)
_SUMMARY = re.compile(r"^(<details[^>]*>)\s*\n?\s*(<summary>.*?</summary>)\s*$", re.MULTILINE)
_LIST = re.compile(r"^(?:[-*+]|\d+\.) ")


def for_site(text: str, root: str = "") -> str:
    """A page of this project as the site's Markdown wants it.

    - the words after a fence's language go, but a file's name becomes the block's title;
    - links to notebooks and model cards, and those of the changelog, lead to their pages;
    - what a ``<details>`` hides is Markdown, as it is in a notebook;
    - a list may follow a paragraph without an empty line.

    Args:
        text: the page.
        root: the way from the page to the site's first page, ``"../"`` for one in a folder.

    >>> print(for_site("```python file=echo.py\\nimport torch\\n```\\n[next](two.ipynb)"))
    ```python title="echo.py"
    import torch
    ```
    [next](two.md)
    """
    text = _FENCE.sub(_fence, text)
    return "".join(
        part if part.startswith("```") else _prose(part, root)
        for part in re.split(r"(^```.*?^```[ ]*$\n?)", text, flags=re.MULTILINE | re.DOTALL)
    )


def _fence(found: re.Match[str]) -> str:
    name = found[2].removeprefix("file=")
    return f"```{found[1]}" + (f' title="{name}"' if name != found[2] else "")


def _prose(text: str, root: str) -> str:
    text = _CARD.sub(rf"({root}models/\1.md)", text)
    text = _FROM_ROOT.sub(rf"]({root}\1", text)
    text = _NOTEBOOK.sub(r"\1.md)", text)
    text = _DETAILS.sub(lambda found: f'<details markdown="1"{found["rest"]}>', text)
    text = _SUMMARY.sub(r"\1\n\2\n", text)
    lines: list[str] = []
    for line in text.splitlines(keepends=True):
        before = lines[-1] if lines else "\n"
        if _LIST.match(line) and before.strip() and not _LIST.match(before) and not before.startswith(" "):
            lines.append("\n")
        lines.append(line)
    return "".join(lines)
