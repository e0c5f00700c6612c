import json
import re
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from nt_ray.errors import StorageError
from nt_ray.market.source import load_panel
from nt_ray.reports.formats import percent
from nt_ray.reports.risk_figures import first_tested
from nt_ray.reports.risk_page import SECTIONS, as_plain, render_risk, write_risk
from nt_ray.risk.report.holdings import Position, holdings_of
from nt_ray.risk.report.plan import ReportPlan
from nt_ray.risk.report.report import RiskReport, risk_report


def report_of(symbols: tuple[str, ...], **plan: Any) -> RiskReport:
    panel = load_panel("sp500", symbols=list(symbols))
    positions = [
        Position(symbol=s, quantity=Decimal(10), price=Decimal(50), sector="<b>x</b>" if s == "KO" else "")
        for s in symbols
    ]
    quick: dict[str, Any] = {"history": 400, "methods": ("historical", "normal", "filtered"), "backtested": ("normal",)}
    return risk_report(holdings_of(positions, source="<i>book</i>"), panel, ReportPlan(**(quick | plan)))


@pytest.fixture(scope="module")
def report() -> RiskReport:
    return report_of(("KO", "XOM"))


def figures_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page, re.DOTALL)
    assert found
    figures: dict[str, Any] = json.loads(found.group(1))
    return figures


class Links(HTMLParser):
    """Gathers what a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.outside: list[str] = []
        self.anchors: set[str] = set()
        self.wanted: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            if name in ("src", "href") and value:
                (self.wanted.add(value[1:]) if value.startswith("#") else self.outside.append(f"{tag} {value}"))


def test_the_page_asks_for_nothing_and_every_link_has_its_place(report: RiskReport) -> None:
    page = render_risk(report)
    links = Links()
    links.feed(page)
    assert links.outside == []
    assert "default-src 'none'" in page
    assert links.wanted == set(SECTIONS)
    assert links.wanted <= links.anchors
    assert '<meta name="viewport"' in page


def test_every_figure_has_its_place_and_every_place_its_figure(report: RiskReport) -> None:
    page = render_risk(report)
    figures = figures_of(page)
    assert set(figures) == {"tails", "components", "rolling", "stress", "correlation", "tail", "drawdown"}
    assert set(re.findall(r'id="figure-([a-z]+)"', page)) == set(figures)


def test_names_never_become_markup(report: RiskReport) -> None:
    page = render_risk(report)
    assert "<i>book</i>" not in page
    assert "<b>x</b>" not in page


def test_the_figures_are_those_of_the_report(report: RiskReport) -> None:
    drawn = figures_of(render_risk(report))
    rows = [row for row in report.tails if row.horizon == 1 and row.confidence == 0.95]
    assert drawn["tails"]["data"][0]["y"] == pytest.approx([row.var for row in rows], abs=1e-6)
    test = first_tested(report)
    assert test is not None
    assert test.rolled is not None
    marked = drawn["rolling"]["data"][2]
    assert len(marked["x"]) == test.violations
    assert marked["x"] == [t for t, hit in zip(test.rolled.times, test.rolled.violations, strict=True) if hit]
    lost = {row.name: row.loss for row in report.stress.rows if row.kind == "window" and row.loss is not None}
    windows = drawn["stress"]["data"][0]
    assert dict(zip(windows["y"], windows["x"], strict=True)) == pytest.approx(lost, abs=1e-6)
    assert min(drawn["drawdown"]["data"][0]["y"]) == pytest.approx(min(report.path.drawdown), abs=1e-6)


def test_the_tables_show_figures_or_the_reason_why_there_are_none() -> None:
    made = report_of(("KO",), history=90, horizons=(1,))
    page = render_risk(made)
    refused = next(row for row in made.tails if row.method == "filtered")
    assert refused.refused.split(".")[0] in page
    assert made.dependence_refused.split(".")[0] in page
    assert made.model_tests[0].refused.split(".")[0] in page
    normal = next(row for row in made.tails if row.method == "normal" and row.confidence == 0.99)
    assert percent(normal.var) in page
    assert set(figures_of(page)) == {"tails", "components", "stress", "drawdown"}


def test_page_and_json_are_written_side_by_side(report: RiskReport, tmp_path: Path) -> None:
    page, data = write_risk(report, tmp_path / "risk.html")
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert data == tmp_path / "risk.json"
    assert json.loads(data.read_text(encoding="utf-8")) == as_plain(report)
    with pytest.raises(StorageError, match="nowhere"):
        write_risk(report, tmp_path / "nowhere" / "risk.html")
