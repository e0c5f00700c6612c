"""A connection to Postgres that is called from plain code and comes back by itself.

It owns an event loop in a thread of its own, so that it works under any caller, inside a running loop, too. A call
whose connection is lost is made again on a new one until `patience` is over: callers hand over statements that may be
repeated. It knows nothing of journals. A password appears in no message.
"""

import asyncio
import re
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from nt_ray.errors import BadInputError, StorageError

_T = TypeVar("_T")

_SCHEMA_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")

_LOST: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # A connection that was closed while it was idle may be found in the middle of nothing.
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    OSError,
    TimeoutError,
)
"""What is raised where the server went away or the answer did not come."""

CALL_SECONDS: Final = 30.0
"""Longest wait for one answer."""

RELEASE_SECONDS: Final = 2.0
"""Longest wait for the answer to a farewell."""


class PostgresAddressError(BadInputError):
    """An address of Postgres that cannot be used."""

    code = "journal_address"


class PostgresLoginError(StorageError):
    """The server does not let the user of the address in; asking again would not help."""

    code = "journal_login"
    exit_code = 2

    def __init__(self, name: str, error: Exception) -> None:
        super().__init__(
            f"{name} does not let this user in: {str(error).rstrip('.')}. Give the user's password in the address, as "
            "postgresql://USER:PASSWORD@HOST/DATABASE (NT_ACCOUNT__JOURNAL), or in PGPASSWORD or ~/.pgpass."
        )


@dataclass(frozen=True, slots=True)
class Address:
    """Where a journal lies: the server's address as the driver takes it, the schema, and a name without a password."""

    url: str = field(repr=False)
    schema: str
    name: str

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read `postgresql://USER:PASSWORD@HOST:PORT/DATABASE?schema=NAME`."""
        parts = urlsplit(text)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        schema = options.pop("schema", "journal")
        user = f"{parts.username}@" if parts.username else ""
        place = parts.netloc.rpartition("@")[2]
        shown = f"postgresql://{user}{place}{parts.path}?schema={schema}"
        if not _SCHEMA_NAME.fullmatch(schema):
            raise PostgresAddressError(f"{shown} has no usable schema. Give 1 to 63 of a-z 0-9 _, such as schema=east.")
        try:
            _ = parts.port
        except ValueError:
            raise PostgresAddressError(f"{shown} has no usable port. Give a number, such as 5432.") from None
        if not parts.path.strip("/"):
            raise PostgresAddressError(f"{shown} names no database. Write postgresql://USER@HOST/DATABASE.")
        url = urlunsplit(("postgresql", parts.netloc, parts.path, urlencode(options), ""))
        return cls(url, schema, shown)


class PostgresLink:
    """One connection, opened on first use and again after a loss."""

    def __init__(self, address: Address, patience: float = 10.0) -> None:
        self.address = address
        self._patience = patience
        self._connection: asyncpg.Connection | None = None
        self._always: tuple[Any, ...] = ()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="journal", daemon=True)
        self._thread.start()

    def call(self, work: Callable[["asyncpg.Connection"], Awaitable[_T]]) -> _T:
        """Let `work` run on the connection; `StorageError` where the server refuses or cannot be reached."""
        return self._wait(self._call(work))

    def always(self, statement: str, *arguments: object) -> None:
        """Run a statement now and on every connection that follows this one."""
        self._always = (statement, *arguments)
        self.call(lambda c: c.execute(*self._always))

    def close(self) -> None:
        """Close the connection and end the thread."""
        if self._loop.is_closed():
            return
        self._wait(self._release())
        self._wait(self._drop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def drop(self) -> None:
        """Close the connection; the next call opens another."""
        self._wait(self._drop())

    def _wait(self, work: Coroutine[Any, Any, _T]) -> _T:
        if self._loop.is_closed():
            work.close()
            raise StorageError(f"{self.address.name} cannot be used: it is closed. Open the journal anew.")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _call(self, work: Callable[["asyncpg.Connection"], Awaitable[_T]]) -> _T:
        until = monotonic() + self._patience
        pause = 0.05
        while True:
            try:
                async with asyncio.timeout(CALL_SECONDS):
                    return await work(await self._connected())
            except asyncpg.InvalidAuthorizationSpecificationError as error:
                raise PostgresLoginError(self.address.name, error) from error
            except _LOST as error:
                await self._drop()
                if monotonic() + pause > until:
                    raise self._failed(error, "Start the server, or mend the network") from error
            except asyncpg.PostgresError as error:
                raise self._failed(error, "Check the database and the rights of its user") from error
            await asyncio.sleep(pause)
            pause = min(2 * pause, 1.0)

    async def _connected(self) -> "asyncpg.Connection":
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self.address)
            if self._always:
                await self._connection.execute(*self._always)
        return self._connection

    async def _release(self) -> None:
        """Give locks of the session back at once: the server notices its end a little later."""
        connection = self._connection
        if self._always and connection is not None and not connection.is_closed():
            with suppress(*_LOST, asyncpg.PostgresError):
                await connection.execute("SELECT pg_advisory_unlock_all()", timeout=RELEASE_SECONDS)

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    def _failed(self, error: BaseException, remedy: str) -> StorageError:
        said = str(error) or type(error).__name__
        return StorageError(f"{self.address.name} cannot be used: {said.rstrip('.')}. {remedy}.")


async def connect(address: Address) -> "asyncpg.Connection":
    """Open a connection whose names are those of the schema."""
    return await asyncpg.connect(
        address.url, timeout=5.0, command_timeout=CALL_SECONDS, server_settings={"search_path": address.schema}
    )
