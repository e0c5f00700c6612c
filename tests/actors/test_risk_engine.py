import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nt_ray.errors import RiskError, ServiceError
from nt_ray.risk.monte_carlo.models import NormalModel, StudentModel
from nt_ray.risk.monte_carlo.scenarios import Plan, make

pytestmark = pytest.mark.usefixtures("ray_cluster")

RANDOM = np.random.default_rng(5)
FACTORS = RANDOM.normal(size=(6, 6))
COVARIANCE = (FACTORS @ FACTORS.T + np.eye(6)) * 1e-4
PLAN = Plan(model=NormalModel(mean=np.full(6, 1e-4), covariance=COVARIANCE), count=40_001, seed=3)
WEIGHTS = RANDOM.dirichlet(np.ones(6), size=7)


@pytest.fixture(scope="module")
def engines() -> Iterator[Any]:
    from actors.risk_engine import start, stop

    found = start(PLAN, workers=2, threads=1, name="risk-test")
    yield found
    stop(found)


@pytest.fixture(autouse=True)
def plan_of_the_module(engines: Any) -> None:
    engines.refresh(PLAN)


def same(one: Any, other: Any) -> bool:
    return bool(np.array_equal(one.var, other.var) and np.array_equal(one.es, other.es))


def test_engines_answer_with_the_bits_of_this_process(engines: Any) -> None:
    here = make(PLAN)
    assert same(engines.many(WEIGHTS, 0.975), here.evaluate(WEIGHTS, 0.975))
    assert same(engines.many(WEIGHTS[0], 0.975), here.evaluate(WEIGHTS[0], 0.975))
    analysis, wanted = engines.analyze(WEIGHTS[1], 0.975), here.contributions(WEIGHTS[1], 0.975)
    assert analysis.es == wanted.es
    np.testing.assert_array_equal(analysis.components, wanted.components)


def test_engines_share_one_matrix_in_the_object_store(engines: Any) -> None:
    status = engines.status()
    assert len({s.pid for s in status}) == 2
    assert [s.name for s in status] == ["risk-test/engine-0", "risk-test/engine-1"]
    assert all(s.shared for s in status)
    assert {(s.fingerprint, s.scenarios, s.seed) for s in status} == {(PLAN.fingerprint(), 40_001, 3)}


def test_a_killed_engine_rebuilds_the_same_scenarios_and_takes_the_newest_plan(engines: Any) -> None:
    newer = replace(PLAN, seed=4, model=StudentModel(mean=np.zeros(6), covariance=COVARIANCE, degrees=5.0))
    engines.refresh(newer)
    wanted = make(newer).evaluate(WEIGHTS, 0.99)
    assert same(engines.many(WEIGHTS, 0.99), wanted)
    # The first engine owns the matrix that the second one reads.
    killed = engines.status()[0].pid
    os.kill(killed, signal.SIGKILL)
    deadline = time.monotonic() + 60.0
    while engines.status()[0].pid == killed:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert engines.status()[0].fingerprint == PLAN.fingerprint()
    assert same(engines.many(WEIGHTS, 0.99), wanted)
    assert {s.fingerprint for s in engines.status()} == {newer.fingerprint()}


def test_bad_input_comes_back_as_the_error_of_the_domain(engines: Any) -> None:
    from actors.risk_engine import start

    with pytest.raises(RiskError, match="for 6 assets"):
        engines.many(np.ones(5), 0.99)
    with pytest.raises(RiskError, match="does not lie between"):
        engines.many(WEIGHTS, 0.3)
    with pytest.raises(RiskError, match="2 portfolios have no one series"):
        engines.analyze(WEIGHTS[:2], 0.99)
    with pytest.raises(ServiceError, match="0 risk engines"):
        start(PLAN, workers=0)
