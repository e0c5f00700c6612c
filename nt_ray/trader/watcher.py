"""The watcher of a live account: a thread that asks the venue regularly and listens to it in between.

Each step is a function of the clock that is passed in. A failure of the venue, of prices or of the disk is noted, and
the next attempt comes after a pause that doubles up to a limit; a success ends that. A writer that has been replaced
stops watching for good. Periods differ a little, so that many accounts do not ask one venue at the same moment.
"""

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from nt_ray.errors import FencedError, NeuralTraderError
from nt_ray.trader.health import Health

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: between two inquiries, between two looks at what was pushed, and pauses after failures."""

    sync_s: float = 5.0
    hear_s: float = 0.05
    first_pause_s: float = 0.5
    longest_pause_s: float = 30.0


class Watcher:
    """Calls `sync`, which raises where the venue does not answer, and `hear`."""

    def __init__(
        self,
        sync: Callable[[], object],
        hear: Callable[[], object],
        pace: Pace | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] | None = None,
    ) -> None:
        self._sync = sync
        self._hear = hear
        self._pace = pace or Pace()
        self._clock = clock
        # Numbers of its own: its thread does not draw from those of whoever else is in the process.
        self._jitter = jitter or random.Random().random  # noqa: S311  no secret
        self._due = clock()
        self._ends = threading.Event()
        self._thread: threading.Thread | None = None
        self.health = Health()
        self.is_fenced = False

    def start(self) -> None:
        """Begin to watch, once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="account-watcher", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop watching and wait for the thread."""
        self._ends.set()
        if self._thread is not None:
            self._thread.join()

    def step(self) -> float:
        """Do what is due; return the seconds until the next step."""
        now = self._clock()
        try:
            if now < self._due:
                self._hear()
            else:
                self._sync()
                took = self._clock() - now
                self.health = self.health.answered(took * 1e3)
                self._due = now + took + self._spread(self._pace.sync_s)
        except FencedError as error:
            self.health, self.is_fenced = self.health.failed(str(error)), True
            self._ends.set()
        except NeuralTraderError as error:
            if not self.health.failures:
                _log.warning("An account cannot be watched: %s", error)
            self.health = self.health.failed(str(error))
            pause = min(self._pace.first_pause_s * 2.0 ** min(self.health.failures - 1, 30), self._pace.longest_pause_s)
            self._due = self._clock() + self._spread(pause)
            # What was pushed waits as well: it may be what cannot be understood.
            return self._due - self._clock()
        return max(min(self._pace.hear_s, self._due - self._clock()), 0.0)

    def _spread(self, seconds: float) -> float:
        return seconds * (0.8 + 0.4 * self._jitter())

    def _run(self) -> None:
        try:
            while not self._ends.wait(self.step()):
                pass
        finally:
            if not self._ends.is_set():
                self.health = self.health.failed("The watcher broke off. Look at the log, then open the account anew.")
