from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

CLUSTER_FILE = Path(__file__).parent.parent.parent / "cluster.yaml"


@pytest.fixture
def cluster() -> dict[str, Any]:
    prepared: dict[str, Any] = prepare_config(yaml.safe_load(CLUSTER_FILE.read_text(encoding="utf-8")))
    return prepared


def test_ray_accepts_the_file(cluster: dict[str, Any]) -> None:
    validate_config(cluster)
    with pytest.raises(jsonschema.ValidationError):
        validate_config({**cluster, "unheard_of": 1})


def test_workers_of_both_kinds_start_from_none(cluster: dict[str, Any]) -> None:
    types = cluster["available_node_types"]
    bounds = {name: (t["min_workers"], t["max_workers"]) for name, t in types.items()}
    assert bounds == {"head": (0, 0), "cpu_worker": (0, 8), "gpu_worker": (0, 4)}
    assert types["gpu_worker"]["resources"]["GPU"] == 1
    assert "GPU" not in types["cpu_worker"]["resources"]
    assert cluster["max_workers"] == 12


def test_every_node_runs_with_the_token(cluster: dict[str, Any]) -> None:
    starts = [
        command
        for part in ("head_start_ray_commands", "worker_start_ray_commands")
        for command in cluster[part]
        if "ray start" in command
    ]
    assert len(starts) == 2
    assert all("RAY_AUTH_MODE=token" in command for command in starts)
    assert "/home/ubuntu/.ray/auth_token" in cluster["file_mounts"]


def test_the_head_notices_dead_nodes_soon_and_shows_its_dashboard_to_itself_alone(
    cluster: dict[str, Any],
) -> None:
    start = next(c for c in cluster["head_start_ray_commands"] if "ray start" in c)
    settings = dict(word.split("=", 1) for word in start.split() if word.startswith("RAY_health"))
    assert settings == {
        "RAY_health_check_initial_delay_ms": "500",
        "RAY_health_check_period_ms": "500",
        "RAY_health_check_timeout_ms": "500",
        "RAY_health_check_failure_threshold": "3",
    }
    assert "--dashboard-host=127.0.0.1" in start


def test_nodes_install_the_project_with_its_constraints(cluster: dict[str, Any]) -> None:
    assert any("--constraint ~/nt-ray/constraints.txt" in command for command in cluster["setup_commands"])


def test_what_git_ignores_stays_behind_and_kernels_beside_the_source_travel() -> None:
    from ray._private.runtime_env.packaging import get_excludes_from_ignore_files

    repository = CLUSTER_FILE.parent
    (left_out,) = get_excludes_from_ignore_files(repository, include_gitignore=False)
    ignored = (repository / ".gitignore").read_text(encoding="utf-8").split()
    assert "__pycache__/" in ignored
    for line in ignored:
        example = line.strip("/").replace("*", "a").replace("[cod]", "c")
        assert left_out(repository / example / "x" if line.endswith("/") else repository / example) == (
            line != "__pycache__/"
        ), line
    assert not left_out(repository / "nt_ray" / "portfolio" / "__pycache__" / "sizing.nbc")
