import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs import cli
from nt_ray.config import Settings
from nt_ray.doctor import Check, Verdict, examine, is_ready, machine, software, surroundings
from nt_ray.project import Project, project


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def named(checks: list[Check], name: str) -> Check:
    return next(check for check in checks if check.name == name)


def test_this_machine_is_ready() -> None:
    checks = examine(environ={})
    assert is_ready(checks), [c.line() for c in checks]
    assert {"python", "packages", "torch", "memory", "disk", "clock", "ray", "data", "runs", "settings"} <= {
        c.name for c in checks
    }
    assert "8313 bars of 20 symbols" in named(checks, "data").found


def test_settings_that_cannot_be_used_are_a_finding_and_the_rest_is_still_checked() -> None:
    checks = examine(environ={"NT_SEEED": "1"})
    assert named(checks, "settings").verdict is Verdict.FAIL
    assert "NT_SEED" in named(checks, "settings").found
    assert named(checks, "data").verdict is Verdict.OK


def test_the_command_prints_a_line_for_each_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "Ready."
    assert all(line.startswith(("ok", "warn")) for line in lines[:-1])


def test_the_command_exits_with_2_where_a_run_would_fail(capsys: pytest.CaptureFixture[str]) -> None:
    Path("config.toml").write_text("[data]\nsource = 'nowhere.csv'")
    assert cli.main(["doctor", "--json"]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["ready"] is False
    assert [c["name"] for c in answer["checks"] if c["verdict"] == "fail"] == ["data"]


def test_a_python_outside_the_range_fails() -> None:
    assert software.check_python(Project("1", ">=3.99", ())).verdict is Verdict.FAIL
    assert software.check_python(project()).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("requirement", "said"),
    [
        ("no-such-package-here>=1", "no-such-package-here is missing"),
        ("numpy<1", "is not <1"),
        ("pydantic>=1; python_version < '3'", ""),
        ("ray[serve]>=2", ""),
    ],
)
def test_requirements_that_are_not_met_are_named(requirement: str, said: str) -> None:
    check = software.check_packages(Project("1", ">=3", (requirement,)))
    assert check.verdict is (Verdict.FAIL if said else Verdict.OK)
    assert said in check.found


def test_requirements_of_an_extra_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = {"ray": ["absent-one>=1; extra == 'serve'", "absent-two; extra == 'other'", "numpy"]}
    monkeypatch.setattr(software, "requires", lambda name: lines.get(name, []))
    found = software.check_packages(Project("1", ">=3", ("ray[serve]",))).found
    assert found == "absent-one is missing."


def fake_nvidia_smi(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_no_gpu_is_fine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    check = software.check_gpu()
    assert (check.verdict, check.found) == (Verdict.OK, "none; everything runs on the CPU.")


@pytest.mark.parametrize(
    ("cuda", "verdict"), [("print('12.8', True)", Verdict.OK), ("print('none', False)", Verdict.WARN)]
)
def test_a_gpu_is_named_and_torch_has_to_see_it(
    cuda: str, verdict: Verdict, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake_nvidia_smi(tmp_path, monkeypatch, "echo 'NVIDIA L4'")
    monkeypatch.setattr(software, "_CUDA_PROBE", cuda)
    check = software.check_gpu()
    assert check.verdict is verdict
    assert check.found.startswith("NVIDIA L4")


def test_a_driver_without_a_gpu_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_nvidia_smi(tmp_path, monkeypatch, "exit 9")
    assert software.check_gpu().verdict is Verdict.WARN


def test_a_local_ray_needs_no_address() -> None:
    assert surroundings.check_ray(Settings(), {}).verdict is Verdict.OK


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "ray://127.0.0.1:{}"])
def test_a_cluster_that_listens_is_reached(form: str, listener: int) -> None:
    check = surroundings.check_ray(Settings(), {"RAY_ADDRESS": form.format(listener)})
    assert (check.verdict, check.found) == (Verdict.OK, f"{form.format(listener)} accepts connections.")


def test_the_address_of_the_settings_wins_over_the_environment(listener: int) -> None:
    settings = Settings(ray={"address": f"127.0.0.1:{listener}"})
    assert surroundings.check_ray(settings, {"RAY_ADDRESS": "127.0.0.1:1"}).verdict is Verdict.OK


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:ninety", "127.0.0.1:99999999", ":6379"])
def test_an_address_that_is_none_is_told(address: str) -> None:
    check = surroundings.check_ray(Settings(), {"RAY_ADDRESS": address})
    assert "has no host:port" in check.found


def test_a_cluster_that_does_not_listen_fails_with_the_remedy() -> None:
    check = surroundings.check_ray(Settings(), {"RAY_ADDRESS": f"127.0.0.1:{free_port()}"})
    assert check.verdict is Verdict.FAIL
    assert "unset RAY_ADDRESS" in check.remedy


def test_too_little_memory_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "available_mb", lambda: 100)
    assert machine.check_memory(Settings()).verdict is Verdict.WARN
    monkeypatch.setattr(machine, "available_mb", lambda: None)
    assert machine.check_memory(Settings()).verdict is Verdict.OK


def test_the_limit_of_a_container_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 9000000 kB\nMemAvailable: 8192000 kB\n")
    monkeypatch.setattr(machine, "MEMORY_INFO", tmp_path / "meminfo")
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    assert machine.available_mb() == 8000
    (tmp_path / "memory.max").write_text(f"{3 * 2**30}\n")
    (tmp_path / "memory.current").write_text(f"{2**30}\n")
    assert machine.available_mb() == 2048
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.available_mb() == 8000


def test_more_hosts_need_more_memory() -> None:
    assert machine.needed_mb(Settings(swarm={"hosts": 20})) > machine.needed_mb(Settings(swarm={"hosts": 2}))


def test_shared_memory_smaller_than_the_object_store_is_a_warning() -> None:
    assert machine.check_shared_memory(Settings(ray={"object_store_mb": 1_000_000})).verdict is Verdict.WARN
    assert machine.check_shared_memory(Settings(ray={"object_store_mb": 80})).verdict is Verdict.OK


def test_a_full_disk_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "DISK_MB", 10**12)
    assert machine.check_disk(Settings()).verdict is Verdict.WARN


def test_a_clock_before_the_program_was_written_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    late = tmp_path / "late.py"
    late.touch()
    os.utime(late, (4e9, 4e9))
    monkeypatch.setattr(machine, "__file__", str(late))
    assert machine.check_clock().verdict is Verdict.WARN


def test_a_folder_that_cannot_be_written_fails(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert surroundings.check_runs(Settings(runs=file / "runs")).verdict is Verdict.FAIL
    assert surroundings.check_runs(Settings(runs=tmp_path / "a" / "b")).verdict is Verdict.OK
    assert not (tmp_path / "a").exists()
