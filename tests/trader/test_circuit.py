from decimal import Decimal

from nt_ray.trader.circuit import Circuit, CircuitState, Switchboard
from nt_ray.trader.routing import RoutingTable


def board() -> Switchboard:
    table = RoutingTable({"east": Decimal("0.5"), "west": Decimal("0.5")}, frozenset({"east", "west"}))
    return Switchboard(table, Circuit(probe_every=5.0))


def test_a_failure_takes_the_account_out_of_the_table() -> None:
    switchboard = board()
    table = switchboard.failed("east", 10.0)
    assert table.reachable == {"west"}
    assert switchboard.states()["east"] is CircuitState.OPEN
    assert switchboard.trips == 1


def test_an_open_circuit_is_probed_only_when_due_and_closes_on_success() -> None:
    switchboard = board()
    switchboard.failed("east", 10.0)
    asked: list[str] = []

    def reach(name: str) -> bool:
        asked.append(name)
        return True

    assert switchboard.probe(14.0, reach).reachable == {"west"}
    assert asked == []
    assert switchboard.probe(15.0, reach).reachable == {"east", "west"}
    assert asked == ["east"]


def test_a_failed_probe_leaves_the_circuit_open_and_waits_again() -> None:
    switchboard = board()
    switchboard.failed("east", 0.0)
    assert switchboard.probe(5.0, lambda _: False).reachable == {"west"}
    assert switchboard.probe(6.0, lambda _: True).reachable == {"west"}
    assert switchboard.probe(10.0, lambda _: True).reachable == {"east", "west"}
    assert switchboard.trips == 1


def test_a_circuit_opens_only_at_its_threshold_of_failures_in_a_row() -> None:
    circuit = Circuit(threshold=3)
    for _ in range(2):
        circuit.failed(0.0)
    circuit.succeeded()
    for _ in range(2):
        circuit.failed(0.0)
    assert circuit.state is CircuitState.CLOSED
    circuit.failed(0.0)
    assert circuit.state is CircuitState.OPEN


def test_probes_that_fail_come_later_and_later_up_to_a_limit() -> None:
    circuit = Circuit(probe_every=1.0, backoff=2.0, longest=5.0)
    circuit.failed(0.0)
    now, waits = 0.0, []
    for _ in range(5):
        waits.append(circuit.wait)
        assert not circuit.due(now + circuit.wait - 0.5)
        now += circuit.wait
        assert circuit.due(now)
        circuit.failed(now)
    assert waits == [1.0, 2.0, 4.0, 5.0, 5.0]
    circuit.succeeded()
    circuit.failed(now)
    assert circuit.wait == 1.0


def test_a_venue_that_is_away_for_days_is_still_probed() -> None:
    circuit = Circuit(probe_every=5.0, backoff=2.0, longest=300.0)
    circuit.failed(0.0)
    for number in range(1, 2_000):
        assert circuit.due(number * 300.0)
        circuit.failed(number * 300.0)
    assert circuit.wait == 300.0


def test_the_table_changes_its_version_only_when_reachability_changes() -> None:
    switchboard = board()
    version = switchboard.table.version
    assert switchboard.probe(1.0, lambda _: True).version == version
    assert switchboard.failed("west", 1.0).version == version + 1
    assert switchboard.failed("west", 2.0).version == version + 1


def test_circuits_that_were_kept_go_on_where_they_were() -> None:
    before = board()
    before.failed("east", 10.0)
    again = board()
    again.restore(before.circuits())
    assert again.table.reachable == {"west"}
    assert again.probe(14.0, lambda _: True).reachable == {"west"}
    assert again.probe(15.0, lambda _: True).reachable == {"east", "west"}
    assert again.trips == 1
