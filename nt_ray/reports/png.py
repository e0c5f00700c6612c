"""The tear sheet as a picture: equity, drawdown, months and exposure on one page, for a message or a document.

Drawn without a screen and without global state, so it may run in any thread and many times in one process.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nt_ray.backtest.metrics import Metrics, drawdowns, monthly_returns
from nt_ray.errors import StorageError
from nt_ray.reports.formats import day, number, percent
from nt_ray.reports.record import RunRecord
from nt_ray.reports.style import BENCHMARK, GRID, INK, LOSS, MUTED, STRATEGY
from nt_ray.reports.tables import FULL_COLOUR, MONTHS
from nt_ray.types import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (12.0, 11.5)
"""Inches; a little more for each year of months."""

DPI = 110
LOSS_TO_GAIN = ("#d88a86", "#ffffff", "#7aa6d3")
"""Paler than elsewhere, so that the numbers on them stay readable."""


def write_png(record: RunRecord, path: str | Path) -> Path:
    """Write the picture of a run to `path` and return it."""
    path = Path(path)
    figure = draw(record)
    try:
        figure.savefig(path, format="png", dpi=DPI, metadata={"Software": None})
    except OSError as error:
        raise StorageError(
            f"The picture {str(path)!r} cannot be written ({error.strerror}). Give a writable folder that exists."
        ) from error
    return path


def draw(record: RunRecord) -> "Figure":
    """Draw a run."""
    # Drawing is a second's import that only this function needs.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    months = months_of(record)
    years = max(len(months), 1)
    figure = Figure(figsize=(SIZE[0], SIZE[1] - 3.0 + 0.22 * max(years, 6)), facecolor="white")
    FigureCanvasAgg(figure)
    heights = [4.0, 1.7, 0.22 * max(years, 6) + 0.5, 1.7]
    top = 1.0 - 1.5 / figure.get_figheight()
    grid = figure.add_gridspec(4, 1, height_ratios=heights, hspace=0.24, left=0.07, right=0.975, top=top, bottom=0.03)
    axes = [figure.add_subplot(grid[i]) for i in range(4)]
    _heading(figure, record)
    _equity(axes[0], record)
    _underwater(axes[1], record)
    _months(axes[2], months)
    _exposure(axes[3], record)
    return figure


def months_of(record: RunRecord) -> dict[int, FloatArray]:
    """Monthly returns and, in the last place, the year's, by year, newest first, (13,); NaN where there is none."""
    years: dict[int, FloatArray] = {}
    for month in monthly_returns(record.times, record.equity_curve):
        row = years.setdefault(month.year, np.full(13, np.nan))
        row[month.month - 1] = month.value
    for row in years.values():
        row[12] = np.prod(1.0 + row[:12][~np.isnan(row[:12])]) - 1.0
    return dict(sorted(years.items(), reverse=True))


def _heading(figure: "Figure", record: RunRecord) -> None:
    own, other = record.metrics(), record.benchmark_metrics()
    inch = 1.0 / figure.get_figheight()
    span = f"{day(record.time(0))} to {day(record.time(-1))}, {number(float(len(record.times)), 0)} bars"
    plain: dict[str, Any] = {"parse_math": False}
    figure.text(0.07, 1.0 - 0.38 * inch, record.name, fontsize=17, fontweight="bold", color=INK, va="center", **plain)
    figure.text(0.975, 1.0 - 0.38 * inch, span, fontsize=10, color=MUTED, ha="right", va="center", **plain)
    for i, (name, value, beside) in enumerate(_tiles(own, other)):
        x = 0.07 + i * 0.905 / 6
        figure.text(x, 1.0 - 0.68 * inch, name, fontsize=9, color=MUTED, va="center")
        figure.text(x, 1.0 - 0.90 * inch, value, fontsize=12.5, color=INK, va="center")
        figure.text(x + 0.067, 1.0 - 0.90 * inch, f"({beside})", fontsize=9, color=MUTED, va="center")


def _tiles(own: Metrics, other: Metrics) -> tuple[tuple[str, str, str], ...]:
    """Name, the strategy's figure, the benchmark's."""
    return (
        ("CAGR", percent(own.cagr, 1), percent(other.cagr, 1)),
        ("Volatility", percent(own.volatility, 1), percent(other.volatility, 1)),
        ("Sharpe", number(own.sharpe), number(other.sharpe)),
        ("Sortino", number(own.sortino), number(other.sortino)),
        ("Max drawdown", percent(own.max_drawdown, 1), percent(other.max_drawdown, 1)),
        ("Calmar", number(own.calmar), number(other.calmar)),
    )


def _equity(axes: "Axes", record: RunRecord) -> None:
    times = _times(record)
    axes.plot(times, record.benchmark, color=BENCHMARK, linewidth=1.0, label=_plain(record.benchmark_name))
    axes.plot(times, record.equity, color=STRATEGY, linewidth=1.4, label=_plain(record.name))
    if record.spreads:
        axes.set_yscale("log")
    _style(axes, "Equity, log scale" if axes.get_yscale() == "log" else "Equity")
    _compact(axes)
    axes.legend(loc="upper left", frameon=False, fontsize=9, labelcolor=INK)


def _underwater(axes: "Axes", record: RunRecord) -> None:
    times = _times(record)
    axes.plot(times, drawdowns(record.benchmark_curve)[1:], color=BENCHMARK, linewidth=0.8)
    falls = drawdowns(record.equity_curve)[1:]
    axes.fill_between(times, falls, 0.0, color=LOSS, alpha=0.18, linewidth=0)
    axes.plot(times, falls, color=LOSS, linewidth=0.9)
    axes.set_ylim(top=0.0)
    _style(axes, "Drawdown")
    _percent(axes)


def _months(axes: "Axes", months: dict[int, FloatArray]) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    _style(axes, "Monthly returns, %")
    axes.grid(visible=False)
    if not months:
        axes.set_axis_off()
        return
    values = np.array(list(months.values()))
    colours = LinearSegmentedColormap.from_list("returns", LOSS_TO_GAIN)
    axes.imshow(values, cmap=colours, vmin=-FULL_COLOUR, vmax=FULL_COLOUR, aspect="auto")
    axes.set_xticks(range(13), [*MONTHS, "Year"])
    axes.set_yticks(range(len(months)), [str(year) for year in months])
    axes.tick_params(length=0, labelsize=8)
    axes.spines[:].set_visible(False)
    axes.axvline(11.5, color="white", linewidth=4)
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            weight = "bold" if column == 12 else "normal"
            shown = number(100.0 * float(value), 1)
            axes.text(column, row, shown, ha="center", va="center", fontsize=7.5, color=INK, fontweight=weight)


def _exposure(axes: "Axes", record: RunRecord) -> None:
    times = _times(record)
    axes.plot(times, record.gross, color=STRATEGY, linewidth=0.8, label="gross")
    axes.plot(times, record.net, color="#d9822b", linewidth=0.8, label="net")
    axes.axhline(0.0, color=MUTED, linewidth=0.6)
    _style(axes, "Exposure over equity")
    _percent(axes)
    # Above the axes: exposure often fills them from edge to edge.
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), frameon=False, fontsize=9, ncols=2, labelcolor=INK)


def _style(axes: "Axes", title: str) -> None:
    axes.set_title(title, loc="left", fontsize=10.5, fontweight="bold", color=INK, pad=6)
    axes.grid(visible=True, axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.tick_params(colors=INK, labelsize=9, length=0)
    axes.margins(x=0.005)


def _percent(axes: "Axes") -> None:
    from matplotlib.ticker import PercentFormatter

    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _compact(axes: "Axes") -> None:
    from matplotlib.ticker import EngFormatter, NullFormatter, NullLocator

    axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    if axes.get_yscale() == "log":
        from matplotlib.ticker import LogLocator

        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_minor_formatter(NullFormatter())


def _times(record: RunRecord) -> Any:
    return record.times.astype("datetime64[ns]")


def _plain(name: str) -> str:
    """Name as a label: matplotlib takes dollars for mathematics, and hides what begins with an underscore."""
    return name.replace("$", r"\$").lstrip("_") or "–"
