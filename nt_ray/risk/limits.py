"""The limits of the pre-trade gate. Checked when they are made; the gate trusts them."""

from dataclasses import dataclass
from decimal import Decimal

from nt_ray.errors import RiskError


class LimitError(RiskError):
    """A limit that makes no sense."""

    def __init__(self, name: str, value: object, remedy: str) -> None:
        super().__init__(f"Risk limit {name}={value} makes no sense. Give {remedy}.")


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

    def __post_init__(self) -> None:
        for name in ("max_order_notional", "max_position_notional"):
            if not Decimal(0) < self._number(name):
                raise LimitError(name, getattr(self, name), "an amount above zero")
        for name in ("max_gross_exposure", "max_net_exposure", "max_concentration"):
            if not 0 < self._number(name) <= 100:
                raise LimitError(name, getattr(self, name), "a fraction of equity above 0 and at most 100")
        for name in ("max_daily_loss", "max_drawdown"):
            if not 0 < self._number(name) <= 1:
                raise LimitError(name, getattr(self, name), "a fraction above 0 and at most 1")
        if not 0 <= self._number("duplicate_window_s") <= 86_400:
            raise LimitError("duplicate_window_s", self.duplicate_window_s, "0 to 86400 seconds")

    def exact(self, name: str) -> Decimal:
        """Return the limit as the Decimal that its shortest decimal text means."""
        return self._number(name)

    def _number(self, name: str) -> Decimal:
        value = getattr(self, name)
        number = value if isinstance(value, Decimal) else Decimal(str(value))
        if not number.is_finite():
            raise LimitError(name, value, "a finite number")
        return number
