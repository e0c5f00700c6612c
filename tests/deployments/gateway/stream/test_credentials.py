"""A credential on an open connection: when it ends, or grants something else, the connection ends soon after."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from nt_ray.access.roles import Role

PASSWORD = "correct horse battery staple"
MANY = timedelta(hours=2)


def logged_in(house: Any) -> tuple[str, str]:
    """Make a user with a password; his name and an access token."""
    name = f"p{time.monotonic_ns()}"
    house.gatekeeper.users.add(name, Role.USER, password=PASSWORD)
    return name, house.gatekeeper.login(name, PASSWORD, "127.0.0.1").access


def revoke_key(house: Any, name: str) -> None:
    (key,) = [key for key in house.gatekeeper.keys.all() if key.user == name]
    house.gatekeeper.keys.revoke(key.id)


CHANGES: dict[str, tuple[Callable[[Any, str], object], str]] = {
    "the key is revoked": (revoke_key, "key_revoked"),
    "the user is shut out": (lambda house, name: house.gatekeeper.users.activate(name, active=False), "key_revoked"),
    "the role is another": (
        lambda house, name: house.gatekeeper.users.change_role(name, Role.READ_ONLY),
        "permissions",
    ),
    "the accounts are others": (lambda house, name: house.gatekeeper.users.change_accounts(name, ["b"]), "permissions"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_open_connection_ends_soon_after_what_it_stands_on(house: Any, client_of: Any, change: str) -> None:
    name = house.new_user(accounts=["a"])
    act, reason = CHANGES[change]
    with client_of(house, name) as client, client_of(house) as other:
        client.subscribe({"orders": {}})
        other.subscribe({"orders": {}})
        act(house, name)
        code, told = client.close_reason()
        assert code == 1008
        assert told.startswith(reason)
        other.subscribe({"fills": {}})


def test_a_token_that_expires_ends_its_open_connection(house: Any, client_of: Any) -> None:
    _, token = logged_in(house)
    with client_of(house, None) as client:
        client.say(action="authenticate", token=token)
        client.subscribe({"orders": {}})
        house.clock.ahead += MANY
        assert client.close_reason() == (1008, "token_expired")


def test_a_session_that_is_ended_ends_its_open_connection(house: Any, client_of: Any) -> None:
    _, token = logged_in(house)
    with client_of(house, None) as client:
        client.say(action="authenticate", token=token)
        client.subscribe({"orders": {}})
        house.gatekeeper.revoke(token)
        assert client.close_reason() == (1008, "token_revoked")


def test_a_new_token_keeps_a_connection_open_that_would_have_ended_with_the_old_one(house: Any, client_of: Any) -> None:
    name, token = logged_in(house)
    with client_of(house, None) as client:
        client.say(action="authenticate", token=token)
        client.subscribe({"orders": {}})
        client.say(action="authenticate", token=house.gatekeeper.keys.add(name).text)
        client.until(lambda _: len(client.kinds("authenticated")) == 2)
        house.clock.ahead += MANY
        time.sleep(0.3)
        client.subscribe({"fills": {}})
        assert client.kinds("subscribed")[-1]["channels"].keys() == {"orders", "fills"}


def test_a_new_credential_of_somebody_else_ends_the_connection(house: Any, client_of: Any) -> None:
    with client_of(house, "reader") as client:
        client.subscribe({"orders": {}})
        client.say(action="authenticate", token=house.keys["admin"])
        assert client.close_reason() == (1008, "permissions_changed")
