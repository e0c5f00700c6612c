"""HTTP to Alpaca: who may be asked twice, and what each failure means.

A write (`send`) leaves this machine once: it ends as the venue's answer, as `NotSentError` where certainly nothing
was read by the venue, or as `AmbiguousError`. Reads and cancels change nothing by being repeated, so they are tried a
few times, with growing and jittered pauses and within the budget; a read that gets no answer is `VenueDownError`.
Connections are bounded, and cancels have some of their own, so none waits for the answer to an order. Every answer
tells the venue's time. Keys are in no message. It knows no order.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from nt_ray.brokers.alpaca.access import AlpacaAccess
from nt_ray.brokers.alpaca.budget import Budget
from nt_ray.brokers.alpaca.refusals import refusal, retry_after
from nt_ray.brokers.alpaca.wire import UnreadableError, parse
from nt_ray.brokers.base import AmbiguousError, NotSentError, RateLimitedError, VenueDownError
from nt_ray.errors import BrokerError
from nt_ray.trading.steps import step

_NOT_LEFT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
"""The connection failed before the first byte."""

REQUESTS_PER_MINUTE: Final = 200
"""What Alpaca allows a key."""

_CANCELS_PART: Final = 10
_ORDERS_PART: Final = 4
"""One request in so many is kept for cancels, and one in so many for orders."""

CONNECTIONS: Final = 12
"""Connections of a key to one host, where nobody says otherwise."""
_OF_CANCELS: Final = 2
"""How many of them are kept for cancels."""

_UNSAID_WAIT_S: Final = 5.0
"""Pause after a 429 that does not say for how long."""
_LONGEST_URGENT_WAIT_S: Final = 2.0
"""How long a cancel is waited for on the spot, where the venue turns it away; it is asked for again later else."""


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
    """Requests to one host with one key. `now` is this machine's clock, against which the venue's is held."""

    def __init__(
        self,
        access: AlpacaAccess,
        host: str,
        patience: Patience | None = None,
        requests_per_minute: int = REQUESTS_PER_MINUTE,
        connections: int = CONNECTIONS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._patience = patience or Patience()
        self._now = now
        cancels, orders = requests_per_minute // _CANCELS_PART, requests_per_minute // _ORDERS_PART
        self.budget = Budget(requests_per_minute, cancels, self._patience.clock, orders)
        self.skew_s = 0.0
        """How far the venue's clock was ahead of this machine's at the last answer, to a second."""
        self._client = self._connections(access, host, max(connections - _OF_CANCELS, 1))
        self._urgent_client = self._connections(access, host, _OF_CANCELS)

    def read(self, path: str, query: Mapping[str, str] | None = None, *, urgent: bool = False) -> Any:
        """Ask; `urgent` takes from the share that is kept for cancels."""
        return self._repeated("GET", path, query, urgent=urgent)

    def cancel(self, path: str) -> Any:
        """Ask for a cancel; a repetition asks for the same."""
        return self._repeated("DELETE", path, None, urgent=True)

    def send(self, method: str, path: str, body: Mapping[str, Any]) -> Any:
        """Send an order once."""
        self.budget.take(order=True)
        doing = f"{method} {path}"
        try:
            response = self._exchange(method, path, json=body)
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
        self._urgent_client.close()

    def _connections(self, access: AlpacaAccess, host: str, most: int) -> httpx.Client:
        return httpx.Client(
            base_url=host,
            headers=access.headers(),
            timeout=self._patience.timeout_s,
            limits=httpx.Limits(max_connections=most, max_keepalive_connections=most),
            follow_redirects=False,
            # Certificates are read where there is something to verify: plain HTTP is loopback's alone.
            verify=host.startswith("https:"),
            trust_env=False,
        )

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
            except RateLimitedError as error:
                last = error
                # A cancel waits its own short pause; anything else waits as long as the venue says, elsewhere.
                if not urgent or (error.retry_after or 0.0) > _LONGEST_URGENT_WAIT_S:
                    break
                self._patience.sleep(error.retry_after or 0.0)
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
            response = self._exchange(method, path, urgent=urgent, params=query)
        except _NOT_LEFT as error:
            raise _down(doing, error) from error
        except httpx.HTTPError as error:
            raise unknown(f"alpaca gave no answer to {doing} ({_reason(error)}). Ask again later.") from error
        return self._content(response, doing, unknown, urgent=urgent)

    def _exchange(self, method: str, path: str, *, urgent: bool = False, **content: Any) -> httpx.Response:
        client = self._urgent_client if urgent else self._client
        # Told to whoever traces this order here; the venue gets no header of ours.
        with step(method, {"http.request.method": method, "url.path": path}, asks=True) as asking:
            response = client.request(method, path, **content)
            asking.fact("http.response.status_code", response.status_code)
        return response

    def _content(
        self, response: httpx.Response, doing: str, unknown: type[BrokerError], *, urgent: bool = False
    ) -> Any:
        self._count(response, urgent=urgent)
        self._compare_clocks(response)
        if not response.is_success:
            raise refusal(response, doing, unknown)
        if response.status_code == httpx.codes.NO_CONTENT:
            return None
        try:
            return parse(response.content)
        except UnreadableError as error:
            raise unknown(str(error)) from error

    def _count(self, response: httpx.Response, *, urgent: bool) -> None:
        """Take in what the venue's headers say about the budget."""
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            self.budget.close_for(retry_after(response) or _UNSAID_WAIT_S, urgent=urgent)
            return
        if urgent:
            self.budget.passed()
        remaining, limit = (response.headers.get(f"x-ratelimit-{name}", "") for name in ("remaining", "limit"))
        if remaining.isdecimal():
            self.budget.observe(int(remaining), int(limit) if limit.isdecimal() else None)

    def _compare_clocks(self, response: httpx.Response) -> None:
        """Take in the venue's time; one that cannot be read says nothing."""
        try:
            theirs = parsedate_to_datetime(response.headers.get("date", ""))
        except ValueError:
            return
        if theirs.tzinfo is not None:
            self.skew_s = (theirs - self._now()).total_seconds()


def _reason(error: httpx.HTTPError) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _down(doing: str, error: httpx.HTTPError) -> VenueDownError:
    return VenueDownError(f"alpaca cannot be reached for {doing} ({_reason(error)}). Check host and network.")
