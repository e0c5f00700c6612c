import pytest

from nt_ray.strategies.conviction import FLOOR, conviction


def test_it_follows_its_formula() -> None:
    assert conviction(1.0, 3.0) == pytest.approx(0.75)
    assert conviction(-1.0, -3.0) == pytest.approx(0.75)
    assert conviction(0.0, 3.0) == pytest.approx(0.25)
    assert conviction(0.0, 0.0) == 1.0


@pytest.mark.parametrize(("position", "z"), [(1.0, 0.0), (0.0, 1e12), (-1.0, 1e-9)])
def test_a_vote_that_is_meant_never_abstains(position: float, z: float) -> None:
    assert conviction(position, z) == FLOOR


def test_it_never_exceeds_one() -> None:
    assert conviction(1.0, 1e300) <= 1.0
