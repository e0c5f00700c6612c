"""What is kept of live sessions: which there are, and the orders that each decided, in one SQLite file.

Guarantees: of two sessions that run, no account has the same symbol twice; the orders of a bar are on disk before the
first of them is sent, and are what they are from then on; an id is never given again. What has returned is on disk.
It knows neither accounts nor strategies.
"""

import json
import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from nt_ray.errors import BadInputError, StorageError, TradingError
from nt_ray.storage.sqlite import FileKind, open_database, transaction
from nt_ray.strategies.loader import label
from nt_ray.trading.orders import OrderRequest, Side

_SCHEMA: Final = """
CREATE TABLE sessions (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, account TEXT NOT NULL, plan TEXT NOT NULL,
    state TEXT NOT NULL, who TEXT NOT NULL, reason TEXT NOT NULL, started TEXT NOT NULL, ended TEXT
) STRICT;;
CREATE TABLE rounds (
    session TEXT NOT NULL REFERENCES sessions (id), stamp TEXT NOT NULL, orders TEXT NOT NULL, done INTEGER NOT NULL,
    outcomes TEXT NOT NULL, PRIMARY KEY (session, stamp)
) STRICT
"""
KIND: Final = FileKind("file of live sessions", 0x4E544C53, 1, _SCHEMA, durable=True)
_BY_ACCOUNT: Final = "SELECT * FROM sessions WHERE state != 'ended' AND account = ? ORDER BY number"
_BY_ID: Final = "SELECT * FROM sessions WHERE id = ?"
_LISTED: Final = "SELECT * FROM sessions WHERE state != 'ended' OR ? ORDER BY number"
_LABEL: Final = 32
"""Longest beginning of an id."""


class Phase(StrEnum):
    """Where a session stands: it trades, closes what it holds, or is over."""

    RUNNING = "running"
    CLOSING = "closing"
    ENDED = "ended"


class UnknownSessionError(BadInputError):
    """A session that is not there."""

    code = "unknown_session"
    status = 404

    def __init__(self, session: str) -> None:
        super().__init__(f"There is no live session {session!r}. List the sessions to see which there are.")


class SessionOverlapError(TradingError):
    """Two sessions that would trade the same symbol of one account."""

    code = "session_overlap"
    exit_code = 2

    def __init__(self, session: str, account: str, symbols: Sequence[str]) -> None:
        super().__init__(
            f"{session} trades {', '.join(symbols)} of {account} already. Stop it first, or name other symbols."
        )


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """What a session trades. Without a `strategy` the configured swarm decides; bars are read from `since` on."""

    account: str
    strategy: str
    symbols: tuple[str, ...]
    parameters: Mapping[str, float] = field(default_factory=dict)
    since: datetime | None = None

    @property
    def signature(self) -> str:
        """Name that its orders are signed with."""
        return label(self.strategy) if self.strategy else "swarm"


@dataclass(frozen=True, slots=True)
class KeptSession:
    """A session as it is kept."""

    id: str
    plan: SessionPlan
    phase: Phase
    who: str
    reason: str
    started: datetime
    ended: datetime | None


@dataclass(frozen=True, slots=True)
class Round:
    """The orders of one bar, and what is known of them by now."""

    session: str
    stamp: str
    orders: tuple[OrderRequest, ...]
    done: bool = False
    outcomes: tuple[Mapping[str, str], ...] = ()


class SessionStore:
    """The sessions of one file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._lock = threading.Lock()
        self._connection = open_database(path, KIND)

    def begin(self, plan: SessionPlan, who: str, reason: str, now: datetime) -> KeptSession:
        """Take a session; raises `SessionOverlapError` where another one has a symbol of it."""
        with self._writing() as connection:
            _refuse_overlap(connection, plan, ())
            values = (plan.account, _plan_text(plan), Phase.RUNNING.value, who, reason, now.isoformat())
            row = connection.execute(
                "INSERT INTO sessions (id, account, plan, state, who, reason, started) "
                "VALUES ('', ?, ?, ?, ?, ?, ?) RETURNING number", values,
            ).fetchone()  # fmt: skip
            name = f"{_plain(plan.signature)}-{row[0]}"
            connection.execute("UPDATE sessions SET id = ? WHERE number = ?", (name, row[0]))
        return KeptSession(name, plan, Phase.RUNNING, who, reason, now, None)

    def check(self, plan: SessionPlan, besides: Collection[str] = ()) -> None:
        """Raise `SessionOverlapError` where a session that is not named `besides` has a symbol of a plan."""
        with self._reading() as connection:
            _refuse_overlap(connection, plan, besides)

    def find(self, session: str) -> KeptSession:
        """Return one session; raises `UnknownSessionError`."""
        with self._reading() as connection:
            found = _read(connection, _BY_ID, session)
        if not found:
            raise UnknownSessionError(session)
        return found[0]

    def sessions(self, *, ended: bool = False) -> list[KeptSession]:
        """List sessions, oldest first; those that are over only where asked for."""
        with self._reading() as connection:
            return _read(connection, _LISTED, ended)

    def kin(self, account: str) -> tuple[str, ...]:
        """Ids of every session that the account has ever had."""
        with self._reading() as connection:
            rows = connection.execute("SELECT id FROM sessions WHERE account = ?", (account,)).fetchall()
        return tuple(row[0] for row in rows)

    def turn(self, session: str, phase: Phase, now: datetime) -> KeptSession:
        """Move a session on; it never comes back from a later phase."""
        order = list(Phase)
        with self._writing() as connection:
            [found] = _read(connection, _BY_ID, session)
            if order.index(phase) > order.index(found.phase):
                ended = now.isoformat() if phase is Phase.ENDED else None
                connection.execute("UPDATE sessions SET state = ?, ended = ? WHERE id = ?", (phase, ended, session))
        return self.find(session)

    def newest(self, session: str) -> Round | None:
        """Return the round that was opened last."""
        with self._reading() as connection:
            row = connection.execute(
                "SELECT session, stamp, orders, done, outcomes FROM rounds WHERE session = ? "
                "ORDER BY rowid DESC LIMIT 1", (session,),
            ).fetchone()  # fmt: skip
        return None if row is None else _round(row)

    def open(self, session: str, stamp: str, orders: Sequence[OrderRequest]) -> Round:
        """Keep the orders of a bar; where there are some already, those stand."""
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO rounds VALUES (?, ?, ?, 0, '[]') ON CONFLICT DO NOTHING",
                (session, stamp, _orders_text(orders)),
            )
            row = connection.execute(
                "SELECT session, stamp, orders, done, outcomes FROM rounds WHERE session = ? AND stamp = ?",
                (session, stamp),
            ).fetchone()
        return _round(row)

    def note(self, told: Round) -> None:
        """Keep what is known of a round's orders, and those that take the place of some that were never sent."""
        with self._writing() as connection:
            connection.execute(
                "UPDATE rounds SET orders = ?, done = ?, outcomes = ? WHERE session = ? AND stamp = ?",
                (_orders_text(told.orders), told.done, json.dumps(told.outcomes), told.session, told.stamp),
            )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as connection, transaction(connection):
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise StorageError(f"{self._path} cannot be used: {error}. Free the file or the disk.") from error


def _refuse_overlap(connection: sqlite3.Connection, plan: SessionPlan, besides: Collection[str]) -> None:
    for other in _read(connection, _BY_ACCOUNT, plan.account):
        shared = sorted(set(other.plan.symbols) & set(plan.symbols))
        if shared and other.id not in besides:
            raise SessionOverlapError(other.id, plan.account, shared)


def _read(connection: sqlite3.Connection, statement: str, value: str | bool) -> list[KeptSession]:
    return [_session(row) for row in connection.execute(statement, (value,))]


def _session(row: Sequence[Any]) -> KeptSession:
    plan = json.loads(row[3])
    since = plan["since"] and datetime.fromisoformat(plan["since"])
    read = SessionPlan(row[2], plan["strategy"], tuple(plan["symbols"]), plan["parameters"], since)
    ended = row[8] and datetime.fromisoformat(row[8])
    return KeptSession(row[1], read, Phase(row[4]), row[5], row[6], datetime.fromisoformat(row[7]), ended)


def _plan_text(plan: SessionPlan) -> str:
    since = None if plan.since is None else plan.since.astimezone(UTC).isoformat()
    told = {"strategy": plan.strategy, "symbols": plan.symbols, "parameters": dict(plan.parameters), "since": since}
    return json.dumps(told)


def _round(row: Sequence[Any]) -> Round:
    orders = tuple(
        OrderRequest(o["id"], o["symbol"], Side(o["side"]), Decimal(o["quantity"]), o["strategy"])
        for o in json.loads(row[2])
    )
    return Round(row[0], row[1], orders, bool(row[3]), tuple(json.loads(row[4])))


def _orders_text(orders: Sequence[OrderRequest]) -> str:
    return json.dumps(
        [
            {"id": o.client_order_id, "symbol": o.symbol, "side": o.side.value, "quantity": f"{o.quantity:f}",
             "strategy": o.strategy}
            for o in orders
        ]
    )  # fmt: skip


def _plain(signature: str) -> str:
    """Beginning of an id: letters, digits and underscores of a signature, from its end where it is long."""
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in signature)[-_LABEL:].strip("_") or "session"
