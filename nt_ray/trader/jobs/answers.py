"""Answers that were given under an idempotency key: the same request again gets the same answer, another one none.

A key belongs to whoever gave it and to one operation. A claim that nobody answers (its process died) is given to the
next one after a while, so an operation under a key has to be safe to repeat, or itself be known by the key. Whoever has
lost his claim to another changes nothing any more.
"""

import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from nt_ray.storage.sqlite import transaction
from nt_ray.trader.jobs.job import KeyBusyError, KeyConflictError

KEPT: Final = timedelta(hours=24)
"""How long an answer is known."""

PATIENCE: Final = timedelta(seconds=60)
"""How long a claim without an answer holds."""

SCHEMA: Final = """
CREATE TABLE answers (
    owner TEXT NOT NULL, operation TEXT NOT NULL, key TEXT NOT NULL, digest TEXT NOT NULL, time TEXT NOT NULL,
    status INTEGER, body TEXT, PRIMARY KEY (owner, operation, key)
) STRICT, WITHOUT ROWID;;
CREATE INDEX answers_by_time ON answers (time)
"""


class Answer(NamedTuple):
    """What a request was answered."""

    status: int
    body: str


class Claim(NamedTuple):
    """The right to answer under a key, known by the time at which it was given."""

    time: str


class Answers:
    """The table of answers in an open database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def claim(self, owner: str, operation: str, key: str, digest: str) -> Answer | Claim:
        """Claim a key for a request of this digest; the answer where it has one, a claim where it is to be worked out.

        Raises `KeyConflictError` where the request was another one, `KeyBusyError` where it is being worked on.
        """
        now = datetime.now(UTC)
        with transaction(self._connection):
            self._connection.execute("DELETE FROM answers WHERE time < ?", ((now - KEPT).isoformat(),))
            row = self._connection.execute(
                "SELECT digest, time, status, body FROM answers WHERE owner = ? AND operation = ? AND key = ?",
                (owner, operation, key),
            ).fetchone()
            if row is not None:
                if row[0] != digest:
                    raise KeyConflictError(key)
                if row[2] is not None:
                    return Answer(int(row[2]), str(row[3]))
                if now - datetime.fromisoformat(row[1]) < PATIENCE:
                    raise KeyBusyError(key)
            self._connection.execute(
                "INSERT OR REPLACE INTO answers (owner, operation, key, digest, time) VALUES (?, ?, ?, ?, ?)",
                (owner, operation, key, digest, now.isoformat()),
            )
        return Claim(now.isoformat())

    def keep(self, owner: str, operation: str, key: str, claim: Claim, answer: Answer) -> None:
        """Keep the answer to a claimed request."""
        self._connection.execute(
            "UPDATE answers SET status = ?, body = ? "
            "WHERE owner = ? AND operation = ? AND key = ? AND time = ? AND status IS NULL",
            (answer.status, answer.body, owner, operation, key, claim.time),
        )

    def release(self, owner: str, operation: str, key: str, claim: Claim) -> None:
        """Give up a claim without an answer, so that the request may be made again at once."""
        self._connection.execute(
            "DELETE FROM answers WHERE owner = ? AND operation = ? AND key = ? AND time = ? AND status IS NULL",
            (owner, operation, key, claim.time),
        )
