"""The stream of the simulated venue: WebSocket listeners, their log-in in both forms, messages and their faults."""

import asyncio
import json
from typing import Any, Final

from websockets.frames import Frame, Opcode
from websockets.http11 import Request as Handshake
from websockets.protocol import State as ProtocolState
from websockets.server import ServerProtocol

from nt_ray.brokers.alpaca.simulator.faults import FaultKind, Faults
from nt_ray.brokers.alpaca.wire import Json, UnreadableError, parse

_GOING_AWAY: Final = 1001
_CHUNK: Final = 1 << 16


class Listener:
    """One WebSocket connection."""

    def __init__(self, writer: asyncio.StreamWriter, key: str, secret: str) -> None:
        self._writer = writer
        self._keys = (key, secret)
        self._protocol = ServerProtocol()
        self._authorized = False
        self.listens = False

    async def run(self, head: bytes, reader: asyncio.StreamReader) -> None:
        """Serve the connection until it ends."""
        self._protocol.receive_data(head)
        self._react()
        while not self._protocol.close_expected():
            data = await reader.read(_CHUNK)
            if not data:
                return
            self._protocol.receive_data(data)
            self._react()

    def send(self, message: Json) -> None:
        """Send a message, in a binary frame as the paper venue does."""
        if self._protocol.state is ProtocolState.OPEN:
            self._protocol.send_binary(json.dumps(message).encode())
            self._flush()

    def close(self) -> None:
        """Close the socket."""
        if self._protocol.state is ProtocolState.OPEN:
            self._protocol.send_close(_GOING_AWAY)
            self._flush()
        self._writer.close()

    def _react(self) -> None:
        for event in self._protocol.events_received():
            if isinstance(event, Handshake):
                self._protocol.send_response(self._protocol.accept(event))
            elif isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY):
                self._understand(bytes(event.data))
        self._flush()

    def _understand(self, data: bytes) -> None:
        try:
            message = parse(data)
        except UnreadableError:
            message = None
        message = message if isinstance(message, dict) else {}
        action, inner = message.get("action"), message.get("data")
        inner = inner if isinstance(inner, dict) else {}
        if action in ("auth", "authenticate"):
            given = (message.get("key"), message.get("secret"))
            self._log_in(given if action == "auth" else (inner.get("key_id"), inner.get("secret_key")))
        elif action == "listen" and self._authorized:
            self.listens = "trade_updates" in inner.get("streams", ())
            streams = ["trade_updates"] if self.listens else []
            self.send({"stream": "listening", "data": {"streams": streams}})
        else:
            self.send({"stream": "authorization", "data": {"status": "unauthorized", "action": str(action)}})

    def _log_in(self, given: tuple[Any, Any]) -> None:
        self._authorized = given == self._keys
        status = "authorized" if self._authorized else "unauthorized"
        self.send({"stream": "authorization", "data": {"status": status, "action": "authenticate"}})

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data and not self._writer.is_closing():
                self._writer.write(data)


class Listeners:
    """All connections, and what goes wrong on them."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._all: set[Listener] = set()
        self._held: Json | None = None

    def add(self, listener: Listener) -> None:
        """Take a connection in."""
        self._all.add(listener)

    def remove(self, listener: Listener) -> None:
        """Let a connection go."""
        self._all.discard(listener)

    def close(self) -> None:
        """Close all connections."""
        for listener in list(self._all):
            listener.close()

    def publish(self, message: Json) -> None:
        """Send a message to all who listen, or let it go wrong."""
        data = message["data"]
        fault = self._faults.message(data["event"], data["order"]["client_order_id"])
        if fault is not None and fault.kind is FaultKind.STREAM_CLOSE:
            self.close()
            return
        if fault is not None and fault.kind is FaultKind.STREAM_REORDER and self._held is None:
            self._held = message
            return
        self._send(message)
        if fault is not None and fault.kind is FaultKind.STREAM_DUPLICATE:
            self._send(message)
        if self._held is not None:
            held, self._held = self._held, None
            self._send(held)

    def _send(self, message: Json) -> None:
        for listener in self._all:
            if listener.listens:
                listener.send(message)
