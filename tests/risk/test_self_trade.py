"""Orders that could meet one of the same account: what they reach, by type, and what rests."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from nt_ray.market.bars import Instrument
from nt_ray.risk.exposure import Exposure
from nt_ray.risk.rules.base import Question
from nt_ray.risk.rules.conduct import SelfTrade
from nt_ray.trading.orders import Order, OrderRequest, OrderStatus, OrderType, Side

KO = Instrument("KO", Decimal("0.01"), Decimal(1))


@dataclass
class View:
    """What the rule looks at of an account."""

    orders: tuple[Order, ...]
    tripped: frozenset[str] = frozenset()
    exposure: Exposure = field(default_factory=Exposure)

    def __post_init__(self) -> None:
        self.exposure.mark({"KO": Decimal(50)})

    def resting(self, symbol: str, side: Side) -> list[Order]:
        return [o for o in self.orders if (o.request.symbol, o.request.side) == (symbol, side)]


def verdict(request: OrderRequest, view: Any) -> str | None:
    denial = SelfTrade().check(Question(request, view, KO, ()))
    return None if denial is None else denial.rule


def order(**changes: Any) -> OrderRequest:
    values: dict[str, Any] = {"client_order_id": "a.1", "symbol": "KO", "side": Side.BUY, "quantity": Decimal(10)}
    return OrderRequest(**(values | {"strategy": "momentum"} | changes))


def limit(price: str) -> dict[str, Any]:
    return {"type": OrderType.LIMIT, "limit_price": Decimal(price)}


def resting(side: Side, client_order_id: str = "b.1", **changes: Any) -> Order:
    return Order(order(client_order_id=client_order_id, side=side, **changes), OrderStatus.ACCEPTED)


def stops(price: str, **limits: str) -> dict[str, Any]:
    kind = OrderType.STOP_LIMIT if limits else OrderType.STOP
    prices = {f"{name}_price": Decimal(at) for name, at in limits.items()}
    return {"type": kind, "stop_price": Decimal(price), **prices}


def trails(amount: str) -> dict[str, Any]:
    return {"type": OrderType.TRAILING_STOP, "trail_amount": Decimal(amount)}


# KO is marked at 50.
@pytest.mark.parametrize(
    ("own", "changes", "side", "rule"),
    [
        (resting(Side.SELL, **limit("51")), limit("51"), Side.BUY, "self_trade"),
        (resting(Side.SELL, **limit("51")), limit("50.99"), Side.BUY, None),
        # A market order goes as far as it must.
        (resting(Side.SELL, **limit("50.01")), {}, Side.BUY, "self_trade"),
        (resting(Side.SELL, **limit("95")), {}, Side.BUY, "self_trade"),
        (resting(Side.BUY, **limit("5")), {}, Side.SELL, "self_trade"),
        (resting(Side.BUY), limit("60"), Side.SELL, "self_trade"),
        # A stop takes what rests beyond its trigger; what rests before it is gone by then.
        (resting(Side.BUY, **limit("45")), stops("46"), Side.SELL, "self_trade"),
        (resting(Side.BUY, **limit("47")), stops("46"), Side.SELL, None),
        (resting(Side.SELL, **stops("46")), limit("45"), Side.BUY, "self_trade"),
        (resting(Side.SELL, **stops("46")), limit("47"), Side.BUY, None),
        (resting(Side.BUY, **limit("45")), stops("46", limit="45.5"), Side.SELL, None),
        (resting(Side.BUY, **limit("45.5")), stops("46", limit="45.5"), Side.SELL, "self_trade"),
        (resting(Side.BUY, **limit("45")), trails("1"), Side.SELL, "self_trade"),
        (resting(Side.BUY), trails("1"), Side.SELL, None),
        # One whose trigger the mark has passed waits no more.
        (resting(Side.SELL, **stops("51", limit="50.5")), {}, Side.BUY, "self_trade"),
        (resting(Side.SELL, **stops("51")), {}, Side.BUY, "self_trade"),
        (resting(Side.SELL, **stops("46")), {}, Side.BUY, None),
        (resting(Side.BUY), {}, Side.SELL, "self_trade"),
        (resting(Side.BUY), {}, Side.BUY, None),
        (resting(Side.BUY, type=OrderType.STOP, stop_price=Decimal(52)), {}, Side.SELL, None),
        (resting(Side.BUY, symbol="PEP"), {}, Side.SELL, None),
        (resting(Side.BUY), {"replaces": "b.1"}, Side.SELL, None),
    ],
)
def test_no_order_meets_one_of_the_same_account(
    own: Order, changes: dict[str, Any], side: Side, rule: str | None
) -> None:
    view = View(orders=(own,))
    assert verdict(order(side=side, **changes), view) == rule


def test_an_order_that_is_being_cancelled_rests_until_it_is() -> None:
    own = resting(Side.SELL, **limit("51")).with_(status=OrderStatus.PENDING_CANCEL)
    assert verdict(order(), View(orders=(own,))) == "self_trade"


@pytest.mark.parametrize("exit_", [limit("51"), stops("48"), trails("1")])
def test_exits_do_not_meet_the_entry_that_they_wait_for(exit_: dict[str, Any]) -> None:
    for entry in (resting(Side.BUY, "e"), resting(Side.BUY, "e", **limit("45"))):
        leg = resting(Side.SELL, "p", parent="e", **exit_)
        view = View(orders=(entry, leg))
        assert verdict(order(side=Side.SELL, parent="e", **exit_), view) is None
        assert verdict(order(side=Side.SELL, replaces="p", **exit_), view) is None


def test_an_exit_that_waits_for_its_entry_is_met_by_nothing() -> None:
    entry, profit = resting(Side.BUY, "e", **limit("49")), resting(Side.SELL, "p", parent="e", **limit("50"))
    assert verdict(order(), View(orders=(entry, profit))) is None
    filled = entry.with_(filled_quantity=Decimal(1))
    assert verdict(order(), View(orders=(filled, profit))) == "self_trade"
