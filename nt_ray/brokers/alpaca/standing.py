"""What Alpaca does not let an account trade now: a blocked account, assets out of trading, shares nobody lends.

Facts are kept for a while, so that who looks every few seconds asks rarely. A symbol that Alpaca does not know, or no
longer knows, cannot be traded.
"""

from collections.abc import Callable, Sequence
from math import inf
from typing import Final

from nt_ray.brokers.alpaca.reference import Asset, Reference
from nt_ray.brokers.alpaca.refusals import RefusedError
from nt_ray.brokers.alpaca.wire import Json
from nt_ray.risk.standing import Standing

LOOK_EVERY_S: Final = 30.0
"""Seconds for which what the account may do is kept."""
ASSET_S: Final = 300.0
"""The same for an asset."""
ASSETS_A_LOOK: Final = 4
"""Assets that one look reads anew at the most: a long list leaves requests to everything else."""

_BLOCKS: Final = ("account_blocked", "trading_blocked", "trade_suspended_by_user")


class StandingBoard:
    """Reads the standing of one account."""

    def __init__(self, reference: Reference, account: Callable[[], Json], clock: Callable[[], float]) -> None:
        self._reference = reference
        self._account = account
        self._clock = clock
        self._known: tuple[Json, float] | None = None
        self._assets: dict[str, tuple[Asset | None, float]] = {}

    def note(self, account: Json) -> None:
        """Keep an answer about the account that was read for another reason."""
        self._known = account, self._clock()

    def read(self, symbols: Sequence[str]) -> Standing:
        """Say what is not allowed."""
        if self._known is None or self._clock() - self._known[1] >= LOOK_EVERY_S:
            self.note(self._account())
        account = self._known[0] if self._known is not None else {}
        self._look_after(symbols)
        halted: dict[str, str] = {}
        unshortable: set[str] = set()
        for symbol in filter(self._assets.__contains__, symbols):
            asset, _ = self._assets[symbol]
            if asset is None or not asset.tradable:
                halted[symbol] = "Alpaca lists it no more" if asset is None else "Alpaca says that it is not tradable"
            elif not (asset.shortable and asset.easy_to_borrow):
                unshortable.add(symbol)
        return Standing(
            blocked_because(account), halted, account.get("shorting_enabled") is not False, frozenset(unshortable)
        )

    def _look_after(self, symbols: Sequence[str]) -> None:
        """Read anew what is not known or too old, the oldest first; the venue itself refuses what is not known yet."""
        now = self._clock()
        read_at = {symbol: self._assets[symbol][1] if symbol in self._assets else -inf for symbol in symbols}
        due = [symbol for symbol, at in read_at.items() if now - at >= ASSET_S]
        for symbol in sorted(due, key=read_at.__getitem__)[:ASSETS_A_LOOK]:
            self._assets[symbol] = self._asset(symbol), now

    def _asset(self, symbol: str) -> Asset | None:
        try:
            return self._reference.asset(symbol, 0.0)
        except RefusedError:
            return None


def blocked_because(account: Json) -> str:
    """Why Alpaca takes no order of an account; empty where it does."""
    found = [key for key in _BLOCKS if account.get(key) is True]
    if account.get("status") != "ACTIVE":
        found.append(f"status {account.get('status')}")
    return ", ".join(found)
