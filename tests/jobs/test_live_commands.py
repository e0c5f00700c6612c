import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs import cli
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator

ME = ("--who", "Ann", "--reason", "drill")


@pytest.fixture
def venue() -> Iterator[AlpacaSimulator]:
    with AlpacaSimulator(requests_per_minute=10**6) as simulator:
        yield simulator


@pytest.fixture
def call(
    venue: AlpacaSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, Any, str]]:
    """Call a command in an empty folder whose `paper` broker is the simulated venue; its JSON where it gives some."""
    monkeypatch.chdir(tmp_path)
    access = venue.access()
    monkeypatch.setenv("NT_BROKERS__PAPER__KEY", access.key.get_secret_value())
    monkeypatch.setenv("NT_BROKERS__PAPER__SECRET", access.secret.get_secret_value())
    Path("config.toml").write_text(
        f'[brokers]\nenabled = ["paper"]\n[brokers.paper]\nkind = "alpaca"\nurl = "{venue.url}"\n', "utf-8"
    )

    def run(*arguments: str) -> tuple[int, Any, str]:
        code = cli.main(arguments)
        printed = capsys.readouterr()
        is_json = printed.out.startswith(("{", "["))
        return code, json.loads(printed.out) if is_json else printed.out, printed.err

    return run


def buy(*more: str) -> tuple[str, ...]:
    return ("order", "submit", "paper", "AAPL", "--side", "buy", *more)


REST = ("--quantity", "3", "--type", "limit", "--limit", "60", "--tif", "gtc", "--json")


def test_an_order_goes_through_gate_journal_and_venue(call: Callable[..., tuple[int, Any, str]]) -> None:
    code, told, _ = call(*buy("--quantity", "2", "--id", "one", "--json"))
    assert (code, told["status"]) == (0, "accepted")
    assert told["venue_order_id"]
    code, again, _ = call(*buy("--quantity", "2", "--id", "one", "--json"))
    assert (code, again["venue_order_id"]) == (0, told["venue_order_id"])
    code, found, _ = call("account", "reconcile", "paper", "--json")
    assert (code, found["agrees"], found["orders"]) == (0, True, 1)
    _, state, _ = call("account", "show", "paper", "--json")
    assert state["positions"] == {"AAPL": "2"}
    assert call("journal", "verify", "state/paper.sqlite")[0] == 0


def test_what_gate_or_venue_refuse_ends_with_1_and_says_why(call: Callable[..., tuple[int, Any, str]]) -> None:
    code, told, _ = call(*buy("--quantity", "900", "--json"))
    assert (code, told["status"], told["rule"]) == (1, "denied", "concentration")
    code, told, _ = call(*buy("--quantity", "1", "--type", "limit", "--limit", "10.001"))
    assert code == 1
    assert "limit_price 10.001 is not a multiple of 0.01" in told


def test_what_others_trade_on_the_same_account_stops_nothing_and_is_named(
    call: Callable[..., tuple[int, Any, str]],
) -> None:
    call(*buy("--quantity", "2", "--id", "ours", "--json"))
    others = ("--set", "state=others")
    call(*buy("--quantity", "3", "--id", "theirs", "--json"), *others)
    code, found, _ = call("account", "reconcile", "paper", "--json")
    assert code == 1
    kinds = {(d["kind"], d["key"], d["ours"], d["venue"]) for d in found["differences"]}
    assert ("position", "AAPL", "2", "5") in kinds
    assert {kind for kind, *_ in kinds} == {"execution", "position", "cash"}


def test_an_order_is_listed_and_cancelled(call: Callable[..., tuple[int, Any, str]]) -> None:
    call(*buy("--id", "rests", *REST))
    assert [o["client_order_id"] for o in call("order", "list", "paper", "--open", "--json")[1]] == ["rests"]
    assert call("order", "cancel", "paper", "rests", "--json")[1]["status"] == "canceled"
    assert call("order", "list", "paper", "--open", "--json")[1] == []


def test_a_kill_switch_cancels_and_holds_until_it_is_lifted(call: Callable[..., tuple[int, Any, str]]) -> None:
    call(*buy("--id", "stopped", *REST))
    assert call("account", "halt", "paper", "symbol:AAPL", *ME, "--json")[1] == {
        "halted": ["symbol:AAPL"],
        "canceled": {"stopped": "canceled"},
    }
    assert call(*buy(*REST))[1]["rule"] == "kill_switch"
    assert call("account", "resume", "paper", "symbol:AAPL", *ME)[0] == 0
    assert call(*buy("--id", "after", *REST))[1]["status"] == "accepted"
    call("order", "cancel", "paper", "after")


def test_limits_change_with_a_signature(call: Callable[..., tuple[int, Any, str]]) -> None:
    change = ("account", "limits", "paper", "--change", "max_order_notional=100", "--json")
    assert call(*change)[0] == 2
    assert call(*change, *ME, "--until", "2999-01-01T00:00:00Z")[1]["max_order_notional"] == "100"
    assert call(*buy("--quantity", "2", "--json"))[1]["rule"] == "order_notional"
    assert call("account", "limits", "paper", "--revert", "--json", *ME)[1]["max_order_notional"] == "200000"


LIVE = ("--set", "brokers.paper.url=https://api.alpaca.markets")


@pytest.mark.parametrize(
    ("extra", "missing"),
    [
        ((), "live = true in the settings"),
        (("--live",), "live = true in the settings"),
        (("--set", "live=true"), "--live"),
    ],
)
def test_real_money_without_both_consents_is_a_dry_run(
    call: Callable[..., tuple[int, Any, str]], extra: tuple[str, ...], missing: str
) -> None:
    code, told, _ = call(*buy("--quantity", "1", "--json"), *LIVE, *extra)
    assert (code, told["sent"], told["missing"]) == (0, False, [missing])
    assert told["order"]["symbol"] == "AAPL"
    assert not Path("state").exists()


def test_a_dry_run_still_refuses_an_order_that_makes_no_sense(call: Callable[..., tuple[int, Any, str]]) -> None:
    code, _, error = call(*buy("--quantity", "-1"), *LIVE)
    assert code == 2
    assert "quantity -1 must be a positive number" in error


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("order", "submit", "paper", "AAPL", "--side", "up", "--quantity", "1"), "side 'up' is unknown"),
        (("order", "submit", "sim-east", "AAPL", "--side", "buy", "--quantity", "1"), "sim-east is simulated"),
        (("order", "submit", "none", "AAPL", "--side", "buy", "--quantity", "1"), "There is no venue 'none'"),
        (("account", "show", "paper"), "state/paper.sqlite"),
        (("account", "halt", "paper", "everything", *ME), "Scope 'everything' is unknown"),
    ],
)
def test_bad_input_is_named(call: Callable[..., tuple[int, Any, str]], arguments: tuple[str, ...], said: str) -> None:
    code, _, error = call(*arguments)
    assert code in (1, 2)
    assert said in error


def test_without_keys_the_variable_to_set_is_named(
    call: Callable[..., tuple[int, Any, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NT_BROKERS__PAPER__SECRET")
    code, _, error = call(*buy("--quantity", "1"))
    assert code == 2
    assert "NT_BROKERS__PAPER__SECRET" in error


def test_the_status_of_brokers_tells_who_is_down(
    call: Callable[..., tuple[int, Any, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, told, _ = call("brokers", "status", "--json")
    assert (code, told["brokers"][0]["up"], told["brokers"][0]["money"]) == (0, True, "paper")
    assert call("brokers", "status", "--set", "brokers.enabled=sim-east,sim-west", "--json")[0] == 2
    monkeypatch.setenv("NT_BROKERS__PAPER__SECRET", "wrong")
    code, told, _ = call("brokers", "status")
    assert code == 1
    assert re.search(r"paper .* NO", told)
    assert "wrong" not in told
