"""What the gateway starts before it serves: with real money nothing, unless both consents are given."""

from typing import Any

import pytest

from deployments.gateway import serving
from nt_ray.config import Settings, load_settings
from nt_ray.errors import ConfigError
from nt_ray.trader.consent import ConsentError
from nt_ray.trader.live_plan import SettingsPlan


def settings(url: str, **values: str) -> Settings:
    table = {"kind": "alpaca", "url": url, "key": "K", "secret": "S"}
    given = {f"brokers.real.{field}": value for field, value in table.items()}
    given |= {"brokers.enabled": "real", "gateway.accounts": "real", "gateway.symbols": "AAPL"}
    return load_settings(None, given | values, environ={})


LIVE, PAPER = "https://api.alpaca.markets", "https://paper-api.alpaca.markets"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[SettingsPlan]:
    found: list[SettingsPlan] = []
    monkeypatch.setattr(serving, "check_guarded", lambda: None)
    monkeypatch.setattr(serving, "start_account", found.append)
    for part, name in ((serving.live_pool, "start_over_several"), (serving.live_sessions, "resume")):
        monkeypatch.setattr(part, name, lambda _: None)
    monkeypatch.setattr(serving.counts, "start", lambda: None)
    return found


@pytest.mark.parametrize(("in_settings", "in_call"), [("false", False), ("true", False), ("false", True)])
def test_no_account_with_real_money_starts_without_both_consents(
    started: list[SettingsPlan], in_settings: str, in_call: bool
) -> None:
    with pytest.raises(ConsentError, match="real trades real money, and its consent lacks"):
        serving.begin(settings(LIVE, live=in_settings), live=in_call)
    assert started == []


@pytest.mark.parametrize(("url", "in_call"), [(LIVE, True), (PAPER, False)])
def test_an_account_starts_with_the_consent_of_the_call(started: list[SettingsPlan], url: str, in_call: bool) -> None:
    serving.begin(settings(url, live="true"), live=in_call)
    assert [(plan.name, plan.symbols, plan.live) for plan in started] == [("real", ("AAPL",), in_call)]


def test_serves_own_consent_is_true_or_left_out() -> None:
    arguments: dict[str, Any] = {"live": "yes"}
    with pytest.raises(ConfigError, match="live: yes is no consent"):
        serving.build(arguments)
