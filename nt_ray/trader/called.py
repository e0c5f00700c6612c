"""Calls of a live account on behalf of a request: its ids stand in the log, and where it is traced, steps come back.

`within` is the way in for whoever serves requests; it makes the same calls as their methods do. Each order that is
asked for and each other change has a line in the log, at `info`.
"""

import logging
from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, Final

from nt_ray.errors import BadInputError
from nt_ray.trader.reports import OrderReport
from nt_ray.trading.origin import Origin, coming_from
from nt_ray.trading.steps import Step, following

ORDERING: Final = frozenset({"submit", "place", "replace"})
CHANGING: Final = frozenset(
    {"cancel", "cancel_all", "halt", "resume", "reset", "change_limits", "revert_limits", "adopt"}
)
"""Calls that can be made for a request: those that order, and the other ones that change something."""

_log = logging.getLogger(__name__)


class Called:
    """A live account as it is called for requests."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the account."""

    def within(self, origin: Origin, method: str, *arguments: object) -> tuple[Any, tuple[Step, ...]]:
        """Call a method for a request; give its answer, and its steps where the request is traced."""
        if method not in ORDERING | CHANGING:
            raise BadInputError(f"{method!r} is no call that is made for a request. Call the method itself.")
        with coming_from(origin):
            if not origin.is_traced:
                return self._done(method, arguments), ()
            with following() as way:
                answer = self._done(method, arguments)
            return answer, way.steps()

    def order_within(self, origin: Origin, method: str, *arguments: object) -> tuple[Any, tuple[Step, ...]]:
        """Call what orders for a request, as `within` does."""
        return self.within(origin, method, *arguments)

    def _done(self, method: str, arguments: tuple[object, ...]) -> Any:
        answer = getattr(self, method)(*arguments)
        if _log.isEnabledFor(logging.INFO):
            if method in ORDERING:
                reports = answer[0] if method == "place" else answer
                self._tell(reports if isinstance(reports, list) else [reports])
            else:
                order = {"order_id": str(arguments[0])} if method == "cancel" else {}
                _log.info("%s was done.", method, extra={"account": self.name} | order)
        return answer

    def _tell(self, reports: Iterable[OrderReport]) -> None:
        for told in reports:
            asked = told.request
            ids = {"account": self.name, "order_id": asked.client_order_id, "symbol": asked.symbol}
            facts = {"strategy": asked.strategy, "status": str(told.status), "rule": told.rule}
            _log.info(
                "Order %s is %s.", asked.client_order_id, told.status, extra=ids | {k: v for k, v in facts.items() if v}
            )
