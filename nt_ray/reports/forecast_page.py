"""The page of an evaluation of forecasters: who beats the naive rows, and how far their intervals can be believed.

It shows a scored table, verdicts, losses of training, forecasts with their intervals, coverage as it rolled along, and
calibration. It knows the results and nothing of how they came about.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nt_ray.errors import ReportError
from nt_ray.neural.scoring.distributions import pit_cells, rolling_coverage
from nt_ray.neural.scoring.evaluation import Walk
from nt_ray.neural.scoring.intervals import interval_of, quantiles_of
from nt_ray.neural.scoring.method import Forecasts
from nt_ray.neural.scoring.naive import truth_at
from nt_ray.neural.scoring.scoreboard import Board, Row, Terms, calibration_of
from nt_ray.neural.scoring.significance import Figure as Scored
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.reports.formats import UNDEFINED, day, label, number, percent, text
from nt_ray.reports.page import pair, plot, render_page, section, write_page
from nt_ray.reports.style import BENCHMARK, INK, LOSS, MUTED, PALETTE, STRATEGY, Figure, layout
from nt_ray.reports.tables import table
from nt_ray.reports.thinning import thin
from nt_ray.types import FloatArray

SECTIONS = {
    "scores": "Scores",
    "forecasts": "Forecasts",
    "coverage": "Coverage",
    "calibration": "Calibration",
    "training": "Training",
    "trading": "Trading",
}
"""Anchors of the page and their names, in order."""

SHOWN_ORIGINS = 400
"""Most recent forecasts that are drawn."""
LEAST_WINDOW = 50


@dataclass(frozen=True, slots=True, eq=False)
class ForecastRecord:
    """What one evaluation left behind."""

    name: str
    panel: SeriesPanel
    board: Board
    walks: Sequence[Walk]
    terms: Terms
    series: str = ""
    """Series whose forecasts are drawn; the first where empty."""
    losses: Mapping[str, FloatArray] = field(default_factory=dict)
    """Training losses by method, (steps,) each."""
    traded: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Reports of accounts that trade the forecasts, by method."""

    def __post_init__(self) -> None:
        if self.series and self.series not in self.panel.names:
            raise ReportError(f"There is no series {self.series!r}. Use one of: {', '.join(self.panel.names)}.")
        if not self.board.verdicts:
            raise ReportError("Only naive rows were evaluated. Evaluate a method beside them.")

    @property
    def judged(self) -> list[Walk]:
        """Walks of methods that are no naive rules."""
        return [w for w in self.walks if w.name in self.board.verdicts]


def write_forecasts(record: ForecastRecord, path: str | Path) -> Path:
    """Write the page to `path` and return it."""
    return write_page(path, render_forecasts(record))


def render_forecasts(record: ForecastRecord) -> str:
    """Render the page of an evaluation as one HTML document."""
    drawn = _figures(record)
    origins = record.walks[0].origins
    times = record.panel.times
    facts = (
        f"{text(_day(times[origins[0]]))} to {text(_day(times[origins[-1]]))} · {len(origins):,} origins · "
        f"{len(record.panel.names):,} series · {record.walks[0].forecasts[0].mean.shape[2]} steps ahead"
    )
    return render_page(
        name=record.name,
        kind="forecasts",
        facts=facts,
        body=_body(record, drawn),
        figures=drawn,
        links="".join(f'<a href="#{anchor}">{name}</a>' for anchor, name in SECTIONS.items()),
        note=(
            "Every forecast is out of sample. Scores of quantiles and intervals leave out the first "
            f"{record.board.warm:,} origins; {percent(record.board.left_out)} of the values could not be forecast by "
            "every row and are judged for none. Past results do not tell future ones."
        ),
    )


def _body(record: ForecastRecord, drawn: Mapping[str, Figure]) -> str:
    verdicts = "".join(f"<p>{text(why)}</p>" for _, why in record.board.verdicts.values())
    return "\n".join(
        (
            f'<div class="tiles">{_tiles(record)}</div>',
            '<div class="stack">',
            section("verdict", "In plain words", verdicts),
            section("scores", "Scores beside the naive rows", _scores(record.board)),
            section("forecasts", f"One step ahead, {text(_series(record))}", plot("forecasts", drawn)),
            section("coverage", "Coverage as it rolled along", plot("coverage", drawn)),
            "</div>",
            pair(
                section("calibration", "Said and seen", plot("calibration", drawn)),
                section("histogram", "Where truths fell (PIT)", plot("histogram", drawn)),
            ),
            '<div class="stack">',
            section("training", "Losses of training", plot("training", drawn)),
            section("trading", "After costs", _trading(record.traded)),
            "</div>",
        )
    )


def _tiles(record: ForecastRecord) -> str:
    reference = next(r for r in record.board.rows if r.name == record.board.reference)
    tiles = []
    for walk in record.judged[:3]:
        row = next(r for r in record.board.rows if r.name == walk.name)
        beats, _ = record.board.verdicts[walk.name]
        p = UNDEFINED if row.comparison is None else number(row.comparison.p_value, 3)
        tiles += [
            (f"{text(walk.name)} beats {text(record.board.reference)}", "yes" if beats else "no", f"p {p}"),
            (f"MSE, {text(walk.name)}", _value(row, "mse"), f"{text(reference.name)} {_value(reference, 'mse')}"),
        ]
    return "".join(
        f'<div class="tile"><span>{name}</span><strong>{value}</strong><small>{beside}</small></div>'
        for name, value, beside in tiles
    )


def _scores(board: Board) -> str:
    names = list(board.rows[0].figures)
    rows = []
    for row in board.rows:
        against = UNDEFINED if row.comparison is None else number(row.comparison.p_value, 3)
        cells = [_cell(name, row.figures[name]) for name in names]
        rows.append([text(row.name), *cells, against, number(row.null_p, 3)])
    head = ["", *(text(name.replace("_", " ")) for name in names), "DM p", "rank IC p"]
    return table(head, rows, kind="sortable")


def _cell(name: str, figure: Scored | None) -> str:
    if figure is None:
        return UNDEFINED
    if "coverage" in name or name == "direction":
        return percent(figure.value, 1)
    shown = _short(figure.value)
    if figure.low is None or figure.high is None:
        return shown
    return f"{shown} <small>{_short(figure.low)} to {_short(figure.high)}</small>"


def _short(value: float) -> str:
    """Four digits, whatever the size."""
    if value == 0.0 or not np.isfinite(value):
        return number(value, 0)
    return number(value, int(np.clip(3 - np.floor(np.log10(abs(value))), 0, 8)))


def _value(row: Row, name: str) -> str:
    figure = row.figures[name]
    return UNDEFINED if figure is None else _short(figure.value)


def _trading(traded: Mapping[str, Mapping[str, Any]]) -> str:
    rows = []
    for name, report in traded.items():
        for what, figures in ((name, report["forecast"]), ("buy and hold", report["buy_and_hold"])):
            own = what == name
            rows.append(
                [
                    text(what),
                    percent(figures["total_return"], 1),
                    percent(figures["cagr"]),
                    number(figures["sharpe"]),
                    percent(figures["max_drawdown"], 1),
                    number(report["turnover"], 1, " ×") if own else UNDEFINED,
                    number(report["commissions"], 0) if own else UNDEFINED,
                ]
            )
    head = ["Account", "Total return", "CAGR", "Sharpe", "Max drawdown", "Turnover a year", "Commissions"]
    return table(head, rows)


def _figures(record: ForecastRecord) -> dict[str, Figure]:
    walk = record.judged[0]
    made = walk.forecasts[0]
    drawn = {"forecasts": _forecasts(record, made), "coverage": _coverage(record)}
    said = {w.name: calibration_of(record.panel, w.forecasts[0], record.terms) for w in record.judged}
    known = {name: shares for name, shares in said.items() if shares is not None}
    if known:
        drawn["calibration"] = _calibration(known, record.terms.levels)
        drawn["histogram"] = _histogram(record, made)
    if record.losses:
        drawn["training"] = _training(record.losses)
    return drawn


def _forecasts(record: ForecastRecord, made: Forecasts) -> Figure:
    """The last forecasts of one series, one step ahead, with the widest interval of the terms."""
    s = record.panel.names.index(_series(record))
    truth = _truth(record, made)
    share = max(record.terms.coverages)
    bounds = interval_of(made, truth, share, record.terms.calibration)
    rows = slice(max(len(made.origins) - SHOWN_ORIGINS, 0), None)
    # A forecast stands where its truth does.
    places = np.minimum(made.origins[rows] + 1, len(record.panel) - 1)
    times = [str(t) for t in record.panel.times[places].astype("datetime64[s]")]
    band = {"line": {"width": 0}, "hoverinfo": "skip", "mode": "lines", "type": "scatter", "x": times}
    traces = [
        {**band, "y": _plain(bounds.low[s, rows, 0]), "showlegend": False},
        {**band, "y": _plain(bounds.high[s, rows, 0]), "fill": "tonexty", "fillcolor": "rgba(11, 92, 173, 0.13)",
         "name": f"{share:.0%} interval"},
        {"type": "scatter", "mode": "lines", "name": "truth", "x": times, "y": _plain(truth[s, rows, 0]),
         "line": {"color": INK, "width": 1.2}},
        {"type": "scatter", "mode": "lines", "name": label(record.judged[0].name), "x": times,
         "y": _plain(made.mean[s, rows, 0]), "line": {"color": STRATEGY, "width": 1.6}},
    ]  # fmt: skip
    return {"data": traces, "layout": layout(420)}


def _coverage(record: ForecastRecord) -> Figure:
    """Share covered over a rolling fifth of the origins after the first ones, by method and wanted share."""
    traces: list[dict[str, Any]] = []
    shapes = []
    for c, share in enumerate(record.terms.coverages):
        shapes.append(
            {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": share, "y1": share,
             "line": {"color": MUTED, "dash": "dot", "width": 1}}
        )  # fmt: skip
        for place, walk in enumerate(record.judged):
            made = walk.forecasts[0]
            truth = _truth(record, made)
            bounds = interval_of(made, truth, share, record.terms.calibration)
            later = slice(record.board.warm, None)
            count = truth[:, later].shape[1]
            window = max(min(count, LEAST_WINDOW), count // 5)
            rolled = rolling_coverage(truth[:, later], bounds.low[:, later], bounds.high[:, later], window)
            rows = thin(rolled)
            ends = record.panel.times[made.origins[record.board.warm + window - 1 :]][rows]
            traces.append(
                {"type": "scatter", "mode": "lines", "name": f"{label(walk.name)}, {share:.0%} over {window} origins",
                 "x": [str(t) for t in ends.astype("datetime64[s]")], "y": _plain(rolled[rows], 4),
                 "line": {"color": PALETTE[place % len(PALETTE)], "width": 1.4, "dash": "solid" if c == 0 else "dash"}}
            )  # fmt: skip
    return {"data": traces, "layout": layout(320, yaxis={"tickformat": ".0%"}, shapes=shapes)}


def _calibration(said: Mapping[str, FloatArray], levels: Sequence[float]) -> Figure:
    ideal = {
        "type": "scatter", "mode": "lines", "name": "calibrated", "x": [0, 1], "y": [0, 1],
        "line": {"color": MUTED, "dash": "dot", "width": 1}, "hoverinfo": "skip",
    }  # fmt: skip
    traces: list[dict[str, Any]] = [ideal]
    traces += [
        {"type": "scatter", "mode": "lines+markers", "name": label(name), "x": list(levels), "y": _plain(shares, 4),
         "line": {"color": PALETTE[i % len(PALETTE)], "width": 1.4}}
        for i, (name, shares) in enumerate(said.items())
    ]  # fmt: skip
    axes = {"xaxis": {"title": {"text": "level"}}, "yaxis": {"title": {"text": "share of truths below"}}}
    return {"data": traces, "layout": {**layout(360, **axes), "hovermode": "closest"}}


def _histogram(record: ForecastRecord, made: Forecasts) -> Figure:
    levels = np.array(record.terms.levels)
    truth = _truth(record, made)
    quantiles = quantiles_of(made, truth, record.terms.levels, record.terms.calibration)
    later = slice(len(made.origins) // 2, None)
    density = pit_cells(truth[:, later], quantiles[:, later], levels)
    ends = np.concatenate(([0.0], levels, [1.0]))
    bar = {
        "type": "bar", "name": label(record.judged[0].name), "x": _plain((ends[1:] + ends[:-1]) / 2.0, 4),
        "width": _plain(np.diff(ends), 4), "y": [] if density is None else _plain(density, 4),
        "marker": {"color": STRATEGY, "line": {"color": "#ffffff", "width": 1}},
    }  # fmt: skip
    even = {"type": "line", "x0": 0, "x1": 1, "y0": 1, "y1": 1, "line": {"color": LOSS, "dash": "dot", "width": 1}}
    axes = {"xaxis": {"title": {"text": "probability"}}, "yaxis": {"title": {"text": "density, 1 is calibrated"}}}
    return {"data": [bar], "layout": {**layout(360, shapes=[even], **axes), "hovermode": "closest"}}


def _training(losses: Mapping[str, FloatArray]) -> Figure:
    traces = []
    for place, (name, read) in enumerate(losses.items()):
        values = np.asarray(read, dtype=np.float64)
        rows = thin(values)
        colour = PALETTE[place % len(PALETTE)] if len(losses) > 1 else BENCHMARK
        traces.append(
            {"type": "scatter", "mode": "lines", "name": label(name), "x": (rows + 1).tolist(),
             "y": _plain(values[rows]), "line": {"color": colour, "width": 1.2}}
        )  # fmt: skip
    return {"data": traces, "layout": layout(320, xaxis={"title": {"text": "step"}}, yaxis={"type": "log"})}


def _truth(record: ForecastRecord, made: Forecasts) -> FloatArray:
    return truth_at(record.panel.target, made.origins, made.mean.shape[2])


def _series(record: ForecastRecord) -> str:
    return record.series or record.panel.names[0]


def _day(moment: np.datetime64) -> str:
    return day(moment.astype("datetime64[s]").item())


def _plain(values: FloatArray, decimals: int = 8) -> list[float | None]:
    """Values for JSON: rounded, None where not finite."""
    shown = np.round(values, decimals).tolist()
    return [v if fine else None for v, fine in zip(shown, np.isfinite(values).tolist(), strict=True)]
