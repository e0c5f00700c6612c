"""The platform's API over the cluster's own actors: a backtest from its request to its files, told on the way."""

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import ray
from fastapi import FastAPI
from websockets.sync.client import connect

from actors import jobs, stream
from deployments.gateway.assembly import assemble
from nt_ray.access.gatekeeper import open_gatekeeper
from nt_ray.access.roles import Role
from nt_ray.config import Settings, load_settings

pytestmark = pytest.mark.usefixtures("ray_cluster")

SPEC = {"kind": "backtest", "strategy": "momentum", "symbols": ["KO", "PEP"], "start": "2018-01-02"}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    tmp_path = tmp_path_factory.mktemp("platform")
    values = {
        "access.folder": str(tmp_path / "access"),
        "state": str(tmp_path / "state"),
        "runs": str(tmp_path / "runs"),
    }
    values |= {"access.per_minute": "100000", "access.address_per_minute": "100000"}
    return load_settings(None, values, environ={})


@pytest.fixture(scope="module")
def served(ray_cluster: None, settings: Settings, serve: Any) -> Iterator[str]:
    # Else the first question starts them, and the first test is said to leave them behind.
    jobs.start(settings)
    stream.start(settings)
    app: FastAPI = assemble(settings)
    server, thread = serve(app)
    yield f"127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()
    for actor in (stream, jobs):
        actor.stop()


@pytest.fixture(scope="module")
def key(settings: Settings, served: str) -> dict[str, str]:
    gatekeeper = open_gatekeeper(settings.access)
    gatekeeper.users.add("ann", Role.USER)
    text = gatekeeper.keys.add("ann").text
    gatekeeper.close()
    return {"X-API-Key": text}


def test_a_backtest_is_submitted_followed_and_its_files_fetched(
    settings: Settings, served: str, key: dict[str, str]
) -> None:
    with (
        httpx.Client(base_url=f"http://{served}/api/v1", headers=key, timeout=90.0) as client,
        connect(f"ws://{served}/stream/v1", additional_headers=key) as socket,
    ):
        socket.send(json.dumps({"action": "subscribe", "channels": {"jobs": {"after": 0}}}))
        job = client.post("/jobs", json=SPEC, headers={"Idempotency-Key": "one"}).json()
        assert client.post("/jobs", json=SPEC, headers={"Idempotency-Key": "one"}).json() == job
        with client.stream("GET", f"/jobs/{job['id']}/events") as events:
            told = [line.removeprefix("event: ") for line in events.iter_lines() if line.startswith("event: ")]
        assert (told[:2], told[-1]) == (["queued", "running"], "succeeded")
        found = client.get(f"/jobs/{job['id']}").json()
        run = found["result"]["run"]
        assert run in client.get("/runs").json()["runs"]
        summary = client.get(f"/runs/{run}").json()["summary"]
        assert summary["digest"] == found["result"]["summary"]["digest"]
        trades = client.get(f"/runs/{run}/files/trades.csv")
        assert trades.content == (settings.runs / run / "trades.csv").read_bytes()
        system = client.get("/system").json()
        assert (system["condition"], system["jobs"]["succeeded"]) == ("up", 1)
        assert {"cluster", "jobs", "stream"} <= set(system["components"])
        heard: list[str] = []
        while "succeeded" not in heard:
            told = [message for message in json.loads(socket.recv(timeout=30.0)) if message["type"] == "event"]
            heard += [message["data"]["kind"] for message in told if message["data"]["job"] == job["id"]]


LONG = {
    "kind": "sweep",
    "strategy": "sma_cross",
    "symbols": ["KO"],
    "start": "2012-01-03",
    "grid": {"fast": list(range(2, 202)), "slow": list(range(203, 403))},
}


def test_whoever_follows_a_job_hears_on_after_its_keeper_was_killed(served: str, key: dict[str, str]) -> None:
    with httpx.Client(base_url=f"http://{served}/api/v1", headers=key, timeout=90.0) as client:
        job = client.post("/jobs", json=LONG).json()["id"]
        kinds: list[str] = []
        ids: list[int] = []
        with client.stream("GET", f"/jobs/{job}/events") as events:
            for line in events.iter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    ids.append(int(value))
                if name != "event":
                    continue
                kinds.append(value)
                if kinds.count("progress") == 1 and value == "progress":
                    os.kill(ray.get(jobs.find().pid.remote()), signal.SIGKILL)
                if kinds.count("running") == 2 and value == "running":
                    with httpx.Client(base_url=str(client.base_url), headers=key, timeout=90.0) as other:
                        assert other.post(f"/jobs/{job}/cancel").json()["cancel_asked"] is True
        assert [kind for kind in kinds if kind != "progress"] == ["queued", "running", "queued", "running", "cancelled"]
        assert ids == sorted(set(ids))
