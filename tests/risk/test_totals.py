"""Gross, net and buying power asked together say what they say one after the other."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nt_ray.market.bars import Instrument
from nt_ray.risk.exposure import Exposure
from nt_ray.risk.limits import RiskLimits
from nt_ray.risk.rules.base import Denial, Question
from nt_ray.risk.rules.size import BuyingPower, GrossExposure, NetExposure, Totals
from nt_ray.trading.orders import OrderRequest, Side

SYMBOLS = ("KO", "PEP", "AEP")
lines = st.tuples(st.integers(-50, 50), st.integers(0, 50), st.integers(0, 50), st.integers(1, 9))
fractions = st.sampled_from([0.1, 0.5, 1, 2, 5])


@given(
    held=st.tuples(*(lines for _ in SYMBOLS)),
    side=st.sampled_from(Side),
    quantity=st.integers(1, 80),
    equity=st.integers(1, 2_000),
    gross=fractions,
    net=fractions,
)
def test_totals_answer_as_the_three_rules_one_after_the_other(
    held: Any, side: Side, quantity: int, equity: int, gross: float, net: float
) -> None:
    exposure = Exposure()
    for symbol, (position, buys, sells, mark) in zip(SYMBOLS, held, strict=True):
        exposure.mark({symbol: Decimal(mark)})
        exposure.move(symbol, Decimal(position))
        exposure.open(symbol, 1, Decimal(buys))
        exposure.open(symbol, -1, Decimal(sells))
    view: Any = SimpleNamespace(exposure=exposure, tripped=frozenset(), equity=Decimal(equity))
    question = Question(OrderRequest("a", "KO", side, Decimal(quantity), "t"), view, Instrument("KO"), ())
    question.weigh()
    question.weigh_worst()
    limits = RiskLimits(max_gross_exposure=gross, max_net_exposure=net)
    one_by_one: list[Denial | None] = [
        rule(limits).check(question) for rule in (GrossExposure, NetExposure, BuyingPower)
    ]
    assert Totals(limits).check(question) == next((d for d in one_by_one if d is not None), None)
