"""A drill: a trader is killed again and again, at named steps and at random instants, and audited at the end.

The trader's lives are forks of a process that has loaded everything and has no threads; the venue, an Alpaca simulator,
moves its prices and breaks requests from here meanwhile. A fault of the venue may come with every second life.
"""

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from nt_ray.brokers.alpaca.links import Leg, leg_id
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.brokers.alpaca.wire import Json
from nt_ray.storage.opening import open_journal
from nt_ray.trader.chaos.audit import Audit, audit
from nt_ray.trader.chaos.gremlin import STEPS, Gremlin
from nt_ray.trader.chaos.life import CAPITAL, Life, Post, fork, open_account, venue
from nt_ray.trading.orders import OrderStatus

PRICES: Final = {"AAPL": Decimal(100), "MSFT": Decimal(200)}
FAULTS: Final = (
    {"kind": "drop_before"},
    {"kind": "drop_after"},
    {"kind": "delay", "seconds": 0.6},
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
RANDOM: Final = "at random"
_ROLES: Final = {"take_profit": Leg.TAKE_PROFIT, "stop_loss": Leg.STOP_LOSS}
DOUBTS: Final = (OrderStatus.SUBMITTED, OrderStatus.PENDING_CANCEL, OrderStatus.PENDING_REPLACE)


@dataclass(frozen=True, slots=True)
class Drill:
    """How a drill went."""

    lives: int
    kills: int
    by_step: dict[str, int]
    faults_of_venue: int
    seconds: float
    audit: Audit


def run_drill(
    journal: str, kills: int, seed: int, *, turns: int = 8, on_kill: Callable[[int], None] | None = None
) -> Drill:
    """Kill a trader so many times; audit what it leaves.

    Parameters
    ----------
    journal
        Path or URL of a journal that does not exist yet.
    kills
        Kills to make: each named step in turn, and a random instant after each.
    seed
        Of everything that is drawn.
    turns
        Most things that the trader does in one life.
    on_kill
        Told of progress.
    """
    started = time.monotonic()
    zygote = _Zygote()
    draw = random.Random(seed)  # noqa: S311  a drill must be repeatable
    with AlpacaSimulator(cash=CAPITAL, symbols=PRICES, requests_per_minute=10**9) as simulator:
        post = Post(journal, simulator.access(), PRICES)
        found: Counter[str] = Counter()
        lives = troubles = 0
        while found.total() < kills:
            step = STEPS[lives // 2 % len(STEPS)] if lives % 2 == 0 else RANDOM
            if draw.random() < 0.5:
                simulator.fault(**draw.choice(FAULTS))
                troubles += 1
            gremlin = Gremlin() if step == RANDOM else Gremlin(step, draw.randint(1, 3))
            if _one_life(zygote, simulator, post, Life(f"{seed}.{lives}", turns, gremlin), draw, step == RANDOM):
                found[step] += 1
                if on_kill is not None:
                    on_kill(found.total())
            lives += 1
        zygote.close()
        simulator.clear_faults()
        result = _audit(post, simulator)
    return Drill(lives, found.total(), dict(sorted(found.items())), troubles, time.monotonic() - started, result)


def _one_life(
    zygote: "_Zygote", simulator: AlpacaSimulator, post: Post, life: Life, draw: random.Random, at_random: bool
) -> bool:
    """Live one life while the market moves; tell whether it was killed."""
    pid = zygote.spawn(post, life)
    deadline = time.monotonic() + draw.uniform(0.002, 0.25) if at_random else None
    while not zygote.ended():
        symbol = draw.choice(sorted(PRICES))
        price = PRICES[symbol] + Decimal(draw.randint(-60, 60)) / 100
        simulator.price(symbol, str(price))
        if deadline is not None and time.monotonic() >= deadline:
            with suppress(ProcessLookupError):  # the life has just ended by itself
                os.kill(pid, signal.SIGKILL)
            deadline = None
    return zygote.status == signal.SIGKILL


def _audit(post: Post, simulator: AlpacaSimulator) -> Audit:
    """Recover once more, without the gremlin, and compare."""
    broker = venue(post)
    journal = open_journal(post.journal)
    account = open_account(post, broker, journal)
    patience = time.monotonic() + 20.0
    while any(o.status in DOUBTS for o in account.orders()) and time.monotonic() < patience:
        account.sync(datetime.now(UTC), post.prices)
        time.sleep(0.05)
    comparison = account.reconcile()
    kept = simulator.orders()
    taken = [_our_name(order, kept) for order in kept]
    result = audit(account.books, journal, taken, comparison)
    account.close()
    broker.close()
    return result


def _our_name(order: Json, orders: Sequence[Json]) -> str:
    """Client order id under which we know an order of the venue: legs are named after their head."""
    head = next((o for o in orders if o["id"] == order["head"]), None)
    return str(order["client_order_id"]) if head is None else leg_id(head["client_order_id"], _ROLES[order["role"]])


class _Zygote:
    """A process that has loaded everything, has one thread, and forks lives."""

    def __init__(self) -> None:
        ours, theirs = multiprocessing.Pipe()
        self._pipe: Any = ours
        context = multiprocessing.get_context("fork")
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        self.status = 0

    def spawn(self, post: Post, life: Life) -> int:
        """Begin a life; return its pid."""
        self._pipe.send((post, life))
        return int(self._pipe.recv())

    def ended(self) -> bool:
        """Whether the life is over; `status` is then the signal that ended it, or 0."""
        if not self._pipe.poll(0.003):
            return False
        self.status = self._pipe.recv()
        return True

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.terminate()
        self._process.join()


def _serve(pipe: Any) -> None:
    while True:
        try:
            post, life = pipe.recv()
        except EOFError:
            return
        pid = fork(post, life)
        pipe.send(pid)
        _, status = os.waitpid(pid, 0)
        pipe.send(os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status))
