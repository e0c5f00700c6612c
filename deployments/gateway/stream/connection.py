"""One client of the stream, from its first message to its end.

Frames to a client are JSON arrays of messages, so whoever reads slowly gets more of them at once. Who shows no
credential in time, sends nonsense, or does not read is told why, and the connection ends. A credential is looked at
again and again: one that has expired or was revoked ends its connection.
"""

import asyncio
import contextlib
import time
from collections import deque
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from deployments.gateway.middleware.identity import Gatekeeper
from deployments.gateway.stream.hub import Hub
from deployments.gateway.stream.messages import SAID, Authenticate, Subscribe, Unsubscribe
from deployments.gateway.stream.subscriptions import Subscriptions, message
from nt_ray.access.roles import Principal
from nt_ray.errors import NeuralTraderError

LOG_IN_S: Final = 10.0
HEARTBEAT_S: Final = 15.0
CLOSE_S: Final = 2.0
LARGEST: Final = 1 << 16
MOST_ANSWERS: Final = 100
POLICY: Final = 1008
TOO_BIG: Final = 1009
_CREDENTIALS: Final = ("authorization", "x-api-key", "apca-api-key-id", "apca-api-secret-key")


class EndError(Exception):
    """Ends a connection with a code and a reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Connection:
    """A client."""

    def __init__(self, socket: WebSocket, hub: Hub, gatekeeper: Gatekeeper, address: str) -> None:
        self._socket = socket
        self._hub = hub
        self._gatekeeper = gatekeeper
        self._address = address
        self._headers: dict[str, str] = {}
        self._answers: deque[str] = deque()
        self._woken = asyncio.Event()
        self._followed: Subscriptions | None = None
        self._dropped: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Serve until the client leaves or has to."""
        try:
            async with asyncio.timeout(LOG_IN_S):
                principal = await self._authenticated()
        except TimeoutError:
            await self._close(EndError(POLICY, f"no credential within {LOG_IN_S:g} s"))
        except EndError as error:
            await self._close(error)
        except WebSocketDisconnect:
            return
        else:
            await self._serve(Subscriptions(principal), principal)

    def wake(self) -> None:
        """Look at the copy."""
        self._woken.set()

    def behind(self) -> int:
        """Return how many events were not sent yet."""
        return 0 if self._followed is None else self._followed.behind(self._hub.copy)

    def drop(self, reason: str) -> None:
        """End the connection."""
        if not self._dropped.done():
            self._dropped.set_result(reason)

    async def _serve(self, followed: Subscriptions, principal: Principal) -> None:
        self._followed = followed
        self._answer(message("authenticated", user=principal.id))
        with self._hub.follows(self):
            tasks = [asyncio.create_task(self._listen(followed)), asyncio.create_task(self._speak(followed))]
            try:
                ends_it: list[asyncio.Future[Any]] = [*tasks, self._dropped]
                await asyncio.wait(ends_it, return_when=asyncio.FIRST_COMPLETED)
            finally:
                # Whoever waits for a client that does not read is not waited for.
                for task in tasks:
                    task.cancel()
                ends = await asyncio.gather(*tasks, return_exceptions=True)
        if self._dropped.done():
            await self._close(EndError(POLICY, self._dropped.result()))
        for end in ends:
            if isinstance(end, EndError):
                await self._close(end)
            elif isinstance(end, Exception) and not isinstance(end, WebSocketDisconnect):
                raise end

    async def _authenticated(self) -> Principal:
        shown = {name: self._socket.headers[name] for name in _CREDENTIALS if name in self._socket.headers}
        if not shown:
            said = await self._receive()
            if not isinstance(said, Authenticate):
                raise EndError(POLICY, "authenticate first")
            shown = {"authorization": f"Bearer {said.token}"}
        self._headers = shown
        return self._look()

    def _look(self) -> Principal:
        """Look at the credential."""
        try:
            return self._gatekeeper.authenticate(self._headers, self._address)
        except NeuralTraderError as error:
            raise EndError(POLICY, error.code) from error

    async def _listen(self, followed: Subscriptions) -> None:
        while True:
            said = await self._receive()
            try:
                while (copy := self._hub.copy) is None:
                    await asyncio.sleep(0.01)
                if isinstance(said, Subscribe):
                    self._answer(followed.add(said, copy))
                elif isinstance(said, Unsubscribe):
                    self._answer(followed.remove(said.channels))
                else:
                    self._answer(message("error", code="authenticated", detail="You are authenticated already."))
            except NeuralTraderError as error:
                self._answer(message("error", code=error.code, detail=str(error)))

    async def _speak(self, followed: Subscriptions) -> None:
        looked = time.monotonic()
        while True:
            self._woken.clear()
            found = [*self._answers]
            self._answers.clear()
            if self._hub.copy is not None:
                found += followed.take(self._hub.copy)
            if found:
                await self._socket.send_text(f"[{','.join(found)}]")
            if time.monotonic() - looked > HEARTBEAT_S:
                looked = time.monotonic()
                self._look()
            if found:
                continue
            if followed.behind(self._hub.copy):
                # Nothing of what was looked at is for this client; others get their turn before the rest is.
                await asyncio.sleep(0)
                continue
            try:
                await asyncio.wait_for(self._woken.wait(), HEARTBEAT_S)
            except TimeoutError:
                self._answer(message("heartbeat", time=datetime.now(UTC).isoformat()))

    def _answer(self, text: str) -> None:
        if len(self._answers) >= MOST_ANSWERS:
            raise EndError(POLICY, "too many messages")
        self._answers.append(text)
        self._woken.set()

    async def _receive(self) -> Authenticate | Subscribe | Unsubscribe:
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
                await asyncio.wait_for(self._socket.close(end.code, str(end)), CLOSE_S)
