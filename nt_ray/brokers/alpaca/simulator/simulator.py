"""The simulated venue for programs: a context manager that serves it from a thread, and calls that move it."""

import asyncio
import threading
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from pydantic import SecretStr

from nt_ray.brokers.alpaca.access import AlpacaAccess
from nt_ray.brokers.alpaca.simulator.server import Server, new_venue
from nt_ray.brokers.alpaca.wire import Json
from nt_ray.errors import ServiceError

_T = TypeVar("_T")

SYMBOLS: Final[Mapping[str, Decimal]] = {"AAPL": Decimal(100), "MSFT": Decimal(200), "SPY": Decimal(400)}
"""Symbols and prices of a venue of which nothing else is said."""


class AlpacaSimulator:
    """A venue on loopback from `start` (or `with`) to `stop`."""

    def __init__(
        self,
        key: str = "PKSIMULATED",
        secret: str = "simulated-secret",  # noqa: S107  it opens nothing but this simulator
        *,
        cash: Decimal = Decimal(100_000),
        symbols: Mapping[str, Decimal] = SYMBOLS,
        port: int = 0,
        file: Path | None = None,
        requests_per_minute: int = 200,
    ) -> None:
        self._keys = (key, secret)
        self._port = port
        self._server = Server(new_venue(key, secret, cash, symbols), requests_per_minute, file)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="alpaca-simulator", daemon=True)

    def start(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        try:
            self._port = self._run(self._server.start(self._port))
        except OSError as error:
            self.stop()
            raise ServiceError(
                f"Port {self._port} of loopback cannot be used: {error.strerror}. Choose another, or 0 for a free one."
            ) from error
        return self

    def stop(self) -> None:
        """Stop serving; a venue with a file can be started again from it."""
        self._run(self._server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port it listens at."""
        return self._port

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._port}"

    def access(self) -> AlpacaAccess:
        """Host and keys for an adapter."""
        key, secret = self._keys
        return AlpacaAccess(SecretStr(key), SecretStr(secret), trading=self.url, data=self.url)

    def price(self, symbol: str, price: str, **quote: str) -> None:
        """Move the market in a symbol; `bid`, `ask`, `size` and the `time` of the trade may be given."""
        self.control("/simulator/price", symbol=symbol, price=price, **quote)

    def session(self, session: str) -> None:
        """Begin a session: open, closed or extended."""
        self.control("/simulator/session", session=session)

    def fault(self, kind: str, **fields: Any) -> None:
        """Let something go wrong; see `nt_ray.brokers.alpaca.simulator.faults`."""
        self.control("/simulator/faults", kind=kind, **fields)

    def heal(self) -> None:
        """Let nothing go wrong any more."""
        self._control("DELETE", "/simulator/faults", {})

    def arrived(self) -> None:
        """Wait until every request that is to be processed late has been."""
        self._run(self._server.arrived())

    def control(self, path: str, /, **body: Any) -> Any:
        """Do what `POST path` does."""
        return self._control("POST", path, body)

    def _control(self, method: str, path: str, body: Json) -> Any:
        async def call() -> Any:
            return self._server.control(method, path, body)

        return self._run(call())

    def orders(self) -> list[Json]:
        """Every order the venue has, as it is kept: identity, state and quantities."""

        async def read() -> list[Json]:
            kept = self._server.venue.state.orders.values()
            fields = ("id", "client_order_id", "symbol", "side", "type", "status", "qty", "filled", "head", "role")
            return [{name: getattr(order, name) for name in fields} for order in kept]

        return self._run(read())

    def holdings(self) -> tuple[Decimal, dict[str, Decimal]]:
        """Cash and signed positions, as the venue keeps them."""

        async def read() -> tuple[Decimal, dict[str, Decimal]]:
            state = self._server.venue.state
            return state.cash, {symbol: held.quantity for symbol, held in state.positions.items()}

        return self._run(read())

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        future: Future[_T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result()
