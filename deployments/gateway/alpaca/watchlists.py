"""Watchlists over Alpaca's routes, by their ids and by their names. They are the platform's own, one set an account."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, TypeAlias, TypeVar

from fastapi import APIRouter, Path, Query
from starlette.responses import JSONResponse, Response

from deployments.gateway.alpaca import render
from deployments.gateway.alpaca.examples import EXAMPLES
from deployments.gateway.alpaca.refusals import InvalidError, MissingError
from deployments.gateway.alpaca.schemas import ChangedWatchlist, NewWatchlist, OneSymbol
from deployments.gateway.backend.accounts import Accounts
from deployments.gateway.middleware.known_query import KNOWN_QUERY
from deployments.gateway.security import ReadAccount, WriteAccount
from nt_ray.errors import BadInputError
from nt_ray.trader.watchlists import UnknownWatchlistError, Watchlist, Watchlists

Key: TypeAlias = Annotated[str, Path(max_length=64, description="Id of the watchlist.")]
Name: TypeAlias = Annotated[str, Query(max_length=64, description="Name of the watchlist.")]
Named: TypeAlias = Annotated[str, Path(max_length=64, description="Symbol.")]
T = TypeVar("T")


def router(accounts: Accounts, lists: Watchlists) -> APIRouter:
    """Routes under /v2/watchlists and /v2/watchlists:by_name."""
    routes = APIRouter(tags=["watchlists"], dependencies=[KNOWN_QUERY])
    shelf = _Shelf(accounts, lists)
    one, many = EXAMPLES["watchlist"], EXAMPLES["watchlists"]

    @routes.get("/v2/watchlists", summary="List watchlists", responses=many)
    async def listed(account: ReadAccount) -> Response:
        """List watchlists by name, without their assets."""
        return JSONResponse([render.watchlist(found) for found in await _done(lists.all, account)])

    @routes.post("/v2/watchlists", summary="Make a watchlist", responses=one)
    async def make(body: NewWatchlist, account: WriteAccount) -> Response:
        """Make a watchlist of symbols that the account may trade."""
        await shelf.check(account, body.symbols)
        return await shelf.answer(account, lists.add, account, body.name, body.symbols)

    @routes.get("/v2/watchlists/{key}", summary="A watchlist", responses=one)
    async def by_id(key: Key, account: ReadAccount) -> Response:
        """Look a watchlist up."""
        return await shelf.answer(account, lists.find, account, key)

    @routes.put("/v2/watchlists/{key}", summary="Change a watchlist", responses=one)
    async def change(key: Key, body: ChangedWatchlist, account: WriteAccount) -> Response:
        """Give a watchlist another name or other symbols."""
        return await shelf.change(account, key, body)

    @routes.post("/v2/watchlists/{key}", summary="Add a symbol", responses=one)
    async def put(key: Key, body: OneSymbol, account: WriteAccount) -> Response:
        """Add a symbol at the end."""
        await shelf.check(account, [body.symbol])
        return await shelf.answer(account, lists.put, account, key, body.symbol)

    @routes.delete("/v2/watchlists/{key}", summary="Delete a watchlist", status_code=204)
    async def delete(key: Key, account: WriteAccount) -> Response:
        """Delete a watchlist."""
        await _done(lists.delete, account, key)
        return Response(status_code=204)

    @routes.delete("/v2/watchlists/{key}/{symbol:path}", summary="Take a symbol out", responses=one)
    async def take(key: Key, symbol: Named, account: WriteAccount) -> Response:
        """Take a symbol out."""
        return await shelf.answer(account, lists.take, account, key, symbol)

    @routes.get("/v2/watchlists:by_name", summary="A watchlist by its name", responses=one)
    async def by_name(name: Name, account: ReadAccount) -> Response:
        """Look a watchlist up by its name."""
        return await shelf.answer(account, lists.find, account, name, by_name=True)

    @routes.put("/v2/watchlists:by_name", summary="Change a watchlist by its name", responses=one)
    async def change_by_name(name: Name, body: ChangedWatchlist, account: WriteAccount) -> Response:
        """Give a watchlist another name or other symbols."""
        return await shelf.change(account, name, body, by_name=True)

    @routes.post("/v2/watchlists:by_name", summary="Add a symbol by name", responses=one)
    async def put_by_name(name: Name, body: OneSymbol, account: WriteAccount) -> Response:
        """Add a symbol at the end."""
        await shelf.check(account, [body.symbol])
        return await shelf.answer(account, lists.put, account, name, body.symbol, by_name=True)

    @routes.delete("/v2/watchlists:by_name", summary="Delete a watchlist by its name", status_code=204)
    async def delete_by_name(name: Name, account: WriteAccount) -> Response:
        """Delete a watchlist."""
        await _done(lists.delete, account, name, by_name=True)
        return Response(status_code=204)

    return routes


class _Shelf:
    """Watchlists with the assets of their account."""

    def __init__(self, accounts: Accounts, lists: Watchlists) -> None:
        self._accounts = accounts
        self._lists = lists

    async def check(self, account: str, symbols: list[str]) -> None:
        """Refuse symbols that the account does not trade."""
        known = await self._assets(account)
        unknown = [symbol for symbol in symbols if symbol not in known]
        if unknown:
            raise InvalidError(f"asset not found for {unknown[0]}")

    async def answer(self, account: str, work: Callable[..., Watchlist], *given: Any, **named: Any) -> Response:
        """Do something with a watchlist, and show it with its assets."""
        found = await _done(work, *given, **named)
        known = await self._assets(account)
        return JSONResponse(render.watchlist(found, [known[symbol] for symbol in found.symbols if symbol in known]))

    async def change(self, account: str, key: str, body: ChangedWatchlist, *, by_name: bool = False) -> Response:
        """Give a watchlist another name or other symbols."""
        if body.name is None and body.symbols is None:
            raise InvalidError("one of name and symbols is required")
        await self.check(account, body.symbols or [])
        return await self.answer(
            account, self._lists.change, account, key, by_name=by_name, name=body.name, symbols=body.symbols
        )

    async def _assets(self, account: str) -> dict[str, Any]:
        overview = await self._accounts.account(account).overview()
        return {instrument.symbol: render.asset(instrument) for instrument in overview.instruments}


async def _done(work: Callable[..., T], *given: Any, **named: Any) -> T:
    """Ask the file in a thread, with refusals in Alpaca's words."""
    try:
        return await asyncio.to_thread(work, *given, **named)
    except UnknownWatchlistError as error:
        raise MissingError(str(error)) from error
    except BadInputError as error:
        raise InvalidError(str(error)) from error
