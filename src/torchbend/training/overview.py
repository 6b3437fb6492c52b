"""Where all runs of a folder are, read from what they have written."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from torchbend.errors import RAVEConfigError, TrainingError
from torchbend.rave.config import RAVEConfig
from torchbend.rave.config_json import from_dict
from torchbend.rave.presets import preset

__all__ = ["QUIET_AT_LEAST", "QUIET_LINES", "RunState", "find_runs", "overview", "state_of", "words_of"]

State = Literal["runs", "stands", "done", "broken"]

QUIET_AT_LEAST = 120.0
"""A log that moved within so many seconds belongs to a run that runs."""
QUIET_LINES = 5
"""And so does one that has been still for no longer than so many of its lines take."""

_RECENT = 50
"""Lines of the log that the speed is a mean of."""
_NO_LOSS = {
    "step",
    "epoch",
    "phase",
    "seconds",
    "step_seconds",
    "waited",
    "beta_factor",
    "validation",
    "event",
}


@dataclass(frozen=True)
class RunState:
    """Where a run is.

    Attributes:
        name: of its folder, seen from the folder of all runs.
        path: of its folder.
        state: ``"runs"`` where its files have moved lately (see `quiet_allowed`), ``"done"`` where all steps
            are done, ``"stands"`` otherwise; ``"broken"`` where it cannot be read.
        trouble: why it is broken.
        configuration: in words, as ``v2+causal, capacity 32``.
        phase: 1 or 2; None for a prior.
        step: steps done, by the log.
        max_steps: steps in all.
        warmup: steps of the first phase; 0 for a prior, which has one only.
        epoch: passes through the corpus that are finished.
        losses: the last means.
        validation: the distance at the last validation.
        best: the least one.
        step_seconds: of a step, a mean over the last lines of the log in this phase, validations included.
        seconds: of work so far.
        left: seconds that the other steps take at this speed.
        waited: share of the time in which steps waited for data, over the same lines.
        quiet: seconds since one of its files has moved.
        quiet_allowed: seconds of quiet after which a run is said to stand.
    """

    name: str
    path: Path
    state: State = "stands"
    trouble: str = ""
    configuration: str = ""
    phase: int | None = None
    step: int = 0
    max_steps: int = 0
    warmup: int = 0
    epoch: int | None = None
    losses: dict[str, float] = field(default_factory=dict)
    validation: float | None = None
    best: float | None = None
    step_seconds: float | None = None
    seconds: float | None = None
    left: float | None = None
    waited: float | None = None
    quiet: float = 0.0
    quiet_allowed: float = QUIET_AT_LEAST

    @property
    def share(self) -> float:
        """Of the steps that are done, in [0, 1]."""
        return min(self.step / self.max_steps, 1.0) if self.max_steps else 0.0

    @property
    def grows_slower(self) -> bool:
        """Whether the second phase, whose steps take longer, is still to come: `left` is too small then."""
        return self.state != "done" and self.step <= self.warmup < self.max_steps and self.warmup > 0

    def as_data(self) -> dict[str, Any]:
        """All values, ready for ``json.dumps``."""
        return {**vars(self), "path": str(self.path), "share": self.share}


def find_runs(folder: str | os.PathLike[str]) -> list[Path]:
    """The folders of runs in a folder, at any depth; or the folder itself, where it is a run.

    Folders that only look like a run (a log or checkpoints, but no description) are found too.

    Raises:
        TrainingError: there is no such folder.
    """
    root = Path(folder)
    if not root.is_dir():
        raise TrainingError(
            "there is no such folder of runs",
            site=str(root),
            next_step="name the folder that was --out of torchbend rave train",
        )
    return sorted(_found(root))


def _found(folder: Path) -> Iterator[Path]:
    for path, folders, files in os.walk(folder):
        if "run.json" in files or "records.jsonl" in files or ("checkpoints" in folders):
            folders.clear()
            yield Path(path)


def overview(folder: str | os.PathLike[str], now: float | None = None) -> list[RunState]:
    """All runs of a folder, by name; those that cannot be read stand last, with the reason.

    Args:
        folder: of all runs, or of one.
        now: the time of the clock, in seconds; by default it is asked.

    Raises:
        TrainingError: there is no such folder.
    """
    now = time.time() if now is None else now
    states = []
    for path in find_runs(folder):
        inner = path.relative_to(folder).as_posix()
        states.append(state_of(path, path.absolute().name if inner == "." else inner, now))
    return sorted(states, key=lambda run: (run.state == "broken", run.name))


def state_of(path: Path, name: str, now: float) -> RunState:
    """Where one run is.

    Args:
        path: of its folder.
        name: to call it by.
        now: the time of the clock, in seconds.
    """
    try:
        known, log_every = _known(path / "run.json")
        lines, validations = _read(path / "records.jsonl")
    except FileNotFoundError:
        return RunState(name, path, "broken", "there is no run.json: it is no run, or one that never began")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RAVEConfigError) as error:
        return RunState(name, path, "broken", f"run.json or the log cannot be read: {_one_line(error)}")
    quiet, max_steps = max(now - _moved(path), 0.0), known["max_steps"]
    if not lines:
        state: State = "runs" if quiet <= QUIET_AT_LEAST else "stands"
        return RunState(name, path, state, **known, quiet=quiet)
    last, speed = lines[-1], _speed(lines)
    allowed = max(QUIET_AT_LEAST, QUIET_LINES * log_every * (speed or 0.0))
    step = last["step"]
    done = step >= max_steps
    return RunState(
        name,
        path,
        "done" if done else "runs" if quiet <= allowed else "stands",
        **known,
        phase=last.get("phase"),
        step=step,
        epoch=last.get("epoch"),
        losses=_losses(lines),
        validation=validations[-1] if validations else None,
        best=min(filter(math.isfinite, validations), default=None),
        step_seconds=speed,
        seconds=last.get("seconds"),
        left=0.0 if done else None if speed is None else (max_steps - step) * speed,
        waited=_waited(lines),
        quiet=quiet,
        quiet_allowed=allowed,
    )


def _known(path: Path) -> tuple[dict[str, Any], int]:
    """What ``run.json`` says: values of a `RunState`, and the steps between lines of the log."""
    content = json.loads(path.read_text(encoding="utf-8"))
    config, settings = from_dict(content["config"]), content["settings"]
    is_prior = "discriminator_rate" not in settings
    known = {
        "configuration": f"prior of {words_of(config)}" if is_prior else words_of(config),
        "max_steps": int(settings["max_steps"]),
        "warmup": 0 if is_prior else config.training.phase_1_duration,
    }
    return known, int(settings.get("log_every", 1))


def _one_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def words_of(config: RAVEConfig) -> str:
    """A configuration in a few words: its name, and where it is not as wide as the preset of this name.

    >>> words_of(preset("v2", "causal", capacity=32))
    'v2+causal, capacity 32'
    """
    words = [config.name]
    try:
        plain: RAVEConfig | None = preset(*config.name.split("+"))
    except RAVEConfigError:
        plain = None
    if plain is None or plain.encoder.capacity != config.encoder.capacity:
        words.append(f"capacity {config.encoder.capacity}")
    if plain is not None and plain.latent_size != config.latent_size:
        words.append(f"{config.latent_size} latents")
    if config.channels != 1:
        words.append("stereo" if config.channels == 2 else f"{config.channels} channels")
    return ", ".join(words)


def _read(path: Path) -> tuple[list[dict[str, Any]], list[float]]:
    """The last lines with losses, and the distances of all validations; the others are not looked into."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return [], []
    validations = [r["validation"] for r in _parsed(line for line in text if '"validation"' in line)]
    recent: list[dict[str, Any]] = []
    for record in _parsed(reversed(text)):
        if "seconds" in record:
            recent.append(record)
            if len(recent) > _RECENT:
                break
    return recent[::-1], [float(v) for v in validations if isinstance(v, (int, float))]


def _parsed(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and isinstance(record.get("step"), int):
            yield record


def _moved(path: Path) -> float:
    """When one of the run's files was last written, in seconds of the clock."""
    found = [0.0]
    for file in ("run.json", "records.jsonl", "checkpoints/last.ckpt"):
        try:
            found.append((path / file).stat().st_mtime)
        except OSError:
            continue
    return max(found)


def _same_phase(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if line.get("phase") == lines[-1].get("phase")]


def _speed(lines: list[dict[str, Any]]) -> float | None:
    """Seconds of a step: between the first and the last line of the present phase."""
    held = _same_phase(lines)
    steps = held[-1]["step"] - held[0]["step"]
    if steps > 0:
        return float((held[-1]["seconds"] - held[0]["seconds"]) / steps)
    alone = held[-1].get("step_seconds")
    return None if alone is None else float(alone)


def _waited(lines: list[dict[str, Any]]) -> float | None:
    shares = [float(line["waited"]) for line in _same_phase(lines) if "waited" in line]
    return sum(shares) / len(shares) if shares else None


def _losses(lines: list[dict[str, Any]]) -> dict[str, float]:
    """The last value of each loss; in the second phase a short line may lack some of them."""
    found: dict[str, float] = {}
    for line in _same_phase(lines)[-8:]:
        for name, value in line.items():
            if name not in _NO_LOSS and isinstance(value, (int, float)):
                found[name] = float(value)
    return found
