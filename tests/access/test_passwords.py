import unicodedata
from typing import Any

import pytest
from argon2 import PasswordHasher
from argon2.low_level import Type, hash_secret_raw
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.access.errors import AccessInputError
from nt_ray.access.passwords import Passwords

CHEAP = Passwords(memory_mb=1, passes=1)


def test_a_hash_is_argon2id_with_the_given_costs_and_a_salt_of_its_own() -> None:
    one, other = CHEAP.hash("correct horse battery"), CHEAP.hash("correct horse battery")
    assert one.startswith("$argon2id$v=19$m=1024,t=1,p=1$")
    assert one != other
    assert PasswordHasher().verify(one, "correct horse battery")
    assert Passwords().hash("correct horse battery").startswith("$argon2id$v=19$m=65536,t=3,p=1$")


def test_the_library_computes_the_published_hash() -> None:
    # Test vector of the reference implementation: argon2id v1.3, t = 2, m = 2^16, p = 1.
    tag = hash_secret_raw(b"password", b"somesalt", 2, 65536, 1, 32, Type.ID)
    assert tag.hex() == "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"


@given(st.text(min_size=12, max_size=40), st.text(max_size=40))
@settings(max_examples=25)
def test_only_the_same_password_is_right(password: str, other: str) -> None:
    encoded = CHEAP.hash(password)
    assert CHEAP.check(encoded, password).right
    assert not CHEAP.check(None, password).right
    if other != password:
        assert CHEAP.check(encoded, other).right is (nfkc(other) == nfkc(password))


def nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def test_one_password_typed_on_two_keyboards_is_one() -> None:
    composed, apart = "caf\u00e9 caf\u00e9 caf\u00e9", "cafe\u0301 cafe\u0301 cafe\u0301"
    assert composed != apart
    assert CHEAP.check(CHEAP.hash(composed), apart).right


@pytest.mark.parametrize("password", ["", "eleven char", "x" * 1025, "é" * 600])
def test_a_password_too_short_or_too_long_is_refused_without_being_shown(password: str) -> None:
    with pytest.raises(AccessInputError) as caught:
        CHEAP.hash(password)
    assert not password or password not in str(caught.value)


def test_whatever_is_typed_is_answered() -> None:
    encoded = CHEAP.hash("x" * 1024)
    assert CHEAP.check(encoded, "x" * 1024).right
    for typed in ("x" * 1025, "x" * 1_000_000, "\ud800" * 12, "\0", ""):
        assert not CHEAP.check(encoded, typed).right
    assert not CHEAP.check("no hash at all", "x" * 12).right


def test_a_hash_with_other_costs_still_holds_and_is_to_be_made_anew() -> None:
    encoded = CHEAP.hash("correct horse battery")
    assert not CHEAP.check(encoded, "correct horse battery").outdated
    check = Passwords(memory_mb=2, passes=1).check(encoded, "correct horse battery")
    assert (check.right, check.outdated) == (True, True)
    assert not Passwords(memory_mb=2, passes=1).check(encoded, "wrong horse battery").outdated


def test_an_unknown_user_costs_the_same_hash_as_a_known_one(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = Passwords(memory_mb=2, passes=3)
    asked: list[Any] = []
    verify = PasswordHasher.verify

    def watched(self: PasswordHasher, encoded: Any, octets: Any) -> Any:
        asked.append((encoded.rpartition("$")[0].rpartition("$")[0], len(encoded)))
        return verify(self, encoded, octets)

    monkeypatch.setattr(PasswordHasher, "verify", watched)
    passwords.check(passwords.hash("correct horse battery"), "wrong horse battery")
    passwords.check(None, "wrong horse battery")
    assert asked[0] == asked[1]
    assert asked[0][0] == "$argon2id$v=19$m=2048,t=3,p=1"
