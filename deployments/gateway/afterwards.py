"""Work that goes on although its caller has gone: it ends, however often and in whichever way he is cancelled.

A shield of anyio holds off the scopes around it, and not the server, which cancels the task of a request whose
connection is lost; and Ray cancels what was asked of actors on behalf of that request. So such work has a task of its
own, in a context that names no task of Ray.
"""

import asyncio
import contextvars
import logging
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import anyio

from nt_ray.errors import NeuralTraderError

_OF_RAY: Final = "async_task_"
"""How the names of the variables begin in which Ray keeps the task that an actor is at."""
_AT_WORK: Final[set[asyncio.Task[Any]]] = set()
"""The loop itself holds tasks weakly."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


def begin(work: Coroutine[Any, Any, T], around: contextvars.Context | None = None) -> asyncio.Task[T]:
    """Begin work that ends by itself alone; ids of the request and of its trace go with it.

    They are those of this task, or of `around` where a request is served by another one.
    """
    context = contextvars.Context()
    for variable, value in (around or contextvars.copy_context()).items():
        if not variable.name.startswith(_OF_RAY):
            context.run(variable.set, value)
    task = asyncio.get_running_loop().create_task(work, context=context)
    _AT_WORK.add(task)
    task.add_done_callback(_ended)
    return task


async def finish(work: Coroutine[Any, Any, T], around: contextvars.Context | None = None) -> T:
    """Do the work and return what it gives; who waits here may be cancelled, the work is not."""
    return await asyncio.shield(begin(work, around))


async def at_rest(within_s: float) -> None:
    """Wait until nothing is under way any more, so many seconds at most: for whoever ends the loop."""
    own = asyncio.current_task()
    if left := {task for task in _AT_WORK if task is not own}:
        await asyncio.wait(left, timeout=within_s)


async def see_to(work: Coroutine[Any, Any, None], within_s: float) -> None:
    """Do what follows from a cancellation, in so many seconds at most; a refusal is told to the log alone."""
    with anyio.CancelScope(shield=True):
        await finish(_bounded(work, within_s))


async def _bounded(work: Coroutine[Any, Any, None], within_s: float) -> None:
    try:
        with anyio.move_on_after(within_s):
            await work
    except NeuralTraderError as error:
        _log.warning("A call that its caller has left: %s", error)


def _ended(task: asyncio.Task[Any]) -> None:
    _AT_WORK.discard(task)
    if not task.cancelled():
        # Whoever waits hears of it; where nobody does any more it is no news for the loop's log.
        task.exception()
