"""The book of jobs: one SQLite file that says of each job where it is, with a log of every change.

One process owns it. A change and its event are written in one transaction, so the log tells all that ever happened.
Work reports under the number of its attempt: a report of an attempt that another one has replaced changes nothing.
Whoever opens the book after a crash finds in `recover` the jobs that were under way, and begins them again, at most
`MOST_ATTEMPTS` times; after that they have failed, and say so. Of jobs that have ended the newest `KEPT` stay.
"""

import json
import secrets
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from nt_ray.storage.sqlite import FileKind, open_database, transaction, upgraded_to
from nt_ray.trader.jobs import answers
from nt_ray.trader.jobs.answers import Answers
from nt_ray.trader.jobs.job import (
    Job,
    JobEndedError,
    JobEvent,
    KeyConflictError,
    NoJobError,
    State,
    TooManyJobsError,
)

MOST_ATTEMPTS: Final = 3
MOST_QUEUED: Final = 1000
KEPT: Final = 10_000
"""Jobs that have ended and are remembered."""
MOST_RESULT: Final = 2**20
"""Characters of a result; a longer one lies in the run's folder alone."""
PAGE: Final = 501
"""Most rows of one answer: a page, and one that says whether another follows."""
_PRUNE_EVERY: Final = 100

_SCHEMA: Final = f"""
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, owner TEXT NOT NULL,
    state TEXT NOT NULL, spec TEXT NOT NULL, created TEXT NOT NULL, started TEXT NOT NULL DEFAULT '',
    ended TEXT NOT NULL DEFAULT '', done INTEGER NOT NULL DEFAULT 0, total INTEGER NOT NULL DEFAULT 0,
    attempt INTEGER NOT NULL DEFAULT 0, cancel_asked INTEGER NOT NULL DEFAULT 0, result TEXT, error TEXT,
    wanted TEXT NOT NULL DEFAULT '{{}}'
) STRICT;;
CREATE INDEX jobs_by_state ON jobs (state, number);;
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, job TEXT NOT NULL, time TEXT NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL
) STRICT;;
CREATE INDEX events_by_job ON events (job, seq);;
{answers.SCHEMA}
"""

VERSION: Final = 2
_TO_2: Final = upgraded_to(VERSION, "ALTER TABLE jobs ADD COLUMN wanted TEXT NOT NULL DEFAULT '{}'")
FILE: Final = FileKind("book of jobs", 0x4E544A42, VERSION, _SCHEMA, durable=False, upgrade=_TO_2)

_COLUMNS: Final = (
    "number, id, kind, owner, state, spec, created, started, ended, done, total, attempt, cancel_asked, result, error, "
    "wanted"
)


class JobBook:
    """Jobs and their log."""

    def __init__(self, path: Path) -> None:
        """Open the book, made where it is not there."""
        self._connection = open_database(path, FILE)
        self.answers = Answers(self._connection)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def submit(self, kind: str, spec: Mapping[str, Any], owner: str, key: str = "") -> Job:
        """Write a new job down, to be begun later; `TooManyJobsError` where too many wait.

        Under a key of the owner's own the job that was submitted under it before is the job; `KeyConflictError` where
        that was another one.
        """
        job = f"{kind}-{sha256(repr((owner, key)).encode()).hexdigest()[:16] if key else secrets.token_hex(8)}"
        with transaction(self._connection):
            row = self._connection.execute("SELECT spec FROM jobs WHERE id = ?", (job,)).fetchone() if key else None
            if row is not None:
                if json.loads(row[0]) != json.loads(json.dumps(spec)):
                    raise KeyConflictError(key)
                return self.find(job)
            (waiting,) = self._connection.execute("SELECT count(*) FROM jobs WHERE state = 'queued'").fetchone()
            if waiting >= MOST_QUEUED:
                raise TooManyJobsError(MOST_QUEUED)
            self._connection.execute(
                "INSERT INTO jobs (id, kind, owner, state, spec, created) VALUES (?, ?, ?, 'queued', ?, ?)",
                (job, kind, owner, json.dumps(spec), _now()),
            )
            self._log(job, State.QUEUED, {})
        found = self.find(job)
        if found.number % _PRUNE_EVERY == 0:
            self.prune()
        return found

    def find(self, job: str) -> Job:
        """Return one job; `NoJobError` where it is not there."""
        row = self._connection.execute(f"SELECT {_COLUMNS} FROM jobs WHERE id = ?", (job,)).fetchone()  # noqa: S608
        if row is None:
            raise NoJobError(job)
        return _job(row)

    def page(
        self,
        *,
        before: int | None = None,
        limit: int = PAGE,
        state: State | None = None,
        kind: str | None = None,
        owner: str | None = None,
    ) -> list[Job]:
        """Return jobs from the newest on that came before a number, at most `limit` and `PAGE`."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM jobs WHERE (?1 IS NULL OR number < ?1) AND (?2 IS NULL OR state = ?2) "  # noqa: S608
            "AND (?3 IS NULL OR kind = ?3) AND (?4 IS NULL OR owner = ?4) ORDER BY number DESC LIMIT ?5",
            (before, state, kind, owner, min(limit, PAGE)),
        )
        return [_job(row) for row in rows]

    def waiting(self) -> list[str]:
        """Ids of jobs to begin, oldest first."""
        found = self._connection.execute("SELECT id FROM jobs WHERE state = 'queued' ORDER BY number")
        return [row[0] for row in found]

    def begin(self, job: str) -> int:
        """Write down that a waiting job is being worked on; the number of the attempt, 0 where it waits no more."""
        with transaction(self._connection):
            changed = self._connection.execute(
                "UPDATE jobs SET state = 'running', started = ?, attempt = attempt + 1, done = 0, total = 0 "
                "WHERE id = ? AND state = 'queued'",
                (_now(), job),
            ).rowcount
            if not changed:
                return 0
            attempt = self.find(job).attempt
            self._log(job, State.RUNNING, {"attempt": attempt})
        return attempt

    def progress(self, job: str, attempt: int, done: int, total: int) -> bool:
        """Write down how far an attempt is; whether it is to go on. The log takes each percent once."""
        with transaction(self._connection):
            found = self.find(job)
            if not _is_current(found, attempt) or found.cancel_asked:
                return False
            self._connection.execute("UPDATE jobs SET done = ?, total = ? WHERE id = ?", (done, total, job))
            if _percent(done, total) != _percent(found.done, found.total):
                self._log(job, "progress", {"done": done, "total": total})
        return True

    def succeed(self, job: str, attempt: int, result: Mapping[str, Any]) -> bool:
        """Write an attempt's result down; False where it is not the current one."""
        return self._end(job, attempt, State.SUCCEEDED, result=result)

    def fail(self, job: str, attempt: int, code: str, message: str) -> bool:
        """Write down what an attempt failed with; False where it is not the current one.

        Where the job was to be cancelled, that is what its work failed with, and it is cancelled.
        """
        if self.find(job).cancel_asked:
            return self.stopped(job, attempt)
        return self._end(job, attempt, State.FAILED, error={"code": code, "message": message})

    def stopped(self, job: str, attempt: int) -> bool:
        """Write down that a cancelled attempt has ended; False where it is not the current one."""
        return self._end(job, attempt, State.CANCELLED)

    def interrupt(self, job: str, attempt: int, reason: str) -> bool:
        """Put a job whose process died back into the queue, or fail it after too many attempts; whether it waits."""
        found = self.find(job)
        if not _is_current(found, attempt):
            return False
        if found.cancel_asked:
            self.stopped(job, attempt)
            return False
        if attempt >= MOST_ATTEMPTS:
            self.fail(job, attempt, "interrupted", f"It was cut off {attempt} times, at last because {reason}.")
            return False
        with transaction(self._connection):
            self._connection.execute("UPDATE jobs SET state = 'queued' WHERE id = ?", (job,))
            self._log(job, State.QUEUED, {"attempt": attempt, "reason": reason})
        return True

    def cancel(self, job: str) -> Job:
        """Cancel a job that waits, ask one that runs to end; one that has ended stays as it is."""
        with transaction(self._connection):
            found = self.find(job)
            if found.state is State.QUEUED:
                self._connection.execute(
                    "UPDATE jobs SET state = 'cancelled', cancel_asked = 1, ended = ? WHERE id = ?", (_now(), job)
                )
                self._log(job, State.CANCELLED, {})
            elif found.state is State.RUNNING:
                self._connection.execute("UPDATE jobs SET cancel_asked = 1 WHERE id = ?", (job,))
        return self.find(job)

    def adjust(self, job: str, changes: Mapping[str, Any]) -> Job:
        """Ask a job that has not ended for changes of its spec; `JobEndedError` where it has."""
        with transaction(self._connection):
            found = self.find(job)
            if found.has_ended:
                raise JobEndedError(job, found.state)
            wanted = {**found.wanted, **changes}
            self._connection.execute("UPDATE jobs SET wanted = ? WHERE id = ?", (json.dumps(wanted), job))
            self._log(job, "adjust", changes)
        return self.find(job)

    def adjusted(self, job: str, attempt: int, outcome: Mapping[str, Any]) -> bool:
        """Write down what became of a change; False where the attempt is not the current one."""
        with transaction(self._connection):
            if not _is_current(self.find(job), attempt):
                return False
            self._log(job, "adjusted", outcome)
        return True

    def prune(self, kept: int = KEPT) -> int:
        """Forget the oldest jobs that have ended, with their events, but for the newest `kept`; how many went."""
        with transaction(self._connection):
            rows = self._connection.execute(
                "SELECT id FROM jobs WHERE state IN ('succeeded', 'failed', 'cancelled') "
                "ORDER BY number DESC LIMIT -1 OFFSET ?",
                (kept,),
            ).fetchall()
            self._connection.executemany("DELETE FROM events WHERE job = ?", rows)
            self._connection.executemany("DELETE FROM jobs WHERE id = ?", rows)
        return len(rows)

    def recover(self) -> list[str]:
        """Deal with jobs that were under way when the last owner of the book died; ids of those that wait again."""
        rows = self._connection.execute("SELECT id, attempt FROM jobs WHERE state = 'running' ORDER BY number")
        return [job for job, attempt in rows.fetchall() if self.interrupt(job, attempt, "its keeper was restarted")]

    def events(self, after: int = 0, job: str | None = None, limit: int = PAGE) -> list[JobEvent]:
        """Return events after a number, oldest first, of one job or of all."""
        rows = self._connection.execute(
            "SELECT seq, job, time, kind, data, coalesce((SELECT owner FROM jobs WHERE id = job), '') FROM events "
            "WHERE seq > ?1 AND (?2 IS NULL OR job = ?2) ORDER BY seq LIMIT ?3",
            (after, job, min(limit, PAGE)),
        )
        return [JobEvent(seq, of, time, kind, json.loads(data), owner) for seq, of, time, kind, data, owner in rows]

    def last_event(self) -> int:
        """Return the number of the newest event, 0 before the first."""
        (found,) = self._connection.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()
        return int(found)

    def counts(self) -> dict[str, int]:
        """Return how many jobs there are in each state."""
        found = dict(self._connection.execute("SELECT state, count(*) FROM jobs GROUP BY state").fetchall())
        return {state.value: int(found.get(state.value, 0)) for state in State}

    def _end(
        self,
        job: str,
        attempt: int,
        state: State,
        *,
        result: Mapping[str, Any] | None = None,
        error: Mapping[str, str] | None = None,
    ) -> bool:
        with transaction(self._connection):
            if not _is_current(self.find(job), attempt):
                return False
            self._connection.execute(
                "UPDATE jobs SET state = ?, ended = ?, result = ?, error = ? WHERE id = ?",
                (state, _now(), _text(result), _text(error), job),
            )
            self._log(job, state, dict(error or {}))
        return True

    def _log(self, job: str, kind: str, data: Mapping[str, Any]) -> None:
        self._connection.execute(
            "INSERT INTO events (job, time, kind, data) VALUES (?, ?, ?, ?)", (job, _now(), str(kind), json.dumps(data))
        )


def _is_current(job: Job, attempt: int) -> bool:
    return job.state is State.RUNNING and job.attempt == attempt


def _percent(done: int, total: int) -> int:
    return -1 if total <= 0 else 100 * done // total


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _text(value: Mapping[str, Any] | None) -> str | None:
    # A result is checked to be JSON here, not when somebody reads it: NaN is none.
    if value is None:
        return None
    text = json.dumps(value, allow_nan=False)
    if len(text) > MOST_RESULT and "summary" in value:
        short = f"The summary has {len(text)} characters. It stands in summary.json of the run."
        text = json.dumps({**value, "summary": {"left_out": short}}, allow_nan=False)
    return text


def _job(row: sqlite3.Row) -> Job:
    (
        number,
        job,
        kind,
        owner,
        state,
        spec,
        created,
        started,
        ended,
        done,
        total,
        attempt,
        asked,
        result,
        error,
        wanted,
    ) = row
    return Job(
        number=number,
        id=job,
        kind=kind,
        owner=owner,
        state=State(state),
        spec=json.loads(spec),
        created=created,
        started=started,
        ended=ended,
        done=done,
        total=total,
        attempt=attempt,
        cancel_asked=bool(asked),
        result=None if result is None else json.loads(result),
        error=None if error is None else json.loads(error),
        wanted=json.loads(wanted),
    )
