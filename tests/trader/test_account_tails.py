"""What an account holds at risk over the platform's history, against the same quantiles of the data themselves."""

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest

from nt_ray.config import Settings, load_settings
from nt_ray.errors import MarketDataError
from nt_ray.market.source import load_panel
from nt_ray.trader.account_tails import account_tails
from nt_ray.trader.overview import Holding, Overview

NOW = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load_settings(None, {}, environ={})


def holding(symbol: str, quantity: int, mark: int | None) -> Holding:
    known = None if mark is None else Decimal(mark)
    return Holding(symbol, Decimal(quantity), Decimal(quantity * 50), known, Decimal(0))


def account(*holdings: Holding) -> Overview:
    money = Decimal(100_000)
    return Overview(
        "paper", "USD", NOW, NOW, money, money, money, Decimal(0), Decimal(2), money, holdings, {}, (), (), True, True
    )


def test_historical_value_at_risk_is_the_quantile_of_past_days_and_every_method_answers(settings: Settings) -> None:
    found = account_tails(
        settings, account(holding("KO", 400, 50), holding("AAPL", -100, 100), holding("MSFT", 5, None))
    )
    closes = load_panel(settings.data.source, symbols=("KO", "AAPL")).closes
    moves = closes[-1001:]
    profits = np.sort((moves[1:] / moves[:-1] - 1) @ np.array([0.2, -0.1]))
    told = {(row.method, row.confidence): row for row in found.rows}
    assert found.periods == 1000
    assert {method for method, _ in told} == {"historical", "normal", "student_t", "monte_carlo_t"}
    for confidence, place in ((0.95, 49), (0.99, 9)):
        assert told["historical", confidence].var == pytest.approx(-profits[place])
        others = [row.var for row in found.rows if row.confidence == confidence]
        assert others == pytest.approx([-profits[place]] * 4, rel=0.25)
    assert all(row.es > row.var > 0 for row in found.rows if row.es is not None and row.var is not None)


def test_who_holds_nothing_has_nothing_at_risk_and_what_the_data_lack_is_named(settings: Settings) -> None:
    assert account_tails(settings, account(holding("KO", 0, 50))).rows == ()
    with pytest.raises(MarketDataError, match="NOSUCH"):
        account_tails(settings, account(holding("NOSUCH", 1, 50)))
