import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nt_ray.config import Settings, load_settings
from nt_ray.errors import NeuralTraderError, ServiceError
from nt_ray.trader.facade import NeuralTrader, Run


def settings(tmp_path: Path, values: Mapping[str, object] | None = None) -> Settings:
    overrides = {"runs": str(tmp_path / "runs"), "data.start": "2008-01-01", "data.end": "2009-12-31"}
    return load_settings(None, {**overrides, **(values or {})}, environ={})


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[NeuralTrader, Run]]:
    """A trader after a run with nothing changed: three hosts, blocks of 64 bars."""
    chosen = settings(tmp_path_factory.mktemp("done"))
    assert (chosen.swarm.hosts, chosen.swarm.block_bars) == (3, 64)
    with NeuralTrader(chosen) as trader:
        yield trader, trader.execute_strategy()


def test_the_swarm_trades_and_leaves_a_complete_run_folder(done: tuple[NeuralTrader, Run]) -> None:
    trader, run = done
    portfolio = trader.get_portfolio()
    risk = trader.analyze_risk()
    names = {p.name for p in run.folder.iterdir()}
    assert {"settings.toml", "trades.parquet", "equity.parquet", "agents.parquet", "summary.json"} <= names
    assert {"tear-sheet.html", "journal-sim-east.sqlite", "journal-sim-west.sqlite"} <= names
    summary = json.loads((run.folder / "summary.json").read_text())
    assert summary["orders"] > 100
    assert summary["agents"] >= 60
    assert {row["topology"] for row in summary["swarm"]} == {"star", "hierarchical", "ring", "mesh"}
    assert all(row["messages"] > 0 and row["rounds"] > 0 for row in summary["swarm"])
    equity = pl.read_parquet(run.folder / "equity.parquet")
    assert equity["equity"][-1] == pytest.approx(float(portfolio.equity))
    assert pl.read_parquet(run.folder / "trades.parquet").height == summary["fills"]
    assert risk.expected_shortfall >= risk.value_at_risk > 0


def test_the_full_risk_report_is_of_what_the_trader_holds(tmp_path: Path) -> None:
    with NeuralTrader(settings(tmp_path, {"data.symbols": "KO,PEP,XOM"})) as trader:
        trader.execute_strategy("momentum")
        portfolio, small = trader.get_portfolio(), trader.analyze_risk(0.95)
        report = trader.analyze_risk(0.95, full=True, methods=["historical", "normal"])
    assert {row.symbol: Decimal(row.quantity) for row in report.positions} == dict(portfolio.positions)
    assert Decimal(report.equity) == portfolio.equity
    assert [(row.method, row.horizon) for row in report.tails] == [
        (name, horizon) for horizon in (1, 10) for name in ("historical", "normal")
    ]
    assert report.structure.concentration.gross == pytest.approx(small.gross_exposure, abs=1e-6)


def test_money_is_conserved_over_all_accounts(done: tuple[NeuralTrader, Run]) -> None:
    trader, run = done
    portfolio = trader.get_portfolio()
    closes = trader.panel.closes[-1]
    symbols = trader.panel.symbols
    trades = run.record.trades
    sign = pl.when(pl.col("side") == "buy").then(-1).otherwise(1)
    flow = trades.select((sign * pl.col("quantity") * pl.col("price") - pl.col("commission")).sum()).item()
    assert portfolio.cash == Decimal(100_000) + flow
    values = sum(float(q) * closes[symbols.index(s)] for s, q in portfolio.positions.items())
    assert float(portfolio.equity) == pytest.approx(float(portfolio.cash) + values)


def test_the_same_seed_gives_the_same_run_for_any_number_of_hosts_and_block_size(
    done: tuple[NeuralTrader, Run], tmp_path: Path
) -> None:
    digests = {done[1].summary["digest"]}
    for hosts, block in ((1, 64), (5, 17)):
        chosen = settings(tmp_path, {"swarm.hosts": str(hosts), "swarm.block_bars": str(block)})
        with NeuralTrader(chosen) as trader:
            digests.add(trader.execute_strategy().summary["digest"])
    assert len(digests) == 1


def test_settings_written_by_a_run_repeat_it(done: tuple[NeuralTrader, Run]) -> None:
    _, first = done
    with NeuralTrader(load_settings(first.folder / "settings.toml", {}, environ={})) as trader:
        second = trader.execute_strategy()
    assert first.summary["digest"] == second.summary["digest"]
    assert first.folder != second.folder
    assert first.folder.with_name("latest").resolve() == second.folder


@pytest.mark.parametrize("rule", ["median", "trimmed", "majority", "hedge"])
def test_every_rule_trades(tmp_path: Path, rule: str) -> None:
    chosen = settings(tmp_path, {"swarm.rule": rule, "data.end": "2008-12-31"})
    with NeuralTrader(chosen) as trader:
        run = trader.execute_strategy()
    assert run.summary["fills"] > 0
    assert run.summary["swarm"][0]["rule"] == rule


def test_a_venue_outage_fails_over_and_no_order_is_sent_twice(tmp_path: Path) -> None:
    outage = {"brokers.sim-east.outage": [[150, 250]]}
    with NeuralTrader(settings(tmp_path, outage)) as trader:
        run = trader.execute_strategy()
        times = trader.panel.timestamps
    trades = run.record.trades
    inside = trades.filter(
        (pl.col("time").cast(pl.Int64) > int(times[152])) & (pl.col("time").cast(pl.Int64) <= int(times[250]))
    )
    after = trades.filter(pl.col("time").cast(pl.Int64) > int(times[253]))
    assert run.summary["failovers"] == 1
    assert set(inside["account"]) == {"sim-west"}
    assert set(after["account"]) == {"sim-east", "sim-west"}
    assert trades["client_order_id"].is_unique().all()


def test_a_tight_limit_denies_orders_and_says_by_which_rule(tmp_path: Path) -> None:
    with NeuralTrader(settings(tmp_path, {"risk.max_order_size": "500"})) as trader:
        run = trader.execute_strategy()
    assert sum(run.summary["denials"].values()) > 0
    assert all("notional" in rule for rule in run.summary["denials"])
    assert np.all(run.record.gross < 1.0)


def test_using_a_trader_that_was_not_started_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="start"):
        NeuralTrader(settings(tmp_path)).execute_strategy()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"data.source": "sp5000"}, "sp500"),
        ({"data.symbols": "AAPL,NOPE"}, "NOPE"),
        ({"strategies.enabled": "momentun"}, "momentum"),
        ({"data.start": "2050-01-01", "data.end": "2051-01-01"}, "2022"),
    ],
)
def test_bad_input_is_named_before_anything_is_written(
    tmp_path: Path, values: Mapping[str, object], words: str
) -> None:
    with pytest.raises(NeuralTraderError, match=words), NeuralTrader(settings(tmp_path, values)) as trader:
        trader.execute_strategy()
    assert not (tmp_path / "runs").exists()


def test_health_tells_whether_the_trader_runs(tmp_path: Path) -> None:
    trader = NeuralTrader(settings(tmp_path))
    assert trader.health_check()["started"] is False
    with trader:
        health = trader.health_check()
    assert health["started"] is True
    assert health["data"]["bars"] == len(trader.panel)
    assert trader.health_check()["started"] is False
