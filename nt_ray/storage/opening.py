"""Opening a journal by its path or address: the one place that knows which database keeps which journal."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from nt_ray.errors import BadInputError
from nt_ray.storage.journal import Journal
from nt_ray.storage.sqlite_journal import SqliteJournal

LONGEST_SCHEMA: Final = 63
"""Characters of a name in Postgres."""


class JournalAddressError(BadInputError):
    """An address that names no journal."""

    code = "journal_address"


def open_journal(where: str | Path, *, create: bool = True) -> Journal:
    """Open the journal at a path, `sqlite:///PATH`, or `postgresql://USER:PASSWORD@HOST/DATABASE?schema=NAME`.

    It is made where it does not exist, and its tables are brought up to date; where `create` is False, a journal that
    does not exist or is of an older version is refused and nothing is written.
    """
    scheme, colon, rest = str(where).partition("://")
    if isinstance(where, Path) or not colon:
        return SqliteJournal(Path(where), create=create)
    if scheme in ("postgresql", "postgres"):
        from nt_ray.storage.postgres_journal import PostgresJournal

        return PostgresJournal(str(where), create=create)
    if scheme != "sqlite":
        raise JournalAddressError(
            f"A journal cannot lie at {scheme}://. Give a path, sqlite:///PATH or postgresql://USER@HOST/DATABASE."
        )
    if not rest.startswith("/") or urlsplit(str(where)).query:
        raise JournalAddressError(
            f"{where} names no file. Write sqlite:///relative.sqlite or sqlite:////absolute.sqlite."
        )
    return SqliteJournal(Path(rest[1:]), create=create)


def in_schema(database: str, name: str) -> str:
    """Address of the journal of that name in a Postgres database: each lies in a schema of its own.

    A name too long for a schema is cut, and what was cut is told apart by its hash.
    """
    plain = re.sub(r"[^a-z0-9_]", "_", f"journal_{name}".lower())
    if plain != f"journal_{name}" or len(plain) > LONGEST_SCHEMA:
        plain = f"{plain[: LONGEST_SCHEMA - 9]}_{sha256(name.encode()).hexdigest()[:8]}"
    parts = urlsplit(database)
    if parts.scheme not in ("postgresql", "postgres") or "schema" in dict(parse_qsl(parts.query)):
        raise JournalAddressError(
            f"The database of the journals has the form {parts.scheme or 'none'}://. Give "
            "postgresql://USER:PASSWORD@HOST/DATABASE without a schema; each journal gets one of its own."
        )
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, f"schema={plain}")))))


@contextmanager
def opened(where: str | Path) -> Iterator[Journal]:
    """Open a journal that exists, for reading, and close it."""
    journal = open_journal(where, create=False)
    try:
        yield journal
    finally:
        journal.close()
