"""One client of the stream, from its first message to its end.

Frames to a client are JSON arrays of messages, so whoever reads slowly gets more of them at once. Who shows no
credential in time, sends nonsense or too much, does not read, or finds no seat is told why, and the connection ends; so
is everybody whose replica begins to end. That a client reads is what he says himself (`stream.reading`). A credential
is looked at every few seconds, whatever the client does: one that has expired, was revoked or grants something else
ends its connection, unless another has taken its place.
"""

import asyncio
import contextlib
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from deployments.gateway.middleware.identity import Gatekeeper, who
from deployments.gateway.stream.draining import REASON, RESTART, Drain
from deployments.gateway.stream.hub import SLOW, Hub
from deployments.gateway.stream.messages import SAID, Authenticate, Pong, Said, Subscribe, Unsubscribe
from deployments.gateway.stream.reading import Patience, Reading
from deployments.gateway.stream.seats import NoSeatError, Seats
from deployments.gateway.stream.subscriptions import Subscriptions, message
from nt_ray.access.buckets import LocalBuckets, Rate
from nt_ray.access.roles import Principal
from nt_ray.errors import NeuralTraderError

HEARTBEAT_S: Final = 15.0
LARGEST: Final = 1 << 16
MOST_ANSWERS: Final = 100
MESSAGES: Final = Rate(per_minute=240, burst=60)
"""How often a client may say something: each subscription may ask for thousands of events."""
POLICY: Final = 1008
TOO_BIG: Final = 1009
LATER: Final = 1013
_CREDENTIALS: Final = ("authorization", "x-api-key", "apca-api-key-id", "apca-api-secret-key")


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: for showing a credential, between two looks at it, for taking a frame and the last one.

    `reading` is how long a client may take to read what he took.
    """

    log_in_s: float = 10.0
    look_s: float = 5.0
    send_s: float = 30.0
    close_s: float = 5.0
    reading: Patience = field(default_factory=Patience)


class EndError(Exception):
    """Ends a connection with a code and a reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Connection:
    """A client."""

    def __init__(
        self,
        socket: WebSocket,
        hub: Hub,
        gatekeeper: Gatekeeper,
        address: str,
        seats: Seats,
        pace: Pace,
        drain: Drain | None = None,
    ) -> None:
        self._socket = socket
        self._hub = hub
        self._gatekeeper = gatekeeper
        self._address = address
        self._seats = seats
        self._pace = pace
        self._drain = drain or Drain()
        self._reading = Reading(pace.reading)
        self._headers: dict[str, str] = {}
        self._answers: deque[str] = deque()
        self._said = LocalBuckets(time.monotonic)
        self._woken = asyncio.Event()
        self._followed: Subscriptions | None = None
        self._dropped: asyncio.Future[EndError] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Serve until the client leaves or has to."""
        try:
            with self._seats.address(self._address):
                principal = await self._logged_in()
                with self._seats.user(principal.id):
                    await self._serve(Subscriptions(principal), principal)
        except NoSeatError as error:
            await self._close(EndError(LATER, error.code))
        except EndError as error:
            await self._close(error)
        except WebSocketDisconnect:
            return

    def wake(self) -> None:
        """Look at the copy."""
        self._woken.set()

    def behind(self) -> int:
        """Return how many events that happened since the client came were not sent yet."""
        return 0 if self._followed is None else self._followed.behind(self._hub.copy, since_it_came=True)

    def drop(self, reason: str, code: int = POLICY) -> None:
        """End the connection."""
        if not self._dropped.done():
            self._dropped.set_result(EndError(code, reason))

    async def _serve(self, followed: Subscriptions, principal: Principal) -> None:
        self._followed = followed
        self._answer(message("authenticated", user=principal.id))
        works = (self._listen(followed, principal), self._speak(followed), self._watch(principal), self._leave())
        with self._hub.follows(self):
            tasks = [asyncio.create_task(work) for work in works]
            try:
                ends_it: list[asyncio.Future[Any]] = [*tasks, self._dropped]
                await asyncio.wait(ends_it, return_when=asyncio.FIRST_COMPLETED)
            finally:
                # Whoever waits for a client that does not read is not waited for.
                for task in tasks:
                    task.cancel()
                ends = await asyncio.gather(*tasks, return_exceptions=True)
        if self._dropped.done():
            raise self._dropped.result()
        for end in ends:
            if isinstance(end, Exception):
                raise end

    async def _logged_in(self) -> Principal:
        try:
            async with asyncio.timeout(self._pace.log_in_s):
                return await self._authenticated()
        except TimeoutError:
            raise EndError(POLICY, f"no credential within {self._pace.log_in_s:g} s") from None

    async def _authenticated(self) -> Principal:
        shown = {name: self._socket.headers[name] for name in _CREDENTIALS if name in self._socket.headers}
        if not shown:
            said = await self._receive()
            if not isinstance(said, Authenticate):
                raise EndError(POLICY, "authenticate first")
            shown = _shown(said)
        self._headers = shown
        return await self._look(shown)

    async def _look(self, shown: dict[str, str]) -> Principal:
        """Look at a credential."""
        try:
            return await who(self._gatekeeper, shown, self._address)
        except NeuralTraderError as error:
            raise EndError(POLICY, error.code) from error

    async def _watch(self, principal: Principal) -> None:
        """End the connection soon after its credential does, after what it grants has changed, or is not read."""
        while True:
            await asyncio.sleep(self._pace.look_s)
            if self._reading.is_late():
                raise EndError(POLICY, SLOW)
            if self._reading.is_due():
                self._woken.set()
            _check_same(principal, await self._look(self._headers))

    async def _leave(self) -> None:
        """End the connection once this replica is being stopped: the client goes on at another."""
        await self._drain.begun()
        raise EndError(RESTART, REASON)

    async def _listen(self, followed: Subscriptions, principal: Principal) -> None:
        while True:
            said = await self._receive()
            if isinstance(said, Pong) and self._reading.answer(said.number):
                self._woken.set()
                continue
            if not self._said.take("", MESSAGES).allowed:
                raise EndError(POLICY, "too_many_messages")
            try:
                copy = await self._hub.shown()
                if isinstance(said, Subscribe):
                    self._answer(followed.add(said, copy))
                elif isinstance(said, Unsubscribe):
                    self._answer(followed.remove(said.channels))
                elif isinstance(said, Authenticate):
                    await self._renew(said, principal)
            except NeuralTraderError as error:
                self._answer(message("error", code=error.code, detail=str(error)))

    async def _renew(self, said: Authenticate, principal: Principal) -> None:
        """Take a new credential in the place of one that will expire; it grants the same, to the same user."""
        shown = _shown(said)
        _check_same(principal, await self._look(shown))
        self._headers = shown
        self._answer(message("authenticated", user=principal.id))

    async def _speak(self, followed: Subscriptions) -> None:
        while True:
            self._woken.clear()
            found = [*self._answers, *self._news(followed)]
            self._answers.clear()
            if found:
                await self._send(f"[{','.join(found)}]")
            elif self._reading.has_room and followed.behind(self._hub.copy):
                # Nothing of what was looked at is for this client; others get their turn before the rest is.
                await asyncio.sleep(0)
            else:
                try:
                    async with asyncio.timeout(HEARTBEAT_S):
                        await self._woken.wait()
                except TimeoutError:
                    self._answer(message("heartbeat", time=datetime.now(UTC).isoformat()))

    def _news(self, followed: Subscriptions) -> list[str]:
        """Next messages of the copy, where the client has read enough of the last, and the question whether he has."""
        found: list[str] = []
        if self._hub.copy is not None and self._reading.has_room:
            found = followed.take(self._hub.copy)
            self._reading.send(len(found))
        if self._reading.is_due():
            found.append(message("ping", number=self._reading.ask()))
        return found

    async def _send(self, frame: str) -> None:
        try:
            async with asyncio.timeout(self._pace.send_s):
                await self._socket.send_text(frame)
        except TimeoutError:
            raise EndError(POLICY, SLOW) from None

    def _answer(self, text: str) -> None:
        if len(self._answers) >= MOST_ANSWERS:
            raise EndError(POLICY, "too_many_messages")
        self._answers.append(text)
        self._woken.set()

    async def _receive(self) -> Said:
        frame = await self._socket.receive()
        if frame["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(frame.get("code", 1005))
        text = frame.get("text")
        data = text if text is not None else frame.get("bytes") or b""
        if len(data) > LARGEST:
            raise EndError(TOO_BIG, f"a message is larger than {LARGEST} bytes")
        try:
            return SAID.validate_json(data)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise EndError(POLICY, f"invalid_message: {where} {first['msg']}"[:120]) from None

    async def _close(self, end: EndError) -> None:
        if self._socket.application_state is WebSocketState.CONNECTED:
            with contextlib.suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
                async with asyncio.timeout(self._pace.close_s):
                    await self._socket.close(end.code, str(end))


def _shown(said: Authenticate) -> dict[str, str]:
    return {"authorization": f"Bearer {said.token}"}


def _check_same(before: Principal, now: Principal) -> None:
    """Whoever may see other things than before comes again, and is told then what he may."""
    if before.rights != now.rights:
        raise EndError(POLICY, "permissions_changed")
