import json
import re
from collections.abc import Callable
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nt_ray.errors import StorageError
from nt_ray.reports.formats import number, percent
from nt_ray.reports.record import AGENT_COLUMNS, TRADE_COLUMNS, RunRecord
from nt_ray.reports.tear_sheet import SECTIONS, render, write_tear_sheet

MakeRecord = Callable[..., RunRecord]
VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """The page as a browser sees it: elements, text outside scripts, and the rows of each table."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.shown: list[str] = []
        self.rows: list[list[str]] = []
        self.scripts: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "script" in self.open or "style" in self.open:
            self.scripts.append(data)
            return
        self.shown.append(data)
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data

    def figures(self) -> dict:
        return json.loads(next(s for s in self.scripts if s.startswith('{"equity"')))


@pytest.fixture(scope="module")
def record(make_record: MakeRecord) -> RunRecord:
    return make_record()


@pytest.fixture(scope="module")
def page(record: RunRecord) -> Page:
    return Page(render(record))


def test_the_document_is_well_formed_and_has_every_section(page: Page) -> None:
    assert page.open == []
    anchors = [a["id"] for _, a in page.tags if a.get("id")]
    assert len(anchors) == len(set(anchors))
    assert set(SECTIONS) <= set(anchors)
    drawn = {a.removeprefix("figure-") for a in anchors if a and a.startswith("figure-")}
    assert drawn == set(page.figures())


def test_nothing_is_loaded_from_anywhere(page: Page, record: RunRecord) -> None:
    for tag, attributes in page.tags:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base"}
        for name in ("src", "srcset", "href", "data", "action"):
            assert (attributes.get(name) or "#").startswith("#"), (tag, attributes)
    assert not re.search(r"@import|url\(", next(s for s in page.scripts if "tabular-nums" in s))
    policy = next(a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in (policy or "")
    assert "http" not in (policy or "")


def test_plotly_is_embedded_once_and_the_page_stays_small(record: RunRecord, tmp_path: Path) -> None:
    path = write_tear_sheet(record, tmp_path / "sheet.html")
    source = path.read_text(encoding="utf-8")
    assert source.count("<script>") == 2
    assert path.stat().st_size < 8_000_000


def test_the_metrics_shown_are_the_metrics_measured(page: Page, record: RunRecord) -> None:
    own, other = record.metrics(), record.benchmark_metrics()
    rows = {row[0]: row[1:] for row in page.rows if row}
    assert rows["CAGR"] == [percent(own.cagr), percent(other.cagr)]
    assert rows["Sharpe"] == [number(own.sharpe), number(other.sharpe)]
    assert rows["Sortino"] == [number(own.sortino), number(other.sortino)]
    assert rows["Max drawdown"] == [percent(own.max_drawdown), percent(other.max_drawdown)]
    assert rows["ES 95 %, one bar"] == [percent(own.es_95), percent(other.es_95)]
    assert rows["Beta"] == [number(own.beta), "–"]
    assert rows["Costs"] == ["880.25"]
    assert rows["Order latency p99"] == ["1.90 ms"]
    assert rows["– max_gross"] == ["15"]
    assert rows["mesh"][:6] == ["mean", "12", "2", "468", "13", "0.2134"]
    assert rows["accounts[2].name"] == ["beta"]


def test_the_months_of_a_year_compound_to_its_last_column(page: Page, record: RunRecord) -> None:
    year = next(r for r in page.rows if r and r[0] == "2020")
    shown = [float(v.replace("−", "-")) for v in year[1:]]
    days = pl.Series(record.times).cast(pl.Datetime("ns")).dt.year().to_numpy()
    closes = record.equity[days == 2020]
    before = record.equity[days == 2019][-1]
    assert shown[-1] == pytest.approx(100 * (closes[-1] / before - 1), abs=0.051)
    assert 100 * (np.prod([1 + v / 100 for v in shown[:-1]]) - 1) == pytest.approx(shown[-1], abs=0.5)


def test_the_last_200_trades_are_listed_newest_first(page: Page) -> None:
    ids = [row[-1] for row in page.rows if row and row[-1].startswith("run.")]
    assert ids == [f"run.{i}" for i in range(449, 249, -1)]
    assert "Trades (last 200 of 450)" in page.shown


def test_no_string_of_a_run_becomes_markup(make_record: MakeRecord, record: RunRecord) -> None:
    evil = '</script><script>alert("x")</script><b>&amp;'
    hostile = make_record(
        name=evil,
        benchmark_name=evil,
        topology=evil,
        settings={evil: {evil: [evil]}},
        denials={evil: 1},
        latency_ms={evil: 1.0},
        swarm=[{"topology": evil, "rule": evil}],
        agents=record.agents.with_columns(name=pl.lit(evil), strategy=pl.lit(evil)),
        trades=record.trades.with_columns(
            account=pl.lit(evil), symbol=pl.lit(evil), side=pl.lit(evil), client_order_id=pl.lit(evil)
        ),
    )
    found = Page(render(hostile))
    assert found.open == []
    assert sum(tag == "script" for tag, _ in found.tags) == 3
    assert not any(tag == "b" for tag, _ in found.tags)
    assert found.shown.count(evil) > 200
    names = [t["name"] for t in found.figures()["equity"]["data"]]
    assert names[0].startswith("&lt;/script&gt;")


def test_a_run_without_trades_agents_or_swarm_is_still_a_page(make_record: MakeRecord) -> None:
    empty = make_record(
        trades=pl.DataFrame({c: [] for c in TRADE_COLUMNS}),
        agents=pl.DataFrame({c: [] for c in AGENT_COLUMNS}),
        edges=[],
        swarm=[],
        denials={},
        latency_ms={},
        settings={},
    )
    found = Page(render(empty))
    assert set(found.figures()) == {"equity", "underwater", "exposure", "costs"}
    # Drawdowns, traded value and trades are there and empty; what only a swarm has is not there.
    assert found.shown.count("None.") == 3
    anchors = {a["href"] for tag, a in found.tags if tag == "a"}
    places = {a["id"] for tag, a in found.tags if tag == "section"}
    assert not {"#agents", "#swarm"} & anchors
    assert not {"agents", "swarm", "topologies", "agents-table"} & places
    assert {anchor.removeprefix("#") for anchor in anchors} <= places


def test_further_tables_stand_on_the_page_with_money_and_counts_as_such(make_record: MakeRecord) -> None:
    details = {"Orders <by> ending": {"filled": 12_345, "canceled": 0}, "Books": {"Fees": Decimal("-1234.5"), "x": "y"}}
    found = Page(render(make_record(details=details)))
    assert ["filled", "12,345"] in found.rows
    assert ["Fees", "−1,234.50"] in found.rows
    assert ["x", "y"] in found.rows
    assert "Orders <by> ending" in found.shown


def test_equity_stands_on_a_log_axis_where_the_curves_spread(make_record: MakeRecord) -> None:
    near, far = np.linspace(1e5, 1.9e5, 2516), np.linspace(1e5, 9e5, 2516)
    for equity, log in ((near, False), (far, True), (np.linspace(9e5, -10.0, 2516), False)):
        found = Page(render(make_record(equity=equity, benchmark=near)))
        assert found.figures()["equity"]["layout"]["yaxis"]["type"] == ("log" if log else "linear")
        button = next(a for tag, a in found.tags if tag == "button")
        assert button["aria-pressed"] == str(log).lower()


def test_a_single_bar_and_a_ruined_account_are_shown_with_dashes(make_record: MakeRecord) -> None:
    one = np.array([90_000.0])
    zero = np.array([0.0])
    short = make_record(times=np.array([0]), equity=one, benchmark=one, gross=zero, net=zero, costs=zero)
    assert ["Sharpe", "–", "–"] in Page(render(short)).rows
    ruined = make_record(equity=np.linspace(1e5, -10.0, 2516))
    found = Page(render(ruined))
    assert next(r for r in found.rows if r and r[0] == "CAGR")[1] == "–"
    assert any(tag == "button" and "disabled" in a for tag, a in found.tags)


def test_a_folder_that_is_not_there_is_a_typed_error(record: RunRecord, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be written"):
        write_tear_sheet(record, tmp_path / "missing" / "sheet.html")
