"""What the figures' functions return: it shows itself once, and can be saved."""

from __future__ import annotations

import importlib
import tempfile
import webbrowser
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dandb.figures.by_matplotlib import file_bytes, matplotlib_figure
from dandb.figures.by_plotly import plotly_figure
from dandb.figures.cell import running_shell
from dandb.figures.chart import Chart
from dandb.figures.page import figure_page, players_html, with_description
from torchbend.display import log_warning
from torchbend.errors import MissingExtraError, TorchbendError

if TYPE_CHECKING:
    import matplotlib.figure

__all__ = ["Figure", "finished"]

_KINDS = (".html", ".png", ".svg", ".pdf")


class Figure:
    """A figure of the workshop.

    In a notebook it appears exactly once in its cell: at once with ``display=True`` or `show`, as the last
    line of the cell, or else at the cell's end, below what the cell printed. With ``display=False`` it
    appears only if you ask: by `show`, or as the last line of a cell. Outside a notebook nothing appears
    unless asked for; `show` then opens the page in your browser.

    Attributes:
        chart: what is drawn, as data.

    Example:
        >>> from dandb import plot_latent_trajs
        >>> figure = plot_latent_trajs([[0.0, 1.0], [1.0, 0.0]], display=False)
        >>> figure
        Figure('latent trajectories': Trajectories of 2 latents over 2 steps, from 0 to 1.)
    """

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        self._drawn = False

    @property
    def description(self) -> str:
        """The figure in words, for those who do not see it."""
        return self.chart.description

    @cached_property
    def plotly(self) -> Any:
        """The interactive figure, a ``plotly.graph_objects.Figure``: change it as you like, then `show`.

        Raises:
            MissingExtraError: plotly is not installed.
        """
        return plotly_figure(self.chart)

    def matplotlib(self) -> matplotlib.figure.Figure:
        """The same for paper, a ``matplotlib.figure.Figure``.

        Raises:
            MissingExtraError: matplotlib is not installed.
        """
        return matplotlib_figure(self.chart)

    def html(self) -> str:
        """A page that needs nothing from elsewhere: the interactive figure, its players, its description.

        Raises:
            MissingExtraError: plotly is not installed.
        """
        return figure_page(self.chart, self.plotly)

    def save(self, path: str | Path, scale: float = 2.0) -> Path:
        """Write the figure into a file.

        Args:
            path: its ending says the kind: ``.html`` (interactive, with players), ``.png``, ``.svg`` or
                ``.pdf``.
            scale: a PNG is ``1000 * scale`` pixels wide; above 0, at most 10.

        Returns:
            The path.

        Raises:
            TorchbendError: another ending, a scale out of its range, or a folder that cannot be written.
            MissingExtraError: plotly (HTML) or matplotlib (the others) is not installed.
        """
        path = Path(path)
        kind = path.suffix.lower()
        if kind not in _KINDS or not 0 < scale <= 10:
            raise TorchbendError(
                "the figure cannot be saved like this",
                site=str(path),
                wanted=f"a file that ends in {', '.join(_KINDS)}; scale in (0, 10]",
                got=f"{kind or 'no ending'}, scale={scale}",
            )
        content = self.html().encode() if kind == ".html" else file_bytes(self.chart, kind[1:], scale)
        try:
            path.write_bytes(content)
        except OSError as error:
            raise TorchbendError(
                "the figure cannot be written",
                site=str(path),
                got=str(error),
                next_step="choose another folder",
            ) from error
        return path

    def show(self) -> None:
        """Draw the figure now: in a notebook below the cell, elsewhere as a page in the browser.

        Raises:
            MissingExtraError: plotly is not installed.
        """
        shell = running_shell()
        if shell is not None and self._draw_in_notebook():
            if not self._drawn:
                self._drawn = True
                shell.at_end_of_cell(self._forget)
        elif _is_switched_off():
            log_warning(f"plotly shows no figures here; figure.save('x.html') keeps {self.chart.title!r}")
        else:
            self._open_in_browser()

    def appear(self, display: bool | None) -> None:
        """Draw the figure now (``True``), at the end of the cell (``None``), or when asked for (``False``).

        At the end of the cell it is drawn unless it has been by then. What a button calls runs between cells,
        and what is made there is drawn now.
        """
        shell = running_shell()
        if display:
            self.show()
        elif display is None and shell is not None:
            if shell.is_in_a_cell():
                shell.draw_at_end_of_cell(self._draw_unless_drawn)
            else:
                self.show()

    def _draw_unless_drawn(self) -> None:
        if not self._drawn:
            self.show()

    def _forget(self) -> None:
        self._drawn = False

    def _draw_in_notebook(self) -> bool:
        """Draw by the session's way to show plotly figures; ``False``: it has none inside the notebook."""
        bundle: dict[str, Any] = self.plotly._repr_mimebundle_()
        if not bundle:
            return False
        bundle["text/plain"] = f"{self.chart.title}: {self.chart.description}"
        if "text/html" in bundle:
            bundle["text/html"] = with_description(self.chart, bundle["text/html"])
        _display(bundle)
        if self.chart.players:
            self._display_html(players_html(self.chart))
        return True

    def _display_html(self, html: str) -> bool:
        _display({"text/html": html, "text/plain": f"{self.chart.title}: {self.chart.description}"})
        return True

    def _open_in_browser(self) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".html", delete=False, encoding="utf-8") as file:
            file.write(self.html())
        if not webbrowser.open(Path(file.name).as_uri()):
            log_warning(f"there is no browser here: the figure is in {file.name}")

    def _ipython_display_(self) -> None:
        """As the last line of a cell: drawn, unless it has been drawn in this cell."""
        shell = running_shell()
        if shell is None:
            raise NotImplementedError  # IPython shows the repr then
        if shell.is_in_a_cell():
            shell.draw_waiting()  # figures appear in the order in which they were made
        if not self._drawn:
            self.show()

    def __repr__(self) -> str:
        return f"Figure({self.chart.title!r}: {self.chart.description})"


def finished(chart: Chart, display: bool | None) -> Figure:
    """A figure of a chart that appears as wanted: see `Figure.appear`."""
    figure = Figure(chart)
    figure.appear(display)
    return figure


def _display(bundle: dict[str, Any]) -> None:
    shown: Any = importlib.import_module("IPython.display")
    shown.display(bundle, raw=True)


def _is_switched_off() -> bool:
    try:
        from plotly.io import renderers
    except ImportError as error:
        raise MissingExtraError.of("plotly", "workshop", "a figure in a notebook") from error
    return not renderers.default
