"""A simulated Alpaca, and adapters that talk to it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from nt_ray.brokers.alpaca.broker import AlpacaBroker
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.brokers.alpaca.transport import Patience


@pytest.fixture
def simulator() -> Iterator[AlpacaSimulator]:
    with AlpacaSimulator(requests_per_minute=100_000) as running:
        yield running


@pytest.fixture
def connect(simulator: AlpacaSimulator) -> Iterator[Callable[..., AlpacaBroker]]:
    """Open an adapter that waits for nothing in vain."""
    with ExitStack() as stack:

        def opened(**options: Any) -> AlpacaBroker:
            patience = options.pop("patience", Patience(timeout_s=5.0, sleep=lambda _: None))
            broker = AlpacaBroker("alpaca", options.pop("access", simulator.access()), patience, **options)
            stack.callback(broker.close)
            return broker

        yield opened


@pytest.fixture
def broker(connect: Callable[..., AlpacaBroker]) -> AlpacaBroker:
    return connect()
