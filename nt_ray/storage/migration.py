"""Bringing the tables of a journal up to date: Alembic, over the tree in `nt_ray.storage.migrations`.

A new SQLite file takes a short cut: it is made with the newest tables at once, by the very statements of the tree, so
that opening one does not load SQLAlchemy. The migrated and the new file are the same; a test says so.
"""

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nt_ray.errors import StorageError
from nt_ray.storage.schema import STEPS, VERSION, revision

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

TREE: Final = Path(__file__).parent / "migrations"

VERSION_TABLE: Final = "alembic_version"

_STAMP: Final = (
    """CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
)""",
    "INSERT INTO alembic_version VALUES ('VERSION')".replace("VERSION", revision(VERSION)),
)
"""What Alembic makes to note a version."""


def sqlite_schema() -> str:
    """Statements that make the newest tables in an empty file, and note their version for Alembic."""
    statements = [s for parts in STEPS["sqlite"].values() for part in parts for s in part]
    return ";;".join([*statements, *_STAMP])


def upgrade_sqlite(connection: sqlite3.Connection) -> None:
    """Bring the tables of an older file up to date, in one transaction."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import StaticPool

    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    try:
        # Ends with a commit, or with a rollback where anything is raised.
        with engine.begin() as migrating:
            connection.execute("BEGIN IMMEDIATE")
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            if version < VERSION:
                _upgrade_file(migrating, version)
                connection.execute(f"PRAGMA user_version = {VERSION}")
    except DBAPIError as error:
        raise StorageError(
            f"The journal cannot be brought to schema version {VERSION}: {error.orig}. Restore it from a copy."
        ) from error


def _upgrade_file(connection: "Connection", version: int) -> None:
    """Upgrade within the transaction that is open already; files of version 1 bear no note for Alembic."""
    from alembic import command

    config = _config(connection)
    if version == 1:
        command.stamp(config, revision(version))
    command.upgrade(config, "head")


def upgrade_postgres(connection: "Connection", schema: str) -> None:
    """Bring the tables in a schema of Postgres up to date; the caller holds a transaction."""
    from alembic import command

    command.upgrade(_config(connection, schema), "head")


def _config(connection: "Connection", schema: str | None = None) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(TREE).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["schema"] = schema
    return config
