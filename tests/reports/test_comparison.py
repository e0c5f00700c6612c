import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nt_ray.backtest.metrics import measure
from nt_ray.errors import ReportError
from nt_ray.reports.comparison import (
    as_data,
    compare,
    differing_settings,
    read_run,
    render_comparison,
    write_comparison,
)

DAY = 86_400 * 10**9
FIRST = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp()) * 10**9


def run_folder(parent: Path, name: str, first: int, equity: np.ndarray, settings: str = "seed = 7\n") -> Path:
    folder = parent / name
    folder.mkdir()
    times = pl.Series(FIRST + DAY * np.arange(first, first + len(equity))).cast(pl.Datetime("ns", "UTC"))
    pl.DataFrame({"time": times, "equity": equity}).write_parquet(folder / "equity.parquet")
    summary = {"strategy": {"periods_per_year": 252.0}, "turnover": 2.5, "costs": 10.0, "fills": 3}
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "settings.toml").write_text(settings)
    return folder


def walk(seed: int, bars: int) -> np.ndarray:
    return 1e5 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, bars)))


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    one = run_folder(tmp_path, "one", 0, walk(1, 300), 'seed = 7\n[swarm]\ntopology = "ring"\n')
    two = run_folder(tmp_path, "two", 100, walk(2, 300), "seed = 8\n")
    return [one, two]


def test_metrics_are_measured_over_the_common_days_alone(folders: list[Path]) -> None:
    found = compare(folders)
    assert len(found.times) == 200
    assert found.times[0] == FIRST + 100 * DAY
    for curve, metrics in zip((walk(1, 300)[100:], walk(2, 300)[:200]), found.metrics, strict=True):
        assert metrics["sharpe"] == measure(curve, 252.0).sharpe
        assert metrics["max_drawdown"] == measure(curve, 252.0).max_drawdown
    assert np.allclose(found.growth[:, 0], walk(1, 300)[100:] / walk(1, 300)[100], rtol=1e-15)


def test_correlations_are_those_of_the_returns(folders: list[Path]) -> None:
    found = compare(folders)
    returns = found.growth[1:] / found.growth[:-1] - 1
    assert np.allclose(found.correlations, np.corrcoef(returns.T), atol=1e-12)


def test_a_run_that_does_not_move_correlates_with_nothing(tmp_path: Path, folders: list[Path]) -> None:
    still = run_folder(tmp_path, "still", 0, np.full(300, 1e5))
    data = as_data(compare([folders[0], still]))
    assert data["correlations"] == [[pytest.approx(1.0), None], [None, None]]
    assert data["runs"][1]["sharpe"] is None


def test_settings_that_differ_stand_side_by_side(folders: list[Path]) -> None:
    found = differing_settings([read_run(f) for f in folders])
    assert found == {"seed": [7, 8], "swarm.topology": ["ring", None]}


def test_the_data_go_through_json(folders: list[Path]) -> None:
    data = json.loads(json.dumps(as_data(compare(folders))))
    assert data["start"] == "2020-04-10T00:00:00"
    assert [r["name"] for r in data["runs"]] == ["one", "two"]
    assert data["runs"][0]["fills"] == 3
    assert data["runs"][0]["orders"] is None


def test_runs_of_one_name_are_told_apart(tmp_path: Path, folders: list[Path]) -> None:
    (tmp_path / "other").mkdir()
    same = run_folder(tmp_path / "other", "one", 0, walk(3, 300))
    assert [r.name for r in compare([folders[0], same]).runs] == ["one", "one (2)"]


def test_the_page_has_curves_and_tables(folders: list[Path], tmp_path: Path) -> None:
    found = compare(folders)
    page = write_comparison(found, tmp_path / "page.html").read_text(encoding="utf-8")
    assert page == render_comparison(found)
    for anchor in ("growth", "metrics", "drawdowns", "correlations", "settings"):
        assert f'id="{anchor}"' in page
    assert "swarm.topology" in page
    assert "2020-04-10 to 2020-10-26" in page


def test_what_cannot_be_compared_is_named(tmp_path: Path, folders: list[Path]) -> None:
    with pytest.raises(ReportError, match="at least two"):
        compare(folders[:1])
    with pytest.raises(ReportError, match=r"no finished run: summary\.json is missing"):
        compare([folders[0], tmp_path])
    with pytest.raises(ReportError, match="0 bars in common"):
        compare([folders[0], run_folder(tmp_path, "later", 900, walk(1, 50))])
    with pytest.raises(ReportError, match="ruined is not positive"):
        compare([folders[0], run_folder(tmp_path, "ruined", 0, np.linspace(1e5, -1.0, 300))])
    (folders[1] / "summary.json").write_text("{")
    with pytest.raises(ReportError, match="cannot be read"):
        compare(folders)


def test_backtests_differ_in_strategy_parameters_and_market(folders: list[Path]) -> None:
    for folder, lookback in zip(folders, (20, 60), strict=True):
        summary = json.loads((folder / "summary.json").read_text())
        summary |= {"strategy_name": "momentum", "parameters": {"lookback": lookback, "skip": 5}}
        (folder / "summary.json").write_text(json.dumps(summary))
    (folders[1] / "market.toml").write_text("latency = 1\n[terms]\nborrow_rate = 0.02\n")
    found = compare(folders)
    different = differing_settings(found.runs)
    assert different["strategy.lookback"] == [20, 60]
    assert different["market.terms.borrow_rate"] == [None, 0.02]
    assert "strategy.skip" not in different
    page = render_comparison(found)
    assert "strategy.lookback" in page
    assert "Agents, whole run" not in page
