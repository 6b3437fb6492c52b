"""The zoo: every entry, in the order in which the families are listed here."""

from __future__ import annotations

from .audio import AUDIO
from .definition import Entry
from .diffusion import DIFFUSION
from .handwritten import HANDWRITTEN
from .language import LANGUAGE
from .speech import SPEECH
from .vision import VISION

__all__ = ["ZOO", "Entry"]

ZOO: list[Entry] = [*LANGUAGE, *VISION, *SPEECH, *AUDIO, *DIFFUSION, *HANDWRITTEN]
