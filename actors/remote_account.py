"""A live account by its name, for those who call it and wait: its errors arrive as themselves.

It holds nothing; every call goes to the account's actor, wherever that lives now.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from ray.exceptions import RayError, RayTaskError

from actors.calls import PATIENCE_S
from actors.live_handle import LiveHandle
from nt_ray.errors import NeuralTraderError, ServiceError
from nt_ray.risk.limits import RiskLimits
from nt_ray.trader.health import LiveStatus
from nt_ray.trader.reconciliation import Reconciliation
from nt_ray.trader.reports import OrderReport
from nt_ray.trader.verdicts import Verdict
from nt_ray.trading.orders import OrderRequest


class RemoteAccount:
    """Calls that wait for their answers."""

    def __init__(self, name: str, patience_s: float = PATIENCE_S) -> None:
        self.name = name
        self._handle = LiveHandle(name, patience_s)

    def is_there(self) -> bool:
        """Whether an actor bears the name and is still the account's one writer."""
        if not self._handle.knows():
            return False
        status: LiveStatus = self._call("status")
        return not status.is_fenced

    def submit(self, requests: Sequence[OrderRequest]) -> list[OrderReport]:
        """Pass orders through gate, journal and venue."""
        found: list[OrderReport] = self._call("submit", list(requests))
        return found

    def cancel(self, client_order_id: str) -> OrderReport:
        """Ask the venue to cancel an order."""
        found: OrderReport = self._call("cancel", client_order_id)
        return found

    def reach(self) -> bool:
        """Whether the venue answers."""
        return bool(self._call("reach"))

    def begin_finding(self, client_order_id: str) -> Callable[[], OrderReport | None]:
        """Ask for an order and go on; what is returned waits for the answer."""
        return self._begin("find", client_order_id)

    def _call(self, method: str, *arguments: object) -> Any:
        return self._begin(method, *arguments)()

    def _begin(self, method: str, *arguments: object) -> Callable[[], Any]:
        with self._own_errors():
            answer = self._handle.begin(method, *arguments)

        def answered() -> Any:
            with self._own_errors():
                return answer()

        return answered

    @contextmanager
    def _own_errors(self) -> Iterator[None]:
        """Raise the account's own error, without the traceback of the process where it arose."""
        try:
            yield
        except RayTaskError as error:
            if isinstance(error.cause, NeuralTraderError):
                raise error.cause from None
            kind = type(error.cause).__name__
            raise ServiceError(f"{self.name} failed with {kind}. Its log says why.") from error
        except RayError as error:
            raise ServiceError(f"{self.name} cannot be asked now ({error}). Ask again.") from error


class CommandedAccount(RemoteAccount):
    """What a person may command."""

    def preview(self, request: OrderRequest) -> list[Verdict]:
        """Say what capabilities and each rule make of an order now."""
        found: list[Verdict] = self._call("preview", request)
        return found

    def halt(self, scope: str | Sequence[str], who: str, reason: str) -> list[OrderReport]:
        """Stop scopes, and cancel what works there."""
        found: list[OrderReport] = self._call("halt", scope, who, reason)
        return found

    def resume(self, scope: str | Sequence[str], who: str, reason: str) -> None:
        """Allow trading in scopes again."""
        self._call("resume", scope, who, reason)

    def reset(self, who: str, reason: str) -> None:
        """Close the loss breaker."""
        self._call("reset", who, reason)

    def change_limits(
        self, changes: Mapping[str, Any], who: str, reason: str, expires: datetime | None = None
    ) -> RiskLimits:
        """Change limits; return those then in force."""
        found: RiskLimits = self._call("change_limits", dict(changes), who, reason, expires)
        return found

    def revert_limits(self, names: Sequence[str], who: str, reason: str) -> RiskLimits:
        """Put limits back to the configuration; return those then in force."""
        found: RiskLimits = self._call("revert_limits", list(names), who, reason)
        return found

    def name_lots(self, client_order_id: str, symbol: str, lots: Sequence[str]) -> None:
        """Say which lots the fills of an order close."""
        self._call("name_lots", client_order_id, symbol, list(lots))

    def adopt(self, who: str, reason: str) -> Reconciliation:
        """Take what the venue holds into the books; return what differs still."""
        found: Reconciliation = self._call("adopt", who, reason)
        return found

    def reconcile(self) -> Reconciliation:
        """Compare the account with its venue."""
        found: Reconciliation = self._call("reconcile")
        return found
