"""The colours of all figures, light and dark; the colour-blind tell them apart."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from torchbend.errors import TorchbendError
from torchbend.plots.lines import Look, look
from torchbend.plots.png import COLOUR_MAP

__all__ = ["Theme", "theme_of"]

# From blue over the ground to orange: the two are told apart with all common kinds of colour blindness, and
# what is far from 0 stands out from the ground, on white as on black.
_SIGNED_LIGHT = ("#003a5c", "#0072b2", "#8cc3e6", "#f6f5f2", "#f2ae80", "#d55e00", "#6e2f00")
_SIGNED_DARK = ("#d3edff", "#56b4e9", "#23546f", "#181b25", "#70490a", "#e69f00", "#ffecb8")


@dataclass(frozen=True)
class Theme:
    """Colours of a figure.

    Attributes:
        dark: on a dark ground.
        look: of ground, text and lines: those of all figures of torchbend.
        levels: colours from low to high, for values of one sign.
        signed: colours from far below 0 over 0, in the middle, to far above.
    """

    dark: bool
    look: Look
    levels: tuple[str, ...]
    signed: tuple[str, ...]

    def line(self, number: int) -> tuple[str, str]:
        """Colour and style (``solid``, ``dash``, ``dot``, ``dashdot``) of a line; -1 is a guide."""
        return (self.look.grid, "solid") if number < 0 else self.look.of(number)

    def dots(self) -> tuple[str, ...]:
        """Colours of single dots from low to high: those of `levels` that stand out from the ground."""
        return self.levels[5:] if self.dark else self.levels[:-3]

    def scale(self, signed: bool) -> tuple[str, ...]:
        """Colours at equal steps from the first to the last."""
        return self.signed if signed else self.levels


def theme_of(name: str | None) -> Theme:
    """The theme of a name; without one the theme that plotly's figures have in this session.

    Args:
        name: ``"light"``, ``"dark"`` or ``None``. ``None`` is dark where ``plotly.io.templates.default`` is
            a dark template (as ``"plotly_dark"``), and light elsewhere.

    Raises:
        TorchbendError: another name.

    >>> theme_of("dark").look.paper
    '#12141c'
    """
    if name not in (None, "light", "dark"):
        raise TorchbendError("unknown theme", site="theme", wanted="'light', 'dark' or None", got=repr(name))
    dark = _is_plotly_dark() if name is None else name == "dark"
    return Theme(dark, look(dark), _levels(), _SIGNED_DARK if dark else _SIGNED_LIGHT)


def _is_plotly_dark() -> bool:
    """Whether the session's plotly figures are dark; plotly that nobody has imported yet is not."""
    plotly = sys.modules.get("plotly.io")
    return plotly is not None and "dark" in str(plotly.templates.default or "")


def _levels() -> tuple[str, ...]:
    places = [round(step * 255 / 16) for step in range(17)]
    return tuple("#{:02x}{:02x}{:02x}".format(*COLOUR_MAP[place]) for place in places)
