"""A stream that outlives its process: each event is on disk before anybody hears of it.

News that come together are written together, in a thread, while followers are served. Where they cannot be written,
whoever published them is told and nothing of them is heard, so a feed can tell them again. The next process goes on in
the same epoch with the same numbers. An instance belongs to one event loop.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nt_ray.errors import NeuralTraderError
from nt_ray.trader.event_stream import CAPACITY, Channel, Event, EventStream, Followed, News
from nt_ray.trader.stream_store import StreamStore


@dataclass(frozen=True, slots=True)
class _Batch:
    """News of one publisher, and what he waits for."""

    told: Sequence[News]
    places: Mapping[str, str]
    lost: Mapping[Channel, int]
    written: "asyncio.Future[None]"


class KeptStream:
    """An event stream over its file."""

    def __init__(self, store: StreamStore, capacity: int = CAPACITY) -> None:
        self._store = store
        self._stream = EventStream(capacity, store.epoch)
        for channel in Channel:
            self._stream.take(store.events(channel))
        self.places = store.places()
        """How far each feed has been read, as it is on disk."""
        self._waiting: list[_Batch] = []
        self._writing: asyncio.Task[None] | None = None

    async def publish(
        self,
        told: Sequence[News],
        places: Mapping[str, str] | None = None,
        lost: Mapping[Channel, int] | None = None,
    ) -> None:
        """Write news down and tell them; `places` say how far feeds have been read with them.

        `lost` events of a channel before them cannot be told: they have numbers, so that followers hear of the gap.
        """
        batch = _Batch(told, places or {}, lost or {}, asyncio.get_running_loop().create_future())
        self._waiting.append(batch)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        await batch.written

    async def follow(self, after: Mapping[Channel, int], epoch: str = "", wait_s: float = 0.0) -> Followed:
        """Events after a number in each channel, of `epoch` or else all; waits for the first one."""
        return await self._stream.follow(after, epoch, wait_s)

    async def close(self) -> None:
        """Write what waits, and close the file."""
        if self._writing is not None:
            await self._writing
        self._store.close()

    async def _write(self) -> None:
        """Write until nothing waits, everything that has come meanwhile at once."""
        try:
            while self._waiting:
                taken, self._waiting = self._waiting, []
                error = await self._commit(taken)
                for batch in taken:
                    # Whoever has left no longer waits.
                    if batch.written.done():
                        continue
                    if error is None:
                        batch.written.set_result(None)
                    else:
                        batch.written.set_exception(error)
        finally:
            self._writing = None

    async def _commit(self, taken: Sequence[_Batch]) -> Exception | None:
        last = {channel: log.last for channel, log in self._stream.logs.items()}
        events: list[Event] = []
        places: dict[str, str] = {}
        for batch in taken:
            places |= batch.places
            for channel, count in batch.lost.items():
                last[channel] += count
            for one in batch.told:
                last[one.channel] += 1
                events.append(Event(last[one.channel], one))
        try:
            await asyncio.to_thread(self._store.append, events, places)
        except NeuralTraderError as error:
            return error
        self.places |= places
        self._stream.take(events)
        return None
