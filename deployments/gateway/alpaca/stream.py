"""The stream `trade_updates` at /stream, as Alpaca speaks it: log in, listen, and hear of every change of an order.

Messages are JSON in text or binary frames, as the client sends them, or MessagePack where it asks for that in the
header Content-Type. The key decides which account is heard. Who does not log in in time, sends nonsense or does not
read is told why, and the connection ends.
"""

import asyncio
import contextlib
import json
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from deployments.gateway.alpaca.followers import Followers, Listener, TooSlowError
from deployments.gateway.backend.accounts import Accounts
from deployments.gateway.middleware.identity import Gatekeeper
from deployments.gateway.security import account_of
from nt_ray.access.roles import Principal, Scope
from nt_ray.brokers.alpaca.wire import Json
from nt_ray.errors import NeuralTraderError

PATH: Final = "/stream"
STREAM: Final = "trade_updates"
LOG_IN_S: Final = 10.0
LONGEST_MESSAGE: Final = 1 << 16
_PACKED: Final = "application/msgpack"
_POLICY, _TOO_BIG, _LATER = 1008, 1009, 1013


def stream(accounts: Accounts, gatekeeper: Gatekeeper) -> WebSocketRoute:
    """Route of the stream."""
    followers = Followers(accounts)

    async def serve(socket: WebSocket) -> None:
        await socket.accept()
        connection = _Connection(socket, followers, gatekeeper)
        try:
            await connection.run()
        except WebSocketDisconnect:
            return
        finally:
            await connection.end()

    return WebSocketRoute(PATH, serve, name="trade_updates")


class _MessageError(Exception):
    """A message that ends the connection."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class _Connection:
    """One client."""

    def __init__(self, socket: WebSocket, followers: Followers, gatekeeper: Gatekeeper) -> None:
        self._socket = socket
        self._followers = followers
        self._gatekeeper = gatekeeper
        self._packed = socket.headers.get("content-type", "").lower() == _PACKED
        self._binary = self._packed
        self._account = ""
        self._sending: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Serve until the client leaves or has to."""
        try:
            async with asyncio.timeout(LOG_IN_S):
                while not self._account:
                    await self._log_in(await self._receive())
            while True:
                await self._obey(await self._receive())
        except TimeoutError:
            await self._close(_POLICY, f"no log-in within {LOG_IN_S:g} s")
        except _MessageError as error:
            await self._close(error.code, str(error))

    async def end(self) -> None:
        """Stop sending."""
        if self._sending is not None:
            self._sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sending

    async def _log_in(self, message: Json) -> None:
        action = str(message.get("action"))
        try:
            key, secret = _keys(message)
            principal = await asyncio.to_thread(
                self._gatekeeper.authenticate_pair, key, secret, self._socket.scope["state"]["address"]
            )
            self._account = self._account_of(principal)
        except NeuralTraderError as error:
            await self._send(_authorization("unauthorized", action, str(error)))
            if error.status == 429:
                raise _MessageError(_POLICY, "too many false credentials") from error
            return
        await self._send(_authorization("authorized", "authenticate"))

    def _account_of(self, principal: Principal) -> str:
        principal.require(Scope.TRADING_READ)
        return account_of(principal, self._socket, Scope.TRADING_READ)

    async def _obey(self, message: Json) -> None:
        action, data = message.get("action"), message.get("data")
        if action != "listen":
            await self._send({"stream": "error", "data": {"error": f"action {str(action)[:40]!r} is not known here"}})
            return
        streams = data.get("streams") if isinstance(data, dict) else None
        listens = isinstance(streams, list) and STREAM in streams
        if listens and self._sending is None:
            await self._begin()
        elif not listens:
            await self.end()
            self._sending = None
        await self._send({"stream": "listening", "data": {"streams": [STREAM] if listens else []}})

    async def _begin(self) -> None:
        """Listen before that is said, so that nothing is missed after."""
        ready = asyncio.Event()

        async def forward() -> None:
            async with self._followers.listening(self._account) as listener:
                ready.set()
                await self._forward(listener)

        self._sending = asyncio.create_task(forward())
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({self._sending, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._sending.done() and (error := self._sending.exception()) is not None:
            self._sending = None
            if not isinstance(error, NeuralTraderError):
                raise error
            raise _MessageError(_LATER, str(error)[:120]) from error

    async def _forward(self, listener: Listener) -> None:
        try:
            while True:
                await self._send(await listener.next())
        except TooSlowError as error:
            await self._close(_POLICY, str(error)[:120])
        except (WebSocketDisconnect, RuntimeError):
            # It has gone; who reads from it notices as well.
            return

    async def _receive(self) -> Json:
        frame = await self._socket.receive()
        if frame["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(frame.get("code", 1005))
        text, data = frame.get("text"), frame.get("bytes")
        if len(text or data or b"") > LONGEST_MESSAGE:
            raise _MessageError(_TOO_BIG, f"a message is larger than {LONGEST_MESSAGE} bytes")
        self._binary = self._packed or text is None
        try:
            packed = self._packed and text is None and data is not None
            found = msgpack.unpackb(data) if packed else json.loads(text if text is not None else data or b"")
        except (ValueError, RecursionError, msgpack.UnpackException):
            found = None
        if not isinstance(found, dict):
            raise _MessageError(_POLICY, "a message is not one object")
        return found

    async def _send(self, message: Json) -> None:
        if self._packed:
            await self._socket.send_bytes(msgpack.packb(message))
        elif self._binary:
            await self._socket.send_bytes(json.dumps(message).encode())
        else:
            await self._socket.send_text(json.dumps(message))

    async def _close(self, code: int, reason: str) -> None:
        if self._socket.application_state is WebSocketState.CONNECTED:
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await self._socket.close(code, reason)


def _keys(message: Json) -> tuple[str, str]:
    """Id and secret of a log-in, in the new form or the old one."""
    action, data = message.get("action"), message.get("data")
    inner: dict[str, Any] = data if isinstance(data, dict) else {}
    if action == "auth":
        found = (message.get("key"), message.get("secret"))
    elif action == "authenticate":
        found = (inner.get("key_id"), inner.get("secret_key"))
    else:
        found = ("", "")
    return tuple(part if isinstance(part, str) else "" for part in found)  # type: ignore[return-value]


def _authorization(status: str, action: str, why: str = "") -> Json:
    told = {"message": why} if why else {}
    return {"stream": "authorization", "data": {"status": status, "action": action[:40], **told}}
