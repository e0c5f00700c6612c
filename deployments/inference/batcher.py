"""Windows of many requests through one forward pass, without waiting for more of them.

A pass takes what has come in while the one before it ran, up to the batch of the model. So a lone request is never
held up, and the busier the replica, the larger its batches. A pass runs in a thread; the loop only hands over. A short
pass of a request that is alone runs at once instead: nobody is there whom it could hold up.

Invariant: a request is answered once; what is wrong with one has no effect on those beside it.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from nt_ray.errors import NeuralTraderError
from nt_ray.neural.inference.quantiles import Intervals
from nt_ray.neural.serving.model import Answer, ServedModel
from nt_ray.neural.serving.windows import WindowSet, join

Levels = tuple[float, ...]
_Key = tuple[int, Levels, Intervals]


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    windows: WindowSet
    answer: "asyncio.Future[Answer]"


@dataclass(slots=True, eq=False)
class _Lane:
    """Requests that may share a pass: of one model at the same levels, with the same kind of intervals."""

    model: ServedModel
    levels: Levels
    intervals: Intervals
    queue: deque[_Waiting] = field(default_factory=deque)
    workers: int = 0


class Batcher:
    """Passes of all models of a replica, on a few threads."""

    def __init__(self, threads: int, on_pass: Callable[[ServedModel, int, int], object] | None = None) -> None:
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="forward")
        self._on_pass = on_pass
        self._lanes: dict[_Key, _Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def submit(
        self,
        model: ServedModel,
        windows: WindowSet,
        levels: Levels = (),
        intervals: Intervals = "",
        *,
        alone: bool = False,
    ) -> Answer:
        """Forecast windows; raises what their model says of them. `alone`: nothing else is asked at this time."""
        if alone and not self._lanes and len(windows) <= model.short:
            answer = model.forecast(windows, levels, intervals)
            self._count(model, [windows])
            return answer
        key = (id(model), levels, intervals)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(model, levels, intervals)
        waiting = _Waiting(windows, asyncio.get_running_loop().create_future())
        lane.queue.append(waiting)
        if lane.workers < self._threads:
            lane.workers += 1
            worker = asyncio.create_task(self._work(key, lane))
            self._tasks.add(worker)
            worker.add_done_callback(self._tasks.discard)
        return await waiting.answer

    def close(self) -> None:
        """Let go of the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _work(self, key: _Key, lane: _Lane) -> None:
        while group := _next(lane):
            sets = [waiting.windows for waiting in group]
            try:
                answer = await self._forecast(lane, sets)
            except NeuralTraderError:
                await self._one_by_one(lane, group)
            except Exception as error:  # noqa: BLE001 (whatever it is, those who wait have to be told)
                _fail_all(group, error)
            else:
                self._count(lane.model, sets)
                _hand_out(group, answer)
        lane.workers -= 1
        if not lane.workers:
            del self._lanes[key]

    def _count(self, model: ServedModel, sets: list[WindowSet]) -> None:
        if self._on_pass is not None:
            self._on_pass(model, sum(map(len, sets)), len(sets))

    async def _forecast(self, lane: _Lane, sets: list[WindowSet]) -> Answer:
        def forward() -> Answer:
            return lane.model.forecast(join(sets), lane.levels, lane.intervals)

        return await asyncio.get_running_loop().run_in_executor(self._pool, forward)

    async def _one_by_one(self, lane: _Lane, group: list[_Waiting]) -> None:
        """Find out whom a failure is about."""
        for waiting in group:
            try:
                answer = await self._forecast(lane, [waiting.windows])
            except Exception as error:  # noqa: BLE001 (whatever it is, the one who waits has to be told)
                _fail(waiting, error)
            else:
                _hand_out([waiting], answer)


def _next(lane: _Lane) -> list[_Waiting]:
    """Take the requests of the next pass; who has hung up is left out."""
    taken: list[_Waiting] = []
    count = 0
    while lane.queue and (not taken or count + len(lane.queue[0].windows) <= lane.model.batch):
        waiting = lane.queue.popleft()
        if not waiting.answer.done():
            taken.append(waiting)
            count += len(waiting.windows)
    return taken


def _hand_out(group: list[_Waiting], answer: Answer) -> None:
    first = 0
    for waiting in group:
        last = first + len(waiting.windows)
        if not waiting.answer.done():
            waiting.answer.set_result(answer.part(first, last))
        first = last


def _fail_all(group: list[_Waiting], error: Exception) -> None:
    for waiting in group:
        _fail(waiting, error)


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.answer.done():
        waiting.answer.set_exception(error)
