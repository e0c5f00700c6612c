"""Lanes: what of a batch may be sent at the same time, and what must wait for what.

Invariant: units that share a symbol are of one lane, and a lane keeps the order of the batch, so that an order that
reduces is there before one that counts on it. Lanes know nothing of each other. Linked orders are one unit and always
go in one call.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context

from nt_ray.trader.intake import Unit
from nt_ray.trading import events as e

Send = Callable[[Unit], list[e.OrderEvent]]


def lanes_of(units: Sequence[Unit]) -> list[Sequence[int]]:
    """Places of units in the batch, lane by lane, in the order of each lane's first."""
    lanes: list[tuple[set[str], list[int]]] = []
    for place, unit in enumerate(units):
        symbols, places = {request.symbol for request in unit}, [place]
        for joined in [lane for lane in lanes if lane[0] & symbols]:
            symbols |= joined[0]
            places = joined[1] + places
            lanes.remove(joined)
        lanes.append((symbols, sorted(places)))
    return [places for _, places in sorted(lanes, key=lambda lane: lane[1])]


class Sender:
    """Sends batches, at most `width` lanes at a time over all of them; a batch of one lane goes by its own caller."""

    def __init__(self, send: Send, width: int, name: str) -> None:
        self._send = send
        self._pool = ThreadPoolExecutor(width, f"send-{name}") if width > 1 else None

    def send(self, units: Sequence[Unit], outcomes: list[list[e.OrderEvent]]) -> None:
        """Send a batch and append what became of each unit to its list of `outcomes`.

        Whatever a lane raises is raised when all have ended; by then the outcomes say all that is known.
        """

        def follow(lane: Sequence[int]) -> None:
            for place in lane:
                outcomes[place] += self._send(units[place])

        lanes = lanes_of(units) if self._pool is not None and len(units) > 1 else [range(len(units))]
        if self._pool is None or len(lanes) == 1:
            follow(lanes[0])
            return
        # Whoever follows the caller's work follows his lanes too.
        sent = [self._pool.submit(copy_context().run, follow, lane) for lane in lanes]
        wait(sent)
        for lane in sent:
            lane.result()

    def close(self) -> None:
        """Wait for what is on its way, and end the threads."""
        if self._pool is not None:
            self._pool.shutdown()
