"""A journal on a server that wants a password: the right one opens it, any other is refused and never shown."""

import asyncio
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest

from benchmarks.postgres_server import OWNER, Server
from nt_ray.storage.opening import open_journal
from nt_ray.storage.postgres_link import PostgresLoginError
from nt_ray.trading.events import Deposited

PASSWORD = "sesame/öffne:dich?@"
USER = "guarded"


@pytest.fixture(scope="module")
def guarded(postgres: Server) -> Server:
    """A server that asks one of its users for a password, by SCRAM."""
    rules = Path(postgres.folder) / "pg_hba.conf"
    rules.write_text(f"local all {USER} scram-sha-256\n{rules.read_text()}")

    async def prepare() -> None:
        owner = await asyncpg.connect(postgres.url(OWNER))
        await owner.execute("SET password_encryption = 'scram-sha-256'")
        await owner.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
        await owner.execute(f"GRANT CREATE ON DATABASE postgres TO {USER}")
        await owner.execute("SELECT pg_reload_conf()")
        stored = await owner.fetchval(f"SELECT rolpassword FROM pg_authid WHERE rolname = '{USER}'")
        assert stored.startswith("SCRAM-SHA-256$")
        await owner.close()

    asyncio.run(prepare())
    wait_until_guarded(postgres)
    return postgres


def wait_until_guarded(postgres: Server) -> None:
    """Rules come into force a moment after they are read again."""

    async def lets_in() -> bool:
        try:
            await (await asyncpg.connect(address(postgres, ""))).close()
        except asyncpg.InvalidAuthorizationSpecificationError:
            return False
        except asyncpg.InterfaceError:
            return False
        return True

    for _ in range(500):
        if not asyncio.run(lets_in()):
            return
        time.sleep(0.01)
    pytest.fail("the server asks for no password")


def address(server: Server, password: str) -> str:
    user = f"{USER}:{quote(password, safe='')}" if password else USER
    return f"postgresql://{user}@/postgres?host={server.folder}"


def test_a_journal_is_kept_behind_a_password(guarded: Server) -> None:

    journal = open_journal(f"{address(guarded, PASSWORD)}&schema=kept")
    journal.open_epoch()
    journal.append([Deposited(datetime(2026, 1, 2, tzinfo=UTC), "one", Decimal(1))])
    journal.write_snapshot("state")
    assert journal.verify().fault is None
    assert journal.written == 1
    assert "sesame" not in journal.name
    journal.close()


@pytest.mark.parametrize("password", ["wrong-secret", ""])
def test_a_wrong_or_missing_password_is_refused_at_once_and_never_shown(
    guarded: Server, password: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(PostgresLoginError) as refused:
        open_journal(f"{address(guarded, password)}&schema=kept")
    said = str(refused.value)
    assert said.startswith(f"postgresql://{USER}@/postgres?schema=kept does not let this user in: ")
    assert "NT_ACCOUNT__JOURNAL" in said
    shown = [said, repr(refused.value), caplog.text]
    cause: BaseException | None = refused.value
    while cause is not None:
        shown.append(repr(cause))
        cause = cause.__cause__ or cause.__context__
    assert all("wrong-secret" not in text for text in shown)
