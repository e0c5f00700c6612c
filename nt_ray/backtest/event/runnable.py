"""Any strategy with its parameters, ready for the simulator: of targets, of orders, or in plain Python.

One door by name: a strategy of the registry, an order strategy of the platform, or an object of a user's file. A
plain-Python strategy takes its parameters where it is made, so its class is named and each run makes a new one.
"""

import copy
import inspect
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal, Protocol, TypeAlias

from nt_ray.backtest.event.market import Market
from nt_ray.backtest.event.python_strategy import Context, PythonStrategy
from nt_ray.backtest.event.result import EventResult
from nt_ray.backtest.event.simulate import simulate_exposures, simulate_orders, simulate_python
from nt_ray.errors import NeuralTraderError, StrategyError
from nt_ray.market.bars import BarPanel
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.strategies import loader
from nt_ray.strategies.base import Strategy
from nt_ray.strategies.order_step import ORDER_STEP_SIGNATURE, OrderStrategy
from nt_ray.strategies.registry import find, find_orders
from nt_ray.types import FloatArray

Kind: TypeAlias = Literal["targets", "orders", "python"]
OnRow: TypeAlias = Callable[[int, int], None]
"""Told how many rows are done, and of how many."""

_EVERY: Final = 64
"""Rows between two words about progress."""


class Runnable(Protocol):
    """A strategy with its parameters."""

    @property
    def name(self) -> str:
        """Name by which it is found again."""
        ...

    @property
    def kind(self) -> Kind:
        """What it gives: targets, orders, or orders from plain Python."""
        ...

    @property
    def parameters(self) -> Mapping[str, float]:
        """Parameters by name."""
        ...

    @property
    def inputs(self) -> tuple[str, ...]:
        """Extra fields of the panel that it reads, as far as it says so."""
        ...

    @property
    def width(self) -> int:
        """Symbols that it looks at together."""
        ...

    @property
    def code(self) -> Any:
        """Function that decides, to look at."""
        ...

    def run(
        self,
        panel: BarPanel,
        *,
        sizing: SizingParams,
        market: Market,
        initial_cash: Decimal,
        on_row: OnRow | None = None,
    ) -> EventResult:
        """Run over a panel; `sizing` is for targets alone, `on_row` is told by plain Python alone."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class OfTargets:
    """A target-exposure strategy; symbols that do not fill a group at the end of a panel are left out."""

    strategy: Strategy
    vector: FloatArray
    kind: Kind = "targets"

    @property
    def name(self) -> str:
        """Name of the strategy."""
        return self.strategy.name

    @property
    def parameters(self) -> Mapping[str, float]:
        """Parameters by name."""
        return {p.name: float(v) for p, v in zip(self.strategy.parameters, self.vector, strict=True)}

    @property
    def inputs(self) -> tuple[str, ...]:
        """Extra fields that the step reads."""
        return self.strategy.inputs

    @property
    def width(self) -> int:
        """Symbols of a group."""
        return self.strategy.width

    @property
    def code(self) -> Any:
        """The step."""
        return self.strategy.step

    def run(
        self,
        panel: BarPanel,
        *,
        sizing: SizingParams,
        market: Market,
        initial_cash: Decimal,
        on_row: OnRow | None = None,
    ) -> EventResult:
        """Run compiled."""
        whole = len(panel.symbols) - len(panel.symbols) % self.width
        columns = range(whole or len(panel.symbols))
        return simulate_exposures(
            panel, self.strategy, self.vector, symbols=columns, sizing=sizing, market=market, initial_cash=initial_cash
        )


@dataclass(frozen=True, slots=True, eq=False)
class OfOrders:
    """A compiled order strategy."""

    strategy: OrderStrategy
    vector: FloatArray
    name: str
    kind: Kind = "orders"
    inputs: tuple[str, ...] = ()
    width: int = 1

    @property
    def parameters(self) -> Mapping[str, float]:
        """Parameters by name."""
        return {p.name: float(v) for p, v in zip(self.strategy.parameters, self.vector, strict=True)}

    @property
    def code(self) -> Any:
        """The step."""
        return self.strategy.step

    def run(
        self,
        panel: BarPanel,
        *,
        sizing: SizingParams,
        market: Market,
        initial_cash: Decimal,
        on_row: OnRow | None = None,
    ) -> EventResult:
        """Run compiled."""
        return simulate_orders(panel, self.strategy, self.vector, market=market, initial_cash=initial_cash)


@dataclass(frozen=True, slots=True, eq=False)
class InPython:
    """A strategy in plain Python; `make` makes a new one for each run."""

    make: Callable[[], PythonStrategy]
    name: str
    parameters: Mapping[str, float]
    kind: Kind = "python"
    inputs: tuple[str, ...] = ()
    width: int = 1

    @property
    def code(self) -> Any:
        """Its `on_bar`."""
        return type(self.make()).on_bar

    def run(
        self,
        panel: BarPanel,
        *,
        sizing: SizingParams,
        market: Market,
        initial_cash: Decimal,
        on_row: OnRow | None = None,
    ) -> EventResult:
        """Run bar by bar; what the strategy raises becomes an error that names its bar and line."""
        watched = _Watched(self.make(), self.name, len(panel), on_row)
        try:
            return simulate_python(panel, watched, market=market, initial_cash=initial_cash)
        except NeuralTraderError:
            raise
        except Exception as error:  # noqa: BLE001 foreign code may raise anything; it goes on with its bar and its line
            failure = error
        raise StrategyError(_fault(self.name, watched.time, failure)) from failure


class _Watched(PythonStrategy):
    """A strategy whose progress is told, and whose last bar is known."""

    def __init__(self, inner: PythonStrategy, name: str, rows: int, on_row: OnRow | None) -> None:
        self.name = name
        self.time: datetime | None = None
        self._inner = inner
        self._rows = rows
        self._on_row = on_row

    def on_start(self, context: Context) -> None:
        self._inner.on_start(context)

    def on_bar(self, context: Context) -> None:
        self.time = context.time
        self._inner.on_bar(context)
        done = context.row + 1
        if self._on_row is not None and (done % _EVERY == 0 or done == self._rows):
            self._on_row(done, self._rows)


def runnable(name: str, values: Mapping[str, float]) -> Runnable:
    """Find a strategy of any kind by name, alias or `file.py:Object`, with these parameters."""
    if loader.is_reference(name):
        found = loader.load_object(name, _fits)
        if isinstance(found.value, OrderStrategy):
            form = "step(state, bar, ticks, params, lots, account, orders, requests) -> int"
            step = loader.compiled(found.value.step, ORDER_STEP_SIGNATURE, "ORDER_STEP_SIGNATURE", form, found.place)
            own = found.value
            strategy = replace(own, step=step)
            return OfOrders(strategy, strategy.vector(values), found.key)
        if _is_python(found.value):
            return _in_python(found, values)
    elif (orders := find_orders(name)) is not None:
        return OfOrders(orders, orders.vector(values), orders.name)
    targets = find(name)
    return OfTargets(targets, targets.vector(values))


def _fits(value: Any) -> bool:
    return isinstance(value, Strategy | OrderStrategy) or _is_python(value)


def _is_python(value: Any) -> bool:
    made = isinstance(value, type) and issubclass(value, PythonStrategy) and value is not PythonStrategy
    return made or isinstance(value, PythonStrategy)


def _in_python(found: loader.Found, values: Mapping[str, float]) -> InPython:
    value = found.value
    if isinstance(value, PythonStrategy):
        if values:
            raise StrategyError(
                f"{found.place} is an object that is made already, so {next(iter(values))} cannot be set. "
                "Name its class instead."
            )
        return InPython(lambda: copy.deepcopy(value), found.key, {})
    takes = inspect.signature(value).parameters
    if not any(p.kind is p.VAR_KEYWORD for p in takes.values()):
        unknown = next((name for name in values if name not in takes), None)
        if unknown is not None:
            listed = ", ".join(takes) or "none"
            raise StrategyError(f"{found.place} has no parameter {unknown!r}. It has: {listed}.")
        missing = [n for n, p in takes.items() if p.default is p.empty and p.kind is not p.VAR_POSITIONAL]
        absent = next((name for name in missing if name not in values), None)
        if absent is not None:
            raise StrategyError(f"{found.place} needs a value for {absent!r}. Give --param {absent}=NUMBER.")
    # What is written as a whole number is one: it may index or count.
    plain = {name: int(v) if float(v).is_integer() else float(v) for name, v in values.items()}
    defaults = {n: p.default for n, p in takes.items() if isinstance(p.default, int | float)}
    return InPython(lambda: value(**plain), found.key, {**defaults, **values})


def _fault(name: str, when: datetime | None, error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    bar = "before its first bar" if when is None else f"on {when.isoformat()}"
    return f"{name} failed {bar}: {type(error).__name__}: {error} ({last.filename}, line {last.lineno}). Mend the file."
