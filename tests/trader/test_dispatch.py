"""Orders over several accounts: failover of what was certainly not sent, and of nothing else."""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal

import pytest

from nt_ray.market.bars import AssetClass
from nt_ray.trader.circuit import Circuit, Switchboard
from nt_ray.trader.dispatch import Dispatcher, NoRouteError, ranking
from nt_ray.trader.reports import OrderReport
from nt_ray.trader.routing import RoutingPolicy, RoutingTable, VenueFacts
from nt_ray.trading.orders import OrderRequest, OrderStatus, Side

NAMES = ("east", "west", "north")


def table(policy: RoutingPolicy = RoutingPolicy.CHEAPEST) -> RoutingTable:
    shares = {"east": Decimal("0.5"), "west": Decimal("0.3"), "north": Decimal("0.2")}
    facts = {name: VenueFacts(Decimal(cost)) for cost, name in enumerate(NAMES)}
    return RoutingTable(shares, frozenset(NAMES), 0, policy, facts)


class Accounts:
    """Accounts that answer what the test says, and keep what they were sent."""

    def __init__(self) -> None:
        self.answers: dict[str, OrderReport | None] = {}
        self.kept: dict[str, dict[str, OrderReport]] = {name: {} for name in NAMES}
        self.sent: list[str] = []
        self.down: set[str] = set()
        self.silent: set[str] = set()

    def submit(self, account: str, request: OrderRequest) -> OrderReport:
        kept = self.kept[account]
        if request.client_order_id not in kept:
            self.sent.append(account)
            status = OrderStatus.ACCEPTED
            if account in self.down:
                status = OrderStatus.REJECTED
            elif account in self.silent:
                status = OrderStatus.SUBMITTED
            kept[request.client_order_id] = OrderReport(request, status, not_sent=account in self.down)
        return kept[request.client_order_id]

    def find(self, client_order_id: str) -> dict[str, OrderReport]:
        return {name: kept[client_order_id] for name, kept in self.kept.items() if client_order_id in kept}

    def reach(self, account: str) -> bool:
        return account not in self.down


def order(number: int = 1) -> OrderRequest:
    return OrderRequest(f"o{number}", "KO", Side.BUY, Decimal(1), "test")


def over(accounts: Accounts, clock: Callable[[], float] = lambda: 0.0) -> Dispatcher:
    return Dispatcher(accounts, Switchboard(table(), Circuit(probe_every=30)), clock)


def test_what_was_certainly_not_sent_goes_to_the_next_account() -> None:
    accounts = Accounts()
    accounts.down = {"east"}
    account, report = over(accounts).submit(order())
    assert (account, report.status) == ("west", OrderStatus.ACCEPTED)
    assert accounts.sent == ["east", "west"]


def test_an_order_in_doubt_goes_nowhere_else() -> None:
    accounts = Accounts()
    accounts.silent = {"east"}
    account, report = over(accounts).submit(order())
    assert (account, report.status) == ("east", OrderStatus.SUBMITTED)
    assert accounts.sent == ["east"]


def test_a_repetition_is_told_of_the_order_that_exists_whatever_can_be_reached_by_then() -> None:
    accounts = Accounts()
    accounts.down = {"east"}
    over(accounts).submit(order())
    accounts.down = set()
    for dispatcher in (over(accounts), over(accounts)):
        assert dispatcher.submit(order())[0] == "west"
    assert accounts.sent == ["east", "west"]


def test_a_route_that_failed_is_left_out_until_its_probe_succeeds() -> None:
    now = [0.0]
    accounts = Accounts()
    accounts.down = {"east"}
    dispatcher = over(accounts, lambda: now[0])
    assert [dispatcher.submit(order(n))[0] for n in (1, 2)] == ["west", "west"]
    assert accounts.sent == ["east", "west", "west"]
    accounts.down = set()
    assert dispatcher.submit(order(3))[0] == "west"
    now[0] = 30.0
    assert dispatcher.submit(order(4))[0] == "east"


def test_an_order_that_nobody_can_take_is_told_as_not_sent_and_then_has_no_route() -> None:
    accounts = Accounts()
    accounts.down = set(NAMES)
    dispatcher = over(accounts)
    assert dispatcher.submit(order())[1].not_sent
    with pytest.raises(NoRouteError):
        dispatcher.submit(order(2))


def test_whole_orders_are_drawn_in_proportion_to_the_shares_and_always_the_same() -> None:
    by_shares = table(RoutingPolicy.SHARES)
    firsts = [ranking(by_shares, order(n), AssetClass.EQUITY)[0] for n in range(4_000)]
    assert firsts == [ranking(by_shares, order(n), AssetClass.EQUITY)[0] for n in range(4_000)]
    found = Counter(firsts)
    # Four standard deviations of a count of 4,000 draws.
    assert all(abs(found[name] - 4_000 * float(share)) < 4 * 32 for name, share in by_shares.shares.items())


def test_an_account_out_of_reach_leaves_the_draws_of_the_others_as_they_are() -> None:
    everyone = table(RoutingPolicy.SHARES)
    without = everyone.with_reachable(frozenset({"east", "west"}))
    for number in range(200):
        ranked = [a for a in ranking(everyone, order(number), AssetClass.EQUITY) if a != "north"]
        assert ranking(without, order(number), AssetClass.EQUITY) == ranked
