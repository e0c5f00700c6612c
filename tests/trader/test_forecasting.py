import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from jobs import cli
from nt_ray.backtest.practice import practice_panel
from nt_ray.config import Settings, load_settings
from nt_ray.errors import MarketDataError
from nt_ray.neural.problems import NeuralError
from nt_ray.trader import forecast_cache
from nt_ray.trader.data import GIVEN, Loaded, load_fields
from nt_ray.trader.facade import NeuralTrader, Run
from nt_ray.trader.forecast_cache import ForecastCache, code_digest
from nt_ray.trader.forecasting import CACHE, FIELD, HorizonError, recipe_of

ROWS, FIRST = 300, 120
BARS = practice_panel(3, ROWS)
SMALL = {
    "neural.forecast.train_rows": str(FIRST), "neural.forecast.refit_every": "60", "neural.forecast.lookback": "10",
    "neural.forecast.steps": "20", "neural.forecast.batch": "64",
}  # fmt: skip


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    frame = pl.DataFrame(
        {
            "date": np.repeat(BARS.timestamps, 3).view("datetime64[ns]").astype("datetime64[D]"),
            "symbol": list(BARS.symbols) * ROWS,
            **{name: BARS.field(name).ravel() for name in ("open", "high", "low", "close", "volume")},
        }
    )
    path = tmp_path / "prices.csv"
    frame.write_csv(path)
    return path


def settings(prices: Path, **values: str) -> Settings:
    named = {key.replace("__", "."): value for key, value in values.items()}
    given = {"data.source": str(prices), "runs": str(prices.parent / "runs"), **SMALL}
    return load_settings(None, {**given, **named}, environ={})


def trade(chosen: Settings) -> tuple[Run, list[tuple[int, int]]]:
    told: list[tuple[int, int]] = []
    with NeuralTrader(chosen, on_fit=lambda done, total: told.append((done, total))) as trader:
        return trader.execute_strategy(), told


def field_of(loaded: Loaded) -> np.ndarray:
    return loaded.panel.field(FIELD)


def test_a_run_trains_trades_and_says_what_its_forecasts_were_worth(prices: Path) -> None:
    chosen = settings(prices, strategies__enabled="neural_forecast,momentum")
    (first, fits), (again, none) = trade(chosen), trade(chosen)
    assert fits == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert none == []
    assert first.summary["digest"] == again.summary["digest"]
    report = json.loads((first.folder / "forecast.json").read_text(encoding="utf-8"))
    assert report == first.summary["forecast"]
    assert set(report["rows"]) == {"forecast", "last price", "last move", "mean move"}
    assert report["bars"] == ROWS - FIRST
    assert "beats the last price: " in report["verdict"]
    assert report["origin"].startswith("dlinear on the last 10 returns")
    assert "Forecasts beside naive ones" in (first.folder / "tear-sheet.html").read_text(encoding="utf-8")
    kept = pl.read_parquet(first.folder / "forecasts.parquet").drop("time").to_numpy()
    assert np.isnan(kept[: FIRST - 1]).all()
    assert np.isfinite(kept[FIRST - 1 :]).all()
    assert [row["strategy"] for row in first.summary["by_strategy"]] == ["neural_forecast", "momentum"]


def test_a_strategy_asked_for_by_name_gets_its_forecast_too(prices: Path) -> None:
    with NeuralTrader(settings(prices)) as trader:
        assert FIELD not in trader.panel.fields
        assert "forecast" not in trader.execute_strategy().summary
        named = trader.execute_strategy("neural_forecast")
        assert named.summary["forecast"]["horizon"] == 1
        # Before the first fit it abstains.
        times = named.record.trades["time"].cast(pl.Int64).to_list()
        assert min(times) > BARS.timestamps[FIRST - 1]
        # The forecast is there, and nobody trades it.
        assert "forecast" not in trader.execute_strategy("momentum").summary


def test_a_column_of_the_data_is_taken_as_it_is(prices: Path) -> None:
    values = np.round(np.random.default_rng(3).normal(0.0, 0.01, (ROWS, 3)), 4)
    pl.read_csv(prices).with_columns(pl.Series(FIELD, values.ravel())).write_csv(prices)
    chosen = settings(prices, strategies__enabled="neural_forecast", data__start="2010-02-01")
    loaded = load_fields(chosen, [FIELD], [5])
    np.testing.assert_array_equal(field_of(loaded), values[31:])
    assert (loaded.origin, loaded.horizon) == (GIVEN, 5)
    run, fits = trade(chosen)
    assert fits == []
    assert run.summary["forecast"]["origin"] == GIVEN
    assert not (prices.parent / "runs" / CACHE).exists()


def test_bars_before_the_start_train_and_change_no_forecast(prices: Path) -> None:
    whole = load_fields(settings(prices), [FIELD])
    later = load_fields(settings(prices, data__start="2010-07-20"), [FIELD])
    skipped = ROWS - len(later.panel)
    assert skipped == 200
    np.testing.assert_array_equal(field_of(later), field_of(whole)[skipped:])
    earlier = load_fields(settings(prices, data__end="2010-07-19"), [FIELD])
    np.testing.assert_array_equal(field_of(earlier), field_of(whole)[:skipped])


def test_what_is_kept_belongs_to_its_settings_and_is_made_anew_where_it_is_damaged(prices: Path) -> None:
    told: list[int] = []

    def load(**values: str) -> np.ndarray:
        told.clear()
        return field_of(load_fields(settings(prices, **values), [FIELD], (), lambda done, _: told.append(done)))

    first = load()
    assert len(told) == 4
    (path,) = (prices.parent / "runs" / CACHE).iterdir()
    for change in ({"seed": "8"}, {"neural__forecast__steps": "21"}, {"data__symbols": "P1,P2"}):
        other = load(**change)
        assert len(told) == 4
        assert other.tobytes() != first.tobytes()
    content = bytearray(path.read_bytes())
    for damaged in (content[:-8], content[:100] + b"\xff" + content[101:], b""):
        path.write_bytes(damaged)
        assert load().tobytes() == first.tobytes()
        assert len(told) == 4
    assert load().tobytes() == first.tobytes()
    assert told == []


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = ForecastCache(tmp_path / "file")
    cache.put("key", np.zeros((2, 2)))
    assert cache.get("key", (2, 2)) is None


def test_what_cannot_be_forecast_is_named_with_the_remedy(prices: Path) -> None:
    with pytest.raises(HorizonError, match=r"horizon of 5 bars, and forecasts are made for 1.*neural\.forecast\.hor"):
        load_fields(settings(prices), [FIELD], [5])
    variants = {"strategies__enabled": "neural_forecast", "strategies__variants__neural_forecast": "[{horizon=3}]"}
    with pytest.raises(HorizonError), NeuralTrader(settings(prices, **variants)):
        pass
    with NeuralTrader(settings(prices, **variants, neural__forecast__horizon="3")) as trader:
        assert trader.execute_strategy().summary["forecast"]["horizon"] == 3
    with pytest.raises(NeuralError, match=r"300 bars, and the first forecast is made after 1000.*train_rows"):
        load_fields(settings(prices, neural__forecast__train_rows="1000"), [FIELD])
    with pytest.raises(NeuralError, match="did you mean 'dlinear'"):
        load_fields(settings(prices, neural__forecast__model="dlinar"), [FIELD])
    if not torch.cuda.is_available():
        with pytest.raises(NeuralError, match="this machine has 0 GPUs"):
            load_fields(settings(prices, neural__training__gpu="true"), [FIELD])
    with pytest.raises(MarketDataError, match="no column 'forecast'"):
        load_fields(settings(prices, data__extra="forecast"), [FIELD])
    with pytest.raises(MarketDataError, match="no column 'score'"):
        load_fields(settings(prices), [FIELD, "score"])


@pytest.mark.parametrize(
    "command", ["backtest", "sweep --param threshold=0.1,0.2", "walk-forward --param threshold=0.1,0.2"]
)
def test_commands_that_research_make_the_forecast_as_well(
    command: str, prices: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(prices.parent)
    name, *options = command.split()
    if name == "walk-forward":
        options += ["--train", "150", "--test", "50"]
    chosen = [f"--set={key}={value}" for key, value in SMALL.items()]
    assert cli.main([name, "neural_forecast", *options, "--data", str(prices), "--json", *chosen]) == 0
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert "forecasts: fits" not in told.err
    assert (prices.parent / "runs" / CACHE).is_dir()
    if name == "backtest":
        assert found["forecast"]["rows"]["last price"]["mse_ratio"] == 1.0
        assert found["fills"] > 0


def test_the_table_of_forecasts_is_shown_to_a_person(
    prices: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(prices.parent)
    monkeypatch.setenv("COLUMNS", "120")
    chosen = [f"--set={key}={value}" for key, value in SMALL.items()]
    assert cli.main(["backtest", "neural_forecast", "--data", str(prices), "--no-open", *chosen]) == 0
    told = capsys.readouterr()
    assert "forecasts of the next bar" in told.out
    assert "beats the last price" in told.out
    assert "forecasts: fits" in told.err


def test_the_network_takes_its_parameters_from_the_settings(prices: Path) -> None:
    given = settings(prices, neural__forecast__parameters__kernel="5")
    assert recipe_of(given).parameters == {"kernel": 5.0}
    table = settings(prices, neural__forecast__parameters="{kernel = 5}")
    assert recipe_of(table) == recipe_of(given)
    plain = field_of(load_fields(settings(prices), [FIELD]))
    other = field_of(load_fields(given, [FIELD]))
    assert other.tobytes() != plain.tobytes()
    with pytest.raises(NeuralError, match="kernal"):
        recipe_of(settings(prices, neural__forecast__parameters__kernal="5"))


def test_what_was_not_asked_for_the_longest_makes_room(tmp_path: Path) -> None:
    values = np.arange(100.0).reshape(50, 2)
    size = values.nbytes + 32
    cache = ForecastCache(tmp_path, limit=3 * size)
    for moment, key in enumerate("abc"):
        cache.put(key, values)
        os.utime(tmp_path / f"{key}.f64", (1000 + moment, 1000 + moment))
    assert cache.get("a", (50, 2)) is not None
    (tmp_path / "dead.part").write_bytes(b"")
    os.utime(tmp_path / "dead.part", (1000, 1000))
    (tmp_path / "living.part").write_bytes(b"")
    cache.put("d", values)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.f64", "c.f64", "d.f64", "living.part"]
    # The newest stays even where it alone is too large.
    ForecastCache(tmp_path, limit=size - 1).put("e", values)
    assert sorted(path.name for path in tmp_path.glob("*.f64")) == ["e.f64"]
    found = cache.get("e", (50, 2))
    assert found is not None
    np.testing.assert_array_equal(found, values)


def test_a_change_in_any_room_of_the_forecasters_makes_forecasts_anew(tmp_path: Path) -> None:
    home = Path(forecast_cache.__file__).parents[1]
    shutil.copytree(home / "neural", tmp_path / "neural", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(home / "philox.py", tmp_path)
    rooms = [tmp_path / "neural", tmp_path / "philox.py"]
    seen = {code_digest(), code_digest(rooms)}
    assert len(seen) == 1
    sources = ("series/scaling", "training/step", "scoring/traded", "heads/quantile", "inference/predictor")
    for count, name in enumerate([*(f"neural/{source}.py" for source in sources), "philox.py"], start=2):
        path = tmp_path / name
        path.write_text(path.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
        seen.add(code_digest(rooms))
        assert len(seen) == count, name
    (tmp_path / "neural" / "heads" / "quantile.py").rename(tmp_path / "neural" / "heads" / "other.py")
    assert code_digest(rooms) not in seen


def test_inputs_of_the_settings_reach_the_network_that_is_traded(prices: Path) -> None:
    from nt_ray.trader.data import load_bars
    from nt_ray.trader.forecasting import add_forecast, described

    few = {
        "neural__forecast__model": "gru", "neural__forecast__parameters": "{hidden = 4, layers = 1}",
        "neural__forecast__refit_every": "200", "neural__forecast__steps": "5",
    }  # fmt: skip
    inputs = {"neural__forecast__past": "volume", "neural__forecast__future": "weekday"}
    with_them, without = settings(prices, **few, **inputs), settings(prices, **few)
    bars = load_bars(with_them.data)
    found, bare = (add_forecast(chosen, bars, bars).field(FIELD) for chosen in (with_them, without))
    assert np.isfinite(found[FIRST - 1 :]).all()  # the last bar too, whose next day the calendar tells
    assert not np.allclose(found[FIRST:], bare[FIRST:])
    assert described(with_them).startswith("gru on the last 10 returns with volume, weekday, fitted")
    # Volumes after a row change nothing before it.
    values = bars.values.copy()
    values[200:, :, 4] *= 3.0
    later = replace(bars, values=values)
    changed = add_forecast(with_them, later, later).field(FIELD)
    np.testing.assert_array_equal(changed[:200], found[:200])
    assert not np.array_equal(changed[200:], found[200:])
