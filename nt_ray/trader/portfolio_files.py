"""Files of a portfolio problem: weights and returns by symbol, sectors with their limits, and views."""

import math
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import numpy as np

from nt_ray.errors import BadInputError
from nt_ray.portfolio.moments.black_litterman import View
from nt_ray.portfolio.optimise.constraints import Linear, sector
from nt_ray.trader.csv_rows import Row, read_rows
from nt_ray.trader.portfolio_optimizer import Opinion
from nt_ray.types import FloatArray

VIEW_KEYS: Final = ("portfolio", "expected", "confidence", "variance")
OPINION_KEYS: Final = ("view", "market", "tau")


def values_by_symbol(path: Path, column: str, symbols: Sequence[str], *, rest: float | None = None) -> FloatArray:
    """Read (N,) values of `column` by symbol; `rest` is for symbols the file does not name, None refuses that."""
    found: dict[str, float] = {}
    for row in read_rows(path, ("symbol", column)):
        name = _known(row, symbols)
        if name in found:
            raise row.wrong(f"{name} stands twice", "Name each symbol once")
        found[name] = float(row.number(column))
    missing = [symbol for symbol in symbols if symbol not in found]
    if missing and rest is None:
        raise BadInputError(f"{path} says nothing of {missing[0]}. Give its {column}, or leave the symbol out.")
    return np.array([found.get(symbol, rest or 0.0) for symbol in symbols])


def sectors_of(path: Path, symbols: Sequence[str]) -> tuple[Linear, ...]:
    """Read symbol, sector and, where a sector has limits, min and max of its sum of weights."""
    members: dict[str, list[int]] = {}
    limits: dict[str, dict[str, float]] = {}
    for row in read_rows(path, ("symbol", "sector"), ("min", "max")):
        name = row.text("sector")
        members.setdefault(name, []).append(list(symbols).index(_known(row, symbols)))
        for side in ("min", "max"):
            value = row.optional(side)
            if value is None:
                continue
            given = limits.setdefault(name, {}).setdefault(side, float(value))
            if given != float(value):
                raise row.wrong(f"sector {name} has {side} {value} here and {given:g} above", "Give one limit a sector")
    if not limits:
        raise BadInputError(f"{path} limits no sector. Give min or max in one row of each sector that has a limit.")
    return tuple(
        sector(name, members[name], len(symbols), lower=sides.get("min", -math.inf), upper=sides.get("max", math.inf))
        for name, sides in limits.items()
    )


def opinion_of(path: Path, symbols: Sequence[str]) -> Opinion:
    """Read views from TOML: tables [[view]] with annual figures, and optionally [market] weights and tau."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInputError(f"{str(path)!r} cannot be read ({error}). Give a TOML file with [[view]] tables.") from None
    _check_keys(path, "", table, OPINION_KEYS)
    views = table.get("view", [])
    if not isinstance(views, list) or not views:
        raise BadInputError(f"{path} holds no [[view]]. Write one with portfolio and expected.")
    market = table.get("market")
    weights = None if market is None else _weights(path, "market", market, symbols)
    return Opinion(
        views=tuple(_view(path, number, view, symbols) for number, view in enumerate(views, 1)),
        market=weights,
        tau=_number(path, "tau", table.get("tau", 0.05)),
    )


def _view(path: Path, number: int, table: Any, symbols: Sequence[str]) -> View:
    where = f"view {number}"
    if not isinstance(table, dict):
        raise BadInputError(f"{path}: {where} is {table!r}, no table. Write it as [[view]] with its keys below.")
    _check_keys(path, f"{where}: ", table, VIEW_KEYS)
    for key in ("portfolio", "expected"):
        if key not in table:
            raise BadInputError(f"{path}: {where} has no {key}. Write portfolio = {{ KO = 1.0 }} and expected = 0.05.")
    weights = _weights(path, f"{where}.portfolio", table["portfolio"], symbols)
    trust = {key: _number(path, f"{where}.{key}", table[key]) for key in ("confidence", "variance") if key in table}
    portfolio = {symbol: weight for symbol, weight in zip(symbols, weights.tolist(), strict=True) if weight}
    return View(portfolio, _number(path, f"{where}.expected", table["expected"]), **trust)


def _weights(path: Path, where: str, table: Any, symbols: Sequence[str]) -> FloatArray:
    if not isinstance(table, dict):
        raise BadInputError(f"{path}: {where} is {table!r}, no table. Write symbols with weights, such as KO = 1.0.")
    for name in table:
        if name not in symbols:
            near = get_close_matches(name, symbols, n=1, cutoff=0.0)[0]
            raise BadInputError(f"{path}: {where} names {name!r}, of which there are no data. Its nearest is {near!r}.")
    return np.array([_number(path, f"{where}.{symbol}", table.get(symbol, 0.0)) for symbol in symbols])


def _check_keys(path: Path, where: str, table: Mapping[str, Any], known: Sequence[str]) -> None:
    for key in table:
        if key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.0)[0]
            raise BadInputError(
                f"{path}: {where}there is no key {key!r}. Its nearest is {near!r}; known: {', '.join(known)}."
            )


def _number(path: Path, where: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadInputError(f"{path}: {where} = {value!r} is no number. Write it like 0.05.")
    return float(value)


def _known(row: Row, symbols: Sequence[str]) -> str:
    name = row.text("symbol")
    if name not in symbols:
        near = get_close_matches(name, symbols, n=1, cutoff=0.0)[0]
        raise row.wrong(f"there are no data of {name!r}", f"Its nearest is {near!r}; known: {', '.join(symbols)}")
    return name
