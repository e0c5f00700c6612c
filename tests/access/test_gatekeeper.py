import base64
import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nt_ray.access.errors import (
    AddressBlockedError,
    CredentialsError,
    KeyExpiredError,
    KeyRevokedError,
    LockedOutError,
    TokenError,
    TokenExpiredError,
)
from nt_ray.access.gatekeeper import Gatekeeper
from nt_ray.access.roles import GRANTS, Principal, Role, Scope, UnauthenticatedError
from nt_ray.errors import NeuralTraderError

PASSWORD = "correct horse battery"
HERE, THERE = "10.0.0.1", "10.0.0.2"


@pytest.fixture
def ada(gate: Gatekeeper) -> Gatekeeper:
    gate.users.add("ada", Role.USER, password=PASSWORD)
    return gate


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def wrong(gate: Gatekeeper, name: str = "ada", address: str = HERE) -> NeuralTraderError:
    with pytest.raises(NeuralTraderError) as caught:
        gate.login(name, "wrong horse battery", address)
    return caught.value


def test_the_first_start_makes_an_admin_once(gate: Gatekeeper, opened: Callable[..., Gatekeeper]) -> None:
    key = gate.first_start()
    assert key is not None
    assert gate.first_start() is None
    assert opened().first_start() is None
    principal = gate.authenticate({"X-API-Key": key}, HERE)
    assert (principal.id, principal.role) == ("admin", Role.ADMIN)
    assert all(principal.may(scope, "any") for scope in Scope)
    # He has no password, so none opens.
    with pytest.raises(CredentialsError):
        gate.login("admin", "", HERE)


FIRST = """
import sys
from pathlib import Path
from nt_ray.access.gatekeeper import open_gatekeeper
from nt_ray.config import Access
print("ready", flush=True)
sys.stdin.readline()
gate = open_gatekeeper(Access(folder=Path(sys.argv[1])))
print(gate.first_start() or "")
"""


def test_of_servers_that_start_at_once_on_an_empty_folder_one_makes_the_admin(
    folder: Any, opened: Callable[..., Gatekeeper], at_once: Callable[..., Any]
) -> None:
    runs = at_once(FIRST, *[(folder,)] * 3)
    told = [run.communicate()[0].strip() for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0]
    (key,) = [text for text in told if text]
    gate = opened()
    assert gate.authenticate({"X-API-Key": key}, HERE).role is Role.ADMIN
    assert [(user.name, len(gate.keys.all(user.name))) for user in gate.users.all()] == [("admin", 1)]
    # Nobody else on the machine reads anything there.
    assert folder.stat().st_mode & 0o077 == 0
    assert not [path for path in folder.rglob("*") if path.is_file() and path.stat().st_mode & 0o077]


@pytest.mark.parametrize("role", Role)
def test_each_role_may_by_key_and_by_token_what_the_table_grants(gate: Gatekeeper, role: Role) -> None:
    gate.users.add("ada", role, password=PASSWORD)
    for credential in (gate.keys.add("ada").text, gate.login("ada", PASSWORD, HERE).access):
        principal = gate.authenticate(bearer(credential), HERE)
        assert {scope for scope in Scope if principal.may(scope)} == GRANTS[role]


def test_a_request_without_a_credential_is_asked_for_one(ada: Gatekeeper) -> None:
    with pytest.raises(UnauthenticatedError) as caught:
        ada.authenticate({"Accept": "*/*"}, HERE)
    assert (caught.value.code, caught.value.status) == ("unauthenticated", 401)


class Repeated(dict[str, str]):
    """Headers of which one comes twice, as a server hands them over."""

    def __init__(self, *pairs: tuple[str, str]) -> None:
        super().__init__(pairs)
        self.pairs = pairs

    def items(self) -> Any:
        return list(self.pairs)


def test_several_credentials_are_refused_even_where_each_holds(ada: Gatekeeper) -> None:
    new = ada.keys.add("ada")
    pair = {"APCA-API-KEY-ID": new.key.id, "APCA-API-SECRET-KEY": new.secret}
    for headers in (
        bearer(new.text) | {"X-API-Key": new.text},
        bearer(new.text) | pair,
        {"X-API-Key": new.text} | pair,
        {"X-API-Key": new.text, "x-api-key": new.text},
        Repeated(("Authorization", f"Bearer {new.text}"), ("Authorization", f"Bearer {new.text}")),
    ):
        with pytest.raises(CredentialsError, match="several"):
            ada.authenticate(headers, HERE)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Basic YWRhOng="},
        {"Authorization": "Bearer"},
        {"Authorization": ""},
        {"Authorization": "Bearer a.b.c"},
        {"Authorization": "Bearer nt_"},
        {"X-API-Key": ""},
        {"X-API-Key": "nt_AAAAAAAAAAAAAAAA_x"},
        {"APCA-API-KEY-ID": "AAAAAAAAAAAAAAAA"},
        {"APCA-API-SECRET-KEY": "x"},
    ],
)
def test_a_malformed_credential_is_unauthenticated(ada: Gatekeeper, headers: dict[str, str]) -> None:
    with pytest.raises(UnauthenticatedError) as caught:
        ada.authenticate(headers, HERE)
    assert caught.value.status == 401


def test_a_token_whose_body_is_exchanged_is_refused(ada: Gatekeeper) -> None:
    ada.users.add("root", Role.ADMIN)
    head, body, signature = ada.login("ada", PASSWORD, HERE).access.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "==")) | {"sub": "root"}
    other = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').decode().rstrip("=")
    for token in (f"{head}.{other}.{signature}", f"{unsigned}.{other}.", f"{unsigned}.{body}.{signature}"):
        with pytest.raises(TokenError):
            ada.authenticate(bearer(token), HERE)


def test_a_token_of_another_server_is_refused(ada: Gatekeeper, opened: Callable[..., Gatekeeper]) -> None:
    token = ada.login("ada", PASSWORD, HERE).access
    for other in (
        opened(token_secret="t" * 64),
        opened(issuer="x"),
        opened(audience="x"),
        opened(token_algorithm="EdDSA"),
    ):
        with pytest.raises(TokenError):
            other.authenticate(bearer(token), HERE)


def test_tokens_of_eddsa_open_as_well(opened: Callable[..., Gatekeeper]) -> None:
    gate = opened(token_algorithm="EdDSA")
    gate.users.add("ada", Role.USER, password=PASSWORD)
    token = gate.login("ada", PASSWORD, HERE).access
    assert opened(token_algorithm="EdDSA").authenticate(bearer(token), HERE).id == "ada"


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(ada: Gatekeeper) -> None:
    answers = [(type(e), str(e)) for e in (wrong(ada, "ada"), wrong(ada, "bob"), wrong(ada, "not a name"))]
    assert len(set(answers)) == 1


def test_a_name_is_locked_after_failures_ever_longer_and_known_or_not(ada: Gatekeeper, clock: Any) -> None:
    for name in ("ada", "nobody"):
        for _ in range(5):
            assert type(wrong(ada, name)) is CredentialsError
        waits = []
        for _ in range(10):
            refused = wrong(ada, name)
            assert isinstance(refused, LockedOutError)
            waits.append(refused.retry_after_s)
            clock.pass_(seconds=refused.retry_after_s)
            ada._addresses.clear(HERE)
            assert type(wrong(ada, name)) is CredentialsError
        assert waits == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
        assert (refused.code, refused.status) == ("locked_out", 429)


def test_a_locked_name_is_not_let_in_with_the_right_password_until_its_time(ada: Gatekeeper, clock: Any) -> None:
    for _ in range(5):
        wrong(ada)
    with pytest.raises(LockedOutError):
        ada.login("ada", PASSWORD, HERE)
    clock.pass_(seconds=30)
    assert ada.login("ada", PASSWORD, HERE).user == "ada"
    # A success forgets the failures.
    for _ in range(4):
        wrong(ada)
    assert ada.login("ada", PASSWORD, HERE).user == "ada"


def test_nobody_locks_out_somebody_elsewhere_unless_from_many_addresses(ada: Gatekeeper, clock: Any) -> None:
    for attacker in range(9):
        for _ in range(5):
            wrong(ada, "ada", f"192.0.2.{attacker}")
        assert isinstance(wrong(ada, "ada", f"192.0.2.{attacker}"), LockedOutError)
    # His own success forgets what others have failed, but does not open their addresses again.
    assert ada.login("ada", PASSWORD, HERE).user == "ada"
    assert isinstance(wrong(ada, "ada", "192.0.2.1"), LockedOutError)
    for attacker in range(10, 20):
        for _ in range(5):
            wrong(ada, "ada", f"192.0.2.{attacker}")
    with pytest.raises(LockedOutError):
        ada.login("ada", PASSWORD, HERE)
    assert type(wrong(ada, "bob", HERE)) is CredentialsError
    ada.unlock("ada")
    assert ada.login("ada", PASSWORD, HERE).user == "ada"
    assert type(wrong(ada, "ada", "192.0.2.1")) is CredentialsError


def test_what_a_lock_for_all_refuses_is_no_failure_of_the_address_that_asks(ada: Gatekeeper, clock: Any) -> None:
    for attacker in range(10):
        for _ in range(5):
            wrong(ada, "ada", f"192.0.2.{attacker}")
    for number, lock_s in enumerate((30, 60, 120)):
        clock.pass_(seconds=lock_s)
        wrong(ada, "ada", f"192.0.3.{number}")
    # The lock is one of 240 seconds now, and he has not failed once.
    for pause in (0, 0, 0, 0, 0, 100, 61):
        clock.pass_(seconds=pause)
        with pytest.raises(LockedOutError):
            ada.login("ada", PASSWORD, HERE)
    clock.pass_(seconds=79)
    assert ada.login("ada", PASSWORD, HERE).user == "ada"


def test_a_lock_of_a_clock_that_was_set_back_holds_no_longer(ada: Gatekeeper, clock: Any) -> None:
    clock.pass_(days=365)
    for _ in range(5):
        wrong(ada)
    assert isinstance(wrong(ada), LockedOutError)
    clock.pass_(days=-365)
    assert ada.login("ada", PASSWORD, HERE).user == "ada"


def test_a_lock_is_known_to_every_server_and_undone_by_an_admin(
    ada: Gatekeeper, opened: Callable[..., Gatekeeper]
) -> None:
    for _ in range(5):
        wrong(ada)
    other = opened()
    assert isinstance(wrong(other), LockedOutError)
    other.unlock("ada")
    assert ada.login("ada", PASSWORD, HERE).user == "ada"


def test_keys_hold_while_their_user_is_locked(ada: Gatekeeper) -> None:
    key = ada.keys.add("ada").text
    for _ in range(5):
        wrong(ada)
    assert ada.authenticate(bearer(key), HERE).id == "ada"


def test_failures_are_forgotten_after_a_while(ada: Gatekeeper, clock: Any) -> None:
    for _ in range(3):
        for _ in range(4):
            wrong(ada)
        clock.pass_(seconds=900)
    assert ada.login("ada", PASSWORD, HERE).user == "ada"


def test_an_address_is_blocked_after_false_credentials_of_any_kind(
    opened: Callable[..., Gatekeeper], clock: Any
) -> None:
    gate = opened(block_after=4)
    gate.users.add("ada", Role.USER, password=PASSWORD)
    key = gate.keys.add("ada").text
    gate.authenticate(bearer(key), HERE)
    false = [
        lambda: wrong(gate),
        lambda: gate.authenticate(bearer("a.b.c"), HERE),
        lambda: gate.authenticate(bearer(key[:-1]), HERE),
        lambda: gate.refresh("ntr_x", HERE),
    ]
    for attempt in false:
        try:
            attempt()
        except UnauthenticatedError:
            continue
    uses = [
        lambda: gate.authenticate(bearer(key[:-1]), HERE),
        lambda: gate.login("ada", PASSWORD, HERE),
        lambda: gate.refresh("ntr_x", HERE),
        lambda: gate.authenticate_pair("x", "y", HERE),
    ]
    for use in uses:
        with pytest.raises(AddressBlockedError) as caught:
            use()
        assert (caught.value.code, caught.value.status, caught.value.retry_after_s) == ("address_blocked", 429, 30)
    assert gate.login("ada", PASSWORD, THERE).user == "ada"
    clock.pass_(seconds=30)
    assert gate.login("ada", PASSWORD, HERE).user == "ada"


def test_expired_and_missing_credentials_block_nobody(opened: Callable[..., Gatekeeper], clock: Any) -> None:
    gate = opened(block_after=2)
    gate.users.add("ada", Role.USER, password=PASSWORD)
    tokens = gate.login("ada", PASSWORD, HERE)
    clock.pass_(minutes=16)
    for _ in range(5):
        with pytest.raises(TokenExpiredError):
            gate.authenticate(bearer(tokens.access), HERE)
        with pytest.raises(UnauthenticatedError):
            gate.authenticate({}, HERE)
    assert gate.refresh(tokens.refresh, HERE).user == "ada"


def test_a_network_of_ipv6_is_blocked_as_one_and_its_neighbour_is_not(opened: Callable[..., Gatekeeper]) -> None:
    gate = opened(block_after=3)
    for last in (1, 2, 3):
        with pytest.raises(CredentialsError):
            gate.authenticate_pair("x", "y", f"2001:db8:1:2::{last}")
    with pytest.raises(AddressBlockedError):
        gate.authenticate_pair("x", "y", "2001:db8:1:2:ffff::9")
    with pytest.raises(CredentialsError):
        gate.authenticate_pair("x", "y", "2001:db8:1:3::1")


def test_what_is_remembered_is_not_looked_up_again_and_bounded(ada: Gatekeeper) -> None:
    import nt_ray.access.gatekeeper as module

    key = ada.keys.add("ada").text
    for _ in range(2):
        ada.authenticate(bearer(key), HERE)
    asked: list[str] = []
    ada._store._connection.set_trace_callback(asked.append)
    for _ in range(3):
        ada.authenticate(bearer(key), HERE)
    ada._store._connection.set_trace_callback(None)
    assert [text for text in asked if "data_version" not in text] == []
    known = next(iter(ada._remembered.values()))
    for number in range(2 * module._MOST_REMEMBERED):
        ada._remember(number.to_bytes(4, "big"), known, ada._store.version())
    assert len(ada._remembered) <= module._MOST_REMEMBERED


def remembered(gate: Gatekeeper) -> str:
    """Give a key that the gatekeeper remembers."""
    key = gate.keys.add("ada").text
    # The first use is noted, which changes the store.
    for _ in range(2):
        gate.authenticate(bearer(key), HERE)
    return key


def test_what_is_remembered_holds_until_anybody_changes_anything(
    ada: Gatekeeper, opened: Callable[..., Gatekeeper]
) -> None:
    key = ada.keys.add("ada")
    assert ada.recall(bearer(key.text)) is None
    principals = [ada.authenticate(bearer(key.text), HERE) for _ in range(2)]
    assert ada.recall(bearer(key.text)) == principals[0]
    opened().keys.revoke(key.key.id)
    assert ada.recall(bearer(key.text)) is None
    with pytest.raises(KeyRevokedError):
        ada.authenticate(bearer(key.text), HERE)


def test_recalling_waits_for_nobody_who_writes(ada: Gatekeeper) -> None:
    key = remembered(ada)
    found: list[Principal | None] = []
    asking = threading.Thread(target=lambda: found.append(ada.recall(bearer(key))))
    with ada._store.writing() as sql:
        sql.execute("INSERT INTO revocations VALUES ('j', 1)")
        asking.start()
        asking.join(5)
        assert [who.id for who in found if who] == ["ada"]


def test_a_use_that_is_due_is_noted_and_not_recalled(ada: Gatekeeper, clock: Any) -> None:
    key = remembered(ada)
    clock.pass_(minutes=2)
    assert ada.recall(bearer(key)) is None
    ada.authenticate(bearer(key), HERE)
    (noted,) = ada.keys.all("ada")
    assert noted.last_used == clock.now


def test_recalling_does_not_outlive_a_token_or_a_key(ada: Gatekeeper, clock: Any) -> None:
    token = ada.login("ada", PASSWORD, HERE).access
    key = ada.keys.add("ada", lifetime=timedelta(seconds=30)).text
    for credential in (token, key, token, key):
        ada.authenticate(bearer(credential), HERE)
    assert ada.recall(bearer(token)) == ada.authenticate(bearer(token), HERE)
    clock.pass_(seconds=40)
    with pytest.raises(KeyExpiredError):
        ada.recall(bearer(key))
    clock.pass_(hours=1)
    with pytest.raises(TokenExpiredError):
        ada.recall(bearer(token))


def test_nobody_shuts_out_those_who_share_his_address(ada: Gatekeeper, opened: Callable[..., Gatekeeper]) -> None:
    tokens, key, other = ada.login("ada", PASSWORD, HERE), ada.keys.add("ada"), ada.keys.add("ada")
    for _ in range(20):
        with pytest.raises(CredentialsError):
            ada.authenticate_pair("x", "y", HERE)
    for gate in (ada, opened()):
        assert gate.authenticate(bearer(key.text), HERE).id == "ada"
        assert gate.authenticate(bearer(tokens.access), HERE).id == "ada"
        assert gate.authenticate_pair(other.key.id, other.secret, HERE).id == "ada"
    assert ada.refresh(tokens.refresh, HERE).user == "ada"
    # What is false is refused without a word about it, and passwords are not looked at.
    for guess in (lambda: ada.authenticate_pair(key.key.id, "y", HERE), lambda: ada.login("ada", PASSWORD, HERE)):
        with pytest.raises(AddressBlockedError):
            guess()


HEADERS = st.dictionaries(
    st.sampled_from(["Authorization", "X-API-Key", "APCA-API-KEY-ID", "APCA-API-SECRET-KEY", "Accept"]),
    st.text(max_size=60) | st.text(max_size=30).map(lambda t: f"Bearer {t}") | st.just("Bearer eyJ.eyJ.x"),
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HEADERS, st.text(max_size=40))
def test_whatever_headers_and_address_say_is_refused_in_plain_words(
    gate: Gatekeeper, headers: dict[str, str], address: str
) -> None:
    with pytest.raises(NeuralTraderError) as caught:
        gate.authenticate(headers, address)
    assert caught.value.status in (401, 429)
    assert not any(len(value) > 20 and value in str(caught.value) for value in headers.values())
