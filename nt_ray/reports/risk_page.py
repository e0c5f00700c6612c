"""The page of a risk report: one HTML file that needs no network, and beside it the same report as JSON."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nt_ray.errors import StorageError
from nt_ray.reports.formats import UNDEFINED, money, number, percent, text
from nt_ray.reports.page import pair, plot, render_page, section, write_page
from nt_ray.reports.record import to_plain
from nt_ray.reports.risk_figures import figures_of
from nt_ray.reports.tables import table
from nt_ray.risk.report.components import Components
from nt_ray.risk.report.model_tests import ModelTest
from nt_ray.risk.report.report import RiskReport
from nt_ray.risk.report.tails import TailRow

SECTIONS = {
    "tails": "Value at risk",
    "components": "Components",
    "model": "Test of the model",
    "stress": "Stress",
    "structure": "Structure",
    "dependence": "Correlation",
    "drawdown": "Drawdown",
    "positions": "Positions",
}
"""Anchors of the page and their names, in order."""

PAGE, DATA = "risk.html", "risk.json"
NOTE = (
    "Losses are positive fractions of equity; value at risk (VaR) is the loss that is passed with the chance left by "
    "the confidence, expected shortfall (ES) the mean loss beyond it. Past returns do not tell future ones."
)


def write_risk(report: RiskReport, page: str | Path) -> tuple[Path, Path]:
    """Write the page, and the report as JSON beside it; return both paths."""
    path = write_page(page, render_risk(report))
    data = path.with_suffix(".json")
    try:
        data.write_text(json.dumps(as_plain(report), allow_nan=False), encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{str(data)!r} cannot be written ({error.strerror}). Give a writable folder.") from error
    return path, data


def as_plain(report: RiskReport) -> dict[str, Any]:
    """Return the report as data that JSON holds; what is not finite is null."""
    plain: dict[str, Any] = to_plain(report.as_data())
    return plain


def render_risk(report: RiskReport) -> str:
    """Render the page of a report as one HTML document."""
    drawn = figures_of(report)
    body = _body(report, drawn)
    count = number(float(len(report.positions)), 0)
    return render_page(
        name=f"Risk of {report.source or 'a portfolio'}",
        kind="risk report",
        facts=f"{text(report.time)} · {count} positions · {report.periods:,} periods of {text(report.data)}",
        links="".join(f'<a href="#{anchor}">{name}</a>' for anchor, name in SECTIONS.items()),
        body=body,
        note=NOTE,
        figures=drawn,
    )


def _body(report: RiskReport, drawn: dict[str, Any]) -> str:
    highest = max(row.confidence for row in report.tails)
    return "\n".join(
        (
            f'<div class="tiles">{_tiles(report)}</div>',
            '<div class="stack">',
            section("tails", "Value at risk by every method", _tails(report) + plot("tails", drawn)),
            section("tails-table", "All horizons and confidences", _tail_table(report.tails)),
            section("components", "Where it comes from", _components(report, plot("components", drawn))),
            section("model", "Would the model have held?", _model(report, plot("rolling", drawn))),
            section("stress", "Stress", _stress(report, plot("stress", drawn))),
            section("reverse", "What would it take?", _reverse(report)),
            "</div>",
            pair(
                section("structure", "Concentration and heat", _concentration(report)),
                section("exposure", "Exposure by class and sector", _exposures(report)),
            ),
            pair(
                section("dependence", "Correlation", _correlation(report) + plot("correlation", drawn)),
                section("tail-dependence", "Falling together", _together(report) + plot("tail", drawn)),
            ),
            pair(
                section("drawdown", "Drawdown at today's weights", _fallen(report) + plot("drawdown", drawn)),
                section("regime", "Regime of volatility", _regime(report) + _correlation_stress(report, highest)),
            ),
            '<div class="stack">',
            section("positions", f"Positions ({len(report.positions):,})", _positions(report)),
            "</div>",
        )
    )


def _tiles(report: RiskReport) -> str:
    horizon, highest = report.tails[0].horizon, max(row.confidence for row in report.tails)
    first = next(
        (r for r in report.tails if (r.horizon, r.confidence) == (horizon, highest) and r.var is not None), None
    )
    worst = max((row for row in report.stress.rows if row.loss is not None), key=lambda r: r.loss or 0.0, default=None)
    held = report.structure.concentration
    var, es, what = (None, None, "") if first is None else (first.var, first.es, _title(first))
    tiles = (
        ("Equity", money(float(report.equity)), text(report.time)),
        (f"VaR, {text(what)}", percent(var), "" if first is None else money(first.var_money)),
        (f"ES, {text(what)}", percent(es), "" if first is None else money(first.es_money)),
        ("Volatility a year", percent(report.volatility), "shrunk covariance"),
        ("Gross exposure", percent(held.gross, 0), f"net {percent(held.net, 0)}"),
        ("Worst stress", percent(None if worst is None else worst.loss, 1), "" if worst is None else text(worst.name)),
    )
    return "".join(
        f'<div class="tile"><span>{name}</span><strong>{value}</strong><small>{beside}</small></div>'
        for name, value, beside in tiles
    )


def _title(row: TailRow) -> str:
    return f"{100 * row.confidence:.4g} %, {_periods(row.horizon)}"


def _tails(report: RiskReport) -> str:
    first = report.tails[0].horizon
    return _says(
        f"Loss over {_periods(first)} that each method expects to be passed with the chance its confidence leaves. "
        "Where methods differ widely, the tail is known badly: do not pick the one that pleases. Pale bars are the "
        "expected shortfall."
    )


def _tail_table(rows: Sequence[TailRow]) -> str:
    cells = [
        [
            text(row.method.replace("_", " ")),
            number(float(row.horizon), 0),
            percent(row.confidence, 1),
            percent(row.var),
            percent(row.es),
            money(row.var_money),
            money(row.es_money),
            f"<small>{text(row.refused or '; '.join(row.notes))}</small>",
        ]
        for row in rows
    ]
    head = ["Method", "Periods", "Confidence", "VaR", "ES", "VaR, money", "ES, money", "Notes, or why not"]
    return f'<div class="tall">{table(head, cells, kind="sortable told")}</div>'


def _components(report: RiskReport, figure: str) -> str:
    says = _says(
        "What each position adds over one period. Components sum to the portfolio's figure: a negative one hedges. "
        "Marginal is the change for a unit more of weight; incremental what would go if the position were sold, which "
        "does not sum."
    )
    return says + figure + "".join(_component_table(part) for part in report.components)


def _component_table(part: Components) -> str:
    title = f"<p>{text(part.method)}, {percent(part.confidence, 1)}: "
    if not part.rows:
        return f"{title}{text(part.refused)}</p>"
    rows = [
        [
            text(row.symbol),
            percent(row.weight),
            *(percent(value, 3) for value in (row.component_var, row.component_es)),
            percent(row.component_es / part.es if part.es else None, 1),
            *(percent(value, 3) for value in (row.marginal_var, row.incremental_var, row.incremental_es)),
        ]
        for row in part.rows
    ]
    head = ["Symbol", "Weight", "Component VaR", "Component ES", "Share of ES", "Marginal VaR", "Incremental VaR",
            "Incremental ES"]  # fmt: skip
    notes = f"; {text('; '.join(part.notes))}" if part.notes else ""
    told = f"{title}VaR {percent(part.var)}, ES {percent(part.es)}{notes}</p>"
    return told + f'<div class="tall">{table(head, rows, kind="sortable")}</div>'


def _model(report: RiskReport, figure: str) -> str:
    says = _says(
        "Each measure is rolled over the past: every forecast sees the window before it and nothing after. Too many "
        "exceptions mean too little VaR; exceptions in clusters mean it reacts too late. P-values below 5 % speak "
        "against a model; Z1 to Z3 test expected shortfall, and are near 0 for a right one."
    )
    rows = [_test_row(test) for test in report.model_tests]
    head = ["Measure", "Exceptions", "Expected", "Kupiec p", "Independence p", "Both p", "Basel zone", "Z1", "Z2",
            "Z3", "Notes, or why not"]  # fmt: skip
    return says + figure + table(head, rows, kind="told")


def _test_row(test: ModelTest) -> list[str]:
    why = f"<small>{text(test.refused or '; '.join(test.notes))}</small>"
    name = f"{text(test.method.replace('_', ' '))}, {percent(test.confidence, 1)}"
    tests = (test.kupiec, test.independence, test.conditional_coverage)
    p_values = [UNDEFINED if found is None else number(found.p_value, 3) for found in tests]
    scores = [number(found.statistic, 2) for found in test.shortfall] or [UNDEFINED] * 3
    zone = UNDEFINED if test.traffic_light is None else text(test.traffic_light.zone)
    count = UNDEFINED if test.violations is None else number(float(test.violations), 0)
    return [name, count, number(test.expected, 1), *p_values, zone, *scores, why]


def _stress(report: RiskReport, figure: str) -> str:
    says = _says(
        "History's crises are replayed on today's weights as far as the data reach; a window they do not cover has no "
        "loss. Named shocks are rounded figures by class. After a shock: VaR and ES "
        f"({percent(report.stress.confidence, 1)}) of the shocked positions with the shocked covariance over "
        f"{_periods(report.stress.horizon)}, the shock's own loss included, and the chance that equity never falls "
        f"below {percent(report.stress.floor, 0)} meanwhile. A negative loss gains."
    )
    rows = [
        [
            text(row.name.replace("_", " ")),
            percent(row.loss),
            money(row.loss_money),
            percent(row.worst_loss),
            percent(row.var),
            percent(row.es),
            percent(row.survival),
            f"<small>{text(row.refused or '; '.join(row.assumptions))}</small>",
        ]
        for row in report.stress.rows
    ]
    head = [
        "Crisis or shock",
        "Loss",
        "Money",
        "Worst close",
        "VaR after",
        "ES after",
        "Survival",
        "Assumes, or why not",
    ]
    notes = "".join(f"<p>{text(note)}</p>" for note in report.stress.notes)
    return says + figure + table(head, rows, kind="sortable told") + notes


def _reverse(report: RiskReport) -> str:
    if not report.stress.reverse:
        return _says(report.stress.reverse_refused)
    parts = []
    for row in report.stress.reverse:
        told = (
            f"A loss of {percent(row.loss, 1)} over {_periods(row.horizon)} lies {number(row.distance, 1)} standard "
            f"deviations out (normal probability {row.probability:.1e}); its most plausible shock:"
        )
        ranked = sorted(row.shock, key=lambda name: -abs(row.by_asset[name]))[:12]
        cells = [[text(name), percent(row.shock[name], 1), percent(row.by_asset[name])] for name in ranked]
        parts.append(f"<div><p>{told}</p>{table(['Symbol', 'Return', 'Loss of equity'], cells)}</div>")
    return "".join(pair(*parts[at : at + 2]) for at in range(0, len(parts), 2))


def _concentration(report: RiskReport) -> str:
    held, spread = report.structure.concentration, report.structure
    rows = [
        ["Gross exposure (leverage)", percent(held.gross, 1)],
        ["Net exposure", percent(held.net, 1)],
        ["Long / short", f"{percent(held.long, 1)} / {percent(held.short, 1)}"],
        ["Largest position", percent(held.largest, 1)],
        ["Herfindahl index", number(held.hhi, 4)],
        ["Positions as concentrated (1 / Herfindahl)", number(held.effective_names, 1)],
        ["Diversification ratio", number(spread.diversification_ratio, 2)],
        ["Effective uncorrelated bets", number(spread.effective_bets, 1)],
    ]
    heat = spread.heat
    if heat is None:
        rows.append(["Heat", "no stop is known"])
    else:
        rows.append(["Heat: lost if every known stop is met", percent(heat.total)])
        rows += [[f"– {text(symbol)}", percent(value)] for symbol, value in heat.by_symbol.items()]
        rows.append(["Positions without a known stop", text(", ".join(heat.unprotected) or "none")])
    return _says("Equal positions have the Herfindahl index 1 / count; one position alone has 1.") + table(
        ["", ""], rows
    )


def _exposures(report: RiskReport) -> str:
    parts = [("Class", report.structure.by_class), ("Sector", report.structure.by_sector)]
    return _says("Fractions of equity; gross counts shorts as their size, net takes them off.") + "".join(
        table(
            [title, "Gross", "Net", "Positions"],
            [
                [text(name), percent(held.gross, 1), percent(held.net, 1), number(float(held.names), 0)]
                for name, held in found.items()
            ],
        )
        for title, found in parts
        if found
    )


def _correlation(report: RiskReport) -> str:
    found = report.dependence
    if found is None:
        return _says(report.dependence_refused)
    recent = "" if found.recent_average is None else f", {number(found.recent_average)} in the latest 60 periods"
    return _says(f"Drawn towards zero by Ledoit and Wolf; {number(found.average)} on average{recent}.")


def _together(report: RiskReport) -> str:
    if report.dependence is None:
        return _says(report.dependence_refused)
    return _says("Share of a row's worst 5 % of periods that are also among the column's; 0.05 if independent.")


def _fallen(report: RiskReport) -> str:
    worst = percent(min(report.path.drawdown), 1)
    return _says(f"Today's weights, restored every period, over the history: deepest {worst}.")


def _regime(report: RiskReport) -> str:
    found = report.regime
    if found is None:
        return _says(report.regime_refused)
    rows = [
        [name, percent(volatility, 1), percent(chance, 1), number(duration, 0)]
        for name, volatility, chance, duration in zip(
            ("calm", "wild"), found.volatilities, found.chances, found.durations, strict=True
        )
    ]
    head = ["Regime", "Volatility a year", "Chance now", "Lasts, periods"]
    return _says("Two states fitted to the portfolio's own returns.") + table(head, rows)


def _correlation_stress(report: RiskReport, confidence: float) -> str:
    rows = [[percent(row.share, 0), percent(row.var), percent(row.es)] for row in report.stress.correlations]
    if not rows:
        return ""
    head = ["Correlations towards 1", f"VaR {percent(confidence, 1)}", "ES"]
    return _says("Normal risk of one period with every correlation some way to one.") + table(head, rows)


def _positions(report: RiskReport) -> str:
    rows = [
        [
            text(row.symbol),
            text(row.asset_class),
            text(row.sector or UNDEFINED),
            number(float(row.quantity), 4).rstrip("0").rstrip("."),
            number(float(row.price), 4),
            money(float(row.value)),
            percent(row.weight),
            text(", ".join(row.stops) or UNDEFINED),
        ]
        for row in report.positions
    ]
    head = ["Symbol", "Class", "Sector", "Quantity", "Price", "Value", "Weight", "Stops"]
    return f'<div class="tall">{table(head, rows, left=3, kind="sortable")}</div>'


def _says(sentence: str) -> str:
    return f"<p>{text(sentence)}</p>"


def _periods(count: int) -> str:
    return "one period" if count == 1 else f"{count} periods"
