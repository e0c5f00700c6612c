"""The tables of a journal, version by version, for SQLite and Postgres: the one place where they are written down.

Version 1 has events and epochs; version 2 adds the chain of hashes and snapshots. `STEPS` gives the statements that
lead to a version; where a version needs a value for rows that exist already, `hashes` computes it between them. Times
and payloads are text on both databases, so that a hash covers exactly what is read.
"""

from collections.abc import Iterable, Iterator
from typing import Final, Literal, TypeAlias

from nt_ray.storage.chain import BEGINNING, link
from nt_ray.trading.encoding import Written

Dialect: TypeAlias = Literal["sqlite", "postgresql"]

VERSION: Final = 2
"""Newest version of the tables."""

_REFUSAL: Final = "the journal is append-only"


def revision(version: int) -> str:
    """Name of a version in the migration tree."""
    return f"{version:04d}"


def _guards(table: str) -> tuple[str, ...]:
    """Triggers of SQLite that refuse to change or delete a row."""
    return tuple(
        f"CREATE TRIGGER {table}_are_not_{done} BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
        for verb, done in (("UPDATE", "changed"), ("DELETE", "deleted"))
    )


_SQLITE_1: Final = (
    "CREATE TABLE epochs (epoch INTEGER PRIMARY KEY) STRICT",
    """CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    epoch INTEGER NOT NULL REFERENCES epochs (epoch),
    time TEXT NOT NULL,
    kind TEXT NOT NULL,
    client_order_id TEXT NOT NULL,
    payload TEXT NOT NULL
) STRICT""",
    *_guards("events"),
    *_guards("epochs"),
)

_SQLITE_2: Final = (
    """CREATE TABLE chained (
    seq INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL REFERENCES epochs (epoch),
    time TEXT NOT NULL,
    kind TEXT NOT NULL,
    client_order_id TEXT NOT NULL,
    payload TEXT NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT""",
    """CREATE TABLE snapshots (
    seq INTEGER PRIMARY KEY,
    hash BLOB NOT NULL,
    digest BLOB NOT NULL,
    state TEXT NOT NULL
) STRICT""",
)

_SQLITE_2_AFTER: Final = (
    "DROP TABLE events",
    "ALTER TABLE chained RENAME TO events",
    *_guards("events"),
)

_FILL_SQLITE: Final = (
    "INSERT INTO chained (seq, epoch, time, kind, client_order_id, payload, hash) "
    "SELECT seq, epoch, time, kind, client_order_id, payload, ? FROM events WHERE seq = ?"
)


def _closed(table: str) -> tuple[str, ...]:
    """A trigger and withdrawn rights of Postgres: nobody changes, deletes or empties, the owner included."""
    trigger = (
        f"CREATE TRIGGER {table}_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    return trigger, f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM PUBLIC, CURRENT_USER"


_POSTGRES_1: Final = (
    "CREATE TABLE epochs (epoch BIGINT PRIMARY KEY)",
    """CREATE TABLE events (
    seq BIGINT PRIMARY KEY,
    epoch BIGINT NOT NULL,
    time TEXT NOT NULL,
    kind TEXT NOT NULL,
    client_order_id TEXT NOT NULL,
    payload TEXT NOT NULL
)""",
    f"""CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$""",
    *_closed("events"),
    *_closed("epochs"),
)

_POSTGRES_2: Final = (
    "ALTER TABLE events ADD COLUMN hash BYTEA",
    "CREATE TABLE snapshots (seq BIGINT PRIMARY KEY, hash BYTEA NOT NULL, digest BYTEA NOT NULL, state TEXT NOT NULL)",
    "ALTER TABLE events DISABLE TRIGGER events_are_append_only",
    "GRANT UPDATE ON events TO CURRENT_USER",
)

_FILL_POSTGRES: Final = "UPDATE events SET hash = $1 WHERE seq = $2"

# One writer at a time: whoever holds the lock sees what every earlier holder has committed. An append is one statement
# and so one transaction; repeated, it finds its own rows and says so.
_POSTGRES_2_AFTER: Final = (
    "ALTER TABLE events ALTER COLUMN hash SET NOT NULL",
    "ALTER TABLE events ADD CHECK (length(hash) = 32)",
    "ALTER TABLE events ENABLE TRIGGER events_are_append_only",
    "REVOKE UPDATE ON events FROM CURRENT_USER",
    """CREATE FUNCTION take_writers_lock() RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock('events'::regclass::oid::bigint)
$$""",
    """CREATE FUNCTION take_epoch(OUT newest BIGINT, OUT last_seq BIGINT, OUT last_hash BYTEA) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    PERFORM take_writers_lock();
    INSERT INTO epochs SELECT coalesce(max(epoch), 0) + 1 FROM epochs RETURNING epoch INTO newest;
    SELECT seq, hash INTO last_seq, last_hash FROM events ORDER BY seq DESC LIMIT 1;
END $$""",
    """CREATE FUNCTION append_events(
    writer BIGINT, known_seq BIGINT, known_hash BYTEA, durable BOOLEAN, seqs BIGINT[], times TEXT[], kinds TEXT[],
    ids TEXT[], payloads TEXT[], hashes BYTEA[], OUT outcome TEXT, OUT newest BIGINT
) LANGUAGE plpgsql AS $$
DECLARE
    last_seq BIGINT := 0;
    last_hash BYTEA := decode(repeat('00', 32), 'hex');
    own BIGINT := array_length(seqs, 1);
BEGIN
    PERFORM set_config('synchronous_commit', CASE WHEN durable THEN 'on' ELSE 'off' END, true);
    PERFORM take_writers_lock();
    SELECT max(epoch) INTO newest FROM epochs;
    SELECT seq, hash INTO last_seq, last_hash FROM events ORDER BY seq DESC LIMIT 1;
    IF NOT FOUND THEN last_seq := 0; last_hash := decode(repeat('00', 32), 'hex'); END IF;
    IF (last_seq, last_hash) = (seqs[own], hashes[own]) THEN outcome := 'known';
    ELSIF newest IS DISTINCT FROM writer THEN outcome := 'fenced';
    ELSIF (last_seq, last_hash) IS DISTINCT FROM (known_seq, known_hash) THEN outcome := 'moved';
    ELSE
        INSERT INTO events (seq, epoch, time, kind, client_order_id, payload, hash)
        SELECT u.seq, writer, u.time, u.kind, u.id, u.payload, u.hash
        FROM unnest(seqs, times, kinds, ids, payloads, hashes) AS u (seq, time, kind, id, payload, hash);
        outcome := 'written';
    END IF;
END $$""",
)

STEPS: Final[dict[Dialect, dict[int, tuple[tuple[str, ...], tuple[str, ...]]]]] = {
    "sqlite": {1: (_SQLITE_1, ()), 2: (_SQLITE_2, _SQLITE_2_AFTER)},
    "postgresql": {1: (_POSTGRES_1, ()), 2: (_POSTGRES_2, _POSTGRES_2_AFTER)},
}
"""By database and version: the statements before and after rows that exist are given their hashes."""

FILL: Final[dict[Dialect, str]] = {"sqlite": _FILL_SQLITE, "postgresql": _FILL_POSTGRES}
"""Statement that gives an existing row its hash; its parameters are the hash and the row's number."""

UNHASHED: Final = "SELECT seq, epoch, kind, time, client_order_id, payload FROM events ORDER BY seq"
"""Rows of version 1, oldest first."""


def hashes(rows: Iterable[tuple[int, int, str, str, str, str]]) -> Iterator[tuple[bytes, int]]:
    """Hash and number of each row of version 1."""
    digest = BEGINNING.hash
    for seq, epoch, kind, time, client_order_id, payload in rows:
        digest = link(digest, seq, epoch, Written(kind, time, client_order_id, payload))
        yield digest, seq
