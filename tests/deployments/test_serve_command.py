import json
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
