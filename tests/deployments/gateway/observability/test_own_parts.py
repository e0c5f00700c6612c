"""What a replica itself leans on is told in its health, by what is really wrong: disk, file, Redis, registry."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployments.gateway.observability import own_parts

NOBODY = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def asked_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_parts, "KEPT_S", 0.0)


class NoAccounts:
    async def names(self) -> list[str]:
        return []


def parts(desk: Any) -> dict[str, Any]:
    with desk.client(desk.new_key()) as client:
        told = client.get("/health").json()
    assert told["status"] == max(
        (part["condition"] for part in told["components"].values()), key=["up", "degraded", "down"].index
    )
    own = ("audit", "access", "limits", "models")
    return {name: told["components"][name] for name in own if told["components"][name]["condition"] != "up"}


def ready(desk: Any) -> tuple[int, str]:
    live, found = (httpx.get(f"{desk.url}/health/{name}") for name in ("live", "ready"))
    assert live.status_code == 200
    return found.status_code, found.text if found.status_code == 200 else found.json()["code"]


def test_a_gateway_that_is_well_says_so_and_probes_leave_nothing_behind(open_desk: Any) -> None:
    desk = open_desk(accounts=NoAccounts())
    written = {*desk.audit.folder.iterdir()}
    assert (parts(desk), ready(desk)) == ({}, (200, "ready"))
    assert {*desk.audit.folder.iterdir()} - written <= {desk.audit.folder / "audit.jsonl"}
    # Else everybody would be looked up anew after each probe.
    seen = desk.gatekeeper._store.version()
    desk.gatekeeper.check()
    assert desk.gatekeeper._store.version() == seen


def no_room(desk: Any, patch: pytest.MonkeyPatch) -> None:
    """The disk of the log is full."""
    write = os.write

    def written(descriptor: int, data: bytes) -> int:
        if Path(f"/proc/self/fd/{descriptor}").readlink().is_relative_to(desk.audit.folder):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data)

    patch.setattr(os, "write", written)


def no_folder(desk: Any, _: pytest.MonkeyPatch) -> None:
    shutil.rmtree(desk.audit.folder)


@pytest.mark.parametrize("broken", [no_room, no_folder])
def test_where_the_audit_log_takes_no_entry_no_change_is_served_and_the_replica_is_not_ready(
    open_desk: Any,
    broken: Callable[[Any, pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = open_desk(accounts=NoAccounts())
    with monkeypatch.context() as patch:
        broken(desk, patch)
        refused(desk, caplog)
    desk.audit.folder.mkdir(exist_ok=True)
    assert (ready(desk), parts(desk)) == ((200, "ready"), {})


def refused(desk: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert ready(desk) == (503, "not_ready")
    found = parts(desk)
    assert (set(found), found["audit"]["condition"]) == ({"audit"}, "down")
    assert found["audit"]["detail"] == "The audit log takes no entry, so no change is served. The log says why."
    # Once, however often it is asked.
    assert [str(desk.audit.folder) in line for line in caplog.messages if "audit does not work" in line] == [True]
    with desk.client() as client:
        assert {client.delete("/v2/orders").status_code for _ in range(2)} == {500}


def test_where_identities_cannot_be_written_the_replica_is_not_ready(open_desk: Any) -> None:
    desk = open_desk(accounts=NoAccounts())
    store = desk.gatekeeper._store
    store._connection.execute("PRAGMA query_only = ON")
    assert ready(desk) == (503, "not_ready")
    store._connection.execute("PRAGMA query_only = OFF")
    assert ready(desk) == (200, "ready")


def test_without_redis_nobody_is_let_in_and_health_still_tells_why(open_desk: Any) -> None:
    pytest.importorskip("redis")
    desk = open_desk(accounts=NoAccounts(), access__redis=NOBODY)
    assert ready(desk) == (503, "not_ready")
    assert {name: part["condition"] for name, part in parts(desk).items()} == {"limits": "down"}
    with desk.client() as client:
        assert client.get("/v2/orders").json()["message"].startswith("Requests cannot be counted")


def test_a_registry_that_cannot_be_read_is_told_and_trading_goes_on(
    open_desk: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    taken = tmp_path / "models"
    taken.write_text("a file")
    desk = open_desk(accounts=NoAccounts(), neural__registry=taken)
    assert ready(desk) == (200, "ready")
    found = parts(desk)
    assert {name: part["condition"] for name, part in found.items()} == {"models": "degraded"}
    assert "Give the path of a folder" in caplog.text
