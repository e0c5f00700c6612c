"""The pool of live accounts: who is routed to by circuits, looks and latencies, and what outlives a restart."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.config import load_settings
from nt_ray.errors import StorageError
from nt_ray.trader.circuit import Circuit, CircuitState
from nt_ray.trader.health import Health, LiveStatus
from nt_ray.trader.live_pool import LivePool, kept_accounts
from nt_ray.trader.planning import circuit_of, routing_table
from nt_ray.trader.routing import RoutingPolicy, RoutingTable

NAMES = ("east", "west")


def table(*names: str) -> RoutingTable:
    shares = {name: Decimal("0.5") for name in names or NAMES}
    return RoutingTable(shares, frozenset(shares), 0, RoutingPolicy.FASTEST)


class Venues:
    """Accounts that say what the test lets them, and a clock."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.latency_ms: dict[str, float] = {"east": 20.0, "west": 10.0, "north": 5.0}
        self.down: set[str] = set()
        self.gone: set[str] = set()
        self.fenced: set[str] = set()
        self.asked: list[Sequence[str]] = []

    def ask(self, accounts: Sequence[str]) -> Mapping[str, LiveStatus | str]:
        self.asked.append(tuple(accounts))
        return {name: self._one(name) for name in accounts}

    def _one(self, name: str) -> LiveStatus | str:
        if name in self.gone:
            return "It has no actor."
        health = Health().answered(self.latency_ms[name])
        health = health.failed("The venue is silent.") if name in self.down else health
        return LiveStatus(name, health, name in self.fenced, 0, 0, 1, 1)

    def pool(self, path: Path, *names: str, threshold: int = 2) -> LivePool:
        circuit = Circuit(threshold, probe_every=10.0, backoff=2.0, longest=40.0)
        return LivePool(table(*names), circuit, self.ask, lambda: self.now, path / "pool.json")


@pytest.fixture
def venues() -> Venues:
    return Venues()


def best(pool: LivePool) -> list[str]:
    found = pool.table
    return sorted(found.reachable, key=found.rank)


def test_the_fastest_account_is_the_one_that_measures_the_shortest_answers_at_its_venue(
    venues: Venues, tmp_path: Path
) -> None:
    pool = venues.pool(tmp_path)
    assert best(pool)[0] in NAMES
    pool.look()
    assert best(pool) == ["west", "east"]
    venues.latency_ms["west"] = 50.0
    pool.look()
    assert best(pool) == ["east", "west"]


@pytest.mark.parametrize("why", ["down", "gone", "fenced"])
def test_an_account_that_the_last_look_found_away_takes_no_order_before_its_circuit_opens(
    venues: Venues, tmp_path: Path, why: str
) -> None:
    pool = venues.pool(tmp_path)
    pool.look()
    getattr(venues, why).add("west")
    assert pool.look().reachable == {"east"}
    assert pool.circuits()["west"] is CircuitState.CLOSED
    assert pool.look().reachable == {"east"}
    assert pool.circuits()["west"] is CircuitState.OPEN
    getattr(venues, why).clear()
    # It is back, and yet it waits for its probe.
    assert pool.look().reachable == {"east"}
    venues.now += 10.0
    assert pool.probe().reachable == set(NAMES)
    row = next(row for row in pool.rows() if row.account == "west")
    assert (row.circuit, row.failures, row.trips, row.error) == ("closed", 0, 1, "")


def test_a_good_look_ends_a_row_of_failures(venues: Venues, tmp_path: Path) -> None:
    pool = venues.pool(tmp_path)
    for _ in range(5):
        assert pool.failed("east").reachable == set(NAMES)
        pool.look()
    pool.failed("east")
    assert pool.failed("east").reachable == {"west"}


def test_only_accounts_whose_circuits_are_due_are_asked_for_an_order(venues: Venues, tmp_path: Path) -> None:
    pool = venues.pool(tmp_path, threshold=1)
    venues.down = {"east"}
    pool.failed("east")
    assert pool.probe().reachable == {"west"}
    assert venues.asked == []
    for wait in (10.0, 20.0, 40.0, 40.0):
        venues.now += wait - 0.5
        pool.probe()
        venues.now += 0.5
        pool.probe()
    assert venues.asked == [("east",)] * 4


def test_what_was_open_stays_open_in_the_next_process_and_is_probed_when_it_is_due(
    venues: Venues, tmp_path: Path
) -> None:
    pool = venues.pool(tmp_path, threshold=1)
    pool.failed("east")
    again = venues.pool(tmp_path, threshold=1)
    assert again.table.reachable == {"west"}
    assert again.probe().reachable == {"west"}
    venues.now += 10.0
    assert again.probe().reachable == set(NAMES)
    assert venues.pool(tmp_path, threshold=1).table.reachable == set(NAMES)
    assert kept_accounts(tmp_path / "pool.json") == NAMES


def test_an_account_joins_and_those_that_are_known_keep_their_circuits(venues: Venues, tmp_path: Path) -> None:
    pool = venues.pool(tmp_path, threshold=1)
    pool.failed("east")
    assert pool.include(table("north")).reachable == {"west", "north"}
    assert pool.accounts == ("east", "west", "north")
    pool.look()
    assert best(pool) == ["north", "west"]


def test_a_file_that_holds_no_circuits_is_named_with_what_to_do(venues: Venues, tmp_path: Path) -> None:
    (tmp_path / "pool.json").write_text("[", "utf-8")
    with pytest.raises(StorageError, match=r"pool\.json holds no circuits .*Remove it"):
        venues.pool(tmp_path)


def test_the_circuit_behaves_as_the_settings_say_and_the_table_holds_the_accounts_that_run() -> None:
    values = {"brokers.circuit_failures": "3", "brokers.circuit_probe_s": "4", "brokers.circuit_backoff": "5"}
    settings = load_settings(None, values | {"brokers.circuit_longest_s": "6"}, environ={})
    assert circuit_of(settings) == Circuit(threshold=3, probe_every=4.0, backoff=5.0, longest=6.0)
    assert circuit_of(load_settings(None, {}, environ={})).backoff > 1
    assert routing_table(settings, ["sim-west"]).accounts == ("sim-west",)


@given(st.lists(st.tuples(st.sampled_from(["fail", "look", "wait", "down", "up", "again"]), st.sampled_from(NAMES))))
def test_no_order_goes_to_an_account_whose_circuit_is_open_whatever_happened(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str]]
) -> None:
    venues, folder = Venues(), tmp_path_factory.mktemp("pool")
    pool = venues.pool(folder)
    for step, name in steps:
        if step == "fail":
            pool.failed(name)
        elif step == "look":
            pool.look()
        elif step == "wait":
            venues.now += 15.0
            pool.probe()
        elif step == "down":
            venues.down.add(name)
        elif step == "up":
            venues.down.discard(name)
        else:
            pool = venues.pool(folder)
        closed = {name for name, state in pool.circuits().items() if state is CircuitState.CLOSED}
        assert pool.table.reachable <= closed
    venues.down.clear()
    venues.now += 100.0
    assert pool.look().reachable == set(NAMES)
