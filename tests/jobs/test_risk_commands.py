"""The commands of risk and portfolio from their options to what they print and write, on the embedded data."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs import cli
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.market.source import load_panel
from nt_ray.portfolio.moments.shrinkage import ledoit_wolf
from nt_ray.portfolio.optimise.constraints import Constraints
from nt_ray.portfolio.optimise.mean_variance import minimum_variance
from nt_ray.risk.kelly.exchange_market import effective_odds
from nt_ray.risk.kelly.exclusive import exclusive_outcomes
from nt_ray.risk.kelly.single import kelly_fraction
from nt_ray.risk.measures.catalogue import measure

Answer = Callable[..., dict[str, Any]]

POSITIONS = "symbol,quantity,price,stop,sector\nKO,100,60,55,drinks\nXOM,30,100,,oil\n"
QUICK = ("--method", "historical", "--method", "normal", "--test", "normal", "--history", "400")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "positions.csv").write_text(POSITIONS, encoding="utf-8")
    return tmp_path


def test_a_report_of_a_file_equals_the_measures_and_lies_beside_its_page(answer: Answer, files: Path) -> None:
    told = answer("risk", "report", "--positions", "positions.csv", "--equity", "12000", *QUICK)
    closes = load_panel("sp500", symbols=["KO", "XOM"]).closes
    past = (closes[1:] / closes[:-1] - 1.0)[-400:]
    direct = measure("historical", past, 0.99, 10, weights=[0.5, 0.25])
    row = next(r for r in told["tails"] if (r["method"], r["confidence"], r["horizon"]) == ("historical", 0.99, 10))
    assert (row["var"], row["es"]) == (direct.var, direct.es)
    assert told["structure"]["heat"]["total"] == pytest.approx(500 / 12000)
    assert told["page"] == str((files / "risk.html").resolve())
    written = json.loads((files / "risk.json").read_text(encoding="utf-8"))
    assert {**written, "page": told["page"], "data_file": told["data_file"]} == told


def test_a_person_reads_a_table_and_the_place_of_the_page(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(files)
    assert cli.main(["risk", "report", "--positions", "positions.csv", *QUICK, "--output", "mine.html"]) == 0
    out = capsys.readouterr().out
    for word in ("historical", "0.99, 10 p", "exceptions", "worst stress", "heat", "mine.html"):
        assert word in out
    assert cli.main(["stress", "--positions", "positions.csv", "--reverse", "0.2"]) == 0
    assert "standard deviations out" in capsys.readouterr().out
    assert cli.main(["stress", "--positions", "positions.csv"]) == 0
    assert "the data begin on 1990-01-02" in capsys.readouterr().out
    assert cli.main(["optimize", "--symbols", "KO,XOM", "--objective", "frontier", "--points", "3"]) == 0
    assert capsys.readouterr().out.count("frontier: ") == 3
    assert cli.main(["kelly", "--probability", "0.6", "--odds", "2", "--bankroll", "100"]) == 0
    assert "20.00" in capsys.readouterr().out


def test_the_end_of_the_latest_run_is_the_default_portfolio(answer: Answer, tmp_path: Path) -> None:
    answer("backtest", "momentum", "--symbols", "KO,PEP", "--start", "2021-01-01", "--no-progress")
    report = answer("risk", "report", *QUICK)
    summary = json.loads((tmp_path / "runs" / "latest" / "summary.json").read_text(encoding="utf-8"))
    assert float(report["equity"]) == pytest.approx(summary["final_equity"])
    assert {row["symbol"] for row in report["positions"]} <= {"KO", "PEP"}
    # The past of its symbols is seen, not only the bars that the run traded.
    assert report["periods"] == 400
    assert Path(report["page"]).parent == (tmp_path / "runs" / "latest").resolve()
    stressed = answer("stress", "--scenario", "lehman_2008_2009")
    assert [row["refused"] for row in stressed["rows"]] == [""]


def test_an_account_is_read_from_its_journal(answer: Answer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with AlpacaSimulator(requests_per_minute=10**6) as venue:
        access = venue.access()
        monkeypatch.setenv("NT_BROKERS__PAPER__KEY", access.key.get_secret_value())
        monkeypatch.setenv("NT_BROKERS__PAPER__SECRET", access.secret.get_secret_value())
        text = f'[brokers]\nenabled = ["paper"]\n[brokers.paper]\nkind = "alpaca"\nurl = "{venue.url}"\n'
        (tmp_path / "config.toml").write_text(text, encoding="utf-8")
        answer("order", "submit", "paper", "AAPL", "--side", "buy", "--quantity", "3", "--id", "one")
        answer("account", "reconcile", "paper")
        stop = ("--type", "stop", "--stop", "90", "--tif", "gtc", "--id", "two")
        answer("order", "submit", "paper", "AAPL", "--side", "sell", "--quantity", "3", *stop)
    told = answer("risk", "report", "--account", "paper", *QUICK)
    (position,) = told["positions"]
    assert (position["symbol"], float(position["quantity"])) == ("AAPL", 3.0)
    assert [float(stop) for stop in position["stops"]] == [90.0]
    assert told["source"] == "account paper"
    assert told["structure"]["heat"]["unprotected"] == []


def test_own_shocks_go_by_symbol_then_class_and_the_rest_follows_or_stays(answer: Answer, files: Path) -> None:
    held = ("stress", "--positions", str(files / "positions.csv"))
    weights = {"KO": 6000 / 9000, "XOM": 3000 / 9000}
    (both,) = answer(*held, "--shock", "class:equity=-0.3", "--shock", "KO=-0.1")["rows"]
    assert both["loss"] == pytest.approx(0.1 * weights["KO"] + 0.3 * weights["XOM"])
    (still,) = answer(*held, "--shock", "KO=-0.1", "--still")["rows"]
    assert still["loss"] == pytest.approx(0.1 * weights["KO"])
    (follows,) = answer(*held, "--shock", "KO=-0.1")["rows"]
    closes = load_panel("sp500", symbols=["KO", "XOM"]).closes
    covariance = ledoit_wolf((closes[1:] / closes[:-1] - 1.0)[-1000:])
    slope = covariance[0, 1] / covariance[0, 0]
    assert follows["loss"] == pytest.approx(0.1 * weights["KO"] + 0.1 * slope * weights["XOM"])


def test_a_scenario_known_as_window_and_shock_is_both_and_sizes_are_taken(answer: Answer, files: Path) -> None:
    held = ("stress", "--positions", str(files / "positions.csv"))
    told = answer(*held, "--scenario", "covid_2020", "--scenario", "severe_market_crash=0.4")
    assert [(row["kind"], row["name"]) for row in told["rows"]] == [
        ("window", "covid_2020"), ("shock", "covid_2020"), ("shock", "severe_market_crash_0.4"),
    ]  # fmt: skip
    assert told["rows"][2]["loss"] == pytest.approx(0.4)


def test_optimised_weights_are_the_optimisers_and_lots_and_cash_add_up(answer: Answer) -> None:
    told = answer(
        "optimize", "--symbols", "KO,PEP,XOM", "--start", "2019-01-01", "--max-weight", "0.5", "--cash", "5000"
    )
    panel = load_panel("sp500", symbols=["KO", "PEP", "XOM"])
    rows = panel.timestamps >= np.datetime64("2019-01-01", "ns").astype(np.int64)
    closes = panel.closes[rows]
    direct = minimum_variance(ledoit_wolf(closes[1:] / closes[:-1] - 1.0), Constraints(upper=0.5))
    assert [told["weights"].get(s, 0.0) for s in panel.symbols] == pytest.approx(direct.weights.tolist(), abs=1e-9)
    assert told["solver"] == "active_set"
    assert told["residual"] <= 1e-8
    spent = sum(lots * float(told["prices"][s]) for s, lots in told["lots"].items())
    assert spent + float(told["left"]) == pytest.approx(5000)
    assert float(told["left"]) >= 0.0


def test_the_frontier_is_a_page_with_every_constraint_kept(answer: Answer, tmp_path: Path) -> None:
    (tmp_path / "sectors.csv").write_text(
        "symbol,sector,max\nKO,drinks,0.4\nPEP,drinks,\nXOM,oil,\nAAPL,it,\n", "utf-8"
    )
    (tmp_path / "held.csv").write_text("symbol,weight\nXOM,0.5\nAAPL,0.5\n", "utf-8")
    told = answer(
        "optimize", "--objective", "frontier", "--symbols", "KO,PEP,XOM,AAPL", "--start", "2018-01-01", "--points", "5",
        "--sectors", "sectors.csv", "--previous", "held.csv", "--turnover", "0.8", "--output", "frontier.html",
    )  # fmt: skip
    assert len(told["frontier"]) == 5
    for point in told["frontier"]:
        weights = {"KO": 0.0, "PEP": 0.0, "XOM": 0.0, "AAPL": 0.0, **point["weights"]}
        assert weights["KO"] + weights["PEP"] <= 0.4 + 1e-9
        assert sum(abs(weights[s] - (0.5 if s in ("XOM", "AAPL") else 0.0)) for s in weights) <= 0.8 + 1e-8
    assert "plotly" in Path(told["page"]).read_text(encoding="utf-8")


def test_views_and_returns_of_files_reach_the_optimiser(answer: Answer, tmp_path: Path) -> None:
    (tmp_path / "views.toml").write_text("[[view]]\nexpected = 0.5\nportfolio = { KO = 1.0 }\n", "utf-8")
    (tmp_path / "returns.csv").write_text("symbol,expected\nKO,0.01\nPEP,0.02\nXOM,0.5\n", "utf-8")
    data = ("--symbols", "KO,PEP,XOM", "--start", "2018-01-01")
    told = answer("optimize", "--objective", "black_litterman", "--views", "views.toml", *data)
    assert max(told["weights"], key=told["weights"].get) == "KO"
    told = answer("optimize", "--objective", "max_sharpe", "--expected", "returns.csv", *data)
    assert max(told["weights"], key=told["weights"].get) == "XOM"


def test_kelly_stakes_are_those_of_the_rules(answer: Answer, tmp_path: Path) -> None:
    bet = ("kelly", "--probability", "0.55", "--odds", "2.1")
    told = answer(*bet, "--fraction", "0.5", "--bankroll", "1000", "--commission", "0.02")
    full = kelly_fraction(0.55, effective_odds(2.1, 0.02))
    assert told["stakes"] == [{"name": "bet", "stake": pytest.approx(full / 2), "money": round(full / 2 * 1000, 2)}]
    assert [share["share"] for share in told["shares"]] == [1.0, 0.5, 0.25]
    (tmp_path / "race.csv").write_text("name,probability,odds\nA,0.5,2.5\nB,0.3,3.0\n", "utf-8")
    told = answer("kelly", "--bets", "race.csv", "--exclusive")
    direct = exclusive_outcomes([0.5, 0.3], [2.5, 3.0])
    assert [row["stake"] for row in told["stakes"]] == pytest.approx(direct.fractions.tolist())
    half = answer("kelly", "--bets", "race.csv", "--exclusive", "--fraction", "0.5")
    assert half["total"] == pytest.approx(direct.total / 2)
    # Half of the stakes keeps about three quarters of the growth.
    assert 0.70 < half["growth"] / direct.growth < 0.80
    told = answer("kelly", "--bets", "race.csv")
    assert told["method"] == "interior_point_exact"
    rows = "".join(f"bet {i},0.55,2.0\n" for i in range(16))
    (tmp_path / "many.csv").write_text(f"name,probability,odds\n{rows}", "utf-8")
    many = answer("kelly", "--bets", "many.csv", "--fraction", "0.5")
    assert many["method"] == "interior_point_sampled"
    assert 0.0 < many["growth"] < 0.01 * 16


def test_kelly_of_assets_keeps_its_caps_and_falls_as_rarely_as_asked(answer: Answer) -> None:
    data = ("kelly", "--symbols", "KO,PEP,AAPL", "--start", "2018-01-01")
    told = answer(*data, "--rate", "0.02", "--max-weight", "0.4")
    assert max(row["stake"] for row in told["stakes"]) <= 0.4 + 1e-9
    assert answer(*data, "--fraction", "0.5")["growth"] > 0.0
    careful = answer(*data, "--fall-to", "0.8", "--chance", "0.05")
    assert careful["total"] < answer(*data)["total"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("risk report", "--positions"),
        ("risk report nowhere", "nowhere"),
        ("risk report --positions positions.csv --method histrical", "'historical'"),
        ("risk report --positions positions.csv --confidence 0.4", "0.4"),
        ("risk report --positions positions.csv --account paper", "both given"),
        ("risk report --equity 5", "belongs to --positions"),
        ("risk report --positions positions.csv --equity -5", "-5"),
        ("risk report --positions positions.csv --covariance ledoit", "'ledoit_wolf'"),
        ("risk report --account papper", "papper"),
        ("stress --positions positions.csv --scenario covid", "'covid_2020'"),
        ("stress --positions positions.csv --scenario covid_2020=3", "no size"),
        ("stress --positions positions.csv --shock XON=-0.2", "'XOM'"),
        ("stress --positions positions.csv --shock class:bond=-0.2", "'equity'"),
        ("stress --positions positions.csv --shock XOM=down", "'down'"),
        ("stress --positions positions.csv --shock XOM=-2", "-2.0"),
        ("stress --positions positions.csv --reverse -1", "-1.0"),
        ("optimize --objective max_sharp", "'max_sharpe'"),
        ("optimize --symbols KO,PEP --max-weight 0.3", "upper"),
        ("optimize --symbols KO,PEP --objective target_return", "target"),
        ("optimize --symbols KO,PEP --turnover 0.1", "--previous"),
        ("optimize --symbols KO,PEP --objective black_litterman", "views"),
        ("optimize --symbols KO,PEP --expected means", "james_stein"),
        ("kelly", "one task"),
        ("kelly --probability 0.5", "--odds"),
        ("kelly --probability 0.5 --odds 1", "1.0"),
        ("kelly --probability 0.5 --odds 2 --fraction 2", "--fraction 2"),
        ("kelly --probability 0.5 --odds 2 --symbols KO", "at once"),
        ("kelly --bets positions.csv", "line 1"),
        ("kelly --symbols KO --fall-to 0.5", "--chance"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_two(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: str, said: str
) -> None:
    monkeypatch.chdir(files)
    assert cli.main(arguments.split()) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert told.err.startswith("nt-ray: ")
    assert "Traceback" not in told.err
    assert [path.name for path in files.iterdir()] == ["positions.csv"]
