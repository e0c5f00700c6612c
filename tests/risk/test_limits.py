from decimal import Decimal
from typing import Any

import pytest

from nt_ray.errors import RiskError
from nt_ray.risk.limits import RiskLimits


def test_fractions_mean_what_they_say_in_decimal() -> None:
    limits = RiskLimits(max_concentration=0.1, max_drawdown=Decimal("0.35"))
    assert limits.exact("max_concentration") == Decimal("0.1")
    assert limits.exact("max_drawdown") == Decimal("0.35")


@pytest.mark.parametrize("name", ["max_order_notional", "max_position_notional"])
@pytest.mark.parametrize("value", [Decimal(0), Decimal(-1), Decimal("NaN"), Decimal("Infinity")])
def test_amounts_must_be_positive_and_finite(name: str, value: Decimal) -> None:
    with pytest.raises(RiskError, match=f"{name}=.* makes no sense"):
        RiskLimits(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_gross_exposure", 0.0),
        ("max_net_exposure", 101),
        ("max_concentration", -0.1),
        ("max_daily_loss", 0.0),
        ("max_daily_loss", 1.5),
        ("max_drawdown", float("nan")),
        ("duplicate_window_s", -1),
        ("duplicate_window_s", 90_000),
        ("max_gross_exposure", float("inf")),
    ],
)
def test_fractions_out_of_range_are_named(name: str, value: Any) -> None:
    with pytest.raises(RiskError, match=f"{name}=.* makes no sense"):
        RiskLimits(**{name: value})
