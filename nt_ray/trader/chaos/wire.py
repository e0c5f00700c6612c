"""The wire between a trader and its PostgreSQL: a socket that can be cut at the worst moments.

It stands between the two, passes everything on, and breaks a connection when it is told to: before a message of the
trader passes, or after the server has done what the message asks and before the answer comes through, when a COMMIT
has happened of which the trader does not know. It can also let the server itself throw the trader out. It understands
nothing of what passes.
"""

import asyncio
import selectors
import socket
import threading
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

_CHUNK: Final = 1 << 16
_EXPEL: Final = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1"


class Cut(StrEnum):
    """How a connection breaks."""

    REQUEST = "before a request"
    ANSWER = "before an answer"
    EXPELLED = "by the server"


class Wire:
    """A socket in `folder` that leads to the server of a journal's address; `url` is the journal's address through it.

    The server is reached without TLS.
    """

    def __init__(self, journal: str, folder: Path) -> None:
        parts = urlsplit(journal)
        query = dict(parse_qsl(parts.query))
        schema, host = query.pop("schema", "journal"), query.pop("host", "")
        self._server = (parts.hostname or "127.0.0.1", parts.port or 5432)
        self._socket = str(Path(host) / f".s.PGSQL.{parts.port or 5432}") if host.startswith("/") else ""
        self._straight = urlunsplit(parts._replace(query=urlencode(query | ({"host": host} if host else {}))))
        # Only this drill's own connections are thrown out.
        self._name = f"nt-ray-drill-{schema}"
        user = parts.netloc.rpartition("@")[0]
        through = query | {"host": str(folder), "application_name": self._name, "schema": schema}
        netloc = f"{user}@" if user else ""
        self.url = urlunsplit(("postgresql", netloc, parts.path, urlencode(through), ""))
        self.cuts: dict[Cut, int] = dict.fromkeys(Cut, 0)
        self._due: tuple[Cut, int] | None = None
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(folder / ".s.PGSQL.5432"))
        self._listening.listen()
        self._accepting = threading.Thread(target=self._accept, name="wire", daemon=True)
        self._accepting.start()

    def cut(self, how: Cut, message: int = 1) -> None:
        """Break a connection at the trader's `message`-th message from now on: before it, or before its answer."""
        with self._lock:
            self._due = (how, message)

    def expel(self) -> int:
        """Let the server throw the trader out; return how many connections that ended."""
        found = asyncio.run(self._expel())
        self.cuts[Cut.EXPELLED] += found
        return found

    def heal(self) -> None:
        """Break nothing any more."""
        with self._lock:
            self._due = None

    def close(self) -> None:
        """Stop listening, and wait until whoever is connected has gone."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in (self._accepting, *self._threads):
            thread.join()

    async def _expel(self) -> int:
        connection = await asyncpg.connect(self._straight)
        try:
            return len(await connection.fetch(_EXPEL, self._name))
        finally:
            await connection.close()

    def _accept(self) -> None:
        while True:
            try:
                trader, _ = self._listening.accept()
            except OSError:
                return
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            thread = threading.Thread(target=self._join, args=(trader,), name="wire", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _join(self, trader: socket.socket) -> None:
        with trader, self._connected() as server, selectors.DefaultSelector() as selector, suppress(OSError):
            selector.register(trader, selectors.EVENT_READ)
            selector.register(server, selectors.EVENT_READ)
            swallowed = False
            while True:
                for key, _ in selector.select():
                    is_request = key.fileobj is trader
                    data = (trader if is_request else server).recv(_CHUNK)
                    if not data or (swallowed and not is_request):
                        return
                    how = self._due_now() if is_request else None
                    if how is Cut.REQUEST:
                        return
                    swallowed = swallowed or how is Cut.ANSWER
                    (server if is_request else trader).sendall(data)

    def _connected(self) -> socket.socket:
        if not self._socket:
            return socket.create_connection(self._server)
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._socket)
        return server

    def _due_now(self) -> Cut | None:
        """Take the cut that is due at this message, if one is."""
        with self._lock:
            if self._due is None:
                return None
            how, left = self._due
            self._due = (how, left - 1) if left > 1 else None
            if left > 1:
                return None
            self.cuts[how] += 1
            return how
