"""The limits of the pre-trade gate. Checked when they are made; the gate trusts them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal, InvalidOperation
from typing import Final

from nt_ray.errors import RiskError
from nt_ray.risk.flow import MOST

VAR_MODELS: Final = ("historical", "monte_carlo_normal", "monte_carlo_t")
"""Where the scenarios of `max_var` may come from."""

_DAY_S: Final = 86_400
_TINY: Final = Decimal("1e-12")


class LimitError(RiskError):
    """A limit that makes no sense."""

    def __init__(self, name: str, value: object, remedy: str) -> None:
        super().__init__(f"Risk limit {name}={value} makes no sense. Give {remedy}.")


LIVE: Final = {"duplicate_window_s": 1, "price_collar": Decimal("0.2"), "max_reference_age_s": 60}
"""What a live account is held to where nobody says otherwise: a replay has no clock by which prices or orders age.

The collar is the widest band of the exchanges' own (LULD, below 3 dollars): within it a price may be meant.
"""


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """Limits of one account. Shares are fractions of the account's equity at the last mark."""

    max_order_notional: Decimal = Decimal(200_000)
    """Account currency: largest price times quantity of one order."""
    max_position_notional: Decimal = Decimal(100_000)
    """Account currency: largest worst-case position in one symbol."""
    max_gross_exposure: Decimal | float = 2.0
    """Fraction of equity: largest sum of worst-case position sizes, and the leverage of buying power."""
    max_net_exposure: Decimal | float = 2.0
    """Fraction of equity: largest worst-case net of long and short."""
    max_concentration: Decimal | float = 0.25
    """Fraction of equity: largest worst-case position in one symbol."""
    max_daily_loss: Decimal | float = 0.05
    """Fraction of equity at the start of the UTC day: at this loss only reductions pass until the next."""
    max_drawdown: Decimal | float = 0.35
    """Fraction of the highest equity: at this loss only reductions pass until a person resets the breaker."""
    duplicate_window_s: Decimal | float = 0
    """Seconds within which the same strategy may not repeat an equal order; 0 allows it."""
    daily_loss_by_hand: bool = False
    """Whether a daily loss stays tripped until a person resets it, instead of until the next day."""
    max_order_quantity: Decimal | None = None
    """Units: largest quantity of one order."""
    max_volume_share: Decimal | float | None = None
    """Fraction of a symbol's average daily volume: largest order."""
    price_collar: Decimal | float = 0.5
    """Fraction of the reference price: how far a limit or stop price may lie from it."""
    max_reference_age_s: Decimal | float | None = None
    """Seconds: how old the reference price may be; beyond it only reductions pass."""
    reference_hours: str = "session"
    """Which seconds make a price older: those of the exchange's sessions, for shares and funds (session), or all."""
    max_messages: int | None = 1_000
    """Submissions, replacements and cancels of the account within `message_window_s`."""
    max_strategy_messages: int | None = 500
    """The same of one strategy."""
    message_window_s: Decimal | float = 1.0
    """Seconds."""
    max_executions: int | None = 5_000
    """Executions of one strategy within `execution_window_s`; beyond them it is stopped until a person resumes it."""
    execution_window_s: Decimal | float = 60.0
    """Seconds."""
    self_trade: bool = True
    """Whether an order that would meet one of the same account is refused."""
    shorting: bool = True
    """Whether positions may be sold short."""
    fractions: bool = True
    """Whether positions may be opened by fractions of a unit, or by an amount of money."""
    max_heat: Decimal | float | None = None
    """Fraction of equity: loss if every position is stopped out; unprotected ones count as a whole."""
    max_var: Decimal | float | None = None
    """Fraction of equity: worst-case value at risk of the account over the next period of its scenarios."""
    var_confidence: Decimal | float = 0.95
    """Confidence of that value at risk."""
    var_window: int = 500
    """Past periods that are its scenarios, or that its scenarios are drawn from."""
    var_model: str = "historical"
    """What its scenarios are: the past itself, or draws of a model of it (`nt_ray.risk.monte_carlo`)."""
    restricted: frozenset[str] = frozenset()
    """Symbols that may not be traded."""

    def __post_init__(self) -> None:
        for name, words in _WORDS.items():
            if getattr(self, name) not in words:
                raise LimitError(name, getattr(self, name), f"one of {', '.join(words)}")
        for names, low, high, what in _BOUNDS:
            for name in names:
                if getattr(self, name) is not None and not low <= self._number(name) <= high:
                    raise LimitError(name, getattr(self, name), what)

    def changed(self, changes: Mapping[str, str]) -> "RiskLimits":
        """Return the limits with some of them changed, given as text; ``none`` lifts a limit that may be absent."""
        return replace(self, **{name: _parse(name, text) for name, text in changes.items()})  # type: ignore[arg-type]

    def exact(self, name: str) -> Decimal:
        """Return the limit as the Decimal that its shortest decimal text means."""
        return self._number(name)

    def _number(self, name: str) -> Decimal:
        value = getattr(self, name)
        number = value if isinstance(value, Decimal) else Decimal(str(value))
        if not number.is_finite():
            raise LimitError(name, value, "a finite number")
        return number


_BOUNDS: Final = (
    (
        ("max_order_notional", "max_position_notional", "max_order_quantity"),
        _TINY,
        Decimal("1e18"),
        "an amount above zero",
    ),
    (
        ("max_gross_exposure", "max_net_exposure", "max_concentration"),
        _TINY,
        100,
        "a fraction of equity above 0 and at most 100",
    ),
    (("max_daily_loss", "max_drawdown"), _TINY, 1, "a fraction above 0 and at most 1"),
    (("max_volume_share", "max_heat", "max_var", "price_collar"), _TINY, 100, "a fraction above 0 and at most 100"),
    (
        ("duplicate_window_s", "max_reference_age_s", "message_window_s", "execution_window_s"),
        0,
        _DAY_S,
        f"0 to {_DAY_S} seconds",
    ),
    (
        ("max_messages", "max_strategy_messages", "max_executions"),
        1,
        MOST - 1,
        f"a whole number from 1 to {MOST - 1}",
    ),
    (("var_confidence",), Decimal("0.5") + _TINY, Decimal("0.9999"), "a confidence above 0.5 and at most 0.9999"),
    (("var_window",), 2, 1_000_000, "a whole number from 2 to 1000000"),
)
"""Names of limits, their lowest and highest value, and what they must be."""

_RATES: Final = ("max_messages", "max_strategy_messages", "max_executions")
_COUNTS: Final = (*_RATES, "var_window")
_ABSENT: Final = (*_RATES, "max_order_quantity", "max_volume_share", "max_reference_age_s", "max_heat", "max_var")
"""Limits that may be absent."""
_WORDS: Final = {"var_model": VAR_MODELS, "reference_hours": ("always", "session")}
_SWITCHES: Final = ("self_trade", "daily_loss_by_hand", "shorting", "fractions")


def _parse(name: str, text: str) -> object:
    """Value of a limit from text."""
    if name not in {field.name for field in fields(RiskLimits)}:
        known = ", ".join(field.name for field in fields(RiskLimits))
        raise LimitError(name, text, f"one of the limits {known}")
    if name == "restricted":
        return frozenset(part.strip() for part in text.split(",") if part.strip())
    if name in _WORDS:
        return text
    if name in _SWITCHES:
        if text not in ("true", "false"):
            raise LimitError(name, text, "true or false")
        return text == "true"
    if text == "none" and name in _ABSENT:
        return None
    try:
        return int(text) if name in _COUNTS else Decimal(text)
    except (ValueError, InvalidOperation):
        raise LimitError(name, text, "a number" + (", or none" if name in _ABSENT else "")) from None
