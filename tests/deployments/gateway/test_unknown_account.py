"""An account that nobody can have started is refused at once; one that may come back is waited for."""

import asyncio
from typing import Any

import pytest
from ray.exceptions import ActorDiedError

from actors import live_handle
from actors.live_handle import RECENT_S, AccountGoneError
from deployments.gateway.backend.accounts import ActorAccounts
from deployments.gateway.problems import NotFoundError
from nt_ray.errors import ServiceError


class Clock:
    now = 1_000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Actor:
    """An actor with one method; it has died where nobody bears its name any more."""

    def __init__(self, account: str, names: set[str]) -> None:
        self.account, self.names, self.overview = account, names, self

    async def answer(self) -> str:
        if self.account not in self.names:
            raise ActorDiedError
        return "it is here"

    def remote(self) -> Any:
        return self.answer()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Accounts whose actors bear their names, those that Ray is restarting too."""
    found: set[str] = set()

    def find(account: str) -> Actor:
        if account not in found:
            raise ValueError(account)
        return Actor(account, found)

    monkeypatch.setattr(live_handle, "find", find)
    return found


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(live_handle, "time", clock)
    return clock


def asked(accounts: ActorAccounts, name: str) -> str:
    async def run() -> str:
        found: str = await accounts.account(name).call("overview")
        return found

    return asyncio.run(run())


@pytest.mark.usefixtures("names")
def test_an_account_of_no_settings_whose_name_nobody_bears_is_not_there_at_once(clock: Clock) -> None:
    accounts = ActorAccounts(expected=["paper"])
    for _ in range(2):
        with pytest.raises(NotFoundError, match="There is no account nobody"):
            asked(accounts, "nobody")
    assert clock.now == Clock.now


@pytest.mark.usefixtures("names")
def test_an_account_of_the_settings_is_waited_for_until_somebody_has_started_it(clock: Clock) -> None:
    with pytest.raises(AccountGoneError) as caught:
        asked(ActorAccounts(expected=["paper"]), "paper")
    assert isinstance(caught.value, ServiceError)
    assert clock.now >= Clock.now + 15.0


def test_an_account_that_is_being_restarted_bears_its_name_and_is_asked(names: set[str], clock: Clock) -> None:
    names.add("desk")
    assert asked(ActorAccounts(), "desk") == "it is here"
    assert clock.now == Clock.now


def test_an_account_that_was_lost_a_moment_ago_is_waited_for_and_later_is_not_there(
    names: set[str], clock: Clock
) -> None:
    accounts = ActorAccounts()
    names.add("desk")
    assert asked(accounts, "desk") == "it is here"
    names.clear()
    for _ in range(2):
        before = clock.now
        with pytest.raises(AccountGoneError):
            asked(accounts, "desk")
        assert clock.now >= before + 15.0
    clock.now += RECENT_S
    before = clock.now
    with pytest.raises(NotFoundError):
        asked(accounts, "desk")
    assert clock.now == before
