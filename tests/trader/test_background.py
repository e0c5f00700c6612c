from decimal import Decimal

import numpy as np

from nt_ray.market.source import load_panel
from nt_ray.risk.historical import historical_var
from nt_ray.risk.limits import RiskLimits
from nt_ray.trader.background import background, bars_needed, is_needed
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
