"""The aliases of a model and their history: one small object that changes by compare-and-swap, and a chain of events.

An event is written first, under a name of its own; the swap of the state then makes it count. So of two writers at
once one is first and the other looks again, whoever loses or dies leaves at most an event that never counted, and
every state names the event that made it, which names the one before. Numbers of deleted versions are kept here, so
that none comes back.
"""

import random
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from pydantic import AwareDatetime, Field

from nt_ray.errors import StorageError
from nt_ray.neural.registry.manifest import Record, read_record
from nt_ray.storage.objects import ChangedError, NoObjectError, ObjectStore

ATTEMPTS: Final = 100
LONGEST_PAUSE_S: Final = 0.2

Action: TypeAlias = Literal["promote", "rollback", "remove", "delete", "retrain"]


class Holder(Record):
    """The version an alias points to, since when, by which event; and the event that asked for its retraining."""

    version: int = Field(ge=1)
    since: AwareDatetime
    event: str
    retrain: str | None = None


class Event(Record):
    """One change of the aliases of a model, or a request about them."""

    seq: int = Field(ge=1)
    previous: str | None
    time: AwareDatetime
    by: str
    action: Action
    version: int
    alias: str | None = None
    before: Holder | None = None
    reason: str = ""
    evidence: dict[str, Any] | None = None


class Aliases(Record):
    """State: the last event, who holds which alias, which versions were deleted."""

    format: Literal["nt-ray-aliases/1"] = "nt-ray-aliases/1"
    seq: int = Field(0, ge=0)
    head: str | None = None
    holders: dict[str, Holder] = Field(default_factory=dict)
    deleted: tuple[int, ...] = ()

    def of(self, version: int) -> tuple[str, ...]:
        """Aliases of a version, sorted."""
        return tuple(sorted(alias for alias, holder in self.holders.items() if holder.version == version))

    def versions(self) -> dict[str, int]:
        """Version of each alias, sorted by alias."""
        return {alias: holder.version for alias, holder in sorted(self.holders.items())}


@dataclass(frozen=True, slots=True)
class Change:
    """What a writer wants: an action and what it is about. `restores` is the holder that a rollback brings back."""

    action: Action
    version: int
    alias: str | None = None
    restores: Holder | None = None
    reason: str = ""
    evidence: dict[str, Any] | None = None


class AliasBook:
    """Aliases and their history of all models of a store."""

    def __init__(self, store: ObjectStore, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    def read(self, name: str) -> Aliases:
        """Read the state of a model; that of one without any change is empty."""
        return self._read(name)[0]

    def event(self, key: str) -> Event:
        """Read one event."""
        return read_record(Event, self._store.get(key).data, key)

    def history(self, name: str, *, after: int = 0) -> Iterator[Event]:
        """Events after a number, newest first."""
        key = self.read(name).head
        while key is not None:
            event = self.event(key)
            if event.seq <= after:
                return
            yield event
            key = event.previous

    def change(self, name: str, by: str, decide: Callable[[Aliases], Change | None]) -> Event | None:
        """Let a caller decide on the state and write what it wants, again where another was first.

        `decide` raises where the state forbids the change, and gives None where nothing is to be done.
        """
        for attempt in range(ATTEMPTS):
            state, version = self._read(name)
            wanted = decide(state)
            if wanted is None:
                return None
            key = f"history/{name}/{state.seq + 1:08d}-{uuid.uuid4().hex[:12]}"
            before = state.holders.get(wanted.alias) if wanted.alias is not None else None
            event = Event(
                seq=state.seq + 1,
                previous=state.head,
                time=self._clock(),
                by=by,
                action=wanted.action,
                alias=wanted.alias,
                version=wanted.version,
                before=before,
                reason=wanted.reason,
                evidence=wanted.evidence,
            )
            self._store.put_if(key, event.encoded(), None)
            try:
                self._store.put_if(_place(name), _after(state, wanted, event, key).encoded(), version)
            except ChangedError:
                # Where its answer was lost and another has written on top, the swap was made all the same.
                if self._counts(name, key, event.seq):
                    return event
                # What did not count is left to `sweep`: to delete what a chain may name would end the chain there.
                time.sleep(random.uniform(0, min(LONGEST_PAUSE_S, 0.005 * 2**attempt)))  # noqa: S311 (no secret)
                continue
            return event
        raise StorageError(f"The aliases of model {name} change all the time. Try again when fewer write to them.")

    def sweep(self, name: str, before: datetime) -> int:
        """Remove events that never counted and were written before an instant; how many there were."""
        prefix = f"history/{name}/"
        found = list(self._store.list(prefix))
        if len(found) <= self.read(name).seq:
            return 0
        counted, key = set(), self.read(name).head
        while key is not None:
            counted.add(key)
            key = self.event(key).previous
        dead = [entry.key for entry in found if entry.key not in counted and entry.modified < before]
        for key in dead:
            self._store.delete(key)
        return len(dead)

    def _counts(self, name: str, key: str, seq: int) -> bool:
        """Whether the chain of events holds the event of this key and number."""
        found = self.read(name).head
        while found is not None and found != key:
            later = self.event(found)
            found = later.previous if later.seq > seq else None
        return found is not None

    def _read(self, name: str) -> tuple[Aliases, str | None]:
        try:
            found = self._store.get(_place(name))
        except NoObjectError:
            return Aliases(), None
        return read_record(Aliases, found.data, _place(name)), found.version


def _place(name: str) -> str:
    return f"aliases/{name}"


def _after(state: Aliases, wanted: Change, event: Event, key: str) -> Aliases:
    """State that follows from a change."""
    holders = dict(state.holders)
    deleted = state.deleted
    if wanted.alias is None:
        deleted = tuple(sorted({*deleted, wanted.version}))
    elif wanted.action == "remove":
        del holders[wanted.alias]
    elif wanted.action == "retrain":
        holders[wanted.alias] = holders[wanted.alias].model_copy(update={"retrain": key})
    else:
        # What a rollback brings back keeps its own event, so that the next rollback goes further back.
        origin = key if wanted.restores is None else wanted.restores.event
        holders[wanted.alias] = Holder(version=wanted.version, since=event.time, event=origin)
    return Aliases(seq=event.seq, head=key, holders=holders, deleted=deleted)
