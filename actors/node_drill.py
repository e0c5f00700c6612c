"""A drill on a cluster: nodes of Ray are killed under a live account and its agents, and what they leave is audited.

In turn the node dies that holds agents, and the one that holds the account, at random instants. An account whose
journal is in a database is started on another node by Ray; one whose journal is a file, by the drill, as an operator
would who reaches the file from there. Agents that died are followed by new ones; what they had asked for is not
forgotten. The venue and the witness's notes are on this machine and outlive all nodes.
"""

import os
import random
import signal
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import ray
from ray.actor import ActorHandle
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.live_account import start, stop
from actors.live_handle import LiveHandle
from actors.nodes import Nodes, cluster_of
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.errors import ServiceError
from nt_ray.trader.chaos.agents import Agents
from nt_ray.trader.chaos.audit import Audit
from nt_ray.trader.chaos.drill import PRICES, examine
from nt_ray.trader.chaos.gremlin import Gremlin
from nt_ray.trader.chaos.life import CAPITAL, Post
from nt_ray.trader.chaos.shared_life import DrillPlan
from nt_ray.trader.chaos.witness import Witness
from nt_ray.trader.reports import OrderReport
from nt_ray.trader.watcher import Pace
from nt_ray.trading.orders import Order, OrderRequest

NODES: Final = 3
VICTIMS: Final = ("agents' node", "account's node")
PROCESS: Final = "account's process"
"""What dies instead of the account's node where that is the head."""

ORDERS_BETWEEN: Final = 8
"""Orders that the venue has got since the last kill before the next one is due."""
PATIENCE_S: Final = 90.0
PACE: Final = Pace(sync_s=0.5, hear_s=0.02, first_pause_s=0.05, longest_pause_s=0.5)
ANSWER_S: Final = 2.0
"""How long the venue may take: longer than in a drill of one process, since nodes share this machine."""


@dataclass(frozen=True, slots=True)
class NodeDrill:
    """How a drill went: what was killed how often, and on how many nodes the account has lived."""

    kills: int
    by_victim: dict[str, int]
    homes: int
    seconds: float
    audit: Audit

    def story(self) -> Iterator[str]:
        """What was killed, line by line."""
        yield f"{self.kills} kills in {self.seconds:.0f} s; the account has lived on {self.homes} nodes"
        yield from (f"  {count:6d}  {victim}" for victim, count in self.by_victim.items())


def run_node_drill(journal: str, kills: int, seed: int, on_kill: Callable[[int], None] | None = None) -> NodeDrill:
    """Kill so many nodes, one after the other; audit what is left. `journal` must not exist yet."""
    started = time.monotonic()
    draw = random.Random(seed)  # noqa: S311  a drill must be repeatable
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nt-ray-drill-")))
        simulator = AlpacaSimulator(cash=CAPITAL, symbols=PRICES, requests_per_minute=10**9)
        stack.enter_context(simulator)
        post = Post(journal, simulator.access(), PRICES, folder / "notes", ANSWER_S, ANSWER_S)
        with cluster_of(NODES) as nodes:
            scene = _Scene(nodes, post, simulator, draw)
            killed: Counter[str] = Counter()
            for number in range(kills):
                scene.trade()
                killed[scene.kill(VICTIMS[number % len(VICTIMS)], follow=number + 1 < kills)] += 1
                if on_kill is not None:
                    on_kill(number + 1)
            scene.trade()
            scene.end()
        found = examine(post, simulator)
    return NodeDrill(kills, dict(killed), len(scene.homes), time.monotonic() - started, found)


class _Scene:
    """Nodes, the account on one of them, agents on all."""

    def __init__(self, nodes: Nodes, post: Post, simulator: AlpacaSimulator, draw: random.Random) -> None:
        self._nodes, self._post, self._simulator, self._draw = nodes, post, simulator, draw
        self._plan = DrillPlan(post, Gremlin())
        self._account = LiveHandle(self._plan.name)
        self._agents: dict[str, ActorHandle[Any]] = {}
        self._born = 0
        for node in nodes.ids:
            self._settle_agents(node)
        # Not on the head: it is never killed, so the account would never move.
        start(self._plan, PACE, nodes.ids[-1])
        self.homes = {self._home()}

    def trade(self) -> None:
        """Wait until the agents have got orders through, then for a random while."""
        wanted = len(self._simulator.orders()) + ORDERS_BETWEEN
        deadline = time.monotonic() + PATIENCE_S
        while len(self._simulator.orders()) < wanted:
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"The agents got fewer than {ORDERS_BETWEEN} orders through in {PATIENCE_S:g} s. Give the drill "
                    "more of this machine, and look at the log of Ray."
                )
            self._move_market()
        until = time.monotonic() + self._draw.uniform(0.0, 0.5)
        while time.monotonic() < until:
            self._move_market()

    def kill(self, victim: str, *, follow: bool) -> str:
        """Kill the node that holds the account, or another that holds agents; tell what died. Another may `follow`."""
        head, *others = self._nodes.ids
        home = self._home()
        if victim == VICTIMS[0]:
            node = self._draw.choice([one for one in others if one != home])
        elif home != head:
            node = home
        else:
            os.kill(self._account.call("pid"), signal.SIGKILL)
            self._home()
            return PROCESS
        self._nodes.kill(node)
        self._agents.pop(node)
        if follow:
            self._settle_agents(self._nodes.add())
        if node == home and not self._plan.moves:
            start(self._plan, PACE, self._nodes.ids[-1])
        # The process outlives its node for a moment, and may still answer.
        deadline = time.monotonic() + PATIENCE_S
        while (home := self._home()) == node and time.monotonic() < deadline:
            time.sleep(0.1)
        self.homes.add(home)
        return victim

    def end(self) -> None:
        """Let the agents finish and the account close."""
        for agents in self._agents.values():
            ray.get(agents.stop.remote())
        stop(self._plan.name)

    def _home(self) -> str:
        return str(self._account.call("status").node)

    def _settle_agents(self, node: str) -> None:
        here = NodeAffinitySchedulingStrategy(node, soft=False)
        agents = NodeAgents.options(scheduling_strategy=here).remote(self._post, self._plan.name, f"n{self._born}")  # type: ignore[attr-defined]
        self._agents[node] = agents
        self._born += 1

    def _move_market(self) -> None:
        symbol = self._draw.choice(sorted(PRICES))
        self._simulator.price(symbol, str(PRICES[symbol] + Decimal(self._draw.randint(-60, 60)) / 100))
        time.sleep(0.02)


@ray.remote(num_cpus=0)
class NodeAgents:
    """Agents of one node, which trade until they are told to stop."""

    def __init__(self, post: Post, account: str, seed: str) -> None:
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._trade, args=(post, account, seed), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the order under way."""
        self._ends.set()
        self._thread.join()

    def _trade(self, post: Post, account: str, seed: str) -> None:
        with Witness(post.notes) as witness:
            try:
                agents = Agents(_Calls(account), post.prices, seed, witness)
                while not self._ends.wait(0.02):
                    agents.act()
            except Exception:  # noqa: BLE001  whatever ends an agent is a fault of the drill, and is told by its audit
                witness.crashes(traceback.format_exc(limit=-4, chain=False))


class _Calls:
    """What agents need of an account, by calls to its actor."""

    def __init__(self, account: str) -> None:
        self._account = LiveHandle(account)

    def submit(self, requests: Sequence[OrderRequest]) -> list[OrderReport]:
        """Pass orders through gate, journal and venue."""
        reports: list[OrderReport] = self._account.call("submit", list(requests))
        return reports

    def replace(self, request: OrderRequest) -> OrderReport:
        """Put an order in the place of another."""
        report: OrderReport = self._account.call("replace", request)
        return report

    def cancel(self, client_order_id: str) -> OrderReport:
        """Cancel an order."""
        report: OrderReport = self._account.call("cancel", client_order_id)
        return report

    def orders(self) -> list[Order]:
        """All orders."""
        orders: list[Order] = self._account.call("orders")
        return orders
