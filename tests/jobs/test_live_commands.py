import json
import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jobs import cli
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.config import load_settings
from nt_ray.errors import FencedError
from nt_ray.storage.opening import open_journal
from nt_ray.trader.journal_reading import limits_in_force

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


REST = ("--quantity", "3", "--type", "limit", "--limit", "90", "--tif", "gtc", "--json")


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


def test_what_an_amount_of_money_has_bought_is_kept_and_sold_to_the_last_part_of_a_share(
    call: Callable[..., tuple[int, Any, str]], venue: AlpacaSimulator
) -> None:
    venue.price("AAPL", "33.33")
    assert call(*buy("--notional", "500", "--id", "part", "--json"))[1]["status"] == "accepted"
    assert call("account", "reconcile", "paper", "--json")[1]["agrees"]
    _, state, _ = call("account", "show", "paper", "--json")
    assert (state["positions"], state["cash"]) == ({"AAPL": "15.00150015"}, "99500.00000000")
    sale = ("order", "submit", "paper", "AAPL", "--side", "sell", "--quantity", "15.00150015", "--json")
    assert call(*sale, "--id", "all")[1]["status"] == "accepted"
    assert call("account", "reconcile", "paper", "--json")[1]["agrees"]
    _, state, _ = call("account", "show", "paper", "--json")
    assert (state["positions"], state["cash"]) == ({}, "100000.00000000")


def test_a_sale_closes_the_tax_lots_that_it_names(call: Callable[..., tuple[int, Any, str]]) -> None:
    specific = ("--set", "account.lots=specific")
    for quantity in ("3", "2"):
        call(*buy("--quantity", quantity, "--json", *specific))
        assert call("account", "reconcile", "paper", "--json", *specific)[1]["agrees"]
    listed = ("account", "lots", "paper", "AAPL", "--json", *specific)
    first, second = call(*listed)[1]
    sale = ("order", "submit", "paper", "AAPL", "--side", "sell", "--quantity", "2", "--json")
    assert call(*sale, "--lot", second["lot_id"])[0] == 2
    code, told, _ = call(*sale, "--lot", "never", *specific)
    assert (code, told["error"]["code"]) == (1, "unknown_lot")
    assert call(*sale, "--lot", second["lot_id"], *specific)[1]["status"] == "accepted"
    assert call("account", "reconcile", "paper", "--json", *specific)[1]["agrees"]
    assert call(*listed)[1] == [first]


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
    code, found, _ = call("account", "adopt", "paper", *ME, "--json")
    assert (code, found["agrees"]) == (0, True)
    assert call("account", "show", "paper", "--json")[1]["positions"] == {"AAPL": "5"}


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
    assert call(*buy("--id", "after", *REST, "--quantity", "4"))[1]["status"] == "accepted"
    call("order", "cancel", "paper", "after")


def test_limits_change_with_a_signature(call: Callable[..., tuple[int, Any, str]]) -> None:
    change = ("account", "limits", "paper", "--change", "max_order_notional=100", "--json")
    assert call(*change)[0] == 2
    assert call(*change, *ME, "--until", "2999-01-01T00:00:00Z")[1]["max_order_notional"] == "100"
    assert call(*buy("--quantity", "2", "--json"))[1]["rule"] == "order_notional"
    assert call("account", "limits", "paper", "--revert", "--json", *ME)[1]["max_order_notional"] == "200000"


def test_a_change_of_limits_that_makes_no_sense_changes_nothing(call: Callable[..., tuple[int, Any, str]]) -> None:
    change = ("account", "limits", "paper", "--change", "max_order_notional=100", *ME, "--json")
    assert call(*change)[1]["max_order_notional"] == "100"
    for more in (("--revert", "--until", "tomorrow"), ("--until", "tomorrow")):
        code, told, _ = call(*change, *more)
        assert (code, "tomorrow" in told["error"]["message"]) == (2, True)
    code, told, _ = call("account", "limits", "paper", "--revert", "--until", "2999-01-01T00:00:00Z", *ME, "--json")
    assert (code, "--change" in told["error"]["message"]) == (2, True)
    assert call("account", "limits", "paper", "--json")[1]["max_order_notional"] == "100"


LIVE = ("--set", "brokers.paper.url=https://api.alpaca.markets")


@pytest.mark.parametrize(
    ("extra", "missing"),
    [
        ((), ["live = true in the settings", "--live"]),
        (("--live",), ["live = true in the settings"]),
        (("--set", "live=true"), ["--live"]),
    ],
)
def test_real_money_without_both_consents_is_a_dry_run(
    call: Callable[..., tuple[int, Any, str]], extra: tuple[str, ...], missing: list[str]
) -> None:
    code, told, _ = call(*buy("--quantity", "1", "--json"), *LIVE, *extra)
    assert (code, told["sent"], told["missing"]) == (0, False, missing)
    assert told["order"]["symbol"] == "AAPL"
    assert not Path("state").exists()


def test_a_dry_run_says_what_each_rule_makes_of_the_order_and_changes_nothing(
    call: Callable[..., tuple[int, Any, str]], venue: AlpacaSimulator, elsewhere: "Elsewhere"
) -> None:
    before = elsewhere.journal.head
    code, told, _ = call(*buy("--quantity", "900", "--json", "--dry-run"))
    said = {verdict["rule"]: verdict["reason"] for verdict in told["rules"]["paper"]}
    assert (code, told["sent"], told["missing"]) == (0, False, [])
    assert said["capability"] == said["kill_switch"] == ""
    assert "is above" in said["concentration"]
    good = call(*buy("--quantity", "1", "--json", "--dry-run"))[1]["rules"]["paper"]
    assert [verdict["rule"] for verdict in good if verdict["reason"]] == []
    assert "paper would refuse it:" in call(*buy("--quantity", "900", "--dry-run"))[1]
    unknown = call("order", "submit", "paper", "MSFT", "--side", "buy", "--quantity", "1", "--dry-run", "--json")[1]
    assert unknown["rules"]["paper"][-1]["rule"] == "reference_price"
    assert elsewhere.journal.head == before
    assert elsewhere.writes()
    assert [order["client_order_id"] for order in venue.orders()] == ["rests"]


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
    shown = told["brokers"][0]
    assert (code, shown["up"], shown["money"], shown["blocked"], shown["warnings"]) == (0, True, "paper", False, [])
    # The simulated venue allows as much as asked: clock, account and orders have been read of 150 requests.
    limits = ("--set", "brokers.paper.requests_per_minute=150")
    left = call("brokers", "status", *limits, "--json")[1]["brokers"][0]["budget"]
    assert left == {"limit": 150, "cancels": 147, "orders": 132, "questions": 95}
    assert call("brokers", "status", "--set", "brokers.enabled=sim-east,sim-west", "--json")[0] == 2
    monkeypatch.setenv("NT_BROKERS__PAPER__SECRET", "wrong")
    code, told, _ = call("brokers", "status")
    assert code == 1
    assert re.search(r"paper .* NO", told)
    assert "wrong" not in told


class Elsewhere:
    """Another process that trades the account: it has taken an epoch and lives."""

    def __init__(self) -> None:
        Path("state").mkdir(exist_ok=True)
        self.journal = open_journal(Path("state/paper.sqlite"))
        self.journal.open_epoch()

    def writes(self) -> bool:
        try:
            self.journal.confirm()
        except FencedError:
            return False
        return True


@pytest.fixture
def elsewhere(call: Callable[..., tuple[int, Any, str]]) -> Iterator[Elsewhere]:
    call(*buy("--id", "rests", *REST))
    found = Elsewhere()
    yield found
    found.journal.close()


COMMANDS = (
    ("account", "reconcile", "paper"),
    ("account", "halt", "paper", "account", *ME),
    ("account", "resume", "paper", "account", *ME),
    ("account", "reset", "paper", *ME),
    ("account", "limits", "paper", "--change", "max_order_notional=100", *ME),
    ("order", "cancel", "paper", "rests"),
    buy("--quantity", "1"),
)


def test_no_command_stops_a_process_that_trades_the_account_unless_it_takes_over(
    call: Callable[..., tuple[int, Any, str]], elsewhere: Elsewhere
) -> None:
    for command in COMMANDS:
        code, _, error = call(*command)
        assert (code, elsewhere.writes()) == (2, True), command
        assert f"held by process {os.getpid()}" in error
        assert "--take-over" in error
    code, told, _ = call("account", "halt", "paper", "account", *ME, "--take-over", "--json")
    assert (code, told["canceled"]) == (0, {"rests": "canceled"})
    assert not elsewhere.writes()
    # Nobody holds it now: the one that was replaced counts no more.
    assert call("account", "resume", "paper", "account", *ME)[0] == 0


def test_the_daily_comparisons_that_were_kept_are_listed(call: Callable[..., tuple[int, Any, str]]) -> None:
    assert call("account", "reconcile", "paper", "--list", "--json")[:2] == (
        0, {"account": "paper", "reconciliations": []}
    )  # fmt: skip
    one = {"kind": "cash", "key": "USD", "ours": "1", "venue": "2", "remedy": "Look for fees."}
    days = ({"since": "2026-01-02"}, {"day": "2026-01-05", "agrees": False, "orders": 3, "differences": [one]})
    Path("state").mkdir()
    Path("state/paper.reconciliations.jsonl").write_text("".join(json.dumps(line) + "\n" for line in days), "utf-8")
    code, told, _ = call("account", "reconcile", "paper", "--list")
    assert code == 1
    assert "2026-01-05  DIFFERS  3 orders" in told
    assert "cash USD: ours 1, venue 2. Look for fees." in told


def test_reading_an_account_stops_nobody(call: Callable[..., tuple[int, Any, str]], elsewhere: Elsewhere) -> None:
    assert call("account", "limits", "paper", "--json")[1]["max_order_notional"] == "200000"
    assert call("account", "show", "paper")[0] == 0
    assert call("order", "list", "paper")[0] == 0
    assert elsewhere.writes()


def test_a_change_of_limits_is_read_until_it_expires(
    call: Callable[..., tuple[int, Any, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    call("account", "limits", "paper", "--change", "max_order_notional=100", "--until", "2999-01-01T00:00:00Z", *ME)
    settings = load_settings(None, {})
    before, after = (datetime(year, 1, 1, tzinfo=UTC) for year in (2998, 3000))
    assert limits_in_force(settings, "paper", before).max_order_notional == 100
    assert limits_in_force(settings, "paper", after).max_order_notional == 200000


def test_a_session_with_real_money_without_both_consents_is_a_dry_run(
    call: Callable[..., tuple[int, Any, str]],
) -> None:
    start = ("trade", "start", "paper", "momentum", "--symbols", "AAPL", "--param", "lookback=63", *ME, *LIVE)
    code, told, _ = call(*start, "--set", "live=true", "--json")
    assert (code, told["started"], told["missing"]) == (0, False, ["--live"])
    assert (told["session"]["strategy"], told["session"]["symbols"]) == ("momentum", ["AAPL"])
    assert told["session"]["parameters"]["lookback"] == 63
    code, _, error = call(*start, "--param", "nonsense=1")
    assert code == 2
    assert "nonsense" in error
    assert "was not started" in call(*start)[1]


def test_the_gateway_starts_no_account_with_real_money_without_both_consents(
    call: Callable[..., tuple[int, Any, str]],
) -> None:
    for extra, missing in ((("--set", "live=true"), "--live"), (("--live",), "live = true in the settings")):
        code, _, error = call("serve", "gateway", "--set", "gateway.accounts=paper", *LIVE, *extra)
        assert code == 2
        assert f"its consent lacks {missing}" in error
