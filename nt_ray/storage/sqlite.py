"""Opening SQLite files: one way, with errors that say what is wrong with the file.

Each kind of file carries an application id and a schema version in its header, so that a journal is never
opened as a venue's book, and a file from a newer version is refused before anything is read from it.
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nt_ray.errors import StorageError

_TIMEOUT_S: Final = 5.0
_PAUSE_S: Final = 0.005


class MissingError(StorageError):
    """What was to be read does not exist."""

    code = "missing"
    status = 404
    exit_code = 2


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of SQLite file: its name for people, its header numbers, its tables.

    `durable` waits for the disk at each commit (survives loss of power); otherwise a commit survives the
    death of the process. `upgrade` brings a file of an older version up to date, in one transaction; without it such a
    file is refused.
    """

    name: str
    application_id: int
    version: int
    schema: str
    durable: bool
    upgrade: Callable[[sqlite3.Connection], None] | None = None


def upgraded_to(version: int, *statements: str) -> Callable[[sqlite3.Connection], None]:
    """Make the upgrade to a version of files of the version before; several processes may open one at once."""

    def upgrade(connection: sqlite3.Connection) -> None:
        with transaction(connection):
            if _header(connection)[1] < version:
                for statement in statements:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {version}")

    return upgrade


def open_database(path: Path, kind: FileKind, *, create: bool = True) -> sqlite3.Connection:
    """Open or create a file of this kind in WAL mode; transactions are begun explicitly.

    Not `create`: a file that is not there or not up to date is refused, and nothing is written.
    """
    if not create and not path.is_file():
        raise MissingError(f"{path} does not exist. Give the path of a {kind.name}.")
    if not path.parent.is_dir():
        raise StorageError(f"The folder {path.parent} of the {kind.name} does not exist. Create it first.")
    connection = None
    try:
        # One owner at a time; which thread that is may change, as in an actor.
        connection = sqlite3.connect(path, timeout=_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        _prepare(connection, path, kind, create=create)
    except sqlite3.DatabaseError as error:
        _close(connection)
        raise StorageError(
            f"{path} cannot be used as a {kind.name}: {error}. Give the path of a {kind.name}."
        ) from error
    except StorageError:
        _close(connection)
        raise
    return connection


def _close(connection: sqlite3.Connection | None) -> None:
    if connection is not None:
        connection.close()


def _prepare(connection: sqlite3.Connection, path: Path, kind: FileKind, *, create: bool) -> None:
    # One transaction reads one state: another process may be making the file at this moment.
    connection.execute("BEGIN")
    application_id, version, tables = _header(connection)
    connection.execute("COMMIT")
    if application_id != kind.application_id and (application_id != 0 or tables):
        raise StorageError(f"{path} is a database, but not a {kind.name}. Give the path of a {kind.name}.")
    if version > kind.version:
        raise StorageError(
            f"{path} has schema version {version}; this program knows {kind.version}. Update the program."
        )
    if version < kind.version and not create:
        raise StorageError(f"{path} has schema version {version}, not {kind.version}. Let its writer open it once.")
    _write_ahead(connection)
    connection.execute(f"PRAGMA synchronous = {'FULL' if kind.durable else 'NORMAL'}")
    if version == 0:
        _create(connection, kind)
    elif version < kind.version:
        if kind.upgrade is None:
            raise StorageError(
                f"{path} has schema version {version}; this program needs {kind.version}. Start with a new "
                f"{kind.name}, or use the program that wrote it."
            )
        kind.upgrade(connection)


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to WAL mode; SQLite gives up at once where another process does the same, so it is tried again."""
    ends = time.monotonic() + _TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= ends:
                raise
            time.sleep(_PAUSE_S)
        else:
            return


def _header(connection: sqlite3.Connection) -> tuple[int, int, int]:
    application_id = int(connection.execute("PRAGMA application_id").fetchone()[0])
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    return application_id, version, tables


def _create(connection: sqlite3.Connection, kind: FileKind) -> None:
    """Create the tables in one transaction; two processes that open a new file at once create them once."""
    with transaction(connection):
        if _header(connection)[1] < kind.version:
            for statement in kind.schema.split(";;"):
                if statement.strip():
                    connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {kind.application_id}")
            connection.execute(f"PRAGMA user_version = {kind.version}")


def transaction(connection: sqlite3.Connection) -> AbstractContextManager[None]:
    """Write in one transaction: all that is done within, or nothing where anything is raised."""
    return _Transaction(connection)


class _Transaction:
    """A class, since orders pass here: a generator as a context costs several times as much."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        try:
            if kind is None:
                self._connection.execute("COMMIT")
        finally:
            # After some failures, as of a full disk, SQLite has rolled back by itself.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
