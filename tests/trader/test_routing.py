from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from nt_ray.market.bars import AssetClass
from nt_ray.trader.routing import RoutingPolicy, RoutingTable, VenueFacts

HALF = Decimal("0.5")
BOTH = frozenset({"east", "west"})
TABLE = RoutingTable({"east": HALF, "west": HALF}, BOTH)


def test_an_order_is_split_in_proportion_to_the_capital() -> None:
    assert TABLE.route(10, {}) == [("east", 5), ("west", 5)]
    uneven = RoutingTable({"east": Decimal("0.75"), "west": Decimal("0.25")}, BOTH)
    assert uneven.route(-8, {}) == [("east", -6), ("west", -2)]


def test_a_lot_that_does_not_divide_goes_to_the_first_account() -> None:
    assert TABLE.route(1, {}) == [("east", 1)]
    assert TABLE.route(7, {}) == [("east", 4), ("west", 3)]


def test_uneven_holdings_are_evened_by_the_next_order_and_not_by_trading_against_each_other() -> None:
    assert TABLE.route(4, {"east": 10, "west": 2}) == [("west", 4)]
    assert TABLE.route(-4, {"east": 10, "west": 2}) == [("east", -4)]
    assert TABLE.route(-12, {"east": 10, "west": 2}) == [("east", -10), ("west", -2)]


def test_an_unreachable_account_keeps_what_it_holds_and_the_others_take_the_rest() -> None:
    table = TABLE.with_reachable(frozenset({"west"}))
    assert table.route(10, {"east": 5, "west": 5}) == [("west", 10)]
    assert table.route(-10, {"east": 5, "west": 5}) == [("west", -10)]
    assert table.version == TABLE.version + 1


def test_no_reachable_account_means_no_route() -> None:
    assert TABLE.with_reachable(frozenset()).route(10, {}) == []


FACTS = {
    "east": VenueFacts(Decimal(1), 9.0),
    "west": VenueFacts(Decimal(2), 1.0, frozenset({AssetClass.EQUITY, AssetClass.CRYPTO})),
}


def by(policy: RoutingPolicy) -> RoutingTable:
    return RoutingTable({"east": HALF, "west": HALF}, BOTH, 0, policy, FACTS)


def test_the_cheapest_or_the_fastest_account_takes_what_opens_a_position() -> None:
    assert by(RoutingPolicy.CHEAPEST).route(10, {"west": 3}) == [("east", 10)]
    assert by(RoutingPolicy.FASTEST).route(10, {"east": 3}) == [("west", 10)]


def test_a_position_is_reduced_where_it_is_before_the_best_account_takes_the_rest() -> None:
    assert by(RoutingPolicy.CHEAPEST).route(-10, {"west": 6}) == [("east", -4), ("west", -6)]
    assert by(RoutingPolicy.CHEAPEST).route(-5, {"west": 6}) == [("west", -5)]


def test_an_order_goes_only_where_its_asset_class_is_traded() -> None:
    assert by(RoutingPolicy.FASTEST).route(4, {}, AssetClass.FUTURE) == [("east", 4)]
    only_west = by(RoutingPolicy.SHARES).with_reachable(frozenset({"west"}))
    assert only_west.route(4, {}, AssetClass.CRYPTO) == [("west", 4)]
    assert only_west.route(4, {}, AssetClass.FUTURE) == []


NAMES = ("a", "b", "c")


@given(
    lots=st.integers(-1000, 1000).filter(bool),
    held=st.dictionaries(st.sampled_from(NAMES), st.integers(-500, 500)),
    reachable=st.sets(st.sampled_from(NAMES), min_size=1),
    weights=st.lists(st.integers(1, 50), min_size=3, max_size=3),
    policy=st.sampled_from(RoutingPolicy),
)
def test_legs_sum_to_the_order_and_never_oppose_it(
    lots: int, held: dict[str, int], reachable: set[str], weights: list[int], policy: RoutingPolicy
) -> None:
    shares = {n: Decimal(w) / sum(weights) for n, w in zip(NAMES, weights, strict=True)}
    facts = {n: VenueFacts(Decimal(w)) for n, w in zip(NAMES, weights, strict=True)}
    legs = RoutingTable(shares, frozenset(reachable), 0, policy, facts).route(lots, held)
    assert sum(part for _, part in legs) == lots
    assert all(part * lots > 0 for _, part in legs)
    assert {name for name, _ in legs} <= reachable
    assert len({name for name, _ in legs}) == len(legs)
