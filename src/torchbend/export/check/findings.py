"""What the check has to tell: failures, which keep a file off the stage, and warnings, which do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Finding", "failure", "some", "warning"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or could be better.

    Attributes:
        level: ``"failure"`` or ``"warning"``.
        part: of the contract: ``structure``, ``code``, ``operators``, ``loading``, ``methods``,
            ``attributes``, ``gradients``, ``blocks``, ``state``, ``streaming``, ``comparison``, ``speed`` or
            ``process``.
        where: the method, attribute, buffer or operator.
        message: what happened, one sentence.
        wanted, got, next_step: as in the package's errors; empty where there is nothing to say.
    """

    level: str
    part: str
    where: str
    message: str
    wanted: str = ""
    got: str = ""
    next_step: str = ""

    def text(self) -> str:
        """The finding in lines, as the package's errors are told."""
        lines = [f"{self.level}: {self.message}", f"  at:     {self.where} ({self.part})"]
        told = (("wanted", self.wanted), ("got", self.got), ("next", self.next_step))
        lines += [f"  {name + ':':<8}{what}" for name, what in told if what]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, str]:
        """The finding as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Finding:
        """The finding that `to_dict` gave."""
        return cls(**{name: str(data.get(name, "")) for name in cls.__dataclass_fields__})


def failure(
    part: str, where: str, message: str, wanted: object = "", got: object = "", next_step: str = ""
) -> Finding:
    """A finding that keeps the file off the stage."""
    return Finding("failure", part, where, message, str(wanted), str(got), next_step)


def warning(
    part: str, where: str, message: str, wanted: object = "", got: object = "", next_step: str = ""
) -> Finding:
    """A finding that one can live with."""
    return Finding("warning", part, where, message, str(wanted), str(got), next_step)


def some(names: Sequence[str]) -> str:
    """The first names, and how many more there are.

    >>> some(["a", "b", "c", "d", "e"])
    'a, b, c, and 2 more'
    """
    left = len(names) - 3
    return ", ".join([*names[:3], *([f"and {left} more"] if left > 0 else [])])
