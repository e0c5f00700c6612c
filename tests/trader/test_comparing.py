"""Strategies side by side: what is ranked is what each one's own backtest measures."""

import json
from pathlib import Path
from typing import Any

import pytest

from actors.job_work import Tell, perform
from nt_ray.config import Settings, load_settings
from nt_ray.strategies.registry import STRATEGIES
from nt_ray.trader.comparing import bare, compare_strategies, time_backtests
from nt_ray.trader.files import SUMMARY
from nt_ray.trader.jobs.job import JobCancelledError
from nt_ray.trader.jobs.reading import read_spec, settings_of
from nt_ray.trader.jobs.spec import Benchmark, Comparison

NAMED = {"symbols": ["KO", "PEP"], "start": "2021-01-04"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(None, {"runs": str(tmp_path / "runs")}, environ={})


def go_on(_: int, __: int) -> None:
    """Hear of progress."""


def compared(settings: Settings, **asked: Any) -> dict[str, Any]:
    spec = Comparison(kind="comparison", **{**NAMED, **asked})
    return compare_strategies(settings_of(settings, spec), spec, go_on)


def test_a_ranking_is_that_of_the_backtests_of_each_strategy(settings: Settings) -> None:
    told = compared(settings, strategies=["sentiment", "mean_reversion", "momentum", "momentum"], metric="cagr")
    names = [row["strategy"] for row in told["ranked"]]
    assert sorted(names[:2]) == ["mean_reversion", "momentum"]
    assert names[2:] == ["sentiment"]
    assert "reads score" in told["ranked"][2]["refused"]
    for row in told["ranked"][:2]:
        spec = read_spec({"kind": "backtest", "strategy": row["strategy"], **NAMED})
        own = perform(settings, spec, Tell(lambda _, __: True), on_ray=False)["summary"]["measures"]
        assert {name: row["performance"][name] for name in ("cagr", "sharpe", "max_drawdown")} == {
            name: pytest.approx(own[name]) for name in ("cagr", "sharpe", "max_drawdown")
        }
    worth = [row["performance"]["cagr"] for row in told["ranked"][:2]]
    assert worth == sorted(worth, reverse=True)


def test_the_same_comparison_leaves_the_same_folder_and_another_one_another(settings: Settings) -> None:
    first = compared(settings, strategies=["momentum"])
    assert compared(settings, strategies=["momentum"]) == first
    assert json.loads((Path(first["folder"]) / SUMMARY).read_text(encoding="utf-8")) == first
    latest = compared(settings, strategies=["momentum"], last=30)
    assert (latest["bars"], latest["end"]) == (30, first["end"])
    assert latest["folder"] != first["folder"]


def test_without_names_each_strategy_that_needs_bars_alone_is_compared() -> None:
    assert set(bare()) == {s.name for s in STRATEGIES} - {"neural_forecast", "sentiment", "ensemble"}


def test_backtests_are_timed_and_each_benchmark_has_a_folder_of_its_own(settings: Settings) -> None:
    spec = Benchmark(kind="benchmark", strategy="momentum", repeats=2, **NAMED)
    steps: list[tuple[int, int]] = []
    told, again = (
        time_backtests(settings_of(settings, spec), spec, lambda done, total: steps.append((done, total)))
        for _ in range(2)
    )
    assert 0.0 < told["best_ms"] <= told["median_ms"] <= told["worst_ms"]
    assert told["bars_per_second"] == pytest.approx(told["bars"] / told["best_ms"] * 1e3)
    assert steps == [(0, 3), (1, 3), (2, 3), (3, 3)] * 2
    assert told["folder"] != again["folder"]


def test_a_comparison_that_nobody_wants_any_more_ends_between_two_strategies(settings: Settings) -> None:
    spec = read_spec({"kind": "comparison", **NAMED})
    with pytest.raises(JobCancelledError):
        perform(settings, spec, Tell(lambda done, _: done < 1, last=float("-inf")), on_ray=False)
    assert not (settings.runs / "latest").exists()
