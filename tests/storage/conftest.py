import asyncio
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from benchmarks.postgres_server import OWNER, Server, server


@dataclass(frozen=True)
class Place:
    """Where one journal lies, and a way round it: what somebody could do who holds the database itself."""

    kind: str
    url: str
    schema: str = ""
    path: Path = Path()
    owner: str = ""

    def tamper(self, *statements: str) -> None:
        if self.kind == "sqlite":
            connection = sqlite3.connect(self.path)
            for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                connection.execute(f"DROP TRIGGER {trigger}")
            for statement in statements:
                connection.execute(statement)
            connection.commit()
            connection.close()
            return
        self.as_owner("SET session_replication_role = replica", *statements)

    def as_owner(self, *statements: str) -> list[tuple[object, ...]]:
        return asyncio.run(run_sql(self.owner, self.schema, *statements))


async def run_sql(url: str, schema: str, *statements: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(url, server_settings={"search_path": schema or "public"})
    try:
        rows: list[tuple[object, ...]] = []
        for statement in statements:
            rows = [tuple(row) for row in await connection.fetch(statement)]
        return rows
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    with server(sync=False) as running:
        yield running


@pytest.fixture
def postgres_place(postgres: Server) -> Place:
    schema = f"journal_{uuid.uuid4().hex[:12]}"
    return Place("postgresql", postgres.url(schema=schema), schema, owner=postgres.url(OWNER))


@pytest.fixture
def sqlite_place(tmp_path: Path) -> Place:
    path = tmp_path / "journal.sqlite"
    return Place("sqlite", f"sqlite:///{path}", path=path)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest) -> Place:
    place: Place = request.getfixturevalue("sqlite_place" if request.param == "sqlite" else "postgres_place")
    return place
