"""The error tree: one root, one branch a layer.

Every class states a stable `code`, the HTTP `status` a gateway answers with, and the process `exit_code`
of the command line. A message is one sentence that names the offending value and one that names the remedy.
"""

from typing import Any, ClassVar


class NeuralTraderError(Exception):
    """Root of every error this product raises on purpose."""

    code: ClassVar[str] = "error"
    status: int = 500
    exit_code: ClassVar[int] = 1

    def __reduce__(self) -> tuple[Any, ...]:
        # Between processes it travels as its text, since a subclass may take other arguments to write it.
        return _arrived, (type(self), self.args, self.__dict__)


def _arrived(kind: type[NeuralTraderError], args: tuple[Any, ...], state: dict[str, Any]) -> NeuralTraderError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class BadInputError(NeuralTraderError):
    """Something the caller gave is wrong; nothing has changed."""

    code = "bad_input"
    status = 422
    exit_code = 2


class ConfigError(BadInputError):
    """Configuration that cannot be used."""

    code = "config"


class MarketDataError(BadInputError):
    """Market data that is missing, malformed or inconsistent."""

    code = "market_data"


class StrategyError(BadInputError):
    """An unknown strategy, an impossible parameter, or a strategy that failed."""

    code = "strategy"


class SwarmError(NeuralTraderError):
    """The swarm cannot reach a decision."""

    code = "swarm"


class RiskError(BadInputError):
    """Risk limits or risk measures that make no sense."""

    code = "risk"


class TradingError(NeuralTraderError):
    """The books or an order's life would become inconsistent."""

    code = "trading"
    status = 409


class BrokerError(NeuralTraderError):
    """A venue refused, failed or could not be reached."""

    code = "broker"
    status = 502


class StorageError(NeuralTraderError):
    """The journal or a file could not be read or written."""

    code = "storage"


class FencedError(StorageError):
    """Another writer has taken over this journal."""

    code = "fenced"
    status = 409


class ReportError(BadInputError):
    """A report cannot be made of what was given."""

    code = "report"


class ServiceError(NeuralTraderError):
    """A part of the platform is not running or cannot be reached."""

    code = "service"
    status = 503
    exit_code = 2
