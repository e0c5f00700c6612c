import threading
from collections.abc import Callable

import pytest

from nt_ray.brokers.base import (
    VenueDownError,
)
from nt_ray.trader.watcher import Pace, Watcher

PATIENCE_S = 20.0


def until(is_so: Callable[[], bool]) -> None:
    """Wait for another thread."""
    deadline = threading.Event()
    for _ in range(int(PATIENCE_S / 0.002)):
        if is_so():
            return
        deadline.wait(0.002)
    pytest.fail("the other thread did not come that far")


def test_the_watcher_asks_on_time_listens_in_between_and_backs_off() -> None:
    now, calls, fails = [0.0], [], [False]

    def sync() -> None:
        calls.append(("sync", now[0]))
        if fails[0]:
            raise VenueDownError("down")

    watcher = Watcher(
        sync, lambda: calls.append(("hear", now[0])), Pace(10, 2, 1, 5), clock=lambda: now[0], jitter=lambda: 0.5
    )
    pauses = []
    for _ in range(7):
        pauses.append(watcher.step())
        now[0] += pauses[-1]
    assert calls == [("sync", 0), ("hear", 2), ("hear", 4), ("hear", 6), ("hear", 8), ("sync", 10), ("hear", 12)]
    fails[0], now[0], calls[:] = True, 20.0, []
    pauses = []
    for _ in range(5):
        pauses.append(watcher.step())
        now[0] += pauses[-1]
    assert pauses == [1, 2, 4, 5, 5]
    assert (watcher.health.up, watcher.health.failures) == (False, 5)
    fails[0] = False
    watcher.step()
    assert (watcher.health.up, watcher.health.failures) == (True, 0)


def test_a_watcher_that_breaks_off_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda found: told.append(found.exc_type))

    def broken() -> None:
        raise ZeroDivisionError

    watcher = Watcher(broken, broken)
    watcher.start()
    until(lambda: bool(told))
    watcher.stop()
    assert told == [ZeroDivisionError]
    assert (watcher.health.up, "broke off" in watcher.health.error) == (False, True)
