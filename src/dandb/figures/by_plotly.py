"""Draw a chart by plotly: to zoom in, and to read values off."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import Any

import numpy as np

from dandb.figures.chart import GUIDE, Chart, Curve, Dots, HeatMap, Panel, Picture, Words
from dandb.figures.layout import Layout, layout_of, subtitle_lines
from dandb.figures.theme import Theme
from torchbend.errors import MissingExtraError

__all__ = ["SYMBOLS", "plotly_figure"]

SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up", "star", "pentagon")
"""Forms of dots: groups differ in colour and in form."""


def plotly_figure(chart: Chart) -> Any:
    """The chart as a ``plotly.graph_objects.Figure``.

    Raises:
        MissingExtraError: plotly is not installed.
    """
    try:
        import plotly.graph_objects as go
    except ImportError as error:
        raise MissingExtraError.of("plotly", "workshop", "a figure in a notebook") from error
    layout = layout_of(chart)
    axes: dict[str, Any] = {}
    traces, notes = [], []
    for number, (row, column, panel) in enumerate(chart.panels(), start=1):
        last = row == len(chart.rows) - 1
        key = "" if number == 1 else str(number)
        across, up = layout.across[column], layout.up[row]
        axes[f"xaxis{key}"] = _x_axis(panel, chart.theme, key, across, bool(key) and chart.share_x)
        axes[f"xaxis{key}"]["showticklabels"] = panel.axes and (last or not chart.share_x)
        if chart.share_x and not last:
            axes[f"xaxis{key}"].pop("title", None)
        axes[f"yaxis{key}"] = _y_axis(panel, chart.theme, key, up, chart.heights[row])
        for mark in panel.marks:
            if isinstance(mark, Words):
                notes += _words(mark, chart.theme, key)
            else:
                traces.append({**_trace(mark, chart.theme, (across[1], up)), **_on(key)})
        notes += _labels(panel, chart.theme, across, up)
    # Checked by the tests, and not once more for each of sixty traces.
    return go.Figure({"data": traces, "layout": {**axes, **_frame(chart, layout), "annotations": notes}})


def _on(key: str) -> dict[str, str]:
    return {"xaxis": f"x{key}", "yaxis": f"y{key}"}


def _frame(chart: Chart, layout: Layout) -> dict[str, Any]:
    look = chart.theme.look
    title = f"<b>{_plain(chart.title)}</b>"
    lines = "<br>".join(_plain(line) for line in subtitle_lines(chart))
    if lines:
        title += f'<br><span style="font-size:12px;color:{look.soft}">{lines}</span>'
    return {
        "title": {
            "text": title,
            "font": {"size": 16, "color": look.ink},
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "pad": {"l": 16},
            "y": 1 - 27 / layout.height,
            "yref": "container",
            "yanchor": "top",
        },
        "height": round(layout.height),
        "margin": {
            "l": layout.left, "r": layout.right, "t": layout.top, "b": layout.bottom,
            "autoexpand": False,
        },
        "paper_bgcolor": look.paper,
        "plot_bgcolor": look.paper,
        "font": {"color": look.ink, "family": "system-ui, sans-serif", "size": 12},
        "hovermode": "closest",
        "legend": {"font": {"size": 11}, "tracegroupgap": 0},
    }  # fmt: skip


def _x_axis(
    panel: Panel, theme: Theme, key: str, across: tuple[float, float], follows: bool
) -> dict[str, Any]:
    axis = _axis(panel, theme, across)
    axis["anchor"] = f"y{key}"
    if follows:
        axis["matches"] = "x"
    if panel.square:
        axis |= {"constrain": "domain", "constraintoward": "left"}
    if panel.x_limits:
        axis["range"] = list(panel.x_limits)
    if panel.x_label and panel.axes:
        axis["title"] = {"text": _plain(panel.x_label), "font": {"size": 12}, "standoff": 6}
    return axis


def _y_axis(panel: Panel, theme: Theme, key: str, up: tuple[float, float], height: float) -> dict[str, Any]:
    axis = _axis(panel, theme, up)
    axis |= {"anchor": f"x{key}", "nticks": max(3, round(height / 32))}
    if panel.square:
        axis |= {"scaleanchor": f"x{key}", "constrain": "domain", "constraintoward": "top"}
    if panel.y_limits:
        axis["range"] = list(panel.y_limits)
    if panel.y_ticks is not None:
        axis |= {
            "tickvals": [place for place, _ in panel.y_ticks],
            "ticktext": [_plain(word) for _, word in panel.y_ticks],
        }
    if panel.y_label and panel.axes:
        axis["title"] = {"text": _plain(panel.y_label), "font": {"size": 12}, "standoff": 8}
    return axis


def _axis(panel: Panel, theme: Theme, domain: tuple[float, float]) -> dict[str, Any]:
    filled = any(isinstance(mark, HeatMap | Picture) for mark in panel.marks)
    return {
        "domain": list(domain),
        "showgrid": panel.axes and not filled,
        "gridcolor": theme.look.grid,
        "zeroline": False,
        "showticklabels": panel.axes,
        "tickfont": {"color": theme.look.soft, "size": 11},
        "ticks": "",
    }


def _labels(
    panel: Panel, theme: Theme, across: tuple[float, float], up: tuple[float, float]
) -> list[dict[str, Any]]:
    """The panel's title above its left corner, and its name at its right."""
    shared = {"xref": "paper", "yref": "paper", "showarrow": False, "xanchor": "left"}
    found: list[dict[str, Any]] = []
    if panel.title:
        words = {"text": _plain(panel.title), "font": {"size": 13, "color": theme.look.ink}}
        found.append({**shared, **words, "x": across[0], "y": up[1], "yanchor": "bottom", "yshift": 4})
    if panel.side:
        words = {"text": _plain(panel.side), "font": {"size": 11, "color": theme.look.soft}}
        place = {"x": across[1], "y": sum(up) / 2, "yanchor": "middle", "xshift": 4}
        found.append({**shared, **words, **place})
    return found


def _words(mark: Words, theme: Theme, key: str) -> list[dict[str, Any]]:
    shared = {"xref": f"x{key}", "yref": f"y{key}", "showarrow": False}
    shared |= {"font": {"size": 10, "color": theme.look.soft}, "yanchor": "middle", "borderpad": 0}
    anchor = "center" if mark.centred else "left"
    return [{**shared, "x": x, "y": y, "text": _plain(text), "xanchor": anchor} for x, y, text in mark.places]


def _trace(
    mark: Curve | HeatMap | Dots | Picture, theme: Theme, place: tuple[float, tuple[float, float]]
) -> dict[str, Any]:
    if isinstance(mark, Curve):
        return _curve(mark, theme)
    if isinstance(mark, HeatMap):
        return _heat_map(mark, theme, place)
    if isinstance(mark, Dots):
        return _dots(mark, theme, place)
    return _picture(mark)


def _curve(mark: Curve, theme: Theme) -> dict[str, Any]:
    colour, style = theme.line(mark.colour)
    trace: dict[str, Any] = {
        "type": "scatter",
        "x": mark.x,
        "y": mark.y,
        "name": _plain(mark.name),
        "mode": "lines+markers" if mark.dots else "lines",
        "line": {"color": colour, "width": mark.width, "dash": style},
        "marker": {"color": colour, "size": 4},
        "showlegend": mark.listed,
        "connectgaps": False,
    }
    if mark.colour == GUIDE:
        return {**trace, "hoverinfo": "skip"}
    words = mark.hover or "%{x:.6~g}: %{y:.4~g}"
    trace["hovertemplate"] = f"{words}<extra>{_plain(mark.name)}</extra>"
    if mark.details is not None:
        trace["customdata"] = mark.details
    return trace


def _heat_map(mark: HeatMap, theme: Theme, place: tuple[float, tuple[float, float]]) -> dict[str, Any]:
    rows, columns = mark.z.shape
    wide, high = (mark.x[1] - mark.x[0]) / columns, (mark.y[1] - mark.y[0]) / rows
    trace: dict[str, Any] = {
        "type": "heatmap",
        "z": mark.z,
        "x0": mark.x[0] + wide / 2,
        "dx": wide,
        "y0": mark.y[0] + high / 2,
        "dy": high,
        "zmin": mark.limits[0],
        "zmax": mark.limits[1],
        "colorscale": _scale(theme.scale(mark.signed)),
        "hovertemplate": f"{mark.hover}<extra></extra>",
        "hoverongaps": False,
        "showscale": mark.bar,
    }
    if mark.bar:
        trace["colorbar"] = _bar(mark.name, theme, place)
    return trace


def _bar(name: str, theme: Theme, place: tuple[float, tuple[float, float]]) -> dict[str, Any]:
    right, (low, high) = place
    return {
        "title": {"text": _plain(name), "side": "right", "font": {"size": 11}},
        "x": right,
        "xanchor": "left",
        "xpad": 8,
        "y": (low + high) / 2,
        "yanchor": "middle",
        "len": high - low,
        "ypad": 0,
        "thickness": 12,
        "outlinewidth": 0,
        "tickfont": {"color": theme.look.soft, "size": 10},
    }


def _scale(colours: tuple[str, ...]) -> list[list[Any]]:
    return [[place / (len(colours) - 1), colour] for place, colour in enumerate(colours)]


def _dots(mark: Dots, theme: Theme, place: tuple[float, tuple[float, float]]) -> dict[str, Any]:
    marker: dict[str, Any] = {"size": 8, "opacity": 0.85, "line": {"width": 0.6, "color": theme.look.paper}}
    if mark.values is None:
        marker |= {"color": theme.line(mark.colour)[0], "symbol": SYMBOLS[mark.colour % len(SYMBOLS)]}
    else:
        marker |= {"color": mark.values, "colorscale": _scale(theme.dots()), "showscale": True}
        marker["colorbar"] = _bar(mark.name, theme, place)
    return {
        "type": "scattergl" if len(mark.x) > 3000 else "scatter",
        "mode": "markers",
        "x": mark.x,
        "y": mark.y,
        "name": _plain(mark.name),
        "marker": marker,
        "showlegend": mark.listed,
        "text": [_plain(name) for name in mark.names] or None,
        "hovertemplate": ("%{text}<br>" if mark.names else "") + "%{x:.4~g}, %{y:.4~g}",
    }


def _picture(mark: Picture) -> dict[str, Any]:
    return {
        "type": "image",
        "source": "data:image/png;base64," + base64.b64encode(png_of(mark.pixels)).decode("ascii"),
        "x0": 0.5,
        "y0": 0.5,
        "hoverinfo": "skip",
        "name": _plain(mark.name),
    }


def png_of(pixels: np.ndarray) -> bytes:
    """A PNG of ``[height, width, 3]``, uint8.

    Raises:
        MissingExtraError: pillow, which comes with matplotlib, is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError.of("pillow", "workshop", "a picture in a notebook") from error
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _plain(words: str) -> str:
    """Words without markup: plotly reads ``&lt;`` and ``&amp;``, but it shows ``&quot;`` as it stands."""
    return escape(words, quote=False)
