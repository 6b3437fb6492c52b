"""Recipes as files: readable JSON, and ``.safetensors`` for tensors. Nothing in them is ever run."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from torchbend.bending import callbacks as builtin
from torchbend.bending.callback import BendingCallback, CallbackChain
from torchbend.bending.recipe import Bend, BendingConfig
from torchbend.bending.recipe_codec import Decoder, Encoder, broken
from torchbend.bending.recipe_signature import described_weights, difference, signature
from torchbend.errors import RecipeError

__all__ = ["FORMAT", "VERSION", "save", "load"]

FORMAT = "torchbend recipe"
VERSION = 1
_DEEPEST = 200
_LINE = 100

logger = logging.getLogger(__name__)


def save(config: BendingConfig, path: str | Path) -> Path:
    """Writes ``config`` to ``path``, and its tensors, if any, beside it.

    Each file is written under a temporary name and renamed when it is complete.

    Returns:
        the path of the JSON file.

    Raises:
        RecipeError: the recipe holds code or two controls of one name, or cannot be written there.
    """
    path = Path(path)
    if path.suffix == ".safetensors":
        raise RecipeError(
            "a recipe is a JSON file", site=str(path), wanted="a name that ends in .json", got=path.name
        )
    encoder = Encoder()
    try:
        bends = [_encoded(bend, encoder) for bend in config.entries]
    except RecursionError as error:
        raise _too_deep(path) from error
    content: dict[str, Any] = {"format": FORMAT, "version": VERSION}
    content["controls"] = encoder.described_controls()
    content["bends"] = bends
    if _nested_deeper_than(_DEEPEST, content):
        raise _too_deep(path)
    if encoder.tensors:
        tensors = _tensor_bytes(encoder.tensors)
        beside = path.with_suffix(".safetensors")
        content["tensors"] = {"file": beside.name, "sha256": hashlib.sha256(tensors).hexdigest()}
        _write(beside, tensors)
    if config.is_binded:
        weights = described_weights(config.module)
        content["model"] = {"signature": signature(weights), "weights": weights}
    _write(
        path,
        (_readable(content) + "\n").encode(errors="surrogatepass"),
    )
    return path


def load(
    path: str | Path,
    module: Any = None,
    callbacks: Iterable[type[BendingCallback]] = (),
    strict: bool = True,
) -> BendingConfig:
    """Reads a recipe; see ``BendingConfig.load``.

    Raises:
        RecipeError: the file is broken, names an unknown class, or does not fit ``module``.
    """
    path = Path(path)
    content = _read(path)
    own = (*getattr(module, "callback_classes", ()), *callbacks)
    decoder = Decoder(_classes(own), _tensors(path, content.get("tensors")))
    controls = content.get("controls", {})
    if not isinstance(controls, dict):
        raise broken("controls", "an object", type(controls).__name__)
    for name, described in controls.items():
        decoder.control(name, described)
    bends = content.get("bends")
    if not isinstance(bends, list):
        raise broken("bends", "a list", type(bends).__name__)
    config = BendingConfig(*(_decoded(bend, decoder) for bend in bends))
    if module is None:
        return config
    _check_model(path, content.get("model"), module, strict)
    return config.bind(module) if strict else config.only_matching(module)


def _encoded(bend: Bend, encoder: Encoder) -> dict[str, Any]:
    encoded = {"patterns": list(bend.patterns), **encoder.callback(bend.callback)}
    if bend.fn is not None:
        encoded["fn"] = bend.fn
    if bend.buffers:
        encoded["buffers"] = True
    return encoded


def _decoded(described: Any, decoder: Decoder) -> Bend:
    callback = decoder.callback(described)
    patterns, fn = described.get("patterns"), described.get("fn")
    if not isinstance(patterns, list) or not (fn is None or isinstance(fn, str)):
        raise broken("a bend", "a list of patterns, and a method's name or none", f"{patterns}, {fn}")
    return Bend(callback, tuple(patterns), fn, described.get("buffers") is True)


def _classes(own: Iterable[type[BendingCallback]]) -> dict[str, type[BendingCallback]]:
    """The classes that a recipe may name: the package's, without ``Lambda``, and the user's own."""
    known: list[type[BendingCallback]] = [CallbackChain]
    known += [getattr(builtin, name) for name in builtin.__all__ if name != "Lambda"]
    for cls in own:
        if not (isinstance(cls, type) and issubclass(cls, BendingCallback)):
            raise RecipeError(
                "callbacks= takes classes", wanted="a list of BendingCallback subclasses", got=repr(cls)
            )
        known.append(cls)
    return {cls.__name__: cls for cls in known}


def _read(path: Path) -> dict[str, Any]:
    def refused(constant: str) -> Any:
        raise ValueError(f"{constant} is no number")

    try:
        content = json.loads(path.read_bytes(), parse_constant=refused)
    except OSError as error:
        raise RecipeError(
            f"the recipe cannot be read: {error.strerror}", site=str(path), next_step="check the path"
        ) from error
    except (ValueError, RecursionError) as error:
        raise broken(str(path), "JSON", f"{type(error).__name__}: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise broken(str(path), f'an object with "format": "{FORMAT}"', _kind(content))
    if _nested_deeper_than(_DEEPEST, content):
        raise _too_deep(path)
    version = content.get("version")
    if type(version) is not int or version != VERSION:
        raise RecipeError(
            "the recipe is of another version",
            site=str(path),
            wanted=VERSION,
            got=str(version)[:80],
            next_step="read it with the torchbend that wrote it, or a newer one",
        )
    return content


def _readable(value: Any, indent: str = "") -> str:
    """JSON in which what fits on a line is on one line."""
    flat = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if not isinstance(value, dict | list) or len(indent) + len(flat) <= _LINE:
        return flat
    inner = indent + "  "
    if isinstance(value, dict):
        lines = [
            f"{inner}{json.dumps(k, ensure_ascii=False)}: {_readable(v, inner)}" for k, v in value.items()
        ]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    return "[\n" + ",\n".join(inner + _readable(v, inner) for v in value) + f"\n{indent}]"


def _nested_deeper_than(limit: int, content: Any) -> bool:
    level = [content]
    for _ in range(limit):
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return False
    return True


def _too_deep(path: Path) -> RecipeError:
    return RecipeError(
        "the recipe is nested too deeply",
        site=str(path),
        wanted=f"callbacks and expressions in at most {_DEEPEST} levels",
        got="more",
        next_step="chain callbacks side by side: CallbackChain(a, b, c)",
    )


def _kind(content: Any) -> str:
    return str(content.get("format"))[:80] if isinstance(content, dict) else type(content).__name__


def _tensor_bytes(tensors: Mapping[str, Tensor]) -> bytes:
    from safetensors import SafetensorError
    from safetensors.torch import save as as_bytes

    try:
        return bytes(as_bytes(dict(tensors)))
    except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise RecipeError(
            f"a tensor cannot be saved: {error}",
            got=", ".join(f"{t.dtype}{list(t.shape)}" for t in tensors.values()),
            next_step="use a dense tensor of a common type (float32)",
        ) from error


def _tensors(path: Path, described: Any) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load as from_bytes

    if described is None:
        return {}
    name = described.get("file") if isinstance(described, dict) else None
    # a plain name only: a recipe reads nothing but the file beside it
    if not isinstance(name, str) or not re.fullmatch(r"[^/\\:\x00]+\.safetensors", name):
        raise broken("tensors", "the name of a .safetensors file beside the recipe", name)
    beside = path.parent / name
    try:
        data = beside.read_bytes()
    except (OSError, ValueError) as error:
        raise RecipeError(
            "the tensors of the recipe cannot be read",
            site=str(beside),
            wanted=f"{name} beside {path.name}",
            got=str(error),
            next_step="keep the two files together",
        ) from error
    if hashlib.sha256(data).hexdigest() != described.get("sha256"):
        raise broken(str(beside), "the tensors that the recipe was saved with", "others (the hash differs)")
    try:
        return dict(from_bytes(data))
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise broken(str(beside), "a safetensors file", error) from error


def _check_model(path: Path, described: Any, module: Any, strict: bool) -> None:
    """Checks that the recipe was saved with this model, or with none."""
    if described is None:
        return
    wanted = described.get("weights") if isinstance(described, dict) else None
    if not isinstance(wanted, dict) or not all(isinstance(v, str) for v in wanted.values()):
        raise broken("model", "a signature and the weights by name", type(wanted).__name__)
    got = described_weights(module)
    if described.get("signature") == signature(got):
        return
    differs = difference(wanted, got)
    if strict:
        raise RecipeError(
            "the recipe was made for another model",
            site=str(path),
            wanted=f"a model with the {len(wanted)} weights of the recipe",
            got=differs,
            next_step="load it with the model it was made for, or with strict=False to bend what matches",
        )
    logger.warning("%s was made for another model (%s); what matches is bent", path, differs)


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        try:
            temporary.write_bytes(data)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise RecipeError(
            f"the recipe cannot be written: {error.strerror}", site=str(path), next_step="check the folder"
        ) from error
