import json
from pathlib import Path

import pytest

from jobs import cli
from nt_ray.config import load_settings
from nt_ray.trader.facade import NeuralTrader
from nt_ray.trader.files import PICTURE, TRADES, TRADES_CSV


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    parent = tmp_path_factory.mktemp("runs")
    values = {"data.start": "2021-01-01", "data.symbols": "AAPL,KO", "runs": str(parent)}
    with NeuralTrader(load_settings(None, values)) as trader:
        return [trader.execute_strategy("momentum", params={"lookback": n}).folder for n in (40, 120)]


def test_a_run_leaves_a_picture_and_its_trades_as_csv(runs: list[Path]) -> None:
    import polars as pl

    assert (runs[0] / PICTURE).read_bytes().startswith(b"\x89PNG")
    written = pl.read_csv(runs[0] / TRADES_CSV)
    kept = pl.read_parquet(runs[0] / TRADES)
    assert written.height == kept.height > 0
    assert written["client_order_id"].to_list() == kept["client_order_id"].to_list()
    assert [f"{p}" for p in kept["price"].cast(pl.String)] == pl.read_csv(runs[0] / TRADES_CSV, infer_schema=False)[
        "price"
    ].to_list()


def test_runs_are_compared_as_table_and_as_json(runs: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    folders = [str(r) for r in runs]
    assert cli.main(["compare", *folders, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    summaries = [json.loads((r / "summary.json").read_text()) for r in runs]
    assert [r["fills"] for r in data["runs"]] == [s["fills"] for s in summaries]
    assert Path(data["page"]) == runs[0].parent / "comparison.html"
    assert "Growth of 1" in Path(data["page"]).read_text()
    assert cli.main(["compare", *folders, "--out", str(runs[0] / "here.html")]) == 0
    assert "Sharpe" in capsys.readouterr().out
    assert (runs[0] / "here.html").exists()


def test_one_run_alone_is_bad_input(runs: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", str(runs[0])]) == 2
    assert "at least two" in capsys.readouterr().err
