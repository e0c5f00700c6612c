"""`nt-ray simulate alpaca` as a process: it tells where it is, is killed, and goes on."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from jobs.cli import main

KEYS = {"APCA-API-KEY-ID": "K", "APCA-API-SECRET-KEY": "S"}


def started(file: Path) -> tuple[subprocess.Popen[str], str]:
    options = ["--port", "0", "--key", "K", "--secret", "S", "--symbols", "KO=60", "--file", str(file), "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "jobs.cli", "simulate", "alpaca", *options], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())["url"]


def test_it_serves_is_killed_and_goes_on(tmp_path: Path) -> None:
    order: dict[str, Any] = {"symbol": "KO", "qty": "1", "side": "buy", "type": "limit", "time_in_force": "gtc"}
    process, url = started(tmp_path / "venue")
    sent = httpx.post(f"{url}/v2/orders", json=order | {"limit_price": "50", "client_order_id": "a"}, headers=KEYS)
    process.kill()
    process.communicate()
    process, url = started(tmp_path / "venue")
    query = {"client_order_id": "a"}
    found = httpx.get(f"{url}/v2/orders:by_client_order_id", params=query, headers=KEYS).json()
    assert (found["id"], found["status"]) == (sent.json()["id"], "new")
    assert httpx.post(f"{url}/simulator/faults", json={"kind": "nonsense"}).status_code == 422
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 0


@pytest.mark.parametrize("options", [["--cash", "-1"], ["--symbols", "AAPL"], ["--symbols", "=3"], ["--port", "99999"]])
def test_bad_options_name_the_remedy(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "alpaca", *options]) == 2
    told = capsys.readouterr().err
    assert "Give one like" in told or "Write it like" in told or "--help" in told


def test_a_port_that_is_taken_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["simulate", "alpaca", "--port", str(port)]) == 2
    assert f"Port {port} of loopback cannot be used" in capsys.readouterr().err


@pytest.mark.parametrize("place", [".", "missing/venue.jsonl"])
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "alpaca", "--port", "0", "--file", str(tmp_path / place)]) == 1
    assert "Use another file" in capsys.readouterr().err


def test_a_foreign_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes").write_text("shopping list\n")
    assert main(["simulate", "alpaca", "--port", "0", "--file", str(tmp_path / "notes")]) == 1
    assert "no file of a simulated venue" in capsys.readouterr().err
    assert (tmp_path / "notes").read_text() == "shopping list\n"
