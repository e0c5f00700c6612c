"""One life of a drill whose four agents trade at once, each in a thread of its own, on one live account.

Their orders are journalled together and sent side by side, and a watcher takes in what the venue pushes: a kill finds
several orders under way.
"""

import threading
import traceback
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from nt_ray.brokers.alpaca.orders import CAPABILITIES
from nt_ray.errors import StorageError
from nt_ray.storage.opening import open_journal
from nt_ray.trader.chaos.agents import AGENTS, Agents
from nt_ray.trader.chaos.gremlin import Gremlin, shaken
from nt_ray.trader.chaos.life import Life, Post, open_account, venue
from nt_ray.trader.chaos.witness import Witness
from nt_ray.trader.live_account import LiveAccount
from nt_ray.trader.live_plan import Clock, OpenedVenue
from nt_ray.trader.price import Price
from nt_ray.trader.watcher import Pace

PACE = Pace(sync_s=0.03, hear_s=0.005, first_pause_s=0.01, longest_pause_s=0.05)


@dataclass(frozen=True, slots=True)
class DrillPlan:
    """The drill's account, with the gremlin behind its journal and its venue."""

    post: Post
    gremlin: Gremlin
    name: str = "drill"

    @property
    def moves(self) -> bool:
        """Whether the journal is in a database."""
        return self.post.has_database

    @property
    def concurrency(self) -> int:
        """What Alpaca takes."""
        return CAPABILITIES.concurrency

    def open(self, clock: Clock) -> OpenedVenue:
        """Open venue and journal, and recover."""
        with ExitStack() as opened:
            broker = venue(self.post)
            opened.callback(broker.close)
            watched = shaken(broker, "venue", self.gremlin)
            journal = shaken(open_journal(self.post.journal), "journal", self.gremlin)
            account = open_account(self.post, watched, journal, shared=True)
            opened.pop_all()
        return OpenedVenue(account, watched, self._prices, broker.close)

    def _prices(self) -> dict[str, Price]:
        return {symbol: Price(value, datetime.now(UTC)) for symbol, value in self.post.prices.items()}


def live_shared(post: Post, life: Life, witness: Witness) -> None:
    """Live one life. A lost database ends it as a crash would."""
    with suppress(StorageError):
        account = LiveAccount(DrillPlan(post, life.gremlin), PACE)
        turns = -(-life.turns // len(AGENTS))
        threads = [
            threading.Thread(target=_trade, args=(account, post, life, f"{life.seed}.{place}", turns, witness))
            for place in range(len(AGENTS))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        account.close()


def _trade(account: LiveAccount, post: Post, life: Life, seed: str, turns: int, witness: Witness) -> None:
    agents = Agents(account, post.prices, seed, witness, life.gremlin.step)
    try:
        with suppress(StorageError):
            for _ in range(turns):
                agents.act()
    except Exception:  # noqa: BLE001  whatever ends an agent is a fault of the drill, and is told by its audit
        witness.crashes(traceback.format_exc(limit=-4, chain=False))
