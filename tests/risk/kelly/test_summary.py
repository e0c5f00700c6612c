import math

import numpy as np
import pytest

from nt_ray.errors import RiskError
from nt_ray.risk.kelly.scenario import log_optimal
from nt_ray.risk.kelly.summary import from_trades, kelly_summary, scenario_summary


def test_full_half_and_quarter_stand_side_by_side() -> None:
    table = kelly_summary(0.6, 2.0)
    assert [row.share for row in table.shares] == [1.0, 0.5, 0.25]
    assert [float(row.fractions[0]) for row in table.shares] == pytest.approx([0.2, 0.1, 0.05])
    for row in table.shares:
        f = float(row.fractions[0])
        assert row.growth == pytest.approx(0.6 * math.log1p(f) + 0.4 * math.log1p(-f), abs=1e-15)
    assert table.shares[0].halving > table.shares[1].halving > table.shares[2].halving
    assert table.edge == pytest.approx(0.2 * 0.2)


def test_shares_of_many_bets_are_judged_over_their_scenarios(slate: tuple[np.ndarray, np.ndarray]) -> None:
    gains, chances = slate
    full = log_optimal(gains, chances)
    table = scenario_summary(full, gains, chances)
    assert table.shares[0].growth == pytest.approx(full.growth, abs=1e-15)
    assert table.shares[1].growth == pytest.approx(chances @ np.log1p(gains @ full.fractions / 2), abs=1e-12)
    with pytest.raises(RiskError, match="do not fit"):
        scenario_summary(full, gains[:, :3], chances)


def test_past_trades_give_the_classic_formula() -> None:
    record = from_trades([0.04, -0.02, 0.06, -0.02, 0.0, 0.02])
    assert (record.trades, record.win_rate) == (6, 0.6)
    assert record.fraction == pytest.approx(0.6 - 0.4 / (0.04 / 0.02))
    assert from_trades([0.01, -0.05]).fraction == 0.0


def test_trades_of_one_kind_and_wrong_shares_are_refused() -> None:
    with pytest.raises(RiskError, match="2 wins and 0 losses"):
        from_trades([0.1, 0.2])
    with pytest.raises(RiskError, match=r"Share 1.5 of Kelly"):
        kelly_summary(0.6, 2.0, shares=(1.5,))


def test_an_answer_about_many_bets_has_no_single_fraction(slate: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(RiskError, match="10 fractions, not one"):
        _ = log_optimal(*slate).fraction
