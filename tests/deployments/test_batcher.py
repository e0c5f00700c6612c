import asyncio
import threading
from collections.abc import Sequence

import numpy as np
import pytest

from deployments.inference.batcher import Batcher
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.serving.model import Answer
from nt_ray.neural.serving.windows import WindowSet


class Doubler:
    """A model whose forecast is twice the window, and which takes time when it is told to."""

    def __init__(self, batch: int = 8) -> None:
        self.batch = batch
        self.short = 2
        self.passes: list[int] = []
        self.threads: set[str] = set()
        self.go = threading.Event()
        self.go.set()

    def forecast(self, windows: WindowSet, levels: Sequence[float] = (), intervals: str = "") -> Answer:
        assert self.go.wait(10)
        self.threads.add(threading.current_thread().name)
        self.passes.append(len(windows))
        if (windows.target == 13).any():
            raise NeuralError("13 is unlucky. Send another.")
        if (windows.target == 14).any():
            raise ZeroDivisionError
        return Answer(windows.target * 2, np.zeros((len(windows), 1, len(levels))))


def window(value: float, count: int = 1) -> WindowSet:
    empty = np.empty((count, 0))
    return WindowSet(np.full((count, 1), value), empty, empty, empty)


async def ask(batcher: Batcher, model: Doubler, values: list[float], count: int = 1) -> list[object]:
    """Answers to requests that come in while the first pass runs."""
    model.go.clear()
    asked = [batcher.submit(model, window(value, count)) for value in values]  # type: ignore[arg-type]
    tasks = [asyncio.ensure_future(one) for one in asked]
    await asyncio.sleep(0.05)
    model.go.set()
    return list(await asyncio.gather(*tasks, return_exceptions=True))


def test_what_comes_in_during_a_pass_shares_the_next_one_up_to_the_batch() -> None:
    async def run() -> None:
        told: list[tuple[int, int]] = []
        model, batcher = Doubler(), Batcher(1, lambda _, windows, requests: told.append((windows, requests)))
        answers = await ask(batcher, model, [float(i) for i in range(20, 40)])
        assert [answer.mean.tolist() for answer in answers] == [[[2.0 * i]] for i in range(20, 40)]  # type: ignore[attr-defined]
        # The first pass takes all that came before the loop got to it.
        assert model.passes == [8, 8, 4]
        assert told == [(8, 8), (8, 8), (4, 4)]
        model.passes.clear()
        assert len(await ask(batcher, model, [1.0, 2.0, 3.0], count=5)) == 3
        assert model.passes == [5, 5, 5]
        assert not batcher._lanes
        batcher.close()

    asyncio.run(run())


def test_a_request_larger_than_the_batch_passes_alone() -> None:
    async def run() -> None:
        model, batcher = Doubler(4), Batcher(1)
        answer = await batcher.submit(model, window(3.0, 9))  # type: ignore[arg-type]
        assert answer.mean.tolist() == [[6.0]] * 9
        assert model.passes == [9]
        batcher.close()

    asyncio.run(run())


def test_what_is_wrong_with_one_request_is_told_to_that_one_alone() -> None:
    async def run() -> None:
        model, batcher = Doubler(), Batcher(1)
        answers = await ask(batcher, model, [1.0, 13.0, 2.0])
        assert isinstance(answers[1], NeuralError)
        assert [answers[i].mean.tolist() for i in (0, 2)] == [[[2.0]], [[4.0]]]  # type: ignore[attr-defined]
        answers = await ask(batcher, model, [1.0, 13.0, 14.0])
        assert [type(answer) for answer in answers] == [Answer, NeuralError, ZeroDivisionError]
        answers = await ask(batcher, model, [1.0, 14.0])
        assert all(isinstance(answer, ZeroDivisionError) for answer in answers)
        assert (await batcher.submit(model, window(5.0))).mean.tolist() == [[10.0]]  # type: ignore[arg-type]
        batcher.close()

    asyncio.run(run())


def test_other_models_and_levels_do_not_share_a_pass() -> None:
    async def run() -> None:
        one, two, batcher = Doubler(), Doubler(), Batcher(2)
        levels = [(), (0.5,), ()]
        answers = await asyncio.gather(
            *(batcher.submit(m, window(1.0), q) for m, q in zip((one, one, two), levels, strict=True))  # type: ignore[arg-type]
        )
        assert [answer.quantiles.shape[-1] for answer in answers] == [0, 1, 0]
        assert (one.passes, two.passes) == ([1, 1], [1])
        batcher.close()

    asyncio.run(run())


def test_who_has_hung_up_is_left_out() -> None:
    async def run() -> None:
        model, batcher = Doubler(1), Batcher(1)
        model.go.clear()
        first, gone, last = (asyncio.ensure_future(batcher.submit(model, window(v))) for v in (1.0, 2.0, 3.0))  # type: ignore[arg-type]
        await asyncio.sleep(0.05)
        gone.cancel()
        model.go.set()
        assert [(await one).mean.tolist() for one in (first, last)] == [[[2.0]], [[6.0]]]
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert model.passes == [1, 1]
        batcher.close()

    asyncio.run(run())


def test_a_short_pass_of_a_request_that_is_alone_runs_at_once_and_counts() -> None:
    async def run() -> None:
        told: list[tuple[int, int]] = []
        model, batcher = Doubler(), Batcher(1, lambda _, windows, requests: told.append((windows, requests)))
        here = {threading.current_thread().name}
        assert (await batcher.submit(model, window(1.0, 2), alone=True)).mean.tolist() == [[2.0]] * 2  # type: ignore[arg-type]
        assert (model.threads, told) == (here, [(2, 1)])
        with pytest.raises(NeuralError):
            await batcher.submit(model, window(13.0), alone=True)  # type: ignore[arg-type]
        model.threads.clear()
        await batcher.submit(model, window(1.0, 3), alone=True)  # type: ignore[arg-type]
        await batcher.submit(model, window(1.0))  # type: ignore[arg-type]
        assert not model.threads & here
        batcher.close()

    asyncio.run(run())


def test_whoever_comes_while_another_model_is_asked_takes_a_thread() -> None:
    async def run() -> None:
        busy, model, batcher = Doubler(), Doubler(), Batcher(1)
        busy.go.clear()
        first = asyncio.ensure_future(batcher.submit(busy, window(1.0)))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        second = asyncio.ensure_future(batcher.submit(model, window(2.0), alone=True))  # type: ignore[arg-type]
        await asyncio.sleep(0.02)
        assert not model.passes
        busy.go.set()
        assert [(await one).mean.tolist() for one in (first, second)] == [[[2.0]], [[4.0]]]
        assert threading.current_thread().name not in model.threads
        batcher.close()

    asyncio.run(run())
