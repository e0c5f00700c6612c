import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import neural_gpu, neural_intervals, neural_ltsf, neural_peer
from nt_ray.neural.scoring.ltsf import Split, Task, repeat_score, score_task
from nt_ray.neural.scoring.method import Forecasts
from nt_ray.neural.series.panel import SeriesPanel

SETTING = neural_ltsf.Setting(
    split="shares",
    lookbacks=(8, 12),
    batch=16,
    steps=10,
    lr=1e-2,
    decay=0.0,
    cuts=(0.4, 0.6),
    reach=0.2,
    published={4: 0.5},
    targets={4: 0.2},
    worst=1.02,
)


def task(after_validation: float = 0.0) -> Task:
    """Two series of 200 rows, 140 to train, 20 to validate; `after_validation` moves the test rows."""
    values = np.random.default_rng(0).normal(size=(2, 200)).cumsum(axis=1)
    values[:, 160:] += after_validation
    times = np.datetime64("2020-01-01", "us") + np.arange(200) * np.timedelta64(1, "D")
    return Task("walks", SeriesPanel(("a", "b"), times, values), Split(140, 160, 200))


def test_what_is_chosen_and_trained_knows_nothing_of_the_test() -> None:
    torch.set_num_threads(1)
    before, after = task(), task(100.0)
    assert neural_ltsf.choose(before, 4, SETTING) == neural_ltsf.choose(after, 4, SETTING)
    held = neural_ltsf.held_share(before)
    assert held == pytest.approx(20 / 160)
    weights = [
        neural_ltsf.members(one.developing, held, 4, SETTING, ("rlinear",), 3)[0].network.state_dict()
        for one in (before, after)
    ]
    for name, tensor in weights[0].items():
        torch.testing.assert_close(tensor, weights[1][name], rtol=0, atol=0)


def test_without_weight_the_networks_are_the_last_value() -> None:
    none = neural_ltsf.Choice(("nlinear",), 0.0)
    assert neural_ltsf.one_seed(task(), 4, SETTING, none, 0).mse == repeat_score(task(), 4).mse
    for found in neural_ltsf.ratios(task(), 4, SETTING, 120).values():
        assert found[0] == 1.0
        assert len(set(found)) == len(neural_ltsf.SHARES)


def test_early_cuts_keep_validation_windows_for_a_long_horizon() -> None:
    assert set(neural_ltsf.ratios(task(), 14, SETTING, 80)) == {*((m,) for m in neural_ltsf.MODELS), neural_ltsf.MODELS}


def test_where_there_are_no_cuts_nothing_is_chosen() -> None:
    assert neural_ltsf.choose(task(), 4, replace(SETTING, cuts=())) == neural_ltsf.Choice(neural_ltsf.MODELS, 1.0)


def test_a_penalty_and_look_backs_are_chosen_and_solved_without_the_test() -> None:
    setting = replace(SETTING, penalties=(0.1, 10.0), recent=6)
    before, after = task(), task(100.0)
    choice = neural_ltsf.choose(before, 4, setting)
    assert choice == neural_ltsf.choose(after, 4, setting)
    assert choice.lookbacks in {(8,), (12,), (8, 12)}
    assert choice.penalty in setting.penalties
    found = [neural_ltsf.ridge_ratios(before, 4, setting, cut) for cut in (80, 120)]
    best = min(found[0], key=lambda key: sum(one[key] for one in found))
    assert best == (choice.lookbacks, choice.penalty)
    assert len(found[0]) == 6


def test_a_solved_row_is_the_mean_of_its_look_backs_and_draws_nothing() -> None:
    setting = replace(SETTING, penalties=(1.0,))
    one = task()
    choice = neural_ltsf.Choice(("rlinear",), 1.0, (8, 12), 1.0)
    trained = [
        neural_ltsf.solved(one.developing, neural_ltsf.held_share(one), 4, setting, lookback, [1.0])[0]
        for lookback in (8, 12)
    ]
    expected = score_task(one, 4, lambda origins: neural_ltsf.mean_of(trained, one.panel, origins))
    assert neural_ltsf.one_seed(one, 4, setting, choice, 0) == expected
    assert neural_ltsf.one_seed(one, 4, setting, choice, 1) == expected
    assert neural_ltsf.one_seed(one, 4, setting, choice, 0, refit=True) != expected


def test_solved_weights_are_measured_twice_and_trained_ones_once() -> None:
    solved = list(neural_ltsf.rows(task(), 4, replace(SETTING, penalties=(1.0,)), 2))
    assert [(row["kind"], row["mse_sd"]) for row in solved] == [("chosen", None), ("refit", None)]
    assert solved[0]["members"] == len(solved[0]["lookbacks"])
    fixed = neural_ltsf.Choice(("nlinear",), 0.5)
    trained = list(neural_ltsf.rows(task(), 4, replace(SETTING, cuts=(), fixed=fixed), 2))
    assert [row["kind"] for row in trained] == ["fixed", "chosen"]
    assert [row["members"] for row in trained] == [2, 6]
    assert trained[0]["mse_sd"] > 0


def test_a_row_is_held_against_target_naive_rule_and_the_published_row() -> None:
    result = {"horizon": 4, "mse": 0.2004, "repeat": {"mse": 0.19, "dropped_mse": 0.5021}}
    assert list(neural_ltsf.checks(result, SETTING).values()) == [False, True, False]
    better = {"horizon": 4, "mse": 0.1931, "repeat": {"mse": 0.19, "dropped_mse": 0.501}}
    assert list(neural_ltsf.checks(better, SETTING).values()) == [True, True, True]


def test_coverage_is_judged_after_the_warm_up_alone() -> None:
    truth = np.random.default_rng(1).normal(size=(2, 900))
    truth[:, :300] *= 50.0
    times = np.datetime64("2020-01-01", "us") + np.arange(900) * np.timedelta64(1, "D")
    panel = SeriesPanel(("a", "b"), times, truth)
    made = Forecasts(np.arange(899), np.zeros((2, 899, 1)))
    found = neural_intervals.over_seeds([made], panel, 400, 200)
    assert (found["origins"], found["seeds"], found["80%"]["covered_sd"]) == (499, 1, None)
    for share in (0.8, 0.9):
        cell = found[f"{share:.0%}"]
        assert cell["covered"] == pytest.approx(share, abs=0.02)
        assert cell["met"]
        assert cell["least"] <= cell["covered"] <= cell["largest"]


def test_coverage_is_the_mean_over_seeds_and_the_stretches_are_the_worst_of_any(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def cell(covered: float, least: float, largest: float) -> dict[str, float]:
        return {"covered": covered, "least": least, "largest": largest}

    cells = [
        {"80%": cell(0.83, 0.79, 0.85), "90%": cell(0.9, 0.9, 0.91)},
        {"80%": cell(0.79, 0.78, 0.81), "90%": cell(0.9, 0.89, 0.9)},
    ]
    monkeypatch.setattr(neural_intervals, "judged", lambda cell, *_: {"origins": 9, "stretch": 3} | cell)
    found = neural_intervals.over_seeds(cells, task().panel, 0, 3)  # type: ignore[arg-type]
    assert (found["origins"], found["stretch"], found["seeds"]) == (9, 3, 2)
    lower = found["80%"]
    assert (lower["covered"], lower["covered_sd"]) == pytest.approx((0.81, 0.04 / np.sqrt(2)))
    assert (lower["least"], lower["largest"], lower["met"], lower["rolling_met"]) == (0.78, 0.85, True, False)
    assert (found["90%"]["covered_sd"], found["90%"]["met"], found["90%"]["rolling_met"]) == (0.0, True, True)


def test_each_seed_is_trained_and_judged_on_the_days_of_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []

    def walked(panel: SeriesPanel, method: Any, plan: Any) -> Any:
        del method
        seen.append(plan.seeds)
        origins = np.arange(plan.train - 1, plan.train + 3000, dtype=np.int64)
        made = Forecasts(origins, np.zeros((len(panel.names), len(origins), 5)))
        return SimpleNamespace(forecasts=(made,) * len(plan.seeds))

    monkeypatch.setattr(neural_intervals, "walk_forward", walked)
    found = neural_intervals.sp500("sp500-index", 3)
    assert seen == [(0, 1, 2)]
    assert (found["seeds"], found["90%"]["covered_sd"]) == (3, 0.0)


def test_a_missing_peer_is_named_and_nothing_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["neural_peer", "--peers", str(tmp_path)])
    neural_peer.main()
    assert "sh benchmarks/neural_peer.sh" in capsys.readouterr().out


def test_the_price_of_a_step_is_a_median_after_warm_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    turn = [900.0, 900.0, 1.0, 1.0, 2.0, 3.0, 1.0, 9.0, 9.0, 2.0]
    assert neural_peer.medians([turn]) == [2.0]

    def told(folder: Path, asked: dict[str, Any]) -> dict[str, list[list[float]]]:
        assert (folder, asked["peer"], asked["steps"]) == (tmp_path, True, 10)
        own = {
            "own 2000": [[99.0, 2.0, 2.0]] * 3,
            "floor": [[99.0, 1.0, 1.0]] * 3,
            "network 2000": [[99.0, 3.0, 3.0]] * 3,
        }
        return own | {"peer 2000": [[99.0, 21.0, 21.0]] * 3}

    monkeypatch.setattr(neural_peer, "run", told)
    row = neural_peer.network_row(tmp_path, "DLinear", 10, 3)
    assert (row["ratio"], row["ratio_of_floor"], row["ratio_of_network"]) == pytest.approx((10.5, 21.0, 7.0))
    assert (row["met"], row["met_by_network"]) == (True, False)


def test_without_a_gpu_that_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["neural_gpu"])
    neural_gpu.main()
    assert capsys.readouterr().out == "There is no GPU here, so nothing is measured.\n"


def test_operations_are_counted_without_views_and_the_eager_loop_learns() -> None:
    left, right = torch.ones(3, 4), torch.ones(4, 5)
    assert neural_gpu.counted(lambda: (left @ right).view(-1).relu_()) == (2, 2 * 3 * 4 * 5)
    panel = neural_gpu.panel_of(3, 200)
    network = neural_gpu.run_of(panel, "dlinear", 8, 1, "cpu").task.network
    before = [parameter.detach().clone() for parameter in network.parameters()]
    neural_gpu.Eager(panel, network, 8, "cpu").step()
    assert all((old != new).any() for old, new in zip(before, network.parameters(), strict=True))
