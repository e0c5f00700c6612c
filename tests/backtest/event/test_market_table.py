import datetime as dt
import re
from decimal import Decimal
from pathlib import Path as File
from typing import Any

import numpy as np
import pytest

from nt_ray.backtest.event import market_table
from nt_ray.backtest.event.market import FeeTier, Path, Terms
from nt_ray.backtest.event.market_table import MarketError, market_of, read_market
from nt_ray.backtest.practice import practice_panel
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.errors import BadInputError

PANEL = practice_panel(2, 30)
BASE = Costs(commission_bps=Decimal(3), slippage_bps=Decimal(0))


def rows_of(date: str) -> int:
    return int(np.searchsorted(PANEL.timestamps.astype("datetime64[ns]"), np.datetime64(date)))


def test_nothing_written_is_a_plain_market_with_the_costs_beneath_it() -> None:
    panel, market = market_of({}, PANEL, BASE)
    assert panel.instruments == PANEL.instruments
    assert market.terms == Terms(costs=BASE)
    assert (market.path, market.latency, market.same_close) == (Path.WORST_CASE, 0, False)
    assert market.dividends is market.splits is market.funding is market.sessions is None


def test_the_market_of_the_pages_own_example_is_what_it_says(tmp_path: File) -> None:
    text = "\n".join(line[4:] for line in (market_table.__doc__ or "").splitlines() if line.startswith("    "))
    for old, new in (("AAPL", "P1"), ("KO", "P1"), ("SAP", "P2"), ("BTC", "P2")):
        text = text.replace(old, new)
    text = (
        text.replace("2020-03-13", "2010-01-05").replace("2020-08-31", "2010-01-09").replace("2020-01-01", "2010-01-01")
    )
    text = text.replace("2020-06-01", "2010-01-20")
    (tmp_path / "m.toml").write_text(text, encoding="utf-8")
    panel, market = market_of(read_market(tmp_path / "m.toml"), PANEL, BASE)
    costs = Costs(commission_bps=Decimal("0.5"), slippage_bps=Decimal(0))
    assert market.terms == {
        "P1": Terms(costs=costs, borrow_rate=Decimal("0.03")),
        "P2": Terms(costs=costs),
    }
    assert [i.currency for i in panel.instruments] == ["USD", "EUR"]
    assert market.fee_tiers == (FeeTier(Decimal(1_000_000), Decimal("0.4"), Decimal("-0.2")),)
    assert market.latency == 1
    rates = np.where(np.arange(30) < rows_of("2010-01-20"), 1.12, 1.10)
    assert np.array_equal(market.fx["EUR"], rates)
    assert market.dividends is not None
    assert market.splits is not None
    assert market.funding is not None
    assert np.argwhere(market.dividends).tolist() == [[rows_of("2010-01-05"), 0]]
    assert market.splits[rows_of("2010-01-09"), 0].tolist() == [4, 1]
    assert (market.splits != 1).sum() == 1
    assert np.array_equal(market.funding, np.outer(np.ones(30), [0.0, 0.0001]))
    assert len(market.tape(panel).terms) == 2


def test_days_make_sessions_and_bound_funding() -> None:
    days = {"rate": 0.5, "symbol": "P1", "from": dt.date(2010, 1, 10), "to": "2010-01-12"}
    _, market = market_of({"sessions": "day", "funding": [days]}, PANEL, BASE)
    assert market.funding is not None
    assert np.flatnonzero(market.funding[:, 0]).tolist() == [9, 10, 11]
    assert market.sessions is not None
    assert np.diff(market.sessions).tolist() == [1] * 29


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"laten": 1}, "unknown key laten. Did you mean latency?"),
        ({"terms": {"comission_bps": 1}}, "unknown key terms.comission_bps. Did you mean commission_bps?"),
        ({"terms": 3}, "terms is not a table"),
        ({"splits": {"symbol": "P1"}}, "splits is not a list of tables"),
        ({"symbols": {"Q1": {}}}, "'Q1' is not among the symbols. Did you mean P1?"),
        ({"currencies": {"P1": 3}}, "currencies.P1 = 3 is no text"),
        ({"path": "best"}, "path = 'best' is unknown. Use one of worst, ohlc, olhc, colour."),
        ({"latency": Decimal("1.5")}, "latency = 1.5 is no whole number"),
        ({"same_close": 1}, "same_close = 1 is neither true nor false"),
        ({"terms": {"borrow_rate": "much"}}, "terms.borrow_rate = 'much' is no number"),
        ({"terms": {"borrow_rate": True}}, "terms.borrow_rate = True is no number"),
        ({"terms": {"borrow_rate": -1}}, "borrow_rate=-1 cannot be"),
        ({"terms": {"maker_bps": -10_000}}, "maker_bps=-10000 cannot be"),
        ({"terms": {"commission_bps": -1}}, "commission_bps=-1 must be zero or more"),
        ({"sessions": "week"}, "sessions = 'week' is unknown"),
        ({"fee_tiers": [{"traded": 1}]}, "an entry of fee_tiers has no taker_bps"),
        ({"dividends": [{"symbol": "P1", "date": "2009-01-01", "amount": 1}]}, "2009-01-01 lies outside the bars"),
        ({"dividends": [{"symbol": "P1", "date": "soon", "amount": 1}]}, "dividends.date = 'soon' is no day"),
        ({"splits": [{"symbol": "P1", "date": "2010-01-05", "new": 2}]}, "an entry of splits has no old"),
        ({"funding": [{"symbol": "P1", "rate": 1, "till": 3}]}, "unknown key funding.till"),
        ({"fx": {"EUR": []}}, "fx.EUR is no list of days and rates"),
        ({"fx": {"EUR": [["2011-01-01", 1.1]]}}, "fx.EUR has no rate before 2011-01-01"),
        ({"fx": {"EUR": [["2009-02-01", 1.1], ["2009-01-01", 1.1]]}}, "its days do not rise"),
    ],
)
def test_what_cannot_be_a_market_is_named(table: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInputError, match=re.escape(says)):
        market_of(table, PANEL, BASE)


def test_a_file_that_is_no_toml_is_named(tmp_path: File) -> None:
    (tmp_path / "m.toml").write_text("path = ", encoding="utf-8")
    with pytest.raises(MarketError, match="is no TOML"):
        read_market(tmp_path / "m.toml")
    with pytest.raises(MarketError, match=r"absent\.toml' cannot be read"):
        read_market(tmp_path / "absent.toml")
