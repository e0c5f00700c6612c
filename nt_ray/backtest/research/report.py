"""The report of a walk-forward: what it earned, how far to believe it, and what many trials alone would explain.

One plain dictionary that JSON can hold; the command line, the page and other programs read the same. What cannot be
computed stands as `{"undefined": reason}` or null, never as a number.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from nt_ray.backtest.buy_and_hold import buy_and_hold
from nt_ray.backtest.measures.catalogue import measure_all
from nt_ray.backtest.measures.evidence import Evidence, evidence_of
from nt_ray.backtest.research.bootstrap import REPLICATIONS, confidence_interval, optimal_block
from nt_ray.backtest.research.cross_validation import column_sharpes, cross_validate
from nt_ray.backtest.research.overfitting import overfitting
from nt_ray.backtest.research.problems import ResearchError
from nt_ray.backtest.research.resampling import resample_bars, resample_trades
from nt_ray.backtest.research.schedule import Course
from nt_ray.backtest.research.sharpe import (
    deflated_sharpe,
    effective_trials,
    expected_best_sharpe,
    sharpe_sample,
)
from nt_ray.backtest.research.superiority import superiority
from nt_ray.backtest.research.trials import trial_returns
from nt_ray.backtest.research.walk_forward import WalkForward, varied_names
from nt_ray.backtest.round_trips import round_trips
from nt_ray.backtest.simulator import Tape
from nt_ray.types import QUANTA_PER_UNIT, FloatArray

Report = dict[str, Any]


def research_report(
    result: WalkForward, *, seed: int = 0, replications: int = REPLICATIONS, paths: int = 1000, workers: int = 1
) -> Report:
    """Report on a walk-forward.

    Parameters
    ----------
    result
        From `walk_forward`.
    seed, replications, paths
        Of everything that is drawn: bootstraps of the series, and paths of resampled bars and trades.
    workers
        Threads that compute what every candidate would have earned.

    Returns
    -------
    Keys: `strategy`, `metric`, `windows`, `summary`, `out_of_sample` and `defaults` (all measures of the stitched
    account and of the default parameters on the same rows, against buy and hold), `sharpe` (bootstrap interval),
    `search` (what multiple testing leaves of the search over all rows), `account` and `trades` (Monte Carlo of the
    stitched account's bars in blocks, and of its trades as if independent).
    """
    benchmark = _benchmark(result, result.course.first)
    stitched = course_evidence(result, result.course, benchmark)
    return {
        "strategy": result.study.strategy.name,
        "data": result.study.panel.name,
        "metric": result.study.metric,
        "parameters": list(varied_names(result.study)),
        "summary": _summary(result),
        "windows": _windows(result),
        "out_of_sample": measure_all(stitched),
        "defaults": measure_all(course_evidence(result, result.default_course, benchmark)),
        "sharpe": _sharpe_interval(stitched, seed, replications),
        "search": search_report(
            trial_returns(result.study, workers=workers),
            result.study.panel.periods_per_year,
            seed,
            replications,
            benchmark=_returns_of(_benchmark(result, 1)),
        ),
        "account": _account(stitched, seed, paths),
        "trades": _trades(result, seed, paths),
    }


def course_evidence(result: WalkForward, course: Course, benchmark: FloatArray | None = None) -> Evidence:
    """Evidence of one of a walk-forward's accounts, for the measures."""
    return evidence_of(
        result.study.panel,
        course.equity_quanta[1:],
        course.positions[1:],
        course.executions,
        first=course.first,
        opening_quanta=int(course.equity_quanta[0]),
        costs=result.study.costs,
        benchmark=benchmark,
    )


def search_report(
    returns: FloatArray,
    periods_per_year: float,
    seed: int,
    replications: int = REPLICATIONS,
    *,
    benchmark: FloatArray | None = None,
) -> Report:
    """What multiple testing leaves of a search.

    Parameters
    ----------
    returns
        (T, K) returns of all K candidates on the same rows.
    periods_per_year
        For annualised Sharpe ratios.
    benchmark
        (T,) returns that candidates should beat, such as buy and hold; beside cash, which they are always tested
        against.
    """
    sharpes = column_sharpes(returns)
    report: Report = {"candidates": returns.shape[1], "rows": len(returns)}
    if np.isnan(sharpes).all():
        return {**report, "undefined": "No candidate has returns that vary."}
    best = int(np.nanargmax(sharpes))
    year = float(np.sqrt(periods_per_year))
    trials = effective_trials(returns)
    variance = float(np.nanvar(sharpes, ddof=1)) if np.sum(~np.isnan(sharpes)) > 1 else 0.0
    sample = sharpe_sample(returns[:, best])
    return {
        **report,
        "best": best,
        "best_sharpe": float(sharpes[best]) * year,
        "effective_trials": trials,
        "expected_best_sharpe": expected_best_sharpe(trials, variance) * year,
        "deflated_sharpe": None if sample is None else deflated_sharpe(sample, trials, variance),
        "overfitting": _or_reason(lambda: _overfitting(returns)),
        "against_cash": _or_reason(
            lambda: dataclasses.asdict(superiority(returns, replications=replications, seed=seed))
        ),
        "against_benchmark": None
        if benchmark is None
        else _or_reason(
            lambda: dataclasses.asdict(superiority(returns, benchmark, replications=replications, seed=seed))
        ),
        "cross_validation": _or_reason(lambda: _paths(returns, year)),
    }


def _summary(result: WalkForward) -> Report:
    panel = result.study.panel
    outside = np.array([np.nan if w.out_of_sample is None else w.out_of_sample for w in result.windows])
    losses = [w.degradation for w in result.windows if w.degradation is not None]
    return {
        "start": panel.time(result.course.first).isoformat(),
        "end": panel.time(result.windows[-1].test_after - 1).isoformat(),
        "windows": len(result.windows),
        "candidates": len(result.study.candidates),
        "out_of_sample": result.score,
        "defaults": result.study.score(result.default_course.equity),
        "mean_degradation": float(np.mean(losses)) if losses else None,
        "efficiency": result.efficiency,
        "positive_windows": float(np.mean(outside > 0.0)),
        "final_equity": float(result.course.equity[-1]),
        "initial_cash": float(result.course.equity[0]),
    }


def _windows(result: WalkForward) -> list[Report]:
    rows = result.frame().to_dicts()
    return [{k: v.isoformat() if hasattr(v, "isoformat") else v for k, v in row.items()} for row in rows]


def _benchmark(result: WalkForward, first: int) -> FloatArray:
    """Equity of equal money in every instrument, bought as row `first` begins and held to the last test row."""
    study = result.study
    rows = slice(first - 1, result.windows[-1].test_after)
    panel = dataclasses.replace(study.panel, timestamps=study.panel.timestamps[rows], values=study.panel.values[rows])
    held: FloatArray = buy_and_hold(panel, study.costs, study.cash) / QUANTA_PER_UNIT
    return held


def _returns_of(equity: FloatArray) -> FloatArray:
    changes: FloatArray = equity[1:] / equity[:-1] - 1.0
    return changes


def _sharpe_interval(e: Evidence, seed: int, replications: int) -> Report | None:
    if e.excess is None:
        return None
    year = float(np.sqrt(e.periods_per_year))

    def annual(returns: FloatArray) -> float | None:
        ratio = float(column_sharpes(returns[:, None])[0]) * year
        return None if math.isnan(ratio) else ratio

    interval = confidence_interval(e.excess, annual, replications=replications, seed=seed)
    return None if interval is None else dataclasses.asdict(interval)


def _overfitting(returns: FloatArray) -> Report:
    found = overfitting(returns)
    return {
        "probability": found.probability,
        "loss_probability": found.loss_probability,
        "slope": found.slope,
        "combinations": len(found.logits),
        "candidates": found.candidates,
    }


def _paths(returns: FloatArray, year: float) -> Report:
    sharpes = cross_validate(returns, purge=5, embargo=5).sharpes * year
    sharpes = sharpes[~np.isnan(sharpes)]
    if len(sharpes) == 0:
        raise ResearchError("No out-of-sample history has returns that vary.")
    low, middle, high = np.quantile(sharpes, [0.05, 0.5, 0.95]).tolist()
    return {"paths": len(sharpes), "sharpe_5": low, "sharpe_median": middle, "sharpe_95": high}


def _account(e: Evidence, seed: int, paths: int) -> Report:
    if e.returns is None:
        return {"undefined": "The account has no returns: it was ruined, or has seen fewer than two bars."}
    found = resample_bars(e.returns, block=optimal_block(e.returns), seed=seed, paths=paths)
    return _plain_keys(dataclasses.asdict(found))


def _trades(result: WalkForward, seed: int, paths: int) -> Report:
    course, study = result.course, result.study
    trips = round_trips(course.executions, Tape.of(study.panel, study.costs).units).closed
    if len(trips) == 0:
        return {"undefined": "No round trip was closed."}
    # The equity on which a trade was entered is that of the bar before.
    before = course.equity_quanta[trips.entry_row - course.first]
    if before.min() <= 0:
        return {"undefined": "A trade was entered by an account without equity."}
    returns = trips.profit_quanta / before
    return _or_reason(lambda: _plain_keys(dataclasses.asdict(resample_trades(returns, seed=seed, paths=paths))))


def _plain_keys(values: Report) -> Report:
    return {k: {str(q): x for q, x in v.items()} if isinstance(v, dict) else v for k, v in values.items()}


def _or_reason(compute: Callable[[], Report]) -> Report:
    try:
        return compute()
    except ResearchError as error:
        return {"undefined": str(error)}
