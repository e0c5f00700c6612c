import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from jobs import cli
from nt_ray.config import load_settings
from nt_ray.strategies.registry import ORDER_STRATEGIES, STRATEGIES, find

PAGE = (Path(__file__).parent.parent.parent / "docs" / "strategies.md").read_text(encoding="utf-8")

ORIGINAL_NAMES = """
    momentum momentum_trading momentum_trader enhanced_momentum mean_reversion mean-reversion pairs pairs_trading
    mirror mirror_trading mirror_trader statistical_arbitrage arbitrage market_making trend_following breakout swing
    adaptive multi-indicator ensemble neural_forecast neural_trend neural_sentiment neural_arbitrage sentiment news
    ml_enhanced risk_parity multi_factor
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    own = next(b for b in blocks("python") if b.startswith("# my_strategy.py"))
    (tmp_path / "my_strategy.py").write_text(own, encoding="utf-8")
    return tmp_path


def answer(capsys: pytest.CaptureFixture[str], command: str) -> tuple[int, str, str]:
    code = cli.main(command.split())
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_every_python_example_of_the_page_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for number, block in enumerate(blocks("python")):
        if not block.startswith("# my_strategy.py"):
            exec(compile(block, f"block {number}", "exec"), names)
    assert names["panel"].fields == ("forecast",)
    assert "It knows what comes" in capsys.readouterr().out


def test_every_command_of_the_page_runs(folder: Path, capsys: pytest.CaptureFixture[str], ray_cluster: None) -> None:
    commands = [line for block in blocks("console") for line in block.splitlines()]
    assert len(commands) == 7
    for command in commands:
        code, out, err = answer(capsys, command.removeprefix("nt-ray "))
        assert (code, err) == (0, ""), command
        assert out
    summary = json.loads(next((folder / "runs").glob("*/summary.json")).read_text())
    assert summary["orders"] > 0


def test_the_settings_of_the_page_are_valid(folder: Path) -> None:
    text = blocks("toml")[0]
    (folder / "config.toml").write_text(text, encoding="utf-8")
    settings = load_settings(folder / "config.toml", {})
    assert list(settings.strategies.variants) == tomllib.loads(text)["strategies"]["enabled"]
    assert cli.main(["config", "validate"]) == 0


def test_the_page_names_every_strategy() -> None:
    rows = "".join(line for line in PAGE.splitlines() if line.startswith("| `"))
    missing = [s.name for s in STRATEGIES if f"`{s.name}`" not in rows and s.name != "sma_cross"]
    assert not missing


@pytest.mark.parametrize("name", ORIGINAL_NAMES.split())
def test_every_name_people_know_finds_a_strategy(name: str) -> None:
    assert find(name) in STRATEGIES


def test_list_and_show_say_what_the_registry_knows(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = answer(capsys, "strategies list --json")
    listed = json.loads(out)
    assert code == 0
    assert [s["name"] for s in listed] == [s.name for s in (*STRATEGIES, *ORDER_STRATEGIES)]
    assert next(s for s in listed if s["name"] == "sentiment")["inputs"] == ["score"]
    shown = json.loads(answer(capsys, "strategies show pairs_trading --json")[1])
    assert [p["name"] for p in shown["parameters"]] == [p.name for p in find("pairs").parameters]
    text = answer(capsys, "strategies show pairs")[1]
    assert "kalman" in text
    assert "Also called" in text


def test_an_unknown_strategy_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = answer(capsys, "strategies show momentun")
    assert code == 2
    assert "did you mean 'momentum'" in err
    assert answer(capsys, "check absent.py:It")[0] == 2


CHEAT = """
import numpy as np
from nt_ray.strategies.base import Strategy
def step(state, bar, params, targets):
    targets[0] = min(max(bar[0, 5], -1.0), 1.0)
    return 1.0
def prepare(panel):
    ahead = np.zeros(panel.closes.shape)
    ahead[:-2] = panel.closes[2:] / panel.closes[:-2] - 1.0
    return panel.with_field("hunch", ahead)
Cheat = Strategy("cheat", "Knows.", "none", (), 1, lambda params: 1, step, inputs=("hunch",))
"""

FROZEN = """
import numpy as np
from nt_ray.strategies.base import Strategy
PRICES = np.arange(500.0)
def step(state, bar, params, targets):
    state[0] += 1.0
    targets[0] = np.sign(PRICES[int(state[0])] - PRICES[int(state[0]) - 1])
    return 1.0
Frozen = Strategy("frozen", "Knows.", "none", (), 1, lambda params: 1, step)
"""


def test_a_strategy_that_cheats_is_caught_with_bar_and_field(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "cheat.py").write_text(CHEAT, encoding="utf-8")
    code, out, _ = answer(capsys, "check cheat.py:Cheat --bars 200 --json")
    report = json.loads(out)
    assert code == 1
    assert not report["clean"]
    assert report["leak"]["field"] == "field hunch"
    assert 1 <= report["leak"]["cut"] - report["leak"]["row"] <= 2
    code, out, _ = answer(capsys, "check cheat.py:Cheat --bars 200")
    assert code == 1
    assert "Looks ahead: field hunch at bar" in out


def test_data_frozen_into_a_step_are_a_find(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "frozen.py").write_text(FROZEN, encoding="utf-8")
    code, out, _ = answer(capsys, "check frozen.py:Frozen --bars 200")
    assert code == 1
    assert "step reads PRICES (500 numbers)" in out


def test_a_strategy_that_never_votes_is_no_pass(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = answer(capsys, "check momentum --bars 30")
    assert code == 1
    assert "nothing was compared" in out


def test_a_strategy_is_checked_on_given_data_and_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = answer(capsys, "check ensemble --param method=2 --data sp500 --symbols KO,PEP --bars 600 --json")
    report = json.loads(out)
    assert code == 0
    assert report["symbols"] == ["KO", "PEP"]
    assert report["bars"] == 600
    assert answer(capsys, "check pairs --data sp500 --symbols KO")[0] == 2
    assert answer(capsys, "check pairs --param lookback")[0] == 2
