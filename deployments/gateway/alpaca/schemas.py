"""Bodies that Alpaca's routes take: closed to unknown fields, bounded, numbers as numbers or as plain text."""

import re
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, StrictStr, StringConstraints

from nt_ray.trader.watchlists import MOST_SYMBOLS

_NUMBER: Final = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?|\.[0-9]{1,18}")


def _amount(value: Any) -> Any:
    """Take a number or its plain text; a number's shortest text is what it means."""
    text = format(Decimal(repr(value)), "f") if isinstance(value, float) else str(value)
    if isinstance(value, bool) or not _NUMBER.fullmatch(text):
        raise ValueError("must be a positive number of at most 18 digits before and after the point")
    return Decimal(text)


Amount: TypeAlias = Annotated[
    Decimal,
    BeforeValidator(_amount, json_schema_input_type=float | str),
    Field(gt=0, examples=["1.5"]),
]
Symbol: TypeAlias = Annotated[StrictStr, StringConstraints(min_length=1, max_length=32, pattern=r"^[A-Za-z0-9./_-]+$")]
ClientId: TypeAlias = Annotated[StrictStr, StringConstraints(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$")]
TimeInForce: TypeAlias = Literal["day", "gtc", "opg", "cls", "ioc", "fok"]
Intent: TypeAlias = Literal["buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close"]
Title: TypeAlias = Annotated[StrictStr, StringConstraints(min_length=1, max_length=64, strip_whitespace=True)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TakeProfit(_Body):
    """The leg that takes the profit."""

    limit_price: Amount


class StopLoss(_Body):
    """The leg that stops the loss."""

    stop_price: Amount
    limit_price: Amount | None = None


class NewOrder(_Body):
    """An order that is to be sent. The same `client_order_id` with the same content is the same order."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "symbol": "AAPL",
                    "qty": "10",
                    "side": "buy",
                    "type": "limit",
                    "limit_price": "180.5",
                    "time_in_force": "day",
                }
            ]
        }
    )

    symbol: Symbol
    side: Literal["buy", "sell"] | None = None
    type: Literal["market", "limit", "stop", "stop_limit", "trailing_stop"]
    time_in_force: TimeInForce
    qty: Amount | None = None
    notional: Amount | None = None
    limit_price: Amount | None = None
    stop_price: Amount | None = None
    trail_price: Amount | None = None
    trail_percent: Amount | None = None
    extended_hours: StrictBool = False
    client_order_id: ClientId | None = None
    order_class: Literal["", "simple", "bracket", "oco", "oto"] = "simple"
    take_profit: TakeProfit | None = None
    stop_loss: StopLoss | None = None
    position_intent: Intent | None = Field(None, description="Compared with the position; it may stand for the side.")


class Replacement(_Body):
    """What is to be different of an open order; what is left out stays."""

    qty: Amount | None = Field(None, description="What the new order may trade, whatever the old one has filled.")
    time_in_force: TimeInForce | None = None
    limit_price: Amount | None = None
    stop_price: Amount | None = None
    trail: Amount | None = None
    client_order_id: ClientId | None = None


class Configuration(_Body):
    """Switches of an account that are to be different. What is fixed here may be named as it is."""

    suspend_trade: StrictBool | None = Field(None, description="Kill switch of the account; it cancels what works.")
    no_shorting: StrictBool | None = None
    fractional_trading: StrictBool | None = None
    max_margin_multiplier: Amount | None = None
    trade_confirm_email: Literal["all", "none"] | None = None
    ptp_no_exception_entry: StrictBool | None = None
    max_options_trading_level: Annotated[StrictInt, Field(ge=0, le=3)] | None = None
    dtbp_check: Literal["both", "entry", "exit"] | None = None
    pdt_check: Literal["both", "entry", "exit"] | None = None


class NewWatchlist(_Body):
    """A list of symbols by a name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Fruit", "symbols": ["AAPL"]}]})

    name: Title
    symbols: Annotated[list[Symbol], Field(max_length=MOST_SYMBOLS)] = []


class ChangedWatchlist(_Body):
    """What is to be different of a watchlist; what is left out stays."""

    name: Title | None = None
    symbols: Annotated[list[Symbol], Field(max_length=MOST_SYMBOLS)] | None = None


class OneSymbol(_Body):
    """A symbol that comes to a watchlist."""

    symbol: Symbol
