"""The stream `trade_updates` at /stream, as Alpaca speaks it: log in, listen, and hear of every change of an order.

Messages are JSON in text or binary frames, as the client sends them, or MessagePack where it asks for that in the
header Content-Type. The key decides which account is heard. Who finds no seat, does not log in in time, sends nonsense
or too much, or does not read is told why, and the connection ends; so does one whose key has expired or was revoked,
and every one as soon as its replica begins to end.
"""

import asyncio
import contextlib
import json
import time
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from deployments.gateway.alpaca.followers import Followers, TooSlowError
from deployments.gateway.backend.accounts import Accounts
from deployments.gateway.middleware.identity import Gatekeeper
from deployments.gateway.security import account_of
from deployments.gateway.stream.connection import MESSAGES
from deployments.gateway.stream.draining import REASON, RESTART, Drain
from deployments.gateway.stream.seats import NoSeatError, Seats
from nt_ray.access.buckets import LocalBuckets
from nt_ray.access.roles import Scope
from nt_ray.brokers.alpaca.wire import Json
from nt_ray.errors import NeuralTraderError

PATH: Final = "/stream"
STREAM: Final = "trade_updates"
LOG_IN_S: Final = 10.0
LOOK_S: Final = 15.0
"""How often the credential is looked at again."""
SEND_S: Final = 20.0
CLOSE_S: Final = 2.0
LONGEST_MESSAGE: Final = 1 << 16
_PACKED: Final = "application/msgpack"
_POLICY, _TOO_BIG, _LATER = 1008, 1009, 1013
_LONGEST_REASON: Final = 120
_NO_SEAT: Final = 406
_FULL: Final = "connection limit exceeded"
"""Alpaca's number and words for connections that are too many."""


def stream(accounts: Accounts, gatekeeper: Gatekeeper, seats: Seats, drain: Drain | None = None) -> WebSocketRoute:
    """Route of the stream."""
    followers, ends = Followers(accounts), drain or Drain()

    async def serve(socket: WebSocket) -> None:
        await socket.accept()
        await _Connection(socket, followers, gatekeeper, seats, ends).run()

    return WebSocketRoute(PATH, serve, name="trade_updates")


class _EndError(Exception):
    """Ends the connection with a code and a reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class _Connection:
    """One client."""

    def __init__(
        self, socket: WebSocket, followers: Followers, gatekeeper: Gatekeeper, seats: Seats, drain: Drain
    ) -> None:
        self._socket = socket
        self._followers = followers
        self._gatekeeper = gatekeeper
        self._seats = seats
        self._address: str = socket.scope["state"]["address"]
        self._said = LocalBuckets(time.monotonic)
        self._drain = drain
        self._packed = socket.headers.get("content-type", "").lower() == _PACKED
        self._binary = self._packed
        self._user = self._account = ""
        self._shown = ("", "")
        self._sending: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Serve until the client leaves or has to."""
        try:
            with self._seats.address(self._address):
                async with asyncio.timeout(LOG_IN_S):
                    while not self._account:
                        await self._log_in(await self._receive())
                with self._seats.user(self._user):
                    await self._serve()
        except* NoSeatError:
            with contextlib.suppress(_EndError, WebSocketDisconnect):
                await self._send({"stream": "error", "data": {"code": _NO_SEAT, "error": _FULL}})
            await self._close(_LATER, _FULL)
        except* TimeoutError:
            await self._close(_POLICY, f"no log-in within {LOG_IN_S:g} s")
        except* _EndError as errors:
            first = errors.exceptions[0]
            await self._close(getattr(first, "code", _POLICY), str(first))
        except* WebSocketDisconnect:
            pass

    async def _serve(self) -> None:
        await self._send(_authorization("authorized", "authenticate"))
        async with asyncio.TaskGroup() as self._tasks:
            self._tasks.create_task(self._look_again())
            self._tasks.create_task(self._leave())
            while True:
                await self._obey(await self._receive())

    async def _look_again(self) -> None:
        """End the connection of a credential that has expired or was revoked."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                _, account = await self._authenticated()
            except NeuralTraderError as error:
                raise _EndError(_POLICY, error.code) from error
            if account != self._account:
                raise _EndError(_POLICY, "the key stands for another account now")

    async def _leave(self) -> None:
        """End the connection once this replica is being stopped: the client goes on at another."""
        await self._drain.begun()
        raise _EndError(RESTART, REASON)

    async def _authenticated(self) -> tuple[str, str]:
        """User and account of the credential that was shown."""
        principal = await asyncio.to_thread(self._gatekeeper.authenticate_pair, *self._shown, self._address)
        principal.require(Scope.TRADING_READ)
        return principal.id, account_of(principal, self._socket, Scope.TRADING_READ)

    async def _log_in(self, message: Json) -> None:
        action = str(message.get("action"))
        self._shown = _keys(message)
        try:
            self._user, self._account = await self._authenticated()
        except NeuralTraderError as error:
            await self._send(_authorization("unauthorized", action, str(error)))
            if error.status == 429:
                raise _EndError(_POLICY, "too many false credentials") from error

    async def _obey(self, message: Json) -> None:
        action, data = message.get("action"), message.get("data")
        if action != "listen":
            await self._send({"stream": "error", "data": {"error": f"action {str(action)[:40]!r} is not known here"}})
            return
        streams = data.get("streams") if isinstance(data, dict) else None
        listens = isinstance(streams, list) and STREAM in streams
        if listens and self._sending is None:
            await self._begin()
        elif not listens and self._sending is not None:
            self._sending.cancel()
            self._sending = None
        await self._send({"stream": "listening", "data": {"streams": [STREAM] if listens else []}})

    async def _begin(self) -> None:
        """Listen before that is said, so that nothing is missed after."""
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sending = self._tasks.create_task(self._forward(ready))
        await ready

    async def _forward(self, ready: "asyncio.Future[None]") -> None:
        try:
            async with self._followers.listening(self._account) as listener:
                ready.set_result(None)
                while True:
                    await self._send(await listener.next())
        except NeuralTraderError as error:
            code = _POLICY if isinstance(error, TooSlowError) else _LATER
            raise _EndError(code, str(error)[:_LONGEST_REASON]) from error

    async def _receive(self) -> Json:
        frame = await self._socket.receive()
        if frame["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(frame.get("code", 1005))
        if not self._said.take("", MESSAGES).allowed:
            raise _EndError(_POLICY, "too_many_messages")
        text, data = frame.get("text"), frame.get("bytes")
        if len(text or data or b"") > LONGEST_MESSAGE:
            raise _EndError(_TOO_BIG, f"a message is larger than {LONGEST_MESSAGE} bytes")
        self._binary = self._packed or text is None
        try:
            packed = self._packed and text is None and data is not None
            found = msgpack.unpackb(data) if packed else json.loads(text if text is not None else data or b"")
        except (ValueError, RecursionError, msgpack.UnpackException):
            found = None
        if not isinstance(found, dict):
            raise _EndError(_POLICY, "a message is not one object")
        return found

    async def _send(self, message: Json) -> None:
        try:
            async with asyncio.timeout(SEND_S):
                if self._packed:
                    await self._socket.send_bytes(msgpack.packb(message))
                elif self._binary:
                    await self._socket.send_bytes(json.dumps(message).encode())
                else:
                    await self._socket.send_text(json.dumps(message))
        except TimeoutError as error:
            raise _EndError(_POLICY, f"nothing was read for {SEND_S:g} s") from error
        except RuntimeError as error:
            # The client has closed the connection meanwhile.
            raise WebSocketDisconnect from error

    async def _close(self, code: int, reason: str) -> None:
        if self._socket.application_state is WebSocketState.CONNECTED:
            with contextlib.suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
                async with asyncio.timeout(CLOSE_S):
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
