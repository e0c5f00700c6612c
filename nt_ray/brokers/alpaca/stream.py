"""The stream `trade_updates`: a thread that listens, and a buffer that whoever asks drains.

Invariant of the buffer: messages leave in the order in which they arrived, each once. When it is full the oldest are
dropped and counted; a connection that breaks is made anew with growing, jittered pauses and counted too. Nothing is
lost by that: what happened in a gap is found by asking for executions and orders. Frames may be text or binary.
Refused keys end the listening for good. It knows no order.
"""

import json
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.sync.client import ClientConnection, connect

from nt_ray.brokers.alpaca.access import AlpacaAccess
from nt_ray.brokers.alpaca.wire import Json, UnreadableError, parse
from nt_ray.brokers.base import AuthenticationError

_TRADE_UPDATES: Final = "trade_updates"
_MOST_MESSAGES: Final = 10_000
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0


class UpdateStream:
    """Listens to one account's order updates from `start` to `close`."""

    def __init__(self, access: AlpacaAccess, timeout_s: float, jitter: Callable[[], float]) -> None:
        self._access = access
        self._timeout = timeout_s
        self._jitter = jitter
        self._messages: deque[Json] = deque(maxlen=_MOST_MESSAGES)
        self._changed = threading.Condition()
        self._ends = threading.Event()
        self._listening = threading.Event()
        self._thread: threading.Thread | None = None
        self._connection: ClientConnection | None = None
        self._refusal = threading.Event()
        self.dropped = 0
        self.broken = 0

    def wait_until_listening(self, seconds: float) -> bool:
        """Wait until updates arrive; False where they do not within that time."""
        return self._listening.wait(seconds)

    def wait_until_refused(self, seconds: float) -> bool:
        """Wait until the venue has refused the keys; False where it does not within that time."""
        return self._refusal.wait(seconds)

    def wait_for_message(self, seconds: float) -> bool:
        """Wait until a message has arrived; False where none does within that time."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self._messages), seconds)

    def start(self) -> None:
        """Begin to listen, once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="alpaca-updates", daemon=True)
            self._thread.start()

    def drain(self) -> list[Json]:
        """Take what has arrived; raise `AuthenticationError` where the venue refused the keys."""
        with self._changed:
            taken = list(self._messages)
            self._messages.clear()
        if not taken and self._refusal.is_set():
            raise AuthenticationError("alpaca does not accept the keys for its stream. Check key and secret.")
        return taken

    def close(self) -> None:
        """Stop listening and wait for the thread."""
        self._ends.set()
        with self._changed:
            connection = self._connection
        if connection is not None:
            connection.close()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        pause = _FIRST_PAUSE_S
        while not self._ends.is_set() and not self._refusal.is_set():
            try:
                with connect(
                    self._access.stream, open_timeout=self._timeout, close_timeout=1, proxy=None, compression=None
                ) as connection:
                    self._adopt(connection)
                    if self._subscribed(connection):
                        pause = _FIRST_PAUSE_S
                        self._listen(connection)
                        self.broken += not self._ends.is_set()
            except (OSError, TimeoutError, ConnectionClosed, InvalidHandshake, InvalidURI, UnreadableError):
                self.broken += 1
            finally:
                self._adopt(None)
            self._ends.wait(pause * (0.5 + self._jitter()))
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _adopt(self, connection: ClientConnection | None) -> None:
        with self._changed:
            self._connection = connection
        if connection is not None and self._ends.is_set():
            connection.close()

    def _subscribed(self, connection: ClientConnection) -> bool:
        """Authenticate and ask for order updates."""
        key, secret = self._access.key.get_secret_value(), self._access.secret.get_secret_value()
        connection.send(json.dumps({"action": "auth", "key": key, "secret": secret}))
        answer = _message(connection.recv(self._timeout))
        if _data(answer).get("status") != "authorized":
            if answer.get("stream") == "authorization":
                self._refusal.set()
            return False
        connection.send(json.dumps({"action": "listen", "data": {"streams": [_TRADE_UPDATES]}}))
        answer = _message(connection.recv(self._timeout))
        return answer.get("stream") == "listening" and _TRADE_UPDATES in (_data(answer).get("streams") or ())

    def _listen(self, connection: ClientConnection) -> None:
        self._listening.set()
        try:
            for frame in connection:
                message = _message(frame)
                if message.get("stream") != _TRADE_UPDATES:
                    continue
                with self._changed:
                    self.dropped += len(self._messages) == _MOST_MESSAGES
                    self._messages.append(_data(message))
                    self._changed.notify_all()
        finally:
            # Whoever sees that it broke must not see that it listens.
            self._listening.clear()


def _message(frame: str | bytes) -> Json:
    message = parse(frame)
    if not isinstance(message, dict):
        raise UnreadableError("a message of the stream")
    return message


def _data(message: Json) -> dict[str, Any]:
    data = message.get("data")
    return data if isinstance(data, dict) else {}
