from decimal import Decimal

import numpy as np
import pytest

from nt_ray.errors import RiskError
from nt_ray.market.source import load_panel
from nt_ray.risk.historical import historical_var
from nt_ray.risk.limits import RiskLimits
from nt_ray.risk.measures.catalogue import measure
from nt_ray.trader.background import DRAWN, background, bars_needed, is_needed
from nt_ray.trader.replay_account import last_known_closes, past_of

PANEL = load_panel("stocks")
MARKS = last_known_closes(PANEL)
ROW = 2000


def test_the_past_ends_where_the_account_stands() -> None:
    limits = RiskLimits(max_var=0.02, max_volume_share=0.1, var_window=250)
    found = past_of(PANEL, MARKS, ROW, limits)
    later = MARKS.copy()
    later[ROW + 1 :] = 1
    again = past_of(PANEL, later, ROW, limits)
    assert found.scenarios is not None
    assert again.scenarios is not None
    assert np.array_equal(found.scenarios.returns, again.scenarios.returns)
    assert found.scenarios.returns.shape[0] == 250
    closes = PANEL.closes[ROW - 250 : ROW + 1, PANEL.symbols.index("IBM")]
    wanted = historical_var(closes[1:] / closes[:-1] - 1.0, 0.95)
    values = np.zeros((1, len(found.scenarios.columns)))
    values[0, found.scenarios.columns["IBM"]] = 1.0
    assert abs(float(found.scenarios.var(values)[0]) - wanted) < 1e-6  # Marks are whole ticks.
    assert found.volumes["IBM"] > 0


def test_a_symbol_is_known_once_it_has_prices_throughout_the_window() -> None:
    closes = np.full((60, 2), 10.0)
    closes[:, 0] += np.arange(60)
    closes[:30, 1] = np.nan
    limits = RiskLimits(max_var=0.02, var_window=40)
    volumes = np.ones((60, 2))
    found = background(("OLD", "NEW"), closes, volumes, limits)
    assert found.scenarios is not None
    assert list(found.scenarios.columns) == ["OLD"]
    short = background(("OLD", "NEW"), closes, volumes, RiskLimits(max_var=0.02, var_window=25))
    assert short.scenarios is not None
    assert list(short.scenarios.columns) == ["OLD", "NEW"]
    assert background(("OLD", "NEW"), closes[:20], volumes[:20], limits).scenarios is None


def test_nothing_is_worked_out_that_no_limit_asks_for() -> None:
    limits = RiskLimits()
    assert not is_needed(limits)
    found = background(("A",), np.ones((5, 1)), np.ones((5, 1)), limits)
    assert (dict(found.volumes), found.scenarios) == ({}, None)
    assert bars_needed(RiskLimits(max_var=Decimal("0.1"), var_window=5)) == 20


@pytest.mark.parametrize(("model", "off"), [("monte_carlo_normal", 0.03), ("monte_carlo_t", 0.05)])
def test_scenarios_may_be_drawn_of_a_model_of_the_past(model: str, off: float) -> None:
    limits = RiskLimits(max_var=0.02, var_window=1000, var_model=model)
    found, again = (past_of(PANEL, MARKS, ROW, limits).scenarios for _ in range(2))
    assert found is not None
    assert again is not None
    columns = [PANEL.symbols.index(symbol) for symbol in found.columns]
    assert found.returns.shape == (DRAWN, len(columns)) == (DRAWN, 3)
    assert np.array_equal(found.returns, again.returns)
    past = PANEL.closes[ROW - 1000 : ROW + 1, columns]
    returns = past[1:] / past[:-1] - 1.0
    np.testing.assert_allclose(found.returns.std(axis=0), returns.std(axis=0), rtol=3 * off)
    weights = np.full((1, 3), 1.0 / 3.0)
    wanted = measure(model, returns, 0.95, weights=weights[0]).var
    assert float(found.var(weights)[0]) == pytest.approx(wanted, rel=3 * off)


def test_an_unknown_model_of_scenarios_is_refused() -> None:
    with pytest.raises(RiskError, match="var_model=crystal_ball"):
        RiskLimits(var_model="crystal_ball")
