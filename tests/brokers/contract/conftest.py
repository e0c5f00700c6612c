"""Desks: a venue with its market, as the contract sees it. A new venue joins by a desk of its own in `DESKS`."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nt_ray.brokers.alpaca.broker import AlpacaBroker
from nt_ray.brokers.alpaca.links import Leg, leg_id
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.brokers.alpaca.transport import Patience
from nt_ray.brokers.base import Broker
from nt_ray.brokers.simulated.exchange import SimulatedExchange
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.bars import BarPanel, Instrument

DAY = 86_400_000_000_000
SYMBOL = "AAPL"


class FakeTime:
    """A clock that moves when someone sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class AlpacaDesk:
    """Alpaca's adapter against the simulator of Alpaca. The market stands at the first price."""

    symbol = SYMBOL

    def __init__(self, simulator: AlpacaSimulator, market: list[tuple[str, str | None]], stack: ExitStack) -> None:
        self._simulator = simulator
        self._market = iter(market)
        self._stack = stack
        self.time = FakeTime()
        self.next()

    def connect(self) -> Broker:
        """Open a connection that knows nothing of the others, as a new process would."""
        patience = Patience(timeout_s=0.3, sleep=self.time.sleep, clock=self.time, jitter=lambda: 0.5)
        broker = AlpacaBroker("alpaca", self._simulator.access(), patience, requests_per_minute=100_000)
        self._stack.callback(broker.close)
        # What another process sent just before has had its time to arrive.
        self.time.sleep(5.0)
        return broker

    def next(self) -> None:
        """Move the market to its next price."""
        price, size = next(self._market)
        self._simulator.price(SYMBOL, price, **({} if size is None else {"size": size}))

    def held(self) -> list[str]:
        """Client ids of all orders that the venue was sent, legs aside."""
        return [order["client_order_id"] for order in self._simulator.orders() if not order["head"]]

    def fault(self, kind: str, **fields: Any) -> None:
        """Let something go wrong."""
        self._simulator.fault(kind, **fields)

    def heal(self) -> None:
        """Let nothing go wrong any more."""
        self._simulator.heal()

    @staticmethod
    def leg(head: str, take_profit: bool) -> str:
        """Name of a leg."""
        return leg_id(head, Leg.TAKE_PROFIT if take_profit else Leg.STOP_LOSS)


class ExchangeDesk:
    """The simulated exchange over flat bars at the prices. A bar trades a thousand units, or its size."""

    symbol = SYMBOL

    def __init__(self, path: Path, market: list[tuple[str, str | None]]) -> None:
        instruments = (Instrument(SYMBOL, Decimal("0.01"), Decimal(1)),)
        bars = [[[float(p)] * 4 + [float(s or 1000)]] for p, s in market]
        times = np.arange(1, len(market) + 1, dtype=np.int64) * DAY
        self._panel = BarPanel(instruments, times, np.array(bars, dtype=np.float64))
        self._path = path
        self._row = -1
        self._open: SimulatedExchange | None = None
        self.connect()
        self.next()

    def connect(self) -> Broker:
        """Open the venue anew from its file."""
        if self._open is not None:
            self._open.close()
        costs = Costs(Decimal(0), Decimal(0), Decimal(0), Decimal(0), Decimal(1))
        self._open = SimulatedExchange("sim", self._panel, costs, self._path)
        return self._open

    def close(self) -> None:
        """Close the venue."""
        if self._open is not None:
            self._open.close()

    def next(self) -> None:
        """Match the next bar."""
        self._row += 1
        assert self._open is not None
        self._open.advance(self._row)

    @staticmethod
    def leg(head: str, take_profit: bool) -> str:
        """Name of a leg; any would do."""
        return f"{head}.{'tp' if take_profit else 'sl'}"


@contextmanager
def alpaca(market: list[tuple[str, str | None]], folder: Path) -> Iterator[AlpacaDesk]:
    with AlpacaSimulator(requests_per_minute=100_000) as simulator, ExitStack() as stack:
        yield AlpacaDesk(simulator, market, stack)


@contextmanager
def exchange(market: list[tuple[str, str | None]], folder: Path) -> Iterator[ExchangeDesk]:
    desk = ExchangeDesk(folder / "venue.sqlite", market)
    yield desk
    desk.close()


DESKS = {"alpaca": alpaca, "simulated": exchange}

OpenDesk = Callable[..., Any]


@pytest.fixture(params=sorted(DESKS))
def open_desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenDesk]:
    """Open a venue whose market walks through prices; `sizes` bounds what may trade at each."""
    with ExitStack() as stack:

        def opened(*prices: str, sizes: list[str | None] | None = None) -> Any:
            market = list(zip(prices, sizes or [None] * len(prices), strict=True))
            return stack.enter_context(DESKS[request.param](market, tmp_path))

        yield opened


@pytest.fixture
def alpaca_desk() -> OpenDesk:
    """Make a desk of Alpaca of a market and a folder."""
    return alpaca


@pytest.fixture
def faulty_desk(tmp_path: Path) -> Iterator[OpenDesk]:
    """Open a venue that goes wrong on demand."""
    with ExitStack() as stack:
        yield lambda *prices: stack.enter_context(alpaca([(price, None) for price in prices], tmp_path))
