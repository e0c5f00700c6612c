"""A second simulator in plain Python that walks the market tick by tick, against which the compiled one is held."""

import math
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from nt_ray.backtest.event.market import Market, Path, Terms
from nt_ray.market.bars import BarPanel


@dataclass
class Order:
    id: int
    column: int
    side: int
    lots: int
    kind: str
    row: int
    live: int
    asked: dict[str, Any]
    tif: str = "day"
    limit: int = 0
    stop: int = 0
    status: str = "working"
    reason: str = ""
    filled: int = 0
    used: int = 0
    triggered: bool = False
    rested: bool = False
    extreme: int = 0
    looked: bool = False
    cancel_from: float = math.inf
    inside: int | None = None
    parent: "Order | None" = None
    children: list["Order"] = field(default_factory=list)
    group: list["Order"] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        return self.status in {"held", "working"}

    @property
    def left(self) -> int:
        most = self.lots if self.parent is None else min(self.lots, self.parent.filled)
        return most - self.filled - self.used

    @property
    def waits(self) -> bool:
        return self.kind in {"stop", "stop_limit", "trailing"} and not self.triggered

    def end(self, status: str, reason: str = "") -> None:
        self.status, self.reason = status, reason
        for child in self.children:
            if child.is_open:
                child.lots = min(child.lots, self.filled)
                if child.lots == 0:
                    child.status, child.reason = "canceled", "by_parent"
                elif child.lots <= child.filled + child.used:
                    whole = child.filled == child.lots
                    child.status, child.reason = ("filled", "") if whole else ("canceled", "by_group")

    def stop_now(self, increment: Decimal) -> int:
        if self.kind != "trailing":
            return self.stop
        if self.asked.get("trail_bps") is not None:
            distance = max(math.floor(Fraction(self.extreme) * Fraction(self.asked["trail_bps"]) / 10_000), 1)
        else:
            distance = int(Decimal(str(self.asked["trail"])) / increment)
        return max(self.extreme + self.side * distance, 1)

    def agrees(self, price: int, increment: Decimal) -> bool:
        """Whether the order can do something at this price."""
        if self.waits:
            return self.side * price >= self.side * self.stop_now(increment)
        if self.kind in {"limit", "stop_limit", "limit_open", "limit_close"}:
            return self.side * price <= self.side * self.limit
        return True


class Reference:
    """The rules, in the order in which the documentation gives them, for one instrument after the other."""

    def __init__(self, panel: BarPanel, market: Market, cash: int) -> None:
        self.panel, self.market, self.cash, self.initial = panel, market, cash, cash
        self.orders: list[Order] = []
        self.lots = [0] * len(panel.instruments)
        self.marks = [0] * len(panel.instruments)
        self.fills: list[tuple[int, ...]] = []
        self.equity: list[int] = []
        self.traded = 0
        self.row = 0

    def terms(self, column: int) -> Terms:
        return self.market.terms_of(self.panel.instruments[column])

    def money(self, column: int, amount: int) -> int:
        """In the account's currency, towards zero."""
        currency = self.panel.instruments[column].currency
        if currency == self.market.currency:
            return amount
        rate = np.broadcast_to(np.asarray(self.market.fx[currency]), (len(self.panel),))[self.row]
        return int(Fraction(amount) * Fraction(round(float(rate) * 10**9), 10**9))

    def value(self, column: int) -> int:
        unit = self.panel.instruments[column].notional_unit
        return self.money(column, self.lots[column] * self.marks[column] * unit)

    def ticks(self, column: int) -> list[int | None]:
        increment = float(self.panel.instruments[column].price_increment)
        prices = self.panel.values[self.row, column, :4].tolist()
        return [None if math.isnan(p) else round(p / increment) for p in prices]

    def session(self, row: int) -> int:
        if row < 0 or row >= len(self.panel):
            return -1
        return row if self.market.sessions is None else int(self.market.sessions[row])

    def bar(self, row: int) -> None:
        self.row = row
        self.actions()
        for column in range(len(self.lots)):
            self.match(column)
            close = self.ticks(column)[3]
        for column in range(len(self.lots)):
            close = self.ticks(column)[3]
            if close is not None:
                self.marks[column] = close
        self.carry()
        self.account = self.cash + sum(self.value(c) for c in range(len(self.lots)))
        self.maintain()

    def close_bar(self) -> None:
        self.equity.append(self.cash + sum(self.value(c) for c in range(len(self.lots))))

    def actions(self) -> None:
        for column, lots in enumerate(self.lots):
            instrument = self.panel.instruments[column]
            if self.market.dividends is not None and lots:
                amount = Decimal(str(self.market.dividends[self.row, column])) * instrument.quantity_increment * 10**8
                self.cash += self.money(column, lots * int(amount))
            if self.market.splits is not None:
                new, old = self.market.splits[self.row, column].tolist()
                if new != old:
                    self.split(column, new, old)

    def split(self, column: int, new: int, old: int) -> None:
        for order in self.orders:
            if order.column == column and order.is_open:
                order.end("canceled", "by_split")
        if self.marks[column]:
            self.marks[column] = max(math.floor(Fraction(self.marks[column] * old, new) + Fraction(1, 2)), 1)
        exact = Fraction(abs(self.lots[column]) * new, old)
        side = 1 if self.lots[column] > 0 else -1
        unit = self.panel.instruments[column].notional_unit
        rest = int((exact - math.floor(exact)) * self.marks[column] * unit)
        self.cash += side * self.money(column, rest)
        self.lots[column] = side * math.floor(exact)

    def carry(self) -> None:
        for column in range(len(self.lots)):
            value = self.value(column)
            if self.market.funding is not None and value:
                rate = Fraction(round(float(self.market.funding[self.row, column]) * 10**12), 10**12)
                self.cash -= int(value * rate)
            rate = round(float(self.terms(column).borrow_rate) / self.panel.periods_per_year * 10**12)
            if value < 0:
                self.cash -= int(Fraction(-value * rate, 10**12))

    def maintain(self) -> None:
        if any(o.kind == "liquidation" and o.is_open for o in self.orders) or not any(self.lots):
            return
        margins = [self.terms(c).maintenance_margin for c in range(len(self.lots))]
        if not any(self.terms(c).initial_margin is not None or margins[c] for c in range(len(self.lots))):
            return
        needed = sum(int(Fraction(abs(self.value(c))) * Fraction(m)) for c, m in enumerate(margins))
        if self.account >= needed:
            return
        for order in self.orders:
            if order.is_open:
                order.end("canceled", "in_liquidation")
        for column, lots in enumerate(self.lots):
            if lots:
                new = Order(len(self.orders), column, -1 if lots > 0 else 1, abs(lots), "liquidation", self.row,
                            self.row + 1, {}, "gtc")  # fmt: skip
                self.orders.append(new)

    def working(self, column: int) -> list[Order]:
        return [o for o in self.orders if o.column == column and o.status == "working" and o.live <= self.row]

    def match(self, column: int) -> None:
        first, high, low, last = self.ticks(column)
        shut = self.panel.instruments[column].close_only
        start = last if shut else first
        self.budget = self.volume(column)
        for order in self.orders:
            if order.column == column and order.is_open:
                order.looked = False
                order.inside = None
                if order.cancel_from <= self.row:
                    order.end("canceled", "by_strategy")
                elif order.tif == "gtd" and order.asked["good_till"] < self.row:
                    order.end("expired")
                elif start and order.extreme == 0 and order.status == "working" and order.live <= self.row:
                    order.extreme = start
        starts = self.session(self.row) != self.session(self.row - 1)
        ends = self.session(self.row) != self.session(self.row + 1)
        if start is not None:
            self.at(column, start, opening=starts, closing=shut and ends)
            self.rest(column, start)
            if not shut:
                high, low = start if high is None else high, start if low is None else low
                if self.market.path is Path.WORST_CASE:
                    self.worst(column, start, high, low)
                else:
                    self.stroll(column, start, high, low, last)
                if last is not None:
                    self.rest(column, None)
                    self.at(column, last, closing=ends)
                    self.rest(column, last)
        for order in self.working(column):
            if order.status != "working":
                continue
            order.rested = True
            best = low if order.side > 0 else high
            if self.market.path is Path.WORST_CASE and best is not None and not shut and order.inside is None:
                order.extreme = self.better(order, best)
            auction = (order.kind.endswith("_open") and starts) or (order.kind.endswith("_close") and ends)
            if order.tif in {"ioc", "fok"}:
                order.end("canceled", "not_at_once")
            elif (
                auction
                or (order.tif == "day" and ends and not order.kind.endswith("_open"))
                or (order.tif == "gtd" and self.row >= order.asked["good_till"])
            ):
                order.end("expired")

    def volume(self, column: int) -> float:
        volume = float(self.panel.values[self.row, column, 4])
        if math.isnan(volume):
            return math.inf
        share = Fraction(self.terms(column).costs.volume_share)
        return math.floor(Fraction(volume) * share / Fraction(self.panel.instruments[column].quantity_increment))

    @staticmethod
    def better(order: Order, price: int) -> int:
        if order.extreme == 0:
            return 0
        return min(order.extreme, price) if order.side > 0 else max(order.extreme, price)

    def rest(self, column: int, price: int | None) -> None:
        for order in self.working(column):
            order.rested = True
            if price is not None:
                order.extreme = self.better(order, price)

    def stroll(self, column: int, first: int, high: int, low: int, last: int | None) -> None:
        path = self.market.path
        falls = last is not None and last < first
        up_first = path is Path.OPEN_HIGH_LOW_CLOSE or (path is Path.BY_COLOUR and falls)
        points = [high, low] if up_first else [low, high]
        here = first
        for point in [*points, *([last] if last is not None else [])]:
            while here != point:
                here += 1 if point > here else -1
                self.rest(column, here)
                self.at(column, here)

    def at(self, column: int, price: int, opening: bool = False, closing: bool = False) -> None:
        increment = self.panel.instruments[column].price_increment
        while True:
            able = [
                o
                for o in self.working(column)
                if not o.looked
                and o.agrees(price, increment)
                and (opening or not o.kind.endswith("_open"))
                and (closing or not o.kind.endswith("_close"))
                and not (o.tif in {"ioc", "fok"} and o.rested)
            ]
            if not able:
                return
            self.execute(able[0], price, inside=False)

    def worst(self, column: int, first: int, high: int, low: int) -> None:
        increment = self.panel.instruments[column].price_increment
        while True:
            found: list[tuple[int, int, Order, int]] = []
            for o in self.working(column):
                if o.looked or o.kind.endswith(("_open", "_close")):
                    continue
                here = first if o.inside is None else o.inside
                if o.agrees(here, increment) and not (o.tif in {"ioc", "fok"} and o.rested):
                    found.append((0, o.id, o, here))
                elif o.waits and low <= o.stop_now(increment) <= high:
                    found.append((1, o.id, o, o.stop_now(increment)))
                elif not o.waits and o.inside is None and o.tif not in {"ioc", "fok"} and low <= o.limit <= high:
                    found.append((2, o.id, o, o.limit))
            if not found:
                return
            rank, _, order, price = min(found, key=lambda f: f[:2])
            if rank:
                order.rested = True
            self.execute(order, price, inside=True)

    def execute(self, order: Order, price: int, inside: bool) -> None:
        if order.waits:
            order.triggered, order.rested = True, False
            if order.kind == "stop_limit" and order.side * price > order.side * order.limit:
                order.rested = True
                order.inside = price if inside else None
                return
        priced = order.kind in {"limit", "stop_limit"}
        maker = priced and order.rested
        if order.asked.get("post_only") and not maker:
            order.end("rejected", "would_take")
            return
        self.fill(order, price, maker, not priced and not order.kind.startswith("limit"), inside)

    def fill(self, order: Order, raw: int, maker: bool, slips: bool, inside: bool) -> None:
        column, terms = order.column, self.terms(order.column)
        instrument = self.panel.instruments[column]
        wanted = lots = order.left
        held = self.lots[column]
        never = "rejected" if order.filled == 0 else "canceled"
        if order.asked.get("reduce_only"):
            lots = min(lots, max(-order.side * held, 0))
            if wanted and not lots:
                order.end("canceled", "nothing_to_reduce")
                return
        if order.side < 0 and terms.borrowable is not None:
            lots = min(lots, max(held + int(terms.borrowable / instrument.quantity_increment), 0))
            if wanted and not lots:
                order.end(never, "no_borrow")
                return
        lots = int(min(lots, self.budget))
        if order.tif == "fok" and lots < wanted:
            lots = 0
        if not lots:
            order.looked = True
            if order.tif in {"ioc", "fok"}:
                order.end("canceled", "not_at_once")
            return
        price = self.slipped(order, raw, lots) if slips else raw
        worth = self.money(column, price * lots * instrument.notional_unit)
        fee = self.fee(order, lots, price, maker)
        if not self.carries(column, order.side * lots, price, fee):
            order.end(never, "no_margin")
            return
        self.cash -= order.side * worth + fee
        self.lots[column] += order.side * lots
        self.marks[column] = self.marks[column] or price
        self.traded += worth
        self.budget -= lots
        order.filled += lots
        self.fills.append((self.row, column, order.side, lots, price, fee, order.id, int(maker)))
        self.tell(order, lots, raw, inside)
        if order.status == "working":
            order.looked = True
            if order.tif == "ioc":
                order.end("canceled", "not_at_once")
            elif order.asked.get("reduce_only") and self.lots[column] == 0:
                order.end("canceled", "nothing_to_reduce")

    def tell(self, order: Order, lots: int, raw: int, inside: bool) -> None:
        done = order.filled + order.used >= order.lots
        for other in order.group:
            if other is not order and other.is_open:
                other.used += lots
                if done or other.filled + other.used >= other.lots:
                    other.end("canceled", "by_group")
        for child in order.children:
            if child.status == "held":
                child.status, child.live, child.looked, child.extreme = "working", self.row, False, 0
                if child.column != order.column:
                    child.live = self.row + 1
                else:
                    child.extreme = raw if child.kind == "trailing" else 0
                    child.inside = raw if inside else None
        if done and order.status == "working":
            whole = order.filled == order.lots
            order.end("filled" if whole else "canceled", "" if whole else "by_group")

    def slipped(self, order: Order, raw: int, lots: int) -> int:
        terms = self.terms(order.column)
        volume = float(self.panel.values[self.row, order.column, 4])
        ppm = int(terms.costs.slippage_bps * 100)
        if volume > 0:
            share = lots * float(self.panel.instruments[order.column].quantity_increment) / volume
            ppm += round(float(terms.quadratic_bps) * 100 * share**2 + float(terms.root_bps) * 100 * math.sqrt(share))
        slip = math.ceil(Fraction(raw * ppm, 10**6)) + terms.slippage_ticks
        return max(max(raw + order.side * (slip - terms.slippage_ticks), 1) + order.side * terms.slippage_ticks, 1)

    def fee(self, order: Order, lots: int, price: int, maker: bool) -> int:
        terms, instrument = self.terms(order.column), self.panel.instruments[order.column]
        bps = terms.maker_bps if maker and terms.maker_bps is not None else terms.costs.commission_bps
        for tier in self.market.fee_tiers:
            if self.traded >= tier.traded * 10**8:
                bps = tier.maker_bps if maker else tier.taker_bps
        quantity = instrument.quantity(lots)
        fee = instrument.price(price) * quantity * bps / 10_000 + quantity * terms.costs.commission_per_unit
        least = terms.costs.commission_minimum if bps >= 0 else fee
        fee = max(fee, least).quantize(Decimal("0.01"), ROUND_HALF_UP)
        if order.filled == 0:
            fee += terms.fee_per_order
        return self.money(order.column, int(fee * 10**8))

    def carries(self, column: int, signed: int, price: int, fee: int) -> bool:
        after = self.lots[column] + signed
        if abs(after) <= abs(self.lots[column]):
            return True
        terms = [self.terms(c) for c in range(len(self.lots))]
        if not any(t.initial_margin is not None or t.maintenance_margin for t in terms):
            return True
        unit = self.panel.instruments[column].notional_unit
        values = [self.value(c) for c in range(len(self.lots))]
        values[column] = self.money(column, after * price * unit)
        paid = self.money(column, abs(signed) * price * unit) * (1 if signed > 0 else -1)
        needed = sum(int(abs(v) * Fraction(t.initial_margin or 0)) for v, t in zip(values, terms, strict=True))
        return self.cash - fee - paid + sum(values) >= needed

    def ask(self, requests: list[dict[str, Any]]) -> None:
        made: list[Order | None] = []
        liquidating = any(o.kind == "liquidation" and o.is_open for o in self.orders)
        for asked in requests:
            if "cancel" in asked:
                order = self.orders[asked["cancel"]]
                order.cancel_from = min(order.cancel_from, self.row + 1 + self.market.latency)
                made.append(None)
                continue
            order = self.new(asked)
            made.append(order)
            self.orders.append(order)
            if liquidating:
                order.status, order.reason = "rejected", "in_liquidation"
                continue
            if asked.get("parent") is not None:
                order.parent = made[asked["parent"]]
                assert order.parent is not None
                order.parent.children.append(order)
                order.status = "held"
            if asked.get("group"):
                order.group = next((o.group for o in made[:-1] if o and o.asked.get("group") == asked["group"]), [])
                order.group.append(order)
        if self.market.same_close and requests:
            self.meet_close()

    def new(self, asked: dict[str, Any]) -> Order:
        column = self.panel.symbols.index(asked["symbol"])
        instrument = self.panel.instruments[column]
        lots = instrument.lots(Decimal(str(asked["quantity"])))
        limit, stop = asked.get("limit"), asked.get("stop")
        if asked.get("auction"):
            kind = ("limit_" if limit is not None else "market_") + asked["auction"]
        elif asked.get("trail") is not None or asked.get("trail_bps") is not None:
            kind = "trailing"
        else:
            kind = {(0, 0): "market", (1, 0): "limit", (0, 1): "stop", (1, 1): "stop_limit"}[
                (limit is not None, stop is not None)
            ]
        live = self.row if self.market.same_close else self.row + 1 + self.market.latency
        order = Order(len(self.orders), column, 1 if lots > 0 else -1, abs(lots), kind, self.row, live, asked)
        order.tif = asked.get("tif", "day")
        order.limit = 0 if limit is None else int(Decimal(str(limit)) / instrument.price_increment)
        order.stop = 0 if stop is None else int(Decimal(str(stop)) / instrument.price_increment)
        return order

    def meet_close(self) -> None:
        ends = self.session(self.row) != self.session(self.row + 1)
        for column in range(len(self.lots)):
            close = self.ticks(column)[3]
            if close is None or not any(o.column == column and o.is_open for o in self.orders):
                continue
            for order in self.working(column):
                order.extreme = order.extreme or close
            spent = sum(f[3] for f in self.fills if f[0] == self.row and f[1] == column)
            self.budget = self.volume(column) - spent
            self.at(column, close, closing=ends)
            self.rest(column, close)
            for order in self.working(column):
                if order.tif in {"ioc", "fok"}:
                    order.end("canceled", "not_at_once")


@pytest.fixture(scope="session")
def reference() -> type[Reference]:
    return Reference
