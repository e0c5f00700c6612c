"""The exchange against the event simulator: any orders through both give the same executions and endings."""

import tempfile
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.backtest.event.market import Market, Terms
from nt_ray.backtest.event.python_strategy import Context, PythonStrategy
from nt_ray.backtest.event.simulate import simulate_python
from nt_ray.brokers.simulated.exchange import SimulatedExchange
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.bars import BarPanel, Instrument
from nt_ray.trading.orders import OrderRequest, OrderType, Side, TimeInForce

ROWS = 12
SYMBOLS = ("A", "FUND")
COSTS = Costs(Decimal(3), Decimal("0.01"), Decimal(0), Decimal(7), Decimal("0.3"))
SESSIONS = np.arange(ROWS) // 3
STATUS = {
    "held": "accepted", "working": "accepted", "filled": "filled", "canceled": "canceled", "expired": "expired",
    "rejected": "rejected",
}  # fmt: skip


@dataclass
class Ask:
    """An order in words that both sides understand; links count within its batch."""

    symbol: str
    lots: int
    kind: str
    prices: dict[str, int]
    tif: str
    good_till: int
    post_only: bool
    reduce_only: bool
    parent: int | None = None
    group: int = 0


@dataclass
class Plan:
    """What is asked and cancelled on each row."""

    batches: dict[int, list[list[Ask]]] = field(default_factory=dict)
    cancels: dict[int, int] = field(default_factory=dict)


def bars(choose: Random) -> BarPanel:
    values = np.full((ROWS, 2, 5), np.nan)
    close = 100
    for t in range(ROWS):
        start = close + choose.randint(-3, 3)
        close = start + choose.randint(-4, 4)
        high, low = max(start, close) + choose.randint(0, 3), min(start, close) - choose.randint(0, 3)
        if choose.random() < 0.9:
            values[t, 0] = start, high, low, close, choose.choice([40, 100, np.nan])
        values[t, 1, 3] = 50 + choose.randint(-5, 5)
    instruments = (Instrument("A", Decimal(1)), Instrument("FUND", Decimal(1), close_only=True))
    return BarPanel(instruments, np.arange(1, ROWS + 1, dtype=np.int64) * 86_400_000_000_000, values)


def ask(choose: Random, row: int, **changes: Any) -> Ask:
    symbol = choose.choice(SYMBOLS)
    about = 100 if symbol == "A" else 50
    kind = choose.choice(["market", "limit", "stop", "stop_limit", "trail", "trail_bps", "opg", "cls", "loc"])
    price = {"limit": about + choose.randint(-6, 6), "stop": about + choose.randint(-6, 6)}
    names = {"limit": ["limit"], "stop": ["stop"], "stop_limit": ["limit", "stop"], "loc": ["limit"]}.get(kind, [])
    prices = {name: price[name] for name in names}
    if kind.startswith("trail"):
        prices = {"trail": choose.randint(1, 5)} if kind == "trail" else {"trail_bps": choose.choice([150, 300])}
    immediate = ["ioc", "fok"] if kind in ("market", "limit") else []
    tif = "day" if kind in ("opg", "cls", "loc") else choose.choice(["day", "gtc", "gtd", *immediate])
    post_only = kind == "limit" and tif in ("day", "gtc") and choose.random() < 0.3
    lots = choose.choice([-1, 1]) * choose.randint(1, 25)
    good_till = min(row + choose.randint(1, 6), ROWS - 1) if tif == "gtd" else 0
    return Ask(symbol, **({"lots": lots, "kind": kind, "prices": prices, "tif": tif, "good_till": good_till,
                           "post_only": post_only, "reduce_only": choose.random() < 0.2} | changes))  # fmt: skip


def plan(choose: Random) -> Plan:
    made = Plan()
    count = 0
    for row in range(ROWS - 1):
        batches = []
        earlier = count
        for _ in range(choose.randint(0, 2)):
            shape = choose.choice(["single", "single", "oco", "bracket"])
            batch = [ask(choose, row)]
            if shape == "oco":
                batch = [ask(choose, row, group=1), ask(choose, row, group=1)]
            elif shape == "bracket":
                batch += [ask(choose, row, parent=0, group=1), ask(choose, row, parent=0, group=1)]
            batches.append(batch)
            count += len(batch)
        made.batches[row] = batches
        if earlier and choose.random() < 0.3:
            made.cancels[row] = choose.randrange(earlier)
    return made


class Asks(PythonStrategy):
    """Does what the plan says."""

    def __init__(self, made: Plan) -> None:
        self.plan = made

    def on_bar(self, context: Context) -> None:
        for groups, batch in enumerate(self.plan.batches.get(context.row, []), 1):
            first = -1
            for a in batch:
                auction = {"opg": "open", "cls": "close", "loc": "close"}.get(a.kind)
                number = context.order(
                    a.symbol, a.lots, **a.prices, auction=auction, tif=a.tif, good_till=a.good_till,
                    reduce_only=a.reduce_only, post_only=a.post_only, group=groups if a.group else 0,
                    parent=None if a.parent is None else first,
                )  # fmt: skip
                first = number if first < 0 else first
        if context.row in self.plan.cancels:
            context.cancel(self.plan.cancels[context.row])


def request(a: Ask, number: int, first: int, group: str, panel: BarPanel) -> OrderRequest:
    kinds = {"market": OrderType.MARKET, "limit": OrderType.LIMIT, "stop": OrderType.STOP, "opg": OrderType.MARKET,
             "stop_limit": OrderType.STOP_LIMIT, "trail": OrderType.TRAILING_STOP, "cls": OrderType.MARKET,
             "trail_bps": OrderType.TRAILING_STOP, "loc": OrderType.LIMIT}  # fmt: skip
    names = {"limit": "limit_price", "stop": "stop_price", "trail": "trail_amount"}
    prices = {names[n]: Decimal(p) for n, p in a.prices.items() if n in names}
    if "trail_bps" in a.prices:
        prices["trail_percent"] = Decimal(a.prices["trail_bps"]) / 100
    tif = {"opg": "opg", "cls": "cls", "loc": "cls"}.get(a.kind, a.tif)
    return OrderRequest(
        f"o{number}", a.symbol, Side.BUY if a.lots > 0 else Side.SELL, Decimal(abs(a.lots)), "test", kinds[a.kind],
        time_in_force=TimeInForce(tif), expire_at=panel.time(a.good_till) if a.tif == "gtd" else None,
        post_only=a.post_only, reduce_only=a.reduce_only, parent="" if a.parent is None else f"o{first}",
        oco_group=group if a.group else "", **prices,
    )  # fmt: skip


def through_exchange(panel: BarPanel, made: Plan, folder: Path, reopen: frozenset[int]) -> tuple[list[Any], list[str]]:
    """Executions and endings; the venue is closed and opened again on these rows."""
    venue = SimulatedExchange("sim", panel, COSTS, folder / "venue.sqlite", SESSIONS)
    number = 0
    for row in range(ROWS):
        venue.advance(row)
        for batch in made.batches.get(row, []):
            first = number
            requests = [request(a, first + i, first, f"g{first}", panel) for i, a in enumerate(batch)]
            number += len(batch)
            if len(requests) == 1:
                venue.submit_order(requests[0])
            else:
                venue.submit_linked(requests)
        if row in made.cancels:
            venue.cancel_order(f"o{made.cancels[row]}")
        if row in reopen:
            venue.close()
            venue = SimulatedExchange("sim", panel, COSTS, folder / "venue.sqlite", SESSIONS)
    rows = {panel.time(t): t for t in range(ROWS)}
    fills = [(rows[f.time], f.client_order_id, f.signed_quantity, f.price, f.commission) for f in venue.fills(None)]
    found = [venue.order(f"o{i}") for i in range(number)]
    states = ["accepted" if o.status == "partially_filled" else o.status.value for o in found if o is not None]
    assert venue.positions() == totals(fills, made)
    venue.close()
    return fills, states


def totals(fills: list[Any], made: Plan) -> dict[str, Decimal]:
    symbols = [a.symbol for row in sorted(made.batches) for batch in made.batches[row] for a in batch]
    sums = dict.fromkeys(SYMBOLS, Decimal(0))
    for _, name, quantity, _, _ in fills:
        sums[symbols[int(name[1:])]] += quantity
    return {symbol: quantity for symbol, quantity in sums.items() if quantity}


@settings(max_examples=60)
@given(st.randoms(use_true_random=False), st.frozensets(st.integers(0, ROWS - 1), max_size=3))
def test_any_orders_trade_as_in_the_event_simulator_however_often_the_venue_is_opened_again(
    choose: Random, reopen: frozenset[int]
) -> None:
    panel, made = bars(choose), plan(choose)
    market = Market(terms=Terms(costs=COSTS), sessions=SESSIONS)
    result = simulate_python(panel, Asks(made), market=market, initial_cash=Decimal(10_000_000))
    expected = [
        (f[0], f"o{f[6]}", Decimal(f[2] * f[3]), Decimal(f[4]), Decimal(f[5]).scaleb(-8)) for f in result.fills.tolist()
    ]
    with tempfile.TemporaryDirectory() as folder:
        fills, states = through_exchange(panel, made, Path(folder), reopen)
    assert fills == expected
    table = result.order_table()
    asked = [abs(a.lots) for row in sorted(made.batches) for batch in made.batches[row] for a in batch]
    # An order that its links made smaller is filled there and cancelled here.
    told = [
        "canceled" if status == "filled" and abs(lots) < wanted else STATUS[status]
        for status, lots, wanted in zip(table["status"], table["lots"], asked, strict=True)
    ]
    assert states == told
