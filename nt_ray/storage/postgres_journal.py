"""A journal in one schema of a Postgres database.

The events, the epochs and their guards are the same as in SQLite. An append is one call of a function in the database:
it takes the writer's lock, compares epoch and head, and inserts, in one transaction. Repeated with the same rows it
finds them and inserts nothing, so an append whose answer was lost is simply made again: its rows are never there twice
and never missing. Where even that fails, the writer's next append is refused (`MovedError`) if the lost one had come
through.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from nt_ray.errors import StorageError
from nt_ray.storage.chain import BEGINNING, Head, Row
from nt_ray.storage.holding import Holder
from nt_ray.storage.journal import Journal, MovedError, Snapshot
from nt_ray.storage.migration import VERSION_TABLE, upgrade_postgres
from nt_ray.storage.postgres_link import Address, PostgresLink, connect
from nt_ray.storage.schema import VERSION, revision
from nt_ray.storage.sqlite import MissingError

if TYPE_CHECKING:
    from sqlalchemy import Connection

_PAGE: Final = 10_000
"""Rows read at once."""

_APPEND: Final = "SELECT outcome, newest FROM append_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
_ROWS: Final = (
    "SELECT seq, epoch, time, kind, client_order_id, payload, hash FROM events WHERE seq > $1 ORDER BY seq LIMIT $2"
)

_NEWEST: Final = "SELECT max(epoch) FROM epochs"
# Shared, so that it never waits; the session's own end gives it back, and a new one takes it again.
_HOLD: Final = "SELECT pg_advisory_lock_shared(hashtext('nt-ray writer ' || current_schema()), $1::bigint::int)"
_IS_FREE: Final = "SELECT pg_try_advisory_xact_lock(hashtext('nt-ray writer ' || current_schema()), $1::bigint::int)"
_KEEP: Final = (
    "INSERT INTO snapshots VALUES ($1, $2, $3, $4) ON CONFLICT (seq) DO UPDATE "
    "SET hash = excluded.hash, digest = excluded.digest, state = excluded.state"
)
_FORGET: Final = "DELETE FROM snapshots WHERE seq NOT IN (SELECT seq FROM snapshots ORDER BY seq DESC LIMIT 2)"


class PostgresJournal(Journal):
    """Journal of one account in one schema."""

    def __init__(self, url: str, *, create: bool = True, patience: float = 10.0) -> None:
        address = Address.parse(url)
        self.name = address.name
        self._patience = patience
        self._link = PostgresLink(address, patience)
        try:
            self._prepare(create=create)
        except StorageError:
            self._link.close()
            raise

    @property
    def head(self) -> Head:
        """Number and hash of the last event in the schema, whoever wrote it."""
        found = self._row("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1")
        return BEGINNING if found is None else Head(*found)

    def open_epoch(self) -> int:
        """Take a new epoch: from now on every older writer is fenced off."""
        newest, seq, digest = self._row("SELECT newest, last_seq, last_hash FROM take_epoch()") or (0, None, b"")
        self._epoch, self._head = newest, BEGINNING if seq is None else Head(seq, digest)
        self._link.always(_HOLD, newest)
        return self._epoch

    def holder(self) -> Holder | None:
        """Who writes the schema now."""
        (newest,) = self._row(_NEWEST) or (None,)
        return None if newest is None or self._row(_IS_FREE, newest) == (True,) else Holder(newest)

    def confirm(self) -> None:
        """Raise `FencedError` where another writer has taken over."""
        self._compare(self._row(_NEWEST))

    def rows(self, after: int = 0) -> Iterator[Row]:
        """Read events as they are stored, after a sequence number, oldest first."""
        while True:
            page = self._page(after)
            for values in page:
                yield Row(*values)
            if len(page) < _PAGE:
                return
            after = page[-1][0]

    def write_snapshot(self, state: str, place: Head | None = None) -> None:
        """Keep the state after an event; the newest two are kept."""
        snapshot = Snapshot.of(place or self._head, state)

        async def keep(connection: "asyncpg.Connection") -> None:
            # The long part comes before the writer's lock, for which appends would have to wait.
            async with connection.transaction():
                await connection.execute(_KEEP, *snapshot)
                await connection.execute("SELECT take_writers_lock()")
                self._compare(await connection.fetchrow(_NEWEST))
                await connection.execute(_FORGET)

        # A connection of its own, so that it may be written from another thread.
        with closing(PostgresLink(self._link.address, self._patience)) as aside:
            aside.call(keep)

    def close(self) -> None:
        """Let go of the connection; nothing is pending."""
        self._link.close()

    def _write(self, rows: Sequence[Row], *, durable: bool) -> None:
        seqs, _, times, kinds, ids, payloads, hashes = zip(*rows, strict=True)
        found = self._row(_APPEND, self._epoch, *self._head, durable, seqs, times, kinds, ids, payloads, hashes)
        outcome, newest = found or ("", None)
        if outcome == "fenced":
            raise self._fenced(newest)
        if outcome == "moved":
            raise MovedError(self.name, self._head)

    def _snapshots(self) -> Iterator[Snapshot]:
        for (seq,) in self._link.call(lambda c: c.fetch("SELECT seq FROM snapshots ORDER BY seq DESC")):
            found = self._row("SELECT seq, hash, digest, state FROM snapshots WHERE seq = $1", seq)
            if found is not None:
                yield Snapshot(*found)

    def _hash_at(self, seq: int) -> bytes | None:
        found = self._row("SELECT hash FROM events WHERE seq = $1", seq)
        return None if found is None else found[0]

    def _page(self, after: int) -> list[tuple[Any, ...]]:
        return self._link.call(lambda c: c.fetch(_ROWS, after, _PAGE))

    def _row(self, statement: str, *arguments: object) -> tuple[Any, ...] | None:
        found = self._link.call(lambda c: c.fetchrow(statement, *arguments))
        return None if found is None else tuple(found)

    def _compare(self, found: tuple[Any, ...] | None) -> None:
        newest = None if found is None else found[0]
        if newest != self._epoch or not self._epoch:
            raise self._fenced(newest)

    def _prepare(self, *, create: bool) -> None:
        """Make sure that the tables are there and of the version that this program knows."""
        version = self._version()
        if version == revision(VERSION):
            return
        if version is not None and version > revision(VERSION):
            raise StorageError(
                f"{self.name} has schema version {version}; this program knows {revision(VERSION)}. Update the program."
            )
        if not create and version is None:
            raise MissingError(f"{self.name} holds no journal. Give the schema of one, as schema=east.")
        if not create:
            raise StorageError(
                f"{self.name} has schema version {version}, not {revision(VERSION)}. Let its writer open it once."
            )
        self._link.call(self._upgrade)
        self._link.drop()

    def _version(self) -> str | None:
        table = f"{self._link.address.schema}.{VERSION_TABLE}"
        if self._row("SELECT to_regclass($1)::text", table) == (None,):
            return None
        found = self._row("SELECT version_num FROM alembic_version")
        return None if found is None else str(found[0])

    async def _upgrade(self, _: "asyncpg.Connection") -> None:
        from sqlalchemy.exc import DBAPIError
        from sqlalchemy.ext.asyncio import create_async_engine
        from sqlalchemy.pool import NullPool

        address = self._link.address
        engine = create_async_engine(
            "postgresql+asyncpg://", async_creator=lambda *_, **__: connect(address), poolclass=NullPool
        )

        def migrate(connection: "Connection") -> None:
            # Two who open a new journal at once make it once.
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('nt-ray journal'))")
            known = connection.exec_driver_sql("SELECT to_regnamespace($1)::text", (address.schema,)).scalar()
            if known is None:
                connection.exec_driver_sql(f'CREATE SCHEMA "{address.schema}"')
            upgrade_postgres(connection, address.schema)

        try:
            async with engine.begin() as connection:
                await connection.run_sync(migrate)
        except DBAPIError as error:
            # The driver's own error says whether the connection was lost, and the upgrade may be made again.
            cause = error.orig and error.orig.__cause__
            raise cause or error from error
        finally:
            await engine.dispose()
