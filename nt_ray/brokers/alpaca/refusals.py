"""Why Alpaca, or this adapter in its place, says no: typed errors made of answers.

An answer of the venue is a no only where it says so in its own words (a 4xx with a JSON body). Anything else (3xx, 5xx,
HTML of a proxy) leaves open what happened to a write, and is an outage to a read.
"""

from collections.abc import Callable
from typing import Final

import httpx

from nt_ray.brokers.alpaca.wire import UnreadableError, parse
from nt_ray.brokers.base import AuthenticationError, NotSentError, OrderRejectedError, RateLimitedError
from nt_ray.errors import BrokerError
from nt_ray.trading.verdict import Verdict

_LONGEST_MESSAGE: Final = 200


class RefusedError(OrderRejectedError):
    """An order that Alpaca cannot do, refused here; nothing was sent."""

    code = "refused"


class ClockSkewError(NotSentError):
    """The clock of the machine and that of the venue, which is `skew_s` ahead, differ too much."""

    code = "clock_skew"

    def __init__(self, venue: str, skew_s: float) -> None:
        super().__init__(
            f"{venue}: the venue's clock differs from this machine's by {skew_s:.0f} s. Set this clock by NTP."
        )
        self.skew_s = skew_s


class VenueRefusedError(OrderRejectedError):
    """Alpaca answered no, with its own code and message."""

    def __init__(self, doing: str, status: int, venue_code: int, message: str) -> None:
        super().__init__(f"alpaca refuses {doing}: {message} (HTTP {status}, code {venue_code}). Change the order.")
        self.verdict: Verdict = Verdict(status, venue_code, message)

    @property
    def is_duplicate(self) -> bool:
        """Whether the client id belongs to another order already; Alpaca shares the code with other faults."""
        said = self.verdict
        return said.status == httpx.codes.UNPROCESSABLE_ENTITY and "client_order_id must be unique" in said.message


class NotFoundError(VenueRefusedError):
    """Alpaca does not know what was asked for."""


def refusal(response: httpx.Response, doing: str, unknown: Callable[[str], BrokerError]) -> BrokerError:
    """Turn an answer that is no success into an error; `unknown` makes the one of an answer that decides nothing."""
    status = response.status_code
    if status == httpx.codes.TOO_MANY_REQUESTS:
        wait = retry_after(response)
        after = "in a minute" if wait is None else f"after {wait:g} s"
        return RateLimitedError(f"alpaca allows no further request now ({doing}). Ask again {after}.", wait)
    if status == httpx.codes.UNAUTHORIZED:
        return _wrong_keys(status)
    try:
        body = parse(response.content)
    except UnreadableError:
        body = None
    said_no = httpx.codes.is_client_error(status) and status != httpx.codes.REQUEST_TIMEOUT
    if not (said_no and isinstance(body, dict)):
        return unknown(f"alpaca answered HTTP {status} to {doing}. Look the order up before anything else.")
    code, message = body.get("code"), str(body.get("message", ""))[:_LONGEST_MESSAGE]
    if status == httpx.codes.FORBIDDEN and not code:
        return _wrong_keys(status)
    kind = NotFoundError if status == httpx.codes.NOT_FOUND else VenueRefusedError
    return kind(doing, status, code if isinstance(code, int) else 0, message)


def retry_after(response: httpx.Response) -> float | None:
    """Seconds of a Retry-After header, where it states them."""
    try:
        wait = float(response.headers.get("retry-after", ""))
    except ValueError:
        return None
    return wait if 0 <= wait < float("inf") else None


def _wrong_keys(status: int) -> AuthenticationError:
    return AuthenticationError(
        f"alpaca does not accept the keys (HTTP {status}). Check key and secret, and that they are of this host: "
        "paper and live have keys of their own."
    )
