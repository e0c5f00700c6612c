"""What a job is and has made is there for who submitted it and for admins, by every tool and resource."""

import json
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from nt_ray.access.roles import Role

UNKNOWN = "run-0123456789abcdef"


def read(desk: Any, uri: str) -> Any:
    """What a resource answers; the code of its problem where it is refused."""

    async def ask() -> Any:
        async with Client(desk.server()) as client:
            try:
                return json.loads((await client.read_resource(uri)).contents[0].text)
            except MCPError as error:
                return error.error.data["code"]

    return anyio.run(ask)


@pytest.mark.parametrize("role", [Role.READ_ONLY, Role.USER, Role.SERVICE])
def test_jobs_and_runs_of_somebody_else_are_like_those_that_never_were(
    desk: Any, made: dict[str, Any], role: Role
) -> None:
    job, run = made["run_backtest"]["job"], made["run_backtest"]["run"]
    own, other = desk.acting(role), desk.acting(role, id="stranger")
    assert read(own, f"nt://jobs/{job}")["owner"] == "ann"
    assert job in [found["id"] for found in read(own, "nt://jobs")["jobs"]]
    assert run in read(own, "nt://runs")["runs"]
    assert read(other, "nt://jobs") == {"jobs": []}
    assert read(other, f"nt://jobs/{job}") == read(other, f"nt://jobs/{UNKNOWN}") == "no_job"
    assert read(other, "nt://runs") == {"runs": []}
    assert read(other, f"nt://runs/{run}") == read(other, "nt://runs/none") == "unknown_run"
    assert own.answer("performance_report", {"run": run})["run"] == run
    for name in (run, "latest"):
        assert other.problem("performance_report", {"run": name})["code"] == "unknown_run"


def test_an_admin_reads_what_belongs_to_others(desk: Any, made: dict[str, Any]) -> None:
    other = desk.acting(Role.ADMIN, id="stranger")
    assert read(other, f"nt://jobs/{made['run_backtest']['job']}")["owner"] == "ann"
    assert made["run_backtest"]["run"] in read(other, "nt://runs")["runs"]


def test_a_swarm_of_somebody_else_is_neither_seen_nor_changed(desk: Any, made: dict[str, Any]) -> None:
    swarm = made["execute_swarm_strategy"]
    other = desk.acting(Role.USER, id="stranger")
    assert other.problem("get_swarm_status", {"swarm_id": "latest"})["code"] == "unknown_run"
    for tool in ("get_swarm_status", "get_swarm_metrics", "monitor_swarm_health"):
        assert other.problem(tool, {"swarm_id": swarm["job"]})["code"] == "no_job"
        assert other.problem(tool, {"swarm_id": made["run_backtest"]["job"]})["code"] in ("no_job", "unknown_run")
    for tool, more in (("scale_swarm", {"hosts": 2}), ("shutdown_swarm", {})):
        stranger, unknown = (other.problem(tool, {"job": job, **more}) for job in (swarm["job"], UNKNOWN))
        assert (stranger["code"], stranger["status"]) == ("no_job", 404)
        assert stranger["message"].replace(swarm["job"], UNKNOWN) == unknown["message"]
