import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nt_ray.access.errors import TokenError, TokenExpiredError, TokenReplayedError, TokenRevokedError
from nt_ray.access.gatekeeper import Gatekeeper, Tokens
from nt_ray.access.roles import ForbiddenError, Principal, Role, Scope

PASSWORD = "correct horse battery"
HERE = "10.0.0.1"


@pytest.fixture
def ada(gate: Gatekeeper) -> Gatekeeper:
    gate.users.add("ada", Role.USER, password=PASSWORD)
    return gate


def use(gate: Gatekeeper, tokens: Tokens) -> Principal:
    return gate.authenticate({"Authorization": f"Bearer {tokens.access}"}, HERE)


def test_a_login_gives_tokens_that_open(ada: Gatekeeper) -> None:
    tokens = ada.login("ada", PASSWORD, HERE)
    assert (tokens.user, tokens.expires_in_s) == ("ada", 900)
    assert Scope.TRADING_WRITE in tokens.scopes
    principal = use(ada, tokens)
    assert (principal.id, principal.role, principal.scopes) == ("ada", Role.USER, None)


def test_a_login_may_ask_for_less_and_keeps_it_when_refreshed(ada: Gatekeeper) -> None:
    tokens = ada.login("ada", PASSWORD, HERE, frozenset({Scope.RISK_READ}))
    assert tokens.scopes == {Scope.RISK_READ}
    again = ada.refresh(tokens.refresh, HERE)
    assert again.scopes == use(ada, again).scopes == {Scope.RISK_READ}
    with pytest.raises(ForbiddenError):
        ada.login("ada", PASSWORD, HERE, frozenset({Scope.KILL}))


def test_an_access_token_ends_and_the_refresh_token_gives_another(ada: Gatekeeper, clock: Any) -> None:
    tokens = ada.login("ada", PASSWORD, HERE)
    use(ada, tokens)
    clock.pass_(minutes=15, seconds=6)
    with pytest.raises(TokenExpiredError):
        use(ada, tokens)
    assert use(ada, ada.refresh(tokens.refresh, HERE)).id == "ada"


def test_a_replayed_refresh_token_ends_the_session_of_thief_and_owner(ada: Gatekeeper) -> None:
    first, elsewhere = ada.login("ada", PASSWORD, HERE), ada.login("ada", PASSWORD, HERE)
    second = ada.refresh(first.refresh, HERE)
    with pytest.raises(TokenReplayedError) as caught:
        ada.refresh(first.refresh, HERE)
    assert caught.value.code == "token_replayed"
    with pytest.raises(TokenRevokedError):
        ada.refresh(second.refresh, HERE)
    for tokens in (first, second):
        with pytest.raises(TokenRevokedError):
            use(ada, tokens)
    assert use(ada, elsewhere).id == "ada"


def test_one_of_two_who_use_a_refresh_token_at_once_is_a_replay(
    ada: Gatekeeper, opened: Callable[..., Gatekeeper]
) -> None:
    tokens, gates = ada.login("ada", PASSWORD, HERE), [opened() for _ in range(4)]
    start, results = threading.Barrier(4), []

    def run(gate: Gatekeeper) -> None:
        start.wait()
        try:
            gate.refresh(tokens.refresh, HERE)
            results.append("ok")
        except TokenError as error:
            results.append(error.code)

    threads = [threading.Thread(target=run, args=(gate,)) for gate in gates]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["ok"] + ["token_replayed"] * 3


def test_a_refresh_token_ends_by_itself_and_a_session_in_any_case(ada: Gatekeeper, clock: Any) -> None:
    idle, kept = ada.login("ada", PASSWORD, HERE), ada.login("ada", PASSWORD, HERE)
    for _ in range(5):
        clock.pass_(days=5.9)
        kept = ada.refresh(kept.refresh, HERE)
    with pytest.raises(TokenExpiredError):
        ada.refresh(idle.refresh, HERE)
    clock.pass_(days=0.499)
    last = ada.refresh(kept.refresh, HERE)
    # Five times 5.9 days and 0.499 leave 86.4 s of the 30 days.
    assert last.expires_in_s == 86
    clock.pass_(days=0.001)
    with pytest.raises(TokenExpiredError):
        ada.refresh(last.refresh, HERE)


@pytest.mark.parametrize("which", ["access", "refresh"])
def test_logging_out_ends_the_session_by_either_token_and_on_every_server(
    ada: Gatekeeper, opened: Callable[..., Gatekeeper], which: str
) -> None:
    tokens, other = ada.login("ada", PASSWORD, HERE), opened()
    assert use(other, tokens).id == "ada"
    ada.revoke(getattr(tokens, which))
    for gate in (ada, other):
        with pytest.raises(TokenRevokedError) as caught:
            use(gate, tokens)
        assert caught.value.code == "token_revoked"
        with pytest.raises(TokenRevokedError):
            gate.refresh(tokens.refresh, HERE)


def test_logging_out_with_a_token_that_has_expired_ends_the_session_all_the_same(ada: Gatekeeper, clock: Any) -> None:
    tokens = ada.login("ada", PASSWORD, HERE)
    clock.pass_(hours=1)
    ada.revoke(tokens.access)
    with pytest.raises(TokenRevokedError):
        ada.refresh(tokens.refresh, HERE)


def test_revoking_what_is_no_token_changes_nothing(ada: Gatekeeper) -> None:
    tokens = ada.login("ada", PASSWORD, HERE)
    for text in ("", "x", "ntr_x", "a.b.c", tokens.access[:-4], tokens.refresh + "x", "\ud800"):
        ada.revoke(text)
    assert use(ada, tokens).id == "ada"


def test_one_access_token_alone_may_be_revoked(ada: Gatekeeper) -> None:
    first = ada.login("ada", PASSWORD, HERE)
    second = ada.refresh(first.refresh, HERE)
    ada.sessions.revoke_token(use(ada, first).credential)
    with pytest.raises(TokenRevokedError):
        use(ada, first)
    assert use(ada, second).id == "ada"


def test_what_is_over_is_forgotten(ada: Gatekeeper, clock: Any) -> None:
    tokens = ada.login("ada", PASSWORD, HERE)
    ada.refresh(tokens.refresh, HERE)
    ada.revoke(tokens.access)
    clock.pass_(days=31)
    ada.login("ada", PASSWORD, HERE)
    counts = [
        ada._store._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for table in ("sessions", "refreshes", "revocations")
    ]
    assert counts == [1, 1, 0]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=12))
def test_of_all_refresh_tokens_of_a_session_only_the_last_ever_holds(
    ada: Gatekeeper, moves: list[tuple[int, bool]]
) -> None:
    chain = [ada.sessions.start("ada", None).refresh]
    alive = True
    for back, newest in moves:
        which = len(chain) - 1 if newest else max(len(chain) - 1 - back, 0)
        try:
            chain.append(ada.sessions.rotate(chain[which]).refresh)
            went = True
        except TokenReplayedError:
            went = False
            assert which < len(chain) - 1
        except TokenRevokedError:
            went = False
            assert which == len(chain) - 1
        assert went is (alive and which == len(chain) - 1 - went)
        alive = went and alive


def test_any_text_is_no_refresh_token(ada: Gatekeeper) -> None:
    for text in ("", "ntr_", "ntr_x", "ntr_\ud800", "ntr_" + "x" * 10_000, "nt_a_b", ada.keys.add("ada").text):
        with pytest.raises(TokenError) as caught:
            ada.refresh(text, HERE)
        assert caught.value.code == "token_invalid"


def test_a_session_lasts_as_long_as_the_settings_say(opened: Callable[..., Gatekeeper], clock: Any) -> None:
    gate = opened(access_minutes=0.5, refresh_days=1, leeway_s=0)
    gate.users.add("ada", Role.USER, password=PASSWORD)
    tokens = gate.login("ada", PASSWORD, HERE)
    assert tokens.expires_in_s == 30
    clock.now = clock.now.replace(microsecond=0) + timedelta(seconds=30)
    with pytest.raises(TokenExpiredError):
        use(gate, tokens)
