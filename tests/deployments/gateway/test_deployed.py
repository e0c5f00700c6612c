"""`serve deploy` of the file that lies with the gateway: Serve builds the application in a process of its own."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import ray
import yaml
from ray import serve
from ray.serve.config import HTTPOptions
from ray.serve.context import _get_global_client
from ray.serve.schema import ServeDeploySchema

from actors.live_account import find as find_account
from actors.live_account import stop as stop_account
from deployments.gateway import serving
from deployments.replica import LOGGING
from nt_ray.access.first_admin import FILE
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator

FILED = Path(serving.__file__).with_name("serve.yaml")
WITHIN_S = 180.0


@pytest.fixture
def deployed(ray_cluster: None, new_room: Callable[[], Any], tmp_path: Path) -> Iterator[str]:
    """Address of a gateway before the account `deployed`, by the file and further arguments."""
    del ray_cluster
    host, port = "127.0.0.1", new_room().port
    given: dict[str, Any] = yaml.safe_load(FILED.read_text(encoding="utf-8"))
    (application,) = given["applications"]
    application["args"] |= {"access.folder": str(tmp_path / "access"), "state": str(tmp_path)}
    application["args"] |= {"runs": str(tmp_path / "runs"), "gateway.replicas": "1"}
    application["args"] |= {"gateway.accounts": "deployed", "gateway.symbols": "AAPL", "brokers.enabled": "deployed"}
    with AlpacaSimulator(requests_per_minute=100_000) as venue:
        table = {"kind": "alpaca", "url": venue.url, "data_url": venue.url, "key": "PKSIMULATED"}
        table |= {"secret": "simulated-secret"}
        application["args"] |= {f"brokers.deployed.{key}": value for key, value in table.items()}
        # What the dashboard does where `serve deploy` asks it.
        serve.start(proxy_location="HeadOnly", http_options=HTTPOptions(host=host, port=port), logging_config=LOGGING)
        try:
            _get_global_client().deploy_apps(ServeDeploySchema.model_validate(given))
            until_running(application["name"])
            yield f"http://{host}:{port}"
        finally:
            serving.stop()
            stop_account("deployed")


def until_running(name: str) -> None:
    ends = time.monotonic() + WITHIN_S
    while (found := serve.status().applications[name]).status != "RUNNING":
        assert found.status not in ("DEPLOY_FAILED", "UNHEALTHY"), found.message
        assert time.monotonic() < ends, found
        time.sleep(0.1)


def test_it_starts_the_accounts_and_serves_whoever_shows_the_first_admins_key(deployed: str, tmp_path: Path) -> None:
    kept = tmp_path / "access" / FILE
    assert kept.stat().st_mode & 0o777 == 0o600
    key = {"X-API-Key": kept.read_text(encoding="utf-8").strip(), "NT-Account": "deployed"}
    with httpx.Client(base_url=deployed) as http:
        assert http.get("/health/ready").text == "ready"
        assert http.get("/v2/account").status_code == 401
        shown = http.get("/v2/account", headers=key)
        assert (shown.status_code, shown.json()["account_number"]) == (200, "deployed")
        order = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
        assert http.post("/v2/orders", json=order, headers=key).status_code == 200
    assert ray.get(find_account("deployed").state.remote()).order_count == 1
