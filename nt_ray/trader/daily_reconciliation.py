"""The daily reconciliation of a live account: once after the close of each trading day, kept in a file that only grows.

Each line is one comparison with every difference by name, as RTS 6 Article 17 wants it. The first line of a file says
from which day on days count, so that one which nobody watched is made up for after a restart. It does not know how the
comparison is made.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from nt_ray.errors import StorageError
from nt_ray.market.nyse import NEW_YORK, sessions
from nt_ray.storage.whole_file import flush
from nt_ray.trader.reconciliation import Reconciliation

AFTER_CLOSE: Final = timedelta(minutes=15)
"""How long after the close the day's executions have to arrive."""
_LONGEST_BREAK: Final = timedelta(days=14)

_log = logging.getLogger(__name__)


class DailyReconciliation:
    """Compares when a day is due, and keeps what was found."""

    def __init__(self, compare: Callable[[], Reconciliation], path: Path | None, clock: Callable[[], datetime]) -> None:
        """Go on with the file at `path`; a new one begins with the next day that is due. Without a path none is."""
        self._compare = compare
        self._path = path
        self._clock = clock
        self._last = date.max if path is None else _begun(path, clock())

    def after(self, work: Callable[[], object]) -> Callable[[], None]:
        """Make a call that does work, and then what is due."""

        def both() -> None:
            work()
            self.step()

        return both

    def step(self) -> None:
        """Compare where a trading day has ended since the last comparison."""
        day = day_due(self._clock())
        if self._path is None or day <= self._last:
            return
        found = self._compare()
        _append(self._path, {"day": str(day), "agrees": found.agrees, **asdict(found)})
        self._last = day
        for difference in found.differences:
            _log.warning(
                "%s differs from its venue on %s: %s %s is %s here and %s there. %s",
                found.account, day, difference.kind, difference.key, difference.ours, difference.venue,
                difference.remedy, extra={"account": found.account},
            )  # fmt: skip


def day_due(now: datetime) -> date:
    """Newest trading day of New York whose close lies a while back."""
    today = now.astimezone(NEW_YORK).date()
    found = sessions(today - _LONGEST_BREAK, today)
    return next(one.day for one in reversed(found) if one.end + AFTER_CLOSE <= now.astimezone(UTC))


def kept_reconciliations(path: Path) -> list[dict[str, Any]]:
    """Read the comparisons that were kept, oldest first."""
    return [line for line in _lines(path) if "day" in line]


def _begun(path: Path, now: datetime) -> date:
    """Day of the last comparison, or the one from which on days count."""
    kept = _lines(path)
    if kept:
        return date.fromisoformat(kept[-1].get("day") or kept[-1]["since"])
    day = day_due(now)
    _append(path, {"since": str(day)})
    return day


def _lines(path: Path) -> list[dict[str, Any]]:
    # What a crash cut off says nothing: it is no line.
    try:
        return [json.loads(line) for line in _text(path).split(b"\n")[:-1]]
    except ValueError as error:
        raise StorageError(f"{path} holds no reconciliations ({error}). Move it away; a new one is begun.") from error


def _text(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error}. Free the file or the disk.") from error


def _append(path: Path, line: dict[str, Any]) -> None:
    whole = _text(path).rfind(b"\n") + 1
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.truncate(whole)
            file.write(json.dumps(line, default=str).encode() + b"\n")
            flush(file)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error}. Free the file or the disk.") from error
