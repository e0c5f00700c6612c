import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nt_ray.errors import ReportError
from nt_ray.neural.scoring.evaluation import Plan
from nt_ray.neural.scoring.method import Plain
from nt_ray.neural.scoring.naive import historical_mean, truth_at
from nt_ray.neural.scoring.scoreboard import Terms, evaluate
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.reports.forecast_page import ForecastRecord, render_forecasts, write_forecasts
from nt_ray.types import FloatArray, IntArray

ACCOUNT = {"total_return": 0.123, "cagr": 0.04, "sharpe": 0.5, "max_drawdown": -0.2}


def half_way(known: SeriesPanel, panel: SeriesPanel, origins: IntArray) -> FloatArray:
    """Between the last value and the mean."""
    del known
    last = panel.target[:, origins, None]
    return (np.repeat(last, 2, axis=2) + historical_mean(panel.target, origins, 2)) / 2.0


@pytest.fixture(scope="module")
def record() -> ForecastRecord:
    values = np.random.default_rng(0).normal(size=(3, 500))
    for t in range(1, 500):
        values[:, t] += 0.5 * values[:, t - 1]
    times = np.datetime64("2020-01-01", "us") + np.arange(500) * np.timedelta64(1, "D")
    panel = SeriesPanel(("<b>a</b>", "b", "c"), times, values)
    terms = Terms(draws=5)
    board, walks = evaluate(panel, [Plain("half <way>", 2, half_way)], Plan(train=100, test=100), terms)
    losses = {"half <way>": np.array([2.0, 1.0, np.nan, 0.5])}
    traded = {"half <way>": {"forecast": ACCOUNT, "buy_and_hold": ACCOUNT, "turnover": 31.4, "commissions": 99.0}}
    return ForecastRecord("Evaluation", panel, board, walks, terms, losses=losses, traded=traded)


def figures_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page, re.DOTALL)
    assert found
    figures: dict[str, Any] = json.loads(found.group(1))
    return figures


def test_the_page_says_who_beats_the_last_value_beside_every_naive_row(record: ForecastRecord) -> None:
    page = render_forecasts(record)
    assert "half &lt;way&gt; beats the last value: yes." in page
    for name in ("last value", "drift", "mean"):
        assert f'<td class="t">{name}</td>' in page
    assert "31.4 ×" in page
    assert "12.3 %" in page


def test_names_never_become_markup(record: ForecastRecord) -> None:
    page = render_forecasts(record)
    assert "<way>" not in page
    assert "<b>a</b>" not in page


def test_every_figure_has_its_place_and_every_place_its_figure(record: ForecastRecord) -> None:
    page = render_forecasts(record)
    figures = figures_of(page)
    assert set(figures) == {"forecasts", "coverage", "calibration", "histogram", "training"}
    assert set(re.findall(r'id="figure-([a-z]+)"', page)) == set(figures)


def test_a_forecast_is_drawn_where_its_truth_stands(record: ForecastRecord) -> None:
    traces = {t.get("name"): t for t in figures_of(render_forecasts(record))["forecasts"]["data"]}
    drawn = traces["truth"]
    made = record.judged[0].forecasts[0]
    truth = truth_at(record.panel.target, made.origins, 1)[0, :, 0]
    assert drawn["y"][-1] == pytest.approx(truth[-1])
    assert drawn["x"][-1][:10] == str(record.panel.times[made.origins[-1] + 1])[:10]


def test_rolling_coverage_lies_near_what_was_promised(record: ForecastRecord) -> None:
    data = figures_of(render_forecasts(record))["coverage"]["data"]
    assert len(data) == 2
    for trace, share in zip(data, (0.8, 0.9), strict=True):
        assert np.abs(np.array(trace["y"]) - share).max() < 0.1


def test_the_page_is_written_and_what_cannot_be_shown_is_refused(record: ForecastRecord, tmp_path: Path) -> None:
    path = write_forecasts(record, tmp_path / "page.html")
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    with pytest.raises(ReportError, match="no series 'z'"):
        ForecastRecord("x", record.panel, record.board, record.walks, record.terms, series="z")
