"""A figure as a page of its own, and what surrounds it in a notebook."""

from __future__ import annotations

from html import escape
from typing import Any

from dandb.figures.chart import Chart
from dandb.figures.players import player_html

__all__ = ["figure_page", "ground", "page", "players_html", "with_description"]


def players_html(chart: Chart) -> str:
    """All players of a figure, below one another."""
    players = "".join(player_html(player) for player in chart.players)
    label = escape(f"players: {chart.title}", quote=True)
    return f'<div role="group" aria-label="{label}" style="{ground(chart)}">{players}</div>'


def with_description(chart: Chart, html: str) -> str:
    """A drawn figure with its description, which is read to those who do not see it."""
    label = escape(f"{chart.title}: {chart.description}", quote=True)
    return f'<div role="figure" aria-label="{label}">{html}</div>'


def figure_page(chart: Chart, plotly_figure: Any) -> str:
    """A whole page of an interactive figure: nothing is fetched from elsewhere."""
    drawn = plotly_figure.to_html(
        full_html=False,
        include_plotlyjs=True,
        div_id="figure",
        config={"displaylogo": False, "responsive": True},
    )
    return page(chart, with_description(chart, drawn) + (players_html(chart) if chart.players else ""))


def page(chart: Chart, inside: str) -> str:
    """A whole page around a piece of HTML, with the figure's description below it."""
    shades, scheme = chart.theme.look, "dark" if chart.theme.dark else "light"
    style = (
        f"html{{color-scheme:{scheme}}}main{{max-width:76rem;margin:0 auto}}"
        f"body{{margin:0;background:{shades.paper};color:{shades.ink};font:14px system-ui,sans-serif}}"
        f".words{{margin:.6em 16px 1.4em;color:{shades.soft}}}"
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(chart.title)}</title>\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{style}</style>\n</head>\n<body>\n<main>\n{inside}\n"
        f'<p class="words">{escape(chart.description)}</p>\n</main>\n</body>\n</html>\n'
    )


def ground(chart: Chart) -> str:
    """The style of what stands on the figure's ground."""
    look, scheme = chart.theme.look, "dark" if chart.theme.dark else "light"
    return f"background:{look.paper};color:{look.ink};color-scheme:{scheme};padding:.2em 0"
