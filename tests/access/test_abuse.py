from typing import Any

import pytest

from nt_ray.access import abuse
from nt_ray.access.abuse import blocked_addresses, origin
from nt_ray.access.errors import AddressBlockedError
from nt_ray.access.gatekeeper import Gatekeeper
from nt_ray.config import Access


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:DB8:0:1:2:3:4:5", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("unix", "unix"),
        ("", ""),
        ("x" * 500, "x" * 100),
    ],
)
def test_an_address_counts_as_itself_or_its_network(address: str, counted: str) -> None:
    assert origin(address) == counted


def test_the_number_of_those_who_failed_is_bounded(
    gate: Gatekeeper, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(abuse, "MOST_KEPT", 50)
    failures = blocked_addresses(gate._store, b"p" * 32, clock, Access(block_after=1))
    for number in range(200):
        failures.count(f"10.0.0.{number}")
        clock.pass_(milliseconds=1)
    (count,) = gate._store._connection.execute("SELECT count(*) FROM failures").fetchone()
    assert 45 <= count <= 50
    # The newest are those that are kept.
    with pytest.raises(AddressBlockedError):
        failures.check("10.0.0.199")
    failures.check("10.0.0.0")


def test_the_longest_wait_is_reached_from_any_first_one(gate: Gatekeeper, clock: Any) -> None:
    for first, longest in ((1e-6, 604_800.0), (86_400.0, 604_800.0), (60.0, 1.0)):
        settings = Access(block_after=1, backoff_s=first, longest_backoff_s=longest)
        failures = blocked_addresses(gate._store, f"{first}".encode(), clock, settings)
        for _ in range(100):
            failures.count("10.0.0.1")
        with pytest.raises(AddressBlockedError) as caught:
            failures.check("10.0.0.1")
        assert caught.value.retry_after_s == longest
