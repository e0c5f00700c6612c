"""Run the event simulator: order strategies and target-exposure strategies compiled, Python strategies bar by bar."""

import ctypes
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
from numba import njit, types

from nt_ray.backtest.event import kernel
from nt_ray.backtest.event.kernel import CALLBACK_SIGNATURE, Mind
from nt_ray.backtest.event.market import Market
from nt_ray.backtest.event.python_strategy import Context, PythonStrategy
from nt_ray.backtest.event.result import EventResult, result_of
from nt_ray.backtest.simulator import _groups as groups_of
from nt_ray.backtest.simulator import cash_quanta
from nt_ray.brokers.simulated import tables
from nt_ray.brokers.simulated.tables import Book, larger, new_book
from nt_ray.errors import BadInputError, StrategyError
from nt_ray.market.bars import BarPanel
from nt_ray.portfolio.sizing import SizingParams, volatility_path
from nt_ray.strategies.base import STEP_SIGNATURE, Strategy
from nt_ray.strategies.inputs import input_values
from nt_ray.strategies.order_step import ORDER_STEP_SIGNATURE, OrderStrategy
from nt_ray.types import FloatArray, IntArray

_C_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)


def simulate_orders(
    panel: BarPanel,
    strategy: OrderStrategy,
    params: FloatArray | None = None,
    *,
    market: Market | None = None,
    initial_cash: Decimal,
) -> EventResult:
    """Run an order strategy over a panel, compiled throughout.

    `params` has one value for each parameter of the strategy; None takes the defaults.
    """
    values = [p.default for p in strategy.parameters] if params is None else list(params)
    if len(values) != len(strategy.parameters):
        raise StrategyError(
            f"{strategy.name}: {len(values)} parameters given, it has {len(strategy.parameters)}. Give one for each."
        )
    vector = np.array([p.check(float(v)) for p, v in zip(strategy.parameters, values, strict=True)])
    mind = _mind(panel, params=vector, states=np.zeros((1, strategy.state_size(vector))))
    return _run(panel, strategy.name, market or Market(), initial_cash, mind, kernel.BY_ORDERS, step=strategy.step)


def simulate_exposures(
    panel: BarPanel,
    strategy: Strategy,
    params: FloatArray,
    *,
    symbols: Sequence[int] | None = None,
    sizing: SizingParams,
    market: Market | None = None,
    initial_cash: Decimal,
) -> EventResult:
    """Run a target-exposure strategy over a panel: sizing makes market DAY orders of its targets.

    Parameters are those of `backtest.simulator.backtest`; with the same costs the fills are the same.
    """
    groups = groups_of(panel, strategy, symbols)
    if len(params) != len(strategy.parameters):
        raise StrategyError(
            f"{strategy.name}: {len(params)} parameters given, it has {len(strategy.parameters)}. "
            "Use strategy.vector()."
        )
    closes = np.array(panel.closes, order="C")
    vector = np.array(params, dtype=np.float64)
    values = input_values(strategy, panel)
    # The kernel takes bars that cannot change; a selection of fields is a fresh array, which can.
    values.setflags(write=False)
    mind = Mind(
        vector,
        np.zeros((len(groups), strategy.state_size(vector))),
        groups,
        values,
        closes,
        volatility_path(closes, panel.periods_per_year, sizing.volatility_halflife),
        sizing.vector(),
        np.full(len(panel.instruments), np.nan),
    )
    rules = market or Market()
    room = len(panel.instruments)
    return _run(panel, strategy.name, rules, initial_cash, mind, kernel.BY_EXPOSURES, vote=strategy.step, room=room)


def simulate_python(
    panel: BarPanel, strategy: PythonStrategy, *, market: Market | None = None, initial_cash: Decimal
) -> EventResult:
    """Run a Python strategy over a panel; what it raises is raised here."""
    context = Context(panel, strategy.name)
    bridge = Bridge(partial(context.turn, strategy))
    strategy.on_start(context)
    rules = market or Market()
    return _run(
        panel,
        strategy.name,
        rules,
        initial_cash,
        _mind(panel),
        kernel.BY_CALLBACK,
        callback=bridge,
        attach=context.attach,
    )


class Bridge(types.WrapperAddressProtocol):
    """A Python function of a row, as compiled code calls it; an error stops the run and is kept."""

    def __init__(self, function: Callable[[int], int]) -> None:
        self._function = function
        self._error: BaseException | None = None
        self._pointer = _C_CALLBACK(self._call)

    def __wrapper_address__(self) -> int:
        return ctypes.cast(self._pointer, ctypes.c_void_p).value or 0

    def signature(self) -> Any:
        """Signature of the function as Numba calls it."""
        return CALLBACK_SIGNATURE

    def raise_error(self) -> None:
        """Raise what the function raised."""
        if self._error is not None:
            raise self._error

    def _call(self, row: int) -> int:
        try:
            return self._function(row)
        except BaseException as error:  # noqa: BLE001  an error cannot pass through compiled code; it is raised after
            self._error = error
            return kernel.STOPPED


@njit(ORDER_STEP_SIGNATURE, cache=True)
def _no_step(
    state: FloatArray,
    bar: FloatArray,
    ticks: IntArray,
    params: FloatArray,
    lots: IntArray,
    account: IntArray,
    orders: IntArray,
    requests: IntArray,
) -> int:
    return 0


@njit(STEP_SIGNATURE, cache=True)
def _no_vote(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    return 0.0


@njit(CALLBACK_SIGNATURE, cache=True)
def _no_callback(row: int) -> int:
    return 0


def _mind(panel: BarPanel, params: FloatArray | None = None, states: FloatArray | None = None) -> Mind:
    none = np.zeros(0)
    return Mind(
        none if params is None else params,
        np.zeros((1, 0)) if states is None else states,
        np.zeros((0, 1), dtype=np.int64),
        panel.values,
        np.zeros((0, 0)),
        np.zeros((0, 0)),
        none,
        none,
    )


def _run(
    panel: BarPanel,
    name: str,
    market: Market,
    initial_cash: Decimal,
    mind: Mind,
    mode: int,
    *,
    step: Any = _no_step,
    vote: Any = _no_vote,
    callback: Any = _no_callback,
    attach: Callable[[Book], None] | None = None,
    room: int = 0,
) -> EventResult:
    cash = cash_quanta(initial_cash)
    tape = market.tape(panel)
    book = new_book(len(panel), len(panel.instruments), max(market.requests, room), cash)
    row = 0
    while row < len(panel):
        if attach is not None:
            attach(book)
        row = kernel.run(step, vote, callback, mind, tape, book, mode, row)
        if row == kernel.STOPPED:
            if isinstance(callback, Bridge):
                callback.raise_error()
            raise _failure(panel, name, book, market)
        if row < len(panel):
            book = larger(book)
    return result_of(panel, book, cash)


def _failure(panel: BarPanel, name: str, book: Book, market: Market) -> BadInputError:
    code, row, column, value = book.failure.tolist()
    when = panel.time(int(row)).isoformat()
    if code == tables.TOO_LARGE:
        return BadInputError(f"{name}: the account outgrows exact arithmetic at {when}. Use less cash or leverage.")
    if code == tables.TOO_MANY:
        return StrategyError(
            f"{name}: {value:.0f} requests on {when}, there is room for {market.requests}. Raise Market.requests."
        )
    if code == tables.BAD_REQUEST:
        fields = book.requests[int(value)].tolist()
        return StrategyError(
            f"{name}: request {value:.0f} of {when} makes no sense: {fields}. See `strategies.order_step` for what "
            "its type, prices, time in force, flags and links must be."
        )
    what, low = ("target", -1) if code == tables.BAD_TARGET else ("confidence", 0)
    return StrategyError(
        f"{name} gave the {what} {value:g} for {panel.symbols[int(column)]} at {when}. A {what} must lie in [{low}, 1]."
    )
