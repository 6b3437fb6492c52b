"""The pages of the reference: which names stand on which page. What is said of each comes from its docstring.

Used by the documentation site (tools/site_hooks.py); nothing of the package is imported.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src"


@dataclass(frozen=True)
class Page:
    """A page of the reference.

    Attributes:
        file: its name, without ending.
        title: its heading.
        lead: what it is about, one or two sentences of Markdown.
        names: public names with their module, ``torchbend.Scale``; a module stands for all that its
            ``__all__`` lists.
    """

    file: str
    title: str
    lead: str
    names: tuple[str, ...]


def _of(module: str, names: str) -> tuple[str, ...]:
    return tuple(f"{module}.{name}" for name in names.split())


PAGES: tuple[Page, ...] = (
    Page(
        "bended-module",
        "BendedModule",
        "The one object that you hold. [Bending](../bending.md) and [looking](../looking.md) show its use.",
        (*_of("torchbend", "BendedModule BendedWrapper"), *_of("torchbend.module", "selection part")),
    ),
    Page(
        "callbacks",
        "Callbacks",
        "What can be done to a tensor. [One page](../callbacks.md) has all of them in tables, with sounds in "
        "the [gallery](../gallery.md).",
        _of(
            "torchbend",
            "BendingCallback CallbackChain SiteState Scale Bias Affine Clamp Fold Quantize Gate Mask "
            "OrderedMask Normal Permute ThresholdPermute ThresholdActivation Rewire Roll Shift Reverse "
            "Smooth Freeze Replace Blend Cluster Lambda Capture InterpolationFromCapture "
            "InterpolateActivation",
        ),
    ),
    Page(
        "controls-and-recipes",
        "Controls and recipes",
        "Knobs, and lists of bends. See [controls](../controls.md) and [recipes](../recipes.md).",
        _of("torchbend", "BendingParameter BendingParamType BendingConfig import_hacks_from_file"),
    ),
    Page(
        "output",
        "Tables and messages",
        "How tables are shown, and what is told. See [looking](../looking.md).",
        _of(
            "torchbend",
            "set_output get_output compare_outs compare_state_dict_tensors debug log_warning log_error",
        ),
    ),
    Page(
        "capture",
        "Capture",
        "A method that was run once, as a graph. See [tracing](../tracing.md).",
        ("torchbend.capture",),
    ),
    Page(
        "interfaces-rave",
        "interfaces.rave",
        "A RAVE model that is bent and played. See [RAVE](../rave.md#streaming).",
        _of("torchbend", "BendedRAVE Interface BendingInterface"),
    ),
    Page("rave", "rave", "The model family itself. See [RAVE](../rave.md).", ("torchbend.rave",)),
    Page(
        "training",
        "training, corpus",
        "What `torchbend rave` calls: a corpus of recordings, and the loop over it. See "
        "[train your own](../train-your-own.md).",
        (
            *_of("torchbend.training", "settings configure preflight engine loop prior_engine folder curves"),
            *_of("torchbend.corpus", "preprocessing store excerpts transforms"),
        ),
    ),
    Page(
        "evaluation",
        "evaluation",
        "How far two sounds lie from one another.",
        ("torchbend.evaluation",),
    ),
    Page(
        "export",
        "export",
        "From Python to the stage. See [on stage](../on-stage.md) and [checking](../checking.md).",
        ("torchbend.export", "torchbend.export.check"),
    ),
    Page(
        "audio",
        "audio, shipped",
        "Sound files, and the models that come along.",
        _of("torchbend", "audio shipped"),
    ),
    Page("plots", "plots", "Pictures of sound, and pages that play it.", ("torchbend.plots",)),
    Page(
        "errors",
        "errors",
        "All that the package raises. [Errors](../errors.md) has the messages, their causes and what helps.",
        ("torchbend.errors",),
    ),
    Page(
        "dandb", "dandb", "The workshop: models, sounds, figures. See [its page](../workshop.md).", ("dandb",)
    ),
)


def listed(module: str) -> list[str] | None:
    """The names in a module's ``__all__``; None where there is no such module."""
    place = SOURCE.joinpath(*module.split("."))
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    if not file.is_file():
        return None
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return list(ast.literal_eval(node.value))
    return []


def names_of(page: Page) -> list[str]:
    """All names of a page, modules replaced by what they list."""
    found: list[str] = []
    for name in page.names:
        inside = listed(name)
        found += [name] if inside is None else [f"{name}.{part}" for part in inside]
    return found


def markdown(page: Page) -> str:
    """The page, to be filled by mkdocstrings."""
    entries = "".join(f"\n::: {name}\n" for name in names_of(page))
    anchor = f" {{#{page.names[0]}}}" if len(page.names) == 1 else ""
    alias = '\n<a id="torchbend.TorchbendError"></a>\n' if page.file == "errors" else ""
    return f"# {page.title}{anchor}\n\n{page.lead}\n{alias}{entries}"


def index() -> str:
    """The first page of the reference: every name, page by page."""
    rows = []
    for page in PAGES:
        names = ", ".join(f"[`{name.rpartition('.')[2]}`][{name}]" for name in names_of(page))
        rows.append(f"## [{page.title}]({page.file}.md)\n\n{page.lead}\n\n{names}\n")
    lead = "Every public name, from the docstrings. `help(torchbend.Scale)` says the same in Python.\n"
    return "# Reference\n\n" + lead + "\n" + "\n".join(rows)
