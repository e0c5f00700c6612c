"""Limits of size for orders that open or add to a position."""

from datetime import timedelta
from decimal import Decimal
from typing import ClassVar

from nt_ray.risk.heat import at_risk, protection
from nt_ray.risk.limits import RiskLimits
from nt_ray.risk.rules.base import Denial, Question, denial, plain
from nt_ray.risk.rules.freshness import Freshness
from nt_ray.risk.tail_books import TailBooks


class LossBreaker:
    """After losses only orders that reduce a position pass; without equity none that opens one."""

    name: ClassVar[str] = "breaker"

    def check(self, q: Question) -> Denial | None:
        """Look for breaker rules that have tripped, and at equity."""
        request = q.request
        for rule in sorted(q.tripped) if q.tripped else ():
            sentence = (
                f"{request.client_order_id}: the {rule} breaker has tripped, only orders that reduce a position "
                "pass. Reset it with a name and a reason."
            )
            return Denial(rule, "closed", "tripped", sentence)
        if q.equity > 0:
            return None
        sentence = f"{request.client_order_id}: equity is {q.equity}. Deposit capital before opening positions."
        return Denial("equity", "0", str(q.equity), sentence)


class FreshReference:
    """Where the price of the symbol is too old, or of unknown age, only orders that reduce a position pass."""

    name: ClassVar[str] = "stale_reference"

    def __init__(self, limits: RiskLimits) -> None:
        self._freshness = freshness = Freshness(limits)
        self._longest = freshness.longest

    def check(self, q: Question) -> Denial | None:
        """Look at the age of the mark."""
        freshness, request, view = self._freshness, q.request, q.view
        seen = view.references.seen.get(request.symbol)
        # Most are young by the clock alone, and this is asked for every order.
        if (seen is not None and view.now - seen <= self._longest) or not freshness.is_stale(q):
            return None
        found = freshness.age(q)
        age = "unknown" if found == timedelta.max else f"{found.total_seconds():g}"
        sentence = f"{request.client_order_id}: the price of {request.symbol} is of age {age} s. Wait for a fresh one."
        return Denial(self.name, f"{freshness.longest.total_seconds():g}", age, sentence)


class OrderNotional:
    """The value of one order, at its limit or stop price where that is higher than the mark."""

    name: ClassVar[str] = "order_notional"

    def __init__(self, limits: RiskLimits) -> None:
        self._limit = limits.exact("max_order_notional")

    def check(self, q: Question) -> Denial | None:
        """Compare the order's value."""
        if q.notional <= self._limit:
            return None
        return denial(self.name, self._limit, q.notional, q.request, "the order's value")


class OrderQuantity:
    """The quantity of one order."""

    name: ClassVar[str] = "order_quantity"

    def __init__(self, limits: RiskLimits) -> None:
        self._limit = limits.exact("max_order_quantity")

    def check(self, q: Question) -> Denial | None:
        """Compare the order's quantity."""
        if q.quantity <= self._limit:
            return None
        return denial(self.name, self._limit, q.quantity, q.request, "the order's quantity")


class VolumeShare:
    """The order as a share of the symbol's average daily volume; an unknown volume refuses it."""

    name: ClassVar[str] = "volume_share"

    def __init__(self, limits: RiskLimits) -> None:
        self._limit = limits.exact("max_volume_share")

    def check(self, q: Question) -> Denial | None:
        """Compare the order's quantity with the average volume."""
        volume = q.view.references.volumes.get(q.request.symbol)
        if volume is None:
            sentence = (
                f"{q.request.client_order_id}: no average volume of {q.request.symbol} is known, so no share of it can "
                "be limited. Give one, or unset max_volume_share."
            )
            return Denial(self.name, plain(self._limit), "unknown", sentence)
        if q.quantity <= self._limit * volume:
            return None
        share = q.quantity / volume if volume else Decimal("Infinity")
        return denial(self.name, self._limit, share, q.request, "the order's share of average volume")


class PositionNotional:
    """The worst-case value of the position in one symbol."""

    name: ClassVar[str] = "position_notional"

    def __init__(self, limits: RiskLimits) -> None:
        self._limit = limits.exact("max_position_notional")

    def check(self, q: Question) -> Denial | None:
        """Compare the worst-case position."""
        if q.worst <= self._limit:
            return None
        return denial(self.name, self._limit, q.worst, q.request, "the worst-case position")


class Concentration:
    """The share of equity in one symbol."""

    name: ClassVar[str] = "concentration"

    def __init__(self, limits: RiskLimits) -> None:
        self._limit = limits.exact("max_concentration")

    def check(self, q: Question) -> Denial | None:
        """Compare the worst-case position with equity."""
        if q.worst <= self._limit * q.equity:
            return None
        what = "the worst-case position as a share of equity"
        return denial(self.name, self._limit, q.worst / q.equity, q.request, what)


class GrossExposure:
    """The worst-case sum of position sizes."""

    name: ClassVar[str] = "gross_exposure"

    def __init__(self, limits: RiskLimits) -> None:
        self._limit = limits.exact("max_gross_exposure")

    def check(self, q: Question) -> Denial | None:
        """Compare worst-case gross exposure with equity."""
        gross = q.exposure.gross - q.line.gross + q.worst
        if gross <= self._limit * q.equity:
            return None
        what = "worst-case gross exposure as a share of equity"
        return denial(self.name, self._limit, gross / q.equity, q.request, what)


class NetExposure:
    """The worst-case net of long and short."""

    name: ClassVar[str] = "net_exposure"

    def __init__(self, limits: RiskLimits) -> None:
        self._limit = limits.exact("max_net_exposure")

    def check(self, q: Question) -> Denial | None:
        """Compare the worst-case net exposure on the order's side with equity."""
        exposure = q.exposure
        if q.sign > 0:
            net = exposure.longest - q.line.longest + (q.line.position + q.buys) * q.mark
        else:
            net = -(exposure.shortest - q.line.shortest + (q.line.position - q.sells) * q.mark)
        if net <= self._limit * q.equity:
            return None
        what = "worst-case net exposure as a share of equity"
        return denial(self.name, self._limit, net / q.equity, q.request, what)


class BuyingPower:
    """Equity times leverage, less positions, less what every open order would open by itself.

    Stricter than gross exposure where orders of both sides are open in one symbol: each reserves its own money.
    """

    name: ClassVar[str] = "buying_power"

    def __init__(self, limits: RiskLimits) -> None:
        self._leverage = limits.exact("max_gross_exposure")

    def check(self, q: Question) -> Denial | None:
        """Compare what the account would use with what it has."""
        line = q.line
        own = (abs(line.position) + line.opening(q.buys, q.sells)) * q.mark
        used = q.exposure.used - line.used + own
        power = self._leverage * q.equity
        if used <= power:
            return None
        return denial(self.name, power, used, q.request, "buying power in use")


class Totals:
    """Gross and net exposure and buying power together.

    Buying power in use is never below gross exposure, and gross never below net, so where it keeps within the least
    of their limits all three are kept. Only beyond that each is asked, in this order.
    """

    name: ClassVar[str] = "totals"

    def __init__(self, limits: RiskLimits) -> None:
        self._rules = (GrossExposure(limits), NetExposure(limits), BuyingPower(limits))
        self._least = min(limits.exact("max_gross_exposure"), limits.exact("max_net_exposure"))
        self._equity: Decimal | None = None
        self._most = self._least

    def check(self, q: Question) -> Denial | None:
        """Compare buying power in use, then, where that is not enough to tell, each total."""
        if q.equity is not self._equity:
            self._equity, self._most = q.equity, self._least * q.equity
        # An order uses at most its own notional.
        if q.exposure.used + q.notional <= self._most:
            return None
        line = q.line
        used = q.exposure.used - line.used + (abs(line.position) + line.opening(q.buys, q.sells)) * q.mark
        if used <= self._most:
            return None
        return next((denied for rule in self._rules if (denied := rule.check(q)) is not None), None)


class PortfolioHeat:
    """What is lost if every position is stopped out, as a share of equity.

    A position is at risk from the mark to its stop orders; what no stop protects is at risk as a whole. The order in
    question counts as filled, with the stops that were sent with it.
    """

    name: ClassVar[str] = "portfolio_heat"

    def __init__(self, limits: RiskLimits) -> None:
        self._limit = limits.exact("max_heat")
        self._equity: Decimal | None = None
        self._most = self._limit

    def check(self, q: Question) -> Denial | None:
        """Add what the order would put at risk to what is."""
        if q.equity is not self._equity:
            self._equity, self._most = q.equity, self._limit * q.equity
        # An order puts at most its own notional at risk.
        if q.exposure.heat + q.notional <= self._most:
            return None
        line = q.line
        position = line.position + q.quantity if q.sign > 0 else line.position - q.quantity
        if line.stops or q.exits:
            stops = [*line.stops, *(protection(e) for e in q.exits if e.symbol == q.request.symbol and e.stop_price)]
            mine = at_risk(position, q.mark, stops)
        else:
            mine = abs(position) * q.mark
        heat = q.exposure.heat - line.heat + mine
        if heat <= self._most:
            return None
        return denial(self.name, self._limit, heat / q.equity, q.request, "portfolio heat as a share of equity")


class PortfolioVar:
    """Value at risk of the whole account over one period, open orders filled at their worst.

    Positions are revalued in the scenarios of the references; a symbol without scenarios refuses whatever opens.
    """

    name: ClassVar[str] = "portfolio_var"

    def __init__(self, limits: RiskLimits) -> None:
        self._limit = limits.exact("max_var")
        self._books: TailBooks | None = None
        self._equity: Decimal | None = None
        self._most = 0.0

    def check(self, q: Question) -> Denial | None:
        """Compare the bound, then, where that is not enough to tell, the exact figure."""
        books, exposure, symbol = self._books, q.exposure, q.request.symbol
        if books is None or books.exposure is not exposure or books.table is not q.view.references.scenarios:
            table = q.view.references.scenarios
            if table is None:
                return self._unknown(q, symbol)
            books = self._books = TailBooks(table, exposure)
        elif exposure.touched:
            books.follow()
        unit = (books.bought if q.sign > 0 else books.sold).get(symbol)
        if unit is None or books.unknown:
            return self._unknown(q, min(books.unknown, default=symbol))
        if q.equity is not self._equity:
            self._equity, self._most = q.equity, float(self._limit * q.equity)
        # The notional is at no better price than the mark, so it bounds the value.
        if books.worst + unit * float(q.notional) <= self._most:
            return None
        var = books.var(symbol, q.sign * float(q.quantity * q.mark))
        if var <= self._most:
            return None
        what = f"worst-case value at risk ({books.table.confidence:g}) as a share of equity"
        return denial(self.name, self._limit, Decimal(var) / q.equity, q.request, what)

    def _unknown(self, q: Question, symbol: str) -> Denial:
        sentence = (
            f"{q.request.client_order_id}: no scenarios of {symbol} are known, so no value at risk can be limited. "
            "Give past prices of it, or unset max_var."
        )
        return Denial(self.name, plain(self._limit), "unknown", sentence)
