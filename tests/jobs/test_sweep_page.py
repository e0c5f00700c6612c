import json
import re
from pathlib import Path

import pytest

from nt_ray.backtest.practice import practice_panel
from nt_ray.backtest.sweep import Grid, sweep
from nt_ray.strategies.registry import find
from nt_ray.trader import sweeping


def figures_of(page: str) -> dict:
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page, flags=re.DOTALL)
    assert found is not None
    return json.loads(found.group(1))


@pytest.mark.parametrize("metric", ["sortino", "turnover"])
def test_the_page_of_a_sweep_draws_what_was_varied(tmp_path: Path, metric: str) -> None:
    grid = Grid({"fast": [5, 10, 15], "slow": [20, 30, 40]})
    result = sweep(practice_panel(2, 200), find("sma_cross"), grid)
    sweeping.write_page(result, metric, tmp_path / "sweep.html")
    page = (tmp_path / "sweep.html").read_text(encoding="utf-8")
    # Turnover is better the less there is of it, and no colour for more.
    by = "sharpe" if metric == "turnover" else metric
    best = result.combinations(by, 1).row(0, named=True)
    drawn = figures_of(page)
    assert set(drawn) == {"best", "parallel"}
    cells = [z for row in drawn["best"]["data"][0]["z"] for z in row]
    assert len(cells) == 9
    assert max(cells) == pytest.approx(best[by])
    assert "sma_cross: sweep of 9 combinations on practice" in page


def test_of_a_very_large_sweep_the_page_keeps_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "MOST_ON_PAGE", 4)
    result = sweep(practice_panel(1, 150), find("sma_cross"), Grid({"fast": list(range(2, 13)), "slow": [20]}))
    sweeping.write_page(result, "sharpe", tmp_path / "sweep.html")
    page = (tmp_path / "sweep.html").read_text(encoding="utf-8")
    assert "4 candidates" in page
    drawn = figures_of(page)["along"]["data"][0]
    best = result.combinations("sharpe", 1).row(0, named=True)
    assert (best["fast"], pytest.approx(best["sharpe"])) in list(zip(drawn["x"], drawn["y"], strict=True))
