"""A swarm of one agent, replayed, and the plain backtest of the same strategy agree to the last quantum."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from nt_ray.backtest.simulator import backtest
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.config import Settings, load_settings
from nt_ray.errors import ConfigError
from nt_ray.market.bars import BarPanel
from nt_ray.strategies.registry import STRATEGIES, find
from nt_ray.trader.facade import NeuralTrader, Run
from nt_ray.trader.planning import allocator_of, sizing_params

CASH = Decimal(100_000)
FIVE = "AAPL,AMD,BAC,BBY,CVX"


def settings(tmp_path: Path, source: str, topology: str = "star", symbols: str = "", **more: str) -> Settings:
    """One venue, and a gate so wide that it denies nothing: the backtest has none."""
    wide = {"max_position_size": 10**9, "max_order_size": 10**9, "max_concentration": 20}
    wide |= {"max_gross_exposure": 20, "max_net_exposure": 20, "max_daily_loss": 1, "max_drawdown": 1}
    return load_settings(
        None,
        {
            "runs": str(tmp_path / "runs"),
            "data.source": source,
            "data.symbols": symbols,
            "data.start": "2001-01-01",
            "data.end": "2008-12-31",
            "swarm.topology": topology,
            "brokers.enabled": ["sim-east"],
            "account.initial_cash": str(CASH),
            **{f"risk.{key}": str(value) for key, value in wide.items()},
            **more,
        },
        environ={},
    )


def plain(panel: BarPanel, strategy: str, chosen: Settings) -> list[tuple[object, ...]]:
    found = find(strategy)
    columns = range(len(panel.symbols) - len(panel.symbols) % found.width)
    costs = Costs(commission_bps=Decimal(1))
    result = backtest(
        panel,
        found,
        found.vector(),
        symbols=list(columns),
        sizing=sizing_params(chosen, allocated=True),
        costs=costs,
        initial_cash=CASH,
        allocator=allocator_of(chosen, panel),
    )
    fills = result.fills()
    rows = [
        (r["time"], r["symbol"], r["side"], r["quantity"], r["price"], r["commission"])
        for r in fills.iter_rows(named=True)
    ]
    return [*rows, ("equity", *result.equity_quanta.tolist())]


def replayed(run: Run) -> list[tuple[object, ...]]:
    quanta = [round(e * 1e8) for e in run.record.equity.tolist()]
    rows = [
        (r["time"], r["symbol"], r["side"], r["quantity"], r["price"], r["commission"])
        for r in run.record.trades.iter_rows(named=True)
    ]
    return [*rows, ("equity", *quanta)]


EVERY_SET = ("momentum", "mean_reversion", "pairs")
CASES = [(s.name, "sp500", FIVE) for s in STRATEGIES if s.name not in EVERY_SET]
CASES += [(name, source, "") for name in EVERY_SET for source in ("sp500", "indices", "stocks")]


@pytest.mark.parametrize(("strategy", "source", "symbols"), CASES)
def test_one_agent_replayed_equals_the_plain_backtest_trade_by_trade(
    tmp_path: Path, strategy: str, source: str, symbols: str
) -> None:
    chosen = settings(tmp_path, source, symbols=symbols)
    with NeuralTrader(chosen) as trader:
        for field in find(strategy).inputs:
            # The bars of the data with the field that this strategy reads.
            trader._panel = trader.panel.with_field(field, np.sin(trader.panel.closes))
        run = trader.execute_strategy(strategy)
        expected = plain(trader.panel, strategy, chosen)
    assert run.record.denials == {}
    actual = replayed(run)
    assert len(expected) > 1, "the strategy must trade for the comparison to mean anything"
    assert sorted(map(str, actual[:-1])) == sorted(map(str, expected[:-1]))
    assert actual[-1] == expected[-1]


@pytest.mark.parametrize("topology", ["hierarchical", "ring", "mesh"])
def test_parity_holds_in_every_topology(tmp_path: Path, topology: str) -> None:
    chosen = settings(tmp_path, "sp500", topology)
    with NeuralTrader(chosen) as trader:
        run = trader.execute_strategy("momentum")
        expected = plain(trader.panel, "momentum", chosen)
    assert replayed(run)[-1] == expected[-1]


@pytest.mark.parametrize("method", ["risk_parity", "mean_variance"])
def test_parity_holds_where_an_optimiser_allocates(tmp_path: Path, method: str) -> None:
    chosen = settings(tmp_path, "stocks", **{"portfolio.allocation.method": method})
    with NeuralTrader(chosen) as trader:
        run = trader.execute_strategy("momentum")
        expected = plain(trader.panel, "momentum", chosen)
        # Another allocation trades otherwise.
        other = plain(trader.panel, "momentum", settings(tmp_path, "stocks"))
    assert other[-1] != expected[-1]
    assert sorted(map(str, replayed(run)[:-1])) == sorted(map(str, expected[:-1]))
    assert replayed(run)[-1] == expected[-1]


def test_what_knows_no_allocation_refuses_one(tmp_path: Path) -> None:
    chosen = settings(tmp_path, "stocks", **{"portfolio.allocation.method": "hrp"})
    with pytest.raises(ConfigError, match=r"portfolio\.allocation\.method is hrp"):
        sizing_params(chosen)
