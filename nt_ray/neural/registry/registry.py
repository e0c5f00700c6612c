"""The model registry: a name has versions, versions have aliases, and all of it lies in an object store.

Guaranteed: a version is visible whole or not at all, since its manifest is written last, once and never again; of
any number of writers none loses or damages a version; numbers are never given twice; an alias that is guarded changes
through the gate alone; every change of an alias is kept with who, why and on what evidence. Nothing is held in memory,
so that any process may be killed at any time. Which network the weights belong to is not known here.

Places in the store: `versions/NAME/N`, `files/NAME/UPLOAD/...`, `aliases/NAME`, `history/NAME/N-...`.
"""

import getpass
import re
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from nt_ray.config.sections import Neural
from nt_ray.errors import StorageError
from nt_ray.neural.drift.drift_reference import REFERENCE
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.registry.aliases import AliasBook, Aliases, Change, Event, Holder
from nt_ray.neural.registry.evidence import DEFAULT_GATE, Evidence, Gate
from nt_ray.neural.registry.manifest import Manifest, read_record
from nt_ray.neural.registry.model_files import ModelCache, bundle_description, bundle_files
from nt_ray.neural.registry.model_names import (
    LAST_VERSION,
    NAME,
    Reference,
    checked_alias,
    checked_name,
    checked_version,
    reference,
)
from nt_ray.neural.registry.registry_problems import (
    AliasesChangedError,
    CorruptModelError,
    RefusedPromotionError,
    UnknownAliasError,
    UnknownModelError,
    UnknownVersionError,
    VersionInUseError,
)
from nt_ray.storage.objects import ChangedError, Entry, NoObjectError, ObjectStore, S3Access, open_objects

DEAD_AFTER: Final = timedelta(hours=24)
"""Age at which what no version holds is taken for the rest of a writer that died; half of it is an upload's time."""

VERSION: Final = re.compile(rf"versions/({NAME.pattern})/([0-9]{{8}})")
NO_TAGS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """One model in a listing: its versions in ascending order, and its aliases with the version of each."""

    name: str
    versions: tuple[int, ...]
    aliases: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Description:
    """One version: its manifest and the aliases that point to it."""

    manifest: Manifest
    aliases: tuple[str, ...]


def utc_now() -> datetime:
    """Return the time of day, UTC."""
    return datetime.now(UTC)


def user() -> str:
    """Name of who runs this process; containers may know none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


class Registry:
    """Models of a store, with copies of those that were asked for in a folder of this machine."""

    def __init__(
        self,
        store: ObjectStore,
        cache: Path,
        *,
        gate: Gate = DEFAULT_GATE,
        clock: Callable[[], datetime] = utc_now,
        by: str | None = None,
    ) -> None:
        self.store = store
        self._cache = ModelCache(cache)
        self._gate = gate
        self._clock = clock
        self._book = AliasBook(store, clock)
        self._by = user() if by is None else by

    def register(self, folder: Path, name: str, tags: Mapping[str, str] = NO_TAGS) -> int:
        """Store the bundle of a folder as the next version of a model; its number.

        Raises `CorruptModelError` on a bundle that cannot be read, before anything is written.
        """
        checked_name(name)
        files = bundle_files(folder)
        description = bundle_description(folder)
        started = time.monotonic()
        with suppress(StorageError):  # a store that lets nobody clean up still takes models
            self.sweep(name)
        upload = f"{self._clock():%Y%m%d-%H%M%S}-{uuid.uuid4().hex}"
        for path, wanted in files.items():
            if self.store.upload(f"files/{name}/{upload}/{path}", folder / path).sha256 != wanted.sha256:
                raise StorageError(f"{folder / path} changed while it was stored. Register when nobody writes to it.")
        if time.monotonic() - started > DEAD_AFTER.total_seconds() / 2:
            raise StorageError(f"Storing {folder} took over {DEAD_AFTER / 2}, so it counts as dead. Register it again.")
        draft = Manifest(
            name=name,
            version=1,
            created=self._clock(),
            by=self._by,
            upload=upload,
            files=files,
            tags={str(key): str(value) for key, value in tags.items()},
            signature=description.get("signature", {}),
            # What training looked like is long, and asked for with the files alone.
            lineage={key: value for key, value in description.get("lineage", {}).items() if key != REFERENCE},
        )
        return self._number(draft)

    def resolve(self, text: str) -> Path:
        """Folder with the files of a version, on this machine and verified by their checksums.

        `text` is `name@alias`, `name/3` or either with `models:/` before it.
        """
        found = self.describe(text).manifest
        while True:
            try:
                return self._cache.fetch(self.store, found)
            except CorruptModelError:
                # Files that are gone may be those of a version that was deleted meanwhile.
                again = self.describe(text).manifest
                if again.version == found.version:
                    raise
                found = again

    def describe(self, text: str) -> Description:
        """Say what a version is, without its files."""
        wanted = reference(text)
        state = self._book.read(wanted.name)
        while True:
            version = self._version(wanted, state)
            try:
                manifest = self._manifest(wanted.name, version, state)
            except UnknownVersionError:
                # Whoever held the alias when it was read may have been replaced, then deleted.
                state = self._book.read(wanted.name)
                if self._version(wanted, state) == version:
                    raise
            else:
                return Description(manifest, state.of(version))

    def list(self, after: str = "", most: int | None = None) -> tuple[ModelSummary, ...]:
        """Models by name, those behind a name, at most so many; aliases of no others are read."""
        found: dict[str, list[int]] = {}
        for entry in self.store.list("versions/"):
            if place := VERSION.fullmatch(entry.key):
                found.setdefault(place[1], []).append(int(place[2]))
        names = sorted(name for name in found if name > after)[:most]
        return tuple(self._summary(name, found[name]) for name in names)

    def model(self, name: str) -> ModelSummary:
        """One model; raises `UnknownModelError`."""
        numbers = self._numbers(checked_name(name))
        if not numbers:
            raise UnknownModelError(name, [model.name for model in self.list()], self.store.url)
        return self._summary(name, numbers)

    def promote(
        self,
        name: str,
        version: int,
        alias: str = "champion",
        evidence: Evidence | None = None,
        *,
        reason: str = "",
        held: Mapping[str, int] | None = None,
    ) -> Event | None:
        """Point an alias to a version; None where it already does.

        A guarded alias is given on evidence alone: on data after all training, better than its holder and than the
        naive forecast; else `RefusedPromotionError` says what is lacking. Evidence against a holder that was replaced
        meanwhile does not count. Where `held` says which version holds which alias, `AliasesChangedError` if others do.
        """
        checked_alias(alias)

        def decide(state: Aliases) -> Change | None:
            _check_held(name, state, held)
            candidate = self._manifest(name, version, state)
            holder = state.holders.get(alias)
            if holder is not None and holder.version == version:
                return None
            if alias in self._gate.guarded or evidence is not None:
                rival = None if holder is None else self._manifest(name, holder.version, state)
                self._weigh(evidence, candidate, rival, alias)
            told = None if evidence is None else evidence.model_dump(mode="json")
            return Change("promote", version, alias, reason=reason, evidence=told)

        return self._book.change(checked_name(name), self._by, decide)

    def rollback(self, name: str, alias: str = "champion", *, of: int | None = None, reason: str = "") -> int:
        """Point an alias back to the version it had before, passing over deleted ones; that version.

        Where `of` names a version, only while that one holds the alias; so the call may be repeated.
        """
        checked_alias(alias)

        def decide(state: Aliases) -> Change | None:
            holder = self._holder(name, alias, state)
            if of is not None and holder.version != of:
                return None
            older = self._book.event(holder.event).before
            while older is not None and older.version in state.deleted:
                older = self._book.event(older.event).before
            if older is None:
                raise NeuralError(
                    f"Alias {alias} of model {name} had no version before {holder.version}. Promote another one."
                )
            return Change("rollback", older.version, alias, restores=older, reason=reason)

        event = self._book.change(checked_name(name), self._by, decide)
        return self._book.read(name).holders[alias].version if event is None else event.version

    def remove(self, name: str, alias: str, *, reason: str = "", held: Mapping[str, int] | None = None) -> None:
        """Take an alias away, where holders are as in `held`; the next one of a guarded one has to pass the gate."""
        checked_alias(alias)

        def decide(state: Aliases) -> Change:
            _check_held(name, state, held)
            return Change("remove", self._holder(name, alias, state).version, alias, reason=reason)

        self._book.change(checked_name(name), self._by, decide)

    def delete(self, name: str, version: int, *, reason: str = "") -> None:
        """Delete a version that no alias points to; its number is never given again."""

        def decide(state: Aliases) -> Change:
            self._manifest(name, version, state)
            if aliases := state.of(version):
                raise VersionInUseError(name, version, aliases)
            return Change("delete", version, reason=reason)

        upload = self._manifest(checked_name(name), version, self._book.read(name)).upload
        self._book.change(name, self._by, decide)
        self.store.delete(_place(name, version))
        for entry in list(self.store.list(f"files/{name}/{upload}/")):
            self.store.delete(entry.key)

    def history(
        self, name: str, *, after: int = 0, before: int | None = None, most: int | None = None
    ) -> tuple[Event, ...]:
        """Changes of the aliases of a model between two events' numbers, newest first, at most so many."""
        every = self._book.history(checked_name(name), after=after)
        return tuple(islice((event for event in every if before is None or event.seq < before), most))

    def ask_for_retraining(self, name: str, alias: str, verdict: Mapping[str, Any], reason: str) -> Event | None:
        """Note that the holder of an alias should be trained anew; None where that was asked before."""

        def decide(state: Aliases) -> Change | None:
            holder = self._holder(name, alias, state)
            if holder.retrain is not None:
                return None
            return Change("retrain", holder.version, alias, reason=reason, evidence=dict(verdict))

        return self._book.change(checked_name(name), self._by, decide)

    def retraining_asked(self, name: str, alias: str) -> Event | None:
        """Find the request that the holder of an alias be trained anew; None where nobody asked."""
        holder = self._holder(checked_name(name), checked_alias(alias), self._book.read(name))
        return None if holder.retrain is None else self._book.event(holder.retrain)

    def tagged(self, name: str, key: str, value: str) -> tuple[int, ...]:
        """Versions of a model with this tag, in ascending order."""
        state = self._book.read(checked_name(name))
        return tuple(v for v in self._numbers(name) if self._manifest(name, v, state).tags.get(key) == value)

    def sweep(self, name: str, age: timedelta = DEAD_AFTER) -> int:
        """Remove what dead writers left behind and no version holds, once it has that age; how many objects."""
        before = self._clock() - age
        dead = self._book.sweep(name, before) + self._cache.sweep(before)
        dead += self.store.sweep(before, f"files/{name}/")
        deleted = self._book.read(name).deleted
        for number in self._all_numbers(name):
            if number in deleted:
                self.store.delete(_place(name, number))
        keys = self._left_behind(name, before)
        for key in keys:
            self.store.delete(key)
        return dead + len(keys)

    def _left_behind(self, name: str, before: datetime) -> tuple[str, ...]:
        """Files of uploads that no version holds and to which nothing was added since an instant."""
        uploads: dict[str, list[Entry]] = {}
        for entry in self.store.list(f"files/{name}/"):
            uploads.setdefault(entry.key.split("/")[2], []).append(entry)
        old = {upload for upload, files in uploads.items() if max(file.modified for file in files) < before}
        if old:
            # Read after the files: whatever became a version meanwhile is among these.
            for number in self._all_numbers(name):
                with suppress(NoObjectError):  # deleted meanwhile
                    old.discard(self._read(name, number).upload)
        return tuple(file.key for upload in sorted(old) for file in uploads[upload])

    def _number(self, draft: Manifest) -> int:
        """Write a manifest under the next number that is free."""
        # In this order: a version deleted between the two is seen in one of them, so its number stays taken.
        taken = self._all_numbers(draft.name)
        taken += self._book.read(draft.name).deleted
        for version in range(max(taken, default=0) + 1, LAST_VERSION):
            manifest = draft.model_copy(update={"version": version})
            try:
                self.store.put_if(_place(draft.name, version), manifest.encoded(), None)
            except ChangedError:
                continue
            return version
        raise StorageError(f"Model {draft.name} has used up its numbers. Register under another name.")

    def _weigh(self, evidence: Evidence | None, candidate: Manifest, holder: Manifest | None, alias: str) -> None:
        reasons = ["there is no evidence for it"]
        if evidence is not None:
            reasons = list(self._gate.objections(evidence, candidate, holder))
        if reasons:
            raise RefusedPromotionError(candidate.name, candidate.version, alias, reasons)

    def _version(self, wanted: Reference, state: Aliases) -> int:
        if wanted.alias is None:
            return checked_version(wanted.version or 0)
        return self._holder(wanted.name, wanted.alias, state).version

    def _holder(self, name: str, alias: str, state: Aliases) -> Holder:
        if alias not in state.holders:
            self.model(name)
            raise UnknownAliasError(name, alias, state.holders)
        return state.holders[alias]

    def _manifest(self, name: str, version: int, state: Aliases) -> Manifest:
        deleted = checked_version(version) in state.deleted
        if not deleted:
            with suppress(NoObjectError):
                return self._read(name, version)
        raise UnknownVersionError(name, version, self.model(name).versions, deleted=deleted)

    def _read(self, name: str, version: int) -> Manifest:
        return read_record(Manifest, self.store.get(_place(name, version)).data, f"{name}/{version}")

    def _numbers(self, name: str) -> tuple[int, ...]:
        deleted = self._book.read(name).deleted
        return tuple(number for number in self._all_numbers(name) if number not in deleted)

    def _all_numbers(self, name: str) -> tuple[int, ...]:
        places = (VERSION.fullmatch(entry.key) for entry in self.store.list(f"versions/{name}/"))
        return tuple(int(place[2]) for place in places if place)

    def _summary(self, name: str, numbers: Iterable[int]) -> ModelSummary:
        state = self._book.read(name)
        return ModelSummary(name, tuple(n for n in numbers if n not in state.deleted), state.versions())


def open_registry(settings: Neural, by: str | None = None) -> Registry:
    """Open the registry that settings name."""
    access = S3Access(settings.s3.endpoint, settings.s3.region)
    return Registry(open_objects(settings.registry, access), settings.cache, by=by)


def _check_held(name: str, state: Aliases, held: Mapping[str, int] | None) -> None:
    if held is not None and held != state.versions():
        raise AliasesChangedError(name)


def _place(name: str, version: int) -> str:
    return f"versions/{name}/{version:08d}"
