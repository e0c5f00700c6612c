"""A drill: a trader is killed again and again, at named steps and at random instants, and audited at the end.

The venue, an Alpaca simulator, moves its prices and breaks requests meanwhile; a journal in PostgreSQL loses its
connection. Either trouble may come with every second life.
"""

import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.storage.opening import open_journal
from nt_ray.trader.chaos.audit import Audit, audit
from nt_ray.trader.chaos.gremlin import CALL_STEPS, STEPS, WRITE_STEPS, Gremlin
from nt_ray.trader.chaos.life import CAPITAL, Life, Post, open_account, venue
from nt_ray.trader.chaos.venue_record import alpaca_record
from nt_ray.trader.chaos.wire import Cut, Wire
from nt_ray.trader.chaos.witness import read_testimony
from nt_ray.trader.chaos.zygote import Zygote
from nt_ray.trading.orders import OrderStatus

PRICES: Final = {"AAPL": Decimal(100), "MSFT": Decimal(200)}
FAULTS: Final[Sequence[dict[str, Any]]] = (
    {"kind": "drop_before"},
    {"kind": "drop_before", "method": "POST"},
    {"kind": "drop_after"},
    {"kind": "drop_after", "method": "POST"},
    {"kind": "late", "method": "POST", "seconds": 0.1},
    {"kind": "late", "method": "POST", "seconds": 0.8},
    {"kind": "late", "method": "PATCH", "seconds": 0.1},
    {"kind": "late", "method": "PATCH", "seconds": 0.8},
    {"kind": "late", "method": "DELETE", "seconds": 0.1},
    {"kind": "delay", "seconds": 0.3},
    {"kind": "rate_limit"},
    {"kind": "error", "status": 500},
    {"kind": "error", "status": 502, "processed": True},
    {"kind": "error", "status": 504},
    {"kind": "truncate"},
    {"kind": "stale"},
    {"kind": "stream_duplicate"},
    {"kind": "stream_reorder"},
    {"kind": "stream_close"},
)
"""What may go wrong at the venue; what comes late comes within the time that the adapter grants it, or long after."""

NEEDED: Final[dict[str, dict[str, Any]]] = {
    "OrderRejected": {"kind": "rate_limit", "method": "POST"},
    "venue.order": {"kind": "drop_after", "method": "POST"},
    "journal.confirm": {"kind": "drop_before", "method": "POST"},
}
"""Steps to which only a fault of the venue leads."""

ONCE: Final = ("journal.open_epoch", "journal.snapshot", "EpochStarted")
"""What a life comes to once."""

SHARED_ALONE: Final = "venue.updates"
"""What only a live account comes to."""

RANDOM: Final = "at random"
DOUBTS: Final = (OrderStatus.SUBMITTED, OrderStatus.PENDING_CANCEL, OrderStatus.PENDING_REPLACE)
ATTEMPTS: Final = 12
"""Lives that may miss a step before the next one has its turn."""

MOST_CRASHES: Final = 3
"""Lives that ended by an error, after which a drill stops: it has found a defect."""


@dataclass(frozen=True, slots=True)
class Drill:
    """How a drill went. `missed` are steps at which the trader was to be killed and never was."""

    lives: int
    kills: int
    by_step: dict[str, int]
    missed: tuple[str, ...]
    faults_of_venue: int
    cuts_of_database: dict[str, int]
    seconds: float
    audit: Audit

    def story(self) -> Iterator[str]:
        """What was killed and broken, line by line."""
        lived = f"{self.kills} kills in {self.lives} lives and {self.seconds:.0f} s"
        yield f"{lived}, {self.faults_of_venue} faults of the venue"
        yield from (f"  {count:6d}  {step}" for step, count in self.by_step.items())
        yield from (f"       0  {step}" for step in self.missed)
        cuts = self.cuts_of_database.items()
        yield from (f"  {count:6d}  connections to the database cut {how}" for how, count in cuts)


def steps_of(journal: str) -> tuple[str, ...]:
    """Every step at which a trader with this journal can be killed."""
    return (*CALL_STEPS, *WRITE_STEPS) if _is_postgres(journal) else STEPS


def run_drill(
    journal: str,
    kills: int,
    seed: int,
    *,
    steps: Sequence[str] = (),
    turns: int = 8,
    shared: bool | None = None,
    on_kill: Callable[[int], None] | None = None,
) -> Drill:
    """Kill a trader so many times; audit what it leaves.

    Parameters
    ----------
    journal
        Path or URL of a journal that does not exist yet.
    kills
        Kills to make.
    seed
        Of everything that is drawn.
    steps
        Where to kill, in turn, `RANDOM` among them; none: each named step, and a random instant after each.
    turns
        Most things that the trader does in one life.
    shared
        Whether the agents trade at once on a live account, or in turns; None: now so, now so.
    on_kill
        Told of progress.
    """
    started = time.monotonic()
    steps = steps or tuple(chosen for step in steps_of(journal) for chosen in (step, RANDOM))
    draw = random.Random(seed)  # noqa: S311  a drill must be repeatable
    found: Counter[str] = Counter()
    with _scene(journal) as scene:
        lives = place = missed = 0
        while found.total() < kills and scene.crashes < MOST_CRASHES and (found or lives < 2 * ATTEMPTS):
            step = steps[place % len(steps)]
            scene.trouble(draw, step)
            # A trader that is to come to a step has more time for it.
            gremlin = Gremlin() if step == RANDOM else Gremlin(step, 1 if step.endswith(ONCE) else draw.randint(1, 2))
            together = step.endswith(SHARED_ALONE) or (bool(lives % 2) if shared is None else shared)
            life = Life(f"{seed}.{lives}", turns if step == RANDOM else 2 * turns, gremlin, together)
            lives += 1
            if scene.live(life, draw, at_random=step == RANDOM):
                found[step] += 1
                if on_kill is not None:
                    on_kill(found.total())
            elif step != RANDOM and missed + 1 < ATTEMPTS:
                missed += 1
                continue
            place, missed = place + 1, 0
        result = scene.audit()
    reached = dict(sorted(found.items()))
    left_out = tuple(sorted(set(steps[:place]) - reached.keys()))
    seconds = time.monotonic() - started
    return Drill(lives, found.total(), reached, left_out, scene.faults, scene.cuts, seconds, result)


class _Scene:
    """The venue, the database's wire, and who is sent between them."""

    def __init__(self, zygote: Zygote, simulator: AlpacaSimulator, post: Post, wire: Wire | None) -> None:
        self._zygote = zygote
        self._simulator = simulator
        self._post = post
        self._wire = wire
        self.faults = 0

    @property
    def cuts(self) -> dict[str, int]:
        """How often the database was lost, in which way."""
        return {} if self._wire is None else {str(how): count for how, count in self._wire.cuts.items()}

    @property
    def crashes(self) -> int:
        """How many lives ended by an error."""
        return self._zygote.crashes

    def trouble(self, draw: random.Random, step: str) -> None:
        """Prepare what goes wrong in the next life."""
        needed = next((fault for part, fault in NEEDED.items() if step.endswith(part)), None)
        if needed is not None or draw.random() < 0.5:
            self._simulator.fault(**(needed or draw.choice(FAULTS)))
            self.faults += 1
        if self._wire is not None and draw.random() < 0.5:
            self._wire.cut(draw.choice((Cut.REQUEST, Cut.ANSWER)), draw.randint(1, 30))

    def live(self, life: Life, draw: random.Random, *, at_random: bool) -> bool:
        """Let a life be lived while the market moves; tell whether it was killed."""
        pid = self._zygote.spawn(self._post, life)
        deadline = time.monotonic() + draw.uniform(0.002, 0.2) if at_random else None
        expulsions = 0 if self._wire is None or draw.random() < 0.6 else 1
        while not self._zygote.ended(0.005):
            symbol = draw.choice(sorted(PRICES))
            price = PRICES[symbol] + Decimal(draw.randint(-60, 60)) / 100
            self._simulator.price(symbol, str(price))
            if self._wire is not None and expulsions > 0 and draw.random() < 0.3:
                expulsions -= self._wire.expel()
            if deadline is not None and time.monotonic() >= deadline:
                with suppress(ProcessLookupError):  # the life has just ended by itself
                    os.kill(pid, signal.SIGKILL)
                deadline = None
        return self._zygote.signal == signal.SIGKILL

    def audit(self) -> Audit:
        """Let nothing go wrong any more, and look at what is left."""
        if self._wire is not None:
            self._wire.heal()
        return examine(self._post, self._simulator)


def examine(post: Post, simulator: AlpacaSimulator) -> Audit:
    """Recover once more, in peace, and compare what the account, its journal and the venue hold."""
    simulator.heal()
    simulator.arrived()
    patient = replace(post, timeout_s=20.0)
    broker = venue(patient)
    journal = open_journal(patient.journal)
    account = open_account(patient, broker, journal)
    patience = time.monotonic() + 20.0
    while any(o.status in DOUBTS for o in account.orders()) and time.monotonic() < patience:
        account.sync(datetime.now(UTC), patient.prices)
        time.sleep(0.02)
    comparison = account.reconcile()
    result = audit(account.books, journal, alpaca_record(simulator), comparison, read_testimony(patient.notes))
    account.close()
    broker.close()
    return result


@contextmanager
def _scene(journal: str) -> Iterator[_Scene]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nt-ray-drill-")))
        zygote = Zygote()
        stack.callback(zygote.close)
        simulator = AlpacaSimulator(cash=CAPITAL, symbols=PRICES, requests_per_minute=10**9)
        stack.enter_context(simulator)
        wire = None
        if _is_postgres(journal):
            wire = Wire(journal, folder)
            stack.callback(wire.close)
        post = Post(wire.url if wire else journal, simulator.access(), PRICES, folder / "notes")
        yield _Scene(zygote, simulator, post, wire)


def _is_postgres(journal: str) -> bool:
    return journal.startswith(("postgresql://", "postgres://"))
