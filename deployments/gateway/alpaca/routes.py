"""All of Alpaca's routes and its stream, as the gateway includes them."""

from pathlib import Path

from fastapi import APIRouter

from deployments.gateway.alpaca import (
    absent,
    account,
    activities,
    configuration,
    market,
    orders,
    positions,
    watchlists,
)
from deployments.gateway.alpaca.stream import stream
from deployments.gateway.backend.accounts import Accounts
from nt_ray.trader.watchlists import Watchlists

__all__ = ["routers", "stream"]

FILE = "watchlists.sqlite"


def routers(accounts: Accounts, state: Path) -> list[APIRouter]:
    """Routes under /v2; watchlists lie in the folder of the state."""
    parts = [part.router(accounts) for part in (orders, account, activities, configuration, market)]
    # Paths of positions take symbols with a slash, so what is refused by name comes before them.
    return [*parts, absent.router(), positions.router(accounts), watchlists.router(accounts, Watchlists(state / FILE))]
