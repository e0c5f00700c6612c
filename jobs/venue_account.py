"""An account at a real venue, for the length of a command: its actor where a cluster has one, else opened here.

Opening it here recovers, settles doubts with the venue and fences off any other process that still writes its journal;
so a journal whose writer lives is left alone, unless the command says `--take-over`.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from actors.remote_account import CommandedAccount
    from nt_ray.config import Settings
    from nt_ray.trader.account import Account
    from nt_ray.trader.reports import OrderReport

TakeOver: TypeAlias = Annotated[
    bool,
    typer.Option("--take-over", help="Open the account here, whoever trades it: that process can write no more."),
]


@contextmanager
def reached_account(
    settings: "Settings",
    broker: str,
    *,
    live: bool,
    take_over: bool = False,
    symbols: Sequence[str] = (),
    may_open: bool = False,
) -> Iterator["Account | CommandedAccount"]:
    """Reach the account of a broker; where it is opened here, these symbols and its positions are marked.

    `may_open`: what is asked may lead to new positions, so real money takes both consents whoever holds the account.
    """
    from nt_ray.trader.connection import venue_of
    from nt_ray.trader.consent import check_consent
    from nt_ray.trader.journal_reading import check_free

    venue_of(settings, broker)
    if may_open:
        check_consent(settings, broker, live=live)
    address = None if take_over else cluster_address(settings)
    if address is not None:
        with joined(address):
            from actors.remote_account import CommandedAccount

            actor = CommandedAccount(broker)
            if actor.is_there():
                yield actor
                return
    if not take_over:
        check_free(settings, broker)
    with _opened(settings, broker, live, symbols) as account:
        yield account


def cancelled(account: "Account | CommandedAccount", reports: Sequence["OrderReport"]) -> list["OrderReport"]:
    """What became of orders whose cancel was asked for; where nobody listens to the venue, it is asked."""
    from nt_ray.trader.account import Account
    from nt_ray.trader.reports import report
    from nt_ray.trading.orders import OrderStatus

    if isinstance(account, Account) and any(told.status is OrderStatus.PENDING_CANCEL for told in reports):
        account.sync(datetime.now(UTC), {})
        return [report(account.order(told.request.client_order_id)) for told in reports]
    return list(reports)


def cluster_address(settings: "Settings") -> str | None:
    """Address of the cluster that a command is to join, where one is named."""
    return settings.ray.address or os.environ.get("RAY_ADDRESS") or None


@contextmanager
def joined(address: str) -> Iterator[None]:
    """Be on the Ray at an address."""
    from actors.environment import prepare

    prepare(address)
    from actors.cluster import connected

    with connected(address, num_cpus=None, object_store_mb=0):
        yield


@contextmanager
def _opened(settings: "Settings", broker: str, live: bool, symbols: Sequence[str]) -> Iterator["Account"]:
    from nt_ray.trader.connection import Connection

    with Connection(settings, broker, live=live) as connection:
        account = connection.account(symbols)
        try:
            yield account
        finally:
            account.close()
