"""audiocraft's configuration, a text in YAML: read as plain values, nothing in it is run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torchbend.errors import CheckpointError

__all__ = ["YamlConfig"]

_REFERENCE = re.compile(r"\$\{([\w.]+)\}")
_DEEPEST = 8


class YamlConfig:
    """The values of a configuration by dotted path.

    A value may refer to another one (``${sample_rate}``).

    Args:
        text: the YAML.
        site: what an error names.

    Raises:
        CheckpointError: it is no such text.
    """

    def __init__(self, text: object, site: str) -> None:
        import yaml  # type: ignore[import-untyped]

        try:
            values = yaml.safe_load(text) if isinstance(text, str) else None
        except yaml.YAMLError as error:
            raise _wrong(site, str(error).split("\n")[0]) from error
        if not isinstance(values, Mapping):
            raise _wrong(site, type(text).__name__)
        self._values: Mapping[str, Any] = values
        self._site = site

    def get(self, path: str, default: Any = None) -> Any:
        """The value at a path; ``default`` where there is none.

        >>> YamlConfig("rate: 16\\ncodec: {rate: '${rate}'}", "xp.cfg").get("codec.rate")
        16
        """
        return self._get(path, default, 0)

    def whole(self, path: str, default: int) -> int:
        """The whole number at a path, above 0; ``default`` where there is none.

        Raises:
            CheckpointError: something else is there.
        """
        value = self.get(path, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 1 or value != int(value):
            raise CheckpointError(
                "the configuration in this file has no number where one is needed",
                site=f"{self._site}: xp.cfg: {path}",
                wanted="a whole number above 0",
                got=repr(value),
            )
        return int(value)

    def _get(self, path: str, default: Any, depth: int) -> Any:
        value: Any = self._values
        for key in path.split("."):
            if not isinstance(value, Mapping) or key not in value:
                return default
            value = value[key]
        reference = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
        if reference is None or depth > _DEEPEST:
            return value
        return self._get(reference[1], default, depth + 1)


def _wrong(site: str, got: str) -> CheckpointError:
    return CheckpointError(
        "the configuration in this file cannot be read",
        site=f"{site}: xp.cfg",
        wanted="a text in YAML",
        got=got,
        next_step="take the two files that audiocraft publishes or exports, state_dict.bin and "
        "compression_state_dict.bin",
    )
