"""The actor of the stream: one log of what happens on the cluster, for all gateways to follow.

It asks the live accounts and the keeper of jobs for their news (`actors.stream_feeds`) and takes what others publish.
It keeps nothing: a restarted one begins another epoch, and whoever followed is told so. One loop, no threads.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import actors.cluster  # noqa: F401  prepares the environment Ray reads

import ray  # isort: skip  after actors.cluster, which prepares its environment

from actors.calls import settle
from actors.cluster import NAMESPACE
from actors.stream_feeds import Feeds
from nt_ray.trader.event_stream import Channel, EventStream, Followed, News

NAME: Final = "stream"
CALLERS: Final = 1000


@ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=0, max_concurrency=CALLERS)  # type: ignore[call-overload]
class StreamActor:
    """Mailbox of an event stream."""

    def __init__(self) -> None:
        self._stream = EventStream()
        self._feeds = Feeds(self._stream)
        self._feeds.begin()

    async def publish(self, told: Sequence[News]) -> None:
        """Take news."""
        self._stream.publish(told)

    async def follow(self, after: Mapping[Channel, int], epoch: str = "", wait_s: float = 0.0) -> Followed:
        """Return events after a number in each channel; waits for the first one."""
        return await self._stream.follow(after, epoch, wait_s)

    async def ping(self) -> None:
        """Answer once it runs."""


def start() -> Any:
    """Start the actor of the stream or find it; it outlives its starter."""
    handle: Any = StreamActor.options(  # type: ignore[attr-defined]
        name=NAME, namespace=NAMESPACE, lifetime="detached", get_if_exists=True
    ).remote()
    settle(handle.ping.remote(), handle.ping.remote, "The stream")
    return handle


def find() -> Any:
    """Find the actor of the stream; raises ValueError where there is none."""
    return ray.get_actor(NAME, NAMESPACE)


def stop() -> None:
    """End the actor of the stream."""
    ray.kill(find())
