import pytest

from nt_ray.trader.health import Health


def test_latency_is_smoothed_over_checks_that_found_the_venue() -> None:
    health = Health().answered(10.0).answered(20.0).failed("gone")
    assert health.latency_ms == pytest.approx(12.0)
    assert (health.up, health.failures, health.checks, health.error) == (False, 1, 3, "gone")


def test_an_answer_ends_a_row_of_failures() -> None:
    health = Health().failed("a").failed("b")
    assert health.failures == 2
    assert health.answered(1.0) == Health(True, 1.0, 0, 3, "")
