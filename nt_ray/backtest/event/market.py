"""What the simulated market is like: terms of each instrument, rules, and the columns beside the bars.

Everything is given in the field's units and turned into the kernel's whole numbers here, once, checked before
anything runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum

import numpy as np

from nt_ray.brokers.simulated import tables
from nt_ray.brokers.simulated.matching import MILLION, Costs
from nt_ray.brokers.simulated.tables import FX_ONE, RATE_ONE, Tape
from nt_ray.brokers.simulated.tape import calendar_of, terms_of, ticks_of
from nt_ray.errors import BadInputError
from nt_ray.market.bars import BarPanel, Instrument
from nt_ray.types import QUANTA_PER_UNIT, BoolArray, FloatArray, IntArray

WHOLE_BPS = 10_000
"""Basis points of the whole notional."""


class Path(IntEnum):
    """In which order a bar's prices are taken to have come."""

    WORST_CASE = tables.WORST_CASE
    OPEN_HIGH_LOW_CLOSE = tables.OPEN_HIGH_LOW
    OPEN_LOW_HIGH_CLOSE = tables.OPEN_LOW_HIGH
    BY_COLOUR = tables.BY_COLOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What trading and holding an instrument costs, beside `Costs`."""

    costs: Costs = field(default_factory=Costs)
    """Commission, slippage in basis points, and the share of volume that all orders together may take of a bar."""
    maker_bps: Decimal | None = None
    """Commission of orders that rested before they filled; negative: a rebate, without a least commission; None: as any
    other."""
    fee_per_order: Decimal = Decimal(0)
    """Currency units, charged with an order's first execution."""
    slippage_ticks: int = 0
    """Ticks against the trader on market and stop orders, on top of all other slippage."""
    quadratic_bps: Decimal = Decimal(0)
    """Slippage of an execution of a bar's whole volume; it falls with the square of the share."""
    root_bps: Decimal = Decimal(0)
    """Slippage of an execution of a bar's whole volume; it falls with the root of the share."""
    borrow_rate: Decimal = Decimal(0)
    """What borrowing costs a year, as a fraction of the value borrowed."""
    borrowable: Decimal | None = None
    """Largest short position in units of quantity; 0 forbids shorts, None: without end."""
    initial_margin: Decimal | None = None
    """Equity that opening takes, as a fraction of the position's value; None: nothing is checked."""
    maintenance_margin: Decimal = Decimal(0)
    """Equity that holding takes, as a fraction of the position's value."""

    def __post_init__(self) -> None:
        if self.maker_bps is not None and not -WHOLE_BPS < self.maker_bps < WHOLE_BPS:
            raise BadInputError(f"Terms maker_bps={self.maker_bps} cannot be. Give -9999 to 9999; below 0 is a rebate.")
        for name in ("fee_per_order", "slippage_ticks", "quadratic_bps", "root_bps", "borrow_rate",
                     "borrowable", "initial_margin", "maintenance_margin"):  # fmt: skip
            value = getattr(self, name)
            if value is not None and not 0 <= value < MILLION:
                raise BadInputError(f"Terms {name}={value} cannot be. Give zero or more, below {MILLION}.")
        if self.initial_margin is not None and self.initial_margin < self.maintenance_margin:
            raise BadInputError(
                f"Terms initial_margin={self.initial_margin} lies below maintenance_margin={self.maintenance_margin}. "
                "What is opened must be allowed to stay: raise the first or lower the second."
            )

    def vector(self, instrument: Instrument, currency: int, periods_per_year: float) -> IntArray:
        """Terms in the kernel's order, shape (TERM_FIELDS,)."""
        row = terms_of(instrument, self.costs)
        if self.maker_bps is not None:
            row[tables.MAKER_PPM] = int(self.maker_bps * 100)
        row[tables.PER_ORDER] = int(self.fee_per_order * QUANTA_PER_UNIT)
        row[tables.SLIP_TICKS] = self.slippage_ticks
        row[tables.SLIP_QUADRATIC] = int(self.quadratic_bps * 100)
        row[tables.SLIP_ROOT] = int(self.root_bps * 100)
        row[tables.BORROW_RATE] = round(float(self.borrow_rate) / periods_per_year * RATE_ONE)
        if self.borrowable is not None:
            row[tables.BORROWABLE] = int(self.borrowable / instrument.quantity_increment)
        row[tables.INITIAL_PPM] = int((self.initial_margin or Decimal(0)) * MILLION)
        row[tables.MAINTENANCE_PPM] = int(self.maintenance_margin * MILLION)
        row[tables.CURRENCY] = currency
        return row


@dataclass(frozen=True, slots=True)
class FeeTier:
    """Commission from a traded notional on, in units of the account's currency, summed since the first bar."""

    traded: Decimal
    taker_bps: Decimal
    maker_bps: Decimal
    """Negative: a rebate."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Market:
    """The simulated market: terms, rules, and columns that go with a panel of T bars and N instruments.

    `terms` are those of every instrument, or by symbol. Arrays that are None do not apply. Next-bar fills are the
    default; `same_close` matches orders at the close of the bar on which they are asked for, which a strategy that
    has seen that close could not do in life unless it trades in the closing auction.
    """

    terms: Terms | Mapping[str, Terms] = field(default_factory=Terms)
    path: Path = Path.WORST_CASE
    latency: int = 0
    """Bars by which orders and cancellations are late."""
    same_close: bool = False
    fee_tiers: tuple[FeeTier, ...] = ()
    currency: str = "USD"
    """Of the account."""
    fx: Mapping[str, FloatArray | float] = field(default_factory=dict)
    """Units of the account's currency that one unit of another is worth: a rate, or a column (T,)."""
    sessions: IntArray | None = None
    """(T,) number of the trading session of each bar, for DAY, on-open and on-close orders; None: each bar is one."""
    dividends: FloatArray | None = None
    """(T, N) currency units for a unit of quantity, on the first bar without it."""
    splits: IntArray | None = None
    """(T, N, 2) new and old units, on the first bar at the new price; 1 and 1 where there is none."""
    funding: FloatArray | None = None
    """(T, N) fraction of its value that a long position pays at the end of a bar; negative where it receives."""
    requests: int = 64
    """Most requests of one bar."""

    def terms_of(self, instrument: Instrument) -> Terms:
        """Terms of an instrument."""
        if isinstance(self.terms, Terms):
            return self.terms
        if instrument.symbol not in self.terms:
            raise BadInputError(f"No terms are given for {instrument.symbol}. Add them to Market.terms.")
        return self.terms[instrument.symbol]

    def tape(self, panel: BarPanel) -> Tape:
        """Everything a run over this panel reads; raises `BadInputError` where a column does not fit it."""
        if self.latency < 0 or (self.same_close and self.latency):
            raise BadInputError(
                f"latency={self.latency} with same_close={self.same_close} cannot be. Give a latency of zero or more, "
                "and zero for fills at the same close."
            )
        if self.requests < 1:
            raise BadInputError(f"requests={self.requests} leaves no room for orders. Give at least 1.")
        currencies = sorted({i.currency for i in panel.instruments} | {self.currency})
        terms = [self.terms_of(i) for i in panel.instruments]
        rows = [
            t.vector(i, currencies.index(i.currency), panel.periods_per_year)
            for t, i in zip(terms, panel.instruments, strict=True)
        ]
        dividends, splits, funding = self._columns(panel)
        margined = any(t.initial_margin is not None or t.maintenance_margin for t in terms)
        carries = len(funding) > 0 or any(t.borrow_rate for t in terms)
        return Tape(
            panel.values,
            ticks_of(panel.values, np.array([float(i.price_increment) for i in panel.instruments])),
            self._calendar(panel, dividends, splits),
            self._rates(currencies, len(panel)),
            dividends,
            splits,
            funding,
            np.array(rows, dtype=np.int64),
            np.array([float(i.quantity_increment) for i in panel.instruments]),
            self._tiers(),
            np.array([self.path, self.latency, self.same_close, margined, carries], dtype=np.int64),
        )

    def _columns(self, panel: BarPanel) -> tuple[IntArray, IntArray, IntArray]:
        """Dividends in quanta a lot, splits, funding in `RATE_ONE`; no rows where not given."""
        bars, count = len(panel), len(panel.instruments)
        dividends = splits = funding = np.zeros((0, count), dtype=np.int64)
        splits = np.zeros((0, count, 2), dtype=np.int64)
        if self.dividends is not None:
            lots = np.array([float(i.quantity_increment) for i in panel.instruments])
            dividends = _whole("dividends", self.dividends, (bars, count), lots * QUANTA_PER_UNIT)
            _require(bool((dividends >= 0).all()), "dividends are negative somewhere. Give what one unit is paid.")
        if self.splits is not None:
            splits = _whole("splits", self.splits.astype(np.float64), (bars, count, 2), np.ones(2))
            _require(bool(((splits > 0) & (splits < MILLION)).all()), "splits must be whole numbers from 1 on.")
        if self.funding is not None:
            funding = _whole("funding", self.funding, (bars, count), np.full(count, float(RATE_ONE)))
        return dividends, splits, funding

    def _calendar(self, panel: BarPanel, dividends: IntArray, splits: IntArray) -> BoolArray:
        calendar = calendar_of(len(panel), self.sessions)
        if len(dividends):
            calendar[:, tables.HAS_ACTIONS] |= (dividends != 0).any(axis=1)
        if len(splits):
            calendar[:, tables.HAS_ACTIONS] |= (splits[:, :, 0] != splits[:, :, 1]).any(axis=1)
        return calendar

    def _rates(self, currencies: list[str], bars: int) -> IntArray:
        if currencies == [self.currency]:
            return np.zeros((0, 1), dtype=np.int64)
        rates = np.full((bars, len(currencies)), FX_ONE, dtype=np.int64)
        for c, name in enumerate(currencies):
            if name == self.currency:
                continue
            _require(name in self.fx, f"there is no rate for {name} in {self.currency}. Add it to Market.fx.")
            column = np.broadcast_to(np.asarray(self.fx[name], dtype=np.float64), (bars,))
            rates[:, c] = _whole(f"fx[{name}]", column, (bars,), np.array(float(FX_ONE)))
            _require(bool((rates[:, c] > 0).all()), f"fx[{name}] must be positive, and at least 1e-9.")
        return rates

    def _tiers(self) -> IntArray:
        rows = [
            (int(t.traded * QUANTA_PER_UNIT), int(t.taker_bps * 100), int(t.maker_bps * 100)) for t in self.fee_tiers
        ]
        tiers = np.array(rows, dtype=np.int64).reshape(-1, 3)
        _require(
            bool((tiers[:, :2] >= 0).all() and np.all(np.diff(tiers[:, 0]) > 0)),
            "fee_tiers must rise in traded notional, without negative rates of takers.",
        )
        _require(
            bool((np.abs(tiers[:, 1:]) < WHOLE_BPS * 100).all()),
            f"fee_tiers hold a rate of {WHOLE_BPS} bps or more, the whole notional. Give rates in basis points.",
        )
        return tiers


def _require(true: bool, sentence: str) -> None:
    if not true:
        raise BadInputError(f"Market: {sentence}")


def _whole(name: str, values: FloatArray, shape: tuple[int, ...], scale: FloatArray) -> IntArray:
    """Column in whole numbers of 1 / scale; refuses other shapes, NaN and numbers beyond int64."""
    _require(values.shape == shape, f"{name} have shape {values.shape}; {shape} is needed.")
    scaled = np.rint(values * scale)
    _require(bool((np.abs(scaled) < 2.0**62).all()), f"{name} hold numbers that are NaN or too large.")
    return np.ascontiguousarray(scaled.astype(np.int64))
