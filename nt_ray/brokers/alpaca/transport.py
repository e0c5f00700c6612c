"""HTTP to Alpaca: who may be asked twice, and what each failure means.

A write (`send`) leaves this machine once: it ends as the venue's answer, as `NotSentError` where certainly nothing
was read by the venue, or as `AmbiguousError`. Reads and cancels change nothing by being repeated, so they are tried a
few times, with growing and jittered pauses and within the budget; a read that gets no answer is `VenueDownError`.
Keys are in no message. It knows no order.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from nt_ray.brokers.alpaca.access import AlpacaAccess
from nt_ray.brokers.alpaca.budget import Budget
from nt_ray.brokers.alpaca.refusals import refusal, retry_after
from nt_ray.brokers.alpaca.wire import UnreadableError, parse
from nt_ray.brokers.base import AmbiguousError, NotSentError, VenueDownError
from nt_ray.errors import BrokerError

_NOT_LEFT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
"""The connection failed before the first byte."""

REQUESTS_PER_MINUTE: Final = 200
"""What Alpaca allows a key."""

_CANCELS_PART: Final = 10
_ORDERS_PART: Final = 4
"""One request in so many is kept for cancels, and one in so many for orders."""

_UNSAID_WAIT_S: Final = 5.0
"""Pause after a 429 that does not say for how long."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait and how often to ask again."""

    timeout_s: float = 10.0
    attempts: int = 3
    first_pause_s: float = 0.2
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = field(default_factory=lambda: random.Random().random)  # noqa: S311  no secret
    clock: Callable[[], float] = time.monotonic


class Transport:
    """Requests to one host with one key."""

    def __init__(
        self,
        access: AlpacaAccess,
        host: str,
        patience: Patience | None = None,
        requests_per_minute: int = REQUESTS_PER_MINUTE,
    ) -> None:
        self._patience = patience or Patience()
        self._limit = requests_per_minute
        cancels, orders = requests_per_minute // _CANCELS_PART, requests_per_minute // _ORDERS_PART
        self.budget = Budget(requests_per_minute, cancels, self._patience.clock, orders)
        self._client = httpx.Client(
            base_url=host,
            headers=access.headers(),
            timeout=self._patience.timeout_s,
            follow_redirects=False,
            # Certificates are read where there is something to verify: plain HTTP is loopback's alone.
            verify=host.startswith("https:"),
            trust_env=False,
        )

    def read(self, path: str, query: Mapping[str, str] | None = None, *, urgent: bool = False) -> Any:
        """Ask; `urgent` takes from the share that is kept for cancels."""
        return self._repeated("GET", path, query, urgent=urgent)

    def cancel(self, path: str) -> None:
        """Ask for a cancel; a repetition asks for the same."""
        self._repeated("DELETE", path, None, urgent=True)

    def send(self, method: str, path: str, body: Mapping[str, Any]) -> Any:
        """Send an order once."""
        self.budget.take(order=True)
        doing = f"{method} {path}"
        try:
            response = self._client.request(method, path, json=body)
        except _NOT_LEFT as error:
            raise _down(doing, error) from error
        except httpx.HTTPError as error:
            raise AmbiguousError(
                f"alpaca gave no answer to {doing} ({_reason(error)}). Look the order up by its client id."
            ) from error
        return self._content(response, doing, AmbiguousError)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _repeated(self, method: str, path: str, query: Mapping[str, str] | None, *, urgent: bool) -> Any:
        doubt: AmbiguousError | None = None
        last: BrokerError = VenueDownError(f"alpaca was not asked for {method} {path}. Allow one attempt.")
        for attempt in range(self._patience.attempts):
            if attempt:
                pause = self._patience.first_pause_s * 2 ** (attempt - 1)
                self._patience.sleep(pause * (0.5 + self._patience.jitter()))
            try:
                return self._once(method, path, query, urgent=urgent)
            except AmbiguousError as error:
                doubt = error
            except VenueDownError as error:
                last = error
            except NotSentError as error:
                last = error
                break
        # What one attempt left in doubt stays so, whatever became of the next.
        raise doubt or last

    def _once(self, method: str, path: str, query: Mapping[str, str] | None, *, urgent: bool) -> Any:
        self.budget.take(urgent=urgent)
        doing = f"{method} {path}"
        # A cancel that got no answer may have been done; a read changes nothing, so its silence is an outage.
        unknown: type[BrokerError] = VenueDownError if method == "GET" else AmbiguousError
        try:
            response = self._client.request(method, path, params=query)
        except _NOT_LEFT as error:
            raise _down(doing, error) from error
        except httpx.HTTPError as error:
            raise unknown(f"alpaca gave no answer to {doing} ({_reason(error)}). Ask again later.") from error
        return self._content(response, doing, unknown)

    def _content(self, response: httpx.Response, doing: str, unknown: type[BrokerError]) -> Any:
        self._count(response)
        if not response.is_success:
            raise refusal(response, doing, unknown)
        if response.status_code == httpx.codes.NO_CONTENT:
            return None
        try:
            return parse(response.content)
        except UnreadableError as error:
            raise unknown(str(error)) from error

    def _count(self, response: httpx.Response) -> None:
        """Take in what the venue's headers say about the budget."""
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            self.budget.close_for(retry_after(response) or _UNSAID_WAIT_S)
            return
        remaining = response.headers.get("x-ratelimit-remaining", "")
        limit = response.headers.get("x-ratelimit-limit", "")
        if remaining.isdecimal() and limit == str(self._limit):
            self.budget.observe(int(remaining))


def _reason(error: httpx.HTTPError) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _down(doing: str, error: httpx.HTTPError) -> VenueDownError:
    return VenueDownError(f"alpaca cannot be reached for {doing} ({_reason(error)}). Check host and network.")
