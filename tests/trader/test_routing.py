import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.errors import ConfigError
from nt_ray.trader.routing import RoutingTable, spread_homes

TABLE = RoutingTable(("east", "west"), {"KO": "east", "PG": "west"}, frozenset({"east", "west"}))


def test_an_order_goes_to_the_home_of_its_symbol() -> None:
    assert TABLE.route("KO", 10, {}) == [("east", 10)]
    assert TABLE.route("PG", -10, {}) == [("west", -10)]


def test_an_order_first_reduces_what_is_held_elsewhere() -> None:
    assert TABLE.route("KO", -10, {"west": 4}) == [("west", -4), ("east", -6)]
    assert TABLE.route("KO", 10, {"east": -3, "west": -20}) == [("east", 3), ("west", 7)]


def test_an_order_leaves_an_unreachable_home_for_the_next_account() -> None:
    table = TABLE.with_reachable(frozenset({"west"}))
    assert table.route("KO", 10, {"east": -5}) == [("west", 10)]
    assert table.version == TABLE.version + 1


def test_no_reachable_account_means_no_route() -> None:
    assert TABLE.with_reachable(frozenset()).route("KO", 10, {}) == []


def test_symbols_are_dealt_round_the_accounts() -> None:
    assert spread_homes(["A", "B", "C"], ["x", "y"]) == {"A": "x", "B": "y", "C": "x"}
    with pytest.raises(ConfigError, match="No broker is enabled"):
        spread_homes(["A"], [])


@given(
    lots=st.integers(-1000, 1000).filter(bool),
    held=st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(-500, 500)),
    reachable=st.sets(st.sampled_from(["a", "b", "c"]), min_size=1),
)
def test_legs_sum_to_the_order_and_never_oppose_it(lots: int, held: dict[str, int], reachable: set[str]) -> None:
    table = RoutingTable(("a", "b", "c"), {"S": "b"}, frozenset(reachable))
    legs = table.route("S", lots, held)
    assert sum(part for _, part in legs) == lots
    assert all(part * lots > 0 for _, part in legs)
    assert {name for name, _ in legs} <= reachable
    assert len({name for name, _ in legs}) == len(legs)
