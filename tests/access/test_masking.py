import json
import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.access.gatekeeper import Gatekeeper
from nt_ray.access.masking import masked, masked_text, speaks_of_a_secret
from nt_ray.access.roles import Role

PASSWORD = "correct horse battery"


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "newPassword",
        "APCA-API-SECRET-KEY",
        "Authorization",
        "Set-Cookie",
        "access_token",
        "apiKey",
        "api_key",
        "x-api-key",
        "key",
        "pepper",
        "private_key",
        "PWD",
    ],
)
def test_a_field_that_speaks_of_a_secret_is_masked_whole(name: str) -> None:
    assert speaks_of_a_secret(name)
    assert masked({"body": [{name: {"deep": ["hunter22"]}}]}) == {"body": [{name: "***"}]}


@pytest.mark.parametrize(
    "name", ["symbol", "client_order_id", "key_id", "monkey", "keyboard", "name", "quantity", "token_type", "turkey"]
)
def test_other_fields_are_kept(name: str) -> None:
    assert masked({name: "KO"}) == {name: "KO"}


def test_our_own_credentials_are_masked_in_any_text(gate: Gatekeeper) -> None:
    gate.users.add("ada", Role.USER, password=PASSWORD)
    key, tokens = gate.keys.add("ada"), gate.login("ada", PASSWORD, "10.0.0.1")
    for secret in (key.text, tokens.access, tokens.refresh):
        for text in (secret, f"GET /x?y={secret}&z=1", f"it said '{secret}'"):
            found = masked_text(text)
            assert secret not in found
            assert found == text.replace(secret, "***")
    assert masked_text(f"key {key.key.id} was used") == f"key {key.key.id} was used"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://ada:hunter22@db/x", "postgresql://***@db/x"),
        ("redis://:hunter22@db/0", "redis://***@db/0"),
        ("Authorization: Bearer hunter22", "Authorization: Bearer ***"),
        ("basic aHVudGVyMjI=", "basic ***"),
        ("eyJhbGciOiJub25lIn0.eyJ4IjoxfQ.", "***"),
        ("https://db/x@y", "https://db/x@y"),
        ("O'Brien & BRK.B <ok>", "O'Brien & BRK.B <ok>"),
    ],
)
def test_secrets_of_known_forms_are_masked_and_names_are_not(text: str, shown: str) -> None:
    assert masked_text(text) == shown


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.decimals() | st.binary() | st.just(object),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner),
    max_leaves=20,
)


@given(VALUES)
def test_whatever_is_logged_becomes_json_that_reads_back(value: Any) -> None:
    text = json.dumps(masked(value), allow_nan=False)
    assert json.loads(text) == masked(value)
    text.encode()


def test_numbers_and_times_keep_their_value() -> None:
    time = datetime(2026, 1, 2, tzinfo=UTC)
    given_ = {"a": 1, "b": 1.5, "c": Decimal("0.10"), "d": time, "e": math.nan, "f": True, "g": None, "h": {2, 1}}
    shown = {"a": 1, "b": 1.5, "c": "0.10", "d": str(time), "e": "nan", "f": True, "g": None, "h": [1, 2]}
    assert masked(given_) == shown


def test_sizes_are_bounded() -> None:
    deep: Any = "x"
    for _ in range(1000):
        deep = [deep]
    wide = {"text": "x" * 10**6, "list": list(range(10**5)), "deep": deep, "number": 10**5000}
    assert len(json.dumps(masked(wide))) < 10_000
