"""Colours and the common layout of all figures: one typeface, light grid, no chart junk."""

from typing import Any

Figure = dict[str, Any]
"""A plotly figure as plain data: `data` and `layout`."""

INK = "#1b2733"
MUTED = "#6b7785"
GRID = "#e6eaee"
STRATEGY = "#0b5cad"
BENCHMARK = "#9aa5b1"
LOSS = "#b3261e"
SHADE = "rgba(179, 38, 30, 0.07)"
PALETTE = ("#0b5cad", "#d9822b", "#2e8b57", "#8e4585", "#c2b100", "#3ba7c4", "#a0522d", "#5f6b7a")
"""Colours of strategies, told apart also by readers who see red and green alike."""

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def layout(height: int, **changes: Any) -> dict[str, Any]:
    """Make the common layout, with changes on top."""
    axis = {"gridcolor": GRID, "linecolor": GRID, "zerolinecolor": GRID, "automargin": True}
    base: dict[str, Any] = {
        "height": height,
        "margin": {"l": 8, "r": 12, "t": 28, "b": 8},
        "font": {"family": FONT, "size": 12, "color": INK},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "hovermode": "x unified",
        "hoverlabel": {"bgcolor": "#ffffff", "bordercolor": GRID, "font": {"family": FONT, "size": 12}},
        "showlegend": True,
        "legend": {
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1.0,
            "yanchor": "bottom",
            "font": {"size": 12},
        },
        "xaxis": dict(axis, showgrid=False),
        "yaxis": dict(axis),
    }
    for key, value in changes.items():
        base[key] = {**base[key], **value} if isinstance(value, dict) and key in base else value
    return base


def colours(names: list[str]) -> dict[str, str]:
    """Give each name a colour, in order of first appearance."""
    unique = list(dict.fromkeys(names))
    return {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(unique)}
