"""Panels of lines as one file of HTML that needs nothing from elsewhere, by plotly."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from torchbend.errors import MissingExtraError, TorchbendError
from torchbend.plots.lines import Line, Look, Panel, look, names_in_order, thinned

__all__ = ["lines_page"]


def lines_page(panels: Sequence[Panel], title: str = "", dark: bool = False) -> str:
    """A page to zoom in, to read values off, and to switch lines on and off by a click in the legend.

    Args:
        panels: at least one; they share their horizontal axis where its label is the same.
        title: above all.
        dark: on a dark ground.

    Raises:
        MissingExtraError: plotly is not installed.
        TorchbendError: there is nothing to draw.
    """
    if not any(panel.lines for panel in panels):
        raise TorchbendError("there is nothing to draw", site="panels", wanted="a line at least")
    try:
        from plotly.subplots import make_subplots
    except ImportError as error:
        raise MissingExtraError.of("plotly", "plots", "a page of curves") from error
    shades, names = look(dark), names_in_order(panels)
    figure: Any = make_subplots(
        rows=len(panels),
        cols=1,
        subplot_titles=[escape(panel.title) for panel in panels],
        shared_xaxes=len({panel.x_label for panel in panels}) == 1,
        vertical_spacing=0.09,
    )
    for row, panel in enumerate(panels, start=1):
        for line in panel.lines:
            for trace in _traces(line, panel, names, shades, first=_is_first(line.name, panels, panel)):
                figure.add_trace(trace, row=row, col=1)
        figure.update_xaxes(title_text=escape(panel.x_label), showticklabels=True, row=row, col=1)
        kind = "log" if panel.is_log else "linear"
        figure.update_yaxes(title_text=escape(panel.y_label), type=kind, row=row, col=1)
    marked = next((p.mark_label for p in panels if any(line.marks for line in p.lines)), "")
    if marked:
        figure.add_trace(_sample_mark(marked, shades), row=1, col=1)
    _dress(figure, shades, title, len(panels))
    text: str = figure.to_html(include_plotlyjs=True, full_html=True, config={"displaylogo": False})
    ground = f"<head><title>{escape(title)}</title><style>body{{margin:0;background:{shades.paper}}}</style>"
    return text.replace("<head>", ground, 1)


def _is_first(name: str, panels: Sequence[Panel], panel: Panel) -> bool:
    """Whether a panel is the first with a line of this name: one entry of the legend serves all."""
    return next(p for p in panels if any(line.name == name for line in p.lines)) is panel


def _traces(line: Line, panel: Panel, names: Sequence[str], shades: Look, first: bool) -> list[Any]:
    import plotly.graph_objects as go

    colour, style = shades.of(names.index(line.name))
    name = escape(line.name)
    shared: dict[str, Any] = {"legendgroup": name, "name": name}
    found = []
    if line.behind is not None:
        x, y = thinned(*line.behind)
        faint = {"color": colour, "width": 1}
        found.append(
            go.Scatter(x=x, y=y, line=faint, opacity=0.25, showlegend=False, hoverinfo="skip", **shared)
        )
    x, y = thinned(line.x, line.y)
    stroke = {"color": colour, "width": 2, "dash": style}
    mode = "lines+markers" if line.dots or len(x) == 1 else "lines"
    found.append(go.Scatter(x=x, y=y, line=stroke, mode=mode, marker={"size": 5}, showlegend=first, **shared))
    if line.marks:
        found.append(
            go.Scatter(
                x=list(line.marks),
                y=[line.at(mark) for mark in line.marks],
                mode="markers",
                marker={"symbol": "diamond-open", "size": 11, "color": colour, "line": {"width": 2}},
                showlegend=False,
                hovertemplate=f"{escape(panel.mark_label)}: %{{x:,}}<extra>{name}</extra>",
                **shared,
            )
        )
    return found


def _sample_mark(label: str, shades: Look) -> Any:
    """An entry of the legend that says what marks mean."""
    import plotly.graph_objects as go

    marker = {"symbol": "diamond-open", "size": 10, "color": shades.soft, "line": {"width": 2}}
    return go.Scatter(x=[None], y=[None], mode="markers", marker=marker, name=escape(label), hoverinfo="skip")


def _dress(figure: Any, shades: Look, title: str, rows: int) -> None:
    figure.update_layout(
        title={"text": escape(title), "x": 0.02},
        height=120 + 380 * rows,
        paper_bgcolor=shades.paper,
        plot_bgcolor=shades.paper,
        font={"color": shades.ink, "family": "system-ui, sans-serif"},
        hovermode="closest",
        margin={"l": 80, "r": 30, "t": 80, "b": 60},
    )
    figure.update_xaxes(gridcolor=shades.grid, zeroline=False, linecolor=shades.soft)
    figure.update_yaxes(gridcolor=shades.grid, zeroline=False)
