import hmac
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.access.api_keys import UnknownKeyError, split
from nt_ray.access.errors import (
    AccessInputError,
    CredentialsError,
    KeyExpiredError,
    KeyRevokedError,
)
from nt_ray.access.gatekeeper import Gatekeeper
from nt_ray.access.roles import Role, Scope
from nt_ray.access.server_secrets import server_secrets
from nt_ray.config import Access

HERE = "10.0.0.1"


@pytest.fixture
def ada(gate: Gatekeeper) -> Gatekeeper:
    gate.users.add("ada", Role.USER, accounts=["a", "b"])
    return gate


def use(gate: Gatekeeper, key: str) -> Any:
    return gate.authenticate({"X-API-Key": key}, HERE)


def test_a_key_opens_in_each_of_its_three_forms(ada: Gatekeeper) -> None:
    new = ada.keys.add("ada", scopes=[Scope.TRADING_READ], accounts=["a"], per_minute=7)
    principal = use(ada, new.text)
    assert (principal.id, principal.role, principal.credential) == ("ada", Role.USER, new.key.id)
    assert (principal.scopes, principal.accounts, principal.per_minute) == ({Scope.TRADING_READ}, {"a"}, 7)
    for headers in (
        {"Authorization": f"Bearer {new.text}"},
        {"authorization": f"bearer   {new.text} "},
        {"APCA-API-KEY-ID": new.key.id, "APCA-API-SECRET-KEY": new.secret},
    ):
        assert ada.authenticate(headers, HERE) == principal
    assert ada.authenticate_pair(new.key.id, new.secret, HERE) == principal


def test_what_is_stored_is_an_hmac_of_id_and_secret(ada: Gatekeeper, folder: Path) -> None:
    new = ada.keys.add("ada")
    (stored,) = ada._store._connection.execute("SELECT digest FROM keys").fetchone()
    pepper = server_secrets(Access(folder=folder)).pepper
    assert stored == hmac.new(pepper, f"key {new.key.id} {new.secret}".encode(), "sha256").digest()


def test_keys_are_long_random_and_recognisable(ada: Gatekeeper) -> None:
    keys = [ada.keys.add("ada") for _ in range(20)]
    assert len({key.secret for key in keys} | {key.key.id for key in keys}) == 40
    for key in keys:
        # 80 and 256 bits at 5 a letter.
        assert (len(key.key.id), len(key.secret)) == (16, 52)
        assert split(key.text) == (key.key.id, key.secret)
        assert key.text.isascii()
        assert key.text.replace("_", "").isalnum()


def test_a_wrong_secret_and_an_unknown_key_are_refused_in_the_same_words(ada: Gatekeeper) -> None:
    new = ada.keys.add("ada")
    said = []
    for pair in (
        (new.key.id, new.secret[:-1]),
        (new.key.id, new.secret.upper()),
        (new.key.id, ""),
        (new.key.id.lower(), new.secret),
        ("A" * 16, new.secret),
        ("", ""),
        ("\ud800", "\ud800"),
        (new.key.id, "\ud800"),
        ("é", new.secret),
        (new.key.id, new.secret + "x" * 1000),
    ):
        with pytest.raises(CredentialsError) as caught:
            ada.authenticate_pair(*pair, HERE)
        said.append((str(caught.value), caught.value.code, caught.value.status))
    assert len(set(said)) == 1


def test_secrets_are_compared_in_constant_time_also_for_an_unknown_key(
    ada: Gatekeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[int, int]] = []
    compare = hmac.compare_digest

    def watched(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    new = ada.keys.add("ada")
    for id_ in (new.key.id, "A" * 16):
        with pytest.raises(CredentialsError):
            ada.keys.check(id_, "wrong")
    assert compared == [(32, 32), (32, 32)]


def test_a_key_ends_at_its_time_and_not_before(ada: Gatekeeper, clock: Any) -> None:
    new = ada.keys.add("ada", lifetime=timedelta(hours=1))
    clock.pass_(hours=1, milliseconds=-1)
    assert use(ada, new.text).id == "ada"
    clock.pass_(milliseconds=1)
    with pytest.raises(KeyExpiredError) as caught:
        use(ada, new.text)
    assert caught.value.code == "key_expired"
    with pytest.raises(CredentialsError):
        ada.authenticate_pair(new.key.id, "wrong", HERE)


def test_a_revoked_key_ends_at_once_for_every_server(ada: Gatekeeper, opened: Callable[..., Gatekeeper]) -> None:
    new, other = ada.keys.add("ada"), opened()
    assert use(other, new.text) == use(ada, new.text)
    ada.keys.revoke(new.key.id)
    for gate in (ada, other):
        with pytest.raises(KeyRevokedError) as caught:
            use(gate, new.text)
        assert caught.value.code == "key_revoked"
    with pytest.raises(UnknownKeyError):
        ada.keys.revoke("nobody")


def test_rotation_gives_a_like_key_and_both_hold_during_the_overlap(ada: Gatekeeper, clock: Any) -> None:
    old = ada.keys.add("ada", label="bot", scopes=[Scope.RISK_READ], accounts=["b"], per_minute=9)
    clock.pass_(days=3)
    new = ada.keys.rotate(old.key.id, timedelta(hours=2))
    assert use(ada, new.text).scopes == use(ada, old.text).scopes == {Scope.RISK_READ}
    kept = ("user", "label", "scopes", "accounts", "per_minute", "expires")
    assert [getattr(new.key, name) for name in kept] == [getattr(old.key, name) for name in kept]
    assert ada.keys.get(old.key.id).replaced_by == new.key.id
    clock.pass_(hours=2)
    with pytest.raises(KeyExpiredError):
        use(ada, old.text)
    assert use(ada, new.text).id == "ada"


def test_a_rotated_key_holds_as_long_as_the_first_and_an_overlap_prolongs_nothing(ada: Gatekeeper, clock: Any) -> None:
    old = ada.keys.add("ada", lifetime=timedelta(days=10))
    clock.pass_(days=9)
    new = ada.keys.rotate(old.key.id, timedelta(days=5))
    assert ada.keys.get(old.key.id).expires == old.key.expires
    assert new.key.expires == clock() + timedelta(days=10)


def test_a_key_that_ended_or_was_rotated_is_not_rotated(ada: Gatekeeper) -> None:
    one, other = ada.keys.add("ada"), ada.keys.add("ada")
    ada.keys.revoke(one.key.id)
    with pytest.raises(KeyRevokedError):
        ada.keys.rotate(one.key.id, timedelta(0))
    ada.keys.rotate(other.key.id, timedelta(hours=1))
    with pytest.raises(AccessInputError, match="was rotated to"):
        ada.keys.rotate(other.key.id, timedelta(hours=1))
    with pytest.raises(AccessInputError, match="before it begins"):
        ada.keys.rotate(other.key.id, timedelta(seconds=-1))
    assert len(ada.keys.all()) == 3


@pytest.mark.parametrize(
    "asked",
    [
        {"scopes": [Scope.KILL]},
        {"accounts": ["c"]},
        {"per_minute": 0},
        {"lifetime": timedelta(0)},
    ],
)
def test_a_key_for_more_than_its_user_or_for_nothing_is_refused(ada: Gatekeeper, asked: dict[str, Any]) -> None:
    with pytest.raises(AccessInputError):
        ada.keys.add("ada", **asked)
    assert ada.keys.all() == []


def test_the_last_use_is_known_to_about_a_minute_and_written_once_in_it(ada: Gatekeeper, clock: Any) -> None:
    new = ada.keys.add("ada")
    assert new.key.last_used is None
    use(ada, new.text)
    first = clock()
    # One change, that of the first use, then none.
    version = ada._store.version()
    for _ in range(5):
        clock.pass_(seconds=10)
        use(ada, new.text)
    assert ada._store.version() == version
    assert ada.keys.get(new.key.id).last_used == first


def test_a_key_in_steady_use_shows_it(ada: Gatekeeper, clock: Any) -> None:
    new = ada.keys.add("ada")
    for _ in range(30):
        use(ada, new.text)
        clock.pass_(seconds=10)
    last_used = ada.keys.get(new.key.id).last_used
    assert last_used is not None
    assert clock() - last_used <= timedelta(seconds=70)


@given(st.text())
def test_any_text_is_a_key_of_the_form_or_none(text: str) -> None:
    found = split(text)
    assert (found is None) is not text.startswith("nt_")
    if found is not None:
        assert f"nt_{'_'.join(found)}".rstrip("_") == text.rstrip("_")
