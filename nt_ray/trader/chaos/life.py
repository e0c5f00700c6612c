"""One life of a drill's trader: it opens the account, recovers, and trades until it is killed or its turns are over.

Its agents take turns; in `nt_ray.trader.chaos.shared_life` they trade at once.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from nt_ray.brokers.alpaca.access import AlpacaAccess
from nt_ray.brokers.alpaca.broker import AlpacaBroker
from nt_ray.brokers.alpaca.transport import Patience
from nt_ray.brokers.base import Broker
from nt_ray.errors import StorageError
from nt_ray.market.bars import Instrument
from nt_ray.risk.limits import RiskLimits
from nt_ray.storage.journal import Journal
from nt_ray.storage.opening import open_journal
from nt_ray.trader.account import Account
from nt_ray.trader.chaos.agents import Agents
from nt_ray.trader.chaos.gremlin import Gremlin, shaken
from nt_ray.trader.chaos.witness import Witness
from nt_ray.trader.controls import ACCOUNT_SCOPE, GATE

CAPITAL = Decimal(1_000_000)
LIMITS = RiskLimits(
    max_order_notional=Decimal(1_000_000),
    max_position_notional=Decimal(1_000_000),
    max_gross_exposure=5,
    max_net_exposure=5,
    max_concentration=1,
    max_daily_loss=1,
    max_drawdown=1,
    self_trade=False,
)
"""Wide limits: the drill is about the venue and the journal."""


SNAPSHOT_EVERY = 40
"""Events between two snapshots: few, so that a drill sees many."""


@dataclass(frozen=True, slots=True)
class Post:
    """Where the trader of a drill works, and `notes`, where its witness writes. Times are in seconds."""

    journal: str
    access: AlpacaAccess
    prices: Mapping[str, Decimal]
    notes: Path
    timeout_s: float = 0.2
    arrival_s: float = 0.15

    @property
    def has_database(self) -> bool:
        """Whether the journal is in a database and not in a file."""
        return self.journal.startswith(("postgresql://", "postgres://"))


@dataclass(frozen=True, slots=True)
class Life:
    """One life: its seed, how many turns it has, where the gremlin strikes, and whether its agents trade at once."""

    seed: str
    turns: int
    gremlin: Gremlin
    shared: bool = False


def venue(post: Post) -> AlpacaBroker:
    """Connect to the drill's venue: impatient, without a budget of requests."""
    patience = Patience(timeout_s=post.timeout_s, first_pause_s=0.01)
    return AlpacaBroker("alpaca", post.access, patience, arrival_s=post.arrival_s, requests_per_minute=10**9)


def open_account(post: Post, broker: Broker, journal: Journal, *, shared: bool = False) -> Account:
    """Open the drill's account; its constructor recovers."""
    instruments = [Instrument(symbol, Decimal("0.01")) for symbol in post.prices]
    account = Account(
        "drill",
        journal,
        broker,
        LIMITS,
        instruments,
        lambda: datetime.now(UTC),
        snapshot_every=SNAPSHOT_EVERY,
        shared=shared,
    )
    account.deposit(CAPITAL)
    if account.books.halts.get(ACCOUNT_SCOPE, "").startswith(GATE):
        # An order that had been given up has arrived; the person who looks into it lets the drill go on.
        account.resume(ACCOUNT_SCOPE, "drill", "It is in the books.")
    return account


def live(post: Post, life: Life, witness: Witness) -> None:
    """Live one life. A lost database ends it as a crash would."""
    broker = venue(post)
    with suppress(StorageError):
        journal = shaken(open_journal(post.journal), "journal", life.gremlin)
        account = open_account(post, shaken(broker, "venue", life.gremlin), journal)
        agents = Agents(account, post.prices, life.seed, witness, life.gremlin.step)
        for _ in range(life.turns):
            account.sync(datetime.now(UTC), post.prices)
            agents.act()
        account.close()
    broker.close()
