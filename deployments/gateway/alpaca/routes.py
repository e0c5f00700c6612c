"""All of Alpaca's routes and its stream, as the gateway includes them."""

from fastapi import APIRouter

from deployments.gateway.alpaca import account, market, orders, positions
from deployments.gateway.alpaca.stream import stream
from deployments.gateway.backend.accounts import Accounts

__all__ = ["routers", "stream"]


def routers(accounts: Accounts) -> list[APIRouter]:
    """Routes under /v2."""
    return [part.router(accounts) for part in (orders, positions, account, market)]
