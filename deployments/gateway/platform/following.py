"""Server-sent events to one who follows: he has a seat for as long as they last, and a refusal where there is none."""

from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from deployments.gateway.stream.seats import Seats


class Followed(StreamingResponse):
    """A stream of events to a user; the application's `state.seats` are those of all streams."""

    def __init__(self, user: str, events: AsyncIterator[bytes], **terms: Any) -> None:
        super().__init__(events, **terms)
        self._user = user

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events; `NoSeatError` before the first byte where no seat is free."""
        seats: Seats = scope["app"].state.seats
        with seats.follower(self._user):
            await super().__call__(scope, receive, send)
