"""Inputs, solvers, ensembles and conformal quantiles from the command to the forecast; drift of what was trained so."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deployments.inference.service import Service
from nt_ray.config import load_settings
from nt_ray.neural.drift.drift_reference import reference_in
from nt_ray.neural.inference.bundle import load_bundle
from nt_ray.neural.inference.predictor import Predictor
from nt_ray.neural.training.choice import panel_for
from nt_ray.trader.data import load_bars

Answer = Callable[..., dict[str, Any]]

DATA = ("--data", "stocks", "--symbols", "AAPL,MSFT")
SMALL = (
    *DATA, "--start", "2010-01-01", "--target", "returns", "--lookback", "12", "--horizon", "3", "--steps", "40",
    "--set", "neural.training.validate_every=20", "--param", "hidden=4", "--param", "layers=1",
)  # fmt: skip
INPUTS = ("--set", "neural.training.past=volume", "--set", "neural.training.future=weekday,month")


def test_inputs_reach_training_forecasts_scores_and_drift(answer: Answer) -> None:
    made = answer("train", "gru", *SMALL, *INPUTS, "--end", "2011-12-01", "--register", "g")
    trained = load_bundle(Path(made["bundle"]))
    assert (trained.signature.past, trained.signature.future) == (("volume",), ("weekday", "month"))
    kept = reference_in(json.loads((Path(made["bundle"]) / "model.json").read_text()), "here")
    assert sorted(kept.inputs) == ["AAPL", "AAPL.volume", "MSFT", "MSFT.volume"]
    assert kept.errors is not None
    # The bars after the last are told by the calendar alone: the forecast is that of a panel with their days.
    found = answer("forecast", "g/1", *DATA)
    bars = load_bars(load_settings(None, {"data.source": "stocks", "data.symbols": "AAPL,MSFT"}, environ={}).data)
    panel = panel_for(bars, "returns", trained.signature)
    assert panel.ahead == 3
    assert panel.future[0, -3:, 0].tolist() == [0, 1, 2]  # the data end on a Friday
    wanted = Predictor(trained).forecast(panel).mean
    assert found["series"]["AAPL"]["mean"] == pytest.approx(wanted[0].tolist())

    bare = answer("train", "gru", *SMALL, "--end", "2011-12-01", "--register", "g")
    assert bare["folder"] != made["folder"]
    answer("models", "promote", "g/2", "--alias", "live")
    scored = answer("models", "score", "g/1", "--alias", "live", *DATA, code=1)["evidence"]
    assert scored["champion_version"] == 2
    assert scored["windows"] > 100

    drift = answer("models", "drift", "g/1", "--data", "stocks")
    assert [column["name"] for column in drift["inputs"]] == ["AAPL", "MSFT", "AAPL.volume", "MSFT.volume"]
    assert drift["errors"]["rows"] > 300
    assert drift["coverage"][0]["level"] == 0.9
    assert answer("models", "drift", "g/1", *DATA, "--errors", "e", code=2)["error"]["code"] == "bad_input"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--set", "neural.training.past=volum"), "did you mean 'volume'? There are: open, high, low, close, volume"),
        (("--set", "neural.training.future=weekdy"), "did you mean 'weekday'? There are: minute, hour, weekday"),
    ],
)
def test_unknown_inputs_are_named_with_those_there_are(answer: Answer, more: tuple[str, ...], words: str) -> None:
    error = answer("train", "gru", *SMALL, *more, code=2)["error"]
    assert words in error["message"]


def test_bars_without_an_input_are_refused_by_name(answer: Answer) -> None:
    some = ("--symbols", "KO", "--start", "2018-01-01", "--set", "neural.training.past=volume")
    assert "KO has no value of the past input 'volume'" in answer("train", "gru", *some, code=2)["error"]["message"]


def test_errors_of_a_table_are_judged_against_those_of_validation(answer: Answer, tmp_path: Path) -> None:
    made = answer("train", "dlinear", *SMALL[:-4], "--end", "2011-12-01", "--register", "d")
    kept = reference_in(json.loads((Path(made["bundle"]) / "model.json").read_text()), "here")
    assert kept.errors is not None
    rng = np.random.default_rng(0)
    rows = {name: rng.choice(sketch.values, 200) for name, sketch in kept.inputs.items()}
    for grown, code in ((1.0, 0), (5.0, 1)):
        columns = rows | {"error": grown * rng.choice(kept.errors.values, 200)}
        lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
        (tmp_path / "recent.csv").write_text("\n".join(lines))
        found = answer("models", "drift", "d/1", "recent.csv", "--errors", "error", code=code)
        assert (found["errors"]["alarm"] is not None) == bool(code)


def test_a_closed_form_is_trained_evaluated_and_kept(answer: Answer) -> None:
    some = ("--symbols", "KO", "--start", "2021-01-01", "--lookback", "8", "--horizon", "1")
    ridge = (*some, "--set", "neural.training.solver=ridge", "--set", "neural.training.penalties=0.1,10")
    made = answer("train", "rlinear", *ridge, "--register", "r")
    assert made["registered"] == "r/1"
    assert made["recipe"]["head"] == "mse"
    assert made["metrics"]["penalty"] in (0.1, 10.0)
    assert f"with the penalty {made['metrics']['penalty']:g}" in Path(made["page"]).read_text()
    one = ("--set", "neural.training.penalties=2", "--set", "neural.training.validation=0")
    alone = answer("train", "rlinear", *ridge, *one)
    assert alone["metrics"]["penalty"] == 2.0
    assert "no validation" in Path(alone["page"]).read_text()
    found = answer("evaluate", "rlinear", *ridge, "--seeds", "1", "--folds", "1", "--stride", "3", "--no-trade")
    assert found["leaks"] == {"rlinear": []}
    assert {"rlinear"} <= set(found["verdicts"])
    assert "Use rlinear with mse" in answer("train", "dlinear", *ridge, code=2)["error"]["message"]


@pytest.mark.parametrize("more", [("--workers", "2"), ("--workers", "1:4"), ("--workers", "1", "--shards", "2")])
def test_a_closed_form_that_would_be_shared_is_refused_before_workers_start(
    answer: Answer, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("Ray was started for nothing")

    monkeypatch.setattr("actors.cluster.connect", never)
    some = ("--symbols", "KO", "--start", "2021-01-01", "--lookback", "8", "--horizon", "1")
    error = answer("train", "rlinear", *some, "--set", "neural.training.solver=ridge", *more, code=2)["error"]
    assert error["code"] == "neural"
    assert "solved by one process on series in one piece" in error["message"]


def test_an_ensemble_of_networks_is_trained_served_and_asked_for_conformal_quantiles(
    answer: Answer, tmp_path: Path
) -> None:
    some = ("--symbols", "KO,PEP", "--start", "2018-01-01", "--lookback", "12", "--horizon", "3", "--steps", "20")
    points = ("--set", "neural.training.head=mse")
    made = answer("train", "dlinear+rlinear", *some, *points, "--param", "dlinear.kernel=5", "--register", "both")
    assert made["model"] == "dlinear+rlinear"
    answer("models", "promote", "both/1", "--alias", "live")
    places = {"neural.registry": str(tmp_path / "models"), "neural.cache": str(tmp_path / "models/.cache")}
    service = Service(load_settings(None, {**places, "neural.inference.alias": "live"}, environ={}).neural)
    target = np.cumsum(np.random.default_rng(1).normal(size=(2, 20)), axis=1)

    def ask(**more: Any) -> dict[str, Any]:
        body = json.dumps({"model": "both", "target": target.tolist(), "levels": [0.1, 0.5, 0.9], **more})
        found: dict[str, Any] = json.loads(asyncio.run(service.forecast(body.encode(), "application/json", {})).body)
        return found

    try:
        found = ask()
        assert ask(intervals="conformal") == found
        mean, quantiles = Predictor.load(Path(made["bundle"])).windows(
            _panel(target), np.array([19]), (0.1, 0.5, 0.9), intervals="conformal"
        )
        np.testing.assert_allclose(found["mean"], mean[:, 0], rtol=1e-4)
        np.testing.assert_allclose(found["quantiles"], quantiles[:, 0], rtol=1e-4)
        with pytest.raises(Exception, match="Ask for conformal ones"):
            ask(intervals="model")
        with pytest.raises(Exception, match="Say model or conformal"):
            ask(intervals="bayesian")
    finally:
        service.close()


def _panel(target: np.ndarray) -> Any:
    from nt_ray.neural.series.panel import SeriesPanel

    times = np.datetime64("2026-01-01", "us") + np.arange(target.shape[1]) * np.timedelta64(1, "D")
    return SeriesPanel(("a", "b"), times, target)
