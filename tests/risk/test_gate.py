from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from nt_ray.market.bars import AssetClass, Instrument
from nt_ray.risk.breaker import BreakerState
from nt_ray.risk.exposure import Exposure
from nt_ray.risk.flow import Flow
from nt_ray.risk.gate import RiskGate, RiskLimits
from nt_ray.risk.heat import protection
from nt_ray.risk.references import References
from nt_ray.risk.rules.base import Content, content
from nt_ray.risk.scenario_table import ScenarioTable
from nt_ray.risk.standing import Standing
from nt_ray.trading.orders import Order, OrderRequest, OrderStatus, OrderType, Side

NOW = datetime(2026, 1, 2, tzinfo=UTC)
INSTRUMENTS = [
    Instrument("KO", Decimal("0.01"), Decimal(1)),
    Instrument("PEP", Decimal("0.01"), Decimal("0.5")),
    Instrument("DARK"),
    Instrument("COIN", asset_class=AssetClass.CRYPTO),
]
WIDE: dict[str, Any] = {
    "max_order_notional": Decimal(10**9),
    "max_position_notional": Decimal(10**9),
    "max_gross_exposure": 100,
    "max_net_exposure": 100,
    "max_concentration": 100,
    "price_collar": 100,
    "max_messages": None,
    "max_strategy_messages": None,
}


@dataclass
class View:
    equity: Decimal = Decimal(100_000)
    now: datetime = NOW
    exposure: Exposure = field(default_factory=Exposure)
    tripped: frozenset[str] = frozenset()
    halted: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    sent: dict[Content, datetime] = field(default_factory=dict)
    open: bool = False
    orders: tuple[Order, ...] = ()
    flow: Flow = field(default_factory=Flow)
    references: References = field(default_factory=References)

    @property
    def breaker_state(self) -> BreakerState:
        if not self.tripped:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self.open else BreakerState.HALF_OPEN

    def resting(self, symbol: str, side: Side) -> list[Order]:
        return [o for o in self.orders if (o.request.symbol, o.request.side) == (symbol, side)]

    def __post_init__(self) -> None:
        self.exposure.mark({"KO": Decimal(50), "PEP": Decimal(100)})

    def knows(self, client_order_id: str) -> bool:
        return client_order_id in self.ids

    def last_sent(self, content: Content) -> datetime | None:
        return self.sent.get(content)


def order(quantity: str | Decimal = "10", **changes: Any) -> OrderRequest:
    values: dict[str, Any] = {
        "client_order_id": "a.1",
        "symbol": "KO",
        "side": Side.BUY,
        "quantity": Decimal(quantity),
        "strategy": "momentum",
    }
    return OrderRequest(**(values | changes))


def limit(price: str) -> dict[str, Any]:
    return {"type": OrderType.LIMIT, "limit_price": Decimal(price)}


def verdict(request: OrderRequest, view: View, **limits: Any) -> str | None:
    gate = RiskGate(RiskLimits(**(WIDE | limits)), INSTRUMENTS)
    denial = gate.check(request, view)
    # Who asks every rule hears of the same first one.
    assert next((told for _, told in gate.explain(request, view) if told is not None), None) == denial
    return None if denial is None else denial.rule


def test_an_ordinary_order_passes() -> None:
    assert RiskGate(RiskLimits(), INSTRUMENTS).check(order(), View()) is None


@pytest.mark.parametrize("scope", ["account", "strategy:momentum", "symbol:KO"])
def test_a_kill_switch_stops_even_an_order_that_reduces(scope: str) -> None:
    view = View(halted=frozenset({scope}))
    view.exposure.move("KO", Decimal(100))
    assert verdict(order(side=Side.SELL), view) == "kill_switch"


@pytest.mark.parametrize("scope", ["strategy:pairs", "symbol:PEP"])
def test_a_kill_switch_leaves_other_scopes_alone(scope: str) -> None:
    assert verdict(order(), View(halted=frozenset({scope}))) is None


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"client_order_id": "taken"}, "duplicate"),
        ({"symbol": "XYZ"}, "instrument"),
        ({"quantity": Decimal("10.5")}, "lot"),
        ({"quantity": Decimal("1e40") + Decimal("0.5")}, "order_notional"),
        (limit("50.005"), "tick"),
        ({"symbol": "DARK"}, "reference_price"),
    ],
)
def test_an_order_that_cannot_be_right_is_denied(changes: dict[str, Any], rule: str) -> None:
    assert verdict(order(**changes), View(ids=frozenset({"taken"}))) == rule


@pytest.mark.parametrize("price", ["NaN", "Infinity", "0", "-1"])
def test_without_a_usable_price_nothing_passes_not_even_a_reduction(price: str) -> None:
    view = View()
    view.exposure.move("KO", Decimal(100))
    view.exposure.mark({"KO": Decimal(price)})
    assert verdict(order(side=Side.SELL), view) == "reference_price"
    assert verdict(order(), view) == "reference_price"


@pytest.mark.parametrize("age", [0, 29])
def test_an_equal_order_within_the_window_is_denied(age: int) -> None:
    request = order()
    view = View(sent={content(request): NOW - timedelta(seconds=age)})
    assert verdict(request, view, duplicate_window_s=30) == "duplicate_content"
    assert verdict(request, view) is None
    assert verdict(order(strategy="pairs"), view, duplicate_window_s=30) is None
    assert verdict(order("11"), view, duplicate_window_s=30) is None


def test_an_equal_order_after_the_window_passes() -> None:
    request = order()
    view = View(sent={content(request): NOW - timedelta(seconds=30)})
    assert verdict(request, view, duplicate_window_s=30) is None


# Each case: the largest quantity of KO at 50 that passes, given a held position and open orders of KO, and
# 300 PEP (30,000) held. Equity is 100,000.
@pytest.mark.parametrize(
    ("limits", "position", "buys", "sells", "side", "most", "rule"),
    [
        ({"max_order_notional": Decimal(5000)}, 0, 0, 0, Side.BUY, 100, "order_notional"),
        ({"max_position_notional": Decimal(20_000)}, 100, 50, 0, Side.BUY, 250, "position_notional"),
        ({"max_position_notional": Decimal(20_000)}, 0, 0, 50, Side.SELL, 350, "position_notional"),
        ({"max_concentration": 0.25}, 0, 100, 0, Side.BUY, 400, "concentration"),
        ({"max_concentration": 0.25}, -100, 0, 0, Side.SELL, 400, "concentration"),
        ({"max_gross_exposure": 1.0}, 0, 200, 0, Side.BUY, 1200, "gross_exposure"),
        ({"max_gross_exposure": 1.0}, 0, 0, 0, Side.SELL, 1400, "gross_exposure"),
        ({"max_gross_exposure": 1.0}, 0, 200, 0, Side.SELL, 1200, "buying_power"),
        ({"max_net_exposure": 1.0}, 0, 100, 500, Side.BUY, 1300, "net_exposure"),
        ({"max_net_exposure": 0.5}, 0, 500, 100, Side.SELL, 1500, "net_exposure"),
    ],
)
def test_a_limit_passes_what_reaches_it_and_denies_one_lot_more(
    limits: dict[str, Any], position: int, buys: int, sells: int, side: Side, most: int, rule: str
) -> None:
    view = View()
    view.exposure.move("PEP", Decimal(300))
    view.exposure.move("KO", Decimal(position))
    view.exposure.open("KO", 1, Decimal(buys))
    view.exposure.open("KO", -1, Decimal(sells))
    assert verdict(order(str(most), side=side), view, **limits) is None
    assert verdict(order(str(most + 1), side=side), view, **limits) == rule


def test_a_limit_price_above_the_mark_counts() -> None:
    assert verdict(order("100", **limit("60")), View(), max_order_notional=Decimal(5999)) == "order_notional"
    assert verdict(order("100", **limit("40")), View(), max_order_notional=Decimal(5000)) is None


@pytest.mark.parametrize("rule", ["daily_loss", "drawdown"])
def test_a_tripped_breaker_lets_only_reductions_through(rule: str) -> None:
    view = View(tripped=frozenset({rule}))
    view.exposure.move("KO", Decimal(-10))
    assert verdict(order("10"), view) is None
    assert verdict(order("11"), view) == rule
    assert verdict(order("1", side=Side.SELL), view) == rule
    view.exposure.open("KO", 1, Decimal(10))
    assert verdict(order("1"), view) == rule


def test_an_order_reduces_only_what_earlier_orders_of_its_side_leave() -> None:
    view = View(tripped=frozenset({"drawdown"}))
    view.exposure.move("KO", Decimal(10))
    view.exposure.open("KO", -1, Decimal(6))
    assert verdict(order("4", side=Side.SELL), view) is None
    assert verdict(order("5", side=Side.SELL), view) == "drawdown"


def test_no_limit_locks_anyone_into_a_position() -> None:
    view = View(equity=Decimal(-5), tripped=frozenset({"drawdown", "daily_loss"}))
    view.exposure.move("KO", Decimal(10_000))
    tight = RiskLimits(Decimal(1), Decimal(1), 0.01, 0.01, 0.01)
    assert RiskGate(tight, INSTRUMENTS).check(order("10000", side=Side.SELL), view) is None


@pytest.mark.parametrize(
    ("position", "resting_sale", "side", "quantity", "rule"),
    [
        ("10", "0", Side.SELL, "10", None), ("10", "0", Side.SELL, "11", "no_shorting"),
        ("10", "4", Side.SELL, "6", None), ("10", "4", Side.SELL, "7", "no_shorting"),
        ("0", "0", Side.SELL, "1", "no_shorting"), ("-5", "0", Side.SELL, "1", "no_shorting"),
        ("-5", "0", Side.BUY, "5", None), ("0", "0", Side.BUY, "1", None),
    ],
)  # fmt: skip
def test_an_account_that_may_not_sell_short_sells_what_it_has_and_no_more(
    position: str, resting_sale: str, side: Side, quantity: str, rule: str | None
) -> None:
    view = View()
    view.exposure.move("KO", Decimal(position))
    view.exposure.open("KO", -1, Decimal(resting_sale))
    assert verdict(order(quantity, side=side), view, shorting=False) == rule
    assert verdict(order(quantity, side=side), view) is None


def test_an_account_of_whole_units_opens_by_whole_units_and_closes_what_it_has() -> None:
    view = View()
    view.exposure.move("PEP", Decimal("2.5"))
    half = {"symbol": "PEP", "quantity": Decimal("0.5")}
    by_money = {"symbol": "PEP", "quantity": Decimal(0), "notional": Decimal(100)}
    assert verdict(order(**half), view, fractions=False) == "no_fractions"
    assert verdict(order(**by_money), view, fractions=False) == "no_fractions"
    assert verdict(order(side=Side.SELL, **half), view, fractions=False) is None
    assert verdict(order("3", symbol="PEP"), view, fractions=False) is None
    assert verdict(order(**half), view) is None


@pytest.mark.parametrize("equity", ["0", "-1"])
def test_without_equity_no_position_is_opened(equity: str) -> None:
    assert verdict(order("1"), View(equity=Decimal(equity))) == "equity"


def test_a_denial_tells_rule_limit_value_and_a_sentence() -> None:
    gate = RiskGate(RiskLimits(max_order_notional=Decimal(1000)), INSTRUMENTS)
    denial = gate.check(order("21"), View())
    assert denial is not None
    assert (denial.rule, denial.limit, denial.value) == ("order_notional", "1000", "1050")
    assert denial.reason == "a.1: the order's value 1050 is above 1000."


def test_a_venue_can_be_stopped_by_itself() -> None:
    view = View(halted=frozenset({"venue:east"}))
    denials = [RiskGate(RiskLimits(), INSTRUMENTS, venue).check(order(), view) for venue in ("east", "west")]
    assert [d.rule if d else None for d in denials] == ["kill_switch", None]


def test_an_open_breaker_lets_nothing_through_not_even_a_reduction() -> None:
    view = View(tripped=frozenset({"drawdown"}), open=True)
    view.exposure.move("KO", Decimal(10))
    assert verdict(order("10", side=Side.SELL), view) == "breaker_open"


def test_what_is_on_the_restricted_list_is_not_traded() -> None:
    assert verdict(order(), View(), restricted=frozenset({"KO"})) == "restricted"
    assert verdict(order(symbol="PEP"), View(), restricted=frozenset({"KO"})) is None


@pytest.mark.parametrize(
    ("changes", "passes"),
    [
        (limit("55"), True),
        (limit("55.01"), False),
        (limit("45"), True),
        (limit("44.99"), False),
        ({"type": OrderType.STOP, "stop_price": Decimal("44.99")}, False),
        ({"type": OrderType.STOP_LIMIT, "stop_price": Decimal(52), "limit_price": Decimal(56)}, False),
        ({"type": OrderType.STOP_LIMIT, "stop_price": Decimal(52), "limit_price": Decimal(53)}, True),
        ({}, True),
    ],
)
def test_prices_stay_within_the_collar_around_the_mark_of_50(changes: dict[str, Any], passes: bool) -> None:
    assert verdict(order(**changes), View(), price_collar=0.1) == (None if passes else "price_collar")


@pytest.mark.parametrize(("age", "rule"), [(5, None), (6, "stale_reference"), (None, "stale_reference")])
def test_a_price_that_is_too_old_or_of_unknown_age_is_no_reference(age: int | None, rule: str | None) -> None:
    view = View()
    if age is not None:
        view.references.saw({"KO": NOW - timedelta(seconds=age)}, NOW)
    limits: dict[str, Any] = {"max_reference_age_s": 5, "reference_hours": "always"}
    assert verdict(order(), view, **limits) == rule
    view.exposure.move("KO", Decimal(10))
    assert verdict(order(side=Side.SELL), view, **limits) is None


@pytest.mark.parametrize(
    ("seen", "now", "rule"),
    [
        # The price of the close on Friday the 2nd is as good on Monday the 5th before the opening at 14:30 UTC ...
        ("2026-01-02T21:00", "2026-01-05T14:29", None),
        ("2026-01-02T20:59:50", "2026-01-05T14:30:50", None),
        # ... and no more a minute after it.
        ("2026-01-02T20:59:50", "2026-01-05T14:30:51", "stale_reference"),
        ("2026-01-05T15:00", "2026-01-05T15:01:01", "stale_reference"),
        # Thanksgiving is a holiday, and the day after it ends at 18:00 UTC.
        ("2025-11-26T21:00", "2025-11-28T14:30:59", None),
        ("2025-11-28T17:59:30", "2025-12-01T14:30:31", "stale_reference"),
        ("2025-10-01T12:00", "2026-01-01T12:00", "stale_reference"),
    ],
)
def test_prices_of_shares_age_while_the_exchange_is_open(seen: str, now: str, rule: str | None) -> None:
    then, moment = (datetime.fromisoformat(time).replace(tzinfo=UTC) for time in (seen, now))
    view = View(now=moment)
    view.references.saw({"KO": then, "COIN": then}, moment)
    assert verdict(order(), view, max_reference_age_s=60) == rule
    # What trades day and night ages so.
    view.exposure.mark({"COIN": Decimal(50)})
    assert verdict(order(symbol="COIN"), view, max_reference_age_s=60) == "stale_reference"


def test_a_reference_that_is_too_old_judges_no_price() -> None:
    view = View()
    view.references.saw({"KO": NOW - timedelta(seconds=9)}, NOW)
    view.exposure.move("KO", Decimal(10))
    limits: dict[str, Any] = {"max_reference_age_s": 5, "reference_hours": "always", "price_collar": 0.1}
    assert verdict(order(side=Side.SELL, **limit("30")), view, **limits) is None
    assert verdict(order(**limit("30")), view, **limits) == "stale_reference"
    view.references.saw({"KO": NOW}, NOW)
    assert verdict(order(side=Side.SELL, **limit("30")), view, **limits) == "price_collar"


def test_what_the_venue_does_not_allow_is_denied() -> None:
    view = View()
    view.exposure.move("KO", Decimal(10))

    def asked(standing: Standing, quantity: str = "10", side: Side = Side.SELL, symbol: str = "KO") -> str | None:
        gate = RiskGate(RiskLimits(**WIDE), INSTRUMENTS, standing=standing)
        denial = gate.check(order(quantity, side=side, symbol=symbol), view)
        return None if denial is None else denial.rule

    # Not even a reduction can be sent where nothing is taken.
    assert asked(Standing(blocked="trading_blocked")) == "account_blocked"
    assert asked(Standing(halted={"KO": "news"})) == "halted_instrument"
    assert asked(Standing(halted={"KO": "news"}), symbol="PEP") is None
    for unlent in (Standing(unshortable=frozenset({"KO"})), Standing(shorting=False)):
        assert asked(unlent) is None
        assert asked(unlent, "11") == "not_borrowable"
        assert asked(unlent, side=Side.BUY) is None
    assert asked(Standing(unshortable=frozenset({"KO"})), symbol="PEP") is None


def test_an_order_is_limited_by_quantity_and_by_its_share_of_volume() -> None:
    view = View()
    assert verdict(order("101"), view, max_order_quantity=Decimal(100)) == "order_quantity"
    assert verdict(order("100"), view, max_order_quantity=Decimal(100)) is None
    assert verdict(order("1"), view, max_volume_share=0.01) == "volume_share"
    view.references.trade({"KO": Decimal(10_000)})
    assert verdict(order("100"), view, max_volume_share=0.01) is None
    assert verdict(order("101"), view, max_volume_share=0.01) == "volume_share"


def test_messages_are_counted_over_a_sliding_window_by_account_and_by_strategy() -> None:
    view = View()
    for ms in (0, 400, 800):
        view.flow.sent("momentum", NOW - timedelta(milliseconds=1000 - ms))
    # The first lies at the very end of the window of one second and no longer counts.
    assert verdict(order(), view, max_strategy_messages=3) is None
    assert verdict(order(), view, max_strategy_messages=2) == "message_rate"
    assert verdict(order(strategy="pairs"), view, max_strategy_messages=2) is None
    assert verdict(order(strategy="pairs"), view, max_messages=2) == "message_rate"


def test_an_order_that_could_meet_one_of_the_same_account_is_denied_unless_that_is_allowed() -> None:
    own = Order(order(client_order_id="b.1", side=Side.SELL, **limit("51")), OrderStatus.ACCEPTED)
    assert verdict(order(), View(orders=(own,))) == "self_trade"
    assert verdict(order(), View(orders=(own,)), self_trade=False) is None


def stop(price: str, quantity: str, **changes: Any) -> OrderRequest:
    return order(quantity, side=Side.SELL, type=OrderType.STOP, stop_price=Decimal(price), **changes)


def test_heat_is_what_every_stopped_position_loses_and_all_of_an_unprotected_one() -> None:
    view = View()
    view.exposure.move("KO", Decimal(100))
    view.exposure.protect("KO", [protection(stop("48", "100", client_order_id="s"))])
    # Held: 100 at 50 with a stop at 48, so 200 at risk. Bought: 10 more without a stop, 500.
    assert verdict(order("10"), view, max_heat=0.007) is None
    assert verdict(order("11"), view, max_heat=0.007) == "portfolio_heat"


def test_stops_that_come_with_an_entry_count() -> None:
    gate = RiskGate(RiskLimits(**(WIDE | {"max_heat": 0.002})), INSTRUMENTS)
    exits = [stop("48", "100", client_order_id="x", parent="a.1")]
    assert gate.check(order("100"), View(), exits) is None
    denial = gate.check(order("100"), View())
    assert denial is not None
    assert (denial.rule, denial.value) == ("portfolio_heat", "0.05")


def test_an_order_by_notional_counts_as_the_lots_it_may_buy() -> None:
    request = order("0", notional=Decimal(1001))
    # 1,001 at 50 may become 21 shares.
    assert verdict(request, View(), max_order_quantity=Decimal(20)) == "order_quantity"
    assert verdict(request, View(), max_order_quantity=Decimal(21)) is None


def test_the_value_at_risk_of_the_account_is_limited_with_open_orders_at_their_worst() -> None:
    # One scenario in ten loses a fifth in KO and gains a fifth in PEP; otherwise nothing moves.
    returns = np.zeros((100, 2))
    returns[::10] = (-0.2, 0.2)
    view = View()
    assert verdict(order(), view, max_var=0.1) == "portfolio_var"
    view.references.scenarios = ScenarioTable(("KO", "PEP"), returns, 0.95)
    # 1,000 shares at 50 may lose 10,000 of 100,000.
    assert verdict(order("1000"), view, max_var=0.1) is None
    assert verdict(order("1001"), view, max_var=0.1) == "portfolio_var"
    # What is long in PEP hedges it.
    view.exposure.move("PEP", Decimal(100))
    assert verdict(order("1200"), view, max_var=0.1) is None
    assert verdict(order("1201"), view, max_var=0.1) == "portfolio_var"
    # Unless an open order may sell the hedge.
    view.exposure.open("PEP", -1, Decimal(100))
    assert verdict(order("1200"), view, max_var=0.1) is None
    view.exposure.open("KO", 1, Decimal(600))
    assert verdict(order("601"), view, max_var=0.1) == "portfolio_var"
    # An order that only reduces passes whatever the figure is.
    view.exposure.move("KO", Decimal(5000))
    assert verdict(order("100", side=Side.SELL), view, max_var=0.1) is None


def test_one_gate_follows_the_account_from_order_to_order() -> None:
    returns = np.zeros((100, 2))
    returns[::10] = (-0.2, 0.2)
    view = View()
    view.references.scenarios = ScenarioTable(("KO", "PEP"), returns, 0.95)
    gate = RiskGate(RiskLimits(**(WIDE | {"max_var": 0.1})), INSTRUMENTS)
    assert gate.check(order("600"), view) is None
    view.exposure.move("KO", Decimal(600))
    assert gate.check(order("400"), view) is None
    denial = gate.check(order("401"), view)
    assert denial is not None
    assert (denial.rule, denial.limit, denial.value) == ("portfolio_var", "0.1", "0.1001")
    # The books of an account that was opened anew are others.
    assert gate.check(order("1000"), View(references=view.references)) is None
    view.exposure.move("DARK", Decimal(1))
    view.exposure.mark({"DARK": Decimal(1)})
    refused = gate.check(order("1"), view)
    assert refused is not None
    assert "DARK" in refused.reason
