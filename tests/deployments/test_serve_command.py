import json
import os
import socket

import pytest

from jobs.cli import main


@pytest.mark.parametrize("door", ["inference", "gateway"])
def test_a_port_in_use_is_told_before_anything_starts(door: str, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as room:
        room.bind(("127.0.0.1", 0))
        room.listen()
        port = room.getsockname()[1]
        assert main(["serve", door, "--port", str(port), "--json"]) == 2
    told = json.loads(capsys.readouterr().out)["error"]
    assert told["code"] == "service"
    assert f"127.0.0.1:{port}" in told["message"]


@pytest.mark.parametrize("port", ["0", "70000", "web"])
def test_a_port_that_is_none_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "inference", "--port", port, "--json"]) == 2
    told = json.loads(capsys.readouterr().out)["error"]
    assert told["code"] == "config"
    assert "neural.inference.port" in told["message"]


@pytest.mark.parametrize(
    ("door", "options", "code", "said"),
    [
        ("gateway", ("--host", "0.0.0.0"), "config", "HAProxy hides who calls"),
        ("gateway", ("--set", "ray.address=127.0.0.1:6379"), "service", "RAY_SERVE_ENABLE_HA_PROXY=1"),
        ("inference", ("--set", "ray.address=127.0.0.1:6379"), "service", "or unset neural.inference.throughput"),
    ],
)
def test_throughput_is_refused_where_it_would_hide_callers_or_change_nothing(
    door: str,
    options: tuple[str, str],
    code: str,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("RAY_SERVE_ENABLE_HA_PROXY", raising=False)
    key = {"gateway": "gateway.throughput", "inference": "neural.inference.throughput"}[door]
    assert main(["serve", door, "--set", f"{key}=true", *options, "--json"]) != 0
    told = json.loads(capsys.readouterr().out)["error"]
    assert told["code"] == code
    assert said in told["message"]
    assert "RAY_SERVE_ENABLE_HA_PROXY" not in os.environ


@pytest.mark.parametrize("door", [("gateway",), ("inference", "--set", "neural.inference.throughput=true")])
def test_no_door_that_others_reach_starts_on_a_ray_that_runs_anybodys_code(
    door: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert main(["serve", *door, "--json"]) == 2
    assert "no token authentication" in json.loads(capsys.readouterr().out)["error"]["message"]
