import pytest

from nt_ray.errors import RiskError
from nt_ray.risk.backtests.basel import traffic_light


def test_the_committees_table_is_reproduced() -> None:
    # Basel Committee (1996), table 2: zone, multiplier and cumulative probability of 250 days at 99 %.
    table = {
        0: ("green", 3.00, 0.0811), 1: ("green", 3.00, 0.2858), 2: ("green", 3.00, 0.5432), 3: ("green", 3.00, 0.7581),
        4: ("green", 3.00, 0.8922), 5: ("yellow", 3.40, 0.9588), 6: ("yellow", 3.50, 0.9863),
        7: ("yellow", 3.65, 0.9960), 8: ("yellow", 3.75, 0.9989), 9: ("yellow", 3.85, 0.9997),
        10: ("red", 4.00, 0.9999), 25: ("red", 4.00, 1.0),
    }  # fmt: skip
    for violations, (zone, multiplier, probability) in table.items():
        light = traffic_light(violations)
        assert (light.zone, light.multiplier) == (zone, multiplier)
        assert light.probability == pytest.approx(probability, abs=6e-5)


def test_the_framework_of_2019_adds_half_as_much() -> None:
    # Basel Framework MAR32, table 1.
    assert [traffic_light(x).multiplier_2019 for x in range(4, 12)] == [1.5, 1.7, 1.76, 1.83, 1.88, 1.92, 2.0, 2.0]


def test_other_samples_have_zones_and_no_multiplier() -> None:
    light = traffic_light(30, 500, 0.95)
    assert (light.zone, light.multiplier, light.multiplier_2019) == ("green", None, None)
    assert traffic_light(60, 500, 0.95).zone == "red"


def test_more_violations_than_days_are_refused() -> None:
    with pytest.raises(RiskError, match="11 violations of 10"):
        traffic_light(11, 10)
    with pytest.raises(RiskError, match=r"4\.7 violations"):
        traffic_light(4.7)  # type: ignore[arg-type]
