"""Measures beside those of empyrical and quantstats on the same curve: equal, or apart by a stated convention."""

import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nt_ray.backtest.measures.catalogue import METRICS
from nt_ray.backtest.measures.evidence import Evidence

HERE = Path(__file__).parent
RECORD = json.loads((HERE / "recorded" / "measures.json").read_text("utf-8"))
BARS, YEAR = RECORD["bars"], 252.0


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    """Ten years of daily closes of KO against AAPL."""
    curve = pl.read_csv(HERE / "curve.csv", try_parse_dates=True)
    times = curve["date"].cast(pl.Datetime("ns")).to_physical().to_numpy()
    return Evidence(times[1:], curve["equity"].to_numpy(), YEAR, benchmark=curve["benchmark"].to_numpy())


def ours(evidence: Evidence, name: str) -> float:
    value = METRICS[name](evidence)
    assert value is not None
    return value


@pytest.mark.parametrize(
    ("library", "name"),
    [
        *(("empyrical", n) for n in ("total_return", "cagr", "volatility", "sharpe", "sortino", "downside_deviation")),
        *(("empyrical", n) for n in ("max_drawdown", "calmar", "omega", "tail_ratio", "beta")),
        *(("quantstats", n) for n in ("volatility", "sharpe", "sortino", "max_drawdown", "omega", "tail_ratio")),
        *(("quantstats", n) for n in ("beta", "alpha", "r_squared", "best_bar", "worst_bar")),
    ],
)
def test_a_measure_with_the_same_convention_is_the_same(evidence: Evidence, library: str, name: str) -> None:
    assert ours(evidence, name) == pytest.approx(RECORD[library][name], rel=1e-10)


def test_empyrical_compounds_alpha(evidence: Evidence) -> None:
    compounded = (1.0 + ours(evidence, "alpha") / YEAR) ** YEAR - 1.0
    assert compounded == pytest.approx(RECORD["empyrical"]["alpha_compounded"], rel=1e-10)


def test_both_libraries_leave_the_information_ratio_of_a_bar(evidence: Evidence) -> None:
    of_a_bar = ours(evidence, "information_ratio") / math.sqrt(YEAR)
    assert of_a_bar == pytest.approx(RECORD["empyrical"]["excess_sharpe"], rel=1e-10)
    assert of_a_bar == pytest.approx(RECORD["quantstats"]["information_ratio_of_a_bar"], rel=1e-10)


def test_quantstats_corrects_skewness_and_kurtosis_for_bias(evidence: Evidence) -> None:
    n = BARS
    skewness = ours(evidence, "skewness") * math.sqrt(n * (n - 1)) / (n - 2)
    kurtosis = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * ours(evidence, "excess_kurtosis") + 6)
    assert skewness == pytest.approx(RECORD["quantstats"]["skewness"], rel=1e-10)
    assert kurtosis == pytest.approx(RECORD["quantstats"]["excess_kurtosis"], rel=1e-10)


def test_quantstats_divides_the_ulcer_index_by_one_bar_less(evidence: Evidence) -> None:
    index = ours(evidence, "ulcer_index") * math.sqrt(BARS / (BARS - 1))
    assert index == pytest.approx(RECORD["quantstats"]["ulcer_index"], rel=1e-10)


def test_quantstats_counts_wins_among_bars_that_moved(evidence: Evidence) -> None:
    returns = np.diff(evidence.equity)
    moved = np.count_nonzero(returns) / BARS
    assert ours(evidence, "positive_bars") / moved == pytest.approx(RECORD["quantstats"]["win_rate_of_bars"], rel=1e-10)


def test_quantstats_takes_gain_to_pain_of_bars_which_is_omega_less_one(evidence: Evidence) -> None:
    assert ours(evidence, "omega") - 1.0 == pytest.approx(RECORD["quantstats"]["gain_to_pain_of_bars"], rel=1e-10)


def test_empyrical_takes_whole_bars_into_the_tail(evidence: Evidence) -> None:
    returns = np.sort(np.diff(evidence.equity) / evidence.equity[:-1])
    whole = -float(returns[: int((BARS - 1) * 0.05) + 1].mean())
    assert whole == pytest.approx(-RECORD["empyrical"]["conditional_value_at_risk"], rel=1e-10)
    # One bar more than five per cent of them: the tail's mean is a little smaller.
    assert ours(evidence, "expected_shortfall") == pytest.approx(whole, rel=1e-3)
    assert ours(evidence, "expected_shortfall") > whole
