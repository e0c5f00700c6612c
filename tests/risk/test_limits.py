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


def test_limits_are_changed_from_text() -> None:
    changed = RiskLimits(max_heat=0.1).changed(
        {
            "max_order_notional": "5e3",
            "max_heat": "none",
            "max_messages": "7",
            "restricted": "KO, PEP",
            "self_trade": "false",
        }
    )
    assert changed.max_order_notional == 5000
    assert (changed.max_heat, changed.max_messages, changed.self_trade) == (None, 7, False)
    assert changed.restricted == {"KO", "PEP"}
    assert changed.max_drawdown == RiskLimits().max_drawdown


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("max_speed", "1"),
        ("max_messages", "1.5"),
        ("max_messages", "0"),
        ("max_drawdown", "none"),
        ("max_drawdown", "2"),
        ("self_trade", "yes"),
        ("price_collar", "wide"),
    ],
)
def test_a_change_that_makes_no_sense_is_named(name: str, text: str) -> None:
    with pytest.raises(RiskError, match=f"{name}={text} makes no sense"):
        RiskLimits().changed({name: text})
