"""What Ray reads when it is imported."""

import os
import sys
from pathlib import Path

import pytest

from actors import environment
from actors.environment import check_guarded, prepare, prepare_throughput
from nt_ray.errors import ServiceError

FILES = ("CONFIG_FILE_LOC", "SOCKET_PATH", "METRICS_SOCKET_PATH", "SERVER_STATE_BASE", "SERVER_STATE_FILE")


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """An environment of the test's own, whose temporary folder is too."""
    found = {"PATH": os.environ["PATH"]}
    monkeypatch.setattr(os, "environ", found)
    monkeypatch.setattr(environment, "_chosen", set())
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return found


def test_what_commands_haproxy_lies_where_nobody_else_reaches_it(variables: dict[str, str], tmp_path: Path) -> None:
    prepare_throughput()
    (folder,) = tmp_path.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(Path(variables[f"RAY_SERVE_HAPROXY_{name}"]).is_relative_to(folder) for name in FILES)


def test_an_operators_own_values_stand(variables: dict[str, str]) -> None:
    variables["RAY_SERVE_USE_GRPC_BY_DEFAULT"] = "0"
    prepare_throughput()
    assert variables["RAY_SERVE_USE_GRPC_BY_DEFAULT"] == "0"
    assert variables["RAY_SERVE_ENABLE_HA_PROXY"] == "1"


def test_a_ray_that_is_joined_has_to_be_in_throughput_mode_already(variables: dict[str, str]) -> None:
    before = dict(variables)
    with pytest.raises(ServiceError, match="RAY_SERVE_ENABLE_HA_PROXY=1"):
        prepare_throughput("10.0.0.1:6379")
    assert variables == before
    variables["RAY_ADDRESS"] = "10.0.0.1:6379"
    with pytest.raises(ServiceError, match=r"10\.0\.0\.1:6379"):
        prepare_throughput()
    variables |= {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
        "RAY_SERVE_USE_GRPC_BY_DEFAULT": "1",
    }
    before = dict(variables)
    prepare_throughput()
    assert variables == before


@pytest.fixture
def before_ray(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """The same in a process that has not imported Ray, of somebody who keeps no token."""
    monkeypatch.setattr(sys, "modules", {name: module for name, module in sys.modules.items() if name != "ray"})
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    return variables


def test_a_ray_of_ones_own_listens_on_loopback_and_asks_for_a_token_of_its_own(before_ray: dict[str, str]) -> None:
    prepare()
    first = dict(before_ray)
    assert (first["RAY_AUTH_MODE"], first["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"]) == ("token", "0")
    assert len(first["RAY_AUTH_TOKEN"]) == 64
    check_guarded()
    prepare()
    assert before_ray["RAY_AUTH_TOKEN"] != first["RAY_AUTH_TOKEN"]


def test_a_ray_that_is_joined_without_a_token_is_no_place_for_a_gateway(before_ray: dict[str, str]) -> None:
    prepare("10.0.0.1:6379")
    assert "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER" not in before_ray
    with pytest.raises(ServiceError, match="no token authentication"):
        check_guarded()
    before_ray["RAY_AUTH_TOKEN"] = "t" * 64
    prepare("10.0.0.1:6379")
    check_guarded()
    before_ray["RAY_AUTH_MODE"] = "disabled"
    with pytest.raises(ServiceError, match="runs code"):
        check_guarded()
