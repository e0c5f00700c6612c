"""Switches of an account over Alpaca's routes.

`suspend_trade` is the kill switch of the account, `no_shorting` and `fractional_trading` are limits of its gate: each
is an event of its journal that bears the name of who changed it. Everything else stands fixed: it may be named as it
is, so that a client can send back what it has read, and is refused where it would be different.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from deployments.gateway.alpaca import render
from deployments.gateway.alpaca.examples import EXAMPLES
from deployments.gateway.alpaca.refusals import UnprocessableError
from deployments.gateway.alpaca.schemas import Configuration
from deployments.gateway.backend.accounts import Accounts
from deployments.gateway.middleware.known_query import KNOWN_QUERY
from deployments.gateway.security import KillAccount, ReadAccount, needs
from nt_ray.access.roles import Principal, Scope
from nt_ray.brokers.alpaca.shapes import text
from nt_ray.trader.overview import Overview

_FIXED: Final[Mapping[str, str]] = {
    "max_margin_multiplier": "the limit of gross exposure is changed with `nt-ray account limits`",
    "trade_confirm_email": "no mails are sent",
    "ptp_no_exception_entry": "there are no exceptions for such partnerships",
    "max_options_trading_level": "options are not traded",
    "dtbp_check": "day trades are not counted",
    "pdt_check": "day trades are not counted",
}
_REASON: Final = "changed over /v2/account/configurations"


def router(accounts: Accounts) -> APIRouter:
    """Routes under /v2/account/configurations."""
    routes = APIRouter(prefix="/v2/account/configurations", tags=["account"], dependencies=[KNOWN_QUERY])

    @routes.get("", summary="Configuration of the account", responses=EXAMPLES["configurations"])
    async def configurations(name: ReadAccount) -> Response:
        """What the account may do."""
        return JSONResponse(render.configuration(await accounts.account(name).overview()))

    @routes.patch("", summary="Change the configuration of the account", responses=EXAMPLES["configurations"])
    async def change(
        body: Configuration, name: KillAccount, principal: Annotated[Principal, needs(Scope.KILL)]
    ) -> Response:
        """Set or clear the kill switch; forbid or allow to sell short and to trade fractions."""
        door = accounts.account(name)
        limits, halts = changes_of(body, await door.overview())
        if halts is not None:
            await door.call("halt" if halts else "resume", render.SUSPENDED, principal.id, _REASON)
        if limits:
            await door.call("change_limits", limits, principal.id, _REASON)
        return JSONResponse(render.configuration(await door.overview()))

    return routes


def changes_of(body: Configuration, overview: Overview) -> tuple[dict[str, bool], bool | None]:
    """Limits of the gate that become different, and whether trading is to be suspended; None: as it is."""
    wanted = body.model_dump(exclude_none=True)
    if "max_margin_multiplier" in wanted:
        wanted["max_margin_multiplier"] = text(wanted["max_margin_multiplier"])
    now = render.configuration(overview)
    changed: dict[str, Any] = {key: value for key, value in wanted.items() if now.get(key) != value}
    for name, why in _FIXED.items():
        if name in changed:
            raise UnprocessableError(f"{name} stays {now.get(name)} here: {why}. Leave it out.")
    if changed.get("fractional_trading") and not render.trades_fractions(overview):
        raise UnprocessableError("fractional_trading stays False here: this account trades whole units alone.")
    limits: dict[str, bool] = {}
    if "no_shorting" in changed:
        limits["shorting"] = not changed["no_shorting"]
    if "fractional_trading" in changed:
        limits["fractions"] = changed["fractional_trading"]
    return limits, changed.get("suspend_trade")
