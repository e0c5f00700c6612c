import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.access.columns import common
from nt_ray.access.errors import AccessInputError, CredentialsError, KeyRevokedError, TokenRevokedError
from nt_ray.access.gatekeeper import Gatekeeper
from nt_ray.access.roles import Role, Scope
from nt_ray.access.users import LastAdminError, UnknownUserError, UserExistsError

PASSWORD = "correct horse battery"
HERE = "10.0.0.1"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_user_is_found_as_he_was_added(gate: Gatekeeper) -> None:
    user = gate.users.add("O.Brien@desk-1", Role.USER, accounts=["b", "a"])
    assert gate.users.get("O.Brien@desk-1") == user
    assert (user.role, user.accounts, user.has_password, user.active) == (Role.USER, {"a", "b"}, False, True)
    assert gate.users.all() == [user]


@pytest.mark.parametrize("name", ["", " ", "a b", "-a", "a" * 65, "ä", "a\n", "a\0b", "\ud800", "a;b", "*"])
def test_a_name_that_could_be_mistaken_is_refused(gate: Gatekeeper, name: str) -> None:
    with pytest.raises(AccessInputError, match="no user name"):
        gate.users.add(name, Role.USER)
    assert gate.users.find(name) is None
    with pytest.raises(CredentialsError):
        gate.login(name, PASSWORD, HERE)


def test_a_name_is_taken_once_and_an_unknown_one_is_said(gate: Gatekeeper) -> None:
    gate.users.add("ada", Role.USER)
    with pytest.raises(UserExistsError):
        gate.users.add("ada", Role.ADMIN)
    assert gate.users.get("ada").role is Role.USER
    for call in (gate.users.get, gate.keys.add, lambda n: gate.users.change_role(n, Role.USER)):
        with pytest.raises(UnknownUserError):
            call("bob")


def test_another_role_holds_at_once_for_what_is_open(gate: Gatekeeper) -> None:
    gate.users.add("ada", Role.READ_ONLY, password=PASSWORD)
    token, key = gate.login("ada", PASSWORD, HERE).access, gate.keys.add("ada").text
    assert not gate.authenticate(bearer(token), HERE).may(Scope.TRADING_WRITE)
    gate.users.change_role("ada", Role.USER)
    for credential in (token, key):
        assert gate.authenticate(bearer(credential), HERE).may(Scope.TRADING_WRITE)


def test_other_accounts_hold_at_once_and_a_key_never_reaches_beyond_them(gate: Gatekeeper) -> None:
    gate.users.add("ada", Role.USER, accounts=["a", "b"])
    key = gate.keys.add("ada", accounts=["b"]).text
    gate.users.change_accounts("ada", ["a", "c"])
    assert gate.authenticate(bearer(key), HERE).accounts == frozenset()
    gate.users.change_accounts("ada", None)
    assert gate.authenticate(bearer(key), HERE).accounts == {"b"}


def test_who_is_inactive_is_not_let_in_by_anything(gate: Gatekeeper) -> None:
    gate.users.add("ada", Role.USER, password=PASSWORD)
    tokens, key = gate.login("ada", PASSWORD, HERE), gate.keys.add("ada").text
    gate.users.activate("ada", active=False)
    with pytest.raises(TokenRevokedError):
        gate.authenticate(bearer(tokens.access), HERE)
    with pytest.raises(KeyRevokedError):
        gate.authenticate(bearer(key), HERE)
    with pytest.raises(TokenRevokedError):
        gate.refresh(tokens.refresh, HERE)
    with pytest.raises(CredentialsError):
        gate.login("ada", PASSWORD, HERE)
    gate.users.activate("ada", active=True)
    assert gate.authenticate(bearer(key), HERE).id == "ada"


def test_another_password_ends_sessions_and_leaves_keys(gate: Gatekeeper) -> None:
    gate.users.add("ada", Role.USER, password=PASSWORD)
    every, key = [gate.login("ada", PASSWORD, HERE) for _ in range(3)], gate.keys.add("ada").text
    gate.users.change_password("ada", PASSWORD + "!")
    for tokens in every:
        with pytest.raises(TokenRevokedError):
            gate.authenticate(bearer(tokens.access), HERE)
        with pytest.raises(TokenRevokedError):
            gate.refresh(tokens.refresh, HERE)
    assert gate.authenticate(bearer(key), HERE).id == "ada"
    with pytest.raises(CredentialsError):
        gate.login("ada", PASSWORD, HERE)
    assert gate.login("ada", PASSWORD + "!", HERE).user == "ada"


def test_a_hash_of_other_costs_is_made_anew_at_the_next_login(gate: Gatekeeper, opened) -> None:
    gate.users.add("ada", Role.USER, password=PASSWORD)
    dearer = opened(password_memory_mb=2)
    assert dearer.login("ada", PASSWORD, HERE).user == "ada"
    (encoded,) = gate._store._connection.execute("SELECT password FROM users").fetchone()
    assert "m=2048," in encoded
    assert gate.login("ada", PASSWORD, HERE).user == "ada"


def test_the_last_admin_stays(gate: Gatekeeper) -> None:
    gate.users.add("root", Role.ADMIN)
    gate.users.add("bob", Role.ADMIN)
    gate.users.activate("bob", active=False)
    for change in (
        lambda: gate.users.change_role("root", Role.USER),
        lambda: gate.users.activate("root", active=False),
    ):
        with pytest.raises(LastAdminError):
            change()
    gate.users.activate("bob", active=True)
    gate.users.change_role("root", Role.USER)
    assert gate.users.get("root").role is Role.USER


SETS = st.none() | st.frozensets(st.sampled_from("abcd"))


@given(SETS, SETS, st.sampled_from("abcd"))
def test_what_two_sets_have_in_common_is_what_both_allow(
    one: frozenset[str] | None, other: frozenset[str] | None, name: str
) -> None:
    both = common(one, other)
    assert (both is None or name in both) is ((one is None or name in one) and (other is None or name in other))
