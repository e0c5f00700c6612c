from typing import Any

import pytest

from deployments.inference import application
from deployments.inference.application import build
from nt_ray.config.sections import Inference, Neural
from nt_ray.errors import ConfigError, ServiceError


def options(**more: object) -> dict[str, object]:
    given = {f"neural.inference.{key}": value for key, value in more.items()}
    deployment = build({"neural.registry": "elsewhere"} | given)._bound_deployment
    return {
        "ongoing": deployment.max_ongoing_requests,
        "replicas": deployment.num_replicas,
        "scaled": deployment._deployment_config.autoscaling_config,
        "actor": deployment.ray_actor_options,
    }


def test_every_request_of_a_batch_is_let_in() -> None:
    assert options()["ongoing"] == 256
    assert options(largest_batch=64, threads=4)["ongoing"] == 256
    assert options(threads=2)["actor"] == {"num_cpus": 2, "num_gpus": 0.0}


def test_replicas_follow_the_load_between_two_bounds() -> None:
    assert options(replicas=3)["replicas"] == 3
    assert options(replicas=3)["scaled"] is None
    scaled = options(replicas="2", most_replicas="6", target_requests="4")["scaled"]
    assert (scaled.min_replicas, scaled.max_replicas, scaled.target_ongoing_requests) == (2, 6, 4.0)  # type: ignore[attr-defined]


def test_settings_that_make_no_sense_are_refused_before_anything_starts() -> None:
    with pytest.raises(ConfigError, match="below replicas"):
        options(replicas=3, most_replicas=2)
    with pytest.raises(ConfigError):
        build({"neural.inference.portt": 1})


def test_gpus_that_the_cluster_lacks_are_an_error_and_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("Serve was started for nothing")

    there = {"CPU": 2.0}
    monkeypatch.setattr("actors.cluster.ray.cluster_resources", lambda: there)
    monkeypatch.setattr(application.serve, "start", never)
    monkeypatch.setattr(application, "check_free", lambda *_: None)
    with pytest.raises(ServiceError, match=r"1 GPUs are asked for, and the cluster has 0.*neural\.inference\.gpus = 0"):
        application.start(Neural(inference=Inference(gpus=1)))
    there["GPU"] = 1.0
    with pytest.raises(ServiceError, match=r"1\.5 GPUs are asked for, and the cluster has 1"):
        application.start(Neural(inference=Inference(gpus=0.5, replicas=3, most_replicas=3)))
    with pytest.raises(AssertionError, match="for nothing"):
        application.start(Neural(inference=Inference(gpus=0.5, replicas=2, most_replicas=2)))
