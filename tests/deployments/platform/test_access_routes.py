"""Users, keys and the audit log over REST, as an admin has them."""

import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployments.gateway import audit_entries
from nt_ray.access.audit import AuditLog, folder_of
from nt_ray.access.audit_reading import entries_before, verify
from nt_ray.access.gatekeeper import utc_now
from nt_ray.access.roles import Role, Scope

API = "/api/v1"


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


@pytest.fixture
def robot(house: Any) -> str:
    name = f"robot-{uuid.uuid4().hex[:8]}"
    house.gatekeeper.users.add(name, Role.SERVICE, accounts=["paper"])
    return name


def test_a_key_is_made_shown_once_renewed_and_withdrawn(house: Any, robot: str) -> None:
    body = {"user": robot, "label": "rebalancing", "scopes": ["trading:read"], "accounts": ["paper"], "days": 1}
    with house.client() as client:
        made = client.post(f"{API}/access/keys", json=body, headers={"Idempotency-Key": "once"})
        assert made.status_code == 201
        key = made.json()
        # Nothing that was kept holds the secret: the same request makes another key.
        assert client.post(f"{API}/access/keys", json=body, headers={"Idempotency-Key": "once"}).json() != key
        kept = [path.read_bytes() for path in house.jobs.folder.glob("jobs.sqlite*")]
        assert kept
        assert not [text for text in kept if key["secret"].encode() in text]
        with httpx.Client(base_url=house.url, headers={"X-API-Key": key["key"]}) as own:
            assert own.get(f"{API}/accounts").json()["accounts"] == ["paper"]
            refused(own.get(f"{API}/jobs"), 403, "forbidden")
            renewed = client.post(f"{API}/access/keys/{key['id']}/rotate", json={"overlap_hours": 0}).json()
            refused(own.get(f"{API}/accounts"), 401, "key_expired")
        with httpx.Client(base_url=house.url, headers={"X-API-Key": renewed["key"]}) as own:
            assert own.get(f"{API}/accounts").status_code == 200
            gone = client.post(f"{API}/access/keys/{renewed['id']}/revoke").json()
            assert gone["revoked"] is not None
            refused(own.get(f"{API}/accounts"), 401, "key_revoked")
        listed = client.get(f"{API}/access/keys", params={"user": robot}).text
        assert key["secret"] not in listed
        assert renewed["secret"] not in listed
        entries = client.get(f"{API}/audit", params={"who": "admin", "action": "keys."}).json()["entries"]
        assert [(entry["action"], entry["what"]["target"]) for entry in entries[:2]] == [
            ("keys.revoke", renewed["id"]), ("keys.rotate", key["id"]),
        ]  # fmt: skip
        assert key["secret"] not in client.get(f"{API}/audit").text


def test_keys_and_users_go_page_by_page(house: Any, robot: str) -> None:
    made = [house.gatekeeper.keys.add(robot).key.id for _ in range(3)]
    with house.client() as client:
        first = client.get(f"{API}/access/keys", params={"user": robot, "limit": 2}).json()
        rest = client.get(
            f"{API}/access/keys", params={"user": robot, "limit": 2, "cursor": first["next"]}
        ).json()  # fmt: skip
        assert sorted(key["id"] for key in first["keys"] + rest["keys"]) == sorted(made)
        assert rest["next"] is None
        users = client.get(f"{API}/access/users", params={"limit": 500}).json()["users"]
        assert [user["name"] for user in users] == [user.name for user in house.gatekeeper.users.all()]
        (mine,) = [user for user in users if user["name"] == robot]
        assert (mine["role"], mine["has_password"], mine["accounts"]) == ("service", False, ["paper"])
        refused(client.post(f"{API}/access/keys", json={"user": "nobody"}), 404, "unknown_user")
        refused(client.post(f"{API}/access/keys/{'A' * 16}/revoke"), 404, "unknown_key")


def test_a_narrow_credential_makes_and_renews_no_wider_key(house: Any) -> None:
    narrow = frozenset({Scope.ACCESS_ADMIN, Scope.TRADING_READ})
    wide = house.gatekeeper.keys.add("admin").key.id
    key = house.gatekeeper.keys.add("admin", scopes=narrow).text
    before = len(house.gatekeeper.keys.all())
    with httpx.Client(base_url=house.url, headers={"X-API-Key": key}) as client:
        for scopes in ({}, {"scopes": ["trading:read", "trading:write"]}):
            refused(client.post(f"{API}/access/keys", json={"user": "admin", **scopes}), 403, "forbidden")
        refused(client.post(f"{API}/access/keys/{wide}/rotate", json={}), 403, "forbidden")
        assert len(house.gatekeeper.keys.all()) == before
        made = client.post(f"{API}/access/keys", json={"user": "admin", "scopes": ["trading:read"]})
        assert made.json()["scopes"] == ["trading:read"]
        refused(client.get(f"{API}/audit"), 403, "forbidden")


def test_the_audit_log_goes_page_by_page_as_it_stands(house: Any) -> None:
    folder = folder_of(house.settings.access)
    with house.client() as client:
        seen: list[dict[str, Any]] = []
        params: dict[str, Any] = {"limit": 3}
        while params.get("cursor", "") is not None:
            page = client.get(f"{API}/audit", params=params).json()
            seen += page["entries"]
            params["cursor"] = page["next"]
    found = verify(folder)
    assert [entry["seq"] for entry in seen] == list(range(found.entries, 0, -1))
    assert (found.fault, seen[0]["hash"]) == (None, found.head)


def test_entries_are_read_across_files_from_any_number_backwards(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, utc_now, file_bytes=600)
    assert list(entries_before(tmp_path / "none")) == []
    for number in range(40):
        log.append("test", f"who-{number}")
    assert len(list(tmp_path.glob("audit-*.jsonl"))) > 3
    for before in (None, 1, 2, 17, 40, 41, 99):
        highest = 40 if before is None else min(40, before - 1)
        assert [entry.seq for entry in entries_before(tmp_path, before)] == list(range(highest, 0, -1))


def test_a_page_looks_at_so_many_entries_and_then_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_entries, "LOOKED_AT", 5)
    log = AuditLog(tmp_path, utc_now)
    for number in range(12):
        log.append("rare" if number == 0 else "often", "ann")
    place, found = None, []
    for _ in range(3):
        page, place = audit_entries._looked(tmp_path, place, 10, lambda entry: entry.action == "rare")
        found += page
    assert ([entry.seq for entry in found], place) == ([1], None)
