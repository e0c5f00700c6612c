import json

import numpy as np
import pytest

from nt_ray.backtest.measures.catalogue import METRICS
from nt_ray.backtest.metrics import measure
from nt_ray.backtest.research.report import research_report, search_report
from nt_ray.backtest.research.splits import walk_forward_splits
from nt_ray.backtest.research.study import Study
from nt_ray.backtest.research.walk_forward import WalkForward, walk
from nt_ray.reports.record import to_plain
from nt_ray.reports.walk_forward import SECTIONS, render_walk_forward, write_walk_forward


@pytest.fixture(scope="module")
def result(study: Study) -> WalkForward:
    return walk(study, list(walk_forward_splits(len(study.panel), 400, 150)))


@pytest.fixture(scope="module")
def report(result: WalkForward) -> dict:
    return research_report(result, seed=3, replications=200, paths=100)


def test_the_report_is_json_and_repeats_to_the_last_bit(result: WalkForward, report: dict) -> None:
    text = json.dumps(to_plain(report), allow_nan=False)
    again = research_report(result, seed=3, replications=200, paths=100, workers=2)
    assert json.dumps(to_plain(again), allow_nan=False) == text
    assert json.dumps(to_plain(research_report(result, seed=4, replications=200, paths=100))) != text


def test_the_report_holds_every_measure_of_both_accounts(result: WalkForward, report: dict) -> None:
    assert list(report["out_of_sample"]) == list(METRICS)
    assert report["out_of_sample"]["sharpe"] == measure(result.course.equity, 252.0).sharpe
    assert report["defaults"]["cagr"] == measure(result.default_course.equity, 252.0).cagr
    assert report["summary"]["out_of_sample"] == result.score
    assert report["sharpe"]["low"] < report["sharpe"]["estimate"] < report["sharpe"]["high"]
    assert report["sharpe"]["estimate"] == pytest.approx(report["out_of_sample"]["sharpe"])
    assert len(report["windows"]) == len(result.windows)
    assert 0.0 <= report["search"]["overfitting"]["probability"] <= 1.0
    against = report["search"]["against_benchmark"]
    assert against["lower"] <= against["consistent"] <= against["upper"]
    assert against["consistent"] >= report["search"]["against_cash"]["consistent"]


def test_a_search_without_choice_says_what_is_undefined() -> None:
    one = search_report(np.random.default_rng(1).normal(0, 0.01, (300, 1)), 252.0, 0, 50)
    assert "at least 2" in one["overfitting"]["undefined"]
    assert one["expected_best_sharpe"] == 0.0
    assert search_report(np.zeros((300, 2)), 252.0, 0)["undefined"] == "No candidate has returns that vary."


def test_the_page_has_its_parts_and_loads_nothing(result: WalkForward, report: dict) -> None:
    page = render_walk_forward(result, report)
    for anchor in SECTIONS:
        assert page.count(f'id="{anchor}"') == 1
    for name in ("equity", "underwater", "windows", "scatter", "parameter-0", "parameter-1"):
        assert f'id="figure-{name}"' in page
    assert 'src="http' not in page
    assert "default-src 'none'" in page
    drawn = json.loads(page.split('<script type="application/json" id="figures">')[1].split("</script>")[0])
    points = drawn["scatter"]["data"][1]
    assert points["x"] == [round(w.in_sample, 6) for w in result.windows]
    assert points["y"] == [round(w.out_of_sample, 6) for w in result.windows]
    assert drawn["parameter-0"]["data"][0]["y"] == [w.params["lookback"] for w in result.windows]


def test_the_page_is_written_where_it_is_asked_for(result: WalkForward, report: dict, tmp_path) -> None:
    path = write_walk_forward(result, report, tmp_path / "page.html")
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
