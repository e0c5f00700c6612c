import csv
import json
import shlex
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from jobs import cli
from nt_ray.backtest.simulator import backtest
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.config import load_settings
from nt_ray.market.source import load_panel
from nt_ray.strategies.registry import find
from nt_ray.trader.planning import sizing_params

REPOSITORY = Path(__file__).parent.parent.parent
MINE = """
from nt_ray.backtest.event.python_strategy import PythonStrategy

class Steps(PythonStrategy):
    def __init__(self, size=10):
        self.size = size

    def on_bar(self, context):
        turn = context.row % 40
        if turn == 0:
            context.buy("KO", self.size)
            context.buy("PEP", self.size, limit=0.01)
        if turn == 20:
            context.sell("KO", 2 * self.size)
"""
MARKET = """
path = "ohlc"
[terms]
borrow_rate = 0.05
[symbols.KO]
borrow_rate = 0.2
"""
RANGE = "--symbols KO,PEP --start 2018-01-01 --end 2019-12-31"


@pytest.fixture(autouse=True)
def in_a_folder_with_my_strategy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_strategy.py").write_text(MINE, encoding="utf-8")
    (tmp_path / "market.toml").write_text(
        'path = "ohlc"\n[terms]\nborrow_rate = 0.05\n[symbols.KO]\nborrow_rate = 0.2\n'
    )


def answer(capsys: pytest.CaptureFixture[str], command: str) -> tuple[int, str, str]:
    code = cli.main(shlex.split(command))
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def summary_of(capsys: pytest.CaptureFixture[str], options: str) -> dict[str, Any]:
    code, out, err = answer(capsys, f"backtest {options} --json --no-progress")
    assert (code, err) == (0, ""), out
    found: dict[str, Any] = json.loads(out)
    return found


def test_the_command_is_the_plain_backtest_of_the_same_strategy(capsys: pytest.CaptureFixture[str]) -> None:
    found = summary_of(capsys, f"momentum --param lookback=60 {RANGE} --commission-bps 2 --slippage-bps 3 --cash 50000")
    settings = load_settings(None, {"data.start": "2018-01-01", "data.end": "2019-12-31"})
    momentum = find("momentum")
    whole = load_panel("sp500", symbols=["KO", "PEP"])
    first, last = (np.datetime64(d).astype("datetime64[ns]").astype(np.int64) for d in ("2018-01-01", "2020-01-01"))
    rows = np.flatnonzero((whole.timestamps >= first) & (whole.timestamps < last))
    panel = whole.between(whole.time(int(rows[0])), whole.time(int(rows[-1])))
    plain = backtest(
        panel, momentum, momentum.vector({"lookback": 60}), sizing=sizing_params(settings),
        costs=Costs(commission_bps=Decimal(2), slippage_bps=Decimal(3)), initial_cash=Decimal(50_000),
    )  # fmt: skip
    assert (found["bars"], found["fills"]) == (len(panel), len(plain.executions))
    assert Decimal(str(found["final_equity"])) == plain.final_equity
    assert found["fills"] > 0
    assert found["parameters"]["lookback"] == 60


def test_the_folder_holds_trades_fills_orders_equity_and_pages_that_add_up(capsys: pytest.CaptureFixture[str]) -> None:
    found = summary_of(capsys, f"my_strategy.py:Steps --param size=30 {RANGE} --market market.toml")
    folder = Path(found["folder"])
    names = {p.name for p in folder.iterdir()}
    assert names >= {
        "trades.csv", "trades.parquet", "fills.csv", "fills.parquet", "orders.parquet", "equity.parquet",
        "summary.json", "settings.toml", "market.toml", "tear-sheet.html", "tear-sheet.png",
    }  # fmt: skip
    trades, fills = pl.read_parquet(folder / "trades.parquet"), pl.read_parquet(folder / "fills.parquet")
    books = {name: Decimal(value) for name, value in found["books"].items()}
    assert books["unexplained"] == 0 != books["borrowing"]
    assert trades["pnl"].sum() == books["realised"] + books["unrealised"]
    assert trades["fees"].sum() == -books["fees"] == fills["commission"].sum()
    parts = ("realised", "unrealised", "dividends", "funding", "fees", "borrowing")
    assert sum(books[p] for p in parts) == books["change"] == Decimal(str(found["final_equity"])) - 100_000
    with (folder / "trades.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == trades.height > found["trades"] > 10
    assert sum(Decimal(r["net"]) for r in rows) == trades["net"].sum()
    assert sum(found["endings"].values()) == found["orders"] == pl.read_parquet(folder / "orders.parquet").height
    assert set(found["endings"]) == {"filled", "expired"}
    assert "Orders by ending" in (folder / "tear-sheet.html").read_text(encoding="utf-8")
    assert 'id="swarm"' not in (folder / "tear-sheet.html").read_text(encoding="utf-8")


def test_options_win_over_the_file_and_the_written_market_gives_the_same_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    base = f"my_strategy.py:Steps {RANGE}"
    one = summary_of(capsys, f"{base} --market market.toml --borrow 0.01 --margin 0.5,0.25 --latency 1 --fee 1")
    again = summary_of(capsys, f"{base} --market {one['folder']}/market.toml")
    assert again["digest"] == one["digest"]
    other = summary_of(capsys, f"{base} --market market.toml")
    rate = Decimal(other["books"]["borrowing"]) / Decimal(one["books"]["borrowing"])
    # 20 % a year on KO against 1 %, a bar more or less with the latency.
    assert 18 < rate < 22
    prompt = summary_of(capsys, f"{base} --same-close --path colour --impact-bps 50 --volume-share 0.5 --maker-bps 0")
    assert prompt["digest"] != one["digest"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("momentun", "did you mean 'momentum'"),
        ("momentum --param lookback=1:9", "is not one number"),
        ("my_strategy.py:Steps --param sise=3", "has no parameter 'sise'"),
        ("absent.py", "There is no file absent.py"),
        ("momentum --commission-bps much", "--commission-bps much is no number"),
        ("momentum --margin 0.2,0.5", "lies below maintenance_margin"),
        ("momentum --path best", "path = 'best' is unknown"),
        ("momentum --sizing full", "--sizing full is unknown"),
        ("momentum --latency 1 --same-close", "same_close=True cannot be"),
        ("momentum --market absent.toml", "absent.toml"),
        ("momentum --max-weight 99", "portfolio.max_weight"),
        ("momentum --latency -1", "latency"),
        ("sentiment --symbols KO", "score"),
    ],
)
def test_bad_input_is_named_and_leaves_nothing(options: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = answer(capsys, f"backtest {options}")
    assert (code, out) == (2, "")
    assert says in err
    assert not Path("runs").exists()


def test_a_person_reads_measures_endings_costs_and_the_equation_of_the_books(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    code, out, _ = answer(capsys, f"backtest my_strategy.py:Steps {RANGE} --param size=5")
    assert code == 0
    for said in ("buy and hold of sp500", "win rate", "parameters: size=5", "expired 13", "slippage, in the prices"):
        assert said in out
    equation = next(line for line in out.splitlines() if "change of equity" in line)
    assert "realised" in equation
    assert equation.endswith("0.00000000 unexplained")
    again = answer(capsys, "report")[1]
    assert equation in again
    first = next(p.name for p in Path("runs").iterdir() if not p.is_symlink())
    assert answer(capsys, f"backtest my_strategy.py:Steps {RANGE} --param size=6 --no-progress")[0] == 0
    compared = json.loads(answer(capsys, f"compare runs/{first} runs/latest --json")[1])
    assert [run["orders"] for run in compared["runs"]] == [39, 39]


def test_the_examples_of_the_help_run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    text = answer(capsys, "backtest --help")[1].split("Arguments:")[0]
    examples = [line.strip() for line in text.splitlines() if line.strip().startswith("nt-ray ")]
    assert len(examples) == 5
    bars = "date,open,high,low,close,volume\n" + "".join(f"2020-01-{d:02d},10,11,9,10.{d},1000\n" for d in range(1, 29))
    Path("prices.csv").write_text(bars, encoding="utf-8")
    Path("my_strategy.py").write_text(
        MINE.replace("Steps", "MyStrategy").replace('"KO"', "context.symbols[0]").replace('"PEP"', "context.symbols[0]")
    )
    # The market of the example names no symbol that the data lack.
    Path("market.toml").write_text("latency = 1\n")
    for example in examples:
        code, _, err = answer(capsys, f"{example.removeprefix('nt-ray ')} --start 2019-06-01")
        assert code == 0, (example, err)


def test_the_job_takes_the_same_options_as_the_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "jobs.backtest", "momentum", "--sizing", "full"],
        cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "--sizing full is unknown" in done.stderr


CHEAT = """
from nt_ray.backtest.event.python_strategy import PythonStrategy

class Cheat(PythonStrategy):
    def on_bar(self, context):
        later = context._panel.closes[context.row + 1, 0] if context.row + 1 < len(context._panel) else 0.0
        if later > context.close("P1") and context.position("P1") == 0:
            context.buy("P1", 1)
        elif later < context.close("P1") and context.position("P1") > 0:
            context.sell("P1", 1)
"""


def test_check_takes_every_kind_of_strategy(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = answer(capsys, "check my_strategy.py --data sp500 --symbols KO,PEP --bars 200 --json")
    report = json.loads(out)
    assert (code, report["kind"], report["votes"]) == (0, "python", 15)
    code, out, _ = answer(capsys, "check market_making_quotes --bars 300")
    assert code == 0
    assert "orders on 300 bars" in out
    Path("cheat.py").write_text(CHEAT, encoding="utf-8")
    code, out, _ = answer(capsys, "check cheat.py --bars 200")
    assert code == 1
    assert "Looks ahead: orders asked for at bar" in out
    Path("dice.py").write_text(CHEAT.replace("later = ", "import random; later = 200 * random.random() #"))
    code, out, _ = answer(capsys, "check dice.py --bars 200")
    assert code == 1
    assert "something else on the same bars" in out
