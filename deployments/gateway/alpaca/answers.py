"""What Alpaca's routes answer, as models of the OpenAPI document: every field, none beside, numbers as plain text.

Answers are written by `render` and not by these models, so nothing is validated while the gateway serves.
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from deployments.gateway.alpaca import render
from nt_ray.trading.orders import OrderType, Side, TimeInForce

Number: TypeAlias = Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$", examples=["180.5"])]
Time: TypeAlias = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$",
        json_schema_extra={"format": "date-time"},
    ),
]
Day: TypeAlias = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$", json_schema_extra={"format": "date"})]
Id: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
AssetClass: TypeAlias = Literal["us_equity", "crypto"]
Status: TypeAlias = Annotated[str, Field(json_schema_extra={"enum": sorted({*render.STATUS.values(), "held"})})]

Booked: TypeAlias = Annotated[
    str, Field(json_schema_extra={"enum": sorted({*render.ACTIVITIES.values(), "MISC"} - {"FILL"})})
]


class Answer(BaseModel):
    """What every answer has in common: no field but its own."""

    model_config = ConfigDict(extra="forbid")


class OrderAnswer(Answer):
    """An order."""

    id: Id
    client_order_id: str
    created_at: Time
    updated_at: Time
    submitted_at: Time
    filled_at: Time | None
    expired_at: Time | None
    canceled_at: Time | None
    failed_at: Time | None
    replaced_at: Time | None
    expires_at: None
    replaced_by: Id | None
    replaces: Id | None
    asset_id: Id
    symbol: str
    asset_class: AssetClass
    order_class: Literal["", "simple", "bracket", "oco", "oto"]
    type: OrderType
    order_type: OrderType
    side: Side
    time_in_force: TimeInForce
    status: Status
    notional: Number | None
    qty: Number | None
    filled_qty: Number
    filled_avg_price: Number | None
    limit_price: Number | None
    stop_price: Number | None
    trail_percent: Number | None
    trail_price: Number | None
    hwm: Number | None
    position_intent: Literal["buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close"] | None
    extended_hours: bool
    legs: list["OrderAnswer"] | None


class RefusalAnswer(BaseModel):
    """A refusal in Alpaca's form."""

    model_config = ConfigDict(extra="allow")

    code: int
    message: str


class CanceledAnswer(Answer):
    """An order that is being cancelled."""

    id: Id
    status: Literal[200]


class KeptAnswer(Answer):
    """An order whose cancel was refused."""

    id: Id
    status: int
    body: RefusalAnswer


class ClosedAnswer(Answer):
    """What came of a position that was to be closed: the order, or a refusal."""

    symbol: str
    status: int
    body: OrderAnswer | RefusalAnswer


class PositionAnswer(Answer):
    """A position; prices that are not known are null."""

    asset_id: Id
    symbol: str
    exchange: str
    asset_class: AssetClass
    asset_marginable: bool
    avg_entry_price: Number
    qty: Number
    qty_available: Number
    side: Literal["long", "short"]
    market_value: Number | None
    cost_basis: Number
    unrealized_pl: Number | None
    unrealized_plpc: Number | None
    unrealized_intraday_pl: None
    unrealized_intraday_plpc: None
    current_price: Number | None
    lastday_price: Number | None
    change_today: Number | None


class AccountAnswer(Answer):
    """The account; margins are not known."""

    id: Id
    account_number: str
    currency: str
    status: Literal["ACTIVE"]
    cash: Number
    equity: Number
    last_equity: Number
    buying_power: Number
    non_marginable_buying_power: Number
    long_market_value: Number
    short_market_value: Number
    portfolio_value: Number
    position_market_value: Number
    regt_buying_power: Number
    accrued_fees: None
    initial_margin: None
    maintenance_margin: None
    last_maintenance_margin: None
    sma: None
    multiplier: Number
    trading_blocked: bool
    transfers_blocked: bool
    account_blocked: bool
    trade_suspended_by_user: bool
    shorting_enabled: bool
    created_at: Time | None


class ConfigurationAnswer(Answer):
    """What the account may do."""

    suspend_trade: bool
    no_shorting: bool
    fractional_trading: bool
    max_margin_multiplier: Number
    trade_confirm_email: Literal["none"]
    ptp_no_exception_entry: bool
    max_options_trading_level: int


class HistoryAnswer(Answer):
    """Equity over time: lists of the same length."""

    timestamp: list[int]
    equity: list[float]
    profit_loss: list[float]
    profit_loss_pct: list[float | None]
    base_value: float | None
    timeframe: Literal["1Min", "5Min", "15Min", "1H", "1D"]
    cashflow: dict[str, list[float]]


class ExecutionAnswer(Answer):
    """An execution."""

    activity_type: Literal["FILL"]
    id: str
    account_id: Id
    transaction_time: Time
    type: Literal["fill", "partial_fill"]
    price: Number
    qty: Number
    side: Literal["buy", "sell", "sell_short"]
    symbol: str
    leaves_qty: Number
    order_id: Id
    cum_qty: Number
    order_status: Status


class BookingAnswer(Answer):
    """Money that moved without an execution."""

    activity_type: Booked
    id: str
    account_id: Id
    date: Day
    net_amount: Number
    description: str
    status: Literal["executed"]
    symbol: str = ""


ActivityAnswer: TypeAlias = ExecutionAnswer | BookingAnswer


class AssetAnswer(Answer):
    """An asset that the account may trade."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    id: Id
    asset_class: AssetClass = Field(alias="class")
    exchange: str
    symbol: str
    name: str
    status: Literal["active"]
    tradable: bool
    marginable: bool
    shortable: bool
    easy_to_borrow: bool
    fractionable: bool
    attributes: list[str]
    min_order_size: Number
    min_trade_increment: Number
    price_increment: Number


class WatchlistHead(Answer):
    """A watchlist without its assets."""

    id: Id
    account_id: Id
    name: str
    created_at: Time
    updated_at: Time


class WatchlistAnswer(WatchlistHead):
    """A watchlist."""

    assets: list[AssetAnswer]


class ClockAnswer(Answer):
    """The clock of the exchange."""

    timestamp: Time
    is_open: bool
    next_open: Time
    next_close: Time


class DayAnswer(Answer):
    """A trading day."""

    date: Day
    open: Annotated[str, Field(pattern=r"^\d\d:\d\d$")]
    close: Annotated[str, Field(pattern=r"^\d\d:\d\d$")]
    session_open: Annotated[str, Field(pattern=r"^\d{4}$")]
    session_close: Annotated[str, Field(pattern=r"^\d{4}$")]
