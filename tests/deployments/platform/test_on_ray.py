"""The platform's API over the cluster's own actors: a backtest from its request to its files, told on the way."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from websockets.sync.client import connect

from actors import jobs, stream
from deployments.gateway.assembly import assemble
from nt_ray.access.gatekeeper import open_gatekeeper
from nt_ray.access.roles import Role
from nt_ray.config import Settings, load_settings

pytestmark = pytest.mark.usefixtures("ray_cluster")

SPEC = {"kind": "backtest", "strategy": "momentum", "symbols": ["KO", "PEP"], "start": "2018-01-02"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    values = {
        "access.folder": str(tmp_path / "access"),
        "state": str(tmp_path / "state"),
        "runs": str(tmp_path / "runs"),
    }
    values |= {"access.per_minute": "100000", "access.address_per_minute": "100000"}
    return load_settings(None, values, environ={})


@pytest.fixture
def served(settings: Settings, serve: Any) -> Iterator[str]:
    app: FastAPI = assemble(settings)
    server, thread = serve(app)
    yield f"127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()
    for actor in (stream, jobs):
        actor.stop()


def test_a_backtest_is_submitted_followed_and_its_files_fetched(settings: Settings, served: str) -> None:
    gatekeeper = open_gatekeeper(settings.access)
    gatekeeper.users.add("ann", Role.USER)
    key = {"X-API-Key": gatekeeper.keys.add("ann").text}
    gatekeeper.close()
    with (
        httpx.Client(base_url=f"http://{served}/api/v1", headers=key, timeout=90.0) as client,
        connect(f"ws://{served}/stream/v1", additional_headers=key) as socket,
    ):
        # The keeper of jobs is started by the first question.
        assert client.get("/jobs").json() == {"jobs": [], "next": None}
        socket.send(json.dumps({"action": "subscribe", "channels": {"jobs": {"after": 0}}}))
        job = client.post("/jobs", json=SPEC, headers={"Idempotency-Key": "one"}).json()
        assert client.post("/jobs", json=SPEC, headers={"Idempotency-Key": "one"}).json() == job
        with client.stream("GET", f"/jobs/{job['id']}/events") as events:
            told = [line.removeprefix("event: ") for line in events.iter_lines() if line.startswith("event: ")]
        assert (told[:2], told[-1]) == (["queued", "running"], "succeeded")
        found = client.get(f"/jobs/{job['id']}").json()
        run = found["result"]["run"]
        assert client.get("/runs").json()["runs"] == [run]
        summary = client.get(f"/runs/{run}").json()["summary"]
        assert summary["digest"] == found["result"]["summary"]["digest"]
        trades = client.get(f"/runs/{run}/files/trades.csv")
        assert trades.content == (settings.runs / run / "trades.csv").read_bytes()
        system = client.get("/system").json()
        assert (system["condition"], system["jobs"]["succeeded"]) == ("up", 1)
        heard: list[str] = []
        while "succeeded" not in heard:
            for message in json.loads(socket.recv(timeout=30.0)):
                if message["type"] == "event":
                    assert message["data"]["job"] == job["id"]
                    heard.append(message["data"]["kind"])
