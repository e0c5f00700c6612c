"""Asset classes as stress knows them: given by the caller, known from the instrument, or guessed from its name.

A guess is always told apart from what is known.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum

from nt_ray.errors import RiskError
from nt_ray.market.bars import AssetClass, Instrument


class StressClass(StrEnum):
    """Classes that named shocks speak of."""

    EQUITY = "equity"
    FIXED_INCOME = "fixed_income"
    COMMODITY = "commodity"
    FX = "fx"
    CRYPTO = "crypto"


_KNOWN: Mapping[AssetClass, StressClass] = {
    AssetClass.EQUITY: StressClass.EQUITY,
    AssetClass.INDEX: StressClass.EQUITY,
    AssetClass.FX: StressClass.FX,
    AssetClass.BOND: StressClass.FIXED_INCOME,
    AssetClass.CRYPTO: StressClass.CRYPTO,
}
"""A fund, future or option may hold anything, so these say nothing."""

_COINS = ("BTC", "ETH", "SOL", "XRP", "DOGE", "ADA", "LTC")
_CURRENCIES = ("USD", "EUR", "JPY", "GBP", "CHF", "AUD", "CAD", "NZD")
_PAIR = re.compile(rf"^({'|'.join(_CURRENCIES)})[/.\-_]?({'|'.join(_CURRENCIES)})$")
_COIN = re.compile(rf"^({'|'.join(_COINS)})[/.\-_]?({'|'.join((*_CURRENCIES, 'USDT', 'USDC'))})?$")
_COMMODITY = re.compile(r"^(GC|CL|SI|HG|NG)(=F|[FGHJKMNQUVXZ]\d{1,2})?$|^(GLD|SLV|USO|DBC|GSG)$")
_INCOME = re.compile(r"BOND|^(TLT|IEF|SHY|AGG|BND|LQD|HYG)$")


def classes_of(instruments: Sequence[Instrument], given: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Stress class of each instrument: the given one, else the one its own asset class implies, else an error."""
    given = given or {}
    found = []
    for instrument in instruments:
        known = given.get(instrument.symbol) or _KNOWN.get(instrument.asset_class)
        if known is None:
            raise RiskError(
                f"{instrument.symbol} is a {instrument.asset_class}, which may hold anything. "
                f"Give its class: one of {', '.join(StressClass)}."
            )
        found.append(str(known))
    return tuple(found)


def guess_class(symbol: str) -> StressClass:
    """Class that a symbol's name suggests: currency pairs, coins, common commodity and bond tickers; else equity.

    A rule of thumb for portfolios without instrument data; tell the reader which classes were guessed.
    """
    name = symbol.upper()
    rules = (
        (_PAIR, StressClass.FX),
        (_COIN, StressClass.CRYPTO),
        (_COMMODITY, StressClass.COMMODITY),
        (_INCOME, StressClass.FIXED_INCOME),
    )
    return next((kind for pattern, kind in rules if pattern.search(name)), StressClass.EQUITY)
